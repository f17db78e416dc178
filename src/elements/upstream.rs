// SPDX-License-Identifier: MPL-2.0
//! The walk up the pads, from an element that reads results to the models and beyond.

use std::sync::Arc;

use gst::prelude::*;

use super::flip::Flip;

/// Most elements that a walk looks at.
const MOST: usize = 512;

/// Elements that check results as they come in: what stands ahead of them is theirs to tell.
const READERS: &[&str] = &["abjoin", "defectoverlay", "driftmeter", "framesampler"];

/// Andon's other elements.
const OWN: &[&str] = &["abtee", "defecttestsrc", "modelinfer", "resultenc"];

/// Elements that leave frames as they are.
const HARMLESS: &[&str] = &[
    "capsfilter",
    "clocksync",
    "identity",
    "input-selector",
    "multiqueue",
    "output-selector",
    "queue",
    "queue2",
    "tee",
    "valve",
    "videorate",
];

/// Elements that move pixels.
const MOVERS: &[&str] = &[
    "aspectratiocrop",
    "autovideoflip",
    "compositor",
    "glvideoflip",
    "glvideomixer",
    "gltransformation",
    "nvvidconv",
    "nvvideoconvert",
    "perspective",
    "rotate",
    "v4l2convert",
    "vaapipostproc",
    "vapostproc",
    "videobox",
    "videoconvertscale",
    "videocrop",
    "videoflip",
    "videoscale",
];

/// What stands upstream of a pad.
#[derive(Default)]
pub(super) struct Upstream {
    /// A model is among it, so that every frame has an identity there.
    pub has_model: bool,
    /// Each `videoflip`, and the models behind it, whose results are right.
    flips: Vec<(Flip, Vec<Arc<str>>)>,
    /// The names of what stands between the pad and the nearest of Andon's elements.
    nearest: Vec<String>,
    seen: Vec<gst::Element>,
}

/// How a walk came to where it is.
#[derive(Clone)]
struct Way {
    /// The models that it has passed.
    behind: Vec<Arc<str>>,
    /// It has passed none of Andon's elements.
    is_nearest: bool,
    /// It has passed an element that checks results as they come in.
    is_checked: bool,
}

impl Upstream {
    /// Walks up from a sink pad.
    pub(super) fn of(sink: &gst::Pad) -> Self {
        let mut upstream = Self::default();
        upstream.visit(sink, Way { behind: Vec::new(), is_nearest: true, is_checked: false });
        // Held elements would not be freed.
        upstream.seen = Vec::new();
        upstream
    }

    /// Returns whether the results of an element are not where they say.
    pub(super) fn displaces(&self, element: &str) -> bool {
        let mut flips = self.flips.iter();
        !element.is_empty()
            && flips.any(|(flip, behind)| flip.is_active() && !behind.iter().any(|name| **name == *element))
    }

    /// Returns the names of what has lost results: the flips, else what is known to move pixels, else all that is not
    /// known to leave frames as they are.
    pub(super) fn names(&self, displaced: bool) -> String {
        let flips = self.flips.iter().filter(|(flip, _)| displaced && flip.is_active());
        let flips: Vec<_> = flips.map(|(flip, _)| flip.name().to_owned()).collect();
        if !flips.is_empty() {
            return flips.join(", ");
        }
        let moves = |name: &&String| MOVERS.iter().any(|mover| name.starts_with(&format!("{mover} ")));
        let movers: Vec<_> = self.nearest.iter().filter(moves).cloned().collect();
        match (movers.is_empty(), self.nearest.is_empty()) {
            (false, _) => movers.join(", "),
            (true, false) => self.nearest.join(", "),
            (true, true) => "an element further up".into(),
        }
    }

    fn visit(&mut self, sink: &gst::Pad, mut way: Way) {
        let Some(src) = feeding(sink) else { return };
        let Some(element) = src.parent_element().filter(|e| !self.seen.contains(e)) else { return };
        if self.seen.len() == MOST {
            return;
        }
        self.seen.push(element.clone());
        let name = element.factory().map(|f| f.name().to_string()).unwrap_or_default();
        match &*name {
            reader if READERS.contains(&reader) => (way.is_nearest, way.is_checked) = (false, true),
            "modelinfer" => {
                self.has_model = true;
                way.behind.push(element.name().as_str().into());
                way.is_nearest = false;
            }
            own if OWN.contains(&own) => way.is_nearest = false,
            other => {
                if way.is_nearest && !HARMLESS.contains(&other) {
                    let name = known_as(&element);
                    if !self.nearest.contains(&name) {
                        self.nearest.push(name);
                    }
                }
                if let Some(flip) = (!way.is_checked).then(|| Flip::of(&element, other)).flatten() {
                    self.flips.push((flip, way.behind.clone()));
                }
            }
        }
        let sinks: Vec<_> = src.iterate_internal_links().into_iter().flatten().collect();
        for sink in sinks {
            self.visit(&sink, way.clone());
        }
    }
}

/// Returns what a user knows an element by: factory and name, of the element that it is a part of if that is one too.
pub(super) fn known_as(element: &gst::Element) -> String {
    let factory = |e: &gst::Element| e.factory().map(|f| f.name().to_string()).unwrap_or_default();
    let whole = element.parent().and_downcast::<gst::Element>();
    let whole = whole.filter(|e| !["", "bin", "pipeline"].contains(&&*factory(e)));
    let known = whole.as_ref().unwrap_or(element);
    format!("{} '{}'", factory(known), known.name())
}

/// Returns the source pad that feeds a sink pad, through the walls of bins; likewise, the sink pad that a source pad feeds.
pub(crate) fn feeding(sink: &gst::Pad) -> Option<gst::Pad> {
    let mut peer = sink.peer()?;
    loop {
        peer = if let Some(ghost) = peer.downcast_ref::<gst::GhostPad>() {
            ghost.target()?
        } else if let Some(inside) = peer.downcast_ref::<gst::ProxyPad>() {
            inside.internal()?.peer()?
        } else {
            return Some(peer);
        };
    }
}
