// SPDX-License-Identifier: MPL-2.0
//! YOLO as Ultralytics lays it out: `images/SUBSET/`, `labels/SUBSET/`, `data.yaml`. It has no room for scores.
//!
//! `data.yaml` has what `check_det_dataset` of Ultralytics 8.4 (`ultralytics/data/utils.py`) asks for: `train` and `val`,
//! which lead to folders that are there, and at least one name.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use super::writer::{Item, Plan, Writer};
use crate::dataset::Error;

/// The folders of labels, one a subset.
pub(super) struct Yolo {
    subsets: Vec<PathBuf>,
}

impl Yolo {
    /// Writes `data.yaml` below `folder`, and makes the folders of labels.
    pub(super) fn new(folder: &Path, plan: &Plan) -> Result<Self, Error> {
        let subsets: Vec<_> = plan.subsets.iter().map(|s| folder.join("labels").join(s)).collect();
        for labels in &subsets {
            fs::create_dir_all(labels).map_err(Error::io(format!("{} cannot be made", labels.display())))?;
        }
        // Without `path` the folder of this file counts, wherever it goes; `path: .` would be the trainer's current folder.
        let mut yaml = String::new();
        for subset in &plan.subsets {
            let _ = writeln!(yaml, "{subset}: images/{subset}");
        }
        // The trainer takes no set without both.
        for missing in ["train", "val"].iter().filter(|name| plan.subsets.iter().all(|subset| subset != *name)) {
            let there = &plan.subsets[0];
            let _ = writeln!(
                yaml,
                "# No pictures were set apart for this, these are those of {there}\n{missing}: images/{there}"
            );
        }
        let _ = writeln!(yaml, "nc: {}\nnames:", plan.labels.len());
        for (n, label) in plan.labels.iter().enumerate() {
            // A string in JSON is one in YAML, whatever is in it.
            let _ = writeln!(yaml, "  {n}: {}", serde_json::Value::from(label.as_str()));
        }
        let path = folder.join("data.yaml");
        fs::write(&path, yaml).map_err(Error::io(format!("{} cannot be written", path.display())))?;
        Ok(Self { subsets })
    }
}

impl Writer for Yolo {
    fn add(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let [width, height] = item.capture.sidecar.size.map(f64::from);
        let mut text = String::new();
        for (class, mark) in &item.marks {
            let [x, y, w, h] = mark.bbox;
            let _ = writeln!(
                text,
                "{class} {:.6} {:.6} {:.6} {:.6}",
                (x + w / 2.0) / width,
                (y + h / 2.0) / height,
                w / width,
                h / height
            );
        }
        let path = self.subsets[item.subset].join(format!("{}.txt", item.capture.stem()));
        fs::write(&path, text).map_err(Error::io(format!("{} cannot be written", path.display())))
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}
