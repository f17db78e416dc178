// SPDX-License-Identifier: MPL-2.0
//! What elements of one process hand to each other beside the stream: an event carries plain fields only, and who reads
//! it finds the value itself in a table of the process, by a key that the fields name.
//!
//! A table keeps nothing alive: who puts a value in holds it for as long as it may be asked for.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, LazyLock, Weak},
};

use parking_lot::Mutex;

/// A table of living values by their keys. It is bounded: beyond `most` entries, those of dead values go, then the
/// oldest.
pub(crate) struct Shared<K, T> {
    entries: LazyLock<Mutex<Entries<K, T>>>,
    most: usize,
}

struct Entries<K, T> {
    /// The values, and the number that each was put in by.
    values: HashMap<K, (u64, Weak<T>)>,
    /// Numbers and keys in the order in which they were put in. A key that was put in again has an older number too.
    order: VecDeque<(u64, K)>,
    /// The next number.
    next: u64,
}

impl<K, T> Default for Entries<K, T> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), next: 0 }
    }
}

impl<K: Hash + Eq + Clone, T> Shared<K, T> {
    /// Makes an empty table of at most `most` entries.
    pub(crate) const fn new(most: usize) -> Self {
        Self { entries: LazyLock::new(Mutex::default), most }
    }

    /// Puts a value in, and returns what is to be held in its place: the value that lives under this key already, if
    /// there is one. So two who bring the same thing hold one, and neither's end takes it from the other.
    #[must_use = "a value that nobody holds is gone from the table"]
    pub(crate) fn share(&self, key: K, value: Arc<T>) -> Arc<T> {
        let mut entries = self.entries.lock();
        if let Some(living) = entries.values.get(&key).and_then(|(_, value)| value.upgrade()) {
            return living;
        }
        entries.make_room(self.most);
        let number = entries.next;
        entries.next += 1;
        entries.values.insert(key.clone(), (number, Arc::downgrade(&value)));
        entries.order.push_back((number, key));
        value
    }

    /// Returns the value of that key, if it lives.
    pub(crate) fn get(&self, key: &K) -> Option<Arc<T>> {
        self.entries.lock().values.get(key)?.1.upgrade()
    }

    /// Number of entries, those of dead values included.
    #[cfg(test)]
    fn len(&self) -> usize {
        let entries = self.entries.lock();
        assert!(entries.values.len() <= entries.order.len());
        entries.order.len()
    }
}

impl<K: Hash + Eq + Clone, T> Entries<K, T> {
    /// Makes room for one more entry of `most`.
    fn make_room(&mut self, most: usize) {
        // Most values die in the order in which they came.
        while self.order.front().is_some_and(|(number, key)| !self.lives(*number, key)) {
            self.remove_oldest();
        }
        if self.order.len() < most {
            return;
        }
        let order = std::mem::take(&mut self.order);
        let (living, dead): (VecDeque<_>, VecDeque<_>) = order.into_iter().partition(|(n, key)| self.lives(*n, key));
        self.order = dead;
        while !self.order.is_empty() {
            self.remove_oldest();
        }
        self.order = living;
        // A quarter at once, so that a table of living values is not searched at every call.
        while self.order.len() >= most - most / 4 {
            self.remove_oldest();
        }
    }

    fn lives(&self, number: u64, key: &K) -> bool {
        self.values.get(key).is_some_and(|(n, value)| *n == number && value.strong_count() > 0)
    }

    fn remove_oldest(&mut self) {
        let Some((number, key)) = self.order.pop_front() else { return };
        if self.values.get(&key).is_some_and(|(n, _)| *n == number) {
            self.values.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_for_as_long_as_somebody_holds_it() {
        static TABLE: Shared<u32, String> = Shared::new(8);
        let held = TABLE.share(1, Arc::new("one".into()));
        assert_eq!(TABLE.get(&1).as_deref(), Some(&"one".to_string()));
        assert!(TABLE.get(&2).is_none());
        drop(held);
        assert!(TABLE.get(&1).is_none(), "the table keeps nothing alive");
    }

    #[test]
    fn who_brings_what_another_holds_shares_it_and_outlives_him() {
        let table = Shared::new(8);
        let first = table.share("digest", Arc::new(5));
        let second = table.share("digest", Arc::new(5));
        assert!(Arc::ptr_eq(&first, &second));
        drop(first);
        assert_eq!(table.get(&"digest").as_deref(), Some(&5));
        drop(second);
        let _third = table.share("digest", Arc::new(6));
        assert_eq!(table.get(&"digest").as_deref(), Some(&6));
    }

    #[test]
    fn a_table_is_bounded_whether_values_live_or_not() {
        let table = Shared::new(16);
        for n in 0..1000 {
            drop(table.share(n, Arc::new(n)));
            assert!(table.len() <= 1, "values that died in their order go at once");
        }
        let held: Vec<_> = (0..1000)
            .map(|n| {
                let value = table.share(n, Arc::new(n));
                assert!(table.len() <= 16);
                value
            })
            .collect();
        assert_eq!(table.get(&999).as_deref(), Some(&999));
        assert!(table.get(&0).is_none(), "the oldest went for want of room");
        drop(held);
        let long = table.share(7, Arc::new(7));
        for n in 100..200 {
            drop(table.share(n, Arc::new(n)));
            assert!(table.len() <= 16);
        }
        assert_eq!(table.get(&7), Some(long), "one that lives stays while the dead behind it go");
        for n in 0..100 {
            drop(table.share(50, Arc::new(n)));
            assert!(table.len() <= 16, "a key that comes again and again takes no more room");
        }
    }

    #[test]
    fn threads_find_what_other_threads_hold() {
        static TABLE: Shared<usize, usize> = Shared::new(64);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for n in (thread * 1000)..(thread * 1000 + 1000) {
                        let held = TABLE.share(n, Arc::new(n));
                        // Four threads hold one value each, far fewer than the table has room for.
                        assert_eq!(TABLE.get(&n), Some(held));
                    }
                });
            }
        });
        assert!(TABLE.len() <= 64);
    }
}
