// SPDX-License-Identifier: MPL-2.0
//! Helpers that the elements' shells share: pad templates, structure properties, locks, answers to queries, flow
//! returns.

use std::{
    borrow::Cow,
    sync::{Mutex, MutexGuard, PoisonError},
};

use gst::prelude::*;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};

pub(super) use gst::PadDirection::{Sink, Src};

/// Makes templates of always pads that all have `caps`.
pub(super) fn pads<const N: usize>(caps: &gst::Caps, pads: [(&str, gst::PadDirection); N]) -> Vec<gst::PadTemplate> {
    let template = |(name, direction)| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps)
            .expect("a name, a direction and caps make a template")
    };
    pads.map(template).into()
}

/// Locks an element's settings, which `glib::Properties` keeps in a mutex of the standard library. Settings are plain
/// data that no panic leaves half-written, so a poisoned mutex is used as it is. All other locks are `parking_lot`'s.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the value that a property is set to. No text (NULL, in C) is an empty one.
pub(super) fn text(value: &glib::Value) -> Cow<'_, glib::Value> {
    match value.get::<Option<&str>>() {
        Ok(None) => Cow::Owned("".to_value()),
        _ => Cow::Borrowed(value),
    }
}

/// Makes the read-only property `stats`.
pub(super) fn stats(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecBoxed::builder::<gst::Structure>("stats").nick("Statistics").blurb(blurb).read_only().build()
}

/// Makes the property `fields`.
pub(super) fn fields(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecBoxed::builder::<gst::Structure>("fields").nick("Fields").blurb(blurb).mutable_playing().build()
}

/// Passes an allocation query through an element that changes no frame and keeps none: downstream's answer is the
/// answer.
pub(super) fn pass_allocation(
    element: &impl IsA<gst::Element>,
    query: &mut gst::query::Allocation,
) -> Result<(), gst::LoggableError> {
    let src = element.static_pad("src").expect("an inline element has a source pad");
    if src.peer_query(query) {
        Ok(())
    } else {
        Err(gst::loggable_error!(gst::CAT_RUST, "no element downstream answers the allocation query"))
    }
}

/// Asks every pool in the answer for `more` buffers, which the element holds at a time.
pub(super) fn raise_minimum(query: &mut gst::query::Allocation, more: u32) {
    raise(query, more, |min, max| Some(if max == 0 { 0 } else { max.max(min) }));
}

/// Asks the pools without a limit for `more` buffers: an element that copies frames of all other pools holds none of
/// theirs.
pub(super) fn raise_minimum_of_unbounded(query: &mut gst::query::Allocation, more: u32) {
    raise(query, more, |_, max| (max == 0).then_some(0));
}

/// Raises the minimum of every pool for which `limit`, given the new minimum and the old limit, returns a limit.
fn raise(query: &mut gst::query::Allocation, more: u32, limit: impl Fn(u32, u32) -> Option<u32>) {
    if more == 0 {
        return;
    }
    let pools: Vec<_> =
        query.allocation_pools().map(|(pool, size, min, max)| (pool.map(|p| p.to_owned()), size, min, max)).collect();
    for (i, (pool, size, min, max)) in pools.into_iter().enumerate() {
        let min = min.saturating_add(more);
        if let Some(max) = limit(min, max) {
            query.set_nth_allocation_pool(i as u32, pool.as_ref(), size, min, max);
        }
    }
}

/// Answers a CAPS query with `caps`, and an ACCEPT_CAPS query with what `accepts` returns. Returns `false` for any
/// other query.
pub(super) fn answer_caps(
    query: &mut gst::QueryRef,
    caps: &gst::Caps,
    accepts: impl FnOnce(&gst::CapsRef) -> bool,
) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Caps(q) => {
            let filtered = q.filter().map(|f| f.to_owned().intersect_with_mode(caps, gst::CapsIntersectMode::First));
            q.set_result(filtered.as_ref().unwrap_or(caps));
        }
        gst::QueryViewMut::AcceptCaps(q) => {
            let accepted = accepts(q.caps());
            q.set_result(accepted);
        }
        _ => return false,
    }
    true
}

/// The flow return for an event that was pushed on `src`: an event that a shut pad refuses is no error of the stream.
pub(super) fn flow_of(src: &gst::Pad, done: bool) -> Result<gst::FlowSuccess, gst::FlowError> {
    match done {
        true => Ok(gst::FlowSuccess::Ok),
        false if src.pad_flags().contains(gst::PadFlags::FLUSHING) => Err(gst::FlowError::Flushing),
        false => Err(gst::FlowError::Error),
    }
}

/// Gives a buffer that another element holds too its own object for the metas; its pixels stay shared.
pub(super) fn own_metas(input: InputBuffer<'_>) -> PrepareOutputBufferSuccess {
    match input {
        InputBuffer::Writable(_) => PrepareOutputBufferSuccess::InputBuffer,
        InputBuffer::Readable(buffer) => PrepareOutputBufferSuccess::Buffer(buffer.to_owned()),
    }
}
