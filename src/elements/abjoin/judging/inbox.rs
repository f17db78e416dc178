// SPDX-License-Identifier: MPL-2.0
//! What streaming threads leave for the judging thread: they put it down and go on, and never wait.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use andon_core::result::{ModelId, Status};
use andon_statistics::{
    agreement::{AgreementReport, Each, LonePart, PairedPart},
    judgement::Design,
};
use parking_lot::{Condvar, Mutex};

/// News that may wait; more only where the judging thread has stood still for minutes.
const MOST: usize = 65_536;

/// News that bring nothing to decide are looked at together, so that not every frame wakes a thread.
const TOGETHER: usize = 64;

/// How often they are looked at where there are fewer.
const AT_LEAST: Duration = Duration::from_secs(1);

/// What has happened.
#[derive(Clone, Debug)]
pub enum News {
    /// A frame of arm b was answered for, in so many µs.
    Frame(Status, u64),
    /// Both arms have closed a part.
    Paired(Box<PairedPart>),
    /// One arm has closed a part that was sent to it by this design.
    Alone(Box<LonePart>, Design),
    /// Another model has come to one of the arms: this is the last word on those before.
    Ended(Box<AgreementReport>),
    /// Somebody asked to begin anew.
    Reset,
    /// These are compared from now on.
    Models(Each<Arc<ModelId>>),
    /// Arm b takes no frames any more, while a does.
    BIsOut,
    /// A report was posted.
    Reported,
    /// A label has changed the evidence.
    Labelled,
}

impl News {
    /// Whether it may change the judgement, so that it is not left lying.
    fn is_pressing(&self) -> bool {
        match self {
            News::Frame(status, _) => !matches!(status, Status::Ok | Status::Skipped),
            News::Paired(part) => part.truth.is_some() || part.a.verdict != part.b.verdict,
            News::Alone(part, _) => part.truth.is_some(),
            _ => true,
        }
    }

    /// Whether the judgement is right without it: parts that are missing are only missing, but those after another model
    /// has come must never be taken for parts of the one before.
    fn may_be_lost(&self) -> bool {
        matches!(self, News::Frame(..) | News::Paired(_) | News::Alone(..))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    news: VecDeque<News>,
    pressing: bool,
    /// News that the thread has taken, and those of them that it has come back from.
    taken: u64,
    judged: u64,
    lost: u64,
}

impl Inbox {
    /// Takes news from now on.
    pub fn open(&self) {
        let mut state = self.state.lock();
        // Whoever waited for what came before waits no longer.
        let taken = state.taken;
        let news = VecDeque::with_capacity(2 * TOGETHER);
        *state = State { open: true, news, taken, judged: taken, ..State::default() };
    }

    /// Takes no more, and sends the judging thread away once it has seen what is there.
    pub fn close(&self) {
        self.state.lock().open = false;
        self.changed.notify_all();
    }

    /// Between open and close.
    pub fn is_open(&self) -> bool {
        self.state.lock().open
    }

    /// Leaves news.
    pub fn put(&self, news: News) {
        let mut state = self.state.lock();
        if !state.open {
            return;
        }
        if state.news.len() >= MOST && news.may_be_lost() {
            state.lost += 1;
            return;
        }
        state.pressing |= news.is_pressing();
        state.news.push_back(news);
        let wakes = state.pressing || matches!(state.news.len(), 1 | TOGETHER);
        if wakes && state.judged == state.taken {
            self.changed.notify_all();
        }
    }

    /// For the judging thread: waits for news and takes all there are into `into`; false when it is to end.
    pub fn take(&self, into: &mut VecDeque<News>) -> bool {
        let mut state = self.state.lock();
        state.judged = state.taken;
        self.changed.notify_all();
        while state.open && !state.pressing && state.news.len() < TOGETHER {
            if state.news.is_empty() {
                self.changed.wait(&mut state);
            } else if self.changed.wait_for(&mut state, AT_LEAST).timed_out() {
                break;
            }
        }
        std::mem::swap(&mut state.news, into);
        state.pressing = false;
        state.taken += into.len() as u64;
        state.open || !into.is_empty()
    }

    /// Waits until all that was left so far has been judged, or `patience` is at an end.
    pub fn settle(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        state.pressing |= !state.news.is_empty();
        self.changed.notify_all();
        let left = state.taken + state.news.len() as u64;
        while state.open && state.judged < left {
            if self.changed.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }

    /// News for which there was no room.
    pub fn lost(&self) -> u64 {
        self.state.lock().lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_statistics::agreement::{Agreement, Frames};

    fn worker(inbox: &Inbox) -> usize {
        let (mut seen, mut news) = (0, VecDeque::new());
        while inbox.take(&mut news) {
            seen += news.drain(..).count();
        }
        seen
    }

    #[test]
    fn whoever_settles_goes_on_when_all_has_been_looked_at() {
        let inbox = Inbox::default();
        inbox.open();
        std::thread::scope(|s| {
            let worker = s.spawn(|| worker(&inbox));
            for _ in 0..10 {
                inbox.put(News::Frame(Status::Ok, 1));
            }
            inbox.settle(Duration::from_secs(60));
            assert!(inbox.state.lock().news.is_empty());
            inbox.put(News::Frame(Status::Ok, 1));
            inbox.close();
            assert_eq!(worker.join().unwrap(), 11, "also what came last");
        });
        inbox.put(News::Reported);
        assert!(inbox.state.lock().news.is_empty(), "a closed one takes nothing");
    }

    #[test]
    fn whoever_settles_waits_for_what_was_left_and_not_for_what_comes_after() {
        let inbox = Inbox::default();
        inbox.open();
        inbox.put(News::Reported);
        std::thread::scope(|s| {
            s.spawn(|| {
                let mut news = VecDeque::new();
                // There is always something more: the line goes on.
                while inbox.take(&mut news) {
                    news.clear();
                    inbox.put(News::Reported);
                }
            });
            let begun = Instant::now();
            inbox.settle(Duration::from_secs(20));
            let took = begun.elapsed();
            inbox.close();
            assert!(took < Duration::from_secs(20), "{took:?}");
        });
    }

    #[test]
    fn what_has_no_room_is_counted_and_that_other_models_came_is_never_lost() {
        let inbox = Inbox::default();
        inbox.open();
        for _ in 0..MOST + 3 {
            inbox.put(News::Frame(Status::Ok, 1));
        }
        assert_eq!(inbox.lost(), 3);
        inbox.put(News::Ended(Box::new(Agreement::default().report(Frames::default()))));
        inbox.put(News::Models(Each::default()));
        assert_eq!(inbox.lost(), 3);
        let mut news = VecDeque::new();
        assert!(inbox.take(&mut news));
        assert!(matches!(news.make_contiguous(), [.., News::Frame(..), News::Ended(_), News::Models(_)]));
    }
}
