// SPDX-License-Identifier: MPL-2.0
//! From the captures of a framesampler to the next training set, and back.
//!
//! [`Folder`] reads captures one at a time. [`export()`](export::export) writes them as a data set for an annotation
//! tool, [`import`] takes back what people corrected, [`CaptureStats`] counts, and [`digest()`] names a data set.

mod digest;
mod error;
pub mod export;
mod faults;
mod folder;
pub mod import;
mod name;
mod stats;

pub use digest::digest;
pub use error::Error;
pub use faults::{Faults, Named};
pub use folder::{Capture, Folder};
pub use stats::{ArmAgreement, ArmStats, CaptureStats};

use andon_core::result::ModelId;

/// The name and version of a model, as people write them.
fn model_name(id: &ModelId) -> String {
    format!("{} {}", id.name, id.version).trim_end().into()
}
