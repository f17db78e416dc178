// SPDX-License-Identifier: MPL-2.0
//! Datumaro's own JSON: `images/SUBSET/`, `annotations/SUBSET.json`; boxes, and the verdict as a tag of the image.

use std::{fs, path::Path};

use andon_core::result::{Arm, Verdict};
use serde_json::json;

use super::{
    list::List,
    marks::round,
    writer::{Item, Plan, Writer},
};
use crate::dataset::Error;

/// The files of every subset.
pub(super) struct Datumaro {
    subsets: Vec<List>,
    labels: Vec<String>,
}

impl Datumaro {
    /// Begins the files below `folder`.
    pub(super) fn new(folder: &Path, plan: &Plan) -> Result<Self, Error> {
        let folder = folder.join("annotations");
        fs::create_dir(&folder).map_err(Error::io(format!("{} cannot be made", folder.display())))?;
        let mut labels = plan.labels.clone();
        for tag in [Verdict::Ok, Verdict::Ng, Verdict::Review].map(tag) {
            if !labels.contains(&tag) {
                labels.push(tag);
            }
        }
        let names: Vec<_> = labels.iter().map(|name| json!({"name": name, "parent": "", "attributes": []})).collect();
        let head = format!(
            "{{\"dm_format_version\":\"1.0\",\"media_type\":2,\"infos\":{},\n\
             \"categories\":{{\"label\":{{\"labels\":{},\"attributes\":[]}}}},\n\"items\":",
            json!({"models": plan.models}),
            json!(names)
        );
        let begun = |subset: &String| List::new(&folder.join(format!("{subset}.json")), &head);
        Ok(Self { subsets: plan.subsets.iter().map(begun).collect::<Result<_, _>>()?, labels })
    }

    fn tag(&self, verdict: Verdict) -> Option<usize> {
        let tag = tag(verdict);
        self.labels.iter().position(|l| *l == tag)
    }
}

impl Writer for Datumaro {
    fn add(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let sidecar = &item.capture.sidecar;
        let mut annotations = Vec::new();
        if let Some(result) = item.result
            && let Some(label) = self.tag(result.verdict)
        {
            annotations.push(json!({
                "id": 0, "type": "label", "group": 0, "label_id": label,
                "attributes": {"score": round(result.score.into(), 1e4), "source": "auto"}
            }));
        }
        for (n, (label, mark)) in item.marks.iter().enumerate() {
            annotations.push(json!({
                "id": n + 1, "type": "bbox", "group": n + 1, "label_id": label, "z_order": 0, "bbox": mark.bbox,
                "attributes": {"score": mark.score, "source": "auto"}
            }));
        }
        let verdict = |arm| item.capture.judged(arm).map_or("", |i| i.verdict.as_str());
        let [width, height] = sidecar.size;
        self.subsets[item.subset].add(&json!({
            "id": item.capture.stem(), "annotations": annotations,
            "image": {"path": sidecar.file, "size": [height, width]},
            "attr": {
                "run": sidecar.run, "frame_id": sidecar.frame_id, "part": item.capture.part_key().to_string(),
                "verdict_a": verdict(Arm::A), "verdict_b": verdict(Arm::B)
            }
        }))
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        for subset in self.subsets {
            subset.finish("}\n")?;
        }
        Ok(())
    }
}

/// The verdict as people who annotate write it.
fn tag(verdict: Verdict) -> String {
    verdict.as_str().to_uppercase()
}
