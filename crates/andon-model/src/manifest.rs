// SPDX-License-Identifier: MPL-2.0
//! `model.json`, schema `andon.model/1`: what goes into the model, what comes out, and what is made of it.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{Error, Golden, Output, Pattern, Rule, Thresholds};

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
    /// 16-bit float.
    #[serde(rename = "f16")]
    F16,
    /// 64-bit float; for fields only.
    #[serde(rename = "f64")]
    F64,
    /// 8-bit integer, 0..255. A frame's pixel values go in with `"scale": [1]`.
    #[serde(rename = "u8")]
    U8,
    /// 8-bit integer, -128..127. A frame's pixel values go in with `"mean": [128], "scale": [1]`.
    #[serde(rename = "i8")]
    I8,
    /// 32-bit integer; for fields only.
    #[serde(rename = "i32")]
    I32,
    /// 64-bit integer; for fields only.
    #[serde(rename = "i64")]
    I64,
    /// True or false; for fields only.
    #[serde(rename = "bool")]
    Bool,
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
    /// Red, green, blue, alpha; 255 where the frame has none.
    Rgba,
    /// Blue, green, red, alpha; 255 where the frame has none.
    Bgra,
}

impl Colour {
    /// Number of channels.
    pub fn channels(self) -> usize {
        match self {
            Colour::Grey => 1,
            Colour::Rgb | Colour::Bgr => 3,
            Colour::Rgba | Colour::Bgra => 4,
        }
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
    /// One scale for both sides so that nothing is left to pad; what reaches beyond is cut off on both ends alike.
    Crop,
}

/// What lies between the samples of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// As OpenCV's `INTER_LINEAR`: between two samples each way.
    #[default]
    Bilinear,
    /// As OpenCV's `INTER_AREA`: what a pixel covers, where the frame shrinks.
    Area,
}

/// What fills an input, as [`Input::source`] reads `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSource {
    /// The frame.
    Image,
    /// A picture from a file: the golden template of the part that the frame shows. Where it lies is said by
    /// [`Input::pattern`].
    ImageFile,
    /// Width and height of the frame's tensor, pixels: for detectors that give boxes in pixels of what they are told.
    FrameSize,
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
    /// Of an image.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// Of a letterbox: one pixel value, or one a channel, 0..255.
    #[serde(default = "pad")]
    pub pad: Vec<f32>,
    /// Of an image: width, height. Without it as the graph says; where that leaves it open, the frame's size, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// Of an image without a size: each side is the frame's, rounded up to a multiple of this.
    #[serde(default = "multiple")]
    pub multiple: u32,
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

fn multiple() -> u32 {
    32
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
            "frame-size" => Some(InputSource::FrameSize),
            s => s.strip_prefix("field:").filter(|n| !n.is_empty()).map(|n| InputSource::Field(n.into())),
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
    /// `sha256:…` by file; where there are any, every file that the manifest names is among them.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// Pictures with the verdict that the model must come to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
    /// The file of a drift reference in the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Digests of the data sets that it was trained on, or whatever else names them; for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_on: Vec<String>,
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
    pub fn check(&self) -> Result<(), (String, String)> {
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
        self.thresholds.check().map_err(|(field, problem)| (format!("thresholds.{field}"), problem))?;
        self.check_golden()
    }
}

impl Input {
    fn check(&self) -> Result<(), (String, String)> {
        let bad = |field: &str, problem: String| Err((field.to_string(), problem));
        match self.source() {
            None => bad(
                "source",
                format!("is '{}', must be 'image', 'image-file', 'frame-size' or 'field:NAME'", self.source),
            ),
            Some(InputSource::FrameSize) => Ok(()),
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
                use ElementType::{F16, F32, I8, U8};
                if !matches!(self.element, F32 | F16 | U8 | I8) {
                    return bad("type", "an image input must be f32, f16, u8 or i8".into());
                }
                match self.size {
                    Some([w, h]) if !((1..=MOST_PIXELS).contains(&w) && (1..=MOST_PIXELS).contains(&h)) => {
                        return bad("size", format!("[{w}, {h}] is not within 1..{MOST_PIXELS}"));
                    }
                    None if !(1..=MOST_PIXELS).contains(&self.multiple) => {
                        return bad("multiple", format!("is {}, must be within 1..{MOST_PIXELS}", self.multiple));
                    }
                    _ => {}
                }
                // The default is made for floats, and would leave 0 and 1 of all there is to see.
                if matches!(self.element, U8 | I8) && self.scale.iter().any(|s| s.abs() * 255.0 <= 1.0) {
                    return bad("scale", "makes whole numbers of at most 1 of every pixel: say \"scale\": [1]".into());
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
        let e = problem(|v| v["inputs"][0]["type"] = "i64".into());
        assert!(e.contains("inputs[0].type") && e.contains("u8"), "{e}");
        let e = problem(|v| v["inputs"][0]["type"] = "u8".into());
        assert!(e.contains("inputs[0].scale") && e.contains("\"scale\": [1]"), "{e}");
        let e = problem(|v| v["inputs"][0] = serde_json::json!({"name": "i", "source": "image", "multiple": 0}));
        assert!(e.contains("inputs[0].multiple"), "{e}");
        let e = problem(|v| v["inputs"][0]["source"] = "camera".into());
        assert!(e.contains("inputs"), "{e}");
        let e = problem(|v| v["thresholds"] = serde_json::json!({"score": 2}));
        assert!(e.contains("thresholds.score"), "{e}");
        let e = problem(|v| v["thresholds"] = serde_json::json!({"max_detections": 0}));
        assert!(e.contains("thresholds.max_detections") && e.contains("at least 1"), "{e}");
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
