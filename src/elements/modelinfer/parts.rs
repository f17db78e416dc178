// SPDX-License-Identifier: MPL-2.0
//! Views become parts, and parts become messages: at the last view, at the deadline, or at the end of the stream.

use std::sync::{Arc, Weak};

use andon_core::result::{Arm, Inference, PartJudge, PartVerdict, Tally};
use gst::prelude::*;
use parking_lot::Mutex;

use super::clock::utc_ns;
use crate::meta::message;

/// The parts of one element.
#[derive(Default)]
pub(super) struct Parts {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    judge: PartJudge,
    tally: Tally,
    /// The clock of the deadlines. It stays the same from the first part to the stop, so that one scale holds for all.
    clock: Option<gst::Clock>,
    /// Fires at the deadline of the oldest open part.
    timer: Option<gst::SingleShotClockId>,
    /// The arm that gives the verdicts.
    arm: Arm,
}

impl Inner {
    fn now(&mut self, element: &gst::Element) -> u64 {
        let clock = self.clock.get_or_insert_with(|| element.clock().unwrap_or_else(gst::SystemClock::obtain));
        clock.time().nseconds()
    }

    fn count(&mut self, closed: &[PartVerdict]) {
        let utc = utc_ns();
        closed.iter().for_each(|part| self.tally.add(part, utc));
    }
}

impl Parts {
    /// Takes one view in. `deadline` is in ns, 0 for none. Returns the verdict on its part if it was the last view.
    pub(super) fn observe(
        &self,
        element: &impl IsA<gst::Element>,
        inference: &Inference,
        deadline: u64,
    ) -> Option<PartVerdict> {
        let element = element.upcast_ref();
        let (expired, closed, arm, needs_timer) = {
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
        if needs_timer {
            set_timer(&self.inner, element, deadline);
        }
        closed
    }

    /// Closes all parts: at the end of the stream, at a flush, and at a stop.
    pub(super) fn flush(&self, element: &impl IsA<gst::Element>) {
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
        post(element.upcast_ref(), arm, &closed);
    }

    /// Returns the counts of parts.
    pub(super) fn tally(&self) -> Tally {
        self.inner.lock().tally.clone()
    }

    /// Counts from zero again. Open parts stay open.
    pub(super) fn reset(&self) {
        self.inner.lock().tally = Tally::default();
    }
}

/// Sets the timer for the oldest open part, if there is one.
fn set_timer(parts: &Arc<Mutex<Inner>>, element: &gst::Element, deadline: u64) {
    let mut inner = parts.lock();
    let (Some(oldest), Some(clock)) = (inner.judge.oldest_ns(), inner.clock.clone()) else { return };
    // A deadline beyond the end of the clock never comes.
    let Some(at) = oldest.checked_add(deadline).and_then(|ns| gst::ClockTime::try_from(ns).ok()) else { return };
    let id = clock.new_single_shot_id(at);
    let (parts, element) = (Arc::downgrade(parts), element.downgrade());
    let armed = id.wait_async(move |_, _, _| expire(&parts, &element, deadline));
    inner.timer = armed.is_ok().then_some(id);
}

/// Closes the parts that are too old, on the clock's thread.
fn expire(parts: &Weak<Mutex<Inner>>, element: &glib::WeakRef<gst::Element>, deadline: u64) {
    let (Some(parts), Some(element)) = (parts.upgrade(), element.upgrade()) else { return };
    let (closed, arm) = {
        let mut inner = parts.lock();
        if inner.timer.take().is_none() {
            return;
        }
        let now = inner.now(&element);
        let closed = inner.judge.expire(now, deadline);
        inner.count(&closed);
        (closed, inner.arm)
    };
    post(&element, arm, &closed);
    set_timer(&parts, &element, deadline);
}

fn post(element: &gst::Element, arm: Arm, closed: &[PartVerdict]) {
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
        // As long as most are, so that it is allocated once.
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, p).expect("plain data with string keys always serialises");
        message::post(element, s, str::from_utf8(&json).expect("JSON is UTF-8"));
    }
}
