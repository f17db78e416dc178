// SPDX-License-Identifier: MPL-2.0
//! `andon reference`: makes a reference for driftmeter by playing recordings through the element itself.

mod files;
mod recordings;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::files as core_files;
use andon_report::{
    Table,
    words::{counted, value},
};
use andon_statistics::{
    meter::{ReferenceSet, References},
    reference::Reference,
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use gst::prelude::*;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::{
    app::{Usage, init},
    progress::{bar, spinner},
    table::{WIDTH, figures},
};
use recordings::{MeterPipeline, Model};

/// Make a reference for driftmeter from recordings of a line in good order.
///
/// Every frame is learned from, but black ones and those of a camera that stands still. What is weak about the reference is
/// said.
#[derive(Args)]
#[command(after_help = "Example:\n  andon reference good.mp4 --into=reference.json --model=models/pcb/2")]
pub struct MakeReference {
    /// Videos, and folders of images (jpg, png) in the order of their names
    #[arg(value_name = "VIDEO|FOLDER", required = true)]
    from: Vec<PathBuf>,
    /// File for `reference` of driftmeter
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    /// Add the reference of one product to those in FILE; driftmeter chooses by reference-key=NAME
    #[arg(long, value_name = "NAME=VALUE", value_parser = key)]
    key: Option<(String, String)>,
    /// Bundle that judges every frame, so that the reference knows its predictions
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// `image-root` of modelinfer: folder of the bundle's golden templates
    #[arg(long, value_name = "DIR", requires = "model")]
    image_root: Option<PathBuf>,
    /// `fields` of modelinfer: fields,sku=A,view=0
    #[arg(long, value_name = "STRUCTURE", requires = "model")]
    fields: Option<String>,
    /// Caps of the line, if the recordings differ: video/x-raw,format=NV12,width=640,height=640
    #[arg(long, value_name = "CAPS")]
    caps: Option<String>,
    /// `subsample` of driftmeter on the line
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..=64))]
    subsample: Option<u32>,
    /// `expected-run-length` of driftmeter: parts or frames between two false alarms
    #[arg(long, value_name = "FRAMES", value_parser = clap::value_parser!(u64).range(100..))]
    expected_run_length: Option<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A reference that was learned, for programs.
#[derive(Serialize)]
struct LearnedReference {
    /// Always `andon.reference-learned/1`.
    schema: &'static str,
    /// The file that holds it.
    file: PathBuf,
    /// Frames that it was learned from.
    frames: u64,
    /// Ticks that it was learned from.
    ticks: u64,
    /// How many independent stretches it is worth.
    effective: f64,
    /// Whether it represents its scene: whether nothing weak was found about it.
    represents: bool,
    /// What is weak about it.
    weak: Vec<String>,
    /// Features that changed while it was learned.
    unsteady: Vec<String>,
    /// Where its thresholds come from.
    calibration: String,
}

/// The counters of the meter.
struct Counted {
    learned: u64,
    black: u64,
    frozen: u64,
    unreadable: u64,
    too_small: u64,
    calibration: String,
}

impl MakeReference {
    /// Plays the recordings, writes the reference and prints it.
    pub fn execute(self) -> Result<ExitCode> {
        let files = files::files(&self.from).map_err(Usage)?;
        let folder = self.into.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Usage(format!("{}: there is no folder {}", self.into.display(), folder.display())).into());
        }
        let others = self.others()?;
        init()?;
        let caps = self.caps.as_deref().map(str::parse::<gst::Caps>).transpose();
        let caps = caps.map_err(|_| Usage(format!("'{}' is no caps", self.caps.as_deref().unwrap_or_default())))?;

        // A first pass counts the frames to learn from: black ones do not count, nor do those of a camera that stood still.
        let looking = spinner("looking at frames");
        let seen = self.pass(&Model::default(), None, &files, caps.as_ref(), &looking, |meter| Ok(counts(meter)))?;
        let (least, most) = property_range(&MeterPipeline::new(&Model::default())?.meter);
        let wanted = u32::try_from(seen.learned).unwrap_or(most).min(most);
        if wanted < least {
            bail!(
                "{} to learn from in {}; a reference needs at least {least}{}",
                counted(seen.learned, "frame", "frames"),
                self.from.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
                why(&seen)
            );
        }

        let learning = bar((seen.learned + seen.black + seen.frozen + seen.unreadable) as usize, "learning");
        let save = |meter: &gst::Element| {
            let path = self.into.to_str().context("the file's path is not UTF-8")?;
            ensure!(
                meter.emit_by_name::<bool>("save-reference", &[&path]),
                "the reference cannot be written to {}, or frames were lost on the way to the meter",
                self.into.display()
            );
            Ok(counts(meter))
        };
        let model = Model {
            bundle: self.model.as_deref(),
            image_root: self.image_root.as_deref(),
            fields: self.fields.as_deref(),
        };
        let learned = self.pass(&model, Some(wanted), &files, caps.as_ref(), &learning, save)?;
        let text = core_files::read_text(&self.into, 4 * core_files::TEXT)
            .with_context(|| format!("{}", self.into.display()))?;
        let reference = Reference::from_json(&text)?;
        if let (Some((_, value)), Some(mut set)) = (&self.key, others) {
            set.references.insert(value.clone(), reference.clone());
            let done = andon_core::files::replace(&self.into, References::By(set).to_json().as_bytes());
            done.with_context(|| format!("cannot write {}", self.into.display()))?;
        }
        if self.json {
            let document = LearnedReference {
                schema: "andon.reference-learned/1",
                file: self.into,
                frames: reference.frames,
                ticks: reference.ticks as u64,
                effective: reference.effective,
                represents: reference.weak.is_empty(),
                weak: reference.weak.iter().map(ToString::to_string).collect(),
                unsteady: reference.unsteady.iter().map(ToString::to_string).collect(),
                calibration: learned.calibration,
            };
            println!("{}", serde_json::to_string_pretty(&document)?);
        } else {
            self.print(&reference, &seen, &learned);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the references of other products in FILE. None if the reference is of one product alone.
    fn others(&self) -> Result<Option<ReferenceSet>> {
        let Some((key, _)) = &self.key else { return Ok(None) };
        let text = match core_files::read_text(&self.into, 4 * core_files::TEXT) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Some(ReferenceSet::new(key))),
            Err(e) => return Err(Usage(format!("{}: {e}", self.into.display())).into()),
        };
        let known = References::from_json(&text).map_err(|e| Usage(format!("{}: {e}", self.into.display())))?;
        match known {
            References::By(set) if set.key == *key => Ok(Some(set)),
            _ => Err(Usage(format!("{} holds no references by {key}: name another file", self.into.display())).into()),
        }
    }

    fn pass<T>(
        &self,
        model: &Model<'_>,
        learn: Option<u32>,
        files: &[PathBuf],
        caps: Option<&gst::Caps>,
        bar: &ProgressBar,
        then: impl FnOnce(&gst::Element) -> Result<T>,
    ) -> Result<T> {
        let pipeline = MeterPipeline::new(model)?;
        let most = property_range(&pipeline.meter).1;
        pipeline.meter.set_property("learn-frames", learn.unwrap_or(most));
        if let Some(rows) = self.subsample {
            pipeline.meter.set_property("subsample", rows);
        }
        if let Some(length) = self.expected_run_length {
            pipeline.meter.set_property("expected-run-length", length);
        }
        let fed = |file: usize| {
            if files.len() > 1 {
                bar.set_message(format!("(file {} of {})", file + 1, files.len()));
            }
            bar.inc(1);
        };
        let result = pipeline.play(files, caps, fed, then);
        bar.finish_and_clear();
        result
    }

    fn print(&self, reference: &Reference, seen: &Counted, learned: &Counted) {
        let rows = reference.features.iter().map(|(name, n)| {
            let sigma = Some(n.sigma);
            vec![
                name.clone(),
                value(Some(n.mean), sigma),
                value(sigma, sigma),
                value(Some(n.spread), sigma),
                value(Some(n.lag_1), Some(0.1)),
                n.ticks.to_string(),
            ]
        });
        let features = Table::new(["feature", "mean", "σ", "σ as measured", "correlation", "ticks"], rows.collect());
        let [width, height] = reference.frame;
        println!("{}", figures(&features, WIDTH));
        println!(
            "{} of {width}x{height} {}, {} to a tick: {}{}",
            counted(reference.frames, "frame", "frames"),
            reference.format,
            reference.tick,
            counted(reference.ticks as u64, "tick", "ticks"),
            why(seen)
        );
        println!("worth {:.1} independent stretches", reference.effective);
        match &reference.weak[..] {
            [] => println!("it represents its scene: nothing weak was found about it"),
            weak => {
                println!("it does not represent its scene: {}", weak.join("; "));
                println!(
                    "driftmeter's limits are wide for it; record more, with all products and all light that is normal"
                );
            }
        }
        let stand = match learned.calibration.as_str() {
            "extrapolated" => ": the recordings are short for the run length asked for; more of them make it estimated",
            _ => "",
        };
        println!("thresholds are {}{stand}", learned.calibration);
        if !reference.unsteady.is_empty() {
            println!(
                "it changed while it was learned, and what changed passes for normal: {}",
                reference.unsteady.join(", ")
            );
        }
        if reference.slow.is_none() {
            println!("fewer than 500 ticks: sums are watched, windows are not");
        }
        println!("reference: {}", self.into.display());
    }
}

/// Parses `NAME=VALUE`.
fn key(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.into(), value.into())),
        _ => Err("a key is NAME=VALUE, as in sku=A".into()),
    }
}

/// Returns the fewest and the most frames that the meter learns from.
fn property_range(meter: &gst::Element) -> (u32, u32) {
    let spec = meter.find_property("learn-frames").expect("driftmeter has it");
    let spec = spec.downcast::<glib::ParamSpecUInt>().expect("it is a number");
    (spec.minimum(), spec.maximum())
}

fn counts(meter: &gst::Element) -> Counted {
    let stats = meter.property::<gst::Structure>("stats");
    let count = |name: &str| stats.get::<u64>(name).unwrap_or_default();
    let frames = count("frames");
    let [black, frozen] = ["black-not-learned", "frozen-not-learned"].map(count);
    Counted {
        learned: frames.saturating_sub(black + frozen),
        black,
        frozen,
        unreadable: count("unreadable"),
        too_small: count("too-small"),
        calibration: stats.get("calibration").unwrap_or_default(),
    }
}

/// Returns words on the frames that were not learned from.
fn why(seen: &Counted) -> String {
    let kinds = [
        (seen.black, "black"),
        (seen.frozen, "frozen"),
        (seen.too_small, "too small"),
        (seen.unreadable, "unreadable"),
    ];
    let left_out: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if left_out.is_empty() { String::new() } else { format!(" (not learned from: {})", left_out.join(", ")) }
}
