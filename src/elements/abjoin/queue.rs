// SPDX-License-Identifier: MPL-2.0
//! The frames and events that wait in `abjoin` for arm b, in the order in which they go on.

use std::{collections::VecDeque, mem};

use super::state::Format;

/// Frames that may wait at once. When they are there, arm a waits, or, with `wait=-1`, the oldest goes on alone.
pub(super) const MAX_FRAMES: usize = 256;

/// A frame or an event, in the order of the stream.
#[derive(Debug)]
pub(super) enum Item {
    /// A frame.
    Frame(WaitingFrame),
    /// A serialized event of arm a.
    Event(gst::Event),
}

/// A frame that waits.
#[derive(Debug)]
pub(super) struct WaitingFrame {
    /// The frame's buffer.
    pub(super) buffer: gst::Buffer,
    /// What its own caps say of it: others may have come since.
    pub(super) format: Format,
    /// The frame's id, by which frames of arm b find their place.
    pub(super) id: u64,
    /// The frame's number in the pairing; `None` if the frame does not wait for b.
    pub(super) serial: Option<u64>,
    /// The clock that times the wait, and the time of the frame's arrival.
    pub(super) arrival: Option<(gst::Clock, gst::ClockTime)>,
}

/// The queue of frames and events.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// Number of frames among the items.
    frames: usize,
}

impl Queue {
    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns whether no further frame may wait.
    pub(super) fn is_full(&self) -> bool {
        self.frames >= MAX_FRAMES
    }

    /// Returns the number of frames that wait.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Appends an item.
    pub(super) fn push(&mut self, item: Item) {
        self.frames += usize::from(matches!(item, Item::Frame(_)));
        self.items.push_back(item);
    }

    /// Puts a frame before those with higher ids, but never before an event.
    pub(super) fn insert(&mut self, frame: WaitingFrame) {
        let later = |i: &Item| matches!(i, Item::Frame(b) if b.id > frame.id);
        let behind = self.items.iter().rev().take_while(|i| later(i)).count();
        self.frames += 1;
        self.items.insert(self.items.len() - behind, Item::Frame(frame));
    }

    /// Returns the item that goes on next.
    pub(super) fn front(&self) -> Option<&Item> {
        self.items.front()
    }

    /// Removes the item that goes on next.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.frames -= usize::from(matches!(item, Item::Frame(_)));
        Some(item)
    }

    /// Removes all items.
    pub(super) fn take(&mut self) -> VecDeque<Item> {
        self.frames = 0;
        mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u64) -> WaitingFrame {
        WaitingFrame { buffer: gst::Buffer::new(), format: Format::default(), id, serial: None, arrival: None }
    }

    #[test]
    fn a_frame_of_b_takes_its_place_by_id_but_not_before_an_event() {
        gst::init().unwrap();
        let mut queue = Queue::default();
        queue.push(Item::Frame(frame(9)));
        queue.push(Item::Event(gst::event::Reconfigure::new()));
        queue.push(Item::Frame(frame(4)));
        queue.push(Item::Frame(frame(6)));
        queue.insert(frame(5));
        queue.insert(frame(3));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|i| match i {
                Item::Frame(b) => b.id,
                Item::Event(_) => 0,
            })
            .collect();
        assert_eq!(order, [9, 0, 3, 4, 5, 6]);
        assert_eq!(queue.frames(), 0);
    }
}
