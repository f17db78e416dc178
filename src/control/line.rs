// SPDX-License-Identifier: MPL-2.0
//! What each request does. Runs on the server's worker threads, never on a streaming thread.

use andon_control::{
    event::Kind,
    reply::{Access, AllStats, Outcome, Refusal},
    request::Request,
    serve::{Caller, Line},
};
use gst::prelude::*;
use serde_json::Value;

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
        let done = answered(caller, request);
        if !request.only_looks() {
            tell(caller, request, &done);
        }
        done
    }
}

/// Does a request, if the caller may.
fn answered(caller: &Caller, request: &Request) -> Result<Value, Refusal> {
    if caller.access == Access::Look && !request.only_looks() {
        let why = format!("{} is refused on the read-only socket: use the one beside it", request.name());
        return Err(Refusal::new(Outcome::NotAllowed, why));
    }
    // C's texts end at one: what is looked at here would not be what is done there.
    if serde_json::to_string(request).is_ok_and(|text| text.contains("\\u0000")) {
        return Err(Refusal::new(Outcome::Invalid, "a text of the request holds the character U+0000, which none may"));
    }
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
    let mut data = serde_json::to_value(request).unwrap_or_default();
    data["who"] = caller.name.as_str().into();
    data["uid"] = caller.uid.into();
    data["pid"] = caller.pid.into();
    data["why"] = caller.why.clone().into();
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{list, properties},
        *,
    };

    fn caller(access: Access) -> Caller {
        Caller { uid: 4242, gid: 4242, pid: 1, access, name: "uid 4242".into(), why: None }
    }

    #[test]
    fn who_may_set_what_and_call_what() {
        gst::init().unwrap();
        crate::plugin_register_static().unwrap();
        let line = gst::parse::launch(
            "videotestsrc name=foreign ! modelinfer name=may-judge ! framesampler name=may-keep ! driftmeter name=may-drift ! \
             fakesink",
        )
        .unwrap();
        let bin = line.downcast_ref::<gst::Bin>().unwrap();
        for name in ["may-judge", "may-keep", "may-drift"] {
            list::add(&bin.by_name(name).unwrap());
        }
        let set = |element: &str, property: &str, value: Value| json!({"request": "set", "element": element, "property": property, "value": value});
        let call = |element: &str, action: &str, arguments: Value| json!({"request": "call", "element": element, "action": action, "arguments": arguments});
        let (refused, own) = (Err(Outcome::NotAllowed), "only the user of the process");
        for (request, look, act) in [
            (json!({"request": "elements"}), Ok(()), Ok(())),
            (json!({"request": "get", "element": "may-keep", "property": "location"}), Ok(()), Ok(())),
            (set("may-keep", "every", json!(2)), refused, Ok(())),
            (set("may-keep", "location", json!("/tmp")), refused, refused),
            (set("may-judge", "model", json!("models/pcb/1")), refused, refused),
            (set("may-judge", "trusted-keys", json!("keys")), refused, refused),
            (set("may-judge", "execution-providers", json!("cpu")), refused, refused),
            (set("may-judge", "share", json!("one")), refused, Ok(())),
            (call("may-judge", "swap", json!({"model": "models/pcb/1"})), refused, refused),
            (call("may-drift", "save-reference", json!({"path": "/tmp/x"})), refused, refused),
            (call("may-keep", "reset", json!({})), refused, Ok(())),
            (set("foreign", "pattern", json!("snow")), refused, refused),
            (json!({"request": "quit"}), refused, refused),
        ] {
            let request: Request = serde_json::from_value(request).unwrap();
            for (access, expected) in [(Access::Look, look), (Access::Act, act)] {
                let done = answered(&caller(access), &request);
                assert_eq!(
                    done.as_ref().map(|_| ()).map_err(|refusal| refusal.outcome),
                    expected,
                    "{access:?}: {request:?}: {done:?}"
                );
                let why = done.map_or_else(|refusal| refusal.why, |_| String::new());
                assert!(
                    access == Access::Look || !why.contains("uid") || (why.contains(own) && why.contains("4242")),
                    "{why}"
                );
            }
        }
        // The line's own user may, even over what is not Andon's where that is shown.
        let own = caller(Access::Own);
        let location: Request = serde_json::from_value(set("may-keep", "location", json!("/tmp/kept"))).unwrap();
        assert_eq!(answered(&own, &location), Ok(json!({"before": null, "after": "/tmp/kept"})));
        let foreign = Found { element: bin.by_name("foreign").unwrap(), is_ours: false };
        let change =
            |caller| properties::set(&caller, &foreign, "pattern", &json!("snow")).map(|changed| changed.after);
        assert_eq!(change(caller(Access::Act)).map_err(|refusal| refusal.outcome), Err(Outcome::NotAllowed));
        assert_eq!(change(own), Ok(json!("snow")));
    }
}
