// SPDX-License-Identifier: MPL-2.0
//! Queries: the line and arm a ask each other, arm b is answered here.

use gst::{prelude::*, subclass::prelude::*};

use super::{Mode, imp::AbTee};

impl AbTee {
    pub(super) fn sink_query(&self, query: &mut gst::QueryRef) -> bool {
        if self.src_a.peer_query(query) {
            if let gst::QueryViewMut::Allocation(q) = query.view_mut() {
                self.raise_minimum(q);
            }
            return true;
        }
        match query.view_mut() {
            gst::QueryViewMut::Caps(q) => {
                let all = self.sink.pad_template_caps();
                let caps = q
                    .filter_owned()
                    .map_or_else(|| all.clone(), |f| f.intersect_with_mode(&all, gst::CapsIntersectMode::First));
                q.set_result(&caps);
                true
            }
            gst::QueryViewMut::AcceptCaps(q) => {
                // Nobody is there to refuse; somebody who is has spoken already.
                let accepts = !self.src_a.is_linked() && q.caps().is_subset(&self.sink.pad_template_caps());
                q.set_result(accepts);
                true
            }
            _ => false,
        }
    }

    /// Asks for the frames that arm b may hold, of pools without a limit only: of others it holds none.
    fn raise_minimum(&self, query: &mut gst::query::Allocation) {
        let (mode, max_queue) = {
            let settings = self.settings();
            (settings.mode, settings.max_queue)
        };
        if mode != Mode::Shadow || !self.src_b.is_linked() {
            return;
        }
        let pools: Vec<_> = query
            .allocation_pools()
            .map(|(pool, size, min, max)| (pool.map(|p| p.to_owned()), size, min, max))
            .collect();
        for (i, (pool, size, min, max)) in pools.into_iter().enumerate() {
            if max == 0 {
                // One more is with b's first element.
                let min = min + max_queue + 1;
                query.set_nth_allocation_pool(i as u32, pool.as_ref(), size, min, max);
            }
        }
    }

    pub(super) fn src_a_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        self.sink.peer_query(query) || gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }

    pub(super) fn src_b_query(&self, query: &mut gst::QueryRef) -> bool {
        let now = || self.sink.current_caps().unwrap_or_else(|| self.sink.pad_template_caps());
        match query.view_mut() {
            gst::QueryViewMut::Caps(q) => {
                let caps = now();
                let caps = q
                    .filter_owned()
                    .map_or_else(|| caps.clone(), |f| f.intersect_with_mode(&caps, gst::CapsIntersectMode::First));
                q.set_result(&caps);
                true
            }
            gst::QueryViewMut::AcceptCaps(q) => {
                let accepts = q.caps().can_intersect(&now());
                q.set_result(accepts);
                true
            }
            gst::QueryViewMut::Latency(_)
            | gst::QueryViewMut::Position(_)
            | gst::QueryViewMut::Duration(_)
            | gst::QueryViewMut::Segment(_)
            | gst::QueryViewMut::Formats(_)
            | gst::QueryViewMut::Context(_) => self.sink.peer_query(query),
            _ => false,
        }
    }
}
