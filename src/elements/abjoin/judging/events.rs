// SPDX-License-Identifier: MPL-2.0
//! The queue of events for the judging thread. Streaming threads add to it and never wait.

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

/// Events that may wait. There are more only if the judging thread has stood still for minutes.
const MAX_EVENTS: usize = 65_536;

/// Events that cannot change the judgement are judged in batches of this size, so that not every frame wakes a thread.
const BATCH: usize = 64;

/// The longest time for which fewer events wait.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// An event that the trial must know of.
#[derive(Clone, Debug)]
pub(in super::super) enum TrialEvent {
    /// Arm b has judged a frame: the status and the latency, µs.
    Frame(Status, u64),
    /// Both arms have finished a part.
    Paired(Box<PairedPart>),
    /// One arm has finished a part that it got by this design.
    Alone(Box<LonePart>, Design),
    /// The model of an arm has changed: the last report on the models before.
    Ended(Box<AgreementReport>),
    /// A new trial begins.
    Reset,
    /// The models that are compared from now on.
    Models(Each<Arc<ModelId>>),
    /// Arm b gets no more frames, while a does.
    BIsOut,
    /// A report was posted.
    Reported,
    /// A label has come.
    Labelled,
}

impl TrialEvent {
    /// Returns whether the event may change the judgement, and must be judged at once.
    fn is_urgent(&self) -> bool {
        match self {
            TrialEvent::Frame(status, _) => !matches!(status, Status::Ok | Status::Skipped),
            TrialEvent::Paired(part) => part.truth.is_some() || part.a.verdict != part.b.verdict,
            TrialEvent::Alone(part, _) => part.truth.is_some(),
            _ => true,
        }
    }

    /// Returns whether the judgement stays right without the event. A part that is missing is only missing, but a part
    /// of a new model must never count for the model before.
    fn may_be_lost(&self) -> bool {
        matches!(self, TrialEvent::Frame(..) | TrialEvent::Paired(_) | TrialEvent::Alone(..))
    }
}

/// The queue of events.
#[derive(Debug, Default)]
pub(in super::super) struct EventQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    events: VecDeque<TrialEvent>,
    urgent: bool,
    /// Events that the judging thread has taken.
    taken: u64,
    /// Those of them that it has judged.
    judged: u64,
    lost: u64,
}

impl EventQueue {
    /// Begins to take events.
    pub(in super::super) fn open(&self) {
        let mut state = self.state.lock();
        // A thread that waits for events from before waits no longer.
        let taken = state.taken;
        let events = VecDeque::with_capacity(2 * BATCH);
        *state = State { open: true, events, taken, judged: taken, ..State::default() };
    }

    /// Takes no more events, and ends the judging thread after those in the queue.
    pub(in super::super) fn close(&self) {
        self.state.lock().open = false;
        self.changed.notify_all();
    }

    /// Returns whether the queue takes events.
    pub(in super::super) fn is_open(&self) -> bool {
        self.state.lock().open
    }

    /// Appends an event.
    pub(in super::super) fn put(&self, event: TrialEvent) {
        let mut state = self.state.lock();
        if !state.open {
            return;
        }
        if state.events.len() >= MAX_EVENTS && event.may_be_lost() {
            state.lost += 1;
            return;
        }
        state.urgent |= event.is_urgent();
        state.events.push_back(event);
        let wakes = state.urgent || matches!(state.events.len(), 1 | BATCH);
        if wakes && state.judged == state.taken {
            self.changed.notify_all();
        }
    }

    /// Waits for events and moves all into `into`. Only the judging thread calls it, and must end when it returns
    /// `false`.
    pub(in super::super) fn take(&self, into: &mut VecDeque<TrialEvent>) -> bool {
        let mut state = self.state.lock();
        state.judged = state.taken;
        self.changed.notify_all();
        while state.open && !state.urgent && state.events.len() < BATCH {
            if state.events.is_empty() {
                self.changed.wait(&mut state);
            } else if self.changed.wait_for(&mut state, MAX_DELAY).timed_out() {
                break;
            }
        }
        std::mem::swap(&mut state.events, into);
        state.urgent = false;
        state.taken += into.len() as u64;
        state.open || !into.is_empty()
    }

    /// Waits until all events in the queue have been judged, for at most `patience`.
    pub(in super::super) fn settle(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        state.urgent |= !state.events.is_empty();
        self.changed.notify_all();
        let left = state.taken + state.events.len() as u64;
        while state.open && state.judged < left {
            if self.changed.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }

    /// Returns the number of events for which there was no room.
    pub(in super::super) fn lost(&self) -> u64 {
        self.state.lock().lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_statistics::agreement::{Agreement, Frames};

    fn worker(queue: &EventQueue) -> usize {
        let (mut seen, mut events) = (0, VecDeque::new());
        while queue.take(&mut events) {
            seen += events.drain(..).count();
        }
        seen
    }

    #[test]
    fn a_thread_that_settles_goes_on_when_all_events_have_been_judged() {
        let queue = EventQueue::default();
        queue.open();
        std::thread::scope(|s| {
            let worker = s.spawn(|| worker(&queue));
            for _ in 0..10 {
                queue.put(TrialEvent::Frame(Status::Ok, 1));
            }
            queue.settle(Duration::from_secs(60));
            assert!(queue.state.lock().events.is_empty());
            queue.put(TrialEvent::Frame(Status::Ok, 1));
            queue.close();
            assert_eq!(worker.join().unwrap(), 11, "also what came last");
        });
        queue.put(TrialEvent::Reported);
        assert!(queue.state.lock().events.is_empty(), "a closed one takes nothing");
    }

    #[test]
    fn a_thread_that_settles_waits_for_events_in_the_queue_and_not_for_later_ones() {
        let queue = EventQueue::default();
        queue.open();
        queue.put(TrialEvent::Reported);
        std::thread::scope(|s| {
            s.spawn(|| {
                let mut events = VecDeque::new();
                // There is always something more: the line goes on.
                while queue.take(&mut events) {
                    events.clear();
                    queue.put(TrialEvent::Reported);
                }
            });
            let begun = Instant::now();
            queue.settle(Duration::from_secs(20));
            let took = begun.elapsed();
            queue.close();
            assert!(took < Duration::from_secs(20), "{took:?}");
        });
    }

    #[test]
    fn events_without_room_are_counted_and_a_change_of_models_is_never_lost() {
        let queue = EventQueue::default();
        queue.open();
        for _ in 0..MAX_EVENTS + 3 {
            queue.put(TrialEvent::Frame(Status::Ok, 1));
        }
        assert_eq!(queue.lost(), 3);
        queue.put(TrialEvent::Ended(Box::new(Agreement::default().report(Frames::default()))));
        queue.put(TrialEvent::Models(Each::default()));
        assert_eq!(queue.lost(), 3);
        let mut events = VecDeque::new();
        assert!(queue.take(&mut events));
        assert!(matches!(
            events.make_contiguous(),
            [.., TrialEvent::Frame(..), TrialEvent::Ended(_), TrialEvent::Models(_)]
        ));
    }
}
