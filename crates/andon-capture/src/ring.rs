// SPDX-License-Identifier: MPL-2.0
//! The frames gone by last, bounded in number and in bytes.

use std::collections::VecDeque;

/// The newest items, oldest first. What is over either bound falls off at the old end.
#[derive(Debug)]
pub struct Ring<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, most: 0, most_bytes: usize::MAX }
    }
}

impl<T> Ring<T> {
    /// Sets the bounds; what is over them falls off at once.
    pub fn limit(&mut self, most: usize, most_bytes: usize) {
        if (most, most_bytes) != (self.most, self.most_bytes) {
            (self.most, self.most_bytes) = (most, most_bytes);
            self.trim();
        }
    }

    /// Whether anything can be held at all.
    pub fn is_off(&self) -> bool {
        self.most == 0
    }

    /// Adds the newest item, of so many bytes. One that alone is over the bound is not kept.
    pub fn push(&mut self, bytes: usize, item: T) {
        self.items.push_back((bytes, item));
        self.bytes += bytes;
        self.trim();
    }

    fn trim(&mut self) {
        while self.items.len() > self.most || self.bytes > self.most_bytes {
            let Some((bytes, _)) = self.items.pop_front() else { return };
            self.bytes -= bytes;
        }
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes = 0;
    }

    /// Items held.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The item at `index`, 0 being the oldest.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index).map(|(_, item)| item)
    }

    /// Where the newest item that fits is.
    pub fn rposition(&self, fits: impl Fn(&T) -> bool) -> Option<usize> {
        self.items.iter().rposition(|(_, item)| fits(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(ring: &mut Ring<u32>) -> Vec<u32> {
        (0..ring.len()).map(|i| *ring.get_mut(i).unwrap()).collect()
    }

    #[test]
    fn the_oldest_falls_off_by_number_and_by_bytes() {
        let mut ring = Ring::default();
        ring.limit(3, 100);
        (0..5).for_each(|i| ring.push(10, i));
        assert_eq!((held(&mut ring), ring.bytes()), (vec![2, 3, 4], 30));
        ring.push(85, 5);
        assert_eq!((held(&mut ring), ring.bytes()), (vec![4, 5], 95));
    }

    #[test]
    fn an_item_over_the_bound_is_not_kept_and_costs_nothing_after() {
        let mut ring = Ring::default();
        ring.limit(3, 100);
        ring.push(101, 0);
        assert_eq!((ring.len(), ring.bytes()), (0, 0));
    }

    #[test]
    fn a_smaller_bound_takes_effect_at_once() {
        let mut ring = Ring::default();
        ring.limit(8, 1000);
        (0..8).for_each(|i| ring.push(10, i));
        ring.limit(2, 1000);
        assert_eq!((held(&mut ring), ring.bytes()), (vec![6, 7], 20));
        ring.limit(0, 1000);
        assert!(ring.is_empty() && ring.is_off());
    }
}
