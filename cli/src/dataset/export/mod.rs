// SPDX-License-Identifier: MPL-2.0
//! `andon dataset export`: captures as a data set that an annotation tool or a trainer opens at once.
//!
//! The sidecars are read twice, one at a time: for the labels, which stand first in every format, and for the rest. So
//! memory does not grow with the number of captures, but for their names.

mod coco;
mod datumaro;
mod labelstudio;
mod list;
mod marks;
mod staging;
mod yolo;

pub use coco::DESCRIPTION;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::{
    random::Hash,
    result::{Arm, Inference},
};
use andon_report::words::counted;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use marks::{Mark, marks};
use staging::Staging;

use super::{
    bar,
    folder::{Capture, Folder},
    stats::model,
};
use crate::app::Usage;

/// Writes captures as a data set: images, and what a model found on them as annotations to be corrected.
///
/// The folder is there whole or not at all, and the same captures make the same bytes.
#[derive(Args)]
pub struct Export {
    /// The folder that a framesampler wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What the data set is for
    #[arg(long)]
    format: Kind,
    /// The folder to make; one that is there has to be empty
    #[arg(long, value_name = "OUT")]
    into: PathBuf,
    /// Whose opinion becomes the annotation; labelstudio takes both
    #[arg(long, default_value = "a")]
    arm: Opinion,
    /// Leave out boxes that are less sure, 0..1
    #[arg(long, value_name = "SCORE", default_value_t = 0.0, value_parser = share)]
    min_score: f32,
    /// The classes in their order, with commas between them, so that every export numbers them alike [default: those that
    /// were found, by the alphabet]
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<String>,
    /// Name of the one subset [default: train for yolo, else default]
    #[arg(long, value_name = "NAME", value_parser = plain, conflicts_with = "val")]
    subset: Option<String>,
    /// Split into train and val, this share of the parts to val; frames of one part stay together
    #[arg(long, value_name = "SHARE", value_parser = share)]
    val: Option<f32>,
    /// Hard links instead of copies of the images, where the disk can
    #[arg(long)]
    link: bool,
    /// Take frames that the arm did not judge into coco and yolo too, where no box reads as nothing there
    #[arg(long)]
    unjudged: bool,
    /// What addresses of images in labelstudio begin with
    #[arg(long, value_name = "TEXT", default_value = "/data/local-files/?d=")]
    prefix: String,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// CVAT, FiftyOne, pycocotools
    Coco,
    /// Label Studio, both arms as predictions
    Labelstudio,
    /// Ultralytics; without scores
    Yolo,
    /// Datumaro, with the verdict as a tag of the image
    Datumaro,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Opinion {
    A,
    B,
}

/// What is known before the first capture is written.
pub struct Plan {
    /// All labels, in the order in which they are numbered.
    pub labels: Vec<String>,
    /// The models that found them.
    pub models: Vec<String>,
    /// The names of the subsets; an [`Item`] has the index.
    pub subsets: Vec<String>,
}

/// A capture to write.
pub struct Item<'a> {
    /// All that is known of it.
    pub capture: &'a Capture,
    /// Index of its subset.
    pub subset: usize,
    /// What the chosen arm said, where it judged.
    pub said: Option<&'a Inference>,
    /// The chosen arm's boxes, each with the index of its label.
    pub marks: Vec<(usize, Mark<'a>)>,
}

/// Who writes annotations; images are in their places already.
pub trait Format {
    /// Writes what is said of a capture.
    fn add(&mut self, item: &Item<'_>) -> Result<()>;

    /// Writes what comes after the last one.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// What became of the captures.
#[derive(Default)]
struct Tally {
    /// Captures of each subset.
    of: Vec<u64>,
    boxes: u64,
    outside: u64,
    unjudged: u64,
    /// Masks and maps written.
    pixels: u64,
    /// Masks and maps that a sidecar only names.
    named: u64,
    copied: u64,
}

impl Export {
    /// Writes it; wrong usage where there are no captures, or `OUT` is not free.
    pub fn execute(self) -> Result<ExitCode> {
        self.check()?;
        let folder = Folder::open(&self.folder)?;
        let staging = Staging::new(&self.into)?;
        let plan = self.plan(&folder)?;
        let images = staging.path().join("images");
        for subset in &plan.subsets {
            fs::create_dir_all(images.join(subset))?;
        }
        let mut format = self.format(staging.path(), &plan)?;
        let mut tally = Tally { of: vec![0; plan.subsets.len()], ..Tally::default() };
        let bar = bar(folder.len(), "writing");
        let done = folder.each(
            || bar.inc(1),
            |capture| {
                let Some(item) = self.item(capture, &plan, &mut tally)? else { return Ok(()) };
                let to = images.join(&plan.subsets[item.subset]).join(&capture.sidecar.file);
                self.place(&capture.image, &to, &mut tally)?;
                let pixels = staging.path().join("pixels").join(&plan.subsets[item.subset]);
                self.place_pixels(capture, &pixels, &mut tally)?;
                format.add(&item)
            },
        );
        bar.finish_and_clear();
        let (_, faults) = done?;
        format.finish()?;
        staging.finish()?;
        self.tell(&plan, &tally);
        faults.tell();
        Ok(ExitCode::SUCCESS)
    }

    /// Other names in `data.yaml` would be settings, or nothing.
    fn check(&self) -> Result<(), Usage> {
        match self.subset.as_deref() {
            Some("train" | "val" | "test") | None => Ok(()),
            Some(name) if self.format == Kind::Yolo => {
                Err(Usage(format!("--subset {name}: yolo knows train, val and test")))
            }
            Some(_) => Ok(()),
        }
    }

    fn arm(&self) -> Arm {
        match self.arm {
            Opinion::A => Arm::A,
            Opinion::B => Arm::B,
        }
    }

    /// Reads all sidecars for the labels and the models.
    fn plan(&self, folder: &Folder) -> Result<Plan> {
        let (mut labels, mut models) = (BTreeSet::new(), BTreeSet::new());
        let arms = if self.format == Kind::Labelstudio { vec![Arm::A, Arm::B] } else { vec![self.arm()] };
        let bar = bar(folder.len(), "reading");
        let done = folder.each(
            || bar.inc(1),
            |capture| {
                for said in arms.iter().filter_map(|arm| capture.judged(*arm)) {
                    for label in said.detections.iter().map(|d| &*d.label) {
                        if !labels.contains(label) {
                            labels.insert(label.to_string());
                        }
                    }
                    let model = model(&said.model);
                    if !models.contains(&model) {
                        models.insert(model);
                    }
                }
                Ok(())
            },
        );
        bar.finish_and_clear();
        done?;
        let subsets = match (&self.subset, self.val) {
            (_, Some(_)) => vec!["train".into(), "val".into()],
            (Some(name), _) => vec![name.clone()],
            (None, None) if self.format == Kind::Yolo => vec!["train".into()],
            (None, None) => vec!["default".into()],
        };
        Ok(Plan { labels: self.numbered(labels)?, models: models.into_iter().collect(), subsets })
    }

    /// The labels in the order that was asked for.
    fn numbered(&self, found: BTreeSet<String>) -> Result<Vec<String>, Usage> {
        if self.labels.is_empty() {
            return Ok(found.into_iter().collect());
        }
        let missing: Vec<_> = found.into_iter().filter(|l| !self.labels.contains(l)).collect();
        if missing.is_empty() {
            Ok(self.labels.clone())
        } else {
            Err(Usage(format!("--labels has no {}, which were found", missing.join(", "))))
        }
    }

    fn format(&self, folder: &Path, plan: &Plan) -> Result<Box<dyn Format>> {
        Ok(match self.format {
            Kind::Coco => Box::new(coco::Coco::new(folder, plan)?),
            Kind::Labelstudio => Box::new(labelstudio::LabelStudio::new(folder, plan, &self.prefix, self.min_score)?),
            Kind::Yolo => Box::new(yolo::Yolo::new(folder, plan)?),
            Kind::Datumaro => Box::new(datumaro::Datumaro::new(folder, plan)?),
        })
    }

    /// The capture as it is to be written; none where it is to be left out.
    fn item<'a>(&self, capture: &'a Capture, plan: &Plan, tally: &mut Tally) -> Result<Option<Item<'a>>> {
        let said = capture.judged(self.arm());
        if said.is_none() {
            tally.unjudged += 1;
            if matches!(self.format, Kind::Coco | Kind::Yolo) && !self.unjudged {
                return Ok(None);
            }
        }
        let subset = self.val.map_or(0, |share| subset(capture, share));
        let mut found = Vec::new();
        // Label Studio has both arms, each its own.
        for said in [Arm::A, Arm::B].into_iter().filter(|a| self.takes(*a)).filter_map(|a| capture.judged(a)) {
            let sure = said.detections.iter().filter(|d| d.score >= self.min_score).count();
            let marks = marks(said, capture.sidecar.size, self.min_score);
            tally.outside += (sure - marks.len()) as u64;
            tally.boxes += marks.len() as u64;
            let there = capture.sidecar.pixels.iter().filter(|p| p.arm == said.arm).count() as u64;
            tally.named += named(said).saturating_sub(there);
            for mark in marks {
                let label = plan.labels.iter().position(|l| l == mark.label);
                let changed = || format!("{} is a new label: captures changed meanwhile; export again", mark.label);
                found.push((label.with_context(changed)?, mark));
            }
        }
        tally.of[subset] += 1;
        Ok(Some(Item { capture, subset, said, marks: found }))
    }

    fn takes(&self, arm: Arm) -> bool {
        self.format == Kind::Labelstudio || arm == self.arm()
    }

    /// Puts an image in its place.
    fn place(&self, from: &Path, to: &Path, tally: &mut Tally) -> Result<()> {
        if self.link && fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        fs::copy(from, to).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
        tally.copied += 1;
        Ok(())
    }

    /// Writes the masks and maps of the arms that are taken: STEM-ARM-WHAT.png, of a detection its place in the list after it.
    fn place_pixels(&self, capture: &Capture, folder: &Path, tally: &mut Tally) -> Result<()> {
        let stem = capture.image.file_stem().unwrap_or_default().to_string_lossy();
        for pixels in capture.sidecar.pixels.iter().filter(|p| self.takes(p.arm)) {
            let place = pixels.detection.map(|n| format!("-{n}")).unwrap_or_default();
            let to = folder.join(format!("{stem}-{}-{}{place}.png", pixels.arm, pixels.what.as_str()));
            let file = pixels.file().map_err(anyhow::Error::msg);
            let file = file.with_context(|| format!("{}: a mask that cannot be read", capture.image.display()))?;
            fs::create_dir_all(folder)?;
            fs::write(&to, file).with_context(|| format!("{} cannot be written", to.display()))?;
            tally.pixels += 1;
        }
        Ok(())
    }

    fn tell(&self, plan: &Plan, tally: &Tally) {
        let all: u64 = tally.of.iter().sum();
        let of: Vec<_> = plan.subsets.iter().zip(&tally.of).map(|(name, n)| format!("{n} in {name}")).collect();
        println!(
            "{} ({}) with {} in {}",
            counted(all, "image", "images"),
            of.join(", "),
            counted(tally.boxes, "box", "boxes"),
            self.into.display()
        );
        println!("labels: {}", if plan.labels.is_empty() { "none".into() } else { plan.labels.join(", ") });
        if tally.unjudged > 0 && self.format != Kind::Labelstudio {
            let frames = counted(tally.unjudged, "capture", "captures");
            let left = matches!(self.format, Kind::Coco | Kind::Yolo) && !self.unjudged;
            let what = if left { "left out (--unjudged takes them)" } else { "there without annotations" };
            eprintln!("warning: {frames} not judged by arm {}: {what}", self.arm());
        }
        if tally.outside > 0 {
            eprintln!("warning: {} outside of the image: left out", counted(tally.outside, "box", "boxes"));
        }
        if tally.pixels > 0 {
            println!("{} in pixels/", counted(tally.pixels, "mask or map", "masks and maps"));
        }
        if tally.named > 0 {
            let all = counted(tally.named, "mask or map", "masks and maps");
            eprintln!("warning: {all} without pixels, as of an arm that came late: not exported");
        }
        if self.link && tally.copied > 0 {
            eprintln!(
                "warning: {} copied: this disk makes no hard links to them",
                counted(tally.copied, "image", "images")
            );
        }
    }
}

/// Masks and maps that an outcome speaks of.
fn named(said: &Inference) -> u64 {
    let anomaly = said.anomaly.as_ref();
    let of_anomaly = anomaly.map_or(0, |a| usize::from(a.map.is_some()) + usize::from(a.mask.is_some()));
    let of_boxes = said.detections.iter().filter(|d| d.mask.is_some()).count();
    (of_anomaly + of_boxes + usize::from(said.segmentation.is_some())) as u64
}

/// 1 for val, 0 for train: by the part alone, so that a part falls on the same side in every export.
fn subset(capture: &Capture, val: f32) -> usize {
    let key = capture.part_key().to_string();
    usize::from(Hash::default().with(key.as_bytes()).place() < f64::from(val))
}

fn share(text: &str) -> Result<f32, String> {
    let share = text.parse().map_err(|e| format!("{e}"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("it has to lie between 0 and 1".into()) }
}

/// A word that can be the name of a folder, and stand in YAML.
fn plain(text: &str) -> Result<String, Usage> {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(safe) {
        Ok(text.into())
    } else {
        Err(Usage("letters, digits, - and _, a letter first".into()))
    }
}
