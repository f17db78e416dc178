// SPDX-License-Identifier: MPL-2.0
//! A COCO file of boxes, checked as a whole: ids and names are unique, all references exist, boxes lie within images.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

/// What `info.description` says of a file that `andon dataset export` wrote and no one has corrected.
pub(crate) const DESCRIPTION: &str = "andon dataset export: opinions of models, not yet looked at";
/// How far a box may lie over the edge, pixels: tools round.
const OVER: f64 = 1.0;

/// Why a COCO file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not JSON, or lacks a key of a COCO file.
    #[error("no COCO file of boxes: {0}")]
    Json(serde_json::Error),
    /// The file does not hold together; the message has the id of the image, annotation or category.
    #[error("{0}")]
    Inconsistent(String),
}

/// The keys of the file that a reader needs.
#[derive(Deserialize)]
pub(crate) struct Coco {
    #[serde(default)]
    info: Value,
    /// The images.
    pub(crate) images: Vec<Image>,
    /// The boxes.
    pub(crate) annotations: Vec<Annotation>,
    /// The labels.
    pub(crate) categories: Vec<Category>,
}

/// An image.
#[derive(Deserialize)]
pub(crate) struct Image {
    /// Unique in the file.
    pub(crate) id: u64,
    /// The name of the file, often with folders before it.
    pub(crate) file_name: String,
    /// Width, pixels.
    pub(crate) width: f64,
    /// Height, pixels.
    pub(crate) height: f64,
    /// The part that the image shows, which `andon dataset export` adds.
    pub(crate) andon: Option<PartShown>,
}

/// The part that an image shows.
#[derive(Deserialize)]
pub(crate) struct PartShown {
    /// The id of the part, or RUN/FRAME.
    pub(crate) part: String,
    /// The product.
    #[serde(default)]
    pub(crate) sku: String,
    /// The number of the view, from 0.
    #[serde(default)]
    pub(crate) view: u32,
    /// How many views the part has.
    #[serde(default = "one")]
    pub(crate) views: u32,
}

fn one() -> u32 {
    1
}

/// A box.
#[derive(Deserialize)]
pub(crate) struct Annotation {
    /// Unique in the file.
    pub(crate) id: u64,
    /// The id of the image that the box lies in.
    pub(crate) image_id: u64,
    /// The id of the label.
    pub(crate) category_id: u64,
    /// Left, top, width, height in pixels.
    pub(crate) bbox: [f64; 4],
    /// 1 if the box is around a crowd.
    #[serde(default)]
    pub(crate) iscrowd: u8,
}

/// A label.
#[derive(Deserialize)]
pub(crate) struct Category {
    /// Unique in the file, in any order.
    pub(crate) id: u64,
    /// The name of the label, unique in the file.
    pub(crate) name: String,
    /// The kind that the label is of.
    #[serde(default)]
    pub(crate) supercategory: Option<String>,
}

impl Coco {
    /// Parses and checks the file.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Error> {
        let coco: Self = andon_core::json::read_slice(text).map_err(Error::Json)?;
        coco.check().map_err(Error::Inconsistent)?;
        Ok(coco)
    }

    /// Returns whether `andon dataset export` wrote the file and no one has corrected it.
    pub(crate) fn is_unseen(&self) -> bool {
        self.info["description"] == DESCRIPTION
    }

    /// The categories that are labels. Roboflow's first names the kind of the others, and no box is of it.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Category> {
        let kinds: HashSet<_> = self.categories.iter().filter_map(|c| c.supercategory.as_deref()).collect();
        let used: HashSet<_> = self.annotations.iter().map(|a| a.category_id).collect();
        self.categories.iter().filter(move |c| used.contains(&c.id) || !kinds.contains(&*c.name))
    }

    fn check(&self) -> Result<(), String> {
        let mut images = HashMap::new();
        for image in &self.images {
            if images.insert(image.id, image).is_some() {
                return Err(format!("two images have the id {}", image.id));
            }
        }
        let (mut categories, mut names) = (HashSet::new(), HashSet::new());
        for Category { id, name, .. } in &self.categories {
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

    fn file(change: impl FnOnce(&mut Value)) -> Result<Coco, Error> {
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
    fn what_does_not_hold_together_is_refused() {
        assert!(file(|_| ()).is_ok());
        let refused = |refused: &str, change: fn(&mut Value)| {
            let error = file(change).map(drop).unwrap_err().to_string();
            assert!(error.contains(refused), "{error}");
        };
        refused("annotation 1: there is no image 9", |c| c["annotations"][0]["image_id"] = json!(9));
        refused("annotation 2: there is no category 9", |c| c["annotations"][1]["category_id"] = json!(9));
        refused("annotation 2: another one has the same id", |c| c["annotations"][0]["id"] = json!(2));
        refused("is not within 100 × 50 pixels", |c| c["annotations"][0]["bbox"] = json!([95, 1, 9, 9]));
        refused("is not within", |c| c["annotations"][0]["bbox"] = json!([5, 1, 0, 9]));
        refused("is not within", |c| c["annotations"][0]["bbox"] = json!([5, 1, 9, -9]));
        refused("invalid length 3", |c| c["annotations"][0]["bbox"] = json!([5, 1, 9]));
        refused("two images have the id 1", |c| c["images"][1]["id"] = json!(1));
        refused("two categories have the id 1", |c| c["categories"][1]["id"] = json!(1));
        refused("category 7: another one is called 'open'", |c| c["categories"][1]["name"] = json!("open"));
    }

    #[test]
    fn numbers_that_are_none_and_files_that_break_off_are_refused_with_their_place() {
        let text = "{\"images\":[],\"categories\":[],\n\"annotations\":[{\"id\":1,\"bbox\":[NaN,1,1,1]}]}";
        for text in [text, &text[..text.len() - 1].replace("NaN", "1")] {
            let error = Coco::parse(text.as_bytes()).map(drop).unwrap_err().to_string();
            assert!(error.contains("line 2 column"), "{error}");
        }
    }
}
