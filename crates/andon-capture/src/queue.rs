// SPDX-License-Identifier: MPL-2.0
//! The bounded queue between the thread that the frames pass and the thread that writes.
//!
//! Its lock is held for the length of a push or a pop, never across I/O. A push that does not fit is refused; it never
//! waits.

use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use andon_core::result::Inference;
use parking_lot::{Condvar, Mutex};

use crate::{
    encode::Encoder,
    frame::{FrameKey, StreamFrame},
    quota::Quota,
    trigger::Tag,
};

/// Recent captures whose sidecars can still be amended.
pub(crate) const RECENT: usize = 256;

/// A frame to write.
#[derive(Debug)]
pub(crate) struct Job<H> {
    /// The folder to write to.
    pub(crate) folder: Arc<Path>,
    /// The name of the element that captures.
    pub(crate) element: Arc<str>,
    pub(crate) frame: StreamFrame<H>,
    /// Why the frame is captured.
    pub(crate) tags: Vec<Tag>,
    /// Unique among all captures of this process.
    pub(crate) number: u64,
    pub(crate) encoder: Arc<Encoder>,
    /// Bits of 64 in which a hit must differ from recent captures; 0 captures all.
    pub(crate) min_distance: u32,
    pub(crate) quota: Quota,
}

/// An addition to the sidecar of a frame that was queued or written before.
#[derive(Clone, Debug)]
pub(crate) struct Amendment {
    pub(crate) key: FrameKey,
    pub(crate) change: Change,
}

/// What to add to a sidecar.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The result of one more arm.
    Result(Arc<Inference>),
    /// One more reason for the capture.
    Tag(Tag),
}

/// One task of the writer.
#[derive(Debug)]
pub(crate) enum Item<H> {
    Job(Box<Job<H>>),
    Amendment(Amendment),
}

/// A folder, and the bounds to keep in it also while nothing is captured.
pub(crate) type Bounds = (Arc<Path>, Quota);

/// What the writer does next.
#[derive(Debug)]
pub(crate) enum Next<H> {
    /// This task.
    Item(Item<H>),
    /// Keep these bounds from now on.
    Bounds(Option<Bounds>),
    /// The time that it asked for has come.
    Due,
    /// End: the queue is closed and empty, or abandoned.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Takes items and gives them.
    Open,
    /// Gives the items left, and takes no more.
    Closing,
    /// Has dropped the items left.
    Abandoned,
}

struct Inner<H> {
    items: VecDeque<Item<H>>,
    /// How many of the items are frames.
    jobs: usize,
    /// The bounds in force.
    bounds: Option<Bounds>,
    /// The writer does not know the bounds yet.
    new_bounds: bool,
    state: State,
    /// The writer is writing a frame.
    at_work: bool,
    /// The writer's thread is gone.
    finished: bool,
}

/// A bounded queue for one writer.
pub struct Queue<H> {
    inner: Mutex<Inner<H>>,
    /// An item has come, or the state has changed.
    ready: Condvar,
    /// The writer's thread is gone.
    gone: Condvar,
}

impl<H> Default for Queue<H> {
    fn default() -> Self {
        let inner = Inner {
            items: VecDeque::new(),
            jobs: 0,
            bounds: None,
            new_bounds: false,
            state: State::Open,
            at_work: false,
            finished: false,
        };
        Self { inner: Mutex::new(inner), ready: Condvar::new(), gone: Condvar::new() }
    }
}

/// Amendments that may wait for each frame that may wait.
const AMENDMENTS_PER_JOB: usize = 8;

impl<H> Queue<H> {
    /// Queues a frame. Returns it if `most` frames wait already, or if the queue is closed.
    pub(crate) fn offer(&self, job: Job<H>, most: usize) -> Result<(), Box<Job<H>>> {
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

    /// Queues an amendment. Returns false if too many wait already, or if the queue is closed.
    pub(crate) fn amend(&self, amendment: Amendment, most: usize) -> bool {
        let mut inner = self.inner.lock();
        if inner.state != State::Open || inner.items.len() - inner.jobs >= most.saturating_mul(AMENDMENTS_PER_JOB) {
            return false;
        }
        inner.items.push_back(Item::Amendment(amendment));
        drop(inner);
        self.ready.notify_one();
        true
    }

    /// Says which bounds the writer keeps in `folder` also while nothing is captured; None for no folder. It keeps them from
    /// now on until it is told others.
    pub fn bound(&self, folder: Option<Arc<Path>>, quota: Quota) {
        let bounds = folder.map(|folder| (folder, quota));
        let mut inner = self.inner.lock();
        if inner.bounds != bounds {
            inner.bounds = bounds;
            inner.new_bounds = true;
            drop(inner);
            self.ready.notify_one();
        }
    }

    /// Returns the number of frames waiting.
    pub fn len(&self) -> usize {
        self.inner.lock().jobs
    }

    /// Returns whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of frames and amendments waiting.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.inner.lock().items.len()
    }

    /// Waits for what to do next, until `due` if that comes first.
    pub(crate) fn next(&self, due: Option<Instant>) -> Next<H> {
        let mut inner = self.inner.lock();
        inner.at_work = false;
        loop {
            if inner.state == State::Abandoned {
                return Next::End;
            }
            if std::mem::take(&mut inner.new_bounds) {
                return Next::Bounds(inner.bounds.clone());
            }
            if let Some(item) = inner.items.pop_front() {
                if matches!(item, Item::Job(_)) {
                    inner.jobs -= 1;
                    inner.at_work = true;
                }
                return Next::Item(item);
            }
            if inner.state == State::Closing {
                return Next::End;
            }
            match due {
                None => self.ready.wait(&mut inner),
                Some(due) if due <= Instant::now() => return Next::Due,
                Some(due) => {
                    self.ready.wait_until(&mut inner, due);
                }
            }
        }
    }

    /// Takes no more items, and waits until the writer has written those left. Returns the number of frames that were not
    /// written in time and are given up.
    pub(crate) fn close(&self, within: Duration) -> usize {
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
        // Dropping frames may be work: it is done outside of the lock.
        drop(items);
        given_up
    }

    /// Notes that the writer's thread is gone.
    pub(crate) fn finish(&self) {
        let mut inner = self.inner.lock();
        inner.finished = true;
        inner.state = State::Abandoned;
        drop(inner);
        self.gone.notify_all();
    }

    /// Returns whether the writer's thread is gone.
    pub(crate) fn is_finished(&self) -> bool {
        self.inner.lock().finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flat, frame};

    fn job(id: u64) -> Job<Flat> {
        let folder = Path::new("nowhere").into();
        Job {
            folder,
            element: "s".into(),
            frame: frame(id, Vec::new()),
            tags: Vec::new(),
            number: id,
            encoder: Arc::default(),
            min_distance: 0,
            quota: Quota::default(),
        }
    }

    #[test]
    fn what_does_not_fit_comes_back_at_once() {
        let queue = Queue::default();
        assert!(queue.offer(job(0), 2).is_ok() && queue.offer(job(1), 2).is_ok());
        assert_eq!(queue.offer(job(2), 2).unwrap_err().frame.identity.id, 2);
        assert!(matches!(queue.next(None), Next::Item(_)));
        assert!(queue.offer(job(3), 2).is_ok());
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn amendments_are_bounded_too() {
        let queue = Queue::<Flat>::default();
        let tag = Tag { trigger: crate::Trigger::Every, reason: "".into(), role: crate::Role::Hit, offset: 0 };
        let amend = Amendment { key: (uuid::Uuid::nil(), 0), change: Change::Tag(tag) };
        let taken = (0..100).filter(|_| queue.amend(amend.clone(), 2)).count();
        assert_eq!(taken, 2 * AMENDMENTS_PER_JOB);
    }

    #[test]
    fn closing_without_a_writer_gives_up_in_time_and_says_how_many() {
        let queue = Queue::default();
        (0..3).for_each(|i| assert!(queue.offer(job(i), 8).is_ok()));
        assert_eq!(queue.close(Duration::from_millis(1)), 3);
        assert!(matches!(queue.next(None), Next::End));
        assert!(queue.offer(job(9), 8).is_err());
    }
}
