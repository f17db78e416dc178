// SPDX-License-Identifier: MPL-2.0
//! The program `andon`: runs, measures and explains Andon pipelines.

// First, because its macros count for what stands behind it.
#[macro_use]
mod terminal;

mod ab;
mod app;
mod boards;
mod check;
mod cli;
mod completions;
mod ctl;
mod dataset;
mod demo;
mod doctor;
mod drift;
mod evaluate;
mod failure;
mod judge;
mod launch;
mod limit;
mod man;
mod meant;
mod model;
mod origin;
mod picture;
mod play;
mod progress;
mod reference;
mod run;
mod shipped;
mod table;
mod top;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

fn main() -> ExitCode {
    // SAFETY: there is no other thread yet.
    unsafe { andon_inference::telemetry::switch_off() };
    // Answers a shell that asks what may come next, and ends.
    clap_complete::CompleteEnv::with_factory(cli::Cli::command).var(completions::VARIABLE).complete();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        // The help and the version are what was asked for, and wrong usage is 2.
        Err(said) if said.use_stderr() => said.exit(),
        Err(said) => return terminal::shown(said.print()),
    };
    match cli.execute() {
        Ok(code) => terminal::code(code),
        Err(error) => {
            let told = failure::told(&error);
            eprintln!("andon: {}", told.text);
            if told.is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
