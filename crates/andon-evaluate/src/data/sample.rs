// SPDX-License-Identifier: MPL-2.0
//! A picture and its labels.

use std::path::PathBuf;

use andon_core::result::Verdict;

/// A picture and its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Unique in the set: the path below the set without the extension, or the ID of the board (DeepPCB).
    pub id: String,
    /// Pictures that belong together in time or make: the first five characters of the ID (DeepPCB), else the SKU, the
    /// class folder, or the part.
    pub group: String,
    /// The part that the picture shows.
    pub part: SamplePart,
    /// The file of the picture, a PNG or JPEG by its name.
    pub image: PathBuf,
    /// The golden template, if the set has one.
    pub template: Option<PathBuf>,
    /// The verdict, if the set says one. A box makes the picture ng, an empty list of boxes makes it ok.
    pub verdict: Option<Verdict>,
    /// The labelled boxes, or None if the set says nothing about boxes in this picture.
    pub boxes: Option<Vec<LabelledBox>>,
    /// The class of the picture as a whole.
    pub class: Option<String>,
    /// A PNG of the size of the picture, not 0 at defects; None for good pictures.
    pub mask: Option<PathBuf>,
}

/// A view of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplePart {
    /// Unique among the parts of the set.
    pub id: String,
    /// The product; empty if the set does not say it.
    pub sku: String,
    /// The number of the view, from 0.
    pub view: u32,
    /// How many views the part has.
    pub views: u32,
}

/// A labelled box of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBox {
    /// The label.
    pub label: String,
    /// Left, top, width, height in pixels of the picture; width and height are more than 0.
    pub bbox: [f64; 4],
    /// Whether the box is a crowd, as COCO calls it: detections on it count neither as right nor as wrong.
    pub crowd: bool,
}

impl Sample {
    /// A picture without labels that is a part and a group of its own.
    pub(super) fn alone(id: String, image: PathBuf) -> Self {
        let part = SamplePart { id: id.clone(), sku: String::new(), view: 0, views: 1 };
        let group = id.clone();
        Self { id, group, part, image, template: None, verdict: None, boxes: None, class: None, mask: None }
    }

    /// Returns the sample with these boxes, and the verdict that follows from them.
    pub(super) fn with_boxes(self, boxes: Vec<LabelledBox>) -> Self {
        let verdict = if boxes.is_empty() { Verdict::Ok } else { Verdict::Ng };
        Self { boxes: Some(boxes), verdict: Some(verdict), ..self }
    }
}

/// Returns left, top, width, height as they are, or what is wrong with them.
pub(super) fn checked(bbox: [f64; 4]) -> Result<[f64; 4], String> {
    let [x, y, w, h] = bbox;
    // NaN compares as false.
    let whole = bbox.iter().all(|v| v.is_finite()) && x >= 0.0 && y >= 0.0 && w > 0.0 && h > 0.0;
    let wrong = || format!("no box: left {x}, top {y}, width {w}, height {h}; correct the label or take it out");
    if whole { Ok(bbox) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_that_make_no_box_are_told() {
        assert_eq!(checked([0.0, 1.0, 2.0, 3.0]).unwrap(), [0.0, 1.0, 2.0, 3.0]);
        for bbox in [[-1.0, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 2.0, -1.0], [f64::NAN, 0.0, 1.0, 1.0]] {
            assert!(checked(bbox).unwrap_err().contains("no box"));
        }
        assert!(checked([0.0, 0.0, f64::INFINITY, 1.0]).is_err());
    }
}
