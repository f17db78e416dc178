// SPDX-License-Identifier: MPL-2.0
//! `model.json`, schema `andon.model/1`: what goes into the model, what comes out, and what is made of it.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{Error, Pattern};

/// The schema name that every manifest starts with.
pub const MODEL_SCHEMA: &str = "andon.model/1";

/// The largest side of a model's image input that is taken for meant, pixels.
const MOST_PIXELS: u32 = 16_384;

/// What the model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Boxes with labels.
    Detection,
    /// A label for the whole frame.
    Classification,
    /// How unlike the normal.
    Anomaly,
    /// A label for every pixel.
    Segmentation,
    /// A vector that is compared with others.
    Embedding,
    /// Whatever the outputs mean, somebody else reads them.
    Other,
}

/// Order of a tensor's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// Planes.
    #[default]
    #[serde(rename = "NCHW")]
    Nchw,
    /// Pixels.
    #[serde(rename = "NHWC")]
    Nhwc,
}

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElementType {
    /// 32-bit float.
    #[default]
    #[serde(rename = "f32")]
    F32,
    /// 64-bit integer; for fields only.
    #[serde(rename = "i64")]
    I64,
}

/// Channels and their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// One channel of luma, full range.
    Grey,
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl Colour {
    /// Number of channels.
    pub fn channels(self) -> usize {
        if self == Colour::Grey { 1 } else { 3 }
    }
}

/// How a frame is brought to the model's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// One scale for both sides, centred, the rest padded.
    #[default]
    Letterbox,
    /// Each side by its own scale.
    Stretch,
}

/// How outputs are read. Shapes are those of one frame; L is the number of labels, N of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// YOLOv5 and YOLOv7: (1, N, 5+L): cx, cy, w, h in pixels of the model's input, a score of there being anything,
    /// a score a label. Heads: detect, segment.
    Yolov5,
    /// YOLOv8, 9, 11, 12: (1, 4+L, N) or transposed: cx, cy, w, h in pixels of the model's input, then a score a
    /// label. Heads: detect, segment, oriented.
    Yolov8,
    /// YOLOv7 with its own suppression: (N, 7): frame, corners, label, score.
    Yolov7EndToEnd,
    /// YOLOv10 and YOLO26: (1, N, 6): corners, score, label; nothing is suppressed. Heads: detect, segment, oriented.
    YoloEndToEnd,
    /// (1, N, 5+L) in cells of grids of strides 8, 16 and 32, or, with `grid` false, in pixels.
    Yolox,
    /// A graph that suppresses itself: outputs of boxes, scores, labels and maybe their count. TensorFlow's and
    /// torchvision's SSD, RT-DETR as its authors export it.
    Ssd,
    /// DETR: logits (1, N, L+1), the last for nothing, and boxes (1, N, 4): the best label of each.
    Detr,
    /// Deformable and RT-DETR, RF-DETR: logits (1, N, L or more) and boxes (1, N, 4), each score by itself; also
    /// (1, N, 4+L) and (1, N, 6) as Ultralytics exports it. Heads: detect, segment.
    Rtdetr,
    /// (1, L): a score a label.
    Classification,
    /// (1, L, h, w): a score a label and pixel; (1, h, w) of integers: labels; (1, 1, h, w): a score of the last label.
    Segmentation,
    /// By output name: `pred_score`, `pred_label`, `anomaly_map`, `pred_mask`.
    Anomalib,
    /// (1, D): a vector.
    Embedding,
    /// Outputs are handed on as they are.
    Raw,
}

impl Decoder {
    /// What models with it are for; none for those that fit any task.
    pub fn task(self) -> Option<Task> {
        match self {
            Decoder::Classification => Some(Task::Classification),
            Decoder::Segmentation => Some(Task::Segmentation),
            Decoder::Anomalib => Some(Task::Anomaly),
            Decoder::Embedding => Some(Task::Embedding),
            Decoder::Raw => None,
            _ => Some(Task::Detection),
        }
    }

    /// Whether it needs names for classes.
    fn needs_labels(self) -> bool {
        !matches!(self, Decoder::Anomalib | Decoder::Embedding | Decoder::Raw)
    }

    /// The heads it can read.
    fn heads(self) -> &'static [Head] {
        match self {
            Decoder::Yolov8 | Decoder::YoloEndToEnd => &[Head::Detect, Head::Segment, Head::Oriented],
            Decoder::Yolov5 | Decoder::Rtdetr => &[Head::Detect, Head::Segment],
            _ => &[Head::Detect],
        }
    }
}

/// What a detector says of each thing beside its upright box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Nothing more.
    #[default]
    Detect,
    /// Which pixels: weights of prototype masks, which a second output holds.
    Segment,
    /// How it is turned.
    Oriented,
}

/// How the four numbers of a box are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoxForm {
    /// Left, top, right, bottom in pixels of the model's input.
    Corners,
    /// Left, top, right, bottom, 0..1 of the model's input.
    CornersNormalised,
    /// Top, left, bottom, right, 0..1 of the model's input, as TensorFlow has it.
    CornersYFirstNormalised,
    /// Centre, width, height in pixels of the model's input.
    Centre,
    /// Centre, width, height, 0..1 of the model's input.
    CentreNormalised,
}

/// Which of a decoder's outputs one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The one, of decoders that read one.
    Main,
    /// Boxes.
    Boxes,
    /// Scores, or logits of labels.
    Scores,
    /// Indices of labels.
    Labels,
    /// How many of the boxes mean anything.
    Count,
    /// Masks, or their prototypes.
    Masks,
    /// A map of anomaly scores.
    Map,
}

impl Role {
    /// The role that an output's name tells, by what exporters call them.
    fn of(name: &str, decoder: Decoder) -> Option<Self> {
        Some(match (decoder, name) {
            (Decoder::Anomalib, "pred_score") => Role::Scores,
            (Decoder::Anomalib, "pred_label") => Role::Labels,
            (Decoder::Anomalib, "anomaly_map") => Role::Map,
            (Decoder::Anomalib, "pred_mask") => Role::Masks,
            (Decoder::Ssd | Decoder::Detr | Decoder::Rtdetr, "detection_boxes" | "boxes" | "dets" | "pred_boxes") => {
                Role::Boxes
            }
            (Decoder::Ssd, "detection_scores" | "scores") => Role::Scores,
            (Decoder::Ssd, "detection_classes" | "labels" | "classes") => Role::Labels,
            (Decoder::Ssd, "num_detections" | "num_dets" | "count") => Role::Count,
            (Decoder::Detr | Decoder::Rtdetr, "logits" | "pred_logits" | "labels" | "scores") => Role::Scores,
            (_, "masks" | "pred_masks" | "proto" | "protos") => Role::Masks,
            _ => return None,
        })
    }
}

/// What makes probabilities of a classifier's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// They are probabilities already.
    None,
    /// Labels exclude each other.
    Softmax,
    /// Labels stand alone.
    Sigmoid,
}

/// What fills an input, as [`Input::source`] reads `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSource {
    /// The frame.
    Image,
    /// A picture from a file: the golden template of the part that the frame shows. Where it lies is said by
    /// [`Input::pattern`].
    ImageFile,
    /// A named field.
    Field(String),
}

/// One input of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name in the graph.
    pub name: String,
    /// `image`, `image-file` or `field:NAME`.
    pub source: String,
    /// Of `image-file`: the path below the element's `image-root`, ending in `.png`, with `{NAME}` for what the frame's
    /// part (`id`, `sku`, `lot`, `station`, `view`, `purpose`) or its fields tell: `{sku}/{view}.png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Of an image.
    #[serde(default)]
    pub layout: Layout,
    /// Of the elements.
    #[serde(default, rename = "type")]
    pub element: ElementType,
    /// Of an image.
    #[serde(default)]
    pub colour: Colour,
    /// Of an image.
    #[serde(default)]
    pub resize: Resize,
    /// Of a letterbox: one pixel value, or one a channel, 0..255.
    #[serde(default = "pad")]
    pub pad: Vec<f32>,
    /// Of an image: width, height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// Subtracted from the pixel value 0..255: one, or one a channel.
    #[serde(default = "mean")]
    pub mean: Vec<f32>,
    /// Multiplied with what is left: one, or one a channel.
    #[serde(default = "scale")]
    pub scale: Vec<f32>,
    /// Of a field, the batch axis included; none for a scalar of shape (1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
    /// Of a field: a number or an array, where the field was not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// Of a field: without it a frame is not judged.
    #[serde(default)]
    pub required: bool,
}

fn pad() -> Vec<f32> {
    vec![114.0]
}

fn mean() -> Vec<f32> {
    vec![0.0]
}

fn scale() -> Vec<f32> {
    vec![1.0 / 255.0]
}

impl Input {
    /// What fills it, or none where `source` is none of `image`, `image-file` and `field:NAME`.
    pub fn source(&self) -> Option<InputSource> {
        match self.source.as_str() {
            "image" => Some(InputSource::Image),
            "image-file" => Some(InputSource::ImageFile),
            s => s.strip_prefix("field:").filter(|n| !n.is_empty()).map(|n| InputSource::Field(n.into())),
        }
    }
}

/// One output of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its name in the graph.
    pub name: String,
    /// How it is read; the same for all outputs of a model.
    pub decoder: Decoder,
    /// Which of the decoder's outputs it is; without it, as its name or its place tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Names of the classes, in the model's order; of the first output.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What a detector says beside boxes; of the first output, as all that follows.
    #[serde(default)]
    pub head: Head,
    /// How boxes are told, where it is not the decoder's usual way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<BoxForm>,
    /// Class 0 is the background, which `labels` does not name.
    #[serde(default)]
    pub background: bool,
    /// YOLOX: boxes are in cells of its grids.
    #[serde(default = "yes")]
    pub grid: bool,
    /// Of a classifier; without it, outputs that are not probabilities go through softmax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// An embedding is brought to the length 1.
    #[serde(default)]
    pub normalise: bool,
}

fn yes() -> bool {
    true
}

impl Output {
    /// An output of that name and decoder, all else as it is left out.
    pub fn new(name: impl Into<String>, decoder: Decoder, labels: Vec<String>) -> Self {
        Self {
            name: name.into(),
            decoder,
            role: None,
            labels,
            head: Head::Detect,
            boxes: None,
            background: false,
            grid: true,
            activation: None,
            normalise: false,
        }
    }

    /// Which of its decoder's outputs the one at `place` of the list is.
    pub fn role(&self, place: usize) -> Role {
        let told = self.role.or_else(|| Role::of(&self.name, self.decoder));
        told.unwrap_or(if place == 0 { Role::Main } else { Role::Masks })
    }
}

/// From which score on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// A score from here on is a defect, 0..1.
    pub score: f32,
    /// Boxes of one label that overlap more than this are one, 0..1.
    pub iou: f32,
    /// Boxes of different labels that overlap so are one, too.
    pub agnostic: bool,
    /// The best so many are kept of a frame.
    pub max_detections: usize,
    /// A deciding score from the first to the second number goes to a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<[f32; 2]>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { score: 0.25, iou: 0.45, agnostic: false, max_detections: 300, review: None }
    }
}

/// What makes a frame bad. Each yields a deciding score, which the threshold and the review band are held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Rule {
    /// Any detection of at least the threshold.
    AnyDetection,
    /// The probability that it is none of the labels in `ok` is at least the threshold.
    LabelOk {
        /// Labels of good frames.
        ok: Vec<String>,
    },
    /// Any label but those in `ok` has at least the threshold: for labels that stand alone.
    AnyLabel {
        /// Labels that are no defect.
        #[serde(default)]
        ok: Vec<String>,
    },
    /// The anomaly score is at least the threshold.
    AnomalyScore,
    /// Pixels of other labels than those in `ok` have at least that share of the frame.
    AnyArea {
        /// Labels of good pixels.
        ok: Vec<String>,
    },
    /// Nothing: frames are looked at and stay unjudged.
    None,
}

impl Rule {
    /// The labels that it calls good.
    fn ok(&self) -> &[String] {
        match self {
            Rule::LabelOk { ok } | Rule::AnyLabel { ok } | Rule::AnyArea { ok } => ok,
            _ => &[],
        }
    }
}

/// The whole of `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`MODEL_SCHEMA`].
    pub schema: String,
    /// The model's name, the same over versions.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub task: Task,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The graph's file in the bundle.
    #[serde(default = "model_file")]
    pub model: String,
    /// Every input of the graph.
    pub inputs: Vec<Input>,
    /// The outputs that are read.
    pub outputs: Vec<Output>,
    /// From which score on.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// What makes a frame bad.
    pub verdict: Rule,
    /// `sha256:…` by file.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// What was measured of it; free.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub quality: serde_json::Value,
}

fn model_file() -> String {
    "model.onnx".into()
}

impl Manifest {
    /// Reads and checks the text of the manifest at `path` (named in errors only).
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let fail = |field: String, problem: String| Error::Manifest { path: path.into(), field, problem };
        let manifest: Manifest = serde_json::from_str(text)
            .map_err(|e| fail(place(text, &e), format!("{e}: see the schema {MODEL_SCHEMA} in the documentation")))?;
        manifest.check().map_err(|(field, problem)| fail(field, problem))?;
        Ok(manifest)
    }

    /// The input that is the frame.
    pub fn image(&self) -> &Input {
        let image = self.inputs.iter().find(|i| i.source() == Some(InputSource::Image));
        image.expect("a checked manifest has exactly one image input")
    }

    /// Everything that serde cannot check: the field and what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let bad = |field: &str, problem: String| Err((field.to_string(), problem));
        if self.schema != MODEL_SCHEMA {
            return bad("schema", format!("is '{}', must be '{MODEL_SCHEMA}'", self.schema));
        }
        if self.name.is_empty() {
            return bad("name", "must not be empty".into());
        }
        let images = self.inputs.iter().filter(|i| i.source() == Some(InputSource::Image)).count();
        if images != 1 {
            return bad("inputs", format!("{images} have the source 'image', must be one"));
        }
        for (i, input) in self.inputs.iter().enumerate() {
            input.check().map_err(|(field, problem)| (format!("inputs[{i}].{field}"), problem))?;
        }
        self.check_outputs()?;
        let t = &self.thresholds;
        for (field, value) in [("score", t.score), ("iou", t.iou)] {
            if !(0.0..=1.0).contains(&value) {
                return bad(&format!("thresholds.{field}"), format!("is {value}, must be within 0..1"));
            }
        }
        if let Some([lo, hi]) = t.review
            && !(0.0 <= lo && lo <= hi && hi <= 1.0)
        {
            return bad("thresholds.review", format!("is [{lo}, {hi}], must be [low, high] within 0..1"));
        }
        Ok(())
    }

    fn check_outputs(&self) -> Result<(), (String, String)> {
        let bad = |field: &str, problem: String| Err((field.to_string(), problem));
        let Some(first) = self.outputs.first() else {
            return bad("outputs", "is empty, must name the output to read".into());
        };
        if self.outputs.iter().any(|o| o.decoder != first.decoder) {
            return bad("outputs", "name different decoders: one decoder a model".into());
        }
        if first.labels.is_empty() && first.decoder.needs_labels() {
            return bad("outputs[0].labels", "is empty, must name every class in the model's order".into());
        }
        if !first.decoder.heads().contains(&first.head) {
            return bad(
                "outputs[0].head",
                format!("{:?} is not one that its decoder reads", first.head).to_lowercase(),
            );
        }
        for (i, output) in self.outputs.iter().enumerate() {
            let same = |o: &Output, at: usize| o.role(at) == output.role(i) && output.decoder != Decoder::Raw;
            if self.outputs.iter().enumerate().take(i).any(|(at, o)| same(o, at)) {
                let role = format!("{:?}", output.role(i)).to_lowercase();
                return bad(
                    &format!("outputs[{i}].role"),
                    format!("is {role}, as that of another output: say which is which"),
                );
            }
        }
        if first.decoder.task().is_some_and(|t| t != self.task) {
            return bad("task", "does not fit outputs[0].decoder: see the table of decoders in docs/models.md".into());
        }
        let fits = matches!(
            (&self.verdict, self.task),
            (Rule::None, _)
                | (Rule::AnyDetection, Task::Detection)
                | (Rule::LabelOk { .. } | Rule::AnyLabel { .. }, Task::Classification)
                | (Rule::AnomalyScore, Task::Anomaly)
                | (Rule::AnyArea { .. }, Task::Segmentation)
        );
        if !fits {
            return bad(
                "verdict.rule",
                "does not fit: any-detection goes with detection, label-ok and any-label with classification, \
                 anomaly-score with anomaly, any-area with segmentation, none with all"
                    .into(),
            );
        }
        if let Rule::LabelOk { ok } | Rule::AnyArea { ok } = &self.verdict
            && ok.is_empty()
        {
            return bad("verdict.ok", "is empty, must name the labels of what is good".into());
        }
        if let Some(stranger) = self.verdict.ok().iter().find(|l| !first.labels.contains(l)) {
            return bad("verdict.ok", format!("'{stranger}' is not one of outputs[0].labels"));
        }
        Ok(())
    }
}

impl Input {
    fn check(&self) -> Result<(), (String, String)> {
        let bad = |field: &str, problem: String| Err((field.to_string(), problem));
        match self.source() {
            None => bad("source", format!("is '{}', must be 'image', 'image-file' or 'field:NAME'", self.source)),
            Some(InputSource::Field(_)) => {
                if self.default.is_none() && !self.required {
                    return bad("default", "is missing: give a default, or say \"required\": true".into());
                }
                if self.shape.as_ref().is_some_and(|s| s.contains(&0)) {
                    return bad("shape", "has an axis of length 0".into());
                }
                Ok(())
            }
            Some(source) => {
                match (source == InputSource::ImageFile, &self.pattern) {
                    (true, None) => return bad("pattern", "is missing: give one, as in '{sku}/{view}.png'".into()),
                    (true, Some(pattern)) => Pattern::parse(pattern).map(drop).or_else(|e| bad("pattern", e))?,
                    (false, Some(_)) => return bad("pattern", "goes with the source 'image-file' alone".into()),
                    (false, None) => {}
                }
                if self.element != ElementType::F32 {
                    return bad("type", "an image input must be f32".into());
                }
                match self.size {
                    Some([w, h]) if (1..=MOST_PIXELS).contains(&w) && (1..=MOST_PIXELS).contains(&h) => {}
                    Some([w, h]) => return bad("size", format!("[{w}, {h}] is not within 1..{MOST_PIXELS}")),
                    None => return bad("size", "is missing: [width, height] of the model's input".into()),
                }
                let n = self.colour.channels();
                for (field, values) in [("pad", &self.pad), ("mean", &self.mean), ("scale", &self.scale)] {
                    if values.len() != 1 && values.len() != n {
                        return bad(field, format!("has {} numbers, must have 1 or {n}", values.len()));
                    }
                    if values.iter().any(|v| !v.is_finite()) {
                        return bad(field, "must be finite".into());
                    }
                }
                Ok(())
            }
        }
    }
}

/// Where in the text serde stumbled, with a few characters of it, so that the field can be seen.
fn place(text: &str, e: &serde_json::Error) -> String {
    let line = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
    let end = line.char_indices().map(|(i, c)| i + c.len_utf8()).take(e.column()).last().unwrap_or(0);
    let start = line[..end].char_indices().rev().take(50).last().map_or(0, |(i, _)| i);
    format!("line {}, at `{}`", e.line(), line[start..end].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> serde_json::Value {
        serde_json::json!({
            "schema": "andon.model/1", "name": "pcb", "version": "2", "task": "detection",
            "inputs": [{"name": "images", "source": "image", "colour": "grey", "size": [640, 640]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
            "verdict": {"rule": "any-detection"}
        })
    }

    fn problem(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut v = sample();
        change(&mut v);
        Manifest::parse(&v.to_string(), Path::new("x/model.json")).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let m = Manifest::parse(&sample().to_string(), Path::new("model.json")).unwrap();
        assert_eq!(
            (m.model.as_str(), m.image().layout, m.image().resize),
            ("model.onnx", Layout::Nchw, Resize::Letterbox)
        );
        assert_eq!(m.thresholds, Thresholds::default());
    }

    #[test]
    fn a_manifest_comes_back_as_it_went() {
        let m = Manifest::parse(&sample().to_string(), Path::new("model.json")).unwrap();
        let text = serde_json::to_string_pretty(&m).unwrap();
        assert_eq!(Manifest::parse(&text, Path::new("model.json")).unwrap(), m);
    }

    #[test]
    fn every_refusal_names_the_file_the_field_and_the_choice() {
        let e = problem(|v| v["outputs"][0]["decoder"] = "yolov99".into());
        assert!(e.contains("x/model.json") && e.contains("\"decoder\":\"yolov99\"") && e.contains("yolov8"), "{e}");
        let e = problem(|v| v["schema"] = "andon.model/9".into());
        assert!(e.contains("schema") && e.contains("andon.model/1"), "{e}");
        let e = problem(|v| v["inputs"][0]["size"] = serde_json::json!([0, 640]));
        assert!(e.contains("inputs[0].size"), "{e}");
        let e = problem(|v| v["inputs"][0]["source"] = "camera".into());
        assert!(e.contains("inputs"), "{e}");
        let e = problem(|v| v["thresholds"] = serde_json::json!({"score": 2}));
        assert!(e.contains("thresholds.score"), "{e}");
        let e = problem(|v| v["thresholds"] = serde_json::json!({"review": [0.8, 0.2]}));
        assert!(e.contains("thresholds.review"), "{e}");
        let e = problem(|v| v["verdict"] = serde_json::json!({"rule": "anomaly-score"}));
        assert!(e.contains("verdict.rule") && e.contains("any-detection"), "{e}");
        let e = problem(|v| v["outputs"][0]["labels"] = serde_json::json!([]));
        assert!(e.contains("outputs[0].labels"), "{e}");
        let e = problem(|v| v["inputs"][0]["mean"] = serde_json::json!([1, 2, 3]));
        assert!(e.contains("inputs[0].mean") && e.contains("1 or 1"), "{e}");
    }

    #[test]
    fn an_input_from_a_field_needs_a_default_or_must_be_required() {
        let field = serde_json::json!({"name": "speed", "source": "field:line_speed"});
        let e = problem(|v| v["inputs"].as_array_mut().unwrap().push(field.clone()));
        assert!(e.contains("inputs[1].default") && e.contains("required"), "{e}");
    }
}
