// SPDX-License-Identifier: MPL-2.0
//! Why captures cannot be read, exported or counted.

use std::{io, path::PathBuf};

use super::Faults;

/// Why captures cannot be read, exported or counted. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder or file that was named does not serve. Nothing was written.
    #[error("{}: {reason}", .path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it, and what to name instead.
        reason: String,
    },
    /// No capture in the folder is whole.
    #[error("{}: no capture in it is whole", .path.display())]
    NoneWhole {
        /// The folder.
        path: PathBuf,
        /// What is wrong with the captures.
        faults: Box<Faults>,
    },
    /// The labels that were asked for lack some that the models found.
    #[error("--labels has no {}, which were found", .0.join(", "))]
    MissingLabels(Vec<String>),
    /// No box was found, and the format must have a label.
    #[error("no capture has a box, and a trainer of yolo takes no set without a class: name the classes with --labels")]
    NoLabels,
    /// The format has no subset of that name.
    #[error("--subset {0}: yolo knows train, val and test")]
    UnknownSubset(String),
    /// A capture appeared, or changed, while the others were written.
    #[error("{0} is a new label: captures changed meanwhile; export again")]
    NewLabel(String),
    /// A mask in a sidecar cannot be read.
    #[error("{}: a mask that cannot be read: {reason}", .image.display())]
    Mask {
        /// The image of the capture.
        image: PathBuf,
        /// What is wrong with the mask.
        reason: String,
    },
    /// One capture cannot be exported.
    #[error("{file}")]
    Capture {
        /// The sidecar.
        file: String,
        /// Why not.
        source: Box<Error>,
    },
    /// The system refused to read or write.
    #[error("{what}")]
    Io {
        /// What failed: the path, and what was done with it.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    /// Returns whether the caller asked for something that cannot be: nothing was written, and another call would help.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Unusable { .. }
            | Self::NoneWhole { .. }
            | Self::MissingLabels(_)
            | Self::NoLabels
            | Self::UnknownSubset(_) => true,
            Self::Capture { source, .. } => source.is_usage(),
            Self::NewLabel(_) | Self::Mask { .. } | Self::Io { .. } => false,
        }
    }

    /// Makes an error of the system's answer to what was done.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
