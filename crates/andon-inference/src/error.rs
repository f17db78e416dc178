// SPDX-License-Identifier: MPL-2.0
//! The crate's error: why a model cannot be loaded, or a frame cannot be judged.

use std::{path::PathBuf, time::Duration};

use andon_core::aside;

use crate::{advice, panic::Panic};

/// Why a model cannot be loaded or run. Each text names the cause and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no ONNX Runtime.
    #[error(
        "no ONNX Runtime found (looked at {}): {help}, or set ORT_DYLIB_PATH to libonnxruntime.so",
        .tried.join(", ")
    )]
    NoRuntime {
        /// The places that were searched.
        tried: Vec<String>,
        /// What helps where this program lies.
        help: String,
    },
    /// The library is not a usable ONNX Runtime.
    #[error("{path}: {problem}: install ONNX Runtime 1.{} or newer, or set ORT_DYLIB_PATH to one", ort::MINOR_VERSION)]
    BadRuntime {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The library would report to its maker, and nobody has said whether it may.
    #[error(
        "{}: this ONNX Runtime reports to its maker unless it is told not to before it is opened: set {}=1, so that \
         nothing leaves the machine (or 0, to let it)",
        .path.display(), crate::telemetry::VARIABLE
    )]
    Reports {
        /// The library.
        path: PathBuf,
    },
    /// The model cannot be read from disk, or must not be used.
    #[error(transparent)]
    Model(#[from] andon_model::Error),
    /// ONNX Runtime cannot load the graph.
    #[error("{path}: ONNX Runtime cannot load it: {}: {}", advice::plain(.problem), advice::on_loading(.problem))]
    Load {
        /// The graph's file.
        path: PathBuf,
        /// The message of ONNX Runtime.
        problem: String,
    },
    /// Loading took longer than [`Options::time_limit`](crate::Options) allows.
    #[error(
        "{model}: {doing} took longer than {} s, and was given up: if the model is only large, or its provider compiles \
         it, allow more time (the property load-timeout of modelinfer in ns, --time-limit of andon in s); if its graph \
         has a loop without an end, export it without that; if its disk or share does not answer, mend that",
        .limit.as_secs_f64()
    )]
    TooLong {
        /// The model that was requested.
        model: String,
        /// What was done at the time.
        doing: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// Too many loads that were left behind have not ended, so that no other is begun.
    #[error("{model}: is not loaded: of the loads of this process {problem}")]
    LeftBehind {
        /// The model that was requested.
        model: String,
        /// How many, which, and what to do.
        problem: String,
    },
    /// A file of labels cannot be read.
    #[error("{}: {problem}", .path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The graph does not fit its manifest, or a graph without a manifest is ambiguous.
    #[error("{path}: {problem}")]
    Graph {
        /// The graph's file.
        path: PathBuf,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// The list of execution providers cannot be read.
    #[error("execution-providers: {problem}: known are auto, {known}; of these the ONNX Runtime in use has {here}")]
    Providers {
        /// What is wrong with the list.
        problem: String,
        /// The names that this version knows.
        known: String,
        /// Those of them that the library was built with.
        here: String,
    },
    /// None of the requested execution providers can run the model.
    #[error("{path}: none of the requested execution providers can run it: {reasons}: {advice}")]
    NoProvider {
        /// The graph's file.
        path: PathBuf,
        /// Each provider with the reason.
        reasons: String,
        /// What to do.
        advice: &'static str,
    },
    /// The model failed or panicked on a frame.
    #[error("the model failed: {0}")]
    Run(String),
    /// A run needs more memory than there is.
    #[error("out of memory: {problem}: {}", advice::OUT_OF_MEMORY)]
    OutOfMemory {
        /// The message of ONNX Runtime.
        problem: String,
    },
    /// The model does not judge a golden sample of its bundle as the bundle promises.
    #[error("{}: {problem}: the model fails this golden sample and is not used: correct the model, or the sample in golden", .image.display())]
    Golden {
        /// The sample.
        image: PathBuf,
        /// What differs.
        problem: String,
    },
    /// A guard removed this version earlier.
    #[error("{model}: a guard removed it ({why}): add it to its store again, or emit reset, to try it again")]
    Refused {
        /// The model that was requested.
        model: String,
        /// The guard's reason.
        why: String,
    },
    /// A flush or a stop cancelled the run.
    #[error("the run was cancelled")]
    Cancelled,
    /// ONNX Runtime refused a call that concerns no model.
    #[error("ONNX Runtime: {0}")]
    Runtime(String),
}

impl Error {
    /// There is no room for another load, for this reason.
    pub fn left_behind(model: &str, refused: &aside::Refused) -> Self {
        Self::LeftBehind { model: model.into(), problem: refused.to_string() }
    }

    /// The thread that loaded a model panicked.
    pub fn broke_off(model: &str) -> Self {
        Self::Runtime(format!("loading {model} broke off: its thread panicked"))
    }

    /// A run that failed with this message.
    pub(crate) fn run(problem: impl ToString) -> Self {
        let problem = advice::plain(&problem.to_string());
        if advice::out_of_memory(&problem) { Self::OutOfMemory { problem } } else { Self::Run(problem) }
    }
}

impl From<Panic> for Error {
    fn from(panic: Panic) -> Self {
        Self::run(panic)
    }
}
