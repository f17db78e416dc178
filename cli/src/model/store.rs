// SPDX-License-Identifier: MPL-2.0
//! `andon model add`, `alias`, `promote`, `rollback`, `refuse`, `gc`: what changes a store.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_model::{
    Store,
    store::{CHAMPION, Moved},
};
use anyhow::Result;
use clap::Args;

use super::Noted;
use crate::app::Usage;

/// Copies a bundle into a store; promoting it is another step.
#[derive(Args)]
pub struct Add {
    /// The bundle's folder
    bundle: PathBuf,
    /// The store's folder; the model's own folder in it is made where it is missing
    store: PathBuf,
    #[command(flatten)]
    noted: Noted,
}

impl Add {
    pub fn execute(self) -> Result<ExitCode> {
        if is_model(&self.store) {
            return Err(
                Usage(format!("{}: is a model's own folder: name the store above it", self.store.display())).into()
            );
        }
        let store = Store::for_bundle(&self.store, &self.bundle)?;
        let version = store.add(&self.bundle, &self.noted.note())?;
        println!("{}: version {version} is in the store", store.folder().display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Sets an alias such as challenger; of the alias champion, the one before becomes previous.
#[derive(Args)]
pub struct Alias {
    /// STORE/NAME
    model: PathBuf,
    /// champion, challenger, previous, or any other name
    alias: String,
    /// A version that is in the store
    version: String,
    #[command(flatten)]
    noted: Noted,
}

impl Alias {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        tell(&store, &store.set_alias(&self.alias, &self.version, &self.noted.note())?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes a version champion; what was champion becomes previous.
#[derive(Args)]
pub struct Promote {
    /// STORE/NAME
    model: PathBuf,
    /// A version that is in the store; without it the challenger
    version: Option<String>,
    #[command(flatten)]
    noted: Noted,
}

impl Promote {
    pub fn execute(self) -> Result<ExitCode> {
        let store = Store::open(&self.model)?;
        tell(&store, &store.promote(self.version.as_deref(), &self.noted.note())?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes the previous version champion again, and the champion previous.
#[derive(Args)]
pub struct Rollback {
    /// STORE/NAME
    model: PathBuf,
    /// Refuse the version that is champion now, until it is added again
    #[arg(long)]
    refuse: bool,
    #[command(flatten)]
    noted: Noted,
}

impl Rollback {
    pub fn execute(self) -> Result<ExitCode> {
        let (store, note) = (Store::open(&self.model)?, self.noted.note());
        match store.aliases()?.get(CHAMPION).filter(|_| self.refuse) {
            None => tell(&store, &store.rollback(&note)?),
            Some(champion) => match store.withdraw(champion, &note)? {
                Some(moved) => tell(&store, &moved),
                None => println!("{}: {champion} is refused, and was not champion any more", self.model.display()),
            },
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses a version: it cannot become champion until the same bundle is added again.
#[derive(Args)]
pub struct Refuse {
    /// STORE/NAME
    model: PathBuf,
    /// A version that is in the store
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

/// Removes versions that no alias means, but for the newest.
#[derive(Args)]
pub struct Gc {
    /// STORE/NAME
    model: PathBuf,
    /// Keep the newest so many, whatever they are
    #[arg(long, value_name = "N", default_value_t = 3)]
    keep: usize,
    /// Only say which would go
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

/// Whether a folder is a model's own in a store, and not the store.
pub(super) fn is_model(folder: &Path) -> bool {
    ["aliases.json", "history.jsonl"].iter().any(|file| folder.join(file).is_file())
}

fn tell(store: &Store, moved: &Moved) {
    let (folder, alias, to) = (store.folder().display(), &moved.alias, &moved.to);
    match (&moved.from, moved.serial) {
        (_, None) => println!("{folder}: {alias} is {to} already"),
        (None, _) => println!("{folder}: {alias} is {to} now"),
        (Some(from), _) => println!("{folder}: {alias} is {to} now, it was {from}"),
    }
}
