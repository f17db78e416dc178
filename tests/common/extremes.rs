// SPDX-License-Identifier: MPL-2.0
//! The least and the greatest value that a property of a number takes.

use gst::prelude::*;

/// Returns the least or the greatest value of a property, or none if it is no number.
pub fn extreme(property: &glib::ParamSpec, greatest: bool) -> Option<glib::Value> {
    macro_rules! of {
        ($($kind:ty),*) => {
            $(if let Some(p) = property.downcast_ref::<$kind>() {
                return Some(if greatest { p.maximum() } else { p.minimum() }.to_value());
            })*
        };
    }
    of!(glib::ParamSpecInt64, glib::ParamSpecUInt64, glib::ParamSpecInt, glib::ParamSpecUInt, glib::ParamSpecDouble);
    None
}
