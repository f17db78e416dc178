// SPDX-License-Identifier: MPL-2.0
//! `fields` and `part`: events that a client sends into the stream.

use std::{collections::BTreeMap, sync::Mutex};

use andon_control::reply::{Outcome, Refusal};
use gst::prelude::*;
use serde_json::{Value, json};

use super::{
    find::{self, Found},
    properties::factory_of,
    values,
    walk::{Way, outermost},
};
use crate::meta::event::{AndonEvent, FieldsChange};

/// Sets named fields of the frames from the next one on.
pub(super) fn fields(
    element: Option<&str>,
    named: &BTreeMap<String, Value>,
    remove: &[String],
    complete: bool,
) -> Result<Value, Refusal> {
    if named.is_empty() && remove.is_empty() && !complete {
        return Err(bad("fields says nothing: give values, remove or complete"));
    }
    for (name, value) in named {
        if matches!(name.as_str(), "complete" | "remove") {
            return Err(bad(format!("no field can have the name {name}: give it beside values, not among them")));
        }
        if values::field(value).is_none() {
            return Err(bad(format!(
                "{name} is {value}, and a field is a text, a number, true or false, or a list of them"
            )));
        }
    }
    let values = named.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let event = AndonEvent::Fields(FieldsChange { values, remove: remove.to_vec(), complete }).plain();
    send(entry(element)?, event)
}

/// Says that the next frames show this part.
pub(super) fn part(element: Option<&str>, part: &BTreeMap<String, Value>) -> Result<Value, Refusal> {
    let mut s = gst::Structure::new_empty("andon/part");
    for (name, json) in part {
        let value = match name.as_str() {
            "id" | "sku" | "lot" | "station" | "purpose" => json.as_str().map(|text| text.to_send_value()),
            "view" | "views" => json.as_u64().and_then(|n| u32::try_from(n).ok()).map(|n| n.to_send_value()),
            "trigger-utc-ns" => json.as_u64().map(|n| n.to_send_value()),
            _ => {
                let names = "id, sku, lot, station, view, views, purpose, trigger-utc-ns";
                return Err(bad(format!("a part has no {name}: it has {names}")));
            }
        };
        let wants = if matches!(name.as_str(), "view" | "views" | "trigger-utc-ns") {
            "a whole number from 0"
        } else {
            "a text"
        };
        s.set_value(name, value.ok_or_else(|| bad(format!("{name} is {wants}, and not {json}")))?);
    }
    let entry = entry(element)?;
    if let Some(by) =
        entry.find_property("part-by").map(|_| entry.property::<String>("part-by")).filter(|by| !by.is_empty())
    {
        let why = format!(
            "part-by={by} of {} makes parts of frames by itself: set part-by to nothing to name them",
            entry.name()
        );
        return Err(Refusal::new(Outcome::NotAccepted, why));
    }
    send(entry, gst::event::CustomDownstreamSticky::new(s))
}

fn bad(why: impl Into<String>) -> Refusal {
    Refusal::new(Outcome::BadValue, why)
}

/// Returns the element at which events enter: the named one, or the only one that is the first of Andon's in the stream.
fn entry(name: Option<&str>) -> Result<gst::Element, Refusal> {
    let has_sink = |found: &Found| found.is_ours && sink_of(&found.element).is_some();
    let found = match name {
        Some(name) => find::one(name)?,
        None => {
            let all: Vec<_> = find::seen().into_iter().filter(has_sink).collect();
            find::only(outermost(&all, Way::Up), "at which it could enter the stream")?
        }
    };
    if !has_sink(&found) {
        let why = format!("{} takes no event: name an Andon element behind it", found.element.name());
        return Err(Refusal::new(Outcome::NotAccepted, why));
    }
    Ok(found.element)
}

/// The pad at which frames come in that decide.
fn sink_of(element: &gst::Element) -> Option<gst::Pad> {
    element.static_pad("sink").or_else(|| element.static_pad("sink_a"))
}

/// Has an element take an event in before its next frame. Never waits for that frame.
fn send(element: gst::Element, event: gst::Event) -> Result<Value, Refusal> {
    if let Some(Err(problem)) = AndonEvent::parse(&event) {
        return Err(bad(problem.to_string()));
    }
    if element.current_state() < gst::State::Paused {
        let why =
            format!("{} is stopped, and a stream that starts begins without what was said before", element.name());
        return Err(Refusal::new(Outcome::Unavailable, why));
    }
    let taken = match &*factory_of(&element) {
        // These two have a place for what applications send.
        "modelinfer" | "abtee" => element.send_event(event),
        _ => sink_of(&element).is_some_and(|sink| before_next_frame(&sink, event)),
    };
    match taken {
        true => Ok(json!({ "element": element.name().as_str() })),
        false => Err(Refusal::new(Outcome::NotAccepted, format!("{} did not take the event", element.name()))),
    }
}

/// Puts an event before the next frame of a pad, on the thread that brings it. Returns false if the pad is shut.
fn before_next_frame(sink: &gst::Pad, event: gst::Event) -> bool {
    let event = Mutex::new(Some(event));
    let frames = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    let probe = sink.add_probe(frames, move |pad, _| {
        let event = event.lock().ok().and_then(|mut event| event.take());
        if let Some(event) = event {
            // The element tells what it refuses.
            pad.send_event(event);
        }
        gst::PadProbeReturn::Remove
    });
    probe.is_some()
}
