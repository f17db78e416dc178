// SPDX-License-Identifier: MPL-2.0
//! How families were trained to see pictures: docs/models.md has the same as a table, with the sources.

use andon_model::{Align, Colour, Decoder, Interpolation, Layout, Resize, Rounding, tensor_name};

use super::graph::Graph;

/// Mean and standard deviation of ImageNet's pixels, 0..255, by which many backbones were trained; red, green, blue.
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
const DEVIATION: [f32; 3] = [58.395, 57.12, 57.375];

/// The numbers that a model takes for pixel values of 0..255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Range {
    /// 0..1.
    Unit,
    /// 0..255.
    Bytes,
    /// -1..1.
    Signed,
    /// 16..235, as video has them.
    Video,
    /// ImageNet's mean taken off, and divided by its deviation.
    ImageNet,
}

impl Range {
    /// The fields `mean` and `scale`, for channels in that order.
    pub(super) fn fields(self, colour: Colour) -> (Vec<f32>, Vec<f32>) {
        let mut of = match self {
            Range::Unit => return (vec![0.0], vec![1.0 / 255.0]),
            Range::Bytes => return (vec![0.0], vec![1.0]),
            Range::Signed => return (vec![127.5], vec![1.0 / 127.5]),
            Range::Video => return (vec![-16.0 * 255.0 / 219.0], vec![219.0 / 255.0]),
            Range::ImageNet => (MEAN.to_vec(), DEVIATION.map(|d| 1.0 / d).to_vec()),
        };
        if colour == Colour::Bgr {
            of.0.reverse();
            of.1.reverse();
        }
        of
    }
}

/// What of a recipe the family's authors leave open, so that it is a guess for a file that does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// Nothing.
    Nothing,
    /// How the frame is resized.
    Resize,
    /// Resize, range and colour.
    All,
}

/// How a family sees a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// Whose recipe it is, for the reason of an assumption.
    pub whose: &'static str,
    pub colour: Colour,
    pub range: Range,
    pub resize: Resize,
    pub align: Align,
    pub rounding: Rounding,
    pub interpolation: Interpolation,
    /// For a crop: the shorter side, as a multiple of the size.
    pub shorter: f64,
    /// Whether the graph resizes by itself, so that an open size is the frame's, pixel for pixel.
    pub any_size: bool,
    pub open: Open,
}

/// 0..1 in RGB, stretched: nobody's.
const PLAIN: Recipe = Recipe {
    whose: "as many are trained",
    colour: Colour::Rgb,
    range: Range::Unit,
    resize: Resize::Stretch,
    align: Align::Centre,
    rounding: Rounding::Nearest,
    interpolation: Interpolation::Bilinear,
    shorter: 1.0,
    any_size: false,
    open: Open::All,
};

/// Ultralytics' `LetterBox`, and YOLOv7's.
const LETTERBOX: Recipe =
    Recipe { whose: "as Ultralytics and YOLOv7 do", resize: Resize::Letterbox, open: Open::Nothing, ..PLAIN };

/// Ultralytics' `classify_transforms`.
const CLASSIFY: Recipe = Recipe {
    whose: "as Ultralytics does",
    resize: Resize::Crop,
    interpolation: Interpolation::Antialias,
    open: Open::Nothing,
    ..PLAIN
};

/// YOLOX' `preproc`, since 0.2.
const YOLOX: Recipe = Recipe {
    whose: "as YOLOX does",
    colour: Colour::Bgr,
    range: Range::Bytes,
    align: Align::TopLeft,
    rounding: Rounding::Down,
    ..LETTERBOX
};

/// RT-DETR's, D-FINE's and DEIM's `Resize` of pictures to a square; DEIMv2 with DINOv3 takes ImageNet's numbers.
const RTDETR: Recipe = Recipe {
    whose: "as RT-DETR, D-FINE and DEIM do; DEIMv2 on DINOv3 takes ImageNet's mean and deviation",
    interpolation: Interpolation::Antialias,
    ..PLAIN
};

/// `RTDetrImageProcessor` of transformers; its Deformable DETR takes ImageNet's numbers.
const RTDETR_TRANSFORMERS: Recipe = Recipe {
    whose: "as transformers does for RT-DETR and D-FINE; for Deformable DETR it takes ImageNet's mean and deviation",
    ..RTDETR
};

/// Ultralytics' RT-DETR: `scale_fill`.
const RTDETR_ULTRALYTICS: Recipe = Recipe { whose: "as Ultralytics does for RT-DETR", open: Open::Nothing, ..PLAIN };

/// RF-DETR's `predict`.
const RFDETR: Recipe = Recipe {
    whose: "as RF-DETR does",
    range: Range::ImageNet,
    interpolation: Interpolation::Antialias,
    open: Open::Nothing,
    ..PLAIN
};

/// `DetrImageProcessor`: the sides keep their ratio there, which a fixed input does not let them.
const DETR: Recipe =
    Recipe { whose: "DETR itself keeps the ratio of the sides in an input of any size", open: Open::Resize, ..RFDETR };

/// torchvision's `GeneralizedRCNNTransform`: it normalises and resizes in the graph.
const TORCHVISION: Recipe =
    Recipe { whose: "torchvision's detectors take any size", any_size: true, open: Open::Resize, ..PLAIN };

/// TensorFlow's Object Detection API: it resizes in the graph.
const TENSORFLOW: Recipe = Recipe { whose: "TensorFlow's detectors resize in the graph", any_size: true, ..PLAIN };

/// mmdetection's pipeline of RTMDet.
const RTMDET: Recipe = Recipe {
    whose: "as mmdetection does for RTMDet; others of its models take rgb",
    colour: Colour::Bgr,
    range: Range::ImageNet,
    resize: Resize::Letterbox,
    align: Align::TopLeft,
    ..PLAIN
};

/// PaddleDetection's reader of PicoDet; PP-YOLOE+ takes 0..1.
const PADDLE: Recipe = Recipe {
    whose: "as PaddleDetection does for PicoDet; for PP-YOLOE+ it takes 0..1",
    range: Range::ImageNet,
    ..PLAIN
};

/// Azure Custom Vision's sample: Pillow's `resize`, and 0..1 unless the standard notes say otherwise.
const CUSTOM_VISION: Recipe = Recipe {
    whose: "as Azure Custom Vision does",
    interpolation: Interpolation::Antialias,
    open: Open::Nothing,
    ..PLAIN
};

/// anomalib from version 1 on: its transforms, normalisation among them, are in the graph.
const ANOMALIB: Recipe = Recipe { whose: "as anomalib does", open: Open::Nothing, ..PLAIN };

/// The recipe of torchvision's weights and of timm's: 256 to 224.
const CLASSIFIER: Recipe = Recipe {
    whose: "as torchvision, timm and most of Hugging Face do",
    range: Range::ImageNet,
    resize: Resize::Crop,
    interpolation: Interpolation::Antialias,
    shorter: 8.0 / 7.0,
    ..PLAIN
};

/// Networks on backbones that were trained on ImageNet.
const BACKBONE: Recipe = Recipe {
    whose: "as torchvision, mmsegmentation and segmentation_models_pytorch do",
    range: Range::ImageNet,
    ..PLAIN
};

/// The recipe of a graph whose outputs `decoder` reads, with an image of that layout and so many channels.
pub(super) fn of(graph: &Graph, decoder: Decoder, layout: Layout, grey: bool) -> Recipe {
    let output = |names: &[&str]| graph.outputs.iter().find(|o| names.contains(&tensor_name(&o.name)));
    let input = |name: &str| graph.inputs.iter().any(|i| i.name == name);
    let ultralytics = graph.notes.contains_key("task");
    let dets = output(&["dets"]).map(|o| o.shape.last().copied().unwrap_or(-1));
    let found = match decoder {
        _ if input("scale_factor") || input("im_shape") => PADDLE,
        _ if dets == Some(5) => RTMDET,
        Decoder::Yolov5 | Decoder::Yolov8 | Decoder::Yolov7EndToEnd | Decoder::YoloEndToEnd => LETTERBOX,
        Decoder::Yolox => YOLOX,
        Decoder::Rtdetr if ultralytics => RTDETR_ULTRALYTICS,
        Decoder::Rtdetr if dets.is_some() => RFDETR,
        Decoder::Rtdetr => RTDETR_TRANSFORMERS,
        Decoder::Detr => DETR,
        _ if input("orig_target_sizes") => RTDETR,
        Decoder::Ssd if output(&["detection_boxes"]).is_some() => TENSORFLOW,
        Decoder::Ssd if output(&["detected_boxes"]).is_some() => CUSTOM_VISION,
        Decoder::Ssd if output(&["det_boxes", "num_dets"]).is_some() => Recipe { open: Open::All, ..LETTERBOX },
        Decoder::Ssd if graph.outputs.iter().any(|o| matches!(o.shape[..], [_, 4])) => TORCHVISION,
        Decoder::Anomalib if output(&["pred_score", "anomaly_map"]).is_some() => ANOMALIB,
        Decoder::Classification if ultralytics => CLASSIFY,
        // Keras' exports are of this layout, and their recipes differ from network to network.
        Decoder::Classification | Decoder::Segmentation if layout == Layout::Nhwc || grey => PLAIN,
        Decoder::Classification => CLASSIFIER,
        Decoder::Segmentation if ultralytics => LETTERBOX,
        Decoder::Segmentation => BACKBONE,
        _ => PLAIN,
    };
    // ImageNet's numbers are those of three colours.
    if grey && found.range == Range::ImageNet { Recipe { range: Range::Unit, ..found } } else { found }
}

/// The channels and the range that ONNX's standard notes on images tell (`Image.BitmapPixelFormat` and
/// `Image.NominalPixelRange` of its MetadataProps.md; Azure Custom Vision and WinMLTools write them).
pub(super) fn told(graph: &Graph) -> (Option<Colour>, Option<Range>) {
    let note = |key: &str| graph.notes.get(key).map(String::as_str);
    let colour = match note("Image.BitmapPixelFormat") {
        Some("Rgb8") => Some(Colour::Rgb),
        Some("Bgr8") => Some(Colour::Bgr),
        _ => None,
    };
    let range = match note("Image.NominalPixelRange") {
        Some("NominalRange_0_255") => Some(Range::Bytes),
        Some("Normalized_0_1") => Some(Range::Unit),
        Some("Normalized_1_1") => Some(Range::Signed),
        Some("NominalRange_16_235") => Some(Range::Video),
        _ => None,
    };
    (colour, range)
}
