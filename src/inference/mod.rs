// SPDX-License-Identifier: MPL-2.0
//! A model in memory: the runtime that is found at run time, the engine, and what stands before and behind it.
//!
//! [`Engine::load`] reads a model and makes it ready; each of its [`Lane`]s judges one [`crate::image::Image`] at a time.
//! Nothing in here knows of GStreamer.

mod bare;
mod cancel;
mod decode;
mod denormals;
mod engine;
mod fields;
mod lane;
mod preprocess;
mod recognise;
pub mod runtime;

use std::path::PathBuf;

pub use cancel::Cancel;
pub use decode::{Data, Decode, Outcome, Tensor, Thresholds};
pub use engine::{Engine, Options};
pub use lane::{Job, Lane, Prepared};
pub use preprocess::{Mapping, Preprocessor};

/// The execution providers that this version can run on.
pub const PROVIDERS: &[&str] = &["cpu"];

/// Why a model cannot be run. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No ONNX Runtime where it is looked for.
    #[error(
        "no ONNX Runtime found (looked at {}): install the package libonnxruntime, or set ORT_DYLIB_PATH to \
         libonnxruntime.so",
        .tried.join(", ")
    )]
    NoRuntime {
        /// The places.
        tried: Vec<String>,
    },
    /// There is one, but it does not serve.
    #[error("{path}: {problem}: install ONNX Runtime 1.{} or newer, or set ORT_DYLIB_PATH to one", ort::MINOR_VERSION)]
    BadRuntime {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The model cannot be had from disk.
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    /// The engine cannot read the graph.
    #[error("{path}: ONNX Runtime cannot load it: {problem}: check that the file is a whole ONNX model")]
    Load {
        /// The graph's file.
        path: PathBuf,
        /// What the engine said.
        problem: String,
    },
    /// Graph and manifest, or graph and what a bare file may be, do not fit.
    #[error("{path}: {problem}")]
    Graph {
        /// The graph's file.
        path: PathBuf,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// A provider that is not there.
    #[error("execution provider '{name}' is not in this version: set execution-providers to {}", PROVIDERS.join(", "))]
    Provider {
        /// Its name.
        name: String,
    },
    /// The engine failed or panicked on a frame.
    #[error("the model failed: {0}")]
    Run(String),
    /// The run was ended from outside, by flush or stop.
    #[error("the run was ended")]
    Cancelled,
    /// The runtime itself refused something.
    #[error("ONNX Runtime: {0}")]
    Runtime(String),
}
