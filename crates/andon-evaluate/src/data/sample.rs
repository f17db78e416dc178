// SPDX-License-Identifier: MPL-2.0
//! A picture and what is said of it.

use std::path::PathBuf;

use andon_core::result::Verdict;
use anyhow::{Result, ensure};

/// A picture and what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Unique in the set: the path below it without the kind of file, of DeepPCB the board's ID.
    pub id: String,
    /// What belongs together in time or make: of DeepPCB the first five characters of the ID; else the SKU, or the class
    /// folder, or the part.
    pub group: String,
    /// The part that it shows.
    pub part: SamplePart,
    /// The picture, a PNG or JPEG by its name.
    pub image: PathBuf,
    /// Its golden template, where the set has one.
    pub template: Option<PathBuf>,
    /// What it is, where the set tells; boxes make it ng, an empty list of them ok.
    pub verdict: Option<Verdict>,
    /// What is where; none where the set says nothing of boxes in this picture.
    pub boxes: Option<Vec<Labelled>>,
    /// Of the picture as a whole.
    pub class: Option<String>,
    /// A PNG of the picture's size, not 0 where the defect is; good pictures have none.
    pub mask: Option<PathBuf>,
}

/// One view of one part.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplePart {
    /// Unique among the parts of the set.
    pub id: String,
    /// The product; empty where the set does not tell.
    pub sku: String,
    /// Which view this is, from 0.
    pub view: u32,
    /// How many views make the part.
    pub views: u32,
}

/// A labelled box.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// Of what.
    pub label: String,
    /// Left, top, width, height in pixels of the picture; the last two are more than 0.
    pub bbox: [f64; 4],
    /// A crowd, as COCO calls it: detections on it count neither as right nor as wrong.
    pub crowd: bool,
}

impl Sample {
    /// A picture that is a part and a group of its own, and of which nothing is said yet.
    pub fn alone(id: String, image: PathBuf) -> Self {
        let part = SamplePart { id: id.clone(), sku: String::new(), view: 0, views: 1 };
        let group = id.clone();
        Self { id, group, part, image, template: None, verdict: None, boxes: None, class: None, mask: None }
    }

    /// The same with these boxes, and the verdict that follows from them.
    pub fn with_boxes(self, boxes: Vec<Labelled>) -> Self {
        let verdict = if boxes.is_empty() { Verdict::Ok } else { Verdict::Ng };
        Self { boxes: Some(boxes), verdict: Some(verdict), ..self }
    }
}

/// Left, top, width, height; or what is wrong with them.
pub fn checked(bbox: [f64; 4]) -> Result<[f64; 4]> {
    let [x, y, w, h] = bbox;
    // Numbers that are none compare as false.
    let whole = bbox.iter().all(|v| v.is_finite()) && x >= 0.0 && y >= 0.0 && w > 0.0 && h > 0.0;
    ensure!(whole, "no box: left {x}, top {y}, width {w}, height {h}; correct the label or take it out");
    Ok(bbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_that_make_no_box_are_told() {
        assert_eq!(checked([0.0, 1.0, 2.0, 3.0]).unwrap(), [0.0, 1.0, 2.0, 3.0]);
        for bbox in [[-1.0, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 2.0, -1.0], [f64::NAN, 0.0, 1.0, 1.0]] {
            assert!(checked(bbox).unwrap_err().to_string().contains("no box"));
        }
        assert!(checked([0.0, 0.0, f64::INFINITY, 1.0]).is_err());
    }
}
