// SPDX-License-Identifier: MPL-2.0
//! A model in memory: it loads a model, brings frames to its inputs, runs it, and decodes its outputs.
//!
//! ONNX Runtime does the computing. Its library is found at run time (see [`runtime`]), and the user lists the execution
//! providers to try. An [`Engine`] is a loaded model, which threads share; each [`ExecutionContext`] judges one frame at a
//! time on it, alone or gathered into batches by a [`Batcher`]. A bundle's manifest says how to fill the inputs and how to
//! decode the outputs; a bare `.onnx` file gets a manifest that is derived from its graph.
//!
//! This crate knows neither GStreamer nor elements, and nothing of stores beyond [`andon_model::open`]. It judges a frame;
//! parts, drift and comparison are for others.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use andon_core::{image::Image, result::Fields};
//! use andon_inference::{Cancel, Engine, Job, Options};
//!
//! # fn main() -> Result<(), andon_inference::Error> {
//! let engine = Arc::new(Engine::load("models/pcb/2", &Options::default())?);
//! let (mut context, cancel) = (engine.context()?, Cancel::new()?);
//! let pixels = vec![0; 640 * 640];
//! let image = Image::gray8(&pixels, 640, 640).expect("the plane has the size of the image");
//! let thresholds = engine.manifest().thresholds;
//! let job = Job { image: &image, region: None, fields: &Fields::new(), templates: &[], thresholds: &thresholds };
//! let decoded = context.infer(&job, &cancel)?;
//! println!("{:?}: {} detections", decoded.verdict, decoded.detections.len());
//! # Ok(())
//! # }
//! ```
#![warn(missing_docs, unreachable_pub)]

mod advice;
pub mod allocator;
mod assumption;
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
mod error;
mod exit;
mod fields;
mod golden;
mod image_inputs;
mod labels;
mod load;
mod loads;
mod memory;
mod options;
mod panic;
mod plan;
pub mod pool;
mod ports;
mod preprocess;
mod providers;
pub mod runtime;
mod search;
mod session;
pub mod telemetry;
mod template;

pub use assumption::Assumption;
pub use batch::Batcher;
pub use cancel::Cancel;
pub use context::{ExecutionContext, Job};
pub use decode::{Data, Decode, DecodeError, Decoded, Tensor};
pub use derive::Unknown;
pub use describe::{Described, Hints, describe};
pub use engine::Engine;
pub use error::Error;
pub use exit::{LOADS, leave};
pub use labels::split_labels;
pub use options::Options;
pub use panic::{Panic, catch_panic};
pub use ports::{Port, Ports, ports};
pub use preprocess::{Mapping, Preprocessor, TensorMut};
pub use providers::{Provider, patience, requested_providers};
pub use template::{Template, TemplateError, TemplateInput, Templates};
