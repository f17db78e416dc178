// SPDX-License-Identifier: MPL-2.0
//! `andon evaluate`: how good a bundle is on labelled boards, measured through the element that judges the line.

mod data;
mod judge;
mod score;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use gstandon::{
    model::{self, Manifest},
    result::{Inference, Status},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::init;
use data::{Sample, Selection, Split, Which};
use score::{AtThreshold, ClassQuality, Found, Judged, Truth};

/// Overlap that counts as found, as in the DeepPCB paper.
const MIN_IOU: f32 = 0.33;
/// Detections from here up are ranked; lower ones no longer move the average precision.
const RANK_FROM: f32 = 0.01;

/// Measures a bundle on labelled boards, through a real pipeline.
#[derive(Args)]
pub struct Evaluate {
    /// The bundle: a folder with model.onnx and model.json
    bundle: PathBuf,
    /// Boards laid out like DeepPCB: images/ID_test.jpg, labels/ID.txt
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Only the groups that training has not seen: `held-out` finds the bundle's train/split.json; or name a file
    #[arg(long, value_name = "FILE|held-out")]
    split: Option<PathBuf>,
    /// No more than this many boards
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    model: String,
    version: String,
    digest: String,
    provider: String,
    data: PathBuf,
    images: usize,
    min_iou: f32,
    mean_ap: Option<f64>,
    classes: Vec<ClassQuality>,
    at_threshold: AtThreshold,
    /// Labelled boxes of kinds that the model does not know: not scored.
    boxes_not_scored: usize,
    latency_us: Latency,
}

/// Time in the element, pre- and post-processing included, microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Latency {
    p50: u64,
    p95: u64,
}

impl Evaluate {
    /// Judges every board and prints what came of it.
    pub fn execute(self) -> Result<ExitCode> {
        let manifest = manifest(&self.bundle)?;
        let split = self.split_file().map(|path| Split::read(&path, Which::HeldOut)).transpose()?;
        let selection = Selection { split, ..Selection::default() };
        let mut boards = data::read(&self.data, &selection)?.samples;
        boards.truncate(self.limit.unwrap_or(usize::MAX));
        init()?;

        let bar = ProgressBar::new(boards.len() as u64);
        let style = "{bar:40} {pos}/{len} boards, {per_sec}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is a constant"));
        let outcomes = judge::judge(&self.bundle, &boards, RANK_FROM, || bar.inc(1));
        bar.finish_and_clear();
        let outcomes = outcomes?;
        for (board, outcome) in boards.iter().zip(&outcomes) {
            ensure!(outcome.status == Status::Ok, "{} was not judged: {}", board.id, outcome.status);
        }

        let report = self.report(manifest, &boards, &outcomes.iter().map(|o| &**o).collect::<Vec<_>>());
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print(&report);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The file that `--split` names; `held-out` is the one that training wrote beside the bundle.
    fn split_file(&self) -> Option<PathBuf> {
        let split = self.split.as_ref()?;
        if split != Path::new("held-out") {
            return Some(split.clone());
        }
        Some(self.bundle.join("../train/split.json"))
    }

    fn report(&self, manifest: Manifest, boards: &[Sample], outcomes: &[&Inference]) -> Report {
        let labels: Vec<String> = manifest.outputs.into_iter().flat_map(|o| o.labels).collect();
        let class = |label: &str| labels.iter().position(|l| l == label);
        let judged: Vec<_> = boards.iter().zip(outcomes).map(|(b, o)| pair(b, o, class)).collect();
        let quality = score::quality(&judged, &labels, MIN_IOU, manifest.thresholds.score);
        let scored: usize = judged.iter().map(|j| j.truth.len()).sum();
        let mut times: Vec<_> = outcomes.iter().map(|o| o.latency_us).collect();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        let first = outcomes[0];
        Report {
            schema: "andon.evaluation/1",
            model: manifest.name,
            version: manifest.version,
            digest: first.model.digest.clone(),
            provider: first.provider.to_string(),
            data: self.data.clone(),
            images: boards.len(),
            min_iou: MIN_IOU,
            mean_ap: quality.mean_ap,
            classes: quality.classes,
            at_threshold: quality.at,
            boxes_not_scored: boards.iter().flat_map(|b| &b.boxes).map(Vec::len).sum::<usize>() - scored,
            latency_us: Latency { p50: at(50), p95: at(95) },
        }
    }
}

/// A board and its outcome in the scorer's words; kinds that the model does not know are left out.
fn pair(board: &Sample, outcome: &Inference, class: impl Fn(&str) -> Option<usize>) -> Judged {
    let truth = board
        .boxes
        .iter()
        .flatten()
        .filter_map(|b| Some(Truth { class: class(&b.label)?, bbox: b.bbox.map(|v| v as f32) }));
    let found =
        outcome.detections.iter().filter_map(|d| Some(Found { class: class(&d.label)?, score: d.score, bbox: d.bbox }));
    Judged { truth: truth.collect(), found: found.collect() }
}

/// The bundle's manifest: labels and threshold are read from it.
fn manifest(bundle: &Path) -> Result<Manifest> {
    let source = model::open(bundle.to_str().context("the bundle's path is not UTF-8")?)?;
    source.manifest.with_context(|| format!("{} has no model.json, and so no labels to score", bundle.display()))
}

fn print(report: &Report) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["class", "boxes", "AP"]);
    let ap = |ap: Option<f64>| ap.map_or_else(|| "–".into(), |v| format!("{v:.4}"));
    for c in &report.classes {
        table.add_row([c.label.clone(), c.boxes.to_string(), ap(c.ap)]);
    }
    let boxes: usize = report.classes.iter().map(|c| c.boxes).sum();
    table.add_row(["mean".into(), boxes.to_string(), ap(report.mean_ap)]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{} {} on {} boards of {}", report.model, report.version, report.images, report.data.display());
    println!("average precision at IoU {}\n{table}", report.min_iou);
    if report.boxes_not_scored > 0 {
        println!("{} boxes of kinds that this version does not know are not scored", report.boxes_not_scored);
    }
    let at = report.at_threshold;
    println!("at score {}: precision {:.4}, recall {:.4}, F1 {:.4}", at.threshold, at.precision, at.recall, at.f1);
    let ms = |us: u64| us as f64 / 1000.0;
    println!(
        "latency in modelinfer ({}): median {:.1} ms, 95 % within {:.1} ms",
        report.provider,
        ms(report.latency_us.p50),
        ms(report.latency_us.p95)
    );
}
