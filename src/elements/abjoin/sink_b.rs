// SPDX-License-Identifier: MPL-2.0
//! Arm b: its results are kept, and of its frames only those that a does not get.

use std::sync::Arc;

use andon_core::result::{Arm, Arms, Frame};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    CAT,
    imp::AbJoin,
    late::LateResult,
    pairing::{FrameKey, FromA, Match, OfB},
    queue::WaitingFrame,
    state::{Format, design_of},
};
use crate::meta::{AndonFrameMeta, AndonInferenceMeta, event::AndonEvent, read_compared};

/// Ids of b's last frames, by which a frame that comes again over a is known.
const MAX_RECENT: usize = 64;

impl AbJoin {
    pub(super) fn chain_b(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let frame = AndonFrameMeta::get(&buffer);
        let format = self.state.lock().formats[1].clone();
        let b = of_b(&buffer, format.size);
        if let Some(frame) = frame.as_ref().filter(|f| f.arms == Arms::B) {
            self.accept_b(&format)?;
            let design = {
                let state = self.state.lock();
                state.design_of_b.unwrap_or(state.design)
            };
            if let Some((design, b)) = design.zip(b.as_ref()) {
                let truth = AndonInferenceMeta::get(&buffer, Arm::Truth);
                self.count_alone(Arm::B, &b.said, truth.as_deref(), design);
            }
            for result in b.iter().flat_map(|b| &b.results) {
                // Of its own metas, each takes its own place; what other people's metas say becomes one.
                AndonInferenceMeta::set(buffer.make_mut(), result.clone());
            }
            return self.push_b(buffer, format, frame);
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
                self.compare(&from_a, &b.said);
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
                self.compare(&from_a, &b.said);
                return Ok(gst::FlowSuccess::Ok);
            }
            _ => {}
        }
        self.notify(&mut state);
        Ok(gst::FlowSuccess::Ok)
    }

    /// Queues an `andon/late` event for each result, for a's thread to push.
    fn queue_late(&self, from_a: &FromA, b: &OfB) {
        for result in &b.results {
            let Some(late) = LateResult::new(from_a, result) else { return };
            let mut state = self.state.lock();
            if state.flushing || !state.running {
                return;
            }
            state.late_lost += u64::from(state.late.push(late));
        }
    }

    /// Asks downstream whether it takes a frame under caps of arm b that are not those of arm a. If not, the frame is
    /// refused, and `abtee` gives it to arm a.
    fn accept_b(&self, format: &Format) -> Result<(), gst::FlowError> {
        let Some(caps) = &format.caps else { return Ok(()) };
        let (is_as_a, known) = {
            let state = self.state.lock();
            (state.formats[0].caps.as_ref() == Some(caps), state.takes_b)
        };
        if is_as_a {
            return Ok(());
        }
        // Asked without the lock, as downstream may take its time to answer.
        let takes = known.unwrap_or_else(|| self.src.peer_query_accept_caps(caps));
        let mut state = self.state.lock();
        state.takes_b = Some(takes);
        if takes {
            return Ok(());
        }
        state.b_refused += 1;
        drop(state);
        if known.is_none() {
            gst::warning!(CAT, imp = self, "frames of arm b are refused: downstream does not take {caps}");
        }
        Err(gst::FlowError::NotNegotiated)
    }

    /// Pushes a frame that only b got. The flow return is downstream's, because b is the line here.
    fn push_b(&self, buffer: gst::Buffer, format: Format, frame: &Frame) -> Result<gst::FlowSuccess, gst::FlowError> {
        let wait = self.settings_now().wait;
        let mut state = self.state.lock();
        self.wait_for_room(&mut state, wait)?;
        state.b_alone += 1;
        state.recent_b.push_back(frame.id);
        if state.recent_b.len() > MAX_RECENT {
            state.recent_b.pop_front();
        }
        if wait != 0 {
            state.queue.insert(WaitingFrame { buffer, format, id: frame.id, serial: None, arrival: None });
            self.notify(&mut state);
            return Ok(gst::FlowSuccess::Ok);
        }
        self.put_out(&mut state, frame.id);
        drop(state);
        let flow = {
            let _turn = self.push.lock();
            self.push_frame(buffer, format.caps.as_ref())
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
            gst::EventView::Caps(e) => (state.formats[1], state.takes_b) = (Format::new(e.caps()), None),
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
                Some(Err(problem)) => {
                    drop(state);
                    self.refusals.add(&*self.obj(), &problem);
                }
                _ => {}
            },
        }
    }
}

/// Returns what the models of arm b say of a frame of `size` on its way. If its own metas say nothing, it may be those of
/// other people's elements.
fn of_b(buffer: &gst::BufferRef, size: [u32; 2]) -> Option<Arc<OfB>> {
    let said = read_compared(buffer, Arm::B, size)?;
    let mut results = AndonInferenceMeta::all(buffer);
    results.retain(|i| i.arm == Arm::B);
    if results.is_empty() {
        results.push(said.clone());
    }
    Some(Arc::new(OfB { said, results }))
}
