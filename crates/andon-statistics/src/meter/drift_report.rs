// SPDX-License-Identifier: MPL-2.0
//! The report of a meter: `andon.drift/1`.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Moment, State};
use crate::{cause::Cause, detector::Calibration, or_empty};

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

/// A cause, and its share of what has changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CauseShare {
    /// The cause. An empty text for one that this version does not know.
    #[serde(with = "or_empty")]
    pub cause: Option<Cause>,
    /// Its share, 0..1. The shares of all causes add up to 1.
    pub share: f64,
}

impl std::fmt::Display for CauseShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} % {}", 100.0 * self.share, self.cause.map_or("other", Cause::as_str))
    }
}

/// How far learning has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// The frames learned so far.
    pub frames: u64,
    /// The fewest frames to learn from.
    pub least: u64,
    /// The frames at which learning ends even if the reference is not representative.
    #[serde(default)]
    pub most: Option<u64>,
    /// The independent ticks learned so far: neighbouring frames resemble one another, and count as fewer.
    #[serde(default)]
    pub effective: Option<f64>,
    /// The independent ticks that are wanted.
    #[serde(default)]
    pub wanted: Option<f64>,
    /// What learning waits for, in words.
    #[serde(default)]
    pub waits_for: Vec<String>,
}

impl std::fmt::Display for Learning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/≥{}", self.frames, self.least)?;
        if !self.waits_for.is_empty() {
            write!(f, ": waits for {}", self.waits_for.join("; "))?;
        }
        Ok(())
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
    /// The causes with their shares, the largest first; `cause` is the one that was named when the alarm was raised. Empty
    /// while there is none.
    #[serde(default)]
    pub causes: Vec<CauseShare>,
    /// The first frame of the state.
    pub since_frame: u64,
    /// When and where the state began.
    #[serde(default)]
    pub since: Option<Moment>,
    /// When and where the frame of the report was.
    #[serde(default)]
    pub now: Option<Moment>,
    /// How long the state has held, nanoseconds: by the camera's clock, without one by presentation times.
    #[serde(default)]
    pub held_ns: Option<u64>,
    /// How sure the change is: the largest score as a multiple of its threshold. None while nothing is off.
    #[serde(default)]
    pub sure: Option<f64>,
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
    /// What an observation is, and the expected run length counts: `parts` if the latest frame was told as one of a part,
    /// else `frames`.
    #[serde(default)]
    pub unit: Cow<'static, str>,
    /// How far learning has come, while the meter learns.
    #[serde(default)]
    pub learning: Option<Learning>,
    /// How many independent ticks the reference was learned from. None while there is no reference.
    #[serde(default)]
    pub effective: Option<f64>,
    /// What is weak about the reference, in words. Empty if it represents the scene.
    #[serde(default)]
    pub weak: Vec<String>,
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
    /// Adds the time on the clock at the line to what is told in UTC. `local` writes a time, nanoseconds since 1970, UTC,
    /// as RFC 3339 has it.
    pub fn localise(&mut self, local: impl Fn(u64) -> Option<String>) {
        for moment in self.since.iter_mut().chain(&mut self.now) {
            // A moment from before a restart has its time.
            if moment.local.is_none() {
                moment.local = moment.utc_ns.and_then(&local);
            }
        }
    }

    /// Returns the report as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}
