// SPDX-License-Identifier: MPL-2.0
//! Errors of elements as errors of the program.

use andon_evaluate::pipeline::bus;
use anyhow::{Error, anyhow};
use gst::{MessageType, MessageView, prelude::*};

use super::links;

/// Returns the first error on the pipeline's bus, or None if there is none. Drops the messages before it.
pub fn failure(pipeline: &gst::Pipeline) -> Option<Error> {
    error(pipeline, &pipeline.bus()?.pop_filtered(&[MessageType::Error])?)
}

/// Returns the error that a message of the pipeline carries, or None if it carries none. Where elements found no format, it
/// says which link it is.
pub fn error(pipeline: &gst::Pipeline, message: &gst::Message) -> Option<Error> {
    let text = bus::error(message)?;
    let why = is_about_formats(message).then(|| links::explain(pipeline.upcast_ref())).flatten();
    Some(why.map_or_else(|| Error::msg(text.clone()), |why| anyhow!("{text}\n{why}")))
}

/// Returns whether an error may come from elements that found no common format.
fn is_about_formats(message: &gst::Message) -> bool {
    let MessageView::Error(e) = message.view() else { return false };
    let error = e.error();
    error.matches(gst::CoreError::Negotiation)
        || error.matches(gst::StreamError::Format)
        || error.matches(gst::StreamError::WrongType)
        || e.debug().is_some_and(|d| d.contains("not-negotiated"))
}
