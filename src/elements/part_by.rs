// SPDX-License-Identifier: MPL-2.0
//! The property `part-by` of the elements that give frames their identity: what a part is, said in a launch string.

use std::sync::Arc;

use andon_core::result::{First, PartBy};
use gst::prelude::*;
use parking_lot::Mutex;

use super::{barcodes::Ear, refusals::Refusals};
use crate::meta::{PartRule, Readings, Trouble};

/// The property of one element.
#[derive(Default)]
pub(super) struct PartByProperty(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The value.
    part_by: PartBy,
    /// What frames go by.
    rule: PartRule,
    /// Hears barcodes while the element runs.
    ear: Option<Ear>,
    is_started: bool,
    /// What was set last, and refused. With it the element does not start.
    refused: Option<String>,
}

impl PartByProperty {
    /// Returns the value.
    pub(super) fn text(&self) -> String {
        self.0.lock().part_by.to_string()
    }

    /// Returns the rule for the next frame.
    pub(super) fn rule(&self) -> PartRule {
        self.0.lock().rule.clone()
    }

    /// Sets the value. One that says nothing of parts is told; the value before stays, and a stopped element does not
    /// start.
    pub(super) fn set(&self, element: &impl IsA<gst::Element>, text: &str) {
        let element = element.upcast_ref();
        let problem = match text.parse::<PartBy>() {
            Ok(part_by) => self.change(element, part_by),
            Err(why) => Some(format!("part-by={text}: {why}")),
        };
        if let Some(problem) = problem {
            let kept = {
                let mut inner = self.0.lock();
                inner.refused = (!inner.is_started).then(|| problem.clone());
                inner.part_by.to_string()
            };
            gst::element_warning!(element, gst::LibraryError::Settings, ("{problem}"), ["part-by stays '{kept}'"]);
        }
    }

    fn change(&self, element: &gst::Element, part_by: PartBy) -> Option<String> {
        // Dropped without the lock, which frames take.
        let old;
        let mut inner = self.0.lock();
        inner.refused = None;
        if [&inner.part_by, &inner.rule.first.part_by].iter().all(|now| **now == part_by) {
            return None;
        }
        let readings = Arc::new(Readings::default());
        let ear = match hears(element, &part_by, &readings, inner.is_started) {
            Ok(ear) => ear,
            Err(problem) => return Some(problem),
        };
        old = std::mem::replace(&mut inner.ear, ear);
        inner.part_by = part_by.clone();
        inner.rule = PartRule { first: Arc::new(First { element: element.name().into(), part_by }), readings };
        drop(inner);
        drop(old);
        None
    }

    /// Begins a run of the stream. Without `stops`, a value that cannot be gone by is told, and frames show the parts that
    /// are told, as without one.
    ///
    /// # Errors
    /// The value was refused, or barcodes cannot be heard; with `stops`.
    pub(super) fn start(&self, element: &impl IsA<gst::Element>, stops: bool) -> Result<(), gst::ErrorMessage> {
        let element = element.upcast_ref();
        let Err(why) = self.begin(element) else { return Ok(()) };
        if stops {
            return Err(gst::error_msg!(gst::LibraryError::Settings, ("{why}")));
        }
        let mut inner = self.0.lock();
        inner.rule = PartRule {
            first: Arc::new(First { element: element.name().into(), part_by: PartBy::Told }),
            ..Default::default()
        };
        inner.is_started = true;
        drop(inner);
        gst::element_warning!(
            element,
            gst::LibraryError::Settings,
            ("{why}"),
            ["the element goes on by the parts that are told, as without part-by"]
        );
        Ok(())
    }

    fn begin(&self, element: &gst::Element) -> Result<(), String> {
        let mut inner = self.0.lock();
        let part_by = inner.part_by.clone();
        let readings = Arc::new(Readings::default());
        let refused = inner.refused.clone();
        let ear = refused.map_or_else(|| hears(element, &part_by, &readings, true), Err);
        inner.ear = ear?;
        inner.rule = PartRule { first: Arc::new(First { element: element.name().into(), part_by }), readings };
        inner.is_started = true;
        Ok(())
    }

    /// Ends the run.
    pub(super) fn stop(&self) {
        let ear = {
            let mut inner = self.0.lock();
            inner.is_started = false;
            inner.ear.take()
        };
        drop(ear);
    }
}

/// Hears barcodes if parts go by them and the element runs.
fn hears(
    element: &gst::Element,
    part_by: &PartBy,
    readings: &Arc<Readings>,
    is_started: bool,
) -> Result<Option<Ear>, String> {
    if *part_by != PartBy::Barcode || !is_started {
        return Ok(None);
    }
    let no_bus = "part-by=barcode: barcodes are heard on the bus of a pipeline, and the element is in none: put it, and \
                  the reader (zbar) ahead of it, into one";
    Ear::new(element, readings.clone()).map(Some).ok_or_else(|| no_bus.into())
}

/// Tells what is wrong with the part of a frame. With `stops`, two elements that differ are an error.
///
/// # Errors
/// The stream cannot go on.
pub(super) fn tell(
    element: &impl IsA<gst::Element>,
    refusals: &Refusals,
    trouble: Option<Trouble>,
    stops: bool,
) -> Result<(), gst::FlowError> {
    match trouble {
        None => Ok(()),
        Some(Trouble::Refused(problem)) => {
            refusals.add(element, &problem);
            Ok(())
        }
        Some(Trouble::Conflict(why)) if stops => {
            gst::element_error!(element.upcast_ref::<gst::Element>(), gst::LibraryError::Settings, ("{why}"));
            Err(gst::FlowError::Error)
        }
        Some(Trouble::Conflict(why)) => {
            gst::element_warning!(element.upcast_ref::<gst::Element>(), gst::LibraryError::Settings, ("{why}"));
            Ok(())
        }
    }
}
