// SPDX-License-Identifier: MPL-2.0
//! A model on disk: the bundle's manifest, and how a `model=` string leads to one.
//!
//! A bundle is a folder with `model.json` ([`Manifest`], schema `andon.model/1`) and the files that it names. A store
//! is a folder of `NAME/VERSION/` bundles with `NAME/aliases.json`, see [`store`]. [`open`] takes any of them, and a bare
//! `.onnx`; [`open_trusted`] only what a trusted key has signed.

mod bundle;
mod decoder;
mod digest;
mod error;
mod files;
mod golden;
mod input;
mod locate;
mod manifest;
mod modelinfo;
mod output;
mod pattern;
mod rule;
pub mod store;
mod trust;

pub use bundle::{Source, inspect, open, open_trusted};
pub use decoder::{BoxForm, Decoder, Head, Role, Task, plain};
pub use digest::digest;
pub use error::Error;
pub use files::digests;
pub use golden::{Golden, GoldenPart};
pub use input::{Colour, ElementType, Input, InputSource, Interpolation, Layout, Resize};
pub use locate::{Location, locate};
pub use manifest::{MODEL_SCHEMA, Manifest};
pub use modelinfo::{Direction, ModelInfo, TensorInfo};
pub use output::{Activation, Output};
pub use pattern::Pattern;
pub use rule::{Rule, Thresholds};
pub use store::Store;
pub use trust::{POLICY, Policy, SIGNATURE, Trust};
