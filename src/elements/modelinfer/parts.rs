// SPDX-License-Identifier: MPL-2.0
//! Views become parts here, and parts become messages: at the last view, at the deadline, at the end.

use andon_core::result::{Arm, Inference, PartJudge, PartVerdict, Tally};
use gst::prelude::*;
use parking_lot::Mutex;

use crate::meta::message;

/// The parts of one element.
#[derive(Default)]
pub(super) struct Parts {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    judge: PartJudge,
    tally: Tally,
    /// The clock that deadlines are counted on, from the first part to stop, so that one scale holds for all.
    clock: Option<gst::Clock>,
    /// Wakes up at the oldest open part's deadline.
    timer: Option<gst::SingleShotClockId>,
    /// On whose behalf the verdicts are.
    arm: Arm,
}

impl Inner {
    fn now(&mut self, element: &super::ModelInfer) -> u64 {
        let clock = self.clock.get_or_insert_with(|| element.clock().unwrap_or_else(gst::SystemClock::obtain));
        clock.time().nseconds()
    }

    fn count(&mut self, closed: &[PartVerdict]) {
        let utc = super::utc_ns();
        closed.iter().for_each(|part| self.tally.add(part, utc));
    }
}

impl Parts {
    /// Takes one view in; `deadline` in ns, 0 for none. Answers the verdict on its part, where it was the last view.
    pub fn observe(&self, element: &super::ModelInfer, inference: &Inference, deadline: u64) -> Option<PartVerdict> {
        let (expired, closed, arm, wake) = {
            let mut inner = self.inner.lock();
            let now = inner.now(element);
            inner.arm = inference.arm;
            let expired = if deadline > 0 { inner.judge.expire(now, deadline) } else { Vec::new() };
            let closed = inner.judge.observe(inference, now);
            inner.count(&expired);
            inner.count(closed.as_slice());
            (expired, closed, inner.arm, deadline > 0 && inner.timer.is_none())
        };
        post(element, arm, &expired);
        post(element, arm, closed.as_slice());
        if wake {
            self.wake(element, deadline);
        }
        closed
    }

    /// Sets the timer for the oldest open part, if there is one.
    fn wake(&self, element: &super::ModelInfer, deadline: u64) {
        let mut inner = self.inner.lock();
        let (Some(oldest), Some(clock)) = (inner.judge.oldest_ns(), inner.clock.clone()) else { return };
        // A deadline beyond the end of the clock is none.
        let Some(at) = oldest.checked_add(deadline).and_then(|ns| gst::ClockTime::try_from(ns).ok()) else { return };
        let id = clock.new_single_shot_id(at);
        let weak = element.downgrade();
        let armed = id.wait_async(move |_, _, _| {
            if let Some(element) = weak.upgrade() {
                element.parts().expire(&element, deadline);
            }
        });
        inner.timer = armed.is_ok().then_some(id);
    }

    /// Closes what is too old; called by the clock's thread.
    fn expire(&self, element: &super::ModelInfer, deadline: u64) {
        let (closed, arm) = {
            let mut inner = self.inner.lock();
            if inner.timer.take().is_none() {
                return;
            }
            let now = inner.now(element);
            let closed = inner.judge.expire(now, deadline);
            inner.count(&closed);
            (closed, inner.arm)
        };
        post(element, arm, &closed);
        self.wake(element, deadline);
    }

    /// Closes everything: the end of the stream, a flush, a stop.
    pub fn flush(&self, element: &super::ModelInfer) {
        let (closed, arm, timer) = {
            let mut inner = self.inner.lock();
            let closed = inner.judge.flush();
            inner.count(&closed);
            inner.clock = None;
            (closed, inner.arm, inner.timer.take())
        };
        if let Some(timer) = timer {
            timer.unschedule();
        }
        post(element, arm, &closed);
    }

    /// What was counted.
    pub fn tally(&self) -> Tally {
        self.inner.lock().tally.clone()
    }

    /// Starts counting anew; open parts stay open.
    pub fn reset(&self) {
        self.inner.lock().tally = Tally::default();
    }
}

fn post(element: &super::ModelInfer, arm: Arm, closed: &[PartVerdict]) {
    for p in closed {
        let part = p.part.as_deref();
        let s = gst::Structure::builder("andon/part-verdict")
            .field("id", &p.id)
            .field("verdict", p.verdict.as_str())
            .field("score", f64::from(p.score))
            .field("arm", arm.as_str())
            .field("sku", part.map_or("", |p| p.sku.as_str()))
            .field("purpose", part.map_or("production", |p| p.purpose.as_str()))
            .field("views-seen", p.views_seen)
            .field("views-judged", p.views_judged)
            .field("labels", gst::Array::new(p.labels.iter().map(|l| l.to_string())))
            .build();
        // As long as most of them are, so that it is made in one piece.
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, p).expect("plain data with string keys always serialises");
        message::post(element, s, str::from_utf8(&json).expect("JSON is UTF-8"));
    }
}
