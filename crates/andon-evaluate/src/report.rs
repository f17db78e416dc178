// SPDX-License-Identifier: MPL-2.0
//! All that was measured, as `andon evaluate --json` writes it.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use andon_core::{files, json, result::Verdict};
use serde::{Deserialize, Serialize};

use crate::{
    data::{LabelledSet, Layout},
    gate::{Checks, Gate},
    measure::Measured,
    metrics::{Draws, Estimate, Name, Unit, estimates, with_intervals},
    parts::{NotedPart, noted},
    power::Power,
    score::Confusion,
    thresholds::{Choice, Wish, chosen},
};

/// The schema of a report.
const SCHEMA: &str = "andon.evaluation/1";
/// The most parts to look at that a report names.
const MOST_NOTED: usize = 200;

/// The figures of a [`RobustnessRow`], if the set and the model have them.
pub const ROBUSTNESS_FIGURES: [&str; 8] =
    ["map_0.33", "precision", "recall", "f1", "accuracy", "image_auroc", "escape_rate", "overkill_rate"];

/// What an [`EvaluationReport`] says beside the measurements.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// The folder of the set.
    pub data: PathBuf,
    /// What the bootstrap draws.
    pub unit: Unit,
    /// Draws of the bootstrap; 0: no intervals.
    pub resamples: usize,
    /// The share of the draws within an interval.
    pub confidence: f64,
    /// What a score threshold should achieve, to choose one.
    pub wish: Option<Wish>,
}

/// A model in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// The name of the model.
    pub name: String,
    /// The version of the model.
    pub version: String,
    /// The digest of the model file.
    pub digest: String,
    /// The execution provider that ran it.
    pub provider: String,
    /// The scored labels: those that the model knows and the set names.
    pub labels: Vec<String>,
    /// The score threshold at which the model decides.
    pub threshold: f32,
    /// Labelled boxes by label.
    pub boxes: BTreeMap<String, u64>,
    /// Labelled boxes with labels that the model does not know: not scored.
    pub boxes_not_scored: usize,
    /// All figures by name.
    pub figures: BTreeMap<Name, Estimate>,
    /// What the model takes for what.
    pub confusion: Option<Confusion>,
    /// The threshold for [`ReportOptions::wish`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
}

/// A threshold that fulfils a wish.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Chosen and measured on all parts.
    pub here: Choice,
    /// Chosen on one half of the parts, measured on the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Choice>,
}

/// The figures of a model after a change of all pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessRow {
    /// The change: `none`, `light × 0.5`.
    pub change: String,
    /// Those of [`ROBUSTNESS_FIGURES`].
    pub figures: BTreeMap<String, f64>,
    /// The cause that a driftmeter names which has learnt the unchanged set. Empty if it sees no drift; None if the set is
    /// too small to learn from.
    pub drift: Option<String>,
}

/// The differences of two models.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Challenger minus champion, over the labels that both know.
    pub differences: BTreeMap<Name, f64>,
    /// The differences in resamples.
    pub draws: Draws,
    /// The power of the gate; empty if it is not asked for.
    pub power: Vec<Power>,
}

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} is no report of andon evaluate --json", .path.display())]
pub struct ReportError {
    /// The file.
    pub path: PathBuf,
    /// What the system says, or the JSON parser.
    pub source: io::Error,
}

/// All that was measured of one model, or of a champion and a challenger, on one set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// `andon.evaluation/1`.
    pub schema: String,
    /// The folder of the set.
    pub data: PathBuf,
    /// The layout of the set.
    pub layout: Layout,
    /// The number of pictures.
    pub images: usize,
    /// The number of parts.
    pub parts: usize,
    /// The number of bad parts.
    pub bad: usize,
    /// The number of good parts.
    pub good: usize,
    /// The number of groups of parts.
    pub groups: usize,
    /// What the bootstrap drew for the intervals.
    pub unit: Unit,
    /// Draws of the bootstrap.
    pub resamples: usize,
    /// The share of the draws within an interval.
    pub confidence: f64,
    /// The champion or the only model, then the challenger.
    pub models: Vec<ModelReport>,
    /// The mean average precision at IoU 0.33 by group, for each model.
    pub by_group: BTreeMap<String, Vec<Option<f64>>>,
    /// Challenger minus champion, over the labels that both know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differences: Option<BTreeMap<Name, Estimate>>,
    /// Parts on which the model errs, or on which two models differ.
    pub noted: Vec<NotedPart>,
    /// The checks of the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Checks>,
    /// The power of the gate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<Power>,
    /// The figures after changes of all pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub robustness: Vec<RobustnessRow>,
}

impl EvaluationReport {
    /// Reads a report that `andon evaluate --json` wrote.
    ///
    /// # Errors
    /// [`ReportError`] if the file cannot be read, or is no such report.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let failed = |source| ReportError { path: path.into(), source };
        let text = files::read_text(path, 4 * files::TEXT).map_err(failed)?;
        let report: Self = json::read(&text).map_err(|e| failed(e.into()))?;
        let schema = format!("its schema is '{}', not '{SCHEMA}'", report.schema);
        if report.schema == SCHEMA { Ok(report) } else { Err(failed(io::Error::other(schema))) }
    }

    /// Makes the report of `models`: the only one, or champion and challenger. Calls `done` after each draw of the bootstrap.
    ///
    /// # Panics
    /// If `models` is empty.
    pub fn new(
        options: &ReportOptions,
        set: &LabelledSet,
        models: &[Measured],
        mut comparison: Option<Comparison>,
        gate: Option<&Gate>,
        robustness: Vec<RobustnessRow>,
        mut done: impl FnMut(),
    ) -> Self {
        let first = &models[0];
        let of = |m: &Measured| model(options, m, &mut done);
        let reports: Vec<_> = models.iter().map(of).collect();
        let by_group = by_group(models);
        let checks = gate.map(|gate| {
            let last = models.last().expect("at least one was evaluated");
            let figures = reports[models.len() - 1].figures.iter().map(|(n, e)| (n.clone(), e.value)).collect();
            let against = comparison.as_mut().map(|c| (&c.differences, &mut c.draws));
            let units = match gate.unit {
                Unit::Part => first.parts.len(),
                Unit::Group => by_group.len(),
            };
            gate.check(&last.model, &figures, against, &first.labels, units)
        });
        let count = |verdict| first.parts.iter().filter(|p| p.truth == Some(verdict)).count();
        let mut worth_a_look = noted(&models.iter().collect::<Vec<_>>());
        worth_a_look.truncate(MOST_NOTED);
        let power = comparison.as_mut().map(|c| std::mem::take(&mut c.power)).unwrap_or_default();
        Self {
            schema: SCHEMA.into(),
            data: options.data.clone(),
            layout: set.layout,
            images: set.samples.len(),
            parts: first.parts.len(),
            bad: count(Verdict::Ng),
            good: count(Verdict::Ok),
            groups: by_group.len(),
            unit: options.unit,
            resamples: options.resamples,
            confidence: options.confidence,
            models: reports,
            by_group,
            differences: comparison.map(|c| with_intervals(c.differences, c.draws, options.confidence)),
            noted: worth_a_look,
            gate: checks,
            power,
            robustness,
        }
    }
}

fn model(options: &ReportOptions, m: &Measured, done: impl FnMut()) -> ModelReport {
    let ones = vec![1; m.part_of.len()];
    ModelReport {
        name: m.model.name.clone(),
        version: m.model.version.clone(),
        digest: m.model.digest.clone(),
        provider: m.provider.to_string(),
        labels: m.labels.clone(),
        threshold: m.thresholds.score,
        boxes: m.labels.iter().cloned().zip(m.curves.iter().map(|c| c.boxes(&ones))).collect(),
        boxes_not_scored: m.boxes_not_scored,
        figures: estimates(m, &m.labels, options.unit, options.resamples, options.confidence, done),
        confusion: m.confusion.clone(),
        chosen: options.wish.and_then(|wish| chosen(m, wish)).map(|(here, elsewhere)| Chosen { here, elsewhere }),
    }
}

fn by_group(models: &[Measured]) -> BTreeMap<String, Vec<Option<f64>>> {
    let mut groups: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let first = &models[0];
    for part in &first.parts {
        let weights = groups.entry(&part.group).or_insert_with(|| vec![0; first.part_of.len()]);
        part.samples.iter().for_each(|s| weights[*s] = 1);
    }
    let mean = |m: &Measured, weights: &[u32]| {
        let aps: Vec<_> = m.curves.iter().filter_map(|c| Some(c.average_precision(1, weights)?[0])).collect();
        (!aps.is_empty()).then(|| aps.iter().sum::<f64>() / aps.len() as f64)
    };
    groups.into_iter().map(|(g, weights)| (g.to_string(), models.iter().map(|m| mean(m, &weights)).collect())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        data::testing::whole_text,
        measure::tests::{measured, seen},
    };

    #[test]
    fn a_written_report_is_read_and_another_document_is_refused() {
        let m = measured(vec![seen("p", 0, &[50.0], &[(50.0, 0.75)]), seen("q", 0, &[50.0], &[(50.0, 0.25)])]);
        let set =
            LabelledSet { layout: Layout::Folders, labels: vec![], samples: vec![], unseen: vec![], notes: vec![] };
        let wish = Some(Wish::Recall(0.5));
        let options = ReportOptions { data: "set".into(), unit: Unit::Part, resamples: 0, confidence: 0.95, wish };
        let gate = Gate::parse(r#"{"schema": "andon.gate/1", "at_least": {"recall": 0.9}}"#).unwrap();
        let report = EvaluationReport::new(&options, &set, &[m], None, Some(&gate), Vec::new(), || ());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let text = serde_json::to_string(&report).unwrap();
        fs::write(&path, &text).unwrap();
        let read = EvaluationReport::read(&path).unwrap();
        assert_eq!((&read.gate, read.models[0].chosen), (&report.gate, report.models[0].chosen));
        assert_eq!(read.models[0].figures["recall"].value, 0.5);
        assert_eq!((read.layout, read.parts, read.noted.len()), (Layout::Folders, 2, 1));
        fs::write(&path, text.replace("andon.evaluation/1", "andon.evaluation/2")).unwrap();
        let error = whole_text(&EvaluationReport::read(&path).unwrap_err());
        assert!(error.contains("report.json is no report") && error.contains("'andon.evaluation/2'"), "{error}");
    }
}
