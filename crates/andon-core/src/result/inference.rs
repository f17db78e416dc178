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
pub const INFERENCE_SCHEMA: &str = "andon.inference/1";

/// Which model said it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelId {
    /// Name from the manifest, or the file's stem.
    pub name: String,
    /// Version from the manifest; empty for a bare file.
    pub version: String,
    /// `sha256:…` of the model file.
    pub digest: String,
}

/// From where [`Inference::verdict_latency_us`] is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyFrom {
    /// From the capture time of the frame.
    Capture,
    /// From the moment the frame met the first Andon element.
    #[default]
    Entry,
}

/// One arm's outcome for one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inference {
    /// Always [`INFERENCE_SCHEMA`].
    pub schema: Cow<'static, str>,
    /// Name of the element that judged.
    pub element: Arc<str>,
    /// On whose behalf.
    pub arm: Arm,
    /// The process start this frame id belongs to.
    pub run: Uuid,
    /// Unique within the run.
    pub frame_id: u64,
    /// The part that the frame shows; none means the frame is a part of its own.
    pub part: Option<Arc<Part>>,
    /// Presentation time, where the buffer has one.
    pub pts_ns: Option<u64>,
    /// When the camera took it, in UTC.
    pub captured_utc_ns: Option<u64>,
    /// From capture or entry to verdict.
    pub verdict_latency_us: Option<u64>,
    /// Which of the two.
    #[serde(default)]
    pub verdict_latency_from: LatencyFrom,
    /// Width and height of the frame as it entered, pixels.
    pub frame: [u32; 2],
    /// The model that spoke.
    pub model: Arc<ModelId>,
    /// The execution provider that ran it, `cpu` for instance; empty for the truth.
    pub provider: Arc<str>,
    /// How it went.
    pub status: Status,
    /// Why it is not judged; empty where it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// 1 where a model looked at the frame; 2 where it looked at the boxes of the stage before, and so on.
    #[serde(default = "first_stage", skip_serializing_if = "is_first_stage")]
    pub stage: u32,
    /// Time in the engine, pre- and post-processing included.
    pub latency_us: u64,
    /// Unjudged unless `status` is ok.
    pub verdict: Verdict,
    /// The score that decided the verdict, 0..1.
    pub score: f32,
    /// Best first.
    #[serde(default)]
    pub detections: Vec<Detection>,
    /// Of a later stage: for each of its detections, the index of that of the stage before which it is about, or in
    /// which it was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<u32>,
    /// Best first.
    #[serde(default)]
    pub classes: Vec<ClassScore>,
    /// Of models that know only the normal.
    #[serde(default)]
    pub anomaly: Option<Anomaly>,
    /// Of models that name every pixel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation: Option<Segmentation>,
    /// Where the frame lies among others, of models that only compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Arc<[f32]>>,
    /// Outputs that are handed on as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tensors: Vec<RawTensor>,
    /// Values of the named fields at this frame.
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
    /// An outcome for `frame` that has not been judged yet.
    pub fn new(element: Arc<str>, arm: Arm, frame: &Frame, size: [u32; 2]) -> Self {
        // Placeholders that all share: one is made for every frame, and each of these is then told.
        static NOBODY: LazyLock<(Arc<ModelId>, Arc<str>, Arc<Fields>)> = LazyLock::new(Default::default);
        let nobody = &*NOBODY;
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
            model: nobody.0.clone(),
            provider: nobody.1.clone(),
            status: Status::Ok,
            reason: String::new(),
            stage: first_stage(),
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
            fields: nobody.2.clone(),
        }
    }

    /// The key of the part that the frame belongs to.
    pub fn part_key(&self) -> PartKey {
        PartKey::of(self.part.as_deref(), self.run, self.frame_id)
    }

    /// Whether the frame counts in statistics: production parts, and frames without a part.
    pub fn counts(&self) -> bool {
        self.part.as_ref().is_none_or(|p| p.purpose == Purpose::Production)
    }

    /// The one-line JSON form.
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
