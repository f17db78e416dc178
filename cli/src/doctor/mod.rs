// SPDX-License-Identifier: MPL-2.0
//! `andon doctor`: reports what this machine offers, and which execution providers run a model, how fast, and whether
//! their results are those of the CPU.

mod compare;
mod limits;
mod machine;
mod trial;

use std::{path::PathBuf, process::ExitCode};

use andon_inference::{Provider, requested_providers, runtime};
use anyhow::{Context, Result};
use clap::Args;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use trial::{Ran, Trial, TrialResult};

use crate::{
    app::{Usage, init},
    table::table,
};

/// Check this machine: which execution providers run a model, and how fast.
///
/// Every provider is tried in a process of its own, on made-up boards, and its results are compared with those of the CPU.
#[derive(Args)]
#[command(after_help = "Example:\n  andon doctor models/pcb/2 --providers=cuda,cpu")]
pub struct Doctor {
    /// Bundle folder, .onnx file, or STORE/NAME@VERSION (default: a tiny graph)
    model: Option<String>,
    /// Providers to try instead of all in the library: "tensorrt,openvino(device_type=GPU),cpu"
    #[arg(long, value_name = "LIST")]
    providers: Option<String>,
    /// Frames to judge with each provider
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    frames: u32,
    /// Threads of the engine; 0 for the number of physical cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: u32,
    /// Longest time for one provider, seconds
    #[arg(long, value_name = "S", default_value_t = 600)]
    patience: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Try one provider in this process; for the program itself
    #[arg(long, hide = true, value_name = "PROVIDER")]
    trial: Option<String>,
}

/// The trial of one provider.
#[derive(Serialize)]
struct Row {
    provider: String,
    #[serde(flatten)]
    result: TrialResult,
    /// The difference to the CPU's results on the same frames. None if results of one of the two are missing.
    difference: Option<compare::Difference>,
}

/// The whole report.
#[derive(Serialize)]
struct Report {
    schema: &'static str,
    machine: Vec<(&'static str, String)>,
    providers: Vec<Offer>,
    model: Option<String>,
    trials: Vec<Row>,
}

/// A provider that this version can ask for.
#[derive(Serialize)]
struct Offer {
    name: &'static str,
    /// Whether the runtime library has it.
    offered: bool,
    /// Where to get a library that has it.
    source: &'static str,
}

impl Doctor {
    /// Prints the report. Fails if there is no runtime, or if no provider runs the model.
    pub fn execute(self) -> Result<ExitCode> {
        if let Some(provider) = &self.trial {
            let model = self.model.as_deref().context("--trial needs a model")?;
            println!("{}", serde_json::to_string(&trial::here(model, provider, self.frames, self.threads))?);
            return Ok(ExitCode::SUCCESS);
        }
        init()?;
        let machine = machine::facts();
        let model = self.model.as_deref().map(andon_model::open).transpose();
        if let Err(e) = runtime::info() {
            if !self.json {
                println!("{}", machine_table(&machine));
            }
            return Err(e.into());
        }
        model?;
        let offers: Vec<_> = Provider::ALL
            .into_iter()
            .map(|p| Ok(Offer { name: p.name(), offered: p.offered()?, source: p.source() }))
            .collect::<Result<_>>()?;
        let report = Report {
            schema: "andon.doctor/1",
            machine,
            trials: self.trials(&offers)?,
            providers: offers,
            model: self.model.clone(),
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print(&report, self.frames);
        }
        let runs = report.trials.iter().any(|r| matches!(r.result, TrialResult::Ran(_)));
        Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Tries the providers that were asked for, or all in the library, and the CPU to compare with.
    fn trials(&self, offers: &[Offer]) -> Result<Vec<Row>> {
        let tiny = trial::Tiny::new()?;
        let model = self.model.as_deref().map_or_else(|| tiny.path(), PathBuf::from);
        let mut wanted = match &self.providers {
            Some(list) => requested_providers(list).map_err(|e| Usage(e.to_string()))?,
            // TensorRT takes minutes to build an engine: it has to be asked for.
            None => offers.iter().filter(|o| o.offered && o.name != "tensorrt").map(|o| o.name.to_string()).collect(),
        };
        if !wanted.iter().any(|w| w == "cpu") {
            wanted.push("cpu".into());
        }
        let trial = Trial {
            model,
            frames: self.frames,
            threads: self.threads,
            patience: self.patience,
            scratch: tiny.folder(),
        };
        let results: Vec<_> = wanted.into_iter().map(|p| (trial.run(&p), p)).collect();
        let cpu = results.iter().find_map(|(result, p)| if p == "cpu" { result.ran() } else { None }).cloned();
        let row = |(mut result, provider): (TrialResult, String)| {
            let both = result.ran().zip(cpu.as_ref()).filter(|_| provider != "cpu");
            let difference = both.map(|(ran, cpu)| compare::difference(&ran.results, &cpu.results));
            if let TrialResult::Ran(ran) = &mut result {
                ran.results.clear();
            }
            Row { provider, result, difference }
        };
        Ok(results.into_iter().map(row).collect())
    }
}

fn machine_table(facts: &[(&'static str, String)]) -> Table {
    let mut machine = table(&["this machine", ""]);
    for (name, value) in facts {
        machine.add_row([*name, value]);
    }
    machine
}

fn print(report: &Report, frames: u32) {
    println!("{}\n", machine_table(&report.machine));

    let mut offers = table(&["execution provider", "in the library", "works", "what to do"]);
    for offer in &report.providers {
        let own = |r: &&Row| r.provider.split('(').next() == Some(offer.name);
        let tried = || report.trials.iter().filter(own).map(|r| &r.result);
        // One set of options that works is enough.
        let (works, advice) = match tried().find(|t| t.ran().is_some()).or_else(|| tried().next()) {
            Some(TrialResult::Ran(_)) => ("yes", ""),
            Some(TrialResult::Failed { problem }) => ("no", problem.as_str()),
            None if !offer.offered => ("–", offer.source),
            None => ("not tried", "name it in --providers"),
        };
        offers.add_row([offer.name, if offer.offered { "yes" } else { "no" }, works, advice]);
    }
    println!("{offers}\n");

    let what = report.model.as_deref().unwrap_or("a tiny graph");
    println!("{what} on {frames} frames of 640×640 from defecttestsrc");
    let mut trials = table(&["asked for", "runs on", "share of its time", "load", "a frame, median", "against cpu"]);
    for row in &report.trials {
        match &row.result {
            TrialResult::Ran(ran) => trials.add_row(columns(row, ran)),
            TrialResult::Failed { problem } => trials.add_row([&row.provider, "–", "–", "–", "–", problem]),
        };
    }
    for column in trials.column_iter_mut().skip(3).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{trials}");
    for (row, ran) in report.trials.iter().filter_map(|r| Some((r, r.result.ran()?))) {
        if let Some(unjudged) = &ran.unjudged {
            println!("{}: not every frame was judged: {unjudged}", row.provider);
        }
    }
}

fn columns(row: &Row, ran: &Ran) -> [String; 6] {
    let shares: Vec<_> = ran.shares.iter().map(|(name, share)| format!("{name} {:.0} %", share * 100.0)).collect();
    let against = match (&row.difference, row.provider.as_str()) {
        (Some(difference), _) => difference.to_string(),
        (None, "cpu") => String::new(),
        (None, _) => "nothing to compare with".into(),
    };
    [
        row.provider.clone(),
        ran.provider.clone(),
        shares.join(", "),
        format!("{:.0} ms", ran.load_ms),
        ran.median_us.map_or_else(|| "–".into(), |us| format!("{:.2} ms", us as f64 / 1000.0)),
        against,
    ]
}
