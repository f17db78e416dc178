// SPDX-License-Identifier: MPL-2.0
//! The streaming thread: the rule by which each frame is handed out, and the events between frames.

use std::mem;

use andon_core::result::{Arm, Arms, Frame};
use gst::{prelude::*, subclass::prelude::*};

use super::{CAT, imp::AbTee, key::place, queue_b::Room, ramp::Step, settings::Mode, waiting::Item};
use crate::{
    elements::{memory::HeldBuffer, part_by},
    meta::{
        AndonFrameMeta,
        event::{AbDecision, Act, AndonEvent},
        message, result,
    },
};

impl AbTee {
    pub(super) fn chain(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.counts.frames.one();
        let sent = mem::take(&mut self.state.lock().sent);
        for event in sent {
            self.sink_event(event);
        }
        // Read once, so that a change of the settings takes effect with the next frame.
        let (mut rule, step) = self.settings().next();
        if rule.mode != Mode::A && !self.has_thread_b() {
            // Told so to both arms: who waits for b, or judges it by its silence, must know.
            (rule.mode, rule.weight) = (Mode::A, 0.0);
            self.counts.refused.one();
        }
        if let Some(step) = step {
            self.announce_step(step);
        }
        let mut state = self.state.lock();
        let frame = state.context.identify(buffer.make_mut(), &self.tai_offset, &self.part_by.rule());
        let trouble = state.context.take_trouble();
        let is_new = state.announced.as_ref() != Some(&rule);
        if is_new {
            state.announced = Some(rule.clone());
        }
        let place = if rule.mode == Mode::Split { place(&rule.key, &frame, &state.context.fields) } else { None };
        drop(state);
        part_by::tell(&*self.obj(), &self.refusals, trouble, true)?;
        if is_new {
            let split = AndonEvent::Split(rule.to_split());
            self.queue_b.push(Item::Event(split.to_event()));
            self.src_a.push_event(split.to_event());
        }
        match rule.mode {
            Mode::A => self.push_a(buffer, frame, Arms::A),
            Mode::Shadow => {
                let arms = self.shadow(&mut buffer, &frame)?;
                let flow = self.push_a(buffer, frame, arms);
                if arms == Arms::AB {
                    // Not earlier: b must not compete with a for cores and caches.
                    self.queue_b.release();
                }
                flow
            }
            Mode::B => self.push_b_or_a(buffer, frame),
            Mode::Split => match place {
                Some(place) if place < rule.weight => self.push_b_or_a(buffer, frame),
                Some(_) => self.push_a(buffer, frame, Arms::A),
                None => {
                    self.counts.without_key.one();
                    self.push_a(buffer, frame, Arms::A)
                }
            },
        }
    }

    fn announce_step(&self, Step { number, of, weight }: Step) {
        let obj = self.obj();
        obj.notify("weight");
        let s = gst::Structure::builder("andon/ramp").field("step", number as u32).field("weight", weight).build();
        let json = serde_json::json!({ "schema": "andon.ramp/1", "step": number, "steps": of, "weight": weight });
        message::post(&*obj, s, &json.to_string());
    }

    fn push_a(&self, mut buffer: gst::Buffer, frame: Frame, arms: Arms) -> Result<gst::FlowSuccess, gst::FlowError> {
        mark(&mut buffer, frame, arms);
        self.counts.to_a.one();
        self.src_a.push(buffer).inspect_err(|_| self.counts.dropped_a.one())
    }

    /// Queues a copy for arm b if it can take one, and returns the arms that will judge the frame.
    fn shadow(&self, buffer: &mut gst::Buffer, frame: &Frame) -> Result<Arms, gst::FlowError> {
        if !self.src_b.is_linked() {
            self.counts.refused.one();
            return Ok(Arms::A);
        }
        let limits = || {
            let s = self.settings();
            // A change of the mode ends the wait, too.
            (s.leaky || s.mode != Mode::Shadow, s.max_queue as usize)
        };
        match self.queue_b.room(limits) {
            Room::Flushing => return Err(gst::FlowError::Flushing),
            Room::Out => {
                self.counts.refused.one();
                return Ok(Arms::A);
            }
            Room::Full => {
                self.counts.dropped_b.one();
                self.queue_b.leak(frame.run, frame.id);
                return Ok(Arms::A);
            }
            Room::Yes => {}
        }
        mark(buffer, frame.clone(), Arms::AB);
        let Some(mut held) = self.hold(buffer) else {
            gst::warning!(CAT, imp = self, "frame {}: its memory cannot be copied for arm b", frame.id);
            self.counts.refused.one();
            return Ok(Arms::A);
        };
        // From a model ahead of the arms. On this copy nothing decides the frame.
        result::remove(held.make_mut());
        self.counts.to_b.one();
        if !self.queue_b.put(held, frame.run, frame.id) {
            self.counts.flushed.one();
        }
        Ok(Arms::AB)
    }

    fn hold(&self, buffer: &gst::BufferRef) -> Option<gst::Buffer> {
        match self.state.lock().holder.hold(buffer)? {
            HeldBuffer::Shared(held) => {
                self.counts.shallow_copies.one();
                Some(held)
            }
            HeldBuffer::Copied(held) => {
                self.counts.deep_copies.one();
                Some(held)
            }
        }
    }

    /// Pushes on arm b from the streaming thread, or on arm a if b cannot take the frame.
    fn push_b_or_a(&self, mut buffer: gst::Buffer, frame: Frame) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.src_b.is_linked() && !self.queue_b.is_out() {
            // Held for no longer than the push, so any memory may be shared.
            mark(&mut buffer, frame.clone(), Arms::B);
            let copy = buffer.copy();
            match self.queue_b.claim(|| matches!(self.settings().mode, Mode::B | Mode::Split)) {
                Room::Flushing => return Err(gst::FlowError::Flushing),
                Room::Yes => {
                    self.counts.to_b.one();
                    let flow = self.src_b.push(copy);
                    if let Err(error) = flow {
                        self.b_refused(error);
                    }
                    self.queue_b.done();
                    if flow.is_ok() {
                        return flow;
                    }
                }
                Room::Full | Room::Out => {}
            }
        }
        self.counts.given_to_a.one();
        self.push_a(buffer, frame, Arms::A)
    }

    pub(super) fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => {
                self.counts.flushed.more(self.queue_b.flush_start());
                self.src_b.push_event(event.clone());
                self.src_a.push_event(event)
            }
            gst::EventView::FlushStop(_) => {
                self.queue_b.flush_stop(event.clone());
                self.state.lock().context.flush(&self.part_by.rule());
                self.src_a.push_event(event)
            }
            gst::EventView::StreamStart(_) => {
                self.state.lock().announced = None;
                self.queue_b.push(Item::Event(event.clone()));
                self.queue_b.push(Item::Event(AndonEvent::Arm(Arm::B).to_event()));
                let done = self.src_a.push_event(event);
                self.src_a.push_event(AndonEvent::Arm(Arm::A).to_event());
                done
            }
            _ => {
                let (event, problem) = {
                    let context = &mut self.state.lock().context;
                    let problem = match context.observe(&event) {
                        // From another abtee upstream. Each abtee names its own arms.
                        Some(Ok(AndonEvent::Arm(_))) => return true,
                        seen => seen.and_then(Result::err),
                    };
                    (context.outgoing(event), problem)
                };
                if let Some(problem) = problem {
                    self.refusals.add(&*self.obj(), &problem);
                }
                if event.is_serialized() {
                    self.queue_b.push(Item::Event(event.clone()));
                } else {
                    self.src_b.push_event(event.clone());
                }
                self.src_a.push_event(event)
            }
        }
    }

    /// Takes a decision that comes up arm a, and passes all other events on.
    pub(super) fn src_a_event(&self, event: gst::Event) -> bool {
        match AndonEvent::parse(&event) {
            Some(Ok(AndonEvent::Decision(AbDecision { decision, act }))) => {
                self.counts.decisions.one();
                gst::info!(CAT, imp = self, "abjoin decides {}, act={}", decision.as_str(), act.as_str());
                if act == Act::A {
                    self.set_mode(Mode::A);
                    self.obj().notify("mode");
                }
                return true;
            }
            Some(Err(problem)) => {
                self.refusals.add(&*self.obj(), &problem);
                return false;
            }
            _ => {}
        }
        if let gst::EventView::Qos(qos) = event.view()
            && qos.get().2 > 0
        {
            self.counts.late_a.one();
        }
        self.sink.push_event(event)
    }

    /// Counts an event that comes up arm b, which goes no further.
    pub(super) fn src_b_event(&self, event: &gst::Event) -> bool {
        self.counts.swallowed.one();
        gst::log!(CAT, obj = self.src_b, "{:?} from arm b stops here", event.type_());
        true
    }
}

fn mark(buffer: &mut gst::Buffer, mut frame: Frame, arms: Arms) {
    frame.arms = arms;
    AndonFrameMeta::set(buffer.make_mut(), frame);
}
