// SPDX-License-Identifier: MPL-2.0
//! Queries: the line and arm a ask each other, and abtee itself answers arm b.

use gst::{prelude::*, subclass::prelude::*};

use super::{imp::AbTee, settings::Mode};
use crate::elements::shell;

/// Buffers that a pool without a limit is asked to allocate ahead, at most.
const MOST_ALLOCATED_AHEAD: u32 = 32;

impl AbTee {
    pub(super) fn sink_query(&self, query: &mut gst::QueryRef) -> bool {
        if self.src_a.peer_query(query) {
            if let gst::QueryViewMut::Allocation(q) = query.view_mut() {
                self.raise_minimum(q);
            }
            return true;
        }
        let caps = self.sink.pad_template_caps();
        // Without a peer there is no element that could refuse; a peer has given its answer above.
        shell::answer_caps(query, &caps, |asked| !self.src_a.is_linked() && asked.is_subset(&caps))
    }

    /// Asks for the frames that arm b may hold.
    fn raise_minimum(&self, query: &mut gst::query::Allocation) {
        let (mode, max_queue) = {
            let settings = self.settings();
            (settings.mode, settings.max_queue)
        };
        if mode == Mode::Shadow && self.src_b.is_linked() {
            // One more is with b's first element. Such a pool allocates more when it must, so a long queue does not
            // make it allocate all at once.
            shell::raise_minimum_of_unbounded(query, max_queue.saturating_add(1).min(MOST_ALLOCATED_AHEAD));
        }
    }

    pub(super) fn src_a_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Scheduling(q) = query.view_mut() {
            return shell::push_scheduling(&self.sink, q);
        }
        self.sink.peer_query(query) || gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }

    pub(super) fn src_b_query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Scheduling(q) = query.view_mut() {
            return shell::push_scheduling(&self.sink, q);
        }
        match query.type_() {
            gst::QueryType::Caps | gst::QueryType::AcceptCaps => {
                let caps = self.sink.current_caps().unwrap_or_else(|| self.sink.pad_template_caps());
                shell::answer_caps(query, &caps, |asked| asked.can_intersect(&caps))
            }
            gst::QueryType::Latency
            | gst::QueryType::Position
            | gst::QueryType::Duration
            | gst::QueryType::Segment
            | gst::QueryType::Formats
            | gst::QueryType::Context => self.sink.peer_query(query),
            _ => false,
        }
    }
}
