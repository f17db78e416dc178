// SPDX-License-Identifier: MPL-2.0
//! The element's messages and errors. The element's page has the table of messages.

use std::time::Duration;

use andon_core::result::{Inference, ModelId, Status};
use andon_inference::{self as inference};
use andon_statistics::guard;
use gst::prelude::*;

use super::exchange::{Cause, Change, Running};
use crate::{elements::threads::ADVICE, meta::message};

/// Posts `andon/inference`: the result of one frame, and whether its arm decides the frame.
pub(super) fn inference(element: &impl IsA<gst::Element>, i: &Inference, decides: bool) {
    let mut s = gst::Structure::builder("andon/inference")
        .field("element", &*i.element)
        .field("arm", i.arm.as_str())
        .field("decides", decides)
        .field("frame-id", i.frame_id)
        .field("status", i.status.as_str())
        .field("verdict", i.verdict.as_str())
        .field("score", f64::from(i.score))
        .field("detections", i.detections.len() as u32)
        .field("latency-us", i.latency_us)
        .field("model", label_of(&i.model))
        .build();
    if let Some(pts) = i.pts_ns {
        s.set("pts", pts);
    }
    if let Some(part) = &i.part {
        s.set("part", &part.id);
    }
    message::post(element, s, &i.to_json());
}

/// Posts `andon/model-loading`: a model begins to load beside `from`.
pub(super) fn loading(element: &impl IsA<gst::Element>, from: Option<&ModelId>, to: &str, cause: Cause) {
    life(element, "loading", Life { from, to, why: cause.as_str(), ..Life::default() });
}

/// Posts `andon/model-proved`: a version has come through its probation.
pub(super) fn proved(
    element: &impl IsA<gst::Element>,
    from: &ModelId,
    to: &ModelId,
    report: &guard::GuardReport,
    duration: Duration,
) {
    let (to, why) = (&label_of(to), "no guard was broken");
    let detail = serde_json::to_value(report).unwrap_or_default();
    life(element, "proved", Life { from: Some(from), to, why, duration, detail });
}

/// Posts `andon/model-rolled-back`: the model before runs again.
pub(super) fn rolled_back(element: &impl IsA<gst::Element>, change: &Change) {
    let from = change.from.as_ref().map(|from| &**from.id());
    let (to, why, duration) = (&label_of(change.to.id()), &*change.why, change.duration);
    life(element, "rolled-back", Life { from, to, why, duration, ..Life::default() });
}

/// What the messages of a model's life have in common.
#[derive(Default)]
struct Life<'a> {
    from: Option<&'a ModelId>,
    to: &'a str,
    why: &'a str,
    duration: Duration,
    /// Goes into the JSON as it is.
    detail: serde_json::Value,
}

fn life(element: &impl IsA<gst::Element>, what: &str, Life { from, to, why, duration, detail }: Life<'_>) {
    let (from, duration) = (from.map(label_of).unwrap_or_default(), duration.as_nanos() as u64);
    let s = gst::Structure::builder(format!("andon/model-{what}"))
        .field("from", &from)
        .field("to", to)
        .field("why", why)
        .field("duration", duration)
        .build();
    let json = serde_json::json!({
        "schema": format!("andon.model-{what}/1"), "from": from, "to": to, "why": why, "duration_ns": duration,
        "detail": detail
    });
    message::post(element, s, &json.to_string());
}

/// Posts `andon/model-changed`: another model runs.
pub(super) fn changed(element: &impl IsA<gst::Element>, change: &Change) {
    let Change { from, to, cause, .. } = change;
    let (from, cause) = (from.as_ref().map(|from| &**from.id()), cause.as_str());
    let ns = |duration: Duration| duration.as_nanos() as u64;
    let (duration, loading, held) = (ns(change.duration), ns(change.loading), ns(change.held));
    let s = gst::Structure::builder("andon/model-changed")
        .field("from", from.map(label_of).unwrap_or_default())
        .field("to", label_of(to.id()))
        .field("duration", duration)
        .field("why", cause)
        .field("cause", cause)
        .field("held", held)
        .build();
    let json = serde_json::json!({
        "schema": "andon.model-changed/1", "from": from, "to": &**to.id(), "cause": cause, "duration_ns": duration,
        "loading_ns": loading, "held_ns": held
    });
    message::post(element, s, &json.to_string());
}

/// Posts `andon/model-failed`: a model could not be loaded, and `running` goes on.
pub(super) fn failed(
    element: &impl IsA<gst::Element>,
    model: &str,
    running: Option<&ModelId>,
    error: &inference::Error,
    (cause, duration): (&str, Duration),
) {
    let (running, error) = (running.map(label_of).unwrap_or_default(), error.to_string());
    let s = gst::Structure::builder("andon/model-failed")
        .field("from", &running)
        .field("to", model)
        .field("why", &error)
        .field("model", model)
        .field("running", &running)
        .field("error", &error)
        .field("cause", cause)
        .field("duration", duration.as_nanos() as u64)
        .build();
    let json = serde_json::json!({
        "schema": "andon.model-failed/1", "model": model, "running": running, "error": error, "cause": cause,
        "duration_ns": duration.as_nanos() as u64
    });
    message::post(element, s, &json.to_string());
}

/// Posts `andon/alias`: the alias that `model` names cannot be followed, and why; or, with an empty `problem`, it can again.
pub(super) fn alias(element: &impl IsA<gst::Element>, model: &str, running: Option<&ModelId>, problem: &str) {
    let running = running.map(label_of).unwrap_or_default();
    let state = if problem.is_empty() { "followed" } else { "unclear" };
    let s = gst::Structure::builder("andon/alias")
        .field("model", model)
        .field("state", state)
        .field("problem", problem)
        .field("running", &running)
        .build();
    let json = serde_json::json!({
        "schema": "andon.alias/1", "model": model, "state": state, "problem": problem, "running": running
    });
    message::post(element, s, &json.to_string());
}

/// Posts `andon/provider-fallback` and a warning: the model does not run on the preferred provider.
pub(super) fn fallback(element: &impl IsA<gst::Element>, running: &Running) {
    let (provider, wanted, fallbacks) = (running.provider(), &running.ask.options.providers, running.fallbacks());
    let why = fallbacks.join("; ");
    let s = gst::Structure::builder("andon/provider-fallback")
        .field("provider", &**provider)
        .field("wanted", wanted)
        .field("reason", &why)
        .build();
    let json = serde_json::json!({
        "schema": "andon.provider-fallback/1", "provider": &**provider, "wanted": wanted, "fallbacks": fallbacks
    });
    message::post(element, s, &json.to_string());
    let advice = match running.lacking() {
        0 => "set strict=true to refuse that, or remove from execution-providers what cannot be had",
        _ => ADVICE,
    };
    gst::element_warning!(
        element.upcast_ref::<gst::Element>(),
        gst::ResourceError::Settings,
        ("the model runs on {provider}: {why}: {advice}")
    );
}

/// Posts a warning: what was assumed of a bare file because nothing says it.
pub(super) fn assumed(element: &impl IsA<gst::Element>, running: &Running) {
    let model = &running.ask.model;
    let all: Vec<_> = running.assumptions().iter().map(ToString::to_string).collect();
    gst::element_warning!(
        element.upcast_ref::<gst::Element>(),
        gst::ResourceError::Settings,
        (
            "{model}: runs with what was assumed, because the file does not say it: {}. A wrong one makes wrong verdicts: \
             `andon model init {model}` writes them into a model.json, where each can be corrected",
            all.join(". ")
        )
    );
}

/// Posts `andon/unjudged`: from this frame on, frames are not judged.
pub(super) fn unjudged(element: &impl IsA<gst::Element>, frame_id: u64, status: Status, reason: &str) {
    let status = status.as_str();
    let s = gst::Structure::builder("andon/unjudged")
        .field("frame-id", frame_id)
        .field("status", status)
        .field("reason", reason)
        .build();
    let json = serde_json::json!({
        "schema": "andon.unjudged/1", "frame_id": frame_id, "status": status, "reason": reason
    });
    message::post(element, s, &json.to_string());
}

/// Returns `NAME@VERSION`, or the name alone if there is no version.
pub(super) fn label_of(id: &ModelId) -> String {
    if id.version.is_empty() { id.name.clone() } else { format!("{}@{}", id.name, id.version) }
}

/// Returns the element error for a model that cannot be loaded.
pub(super) fn error(error: &inference::Error) -> gst::ErrorMessage {
    use andon_model::Error as M;
    use inference::Error as E;
    match error {
        E::Model(M::NoModel | M::NotFound { .. } | M::NoManifest { .. } | M::NoVersion { .. }) => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{error}"))
        }
        E::Model(
            M::Unsigned { .. }
            | M::Altered { .. }
            | M::UntrustedKey { .. }
            | M::Signature { .. }
            | M::Policy { .. }
            | M::Keys { .. },
        ) => {
            gst::error_msg!(gst::ResourceError::NotAuthorized, ("{error}"))
        }
        E::Model(M::Io { .. }) => gst::error_msg!(gst::ResourceError::OpenRead, ("{error}")),
        E::NoRuntime { .. } | E::BadRuntime { .. } | E::Runtime(_) => {
            gst::error_msg!(gst::LibraryError::Init, ("{error}"))
        }
        E::Providers { .. } | E::NoProvider { .. } => gst::error_msg!(gst::ResourceError::Settings, ("{error}")),
        _ => gst::error_msg!(gst::StreamError::Format, ("{error}")),
    }
}
