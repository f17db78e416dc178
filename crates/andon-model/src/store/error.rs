// SPDX-License-Identifier: MPL-2.0
//! Why a store cannot be read or changed. Every text says what to do, and whether anything was changed.

use std::{io, path::PathBuf};

use super::super::error::{self as model, list};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a bundle is not what it must be.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// A change failed, and was taken back.
    #[error("{path}: {error}: the store is as it was before: mend that (is the disk full?) and try again")]
    Unchanged {
        /// Where it failed.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A change failed after it was decided.
    #[error("{path}: {error}: a change is decided, but not finished: mend that, and the next change finishes it first")]
    Unfinished {
        /// Where it failed.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process holds the lock.
    #[error("{path}: another process has been changing the store for {seconds} s: wait for it, or end it")]
    Busy {
        /// The lock's file.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// No folder.
    #[error("{path}: no such model in a store: name STORE/NAME, or add its first version with `andon model add`")]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the store was damaged.
    #[error("{path}: {problem}: restore it from a copy, or take it away and see `andon model history`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A name that cannot be one.
    #[error("'{name}' cannot be the name of a {what}: {problem}")]
    Name {
        /// The name.
        name: String,
        /// Model, version or alias.
        what: &'static str,
        /// Why, and what can.
        problem: String,
    },
    /// The bundle is of another model.
    #[error("{bundle}: is a bundle of '{name}', and {store} keeps another model: add it to a store of its own name")]
    OtherModel {
        /// The bundle.
        bundle: PathBuf,
        /// What it says it is.
        name: String,
        /// The store's folder.
        store: PathBuf,
    },
    /// That version is there, and is not the same.
    #[error(
        "{path}: this version is there already with other content: a version never changes: give the new one another \
         version in its model.json"
    )]
    Exists {
        /// The version's folder.
        path: PathBuf,
    },
    /// That version is not there.
    #[error("{store}: there is no version '{version}': there {}", list(.known))]
    NoVersion {
        /// The store's folder.
        store: PathBuf,
        /// What was asked for.
        version: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The alias that a change starts from is not set.
    #[error("{store}: there is no {alias}: {advice}")]
    NoAlias {
        /// The store's folder.
        store: PathBuf,
        /// The alias.
        alias: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// That version was refused.
    #[error(
        "{store}: version {version} was refused ({why}): publish a better one, or lift that by adding the same bundle \
         again"
    )]
    Refused {
        /// The store's folder.
        store: PathBuf,
        /// The version.
        version: String,
        /// Why it was.
        why: String,
    },
}

/// A path with what the system said of it.
pub(super) type Failure = (PathBuf, io::Error);

/// For `map_err`: says which path it was.
pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Failure {
    let path = path.into();
    |error| (path, error)
}
