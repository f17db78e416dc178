// SPDX-License-Identifier: MPL-2.0
//! `andon evaluate`: how good a bundle is on labelled pictures, measured through the elements that judge the line, and
//! whether it may go there.

mod change;
mod coco;
mod data;
mod gate;
mod judge;
mod junit;
mod maps;
mod measure;
mod metrics;
mod page;
mod parts;
mod picture;
mod power;
mod report;
mod robustness;
mod score;
mod templates;
mod text;
mod thresholds;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use andon_model::{self as model, Manifest};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use data::{Layout, Sample, Selection, Split, Which};
use gate::Gate;
use judge::{Judge, Judged};
use maps::Mask;
use measure::Measured;
use metrics::Unit;
use report::{Report, Versus};
use tempfile::TempDir;
use thresholds::Wish;

use crate::{
    app::{Usage, init},
    progress::bar,
};

/// Detections from here up are ranked; lower ones no longer move the average precision.
const RANK_FROM: f32 = 0.01;
/// Trials of `--power` with each size of a set.
const TRIALS: usize = 100;

/// Measures a bundle on labelled pictures, through a real pipeline; with two, the second against the first.
///
/// Exit code 1 where a gate does not let it through.
#[derive(Args)]
pub struct Evaluate {
    /// The bundle; of two the champion, which the other is compared with
    bundle: PathBuf,
    /// The challenger: a bundle that wants the champion's place
    challenger: Option<PathBuf>,
    /// Labelled pictures: laid out like DeepPCB, COCO, YOLO (data.yaml), a folder a class, or MVTec
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// How they lie in DIR, where that is not plain to see
    #[arg(long)]
    layout: Option<Layout>,
    /// Only this subset: of COCO instances_NAME.json, of YOLO train, val or test
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// Of boards by groups: held-out, validation or train, as the bundle's ../train/split.json tells; or a file like it, whose held-out groups are taken
    #[arg(long, value_name = "WHICH|FILE")]
    split: Option<PathBuf>,
    /// The defect-free twins, too, as good parts (DeepPCB)
    #[arg(long)]
    good: bool,
    /// A class of pictures that is good; may be repeated (default: good, ok)
    #[arg(long = "ok-class", value_name = "NAME")]
    ok_classes: Vec<String>,
    /// No more than this many pictures
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// `image-root` of modelinfer: the golden templates of a model that asks for them (default: the set's own)
    #[arg(long, value_name = "DIR")]
    image_root: Option<PathBuf>,
    /// `fields` of modelinfer, for a model that asks for them: fields,speed=1.5
    #[arg(long, value_name = "STRUCTURE")]
    fields: Option<String>,
    /// `threads` of modelinfer
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
    /// What the bootstrap draws
    #[arg(long, value_enum, default_value = "part")]
    unit: Unit,
    /// Draws of the bootstrap; 0: no intervals
    #[arg(long, value_name = "N", default_value_t = 1000)]
    resamples: usize,
    /// How much of the bootstrap an interval holds
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    confidence: f64,
    /// What has to be reached, and how little worse than the champion it may be; exit code 1 where it is not
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// How often the gate would let an equal model through and stop a worse one, by the size of the set; takes two bundles of one making, as of two seeds
    #[arg(long, requires = "gate", requires = "challenger")]
    power: bool,
    /// A threshold for recall=SHARE of boxes, escapes=SHARE of bad parts, or cost=ESCAPE:OVERKILL, and what it costs
    #[arg(long, value_name = "WISH", value_parser = Wish::from_str)]
    choose_thresholds: Option<Wish>,
    /// The set once more under less and more light, blur, noise, shift, compression
    #[arg(long)]
    robustness: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write the gate's checks as JUnit's XML
    #[arg(long, value_name = "FILE", requires = "gate")]
    junit: Option<PathBuf>,
    /// Write tables in Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a page with missed and false boxes shown
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write truth.json and a detections file a model there, as COCO has them, for other tools
    #[arg(long, value_name = "DIR")]
    coco: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|v| (0.5..1.0).contains(v))
        .ok_or_else(|| format!("'{text}' is no share of 0.5 to below 1"))
}

impl Evaluate {
    /// Judges every picture and tells what came of it.
    pub fn execute(self) -> Result<ExitCode> {
        let gate = self.gate.as_deref().map(Gate::read).transpose()?;
        self.check_outputs()?;
        let bundles: Vec<&Path> =
            [Some(self.bundle.as_path()), self.challenger.as_deref()].into_iter().flatten().collect();
        let manifests = bundles.iter().map(|b| manifest(b)).collect::<Result<Vec<_>>>()?;
        let mut set = data::read(&self.data, &self.selection()?)?;
        set.samples.truncate(self.limit.unwrap_or(usize::MAX));
        init()?;

        let mut models = Vec::new();
        let mut roots = Vec::new();
        for (bundle, manifest) in bundles.iter().zip(&manifests) {
            let root = self.templates(manifest, &set.samples)?;
            let judge = self.judge(bundle, manifest, root.as_ref());
            let bar = bar(set.samples.len(), format!("judging by {} {}", manifest.name, manifest.version));
            let judged = judge.run(&set.samples, || bar.inc(1));
            bar.finish_and_clear();
            models.push(measured(manifest, &set.samples, judged?, 0.0)?);
            roots.push((judge, root));
        }
        if let Some(folder) = &self.coco {
            coco::write(folder, &set.samples, &models)?;
        }

        let versus = self.versus(&models, gate.as_ref())?;
        let last = models.len() - 1;
        let robustness = if self.robustness {
            let bar = bar(robustness::frames(set.samples.len()), "changing the light, the focus, …");
            let again = |judged, moved| measured(&manifests[last], &set.samples, judged, moved);
            let rows = robustness::sweep(&roots[last].0, &set.samples, again, || bar.inc(1));
            bar.finish_and_clear();
            rows?
        } else {
            Vec::new()
        };
        let report = Report::new(&self, &set, &models, versus, gate.as_ref(), robustness);
        self.tell(&report, &set.samples, &models)?;
        let stopped = report.gate.as_ref().is_some_and(|g| !g.passed);
        Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// A file that cannot be written is told before anything is judged.
    fn check_outputs(&self) -> Result<()> {
        for path in [&self.junit, &self.markdown, &self.html].into_iter().flatten() {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !folder.is_dir() || path.is_dir() {
                bail!(Usage(format!("{}: cannot be written: its folder has to be there", path.display())));
            }
        }
        Ok(())
    }

    fn selection(&self) -> Result<Selection> {
        let split = match &self.split {
            None => None,
            Some(split) => {
                let which = split.to_str().and_then(|s| Which::from_str(s, false).ok());
                let file = if which.is_some() { self.bundle.join("../train/split.json") } else { split.clone() };
                Some(Split::read(&file, which.unwrap_or(Which::HeldOut))?)
            }
        };
        Ok(Selection {
            layout: self.layout,
            subset: self.subset.clone(),
            split,
            good: self.good,
            ok_classes: self.ok_classes.clone(),
        })
    }

    /// The set's own templates, laid out as the model asks for them; none where it does not, or a folder was named.
    fn templates(&self, manifest: &Manifest, samples: &[Sample]) -> Result<Option<TempDir>> {
        let patterns = templates::patterns(manifest);
        if patterns.is_empty() || self.image_root.is_some() {
            return Ok(None);
        }
        let bar = bar(samples.len(), "laying out golden templates");
        let folder = templates::folder(samples, &patterns, || bar.inc(1));
        bar.finish_and_clear();
        folder.map(Some)
    }

    fn judge(&self, bundle: &Path, manifest: &Manifest, root: Option<&TempDir>) -> Judge {
        // What decides a frame's verdict by its best detection is held against the threshold afterwards.
        let ranks = manifest.task == model::Task::Detection;
        Judge {
            bundle: bundle.into(),
            score: ranks.then_some(RANK_FROM),
            image_root: self.image_root.clone().or_else(|| root.map(|r| r.path().into())),
            fields: self.fields.clone(),
            threads: self.threads,
            ..Judge::default()
        }
    }

    /// The challenger's differences to the champion, and the gate's power.
    fn versus(&self, models: &[Measured], gate: Option<&Gate>) -> Result<Option<Versus>> {
        let [a, b] = models else { return Ok(None) };
        let labels: Vec<_> = a.labels.iter().filter(|l| b.labels.contains(l)).cloned().collect();
        let (unit, resamples) = gate.map_or((self.unit, self.resamples), |g| (g.unit, g.resamples));
        let drawing = bar(resamples, "drawing from the parts again and again");
        let (differences, draws) = metrics::differences(a, b, &labels, unit, resamples, || drawing.inc(1));
        drawing.finish_and_clear();
        let power = match gate.filter(|_| self.power) {
            Some(gate) => {
                if !gate.compares() {
                    bail!(Usage("--power needs a gate with not_worse_by_more_than".into()));
                }
                let bar = bar(power::sizes() * TRIALS, "trying the gate on sets drawn from this one");
                let rows = power::power(a, b, &labels, gate, 0.01, TRIALS, || bar.inc(1));
                bar.finish_and_clear();
                rows
            }
            None => Vec::new(),
        };
        Ok(Some(Versus { differences, draws, power }))
    }

    fn tell(&self, report: &Report, samples: &[Sample], models: &[Measured]) -> Result<()> {
        let write = |path: &Path, text: String| {
            fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
        };
        if let (Some(path), Some(judged)) = (&self.junit, &report.gate) {
            write(path, junit::document(judged))?;
        }
        if let Some(path) = &self.markdown {
            write(path, text::markdown(report))?;
        }
        if let Some(path) = &self.html {
            write(path, page::page(report, samples, models)?.into_string())?;
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(report)?);
        } else {
            text::print(report);
        }
        Ok(())
    }
}

/// What outcomes are worth by the manifest's labels and thresholds.
fn measured(manifest: &Manifest, samples: &[Sample], judged: Judged, moved: f64) -> Result<Measured> {
    let known: Vec<String> = manifest.outputs.iter().flat_map(|o| o.labels.clone()).collect();
    Measured::new(samples, judged.outcomes, &known, manifest.thresholds, moved, Mask::of)
}

/// The bundle's manifest: labels and threshold are read from it.
fn manifest(bundle: &Path) -> Result<Manifest> {
    let source = model::open(bundle.to_str().context("the bundle's path is not UTF-8")?)?;
    source.manifest.with_context(|| format!("{} has no model.json, and so no labels to score", bundle.display()))
}
