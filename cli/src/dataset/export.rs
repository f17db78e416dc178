// SPDX-License-Identifier: MPL-2.0
//! `andon dataset export`: captures as a data set that an annotation tool or a trainer opens at once.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use andon_core::result::Arm;
use andon_evaluate::dataset::{
    Folder,
    export::{Exported, Format, Options, Step, Untold, export},
};
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{bar, failed, warn_of_faults};
use andon_report::words::counted;

use crate::app::Usage;

/// Write captures as a data set: images, and the detections of a model as annotations for people to correct.
///
/// The data set is there whole or not at all, and the same captures make the same bytes.
#[derive(Args)]
#[command(after_help = "Example:
  andon dataset export captures --format coco --into for-cvat")]
pub struct Export {
    /// The folder that a framesampler wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The tool or trainer that reads the data set
    #[arg(long)]
    format: FormatArg,
    /// Write the data set into this new or empty folder
    #[arg(long, value_name = "OUT")]
    into: PathBuf,
    /// The arm whose detections become annotations; labelstudio takes both arms
    #[arg(long, default_value = "a")]
    arm: ArmArg,
    /// Leave out boxes with a lower score, 0..1
    #[arg(long, value_name = "SCORE", default_value_t = 0.0, value_parser = share)]
    min_score: f32,
    /// All labels, separated by commas, so that every export numbers them alike [default: the labels that were found, by
    /// the alphabet]
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<String>,
    /// The name of the one subset [default: train for yolo, else default]
    #[arg(long, value_name = "NAME", value_parser = plain, conflicts_with = "val")]
    subset: Option<String>,
    /// Split into train and val, this share of the parts to val; frames of one part stay together, and where nothing says
    /// what a part is, those of one run that are less than two seconds apart
    #[arg(long, value_name = "SHARE", value_parser = share)]
    val: Option<f32>,
    /// With --val: a capture that names no part is a part of its own
    #[arg(long, requires = "val")]
    frames_are_parts: bool,
    /// Make hard links instead of copies of the images, if the disk can
    #[arg(long)]
    link: bool,
    /// Take frames that the arm did not judge into coco and yolo, too, where no box means no defect
    #[arg(long)]
    unjudged: bool,
    /// What the addresses of images begin with in labelstudio
    #[arg(long, value_name = "TEXT", default_value = "/data/local-files/?d=")]
    prefix: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A data set that was exported, for programs.
#[derive(Serialize)]
struct ExportedSet {
    /// Always `andon.dataset-export/1`.
    schema: &'static str,
    /// The folder of the data set.
    folder: PathBuf,
    /// The labels, in the order of their numbers.
    labels: Vec<String>,
    /// Images by subset.
    images: BTreeMap<String, u64>,
    /// Boxes.
    boxes: u64,
    /// Boxes that were left out because they lie outside of the image.
    boxes_outside: u64,
    /// Captures that the arm did not judge.
    unjudged: u64,
    /// Captures that are not whole, and were left out.
    faults: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// CVAT, FiftyOne, pycocotools
    Coco,
    /// Label Studio, both arms as predictions
    Labelstudio,
    /// Ultralytics; without scores
    Yolo,
    /// Datumaro, with the verdict as a tag of the image
    Datumaro,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Coco => Self::Coco,
            FormatArg::Labelstudio => Self::Labelstudio,
            FormatArg::Yolo => Self::Yolo,
            FormatArg::Datumaro => Self::Datumaro,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ArmArg {
    A,
    B,
}

impl Export {
    /// Writes the data set; wrong usage if there are no captures, or `OUT` is not free.
    pub fn execute(self) -> Result<ExitCode> {
        let folder = Folder::open(&self.folder).map_err(failed)?;
        let (reading, writing) = (bar(folder.len(), "reading"), bar(folder.len(), "writing"));
        let exported = export(&folder, &self.into, &self.options(), |step| match step {
            Step::Read => reading.inc(1),
            Step::Written => {
                if !reading.is_finished() {
                    reading.finish_and_clear();
                }
                writing.inc(1);
            }
        });
        reading.finish_and_clear();
        writing.finish_and_clear();
        self.print(&exported.map_err(failed)?);
        Ok(ExitCode::SUCCESS)
    }

    fn arm(&self) -> Arm {
        match self.arm {
            ArmArg::A => Arm::A,
            ArmArg::B => Arm::B,
        }
    }

    fn options(&self) -> Options {
        Options {
            format: self.format.into(),
            arm: self.arm(),
            min_score: self.min_score,
            labels: self.labels.clone(),
            subset: self.subset.clone(),
            val: self.val,
            untold: if self.frames_are_parts { Untold::Frame } else { Untold::Together },
            link: self.link,
            unjudged: self.unjudged,
            prefix: self.prefix.clone(),
        }
    }

    fn document(&self, exported: &Exported) {
        let faults = &exported.faults;
        let set = ExportedSet {
            schema: "andon.dataset-export/1",
            folder: self.into.clone(),
            labels: exported.labels.clone(),
            images: exported.subsets.iter().cloned().collect(),
            boxes: exported.boxes,
            boxes_outside: exported.outside,
            unjudged: exported.unjudged,
            faults: [&faults.broken, &faults.without_image, &faults.without_sidecar].iter().map(|f| f.total).sum(),
        };
        println!("{}", serde_json::to_string_pretty(&set).expect("numbers and texts have a JSON"));
    }

    fn say(&self, exported: &Exported) {
        let all: u64 = exported.subsets.iter().map(|(_, n)| n).sum();
        let of: Vec<_> = exported.subsets.iter().map(|(name, n)| format!("{n} in {name}")).collect();
        println!(
            "{} ({}) with {} in {}",
            counted(all, "image", "images"),
            of.join(", "),
            counted(exported.boxes, "box", "boxes"),
            self.into.display()
        );
        println!("labels: {}", if exported.labels.is_empty() { "none".into() } else { exported.labels.join(", ") });
        if exported.masks > 0 {
            println!("{} in pixels/", counted(exported.masks, "mask or map", "masks and maps"));
        }
    }

    fn print(&self, exported: &Exported) {
        if self.json {
            self.document(exported)
        } else {
            self.say(exported)
        }
        if let [frames @ 1..=u64::MAX, groups] = exported.untold {
            let (frames, groups) = (counted(frames, "capture", "captures"), counted(groups, "group", "groups"));
            match self.frames_are_parts {
                true => eprintln!("warning: {frames} without a part: each was split as a part of its own"),
                false => eprintln!(
                    "warning: {frames} without a part: split by {groups} of captures that are less than two seconds apart, as \
                     they may show the same object; --frames-are-parts splits each on its own, and part-by on the first \
                     Andon element of the pipeline makes captures name their parts"
                ),
            }
        }
        for (name, _) in exported.subsets.iter().filter(|(_, images)| *images == 0) {
            eprintln!("warning: no image in {name}: too few parts for that share; a trainer needs some there");
        }
        if exported.unjudged > 0 && self.format != FormatArg::Labelstudio {
            let frames = counted(exported.unjudged, "capture", "captures");
            let what = if exported.unjudged_left_out {
                "left out (--unjudged takes them)"
            } else {
                "there without annotations"
            };
            eprintln!("warning: {frames} not judged by arm {}: {what}", self.arm());
        }
        if exported.outside > 0 {
            eprintln!("warning: {} outside of the image: left out", counted(exported.outside, "box", "boxes"));
        }
        if exported.masks_without_pixels > 0 {
            let all = counted(exported.masks_without_pixels, "mask or map", "masks and maps");
            eprintln!("warning: {all} without pixels, as of an arm that came late: not exported");
        }
        if self.link && exported.copied > 0 {
            let images = counted(exported.copied, "image", "images");
            eprintln!("warning: {images} copied: this disk makes no hard links to them");
        }
        warn_of_faults(&exported.faults);
    }
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
