// SPDX-License-Identifier: MPL-2.0
//! `defectoverlay` draws results on the frame: boxes, upright or turned, with label and score, masks, heat maps, and a band
//! with the verdict.
//!
//! It reads the results of both arms ([`crate::meta::AndonInferenceMeta`]). Without a result of arm a it reads analytics or
//! region-of-interest meta, so that it also shows what another element's model found. It is the only element that changes
//! pixels: put it after all elements that look at them.
//!
//! # Two arms
//! Arm a is blue and solid, with labels above the boxes. Arm b is orange and dashed, with labels below. A box that only one
//! arm found has brackets at its corners, and its label in black on the colour of the arm. Two boxes match if their labels
//! are equal and their IoU is at least 0.5 ([`andon_statistics::box_pairs`]). Nothing is marked on a frame that one of the
//! arms did not judge. The legend in the lower left corner shows line, verdict, score, model and version of each arm, and of
//! the truth if it is drawn. With one arm alone there is no legend: the band names the model.
//!
//! # Drift
//! What `driftmeter` upstream says (event `andon/drift`) stands in a line below the bands, also on frames without a result: how
//! far it has learned and what it waits for; what is off for the moment; what has drifted, since when on the clock at the
//! line, and since which part. While all is as learned there is no line. Of several references the worst state is shown.
//!
//! # Text
//! Labels in any script of Unicode's first plane are written by the bitmaps of GNU Unifont, which are compiled in. A character
//! that the font lacks is an empty box.
//!
//! # Pads
//! `sink`, `src`: `video/x-raw` in system memory, in every format that `modelinfer` takes, of any size.
//!
//! # Properties
//! | name | type | default | |
//! |---|---|---|---|
//! | `line-width` | uint, pixels | 0 | thickness of the lines of boxes; 0 chooses by the size of the frame |
//! | `labels` | bool | true | label and score at each box |
//! | `band` | bool | true | the band with the verdict of each arm |
//! | `legend` | bool | true | the legend in the lower left corner, if there is more than one arm |
//! | `marks` | bool | true | brackets on boxes that only one of two arms found |
//! | `truth` | bool | false | the true defects, if the source knows them |
//! | `heat` | bool | true | anomaly maps over the frame |
//! | `masks` | bool | true | masks of detections over the frame, and all labels of a segmentation but the first |
//! | `drift` | bool | true | the line with what driftmeter upstream says |
//! | `bits` | uint | 0 | bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; 0 as the caps say in `bpp`, else 16 (docs/cameras.md) |
//!
//! All properties can be changed while playing. `stats` is read-only: `results-lost` counts frames whose boxes an
//! element between has lost (docs/between.md), and `bits-seen` has the most bits of any sample of 16-bit grey.
//!
//! # Example
//! ```sh
//! gst-launch-1.0 defecttestsrc defect-rate=1 num-buffers=100 ! modelinfer model=models/pcb/2 ! defectoverlay truth=true ! \
//!   videoconvert ! autovideosink
//! gst-launch-1.0 defecttestsrc defect-rate=1 num-buffers=100 ! abtee name=t leaky=false \
//!   t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a  t.src_b ! modelinfer model=models/pcb/2 on-error=pass ! j.sink_b \
//!   abjoin name=j wait=-1 ! defectoverlay ! videoconvert ! autovideosink
//! ```

mod canvas;
mod draw;
mod drift;
mod font;
mod imp;
mod legend;
mod paint;
mod settings;
mod shape;
mod style;

pub(crate) use paint::paint;

use std::sync::LazyLock;

use gst::prelude::*;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("defectoverlay", gst::DebugColorFlags::empty(), Some("Draws results on frames"))
});

glib::wrapper! {
    /// The element `defectoverlay`.
    pub struct DefectOverlay(ObjectSubclass<imp::DefectOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "defectoverlay", gst::Rank::NONE, DefectOverlay::static_type())
}
