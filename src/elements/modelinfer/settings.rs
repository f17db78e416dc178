// SPDX-License-Identifier: MPL-2.0
//! The properties, but for `model`, which is the exchange's.

use std::{path::PathBuf, time::Duration};

use andon_inference::{self as inference};
use andon_model::{self as model};

use super::exchange::{Ask, Batch};

/// What a failure of the model does to the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonModelInferOnError")]
pub enum OnError {
    /// An element error ends the stream.
    #[default]
    #[enum_value(name = "Post an error and end the stream", nick = "error")]
    Error,
    /// Frames pass unjudged, and a warning is posted.
    #[enum_value(name = "Warn and let frames pass, unjudged", nick = "pass")]
    Pass,
}

/// What of a frame the model looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonModelInferOn")]
pub enum On {
    /// The whole frame.
    #[default]
    #[enum_value(name = "The whole frame", nick = "frame")]
    Frame,
    /// Each box that an upstream model found, one after the other.
    #[enum_value(name = "Each upstream detection", nick = "detections")]
    Detections,
}

/// Which part verdicts are posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonModelInferPostParts")]
pub enum PostParts {
    /// Every part.
    #[default]
    #[enum_value(name = "Every part; of a bus that nobody reads, memory grows", nick = "all")]
    All,
    /// Every part that is not good.
    #[enum_value(name = "Every part that is not ok: ng, review and unjudged", nick = "ng")]
    Ng,
    /// No part.
    #[enum_value(name = "No part", nick = "none")]
    None,
}

/// More frames in work than any machine can use.
pub(super) const MOST_IN_FLIGHT: u32 = 64;

/// The values of the properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What a failure does.
    pub on_error: OnError,
    /// Whether every result is posted.
    pub post_messages: bool,
    /// Which part verdicts are posted.
    pub post_parts: PostParts,
    /// Whether `AndonResult` carries its JSON.
    pub result_json: bool,
    /// Overrides the manifest's; below 0 the manifest's holds.
    pub score_threshold: f64,
    /// Overrides the manifest's; below 0 the manifest's holds.
    pub iou_threshold: f64,
    /// Threads within an operator; 0 for one for each physical core.
    pub threads: u32,
    /// Execution providers, the preferred first.
    pub execution_providers: String,
    /// Every n-th frame is judged.
    pub interval: u32,
    /// How long a part waits for its views, ns; 0 for no end.
    pub part_deadline: u64,
    /// Class names of an .onnx file that does not hold them, separated by commas, or `@` and the path of a file of them.
    pub labels: String,
    /// Bits of a sample of 16-bit grey; 0 as the caps say.
    pub bits: u32,
    /// How long loading may take, ns; 0 for no limit, -1 as the providers need.
    pub load_timeout: i64,
    /// Whether a model that the first provider cannot run is refused.
    pub strict: bool,
    /// The most frames that are judged in a second; 0 for all.
    pub max_rate: f64,
    /// How late a frame may be and still be judged, ns; 0 for no limit.
    pub deadline: u64,
    /// Frames in work at a time.
    pub in_flight: u32,
    /// The name of the share; empty for an engine of its own.
    pub share: String,
    /// The most frames of a share that one run takes.
    pub batch_size: u32,
    /// How long a frame waits for others of its batch, ns.
    pub batch_timeout: u64,
    /// What of a frame the model looks at.
    pub on: On,
    /// The folder of the golden templates; empty if there is none.
    pub image_root: String,
    /// Whether a frame waits for a template that is still being read.
    pub wait_inputs: bool,
    /// The most detections of a frame, and the most boxes looked at; 0 as the manifest says.
    pub max_detections: u32,
    /// The parts for which a new version is watched; 0 for none.
    pub probation: u64,
    /// A file of public keys, one of which must have signed the model; empty for what the store demands.
    pub trusted_keys: String,
}

/// The default of `probation`, in parts: enough to see errors, NaN and lateness, and an NG rate that is far from the
/// version's own.
pub(super) const DEFAULT_PROBATION: u64 = 1000;

/// The default of `batch-timeout`, ns: less than a frame of a fast camera lasts.
pub(super) const DEFAULT_BATCH_TIMEOUT: u64 = 5_000_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            on_error: OnError::Error,
            post_messages: false,
            post_parts: PostParts::All,
            result_json: true,
            score_threshold: -1.0,
            iou_threshold: -1.0,
            threads: 0,
            execution_providers: "cpu".into(),
            interval: 1,
            part_deadline: 0,
            labels: String::new(),
            bits: 0,
            load_timeout: -1,
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
    /// Returns how to load a model.
    pub(super) fn ask(&self, model: String) -> Ask {
        let options = inference::Options {
            threads: self.threads as usize,
            providers: self.execution_providers.clone(),
            strict: self.strict,
            labels: inference::split_labels(&self.labels),
            time_limit: self.load_limit(),
            trusted_keys: Some(self.trusted_keys.trim()).filter(|k| !k.is_empty()).map(PathBuf::from),
            ..Default::default()
        };
        Ask {
            model,
            options,
            frames: self.in_flight as usize,
            share: self.share.trim().to_string(),
            batch: self.batch(),
        }
    }
}

impl Settings {
    /// Returns how long loading may take; None for no limit.
    fn load_limit(&self) -> Option<Duration> {
        match u64::try_from(self.load_timeout) {
            Ok(0) => None,
            Ok(ns) => Some(Duration::from_nanos(ns)),
            Err(_) => Some(inference::patience(&self.execution_providers)),
        }
    }
}

const NS_PER_S: f64 = 1e9;

/// The settings that a session depends on. A change of one of them is a swap.
#[derive(PartialEq)]
pub(super) struct SessionSettings {
    threads: u32,
    execution_providers: String,
    strict: bool,
    share: String,
    batch_size: u32,
}

impl Settings {
    fn batch(&self) -> Batch {
        Batch { size: self.batch_size as usize, timeout: self.batch_timeout() }
    }

    /// Returns how long a frame waits for others of its batch.
    pub(super) fn batch_timeout(&self) -> Duration {
        Duration::from_nanos(self.batch_timeout)
    }

    /// Returns the settings that the session depends on.
    pub(super) fn session(&self) -> SessionSettings {
        SessionSettings {
            threads: self.threads,
            execution_providers: self.execution_providers.clone(),
            strict: self.strict,
            share: self.share.clone(),
            batch_size: self.batch_size,
        }
    }

    /// Goes back from the settings of a request that failed to those with which the running model was loaded. What was
    /// set since stays, because it is a request of its own.
    pub(super) fn take_back(&mut self, failed: &Ask, running: &Ask) {
        fn back<T: PartialEq>(setting: &mut T, failed: T, running: T) {
            if *setting == failed {
                *setting = running;
            }
        }
        let (from, to) = (&failed.options, &running.options);
        back(&mut self.threads, from.threads as u32, to.threads as u32);
        back(&mut self.execution_providers, from.providers.clone(), to.providers.clone());
        back(&mut self.strict, from.strict, to.strict);
        back(&mut self.share, failed.share.clone(), running.share.clone());
        back(&mut self.batch_size, failed.batch.size as u32, running.batch.size as u32);
    }
}

/// The settings that each frame asks for. They are copied when something changes, so that frames take no lock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameSettings {
    pub on_error: OnError,
    pub post_messages: bool,
    pub result_json: bool,
    pub score_threshold: Option<f32>,
    pub iou_threshold: Option<f32>,
    pub interval: u64,
    pub bits: u32,
    pub part_deadline: u64,
    /// The least time between two judged frames, ns.
    pub period_ns: Option<u64>,
    pub deadline: Option<u64>,
    pub on: On,
    pub wait_inputs: bool,
    pub max_detections: Option<usize>,
}

impl From<&Settings> for FrameSettings {
    fn from(s: &Settings) -> Self {
        let over = |v: f64| (v >= 0.0).then_some(v as f32);
        Self {
            on_error: s.on_error,
            post_messages: s.post_messages,
            result_json: s.result_json,
            score_threshold: over(s.score_threshold),
            iou_threshold: over(s.iou_threshold),
            interval: u64::from(s.interval.max(1)),
            bits: s.bits,
            part_deadline: s.part_deadline,
            period_ns: (s.max_rate > 0.0).then(|| (NS_PER_S / s.max_rate) as u64),
            deadline: (s.deadline > 0).then_some(s.deadline),
            on: s.on,
            wait_inputs: s.wait_inputs,
            max_detections: (s.max_detections > 0).then_some(s.max_detections as usize),
        }
    }
}

impl FrameSettings {
    /// Returns the manifest's thresholds, overridden by the user's.
    pub(super) fn thresholds(&self, manifest: &model::Thresholds) -> model::Thresholds {
        model::Thresholds {
            score: self.score_threshold.unwrap_or(manifest.score),
            iou: self.iou_threshold.unwrap_or(manifest.iou),
            max_detections: self.max_detections.unwrap_or(manifest.max_detections),
            ..*manifest
        }
    }
}
