// SPDX-License-Identifier: MPL-2.0
//! Hears the messages on a pipeline's bus.

use std::time::Duration;

/// How a pipeline played.
pub struct Course {
    /// How long.
    pub played: Duration,
    /// What was started again, and how often.
    pub restarts: Vec<(String, u64)>,
}

/// A listener to the bus of a playing pipeline. It decides what is printed.
pub trait Listener {
    /// Takes in a message and returns the lines to print.
    fn hear(&mut self, message: &gst::Message) -> Vec<String>;

    /// Returns a few words for the progress line.
    fn state(&self) -> String {
        String::new()
    }

    /// The pipeline is about to be stopped for good.
    fn before_stop(&mut self, _pipeline: &gst::Pipeline, _course: &Course) {}
}

/// Prints nothing.
impl Listener for () {
    fn hear(&mut self, _: &gst::Message) -> Vec<String> {
        Vec::new()
    }
}
