// SPDX-License-Identifier: MPL-2.0
//! Events, and the source pad's activation. Serialized events keep their place among the frames; others pass them by.

use std::sync::{Arc, atomic::Ordering};

use andon_inference::Cancel;
use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;

use super::{CAT, imp::ModelInfer};
use crate::meta::event::EventError;

impl ModelInfer {
    /// Leaves an event to the streaming thread, which takes it in between two frames.
    pub(super) fn inject(&self, event: gst::Event) {
        self.injected.lock().push(event);
        self.injecting.store(true, Ordering::Release);
    }

    /// Counts an event that cannot be taken, and warns of the first of each kind.
    pub(super) fn refuse(&self, problem: &EventError) {
        self.refusals.add(&*self.obj(), problem);
    }

    pub(super) fn activate_src(
        &self,
        pad: &gst::Pad,
        mode: gst::PadMode,
        active: bool,
    ) -> Result<(), gst::LoggableError> {
        if mode != gst::PadMode::Push {
            return Err(gst::loggable_error!(CAT, "modelinfer only pushes"));
        }
        self.allow_task(active);
        if !active {
            self.reorder.stop();
            self.thread.stop(pad)?;
        }
        Ok(())
    }

    /// Sends a serialized event down, behind the frames that came before it.
    pub(super) fn forward(&self, event: gst::Event) -> bool {
        self.reorder.push_event(event).unwrap_or_else(|event| self.push_event(event))
    }

    /// Pushes a serialized event whose turn has come.
    pub(super) fn push_event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Eos {
            self.parts.flush(&*self.obj());
            self.pause_batches();
        }
        self.src.push_event(event)
    }

    pub(super) fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => return self.flush_start(event),
            gst::EventView::FlushStop(_) => return self.flush_stop(event),
            _ if !event.is_serialized() => return self.src.push_event(event),
            gst::EventView::StreamStart(_) => {
                self.reorder.forget_flow(|_| true);
                self.qos.lock().flush();
            }
            gst::EventView::Caps(e) => {
                let Ok(info) = VideoInfo::from_caps(e.caps()) else {
                    gst::warning!(CAT, imp = self, "cannot read caps {}", e.caps());
                    return false;
                };
                self.set_frame_duration(&info);
                self.depth.lock().event(&event);
                if let Some(state) = self.sink_state.lock().as_mut() {
                    state.info = Some(Arc::new(info));
                }
            }
            gst::EventView::Segment(s) => {
                self.reorder.forget_flow(|flow| flow == gst::FlowError::Eos);
                self.qos.lock().flush();
                if let (Some(state), Some(segment)) =
                    (self.sink_state.lock().as_mut(), s.segment().downcast_ref::<gst::ClockTime>())
                {
                    state.segment = segment.clone();
                }
            }
            gst::EventView::CustomDownstream(_) | gst::EventView::CustomDownstreamSticky(_) => {
                let event = self.observe(event);
                return self.forward(event);
            }
            _ => {}
        }
        self.forward(event)
    }

    /// Takes in a custom event, and returns what is to be sent on in its place.
    fn observe(&self, event: gst::Event) -> gst::Event {
        let (event, problem) = match self.sink_state.lock().as_mut() {
            None => return event,
            Some(state) => {
                let observed = state.observe(event);
                if let Some(arm) = state.context.arm {
                    state.claim(arm);
                }
                observed
            }
        };
        if let Some(problem) = problem {
            self.refuse(&problem);
        }
        event
    }

    /// Says that no frames come for a while, so that no batch waits for them.
    fn pause_batches(&self) {
        if let Some(running) = self.exchange.running() {
            running.pause();
        }
    }

    fn flush_start(&self, event: gst::Event) -> bool {
        self.terminate();
        self.reorder.flush_start();
        self.pause_batches();
        self.allow_task(false);
        let done = self.src.push_event(event);
        // Downstream is flushing, so that the task's push returns.
        let _ = self.src.pause_task();
        done
    }

    fn flush_stop(&self, event: gst::Event) -> bool {
        let done = self.src.push_event(event);
        // A new one, because the runs that were ended stay ended, even if their threads have not noticed yet.
        *self.cancel.lock() = Cancel::new().ok().map(Arc::new);
        self.parts.flush(&*self.obj());
        self.qos.lock().flush();
        if let Some(state) = self.sink_state.lock().as_mut() {
            state.schedule.flush();
            state.context.flush(&self.part_by.rule());
            state.segment = gst::FormattedSegment::new();
        }
        // As GStreamer's own queues do: what is sticky stays on the pad, for the frames after the flush.
        for event in self.reorder.flush_stop() {
            if let Err(error) = self.src.store_sticky_event(&event) {
                gst::warning!(CAT, imp = self, "{event:?} is lost in a flush: {error}");
            }
        }
        self.allow_task(true);
        done
    }

    pub(super) fn src_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Qos(e) => self.qos.lock().observe(e),
            // Something new is linked: frames may go on again.
            gst::EventView::Reconfigure(_) => self.reorder.forget_flow(|flow| flow == gst::FlowError::NotLinked),
            _ => {}
        }
        self.sink.push_event(event)
    }
}
