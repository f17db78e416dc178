// SPDX-License-Identifier: MPL-2.0
//! `andon evaluate`: how good a bundle is on labelled pictures, and whether it may replace the champion.

mod chosen;
mod errors;
mod junit;
mod outlines;
mod page;
mod picture;
mod text;
mod values;
mod why;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use andon_evaluate::{
    Comparison, EvaluationReport, Gate, MeasureError, Measured, ModelReport, ReportOptions, Wish,
    data::{self, LabelledSet, Sample, Selection, Side, TrainingSplit},
    metrics,
    pipeline::{self, Judge, JudgedSet},
    power, write_coco_results,
};
use andon_model::{self as model, Manifest};
use andon_report::{ModelOf, Origin, words::counted};
use anyhow::{Context, Result, bail};
use clap::Args;
use tempfile::TempDir;
use values::{LayoutArg, UnitArg, side};

use crate::{
    app::{Usage, init},
    meant,
    origin::{Moment, origin},
    progress::bar,
};

/// The lowest score of a ranked detection. Lower ones do not move the average precision.
const RANK_FROM: f32 = 0.01;
/// Trials of `--power` with each size of a set.
const TRIALS: usize = 100;
/// What `--power` takes off the average precision of the worse model.
const WORSE_BY: f64 = 0.01;

/// Measure a bundle on labelled pictures, with the elements that judge the line.
///
/// With two bundles, compare the second, the challenger, with the first, the champion. Exit with 1 if a gate stops the
/// bundle.
#[derive(Args)]
#[command(after_help = "Examples:
  andon evaluate models/pcb/2 --data boards --html quality.html
  andon evaluate models/pcb/1 models/pcb/2 --data boards --gate docs/ci/gate.json --json")]
pub struct Evaluate {
    /// The bundle to measure; with a challenger, the champion
    bundle: PathBuf,
    /// The bundle to compare with the champion
    challenger: Option<PathBuf>,
    /// The labelled pictures: DeepPCB, COCO, YOLO, Pascal VOC, labelme, a folder a class, or MVTec
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The layout of DIR [default: found by the files in DIR]
    #[arg(long)]
    layout: Option<LayoutArg>,
    /// Read only this subset: NAME of instances_NAME.json (COCO); train, val or test (YOLO); a folder of pictures, or a list in
    /// ImageSets/Main (VOC)
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// Read only these boards (DeepPCB): held-out, validation or train by ../train/split.json of the bundle, or the held-out
    /// boards of another such FILE
    #[arg(long, value_name = "WHICH|FILE")]
    split: Option<PathBuf>,
    /// Add the golden templates as good parts (DeepPCB)
    #[arg(long)]
    good: bool,
    /// A class folder whose pictures are good, all others are bad; may be repeated [default: good, ok, and the labels that the
    /// model calls good]
    #[arg(long = "ok-class", value_name = "NAME")]
    ok_classes: Vec<String>,
    /// A class folder whose pictures are bad, whatever it is called; may be repeated
    #[arg(long = "ng-class", value_name = "NAME", conflicts_with = "ok_classes")]
    ng_classes: Vec<String>,
    /// Read at most N pictures
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// The folder of golden templates, `image-root` of modelinfer [default: the templates of the set]
    #[arg(long, value_name = "DIR")]
    image_root: Option<PathBuf>,
    /// The fields of a model that needs them, `fields` of modelinfer: fields,speed=1.5
    #[arg(long, value_name = "STRUCTURE")]
    fields: Option<String>,
    /// The number of threads, `threads` of modelinfer
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
    /// What the bootstrap draws
    #[arg(long, value_enum, default_value = "part")]
    unit: UnitArg,
    /// Draw N times for the intervals; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 1000)]
    resamples: usize,
    /// The share of the draws within an interval
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    confidence: f64,
    /// Check the demands of a gate file on the last bundle; exit with 1 if one does not hold
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// Show how often the gate passes an equal model and stops a worse one, by the size of the set; needs two bundles of one
    /// training with different seeds
    #[arg(long, requires = "gate", requires = "challenger")]
    power: bool,
    /// Choose a threshold for recall=SHARE of boxes, escapes=SHARE of bad parts, or cost=ESCAPE:OVERKILL
    #[arg(long, value_name = "WISH", value_parser = Wish::from_str)]
    choose_thresholds: Option<Wish>,
    /// Write the chosen threshold into the model.json of the (last) bundle, which must be neither signed nor in a store
    #[arg(long, requires = "choose_thresholds")]
    write: bool,
    /// Write a copy of the (last) bundle with the chosen threshold into FOLDER, as the version of --as
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "choose_thresholds",
        requires = "as_version",
        conflicts_with = "write"
    )]
    into: Option<PathBuf>,
    /// The version that the copy of --into is
    #[arg(long = "as", value_name = "VERSION", id = "as_version", requires = "into")]
    as_version: Option<String>,
    /// Measure the set again with less and more light, blur, noise, shift and compression
    #[arg(long)]
    robustness: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write the checks of the gate as JUnit XML
    #[arg(long, value_name = "FILE", requires = "gate")]
    junit: Option<PathBuf>,
    /// Write the tables as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a page with pictures of missed and false boxes
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write truth.json and the detections of each model into DIR, in the format of COCO, for other tools
    #[arg(long, value_name = "DIR")]
    coco: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|v| (0.5..1.0).contains(v))
        .ok_or_else(|| format!("'{text}' is no share of 0.5 to below 1"))
}

/// Makes wrong usage of a failure, if what was named is not there.
fn named(path: &Path, error: anyhow::Error) -> anyhow::Error {
    if path.exists() { error } else { Usage(format!("{error:#}{}", meant::file(path))).into() }
}

impl Evaluate {
    /// Judges all pictures, and shows the figures.
    pub fn execute(self) -> Result<ExitCode> {
        let began = Moment::now();
        let gate = self.gate.as_deref().map(|path| Gate::read(path).map_err(|e| named(path, e.into()))).transpose()?;
        self.check_outputs()?;
        let target = self.target()?;
        let bundles: Vec<&Path> =
            [Some(self.bundle.as_path()), self.challenger.as_deref()].into_iter().flatten().collect();
        let manifests = bundles.iter().map(|b| manifest(b)).collect::<Result<Vec<_>>>()?;
        let selection = self.selection(&manifests)?;
        let mut set = data::read(&self.data, &selection).map_err(|e| named(&self.data, e.into()))?;
        set.samples.truncate(self.limit.unwrap_or(usize::MAX));
        warn_of_unseen(&set);
        init()?;

        let mut models = Vec::new();
        let mut judges = Vec::new();
        let mut turned = 0;
        for (bundle, manifest) in bundles.iter().zip(&manifests) {
            let root = self.templates(manifest, &set.samples)?;
            let judge = self.judge(bundle, manifest, root.as_ref());
            let bar = bar(set.samples.len(), format!("judging by {} {}", manifest.name, manifest.version));
            let judged = judge.run(&set.samples, || bar.inc(1));
            bar.finish_and_clear();
            let judged = judged?;
            turned = judged.turned;
            let measured = measured(manifest, &set.samples, judged, 0.0)?;
            warn_of_unknown_labels(manifest, &measured);
            models.push(measured);
            // The folder of templates stays until the judge has run for the last time.
            judges.push((judge, root));
        }
        if turned > 0 {
            let pictures = counted(turned as u64, "picture is", "pictures are");
            eprintln!(
                "note: {pictures} turned as the EXIF notes say, and the labels are taken to lie on what is shown"
            );
        }
        if let Some(folder) = &self.coco {
            write_coco_results(folder, &set.samples, &models)?;
        }

        let comparison = self.compare(&models, gate.as_ref())?;
        let last = models.len() - 1;
        let robustness = if self.robustness {
            let bar = bar(pipeline::frames(set.samples.len()), "changing the light, the focus, …");
            let again = |judged, moved| measured(&manifests[last], &set.samples, judged, moved);
            let rows = pipeline::sweep(&judges[last].0, &set.samples, again, || bar.inc(1));
            bar.finish_and_clear();
            rows?
        } else {
            Vec::new()
        };
        let drawing = bar(self.resamples * models.len(), "drawing for the intervals");
        let options = self.options();
        let report =
            EvaluationReport::new(&options, &set, &models, comparison, gate.as_ref(), robustness, || drawing.inc(1));
        drawing.finish_and_clear();
        self.show(&report, &set.samples, &models, &began)?;
        let stopped = report.gate.as_ref().is_some_and(|g| !g.passed);
        if let Some(target) = target {
            if stopped {
                bail!("the gate stops the model: its threshold was not written");
            }
            eprintln!("{}", target.write(&report, &set)?);
        }
        Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Where the chosen threshold is to be written, if it is.
    fn target(&self) -> Result<Option<chosen::Target>> {
        let bundle = self.challenger.as_deref().unwrap_or(&self.bundle);
        match (&self.into, &self.as_version, self.write, self.choose_thresholds) {
            (Some(into), Some(version), _, Some(wish)) => chosen::Target::copy(bundle, into, version, wish).map(Some),
            (_, _, true, Some(wish)) => chosen::Target::in_place(bundle, wish).map(Some),
            _ => Ok(None),
        }
    }

    /// Refuses files that cannot be written before anything is judged.
    fn check_outputs(&self) -> Result<()> {
        for path in [&self.junit, &self.markdown, &self.html].into_iter().flatten() {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !folder.is_dir() || path.is_dir() {
                bail!(Usage(format!("{}: cannot be written: its folder must exist", path.display())));
            }
        }
        Ok(())
    }

    fn selection(&self, manifests: &[Manifest]) -> Result<Selection> {
        let split = match &self.split {
            None => None,
            Some(split) => {
                let which = split.to_str().and_then(side);
                let file = if which.is_some() { self.bundle.join("../train/split.json") } else { split.clone() };
                Some(TrainingSplit::read(&file, which.unwrap_or(Side::HeldOut))?)
            }
        };
        Ok(Selection {
            layout: self.layout.map(|layout| layout.0),
            subset: self.subset.clone(),
            split,
            good: self.good,
            ok_classes: self.ok_classes.clone(),
            ng_classes: self.ng_classes.clone(),
            model_ok: manifests.iter().flat_map(|m| m.verdict.ok()).cloned().collect(),
            model_ng: manifests.iter().flat_map(bad_labels).collect(),
        })
    }

    fn options(&self) -> ReportOptions {
        ReportOptions {
            data: self.data.clone(),
            unit: self.unit.into(),
            resamples: self.resamples,
            confidence: self.confidence,
            wish: self.choose_thresholds,
        }
    }

    /// Lays out the templates of the set as the model asks for them; None if it asks for none, or the caller names a folder.
    fn templates(&self, manifest: &Manifest, samples: &[Sample]) -> Result<Option<TempDir>> {
        let patterns = pipeline::patterns(manifest);
        if patterns.is_empty() || self.image_root.is_some() {
            return Ok(None);
        }
        let bar = bar(samples.len(), "laying out golden templates");
        let folder = pipeline::folder(samples, &patterns, || bar.inc(1));
        bar.finish_and_clear();
        Ok(Some(folder?))
    }

    fn judge(&self, bundle: &Path, manifest: &Manifest, root: Option<&TempDir>) -> Judge {
        // Low detections are for the curve; the verdicts are made of the best detections afterwards.
        let ranks = manifest.task == model::Task::Detection;
        let mut judge = Judge::new(bundle);
        judge.score = ranks.then_some(RANK_FROM);
        judge.image_root = self.image_root.clone().or_else(|| root.map(|r| r.path().into()));
        judge.fields = self.fields.clone();
        judge.threads = self.threads;
        judge
    }

    /// Returns the differences of the challenger to the champion, and the power of the gate.
    fn compare(&self, models: &[Measured], gate: Option<&Gate>) -> Result<Option<Comparison>> {
        let [a, b] = models else { return Ok(None) };
        let labels: Vec<_> = a.labels.iter().filter(|l| b.labels.contains(l)).cloned().collect();
        let (unit, resamples) = gate.map_or((self.unit.into(), self.resamples), |g| (g.unit, g.resamples));
        let drawing = bar(resamples, "drawing from the parts again and again");
        let (differences, draws) = metrics::differences(a, b, &labels, unit, resamples, || drawing.inc(1));
        drawing.finish_and_clear();
        let power = match gate.filter(|_| self.power) {
            Some(gate) => {
                if !gate.compares() {
                    bail!(Usage("--power needs a gate with not_worse_by_more_than".into()));
                }
                let bar = bar(power::sizes() * TRIALS, "trying the gate on sets drawn from this one");
                let rows = power::power(a, b, &labels, gate, WORSE_BY, TRIALS, || bar.inc(1));
                bar.finish_and_clear();
                rows
            }
            None => Vec::new(),
        };
        Ok(Some(Comparison { differences, draws, power }))
    }

    fn show(&self, report: &EvaluationReport, samples: &[Sample], models: &[Measured], began: &Moment) -> Result<()> {
        let write = |path: &Path, text: String| {
            fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
        };
        if let (Some(path), Some(checks)) = (&self.junit, &report.gate) {
            write(path, junit::document(checks)?)?;
        }
        if let Some(path) = &self.markdown {
            write(path, text::markdown(report))?;
        }
        if let Some(path) = &self.html {
            let origin = self.origin(report, began.to(&Moment::now()));
            write(path, page::page(report, samples, models, &origin)?.into_string())?;
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(report)?);
        } else {
            text::print(report);
        }
        Ok(())
    }
}

impl Evaluate {
    /// Where the page comes from.
    fn origin(&self, report: &EvaluationReport, when: String) -> Origin {
        let roles: &[&str] = if report.models.len() > 1 { &["Champion", "Challenger"] } else { &[""] };
        let of = |(m, role): (&ModelReport, &&str)| ModelOf {
            role: (*role).into(),
            name: m.name.clone(),
            version: m.version.clone(),
            digest: m.digest.clone(),
        };
        let models = report.models.iter().zip(roles).map(of).collect();
        let mut place = vec![("Data set", report.data.display().to_string())];
        place.extend(self.split.as_ref().map(|split| ("Split", split.display().to_string())));
        place.extend(self.gate.as_ref().map(|gate| ("Gate", gate.display().to_string())));
        origin("Andon: models measured on labelled pictures", when, place, models)
    }
}

/// Returns the labels of a model that its rule does not call good.
fn bad_labels(manifest: &Manifest) -> Vec<String> {
    let all = manifest.outputs.iter().flat_map(|o| &o.labels);
    all.filter(|label| !manifest.verdict.ok().contains(label)).cloned().collect()
}

/// Warns of labels of the set that the model does not know: misspelt, or of another model.
fn warn_of_unknown_labels(manifest: &Manifest, measured: &Measured) {
    if measured.unknown_labels.is_empty() {
        return;
    }
    let unknown: Vec<_> = measured.unknown_labels.iter().map(|(label, n)| format!("{label} ({n})")).collect();
    let known: Vec<_> = manifest.outputs.iter().flat_map(|o| o.labels.iter().map(|l| &**l)).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    eprintln!(
        "warning: {} {} does not know these labels of the set: {}; its labels are {known}. Boxes of them are not scored, and \
         pictures of them count as wrong. If they are other words for the same, rename them in the set, or in outputs[].labels of \
         model.json",
        manifest.name,
        manifest.version,
        unknown.join(", ")
    );
}

/// Says what was taken for granted in reading the set, and warns of files of annotations that are a model's own detections.
fn warn_of_unseen(set: &LabelledSet) {
    for note in &set.notes {
        eprintln!("note: {note}");
    }
    for file in &set.unseen {
        eprintln!("warning: {}: detections of a model that no one has corrected, not the truth", file.display());
    }
}

/// Measures results by the labels and thresholds of the manifest.
fn measured(manifest: &Manifest, samples: &[Sample], judged: JudgedSet, moved: f64) -> Result<Measured, MeasureError> {
    let known: Vec<String> = manifest.outputs.iter().flat_map(|o| o.labels.clone()).collect();
    Measured::new(samples, judged.results, &known, manifest.thresholds, moved)
}

/// Reads the manifest of the bundle for its labels and thresholds.
fn manifest(bundle: &Path) -> Result<Manifest> {
    let source = model::open(bundle.to_str().context("the bundle's path is not UTF-8")?)?;
    source.manifest.with_context(|| {
        let file = bundle.display();
        format!(
            "{file} has no model.json, and so no labels to score: `andon model init {file} --into FOLDER` makes a bundle; \
             then name FOLDER"
        )
    })
}
