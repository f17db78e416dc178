// SPDX-License-Identifier: MPL-2.0
//! Events that an element refuses: each is counted, and the first of each kind is told, so that a stream with sixty bad
//! ones a second fills no bus.

use std::{collections::BTreeSet, fmt::Display};

use gst::prelude::*;
use parking_lot::Mutex;

use crate::meta::event::EventError;

/// The events that one element has refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: u64,
    /// The kinds that were told. There are a few dozen.
    told: BTreeSet<String>,
}

impl Refusals {
    /// Counts an event that is refused, and warns if it is the first of its kind.
    pub(super) fn add(&self, element: &impl IsA<gst::Element>, problem: &EventError) {
        let (event, field) = problem.kind();
        self.add_of_kind(element, &format!("{event} {field}"), problem);
    }

    /// Counts an event that is refused for what an element alone knows. `kind` is one of a fixed set.
    pub(super) fn add_of_kind(&self, element: &impl IsA<gst::Element>, kind: &str, problem: &impl Display) {
        let is_first = {
            let mut inner = self.0.lock();
            inner.count += 1;
            !inner.told.contains(kind) && inner.told.insert(kind.into())
        };
        if is_first {
            gst::element_warning!(
                element.upcast_ref::<gst::Element>(),
                gst::StreamError::Format,
                ("an event was refused: {problem}"),
                ["further ones of this kind are counted in stats, and not told"]
            );
        }
    }

    /// Returns how many were refused.
    pub(super) fn count(&self) -> u64 {
        self.0.lock().count
    }

    /// Counts from zero again, and tells the first of each kind again.
    pub(super) fn reset(&self) {
        *self.0.lock() = Inner::default();
    }
}
