// SPDX-License-Identifier: MPL-2.0
//! Slow change: windows of ticks, compared with the reference's distribution by four distances.
//!
//! A CUSUM sums departures from the mean. A window also sees a distribution that widens, splits or leans. Windows do
//! not overlap. In every window each feature gets four distances to the reference: the Kolmogorov-Smirnov D, the
//! Wasserstein distance over σ, the Jensen-Shannon distance and the PSI. Their squares (the PSI is a square already)
//! have about exponential tails while nothing changes. So the squares are compared with one threshold for all, in units
//! of their own scatter: see [`calibration`](super::calibration).
//!
//! A feature alarms if, in two windows in a row, a distance is significant and large, and the change is large enough to
//! matter.

use serde::{Deserialize, Serialize};

use super::{
    distance::{BINS, Bins, jensen_shannon, kolmogorov_smirnov, psi, wasserstein},
    features::{COUNT, Row},
    tail::Tail,
};

/// The number of distances of a window: Kolmogorov-Smirnov, Wasserstein over σ, Jensen-Shannon, PSI.
pub(crate) const DISTANCES: usize = 4;
/// What a distance has to reach to be large.
const LARGE: f64 = 0.1;
/// The number of points that describe a reference's distribution: ten for each tenth.
pub(crate) const POINTS: usize = 100;
/// The smallest scatter of a square, for features that never moved.
const LEAST_SCATTER: f32 = 1e-4;
/// The shortest and the longest window, ticks.
const WINDOW: [usize; 2] = [50, 200];
/// How many windows a reference has to hold.
const WINDOWS: usize = 10;

/// Returns the length of a window for a reference of this many ticks, or None if the reference is too short to know a
/// distribution. With a reference of a hundred ticks, windows raise false alarms.
pub(crate) fn window(ticks: usize) -> Option<usize> {
    let [least, most] = WINDOW;
    (ticks >= least * WINDOWS).then(|| (ticks / WINDOWS).min(most))
}

/// What is normal of one feature in a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WindowNormal {
    /// Quantiles at (i + ½)/100 of the ticks, less their mean, in σ.
    pub(crate) points: Vec<f32>,
    /// The median of each distance's square, and how far above the median 95 % of the squares lie.
    pub(crate) scales: [[f32; 2]; DISTANCES],
}

/// What is normal of windows and sums, as the bootstrap finds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowNormal {
    /// Ticks per window.
    pub(crate) window: usize,
    /// Ticks that the bootstrap kept together.
    pub block: usize,
    /// Pairs of windows in the bootstrap.
    pub pairs: usize,
    /// The tail, over pairs of windows, of the greatest score that any feature reaches in both.
    pub(crate) windows: Tail,
    /// The tail, over as many ticks, of the greatest CUSUM of any feature, in the scale of its analytic threshold.
    pub(crate) cusum: Tail,
    /// The tail, over as many base ticks as a tick and [`STEP_TICKS`](super::calibration::STEP_TICKS) make, of the greatest
    /// step of any feature over any span. None in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<Tail>,
    /// What is normal of each feature, by name.
    pub(crate) features: std::collections::BTreeMap<String, WindowNormal>,
}

impl SlowNormal {
    /// Returns whether all numbers can be used.
    pub(crate) fn sound(&self) -> bool {
        let shape = |s: &WindowNormal| {
            let sorted = s.points.windows(2).all(|p| p[0] <= p[1]);
            s.points.len() == POINTS && sorted && s.scales.iter().all(|[m, s]| m.is_finite() && *s > 0.0)
        };
        self.window > 0
            && self.features.values().all(shape)
            && [&self.windows, &self.cusum].into_iter().chain(&self.steps).all(Tail::sound)
    }
}

/// A distribution to compare windows with.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    points: Vec<f64>,
    bins: Bins,
    counts: [u32; BINS],
}

impl Distribution {
    /// Makes a distribution of sorted points, which must not be empty.
    pub(crate) fn new(points: Vec<f64>) -> Self {
        let bins = Bins::of(&points);
        Self { counts: bins.count(&points), bins, points }
    }

    /// Returns the distances of a sorted window, which must not be empty, in the order of [`DISTANCES`].
    pub(crate) fn measure(&self, window: &[f64]) -> [f64; DISTANCES] {
        let counts = self.bins.count(window);
        [
            kolmogorov_smirnov(&self.points, window),
            wasserstein(&self.points, window),
            jensen_shannon(&self.counts, &counts),
            psi(&self.counts, &counts),
        ]
    }
}

/// Returns the distances as they are compared: as squares.
pub(crate) fn squares(distances: [f64; DISTANCES]) -> [f64; DISTANCES] {
    let [d, w, js, psi] = distances;
    [d * d, w * w, js * js, psi]
}

/// Returns the scale of a square, from its median and its 95 % quantile.
pub(crate) fn scale(median: f32, high: f32) -> [f32; 2] {
    [median, (high - median).max(LEAST_SCATTER)]
}

/// Returns the distances in units of their scatter.
pub(crate) fn scores(distances: [f64; DISTANCES], scales: &[[f32; 2]; DISTANCES]) -> [f64; DISTANCES] {
    let squares = squares(distances);
    std::array::from_fn(|i| (squares[i] - f64::from(scales[i][0])) / f64::from(scales[i][1]))
}

/// Returns whether a window of this many ticks knows enough values of a feature.
pub(crate) fn known(values: usize, window: usize) -> bool {
    2 * values >= window && values > 0
}

/// The latest window of a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    /// The distances, in the order of [`DISTANCES`].
    pub(crate) distances: [f64; DISTANCES],
    /// The greatest score of the distances.
    pub(crate) score: f64,
    /// What the score has to exceed.
    pub(crate) threshold: f64,
    /// The mean of the window less that of the reference, in σ.
    pub(crate) effect: f64,
    /// Whether the window is significantly and largely different.
    pub(crate) off: bool,
    /// Whether this window and the one before are off.
    pub(crate) alarms: bool,
    /// The first frame of the windows in a row that are off.
    pub(crate) since: u64,
}

#[derive(Clone, Debug)]
struct Feature {
    distribution: Distribution,
    scales: [[f32; 2]; DISTANCES],
    /// The values of the current window, in σ.
    values: Vec<f64>,
    latest: Option<Window>,
}

/// The windows of all features.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    size: usize,
    ticks: usize,
    began: u64,
    threshold: f64,
    features: Vec<Option<Feature>>,
}

impl Windows {
    /// Makes empty windows for a reference, by the names of a row's features. Allocates all their memory here.
    pub(crate) fn new(slow: &SlowNormal, names: [&str; COUNT], threshold: f64) -> Self {
        let feature = |name: &str| {
            let shape = slow.features.get(name)?;
            let distribution = Distribution::new(shape.points.iter().map(|v| f64::from(*v)).collect());
            let values = Vec::with_capacity(slow.window);
            Some(Feature { distribution, scales: shape.scales, values, latest: None })
        };
        Self { size: slow.window, ticks: 0, began: 0, threshold, features: names.into_iter().map(feature).collect() }
    }

    /// What a score has to exceed.
    pub(crate) fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Sets the threshold from the end of the next window on.
    pub(crate) fn set_threshold(&mut self, threshold: f64) {
        self.threshold = threshold;
    }

    /// Forgets all values.
    pub(crate) fn restart(&mut self) {
        self.ticks = 0;
        for feature in self.features.iter_mut().flatten() {
            feature.values.clear();
            feature.latest = None;
        }
    }

    /// Adds a tick in σ, with NaN for unknown features, and returns whether the tick ended a window. `relevant` holds
    /// the smallest change of each feature that matters, in σ.
    pub(crate) fn tick(&mut self, row: &Row, first_frame: u64, relevant: &Row) -> bool {
        if self.ticks == 0 {
            self.began = first_frame;
        }
        self.ticks += 1;
        let ends = self.ticks == self.size;
        for (i, feature) in self.features.iter_mut().enumerate() {
            let Some(feature) = feature else { continue };
            if row[i].is_finite() {
                feature.values.push(row[i]);
            }
            if ends {
                feature.end(self.size, self.began, self.threshold, relevant[i]);
            }
        }
        if ends {
            self.ticks = 0;
        }
        ends
    }

    /// The latest window of a feature.
    pub(crate) fn latest(&self, feature: usize) -> Option<Window> {
        self.features[feature].as_ref()?.latest
    }
}

impl Feature {
    fn end(&mut self, size: usize, began: u64, threshold: f64, relevant: f64) {
        let before = self.latest.take();
        if known(self.values.len(), size) {
            self.values.sort_unstable_by(f64::total_cmp);
            let distances = self.distribution.measure(&self.values);
            let scores = scores(distances, &self.scales);
            let clear = (0..DISTANCES).any(|i| scores[i] > threshold && distances[i] >= LARGE);
            // Neither the mean nor the quantiles on average have moved further than the Wasserstein distance.
            let off = clear && distances[1] >= relevant;
            let running = before.filter(|w| w.off && off);
            self.latest = Some(Window {
                distances,
                score: scores.into_iter().fold(f64::MIN, f64::max),
                threshold,
                effect: self.values.iter().sum::<f64>() / self.values.len() as f64,
                off,
                alarms: running.is_some(),
                since: running.map_or(began, |w| w.since),
            });
        }
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        calibration::Calibrator,
        detector::Detector,
        features::{LUMA, NOISE, SHARPNESS, UNKNOWN},
        learner::Learner,
        reference::Reference,
        testing::Random,
    };

    /// A row of three features; `luma` makes luma from a normal number.
    fn row(random: &mut Random, luma: impl Fn(f64) -> f64) -> Row {
        let mut row = UNKNOWN;
        row[LUMA] = 0.5 + luma(random.normal());
        row[SHARPNESS] = 0.5 + 0.1 * random.normal();
        row[NOISE] = 0.02 + 0.003 * random.normal();
        row
    }

    fn steady(z: f64) -> f64 {
        0.05 * z
    }

    fn reference(ticks: usize, luma: impl Fn(f64) -> f64 + Copy) -> Reference {
        let mut random = Random::new(21);
        let mut learner = Learner::new(ticks);
        for _ in 0..ticks {
            learner.frames += 1;
            learner.add(row(&mut random, luma));
        }
        let image = andon_core::image::Image::gray8(&[0; 64], 8, 8).unwrap();
        let mut reference = learner.finish(&image, 1);
        let calibrator = Calibrator::new(&learner.ticks(reference.tick), &reference.normals());
        reference.slow = calibrator.and_then(|c| c.run(|| false));
        reference
    }

    /// Returns the first tick in which windows of luma alarm, and the frame since which they do.
    fn first(detector: &mut Detector, ticks: u64, luma: impl Fn(f64) -> f64 + Copy) -> Option<(u64, u64)> {
        let mut random = Random::new(77);
        (0..ticks).find_map(|tick| {
            detector.tick(&row(&mut random, luma), tick);
            let watch = detector.watches()[LUMA].unwrap();
            watch.window_alarms().then(|| (tick, watch.window.unwrap().since))
        })
    }

    #[test]
    fn a_distribution_that_splits_around_its_old_mean_is_found_by_windows() {
        let reference = reference(1000, steady);
        let slow = reference.slow.as_ref().unwrap();
        assert_eq!((slow.window, slow.features.len()), (100, 3));
        let mut detector = Detector::new(&reference, 20_000);
        assert_eq!(first(&mut detector, 5_000, steady), None);
        let split = |z: f64| 0.05 * z.signum() + 0.01 * z;
        let found = first(&mut detector, 400, split);
        assert_eq!(found, Some((199, 0)), "two windows running");
        assert!(detector.watches()[LUMA].unwrap().score < detector.watches()[LUMA].unwrap().threshold);
        assert!(detector.alarms() && detector.watches()[LUMA].unwrap().moved());
        assert!(!detector.watches()[SHARPNESS].unwrap().window_alarms());
        assert_eq!(first(&mut detector, 1, steady), Some((0, 0)), "in alarm until a window is as normal");
        let mut random = Random::new(9);
        for tick in 0..200 {
            detector.tick(&row(&mut random, steady), tick);
        }
        assert!(!detector.alarms());
    }

    #[test]
    fn one_window_that_is_off_is_no_alarm() {
        let mut detector = Detector::new(&reference(1000, steady), 20_000);
        let split = |z: f64| 0.05 * z.signum() + 0.01 * z;
        assert_eq!(first(&mut detector, 100, split), None);
        assert!(detector.watches()[LUMA].unwrap().window.unwrap().off);
        assert_eq!(first(&mut detector, 1_000, steady), None);
    }

    #[test]
    fn a_change_too_small_to_matter_is_none_however_significant() {
        let still = |z: f64| 0.0001 * z;
        let mut detector = Detector::new(&reference(1000, still), 20_000);
        assert_eq!(first(&mut detector, 1_000, |z| 0.001 + 0.0001 * z), None);
        let window = detector.watches()[LUMA].unwrap().window.unwrap();
        assert!(window.distances[0] > 0.9 && window.score > window.threshold, "{window:?}");
    }

    #[test]
    fn a_short_reference_has_no_windows() {
        assert_eq!([499, 500, 1000, 5000].map(window), [None, Some(50), Some(100), Some(200)]);
        assert_eq!(reference(60, steady).slow, None);
    }

    #[test]
    fn what_windows_are_held_to_comes_back_from_the_file() {
        let reference = reference(500, steady);
        let read = Reference::from_json(&reference.to_json()).unwrap();
        assert_eq!(read.slow.as_ref().unwrap().features, reference.slow.as_ref().unwrap().features);
        let mut broken = reference.clone();
        broken.slow.as_mut().unwrap().features.get_mut("luma").unwrap().points.reverse();
        assert!(Reference::from_json(&broken.to_json()).unwrap_err().to_string().contains("'slow'"));
    }
}
