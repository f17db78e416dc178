// SPDX-License-Identifier: MPL-2.0
//! A `videoflip` upstream, and whether it turns or mirrors frames.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gst::prelude::*;

/// The first version whose `videoflip` hands results over to be turned.
const FOLLOWED: (u32, u32) = (1, 28);

/// A `videoflip`. Its direction is heard of, not asked for at each frame: it locks itself while it turns one.
pub(super) struct Flip {
    name: String,
    is_active: Arc<AtomicBool>,
    element: glib::WeakRef<gst::Element>,
    listeners: Vec<glib::SignalHandlerId>,
}

impl Flip {
    /// Returns the element of that factory as a flip whose direction results do not follow.
    pub(super) fn of(element: &gst::Element, factory: &str) -> Option<Self> {
        let (major, minor, ..) = gst::version();
        if factory != "videoflip" || (major, minor) >= FOLLOWED || !element.has_property("video-direction") {
            return None;
        }
        let is_active = Arc::new(AtomicBool::new(false));
        // The same by its older name.
        let names = ["video-direction", "method"].into_iter().filter(|name| element.has_property(name));
        let listeners = names.map(|name| {
            let is_active = is_active.clone();
            element.connect_notify(Some(name), move |element, _| is_active.store(turns(element), Relaxed))
        });
        let listeners = listeners.collect();
        is_active.store(turns(element), Relaxed);
        let name = format!("{factory} '{}'", element.name());
        Some(Self { name, is_active, element: element.downgrade(), listeners })
    }

    /// Returns whether it turns or mirrors frames.
    pub(super) fn is_active(&self) -> bool {
        self.is_active.load(Relaxed)
    }

    /// Returns what a user knows it by.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Flip {
    fn drop(&mut self) {
        if let Some(element) = self.element.upgrade() {
            self.listeners.drain(..).for_each(|listener| element.disconnect(listener));
        }
    }
}

/// Returns whether a `videoflip` turns or mirrors frames: by its property, or by the tag that came in if it goes by that.
fn turns(element: &gst::Element) -> bool {
    let value = element.property_value("video-direction");
    match glib::EnumValue::from_value(&value).map(|(_, direction)| direction.nick()) {
        Some("identity") => false,
        Some("auto") => element.static_pad("sink").is_some_and(|sink| has_turning_tag(&sink)),
        _ => true,
    }
}

fn has_turning_tag(sink: &gst::Pad) -> bool {
    let mut found = false;
    sink.sticky_events_foreach(|event| {
        if let gst::EventView::Tag(tag) = event.view()
            && let Some(orientation) = tag.tag().get::<gst::tags::ImageOrientation>()
        {
            found |= orientation.get() != "rotate-0";
        }
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    found
}
