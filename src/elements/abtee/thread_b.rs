// SPDX-License-Identifier: MPL-2.0
//! Arm b's own thread: what it pushes, and what happens when b fails.

use gst::{prelude::*, subclass::prelude::*};

use super::{CAT, imp::AbTee, told::Told, waiting::Item};
use crate::meta::{event::AndonEvent, message};

impl AbTee {
    /// One step of arm b's thread.
    fn b_step(&self) {
        let Some(item) = self.queue_b.pop() else {
            // The pad is being deactivated, and its task may be gone.
            let _ = self.src_b.pause_task();
            return;
        };
        match item {
            Item::Buffer(buffer, run, id) => {
                if self.queue_b.is_behind() {
                    self.counts.late_b.one();
                }
                if let Err(error) = self.src_b.push(buffer) {
                    self.b_refused(error);
                    if !self.queue_b.is_out() {
                        self.src_b.push_event(AndonEvent::Dropped { run, frame_ids: vec![id] }.to_event());
                    }
                }
            }
            Item::Dropped(run, frame_ids) => {
                self.src_b.push_event(AndonEvent::Dropped { run, frame_ids }.to_event());
            }
            Item::Event(event) => self.b_event(event),
            Item::Revive => {
                self.end_missed_flush();
                if self.queue_b.revive() {
                    self.tell_anew(|_| true);
                }
            }
        }
        self.queue_b.done();
    }

    fn b_event(&self, event: gst::Event) {
        use gst::EventType::{Caps, FlushStop, Segment, StreamStart};
        let kind = event.type_();
        self.told_b.lock().note(&event);
        let comes_back = matches!(kind, StreamStart | FlushStop | Caps) && self.queue_b.revive();
        if !comes_back || kind == FlushStop {
            self.src_b.push_event(event);
        }
        if comes_back {
            // A new stream brings its own.
            self.tell_anew(|t| kind != StreamStart || !matches!(t, Caps | Segment));
        }
    }

    /// Ends the flush of an element that was unlinked in the middle of it, and has missed its end.
    fn end_missed_flush(&self) {
        let is_flushing = |pad: &gst::Pad| pad.pad_flags().contains(gst::PadFlags::FLUSHING);
        // In this order: a flush that begins now marks the peer last.
        if let Some(peer) = self.src_b.peer()
            && peer.is_active()
            && is_flushing(&peer)
            && !is_flushing(&self.src_b)
        {
            peer.send_event(gst::event::FlushStop::new(true));
        }
    }

    /// Pushes the sticky events to arm b again, because its pad has taken none since it was out.
    fn tell_anew(&self, which: impl Fn(gst::EventType) -> bool) {
        let anew = self.told_b.lock().anew();
        for event in anew.into_iter().filter(|event| which(event.type_())) {
            self.src_b.push_event(event);
        }
    }

    /// Takes arm b out because it has refused a frame, unless it is only flushing or not linked.
    pub(super) fn b_refused(&self, error: gst::FlowError) {
        if error == gst::FlowError::Flushing {
            return;
        }
        self.counts.failed.one();
        if error == gst::FlowError::NotLinked {
            return;
        }
        // Arm b's thread and the streaming thread may both see b fail.
        let Some(waiting) = self.queue_b.fail() else { return };
        self.counts.to_b.less(waiting);
        self.counts.refused.more(waiting);
        gst::warning!(CAT, imp = self, "arm b is out: {error}");
        let reason = match error {
            gst::FlowError::NotNegotiated => "arm b does not take the caps of arm a",
            gst::FlowError::Eos => "arm b has ended",
            _ => "arm b has failed",
        };
        self.post_out(reason);
        self.src_b.push_event(gst::event::Eos::new());
    }

    /// Posts that arm b gets no more frames.
    fn post_out(&self, reason: &str) {
        let s = gst::Structure::builder("andon/arm-out").field("arm", "b").field("reason", reason).build();
        let json = serde_json::json!({ "schema": "andon.arm-out/1", "arm": "b", "reason": reason });
        message::post(&*self.obj(), s, &json.to_string());
    }

    /// Returns whether arm b has its thread. One that is missing is tried again once a second.
    pub(super) fn has_thread_b(&self) -> bool {
        !self.lack.lasts() || (self.lack.is_due() && self.lack.tried(&*self.obj(), &self.thread_b.try_again()))
    }

    pub(super) fn activate_b(
        &self,
        pad: &gst::Pad,
        mode: gst::PadMode,
        active: bool,
    ) -> Result<(), gst::LoggableError> {
        if mode != gst::PadMode::Push {
            return Err(gst::loggable_error!(CAT, "abtee only pushes"));
        }
        if active {
            self.queue_b.start();
            *self.told_b.lock() = Told::default();
            let this = self.obj().downgrade();
            let started = self.thread_b.start(pad, move || {
                if let Some(this) = this.upgrade() {
                    this.imp().b_step();
                }
            })?;
            if !self.lack.tried(&*self.obj(), &started) {
                self.post_out("the system gives no thread for arm b");
            }
        } else {
            self.queue_b.stop();
            self.thread_b.stop(pad)?;
        }
        Ok(())
    }
}
