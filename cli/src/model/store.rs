// SPDX-License-Identifier: MPL-2.0
//! `andon model add`, `alias`, `promote`, `rollback`, `refuse`, `gc`: changes a store.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use andon_inference::{Engine, Options};
use andon_model::{
    Store,
    store::{CHAMPION, Expected, Moved},
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::Noted;
use crate::{app::Usage, limit::rest};

/// What became of a store, for programs.
#[derive(Serialize)]
struct StoreChange {
    /// Always `andon.store-change/1`.
    schema: &'static str,
    /// The folder of the model in the store.
    model: PathBuf,
    /// `add`, `alias`, `promote`, `rollback`, `refuse` or `gc`.
    action: &'static str,
    /// Whether anything changed: an alias may mean that version already.
    changed: bool,
    /// The alias that moved.
    alias: Option<String>,
    /// The version that the alias meant before.
    from: Option<String>,
    /// The version that the alias means now.
    to: Option<String>,
    /// The versions that were added, refused or removed, or that gc would remove.
    versions: Vec<String>,
    /// The number of the alias's move in the history.
    serial: Option<u64>,
}

impl StoreChange {
    fn new(model: &Path, action: &'static str, versions: Vec<String>) -> Self {
        let schema = "andon.store-change/1";
        let (model, changed) = (model.to_path_buf(), !versions.is_empty());
        Self { schema, model, action, changed, alias: None, from: None, to: None, versions, serial: None }
    }

    fn moved(self, moved: &Moved) -> Self {
        let (alias, to) = (Some(moved.alias.clone()), Some(moved.to.clone()));
        let changed = self.changed || moved.serial.is_some();
        Self { alias, from: moved.from.clone(), to, serial: moved.serial, changed, ..self }
    }

    /// Prints it as JSON, or says it.
    fn print(&self, json: bool, said: impl FnOnce() -> String) -> Result<ExitCode> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?)
        } else {
            println!("{}", said())
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Copy a bundle into a store
///
/// The bundle is checked first, and runs at its new place: once, and on its golden samples. No alias moves: see `andon model
/// alias` and `andon model promote`.
#[derive(Args)]
#[command(after_help = "Example:
  andon model add models/pcb/2 store --why 'finds two more classes'")]
pub struct Add {
    /// The folder of the bundle
    bundle: PathBuf,
    /// The folder of the store; the model's folder in it is made if it is missing
    store: PathBuf,
    /// Do not run the model, for a machine without ONNX Runtime
    #[arg(long)]
    no_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    noted: Noted,
}

/// How long running a model may take that is added, if nobody says it: others who change the store wait a minute for it.
const RUN: Duration = Duration::from_secs(45);

impl Add {
    pub fn execute(self, limit: Option<Duration>) -> Result<ExitCode> {
        if is_model(&self.store) {
            return Err(
                Usage(format!("{}: is the folder of a model: name the store above it", self.store.display())).into()
            );
        }
        let store = Store::for_bundle(&self.store, &self.bundle)?;
        let options = Options { time_limit: Some(limit.unwrap_or(RUN)), ..Options::default() };
        let version = store.add_proved(&self.bundle, &self.noted.note(), |source| match self.no_run {
            true => Ok(()),
            false => rest(|| Engine::of(source, &options, true)).map(drop).map_err(|e| e.to_string()),
        })?;
        let change = StoreChange::new(store.folder(), "add", vec![version.clone()]);
        change.print(self.json, || format!("{}: added version {version}", store.folder().display()))
    }
}

/// Set an alias
///
/// The alias `champion` moves as by `andon model promote`.
#[derive(Args)]
#[command(after_help = "Example:
  andon model alias store/pcb challenger 2")]
pub struct Alias {
    /// STORE/NAME
    model: PathBuf,
    /// champion, challenger, previous, or any other name
    alias: String,
    /// A version in the store
    version: String,
    /// Only if the alias is this version now; none if it is not set
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    noted: Noted,
}

impl Alias {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        let expected = Expected { from: self.from.as_deref(), to: None };
        let moved = store.set_alias_expecting(&self.alias, &self.version, expected, &self.noted.note())?;
        print(&store, "alias", &moved, self.json)
    }
}

/// Make a version champion
///
/// The version that was champion becomes previous.
#[derive(Args)]
#[command(after_help = "Examples:
  andon model promote store/pcb 2 --from 1 --why 'better on lot 7'
  andon model promote store/pcb --from none 1      only as the first champion")]
pub struct Promote {
    /// STORE/NAME
    model: PathBuf,
    /// A version in the store [default: the challenger]
    version: Option<String>,
    /// Only if the champion is this version now; none for a first champion
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    noted: Noted,
}

impl Promote {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        let expected = Expected { from: self.from.as_deref(), to: None };
        let moved = store.promote_expecting(self.version.as_deref(), expected, &self.noted.note())?;
        print(&store, "promote", &moved, self.json)
    }
}

/// Make the previous version champion again
///
/// The version that was champion becomes previous.
#[derive(Args)]
#[command(after_help = "Example:
  andon model rollback store/pcb --why 'false alarms'")]
pub struct Rollback {
    /// STORE/NAME
    model: PathBuf,
    /// Also refuse the version that is champion now, until it is added again
    #[arg(long, conflicts_with_all = ["from", "to"])]
    refuse: bool,
    /// Only if the champion is this version now
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// Only if it goes back to this version
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    noted: Noted,
}

impl Rollback {
    pub fn execute(self) -> Result<ExitCode> {
        let (store, note) = (Store::open(&self.model)?, self.noted.note());
        match store.aliases()?.get(CHAMPION).filter(|_| self.refuse) {
            None => {
                let expected = Expected { from: self.from.as_deref(), to: self.to.as_deref() };
                print(&store, "rollback", &store.rollback_expecting(expected, &note)?, self.json)
            }
            Some(champion) => {
                let change = StoreChange::new(store.folder(), "rollback", vec![champion.clone()]);
                match store.withdraw(champion, &note)? {
                    Some(moved) => change.moved(&moved).print(self.json, || said(&store, &moved)),
                    None => change.print(self.json, || {
                        format!("{}: {champion} is refused; it was no longer champion", self.model.display())
                    }),
                }
            }
        }
    }
}

/// Refuse a version
///
/// A refused version cannot become champion until the same bundle is added again.
#[derive(Args)]
#[command(after_help = "Example:
  andon model refuse store/pcb 2 --why 'misses open traces'")]
pub struct Refuse {
    /// STORE/NAME
    model: PathBuf,
    /// A version in the store
    version: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    noted: Noted,
}

impl Refuse {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        store.refuse(&self.version, &self.noted.note())?;
        let change = StoreChange::new(store.folder(), "refuse", vec![self.version.clone()]);
        change.print(self.json, || {
            format!("{}: {} is refused until it is added again", self.model.display(), self.version)
        })
    }
}

/// Remove old versions
///
/// Versions with an alias and the newest versions stay.
#[derive(Args)]
#[command(after_help = "Example:
  andon model gc store/pcb --keep 5 --dry-run")]
pub struct Gc {
    /// STORE/NAME
    model: PathBuf,
    /// Keep this many of the newest versions
    #[arg(long, value_name = "N", default_value_t = 3)]
    keep: usize,
    /// Only print which versions would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    noted: Noted,
}

impl Gc {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        let gone = store.gc(self.keep, self.dry_run, &self.noted.note())?;
        let verb = if self.dry_run { "would be removed" } else { "removed" };
        let mut change = StoreChange::new(store.folder(), "gc", gone.clone());
        change.changed &= !self.dry_run;
        change.print(self.json, || match &gone[..] {
            [] => format!("{}: nothing to remove", self.model.display()),
            gone => format!("{}: {verb}: {}", self.model.display(), gone.join(", ")),
        })
    }
}

/// Returns whether a folder is that of a model, not that of a store.
fn is_model(folder: &Path) -> bool {
    ["aliases.json", "history.jsonl"].iter().any(|file| folder.join(file).is_file())
}

fn print(store: &Store, action: &'static str, moved: &Moved, json: bool) -> Result<ExitCode> {
    StoreChange::new(store.folder(), action, Vec::new()).moved(moved).print(json, || said(store, moved))
}

fn said(store: &Store, moved: &Moved) -> String {
    let (folder, alias, to) = (store.folder().display(), &moved.alias, &moved.to);
    match (&moved.from, moved.serial) {
        (_, None) => format!("{folder}: {alias} is {to} already"),
        (None, _) => format!("{folder}: {alias} is now {to}"),
        (Some(from), _) => format!("{folder}: {alias} is now {to}, it was {from}"),
    }
}
