// SPDX-License-Identifier: MPL-2.0
//! Truth and detections as COCO has them, so that anybody's evaluation can be held against this one.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{data::Sample, measure::Measured};

/// Writes `truth.json` and, of the model at place `i`, `detections-a.json` or `detections-b.json` into `folder`. Images
/// are numbered from 1 in the order of the set, categories in that of the first model's labels.
pub fn write(folder: &Path, samples: &[Sample], models: &[Measured]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let put = |name: &str, value: &Value| {
        let path = folder.join(name);
        fs::write(&path, value.to_string()).with_context(|| format!("{} cannot be written", path.display()))
    };
    let mut labels: Vec<&str> = Vec::new();
    for label in models.iter().flat_map(|m| &m.labels) {
        if !labels.contains(&label.as_str()) {
            labels.push(label);
        }
    }
    let ids: HashMap<&str, usize> = labels.iter().enumerate().map(|(i, l)| (*l, i + 1)).collect();
    let mut images = Vec::new();
    let mut annotations = Vec::new();
    for (i, sample) in samples.iter().enumerate() {
        let Some(boxes) = &sample.boxes else { continue };
        let [width, height] = models[0].outcomes[i].frame;
        images.push(json!({"id": i + 1, "file_name": sample.image, "width": width, "height": height}));
        for b in boxes {
            let Some(category) = ids.get(b.label.as_str()) else { continue };
            annotations.push(json!({
                "id": annotations.len() + 1, "image_id": i + 1, "category_id": category, "bbox": b.bbox,
                "area": b.bbox[2] * b.bbox[3], "iscrowd": u8::from(b.crowd), "segmentation": [],
            }));
        }
    }
    let categories: Vec<_> = labels.iter().map(|l| json!({"id": ids[l], "name": l})).collect();
    put("truth.json", &json!({"images": images, "annotations": annotations, "categories": categories}))?;
    for (model, name) in models.iter().zip(["detections-a.json", "detections-b.json"]) {
        let mut found = Vec::new();
        for (i, image) in model.judged.iter().enumerate() {
            for f in image.iter().flat_map(|j| &j.found) {
                let category = ids[model.labels[f.class].as_str()];
                found.push(json!({"image_id": i + 1, "category_id": category, "bbox": f.bbox, "score": f.score}));
            }
        }
        put(name, &json!(found))?;
    }
    Ok(())
}
