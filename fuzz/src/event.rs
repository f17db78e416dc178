// SPDX-License-Identifier: MPL-2.0
//! Events as they come from elsewhere: a structure in GStreamer's own words, which is what applications and other elements write.

use std::str::FromStr;

use gstandon::meta::event::{AndonEvent, fields};

/// Parses an event: what is understood says itself again, and its fields can be read.
pub fn event(data: &[u8]) {
    gst::init().expect("GStreamer is installed");
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains('\0') {
        return;
    }
    let Ok(structure) = gst::Structure::from_str(text) else { return };
    let _ = serde_json::to_string(&fields(&structure)).expect("fields are plain data");
    let event = gst::event::CustomDownstream::new(structure);
    match AndonEvent::parse(&event) {
        None => {}
        Some(Err(error)) => assert!(!error.to_string().is_empty()),
        Some(Ok(understood)) => {
            let again = understood.plain();
            let twice = AndonEvent::parse(&again).expect("it has the name").expect("what was understood is understood");
            assert_eq!(format!("{twice:?}"), format!("{understood:?}"));
        }
    }
}
