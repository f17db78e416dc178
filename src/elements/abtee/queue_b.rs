// SPDX-License-Identifier: MPL-2.0
//! The short queue in front of arm b, and the thread that waits at either end. Frames leak when it is full, events
//! never do, and every wait can be woken.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

use super::{
    patience::{LEAST, Patience},
    waiting::{Item, Waiting},
};

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
    /// What waits for arm b's thread.
    waiting: Waiting,
    /// Arm a has the last frame since then.
    with_a: Option<Instant>,
    /// How long b waits for a to let go of a frame.
    patience: Patience,
    /// A thread is pushing on the pad.
    busy: bool,
    /// The pad is between flush-start and flush-stop.
    flushing: bool,
    /// The pad is active.
    running: bool,
    /// Arm b has failed and gets no frames until the stream begins anew.
    out: bool,
}

/// What arm b's thread does next.
#[derive(Debug)]
enum Next {
    /// It pushes this.
    Push(Item),
    /// It waits until then, or until something changes.
    Wait(Option<Instant>),
}

impl State {
    fn is_flushing(&self) -> bool {
        self.flushing || !self.running
    }

    /// Appends an item. While flushing, only what holds after the flush, too. Returns whether it did.
    fn push(&mut self, item: Item) -> bool {
        let takes = self.running && (!self.flushing || item.survives_flush());
        if takes {
            self.waiting.push(item);
        }
        takes
    }

    fn put(&mut self, item: Item, now: Instant) -> bool {
        self.with_a = Some(now);
        self.push(item)
    }

    fn release(&mut self, now: Instant) {
        if let Some(since) = self.with_a.take() {
            self.patience.kept(now.saturating_duration_since(since));
        }
    }

    /// Takes the next item for arm b's thread, if it may begin it now.
    fn next(&mut self, now: Instant) -> Next {
        if self.busy {
            return Next::Wait(None);
        }
        if self.waiting.is_last_frame_next()
            && let Some(until) = self.with_a.map(|since| since + self.patience.limit())
            && now < until
        {
            return Next::Wait(Some(until));
        }
        match self.waiting.pop() {
            Some(item) => {
                self.busy = true;
                Next::Push(item)
            }
            None => Next::Wait(None),
        }
    }
}

impl QueueB {
    /// Starts with an empty queue.
    pub(super) fn start(&self) {
        *self.state.lock() = State { running: true, ..State::default() };
    }

    /// Stops, and ends every wait.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.waiting = Waiting::default();
        state.running = false;
        self.changed.notify_all();
    }

    /// Throws away all but the sticky events, which hold for frames after the flush, too, and ends the waits of the
    /// streaming thread. Returns the number of frames.
    pub(super) fn flush_start(&self) -> u64 {
        let mut state = self.state.lock();
        state.flushing = true;
        self.changed.notify_all();
        state.waiting.flush() as u64
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
            if state.waiting.frames() < most.max(1) {
                return Room::Yes;
            }
            if leaky {
                return Room::Full;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Wakes all threads that wait, after a change of the limits.
    pub(super) fn wake(&self) {
        let _state = self.state.lock();
        self.changed.notify_all();
    }

    /// Appends an item and wakes arm b's thread. While flushing, only what holds after the flush, too.
    pub(super) fn push(&self, item: Item) {
        self.state.lock().push(item);
        self.changed.notify_all();
    }

    /// Appends a frame that arm a gets now, and wakes nobody: arm b begins it after [`QueueB::release`], or when it has
    /// [waited](super::patience) long enough. Returns `false` if a flush is faster.
    pub(super) fn put(&self, buffer: gst::Buffer, run: Uuid, id: u64) -> bool {
        self.state.lock().put(Item::Buffer(buffer, run, id), Instant::now())
    }

    /// Arm a has let go of the frame that was [put](QueueB::put) last.
    pub(super) fn release(&self) {
        self.state.lock().release(Instant::now());
        self.changed.notify_all();
    }

    /// Appends that a frame leaked, unless flushing.
    pub(super) fn leak(&self, run: Uuid, id: u64) {
        let mut state = self.state.lock();
        if !state.is_flushing() {
            state.waiting.leak(run, id);
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
            match state.next(Instant::now()) {
                Next::Push(item) => {
                    self.changed.notify_all();
                    return Some(item);
                }
                Next::Wait(Some(until)) => drop(self.changed.wait_until(&mut state, until)),
                // A frame that is put wakes nobody, and may have to be begun by the clock.
                Next::Wait(None) => drop(self.changed.wait_for(&mut state, LEAST)),
            }
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
            if !state.busy && state.waiting.is_empty() {
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
        self.changed.notify_all();
        Some(state.waiting.drop_frames() as u64)
    }

    /// Marks arm b as working again, and returns whether it was out.
    pub(super) fn revive(&self) -> bool {
        std::mem::take(&mut self.state.lock().out)
    }

    /// Returns whether a frame has come in after the one that arm b has just begun.
    pub(super) fn is_behind(&self) -> bool {
        self.state.lock().waiting.has_newer_frame()
    }

    /// Returns whether arm b has failed.
    pub(super) fn is_out(&self) -> bool {
        self.state.lock().out
    }

    /// Returns the number of frames that wait, and of events that were thinned out.
    pub(super) fn levels(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.waiting.frames() as u64, state.waiting.thinned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    fn frame(id: u64) -> Item {
        Item::Buffer(gst::Buffer::new(), Uuid::nil(), id)
    }

    /// What b's thread takes at a moment, or for how many ms more it waits.
    fn next(state: &mut State, now: Instant) -> Result<u64, Option<u128>> {
        match state.next(now) {
            Next::Push(Item::Buffer(_, _, id)) => {
                state.busy = false;
                Ok(id)
            }
            Next::Push(other) => panic!("{other:?}"),
            Next::Wait(until) => Err(until.map(|until| (until - now).as_millis())),
        }
    }

    #[test]
    fn a_frame_is_begun_when_a_has_let_go_of_it_however_long_b_was_idle() {
        gst::init().unwrap();
        let mut state = State { running: true, ..State::default() };
        let ms = Duration::from_millis;
        let mut now = Instant::now();
        for (k, pause) in [0, 37, 450, 1_000, 60_000].into_iter().enumerate() {
            now += ms(pause);
            state.put(frame(k as u64), now);
            assert_eq!(next(&mut state, now), Err(Some(100)), "after {pause} ms");
            assert_eq!(next(&mut state, now + ms(39)), Err(Some(61)));
            state.release(now + ms(40));
            assert_eq!(next(&mut state, now + ms(40)), Ok(k as u64));
            assert_eq!(next(&mut state, now + ms(40)), Err(None), "nothing waits");
        }
    }

    #[test]
    fn a_frame_that_a_keeps_is_begun_after_twice_the_time_that_a_took_of_late() {
        gst::init().unwrap();
        let mut state = State { running: true, ..State::default() };
        let ms = Duration::from_millis;
        let now = Instant::now();
        state.put(frame(0), now);
        assert_eq!(next(&mut state, now + ms(100)), Ok(0), "b does not starve");
        state.release(now + ms(300));
        state.put(frame(1), now + ms(500));
        assert_eq!(next(&mut state, now + ms(500)), Err(Some(600)));
        assert_eq!(next(&mut state, now + ms(1_100)), Ok(1));
    }

    #[test]
    fn what_waits_ahead_of_the_frame_that_a_has_is_begun_at_once() {
        gst::init().unwrap();
        let mut state = State { running: true, ..State::default() };
        let now = Instant::now();
        state.put(frame(0), now);
        state.release(now);
        state.put(frame(1), now);
        assert_eq!(next(&mut state, now), Ok(0), "a has let go of it");
        state.push(Item::Event(gst::event::Gap::new(gst::ClockTime::ZERO, None)));
        assert_eq!(next(&mut state, now), Err(Some(100)));
        state.release(now);
        assert_eq!(next(&mut state, now), Ok(1));
    }

    #[test]
    fn while_flushing_only_what_holds_after_the_flush_is_taken() {
        let queue = queue();
        let sticky = || gst::event::CustomDownstreamSticky::new(gst::Structure::new_empty("sticky"));
        queue.push(Item::Event(sticky()));
        assert!(queue.put(gst::Buffer::new(), Uuid::nil(), 0));
        assert_eq!(queue.flush_start(), 1);
        assert!(!queue.put(gst::Buffer::new(), Uuid::nil(), 1));
        queue.push(Item::Event(gst::event::Eos::new()));
        queue.push(Item::Event(sticky()));
        queue.flush_stop(gst::event::FlushStop::new(true));
        use gst::EventType::{CustomDownstreamSticky, FlushStop};
        for left in [CustomDownstreamSticky, CustomDownstreamSticky, FlushStop] {
            assert!(matches!(queue.pop(), Some(Item::Event(event)) if event.type_() == left));
            queue.done();
        }
        assert!(queue.state.lock().waiting.is_empty());
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
            ((|b| assert_eq!(b.flush_start(), 1)) as fn(&QueueB), Room::Flushing),
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
