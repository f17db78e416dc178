// SPDX-License-Identifier: MPL-2.0
//! Arm a and the source task: frames and events come in, wait if asked to, and go on.

use std::{io, sync::Arc};

use andon_core::result::{Arm, Arms, Frame, Inference, TeeMode};
use gst::{prelude::*, subclass::prelude::*};
use parking_lot::MutexGuard;

use super::{
    CAT,
    imp::AbJoin,
    judging::TrialEvent,
    pairing::{Arrival, FrameKey, FromA, OfB},
    queue::{Item, WaitingFrame},
    state::{Format, State, design_of},
};
use crate::{
    elements::{part_by, shell::flow_of},
    meta::{AndonFrameMeta, AndonInferenceMeta, TaiOffset, event::AndonEvent, read_compared, scaled},
};

/// Frames of a in a row without one of b, after which a challenger in shadow mode counts as out.
const MAX_SILENCE: u64 = 1000;

impl AbJoin {
    /// Wakes all threads that wait.
    pub(super) fn notify(&self, state: &mut State) {
        if let Some(alarm) = &state.alarm {
            alarm.unschedule();
        }
        self.changed.notify_all();
    }

    pub(super) fn activate(&self, pad: &gst::Pad, mode: gst::PadMode, active: bool) -> Result<(), gst::LoggableError> {
        if mode != gst::PadMode::Push {
            return Err(gst::loggable_error!(CAT, "abjoin only pushes"));
        }
        if active {
            let mut state = self.state.lock();
            let (counts, forgotten) = (state.pairing.counts, state.pairing.forgotten);
            *state = State { running: true, ..State::default() };
            (state.pairing.counts, state.pairing.forgotten) = (counts, forgotten);
            drop(state);
            let started = self.start_task()?;
            self.lack.tried(&*self.obj(), &started);
        } else {
            let mut state = self.state.lock();
            state.running = false;
            let waiting = state.queue.take();
            state.late.clear();
            state.pairing.flush();
            self.notify(&mut state);
            drop(state);
            drop(waiting);
            self.thread.stop(pad)?;
        }
        Ok(())
    }

    fn start_task(&self) -> Result<io::Result<()>, glib::BoolError> {
        let this = self.obj().downgrade();
        self.thread.start(&self.src, move || {
            if let Some(this) = this.upgrade() {
                this.imp().step();
            }
        })
    }

    /// Tries again, once a second, to get the threads that are missing.
    fn look_after_threads(&self) {
        if self.lack.is_due() {
            self.lack.tried(&*self.obj(), &self.thread.try_again());
        }
        self.look_after_judging();
    }

    pub(super) fn chain_a(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.look_after_threads();
        let settings = self.settings_now();
        let is_b_linked = self.sink_b.is_linked();
        let mut state = self.state.lock();
        let (frame, from_a) = self.read_a(&mut state, &mut buffer);
        if let Some(trouble) = state.context.take_trouble() {
            MutexGuard::unlocked(&mut state, || part_by::tell(&*self.obj(), &self.refusals, Some(trouble), true))?;
        }
        let expected = frame.arms.expects(Arm::B) && is_b_linked;
        if state.recent_b.contains(&frame.id) {
            state.twice += 1;
            return state.flow.map_or(Ok(gst::FlowSuccess::Ok), Err);
        }
        self.wait_for_room(&mut state, settings.wait)?;
        let running = buffer.pts().zip(state.segment.as_ref()).and_then(|(pts, s)| s.to_running_time(pts));
        let due = Self::is_report_due(&mut state, running, settings.report_interval);
        let design = state.design.filter(|_| frame.arms == Arms::A);
        let is_out = state.is_shadow && self.b_is_out(&mut state, &frame, &from_a.key);
        let format = state.formats[0].clone();
        let (serial, known) = match state.pairing.a_came(from_a.clone(), expected) {
            Arrival::Known(b) => (None, b),
            Arrival::Pending(serial) => (Some(serial), None),
            Arrival::Alone => (None, None),
        };
        if let Some(b) = &known {
            put(buffer.make_mut(), b, format.size);
        }
        let direct = settings.wait == 0 && state.queue.is_empty() && !state.busy;
        let flow = if direct {
            if let Some(serial) = serial {
                state.pairing.leave(serial);
            }
            self.put_out(&mut state, frame.id);
            let late = state.late.take();
            drop(state);
            let _turn = self.push.lock();
            for event in late {
                self.src.push_event(event);
            }
            let flow = self.push_frame(buffer, format.caps.as_ref());
            self.state.lock().flow = flow.err();
            flow
        } else {
            let clock = self.obj().clock().unwrap_or_else(gst::SystemClock::obtain);
            let now = clock.time();
            let arrival = Some((clock, now));
            state.queue.push(Item::Frame(WaitingFrame { buffer, format, id: frame.id, serial, arrival }));
            self.notify(&mut state);
            let flow = state.flow.map_or(Ok(gst::FlowSuccess::Ok), Err);
            drop(state);
            flow
        };
        if let Some(b) = &known {
            self.compare(&from_a, &b.said);
        }
        if let Some((design, a)) = design.zip(from_a.a.as_deref()) {
            self.count_alone(Arm::A, a, from_a.truth.as_deref(), design);
        }
        if is_out {
            self.queue_event(TrialEvent::BIsOut);
        }
        if due {
            self.post_report();
        }
        flow
    }

    /// Returns whether this frame shows that b has left the trial: b has ended while a goes on, or has been silent for
    /// long.
    fn b_is_out(&self, state: &mut State, frame: &Frame, key: &FrameKey) -> bool {
        state.silence += 1;
        let left = state.pairing.b_has_ended() && frame.arms == Arms::A;
        // A frame that leaked before b's end may still be on its way through a.
        if left && state.silence < MAX_SILENCE && !state.pairing.is_dropped(key) {
            state.silence = MAX_SILENCE;
            return true;
        }
        state.silence == MAX_SILENCE
    }

    fn read_a(&self, state: &mut State, buffer: &mut gst::Buffer) -> (Frame, FromA) {
        let rule = self.part_by.rule();
        let frame = match AndonFrameMeta::get(buffer) {
            Some(frame) if !rule.first.part_by.says() => frame,
            known => {
                // Where no abtee has named its arms, both may have it.
                let arms = known.map_or(Arms::AB, |frame| frame.arms);
                let buffer = buffer.make_mut();
                let frame = Frame { arms, ..state.context.identify(buffer, &TaiOffset::default(), &rule) };
                AndonFrameMeta::set(buffer, frame.clone());
                frame
            }
        };
        let key = FrameKey { id: Some((frame.run, frame.id)), pts_ns: buffer.pts().map(|t| t.nseconds()) };
        let a = read_compared(buffer, Arm::A, state.formats[0].size);
        let truth = AndonInferenceMeta::get(buffer, Arm::Truth);
        (frame, FromA { key, a, truth })
    }

    /// Waits until there is room for one more frame. With `wait=-1`, which could be for ever, the oldest goes on alone.
    pub(super) fn wait_for_room(&self, state: &mut MutexGuard<'_, State>, wait: i64) -> Result<(), gst::FlowError> {
        loop {
            if state.flushing || !state.running {
                return Err(gst::FlowError::Flushing);
            }
            // Without a queue each push returns its own error.
            if let Some(error) = state.flow.filter(|_| wait != 0) {
                return Err(error);
            }
            // After a change to `wait=0`, the frames in the queue go first.
            let drained = state.queue.is_empty() && !state.busy;
            if if wait == 0 { drained } else { !state.queue.is_full() } {
                return Ok(());
            }
            if wait < 0
                && let Some(Item::Frame(WaitingFrame { serial: Some(serial), .. })) = state.queue.front()
            {
                let serial = *serial;
                if !state.pairing.is_ready(serial) {
                    state.pairing.give_up(serial);
                    state.forced += 1;
                    self.notify(state);
                }
            }
            self.changed.wait(state);
        }
    }

    /// Notes that a frame goes on.
    pub(super) fn put_out(&self, state: &mut State, id: u64) {
        if state.last_out.is_some_and(|last| id < last) {
            state.out_of_order += 1;
        }
        state.last_out = state.last_out.max(Some(id));
    }

    /// One step of the source task: the next item goes on when its result has come or its time is up.
    fn step(&self) {
        let mut state = self.state.lock();
        let item = loop {
            if state.flushing || !state.running {
                drop(state);
                // The pad is flushing, and its task may be gone.
                let _ = self.src.pause_task();
                return;
            }
            match self.until(&state) {
                Due::Now => break state.queue.pop().expect("an item is due"),
                Due::Sometime => self.changed.wait(&mut state),
                Due::At(alarm) => {
                    state.alarm = Some(alarm.clone());
                    MutexGuard::unlocked(&mut state, || {
                        // The loop looks again, whether the time is up or another thread has woken it.
                        let _ = alarm.wait();
                    });
                    state.alarm = None;
                }
            }
        };
        state.busy = true;
        let item = match item {
            Item::Frame(frame) => {
                self.put_out(&mut state, frame.id);
                let b = frame.serial.and_then(|serial| state.pairing.leave(serial));
                let WaitingFrame { mut buffer, format, .. } = frame;
                if let Some(b) = b {
                    put(buffer.make_mut(), &b, format.size);
                }
                state.flow.is_none().then_some(Ok((buffer, format.caps)))
            }
            Item::Event(event) => Some(Err(event)),
        };
        let late = state.late.take();
        drop(state);
        let flow = {
            let _turn = self.push.lock();
            for event in late {
                self.src.push_event(event);
            }
            match item {
                Some(Ok((buffer, caps))) => Some(self.push_frame(buffer, caps.as_ref())),
                Some(Err(event)) => {
                    self.push_serialized(event);
                    None
                }
                None => None,
            }
        };
        let mut state = self.state.lock();
        if let Some(flow) = flow {
            state.flow = flow.err();
        }
        state.busy = false;
        self.notify(&mut state);
    }

    fn until(&self, state: &State) -> Due {
        let (serial, arrival) = match state.queue.front() {
            None => return Due::Sometime,
            Some(Item::Frame(WaitingFrame { serial: Some(serial), arrival, .. })) => (*serial, arrival),
            Some(_) => return Due::Now,
        };
        let wait = self.settings().wait;
        if wait == 0 || state.pairing.is_ready(serial) {
            return Due::Now;
        }
        let Some(((clock, arrival), wait)) = arrival.as_ref().zip(u64::try_from(wait).ok()) else {
            return Due::Sometime;
        };
        let deadline = arrival.saturating_add(gst::ClockTime::from_nseconds(wait));
        if clock.time() >= deadline { Due::Now } else { Due::At(clock.new_single_shot_id(deadline)) }
    }

    pub(super) fn event_src(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Reconfigure {
            // A new element is linked, so frames may go on again.
            let mut state = self.state.lock();
            state.flow = state.flow.filter(|f| *f != gst::FlowError::NotLinked);
            state.takes_b = None;
        }
        self.sink_a.push_event(event)
    }

    pub(super) fn event_a(&self, event: gst::Event) -> Result<gst::FlowSuccess, gst::FlowError> {
        match event.view() {
            gst::EventView::FlushStart(_) => return flow_of(&self.src, self.start_flush(event)),
            gst::EventView::FlushStop(_) => {
                let done = self.src.push_event(event);
                let mut state = self.state.lock();
                state.flushing = false;
                state.flow = None;
                state.segment = None;
                state.reported = None;
                state.a_ended = false;
                state.context.flush(&self.part_by.rule());
                drop(state);
                if let Err(error) = self.start_task() {
                    gst::error!(CAT, imp = self, "{error}");
                }
                return flow_of(&self.src, done);
            }
            _ => {}
        }
        if !event.is_serialized() {
            return flow_of(&self.src, self.src.push_event(event));
        }
        let mut state = self.state.lock();
        match event.view() {
            gst::EventView::StreamStart(_) => {
                state.flow = None;
                state.a_ended = false;
            }
            gst::EventView::Caps(e) => state.formats[0] = Format::new(e.caps()),
            gst::EventView::Segment(e) => state.segment = e.segment().downcast_ref().cloned(),
            _ => match state.context.observe(&event) {
                Some(Ok(AndonEvent::Split(split))) => {
                    state.design = design_of(&split);
                    state.is_shadow = split.mode == TeeMode::Shadow;
                    state.silence = 0;
                }
                Some(Err(problem)) => {
                    MutexGuard::unlocked(&mut state, || self.refusals.add(&*self.obj(), &problem));
                }
                _ => {}
            },
        }
        if state.flushing || !state.running {
            // Upstream sends sticky events that are refused so again after the flush.
            return Err(gst::FlowError::Flushing);
        }
        let event = state.context.outgoing(event);
        if !state.queue.is_empty() || state.busy {
            state.queue.push(Item::Event(event));
            self.notify(&mut state);
            return Ok(gst::FlowSuccess::Ok);
        }
        let late = if event.type_() == gst::EventType::Eos { state.late.take() } else { Vec::new() };
        drop(state);
        let _turn = self.push.lock();
        for event in late {
            self.src.push_event(event);
        }
        flow_of(&self.src, self.push_serialized(event))
    }
}

/// When the next item may go on.
enum Due {
    /// Now.
    Now,
    /// At the time of the alarm, or earlier if woken.
    At(gst::SingleShotClockId),
    /// When woken.
    Sometime,
}

/// Puts what the models of arm b say on a frame of `size`.
fn put(buffer: &mut gst::BufferRef, b: &OfB, size: [u32; 2]) {
    for result in &b.results {
        AndonInferenceMeta::set(buffer, fitted(result, size));
    }
}

/// Returns the result in pixels of a frame of `size`.
fn fitted(b: &Arc<Inference>, size: [u32; 2]) -> Arc<Inference> {
    if size == b.frame || size.contains(&0) || b.frame.contains(&0) {
        return b.clone();
    }
    Arc::new(scaled(b, b.frame, size))
}
