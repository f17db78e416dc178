// SPDX-License-Identifier: MPL-2.0
//! A model proves itself on the golden samples of its bundle before it judges a line: each must get the verdict and the
//! labels that the bundle promises.

use std::sync::Arc;

use andon_core::result::Status;
use andon_model::{Golden, InputSource, Pattern};

use super::{Cancel, Decoded, Engine, Error, Job, Template, TemplateInput, Templates};

impl Engine {
    /// Judges every golden sample by the manifest's own thresholds; answers how many there were. Golden templates of
    /// inputs of source `image-file` are looked for in the bundle's folder `golden`.
    ///
    /// Takes its time and reads files: never call it on a streaming thread.
    pub fn prove(self: &Arc<Self>) -> Result<usize, Error> {
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
        let (cancel, mut context) = (Cancel::new()?, self.context()?);
        for sample in samples {
            let miss = |problem| Error::Golden { image: sample.image.clone(), problem };
            let picture = Template::read(&sample.image).map_err(miss)?;
            let part = sample.part();
            let found: Result<Vec<_>, _> = inputs
                .iter_mut()
                .map(|i| i.find(Some(&templates), Some(&part), &sample.fields, Some(&cancel)).map(|t| Some(t.clone())))
                .collect();
            let found = found.map_err(miss)?;
            let job = Job {
                image: &picture.image(),
                region: None,
                fields: &sample.fields,
                templates: &found,
                thresholds: &thresholds,
            };
            let outcome = context.infer(&job, &cancel)?;
            check(sample, &outcome).map_err(miss)?;
        }
        Ok(samples.len())
    }
}

/// What is wrong with what the model said of a sample.
fn check(sample: &Golden, said: &Decoded) -> Result<(), String> {
    if said.status != Status::Ok {
        return Err(format!("it is {}: {}", said.status.as_str(), said.reason));
    }
    let (wanted, verdict) = (sample.verdict.as_str(), said.verdict.as_str());
    if said.verdict != sample.verdict {
        return Err(format!("it must be {wanted}, and the model says {verdict} with a score of {:.3}", said.score));
    }
    let seen = |label: &str| {
        said.detections.iter().any(|d| *d.label == *label) || said.classes.first().is_some_and(|c| *c.label == *label)
    };
    match sample.labels.iter().find(|l| !seen(l)) {
        Some(label) => Err(format!("it shows '{label}', and the model does not find that")),
        None => Ok(()),
    }
}
