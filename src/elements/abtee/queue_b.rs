// SPDX-License-Identifier: MPL-2.0
//! The short queue before arm b: frames leak when it is full, events never do, and whoever waits can be woken.

use std::{collections::VecDeque, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};
use uuid::Uuid;

/// Items beyond which events are thinned out: b has not moved for long.
const MOST_ITEMS: usize = 256;

/// Leaked frames that are named in one announcement; beyond it the oldest are not named any more.
const MOST_NAMED: usize = 4096;

/// How long a frame may lie before arm b's thread finds it by itself.
const AT_LATEST: Duration = Duration::from_millis(100);

/// What goes down arm b, in the order of the stream.
#[derive(Debug)]
pub enum Item {
    /// A frame, and who it is.
    Buffer(gst::Buffer, Uuid, u64),
    /// A serialized event.
    Event(gst::Event),
    /// Frames that leaked since the item before.
    Dropped(Uuid, Vec<u64>),
    /// Something new is linked: tell it all that the stream has said of itself.
    Revive,
}

/// Whether a frame may go to arm b.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Yes,
    /// It leaks.
    Full,
    /// Arm b has failed, or is not wanted any more.
    Out,
    /// Flushing or stopped: nothing may go anywhere.
    Flushing,
}

/// The queue and who is using arm b just now.
#[derive(Debug, Default)]
pub struct Branch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What waits for arm b's thread.
    items: VecDeque<Item>,
    /// How many of them are frames.
    buffers: usize,
    /// Somebody is pushing on the pad.
    busy: bool,
    /// Between flush-start and flush-stop.
    flushing: bool,
    /// The pad is active.
    running: bool,
    /// Arm b has failed and takes no frames until the stream begins anew.
    out: bool,
    /// Events that were thinned out.
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

    /// Keeps frames and, of every kind of sticky event, the last: what a branch must know when it wakes.
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

impl Branch {
    /// Begins, with nothing in the queue.
    pub fn start(&self) {
        *self.state.lock() = State { running: true, ..State::default() };
    }

    /// Ends; everybody who waits is sent away.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.clear();
        state.running = false;
        self.changed.notify_all();
    }

    /// Empties the queue; everybody who waits on the streaming thread is sent away.
    pub fn flush_start(&self) {
        let mut state = self.state.lock();
        state.clear();
        state.flushing = true;
        self.changed.notify_all();
    }

    /// Takes frames again, after `event` has gone down.
    pub fn flush_stop(&self, event: gst::Event) {
        let mut state = self.state.lock();
        state.flushing = false;
        state.push(Item::Event(event));
        self.changed.notify_all();
    }

    /// Whether there is room for one more frame. `limits` answers whether the queue leaks and how many frames may
    /// wait; while it does not leak, this waits.
    pub fn room(&self, limits: impl Fn() -> (bool, usize)) -> Room {
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

    /// Wakes whoever waits: the limits have changed, or there is something that was only [put](Branch::put).
    pub fn wake(&self) {
        let _state = self.state.lock();
        self.changed.notify_all();
    }

    /// Appends an item, unless flushing.
    pub fn push(&self, item: Item) {
        let mut state = self.state.lock();
        if !state.is_flushing() {
            state.push(item);
            self.changed.notify_all();
        }
    }

    /// Appends an item for which arm b's thread is not woken, unless flushing: [`Branch::wake`] it when arm a has let go
    /// of the frame. It comes by itself after [`AT_LATEST`], should a wait for b.
    pub fn put(&self, item: Item) {
        let mut state = self.state.lock();
        if !state.is_flushing() {
            state.push(item);
        }
    }

    /// Notes that a frame leaked, to be told in its place.
    pub fn leak(&self, run: Uuid, id: u64) {
        let mut state = self.state.lock();
        if !state.is_flushing() {
            state.leak(run, id);
            self.changed.notify_all();
        }
    }

    /// Waits for the next item and has arm b until [`Branch::done`]; none when stopped.
    pub fn pop(&self) -> Option<Item> {
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
            self.changed.wait_for(&mut state, AT_LATEST);
        }
    }

    /// Waits until all that was queued has gone down, and has arm b until [`Branch::done`] where the answer is
    /// [`Room::Yes`]. Stops waiting, with [`Room::Out`], when b fails or is not `wanted` any more.
    pub fn claim(&self, wanted: impl Fn() -> bool) -> Room {
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

    /// Gives arm b back.
    pub fn done(&self) {
        self.state.lock().busy = false;
        self.changed.notify_all();
    }

    /// Marks arm b as failed; answers how many frames waited, which it will never see. None where it had failed already.
    pub fn fail(&self) -> Option<u64> {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.out, true) {
            return None;
        }
        let waiting = std::mem::take(&mut state.buffers) as u64;
        state.items.retain(|i| matches!(i, Item::Event(_) | Item::Revive));
        self.changed.notify_all();
        Some(waiting)
    }

    /// Marks arm b as good again; answers whether it was out.
    pub fn revive(&self) -> bool {
        std::mem::take(&mut self.state.lock().out)
    }

    /// Whether a frame came in after the one that arm b has just taken up.
    pub fn is_behind(&self) -> bool {
        self.state.lock().items.iter().any(|i| matches!(i, Item::Buffer(..) | Item::Dropped(..)))
    }

    /// Whether arm b has failed.
    pub fn is_out(&self) -> bool {
        self.state.lock().out
    }

    /// Frames that wait, and events that were thinned out.
    pub fn levels(&self) -> (u64, u64) {
        let state: MutexGuard<'_, State> = self.state.lock();
        (state.buffers as u64, state.thinned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch() -> Branch {
        gst::init().unwrap();
        let branch = Branch::default();
        branch.start();
        branch
    }

    #[test]
    fn leaked_frames_are_told_together_and_in_their_place() {
        let branch = branch();
        let run = Uuid::nil();
        branch.push(Item::Buffer(gst::Buffer::new(), run, 0));
        assert_eq!(branch.room(|| (true, 1)), Room::Full);
        branch.leak(run, 1);
        branch.leak(run, 2);
        assert!(matches!(branch.pop(), Some(Item::Buffer(..))));
        assert_eq!(branch.room(|| (true, 1)), Room::Yes);
        branch.push(Item::Buffer(gst::Buffer::new(), run, 3));
        branch.done();
        assert!(matches!(branch.pop(), Some(Item::Dropped(_, ids)) if ids == [1, 2]));
    }

    #[test]
    fn a_branch_that_never_moves_keeps_a_bounded_queue_and_the_last_of_every_sticky_event() {
        let branch = branch();
        for k in 0..10_000_u32 {
            let name = if k % 2 == 0 { "even" } else { "odd" };
            let s = gst::Structure::builder(name).field("k", k).build();
            branch.push(Item::Event(gst::event::CustomDownstreamSticky::new(s.clone())));
            branch.push(Item::Event(gst::event::CustomDownstream::new(s)));
            branch.leak(Uuid::nil(), k.into());
        }
        let mut state = branch.state.lock();
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

        type Wait = fn(&Branch, &dyn Fn() -> bool) -> Room;
        let ways: [(Wait, Room); 2] =
            [(|b, go| b.room(|| (go(), 1)), Room::Full), (|b, go| b.claim(|| !go()), Room::Out)];
        for (wait, answer) in ways {
            let branch = branch();
            branch.push(Item::Buffer(gst::Buffer::new(), Uuid::nil(), 0));
            let (asked, changed) = (std::sync::Barrier::new(2), AtomicBool::new(false));
            std::thread::scope(|s| {
                let waiting = s.spawn(|| {
                    let first = std::cell::Cell::new(true);
                    wait(&branch, &|| {
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
                branch.wake();
                assert_eq!(waiting.join().unwrap(), answer);
            });
        }
    }

    #[test]
    fn who_would_have_arm_b_alone_waits_for_what_is_queued_and_no_longer_than_b_is_wanted() {
        let branch = branch();
        assert_eq!(branch.claim(|| true), Room::Yes);
        branch.done();
        branch.push(Item::Buffer(gst::Buffer::new(), Uuid::nil(), 0));
        assert_eq!(branch.claim(|| false), Room::Out, "a frame waits");
        std::thread::scope(|s| {
            let waiting = s.spawn(|| branch.claim(|| true));
            assert!(matches!(branch.pop(), Some(Item::Buffer(..))));
            branch.done();
            assert_eq!(waiting.join().unwrap(), Room::Yes);
        });
        branch.done();
        branch.fail();
        assert_eq!(branch.claim(|| true), Room::Out, "b has failed");
        branch.flush_start();
        assert_eq!(branch.claim(|| true), Room::Flushing);
    }

    #[test]
    fn who_waits_for_room_is_sent_away_by_flush_stop_and_failure() {
        for (end, answer) in [
            (Branch::flush_start as fn(&Branch), Room::Flushing),
            (Branch::stop, Room::Flushing),
            (|b: &Branch| assert_eq!((b.fail(), b.fail()), (Some(1), None)), Room::Out),
        ] {
            let branch = branch();
            branch.push(Item::Buffer(gst::Buffer::new(), Uuid::nil(), 0));
            let asked = std::sync::Barrier::new(2);
            std::thread::scope(|s| {
                let waiting = s.spawn(|| {
                    let first = std::cell::Cell::new(true);
                    branch.room(|| {
                        // The lock is held here, so what ends the wait comes after it has begun.
                        if first.replace(false) {
                            asked.wait();
                        }
                        (false, 1)
                    })
                });
                asked.wait();
                end(&branch);
                assert_eq!(waiting.join().unwrap(), answer);
            });
        }
    }
}
