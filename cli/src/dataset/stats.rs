// SPDX-License-Identifier: MPL-2.0
//! `andon dataset stats`: what a folder of captures holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
};

use andon_capture::disagree;
use andon_core::result::{Arm, Status, Verdict};
use anyhow::Result;
use clap::Args;
use comfy_table::CellAlignment;
use serde::Serialize;

use super::{
    bar,
    folder::{Capture, Faults, Folder},
};
use crate::table::table;

const NS: u64 = 1_000_000_000;

/// Counts captures: by trigger, verdict, class, SKU and day; where the arms agree; bytes.
#[derive(Args)]
pub struct Stats {
    /// The folder that a framesampler wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// All that was counted.
#[derive(Debug, Default, Serialize)]
struct Counts {
    schema: &'static str,
    captures: u64,
    image_bytes: u64,
    sidecar_bytes: u64,
    /// By what asked for them; a capture that was wanted for several reasons counts under each.
    triggers: BTreeMap<&'static str, u64>,
    arms: BTreeMap<&'static str, OfArm>,
    agreement: Agreement,
    /// By product; empty where the part has none, or where there is no part.
    skus: BTreeMap<String, u64>,
    /// By the day, UTC, of the capture time, else of the writing.
    days: BTreeMap<String, u64>,
    faults: Faults,
}

/// What one arm said.
#[derive(Debug, Default, Serialize)]
struct OfArm {
    models: BTreeSet<String>,
    verdicts: BTreeMap<&'static str, u64>,
    /// Boxes by label.
    boxes: BTreeMap<String, u64>,
    /// Captures with at least one such box.
    captures_with: BTreeMap<String, u64>,
}

/// Captures that both arms judged.
#[derive(Debug, Default, Serialize)]
struct Agreement {
    both_judged: u64,
    equal_verdicts: u64,
    /// Another verdict, or defects of other labels.
    disagree: u64,
    /// By a's verdict, then b's.
    verdicts: BTreeMap<String, u64>,
}

impl Stats {
    /// Prints them; wrong usage where there are no captures.
    pub fn execute(self) -> Result<ExitCode> {
        let folder = Folder::open(&self.folder)?;
        let mut counts = Counts { schema: "andon.dataset-stats/1", ..Counts::default() };
        let bar = bar(folder.len(), "counting");
        let done = folder.each(|| bar.inc(1), |capture| counts.add(capture));
        bar.finish_and_clear();
        (counts.captures, counts.faults) = done?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&counts)?);
        } else {
            counts.print();
        }
        counts.faults.tell();
        Ok(ExitCode::SUCCESS)
    }
}

impl Counts {
    fn add(&mut self, capture: &Capture) -> Result<()> {
        let sidecar = &capture.sidecar;
        self.image_bytes += capture.image_bytes;
        self.sidecar_bytes += capture.sidecar_bytes;
        let kinds: BTreeSet<_> = sidecar.triggers.iter().map(|t| t.trigger.as_str()).collect();
        kinds.into_iter().for_each(|kind| *self.triggers.entry(kind).or_default() += 1);
        for said in &sidecar.results {
            let arm = self.arms.entry(said.arm.as_str()).or_default();
            if said.arm != Arm::Truth {
                arm.models.insert(model(&said.model));
            }
            let verdict = if said.status == Status::Ok { said.verdict } else { Verdict::Unjudged };
            *arm.verdicts.entry(verdict.as_str()).or_default() += 1;
            for d in &said.detections {
                count(&mut arm.boxes, &d.label);
            }
            let labels: BTreeSet<_> = said.detections.iter().map(|d| &*d.label).collect();
            labels.into_iter().for_each(|label| count(&mut arm.captures_with, label));
        }
        if let (Some(a), Some(b)) = (capture.judged(Arm::A), capture.judged(Arm::B)) {
            self.agreement.both_judged += 1;
            self.agreement.equal_verdicts += u64::from(a.verdict == b.verdict);
            self.agreement.disagree += u64::from(disagree(a, b));
            count(&mut self.agreement.verdicts, &format!("{} {}", a.verdict, b.verdict));
        }
        count(&mut self.skus, sidecar.part.as_ref().map_or("", |p| &p.sku));
        let ns = sidecar.captured_utc_ns.unwrap_or(sidecar.written_utc_ns);
        let day = glib::DateTime::from_unix_utc((ns / NS) as i64)?.format("%Y-%m-%d")?;
        count(&mut self.days, &day);
        Ok(())
    }

    fn print(&self) {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{}, {:.1} MB of images and {:.1} MB of sidecars",
            andon_report::words::counted(self.captures, "capture", "captures"),
            megabytes(self.image_bytes),
            megabytes(self.sidecar_bytes)
        );
        let mut out = table(&["", "", "captures"]);
        let mut rows = |what: &str, counts: &mut dyn Iterator<Item = (String, u64)>| {
            for (n, (name, count)) in counts.enumerate() {
                out.add_row([if n == 0 { what } else { "" }, &name, &count.to_string()]);
            }
        };
        rows("trigger", &mut self.triggers.iter().map(|(k, n)| ((*k).into(), *n)));
        for (arm, said) in &self.arms {
            let models: Vec<_> = said.models.iter().map(String::as_str).collect();
            let title = if models.is_empty() { (*arm).to_string() } else { format!("{arm}: {}", models.join(", ")) };
            rows(&title, &mut said.verdicts.iter().map(|(v, n)| ((*v).into(), *n)));
            rows("", &mut said.captures_with.iter().map(|(label, n)| (format!("with {label}"), *n)));
        }
        if self.agreement.both_judged > 0 {
            let of = &self.agreement;
            let both =
                [("both judged", of.both_judged), ("equal verdicts", of.equal_verdicts), ("disagree", of.disagree)];
            rows("arms", &mut both.into_iter().map(|(what, n)| (what.into(), n)));
            rows("a and b", &mut of.verdicts.iter().map(|(v, n)| (v.clone(), *n)));
        }
        let sku = |(sku, n): (&String, &u64)| (if sku.is_empty() { "none".into() } else { sku.clone() }, *n);
        rows("sku", &mut self.skus.iter().map(sku));
        rows("day", &mut self.days.iter().map(|(day, n)| (day.clone(), *n)));
        out.column_mut(2).expect("it has three columns").set_cell_alignment(CellAlignment::Right);
        println!("{out}");
    }
}

/// A model as people call it.
pub fn model(id: &andon_core::result::ModelId) -> String {
    format!("{} {}", id.name, id.version).trim_end().into()
}

/// One more of `name`, whose memory is only asked for the first time.
fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.into(), 1)),
    }
}
