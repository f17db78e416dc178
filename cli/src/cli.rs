// SPDX-License-Identifier: MPL-2.0
//! The command line and its subcommands.

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    ab, boards, check, completions, ctl, dataset, demo, doctor, drift, evaluate, judge, man, model, reference, run, top,
};

const AFTER: &str = "Examples:
  andon demo
  andon run pipelines/inspect.launch MODEL=models/pcb/2
  andon model try model.onnx pictures --into seen

Exit codes:
  0    done
  1    failed, or a check or a gate did not pass
  2    wrong usage
  3    a check did not pass (ab --check)
  130  stopped by a second Ctrl-C

A reader that goes away (`| head`) ends nothing: printing stops, and the exit code is what it would have been.";

/// Run, measure and explain Andon pipelines.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = AFTER)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Ab(Box<ab::Ab>),
    Judge(judge::Judge),
    Drift(drift::Drift),
    Reference(reference::MakeReference),
    Evaluate(Box<evaluate::Evaluate>),
    Model(model::Model),
    Dataset(dataset::Dataset),
    Boards(boards::Boards),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Ctl(Box<ctl::Ctl>),
    Top(top::Top),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Cli {
    /// Runs the subcommand and returns the exit code.
    pub fn execute(self) -> Result<ExitCode> {
        match self.command {
            Command::Run(run) => run.execute(),
            Command::Check(check) => check.execute(),
            Command::Ab(ab) => ab.execute(),
            Command::Judge(judge) => judge.execute(),
            Command::Drift(drift) => drift.execute(),
            Command::Reference(reference) => reference.execute(),
            Command::Evaluate(evaluate) => evaluate.execute(),
            Command::Model(model) => model.execute(),
            Command::Dataset(dataset) => dataset.execute(),
            Command::Boards(boards) => boards.execute(),
            Command::Demo(demo) => demo.execute(),
            Command::Doctor(doctor) => doctor.execute(),
            Command::Ctl(ctl) => ctl.execute(),
            Command::Top(top) => top.execute(),
            Command::Completions(completions) => completions.execute(),
            Command::Man(man) => man.execute(Self::command()),
        }
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
