// SPDX-License-Identifier: MPL-2.0
//! Who hears the messages on a pipeline's bus.

/// Who listens to the bus, and what people or programs are told of it.
pub trait Listener {
    /// Takes in a message; answers the lines to print.
    fn hear(&self, message: &gst::Message) -> Vec<String>;

    /// How it stands, in a few words, for the progress line.
    fn state(&self) -> String {
        String::new()
    }
}
