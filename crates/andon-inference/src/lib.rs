// SPDX-License-Identifier: MPL-2.0
//! A model in memory: the runtime that is found at run time, the engine, and what stands before and behind it.
//!
//! [`Engine::load`] reads a model and makes it ready; each of its [`ExecutionContext`]s judges one [`andon_core::image::Image`] at a time.
//! Nothing in here knows of GStreamer.

mod advice;
pub mod allocator;
mod batch;
mod binding;
mod buffers;
mod cancel;
mod context;
mod decode;
mod denormals;
mod derive;
mod describe;
mod engine;
mod fields;
mod golden;
mod image_inputs;
mod memory;
mod plan;
pub mod pool;
mod preprocess;
mod providers;
pub mod runtime;
mod session;
mod template;

use std::path::PathBuf;

pub use batch::Batcher;
pub use cancel::Cancel;
pub use context::{ExecutionContext, Job};
pub use decode::{Data, Decode, DecodeError, Decoded, Tensor};
pub use derive::Unknown;
pub use describe::{Described, Hints, describe};
pub use engine::{Engine, Options, catch_panic};
pub use preprocess::{Mapping, Preprocessor, TensorMut};
pub use providers::{Provider, requested_providers};
pub use template::{Template, TemplateError, TemplateInput, Templates};

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
    Model(#[from] andon_model::Error),
    /// The engine cannot read the graph.
    #[error("{path}: ONNX Runtime cannot load it: {}: {}", advice::plain(.problem), advice::on_loading(.problem))]
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
    /// What names the providers cannot be read.
    #[error("execution-providers: {problem}: known are auto, {known}; of these the ONNX Runtime in use has {here}")]
    Providers {
        /// What is wrong with it.
        problem: String,
        /// Names that this version knows.
        known: String,
        /// Those of them that the library was built with.
        here: String,
    },
    /// None of the providers that were asked for can run the model.
    #[error("{path}: no execution provider that was asked for can run it: {reasons}: {advice}")]
    NoProvider {
        /// The graph's file.
        path: PathBuf,
        /// Each provider with why it cannot.
        reasons: String,
        /// What to do.
        advice: &'static str,
    },
    /// The engine failed or panicked on a frame.
    #[error("the model failed: {0}")]
    Run(String),
    /// A run wanted more memory than there is.
    #[error("out of memory: {problem}: {}", advice::OUT_OF_MEMORY)]
    OutOfMemory {
        /// What the engine said.
        problem: String,
    },
    /// A golden sample of the bundle does not get the verdict that it must get.
    #[error("{}: {problem}: the model has not proved itself and is not used; correct it, or the sample in golden", .image.display())]
    Golden {
        /// The sample.
        image: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A guard has taken the model out before.
    #[error(
        "{model}: a guard took it out ({why}): add it to its store again, or emit reset, to have it tried once more"
    )]
    Refused {
        /// What was asked for.
        model: String,
        /// What the guard said.
        why: String,
    },
    /// The run was ended from outside, by flush or stop.
    #[error("the run was ended")]
    Cancelled,
    /// The runtime itself refused something.
    #[error("ONNX Runtime: {0}")]
    Runtime(String),
}

impl Error {
    /// A run that failed.
    fn run(problem: impl Into<String>) -> Self {
        let problem = advice::plain(&problem.into());
        if advice::out_of_memory(&problem) { Self::OutOfMemory { problem } } else { Self::Run(problem) }
    }
}
