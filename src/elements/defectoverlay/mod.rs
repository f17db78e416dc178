// SPDX-License-Identifier: MPL-2.0
//! `defectoverlay` draws what was found on the frame: boxes, upright or turned, with label and score, masks, heat maps, a
//! band with the verdict.
//!
//! It reads the outcomes of both arms ([`crate::meta::AndonInferenceMeta`]), and where there is none of arm a, analytics
//! or region-of-interest metas, so it also shows what somebody else's model found. It is the only element that changes
//! pixels: put it after whatever looks at them.
//!
//! # Two arms
//! Arm a is blue and whole, its labels above the boxes; arm b orange and dashed, its labels below. A box that only one of
//! both saw has brackets at its corners and its label in black on the arm's colour; boxes are the same thing where their
//! labels are equal and their IoU is at least 0.5 ([`andon_statistics::box_pairs`]), and nothing is marked on a frame that
//! one of both did not judge. The legend in the lower left corner says who is who: line, verdict, score, model and
//! version; the truth is in it where it is drawn. Of one arm alone there is no legend: the band names its model.
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
//! | `legend` | bool | true | who is who, in the lower left corner, where more than one spoke |
//! | `marks` | bool | true | brackets on what only one of both arms saw |
//! | `truth` | bool | false | the true defects, where the source tells them |
//! | `heat` | bool | true | anomaly maps over the frame |
//! | `masks` | bool | true | masks of what was found, and of a segmentation all labels but the first, over the frame |
//!
//! # Example
//! ```sh
//! gst-launch-1.0 defecttestsrc defect-rate=1 num-buffers=100 ! modelinfer model=models/pcb/2 ! defectoverlay truth=true ! \
//!   videoconvert ! autovideosink
//! gst-launch-1.0 defecttestsrc defect-rate=1 num-buffers=100 ! abtee name=t leaky=false \
//!   t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a  t.src_b ! modelinfer model=models/pcb/2 on-error=pass ! j.sink_b \
//!   abjoin name=j wait=-1 ! defectoverlay ! videoconvert ! autovideosink
//! ```

use gst::prelude::*;

pub mod canvas;
pub mod draw;
mod imp;
pub mod legend;
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
