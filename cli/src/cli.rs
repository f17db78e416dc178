// SPDX-License-Identifier: MPL-2.0
//! The command line: which subcommands there are, and what each of them answers to the shell.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{ab, boards, dataset, demo, doctor, drift, evaluate, model, reference, run};

/// Runs, measures and explains Andon pipelines.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check not passed (ab --check), 130 stopped by a second Ctrl-C.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Ab(ab::Ab),
    Drift(drift::Drift),
    Reference(reference::MakeReference),
    Evaluate(Box<evaluate::Evaluate>),
    Model(model::Model),
    Dataset(dataset::Dataset),
    Boards(boards::Boards),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
}

impl Cli {
    /// Does what was asked for.
    pub fn execute(self) -> Result<ExitCode> {
        match self.command {
            Command::Run(run) => run.execute(),
            Command::Ab(ab) => ab.execute(),
            Command::Drift(drift) => drift.execute(),
            Command::Reference(reference) => reference.execute(),
            Command::Evaluate(evaluate) => evaluate.execute(),
            Command::Model(model) => model.execute(),
            Command::Dataset(dataset) => dataset.execute(),
            Command::Boards(boards) => boards.execute(),
            Command::Demo(demo) => demo.execute(),
            Command::Doctor(doctor) => doctor.execute(),
        }
    }
}
