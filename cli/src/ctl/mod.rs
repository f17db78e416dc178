// SPDX-License-Identifier: MPL-2.0
//! `andon ctl`: looks at a running line and tells it what to do, over its control socket.

mod acts;
mod commands;
pub mod complete;
mod follow;
pub mod line;
mod list;
mod meant;
mod once;
mod snapshot;
mod tables;
pub mod target;
mod values;
pub mod words;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use crate::app::user;
use commands::Command;
use follow::{Follow, Wanted};
use line::{Asker, Line};
use meant::Typed;
use once::Once;
use target::Target;

const EXAMPLES: &str = "\
Examples:
  ANDON_CONTROL=unix: gst-launch-1.0 …          any line that has elements of Andon listens, started like this
  andon ctl list
  andon ctl get champion
  andon ctl set champion score-threshold 0.6 --why 'too many false alarms'
  andon ctl capture - --count 10 --pre 5 --reason 'scratch on lot 7'
  andon ctl subscribe drift judgements
  andon ctl subscribe --since 812 --json        goes on after event 812
  andon ctl snapshot --overlay -o now.jpg

The champion of a store is not moved here, but in the store: `andon model promote STORE/NAME --from 1 --why TEXT`.
Lines whose `model` names an alias follow by themselves.";

/// Look at a running line, and tell it what to do.
///
/// A line is any process with Andon's elements that was started with ANDON_CONTROL: gst-launch-1.0, `andon run`, or an
/// application.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Ctl {
    /// The line: its name, its process, or the path of its socket [default: $ANDON_CONTROL, else the only one]
    #[arg(long, global = true, value_name = "NAME|PATH", add = ArgValueCandidates::new(complete::lines))]
    line: Option<String>,
    /// Who asks, for the line's records [default: the user's name]
    #[arg(long, global = true, value_name = "NAME")]
    who: Option<String>,
    /// Why, for the line's records
    #[arg(long, global = true, value_name = "TEXT")]
    why: Option<String>,
    /// Print answers and events as JSON lines
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

impl Ctl {
    /// Does what was asked. The exit code is 1 where the line refuses, 2 where the command cannot be meant so.
    pub fn execute(self) -> Result<ExitCode> {
        let reason = match &self.command {
            Command::Capture { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        let asker = Asker { who: self.who.unwrap_or_else(user), why: self.why.or(reason) };
        let (target, json) = (Target::here(self.line.as_deref())?, self.json);
        let typed = Typed::of(&self.command);
        match self.command {
            Command::List => list::execute(self.line.as_deref(), &asker, json)?,
            Command::Subscribe { kinds, elements, since, count } => {
                Follow::new(target, asker, json, count).subscribe(Wanted { kinds, elements, since })?;
            }
            Command::Observe { element, property, every, count } => {
                let again = asker.clone();
                let followed = Follow::new(target.clone(), asker, json, count).observe(&element, &property, every);
                followed.map_err(|error| match Line::connect(&target, again) {
                    Ok(mut line) => typed.explain(error, &mut line),
                    Err(_) => error,
                })?;
            }
            command => {
                let who = asker.who.clone();
                let mut once = Once { line: Line::connect(&target, asker)?, who, json };
                once.execute(command).map_err(|error| typed.explain(error, &mut once.line))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
