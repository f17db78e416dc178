// SPDX-License-Identifier: MPL-2.0
//! Queries: arm a and downstream ask each other, and arm b takes any video.

use gst::prelude::*;
use gst_video::VideoInfo;

use super::{imp::AbJoin, queue::MAX_FRAMES};
use crate::elements::shell;

/// Frames that wait beyond the time: one on its way, and those in b's queue and thread.
const MORE_HELD: u32 = 4;

impl AbJoin {
    pub(super) fn query_a(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if query.is_serialized() {
            // Frames that wait go before the query.
            let mut state = self.state.lock();
            while !state.queue.is_empty() || state.busy {
                if state.flushing || !state.running {
                    return false;
                }
                self.changed.wait(&mut state);
            }
        }
        if self.src.peer_query(query) {
            if let gst::QueryViewMut::Allocation(q) = query.view_mut() {
                self.raise_minimum(q);
            }
            return true;
        }
        !self.src.is_linked() && answer_from_template(pad, query)
    }

    /// Asks for the frames that may wait.
    fn raise_minimum(&self, query: &mut gst::query::Allocation) {
        let wait = self.settings().wait;
        if wait == 0 {
            return;
        }
        let fps = query.get().0.and_then(|c| VideoInfo::from_caps(c).ok()).map(|i| i.fps());
        let fps = fps
            .filter(|f| f.numer() > 0 && f.denom() > 0)
            .map_or(30.0, |f| f64::from(f.numer()) / f64::from(f.denom()));
        let waiting = (wait.max(0) as f64 / gst::ClockTime::SECOND.nseconds() as f64 * fps).ceil();
        let held = waiting.min(MAX_FRAMES as f64) as u32 + MORE_HELD;
        shell::raise_minimum(query, held);
    }

    pub(super) fn query_b(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        answer_from_template(pad, query)
    }

    pub(super) fn query_src(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Scheduling(q) = query.view_mut() {
            return shell::push_scheduling(&self.sink_a, q);
        }
        if !self.sink_a.peer_query(query) {
            return answer_from_template(pad, query);
        }
        if let gst::QueryViewMut::Latency(q) = query.view_mut() {
            let wait = gst::ClockTime::from_nseconds(self.settings().wait.max(0) as u64);
            let (live, min, max) = q.result();
            q.set(live, min.saturating_add(wait), max.map(|max| max.saturating_add(wait)));
        }
        true
    }
}

/// Answers a query for caps from the pad's template.
fn answer_from_template(pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
    let caps = pad.pad_template_caps();
    shell::answer_caps(query, &caps, |asked| asked.is_subset(&caps))
}
