// SPDX-License-Identifier: MPL-2.0
//! Errors and warnings of elements, in one line each.

use gst::{MessageType, MessageView, prelude::*};

/// Returns the first error on the pipeline's bus, or None if there is none. Drops the messages before it.
pub fn failure(pipeline: &gst::Pipeline) -> Option<String> {
    error(&pipeline.bus()?.pop_filtered(&[MessageType::Error])?)
}

/// Returns the error that a message carries, or None if it carries none.
pub fn error(message: &gst::Message) -> Option<String> {
    match message.view() {
        MessageView::Error(e) => Some(line(message, &e.error(), e.debug())),
        _ => None,
    }
}

/// Returns the warning that a message carries, or None if it carries none.
pub fn warning(message: &gst::Message) -> Option<String> {
    match message.view() {
        MessageView::Warning(w) => Some(line(message, &w.error(), w.debug())),
        _ => None,
    }
}

/// The element, what it says, and its own detail.
fn line(message: &gst::Message, what: &glib::Error, detail: Option<glib::GString>) -> String {
    let element = message.src().map_or_else(|| "pipeline".into(), |s| s.name());
    let what = what.message().trim_end();
    // The first line of a debug text is a place in the source; the element's own words stand below it.
    let detail = detail.as_deref().and_then(|d| d.split_once('\n')).map(|(_, own)| own.trim()).unwrap_or_default();
    if detail.is_empty() {
        format!("{element}: {what}")
    } else {
        format!("{element}: {what} ({})", detail.replace('\n', "; "))
    }
}
