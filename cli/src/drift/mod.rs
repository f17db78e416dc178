// SPDX-License-Identifier: MPL-2.0
//! `andon drift`: what a drift meter recorded, as one page to look at.

mod course;
mod headline;
mod page;
mod plots;
mod read;
mod tables;
mod words;

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Args;

pub use course::{Change, Course};
pub use plots::{Scene, plots};

use crate::app::Usage;

/// Renders what driftmeter recorded as a page: states and alarms with their causes, every feature over frames.
///
/// To record: andon run FILE --json > REPORT, with report-interval of driftmeter set.
#[derive(Args)]
pub struct Drift {
    /// Messages of `andon run --json`, or reports on their own (schema andon.drift/1); - is the standard input
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "drift.html")]
    out: PathBuf,
    /// The drift meter, where several speak in it
    #[arg(long, value_name = "NAME")]
    meter: Option<String>,
    /// Print the same in short as Markdown
    #[arg(long)]
    markdown: bool,
}

impl Drift {
    /// Writes the page; wrong usage where the record cannot be read.
    pub fn execute(self) -> Result<ExitCode> {
        let misused = |what: String| Usage(format!("{}: {what}", self.report.display()));
        let text: Box<dyn Read> = if self.report == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(&self.report).map_err(|e| misused(e.to_string()))?)
        };
        let record = read::read(BufReader::new(text), self.meter.as_deref()).map_err(misused)?;
        fs::write(&self.out, page::page(&record, &self.report.display().to_string()).into_string())
            .with_context(|| format!("{} cannot be written; name another file with --out=FILE", self.out.display()))?;
        if self.markdown {
            print!("{}", page::text(&record));
        }
        let headline = headline::headline(&record.course);
        eprintln!("{}\npage: {}", headline.sentence, self.out.display());
        Ok(ExitCode::SUCCESS)
    }
}
