// SPDX-License-Identifier: MPL-2.0
//! Events, and pads that begin and end: what keeps its place among the frames, and what goes by them.

use std::sync::{Arc, atomic::Ordering};

use andon_inference::Cancel;
use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;

use super::imp::{CAT, ModelInfer};

impl ModelInfer {
    /// Leaves an event for the streaming thread, between two frames.
    pub(super) fn inject(&self, event: gst::Event) {
        self.injected.lock().push(event);
        self.injecting.store(true, Ordering::Release);
    }

    /// Counts and tells an event that says nothing sensible.
    pub(super) fn refuse(&self, problem: &str) {
        self.stats.lock().events_refused += 1;
        gst::element_imp_warning!(self, gst::StreamError::Format, ("an event was refused: {problem}"));
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
            self.flight.stop();
            pad.stop_task()?;
        }
        Ok(())
    }

    /// Sends a serialized event down, behind the frames that came before it.
    pub(super) fn forward(&self, event: gst::Event) -> bool {
        self.flight.push_event(event).unwrap_or_else(|event| self.push_event(event))
    }

    /// Pushes a serialized event whose turn has come.
    pub(super) fn push_event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Eos {
            self.parts.flush(&self.obj());
            self.rest();
        }
        self.src.push_event(event)
    }

    pub(super) fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => return self.flush_start(event),
            gst::EventView::FlushStop(_) => return self.flush_stop(event),
            _ if !event.is_serialized() => return self.src.push_event(event),
            gst::EventView::StreamStart(_) => {
                self.flight.forgive(|_| true);
                self.qos.lock().flush();
            }
            gst::EventView::Caps(e) => {
                let Ok(info) = VideoInfo::from_caps(e.caps()) else {
                    gst::warning!(CAT, imp = self, "cannot read caps {}", e.caps());
                    return false;
                };
                self.set_frame_duration(&info);
                if let Some(intake) = self.intake.lock().as_mut() {
                    intake.info = Some(Arc::new(info));
                }
            }
            gst::EventView::Segment(s) => {
                self.flight.forgive(|flow| flow == gst::FlowError::Eos);
                self.qos.lock().flush();
                if let (Some(intake), Some(segment)) =
                    (self.intake.lock().as_mut(), s.segment().downcast_ref::<gst::ClockTime>())
                {
                    intake.segment = segment.clone();
                }
            }
            gst::EventView::CustomDownstream(_) | gst::EventView::CustomDownstreamSticky(_) => self.observe(&event),
            _ => {}
        }
        self.forward(event)
    }

    fn observe(&self, event: &gst::Event) {
        let said = self.intake.lock().as_mut().and_then(|intake| {
            let said = intake.context.observe(event);
            if let Some(arm) = intake.context.arm {
                intake.claim(arm);
            }
            said
        });
        if let Some(Err(problem)) = said {
            self.refuse(&problem.to_string());
        }
    }

    fn flush_start(&self, event: gst::Event) -> bool {
        self.terminate();
        self.flight.flush_start();
        self.rest();
        self.allow_task(false);
        let done = self.src.push_event(event);
        // Downstream is flushing, so what the task is pushing comes back.
        let _ = self.src.pause_task();
        done
    }

    fn flush_stop(&self, event: gst::Event) -> bool {
        let done = self.src.push_event(event);
        // A new one: runs that were ended stay so, even where their thread has not noticed yet.
        *self.cancel.lock() = Cancel::new().ok().map(Arc::new);
        self.parts.flush(&self.obj());
        self.qos.lock().flush();
        if let Some(intake) = self.intake.lock().as_mut() {
            intake.pace.flush();
            intake.segment = gst::FormattedSegment::new();
        }
        self.flight.flush_stop();
        self.allow_task(true);
        done
    }

    pub(super) fn src_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Qos(e) => self.qos.lock().observe(e),
            // Something new is linked: frames may go on again.
            gst::EventView::Reconfigure(_) => self.flight.forgive(|flow| flow == gst::FlowError::NotLinked),
            _ => {}
        }
        self.sink.push_event(event)
    }
}
