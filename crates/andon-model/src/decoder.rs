// SPDX-License-Identifier: MPL-2.0
//! How outputs are read: the decoders, and what each of them can be told.

use serde::{Deserialize, Serialize};

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
    pub(super) fn needs_labels(self) -> bool {
        !matches!(self, Decoder::Anomalib | Decoder::Embedding | Decoder::Raw)
    }

    /// The heads it can read.
    pub(super) fn heads(self) -> &'static [Head] {
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

/// An output's name without what TensorFlow adds: `detection_boxes:0` is `detection_boxes`.
pub fn plain(name: &str) -> &str {
    name.strip_suffix(":0").unwrap_or(name)
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
    pub(super) fn of(name: &str, decoder: Decoder) -> Option<Self> {
        Some(match (decoder, plain(name)) {
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
