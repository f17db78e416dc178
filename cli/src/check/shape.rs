// SPDX-License-Identifier: MPL-2.0
//! The shape of the pipeline: pads that nothing is linked to, branches that wait for each other, links without a format.

use std::collections::BTreeSet;

use gst::prelude::*;

use super::{
    finding::{Findings, Topic},
    make::{Made, factory, split},
};
use crate::play::apart;

/// Elements behind which another thread goes on, so that their branch does not hold the others up.
const WITH_A_THREAD: [&str; 3] = ["queue", "queue2", "multiqueue"];

/// Sources of the present: sinks do not wait for their first frame.
const LIVE: [&str; 10] = [
    "v4l2src",
    "rtspsrc",
    "aravissrc",
    "udpsrc",
    "pylonsrc",
    "libcamerasrc",
    "pipewiresrc",
    "nvarguscamerasrc",
    "tcambin",
    "srtsrc",
];

/// Looks at all pads and branches.
pub fn look(made: &Made, findings: &mut Findings) {
    for element in made.elements.iter().flatten() {
        if !made.excused.contains(element.name().as_str()) {
            unlinked(made, element, findings);
        }
        if factory(element) == "tee" {
            branches(made, element, findings);
        }
    }
    formats(made, findings);
}

fn unlinked(made: &Made, element: &gst::Element, findings: &mut Findings) {
    let (name, kind, line) = (element.name(), factory(element), made.line_of(element));
    for pad in element.pads().into_iter().filter(|p| !p.is_linked()) {
        let pad_name = pad.name();
        let (what, cure) = match (kind.as_str(), pad_name.as_str(), pad.direction()) {
            ("abjoin", "sink_b" | "sink_a", _) => (
                format!("{name} has one arm: nothing is linked to its {pad_name}"),
                format!(
                    "Link the other model to {name}.{pad_name}, as pipelines/shadow.launch does; for one model, leave abtee and \
                     abjoin out."
                ),
            ),
            (_, _, gst::PadDirection::Sink) => (
                format!("nothing is linked to {name}.{pad_name}"),
                "Link a source to it, or take the element out.".to_string(),
            ),
            _ => (
                format!("nothing takes what {name}.{pad_name} gives"),
                "Link it to an element; to throw it away, to fakesink.".to_string(),
            ),
        };
        findings.problem(Topic::Link, line, what, cure);
    }
    let has = |direction| element.pads().iter().any(|p| p.direction() == direction);
    let may_have = |direction| element.pad_template_list().into_iter().any(|t| t.direction() == direction);
    for (direction, what) in [
        (gst::PadDirection::Sink, format!("nothing is linked to {name}")),
        (gst::PadDirection::Src, format!("nothing takes what {name} gives")),
    ] {
        if may_have(direction) && !has(direction) {
            findings.problem(Topic::Link, line, what, "Link an element to it, or take it out.");
        }
    }
}

/// A branch that ends without a thread of its own holds the frame until its sink plays, and the sink plays once every branch
/// has a frame: those that come after it never have one. The last branch may hold it.
fn branches(made: &Made, tee: &gst::Element, findings: &mut Findings) {
    let branches = tee.src_pads();
    let is_live = upstream(made, tee).iter().any(|e| {
        LIVE.contains(&factory(e).as_str())
            || e.find_property("is-live")
                .is_some_and(|p| p.value_type() == bool::static_type() && e.property("is-live"))
    });
    if branches.len() < 2 || is_live {
        return;
    }
    for pad in &branches[..branches.len() - 1] {
        let Some(first) = pad.peer().and_then(|p| p.parent_element()) else { continue };
        let line = made.line_of(&first);
        let Some(sink) = holds(made, first) else { continue };
        let (tee, sink) = (tee.name(), sink.name());
        findings.problem(
            Topic::Deadlock,
            line,
            format!(
                "the branch of {tee} to {sink} has no queue: {sink} waits until the branches after it have a frame, and they \
                 wait for this one"
            ),
            format!("Begin every branch with a queue: {tee}. ! queue ! …"),
        );
    }
}

/// Returns the element at which a branch without a thread waits, if there is one.
fn holds(made: &Made, first: gst::Element) -> Option<gst::Element> {
    let (mut next, mut seen) = (vec![first], BTreeSet::new());
    while let Some(element) = next.pop() {
        let kind = factory(&element);
        if WITH_A_THREAD.contains(&kind.as_str()) || !seen.insert(element.name().to_string()) {
            continue;
        }
        let class = element.factory().and_then(|f| f.metadata("klass").map(String::from)).unwrap_or_default();
        let waits = element
            .find_property("async")
            .is_some_and(|p| p.value_type() == bool::static_type() && element.property("async"));
        if (waits && element.src_pads().is_empty()) || class.contains("Muxer") || class.contains("Compositor") {
            return Some(element);
        }
        next.extend(below(made, &element));
    }
    None
}

/// Returns the elements that an element's source pads are linked to, now or later.
fn below(made: &Made, element: &gst::Element) -> Vec<gst::Element> {
    let linked = element.src_pads().into_iter().filter_map(|p| p.peer()?.parent_element());
    linked.chain(made.later.iter().filter(|(from, _)| from == element).map(|(_, to)| to.clone())).collect()
}

/// Returns the elements that an element's sink pads are linked to, now or later.
fn above(made: &Made, element: &gst::Element) -> Vec<gst::Element> {
    let linked = element.sink_pads().into_iter().filter_map(|p| p.peer()?.parent_element());
    linked.chain(made.later.iter().filter(|(_, to)| to == element).map(|(from, _)| from.clone())).collect()
}

/// Returns all elements upstream of an element, the nearest first.
pub fn upstream(made: &Made, element: &gst::Element) -> Vec<gst::Element> {
    let mut all: Vec<gst::Element> = Vec::new();
    let mut next = above(made, element);
    while !next.is_empty() {
        let level = std::mem::take(&mut next);
        for element in level {
            if !all.contains(&element) {
                next.extend(above(made, &element));
                all.push(element);
            }
        }
    }
    all
}

/// Tells each link without a common format. From the sinks upwards: the links above a broken one may be broken by it.
fn formats(made: &Made, findings: &mut Findings) {
    let mut behind: BTreeSet<String> = BTreeSet::new();
    for element in made.pipeline.iterate_sorted().into_iter().flatten() {
        if behind.contains(element.name().as_str()) {
            continue;
        }
        for sink in element.sink_pads() {
            let Some(why) = sink.peer().and_then(|src| apart(&src, &sink)) else { continue };
            let (what, cure) = split(&why);
            findings.problem(Topic::Caps, made.line_of(&element), what, cure);
            behind.extend(upstream(made, &element).iter().map(|e| e.name().to_string()));
        }
    }
}
