// SPDX-License-Identifier: MPL-2.0
//! COCO, as CVAT, FiftyOne, Datumaro and pycocotools read it: `images/SUBSET/`, `annotations/instances_SUBSET.json`.
//!
//! Boxes have an empty `segmentation`, their `score` at top level and `attributes.source` = `auto`. Each image has the
//! key `andon` beside those of COCO, which other readers pass over.

use std::{fs, path::Path};

use andon_core::result::Arm;
use serde_json::json;

use super::{
    list::List,
    marks::round,
    writer::{Item, Plan, Writer},
};
use crate::{coco::DESCRIPTION, dataset::Error};

/// The files of every subset.
pub(super) struct Coco {
    subsets: Vec<(List, List)>,
    images: u64,
    boxes: u64,
}

impl Coco {
    /// Begins the files below `folder`.
    pub(super) fn new(folder: &Path, plan: &Plan) -> Result<Self, Error> {
        let folder = folder.join("annotations");
        fs::create_dir(&folder).map_err(Error::io(format!("{} cannot be made", folder.display())))?;
        let categories: Vec<_> = (1_u32..)
            .zip(&plan.labels)
            .map(|(id, name)| json!({"id": id, "name": name, "supercategory": ""}))
            .collect();
        let info = json!({
            "description": DESCRIPTION, "version": "", "url": "", "contributor": plan.models.join(", "), "year": 0,
            "date_created": ""
        });
        let head = format!(
            "{{\"info\":{info},\n\"licenses\":[{{\"id\":0,\"name\":\"\",\"url\":\"\"}}],\n\"categories\":{},\n\"images\":",
            json!(categories)
        );
        let begun = |subset: &String| {
            let images = List::new(&folder.join(format!("instances_{subset}.json")), &head)?;
            Ok((images, List::new(&folder.join(format!("{subset}.boxes")), "")?))
        };
        Ok(Self { subsets: plan.subsets.iter().map(begun).collect::<Result<_, Error>>()?, images: 0, boxes: 0 })
    }
}

impl Writer for Coco {
    fn add(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let (images, boxes) = &mut self.subsets[item.subset];
        let sidecar = &item.capture.sidecar;
        self.images += 1;
        let verdict = |arm| item.capture.judged(arm).map(|i| i.verdict);
        let part = sidecar.part.as_deref();
        images.add(&json!({
            "id": self.images, "width": sidecar.size[0], "height": sidecar.size[1], "file_name": sidecar.file,
            "license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0,
            "andon": {
                "run": sidecar.run, "frame_id": sidecar.frame_id, "part": item.capture.part_key().to_string(),
                "sku": part.map_or("", |p| &p.sku), "view": part.map_or(0, |p| p.view),
                "views": part.map_or(1, |p| p.views), "verdict_a": verdict(Arm::A), "verdict_b": verdict(Arm::B)
            }
        }))?;
        for (category, mark) in &item.marks {
            self.boxes += 1;
            let [_, _, w, h] = mark.bbox;
            boxes.add(&json!({
                "id": self.boxes, "image_id": self.images, "category_id": category + 1, "bbox": mark.bbox,
                "area": round(w * h, 100.0), "segmentation": [], "iscrowd": 0, "score": mark.score,
                "attributes": {"source": "auto"}
            }))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        for (images, boxes) in self.subsets {
            images.followed_by("annotations", boxes, "}\n")?;
        }
        Ok(())
    }
}
