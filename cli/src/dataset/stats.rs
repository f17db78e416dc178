// SPDX-License-Identifier: MPL-2.0
//! `andon dataset stats`: what a folder of captures holds.

use std::{path::PathBuf, process::ExitCode};

use andon_evaluate::dataset::{CaptureStats, Folder};
use anyhow::Result;
use clap::Args;
use comfy_table::CellAlignment;

use super::{bar, failed, warn_of_faults};
use andon_report::words::counted;

use crate::table::table;

/// Count captures: by trigger, verdict, class, SKU and day; how often the arms agree; bytes.
#[derive(Args)]
#[command(after_help = "Example:
  andon dataset stats captures --json")]
pub struct Stats {
    /// The folder that a framesampler wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Stats {
    /// Prints the counts; wrong usage if there are no captures.
    pub fn execute(self) -> Result<ExitCode> {
        let folder = Folder::open(&self.folder).map_err(failed)?;
        let bar = bar(folder.len(), "counting");
        let stats = CaptureStats::count(&folder, || bar.inc(1));
        bar.finish_and_clear();
        let stats = stats.map_err(failed)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&stats)?);
        } else {
            print(&stats);
        }
        warn_of_faults(&stats.faults);
        Ok(ExitCode::SUCCESS)
    }
}

fn print(stats: &CaptureStats) {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "{}, {:.1} MB of images and {:.1} MB of sidecars",
        counted(stats.captures, "capture", "captures"),
        megabytes(stats.image_bytes),
        megabytes(stats.sidecar_bytes)
    );
    let mut out = table(&["", "", "captures"]);
    let mut rows = |what: &str, counts: &mut dyn Iterator<Item = (String, u64)>| {
        for (n, (name, count)) in counts.enumerate() {
            out.add_row([if n == 0 { what } else { "" }, &name, &count.to_string()]);
        }
    };
    rows("trigger", &mut stats.triggers.iter().map(|(k, n)| (k.clone(), *n)));
    for (arm, results) in &stats.arms {
        let models: Vec<_> = results.models.iter().map(String::as_str).collect();
        let title = if models.is_empty() { arm.clone() } else { format!("{arm}: {}", models.join(", ")) };
        rows(&title, &mut results.verdicts.iter().map(|(v, n)| (v.clone(), *n)));
        rows("", &mut results.captures_with.iter().map(|(label, n)| (format!("with {label}"), *n)));
    }
    if stats.agreement.both_judged > 0 {
        let of = &stats.agreement;
        let both = [("both judged", of.both_judged), ("equal verdicts", of.equal_verdicts), ("disagree", of.disagree)];
        rows("arms", &mut both.into_iter().map(|(what, n)| (what.into(), n)));
        rows("a and b", &mut of.verdicts.iter().map(|(v, n)| (v.clone(), *n)));
    }
    let sku = |(sku, n): (&String, &u64)| (if sku.is_empty() { "none".into() } else { sku.clone() }, *n);
    rows("sku", &mut stats.skus.iter().map(sku));
    rows("day", &mut stats.days.iter().map(|(day, n)| (day.clone(), *n)));
    out.column_mut(2).expect("it has three columns").set_cell_alignment(CellAlignment::Right);
    println!("{out}");
}
