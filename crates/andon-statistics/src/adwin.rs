// SPDX-License-Identifier: MPL-2.0
//! ADWIN: a window that grows while nothing changes, and is cut where its halves differ (Bifet & Gavaldà, SIAM Data
//! Mining 2007). It gives the numbers of river's implementation.

use std::collections::VecDeque;

/// The most buckets of one size. With one more, the two oldest merge into one of twice the size.
const MOST_BUCKETS: usize = 5;
/// Values between two searches for a cut.
const CLOCK: u64 = 32;
/// Values before the first search.
const GRACE: f64 = 10.0;
/// The fewest values on either side of a cut.
const LEAST_SIDE: f64 = 5.0;

/// The sums of consecutive values.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    n: f64,
    sum: f64,
    /// The sum of squared departures from the mean.
    squares: f64,
}

impl Bucket {
    fn mean(self) -> f64 {
        self.sum / self.n
    }

    /// Returns what the distance of two means adds to the squares (Chan, Golub & LeVeque, 1979).
    fn between(self, other: Self) -> f64 {
        let d = self.mean() - other.mean();
        self.n * other.n * d * d / (self.n + other.n)
    }

    fn joined(self, other: Self) -> Self {
        if self.n == 0.0 {
            return other;
        }
        let squares = self.squares + other.squares + self.between(other);
        Self { n: self.n + other.n, sum: self.sum + other.sum, squares }
    }

    /// Returns what remains without `other`, which is a part of this bucket.
    fn without(self, other: Self) -> Self {
        let rest = Self { n: self.n - other.n, sum: self.sum - other.sum, squares: 0.0 };
        let squares = self.squares - (other.squares + rest.between(other));
        Self { squares, ..rest }
    }
}

/// The adaptive window. Its memory grows with the logarithm of its width.
#[derive(Clone, Debug)]
pub struct Adwin {
    delta: f64,
    seen: u64,
    all: Bucket,
    /// Buckets by size: 1, 2, 4…; the newest of each size is last.
    rows: Vec<VecDeque<Bucket>>,
}

impl Adwin {
    /// Makes an empty window with confidence δ, such as 0.002: an upper bound on the chance that one search makes a
    /// false cut. Every 32 values the window searches for a cut.
    pub fn new(delta: f64) -> Self {
        Self { delta, seen: 0, all: Bucket::default(), rows: Vec::new() }
    }

    /// The number of values in the window.
    pub fn width(&self) -> u64 {
        self.all.n as u64
    }

    /// The mean of the window. NaN while the window is empty.
    pub fn mean(&self) -> f64 {
        self.all.mean()
    }

    /// Adds a value and returns whether the mean has changed. After a change the window is empty, as in river.
    pub fn add(&mut self, x: f64) -> bool {
        self.insert(x);
        self.seen += 1;
        let mut changed = false;
        if self.seen.is_multiple_of(CLOCK) && self.all.n > GRACE {
            while self.cut() {
                changed = true;
                self.forget();
            }
        }
        if changed {
            *self = Self::new(self.delta);
        }
        changed
    }

    fn insert(&mut self, x: f64) {
        let one = Bucket { n: 1.0, sum: x, squares: 0.0 };
        self.all = self.all.joined(one);
        let mut carried = Some(one);
        for i in 0.. {
            let Some(stretch) = carried.take() else { break };
            if i == self.rows.len() {
                self.rows.push(VecDeque::with_capacity(MOST_BUCKETS + 1));
            }
            let row = &mut self.rows[i];
            row.push_back(stretch);
            if row.len() > MOST_BUCKETS {
                let oldest = row.drain(..2).reduce(Bucket::joined);
                carried = oldest;
            }
        }
    }

    /// Drops the oldest bucket.
    fn forget(&mut self) {
        let Some(row) = self.rows.last_mut() else { return };
        if let Some(oldest) = row.pop_front() {
            self.all = self.all.without(oldest);
        }
        if row.is_empty() {
            self.rows.pop();
        }
    }

    /// Returns whether the two sides of any cut differ.
    fn cut(&self) -> bool {
        let (mut before, mut after) = (Bucket::default(), self.all);
        for row in self.rows.iter().rev() {
            for bucket in row {
                before = before.joined(*bucket);
                after = after.without(*bucket);
                if before.n >= LEAST_SIDE && after.n >= LEAST_SIDE && self.differ(before, after) {
                    return true;
                }
            }
        }
        false
    }

    /// |difference of means| > √(2/m · σ² · ln(2 ln n / δ)) + 2/(3m) · ln(2 ln n / δ), 1/m the sum of the sides' 1/n.
    fn differ(&self, before: Bucket, after: Bucket) -> bool {
        let log = (2.0 * self.all.n.ln() / self.delta).ln();
        let m = 1.0 / (before.n - LEAST_SIDE + 1.0) + 1.0 / (after.n - LEAST_SIDE + 1.0);
        let epsilon = (2.0 * m * (self.all.squares / self.all.n) * log).sqrt() + 2.0 / 3.0 * log * m;
        (before.mean() - after.mean()).abs() > epsilon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_the_logarithm_and_a_step_is_found() {
        let mut adwin = Adwin::new(0.002);
        let wave = |i: u32| f64::from(i % 101 * 79 % 101) / 101.0;
        assert!(!(0..1_000_000).any(|i| adwin.add(wave(i))));
        assert!(adwin.width() == 1_000_000 && adwin.rows.len() <= 20, "{}", adwin.rows.len());
        assert!((adwin.mean() - 50.0 / 101.0).abs() < 1e-3);
        assert!((0..20_000).any(|i| adwin.add(wave(i) + 0.3)));
        assert_eq!(adwin.width(), 0);
    }
}
