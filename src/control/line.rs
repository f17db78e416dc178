// SPDX-License-Identifier: MPL-2.0
//! What each request does. Runs on the server's worker threads, never on a streaming thread.

use andon_control::{
    event::Kind,
    reply::{Access, AllStats, Outcome, Refusal},
    request::Request,
    serve::{Caller, Line},
};
use gst::prelude::*;
use serde_json::{Value, json};

use super::{
    actions,
    find::{self, Found},
    hands, properties,
    publish::{publish, wanted},
    quit, snapshot, stream,
};

/// The pipelines of this process.
pub(super) struct GstLine;

impl Line for GstLine {
    fn handle(&self, caller: &Caller, request: &Request) -> Result<Value, Refusal> {
        let allowed = match request.only_looks() || caller.access != Access::Look {
            true => Ok(()),
            false => {
                let why = format!("{} is refused on the read-only socket: use the one beside it", request.name());
                Err(Refusal::new(Outcome::NotAllowed, why))
            }
        };
        let done = allowed.and_then(|()| answer(caller, request));
        if !request.only_looks() {
            tell(caller, request, &done);
        }
        done
    }
}

fn answer(caller: &Caller, request: &Request) -> Result<Value, Refusal> {
    match request {
        Request::Elements { describe } => {
            json_of(&find::seen().iter().map(|found| properties::element(found, *describe)).collect::<Vec<_>>())
        }
        Request::Get { element, property } => properties::get(&find::one(element)?, property),
        Request::Set { element, property, value } => {
            let (caller, found) = (caller.clone(), find::one(element)?);
            let (property, value) = (property.clone(), value.clone());
            json_of(&hands::with(move || properties::set(&caller, &found, &property, &value))?)
        }
        Request::Call { element, action, arguments } => {
            let (caller, found) = (caller.clone(), find::one(element)?);
            let (action, arguments) = (action.clone(), arguments.clone());
            hands::with(move || actions::call(&caller, &found, &action, &arguments))
        }
        Request::Stats { element: Some(element) } => properties::get(&find::one(element)?, "stats"),
        Request::Stats { element: None } => json_of(&all_stats()),
        Request::Quit {} => quit::quit(),
        Request::Observe { .. } | Request::Unobserve { .. } | Request::Subscribe { .. } | Request::Unsubscribe {} => {
            Err(Refusal::new(Outcome::Failed, format!("{} is the socket's own", request.name())))
        }
        Request::Fields { element, values, remove, complete } => {
            stream::fields(element.as_deref(), values, remove, *complete)
        }
        Request::Part { element, part } => stream::part(element.as_deref(), part),
        Request::Snapshot { element, overlay, max_width, quality } => {
            json_of(&snapshot::snapshot(element.as_deref(), *overlay, *max_width, *quality)?)
        }
    }
}

fn json_of(data: &impl serde::Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(data).map_err(|why| Refusal::new(Outcome::Failed, format!("the answer is no JSON: {why}")))
}

/// Returns the statistics of every element that has some, by name, or by path where two have one name.
fn all_stats() -> AllStats {
    let seen = find::seen();
    let name_of = |found: &Found| {
        let name = found.element.name();
        match seen.iter().filter(|other| other.element.name() == name).count() {
            1 => name.to_string(),
            _ => found.element.path_string().to_string(),
        }
    };
    let stats = |found: &Found| Some((name_of(found), properties::get(found, "stats").ok()?));
    seen.iter().filter_map(stats).collect()
}

/// Publishes who did what, and how it ended.
fn tell(caller: &Caller, request: &Request, done: &Result<Value, Refusal>) {
    let Some(publisher) = wanted(Kind::Control) else { return };
    let element = match request {
        Request::Set { element, .. } | Request::Call { element, .. } => Some(element),
        Request::Fields { element, .. } | Request::Part { element, .. } => element.as_ref(),
        _ => None,
    };
    let element = element.and_then(|name| find::one(name).ok());
    let mut data = json!({ "who": caller.name, "uid": caller.uid, "pid": caller.pid, "why": caller.why });
    data["request"] = serde_json::to_value(request).unwrap_or_default();
    match done {
        Ok(answer) => {
            data["error"] = Outcome::Success.as_str().into();
            data["data"] = answer.clone();
        }
        Err(refusal) => {
            data["error"] = refusal.outcome.as_str().into();
            data["message"] = refusal.why.as_str().into();
        }
    }
    publish(publisher, Kind::Control, "control", element.as_ref().map(|e| e.element.upcast_ref()), move || data);
}
