// SPDX-License-Identifier: MPL-2.0
//! What `model.json` says of the graph's inputs.

use serde::{Deserialize, Serialize};

use super::Pattern;

/// The largest side of a model's image input that is taken for meant, pixels.
const MOST_PIXELS: u32 = 16_384;

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

impl Input {
    pub(super) fn check(&self) -> Result<(), (String, String)> {
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
