// SPDX-License-Identifier: MPL-2.0
//! Errors and warnings of elements, in one line each.

use gst::prelude::*;

/// What a pipeline's bus says went wrong, if anything; messages of other kinds before it are let go.
pub fn failure(pipeline: &gst::Pipeline) -> Option<anyhow::Error> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(e) => Some(anyhow::anyhow!(complaint(message.src().cloned(), &e.error(), e.debug()))),
        _ => None,
    }
}

/// An error or warning in one line: who, what, and the element's own detail.
pub fn complaint(src: Option<gst::Object>, what: &glib::Error, detail: Option<glib::GString>) -> String {
    let who = src.map_or_else(|| "pipeline".into(), |s| s.name());
    let mut line = format!("{who}: {}", what.message().trim_end());
    // The first line of a debug text says where in the source it arose; what the element adds stands below.
    let more = detail.as_deref().and_then(|d| d.split_once('\n')).map(|(_, more)| more.trim());
    if let Some(more) = more.filter(|m| !m.is_empty()) {
        line += &format!(" ({})", more.replace('\n', "; "));
    }
    line
}
