// SPDX-License-Identifier: MPL-2.0
//! The buses of the pipelines that hold Andon elements: ends, errors, warnings and states become events. An application's own
//! handlers are not touched: GStreamer calls these beside them.

use andon_control::event::Kind;
use gst::prelude::*;
use parking_lot::Mutex;
use serde_json::json;

use super::{
    heard,
    publish::{publish, wanted},
};

/// The bus of one pipeline.
struct Watched {
    bus: glib::WeakRef<gst::Bus>,
    top: glib::WeakRef<gst::Object>,
    handlers: Vec<glib::SignalHandlerId>,
    /// The Andon elements of the pipeline.
    members: Vec<glib::WeakRef<gst::Element>>,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// Returns the pipeline that holds an element, or the outermost bin.
pub(super) fn top_of(element: &gst::Element) -> gst::Object {
    let mut top: gst::Object = element.clone().upcast();
    while let Some(parent) = top.parent() {
        top = parent;
    }
    top
}

/// Watches the bus of an element's pipeline until its last Andon element leaves.
pub(super) fn watch(element: &gst::Element) {
    let top = top_of(element);
    let Some(bus) = top.downcast_ref::<gst::Element>().and_then(|top| top.bus()) else { return };
    let mut watched = WATCHED.lock();
    watched.retain(|w| w.bus.upgrade().is_some());
    if watched.iter().any(|w| w.members.iter().any(|m| m.upgrade().as_ref() == Some(element))) {
        return;
    }
    if let Some(known) = watched.iter_mut().find(|w| w.bus.upgrade().as_ref() == Some(&bus)) {
        return known.members.push(element.downgrade());
    }
    bus.enable_sync_message_emission();
    // By their details, so that a message of any other kind calls nothing.
    let handlers = ["eos", "error", "warning", "state-changed"].map(|detail| {
        let top = top.downgrade();
        bus.connect_sync_message(Some(detail), move |_, message| take(&top, message))
    });
    let members = vec![element.downgrade()];
    watched.push(Watched { bus: bus.downgrade(), top: top.downgrade(), handlers: handlers.into(), members });
}

/// Lets an element go, and with the last one of a pipeline its bus.
pub(super) fn leave(element: &gst::Element) {
    let left = {
        let mut watched = WATCHED.lock();
        for w in watched.iter_mut() {
            w.members.retain(|m| m.upgrade().is_some_and(|other| other != *element));
        }
        let is_left = |w: &mut Watched| w.members.is_empty();
        watched.extract_if(.., is_left).collect::<Vec<_>>()
    };
    for Watched { bus, top, handlers, .. } in left {
        if let Some(top) = top.upgrade() {
            stopping(&top);
        }
        if let Some(bus) = bus.upgrade() {
            handlers.into_iter().for_each(|handler| bus.disconnect(handler));
            bus.disable_sync_message_emission();
        }
    }
}

/// Publishes that a pipeline goes to NULL: it says so itself when its elements have gone.
fn stopping(top: &gst::Object) {
    let Some(element) = top.downcast_ref::<gst::Element>() else { return };
    let (_, from, to) = element.state(gst::ClockTime::ZERO);
    if to == gst::State::Null
        && let Some(publisher) = wanted(Kind::Messages)
    {
        publish(publisher, Kind::Messages, "state", Some(top), move || states(from, to));
    }
}

/// Publishes a message of any element of the pipeline; for ends and states, of the pipeline alone. Called on the thread that
/// posts it.
fn take(top: &glib::WeakRef<gst::Object>, message: &gst::Message) {
    let source = message.src();
    let is_top = || source.is_some() && source == top.upgrade().as_ref();
    let (name, data) = match message.view() {
        gst::MessageView::Eos(_) if is_top() => ("eos", json!({})),
        gst::MessageView::StateChanged(change) if is_top() => ("state", states(change.old(), change.current())),
        gst::MessageView::Error(error) => ("error", trouble(source, &error.error(), error.debug())),
        gst::MessageView::Warning(warning) => ("warning", trouble(source, &warning.error(), warning.debug())),
        _ => return,
    };
    if let Some(publisher) = wanted(Kind::Messages) {
        publish(publisher, Kind::Messages, name, source, move || data);
    }
}

fn trouble(source: Option<&gst::Object>, error: &glib::Error, debug: Option<glib::GString>) -> serde_json::Value {
    heard::posted(source, error.message());
    json!({ "message": error.message(), "debug": debug.map(|d| d.to_string()) })
}

/// A change of state, by the names of states on the socket.
fn states(from: gst::State, to: gst::State) -> serde_json::Value {
    json!({ "from": name_of(from), "to": name_of(to) })
}

/// The name of a state on the socket.
pub(super) fn name_of(state: gst::State) -> String {
    state.name().to_lowercase()
}
