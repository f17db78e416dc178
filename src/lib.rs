// SPDX-License-Identifier: MPL-2.0
//! Andon: GStreamer elements that find defects inside the video pipeline and keep the model that finds them honest.
//!
//! Arrows point one way: `elements → {meta, inference, statistics, capture} → model → {result, image}`; `board` draws
//! test boards and knows only `result` and `image`.

pub mod elements;
pub mod meta;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    elements::register(plugin)
}

gst::plugin_define!(
    andon,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MPL",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "https://example.invalid/andon",
    env!("BUILD_REL_DATE")
);
