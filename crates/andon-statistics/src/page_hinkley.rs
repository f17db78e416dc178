// SPDX-License-Identifier: MPL-2.0
//! The two-sided Page-Hinkley test against the stream's own running mean (Page, Biometrika 41, 1954; Hinkley, Biometrika
//! 58, 1971), number for number as river defines it.

/// Sums that fade, and how far they have left their extremes.
///
/// With d = x − mean: up = α·up + d − δ, down = α·down + d + δ; an alarm where up exceeds its least value, or down falls
/// below its greatest, by more than λ. What δ and λ mean depends on the scale: give it standardised values.
#[derive(Clone, Copy, Debug)]
pub struct PageHinkley {
    /// Values before the first alarm.
    pub least_values: u64,
    /// δ, the drift that is allowed, in σ.
    pub delta: f64,
    /// λ, what has to be exceeded, in σ.
    pub lambda: f64,
    /// α, by which sums fade.
    pub fading: f64,
    n: u64,
    mean: f64,
    up: f64,
    down: f64,
    least: f64,
    greatest: f64,
}

impl PageHinkley {
    /// The test with δ and λ; sums fade by 1 − 10⁻⁴, the first 30 values never alarm.
    pub fn new(delta: f64, lambda: f64) -> Self {
        Self {
            least_values: 30,
            delta,
            lambda,
            fading: 1.0 - 1e-4,
            n: 0,
            mean: 0.0,
            up: 0.0,
            down: 0.0,
            least: f64::INFINITY,
            // As river: the first values below −1 do not lower the greatest.
            greatest: -1.0,
        }
    }

    /// Takes a value in; answers whether the mean has changed. Then it starts over.
    pub fn add(&mut self, x: f64) -> bool {
        self.n += 1;
        self.mean += (1.0 / self.n as f64) * (x - self.mean);
        let departure = x - self.mean;
        self.up = self.fading * self.up + departure - self.delta;
        self.down = self.fading * self.down + departure + self.delta;
        self.least = self.least.min(self.up);
        self.greatest = self.greatest.max(self.down);
        let changed = self.n >= self.least_values && self.scores().iter().any(|s| *s > self.lambda);
        if changed {
            let Self { least_values, fading, .. } = *self;
            *self = Self { least_values, fading, ..Self::new(self.delta, self.lambda) };
        }
        changed
    }

    /// How far it has risen and fallen, to be held against λ.
    pub fn scores(&self) -> [f64; 2] {
        if self.n == 0 { [0.0; 2] } else { [self.up - self.least, self.greatest - self.down] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_either_way_is_found_and_steadiness_is_not() {
        for (step, found) in [(0.0, false), (2.0, true), (-2.0, true)] {
            let mut test = PageHinkley::new(0.25, 25.0);
            let wave = |i: u32| f64::from(i % 3) - 1.0;
            assert!(!(0..500).any(|i| test.add(wave(i))));
            assert_eq!((0..100).any(|i| test.add(wave(i) + step)), found, "{step}");
        }
    }
}
