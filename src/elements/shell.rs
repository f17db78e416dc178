// SPDX-License-Identifier: MPL-2.0
//! What the elements' shells have in common: pad templates, properties that are structures, the way of an allocation
//! query through an inline element.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};

pub(super) use gst::PadDirection::{Sink, Src};

/// Templates of always pads that all have `caps`.
pub(super) fn pads<const N: usize>(caps: &gst::Caps, pads: [(&str, gst::PadDirection); N]) -> Vec<gst::PadTemplate> {
    let template = |(name, direction)| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps)
            .expect("a name, a direction and caps make a template")
    };
    pads.map(template).into()
}

/// Locks an element's settings. `glib::Properties` asks for a mutex of std's; a panic elsewhere leaves plain data whole.
/// Everything else is behind `parking_lot`'s.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The read-only property `stats`.
pub(super) fn stats(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecBoxed::builder::<gst::Structure>("stats").nick("Statistics").blurb(blurb).read_only().build()
}

/// The property `fields`.
pub(super) fn fields(blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecBoxed::builder::<gst::Structure>("fields").nick("Fields").blurb(blurb).mutable_playing().build()
}

/// Frames go through as they are, and none is kept: what follows is asked, and its answer is the answer.
pub(super) fn pass_allocation(
    element: &impl IsA<gst::Element>,
    query: &mut gst::query::Allocation,
) -> Result<(), gst::LoggableError> {
    let src = element.static_pad("src").expect("an inline element has a source pad");
    if src.peer_query(query) { Ok(()) } else { Err(gst::loggable_error!(gst::CAT_RUST, "nobody answers downstream")) }
}

/// Asks of every pool in the answer for `more` buffers, which are held here at a time.
pub(super) fn raise_minimum(query: &mut gst::query::Allocation, more: u32) {
    if more == 0 {
        return;
    }
    let pools: Vec<_> =
        query.allocation_pools().map(|(pool, size, min, max)| (pool.map(|p| p.to_owned()), size, min, max)).collect();
    for (i, (pool, size, min, max)) in pools.into_iter().enumerate() {
        let min = min + more;
        let max = if max == 0 { 0 } else { max.max(min) };
        query.set_nth_allocation_pool(i as u32, pool.as_ref(), size, min, max);
    }
}

/// A buffer that somebody else holds too gets an object of its own for the metas; its pixels stay shared.
pub(super) fn own_metas(input: InputBuffer<'_>) -> PrepareOutputBufferSuccess {
    match input {
        InputBuffer::Writable(_) => PrepareOutputBufferSuccess::InputBuffer,
        InputBuffer::Readable(buffer) => PrepareOutputBufferSuccess::Buffer(buffer.to_owned()),
    }
}
