// SPDX-License-Identifier: MPL-2.0
//! How outputs are decoded: tasks, decoders, and the options that each decoder has.

use serde::{Deserialize, Serialize};

use super::Activation;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Boxes with labels.
    Detection,
    /// A label for the whole frame.
    Classification,
    /// A score of how far the frame deviates from what is normal.
    Anomaly,
    /// A label for every pixel.
    Segmentation,
    /// A vector to compare with other vectors.
    Embedding,
    /// Anything else: an application reads the outputs.
    Other,
}

/// How outputs are decoded. Shapes are those of one frame. L is the number of labels, N the number of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// YOLOv5 and YOLOv7: (1, N, 5+L): cx, cy, w, h in pixels of the model's input, an objectness score, and a score per
    /// label. Of one label the objectness score stands alone, for neither trains the label's. Heads: detect, segment.
    Yolov5,
    /// YOLOv8, 9, 11, 12: (1, 4+L, N) or transposed: cx, cy, w, h in pixels of the model's input, then a score per
    /// label. Heads: detect, segment, oriented.
    Yolov8,
    /// YOLOv7 that suppresses overlapping boxes itself: (N, 7): frame, corners, label, score.
    Yolov7EndToEnd,
    /// YOLOv10 and YOLO26: (1, N, 6): corners, score, label, without suppression. Heads: detect, segment, oriented.
    YoloEndToEnd,
    /// YOLOX: (1, N, 5+L) in cells of grids of strides 8, 16 and 32, or in pixels if `grid` is false.
    Yolox,
    /// YOLOv2 before its boxes are worked out, as Custom Vision exports it: (1, (5+L)·A, h, w) for A `anchors`.
    Yolov2,
    /// A set of outputs for boxes, scores, perhaps labels, their count and masks: graphs that suppress overlapping boxes
    /// themselves (SSD of TensorFlow and torchvision, EfficientNMS, mmdetection, Custom Vision, RT-DETR as its authors export
    /// it), or, with `suppress`, that do not.
    Ssd,
    /// PaddleDetection: rows (N, 6) of label, score and corners, and perhaps their count.
    Paddle,
    /// DETR: logits (1, N, L+1), the last for no object, and boxes (1, N, 4). Each box has its best label.
    Detr,
    /// Deformable DETR, RT-DETR, RF-DETR: logits (1, N, L) with independent scores, and boxes (1, N, 4); also (1, N, 4+L) and
    /// (1, N, 6) as Ultralytics exports them. Heads: detect, segment.
    Rtdetr,
    /// (1, L): a score per label.
    Classification,
    /// (1, L, h, w): a score per label and pixel; (1, h, w) of integers: labels; (1, 1, h, w): the score of the last label.
    Segmentation,
    /// By output name: `pred_score`, `pred_label`, `anomaly_map`, `pred_mask`.
    Anomalib,
    /// (1, D): a vector.
    Embedding,
    /// Outputs are passed on as they are.
    Raw,
}

impl Decoder {
    /// Returns the task of models with this decoder, or None if it fits any task.
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

    /// Returns whether the decoder needs labels.
    pub(super) fn needs_labels(self) -> bool {
        !matches!(self, Decoder::Anomalib | Decoder::Embedding | Decoder::Raw)
    }

    /// Returns the heads that the decoder can read.
    pub(super) fn heads(self) -> &'static [Head] {
        match self {
            Decoder::Yolov8 | Decoder::YoloEndToEnd => &[Head::Detect, Head::Segment, Head::Oriented],
            Decoder::Yolov5 | Decoder::Rtdetr | Decoder::Ssd => &[Head::Detect, Head::Segment],
            _ => &[Head::Detect],
        }
    }

    /// Returns the activations that the decoder can apply.
    pub(super) fn activations(self) -> &'static [Activation] {
        match self {
            Decoder::Classification | Decoder::Segmentation | Decoder::Ssd | Decoder::Rtdetr => {
                &[Activation::None, Activation::Softmax, Activation::Sigmoid]
            }
            // Their graphs give scores already, and saying so is no mistake.
            _ => &[Activation::None],
        }
    }

    /// Returns whether the decoder reads a class 0 that is the background.
    pub(super) fn reads_background(self) -> bool {
        matches!(self, Decoder::Ssd | Decoder::Detr | Decoder::Rtdetr)
    }
}

/// What a detector gives beside an upright box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Nothing else.
    #[default]
    Detect,
    /// A mask, as weights of prototype masks that a second output holds.
    Segment,
    /// A rotation.
    Oriented,
}

/// What the four numbers of a box mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoxForm {
    /// Left, top, right, bottom in pixels of the model's input.
    Corners,
    /// Left, top, right, bottom, 0..1 of the model's input.
    CornersNormalised,
    /// Top, left, bottom, right, 0..1 of the model's input, as in TensorFlow.
    CornersYFirstNormalised,
    /// Centre, width, height in pixels of the model's input.
    Centre,
    /// Centre, width, height, 0..1 of the model's input.
    CentreNormalised,
}

/// Returns a tensor's name without the suffix that TensorFlow adds: `detection_boxes` for `detection_boxes:0`.
pub fn tensor_name(name: &str) -> &str {
    name.strip_suffix(":0").unwrap_or(name)
}

/// Which of its decoder's outputs an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The only output, for decoders that read one.
    Main,
    /// Boxes.
    Boxes,
    /// Scores, or logits of labels.
    Scores,
    /// Indices of labels.
    Labels,
    /// How many boxes are valid.
    Count,
    /// Masks, or prototypes of masks.
    Masks,
    /// A map of anomaly scores.
    Map,
}

impl Role {
    /// Derives the role from the names that exporters give to outputs.
    pub fn of(name: &str, decoder: Decoder) -> Option<Self> {
        Some(match (decoder, tensor_name(name)) {
            (Decoder::Anomalib, "pred_score") => Role::Scores,
            (Decoder::Anomalib, "pred_label") => Role::Labels,
            (Decoder::Anomalib, "anomaly_map") => Role::Map,
            (Decoder::Anomalib, "pred_mask") => Role::Masks,
            (
                Decoder::Ssd | Decoder::Detr | Decoder::Rtdetr,
                "detection_boxes" | "detected_boxes" | "det_boxes" | "boxes" | "dets" | "pred_boxes",
            ) => Role::Boxes,
            (Decoder::Ssd, "detection_scores" | "detected_scores" | "det_scores" | "scores" | "pred_scores") => {
                Role::Scores
            }
            (
                Decoder::Ssd,
                "detection_classes" | "detected_classes" | "det_classes" | "labels" | "classes" | "pred_classes",
            ) => Role::Labels,
            (Decoder::Ssd, "num_detections" | "num_dets" | "num_predictions" | "count") => Role::Count,
            (Decoder::Ssd, "detection_masks") => Role::Masks,
            (Decoder::Detr | Decoder::Rtdetr, "logits" | "pred_logits" | "labels" | "scores" | "pred_scores") => {
                Role::Scores
            }
            (_, "masks" | "pred_masks" | "proto" | "protos") => Role::Masks,
            _ => return None,
        })
    }
}
