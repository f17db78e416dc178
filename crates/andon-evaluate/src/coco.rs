// SPDX-License-Identifier: MPL-2.0
//! A COCO file of boxes, checked as a whole: ids and names are unique, nothing points nowhere, boxes lie within images.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

/// What `info.description` says of a file that `andon dataset export` wrote and no one has corrected.
pub const DESCRIPTION: &str = "andon dataset export: opinions of models, not yet looked at";
/// Pixels that a box may lie over the edge: tools round.
const OVER: f64 = 1.0;

/// What is read of the file; the rest is passed over.
#[derive(Deserialize)]
pub struct Coco {
    #[serde(default)]
    info: Value,
    /// The pictures.
    pub images: Vec<Image>,
    /// The boxes.
    pub annotations: Vec<Annotation>,
    /// The labels.
    pub categories: Vec<Category>,
}

/// A picture.
#[derive(Deserialize)]
pub struct Image {
    /// Unique in the file.
    pub id: u64,
    /// Its name, often with folders before it.
    pub file_name: String,
    /// Pixels.
    pub width: f64,
    /// Pixels.
    pub height: f64,
    /// What our own export adds.
    pub andon: Option<Shown>,
}

/// The part that a picture shows.
#[derive(Deserialize)]
pub struct Shown {
    /// Its id, or RUN/FRAME.
    pub part: String,
    /// The product.
    #[serde(default)]
    pub sku: String,
    /// Which view, from 0.
    #[serde(default)]
    pub view: u32,
    /// How many make the part.
    #[serde(default = "one")]
    pub views: u32,
}

fn one() -> u32 {
    1
}

/// A box.
#[derive(Deserialize)]
pub struct Annotation {
    /// Unique in the file.
    pub id: u64,
    /// The picture that it lies in.
    pub image_id: u64,
    /// The label that it has.
    pub category_id: u64,
    /// Left, top, width, height in pixels.
    pub bbox: [f64; 4],
    /// 1 where it is around a crowd.
    #[serde(default)]
    pub iscrowd: u8,
}

/// A label.
#[derive(Deserialize)]
pub struct Category {
    /// Unique in the file, in any order.
    pub id: u64,
    /// Unique in the file, too.
    pub name: String,
}

impl Coco {
    /// Reads and checks it; what is amiss, with the id of what it is about.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let coco: Self = serde_json::from_slice(text).map_err(|e| format!("no COCO file of boxes: {e}"))?;
        coco.check()?;
        Ok(coco)
    }

    /// Whether `andon dataset export` wrote it: models' opinions that nobody has looked at.
    pub fn is_unseen(&self) -> bool {
        self.info["description"] == DESCRIPTION
    }

    fn check(&self) -> Result<(), String> {
        let mut images = HashMap::new();
        for image in &self.images {
            if images.insert(image.id, image).is_some() {
                return Err(format!("two images have the id {}", image.id));
            }
        }
        let (mut categories, mut names) = (HashSet::new(), HashSet::new());
        for Category { id, name } in &self.categories {
            if !categories.insert(*id) {
                return Err(format!("two categories have the id {id}"));
            }
            if !names.insert(name) {
                return Err(format!("category {id}: another one is called '{name}', too"));
            }
        }
        let mut ids = HashSet::new();
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
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(change: impl FnOnce(&mut Value)) -> Result<Coco, String> {
        let image = |id, name: &str| json!({"id": id, "file_name": name, "width": 100, "height": 50});
        let mut coco = json!({
            "images": [image(1, "a.png"), image(2, "b.png")],
            "categories": [{"id": 1, "name": "open"}, {"id": 7, "name": "short", "supercategory": "copper"}],
            "annotations": [{"id": 1, "image_id": 2, "category_id": 7, "bbox": [1, 1, 9, 9], "segmentation": [[1, 1, 9, 1]]},
                            {"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 1, 9, 9], "attributes": {"z": null}}]
        });
        change(&mut coco);
        Coco::parse(coco.to_string().as_bytes())
    }

    #[test]
    fn what_does_not_hold_together_is_told() {
        assert!(file(|_| ()).is_ok());
        let told = |told: &str, change: fn(&mut Value)| {
            let error = file(change).map(drop).unwrap_err();
            assert!(error.contains(told), "{error}");
        };
        told("annotation 1: there is no image 9", |c| c["annotations"][0]["image_id"] = json!(9));
        told("annotation 2: there is no category 9", |c| c["annotations"][1]["category_id"] = json!(9));
        told("annotation 2: another one has the same id", |c| c["annotations"][0]["id"] = json!(2));
        told("is not within 100 × 50 pixels", |c| c["annotations"][0]["bbox"] = json!([95, 1, 9, 9]));
        told("is not within", |c| c["annotations"][0]["bbox"] = json!([5, 1, 0, 9]));
        told("is not within", |c| c["annotations"][0]["bbox"] = json!([5, 1, 9, -9]));
        told("invalid length 3", |c| c["annotations"][0]["bbox"] = json!([5, 1, 9]));
        told("two images have the id 1", |c| c["images"][1]["id"] = json!(1));
        told("two categories have the id 1", |c| c["categories"][1]["id"] = json!(1));
        told("category 7: another one is called 'open'", |c| c["categories"][1]["name"] = json!("open"));
    }

    #[test]
    fn numbers_that_are_none_and_files_that_break_off_are_told_with_their_place() {
        let text = "{\"images\":[],\"categories\":[],\n\"annotations\":[{\"id\":1,\"bbox\":[NaN,1,1,1]}]}";
        for text in [text, &text[..text.len() - 1].replace("NaN", "1")] {
            let error = Coco::parse(text.as_bytes()).map(drop).unwrap_err();
            assert!(error.contains("line 2 column"), "{error}");
        }
    }
}
