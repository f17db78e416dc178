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

use super::Noted;
use crate::{app::Usage, limit::rest};

/// Copy a bundle into a store
///
/// The bundle is checked first, and runs at its new place: once, and on its golden samples. No alias moves: see `andon model
/// alias` and `andon model promote`.
#[derive(Args)]
pub struct Add {
    /// The folder of the bundle
    bundle: PathBuf,
    /// The folder of the store; the model's folder in it is made if it is missing
    store: PathBuf,
    /// Do not run the model, for a machine without ONNX Runtime
    #[arg(long)]
    no_run: bool,
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
        println!("{}: added version {version}", store.folder().display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Set an alias
///
/// The alias `champion` moves as by `andon model promote`.
#[derive(Args)]
pub struct Alias {
    /// STORE/NAME
    model: PathBuf,
    /// champion, challenger, previous, or any other name
    alias: String,
    /// A version in the store
    version: String,
    /// Only if the alias is this version now
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    #[command(flatten)]
    noted: Noted,
}

impl Alias {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        let expected = Expected { from: self.from.as_deref(), to: None };
        print(&store, &store.set_alias_expecting(&self.alias, &self.version, expected, &self.noted.note())?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Make a version champion
///
/// The version that was champion becomes previous.
#[derive(Args)]
pub struct Promote {
    /// STORE/NAME
    model: PathBuf,
    /// A version in the store [default: the challenger]
    version: Option<String>,
    /// Only if the champion is this version now
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    #[command(flatten)]
    noted: Noted,
}

impl Promote {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        let expected = Expected { from: self.from.as_deref(), to: None };
        print(&store, &store.promote_expecting(self.version.as_deref(), expected, &self.noted.note())?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Make the previous version champion again
///
/// The version that was champion becomes previous.
#[derive(Args)]
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
    #[command(flatten)]
    noted: Noted,
}

impl Rollback {
    pub fn execute(self) -> Result<ExitCode> {
        let (store, note) = (Store::open(&self.model)?, self.noted.note());
        match store.aliases()?.get(CHAMPION).filter(|_| self.refuse) {
            None => {
                let expected = Expected { from: self.from.as_deref(), to: self.to.as_deref() };
                print(&store, &store.rollback_expecting(expected, &note)?);
            }
            Some(champion) => match store.withdraw(champion, &note)? {
                Some(moved) => print(&store, &moved),
                None => println!("{}: {champion} is refused; it was no longer champion", self.model.display()),
            },
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuse a version
///
/// A refused version cannot become champion until the same bundle is added again.
#[derive(Args)]
pub struct Refuse {
    /// STORE/NAME
    model: PathBuf,
    /// A version in the store
    version: String,
    #[command(flatten)]
    noted: Noted,
}

impl Refuse {
    pub fn execute(self) -> Result<ExitCode> {
        Store::open(&self.model)?.refuse(&self.version, &self.noted.note())?;
        println!("{}: {} is refused until it is added again", self.model.display(), self.version);
        Ok(ExitCode::SUCCESS)
    }
}

/// Remove old versions
///
/// Versions with an alias and the newest versions stay.
#[derive(Args)]
pub struct Gc {
    /// STORE/NAME
    model: PathBuf,
    /// Keep this many of the newest versions
    #[arg(long, value_name = "N", default_value_t = 3)]
    keep: usize,
    /// Only print which versions would be removed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    noted: Noted,
}

impl Gc {
    pub fn execute(self) -> Result<ExitCode> {
        let gone = Store::open(&self.model)?.gc(self.keep, self.dry_run, &self.noted.note())?;
        let verb = if self.dry_run { "would be removed" } else { "removed" };
        match &gone[..] {
            [] => println!("{}: nothing to remove", self.model.display()),
            gone => println!("{}: {verb}: {}", self.model.display(), gone.join(", ")),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns whether a folder is that of a model, not that of a store.
fn is_model(folder: &Path) -> bool {
    ["aliases.json", "history.jsonl"].iter().any(|file| folder.join(file).is_file())
}

fn print(store: &Store, moved: &Moved) {
    let (folder, alias, to) = (store.folder().display(), &moved.alias, &moved.to);
    match (&moved.from, moved.serial) {
        (_, None) => println!("{folder}: {alias} is {to} already"),
        (None, _) => println!("{folder}: {alias} is now {to}"),
        (Some(from), _) => println!("{folder}: {alias} is now {to}, it was {from}"),
    }
}
