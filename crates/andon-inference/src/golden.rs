// SPDX-License-Identifier: MPL-2.0
//! Golden samples: a model proves itself on those of its bundle before it judges a line. Each must get the verdict and
//! the labels that the bundle promises.

use std::{collections::BTreeMap, io::Cursor, path::Path, sync::Arc};

use andon_core::result::Status;
use andon_model::{Golden, InputSource, Pattern};

use crate::{Cancel, Decoded, Engine, Error, Job, Template};

impl Engine {
    /// Judges every golden sample by the manifest's own thresholds, and returns how many there are. Templates for inputs
    /// of source `image-file` are those of the bundle's folder `golden`. All pictures are taken as they were when the model
    /// was read, and let go then: a second call proves nothing more.
    ///
    /// Proving takes a run a sample: never call it on a streaming thread.
    ///
    /// # Errors
    /// [`Error::Golden`] names the first sample that fails, and why; other errors are those of a run.
    pub fn prove(self: &Arc<Self>) -> Result<usize, Error> {
        self.prove_until(&Cancel::new()?)
    }

    /// Proves the model as [`Engine::prove`] does, until `cancel` ends that.
    ///
    /// # Errors
    /// Those of [`Engine::prove`], and [`Error::Cancelled`].
    pub fn prove_until(self: &Arc<Self>, cancel: &Cancel) -> Result<usize, Error> {
        let samples = self.golden();
        let pictures = std::mem::take(&mut *self.pictures.lock());
        if pictures.is_empty() {
            return Ok(samples.len());
        }
        let picture = |path: &Path| {
            let bytes: &[u8] = pictures.get(path).ok_or("is not there: put the template there, or correct pattern")?;
            Template::decode(path, Cursor::new(bytes)).map_err(|e| e.to_string())
        };
        let thresholds = self.manifest().thresholds;
        let folder = self.folder.as_deref().unwrap_or(Path::new("")).join("golden");
        let files = self.manifest().inputs.iter().filter(|i| i.source() == Some(InputSource::ImageFile));
        let patterns: Vec<_> = files.filter_map(|i| Pattern::parse(i.pattern.as_deref()?).ok()).collect();
        let mut templates = BTreeMap::new();
        let mut context = self.context()?;
        for sample in samples {
            let fail = |problem| Error::Golden { image: sample.image.clone(), problem };
            let image = picture(&sample.image).map_err(fail)?;
            let part = sample.part();
            let mut find = |pattern: &Pattern| {
                let mut name = String::new();
                pattern.fill(Some(&part), &sample.fields, &mut name).map_err(|e| e.to_string())?;
                let path = folder.join(name);
                if let Some(known) = templates.get(&path) {
                    return Ok(Some(Arc::clone(known)));
                }
                let template = Arc::new(picture(&path).map_err(|e| named(&path, e))?);
                templates.insert(path, template.clone());
                Ok(Some(template))
            };
            let found: Result<Vec<_>, String> = patterns.iter().map(&mut find).collect();
            let found = found.map_err(fail)?;
            let job = Job {
                image: &image.image(),
                region: None,
                fields: &sample.fields,
                templates: &found,
                thresholds: &thresholds,
            };
            let decoded = context.infer(&job, cancel)?;
            if let Some(problem) = difference(sample, &decoded) {
                return Err(fail(problem));
            }
        }
        Ok(samples.len())
    }
}

/// A problem with its file, unless it names that itself.
fn named(path: &Path, problem: String) -> String {
    let path = path.display().to_string();
    if problem.starts_with(&path) { problem } else { format!("{path}: {problem}") }
}

/// Returns how the model's result differs from the sample, or `None` if it does not.
fn difference(sample: &Golden, decoded: &Decoded) -> Option<String> {
    if decoded.status != Status::Ok {
        return Some(format!("it is {}: {}", decoded.status.as_str(), decoded.reason));
    }
    let (wanted, verdict) = (sample.verdict.as_str(), decoded.verdict.as_str());
    if decoded.verdict != sample.verdict {
        return Some(format!("it must be {wanted}, and the model says {verdict} with a score of {:.3}", decoded.score));
    }
    let found = |label: &str| {
        let best = decoded.classes.first();
        decoded.detections.iter().any(|d| *d.label == *label) || best.is_some_and(|c| *c.label == *label)
    };
    let missed = sample.labels.iter().find(|l| !found(l))?;
    Some(format!("it shows '{missed}', and the model does not find that"))
}
