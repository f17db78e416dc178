// SPDX-License-Identifier: MPL-2.0
//! `defectoverlay` draws what was found on the frame: boxes, upright or turned, with label and score, masks, heat maps, a
//! band with the verdict.
//!
//! It reads the outcomes of both arms ([`crate::meta::AndonInferenceMeta`]), and where there is none of arm a, analytics
//! or region-of-interest metas, so it also shows what somebody else's model found. Arm a is blue and whole, arm b
//! orange and dashed. It is the only element that changes pixels: put it after whatever looks at them.
//!
//! # Pads
//! `sink`, `src`: `video/x-raw` in system memory, in every format that `modelinfer` takes, of any size.
//!
//! # Properties
//! | name | type | default | |
//! |---|---|---|---|
//! | `line-width` | uint, pixels | 0 | thickness of a box's line; 0 chooses by the size of the frame |
//! | `labels` | bool | true | label and score at each box |
//! | `band` | bool | true | the band with each arm's verdict |
//! | `truth` | bool | false | the true defects, where the source tells them |
//! | `heat` | bool | true | anomaly maps over the frame |
//! | `masks` | bool | true | masks of what was found, and of a segmentation all labels but the first, over the frame |
//!
//! # Example
//! ```sh
//! gst-launch-1.0 defecttestsrc defect-rate=1 num-buffers=100 ! modelinfer model=models/pcb/2 ! defectoverlay truth=true ! \
//!   videoconvert ! autovideosink
//! ```

use gst::prelude::*;

pub mod canvas;
pub mod draw;
mod imp;
pub mod shape;

glib::wrapper! {
    /// The element; see the module's page.
    pub struct DefectOverlay(ObjectSubclass<imp::DefectOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "defectoverlay", gst::Rank::NONE, DefectOverlay::static_type())
}
