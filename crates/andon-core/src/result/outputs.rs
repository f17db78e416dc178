// SPDX-License-Identifier: MPL-2.0
//! What a model finds in a frame: boxes, masks, classes, maps, tensors.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A box in pixels of the frame: left, top, width, height.
pub type BoxPx = [f32; 4];

/// Returns the intersection over union of two boxes, 0 if both are empty.
pub fn iou(a: &BoxPx, b: &BoxPx) -> f32 {
    let w = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    let h = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    let inter = w.max(0.0) * h.max(0.0);
    let union = a[2] * a[3] + b[2] * b[3] - inter;
    if union > 0.0 { inter / union } else { 0.0 }
}

/// One thing that a model found in a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Index of the label in the model's list of labels.
    pub class: u32,
    /// The label itself.
    pub label: Arc<str>,
    /// Confidence, 0..1.
    pub score: f32,
    /// The box, in pixels of [`Inference::frame`](super::Inference::frame); an oriented box before its rotation.
    #[serde(rename = "box")]
    pub bbox: BoxPx,
    /// The rotation of an oriented box about the centre of `bbox`, radians clockwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub angle: Option<f32>,
    /// The pixels of the detection, if the model segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Arc<Mask>>,
}

impl Detection {
    /// Makes a detection with an upright box.
    pub fn new(class: u32, label: Arc<str>, score: f32, bbox: BoxPx) -> Self {
        Self { class, label, score, bbox, angle: None, mask: None }
    }

    /// Returns the smallest upright box around the detection, whatever its angle.
    pub fn upright(&self) -> BoxPx {
        let Some(angle) = self.angle else { return self.bbox };
        let [x, y, w, h] = self.bbox;
        let (sin, cos) = (angle.sin().abs(), angle.cos().abs());
        let (across, down) = (w * cos + h * sin, w * sin + h * cos);
        [x + (w - across) / 2.0, y + (h - down) / 2.0, across, down]
    }
}

/// A grid of yes or no at the model's resolution, and the region of the frame that it covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mask {
    /// Number of columns.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
    /// The region that the mask covers, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// One value a cell, 0 or 1, row-major. JSON leaves them out, for there are too many.
    #[serde(skip)]
    pub values: Arc<[u8]>,
}

/// The label of each cell of a grid at the model's resolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segmentation {
    /// Number of columns.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
    /// The region that the map covers, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// The area of each label, largest first, without labels that cover nothing.
    #[serde(rename = "shares")]
    pub areas: Vec<LabelArea>,
    /// One index of a label a cell, row-major. JSON leaves them out, for there are too many.
    #[serde(skip)]
    pub classes: Arc<[u16]>,
}

/// How much of the frame one label covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelArea {
    /// Index of the label in the model's list of labels.
    pub class: u32,
    /// The label itself.
    pub label: Arc<str>,
    /// The fraction of the frame, 0..1.
    #[serde(rename = "share")]
    pub area: f32,
}

/// An output of the graph as it is, for applications that decode it themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawTensor {
    /// The output's name in the graph.
    pub name: String,
    /// The length of each axis, the batch axis included.
    pub shape: Vec<i64>,
    /// The element type: `f32`, `f16`, `f64`, `i64`, `i32`, `u8`, `i8` or `bool`.
    #[serde(rename = "type")]
    pub element: Arc<str>,
    /// The elements in the machine's byte order. JSON leaves them out.
    #[serde(skip)]
    pub bytes: Arc<[u8]>,
}

/// One label and its score, from a model that judges the frame as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Index of the label in the model's list of labels.
    pub class: u32,
    /// The label itself.
    pub label: Arc<str>,
    /// Confidence, 0..1.
    pub score: f32,
}

/// How far the frame deviates from what is normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The score of the whole frame, 0..1 by the model's own normalisation.
    pub score: f32,
    /// A score per cell, if the model localises anomalies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<AnomalyMap>,
    /// The cells that the model itself calls anomalous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Arc<Mask>>,
}

/// A grid of scores at the model's resolution, and the region of the frame that it covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyMap {
    /// Number of columns.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
    /// The region that the map covers, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: BoxPx,
    /// One score a cell, row-major. JSON leaves them out, for there are too many.
    #[serde(skip)]
    pub values: Arc<[f32]>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
