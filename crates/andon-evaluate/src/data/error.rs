// SPDX-License-Identifier: MPL-2.0
//! Why a labelled set cannot be read.

use std::{fmt::Display, io, path::Path, path::PathBuf};

use andon_core::files;

/// Why a labelled set cannot be read. The message names the file, and the line or the annotation, and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to read a file or folder.
    #[error("{} cannot be read{advice}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What to do, after a semicolon; or nothing.
        advice: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The folder has none of the layouts, or several.
    #[error("{0}")]
    Layout(String),
    /// The set lacks what the selection asks for.
    #[error("{0}")]
    Selection(String),
    /// A file of labels is malformed.
    #[error("{0}")]
    Label(String),
    /// A picture or mask is missing, or cannot be read.
    #[error("{0}")]
    Picture(String),
    /// The files of the set do not fit together.
    #[error("{0}")]
    Inconsistent(String),
}

pub(super) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Makes an error of the system's answer to reading `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.into(), advice: "", source }
    }

    /// Says where the error is: a file, or a line of it.
    pub(super) fn at(self, place: impl Display) -> Self {
        let with = |message: String| format!("{place}: {message}");
        match self {
            // The path says where.
            Self::Io { .. } => self,
            Self::Layout(message) => Self::Layout(with(message)),
            Self::Selection(message) => Self::Selection(with(message)),
            Self::Label(message) => Self::Label(with(message)),
            Self::Picture(message) => Self::Picture(with(message)),
            Self::Inconsistent(message) => Self::Inconsistent(with(message)),
        }
    }
}

/// Returns an error of the kind with the message if the condition does not hold.
macro_rules! ensure {
    ($holds:expr, $kind:ident, $($message:tt)+) => {
        if !$holds {
            return Err($crate::data::Error::$kind(format!($($message)+)));
        }
    };
}
pub(super) use ensure;

/// Reads a file of text.
pub(super) fn read_to_string(path: &Path) -> Result<String> {
    files::read_text(path, files::DATA).map_err(Error::io(path))
}
