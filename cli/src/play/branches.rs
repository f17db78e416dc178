// SPDX-License-Identifier: MPL-2.0
//! Which elements of a pipeline belong to which source, and where they end: at the first element that has something to lose.
//!
//! A *keeper* has state that a restart would lose: an Andon element, an element that joins streams, a sink, and, where no Andon
//! element follows, a muxer or encoder that feeds one. The *branch* of a source is what lies before the keepers. Only elements
//! directly in the pipeline are looked at: a bin of its own is one element, and keeps if it has an Andon element in it.

use std::collections::BTreeSet;

use gst::{PadDirection, PadPresence, prelude::*};

/// Returns the elements of the pipeline, in the order in which they were made.
fn elements(pipeline: &gst::Pipeline) -> Vec<gst::Element> {
    let mut all: Vec<gst::Element> = pipeline.children().into_iter().collect();
    // A bin keeps the latest first.
    all.reverse();
    all
}

/// Returns the elements that have no way in: cameras, files, test pictures.
pub fn sources(pipeline: &gst::Pipeline) -> Vec<gst::Element> {
    let is_source = |e: &gst::Element| {
        let way_in = e.pad_template_list().iter().any(|t| t.direction() == PadDirection::Sink);
        e.sink_pads().is_empty() && !way_in
    };
    elements(pipeline).into_iter().filter(is_source).collect()
}

/// Returns the sink pads at which branches end, in the order of their elements.
pub fn boundaries(pipeline: &gst::Pipeline) -> Vec<gst::Pad> {
    let keepers: Vec<_> = elements(pipeline).into_iter().filter(keeps).collect();
    let first = |pad: &gst::Pad| above(pad).iter().all(|e| !keeps(e));
    keepers.iter().flat_map(|keeper| keeper.sink_pads()).filter(first).collect()
}

/// Returns for each boundary the source that feeds it, as an index into `sources`. Where a link is still to be made, it is the
/// last source before it in the file's text that feeds nothing yet.
pub fn owners(pipeline: &gst::Pipeline, sources: &[gst::Element], boundaries: &[gst::Pad]) -> Vec<Option<usize>> {
    let linked = |pad: &gst::Pad| {
        let above = above(pad);
        sources.iter().position(|s| above.contains(s))
    };
    let mut owners: Vec<_> = boundaries.iter().map(linked).collect();
    let order = elements(pipeline);
    let place = |e: &gst::Element| order.iter().position(|o| o == e);
    let fed: BTreeSet<_> = owners.iter().flatten().copied().collect();
    for (owner, pad) in owners.iter_mut().zip(boundaries).filter(|(owner, _)| owner.is_none()) {
        let mut chain = above(pad);
        chain.extend(pad.parent_element());
        let begins = chain.iter().filter_map(place).min();
        let before = |i: &usize| place(&sources[*i]) < begins;
        let free: Vec<_> = (0..sources.len()).filter(|i| !fed.contains(i)).collect();
        *owner = free.iter().copied().rev().find(before).or_else(|| free.first().copied());
    }
    owners
}

/// Returns the branch of a source, from the boundaries upwards: the source, what follows it, and what leads to its boundaries.
pub fn branch(source: &gst::Element, boundaries: &[gst::Pad]) -> Vec<gst::Element> {
    let mut found = vec![source.clone()];
    let mut next = 0;
    while let Some(element) = found.get(next).cloned() {
        next += 1;
        let below = element.src_pads().into_iter().filter_map(|pad| pad.peer()?.parent_element());
        for e in below.filter(|e| !keeps(e)) {
            if !found.contains(&e) {
                found.push(e);
            }
        }
    }
    for e in boundaries.iter().flat_map(above) {
        if !found.contains(&e) {
            found.push(e);
        }
    }
    // From the last to the source, as a bin stops its elements.
    found.reverse();
    found
}

/// Returns the element directly in the pipeline that an object is, or lies in.
pub fn outermost(pipeline: &gst::Pipeline, object: &gst::Object) -> Option<gst::Element> {
    let mut object = object.clone();
    loop {
        let parent = object.parent()?;
        if &parent == pipeline.upcast_ref::<gst::Object>() {
            return object.downcast().ok();
        }
        object = parent;
    }
}

/// Returns all elements above a sink pad.
fn above(pad: &gst::Pad) -> Vec<gst::Element> {
    let mut found: Vec<gst::Element> = Vec::new();
    let mut open = vec![pad.clone()];
    while let Some(pad) = open.pop() {
        let Some(element) = pad.peer().and_then(|peer| peer.parent_element()) else { continue };
        if !found.contains(&element) {
            open.extend(element.sink_pads());
            found.push(element);
        }
    }
    found
}

/// Whether a restart of the element would lose something.
fn keeps(element: &gst::Element) -> bool {
    if element.sink_pads().is_empty() {
        return false;
    }
    is_andon(element) || joins(element) || (writes(element) && !leads_to_andon(element))
}

fn is_andon(element: &gst::Element) -> bool {
    let of_us = |e: &gst::Element| e.factory().and_then(|f| f.plugin()).is_some_and(|p| p.plugin_name() == "andon");
    of_us(element)
        || element
            .downcast_ref::<gst::Bin>()
            .is_some_and(|bin| bin.iterate_recurse().into_iter().flatten().any(|e| of_us(&e)))
}

fn joins(element: &gst::Element) -> bool {
    element
        .pad_template_list()
        .iter()
        .any(|t| t.direction() == PadDirection::Sink && t.presence() == PadPresence::Request)
}

fn writes(element: &gst::Element) -> bool {
    let class = element.metadata("klass").unwrap_or_default();
    let has = |word: &str| class.split('/').any(|part| part == word);
    element.src_pads().is_empty() || has("Sink") || has("Muxer") || has("Encoder") || has("Payloader")
}

fn leads_to_andon(element: &gst::Element) -> bool {
    let mut seen = vec![element.clone()];
    let mut next = 0;
    while let Some(element) = seen.get(next).cloned() {
        next += 1;
        for e in element.src_pads().into_iter().filter_map(|pad| pad.peer()?.parent_element()) {
            if is_andon(&e) {
                return true;
            }
            if !seen.contains(&e) {
                seen.push(e);
            }
        }
    }
    false
}
