// SPDX-License-Identifier: MPL-2.0
//! The elements: thin shells of pads, properties, events and queries over the modules beside this one.

pub mod abjoin;
pub mod abtee;
pub mod defectoverlay;
pub mod defecttestsrc;
pub mod driftmeter;
pub mod framesampler;
mod memory;
pub mod modelinfer;
mod reference;
mod shell;
mod watch;

/// Registers every element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    modelinfer::register(plugin)?;
    abtee::register(plugin)?;
    abjoin::register(plugin)?;
    driftmeter::register(plugin)?;
    framesampler::register(plugin)?;
    defectoverlay::register(plugin)?;
    defecttestsrc::register(plugin)
}
