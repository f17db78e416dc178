// SPDX-License-Identifier: MPL-2.0
//! Hears the messages on a pipeline's bus.

/// A listener to the bus of a playing pipeline. It decides what is printed.
pub trait Listener {
    /// Takes in a message and returns the lines to print.
    fn hear(&mut self, message: &gst::Message) -> Vec<String>;

    /// Returns a few words for the progress line.
    fn state(&self) -> String {
        String::new()
    }
}

/// Prints nothing.
impl Listener for () {
    fn hear(&mut self, _: &gst::Message) -> Vec<String> {
        Vec::new()
    }
}
