// SPDX-License-Identifier: MPL-2.0
//! One model's result on one frame.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Anomaly, Arm, ClassScore, Detection, Fields, Frame, Part, PartKey, Purpose, RawTensor, Segmentation, Status,
    Verdict,
};

/// The schema name that every serialised [`Inference`] starts with.
const INFERENCE_SCHEMA: &str = "andon.inference/1";

/// The model that gave a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelId {
    /// The name from the manifest, or the stem of a bare file.
    pub name: String,
    /// The version from the manifest, empty for a bare file.
    pub version: String,
    /// The digest of the graph's file, `sha256:…`.
    pub digest: String,
}

/// The moment from which [`Inference::verdict_latency_us`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyFrom {
    /// The capture time of the frame.
    Capture,
    /// The moment when the frame met its first Andon element.
    #[default]
    Entry,
}

/// One model's result on one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inference {
    /// Always `andon.inference/1`.
    pub schema: Cow<'static, str>,
    /// The name of the element that judged.
    pub element: Arc<str>,
    /// The arm that the element belongs to.
    pub arm: Arm,
    /// The run, that is the process start, that gave the frame id.
    pub run: Uuid,
    /// Unique within the run.
    pub frame_id: u64,
    /// The part that the frame shows. None if the frame is a part of its own.
    pub part: Option<Arc<Part>>,
    /// The presentation time, if the buffer has one.
    pub pts_ns: Option<u64>,
    /// When the camera took the frame, UTC.
    pub captured_utc_ns: Option<u64>,
    /// The time from capture or entry to the verdict.
    pub verdict_latency_us: Option<u64>,
    /// Whether the verdict latency counts from capture or from entry.
    #[serde(default)]
    pub verdict_latency_from: LatencyFrom,
    /// Width and height of the frame as it entered the element, pixels.
    pub frame: [u32; 2],
    /// The model that judged.
    pub model: Arc<ModelId>,
    /// The execution provider that ran the model, for instance `cpu`. Empty for the truth.
    pub provider: Arc<str>,
    /// How the judging went.
    pub status: Status,
    /// Why the frame is not judged. Empty if it is judged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// 1 for a model that looks at the frame, 2 for one that looks at the boxes of stage 1, and so on.
    #[serde(default = "first_stage", skip_serializing_if = "is_first_stage")]
    pub stage: u32,
    /// For a later stage: the names of the elements whose boxes the model looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<Arc<str>>,
    /// The time for the frame, pre- and post-processing included.
    pub latency_us: u64,
    /// The verdict; unjudged unless `status` is ok.
    pub verdict: Verdict,
    /// The score that decides the verdict, 0..1.
    pub score: f32,
    /// Detections, best first.
    #[serde(default)]
    pub detections: Vec<Detection>,
    /// For a later stage: per detection, the index of the earlier detection that it refines or lies in, over the detections of
    /// all `upstream` elements, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<u32>,
    /// Labels of the whole frame, best first.
    #[serde(default)]
    pub classes: Vec<ClassScore>,
    /// The result of an anomaly model.
    #[serde(default)]
    pub anomaly: Option<Anomaly>,
    /// The result of a segmentation model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation: Option<Segmentation>,
    /// The result of an embedding model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Arc<[f32]>>,
    /// Outputs that the decoder `raw` passes on as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tensors: Vec<RawTensor>,
    /// The values of the named fields at this frame.
    #[serde(default)]
    pub fields: Arc<Fields>,
}

fn first_stage() -> u32 {
    1
}

fn is_first_stage(stage: &u32) -> bool {
    *stage == first_stage()
}

impl Inference {
    /// Makes the result of a `frame` of that size that is not judged yet.
    pub fn new(element: Arc<str>, arm: Arm, frame: &Frame, size: [u32; 2]) -> Self {
        // Shared, so that a result per frame allocates no placeholders.
        static PLACEHOLDERS: LazyLock<(Arc<ModelId>, Arc<str>, Arc<Fields>)> = LazyLock::new(Default::default);
        let (model, provider, fields) = &*PLACEHOLDERS;
        Self {
            schema: INFERENCE_SCHEMA.into(),
            element,
            arm,
            run: frame.run,
            frame_id: frame.id,
            part: frame.part.clone(),
            pts_ns: None,
            captured_utc_ns: frame.captured_utc_ns,
            verdict_latency_us: None,
            verdict_latency_from: LatencyFrom::Entry,
            frame: size,
            model: model.clone(),
            provider: provider.clone(),
            status: Status::Ok,
            reason: String::new(),
            stage: first_stage(),
            upstream: Vec::new(),
            latency_us: 0,
            verdict: Verdict::Unjudged,
            score: 0.0,
            detections: Vec::new(),
            parents: Vec::new(),
            classes: Vec::new(),
            anomaly: None,
            segmentation: None,
            embedding: None,
            tensors: Vec::new(),
            fields: fields.clone(),
        }
    }

    /// Returns the key of the part that the frame shows.
    pub fn part_key(&self) -> PartKey {
        PartKey::of(self.part.as_deref(), self.run, self.frame_id)
    }

    /// Returns whether the frame counts in statistics: it shows a production part, or none is declared.
    pub fn counts(&self) -> bool {
        self.part.as_ref().is_none_or(|p| p.purpose == Purpose::Production)
    }

    /// Returns the JSON form, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Inference {
        let frame = Frame::new(Some(Arc::new(Part { id: "P7".into(), views: 2, ..Part::default() })));
        let mut i = Inference::new("champion".into(), Arm::A, &frame, [1280, 720]);
        i.verdict = Verdict::Ng;
        i.score = 0.5;
        i.detections.push(Detection::new(2, "short".into(), 0.5, [1.0, 2.0, 3.0, 4.0]));
        i
    }

    #[test]
    fn json_keeps_the_published_names() {
        let v: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
        assert_eq!(v["schema"], "andon.inference/1");
        assert_eq!(v["arm"], "a");
        assert_eq!(v["part"]["id"], "P7");
        assert_eq!(v["part"]["purpose"], "production");
        assert_eq!(v["verdict"], "ng");
        assert_eq!(v["status"], "ok");
        assert_eq!(v["detections"][0]["box"][3], 4.0);
        assert!(v["pts_ns"].is_null());
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let i = sample();
        assert_eq!(serde_json::from_str::<Inference>(&i.to_json()).unwrap(), i);
    }
}
