// SPDX-License-Identifier: MPL-2.0
//! What the user asked for.

use crate::{inference, model};

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
}

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
        }
    }
}

impl Settings {
    /// How to load a model.
    pub fn options(&self) -> inference::Options {
        let labels = self.labels.split(',').map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect();
        inference::Options { threads: self.threads as usize, providers: self.execution_providers.clone(), labels }
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
        }
    }
}

impl Live {
    /// The manifest's thresholds with the user's over them.
    pub fn thresholds(&self, manifest: &model::Thresholds) -> model::Thresholds {
        model::Thresholds {
            score: self.score_threshold.unwrap_or(manifest.score),
            iou: self.iou_threshold.unwrap_or(manifest.iou),
            ..*manifest
        }
    }
}
