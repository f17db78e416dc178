// SPDX-License-Identifier: MPL-2.0
//! Why a model cannot be had from disk.

use std::path::PathBuf;

/// Why a model cannot be had from disk. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The property is empty.
    #[error("no model is set: set model= to a bundle folder, an .onnx file, or STORE/NAME@VERSION")]
    NoModel,
    /// Nothing is there.
    #[error("{path}: no such model: model= takes a bundle folder, an .onnx file, or STORE/NAME@VERSION")]
    NotFound {
        /// What was looked for.
        path: PathBuf,
    },
    /// A folder without a manifest.
    #[error("{path}: not a bundle, for there is no model.json in it: write one, or name the .onnx file itself")]
    NoManifest {
        /// The folder.
        path: PathBuf,
    },
    /// A file of a kind that cannot be read.
    #[error("{path}: not a model: model= takes an .onnx file or a folder with a model.json")]
    NotAModel {
        /// The file.
        path: PathBuf,
    },
    /// The store does not have that version or alias.
    #[error("{store}: '{reference}' is neither a version nor an alias: there {}", list(.known))]
    NoVersion {
        /// The model's folder in the store.
        store: PathBuf,
        /// What stood after the `@`.
        reference: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The file could not be read.
    #[error("{path}: {error}: check that it is there and may be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The manifest is not what the schema says.
    #[error("{path}: {field}: {problem}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// The `.modelinfo` beside a bare file cannot be read.
    #[error("{path}: {problem}: correct the file, or take it away for the graph alone to decide")]
    ModelInfo {
        /// The file.
        path: PathBuf,
        /// Where in it, and what was expected.
        problem: String,
    },
    /// A file named by the manifest lies outside the bundle.
    #[error("{path}: {field}: '{file}' leaves the bundle: name a file inside it, by a relative path without '..'")]
    Escape {
        /// The manifest.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// The name that was refused.
        file: String,
    },
    /// A file is not the one that the manifest was written for.
    #[error(
        "{path}: its content does not match the manifest ({expected} expected, {found} found): restore the file, or \
         publish the new one as a new version"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// From the manifest.
        expected: String,
        /// From the file.
        found: String,
    },
    /// Something in the bundle's folder is neither a file nor a folder.
    #[error("{path}: is a link or a device, a bundle holds plain files alone: put the file itself there")]
    NotPlain {
        /// What it is.
        path: PathBuf,
    },
    /// Only what is signed is taken, and this is not.
    #[error(
        "{path}: is not signed, and only what a trusted key has signed is taken here: have it signed with `andon model \
         sign`, which writes {signature}"
    )]
    Unsigned {
        /// The file.
        path: PathBuf,
        /// Where its signature would lie.
        signature: PathBuf,
    },
    /// It carries a trusted key's signature, but is not what was signed.
    #[error("{path}: was altered: {problem}: restore what was signed, or have the change signed as a new version")]
    Altered {
        /// The file.
        path: PathBuf,
        /// What shows it.
        problem: String,
    },
    /// Somebody signed it who is not trusted.
    #[error(
        "{path}: is signed by a key that is not trusted here: take the model from somebody who is, or add the signer's \
         public key to the trusted keys"
    )]
    Stranger {
        /// The file.
        path: PathBuf,
    },
    /// The signature itself cannot be read.
    #[error("{path}: {problem}: sign again with `andon model sign`, or fetch the signature again")]
    Signature {
        /// The signature's file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A list of keys or a policy cannot be used.
    #[error("{path}: {field}: {problem}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => "is nothing".into(),
        names => format!("are {}", names.join(", ")),
    }
}
