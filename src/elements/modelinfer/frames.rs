// SPDX-License-Identifier: MPL-2.0
//! The way of frames and events: what a frame needs is decided as it comes in, it is judged here or by a worker, and it
//! leaves in its turn.
//!
//! With `in-flight=1` all of it happens on the streaming thread. With more, the streaming thread puts frames into
//! [`super::reorder::Flight`] and the source pad's task takes them out. Whichever thread it is, frames and events come in
//! one after the other, and leave one after the other.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
};

use andon_core::result::{Arm, ModelId, Status};
use andon_inference::{Cancel, Decoded as Outcome};
use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;

use super::{
    exchange::{running::Running, slot::Change},
    imp::{CAT, ModelInfer},
    judge::{self, Done, Failure, Plan, Work},
    qos::Late,
    reorder::Next,
    report,
    settings::{Live, OnError, Settings},
    skip::Pace,
};
use crate::{
    elements::reference,
    meta::{self, AndonFrameMeta, AndonInferenceMeta, StreamContext},
};

type Flow = Result<gst::FlowSuccess, gst::FlowError>;

/// Where frames come in. Only who puts frames in takes its lock, and holds it for a few moves.
pub(super) struct Intake {
    /// The model; none where it could not be had and frames pass.
    pub running: Option<Arc<Running>>,
    /// Of the caps.
    pub info: Option<Arc<VideoInfo>>,
    /// Of the stream, for capture times and lateness.
    pub segment: gst::FormattedSegment<gst::ClockTime>,
    /// Arm, part and fields that the stream has told.
    pub context: StreamContext,
    /// Copied from the settings when they change.
    live: Live,
    /// Which frames are judged.
    pub pace: Pace,
    /// The arm for which the shared engine has been claimed.
    claimed: Option<Arm>,
    /// The model that downstream was told of last.
    announced: Option<Arc<ModelId>>,
}

impl Intake {
    pub fn new(running: Option<Arc<Running>>, settings: &Settings) -> Self {
        Self {
            running,
            info: None,
            segment: gst::FormattedSegment::new(),
            context: StreamContext::default(),
            live: Live::from(settings),
            pace: Pace::default(),
            claimed: None,
            announced: None,
        }
    }

    /// Claims a shared engine for the arm, as soon as it is known and before a frame is judged.
    pub fn claim(&mut self, arm: Arm) {
        if self.claimed != Some(arm) {
            self.claimed = Some(arm);
            if let Some(member) = self.running.as_ref().and_then(|r| r.member.as_ref()) {
                member.claim(arm);
            }
        }
    }
}

/// Where frames leave. Only who takes frames out takes its lock.
pub(super) struct Outlet {
    /// The element's name, as results carry it.
    name: Arc<str>,
    /// The model and provider that a frame is said to be of which no model judged.
    nobody: (Arc<ModelId>, Arc<str>),
    /// The status of the frame before, so that only a change of it is told.
    before: Status,
}

impl Outlet {
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), nobody: (Arc::default(), "".into()), before: Status::Ok }
    }
}

/// What is to be told of a frame that comes in, once no lock is held.
#[derive(Default)]
struct Told {
    events: Vec<gst::Event>,
    change: Option<Change>,
    late: Option<Late>,
}

/// Frames.
impl ModelInfer {
    pub(super) fn chain(&self, buffer: gst::Buffer) -> Flow {
        // Room first, so that what is decided for the frame is of the moment it goes to work.
        let in_flight = self.in_flight.load(Ordering::Acquire);
        match in_flight {
            0 | 1 if !self.flight.drain() => return Err(gst::FlowError::Flushing),
            0 | 1 => {}
            n => self.flight.room(n)?,
        }
        let (work, told) = {
            let mut intake = self.intake.lock();
            let intake = intake.as_mut().ok_or(gst::FlowError::Flushing)?;
            let mut told = Told::default();
            self.between_frames(intake, &mut told);
            let work = self.take_in(intake, buffer, &mut told);
            (work, told)
        };
        self.tell(told);
        if in_flight <= 1 {
            return self.finish(judge::judge(work));
        }
        match work.is_work() {
            true => self.flight.push(work)?,
            false => self.flight.push_done(judge::judge(work))?,
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// What is done between two frames: changed settings, events from applications, another model.
    fn between_frames(&self, intake: &mut Intake, told: &mut Told) {
        if self.changed.swap(false, Ordering::AcqRel) {
            intake.live = Live::from(&*self.settings());
        }
        if self.injecting.swap(false, Ordering::AcqRel) {
            for event in mem::take(&mut *self.injected.lock()) {
                // It was parsed before it was put here.
                let _ = intake.context.observe(&event);
                told.events.push(event);
            }
        }
        if let Some(change) = self.exchange.take(&mut intake.running) {
            intake.claimed = None;
            let mut cancel = self.cancel.lock();
            if cancel.is_none() {
                *cancel = Cancel::new().ok().map(Arc::new);
            }
            told.change = Some(change);
        }
        if let Some(running) = &intake.running
            && intake.announced.as_ref() != Some(running.id())
        {
            intake.announced = Some(running.id().clone());
            let brought = running.reference.as_ref().ok().cloned().flatten();
            told.events.push(reference::announce(running.id(), brought));
        }
    }

    /// Names the frame and decides what becomes of it.
    fn take_in(&self, intake: &mut Intake, mut buffer: gst::Buffer, told: &mut Told) -> Work {
        let held = buffer.make_mut();
        let mut frame = intake.context.identify(held);
        if frame.captured_utc_ns.is_none()
            && let Some(pts) = held.pts()
            && let Some(utc) = meta::utc_by_clock(&*self.obj(), &intake.segment, pts)
        {
            frame.captured_utc_ns = Some(utc);
            AndonFrameMeta::set(held, frame.clone());
        }
        let arm = intake.context.arm();
        intake.claim(arm);
        let mut templates = Vec::new();
        let mut plan = self.plan(intake, &buffer, told);
        if let Plan::Judge(running, cancel) = &plan {
            let wait = intake.live.wait_inputs.then_some(&**cancel);
            let root = self.templates.lock().clone();
            match running.templates(root.as_deref(), frame.part.as_deref(), &intake.context.fields, wait) {
                Ok(found) => templates = found,
                Err(why) => plan = Plan::Missing(why),
            }
        }
        Work {
            buffer,
            frame,
            plan,
            running: intake.running.clone(),
            info: intake.info.clone(),
            arm,
            fields: intake.context.fields.clone(),
            templates,
            live: intake.live,
        }
    }

    fn plan(&self, intake: &mut Intake, buffer: &gst::BufferRef, told: &mut Told) -> Plan {
        let Intake { live, pace, segment, .. } = intake;
        let gap = buffer.flags().contains(gst::BufferFlags::GAP);
        let skip = pace.next(gap, buffer.pts().map(gst::ClockTime::nseconds), live, || {
            let deadline = live.deadline;
            told.late = deadline.and_then(|ns| self.qos.lock().is_late(&*self.obj(), segment, buffer, ns));
            told.late.is_some()
        });
        if let Some(skip) = skip {
            return Plan::Skip(skip);
        }
        let (Some(running), Some(cancel)) = (&intake.running, self.cancel.lock().clone()) else { return Plan::Nobody };
        if let Some(why) = running.member.as_ref().and_then(|m| m.refusal()) {
            return Plan::Refused(why);
        }
        if live.deadline.is_some() {
            self.qos.lock().in_time();
        }
        Plan::Judge(running.clone(), cancel)
    }

    fn tell(&self, told: Told) {
        for event in told.events {
            self.forward(event);
        }
        if let Some(change) = told.change {
            self.in_use(Some(change.running.clone()));
            if let Some(before) = &change.before {
                before.rest();
            }
            {
                let mut stats = self.stats.lock();
                match change.cause.is_back() {
                    false => stats.swaps += 1,
                    true => stats.rollbacks += 1,
                }
            }
            report::changed(&self.obj(), &change);
            self.watch(&change);
        }
        if let Some(late) = told.late {
            late.post(&*self.obj());
        }
    }

    /// The last of a frame: its outcome goes on it, is told and counted, and it leaves.
    fn finish(&self, mut done: Done) -> Flow {
        if matches!(done.failure, Some(Failure::Cancelled)) {
            return Err(gst::FlowError::Flushing);
        }
        let (frame_id, status, reason) = (done.work.frame.id, done.outcome.status, done.outcome.reason.clone());
        let (inference, before) = {
            let mut outlet = self.outlet.lock();
            let inference = Arc::new(judge::describe(&mut done, &outlet.name, &outlet.nobody));
            (inference, mem::replace(&mut outlet.before, status))
        };
        if status != before && !matches!(status, Status::Ok | Status::Skipped) {
            gst::warning!(CAT, imp = self, "frame {frame_id} is unjudged: {reason}");
            report::unjudged(&self.obj(), frame_id, &Outcome::unjudged(status, reason));
        }
        self.stats.lock().add_frame(&inference, &done);
        let Done { work: Work { mut buffer, live, running, .. }, failure, looked, .. } = done;
        {
            let buffer = buffer.make_mut();
            AndonInferenceMeta::set(buffer, inference.clone());
            match &looked {
                None => meta::mirror(buffer, &inference),
                Some(looked) => meta::mirror_stage(buffer, &looked.upstream, &inference),
            }
        }
        if live.post_messages {
            report::inference(&self.obj(), &inference);
        }
        let part = self.parts.observe(&self.obj(), &inference, live.part_deadline);
        if let Some(running) = &running {
            self.guard(running, &inference, part.as_ref());
        }
        if live.on_error == OnError::Error {
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

    /// One step of the source pad's task.
    fn step(&self) {
        match self.flight.next() {
            None => {
                // Only a pad that is flushing or stops gets here, and then there may be no task any more.
                let _ = self.src.pause_task();
            }
            Some(Next::Event(event)) => {
                self.push_event(event);
                self.flight.pushed(None);
            }
            Some(Next::Lost) => {
                gst::element_imp_error!(self, gst::LibraryError::Failed, ("the thread that judged a frame panicked"));
                self.flight.pushed(Some(Err(gst::FlowError::Error)));
            }
            Some(Next::Frame(done)) if self.flight.flows() => {
                let flow = self.finish(done);
                self.flight.pushed(Some(flow));
            }
            Some(Next::Frame(_)) => self.flight.pushed(None),
        }
    }

    /// Lets the source pad's task run or not; it does only where frames leave through it. Who forbids it waits for it
    /// after this, so that nobody can start it behind his back.
    pub(super) fn allow_task(&self, allowed: bool) {
        *self.task_allowed.lock() = allowed;
        self.start_task();
    }

    /// Starts the source pad's task where it may and has to run.
    pub(super) fn start_task(&self) {
        let allowed = self.task_allowed.lock();
        if !*allowed || self.in_flight.load(Ordering::Acquire) <= 1 || self.src.task_state() == gst::TaskState::Started
        {
            return;
        }
        let this = self.obj().downgrade();
        let started = self.src.start_task(move || {
            if let Some(this) = this.upgrade() {
                this.imp().step();
            }
        });
        if let Err(error) = started {
            gst::error!(CAT, imp = self, "{error}");
        }
    }
}
