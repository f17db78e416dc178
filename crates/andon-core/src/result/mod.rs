// SPDX-License-Identifier: MPL-2.0
//! What a model said of one frame: plain data with a fixed JSON form (`andon.inference/1`).
//!
//! Nothing in here knows of GStreamer or of an inference engine. Boxes are pixels of the frame as it entered the
//! element that judged it; scores are 0..1; times carry their unit in their name.

mod identity;
mod part;
mod tally;
mod tee;

pub use identity::{Arms, Frame, monotonic_ns, next_frame_id, run_id};
pub use part::{Part, PartJudge, PartKey, PartVerdict, Purpose};
pub use tally::{HourRate, Tally};
pub use tee::{SplitKey, TeeMode, UnknownKey, UnknownMode};

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The schema name that every serialised [`Inference`] starts with.
pub const INFERENCE_SCHEMA: &str = "andon.inference/1";

/// Named values that a model may need beside the image, and that captures keep: line speed, temperature, recipe.
pub type Fields = BTreeMap<String, serde_json::Value>;

/// Who judged: the running model, the candidate beside it, or the source that knows the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The running model, the champion.
    #[default]
    A,
    /// The candidate, the challenger.
    B,
    /// The known truth: read for scoring only.
    Truth,
}

impl Arm {
    /// The name used in JSON, events and property values.
    pub fn as_str(self) -> &'static str {
        match self {
            Arm::A => "a",
            Arm::B => "b",
            Arm::Truth => "truth",
        }
    }
}

/// What is said of a frame or of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Judged, and nothing found.
    Ok,
    /// Judged, and a defect found.
    Ng,
    /// Judged, and too close to call: a person decides.
    Review,
    /// Not judged. Never to be counted as good.
    #[default]
    Unjudged,
}

impl Verdict {
    /// The name used in JSON, messages and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Ng => "ng",
            Verdict::Review => "review",
            Verdict::Unjudged => "unjudged",
        }
    }
}

/// How the judging of one frame went. Only [`Status::Ok`] carries a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The model ran and its outputs made sense.
    #[default]
    Ok,
    /// Not run on purpose: interval, or too late.
    Skipped,
    /// The model failed or panicked.
    Error,
    /// An input that the model requires was not there.
    MissingField,
    /// The model answered NaN or infinity.
    NonFinite,
}

impl Status {
    /// The name used in JSON and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Skipped => "skipped",
            Status::Error => "error",
            Status::MissingField => "missing-field",
            Status::NonFinite => "non-finite",
        }
    }
}

macro_rules! named {
    ($($type:ident { $($variant:ident),* })*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                let all = [$($type::$variant),*];
                all.into_iter().find(|v| v.as_str() == s).ok_or_else(|| {
                    format!("'{s}' is not one of {}", all.map(|v| v.as_str()).join(", "))
                })
            }
        }
    )*};
}

named! {
    Arm { A, B, Truth }
    Verdict { Ok, Ng, Review, Unjudged }
    Status { Ok, Skipped, Error, MissingField, NonFinite }
    Purpose { Production, Golden, Setup, Rework }
}

/// A box in pixels of the frame: left, top, width, height.
pub type BoxPx = [f32; 4];

/// Intersection over union of two boxes; 0 where both are empty.
pub fn iou(a: &BoxPx, b: &BoxPx) -> f32 {
    let w = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    let h = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    let inter = w.max(0.0) * h.max(0.0);
    let union = a[2] * a[3] + b[2] * b[3] - inter;
    if union > 0.0 { inter / union } else { 0.0 }
}

/// One thing found in the frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Index of the label in the model's list.
    pub class: u32,
    /// The label itself.
    pub label: Arc<str>,
    /// Confidence, 0..1.
    pub score: f32,
    /// Where, in pixels of [`Inference::frame`]; of an oriented box, before it is turned.
    #[serde(rename = "box")]
    pub bbox: BoxPx,
    /// Of an oriented box: radians clockwise about the centre of `bbox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub angle: Option<f32>,
    /// Which pixels, where the model tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Arc<Mask>>,
}

impl Detection {
    /// An upright box.
    pub fn new(class: u32, label: Arc<str>, score: f32, bbox: BoxPx) -> Self {
        Self { class, label, score, bbox, angle: None, mask: None }
    }

    /// The upright box around it, whatever its angle.
    pub fn upright(&self) -> BoxPx {
        let Some(angle) = self.angle else { return self.bbox };
        let [x, y, w, h] = self.bbox;
        let (sin, cos) = (angle.sin().abs(), angle.cos().abs());
        let (across, down) = (w * cos + h * sin, w * sin + h * cos);
        [x + (w - across) / 2.0, y + (h - down) / 2.0, across, down]
    }
}

/// A yes or no a cell, at the model's resolution, and the part of the frame that it covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mask {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What the mask covers, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// Row-major, 0 or 1; too many for JSON, so they stay on the buffer.
    #[serde(skip)]
    pub values: Arc<[u8]>,
}

/// What each cell of the frame shows, at the model's resolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segmentation {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What the map covers, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// How much of the frame each label has, most first; those that have none are left out.
    pub shares: Vec<Share>,
    /// Row-major indices of labels; too many for JSON, so they stay on the buffer.
    #[serde(skip)]
    pub classes: Arc<[u16]>,
}

/// How much of the frame one label has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Index of the label in the model's list.
    pub class: u32,
    /// The label itself.
    pub label: Arc<str>,
    /// 0..1.
    pub share: f32,
}

/// An output as the model gave it, for whoever can read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawTensor {
    /// Its name in the graph.
    pub name: String,
    /// Its axes, the batch axis included.
    pub shape: Vec<i64>,
    /// `f32`, `f16`, `f64`, `i64`, `i32`, `u8`, `i8` or `bool`.
    #[serde(rename = "type")]
    pub element: Arc<str>,
    /// The elements in the machine's byte order; they stay on the buffer.
    #[serde(skip)]
    pub bytes: Arc<[u8]>,
}

/// One class and its score, of a model that judges the frame as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Index of the label in the model's list.
    pub class: u32,
    /// The label itself.
    pub label: Arc<str>,
    /// Confidence, 0..1.
    pub score: f32,
}

/// How unlike the normal the frame is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Image-level score, 0..1 with the model's own normalisation.
    pub score: f32,
    /// Where, at the model's resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<AnomalyMap>,
    /// Which cells the model itself calls anomalous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Arc<Mask>>,
}

/// A score per cell, at the model's resolution, and the part of the frame that it covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyMap {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What the map covers, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// Row-major scores; too many for JSON, so they stay on the buffer.
    #[serde(skip)]
    pub values: Arc<[f32]>,
}

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

    #[test]
    fn a_turned_box_has_an_upright_one_around_it() {
        let mut d = Detection::new(0, "a".into(), 1.0, [10.0, 20.0, 8.0, 4.0]);
        assert_eq!(d.upright(), d.bbox);
        d.angle = Some(std::f32::consts::FRAC_PI_2);
        assert!(d.upright().iter().zip([12.0, 18.0, 4.0, 8.0]).all(|(a, b)| (a - b).abs() < 1e-4), "{:?}", d.upright());
    }

    #[test]
    fn iou_of_half_overlapping_boxes_is_a_third() {
        assert!((iou(&[0., 0., 2., 1.], &[1., 0., 2., 1.]) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(iou(&[0., 0., 0., 0.], &[0., 0., 0., 0.]), 0.0);
    }

    #[test]
    fn names_parse_back_and_strangers_are_told_the_choice() {
        assert_eq!("missing-field".parse::<Status>().unwrap(), Status::MissingField);
        assert!("good".parse::<Verdict>().unwrap_err().contains("ok, ng, review, unjudged"));
    }
}
