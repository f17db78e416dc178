// SPDX-License-Identifier: MPL-2.0
//! Whether results are wanted: while somebody subscribes to them, and for 10 minutes after, so that a client that was cut off
//! finds them when it comes back.

use std::time::{Duration, Instant};

/// How long results are made after the last subscriber has left.
pub const AFTER: Duration = Duration::from_secs(600);

/// Who wants results.
#[derive(Debug, Default)]
pub struct Interest {
    subscribers: usize,
    until: Option<Instant>,
}

impl Interest {
    /// One more subscriber.
    pub fn add(&mut self) {
        self.subscribers += 1;
    }

    /// One subscriber less.
    pub fn remove(&mut self, now: Instant) {
        self.subscribers = self.subscribers.saturating_sub(1);
        if self.subscribers == 0 {
            self.until = Some(now + AFTER);
        }
    }

    /// Returns whether results are wanted now.
    pub fn is_there(&self, now: Instant) -> bool {
        self.subscribers > 0 || self.until.is_some_and(|until| now < until)
    }

    /// When that may change by itself.
    pub fn ends(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| self.subscribers == 0 && now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_wanted_for_ten_minutes_after_the_last_subscriber() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut interest = Interest::default();
        assert!(!interest.is_there(at(0)) && interest.ends(at(0)).is_none());
        interest.add();
        interest.add();
        interest.remove(at(10));
        assert!(interest.is_there(at(5000)) && interest.ends(at(5000)).is_none());
        interest.remove(at(6000));
        assert!(interest.is_there(at(6599)) && !interest.is_there(at(6600)));
        assert_eq!((interest.ends(at(6100)), interest.ends(at(6600))), (Some(at(6600)), None));
        interest.add();
        assert!(interest.is_there(at(9999)));
    }
}
