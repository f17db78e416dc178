// SPDX-License-Identifier: MPL-2.0
//! `andon model`: tries, writes, checks and signs bundles, and manages their versions in a store.

mod bundle;
mod init;
mod list;
mod policy;
mod sign;
mod store;
pub mod text;
mod threshold;
mod trial;

use std::{process::ExitCode, time::Duration};

use andon_inference::patience;
use andon_model::{Decoder, store::Note};
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{app::user, limit};

/// Try, write, check and sign models, and manage their versions in a store.
#[derive(Args)]
#[command(after_help = "Examples:
  andon model try best.onnx pictures --into seen
  andon model init best.onnx --into bundle
  andon model add bundle store
  andon model promote store/pcb 2")]
pub struct Model {
    #[command(subcommand)]
    command: Command,
    /// How long loading a model, and reading or writing the disk, may take, seconds [default: 60 to look at one model, or 900
    /// where an execution provider compiles it; 900 for whatever reads or writes a whole bundle]
    #[arg(long, global = true, value_name = "S", value_parser = seconds)]
    time_limit: Option<f64>,
}

/// How long reading or writing a whole bundle may take: gigabytes on a slow disk.
const WHOLE: Duration = Duration::from_secs(900);

#[derive(Subcommand)]
enum Command {
    Try(Box<trial::Try>),
    Init(init::Init),
    Check(bundle::Check),
    Digest(bundle::Digest),
    Threshold(threshold::Threshold),
    Show(bundle::Show),
    Add(store::Add),
    List(list::List),
    Alias(store::Alias),
    Promote(store::Promote),
    Rollback(store::Rollback),
    Refuse(store::Refuse),
    History(list::Log),
    Audit(list::Audit),
    Gc(store::Gc),
    Policy(policy::Policy),
    Keygen(sign::Keygen),
    Sign(sign::Sign),
    Verify(sign::Verify),
}

impl Model {
    /// Runs the subcommand.
    pub fn execute(self) -> Result<ExitCode> {
        let asked = self.time_limit.map(Duration::from_secs_f64);
        let limit = asked.unwrap_or_else(|| self.command.patience());
        limit::start(format!("model {}", self.command.name()), limit);
        match self.command {
            Command::Try(c) => c.execute(limit),
            Command::Init(c) => c.execute(limit),
            Command::Check(c) => c.execute(limit),
            Command::Digest(c) => c.execute(),
            Command::Threshold(c) => c.execute(),
            Command::Show(c) => c.execute(limit),
            Command::Add(c) => c.execute(asked),
            Command::List(c) => c.execute(),
            Command::Alias(c) => c.execute(),
            Command::Promote(c) => c.execute(),
            Command::Rollback(c) => c.execute(),
            Command::Refuse(c) => c.execute(),
            Command::History(c) => c.execute(),
            Command::Audit(c) => c.execute(),
            Command::Gc(c) => c.execute(),
            Command::Policy(c) => c.execute(),
            Command::Keygen(c) => limit::rest(|| c.execute()),
            Command::Sign(c) => c.execute(),
            Command::Verify(c) => c.execute(),
        }
    }
}

impl Command {
    /// The name on the command line.
    fn name(&self) -> &'static str {
        match self {
            Self::Try(_) => "try",
            Self::Init(_) => "init",
            Self::Check(_) => "check",
            Self::Digest(_) => "digest",
            Self::Threshold(_) => "threshold",
            Self::Show(_) => "show",
            Self::Add(_) => "add",
            Self::List(_) => "list",
            Self::Alias(_) => "alias",
            Self::Promote(_) => "promote",
            Self::Rollback(_) => "rollback",
            Self::Refuse(_) => "refuse",
            Self::History(_) => "history",
            Self::Audit(_) => "audit",
            Self::Gc(_) => "gc",
            Self::Policy(_) => "policy",
            Self::Keygen(_) => "keygen",
            Self::Sign(_) => "sign",
            Self::Verify(_) => "verify",
        }
    }

    /// How long it may take if nobody says it.
    fn patience(&self) -> Duration {
        match self {
            Self::Try(c) => patience(c.providers()),
            Self::Init(_) | Self::Check(_) | Self::Show(_) => patience("cpu"),
            _ => WHOLE,
        }
    }
}

/// The note for the history: who changes a store, and why.
#[derive(Args)]
struct Noted {
    /// Record this reason in the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    why: String,
    /// Record this name in the history [default: the user's name]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
}

impl Noted {
    fn note(&self) -> Note {
        Note::new(self.who.clone().unwrap_or_else(user), self.why.clone())
    }
}

/// Reads the name of a decoder, as `model.json` has it.
fn decoder(text: &str) -> Result<Decoder, String> {
    serde_json::from_value(text.into()).map_err(|e| e.to_string().replace("unknown variant", "no decoder is called"))
}

/// Reads a number of seconds.
fn seconds(text: &str) -> Result<f64, String> {
    // A year: more than any load takes, and less than a clock can add.
    text.parse().ok().filter(|s| (0.001..3.2e7).contains(s)).ok_or_else(|| format!("'{text}' is no number of seconds"))
}
