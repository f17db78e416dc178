// SPDX-License-Identifier: MPL-2.0
//! What to do about a source that is in trouble, and how long to wait before it is tried again. Pure: no GStreamer, no clock.

use std::{
    fmt,
    time::{Duration, Instant},
};

use clap::ValueEnum;

/// How long a source, or the pipeline, has to play before its failures count anew.
pub const STEADY: Duration = Duration::from_secs(60);

/// What is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Restart {
    /// Nothing: a source that fails ends alone, and the others go on; the exit code is 1
    #[default]
    No,
    /// What fails: a source that errs or falls silent, a live one also where its stream ends; an element behind the sources
    /// with the whole pipeline. A file that cannot be read further is not read again
    OnFailure,
    /// What fails or ends: recordings play for ever
    Always,
}

/// What a source gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A camera: its stream has no end unless it was told one.
    Live,
    /// A stream that may end: of a peer, or made here.
    Stream,
    /// A file, a pipe, a folder: what cannot be read once cannot be read twice.
    Recording,
}

/// What befell a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// One of its elements failed, in its own words.
    Error(String),
    /// Its stream ended.
    Ended,
    /// It gave nothing for that long.
    Silent(Duration),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Error(what) => f.write_str(what),
            Trouble::Ended => f.write_str("its stream ended"),
            Trouble::Silent(long) => write!(f, "no frame for {} s", long.as_secs_f64()),
        }
    }
}

/// What to do about a source in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Take it down, wait, and start it again.
    Restart,
    /// Let the end of its stream go on to the sinks.
    PassOn,
    /// Take it down and end its stream; what else plays goes on, and the run has failed at its end.
    EndAlone,
    /// End everything: it was the only source.
    Fail,
}

/// Returns what to do about a source's trouble. `told_to_end` says that its stream has an end by design (`num-buffers`), and
/// `others` that another source is there.
pub fn course(restart: Restart, kind: Kind, told_to_end: bool, trouble: &Trouble, others: bool) -> Course {
    let again = match (restart, trouble) {
        (Restart::No, _) => false,
        (Restart::Always, _) => true,
        (Restart::OnFailure, Trouble::Ended) => kind == Kind::Live && !told_to_end,
        (Restart::OnFailure, _) => kind != Kind::Recording,
    };
    match trouble {
        _ if again => Course::Restart,
        Trouble::Ended => Course::PassOn,
        _ if others => Course::EndAlone,
        _ => Course::Fail,
    }
}

/// How long to wait before something is tried again: twice as long each time.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(30) }
    }
}

/// How often something was tried again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    /// Restarts in all.
    pub total: u64,
    in_a_row: u32,
    plays_since: Option<Instant>,
}

impl Attempts {
    /// Counts one more restart, and returns how long to wait before it.
    pub fn next(&mut self, backoff: Backoff, now: Instant) -> Duration {
        let steady = self.plays_since.take().is_some_and(|since| now.saturating_duration_since(since) >= STEADY);
        if steady {
            self.in_a_row = 0;
        }
        // 2^20 first waits are more than any longest wait.
        let wait = backoff.first.saturating_mul(1 << self.in_a_row.min(20)).min(backoff.most.max(backoff.first));
        self.in_a_row += 1;
        self.total += 1;
        wait
    }

    /// Says that it plays from now on.
    pub fn plays(&mut self, now: Instant) {
        self.plays_since.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_started_again_and_whose_end_is_an_end() {
        use super::{Course::*, Kind::*, Restart::*};
        let (error, ended, silent) = (Trouble::Error("x".into()), Trouble::Ended, Trouble::Silent(STEADY));
        for (policy, kind, told, trouble, others, then) in [
            (No, Live, false, &error, false, Fail),
            (No, Live, false, &error, true, EndAlone),
            (No, Live, false, &silent, true, EndAlone),
            (No, Live, false, &ended, true, PassOn),
            (OnFailure, Live, false, &error, false, Restart),
            (OnFailure, Live, false, &ended, false, Restart),
            (OnFailure, Live, true, &ended, false, PassOn),
            (OnFailure, Live, true, &silent, false, Restart),
            (OnFailure, Stream, false, &ended, true, PassOn),
            (OnFailure, Stream, false, &error, true, Restart),
            (OnFailure, Recording, false, &ended, false, PassOn),
            (OnFailure, Recording, false, &error, false, Fail),
            (OnFailure, Recording, false, &error, true, EndAlone),
            (Always, Recording, false, &ended, false, Restart),
            (Always, Live, true, &ended, false, Restart),
        ] {
            assert_eq!(
                course(policy, kind, told, trouble, others),
                then,
                "{policy:?} {kind:?} {told} {trouble:?} {others}"
            );
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_minute_of_playing() {
        let (start, mut attempts) = (Instant::now(), Attempts::default());
        let mut waits = |at: u64, plays: Option<u64>| {
            if let Some(plays) = plays {
                attempts.plays(start + Duration::from_secs(plays));
            }
            attempts.next(Backoff::default(), start + Duration::from_secs(at)).as_secs()
        };
        let in_a_row: Vec<_> = (0..7).map(|n| waits(n, None)).collect();
        assert_eq!(in_a_row, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(waits(100, Some(50)), 30, "50 s of playing are not steady");
        assert_eq!(waits(300, Some(200)), 1);
        assert_eq!(waits(301, None), 2);
        assert_eq!(attempts.total, 10);
        let always = Backoff { first: Duration::from_secs(40), most: Duration::from_secs(30) };
        assert_eq!(
            Attempts::default().next(always, start),
            Duration::from_secs(40),
            "the first wait is what was asked for"
        );
    }

    #[test]
    fn troubles_are_told_in_words() {
        assert_eq!(Trouble::Silent(Duration::from_millis(1500)).to_string(), "no frame for 1.5 s");
        assert_eq!(Trouble::Error("cam: gone".into()).to_string(), "cam: gone");
    }
}
