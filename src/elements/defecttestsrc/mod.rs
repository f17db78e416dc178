// SPDX-License-Identifier: MPL-2.0
//! The element `defecttestsrc`: a line camera that does not exist.
//!
//! It draws boards in the manner of bare-copper circuit boards, some of them with the defects of the DeepPCB data set
//! (open, short, mousebite, spur, copper, pin-hole), as a camera over a belt would see them: one part after the other,
//! each in one or more views. Light, focus, noise and position are under control, and the truth rides on the buffer, so
//! that models, drift detection and whole pipelines can be tried and measured without a line.
//!
//! ```sh
//! gst-launch-1.0 defecttestsrc num-buffers=300 defect-rate=0.3 ! videoconvert ! autovideosink
//! gst-launch-1.0 defecttestsrc is-live=true sku=B views=3 speed=80 illumination=0.7 \
//!   ! video/x-raw,format=NV12,width=1280,height=720,framerate=60/1 ! fakesink
//! ```
//!
//! # Pads
//!
//! `src` (always): `video/x-raw`, GRAY8, RGB or NV12, any size and rate; 640×640 at 30 frames a second unless downstream
//! wants otherwise. Boards follow the frame's shorter side (below 256 pixels it is a
//! section of a board). RGB and NV12 are tinted (green substrate, orange copper) and
//! have the luma of the grey frame.
//!
//! # Parts
//!
//! A SKU's name draws its board: `A`, `C`, `E`… have buses and pours, `B`, `D`, `F`… many pads and vias. Each part has
//! its own placement, copper texture and, with the probability `defect-rate`, one to three defects of the kinds in
//! `defects`. With `views` above one, the belt moves `speed` pixels between two views. Seed and part number fix
//! everything about a part, so that a run can be repeated, or sought in: equal settings give equal pixels.
//!
//! Every buffer carries `AndonFrameMeta` with the part (id `SKU-SEED-NUMBER`) and `AndonInferenceMeta` of the arm
//! `truth`: the defects as this view shows them, clipped to the frame (one of which less than a third is in view is
//! left out), verdict `ng` where there are any. A live source also stamps the time of capture (UTC), as reference
//! timestamp meta and in the identity. The sticky event `andon/fields` tells `sku`, `line_speed` (pixels a second) and
//! whatever the property `fields` holds.
//!
//! # Properties
//!
//! All but `is-live` can be changed while playing. Light, focus, noise and shift take effect with the next frame;
//! what makes a part (`seed`, `sku`, `defect-rate`, `defects`, `views`, `speed`, `lot`, `station`, `purpose`, `fields`)
//! with the next part. Numbers can be driven by control sources.
//!
//! `stats`: `frames`, `parts`, `ng-parts`, `refused-settings`, and `kinds`, a structure with the number of defects drawn
//! of each kind.
//!
//! # Messages
//!
//! A warning, and a count in `refused-settings`, when `defects` names a kind that does not exist: what was set before
//! stays.

mod imp;
mod settings;

use andon_core::result;
use gst::prelude::*;

glib::wrapper! {
    /// The element `defecttestsrc`.
    pub struct DefectTestSrc(ObjectSubclass<imp::DefectTestSrc>)
        @extends gst_base::BaseSrc, gst::Element, gst::Object;
}

/// Why the parts pass the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "AndonTestSrcPurpose")]
pub enum Purpose {
    /// Made to be sold.
    #[default]
    #[enum_value(name = "Made to be sold", nick = "production")]
    Production,
    /// A known sample that proves the inspection.
    #[enum_value(name = "A known sample that proves the inspection", nick = "golden")]
    Golden,
    /// The line is being set up.
    #[enum_value(name = "The line is being set up", nick = "setup")]
    Setup,
    /// A repaired part comes round again.
    #[enum_value(name = "A repaired part comes round again", nick = "rework")]
    Rework,
}

impl From<Purpose> for result::Purpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Production => Self::Production,
            Purpose::Golden => Self::Golden,
            Purpose::Setup => Self::Setup,
            Purpose::Rework => Self::Rework,
        }
    }
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    Purpose::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "defecttestsrc", gst::Rank::NONE, DefectTestSrc::static_type())
}
