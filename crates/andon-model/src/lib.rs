// SPDX-License-Identifier: MPL-2.0
//! A model on disk: the bundle, its manifest and signature, and the store of versions.
//!
//! A bundle is a folder with `model.json` ([`Manifest`], schema `andon.model/1`) and the files that it names. A store is
//! a folder of `NAME/VERSION/` bundles with movable aliases, see [`store`]. [`open`] reads a bundle, a bare `.onnx` file
//! or `STORE/NAME@VERSION`, and checks every digest; [`open_trusted`] also demands a trusted signature.
//!
//! The crate knows nothing of GStreamer or of inference engines: it reads and checks files, and never runs a graph.
//!
//! ```
//! use andon_model::{Decoder, Manifest};
//!
//! let text = r#"{
//!     "schema": "andon.model/1", "name": "pcb", "version": "2", "task": "detection",
//!     "inputs": [{"name": "images", "source": "image", "size": [640, 640]}],
//!     "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open", "short"]}],
//!     "verdict": {"rule": "any-detection"}
//! }"#;
//! let manifest = Manifest::parse(text, "pcb/2/model.json".as_ref())?;
//! assert_eq!(manifest.outputs[0].decoder, Decoder::Yolov8);
//! # Ok::<(), andon_model::Error>(())
//! ```

#![warn(missing_docs)]

mod bundle;
mod decoder;
mod digest;
mod error;
mod files;
mod golden;
mod input;
mod labels;
mod locate;
mod manifest;
mod modelinfo;
mod onnx;
mod output;
mod pattern;
mod rule;
mod settings;
pub mod store;
pub mod trials;
mod trust;
mod weights;

pub use bundle::{Source, inspect, open, open_trusted};
pub use decoder::{BoxForm, Decoder, Head, Role, Task, tensor_name};
pub use digest::digest;
pub use error::{Error, FieldError, ModelInfoError};
pub use files::digests;
pub use golden::{Golden, GoldenPart};
pub use input::{Align, Colour, ElementType, Input, InputSource, Interpolation, Layout, Resize, Rounding, SizeOrder};
pub use labels::{BadLabels, MOST_LABELS, check_labels, name_unused};
pub use locate::{Location, locate};
pub use manifest::{MODEL_SCHEMA, Manifest};
pub use modelinfo::{Direction, ModelInfo, TensorInfo};
pub use output::{Activation, Output};
pub use pattern::{Pattern, PatternError, UnfilledError};
pub use rule::{Rule, Thresholds};
pub use settings::{Normalisation, Quantisation};
pub use store::Store;
pub use trust::{PolicyFile, SIGNATURE, Trust};
pub use weights::{Content, weights};

/// For fuzzing: goes through a graph for what it names outside itself, and puts zeros in its place. Returns whether the graph
/// with the zeros names less.
#[doc(hidden)]
pub fn fuzz_graph(graph: &[u8]) -> Option<bool> {
    /// Numbers for every tensor that a small graph can name.
    static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
    let outside = onnx::outside(graph).ok()?;
    if outside.files.values().any(|needed| needed.bytes > ZEROS.len() as u64) {
        return None;
    }
    let zeros = |_: &str| Some(&ZEROS[..]);
    let whole = onnx::inlined(graph, &zeros).ok()?;
    Some(onnx::outside(&whole).is_ok_and(|left| !left.inner && left.files.len() <= outside.files.len()))
}
