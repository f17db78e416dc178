// SPDX-License-Identifier: MPL-2.0
//! Why a model cannot be read from disk.

use std::path::{Path, PathBuf};

/// Why a model cannot be read from disk. Every text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The property `model` is empty.
    #[error("no model is set: set model= to a bundle folder, an .onnx file, or STORE/NAME@VERSION")]
    NoModel,
    /// The path does not exist.
    #[error("{path}: no such model: model= takes a bundle folder, an .onnx file, or STORE/NAME@VERSION")]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// A folder has no manifest.
    #[error("{path}: not a bundle, for there is no model.json in it: {}", without_manifest(.path, .graphs))]
    NoManifest {
        /// The folder.
        path: PathBuf,
        /// The `.onnx` files in it.
        graphs: Vec<String>,
    },
    /// A file is neither a manifest nor an `.onnx` file.
    #[error("{path}: not a model: model= takes an .onnx file or a folder with a model.json")]
    NotAModel {
        /// The file.
        path: PathBuf,
    },
    /// The store has no such version or alias.
    #[error("{store}: '{reference}' is neither a version nor an alias: there {}", list(.known))]
    NoVersion {
        /// The model's folder in the store.
        store: PathBuf,
        /// The text after the `@`.
        reference: String,
        /// The versions and aliases that exist.
        known: Vec<String>,
    },
    /// A file of a store is a link out of the store.
    #[error("{path}: is a link that leaves the folder of the model: put the file itself there")]
    Outside {
        /// The link.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{path}: {error}: check that it exists and that you may read it")]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: std::io::Error,
    },
    /// The manifest does not follow the schema.
    #[error("{path}: {field}: {problem}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// The `.modelinfo` file beside a bare file cannot be read.
    #[error("{path}: {problem}: correct the file, or remove it so that the graph alone decides")]
    ModelInfo {
        /// The file.
        path: PathBuf,
        /// The line, what is wrong, and what is expected.
        problem: ModelInfoError,
    },
    /// A file that the manifest names lies outside the bundle.
    #[error("{path}: {field}: '{file}' leaves the bundle: name a file inside it, by a relative path without '..'")]
    Escape {
        /// The manifest.
        path: PathBuf,
        /// The field.
        field: String,
        /// The refused name.
        file: String,
    },
    /// A file has another digest than the manifest says.
    #[error(
        "{path}: its content does not match the manifest ({expected} expected, {found} found): restore the file, or \
         publish the new one as a new version"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// The digest in the manifest.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// The bundle holds something that is neither a file nor a folder.
    #[error("{path}: is {what}, and a bundle holds plain files only: put the file itself there")]
    NotPlain {
        /// The entry.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file is larger than one of its kind can be.
    #[error("{path}: has more than {most} bytes, the most that is read of such a file: put a smaller one there")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        most: u64,
    },
    /// A file that should hold a graph holds none.
    #[error("{path}: {problem}")]
    NotAGraph {
        /// The file.
        path: PathBuf,
        /// What it is instead, and what to do.
        problem: String,
    },
    /// The weights of a graph are not where it may name them, or not as many as it needs.
    #[error("{path}: the weights of {tensor} {problem}")]
    Weights {
        /// The graph's file.
        path: PathBuf,
        /// The tensor, with its quotes.
        tensor: String,
        /// What is wrong with them, and what to do.
        problem: String,
    },
    /// A part of the graph is compiled, and lies in a file that ONNX Runtime would open by itself.
    #[error(
        "{path}: its node EPContext names a file with a compiled model, and a model reads nothing but its bundle: compile \
         it with ep.context_embed_mode=1, so that the graph holds it"
    )]
    Compiled {
        /// The graph's file.
        path: PathBuf,
    },
    /// A signature is required, and there is none.
    #[error(
        "{path}: is not signed, and only models that a trusted key has signed are accepted here: sign it with `andon \
         model sign`, which writes {signature}"
    )]
    Unsigned {
        /// The file.
        path: PathBuf,
        /// Where the signature is expected.
        signature: PathBuf,
    },
    /// A trusted key signed the model, but the content is not what was signed.
    #[error("{path}: was altered: {problem}: restore what was signed, or sign the change as a new version")]
    Altered {
        /// The file.
        path: PathBuf,
        /// The difference.
        problem: String,
    },
    /// A key that is not trusted signed the model.
    #[error(
        "{path}: is signed by a key that is not trusted here: get the model from a trusted signer, or add the signer's \
         public key to the trusted keys"
    )]
    UntrustedKey {
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
    /// A policy above the model cannot be read.
    #[error(
        "{path}: {problem}: a policy.json in any folder above a model says whose signatures are taken, and one that cannot \
         be read refuses every model below it: write {{\"trusted_keys\": [\"RW…\"], \"require_signature\": true}}; if the \
         file is another program's, give one of the two another place"
    )]
    Policy {
        /// The policy.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A list of keys or a key of a policy cannot be used.
    #[error("{path}: {field}: {problem}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// The line or field.
        field: String,
        /// What is wrong, and what is expected.
        problem: String,
    },
}

/// A field of a manifest that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The field, for instance `inputs[0].size`.
    pub field: String,
    /// What is wrong, and what is expected.
    pub problem: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// Puts the path of the enclosing value before the field.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self { field: format!("{outer}.{}", self.field), ..self }
    }

    /// Names the manifest that the field belongs to.
    pub(crate) fn in_file(self, path: &Path) -> Error {
        Error::Manifest { path: path.into(), field: self.field, problem: self.problem }
    }
}

/// Why a `.modelinfo` file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", .line.map_or_else(String::new, |line| format!("line {line}: ")))]
pub struct ModelInfoError {
    /// The line, from 1. None if the problem is not in one line.
    pub line: Option<usize>,
    /// What is wrong, and what is expected.
    pub problem: String,
}

/// What to do about a folder without a manifest, by the graphs that are in it.
fn without_manifest(folder: &Path, graphs: &[String]) -> String {
    let at = |graph: &String| folder.join(graph).display().to_string();
    match graphs {
        [] => "name a folder that has one, or an .onnx file; there is none in this folder either".into(),
        [graph] => {
            let graph = at(graph);
            format!("name {graph} itself, or write one with `andon model init {graph}`")
        }
        [graph, ..] => format!(
            "name one of its graphs ({}) itself, or make a bundle of one with `andon model init {} --into FOLDER`",
            graphs.join(", "),
            at(graph)
        ),
    }
}

/// Lists names after "there" in a message.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => "is nothing".into(),
        // Of a version 1, "there are 1" would be read as a number of versions.
        [only] => format!("is only {only}"),
        names => format!("are {}", names.join(", ")),
    }
}
