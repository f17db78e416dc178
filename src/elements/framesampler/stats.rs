// SPDX-License-Identifier: MPL-2.0
//! The property `stats`.

use std::sync::atomic::Ordering::Relaxed;

use andon_capture::{Trigger, WriterCounters};
use parking_lot::Mutex;

use super::frames::State;

/// Returns the counts of the streaming thread and of the writer, with the results that were lost and the events that were
/// refused.
pub(super) fn stats(
    state: &Mutex<State>,
    [lost, bad_events]: [u64; 2],
    bits_seen: u32,
    writer: &WriterCounters,
) -> gst::Structure {
    let last = writer.last.lock().clone();
    // The structure is built without the lock, which the streaming thread needs.
    let state = state.lock();
    let c = *state.sampler.counts();
    let (ring_frames, ring_bytes) = state.sampler.held();
    let (queue, pending) = (state.queue.len(), state.sampler.pending());
    let deep_copies = state.deep_copies;
    drop(state);
    let mut triggers = gst::Structure::new_empty("triggers");
    for (trigger, fired) in Trigger::ALL.iter().zip(c.fired) {
        triggers.set(trigger.as_str(), fired);
    }
    gst::Structure::builder("stats")
        .field("frames", c.frames)
        .field("captured", c.captured)
        .field("written", writer.written.load(Relaxed))
        .field("amended", writer.amended.load(Relaxed))
        .field("dropped-queue", c.dropped_queue)
        .field("over-budget", c.over_budget)
        .field("alike", writer.alike.load(Relaxed))
        .field("evicted", writer.evicted.load(Relaxed))
        .field("cleared", writer.cleared.load(Relaxed))
        .field("dropped-no-location", c.dropped_no_location)
        .field("unreadable", c.unreadable)
        .field("failed", writer.failed.load(Relaxed))
        .field("given-up", writer.given_up.load(Relaxed))
        .field("missed-pre", c.missed_pre)
        .field("late", c.late)
        .field("late-gone", c.late_gone)
        .field("amends-dropped", c.amends_dropped)
        .field("queue", queue as u64)
        .field("pending", pending as u64)
        .field("ring-frames", ring_frames as u64)
        .field("ring-bytes", ring_bytes as u64)
        .field("deep-copies", deep_copies)
        .field("bad-events", bad_events)
        .field("results-lost", lost)
        .field("bits-seen", u64::from(bits_seen))
        .field("errors", writer.episodes.load(Relaxed))
        .field("last-error", last.as_ref().map(|f| f.text.clone()).unwrap_or_default())
        .field("failing", last.is_some_and(|f| f.lasting))
        .field("triggers", triggers)
        .build()
}
