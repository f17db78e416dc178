// SPDX-License-Identifier: MPL-2.0
//! The messages about what the writer did. They are posted on the writer's thread.

use std::path::Path;

use andon_capture::WriterEvent;

use crate::meta::message;

/// Posts the message for an event of the writer.
pub(super) fn post(element: &gst::Element, event: &WriterEvent<'_>) {
    let text = |p: &Path| p.to_string_lossy().into_owned();
    match event {
        WriterEvent::Written { path, sidecar } => {
            let first = sidecar.triggers.first();
            let fields = gst::Structure::builder("andon/captured")
                .field("path", text(path))
                .field("run", sidecar.run.to_string())
                .field("frame-id", sidecar.frame_id)
                .field("reason", first.map(|t| t.reason.to_string()).unwrap_or_default())
                .field("trigger", first.map_or("", |t| t.trigger.as_str()))
                .build();
            message::post(element, fields, &sidecar.to_json());
        }
        WriterEvent::Failed { error, folder } => {
            let (error, location) = (error.to_string(), text(folder));
            // For users who read no element messages: gst-launch-1.0 prints warnings.
            gst::element_warning!(element, gst::ResourceError::Write, ("captures fail: {error}"));
            let json = serde_json::json!({"schema": "andon.capture-failed/1", "location": location, "error": error});
            let fields = gst::Structure::builder("andon/capture-failed")
                .field("location", location)
                .field("error", error)
                .build();
            message::post(element, fields, &json.to_string());
        }
        WriterEvent::Resumed { lost, folder } => {
            let location = text(folder);
            let json = serde_json::json!({"schema": "andon.capture-resumed/1", "location": location, "lost": lost});
            let fields = gst::Structure::builder("andon/capture-resumed")
                .field("location", location)
                .field("lost", *lost)
                .build();
            message::post(element, fields, &json.to_string());
        }
    }
}
