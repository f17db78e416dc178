// SPDX-License-Identifier: MPL-2.0
//! What a pipeline's bus says went wrong.

use gst::prelude::*;

/// Returns the first error on the bus in one line, and drops all messages before it: who failed, what failed, and the
/// element's own detail.
pub(super) fn failure(pipeline: &gst::Pipeline) -> Option<String> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    let gst::MessageView::Error(error) = message.view() else { return None };
    let who = message.src().map_or_else(|| "pipeline".into(), |s| s.name());
    let mut line = format!("{who}: {}", error.error().message().trim_end());
    // The first line of a debug text says where in the source it arose; what the element adds stands below.
    let debug = error.debug();
    let more = debug.as_deref().and_then(|d| d.split_once('\n')).map(|(_, more)| more.trim());
    if let Some(more) = more.filter(|m| !m.is_empty()) {
        line += &format!(" ({})", more.replace('\n', "; "));
    }
    Some(line)
}
