// SPDX-License-Identifier: MPL-2.0
//! What the line says by itself: hands events over to the recorder, which never blocks.

use std::{
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use andon_control::{
    event::Kind,
    journal::{Pending, Publisher},
};
use gst::prelude::*;
use serde_json::Value;

/// Set when the socket is open; a process without one pays one load for each message.
static PUBLISHER: OnceLock<Publisher> = OnceLock::new();

/// Begins to publish.
pub(super) fn begin(publisher: Publisher) {
    // A process has one socket.
    let _ = PUBLISHER.set(publisher);
}

/// Returns the publisher, if that kind of events is wanted.
pub(super) fn wanted(kind: Kind) -> Option<&'static Publisher> {
    PUBLISHER.get().filter(|publisher| publisher.wants(kind))
}

/// Publishes what happened to `source`. `data` is made on the recorder's thread.
pub(super) fn publish(
    publisher: &Publisher,
    kind: Kind,
    name: &str,
    source: Option<&gst::Object>,
    data: impl FnOnce() -> Value + Send + 'static,
) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    publisher.publish(Pending {
        kind,
        name: name.to_string().into(),
        element: source.map(|s| s.name().as_str().into()).unwrap_or_default(),
        path: source.map(|s| s.path_string().as_str().into()).unwrap_or_default(),
        utc_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        data: Box::new(data),
    });
}

/// Publishes a message of an Andon element, whose facts are `json`.
pub(crate) fn message(element: &gst::Element, name: &str, json: &str) {
    if let Some(publisher) = wanted(kind_of(name)) {
        let json = json.to_string();
        publish(publisher, kind_of(name), name, Some(element.upcast_ref()), move || {
            serde_json::from_str(&json).unwrap_or(Value::String(json))
        });
    }
}

/// Returns the kind of a message.
fn kind_of(name: &str) -> Kind {
    match name {
        "andon/part-verdict" | "andon/ab" | "andon/ab-judgement" | "andon/disagreement" | "andon/label-wanted" => {
            Kind::Judgements
        }
        "andon/drift" => Kind::Drift,
        _ => Kind::Messages,
    }
}

/// Publishes the result of a frame, if anybody wants results. `result` is asked for it then, and its JSON is made on the
/// recorder's thread.
pub(crate) fn result<F>(element: &impl IsA<gst::Element>, result: impl FnOnce() -> Option<(bool, F)>)
where
    F: FnOnce() -> String + Send + 'static,
{
    if let Some(publisher) = wanted(Kind::Results)
        && let Some((decides, json)) = result()
    {
        let element = element.upcast_ref::<gst::Element>();
        publish(publisher, Kind::Results, "andon/result", Some(element.upcast_ref()), move || {
            let result: Value = serde_json::from_str(&json()).unwrap_or_default();
            serde_json::json!({ "decides": decides, "result": result })
        });
    }
}
