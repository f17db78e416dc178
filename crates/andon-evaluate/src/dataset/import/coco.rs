// SPDX-License-Identifier: MPL-2.0
//! A corrected COCO file: which images have a box left.

use std::collections::HashSet;

use andon_core::result::Verdict;

use super::{CorrectedFrame, Corrections, Error};
use crate::coco::Coco;

/// Returns the label of every capture in the file: people looked at all of them before they exported it.
pub(super) fn parse(text: &[u8]) -> Result<Corrections, Error> {
    let coco = Coco::parse(text)?;
    if coco.is_unseen() {
        return Err(Error::Uncorrected);
    }
    let with_boxes: HashSet<_> = coco.annotations.iter().map(|a| a.image_id).collect();
    let mut corrections = Corrections::default();
    for image in coco.images {
        if let Some(name) = corrections.capture(&image.file_name) {
            let verdict = if with_boxes.contains(&image.id) { Verdict::Ng } else { Verdict::Ok };
            corrections.frames.push(CorrectedFrame { name, part: None, verdict });
        }
    }
    Ok(corrections)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::coco::DESCRIPTION;

    fn file(description: &str) -> Result<Corrections, Error> {
        let stem = "0123456789abcdef0123456789abcdef-00000012-000003-ng";
        let image = |id, name: &str| json!({"id": id, "file_name": name, "width": 100, "height": 50});
        let coco = json!({
            "info": {"description": description},
            "images": [image(1, &format!("{stem}.png")), image(2, &format!("{}.png", stem.replace("12", "13"))), image(3, "cat.png")],
            "categories": [{"id": 1, "name": "open"}],
            "annotations": [{"id": 1, "image_id": 2, "category_id": 1, "bbox": [1, 1, 9, 9]}]
        });
        parse(coco.to_string().as_bytes())
    }

    #[test]
    fn a_capture_with_a_box_left_is_ng_and_other_peoples_images_are_named() {
        let read = file("").unwrap();
        assert_eq!(read.frames.iter().map(|s| s.verdict).collect::<Vec<_>>(), [Verdict::Ok, Verdict::Ng]);
        assert_eq!((read.foreign.total, &read.foreign.first[0][..]), (1, "cat.png"));
    }

    #[test]
    fn what_no_one_has_corrected_is_refused() {
        let error = file(DESCRIPTION).unwrap_err().to_string();
        assert!(error.contains("detections of models"), "{error}");
    }
}
