// SPDX-License-Identifier: MPL-2.0
//! What the user asked for.

use std::{path::PathBuf, time::Duration};

use andon_inference::{self as inference};
use andon_model::{self as model};

use super::exchange::running::{Ask, Batch};

/// What a failure of the model does to the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonModelInferOnError")]
pub enum OnError {
    /// Ends it with an element error.
    #[default]
    #[enum_value(name = "Post an error and end the stream", nick = "error")]
    Error,
    /// Lets frames pass unjudged and warns.
    #[enum_value(name = "Warn and let frames pass, unjudged", nick = "pass")]
    Pass,
}

/// What of a frame the model looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonModelInferOn")]
pub enum On {
    /// All of it.
    #[default]
    #[enum_value(name = "The whole frame", nick = "frame")]
    Frame,
    /// Each box that an upstream model found, one after the other.
    #[enum_value(name = "Each upstream detection", nick = "detections")]
    Detections,
}

/// More frames in work than any machine has a use for.
pub(super) const MOST_IN_FLIGHT: u32 = 64;

/// The properties, as they stand.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What `model=` names; after a change that worked, what runs or will run at the next frame.
    pub model: String,
    /// What a failure does.
    pub on_error: OnError,
    /// Whether every outcome is posted.
    pub post_messages: bool,
    /// Over the manifest's; below 0 the manifest's.
    pub score_threshold: f64,
    /// Over the manifest's; below 0 the manifest's.
    pub iou_threshold: f64,
    /// Within one operator; 0 for one a core.
    pub threads: u32,
    /// By preference.
    pub execution_providers: String,
    /// Every how many frames one is judged.
    pub interval: u32,
    /// How long a part waits for its views, ns; 0 for ever.
    pub part_deadline: u64,
    /// Class names of a bare file, separated by commas.
    pub labels: String,
    /// Whether a fallback to another provider than the first is refused.
    pub strict: bool,
    /// At most so many frames a second are judged; 0 for all.
    pub max_rate: f64,
    /// How late a frame may be and still be judged, ns; 0 for as late as it likes.
    pub deadline: u64,
    /// Frames in work at a time.
    pub in_flight: u32,
    /// Elements of this process that name the same use one session; empty for one of its own.
    pub share: String,
    /// Frames of a share that are judged as one batch at most.
    pub batch_size: u32,
    /// How long a frame waits for others of its batch, ns.
    pub batch_timeout: u64,
    /// What of a frame the model looks at.
    pub on: On,
    /// The folder of golden templates; empty for none.
    pub image_root: String,
    /// Whether a frame waits for a template that is still being read.
    pub wait_inputs: bool,
    /// Most detections of a frame, and most boxes looked at; 0 as the manifest says.
    pub max_detections: u32,
    /// Parts for which a new version is watched; 0 for none.
    pub probation: u64,
    /// A file of public keys, one of which must have signed the model; empty for what the store demands.
    pub trusted_keys: String,
}

/// Parts of a probation where nothing else was said: enough to see errors, NaN and lateness, and an NG rate that is far
/// from the version's own.
pub(super) const DEFAULT_PROBATION: u64 = 1000;

/// How long a frame waits for its batch where nothing else was said, ns: less than a frame of a fast camera.
pub(super) const DEFAULT_BATCH_TIMEOUT: u64 = 5_000_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: String::new(),
            on_error: OnError::Error,
            post_messages: false,
            score_threshold: -1.0,
            iou_threshold: -1.0,
            threads: 0,
            execution_providers: "cpu".into(),
            interval: 1,
            part_deadline: 0,
            labels: String::new(),
            strict: false,
            max_rate: 0.0,
            deadline: 0,
            in_flight: 1,
            share: String::new(),
            batch_size: 1,
            batch_timeout: DEFAULT_BATCH_TIMEOUT,
            on: On::Frame,
            image_root: String::new(),
            wait_inputs: false,
            max_detections: 0,
            probation: DEFAULT_PROBATION,
            trusted_keys: String::new(),
        }
    }
}

impl Settings {
    /// How to load a model.
    pub fn ask(&self, model: String) -> Ask {
        let labels = self.labels.split(',').map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect();
        let options = inference::Options {
            threads: self.threads as usize,
            providers: self.execution_providers.clone(),
            strict: self.strict,
            labels,
            trusted_keys: Some(self.trusted_keys.trim()).filter(|k| !k.is_empty()).map(PathBuf::from),
            ..Default::default()
        };
        Ask {
            model,
            options,
            lanes: self.in_flight as usize,
            share: self.share.trim().to_string(),
            batch: self.batch(),
        }
    }
}

const NS_PER_S: f64 = 1e9;

/// What a session depends on: a change of it is a swap.
pub(super) type SessionOf = (u32, String, bool, String, u32);

impl Settings {
    /// How frames are gathered.
    pub fn batch(&self) -> Batch {
        Batch { size: self.batch_size as usize, timeout: Duration::from_nanos(self.batch_timeout) }
    }

    /// What of it the session depends on.
    pub fn session(&self) -> SessionOf {
        (self.threads, self.execution_providers.clone(), self.strict, self.share.clone(), self.batch_size)
    }

    /// Goes back to how the running model was loaded.
    pub fn take_back(&mut self, ask: &Ask) {
        self.threads = ask.options.threads as u32;
        self.execution_providers = ask.options.providers.clone();
        self.strict = ask.options.strict;
        self.share = ask.share.clone();
        self.batch_size = ask.batch.size as u32;
    }
}

/// What of the settings each frame asks for: copied when something has changed, so that frames take no lock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    pub on_error: OnError,
    pub post_messages: bool,
    pub score_threshold: Option<f32>,
    pub iou_threshold: Option<f32>,
    pub interval: u64,
    pub part_deadline: u64,
    /// Between two judged frames at least, ns.
    pub period_ns: Option<u64>,
    pub deadline: Option<u64>,
    pub on: On,
    pub wait_inputs: bool,
    pub max_detections: Option<usize>,
}

impl From<&Settings> for Live {
    fn from(s: &Settings) -> Self {
        let over = |v: f64| (v >= 0.0).then_some(v as f32);
        Self {
            on_error: s.on_error,
            post_messages: s.post_messages,
            score_threshold: over(s.score_threshold),
            iou_threshold: over(s.iou_threshold),
            interval: u64::from(s.interval.max(1)),
            part_deadline: s.part_deadline,
            period_ns: (s.max_rate > 0.0).then(|| (NS_PER_S / s.max_rate) as u64),
            deadline: (s.deadline > 0).then_some(s.deadline),
            on: s.on,
            wait_inputs: s.wait_inputs,
            max_detections: (s.max_detections > 0).then_some(s.max_detections as usize),
        }
    }
}

impl Live {
    /// The manifest's thresholds with the user's over them.
    pub fn thresholds(&self, manifest: &model::Thresholds) -> model::Thresholds {
        model::Thresholds {
            score: self.score_threshold.unwrap_or(manifest.score),
            iou: self.iou_threshold.unwrap_or(manifest.iou),
            max_detections: self.max_detections.unwrap_or(manifest.max_detections),
            ..*manifest
        }
    }
}
