// SPDX-License-Identifier: MPL-2.0
//! `defecttestsrc` simulates a line camera over boards with known defects.
//!
//! It draws boards in the manner of bare-copper circuit boards, some of them with the defects of the DeepPCB data set (open,
//! short, mousebite, spur, copper, pin-hole), as a camera over a belt sees them: one part after the other, each in one or
//! more views. Light, focus, noise and position can be set, and every buffer carries the truth. Models, drift detection and
//! whole pipelines can be tried and measured without a line.
//!
//! ```sh
//! gst-launch-1.0 defecttestsrc num-buffers=300 defect-rate=0.3 ! videoconvert ! autovideosink
//! gst-launch-1.0 defecttestsrc is-live=true sku=B views=3 speed=80 illumination=0.7 \
//!   ! video/x-raw,format=NV12,width=1280,height=720,framerate=60/1 ! fakesink
//! ```
//!
//! # Pads
//!
//! `src` (always): `video/x-raw`, GRAY8, RGB or NV12, any size and rate; 640×640 at 30 frames a second unless downstream asks
//! for others. Boards follow the shorter side of the frame; below 256 pixels the frame shows a section of a board. RGB and
//! NV12 are tinted (green substrate, orange copper) and have the luma of the grey frame.
//!
//! Where the system gives no thread for the source, the change to PAUSED fails with an error that says so; it can be tried again.
//!
//! # Parts
//!
//! The name of a SKU determines its board: `A`, `C`, `E`… have buses and pours, `B`, `D`, `F`… many pads and vias. Each part
//! has its own placement, copper texture and, with the probability `defect-rate`, one to three defects of the kinds in
//! `defects`. With `views` above one, the belt moves `speed` pixels between two views. Seed and part number determine
//! everything about a part, so that a run can be repeated and seeked in: equal settings give equal pixels.
//!
//! Every buffer carries `AndonFrameMeta` with the part (id `SKU-SEED-NUMBER`), and `AndonInferenceMeta` of the arm `truth`:
//! the defects in this view, clipped to the frame, and the verdict `ng` if there are any. A defect of which less than a third
//! is in view is left out. A live source also stamps the time of capture (UTC), as reference timestamp meta and in the
//! identity. The sticky event `andon/fields` carries `sku`, `line_speed` (pixels a second) and the property `fields`.
//!
//! # Properties
//!
//! | name | type, default | |
//! |---|---|---|
//! | `is-live` | bool, false | send frames in real time, as a camera does |
//! | `seed` | uint64, 0 | equal seeds give equal parts in equal order |
//! | `sku` | string, `A` | the product; its name determines the layout of the board |
//! | `defect-rate` | double, 0.1 | probability that a part has defects, one to three |
//! | `defects` | string, all six | kinds of defects to draw, separated by commas |
//! | `illumination`, `contrast` | double, 1 | gain of the lamp, and gain about mid grey |
//! | `blur`, `noise` | double, 0 | standard deviations of the blur in pixels, of the noise in grey levels |
//! | `shift-x`, `shift-y` | int, 0 | pixels by which the picture is moved to the right and down |
//! | `views` | uint, 1 | frames of each part |
//! | `speed` | double, 0 | pixels that the belt moves between two views |
//! | `lot`, `station`, `purpose` | string, string, `production` | named in the part |
//! | `fields` | structure | more named fields of the stream |
//! | `stats` | structure, read-only | `frames`, `parts`, `ng-parts`, `refused-settings`, and in `kinds` the number of defects drawn of each kind |
//!
//! All properties but `is-live` can be changed while playing. Light, focus, noise and shift take effect with the next frame,
//! all others with the next part. Numbers can be driven by control sources.
//!
//! # Messages
//!
//! If `defects` names an unknown kind, the element posts a warning, counts it in `refused-settings`, and keeps the kinds that
//! were set before.

mod frames;
mod imp;
mod pool;
mod position;
mod settings;
mod stats;

use std::sync::LazyLock;

use gst::prelude::*;

pub use settings::Purpose;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("defecttestsrc", gst::DebugColorFlags::empty(), Some("A simulated line camera"))
});

glib::wrapper! {
    /// The element `defecttestsrc`.
    pub struct DefectTestSrc(ObjectSubclass<imp::DefectTestSrc>)
        @extends gst_base::BaseSrc, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    Purpose::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "defecttestsrc", gst::Rank::NONE, DefectTestSrc::static_type())
}
