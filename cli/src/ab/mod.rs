// SPDX-License-Identifier: MPL-2.0
//! `andon ab`: plays a pipeline file with two arms, and writes a side-by-side report in HTML, Markdown and JSON.

mod armed;
mod arms;
mod different;
mod figures;
mod frame;
mod gate;
mod headline;
mod judgement;
mod listener;
mod log;
mod markdown;
mod page;
mod plots;
mod record;
mod tables;

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
    process::ExitCode,
};

use andon_report::{ModelOf, Origin, masked};
use anyhow::{Context, Result, bail};
use clap::Args;
use gst::prelude::*;

use crate::{
    origin::{Moment, origin},
    play::{End, Messages, PipelineFile, Settings, play},
};
use different::DifferentFrames;
use figures::Figures;
use listener::AbListener;
use record::Record;

/// Exit code of --check if the challenger does not pass.
const NOT_PASSED: u8 = 3;
/// Time between two reports if the file leaves abjoin's report-interval as it is: plots over time need points.
const REPORT_INTERVAL: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// Compare two models on one line, and write a side-by-side report.
///
/// The pipeline file has an abtee and an abjoin, as pipelines/shadow.launch has. Ctrl-C ends the stream cleanly, with a
/// report. A second Ctrl-C stops at once.
#[derive(Args)]
#[command(
    after_help = "Example:\n  andon ab pipelines/shadow.launch CHAMPION=models/pcb/1 CHALLENGER=models/pcb/2 --report=out"
)]
pub struct Ab {
    #[command(flatten)]
    file: PipelineFile,
    /// Folder for index.html, report.md and report.json
    #[arg(long, value_name = "DIR", default_value = "ab-report")]
    report: PathBuf,
    /// Name of the abjoin, if the file has several
    #[arg(long, value_name = "NAME")]
    join: Option<String>,
    /// Number of the most different frames to show
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(0..=256))]
    frames: u16,
    /// Print all messages as JSON lines
    #[arg(long)]
    json: bool,
    /// Print all messages, those of every part too
    #[arg(long)]
    verbose: bool,
    /// Take how much worse the challenger may be from a gate file, as `andon evaluate --gate` reads it: its
    /// not_worse_by_more_than escape_rate and overkill_rate
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// Exit with 3 if a judgement is abort or, without labels, if arm b failed on a frame or gave no result
    #[arg(long)]
    check: bool,
}

impl Ab {
    /// Plays the file and writes the report. The exit code is 0 at the end of the stream, 1 if an arm has no model, of which
    /// nothing is played, 3 if a check does not pass, and 130 if a second Ctrl-C cut the stream short.
    pub fn execute(self) -> Result<ExitCode> {
        let line = self.file.line()?;
        let pipeline = self.file.pipeline(&line)?;
        let join = arms::join(&pipeline, self.join.as_deref()).map_err(|what| self.file.misused(&what))?;
        if let Some(path) = &self.gate {
            gate::apply(path, &join)?;
        }
        if let Some(why) = armed::missing(&join) {
            bail!("{}: {why}", self.file.path.display());
        }
        self.prepare()?;
        if join.property::<u64>("report-interval") == arms::default_interval(&join) {
            join.set_property("report-interval", REPORT_INTERVAL.nseconds());
        }
        let frames = DifferentFrames::watch(&join, self.frames.into());
        let listener = AbListener::new(Messages { json: self.json }, self.verbose, &join);
        let (started, began) = (now()?, Moment::now());
        let (end, listener) = play(&pipeline, listener, &Settings::default());

        let log = listener.into_log();
        let kept = frames.take();
        let record = Record::new(
            &log,
            &kept,
            &join,
            record::Run {
                file: self.file.path.display().to_string(),
                pipeline: masked(&line),
                started_utc: started,
                ended_utc: now()?,
                end: match &end {
                    Ok(End::Eos) => "eos".into(),
                    Ok(End::Stopped) => "stopped".into(),
                    Err(error) => format!("failed: {error:#}"),
                },
                providers: frames.providers(),
            },
        );
        let origin = self.origin(&record, began.to(&Moment::now()));
        self.write("report.json", &format!("{:#}\n", serde_json::to_value(&record)?))?;
        self.write("report.md", &markdown::text(&record))?;
        self.write("index.html", &page::page(&record, &log.history, &kept, &origin).into_string())?;
        eprintln!("{}\nreport: {}", record.headline, self.report.join("index.html").display());

        let end = end?;
        let labels = record.labels();
        if record.labels_are_of_others() {
            bail!("{labels}");
        }
        if !labels.is_empty() {
            eprintln!("{labels}");
        }
        if self.check && end == End::Eos && !record.passes() {
            eprintln!("not passed: {}", record.objection());
            return Ok(ExitCode::from(NOT_PASSED));
        }
        Ok(end.code())
    }

    /// Where the page comes from.
    fn origin(&self, record: &Record, when: String) -> Origin {
        let pairs = record.pairs();
        let of = |ab: &Figures<'_>| {
            let text = |arm: &str, field: &str| ab.text(&format!("/models/{arm}/{field}")).to_string();
            [("a", "a: champion"), ("b", "b: challenger")].map(|(arm, role)| ModelOf {
                role: role.into(),
                name: ab.model(arm).trim_end_matches(&format!("/{}", text(arm, "version"))).into(),
                version: text(arm, "version"),
                digest: text(arm, "digest"),
            })
        };
        let mut models: Vec<ModelOf> = Vec::new();
        for model in pairs.iter().flat_map(of) {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        let mut place = vec![("Pipeline", self.file.path.display().to_string())];
        place.extend(self.file.folder().map(|folder| ("Pictures", folder.display().to_string())));
        origin("Andon: two models side by side on one line", when, place, models)
    }

    /// Makes the folder before the run, so that one that cannot be written is an error at once.
    fn prepare(&self) -> Result<()> {
        let path = self.report.join("report.json");
        fs::create_dir_all(&self.report)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&path).map(drop))
            .with_context(|| {
                format!(
                    "the report cannot be written to {}; name another folder with --report=DIR",
                    self.report.display()
                )
            })
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.report.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Returns the time now, in UTC, as ISO 8601.
fn now() -> Result<String> {
    Ok(glib::DateTime::now_utc()?.format("%Y-%m-%dT%H:%M:%SZ")?.into())
}
