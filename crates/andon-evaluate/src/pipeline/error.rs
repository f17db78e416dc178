// SPDX-License-Identifier: MPL-2.0
//! Why pictures cannot be judged.

use std::{fmt::Display, io, path::PathBuf};

use crate::measure::MeasureError;

/// Why pictures cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No decoder reads the file.
    #[error("{} is no picture that can be judged: .jpg, .jpeg or .png", .0.display())]
    NotAPicture(PathBuf),
    /// A path is not UTF-8, and a property takes only UTF-8.
    #[error("{} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// The fields are not a structure as launch lines write it.
    #[error("'{0}' is no structure: fields,speed=1.5,recipe=a")]
    Fields(String),
    /// The model compares with golden templates, and the set has none for a sample.
    #[error(
        "the model compares with a golden template, and the set has none of {0}: name their folder with --image-root"
    )]
    NoTemplate(String),
    /// The pattern of the model does not fit a sample.
    #[error("{sample}: {reason}: name the templates' folder with --image-root")]
    Pattern {
        /// The id of the sample.
        sample: String,
        /// What is missing.
        reason: String,
    },
    /// A frame came through the pipeline without a result.
    #[error("{0} came through without a result")]
    NoResult(String),
    /// The pipeline failed.
    #[error("{0}")]
    Pipeline(String),
    /// The results cannot be measured.
    #[error(transparent)]
    Measure(#[from] MeasureError),
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
    /// Makes an error of the system's answer to what was done.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Makes an error of one of GStreamer's.
    pub(super) fn pipeline(error: impl Display) -> Self {
        Self::Pipeline(error.to_string())
    }
}
