// SPDX-License-Identifier: MPL-2.0
//! What is normal: mean and spread of every feature, learned from a first stretch of frames, and how many observations
//! have to be averaged before one says something that the one before did not.
//!
//! Frames of one camera resemble their neighbours; a detector that takes them for independent cries wolf. So
//! observations (a part's mean, or a frame where no parts are told) are averaged to *ticks*, long enough that
//! neighbouring ticks correlate by at most 0.1, and what correlation is left widens σ. What a short stretch cannot know is
//! widened too: σ is taken at the upper end of its 95 % interval.

use std::collections::BTreeMap;

use andon_core::{
    image::{Format, Image},
    result::Inference,
};
use serde::{Deserialize, Serialize};

use super::{
    adwin::Adwin,
    embedding::Place,
    features::*,
    predictions::Reader,
    profile::{LEAST_MATCH, NORMAL_MATCH, Profile, ProfileMean},
    unchanged::Changes,
    window::Slow,
};

/// The schema of a reference file.
pub const SCHEMA: &str = "andon.reference/1";
/// Correlation of neighbouring ticks that is aimed for.
const LAG_1: f64 = 0.1;
/// Fewest ticks that a reference may rest on.
pub const LEAST_TICKS: usize = 20;
/// Fewest ticks that a feature has to be known in.
const LEAST_KNOWN: usize = 8;
/// ADWIN's δ over all features.
const UNSTEADY: f64 = 0.001;
/// Share of the features that have to reach [`LAG_1`]; the others are taken care of by their σ.
const MOST_FEATURES: f64 = 0.8;

/// One feature's normal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// Mean of the ticks.
    pub mean: f64,
    /// σ of a tick that a detector may reckon with: long-run, at the upper end of its interval, and floored.
    pub sigma: f64,
    /// σ of the ticks as they were.
    pub spread: f64,
    /// Correlation of neighbouring ticks.
    pub lag_1: f64,
    /// Ticks that knew it.
    pub ticks: u32,
    /// Exponent by which its excursions die out (Lundberg); smaller is heavier-tailed than normal.
    pub tail: f64,
}

/// The learned reference, and its form on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Width and height that it belongs to, pixels.
    pub frame: [usize; 2],
    /// Pixel format that it belongs to, such as `gray8`.
    pub format: String,
    /// Every how many rows were read.
    pub subsample: u32,
    /// Frames learned from.
    pub frames: u64,
    /// Observations a tick.
    pub tick: usize,
    /// Ticks learned from.
    pub ticks: usize,
    /// Longest run of frames of the same content.
    pub longest_still: u64,
    /// By name; what was not known is not there.
    pub features: BTreeMap<String, Normal>,
    /// Edge profiles over columns and over rows.
    pub profiles: [Profile; 2],
    /// Mean correlation of a frame's profiles with them.
    pub correlations: [f64; 2],
    /// Digest of the model whose predictions these are; empty where none were learned, or whose is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Of class and field features: the class's label, the field's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// How often the model's word changed, where it spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Changes>,
    /// Where the model's embeddings lie, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Place>,
    /// Mean time from observation to observation, where frames had timestamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation_ns: Option<u64>,
    /// Features that changed while they were learned, as ADWIN finds: what is normal of them is a mixture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsteady: Vec<String>,
    /// What chance makes of windows and sums; none where there are too few ticks, or it was not worked out yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
}

impl Reference {
    /// Reads a reference file's text; the error says what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let reference: Self = serde_json::from_str(text).map_err(|e| format!("this is no drift reference: {e}"))?;
        reference.check()?;
        Ok(reference)
    }

    /// What is wrong with its numbers, if anything.
    pub fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("its schema is '{}', and this version reads '{SCHEMA}'", self.schema));
        }
        let sound =
            |n: &Normal| [n.mean, n.spread, n.lag_1].iter().all(|v| v.is_finite()) && n.sigma > 0.0 && n.tail > 0.0;
        if let Some((name, _)) = self.features.iter().find(|(_, n)| !sound(n)) {
            return Err(format!("feature '{name}' has a mean or σ that is not a number above zero: learn it anew"));
        }
        if self.tick == 0 || self.subsample == 0 {
            return Err("tick and subsample must be at least 1: learn it anew".into());
        }
        if self.embedding.as_ref().is_some_and(|place| !place.sound()) {
            return Err("'embedding' does not hold numbers that embeddings can be held to: learn it anew".into());
        }
        if self.slow.as_ref().is_some_and(|slow| !slow.sound()) {
            return Err("'slow' does not hold numbers that windows can be held to: learn it anew".into());
        }
        Ok(())
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with string keys always serialises")
    }

    /// Whether it was learned from frames like this one.
    pub fn fits(&self, image: &Image) -> bool {
        self.frame == [image.width, image.height] && self.format == format_name(image.format)
    }

    /// Correlations below which a shift means nothing.
    pub fn least_match(&self) -> [f64; 2] {
        self.correlations.map(|c| LEAST_MATCH.max(NORMAL_MATCH * c))
    }

    /// The features in the order of a row.
    pub fn normals(&self) -> [Option<Normal>; COUNT] {
        std::array::from_fn(|i| self.features.get(SPECS[i].name).copied())
    }
}

/// The name of a format in reference files.
pub fn format_name(format: Format) -> &'static str {
    match format {
        Format::Gray8 => "gray8",
        Format::Rgb => "rgb",
        Format::Bgr => "bgr",
        // Alpha is not looked at.
        Format::Rgbx | Format::Rgba => "rgbx",
        Format::Bgrx | Format::Bgra => "bgrx",
        Format::Xrgb | Format::Argb => "xrgb",
        Format::Xbgr | Format::Abgr => "xbgr",
        Format::Gray16Le => "gray16-le",
        Format::Rgbp => "rgbp",
        Format::Nv12 => "nv12",
        Format::Nv21 => "nv21",
        Format::Yuy2 => "yuy2",
        Format::Uyvy => "uyvy",
        Format::I420 => "i420",
    }
}

/// Gathers what a reference is made from.
#[derive(Debug, Default)]
pub struct Learner {
    /// Frames that are to be learned from.
    pub wanted: usize,
    /// Frames taken in.
    pub frames: usize,
    /// Longest run of equal frames so far.
    pub longest_still: u64,
    /// Width, height and format of its frames.
    pub of: Option<(usize, usize, Format)>,
    /// Reads what the model says.
    pub reader: Reader,
    /// Digest of the model that speaks.
    model: String,
    /// Presentation times of the first and the latest frame.
    span_ns: Option<(u64, u64)>,
    observations: Vec<Row>,
    sums: [ProfileMean; 2],
    /// Sums of correlations with the mean profiles, and how many.
    correlations: [(f64, u32); 2],
    /// The scene's mean edge profiles, once enough frames have gone into them.
    pub profiles: Option<[Profile; 2]>,
}

impl Learner {
    /// A learner of `wanted` frames; all memory it needs is taken here.
    pub fn new(wanted: usize) -> Self {
        let wanted = wanted.max(LEAST_TICKS);
        Self { wanted, observations: Vec::with_capacity(wanted), reader: Reader::learning(), ..Self::default() }
    }

    /// Writes what a model said into a row. What another one said before is forgotten.
    pub fn read(&mut self, said: &Inference, row: &mut Row) {
        let digest = &said.model.digest;
        if !digest.is_empty() && *digest != self.model {
            if !self.model.is_empty() {
                self.observations.iter_mut().for_each(|o| o[OF_MODEL].fill(f64::NAN));
                self.reader = Reader::learning();
            }
            self.model.clone_from(digest);
        }
        self.reader.read(said, row);
    }

    /// Takes in a frame's presentation time.
    pub fn add_time(&mut self, pts_ns: Option<u64>) {
        let Some(now) = pts_ns else { return };
        let (first, latest) = self.span_ns.get_or_insert((now, now));
        // A seek back begins anew.
        if now < *latest {
            *first = now;
        }
        *latest = now;
    }

    /// Takes in the edge profiles of a frame, until there are enough of them.
    pub fn add_profiles(&mut self, raw: [&[u32]; 2]) {
        self.frames += 1;
        if self.profiles.is_some() {
            return;
        }
        for (sum, raw) in self.sums.iter_mut().zip(raw) {
            sum.add(raw);
        }
        // Position is learned against the mean scene, so that has to be known while frames are left to learn from.
        if self.frames >= (self.wanted / 4).clamp(4, 64) {
            self.profiles = Some([self.sums[0].finish(), self.sums[1].finish()]);
        }
    }

    /// Takes in how well a frame's profiles match the mean ones.
    pub fn add_correlations(&mut self, correlations: [Option<f64>; 2]) {
        for ((sum, n), c) in self.correlations.iter_mut().zip(correlations) {
            *sum += c.unwrap_or(0.0);
            *n += u32::from(c.is_some());
        }
    }

    /// Takes in an observation.
    pub fn add(&mut self, observation: Row) {
        self.observations.push(observation);
    }

    /// Whether enough was seen.
    pub fn done(&self) -> bool {
        self.frames >= self.wanted && self.observations.len() >= LEAST_TICKS
    }

    /// The ticks that a reference with ticks of this length rests on.
    pub fn ticks(&self, tick: usize) -> Vec<Row> {
        blocks(&self.observations, tick)
    }

    /// The reference, without what a [`Calibrator`](super::calibration::Calibrator) adds.
    pub fn finish(&self, image: &Image, subsample: u32) -> Reference {
        let Normals { tick, ticks, features } = normals(&self.observations);
        let unsteady = unsteady(&self.ticks(tick), &features);
        let named = SPECS.iter().zip(features).filter_map(|(s, n)| Some((s.name.to_string(), n?)));
        Reference {
            schema: SCHEMA.into(),
            frame: [image.width, image.height],
            format: format_name(image.format).into(),
            subsample,
            frames: self.frames as u64,
            tick,
            ticks,
            longest_still: self.longest_still,
            features: named.collect(),
            profiles: self.profiles.clone().unwrap_or_default(),
            correlations: self.correlations.map(|(sum, n)| sum / f64::from(n.max(1))),
            model: self.model.clone(),
            names: self.reader.names(),
            words: Some(self.reader.words.seen).filter(|w| w.frames > 0),
            embedding: self.reader.embedding().cloned(),
            observation_ns: self
                .span_ns
                .map(|(a, b)| (b - a) / self.observations.len().max(1) as u64)
                .filter(|ns| *ns > 0),
            unsteady,
            slow: None,
        }
    }
}

/// Features whose mean changed from one stretch of these ticks to another. Tests a feature with its share of one false
/// finding in a thousand references.
fn unsteady(ticks: &[Row], normals: &[Option<Normal>; COUNT]) -> Vec<String> {
    let known = normals.iter().flatten().count().max(1) as f64;
    let changed = |i: usize, normal: &Normal| {
        let mut adwin = Adwin::new(UNSTEADY / known);
        // ADWIN's bound is for values of 0..1: four σ either way.
        let scaled = ticks.iter().map(|row| (row[i] - normal.mean) / (8.0 * normal.sigma) + 0.5);
        scaled.filter(|v| v.is_finite()).filter(|v| adwin.add(v.clamp(0.0, 1.0))).count() > 0
    };
    let found = normals.iter().enumerate().filter(|(i, n)| n.is_some_and(|n| changed(*i, &n)));
    found.map(|(i, _)| SPECS[i].name.to_string()).collect()
}

/// What observations amount to.
#[derive(Clone, Debug)]
pub struct Normals {
    /// Observations a tick.
    pub tick: usize,
    /// Ticks there were.
    pub ticks: usize,
    /// In the order of a row.
    pub features: [Option<Normal>; COUNT],
}

/// Chooses the tick and describes every feature by it.
pub fn normals(observations: &[Row]) -> Normals {
    let most = (observations.len() / LEAST_TICKS).max(1);
    // Steps of about √2: 1, 2, 3, 4, 6, 8, 12…
    let candidates = (0..).map(|i| if i % 2 == 0 { 1 << (i / 2) } else { 3 << (i / 2) >> 1 }).skip_while(|m| *m == 0);
    let mut tick = most;
    let mut ticks = Vec::new();
    for candidate in candidates.take_while(|m| *m < most).chain([most]) {
        ticks = blocks(observations, candidate);
        tick = candidate;
        if nearly_independent(&ticks) {
            break;
        }
    }
    let features = std::array::from_fn(|i| describe(i, ticks.iter().map(|row| row[i])));
    Normals { tick, ticks: ticks.len(), features }
}

/// Means of runs of `size` observations; what is left at the end is left out.
fn blocks(observations: &[Row], size: usize) -> Vec<Row> {
    let mut mean = RowMean::default();
    let block = |rows: &[Row]| {
        rows.iter().for_each(|row| mean.add(row));
        mean.take()
    };
    observations.chunks_exact(size).map(block).collect()
}

fn nearly_independent(ticks: &[Row]) -> bool {
    let mut known = 0;
    let mut low = 0;
    for (i, spec) in SPECS.iter().enumerate() {
        let Some(m) = Moments::of(ticks.iter().map(|row| row[i])) else { continue };
        known += 1;
        // An estimate from n ticks is off by 1/√n; what never leaves its floor may correlate as it likes.
        let slack = 1.0 / f64::from(m.n).sqrt();
        low += usize::from(m.lag_1 <= LAG_1 + slack || m.sigma <= spec.least_sigma(m.mean) / 4.0);
    }
    low as f64 >= MOST_FEATURES * f64::from(known)
}

struct Moments {
    n: u32,
    mean: f64,
    sigma: f64,
    lag_1: f64,
}

impl Moments {
    /// Of the values that are finite; none where there are too few.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let known = values.clone().filter(|v| v.is_finite());
        let n = known.clone().count();
        if n < LEAST_KNOWN {
            return None;
        }
        let mean = known.clone().sum::<f64>() / n as f64;
        let squares = known.map(|v| (v - mean) * (v - mean)).sum::<f64>();
        let pairs = values.clone().zip(values.skip(1)).filter(|(a, b)| a.is_finite() && b.is_finite());
        let products = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        let lag_1 = if squares > 0.0 { products / squares } else { 0.0 };
        Some(Self { n: n as u32, mean, sigma: (squares / (n - 1) as f64).sqrt(), lag_1 })
    }
}

/// A feature's normal from its ticks; none where too few knew it.
pub(super) fn describe(feature: usize, ticks: impl Iterator<Item = f64> + Clone) -> Option<Normal> {
    let m = Moments::of(ticks.clone())?;
    let n = f64::from(m.n);
    // Long-run variance of an AR(1) with this correlation, itself taken one standard error to the safe side.
    let rho = (m.lag_1 + 1.0 / n.sqrt()).clamp(0.0, 0.8);
    let long_run = ((1.0 + rho) / (1.0 - rho)).sqrt();
    // The relative standard error of σ is 1/√(2n): 1.645 of them above.
    let upper = 1.0 + 1.645 / (2.0 * n).sqrt();
    let sigma = (m.sigma * long_run * upper).max(SPECS[feature].least_sigma(m.mean));
    let standardised = ticks.filter(|v| v.is_finite()).map(|v| (v - m.mean) / sigma);
    let tail = super::detector::tail_exponent(standardised);
    Some(Normal { mean: m.mean, sigma, spread: m.sigma, lag_1: m.lag_1, ticks: m.n, tail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn ar(rho: f64, n: usize, seed: u64) -> Vec<Row> {
        let mut random = Random::new(seed);
        let mut v = 0.0;
        let mut row = || {
            v = rho * v + (1.0f64 - rho * rho).sqrt() * random.normal();
            let mut row = UNKNOWN;
            row[LUMA] = 0.5 + 0.1 * v;
            row
        };
        (0..n).map(|_| row()).collect()
    }

    #[test]
    fn independent_frames_are_ticks_of_their_own() {
        let n = normals(&ar(0.0, 1000, 3));
        assert_eq!((n.tick, n.ticks), (1, 1000));
        let luma = n.features[LUMA].unwrap();
        assert!((luma.mean - 0.5).abs() < 0.02 && (luma.spread - 0.1).abs() < 0.01, "{luma:?}");
        assert!(n.features[CONTRAST].is_none(), "what was never known has no normal");
    }

    #[test]
    fn resembling_frames_are_averaged_until_they_do_not() {
        let n = normals(&ar(0.9, 4000, 3));
        assert!((12..=96).contains(&n.tick), "{}", n.tick);
        assert!(n.features[LUMA].unwrap().lag_1 < 0.3);
    }

    #[test]
    fn what_changes_while_it_is_learned_is_said() {
        let unsteady_of = |step: f64| {
            let mut rows = ar(0.0, 1000, 3);
            rows[600..].iter_mut().for_each(|row| row[LUMA] += step);
            unsteady(&rows, &normals(&rows).features)
        };
        assert_eq!((unsteady_of(0.0), unsteady_of(0.2)), (vec![], vec!["luma".to_string()]));
    }

    #[test]
    fn a_still_scene_gets_the_floor_for_a_sigma() {
        let mut row = UNKNOWN;
        row[LUMA] = 0.5;
        let luma = normals(&[row; 50]).features[LUMA].unwrap();
        assert_eq!((luma.mean, luma.sigma), (0.5, SPECS[LUMA].least_sigma(0.5)));
    }

    #[test]
    fn a_reference_comes_back_from_its_file_and_a_broken_one_says_what_is_wrong() {
        let mut learner = Learner::new(20);
        for row in ar(0.0, 40, 9) {
            learner.add_profiles([&[1, 5, 2, 8], &[4, 4, 1, 9]]);
            learner.add(row);
        }
        assert!(learner.done());
        let reference = learner.finish(&Image::gray8(&[0; 64], 8, 8).unwrap(), 4);
        let read = Reference::from_json(&reference.to_json()).unwrap();
        assert_eq!((&read.profiles, read.tick, read.frame), (&reference.profiles, reference.tick, [8, 8]));
        let [read, written] = [&read, &reference].map(|r| r.features["luma"]);
        assert!((read.mean - written.mean).abs() < 1e-12 && (read.sigma - written.sigma).abs() < 1e-12);
        let other = reference.to_json().replace(SCHEMA, "andon.reference/9");
        assert!(Reference::from_json(&other).unwrap_err().contains("andon.reference/9"));
        let mut poisoned = reference.clone();
        poisoned.features.get_mut("luma").unwrap().sigma = 0.0;
        assert!(Reference::from_json(&poisoned.to_json()).unwrap_err().contains("'luma'"));
        assert!(Reference::from_json("{").unwrap_err().contains("no drift reference"));
    }
}
