// SPDX-License-Identifier: MPL-2.0
//! The way of a frame: [`ModelInfer::chain`] decides what it needs, [`judge`] judges it, and [`ModelInfer::finish`] puts
//! the result on it and pushes it.
//!
//! With `in-flight=1` all of it happens on the streaming thread. With more, the streaming thread puts frames into
//! [`super::reorder::Reorder`], workers judge them, and the source pad's task takes them out. Either way frames and events
//! come in one after the other, and leave one after the other.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
};

use andon_core::result::{Decided, Inference, Status, decided};
use andon_inference::{Cancel, Templates};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    CAT,
    exchange::Change,
    imp::ModelInfer,
    judge::{self, Done, Failure, Plan, Work},
    messages,
    parts::View,
    qos::Late,
    reorder::Next,
    settings::{FrameSettings, OnError},
    state::SinkState,
};
use crate::{
    control,
    elements::{depth, part_by},
    meta::{self, AndonFrameMeta, AndonInferenceMeta, Trouble, event::EventError},
};

type Flow = Result<gst::FlowSuccess, gst::FlowError>;

/// Events and messages that a frame causes. They are sent once no lock is held.
#[derive(Default)]
struct Notices {
    events: Vec<gst::Event>,
    problems: Vec<EventError>,
    change: Option<Change>,
    late: Option<Late>,
    trouble: Option<Trouble>,
}

/// In.
impl ModelInfer {
    pub(super) fn chain(&self, buffer: gst::Buffer) -> Flow {
        self.look_after_threads();
        // Room comes first, so that the decisions are of the moment at which the frame goes to work.
        let in_flight = self.in_flight.load(Ordering::Acquire);
        match in_flight {
            0 | 1 if !self.reorder.drain() => return Err(gst::FlowError::Flushing),
            0 | 1 => {}
            n => self.reorder.wait_for_room(n)?,
        }
        let (work, notices, lacking) = {
            let mut state = self.sink_state.lock();
            let state = state.as_mut().ok_or(gst::FlowError::Flushing)?;
            let mut notices = Notices::default();
            self.between_frames(state, &mut notices);
            let work = self.take_in(state, buffer, &mut notices);
            let own = state.running.as_ref().filter(|r| r.member.is_none());
            (work, notices, own.map_or(0, |r| r.lacking()))
        };
        self.send(notices)?;
        self.look_after_engine(lacking);
        if work.needs_model() {
            depth::check(&self.depth, &*self.obj(), &work.buffer, work.settings.bits);
        }
        if in_flight <= 1 {
            return self.finish(judge::judge(work));
        }
        match work.needs_model() {
            true => self.reorder.push(work)?,
            false => self.reorder.push_done(judge::judge(work))?,
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// Takes over between two frames what has changed: settings, events from applications, the model.
    fn between_frames(&self, state: &mut SinkState, notices: &mut Notices) {
        if self.changed.swap(false, Ordering::AcqRel) {
            state.settings = FrameSettings::from(&*self.settings());
        }
        if self.injecting.swap(false, Ordering::AcqRel) {
            for event in mem::take(&mut *self.injected.lock()) {
                let (event, problem) = state.observe_own(event);
                notices.events.push(event);
                notices.problems.extend(problem);
            }
        }
        if let Some(change) = self.exchange.take(&mut state.running) {
            state.claimed = None;
            let mut cancel = self.cancel.lock();
            if cancel.is_none() {
                *cancel = Cancel::new().ok().map(Arc::new);
            }
            notices.change = Some(change);
        }
        notices.events.extend(state.announce(|| self.obj().name().into()));
    }

    /// Gives the frame its identity and decides what becomes of it.
    fn take_in(&self, state: &mut SinkState, mut buffer: gst::Buffer, notices: &mut Notices) -> Work {
        let writable = buffer.make_mut();
        let mut frame = state.context.identify(writable, &self.tai_offset, &self.part_by.rule());
        notices.trouble = state.context.take_trouble();
        if frame.captured_utc_ns.is_none()
            && let Some(pts) = writable.pts()
            && let Some(utc) = meta::utc_by_clock(&*self.obj(), &state.segment, pts, &self.tai_offset)
        {
            frame.captured_utc_ns = Some(utc);
            AndonFrameMeta::set(writable, frame.clone());
        }
        let arm = state.context.arm();
        state.claim(arm);
        let mut templates = Vec::new();
        let mut plan = self.plan(state, &buffer, notices);
        if let Plan::Judge(running, cancel) = &plan {
            let wait = state.settings.wait_inputs.then_some(&**cancel);
            let root = self.templates.lock().clone();
            match running.templates(root.as_deref(), frame.part.as_deref(), &state.context.fields, wait) {
                Ok(found) => templates = found,
                Err(why) => plan = Plan::Missing(why.to_string()),
            }
        }
        Work {
            buffer,
            frame,
            plan,
            running: state.running.clone(),
            info: state.info.clone(),
            bits: self.depth.lock().bits(state.settings.bits),
            arm,
            fields: state.context.fields.clone(),
            templates,
            settings: state.settings,
        }
    }

    fn plan(&self, state: &mut SinkState, buffer: &gst::BufferRef, notices: &mut Notices) -> Plan {
        let SinkState { settings, schedule, segment, .. } = state;
        let gap = buffer.flags().contains(gst::BufferFlags::GAP);
        let skip = schedule.next(gap, buffer.pts().map(gst::ClockTime::nseconds), settings, || {
            let deadline = settings.deadline;
            notices.late = deadline.and_then(|ns| self.qos.lock().is_late(&*self.obj(), segment, buffer, ns));
            notices.late.is_some()
        });
        if let Some(skip) = skip {
            return Plan::Skip(skip);
        }
        let (Some(running), Some(cancel)) = (&state.running, self.cancel.lock().clone()) else { return Plan::NoModel };
        if let Some(why) = running.member.as_ref().and_then(|m| m.refusal()) {
            return Plan::Refused(why);
        }
        if state.settings.deadline.is_some() {
            self.qos.lock().in_time();
        }
        Plan::Judge(running.clone(), cancel)
    }

    fn send(&self, notices: Notices) -> Result<(), gst::FlowError> {
        for event in notices.events {
            self.forward(event);
        }
        notices.problems.iter().for_each(|problem| self.refuse(problem));
        if let Some(change) = notices.change {
            self.settle(&change);
        }
        if let Some(late) = notices.late {
            late.post(&*self.obj());
        }
        let Some(trouble) = notices.trouble else { return Ok(()) };
        let stops = self.settings().on_error == OnError::Error;
        part_by::tell(&*self.obj(), &self.refusals, Some(trouble), stops)
    }
}

/// Out.
impl ModelInfer {
    /// Puts the result on the frame, posts and counts it, and pushes the frame.
    fn finish(&self, mut done: Done) -> Flow {
        if matches!(done.failure, Some(Failure::Cancelled)) {
            return Err(gst::FlowError::Flushing);
        }
        let (frame_id, status, reason) = (done.work.frame.id, done.result.status, done.result.reason.clone());
        let (inference, before) = {
            let mut state = self.src_state.lock();
            let inference = Arc::new(judge::describe(&mut done, &state.name, &state.no_model));
            (inference, mem::replace(&mut state.status, status))
        };
        if status != before && !matches!(status, Status::Ok | Status::Skipped) {
            gst::warning!(CAT, imp = self, "frame {frame_id} is unjudged: {reason}");
            messages::unjudged(&*self.obj(), frame_id, status, &reason);
        }
        self.stats.lock().add_frame(&inference, &done);
        let Done { work: Work { mut buffer, mut frame, settings, running, .. }, failure, regions, .. } = done;
        let decides = frame.is_decided_by(inference.arm);
        let line = {
            let buffer = buffer.make_mut();
            meta::keep_verdict(buffer, inference.frame);
            AndonInferenceMeta::set(buffer, inference.clone());
            frame.judged = true;
            AndonFrameMeta::set(buffer, frame);
            if decides {
                match &regions {
                    None => meta::mirror(buffer, &inference),
                    Some(regions) => meta::mirror_stage(buffer, &regions.upstream.found, &inference),
                }
            }
            said(buffer, &inference, decides, settings.result_json)
        };
        control::result(&*self.obj(), || {
            let inference = inference.clone();
            Some((decides, move || inference.to_json()))
        });
        if settings.post_messages {
            messages::inference(&*self.obj(), &inference, decides);
        }
        let seen = View { line: &line, own: &inference, decides };
        let parts = self.parts.observe(&*self.obj(), seen, settings.part_deadline);
        if let Some(running) = &running {
            self.exchange.observe(running, &inference, &parts);
        }
        if settings.on_error == OnError::Error {
            match failure {
                Some(Failure::Model(why)) => {
                    gst::element_imp_error!(self, gst::LibraryError::Failed, ("{why}"));
                    return Err(gst::FlowError::Error);
                }
                Some(Failure::Refused(why)) => {
                    gst::element_imp_error!(self, gst::ResourceError::Settings, ("{why}"));
                    return Err(gst::FlowError::Error);
                }
                _ => {}
            }
        }
        self.src.push(buffer)
    }

    /// Takes one frame or event out, on the source pad's task.
    fn step(&self) {
        match self.reorder.next() {
            None => {
                // The pad is flushing or stops, and then there may be no task any more.
                let _ = self.src.pause_task();
            }
            Some(Next::Event(event)) => {
                self.push_event(event);
                self.reorder.pushed(None);
            }
            Some(Next::Lost) => {
                gst::element_imp_error!(self, gst::LibraryError::Failed, ("the thread that judged a frame panicked"));
                self.reorder.pushed(Some(Err(gst::FlowError::Error)));
            }
            Some(Next::Frame(done)) if self.reorder.flows() => {
                let flow = self.finish(done);
                self.reorder.pushed(Some(flow));
            }
            Some(Next::Frame(_)) => self.reorder.pushed(None),
        }
    }

    /// Says whether the source pad's task may run. It runs only if frames leave through it. Once it is forbidden, no thread
    /// starts it again, so that the caller can wait for its end.
    pub(super) fn allow_task(&self, allowed: bool) {
        *self.task_allowed.lock() = allowed;
        let n = self.in_flight.load(Ordering::Acquire);
        if n > 1 && !self.start_task() {
            self.in_flight.store(1, Ordering::Release);
            self.threads_refused(n, 1);
        }
    }

    /// Starts the source pad's task if it may run. Returns false if the system gives no thread for it; then frames leave on the
    /// streaming thread, until [`ModelInfer::look_after_threads`] has got one.
    pub(super) fn start_task(&self) -> bool {
        let allowed = self.task_allowed.lock();
        if !*allowed {
            return true;
        }
        if self.src.task_state() == gst::TaskState::Started {
            return self.thread.try_again().is_ok();
        }
        let this = self.obj().downgrade();
        let started = self.thread.start(&self.src, move || {
            if let Some(this) = this.upgrade() {
                this.imp().step();
            }
        });
        match started {
            Ok(thread) => thread.is_ok(),
            Err(error) => {
                gst::error!(CAT, imp = self, "{error}");
                false
            }
        }
    }
}

/// Returns what the element's arm says of the frame, all its models together, and puts it on the buffer as `AndonResult` if
/// the arm decides.
fn said(buffer: &mut gst::BufferRef, own: &Arc<Inference>, decides: bool, with_json: bool) -> Arc<Inference> {
    let said = match decides {
        true => meta::put_decided(buffer, with_json),
        false => decided(&AndonInferenceMeta::all(buffer), own.arm),
    };
    said.map_or_else(|| own.clone(), Decided::merged)
}

/// Golden templates.
impl ModelInfer {
    /// Sets the folder of the golden templates.
    pub(super) fn set_image_root(&self, root: String) {
        let templates = (!root.is_empty()).then(|| Arc::new(Templates::new(&root)));
        // The templates of before wait for their thread when they are dropped: not under the lock that frames take.
        let before = mem::replace(&mut *self.templates.lock(), templates);
        drop(before);
        self.settings().image_root = root;
    }
}
