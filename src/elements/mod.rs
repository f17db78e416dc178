// SPDX-License-Identifier: MPL-2.0
//! The elements. Each has its page of documentation in its module, and a thin shell of pads, properties, events and
//! queries.

// `glib::Properties` makes a public method for each property, and takes no documentation for it: the blurb has it.
#![allow(missing_docs)]

pub mod abjoin;
pub mod abtee;
mod barcodes;
mod between;
pub mod defectoverlay;
pub mod defecttestsrc;
pub(crate) mod depth;
pub mod driftmeter;
mod flip;
pub mod framesampler;
pub(crate) mod memory;
pub mod modelinfer;
mod part_by;
mod reference;
mod refusals;
pub mod resultenc;
mod shell;
mod threads;
pub(crate) mod upstream;

/// Registers every element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    modelinfer::register(plugin)?;
    abtee::register(plugin)?;
    abjoin::register(plugin)?;
    driftmeter::register(plugin)?;
    framesampler::register(plugin)?;
    defectoverlay::register(plugin)?;
    defecttestsrc::register(plugin)?;
    resultenc::register(plugin)
}
