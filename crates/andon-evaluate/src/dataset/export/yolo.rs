// SPDX-License-Identifier: MPL-2.0
//! YOLO as Ultralytics lays it out: `images/SUBSET/`, `labels/SUBSET/`, `data.yaml`. It has no room for scores.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{Format, Item, Plan};

/// The folder of labels of every subset.
pub struct Yolo {
    subsets: Vec<PathBuf>,
}

impl Yolo {
    /// Writes `data.yaml` below `folder`, and makes the folders of labels.
    pub fn new(folder: &Path, plan: &Plan) -> Result<Self> {
        let subsets: Vec<_> = plan.subsets.iter().map(|s| folder.join("labels").join(s)).collect();
        subsets.iter().try_for_each(fs::create_dir_all)?;
        let mut yaml = String::from("path: .\n");
        for subset in &plan.subsets {
            let _ = writeln!(yaml, "{subset}: images/{subset}");
        }
        let _ = writeln!(yaml, "nc: {}\nnames:", plan.labels.len());
        for (n, label) in plan.labels.iter().enumerate() {
            // A string in JSON is one in YAML, whatever is in it.
            let _ = writeln!(yaml, "  {n}: {}", serde_json::to_string(label)?);
        }
        fs::write(folder.join("data.yaml"), yaml)?;
        Ok(Self { subsets })
    }
}

impl Format for Yolo {
    fn add(&mut self, item: &Item<'_>) -> Result<()> {
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
        fs::write(self.subsets[item.subset].join(format!("{}.txt", item.capture.stem())), text)?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
