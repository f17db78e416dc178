// SPDX-License-Identifier: MPL-2.0
//! Queries: the neighbours answer, and the element adds the buffers and the time that it holds.

use gst::{prelude::*, subclass::prelude::*};

use super::imp::ModelInfer;
use crate::elements::shell;

impl ModelInfer {
    pub(super) fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        // A serialized query keeps its place among the frames.
        if query.is_serialized() && !self.reorder.drain() {
            return false;
        }
        if let gst::QueryViewMut::Allocation(q) = query.view_mut() {
            let passed = shell::pass_allocation(&*self.obj(), q).is_ok();
            if passed {
                shell::raise_minimum(q, self.held_buffers());
            }
            return passed;
        }
        self.caps_query(pad, &self.src, query)
    }

    pub(super) fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Scheduling(q) = query.view_mut() {
            return shell::push_scheduling(&self.sink, q);
        }
        if query.type_() != gst::QueryType::Latency {
            return self.caps_query(pad, &self.sink, query);
        }
        let answered = self.sink.peer_query(query);
        if let (true, gst::QueryViewMut::Latency(q)) = (answered, query.view_mut()) {
            let added = self.latency();
            let (live, min, max) = q.result();
            q.set(live, min.saturating_add(added), max.map(|max| max.saturating_add(added)));
        }
        answered
    }

    /// Caps pass through: `pad` accepts what the peer of `other` accepts, within the template.
    fn caps_query(&self, pad: &gst::Pad, other: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        let template = pad.pad_template_caps();
        match query.view_mut() {
            gst::QueryViewMut::Caps(q) => {
                let first = gst::CapsIntersectMode::First;
                let filter =
                    q.filter_owned().map_or_else(|| template.clone(), |f| f.intersect_with_mode(&template, first));
                let caps = other.peer_query_caps(Some(&filter)).intersect_with_mode(&template, first);
                q.set_result(&caps);
                true
            }
            gst::QueryViewMut::AcceptCaps(q) => {
                // Without a peer everything is accepted.
                let accepts = q.caps().is_subset(&template) && other.peer_query_accept_caps(&q.caps_owned());
                q.set_result(accepts);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }
}
