// SPDX-License-Identifier: MPL-2.0
//! The element's messages and errors in words: see the table in the element's page.

use std::time::Duration;

use andon_core::result::{Inference, ModelId};
use andon_inference::{self as inference, Outcome};

use super::{
    running::Running,
    swap::{Cause, Change},
};
use crate::meta::message;

/// `andon/inference`: one frame's outcome.
pub(super) fn inference(element: &super::ModelInfer, i: &Inference) {
    let mut s = gst::Structure::builder("andon/inference")
        .field("element", &*i.element)
        .field("arm", i.arm.as_str())
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

/// `andon/model-loading`: a model begins to load beside `from`.
pub(super) fn loading(element: &super::ModelInfer, from: Option<&ModelId>, to: &str, cause: Cause) {
    life(element, "loading", Life { from, to, why: cause.as_str(), ..Life::default() });
}

/// `andon/model-proved`: the model has come through its probation.
pub(super) fn proved(
    element: &super::ModelInfer,
    from: &ModelId,
    to: &ModelId,
    why: &str,
    (duration, detail): (Duration, &str),
) {
    life(element, "proved", Life { from: Some(from), to: &label_of(to), why, duration, detail });
}

/// `andon/model-rolled-back`: the model before runs again.
pub(super) fn rolled_back(element: &super::ModelInfer, change: &Change, why: &str) {
    let (from, to, duration) = (change.from.as_deref(), &label_of(&change.to), change.duration);
    life(element, "rolled-back", Life { from, to, why, duration, ..Life::default() });
}

/// What the messages of a model's life have in common.
#[derive(Default)]
struct Life<'a> {
    from: Option<&'a ModelId>,
    to: &'a str,
    why: &'a str,
    duration: Duration,
    /// JSON that goes along as it is; may be empty.
    detail: &'a str,
}

fn life(element: &super::ModelInfer, what: &str, Life { from, to, why, duration, detail }: Life<'_>) {
    let (from, duration) = (from.map(label_of).unwrap_or_default(), duration.as_nanos() as u64);
    let s = gst::Structure::builder(format!("andon/model-{what}"))
        .field("from", &from)
        .field("to", to)
        .field("why", why)
        .field("duration", duration)
        .build();
    let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
    let json = serde_json::json!({
        "schema": format!("andon.model-{what}/1"), "from": from, "to": to, "why": why, "duration_ns": duration,
        "detail": detail
    });
    message::post(element, s, &json.to_string());
}

/// `andon/model-changed`: another model runs.
pub(super) fn changed(element: &super::ModelInfer, change: &Change) {
    let (duration, loading) = (change.duration.as_nanos() as u64, change.loading.as_nanos() as u64);
    let s = gst::Structure::builder("andon/model-changed")
        .field("from", change.from.as_deref().map(label_of).unwrap_or_default())
        .field("to", label_of(&change.to))
        .field("duration", duration)
        .field("why", change.cause.as_str())
        .field("cause", change.cause.as_str())
        .field("held", change.held.as_nanos() as u64)
        .build();
    let json = serde_json::json!({
        "schema": "andon.model-changed/1", "from": change.from.as_deref(), "to": &*change.to,
        "cause": change.cause.as_str(), "duration_ns": duration, "loading_ns": loading,
        "held_ns": change.held.as_nanos() as u64
    });
    message::post(element, s, &json.to_string());
}

/// `andon/model-failed`: a model could not be loaded, and `running` goes on.
pub(super) fn failed(
    element: &super::ModelInfer,
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

/// `andon/provider-fallback`, and a warning: the model runs, but not on the provider that was wanted first.
pub(super) fn fallback(element: &super::ModelInfer, running: &Running) {
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
    gst::element_warning!(
        element,
        gst::ResourceError::Settings,
        ("the model runs on {provider}: {why}; set strict=true to refuse that, or leave out of execution-providers what is not there")
    );
}

/// `andon/unjudged`: from this frame on, frames are not judged.
pub(super) fn unjudged(element: &super::ModelInfer, frame_id: u64, outcome: &Outcome) {
    let (status, reason) = (outcome.status.as_str(), &outcome.reason);
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

/// `NAME@VERSION`, or the name alone.
pub(super) fn label_of(id: &ModelId) -> String {
    if id.version.is_empty() { id.name.clone() } else { format!("{}@{}", id.name, id.version) }
}

/// The element error for a model that cannot be loaded.
pub(super) fn error_message(error: &inference::Error) -> gst::ErrorMessage {
    use andon_model::Error as M;
    use inference::Error as E;
    match error {
        E::Model(M::NoModel | M::NotFound { .. } | M::NoManifest { .. } | M::NoVersion { .. }) => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{error}"))
        }
        E::Model(M::Unsigned { .. } | M::Altered { .. } | M::UntrustedKey { .. } | M::Signature { .. }) => {
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
