// SPDX-License-Identifier: MPL-2.0
//! What a model finds in a frame: boxes, masks, classes, maps, tensors.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
