// SPDX-License-Identifier: MPL-2.0
//! The short queue in front of arm b. Frames leak when it is full, events never do, and every wait can be woken.

use std::{collections::VecDeque, time::Duration};

use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

/// Items beyond which events are thinned out, because b has not moved for long.
const MOST_ITEMS: usize = 256;

/// Leaked frames that one announcement names. Beyond them the oldest are left out.
const MOST_NAMED: usize = 4096;

/// The longest time for which a frame stays in the queue before arm b's thread looks by itself.
const MAX_DELAY: Duration = Duration::from_millis(100);

/// An item that goes down arm b, in the order of the stream.
#[derive(Debug)]
pub(super) enum Item {
    /// A frame, its run and its id.
    Buffer(gst::Buffer, Uuid, u64),
    /// A serialized event.
    Event(gst::Event),
    /// The run and the ids of frames that leaked after the item before.
    Dropped(Uuid, Vec<u64>),
    /// A new element is linked, which needs the sticky events of the stream.
    Revive,
}

/// Whether a frame may go to arm b.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The frame may go to arm b.
    Yes,
    /// The frame leaks.
    Full,
    /// Arm b has failed, or the mode needs it no longer.
    Out,
    /// The element is flushing or stopped, and no frame may go anywhere.
    Flushing,
}

/// The queue, and whether a thread is pushing to arm b.
#[derive(Debug, Default)]
pub(super) struct QueueB {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Items that wait for arm b's thread.
    items: VecDeque<Item>,
    /// How many of them are frames.
    buffers: usize,
    /// A thread is pushing on the pad.
    busy: bool,
    /// The pad is between flush-start and flush-stop.
    flushing: bool,
    /// The pad is active.
    running: bool,
    /// Arm b has failed and gets no frames until the stream begins anew.
    out: bool,
    /// The number of events that were thinned out.
    thinned: u64,
}

impl State {
    fn clear(&mut self) {
        self.items.clear();
        self.buffers = 0;
    }

    fn is_flushing(&self) -> bool {
        self.flushing || !self.running
    }

    fn push(&mut self, item: Item) {
        self.buffers += usize::from(matches!(item, Item::Buffer(..)));
        self.items.push_back(item);
        if self.items.len() > MOST_ITEMS {
            self.thin();
        }
    }

    fn leak(&mut self, run: Uuid, id: u64) {
        match self.items.back_mut() {
            Some(Item::Dropped(last, ids)) if *last == run => {
                if ids.len() == MOST_NAMED {
                    ids.drain(..MOST_NAMED / 2);
                }
                ids.push(id);
            }
            _ => self.push(Item::Dropped(run, vec![id])),
        }
    }

    /// Keeps the frames and the last of every kind of sticky event, which is all that arm b needs when it wakes.
    fn thin(&mut self) {
        let before = self.items.len();
        let mut kept: VecDeque<Item> = VecDeque::with_capacity(before);
        while let Some(item) = self.items.pop_back() {
            let keep = match &item {
                Item::Buffer(..) | Item::Revive => true,
                Item::Dropped(..) => false,
                Item::Event(e) => {
                    let flush = e.type_() == gst::EventType::FlushStop;
                    flush || (e.is_sticky() && !kept.iter().any(|k| matches!(k, Item::Event(o) if same_kind(e, o))))
                }
            };
            if keep {
                kept.push_front(item);
            }
        }
        self.items = kept;
        self.thinned += (before - self.items.len()) as u64;
    }
}

fn same_kind(a: &gst::Event, b: &gst::Event) -> bool {
    a.type_() == b.type_() && a.structure().map(|s| s.name()) == b.structure().map(|s| s.name())
}

impl QueueB {
    /// Starts with an empty queue.
    pub(super) fn start(&self) {
        *self.state.lock() = State { running: true, ..State::default() };
    }

    /// Stops, and ends every wait.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.clear();
        state.running = false;
        self.changed.notify_all();
    }

    /// Empties the queue, and ends the waits of the streaming thread.
    pub(super) fn flush_start(&self) {
        let mut state = self.state.lock();
        state.clear();
        state.flushing = true;
        self.changed.notify_all();
    }

    /// Takes frames again, after `event`.
    pub(super) fn flush_stop(&self, event: gst::Event) {
        let mut state = self.state.lock();
        state.flushing = false;
        state.push(Item::Event(event));
        self.changed.notify_all();
    }

    /// Returns whether there is room for one more frame. `limits` returns whether the queue leaks and how many frames
    /// may wait in it. A queue that does not leak makes this call wait.
    pub(super) fn room(&self, limits: impl Fn() -> (bool, usize)) -> Room {
        let mut state = self.state.lock();
        loop {
            if state.is_flushing() {
                return Room::Flushing;
            }
            if state.out {
                return Room::Out;
            }
            let (leaky, most) = limits();
            if state.buffers < most.max(1) {
                return Room::Yes;
            }
            if leaky {
                return Room::Full;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Wakes all threads that wait, after a change of the limits or a [put](QueueB::put).
    pub(super) fn wake(&self) {
        let _state = self.state.lock();
        self.changed.notify_all();
    }

    /// Appends an item and wakes arm b's thread, unless flushing.
    pub(super) fn push(&self, item: Item) {
        let mut state = self.state.lock();
        if !state.is_flushing() {
            state.push(item);
            self.changed.notify_all();
        }
    }

    /// Appends an item without waking arm b's thread, unless flushing: call [`QueueB::wake`] when arm a has let go of
    /// the frame. The thread looks by itself after [`MAX_DELAY`], in case a waits for b.
    pub(super) fn put(&self, item: Item) {
        let mut state = self.state.lock();
        if !state.is_flushing() {
            state.push(item);
        }
    }

    /// Appends that a frame leaked, unless flushing.
    pub(super) fn leak(&self, run: Uuid, id: u64) {
        let mut state = self.state.lock();
        if !state.is_flushing() {
            state.leak(run, id);
            self.changed.notify_all();
        }
    }

    /// Waits for the next item and takes arm b until [`QueueB::done`]. Returns `None` when stopped.
    pub(super) fn pop(&self) -> Option<Item> {
        let mut state = self.state.lock();
        loop {
            if !state.running {
                return None;
            }
            if !state.busy
                && let Some(item) = state.items.pop_front()
            {
                state.buffers -= usize::from(matches!(item, Item::Buffer(..)));
                state.busy = true;
                self.changed.notify_all();
                return Some(item);
            }
            self.changed.wait_for(&mut state, MAX_DELAY);
        }
    }

    /// Waits until the queue is empty, and takes arm b until [`QueueB::done`] if it returns [`Room::Yes`]. Returns
    /// [`Room::Out`] when b fails or is no longer `wanted`.
    pub(super) fn claim(&self, wanted: impl Fn() -> bool) -> Room {
        let mut state = self.state.lock();
        loop {
            if state.is_flushing() {
                return Room::Flushing;
            }
            if state.out {
                return Room::Out;
            }
            if !state.busy && state.items.is_empty() {
                state.busy = true;
                return Room::Yes;
            }
            if !wanted() {
                return Room::Out;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Releases arm b.
    pub(super) fn done(&self) {
        self.state.lock().busy = false;
        self.changed.notify_all();
    }

    /// Marks arm b as failed. Returns the number of frames that waited and that b does not get, or `None` if b had
    /// failed before.
    pub(super) fn fail(&self) -> Option<u64> {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.out, true) {
            return None;
        }
        let waiting = std::mem::take(&mut state.buffers) as u64;
        state.items.retain(|i| matches!(i, Item::Event(_) | Item::Revive));
        self.changed.notify_all();
        Some(waiting)
    }

    /// Marks arm b as working again, and returns whether it was out.
    pub(super) fn revive(&self) -> bool {
        std::mem::take(&mut self.state.lock().out)
    }

    /// Returns whether a frame has come in after the one that arm b has just begun.
    pub(super) fn is_behind(&self) -> bool {
        self.state.lock().items.iter().any(|i| matches!(i, Item::Buffer(..) | Item::Dropped(..)))
    }

    /// Returns whether arm b has failed.
    pub(super) fn is_out(&self) -> bool {
        self.state.lock().out
    }

    /// Returns the number of frames that wait, and of events that were thinned out.
    pub(super) fn levels(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.buffers as u64, state.thinned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> QueueB {
        gst::init().unwrap();
        let queue = QueueB::default();
        queue.start();
        queue
    }

    #[test]
    fn leaked_frames_are_announced_together_and_in_their_place() {
        let queue = queue();
        let run = Uuid::nil();
        queue.push(Item::Buffer(gst::Buffer::new(), run, 0));
        assert_eq!(queue.room(|| (true, 1)), Room::Full);
        queue.leak(run, 1);
        queue.leak(run, 2);
        assert!(matches!(queue.pop(), Some(Item::Buffer(..))));
        assert_eq!(queue.room(|| (true, 1)), Room::Yes);
        queue.push(Item::Buffer(gst::Buffer::new(), run, 3));
        queue.done();
        assert!(matches!(queue.pop(), Some(Item::Dropped(_, ids)) if ids == [1, 2]));
    }

    #[test]
    fn a_queue_that_never_moves_is_bounded_and_keeps_the_last_of_every_sticky_event() {
        let queue = queue();
        for k in 0..10_000_u32 {
            let name = if k % 2 == 0 { "even" } else { "odd" };
            let s = gst::Structure::builder(name).field("k", k).build();
            queue.push(Item::Event(gst::event::CustomDownstreamSticky::new(s.clone())));
            queue.push(Item::Event(gst::event::CustomDownstream::new(s)));
            queue.leak(Uuid::nil(), k.into());
        }
        let mut state = queue.state.lock();
        assert!(state.items.len() <= MOST_ITEMS + 1);
        state.thin();
        let last: Vec<u32> = state
            .items
            .iter()
            .map(|i| match i {
                Item::Event(e) => e.structure().unwrap().get("k").unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(last, [9_998, 9_999]);
    }

    #[test]
    fn who_waits_for_room_or_for_arm_b_looks_again_when_woken() {
        use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

        type Wait = fn(&QueueB, &dyn Fn() -> bool) -> Room;
        let ways: [(Wait, Room); 2] =
            [(|b, go| b.room(|| (go(), 1)), Room::Full), (|b, go| b.claim(|| !go()), Room::Out)];
        for (wait, answer) in ways {
            let queue = queue();
            queue.push(Item::Buffer(gst::Buffer::new(), Uuid::nil(), 0));
            let (asked, changed) = (std::sync::Barrier::new(2), AtomicBool::new(false));
            std::thread::scope(|s| {
                let waiting = s.spawn(|| {
                    let first = std::cell::Cell::new(true);
                    wait(&queue, &|| {
                        // The lock is held here, so what wakes comes after the wait has begun.
                        let now = changed.load(SeqCst);
                        if first.replace(false) {
                            asked.wait();
                        }
                        now
                    })
                });
                asked.wait();
                changed.store(true, SeqCst);
                queue.wake();
                assert_eq!(waiting.join().unwrap(), answer);
            });
        }
    }

    #[test]
    fn who_would_have_arm_b_alone_waits_for_what_is_queued_and_no_longer_than_b_is_wanted() {
        let queue = queue();
        assert_eq!(queue.claim(|| true), Room::Yes);
        queue.done();
        queue.push(Item::Buffer(gst::Buffer::new(), Uuid::nil(), 0));
        assert_eq!(queue.claim(|| false), Room::Out, "a frame waits");
        std::thread::scope(|s| {
            let waiting = s.spawn(|| queue.claim(|| true));
            assert!(matches!(queue.pop(), Some(Item::Buffer(..))));
            queue.done();
            assert_eq!(waiting.join().unwrap(), Room::Yes);
        });
        queue.done();
        queue.fail();
        assert_eq!(queue.claim(|| true), Room::Out, "b has failed");
        queue.flush_start();
        assert_eq!(queue.claim(|| true), Room::Flushing);
    }

    #[test]
    fn who_waits_for_room_is_sent_away_by_flush_stop_and_failure() {
        for (end, answer) in [
            (QueueB::flush_start as fn(&QueueB), Room::Flushing),
            (QueueB::stop, Room::Flushing),
            (|b: &QueueB| assert_eq!((b.fail(), b.fail()), (Some(1), None)), Room::Out),
        ] {
            let queue = queue();
            queue.push(Item::Buffer(gst::Buffer::new(), Uuid::nil(), 0));
            let asked = std::sync::Barrier::new(2);
            std::thread::scope(|s| {
                let waiting = s.spawn(|| {
                    let first = std::cell::Cell::new(true);
                    queue.room(|| {
                        // The lock is held here, so what ends the wait comes after it has begun.
                        if first.replace(false) {
                            asked.wait();
                        }
                        (false, 1)
                    })
                });
                asked.wait();
                end(&queue);
                assert_eq!(waiting.join().unwrap(), answer);
            });
        }
    }
}
