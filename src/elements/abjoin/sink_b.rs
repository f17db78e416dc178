// SPDX-License-Identifier: MPL-2.0
//! Arm b: its results are kept, and of its frames only those that a does not get.

use andon_core::result::{Arm, Arms, Frame, Inference};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    CAT,
    imp::AbJoin,
    pairing::{FrameKey, FromA, Match},
    queue::WaitingFrame,
    state::{design_of, size_of},
};
use crate::meta::{
    AndonFrameMeta, AndonInferenceMeta,
    event::{AndonEvent, Late},
    read_compared,
};

/// `andon/late` events that wait for a's thread. There are more only if a stands still.
const MAX_LATE: usize = 1024;

/// Ids of b's last frames, by which a frame that comes again over a is known.
const MAX_RECENT: usize = 64;

impl AbJoin {
    pub(super) fn chain_b(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let frame = AndonFrameMeta::get(&buffer);
        let size = self.state.lock().sizes[1];
        let b = read_compared(&buffer, Arm::B, size);
        if let Some(frame) = frame.as_ref().filter(|f| f.arms == Arms::B) {
            let design = {
                let state = self.state.lock();
                state.design_of_b.unwrap_or(state.design)
            };
            if let Some((design, b)) = design.zip(b.as_deref()) {
                let truth = AndonInferenceMeta::get(&buffer, Arm::Truth);
                self.count_alone(Arm::B, b, truth.as_deref(), design);
            }
            if let Some(b) = b {
                AndonInferenceMeta::set(buffer.make_mut(), b);
            }
            return self.push_b(buffer, frame);
        }
        // An identity that does not name arm b is not from abtee, whose identity an element has lost.
        let id = frame.filter(|f| f.arms.expects(Arm::B)).map(|f| (f.run, f.id));
        let key = FrameKey { id, pts_ns: buffer.pts().map(|t| t.nseconds()) };
        drop(buffer);
        let mut state = self.state.lock();
        if state.flushing || !state.running {
            return Ok(gst::FlowSuccess::Ok);
        }
        state.silence = 0;
        let matched = state.pairing.b_came(key, b.clone());
        match (matched, b) {
            (Match::Waiting(serial, _), None) => {
                state.pairing.answer(serial, None);
            }
            (Match::Waiting(serial, from_a), Some(b)) => {
                // Frames that b has passed over need not wait for the comparison.
                self.notify(&mut state);
                drop(state);
                // Compared before the frame goes on, so that the report at EOS has every frame that came before it.
                self.compare(&from_a, &b);
                state = self.state.lock();
                if !state.pairing.answer(serial, Some(b.clone())) {
                    drop(state);
                    self.queue_late(&from_a, &b);
                    return Ok(gst::FlowSuccess::Ok);
                }
            }
            (Match::Late(from_a), Some(b)) => {
                drop(state);
                self.queue_late(&from_a, &b);
                self.compare(&from_a, &b);
                return Ok(gst::FlowSuccess::Ok);
            }
            _ => {}
        }
        self.notify(&mut state);
        Ok(gst::FlowSuccess::Ok)
    }

    /// Queues an `andon/late` event for a's thread to push.
    fn queue_late(&self, from_a: &FromA, b: &Inference) {
        let Some((run, frame_id)) = from_a.key.id else { return };
        let late = Late { run, frame_id, pts_ns: from_a.key.pts_ns, json: b.to_json() };
        let event = AndonEvent::Late(late).to_event();
        let mut state = self.state.lock();
        if state.flushing || !state.running {
            return;
        }
        state.late.push_back(event);
        if state.late.len() > MAX_LATE {
            state.late.pop_front();
            state.late_lost += 1;
        }
    }

    /// Pushes a frame that only b got. The flow return is downstream's, because b is the line here.
    fn push_b(&self, buffer: gst::Buffer, frame: &Frame) -> Result<gst::FlowSuccess, gst::FlowError> {
        let wait = self.settings().wait;
        let mut state = self.state.lock();
        self.wait_for_room(&mut state, wait)?;
        state.b_alone += 1;
        state.recent_b.push_back(frame.id);
        if state.recent_b.len() > MAX_RECENT {
            state.recent_b.pop_front();
        }
        if wait != 0 {
            state.queue.insert(WaitingFrame { buffer, id: frame.id, serial: None, arrival: None });
            self.notify(&mut state);
            return Ok(gst::FlowSuccess::Ok);
        }
        self.put_out(&mut state, frame.id);
        drop(state);
        let flow = {
            let _turn = self.push.lock();
            self.src.push(buffer)
        };
        self.state.lock().flow = flow.err();
        flow
    }

    pub(super) fn event_b(&self, event: &gst::Event) {
        let mut state = self.state.lock();
        match event.view() {
            gst::EventView::StreamStart(_) | gst::EventView::FlushStop(_) => {
                // A design that was flushed on its way does not come again.
                state.design_of_b = None;
                state.pairing.b_begins();
            }
            gst::EventView::Caps(e) => state.sizes[1] = size_of(e.caps()),
            gst::EventView::Eos(_) => {
                state.pairing.b_ends();
                let after_a = state.a_ended;
                self.notify(&mut state);
                drop(state);
                if after_a {
                    // This report has the results that came from b after a's end.
                    self.post_last_report();
                }
            }
            _ => match AndonEvent::parse(event) {
                Some(Ok(AndonEvent::Dropped { run, mut frame_ids })) => {
                    frame_ids.sort_unstable();
                    state.pairing.dropped(run, &frame_ids);
                    self.notify(&mut state);
                }
                Some(Ok(AndonEvent::Split(split))) => state.design_of_b = Some(design_of(&split)),
                Some(Err(error)) => gst::warning!(CAT, imp = self, "{error}"),
                _ => {}
            },
        }
    }
}
