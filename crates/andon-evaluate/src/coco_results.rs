// SPDX-License-Identifier: MPL-2.0
//! Labels and detections as COCO has them, so that other evaluations can be compared with this one.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{data::Sample, measure::Measured};

/// A file for other evaluations that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written", .path.display())]
pub struct CocoWriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Writes `truth.json` and the detections of each model, `detections-a.json` and `detections-b.json`, into `folder`. Images
/// are numbered from 1 in the order of the set, categories in the order of the labels of the first model.
///
/// # Errors
/// [`CocoWriteError`] if the folder or a file cannot be written.
pub fn write_coco_results(folder: &Path, samples: &[Sample], models: &[Measured]) -> Result<(), CocoWriteError> {
    fs::create_dir_all(folder).map_err(|source| CocoWriteError { path: folder.into(), source })?;
    let put = |name: &str, value: &Value| {
        let path = folder.join(name);
        fs::write(&path, value.to_string()).map_err(|source| CocoWriteError { path, source })
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
        let [width, height] = models[0].results[i].frame;
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
        for (i, image) in model.images.iter().enumerate() {
            for f in image.iter().flat_map(|i| &i.found) {
                let category = ids[model.labels[f.class].as_str()];
                found.push(json!({"image_id": i + 1, "category_id": category, "bbox": f.bbox, "score": f.score}));
            }
        }
        put(name, &json!(found))?;
    }
    Ok(())
}
