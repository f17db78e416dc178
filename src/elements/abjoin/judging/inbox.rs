// SPDX-License-Identifier: MPL-2.0
//! What streaming threads leave for the judging thread: they put it down and go on, and never wait.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    result::{ModelId, Status},
    statistics::{
        agreement::{Each, LonePart, PairedPart},
        judgement::Design,
    },
};

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
    /// Another model has come to one of the arms: those before are compared no more.
    Ended,
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
    /// The thread has taken news and not come back for more.
    busy: bool,
    lost: u64,
}

impl Inbox {
    /// Takes news from now on.
    pub fn open(&self) {
        *self.state.lock() = State { open: true, news: VecDeque::with_capacity(2 * TOGETHER), ..State::default() };
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
        if state.news.len() >= MOST {
            state.lost += 1;
            return;
        }
        state.pressing |= news.is_pressing();
        state.news.push_back(news);
        let wakes = state.pressing || matches!(state.news.len(), 1 | TOGETHER);
        if wakes && !state.busy {
            self.changed.notify_all();
        }
    }

    /// For the judging thread: waits for news and takes all there are into `into`; false when it is to end.
    pub fn take(&self, into: &mut VecDeque<News>) -> bool {
        let mut state = self.state.lock();
        state.busy = false;
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
        state.busy = !into.is_empty();
        state.open || state.busy
    }

    /// Waits until all that was left so far has been judged, or `patience` is at an end.
    pub fn settle(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        state.pressing |= !state.news.is_empty();
        self.changed.notify_all();
        while state.open && (state.busy || !state.news.is_empty()) {
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
    fn what_has_no_room_is_counted() {
        let inbox = Inbox::default();
        inbox.open();
        for _ in 0..MOST + 3 {
            inbox.put(News::Frame(Status::Ok, 1));
        }
        assert_eq!(inbox.lost(), 3);
    }
}
