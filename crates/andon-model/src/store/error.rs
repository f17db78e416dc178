// SPDX-License-Identifier: MPL-2.0
//! Why a store cannot be read or changed.

use std::{io, path::PathBuf};

use crate::error::{self as model, list};

/// Why a store cannot be read or changed. Every text says what to do next, and whether anything was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a bundle cannot be used.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// A bundle that was copied into the store does not prove itself there, and was removed again.
    #[error("{bundle}: was not added, for in the store it does not run: {problem}")]
    Unproved {
        /// The bundle.
        bundle: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A change failed, and was undone.
    #[error("{path}: {error}: the store is as it was before: solve the problem (is the disk full?) and try again")]
    Unchanged {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A change failed after it was decided.
    #[error(
        "{path}: {error}: a change is decided, but not finished: solve the problem, and the next change finishes it first"
    )]
    Unfinished {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// Another process holds the lock.
    #[error("{path}: another process has held the store's lock for {seconds} s: wait for it, or end it")]
    Busy {
        /// The file of the lock.
        path: PathBuf,
        /// How long this process waited.
        seconds: u64,
    },
    /// The model's folder does not exist.
    #[error("{path}: no such model in a store: name STORE/NAME, or add its first version with `andon model add`")]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the store is damaged.
    #[error("{path}: {problem}: restore it from a copy, or remove it and look at `andon model history`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A name is not valid.
    #[error("'{name}' cannot be the name of a {what}: {problem}")]
    Name {
        /// The name.
        name: String,
        /// `model`, `version` or `alias`.
        what: &'static str,
        /// Why it is not valid, and what would be.
        problem: String,
    },
    /// The bundle belongs to another model.
    #[error("{bundle}: is a bundle of '{name}', and {store} keeps another model: add it to the folder of its own name")]
    OtherModel {
        /// The bundle.
        bundle: PathBuf,
        /// The model that it names.
        name: String,
        /// The store's folder.
        store: PathBuf,
    },
    /// Another bundle has that version.
    #[error(
        "{path}: this version exists with other content, and a version never changes: give the new bundle another \
         version in its model.json"
    )]
    Exists {
        /// The version's folder.
        path: PathBuf,
    },
    /// There is no such version.
    #[error("{store}: there is no version '{version}': there {}", list(.known))]
    NoVersion {
        /// The store's folder.
        store: PathBuf,
        /// The version.
        version: String,
        /// The versions that exist.
        known: Vec<String>,
    },
    /// The alias that a change needs is not set.
    #[error("{store}: there is no {alias}: {advice}")]
    NoAlias {
        /// The store's folder.
        store: PathBuf,
        /// The alias.
        alias: &'static str,
        /// What to do next.
        advice: &'static str,
    },
    /// An alias is not where the change was to start.
    #[error(
        "{store}: {alias} is {}, and this change was to start from {expected}: nothing was changed; look at `andon model \
         history` for who moved it, and decide anew", .found.as_deref().unwrap_or("not set")
    )]
    Moved {
        /// The store's folder.
        store: PathBuf,
        /// The alias.
        alias: String,
        /// The version from which it was to move.
        expected: String,
        /// The version that it means.
        found: Option<String>,
    },
    /// The version is refused.
    #[error(
        "{store}: version {version} is refused ({why}): publish a better one, or lift the refusal by adding the same \
         bundle again"
    )]
    Refused {
        /// The store's folder.
        store: PathBuf,
        /// The version.
        version: String,
        /// Why it is refused.
        why: String,
    },
}

/// A path, with the error of the system.
pub(super) type Failure = (PathBuf, io::Error);

/// Adds the path to an error of the system, for `map_err`.
pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Failure {
    let path = path.into();
    |error| (path, error)
}
