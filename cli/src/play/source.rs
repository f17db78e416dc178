// SPDX-License-Identifier: MPL-2.0
//! A source of a pipeline: what it gives, how it fares, and its branch.

use std::time::{Duration, Instant};

use gst::prelude::*;

use super::{
    boundary::Boundary,
    branches, holding,
    policy::{Attempts, Kind, Trouble},
};

/// How a source fares.
pub enum State {
    /// It is in the pipeline's state.
    Plays,
    /// A thread takes its branch down.
    GoesDown { since: Instant, then: Then, told: bool },
    /// It is down until then.
    Waits(Instant),
    /// A thread brings its branch up.
    Starts { since: Instant },
    /// Its stream has ended for good.
    Over,
}

/// What follows when a branch is down.
pub enum Then {
    /// It is tried again after that long.
    Again(Duration),
    /// Nothing.
    Over,
}

/// A source, and where its branch ends.
pub struct Source {
    /// The element that has no way in.
    pub element: gst::Element,
    /// Where its branch ends.
    pub boundaries: Vec<Boundary>,
    /// How it fares.
    pub state: State,
    /// How often it was started again.
    pub attempts: Attempts,
    /// What befell it while a thread was changing its state.
    pub pending: Option<Trouble>,
    /// When it stopped giving frames.
    pub down_since: Option<Instant>,
    /// Whether it was told that its frame is held.
    pub told_held: bool,
    live: Option<bool>,
    /// Its branch when all of it was linked: while it is down, pads that come and go are gone.
    known: Vec<gst::Element>,
}

impl Source {
    /// A source that is about to play.
    pub fn new(element: gst::Element, boundaries: Vec<Boundary>) -> Self {
        Self {
            element,
            boundaries,
            state: State::Plays,
            attempts: Attempts::default(),
            pending: None,
            down_since: None,
            told_held: false,
            live: None,
            known: Vec::new(),
        }
    }

    /// Returns the source's name.
    pub fn name(&self) -> String {
        self.element.name().into()
    }

    /// Returns its elements before the boundaries, from the last to the source.
    pub fn branch(&self) -> Vec<gst::Element> {
        let pads: Vec<_> = self.boundaries.iter().map(|b| b.pad.clone()).collect();
        let mut found = branches::branch(&self.element, &pads);
        found.retain(|e| !self.known.contains(e));
        found.extend(self.known.iter().cloned());
        found
    }

    /// Notes its branch, now that it gives frames.
    pub fn remember(&mut self) {
        self.known = self.branch();
    }

    /// Returns whether the end of its stream has gone past every boundary.
    pub fn has_passed_its_end(&self) -> bool {
        self.boundaries.iter().all(|b| b.pad.pad_flags().contains(gst::PadFlags::EOS))
    }

    /// Returns how many frames it gave.
    pub fn frames(&self) -> u64 {
        self.boundaries.iter().map(Boundary::frames).max().unwrap_or(0)
    }

    /// Returns how long none of its boundaries has seen a frame; not at all if it has none.
    pub fn silent_for(&self) -> Duration {
        self.boundaries.iter().map(Boundary::silent_for).min().unwrap_or_default()
    }

    /// Returns the element behind a boundary that has been busy with a frame for that long, if one is.
    pub fn held(&self, long: Duration) -> Option<String> {
        let late = self.boundaries.iter().filter(|b| b.silent_for() >= long);
        late.filter_map(|b| holding::busy_behind(&b.pad)).next()
    }

    /// Asks it, once it has given a frame, whether it is live: when it has failed it can no longer say so.
    pub fn learn(&mut self) {
        if self.live.is_none() && self.frames() > 0 {
            self.attempts.plays(Instant::now());
            self.remember();
            let mut query = gst::query::Latency::new();
            if self.boundaries.iter().any(|b| b.pad.peer_query(&mut query)) {
                self.live = Some(query.result().0);
            }
        }
    }

    /// Returns what it gives. A source that has not given a frame and is no file is taken for a camera.
    pub fn kind(&self) -> Kind {
        let class = self.element.metadata("klass").unwrap_or_default();
        let of_a_file = ["uri", "location"].iter().any(|property| {
            let text = self.element.find_property(property).filter(|p| p.value_type() == glib::Type::STRING);
            let text = text.and_then(|_| self.element.property::<Option<String>>(property));
            text.is_some_and(|text| text.starts_with("file:"))
        });
        if of_a_file || class.split('/').any(|part| part == "File") {
            return Kind::Recording;
        }
        if self.live.unwrap_or(true) { Kind::Live } else { Kind::Stream }
    }

    /// Returns whether its stream has an end by design.
    pub fn told_to_end(&self) -> bool {
        let number = self.element.find_property("num-buffers").filter(|p| p.value_type() == glib::Type::I32);
        number.is_some() && self.element.property::<i32>("num-buffers") >= 0
    }

    /// Notes that a thread takes its branch down.
    pub fn goes_down(&mut self, then: Then) {
        self.state = State::GoesDown { since: Instant::now(), then, told: false };
        self.down_since.get_or_insert(Instant::now());
    }

    /// Returns a trouble of it as a line that begins with the name of the element that says it.
    pub fn told(&self, trouble: &Trouble) -> String {
        match trouble {
            Trouble::Error(what) => what.clone(),
            other => format!("{}: {other}", self.element.name()),
        }
    }

    /// Returns how it fares, in a few words.
    pub fn said(&self) -> String {
        let name = self.name();
        match &self.state {
            State::Plays => format!("{name} plays"),
            State::GoesDown { .. } => format!("{name} is being stopped"),
            State::Waits(until) => {
                let left = until.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
                format!("{name} is down, starts again in {left} s")
            }
            State::Starts { .. } => format!("{name} starts again"),
            State::Over => format!("{name} has ended"),
        }
    }
}
