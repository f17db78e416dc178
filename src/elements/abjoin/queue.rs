// SPDX-License-Identifier: MPL-2.0
//! What waits in `abjoin` for arm b, in the order in which it will go on.

use std::collections::VecDeque;

/// Frames that may wait at once; beyond it the line waits, or, where it could wait for ever, the oldest goes on alone.
pub const MOST_HELD: usize = 256;

/// A frame or an event in its place in the stream.
#[derive(Debug)]
pub enum Item {
    /// A frame.
    Buffer(Held),
    /// A serialized event of arm a.
    Event(gst::Event),
}

/// A frame that waits.
#[derive(Debug)]
pub struct Held {
    /// The frame.
    pub buffer: gst::Buffer,
    /// Its id, for frames of arm b that have to be put in their place.
    pub id: u64,
    /// Its number with the pairing; none where nobody is waited for.
    pub serial: Option<u64>,
    /// The clock it is timed by, and when it came.
    pub arrival: Option<(gst::Clock, gst::ClockTime)>,
}

/// The queue of what waits.
#[derive(Debug, Default)]
pub struct Queue {
    items: VecDeque<Item>,
    held: usize,
}

impl Queue {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether no further frame may wait.
    pub fn is_full(&self) -> bool {
        self.held >= MOST_HELD
    }

    /// Frames that wait.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Appends.
    pub fn push(&mut self, item: Item) {
        self.held += usize::from(matches!(item, Item::Buffer(_)));
        self.items.push_back(item);
    }

    /// Puts a frame before those with higher ids, but never before an event.
    pub fn insert(&mut self, held: Held) {
        let later = |i: &Item| matches!(i, Item::Buffer(b) if b.id > held.id);
        let behind = self.items.iter().rev().take_while(|i| later(i)).count();
        self.held += 1;
        self.items.insert(self.items.len() - behind, Item::Buffer(held));
    }

    /// What goes on next.
    pub fn front(&self) -> Option<&Item> {
        self.items.front()
    }

    /// Takes what goes on next.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.held -= usize::from(matches!(item, Item::Buffer(_)));
        Some(item)
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        self.items.clear();
        self.held = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(id: u64) -> Held {
        Held { buffer: gst::Buffer::new(), id, serial: None, arrival: None }
    }

    #[test]
    fn a_frame_of_b_takes_its_place_by_id_but_not_before_an_event() {
        gst::init().unwrap();
        let mut queue = Queue::default();
        queue.push(Item::Buffer(held(9)));
        queue.push(Item::Event(gst::event::Reconfigure::new()));
        queue.push(Item::Buffer(held(4)));
        queue.push(Item::Buffer(held(6)));
        queue.insert(held(5));
        queue.insert(held(3));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|i| match i {
                Item::Buffer(b) => b.id,
                Item::Event(_) => 0,
            })
            .collect();
        assert_eq!(order, [9, 0, 3, 4, 5, 6]);
        assert_eq!(queue.held(), 0);
    }
}
