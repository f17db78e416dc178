// SPDX-License-Identifier: MPL-2.0
//! What every test of an element needs: the plugin, a pipeline that cannot hang the suite, the data.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod arms;
pub mod control;
pub mod drift;
pub mod extremes;
pub mod judge;
pub mod sampler;
pub mod schema;
pub mod starve;
pub mod tee;

use std::{
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

use gst::prelude::*;

/// Longest that a test's pipeline may take; only a hang gets there.
pub const WATCHDOG: Duration = Duration::from_secs(120);

/// Initialises GStreamer and registers the plugin, once.
pub fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        point_to_runtime();
        gst::init().unwrap();
        gstandon::plugin_register_static().unwrap();
    });
}

/// Where `make setup` puts ONNX Runtime when the system has none.
fn point_to_runtime() {
    let own = root().join("target/onnxruntime/libonnxruntime.so");
    if std::env::var_os("ORT_DYLIB_PATH").is_none() && own.is_file() {
        // SAFETY: every test begins with `init`, whose `Once` holds the others back until this is done.
        unsafe { std::env::set_var("ORT_DYLIB_PATH", own) };
    }
}

/// For tests that run a model: initialises, and fails where ONNX Runtime is missing.
#[track_caller]
pub fn runtime() {
    init();
    if let Err(e) = andon_inference::runtime::info() {
        panic!("{e}; or run `make setup`");
    }
}

/// Parses a launch line.
#[track_caller]
pub fn launch(line: &str) -> gst::Pipeline {
    init();
    gst::parse::launch(line).unwrap_or_else(|e| panic!("{line}: {e}")).downcast().expect("a launch line is a pipeline")
}

/// Plays to the end of the stream and answers every message on the way; fails on an error and on a hang.
#[track_caller]
pub fn play(pipeline: &gst::Pipeline) -> Vec<gst::Message> {
    let (messages, error) = play_until_end(pipeline);
    if let Some(error) = error {
        panic!("the pipeline failed: {error}");
    }
    messages
}

/// Plays to the end of the stream or to the first error, which it answers as text.
#[track_caller]
pub fn play_until_end(pipeline: &gst::Pipeline) -> (Vec<gst::Message>, Option<String>) {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let mut messages = Vec::new();
    let mut error = pipeline.set_state(gst::State::Playing).err().map(|e| e.to_string());
    let until = std::time::Instant::now() + WATCHDOG;
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        assert!(!left.is_zero(), "the pipeline hung");
        let Some(message) = bus.timed_pop(gst::ClockTime::try_from(left).expect("the watchdog is short")) else {
            continue;
        };
        let done = match message.view() {
            gst::MessageView::Eos(_) => true,
            gst::MessageView::Error(e) => {
                error = Some(format!("{} ({})", e.error(), e.debug().unwrap_or_default()));
                true
            }
            _ => false,
        };
        messages.push(message);
        if done {
            break;
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    (messages, error)
}

/// The `json` of every element message of that name.
pub fn jsons(messages: &[gst::Message], name: &str) -> Vec<serde_json::Value> {
    messages.iter().filter_map(|m| gstandon::meta::message::json_of(m, name)).collect()
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of the shared data, or none, with a line that says what is skipped.
pub fn data(folder: &str) -> Option<PathBuf> {
    let base = std::env::var_os("ANDON_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = base.join(folder);
    if !path.exists() {
        println!("skipped: {} is not there (set ANDON_DATA)", path.display());
        return None;
    }
    Some(path)
}

/// A pad that answers the allocation query with a pool without a limit and one of 8 buffers.
pub fn with_pools() -> gst::Pad {
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
    let pad = gst::Pad::builder_from_template(&template)
        .query_function(|pad, parent, query| match query.view_mut() {
            gst::QueryViewMut::Allocation(q) => {
                q.add_allocation_pool(None::<&gst::BufferPool>, 64, 2, 0);
                q.add_allocation_pool(None::<&gst::BufferPool>, 64, 2, 8);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build();
    pad.set_active(true).unwrap();
    pad
}

/// Minimum and maximum of the pools that upstream is offered.
pub fn offered(sink: &gst::Pad, caps: &str) -> Vec<(u32, u32)> {
    let mut query = gst::query::Allocation::new(Some(&caps.parse().unwrap()), true);
    assert!(sink.query(&mut query));
    query.allocation_pools().map(|(_, _, min, max)| (min, max)).collect()
}
