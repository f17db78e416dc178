// SPDX-License-Identifier: MPL-2.0
//! The bounded queue between the thread that the frames pass and the thread that writes.
//!
//! Its lock is held for the length of a push or a pop and never across I/O. What does not fit is refused, never waited
//! for.

use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use andon_core::result::Inference;
use parking_lot::{Condvar, Mutex};

use super::{Encoder, FrameKey, Quota, StreamFrame, Tag};

/// A frame to write.
#[derive(Debug)]
pub struct Job<H> {
    /// Where to.
    pub folder: Arc<Path>,
    /// Name of the element that keeps it.
    pub element: Arc<str>,
    /// The frame.
    pub shot: StreamFrame<H>,
    /// Why.
    pub tags: Vec<Tag>,
    /// Unique among all captures of this process.
    pub number: u64,
    /// How it is written.
    pub look: Arc<Encoder>,
    /// What there is room for.
    pub quota: Quota,
}

/// Something to add to the sidecar of a frame that was queued or written before.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// Which frame.
    pub key: FrameKey,
    /// What to add.
    pub change: Change,
}

/// What to add to a sidecar.
#[derive(Clone, Debug)]
pub enum Change {
    /// One more arm's outcome.
    Result(Arc<Inference>),
    /// One more reason to have kept it.
    Tag(Tag),
}

/// One thing for the writer to do.
#[derive(Debug)]
pub(super) enum Item<H> {
    Job(Box<Job<H>>),
    Amendment(Amendment),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Takes and gives.
    Open,
    /// Gives what it holds, and takes no more.
    Closing,
    /// Nobody waits for what it held.
    Abandoned,
}

struct Inner<H> {
    items: VecDeque<Item<H>>,
    /// Of them, frames.
    jobs: usize,
    state: State,
    /// The writer has a frame in its hands.
    at_work: bool,
    /// The writer's thread is gone.
    finished: bool,
}

/// A bounded queue for one writer.
pub struct Queue<H> {
    inner: Mutex<Inner<H>>,
    /// Something to do, or the state has changed.
    ready: Condvar,
    /// The writer's thread is gone.
    gone: Condvar,
}

impl<H> Default for Queue<H> {
    fn default() -> Self {
        let inner = Inner { items: VecDeque::new(), jobs: 0, state: State::Open, at_work: false, finished: false };
        Self { inner: Mutex::new(inner), ready: Condvar::new(), gone: Condvar::new() }
    }
}

/// Amendments that may wait at once for each frame that may.
const AMENDS_PER_JOB: usize = 8;

impl<H> Queue<H> {
    /// Queues a frame, unless `most` are waiting already or the queue is closed: then the frame comes back.
    ///
    /// # Errors
    /// The frame, unwritten.
    pub fn offer(&self, job: Job<H>, most: usize) -> Result<(), Box<Job<H>>> {
        let job = Box::new(job);
        let mut inner = self.inner.lock();
        if inner.state != State::Open || inner.jobs >= most {
            return Err(job);
        }
        inner.jobs += 1;
        inner.items.push_back(Item::Job(job));
        drop(inner);
        self.ready.notify_one();
        Ok(())
    }

    /// Queues an amendment; false where far too many wait already or the queue is closed.
    pub fn amend(&self, amend: Amendment, most: usize) -> bool {
        let mut inner = self.inner.lock();
        if inner.state != State::Open || inner.items.len() - inner.jobs >= most.saturating_mul(AMENDS_PER_JOB) {
            return false;
        }
        inner.items.push_back(Item::Amendment(amend));
        drop(inner);
        self.ready.notify_one();
        true
    }

    /// Frames waiting.
    pub fn len(&self) -> usize {
        self.inner.lock().jobs
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frames and amendments waiting.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.inner.lock().items.len()
    }

    /// Waits for the next thing to do; none when the queue is closed and empty, or abandoned.
    pub(super) fn pop(&self) -> Option<Item<H>> {
        let mut inner = self.inner.lock();
        inner.at_work = false;
        loop {
            if inner.state == State::Abandoned {
                return None;
            }
            if let Some(item) = inner.items.pop_front() {
                if matches!(item, Item::Job(_)) {
                    inner.jobs -= 1;
                    inner.at_work = true;
                }
                return Some(item);
            }
            if inner.state == State::Closing {
                return None;
            }
            self.ready.wait(&mut inner);
        }
    }

    /// Takes no more, and waits until the writer is through with what there is; answers what was given up for lack of
    /// time: frames that will not be written.
    pub(super) fn close(&self, within: Duration) -> usize {
        let until = Instant::now() + within;
        let mut inner = self.inner.lock();
        inner.state = State::Closing;
        self.ready.notify_all();
        while !inner.finished {
            if self.gone.wait_until(&mut inner, until).timed_out() {
                break;
            }
        }
        let given_up = inner.jobs + usize::from(inner.at_work);
        inner.state = State::Abandoned;
        inner.jobs = 0;
        let items = std::mem::take(&mut inner.items);
        drop(inner);
        self.ready.notify_all();
        // Frames are let go of outside of the lock: that may be work.
        drop(items);
        given_up
    }

    /// The writer's thread is over.
    pub(super) fn finish(&self) {
        let mut inner = self.inner.lock();
        inner.finished = true;
        inner.state = State::Abandoned;
        drop(inner);
        self.gone.notify_all();
    }

    /// Whether the writer's thread is over.
    pub(super) fn is_finished(&self) -> bool {
        self.inner.lock().finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flat, shot};

    fn job(id: u64) -> Job<Flat> {
        let folder = Path::new("nowhere").into();
        Job {
            folder,
            element: "s".into(),
            shot: shot(id, Vec::new()),
            tags: Vec::new(),
            number: id,
            look: Arc::default(),
            quota: Quota::default(),
        }
    }

    #[test]
    fn what_does_not_fit_comes_back_at_once() {
        let queue = Queue::default();
        assert!(queue.offer(job(0), 2).is_ok() && queue.offer(job(1), 2).is_ok());
        assert_eq!(queue.offer(job(2), 2).unwrap_err().shot.frame.id, 2);
        assert!(queue.pop().is_some());
        assert!(queue.offer(job(3), 2).is_ok());
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn amendments_are_bounded_too() {
        let queue = Queue::<Flat>::default();
        let tag = Tag { trigger: crate::Trigger::Every, reason: "".into(), role: crate::Role::Hit, offset: 0 };
        let amend = Amendment { key: (uuid::Uuid::nil(), 0), change: Change::Tag(tag) };
        let taken = (0..100).filter(|_| queue.amend(amend.clone(), 2)).count();
        assert_eq!(taken, 2 * AMENDS_PER_JOB);
    }

    #[test]
    fn closing_without_a_writer_gives_up_in_time_and_says_how_many() {
        let queue = Queue::default();
        (0..3).for_each(|i| assert!(queue.offer(job(i), 8).is_ok()));
        assert_eq!(queue.close(Duration::from_millis(1)), 3);
        assert!(queue.pop().is_none());
        assert!(queue.offer(job(9), 8).is_err());
    }
}
