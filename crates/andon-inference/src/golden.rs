// SPDX-License-Identifier: MPL-2.0
//! Golden samples: a model proves itself on those of its bundle before it judges a line. Each must get the verdict and
//! the labels that the bundle promises.

use std::sync::Arc;

use andon_core::result::Status;
use andon_model::{Golden, InputSource, Pattern};

use crate::{Cancel, Decoded, Engine, Error, Job, Template, TemplateInput, Templates};

impl Engine {
    /// Judges every golden sample by the manifest's own thresholds, and returns how many there are. Templates for inputs
    /// of source `image-file` come from the bundle's folder `golden`.
    ///
    /// Proving reads files and takes a run a sample: never call it on a streaming thread.
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
        if samples.is_empty() {
            return Ok(0);
        }
        let thresholds = self.manifest().thresholds;
        let folder = self.path.parent().map(|p| p.join("golden")).unwrap_or_default();
        let templates = Templates::new(folder);
        let files = self.manifest().inputs.iter().filter(|i| i.source() == Some(InputSource::ImageFile));
        let mut inputs: Vec<_> =
            files.filter_map(|i| Pattern::parse(i.pattern.as_deref()?).ok()).map(TemplateInput::new).collect();
        let mut context = self.context()?;
        for sample in samples {
            let fail = |problem| Error::Golden { image: sample.image.clone(), problem };
            let image = Template::read(&sample.image).map_err(|e| fail(e.to_string()))?;
            let part = sample.part();
            let found: Result<Vec<_>, _> = inputs
                .iter_mut()
                .map(|i| i.find(Some(&templates), Some(&part), &sample.fields, Some(cancel)).map(|t| Some(t.clone())))
                .collect();
            let found = found.map_err(|e| fail(e.to_string()))?;
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
