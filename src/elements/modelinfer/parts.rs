// SPDX-License-Identifier: MPL-2.0
//! Views become parts, and parts become messages: at the last view, at the deadline, or at the end of the stream.

use std::sync::{Arc, Weak};

use andon_core::result::{Closed, Inference, PartJudge, PartVerdict, Tally, Verdict, utc_ns};
use gst::prelude::*;
use parking_lot::Mutex;

use super::settings::PostParts;
use crate::meta::message;

/// The parts of one element.
#[derive(Default)]
pub(super) struct Parts {
    inner: Arc<Mutex<Inner>>,
}

/// One view of a part.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// What all models of the arm say so far: the verdict on the part.
    pub line: &'a Arc<Inference>,
    /// What this element's model says: what its guards go by.
    pub own: &'a Arc<Inference>,
    /// Whether the arm decides the frame.
    pub decides: bool,
}

#[derive(Default)]
struct Inner {
    judge: PartJudge,
    /// What this element's model alone says of parts; None while there is no other model.
    own: Option<PartJudge>,
    tally: Tally,
    /// The clock of the deadlines. It stays the same from the first part to the stop, so that one scale holds for all.
    clock: Option<gst::Clock>,
    /// Fires at the deadline of the oldest open part.
    timer: Option<gst::SingleShotClockId>,
    /// Which parts are told.
    posted: PostParts,
}

impl Inner {
    fn now(&mut self, element: &gst::Element) -> u64 {
        let clock = self.clock.get_or_insert_with(|| element.clock().unwrap_or_else(gst::SystemClock::obtain));
        clock.time().nseconds()
    }

    /// Counts parts, and returns which of them are told.
    fn count<'a>(&mut self, closed: impl IntoIterator<Item = &'a PartVerdict>) -> PostParts {
        let utc = utc_ns();
        closed.into_iter().for_each(|part| self.tally.add(part, utc));
        self.posted
    }
}

impl Parts {
    /// Takes one view in. `deadline` is in ns, 0 for none. Returns what this element's model alone says of the
    /// parts that the view closes.
    pub(super) fn observe(&self, element: &impl IsA<gst::Element>, view: View<'_>, deadline: u64) -> Closed {
        let element = element.upcast_ref();
        let (expired, closed, own, posted, needs_timer) = {
            let mut inner = self.inner.lock();
            let now = inner.now(element);
            let expired = if deadline > 0 { inner.judge.expire(now, deadline) } else { Vec::new() };
            let closed = inner.judge.observe(view.line, view.decides, now);
            if inner.own.is_none() && !Arc::ptr_eq(view.line, view.own) {
                inner.own = Some(PartJudge::default());
            }
            let own = inner.own.as_mut().map(|own| {
                if deadline > 0 {
                    own.expire(now, deadline);
                }
                own.observe(view.own, view.decides, now)
            });
            inner.count(&expired);
            let posted = inner.count(closed.iter());
            (expired, closed, own, posted, deadline > 0 && inner.timer.is_none())
        };
        post(element, &expired, posted);
        post(element, closed.iter(), posted);
        if needs_timer {
            set_timer(&self.inner, element, deadline);
        }
        own.unwrap_or(closed)
    }

    /// Closes all parts: at the end of the stream, at a flush, and at a stop.
    pub(super) fn flush(&self, element: &impl IsA<gst::Element>) {
        let (closed, posted, timer) = {
            let mut inner = self.inner.lock();
            let closed = inner.judge.flush();
            inner.own = None;
            let posted = inner.count(&closed);
            inner.clock = None;
            (closed, posted, inner.timer.take())
        };
        if let Some(timer) = timer {
            timer.unschedule();
        }
        post(element.upcast_ref(), &closed, posted);
    }

    /// Sets which parts are told from here on. All count.
    pub(super) fn set_posted(&self, posted: PostParts) {
        self.inner.lock().posted = posted;
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
    let (closed, posted) = {
        let mut inner = parts.lock();
        if inner.timer.take().is_none() {
            return;
        }
        let now = inner.now(&element);
        let closed = inner.judge.expire(now, deadline);
        let posted = inner.count(&closed);
        (closed, posted)
    };
    post(&element, &closed, posted);
    set_timer(&parts, &element, deadline);
}

fn post<'a>(element: &gst::Element, closed: impl IntoIterator<Item = &'a PartVerdict>, posted: PostParts) {
    let is_told = |p: &&PartVerdict| match posted {
        PostParts::All => true,
        PostParts::Ng => p.verdict != Verdict::Ok,
        PostParts::None => false,
    };
    for p in closed.into_iter().filter(is_told) {
        let part = p.part.as_deref();
        let mut s = gst::Structure::builder("andon/part-verdict")
            .field("id", &p.id)
            .field("verdict", p.verdict.as_str())
            .field("score", f64::from(p.score))
            .field("arm", p.arm.as_str())
            .field("decides", p.decides)
            .field("element", &*p.element)
            .field("model", &p.model.name)
            .field("version", &p.model.version)
            .field("digest", &p.model.digest)
            .field("utc", p.utc_ns)
            .field("sku", part.map_or("", |p| p.sku.as_str()))
            .field("purpose", part.map_or("production", |p| p.purpose.as_str()))
            .field("views-seen", p.views_seen)
            .field("views-judged", p.views_judged)
            .field("labels", gst::Array::new(p.labels.iter().map(|l| l.to_string())))
            .build();
        if let Some(pts) = p.pts_ns {
            s.set("pts", pts);
        }
        // As long as most are, so that it is allocated once.
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, p).expect("plain data with string keys always serialises");
        message::post(element, s, str::from_utf8(&json).expect("JSON is UTF-8"));
    }
}
