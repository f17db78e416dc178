// SPDX-License-Identifier: MPL-2.0
//! Which of Andon's elements stands where in the stream.

use gst::prelude::*;

use super::find::Found;
use crate::elements::upstream::feeding;

/// Most elements that a walk looks at.
const MOST: usize = 512;

/// A way along the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the sources.
    Up,
    /// To the sinks.
    Down,
}

/// Returns those of `found` that have none of the others that way: the first or the last ones of the stream.
pub(super) fn outermost(found: &[Found], way: Way) -> Vec<Found> {
    let is_beyond =
        |one: &gst::Element, all: &[gst::Element]| found.iter().any(|f| f.element != *one && all.contains(&f.element));
    found.iter().filter(|f| !is_beyond(&f.element, &reached(&f.element, way))).cloned().collect()
}

/// Returns every element of the stream that way, the nearest first, `from` included.
pub(super) fn reached(from: &gst::Element, way: Way) -> Vec<gst::Element> {
    let mut all = vec![from.clone()];
    let mut at = 0;
    while at < all.len() && all.len() < MOST {
        let pads = match way {
            Way::Up => all[at].sink_pads(),
            Way::Down => all[at].src_pads(),
        };
        for next in pads.iter().filter_map(|pad| feeding(pad)?.parent_element()) {
            if !all.contains(&next) {
                all.push(next);
            }
        }
        at += 1;
    }
    all
}
