// SPDX-License-Identifier: MPL-2.0
//! Element messages `andon/…`: the main facts as fields of their own, and all facts in the string field `json`.

use gst::prelude::*;

use super::vocabulary;
use crate::control;

/// Posts `fields`, whose name is that of the message, such as `andon/part-verdict`, with all facts as `json`.
///
/// Posting takes the lock of the bus and may allocate: post what happens now and then, and a message for every frame
/// only if the user asks for it.
pub(crate) fn post(element: &impl IsA<gst::Element>, mut fields: gst::Structure, json: &str) {
    fields.set("json", json);
    vocabulary::assert_message(&fields);
    let element = element.upcast_ref::<gst::Element>();
    control::message(element, fields.name(), json);
    let message = gst::message::Element::builder(fields).src(element).build();
    // An element outside of a pipeline has no bus, which is no failure.
    let _ = element.post_message(message);
}

/// Returns the `json` of the element message of that name, for applications and tests.
pub fn json_of(message: &gst::MessageRef, name: &str) -> Option<serde_json::Value> {
    let s = message.structure().filter(|s| s.name() == name)?;
    serde_json::from_str(&s.get::<String>("json").ok()?).ok()
}
