// SPDX-License-Identifier: MPL-2.0
//! Makes the elements of a description and links them, without a state change: nothing is opened, and nothing runs. Goes on
//! after each problem, so that all are found.

use std::collections::{BTreeMap, BTreeSet};

use gst::prelude::*;

use super::{
    finding::{Findings, Topic},
    grammar::{Description, Link, Side, Which},
    packages::{origin, whole_names},
    values,
};
use crate::{meant::nearest, play::apart};

/// What was made of a description.
pub struct Made {
    pub pipeline: gst::Pipeline,
    /// The element of each node, if it is there.
    pub elements: Vec<Option<gst::Element>>,
    /// The line of the file of each element, filters included, by its name.
    lines: BTreeMap<String, usize>,
    /// Names of elements of which a pad is linked only once the stream is known, or whose link was refused: nothing more is
    /// said of their pads.
    pub excused: BTreeSet<String>,
    /// Links from pads that come later: the elements above and below.
    pub later: Vec<(gst::Element, gst::Element)>,
    /// Whether every element is there.
    pub is_whole: bool,
}

impl Made {
    /// Makes elements, sets their properties and links them.
    pub fn of(description: &Description, findings: &mut Findings) -> Self {
        let mut made = Self {
            pipeline: gst::Pipeline::new(),
            elements: Vec::new(),
            lines: BTreeMap::new(),
            excused: BTreeSet::new(),
            later: Vec::new(),
            is_whole: true,
        };
        made.make(description, findings);
        for link in &description.links {
            made.link(description, link, findings);
        }
        made
    }

    /// Returns the line of the file in which an element stands.
    pub fn line_of(&self, element: &gst::Element) -> usize {
        self.lines.get(element.name().as_str()).copied().unwrap_or(1)
    }

    /// Returns whether an element is linked to another once the stream is known.
    pub fn is_later(&self, element: &gst::Element) -> bool {
        self.later.iter().any(|(from, to)| from == element || to == element)
    }

    fn make(&mut self, description: &Description, findings: &mut Findings) {
        let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &description.nodes {
            if let Some(first) = node.name.as_deref().and_then(|name| named.insert(name, node.line)) {
                let name = node.name.as_deref().unwrap_or_default();
                let what = format!("two elements are called {name}: the first is in line {first}");
                findings.problem(Topic::Name, node.line, what, "Give each element a name of its own.");
            }
            let made = match node.factory.contains("://") {
                true => gst::Element::make_from_uri(gst::URIType::Src, &node.factory, None).ok(),
                false => gst::ElementFactory::find(&node.factory).and_then(|f| f.create().build().ok()),
            };
            if made.is_none() {
                missing.entry(&node.factory).or_insert(node.line);
                self.is_whole = false;
            }
            if let Some(element) = &made {
                if let Some(name) = &node.name {
                    element.set_property("name", name);
                }
                if self.pipeline.add(element).is_err() {
                    // Of a name that is there already, which is told.
                    self.elements.push(None);
                    continue;
                }
                self.lines.insert(element.name().into(), node.line);
                values::set(node, element, &self.pipeline, findings);
            }
            self.elements.push(made);
        }
        for (factory, line) in missing {
            findings.problem(Topic::Element, line, format!("there is no element {factory}"), elsewhere(factory));
        }
    }

    /// Returns the element of one side of a link.
    fn element(
        &self,
        description: &Description,
        side: &Side,
        line: usize,
        findings: &mut Findings,
    ) -> Option<gst::Element> {
        match &side.element {
            Which::Node(index) => self.elements[*index].clone(),
            Which::Named(name) => {
                let index = description.nodes.iter().position(|n| n.name.as_deref() == Some(name));
                if let Some(index) = index {
                    return self.elements[index].clone();
                }
                // An element that nobody named has the name that GStreamer gives it.
                if let Some(element) = self.pipeline.by_name(name) {
                    return Some(element);
                }
                let mut names: Vec<_> = description.nodes.iter().filter_map(|n| n.name.as_deref()).collect();
                names.sort_unstable();
                names.dedup();
                let cure = match nearest(name, names.iter().copied()) {
                    Some(meant) => format!("Did you mean {meant}?"),
                    None if names.is_empty() => format!("Write name={name} behind the element that is meant."),
                    None => {
                        format!("Write name={name} behind the element that is meant; named are {}.", names.join(", "))
                    }
                };
                findings.problem(Topic::Name, line, format!("no element is called {name}"), cure);
                None
            }
        }
    }

    fn link(&mut self, description: &Description, link: &Link, findings: &mut Findings) {
        let from = self.element(description, &link.from, link.line, findings);
        let to = self.element(description, &link.to, link.line, findings);
        // What is linked to an element that is not there has no second problem.
        let mut excuse = |element: &Option<gst::Element>| {
            self.excused.extend(element.iter().map(|e| e.name().to_string()));
        };
        let (Some(from), Some(to)) = (from.clone(), to.clone()) else {
            excuse(&from);
            return excuse(&to);
        };
        let mut to_pads = link.to.pads.as_slice();
        let mut target = to.clone();
        if let Some(text) = &link.caps {
            let Ok(caps) = text.parse::<gst::Caps>() else {
                let cure = "Write a media type and fields, such as video/x-raw,format=RGB,width=640.";
                findings.problem(Topic::Caps, link.line, format!("'{text}' are no caps"), cure);
                excuse(&Some(from));
                return excuse(&Some(to));
            };
            let filter = gst::ElementFactory::make("capsfilter").property("caps", caps).build();
            let Ok(filter) = filter else { return };
            if self.pipeline.add(&filter).is_ok() {
                self.lines.insert(filter.name().into(), link.line);
            }
            self.two(&filter, &[], &to, to_pads, link.line, findings);
            (to_pads, target) = (&[], filter);
        }
        self.two(&from, &link.from.pads, &target, to_pads, link.line, findings);
    }

    /// Links two elements, or remembers that it will be done once pads come.
    fn two(
        &mut self,
        from: &gst::Element,
        from_pads: &[String],
        to: &gst::Element,
        to_pads: &[String],
        line: usize,
        findings: &mut Findings,
    ) {
        let (from_pad, to_pad) = (from_pads.first().map(String::as_str), to_pads.first().map(String::as_str));
        if from.link_pads(from_pad, to, to_pad).is_ok() {
            return;
        }
        self.excused.insert(from.name().into());
        self.excused.insert(to.name().into());
        if comes_later(from, from_pad) {
            self.later.push((from.clone(), to.clone()));
            return;
        }
        let (name, other) = (from.name(), to.name());
        for (element, pad, direction) in
            [(from, from_pad, gst::PadDirection::Src), (to, to_pad, gst::PadDirection::Sink)]
        {
            let Some(pad) = pad else { continue };
            let known = || {
                let all = element.pad_template_list().into_iter().filter(|t| t.direction() == direction);
                all.map(|t| t.name_template().to_string()).collect::<Vec<_>>().join(", ")
            };
            match element.static_pad(pad) {
                Some(pad) if pad.is_linked() => {
                    let what = format!("{}.{} is linked twice", element.name(), pad.name());
                    return findings.problem(
                        Topic::Link,
                        line,
                        what,
                        "A pad has one link: put a tee where one stream goes to two elements.",
                    );
                }
                None if element.request_pad_simple(pad).is_none() => {
                    let what = format!("{} has no pad {pad}", element.name());
                    return findings.problem(Topic::Link, line, what, format!("Its pads are {}.", known()));
                }
                _ => {}
            }
        }
        let free = |element: &gst::Element, direction, pad: Option<&str>| {
            let own = element.pads().into_iter().filter(move |p| p.direction() == direction && !p.is_linked());
            own.filter(|p| pad.is_none_or(|pad| p.name() == pad)).collect::<Vec<_>>()
        };
        let sources = free(from, gst::PadDirection::Src, from_pad);
        let sinks = free(to, gst::PadDirection::Sink, to_pad);
        let why =
            sources.iter().flat_map(|src| sinks.iter().map(move |sink| (src, sink))).find_map(|(a, b)| apart(a, b));
        match why.as_deref().map(split) {
            Some((what, cure)) => findings.problem(Topic::Caps, line, what, cure),
            None => {
                let reason = match (sources.is_empty(), sinks.is_empty()) {
                    (true, _) => format!("{name} gives nothing more that could go there"),
                    (_, true) => format!("{other} takes nothing more"),
                    _ => "GStreamer does not say why".into(),
                };
                let what = format!("{name} cannot be linked to {other}: {reason}");
                let cure = format!(
                    "`gst-inspect-1.0 {}` and `gst-inspect-1.0 {}` list their pads.",
                    factory(from),
                    factory(to)
                );
                findings.problem(Topic::Link, line, what, cure);
            }
        }
    }
}

/// Splits what is said of a link: the last line is the cure.
pub fn split(why: &str) -> (String, String) {
    let (what, cure) = why.rsplit_once('\n').unwrap_or((why, ""));
    (what.into(), cure.trim().into())
}

/// Returns the name of an element's factory.
pub fn factory(element: &gst::Element) -> String {
    element.factory().map(|f| f.name().to_string()).unwrap_or_default()
}

/// Returns whether an element makes a source pad only once it knows its stream.
fn comes_later(element: &gst::Element, pad: Option<&str>) -> bool {
    element.pad_template_list().into_iter().any(|t| {
        let start = t.name_template().split('%').next().unwrap_or_default().to_string();
        t.direction() == gst::PadDirection::Src
            && t.presence() == gst::PadPresence::Sometimes
            && pad.is_none_or(|pad| pad.starts_with(&start))
    })
}

/// Returns where an element that is not there may be, in words.
fn elsewhere(name: &str) -> String {
    if let Some(scheme) = name.split_once("://").map(|(scheme, _)| scheme) {
        return format!("No element reads {scheme}://: install the plugin that does, or name an element.");
    }
    if let Some(origin) = origin(name) {
        return origin;
    }
    let here = gst::Registry::get().features(gst::ElementFactory::static_type());
    let names: Vec<String> = here.iter().map(|f| f.name().to_string()).chain(whole_names().map(String::from)).collect();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("Did you mean {meant}?"),
        None => {
            "Install the plugin that has it, or correct the name; `gst-inspect-1.0` lists all that are there.".into()
        }
    }
}
