// SPDX-License-Identifier: MPL-2.0
//! The ring of recent frames, bounded in number and in bytes.

use std::collections::VecDeque;

/// The newest items, oldest first. Items over either bound fall off at the old end.
#[derive(Debug)]
pub(crate) struct Ring<T> {
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
    /// Sets the bounds. Items over them fall off at once.
    pub(crate) fn limit(&mut self, most: usize, most_bytes: usize) {
        if (most, most_bytes) != (self.most, self.most_bytes) {
            (self.most, self.most_bytes) = (most, most_bytes);
            self.trim();
        }
    }

    /// Returns whether the bounds let nothing in.
    pub(crate) fn is_off(&self) -> bool {
        self.most == 0
    }

    /// Adds the newest item, of `bytes` bytes. An item that alone is over the bound is not kept.
    pub(crate) fn push(&mut self, bytes: usize, item: T) {
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

    /// Drops all items.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.bytes = 0;
    }

    /// Returns the number of items.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the bytes of all items.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the item at `index`; 0 is the oldest.
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index).map(|(_, item)| item)
    }

    /// Returns the index of the newest item that `fits`.
    pub(crate) fn rposition(&self, fits: impl Fn(&T) -> bool) -> Option<usize> {
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
        assert!(ring.len() == 0 && ring.is_off());
    }
}
