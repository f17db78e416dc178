// SPDX-License-Identifier: MPL-2.0
//! The element `defecttestsrc`.

/// Registers the element.
pub fn register(_plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    Ok(())
}
