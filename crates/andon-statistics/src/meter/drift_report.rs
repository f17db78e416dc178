// SPDX-License-Identifier: MPL-2.0
//! The report of a meter: `andon.drift/1`.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Meter, Mode, Stamp, State, running::Running};
use crate::{
    cause::Cause,
    detector::{Calibration, Watch},
    features::{COUNT, SPECS},
    or_empty,
};

/// The schema name of a serialised [`DriftReport`].
pub const SCHEMA: &str = "andon.drift/1";

/// One feature in a report. Unknown values are `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureReport {
    /// The feature's name.
    pub name: Cow<'static, str>,
    /// The class label or the field name, for features of classes and fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Arc<str>>,
    /// The mean of the latest tick; while learning, the value of the latest frame.
    pub value: Option<f64>,
    /// The mean of the reference.
    pub reference: Option<f64>,
    /// The σ of a tick.
    pub sigma: Option<f64>,
    /// How far recent ticks lie from the reference, in σ.
    pub effect: Option<f64>,
    /// The larger sum of the CUSUM.
    pub score: Option<f64>,
    /// The sum from which a change is significant.
    pub threshold: Option<f64>,
    /// How far this threshold and that of the window can be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The Kolmogorov-Smirnov D of the latest window of ticks.
    pub ks: Option<f64>,
    /// The Wasserstein distance of the latest window, in σ.
    pub wasserstein: Option<f64>,
    /// The Jensen-Shannon distance of the latest window.
    pub jensen_shannon: Option<f64>,
    /// The population stability index of the latest window.
    pub psi: Option<f64>,
    /// The greatest score of the four distances, in units of their scatter.
    pub window_score: Option<f64>,
    /// The score from which a window is significant.
    pub window_threshold: Option<f64>,
}

impl FeatureReport {
    /// Returns whether the feature is off by more than chance, by its sum or by its latest window.
    pub fn is_significant(&self) -> bool {
        let beyond = |score, threshold| matches!((score, threshold), (Some(s), Some(t)) if s > t);
        beyond(self.score, self.threshold) || beyond(self.window_score, self.window_threshold)
    }

    /// Returns the name, with the class label or the field name in brackets.
    pub fn title(&self) -> String {
        self.of.as_ref().map_or_else(|| self.name.to_string(), |of| format!("{} ({of})", self.name))
    }

    /// Returns the numbers with their names.
    pub fn numbers(&self) -> [(&'static str, Option<f64>); 12] {
        [
            ("value", self.value),
            ("reference", self.reference),
            ("sigma", self.sigma),
            ("effect", self.effect),
            ("score", self.score),
            ("threshold", self.threshold),
            ("ks", self.ks),
            ("wasserstein", self.wasserstein),
            ("jensen-shannon", self.jensen_shannon),
            ("psi", self.psi),
            ("window-score", self.window_score),
            ("window-threshold", self.window_threshold),
        ]
    }
}

/// A feature that is off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Off {
    /// The feature's name.
    pub name: Cow<'static, str>,
    /// The class label or the field name, for features of classes and fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Arc<str>>,
    /// How far the feature is off, in σ of a tick.
    pub effect: f64,
}

impl std::fmt::Display for Off {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, of, effect } = self;
        match of {
            Some(of) => write!(f, "{name} ({of}) {effect:+.1} σ"),
            None => write!(f, "{name} {effect:+.1} σ"),
        }
    }
}

/// The report of a meter. Serialises as `andon.drift/1`.
///
/// A report can be read back. What a later version adds is ignored, and what an earlier version lacks is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// Always [`SCHEMA`].
    pub schema: Cow<'static, str>,
    /// The state.
    pub state: State,
    /// The cause. An empty text while there is none.
    #[serde(with = "or_empty", default)]
    pub cause: Option<Cause>,
    /// The first frame of the state.
    pub since_frame: u64,
    /// The features that are off, the clearest first. Empty unless the state is warning or drift.
    #[serde(default)]
    pub off: Vec<Off>,
    /// The frame of the report.
    pub frame_id: u64,
    /// The presentation time of that frame.
    pub pts_ns: Option<u64>,
    /// The value of the key whose reference is in use, such as the SKU. Empty if there is one reference for all frames.
    #[serde(default)]
    pub key: Arc<str>,
    /// The digest of the model whose predictions are watched. Empty if there is none.
    #[serde(default)]
    pub model: String,
    /// How far the thresholds can be trusted. An empty text while learning.
    #[serde(with = "or_empty", default)]
    pub calibration: Option<Calibration>,
    /// Features that changed while the reference was learned.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unsteady: Vec<String>,
    /// Observations (parts or frames) per tick. 0 while learning.
    #[serde(default)]
    pub tick: usize,
    /// All features. Of classes and fields, only those that exist.
    pub features: Vec<FeatureReport>,
}

impl DriftReport {
    /// Returns the report as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}

/// Returns the features that are off, the clearest first.
fn off(running: &Running) -> Vec<Off> {
    let watches = running.detector.watches().iter().enumerate();
    let mut off: Vec<_> = watches.filter_map(|(i, w)| Some((i, w.as_ref().filter(|w| w.moved())?))).collect();
    off.sort_by(|(_, a), (_, b)| b.clarity().total_cmp(&a.clarity()));
    let say = |(i, watch): (usize, &Watch)| Off {
        name: SPECS[i].name.into(),
        of: running.reader.name(i).cloned(),
        effect: watch.delta() / watch.normal.sigma,
    };
    off.into_iter().map(say).collect()
}

/// Returns whether a feature exists: a place for a class or a field may be unused.
fn is_there(feature: &FeatureReport) -> bool {
    let spare = feature.name.starts_with("class-") || feature.name.starts_with("field-");
    !spare || feature.of.is_some() || feature.reference.is_some()
}

impl Meter {
    /// Reports all that is known now.
    pub fn report(&self, stamp: Stamp) -> DriftReport {
        let known = |v: f64| v.is_finite().then_some(v);
        let (running, reader) = match &self.mode {
            Mode::Running(running) => (Some(running), Some(&running.reader)),
            Mode::Learning(learner) => (None, Some(&learner.reader)),
            Mode::Idle => (None, None),
        };
        let feature = |i: usize| {
            let watch = running.and_then(|r| r.detector.watches()[i].as_ref());
            let window = watch.and_then(|w| w.window);
            let distance = |d: usize| window.map(|w| w.distances[d]);
            FeatureReport {
                name: SPECS[i].name.into(),
                of: reader.and_then(|r| r.name(i)).cloned(),
                value: known(watch.map_or(self.latest[i], |w| if w.value.is_nan() { self.latest[i] } else { w.value })),
                reference: watch.map(|w| w.normal.mean),
                sigma: watch.map(|w| w.normal.sigma),
                effect: watch.map(|w| w.effect),
                score: watch.map(|w| w.score),
                threshold: watch.map(|w| w.threshold),
                calibration: running.and_then(|r| r.detector.calibration_of(i)),
                ks: distance(0),
                wasserstein: distance(1),
                jensen_shannon: distance(2),
                psi: distance(3),
                window_score: window.map(|w| w.score),
                window_threshold: window.map(|w| w.threshold),
            }
        };
        DriftReport {
            schema: SCHEMA.into(),
            state: self.status.state,
            cause: self.status.cause,
            since_frame: self.status.since_frame,
            off: match (self.status.state, running) {
                (State::Warning | State::Drift, Some(running)) => off(running),
                _ => Vec::new(),
            },
            frame_id: stamp.frame_id,
            pts_ns: stamp.pts_ns,
            key: self.key.clone(),
            model: running.map(|r| r.reference.model.clone()).unwrap_or_default(),
            calibration: running.map(|r| r.detector.calibration()),
            unsteady: running.map(|r| r.reference.unsteady.clone()).unwrap_or_default(),
            tick: running.map_or(0, |r| r.reference.tick),
            features: (0..COUNT).map(feature).filter(is_there).collect(),
        }
    }
}
