// SPDX-License-Identifier: MPL-2.0
//! Heap allocations of the plugin's own code a frame, in steady state, through the real element. Rust's allocator does not
//! see what GStreamer and ONNX Runtime allocate on C's heap.
//!
//! Every frame needs four: its result (`Arc<Inference>`, which travels in the meta), the name `AndonResult` as the binding
//! hands it to C, and for the frame as a part of its own the id RUN/FRAME and the JSON of the message `andon/part-verdict`.

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use common::runtime;
use gst_check::Harness;

/// The system's allocator, which counts the allocations of this thread while `TAKEN` is set. With `in-flight=1` the thread
/// that pushes a frame does all the work.
struct Counting;

thread_local! {
    /// Allocations and bytes; `None` while they are not counted.
    static TAKEN: Cell<Option<[usize; 2]>> = const { Cell::new(None) };
}

fn note(bytes: usize) {
    // A thread allocates even while it ends.
    let _ = TAKEN.try_with(|t| t.set(t.get().map(|[count, all]| [count + 1, all + bytes])));
}

// SAFETY: passes everything to the system's allocator, which keeps the promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller promises it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller promises it.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller promises it.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller promises it.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FRAMES: usize = 200;

/// The allocations and bytes a frame when frames of that brightness pass the element.
fn steady(element: &str, caps: &str, level: u8) -> [f64; 2] {
    runtime();
    let mut h = Harness::new_parse(element);
    h.set_src_caps_str(caps);
    let info = gst_video::VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap()).unwrap();
    let buffer = gst::Buffer::from_mut_slice(vec![level; info.size()]);
    let mut pass = |frames: usize| {
        for _ in 0..frames {
            // A new buffer over the same memory, on C's heap, as from a source that reuses its pool.
            drop(h.push_and_pull(buffer.copy()).unwrap());
        }
    };
    pass(20);
    TAKEN.set(Some([0; 2]));
    pass(FRAMES);
    let taken = TAKEN.take().expect("it was set");
    taken.map(|n| n as f64 / FRAMES as f64)
}

#[track_caller]
fn at_most(what: &str, count: f64, [found, bytes]: [f64; 2]) {
    println!("{what:<44} {found:>5.2} allocations, {bytes:>7.1} bytes a frame");
    assert!(found <= count, "{what}: {found} allocations a frame instead of at most {count}");
}

const GREY: &str = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";
const NV12: &str = "video/x-raw,format=NV12,width=1280,height=720,framerate=25/1";

fn detector() -> String {
    format!("modelinfer model={} threads=1", common::root().join("tests/data/detector.onnx").display())
}

#[test]
fn a_frame_without_a_detection_allocates_its_result_and_its_verdict() {
    at_most("GRAY8 64x64, no detection", 4.0, steady(&detector(), GREY, 10));
    let large =
        format!("modelinfer model={} threads=1", common::root().join("benches/models/detector320.onnx").display());
    at_most("NV12 1280x720, 2000 candidates, no detection", 4.0, steady(&large, NV12, 10));
}

#[test]
fn a_detection_adds_its_list_and_its_mirror() {
    // The list of detections, the name of the region of interest, and the label in the part's verdict, in a list, and in
    // the message.
    at_most("GRAY8 64x64, one detection", 8.0, steady(&detector(), GREY, 255));
}

#[test]
fn a_skipped_frame_allocates_its_reason() {
    at_most("GRAY8 64x64, skipped", 6.0, steady(&format!("{} interval=100000", detector()), GREY, 255));
}

#[test]
fn measuring_a_frame_allocates_nothing() {
    for (what, caps) in [("GRAY8 64x64, measured", GREY), ("NV12 1280x720, measured", NV12)] {
        at_most(what, 0.0, steady("driftmeter learn-frames=20", caps, 10));
    }
    // As much as modelinfer allocates, and no more.
    let line = format!("{} ! driftmeter learn-frames=20", detector());
    at_most("GRAY8 64x64, judged and measured", 8.0, steady(&line, GREY, 255));
}
