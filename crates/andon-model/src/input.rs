// SPDX-License-Identifier: MPL-2.0
//! What `model.json` says of the graph's inputs.

use andon_core::{result::bounds::FIELD_VALUES, text::check_name};
use serde::{Deserialize, Deserializer, Serialize};

use super::{FieldError, Pattern};

/// The largest side of an image input, pixels. A larger one is most likely a mistake.
const MAX_SIDE: u32 = 16_384;

/// The order of a tensor's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// Batch, channels, rows, columns: one plane per channel.
    #[default]
    #[serde(rename = "NCHW")]
    Nchw,
    /// Batch, rows, columns, channels: one pixel after the other.
    #[serde(rename = "NHWC")]
    Nhwc,
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElementType {
    /// 32-bit float.
    #[default]
    #[serde(rename = "f32")]
    F32,
    /// 16-bit float.
    #[serde(rename = "f16")]
    F16,
    /// 64-bit float, for fields only.
    #[serde(rename = "f64")]
    F64,
    /// 8-bit integer, 0..255. `"scale": [1]` passes pixel values on unchanged.
    #[serde(rename = "u8")]
    U8,
    /// 8-bit integer, -128..127. `"mean": [128], "scale": [1]` passes pixel values on, shifted.
    #[serde(rename = "i8")]
    I8,
    /// 32-bit integer, for fields only.
    #[serde(rename = "i32")]
    I32,
    /// 64-bit integer, for fields only.
    #[serde(rename = "i64")]
    I64,
    /// True or false, for fields only.
    #[serde(rename = "bool")]
    Bool,
}

/// The channels of an image, and their order.
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

/// How the frame is resized to the model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Scales both sides alike until the frame fits, and pads the rest; see [`Align`].
    #[default]
    Letterbox,
    /// Scales each side by itself.
    Stretch,
    /// Scales both sides alike until the frame covers the input, or until its shorter side is [`Input::shorter_side`], and
    /// cuts off what is left over at both ends.
    Crop,
}

/// Where a letterbox puts the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Align {
    /// In the middle; an odd pixel of padding goes to the right and the bottom, as Ultralytics' `LetterBox` does it.
    #[default]
    Centre,
    /// In the top left corner, as YOLOX' `preproc` and mmcv's and PaddleDetection's padding do it.
    TopLeft,
}

/// How a number of pixels with a fraction becomes a whole one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the nearest, half to even, as Python's `round`: Ultralytics' `LetterBox`, torchvision's `CenterCrop`.
    #[default]
    Nearest,
    /// Down, as Python's `int`: YOLOX' `preproc`, the `center_crop` of Hugging Face's transformers.
    Down,
}

/// The order of the two numbers of a `frame-size`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SizeOrder {
    /// Width, height: the `orig_target_sizes` of RT-DETR, D-FINE and DEIM.
    #[default]
    Wh,
    /// Height, width: PaddleDetection's `im_shape`.
    Hw,
}

/// How pixels are computed between the samples of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Interpolates between two samples in each direction, as OpenCV's `INTER_LINEAR`.
    #[default]
    Bilinear,
    /// Averages the area that a pixel covers if the frame shrinks, as OpenCV's `INTER_AREA`.
    Area,
    /// Bilinear with a low-pass: where the frame shrinks, the triangle of weights widens with it, as Pillow's `BILINEAR`,
    /// by which torchvision, timm and Hugging Face resize pictures.
    Antialias,
}

/// What fills an input: the parsed form of the text `source`, see [`Input::source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSource {
    /// The frame.
    Image,
    /// A template from a file: the golden image of the product that the frame shows. [`Input::pattern`] says which file.
    ImageFile,
    /// Width and height of the image tensor, pixels, for detectors that scale their boxes to these; see [`Input::order`].
    FrameSize,
    /// A named field.
    Field(String),
}

/// One input of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The input's name in the graph.
    pub name: String,
    /// What fills the input: `image`, `image-file`, `frame-size` or `field:NAME`.
    pub source: String,
    /// For `image-file`: the path below the element's `image-root`, ending in `.png`. `{NAME}` stands for a value of the
    /// frame's part (`id`, `sku`, `lot`, `station`, `view`, `purpose`) or for a field, as in `{sku}/{view}.png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// For an image: the order of the axes.
    #[serde(default)]
    pub layout: Layout,
    /// The type of the elements.
    #[serde(default, rename = "type")]
    pub element: ElementType,
    /// For an image: the channels.
    #[serde(default)]
    pub colour: Colour,
    /// For an image: how the frame is resized.
    #[serde(default)]
    pub resize: Resize,
    /// For an image: how pixels are interpolated.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// For a letterbox: where the frame lies in it.
    #[serde(default)]
    pub align: Align,
    /// For a letterbox: how the frame's scaled sides become whole. For a crop without `shorter_side` the same; with it, how
    /// the place of the middle does.
    #[serde(default)]
    pub rounding: Rounding,
    /// For a crop: the shorter side is scaled to so many pixels and the longer alike, rounded down; of that the middle is
    /// taken, as torchvision's `Resize(n)` and `CenterCrop(size)`. The default scales no more than `size` needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_side: Option<u32>,
    /// For a letterbox: the padding, one pixel value, or one per channel, 0..255. A number or an array, as `mean` and
    /// `scale`.
    #[serde(default = "pad", deserialize_with = "one_or_more")]
    pub pad: Vec<f32>,
    /// For an image: width and height. The default is the graph's; if the graph is open, the frame's size, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// For an image without a size: the frame's sides are rounded up to a multiple of this.
    #[serde(default = "multiple")]
    pub multiple: u32,
    /// Subtracted from the pixel value 0..255: one number, or one per channel.
    #[serde(default = "mean", deserialize_with = "one_or_more")]
    pub mean: Vec<f32>,
    /// Multiplied with the difference: one number, or one per channel.
    #[serde(default = "scale", deserialize_with = "one_or_more")]
    pub scale: Vec<f32>,
    /// For a frame size: the order of its numbers.
    #[serde(default)]
    pub order: SizeOrder,
    /// For a field: the shape, batch axis included. The default is a scalar of shape (1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
    /// For a field: the number or array to use while the field is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// For a field: whether frames without the field stay unjudged.
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

/// Reads a number as a list of one.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number, or an array of numbers, one per channel")]
    enum OneOrMore {
        One(f32),
        More(Vec<f32>),
    }
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::One(number) => vec![number],
        OneOrMore::More(numbers) => numbers,
    })
}

impl Input {
    /// The input of that name and source with the defaults of `model.json`.
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            source: source.into(),
            pattern: None,
            layout: Layout::default(),
            element: ElementType::default(),
            colour: Colour::default(),
            resize: Resize::default(),
            interpolation: Interpolation::default(),
            align: Align::default(),
            rounding: Rounding::default(),
            shorter_side: None,
            pad: pad(),
            size: None,
            multiple: multiple(),
            mean: mean(),
            scale: scale(),
            order: SizeOrder::default(),
            shape: None,
            default: None,
            required: false,
        }
    }

    /// Parses `source`. Returns None if the text is not a source.
    pub fn source(&self) -> Option<InputSource> {
        match self.source.as_str() {
            "image" => Some(InputSource::Image),
            "image-file" => Some(InputSource::ImageFile),
            "frame-size" => Some(InputSource::FrameSize),
            s => s.strip_prefix("field:").filter(|n| !n.is_empty()).map(|n| InputSource::Field(n.into())),
        }
    }

    /// Checks everything that serde cannot.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let bad = |field: &str, problem: String| Err(FieldError::new(field, problem));
        use ElementType::{F16, F32, I8, I32, I64, U8};
        if self.order != SizeOrder::default() && self.source() != Some(InputSource::FrameSize) {
            return bad("order", "is only for the source 'frame-size'".into());
        }
        match self.source() {
            None => bad(
                "source",
                format!("is '{}', must be 'image', 'image-file', 'frame-size' or 'field:NAME'", self.source),
            ),
            Some(InputSource::FrameSize) if !matches!(self.element, F32 | I32 | I64) => {
                bad("type", "a frame size must be i64, i32 or f32".into())
            }
            Some(InputSource::FrameSize) => Ok(()),
            Some(InputSource::Field(name)) => {
                check_name(&name).or_else(|why| bad("source", format!("the name of the field {why}")))?;
                if self.default.is_none() && !self.required {
                    return bad("default", "is missing: give a default, or write \"required\": true".into());
                }
                if self.shape.as_ref().is_some_and(|s| s.contains(&0)) {
                    return bad("shape", "has an axis of length 0".into());
                }
                let numbers = self.shape.iter().flatten().try_fold(1_usize, |n, side| n.checked_mul(*side));
                if numbers.is_none_or(|n| n > FIELD_VALUES) {
                    return bad("shape", format!("is of more than {FIELD_VALUES} numbers, the most that fields hold"));
                }
                Ok(())
            }
            Some(source) => {
                match (source == InputSource::ImageFile, &self.pattern) {
                    (true, None) => return bad("pattern", "is missing: give one, as in '{sku}/{view}.png'".into()),
                    (true, Some(pattern)) => {
                        Pattern::parse(pattern).map(drop).or_else(|e| bad("pattern", e.to_string()))?
                    }
                    (false, Some(_)) => return bad("pattern", "is only for the source 'image-file'".into()),
                    (false, None) => {}
                }
                if !matches!(self.element, F32 | F16 | U8 | I8) {
                    return bad("type", "an image input must be f32, f16, u8 or i8".into());
                }
                match self.size {
                    Some([w, h]) if !((1..=MAX_SIDE).contains(&w) && (1..=MAX_SIDE).contains(&h)) => {
                        return bad("size", format!("[{w}, {h}] is not within 1..{MAX_SIDE}"));
                    }
                    None if !(1..=MAX_SIDE).contains(&self.multiple) => {
                        return bad("multiple", format!("is {}, must be within 1..{MAX_SIDE}", self.multiple));
                    }
                    _ => {}
                }
                self.check_resize()?;
                // The default scale is made for floats. It would round every pixel to 0 or 1.
                if matches!(self.element, U8 | I8) && self.scale.iter().any(|s| s.abs() * 255.0 <= 1.0) {
                    return bad("scale", "rounds every pixel to 0 or 1: write \"scale\": [1]".into());
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

    /// Checks that what is said of the resize rule fits it.
    fn check_resize(&self) -> Result<(), FieldError> {
        let bad = |field: &str, problem: String| Err(FieldError::new(field, problem));
        if self.align != Align::default() && self.resize != Resize::Letterbox {
            return bad("align", "is only for the resize 'letterbox'".into());
        }
        if self.rounding != Rounding::default() && self.resize == Resize::Stretch {
            return bad("rounding", "is only for the resize 'letterbox' or 'crop'".into());
        }
        let Some(shorter) = self.shorter_side else { return Ok(()) };
        if self.resize != Resize::Crop {
            return bad(
                "shorter_side",
                "is only for the resize 'crop': write \"resize\": \"crop\", or leave it out".into(),
            );
        }
        let least = self.size.map_or(1, |[w, h]| w.max(h));
        if !(least..=MAX_SIDE).contains(&shorter) {
            return bad(
                "shorter_side",
                format!("is {shorter}, must be within {least}..{MAX_SIDE}: from the longer side of size"),
            );
        }
        Ok(())
    }
}
