// SPDX-License-Identifier: MPL-2.0
//! A corrected COCO file: checked as a whole, and read for which images have a box left.

use std::collections::{HashMap, HashSet};

use gstandon::result::Verdict;
use serde::Deserialize;
use serde_json::Value;

use super::{Read, Seen};
use crate::dataset::export::DESCRIPTION;

/// Pixels that a box may lie over the edge: tools round.
const OVER: f64 = 1.0;

#[derive(Deserialize)]
struct Coco {
    #[serde(default)]
    info: Value,
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    width: f64,
    height: f64,
}

#[derive(Deserialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
}

#[derive(Deserialize)]
struct Category {
    id: u64,
}

/// What it says of every capture in it: whoever exports it has looked at all of them.
pub fn read(text: &[u8]) -> Result<Read, String> {
    let coco: Coco = serde_json::from_slice(text).map_err(|e| format!("no COCO file of boxes: {e}"))?;
    if coco.info["description"] == DESCRIPTION {
        return Err("this is what andon dataset export wrote, opinions of models: \
                    export it from the annotation tool once it has been looked at"
            .into());
    }
    let with_boxes = coco.check()?;
    let mut read = Read::default();
    for image in coco.images {
        if let Some(name) = read.ours(&image.file_name) {
            let verdict = if with_boxes.contains(&image.id) { Verdict::Ng } else { Verdict::Ok };
            read.seen.push(Seen { name, part: None, verdict });
        }
    }
    Ok(read)
}

impl Coco {
    /// The images that have a box; or what is amiss.
    fn check(&self) -> Result<HashSet<u64>, String> {
        let mut images = HashMap::new();
        for image in &self.images {
            if images.insert(image.id, image).is_some() {
                return Err(format!("two images have the id {}", image.id));
            }
        }
        let categories: HashSet<_> = self.categories.iter().map(|c| c.id).collect();
        let (mut ids, mut with_boxes) = (HashSet::new(), HashSet::new());
        for a in &self.annotations {
            let of = |what: &str| format!("annotation {}: {what}", a.id);
            if !ids.insert(a.id) {
                return Err(of("another one has the same id"));
            }
            let image = images.get(&a.image_id).ok_or_else(|| of(&format!("there is no image {}", a.image_id)))?;
            if !categories.contains(&a.category_id) {
                return Err(of(&format!("there is no category {}", a.category_id)));
            }
            let [x, y, w, h] = a.bbox;
            let within = x >= -OVER && y >= -OVER && x + w <= image.width + OVER && y + h <= image.height + OVER;
            if !(w > 0.0 && h > 0.0 && within) {
                return Err(of(&format!(
                    "its box {:?} is not within {} × {} pixels",
                    a.bbox, image.width, image.height
                )));
            }
            with_boxes.insert(a.image_id);
        }
        Ok(with_boxes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(change: impl FnOnce(&mut Value)) -> Result<Read, String> {
        let stem = "0123456789abcdef0123456789abcdef-00000012-000003-ng";
        let image = |id, name: &str| json!({"id": id, "file_name": name, "width": 100, "height": 50});
        let mut coco = json!({
            "info": {"description": ""},
            "images": [image(1, &format!("{stem}.png")), image(2, &format!("{}.png", stem.replace("12", "13"))), image(3, "cat.png")],
            "categories": [{"id": 1, "name": "open"}],
            "annotations": [{"id": 1, "image_id": 2, "category_id": 1, "bbox": [1, 1, 9, 9]}]
        });
        change(&mut coco);
        read(coco.to_string().as_bytes())
    }

    #[test]
    fn a_capture_with_a_box_left_is_ng_and_other_peoples_images_are_named() {
        let read = file(|_| ()).unwrap();
        assert_eq!(read.seen.iter().map(|s| s.verdict).collect::<Vec<_>>(), [Verdict::Ok, Verdict::Ng]);
        assert_eq!((read.foreign.total, &read.foreign.first[0][..]), (1, "cat.png"));
    }

    #[test]
    fn what_does_not_hold_together_is_told() {
        let told = |told: &str, change: fn(&mut Value)| {
            let error = file(change).map(drop).unwrap_err();
            assert!(error.contains(told), "{error}");
        };
        told("no image 9", |c| c["annotations"][0]["image_id"] = json!(9));
        told("no category 9", |c| c["annotations"][0]["category_id"] = json!(9));
        told("is not within 100 × 50 pixels", |c| c["annotations"][0]["bbox"] = json!([95, 1, 9, 9]));
        told("two images have the id 1", |c| c["images"][1]["id"] = json!(1));
        told("opinions of models", |c| c["info"]["description"] = json!(DESCRIPTION));
    }
}
