// SPDX-License-Identifier: MPL-2.0
//! The files of a meter: saved references, and the state that outlives a restart.

use std::{fmt, fs, io, path::Path};

use andon_core::files;
use andon_statistics::meter::{Bank, References, Snapshot};

/// The largest file that is read, bytes: a state of as many keys as there is room for takes a tenth of it.
const LARGEST: u64 = 4 * files::TEXT;

/// A file of the meter could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The reference cannot be read.
    #[error(
        "cannot read the drift reference {path}: {source}. Set 'reference' to a file that save-reference wrote, or leave it empty to learn"
    )]
    Reference { path: String, source: io::Error },
    /// The reference does not fit.
    #[error(
        "{path}: {problem}. Set 'reference' to a file that save-reference wrote with this reference-key, or leave it empty to learn"
    )]
    Misfit { path: String, problem: String },
    /// The state cannot be read.
    #[error("{path}: {source}: learning anew")]
    State { path: String, source: io::Error },
    /// The state makes no sense.
    #[error("{path}: {problem}: learning anew; {fate}")]
    BadState {
        path: String,
        problem: String,
        /// What became of the file.
        fate: String,
    },
    /// The references cannot be written.
    #[error("{path}: {source}; free some space, or choose a folder that can be written to")]
    Save { path: String, source: io::Error },
}

impl FileError {
    /// Returns the code of the element error or warning.
    pub fn code(&self) -> gst::ResourceError {
        match self {
            Self::Reference { .. } | Self::State { .. } => gst::ResourceError::OpenRead,
            Self::Misfit { .. } | Self::BadState { .. } => gst::ResourceError::Settings,
            Self::Save { .. } => gst::ResourceError::Write,
        }
    }
}

/// Loads references from a file that [`save`] wrote.
pub(super) fn load(path: &str, bank: &mut Bank) -> Result<(), FileError> {
    let text = files::read_text(Path::new(path), LARGEST)
        .map_err(|source| FileError::Reference { path: path.into(), source })?;
    let misfit = |problem: &dyn fmt::Display| FileError::Misfit { path: path.into(), problem: problem.to_string() };
    let references = References::from_json(&text).map_err(|e| misfit(&e))?;
    bank.load(references).map_err(|e| misfit(&e))
}

/// Writes references.
pub(super) fn save(path: &str, references: &References) -> Result<(), FileError> {
    files::replace(Path::new(path), references.to_json().as_bytes())
        .map_err(|source| FileError::Save { path: path.into(), source })
}

/// Continues with the state from before a restart. A file that cannot be used does not stop the element: it is moved to
/// `….bad`, and learning begins anew.
pub(super) fn restore(path: &str, bank: &mut Bank) -> Result<(), FileError> {
    let text = match files::read_text(Path::new(path), LARGEST) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(FileError::State { path: path.into(), source }),
    };
    let bad = |problem: &dyn fmt::Display| {
        let aside = format!("{path}.bad");
        let fate = match fs::rename(path, &aside) {
            Ok(()) => format!("the file is {aside} now"),
            Err(e) => format!("the file cannot be moved away: {e}"),
        };
        FileError::BadState { path: path.into(), problem: problem.to_string(), fate }
    };
    let snapshot = Snapshot::from_json(&text).map_err(|e| bad(&e))?;
    bank.restore(snapshot).map_err(|e| bad(&e))
}

/// Writes the state.
pub(super) fn persist(path: &str, snapshot: &Snapshot) -> io::Result<()> {
    files::replace(Path::new(path), snapshot.to_json().as_bytes())
}
