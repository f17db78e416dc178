// SPDX-License-Identifier: MPL-2.0
//! Which element a request means.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use andon_control::reply::{Outcome, Refusal};
use gst::prelude::*;

use super::{buses::top_of, list};

/// Whether every element of the pipelines is shown, not only Andon's.
static SHOWS_ALL: AtomicBool = AtomicBool::new(false);

/// An element that a request may mean.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The element.
    pub element: gst::Element,
    /// Whether it is one of Andon's.
    pub is_ours: bool,
}

/// Shows every element from here on.
pub(super) fn show_all() {
    SHOWS_ALL.store(true, Relaxed);
}

/// Returns the pipelines that hold Andon elements, each once.
pub(super) fn tops() -> Vec<gst::Element> {
    let mut tops: Vec<gst::Element> = Vec::new();
    for element in list::all() {
        if let Ok(top) = top_of(&element).downcast::<gst::Element>()
            && !tops.contains(&top)
        {
            tops.push(top);
        }
    }
    tops
}

/// Returns the elements that clients see.
pub(super) fn seen() -> Vec<Found> {
    let ours = list::all();
    let others = if SHOWS_ALL.load(Relaxed) { strangers(&ours) } else { Vec::new() };
    let found = |is_ours| move |element| Found { element, is_ours };
    ours.into_iter().map(found(true)).chain(others.into_iter().map(found(false))).collect()
}

/// Returns the element of a name or a path.
pub(super) fn one(name: &str) -> Result<Found, Refusal> {
    let seen = seen();
    let is_it = |element: &gst::Element| match name.starts_with('/') {
        true => element.path_string() == name,
        false => element.name() == name,
    };
    let mut found: Vec<_> = seen.iter().filter(|found| is_it(&found.element)).cloned().collect();
    match (found.pop(), found.is_empty()) {
        (Some(found), true) => Ok(found),
        (Some(last), false) => {
            let paths = paths(found.iter().chain([&last]));
            Err(Refusal::new(Outcome::Ambiguous, format!("{name} may be any of {paths}: name it by its path")))
        }
        (None, _) if !SHOWS_ALL.load(Relaxed) && strangers(&list::all()).iter().any(is_it) => Err(Refusal::new(
            Outcome::NotAllowed,
            format!(
                "{name} is not an element of Andon's: only those can be asked and told, unless the line is started with \
                 ANDON_CONTROL_ALL=1"
            ),
        )),
        (None, _) => {
            Err(Refusal::new(Outcome::UnknownElement, format!("there is no element {name}: {}", names(&seen))))
        }
    }
}

/// Returns the element that is meant if none is named: the only one of `candidates`.
pub(super) fn only(candidates: Vec<Found>, what: &str) -> Result<Found, Refusal> {
    match candidates.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Refusal::new(Outcome::UnknownElement, format!("there is no element {what}: {}", names(&seen())))),
        several => Err(Refusal::new(
            Outcome::Ambiguous,
            format!("name the element: {} come into question {what}", paths(several.iter())),
        )),
    }
}

/// Returns every element of the pipelines of `ours` that is none of them. Bins are elements, too.
fn strangers(ours: &[gst::Element]) -> Vec<gst::Element> {
    let bins = tops().into_iter().filter_map(|top| top.downcast::<gst::Bin>().ok());
    let inside = bins.flat_map(|bin| bin.iterate_recurse().into_iter().flatten().collect::<Vec<_>>());
    // One of Andon's that is on its way to READY or to NULL is no stranger, though it is not in the list.
    let is_stranger = |element: &gst::Element| {
        element.factory().and_then(|factory| factory.plugin()).is_none_or(|plugin| plugin.plugin_name() != "andon")
    };
    inside.filter(|element| !ours.contains(element) && is_stranger(element)).collect()
}

fn paths<'a>(found: impl Iterator<Item = &'a Found>) -> String {
    let mut paths: Vec<_> = found.map(|found| found.element.path_string().to_string()).collect();
    paths.sort_unstable();
    paths.join(", ")
}

fn names(seen: &[Found]) -> String {
    let mut names: Vec<_> = seen.iter().map(|found| found.element.name().to_string()).collect();
    names.sort_unstable();
    match names.is_empty() {
        true => "no Andon element is in READY or above".into(),
        false => format!("there are {}", names.join(", ")),
    }
}
