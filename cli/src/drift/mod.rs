// SPDX-License-Identifier: MPL-2.0
//! `andon drift`: the record of a drift meter as one page.

mod course;
mod headline;
mod page;
mod plots;
mod read;
mod tables;
mod times;
mod words;

use std::{
    fs,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::files;
use andon_report::{ModelOf, Origin};
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

pub use course::{Change, Course};
pub use plots::{Scene, plots};

use crate::{
    app::Usage,
    origin::{Moment, origin},
};
use times::Scale;

/// Show the record of a driftmeter as a page.
///
/// The page has states and alarms with their causes, since when and at which part, and every feature over time. To record, set report-interval of
/// driftmeter and play the pipeline with --json.
#[derive(Args)]
#[command(
    after_help = "Example:\n  andon run line.launch --json > report.jsonl\n  andon drift report.jsonl --out=drift.html"
)]
pub struct Drift {
    /// Messages of `andon run --json`, or reports alone (schema andon.drift/1); - reads the standard input
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    /// File for the page
    #[arg(long, value_name = "FILE", default_value = "drift.html")]
    out: PathBuf,
    /// Name of the driftmeter, if the record has several
    #[arg(long, value_name = "NAME")]
    meter: Option<String>,
    /// Print the headline and the tables in Markdown
    #[arg(long)]
    markdown: bool,
    /// Print one JSON document
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
}

/// What a record says, for programs; the page has the rest.
#[derive(Serialize)]
struct DriftSummary {
    /// Always `andon.drift-summary/1`.
    schema: &'static str,
    /// The record, as it was named.
    report: PathBuf,
    /// The page.
    page: PathBuf,
    /// How many reports there are.
    reports: u64,
    /// How many alarms there were.
    alarms: usize,
    /// What was found, in a few words.
    what: String,
    /// What was found, in a sentence.
    headline: String,
}

impl Drift {
    /// Writes the page. A record that cannot be read is wrong usage.
    pub fn execute(self) -> Result<ExitCode> {
        let misused = |what: String| Usage(format!("{}: {what}", self.report.display()));
        let text: Box<dyn Read> = if self.report == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(files::open(&self.report).map_err(|e| misused(e.to_string()))?)
        };
        let record = read::read(BufReader::new(text), self.meter.as_deref()).map_err(misused)?;
        if let Some(line) = record.torn {
            let report = self.report.display();
            eprintln!("warning: {report}: line {line} breaks off in the middle of a message, and is passed over");
        }
        let origin = self.origin(&record);
        fs::write(&self.out, page::page(&record, &self.report.display().to_string(), &origin).into_string())
            .with_context(|| format!("{} cannot be written; name another file with --out=FILE", self.out.display()))?;
        if self.markdown {
            print!("{}", page::text(&record));
        }
        let headline = headline::headline(&record.course);
        eprintln!("{}\npage: {}", headline.sentence, self.out.display());
        if self.json {
            let summary = DriftSummary {
                schema: "andon.drift-summary/1",
                report: self.report,
                page: self.out,
                reports: record.course.reports(),
                alarms: record.course.alarms().len(),
                what: headline.what,
                headline: headline.sentence,
            };
            println!("{}", serde_json::to_string_pretty(&summary)?);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Where the page comes from. The host and the command are of who made the page: a record does not name its own.
    fn origin(&self, record: &read::Record) -> Origin {
        let course = &record.course;
        let (scale, begin, end) = (course.scale(), course.begin(), course.end());
        let when = match (scale, begin.utc_ns, end.utc_ns) {
            (Scale::Clock { ahead_s, .. }, Some(from), Some(to)) => {
                let [from, to] = [from, to].map(|ns| Moment::at(ns, ahead_s.unwrap_or_default()));
                from.to(&to)
            }
            _ => format!("{} to {}; the record knows no clock", scale.when(&begin), scale.when(&end)),
        };
        let mut place = vec![("Record", self.report.display().to_string())];
        place.extend((!record.meter.is_empty()).then(|| ("Meter", record.meter.clone())));
        let mut models = record.models.clone();
        if let Some(digest) = course.last.as_ref().map(|last| &last.model).filter(|digest| !digest.is_empty())
            && models.iter().all(|model| model.digest != *digest)
        {
            models.push(ModelOf { role: "Watched".into(), digest: digest.clone(), ..ModelOf::default() });
        }
        origin("Andon: the record of a drift meter", when, place, models)
    }
}
