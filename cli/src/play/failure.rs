// SPDX-License-Identifier: MPL-2.0
//! Errors of elements as errors of the program.

use andon_evaluate::pipeline::bus;
use anyhow::Error;

/// Returns the first error on the pipeline's bus, or None if there is none. Drops the messages before it.
pub fn failure(pipeline: &gst::Pipeline) -> Option<Error> {
    bus::failure(pipeline).map(Error::msg)
}

/// Returns the error that a message carries, or None if it carries none.
pub fn error(message: &gst::Message) -> Option<Error> {
    bus::error(message).map(Error::msg)
}
