// SPDX-License-Identifier: MPL-2.0
//! Element messages `andon/…`: the main facts as fields of their own, and all of it in the string field `json`.

use gst::prelude::*;

/// Posts `fields` and the whole as `json`; `fields` names the message, such as `andon/part-verdict`.
///
/// Posting takes the bus lock and may allocate: call it for what happened, not for every frame unless asked to.
pub fn post(element: &impl IsA<gst::Element>, mut fields: gst::Structure, json: &str) {
    fields.set("json", json);
    let message = gst::message::Element::builder(fields).src(element.upcast_ref::<gst::Element>()).build();
    // Without a bus nobody listens, which is no failure of the element's.
    let _ = element.post_message(message);
}

/// The `json` of an element message by name, for applications and tests.
pub fn json_of(message: &gst::MessageRef, name: &str) -> Option<serde_json::Value> {
    let s = message.structure().filter(|s| s.name() == name)?;
    serde_json::from_str(&s.get::<String>("json").ok()?).ok()
}
