// SPDX-License-Identifier: MPL-2.0
//! How often something may happen.

use std::time::{Duration, Instant};

/// So many at once, and so many a second after that.
#[derive(Clone, Debug)]
pub struct Pace {
    a_second: f64,
    most: f64,
    left: f64,
    at: Instant,
}

impl Pace {
    /// Allows `most` at once and `a_second` from then on.
    pub fn new(a_second: u32, most: u32, now: Instant) -> Self {
        Self { a_second: a_second.into(), most: most.into(), left: most.into(), at: now }
    }

    fn refill(&mut self, now: Instant) {
        let gone = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + gone * self.a_second).min(self.most);
        self.at = now;
    }

    /// Returns whether one may happen now.
    pub fn allows(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= 1.0
    }

    /// Counts `what` that happened; more than is left delays what comes.
    pub fn count(&mut self, what: usize) {
        self.left -= what as f64;
    }

    /// When the next may happen.
    pub fn when(&self) -> Instant {
        let missing = (1.0 - self.left).max(0.0) / self.a_second;
        self.at + Duration::from_secs_f64(missing) + Duration::from_micros(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_so_many_a_second() {
        let begin = Instant::now();
        let mut pace = Pace::new(10, 3, begin);
        let mut taken = |ms: u64| {
            let now = begin + Duration::from_millis(ms);
            let mut count = 0;
            while pace.allows(now) {
                pace.count(1);
                count += 1;
            }
            assert!(pace.when() > now && pace.when() < now + Duration::from_millis(110));
            count
        };
        assert_eq!([taken(0), taken(50), taken(101), taken(1000), taken(60_000)], [3, 0, 1, 3, 3]);
        pace.count(20);
        assert!(!pace.allows(begin + Duration::from_millis(61_000)), "what was too much is made up for");
        assert!(pace.allows(begin + Duration::from_millis(62_200)));
    }
}
