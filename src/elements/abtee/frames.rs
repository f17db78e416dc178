// SPDX-License-Identifier: MPL-2.0
//! The streaming thread: by which rule a frame is handed out, and the events between frames.

use std::mem;

use andon_core::result::{Arm, Arms, Frame};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    Mode,
    imp::{AbTee, CAT},
    queue_b::{Item, Room},
    ramp::Step,
    settings::Rule,
};
use crate::{
    elements::memory::HeldBuffer,
    meta::{
        AndonFrameMeta,
        event::{AbDecision, AndonEvent, Split},
        message,
    },
};

impl AbTee {
    pub(super) fn chain(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.counts.frames.one();
        let sent = mem::take(&mut self.state.lock().sent);
        for event in sent {
            // As if it had come down the line: arm b may have to be told again.
            let _ = self.sink.store_sticky_event(&event);
            self.sink_event(event);
        }
        // Read once: whatever changes meanwhile holds from the next frame on.
        let (rule, step) = self.settings().next();
        if let Some(step) = step {
            self.tell_step(step);
        }
        let mut state = self.state.lock();
        let frame = state.context.identify(buffer.make_mut());
        let is_news = state.told.as_ref() != Some(&rule);
        if is_news {
            state.told = Some(rule.clone());
        }
        let place = if rule.mode == Mode::Split { rule.key.place(&frame, &state.context.fields) } else { None };
        drop(state);
        if is_news {
            self.branch.push(Item::Event(rule.to_event()));
            self.src_a.push_event(rule.to_event());
        }
        match rule.mode {
            Mode::A => self.push_a(buffer, frame, Arms::A),
            Mode::Shadow => {
                let arms = self.shadow(&mut buffer, &frame)?;
                let flow = self.push_a(buffer, frame, arms);
                if arms == Arms::AB {
                    // Only now, so that where cores or caches are short b does not run beside a.
                    self.branch.wake();
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

    fn tell_step(&self, Step { number, of, weight }: Step) {
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

    /// Queues a copy for arm b if it can take one; answers the arms that will judge the frame.
    fn shadow(&self, buffer: &mut gst::Buffer, frame: &Frame) -> Result<Arms, gst::FlowError> {
        if !self.src_b.is_linked() {
            self.counts.refused.one();
            return Ok(Arms::A);
        }
        let limits = || {
            let s = self.settings();
            // A change of mode is not to wait for room either.
            (s.leaky || s.mode != Mode::Shadow, s.max_queue as usize)
        };
        match self.branch.room(limits) {
            Room::Flushing => return Err(gst::FlowError::Flushing),
            Room::Out => {
                self.counts.refused.one();
                return Ok(Arms::A);
            }
            Room::Full => {
                self.counts.dropped_b.one();
                self.branch.leak(frame.run, frame.id);
                return Ok(Arms::A);
            }
            Room::Yes => {}
        }
        mark(buffer, frame.clone(), Arms::AB);
        let Some(copy) = self.copy(buffer) else {
            gst::warning!(CAT, imp = self, "frame {}: its memory cannot be copied for arm b", frame.id);
            self.counts.refused.one();
            return Ok(Arms::A);
        };
        self.counts.to_b.one();
        self.branch.put(Item::Buffer(copy, frame.run, frame.id));
        Ok(Arms::AB)
    }

    fn copy(&self, buffer: &gst::BufferRef) -> Option<gst::Buffer> {
        match self.state.lock().holder.hold(buffer)? {
            HeldBuffer::Shared(copy) => {
                self.counts.shallow_copies.one();
                Some(copy)
            }
            HeldBuffer::Copied(copy) => {
                self.counts.deep_copies.one();
                Some(copy)
            }
        }
    }

    /// Pushes on arm b from the streaming thread, and on arm a if b cannot have it.
    fn push_b_or_a(&self, mut buffer: gst::Buffer, frame: Frame) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.src_b.is_linked() && !self.branch.is_out() {
            // Held by the streaming thread alone and no longer than the push, so any memory may be shared.
            mark(&mut buffer, frame.clone(), Arms::B);
            let copy = buffer.copy();
            match self.branch.claim(|| matches!(self.settings().mode, Mode::B | Mode::Split)) {
                Room::Flushing => return Err(gst::FlowError::Flushing),
                Room::Yes => {
                    self.counts.to_b.one();
                    let flow = self.src_b.push(copy);
                    if let Err(error) = flow {
                        self.b_answered(error);
                    }
                    self.branch.done();
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
                self.branch.flush_start();
                self.src_b.push_event(event.clone());
                self.src_a.push_event(event)
            }
            gst::EventView::FlushStop(_) => {
                self.branch.flush_stop(event.clone());
                self.src_a.push_event(event)
            }
            gst::EventView::StreamStart(_) => {
                self.state.lock().told = None;
                self.branch.push(Item::Event(event.clone()));
                self.branch.push(Item::Event(AndonEvent::Arm(Arm::B).to_event()));
                let done = self.src_a.push_event(event);
                self.src_a.push_event(AndonEvent::Arm(Arm::A).to_event());
                done
            }
            _ => {
                match self.state.lock().context.observe(&event) {
                    // Of another abtee before this one: the arms are named here now.
                    Some(Ok(AndonEvent::Arm(_))) => return true,
                    Some(Err(error)) => gst::warning!(CAT, imp = self, "{error}"),
                    _ => {}
                }
                if event.is_serialized() {
                    self.branch.push(Item::Event(event.clone()));
                } else {
                    self.src_b.push_event(event.clone());
                }
                self.src_a.push_event(event)
            }
        }
    }

    /// What travels up from arm a: a decision is for this element, all else for the line.
    pub(super) fn src_a_event(&self, event: gst::Event) -> bool {
        match AndonEvent::parse(&event) {
            Some(Ok(AndonEvent::Decision(AbDecision { decision, act }))) => {
                self.counts.decisions.one();
                gst::info!(CAT, imp = self, "abjoin says {decision}, act={act}");
                if act == "a" {
                    self.set_mode(Mode::A);
                    self.obj().notify("mode");
                }
                return true;
            }
            Some(Err(error)) => {
                gst::warning!(CAT, imp = self, "{error}");
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
}

impl Rule {
    /// What both arms are told of it.
    pub(super) fn to_event(&self) -> gst::Event {
        let Rule { mode, weight, key } = self;
        AndonEvent::Split(Split { mode: mode.as_str().into(), weight: *weight, key: key.to_string() }).to_event()
    }
}

fn mark(buffer: &mut gst::Buffer, mut frame: Frame, arms: Arms) {
    frame.arms = arms;
    AndonFrameMeta::set(buffer.make_mut(), frame);
}
