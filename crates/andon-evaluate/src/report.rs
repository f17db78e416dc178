// SPDX-License-Identifier: MPL-2.0
//! All that was measured, as `andon evaluate --json` prints it and as tables and pages show it.

use std::{collections::BTreeMap, path::PathBuf};

use andon_core::result::Verdict;
use serde::Serialize;

use crate::{
    data::{LabelledSet, Layout},
    gate::{Gate, Judgement},
    measure::Measured,
    metrics::{Draws, Estimate, Name, Unit, estimates, with_intervals},
    parts::{Noted, noted},
    power::Power,
    score::Confusion,
    thresholds::{Choice, Wish, chosen},
};

/// Parts that are named in the document at most; the page shows fewer.
const MOST_NOTED: usize = 200;

/// Figures that a sweep shows, where the set and the model have them.
pub const SHOWN: [&str; 8] =
    ["map_0.33", "precision", "recall", "f1", "accuracy", "image_auroc", "escape_rate", "overkill_rate"];
/// What is asked of a report.
pub struct Options {
    /// Where the set lies.
    pub data: PathBuf,
    /// What the bootstrap draws.
    pub unit: Unit,
    /// Draws of the bootstrap; 0: no intervals.
    pub resamples: usize,
    /// How much of the draws an interval holds.
    pub confidence: f64,
    /// What the score threshold should achieve.
    pub wish: Option<Wish>,
}

/// One model.
#[derive(Debug, Serialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Of the model file.
    pub digest: String,
    /// What ran it.
    pub provider: String,
    /// Labels that are scored: known to the model and named by the set.
    pub labels: Vec<String>,
    /// At which it decides.
    pub threshold: f32,
    /// Labelled boxes by label.
    pub boxes: BTreeMap<String, u64>,
    /// Labelled boxes of kinds that it does not know: not scored.
    pub boxes_not_scored: usize,
    /// Every figure.
    pub figures: BTreeMap<Name, Estimate>,
    /// What was taken for what.
    pub confusion: Option<Confusion>,
    /// A threshold for what was wished for, on this set, and what such a choice is worth elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
}

/// A threshold for what was wished for.
#[derive(Debug, Serialize)]
pub struct Chosen {
    /// Chosen and measured on all parts.
    pub here: Choice,
    /// Chosen on one half, measured on the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Choice>,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The change.
    pub change: String,
    /// Figures by [`SHOWN`].
    pub figures: BTreeMap<String, f64>,
    /// What a driftmeter called it that had learned the unchanged set; empty: it saw nothing; none: there was none.
    pub drift: Option<String>,
}

/// How two models differ.
pub struct Versus {
    /// Challenger minus champion, over these labels.
    pub differences: BTreeMap<Name, f64>,
    /// The same in resamples.
    pub draws: Draws,
    /// The gate's power, where it was asked for.
    pub power: Vec<Power>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `andon.evaluation/1`.
    pub schema: &'static str,
    /// Where the set lies.
    pub data: PathBuf,
    /// How.
    pub layout: Layout,
    /// Pictures.
    pub images: usize,
    /// Parts, and how many of them are bad and good.
    pub parts: usize,
    /// Bad ones.
    pub bad: usize,
    /// Good ones.
    pub good: usize,
    /// Groups of parts.
    pub groups: usize,
    /// What was drawn for the intervals.
    pub unit: Unit,
    /// How often.
    pub resamples: usize,
    /// How much of the draws an interval holds.
    pub confidence: f64,
    /// The champion, or the only one; then the challenger.
    pub models: Vec<Model>,
    /// Mean average precision at IoU 0.33 by group, a model.
    pub by_group: BTreeMap<String, Vec<Option<f64>>>,
    /// Challenger minus champion, over the labels that both know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<BTreeMap<Name, Estimate>>,
    /// Parts on which the model errs, or the two differ.
    pub noted: Vec<Noted>,
    /// What the gate said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Judgement>,
    /// The gate's power.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<Power>,
    /// What changes of the pictures do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub robustness: Vec<Row>,
}

impl Report {
    /// Puts it together.
    pub fn new(
        asked: &Options,
        set: &LabelledSet,
        models: &[Measured],
        mut versus: Option<Versus>,
        gate: Option<&Gate>,
        robustness: Vec<Row>,
        mut done: impl FnMut(),
    ) -> Self {
        let first = &models[0];
        let of = |m: &Measured| model(asked, m, &mut done);
        let told: Vec<_> = models.iter().map(of).collect();
        let by_group = by_group(models);
        let judged = gate.map(|gate| {
            let last = models.last().expect("at least one was evaluated");
            let figures = told[models.len() - 1].figures.iter().map(|(n, e)| (n.clone(), e.value)).collect();
            let against = versus.as_mut().map(|v| (&v.differences, &mut v.draws));
            let units = match gate.unit {
                Unit::Part => first.parts.len(),
                Unit::Group => by_group.len(),
            };
            gate.judge(&last.model, &figures, against, &first.labels, units)
        });
        let count = |verdict| first.parts.iter().filter(|p| p.truth == Some(verdict)).count();
        let mut worth_a_look = noted(&models.iter().collect::<Vec<_>>());
        worth_a_look.truncate(MOST_NOTED);
        let power = versus.as_mut().map(|v| std::mem::take(&mut v.power)).unwrap_or_default();
        Self {
            schema: "andon.evaluation/1",
            data: asked.data.clone(),
            layout: set.layout,
            images: set.samples.len(),
            parts: first.parts.len(),
            bad: count(Verdict::Ng),
            good: count(Verdict::Ok),
            groups: by_group.len(),
            unit: asked.unit,
            resamples: asked.resamples,
            confidence: asked.confidence,
            models: told,
            by_group,
            differences: versus.map(|v| with_intervals(v.differences, v.draws, asked.confidence)),
            noted: worth_a_look,
            gate: judged,
            power,
            robustness,
        }
    }
}

fn model(asked: &Options, m: &Measured, done: impl FnMut()) -> Model {
    let ones = vec![1; m.part_of.len()];
    Model {
        name: m.model.name.clone(),
        version: m.model.version.clone(),
        digest: m.model.digest.clone(),
        provider: m.provider.to_string(),
        labels: m.labels.clone(),
        threshold: m.thresholds.score,
        boxes: m.labels.iter().cloned().zip(m.curves.iter().map(|c| c.boxes(&ones))).collect(),
        boxes_not_scored: m.boxes_not_scored,
        figures: estimates(m, &m.labels, asked.unit, asked.resamples, asked.confidence, done),
        confusion: m.confusion.clone(),
        chosen: asked.wish.and_then(|wish| chosen(m, wish)).map(|(here, elsewhere)| Chosen { here, elsewhere }),
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
