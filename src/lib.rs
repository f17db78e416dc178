// SPDX-License-Identifier: MPL-2.0
//! Andon: GStreamer elements that find defects inside the video pipeline, and keep the model that finds them honest.
//!
//! This crate is the plugin, and all of Andon's code that knows GStreamer: [`elements`] has the elements, each with a
//! page of documentation, [`meta`] the metas, events and messages by which results travel, and [`control`] the control
//! socket. Models, statistics and
//! captures are crates of their own (`andon-model`, `andon-inference`, `andon-statistics`, `andon-capture`), which know
//! nothing of GStreamer. Nothing in here knows a command line, a report or a data set.
//!
//! GStreamer loads the plugin from its plugin path. A program in Rust may link it instead:
//!
//! ```
//! use gst::prelude::*;
//!
//! gst::init()?;
//! gstandon::plugin_register_static()?;
//! let line = gst::parse::launch(
//!     "videotestsrc num-buffers=3 ! abtee name=t leaky=false \
//!      t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j wait=-1 ! fakesink",
//! )?;
//! let bus = line.bus().expect("a pipeline has a bus");
//! line.set_state(gst::State::Playing)?;
//! let end = bus.timed_pop_filtered(gst::ClockTime::NONE, &[gst::MessageType::Eos, gst::MessageType::Error]);
//! assert!(end.is_some_and(|message| message.type_() == gst::MessageType::Eos));
//! line.set_state(gst::State::Null)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

pub mod control;
pub mod elements;
pub mod meta;
mod watch;

pub use plugin::plugin_register_static;

/// The functions by which GStreamer finds and registers the plugin.
mod plugin {
    // `plugin_define` takes no documentation for the functions that it makes.
    #![allow(missing_docs)]

    fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
        // SAFETY: GStreamer calls this once a process, while it starts or when the application makes its first element
        // of the plugin; Andon has no thread yet. Threads of the application may change the environment meanwhile: the
        // C library has a lock for that. They may read it, too: glibc from 2.41 on allows that; before, it can free the
        // list that is being read only where an earlier `setenv` made that list and it has to move to grow, within the
        // few instructions that a look-up takes. No other way is left: only the environment stops the uploader of ONNX
        // Runtime. An application to which that risk is too much says ORT_DISABLE_TELEMETRY itself, where it is started
        // (docs/security.md); then nothing is written here.
        unsafe { andon_inference::telemetry::switch_off() };
        crate::meta::result::register();
        crate::meta::capture_time::load();
        crate::elements::register(plugin)
    }

    gst::plugin_define!(
        andon,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MPL",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("ANDON_ORIGIN"),
        env!("BUILD_REL_DATE")
    );
}
