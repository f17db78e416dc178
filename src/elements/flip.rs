// SPDX-License-Identifier: MPL-2.0
//! A `videoflip` upstream, and whether it turns or mirrors frames.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use gst::prelude::*;

use crate::meta::remove_results;

/// The first version whose `videoflip` hands results over to be turned.
const FOLLOWED: (u32, u32) = (1, 28);

/// A `videoflip`. Its direction is heard of, not asked for at each frame: it locks itself while it turns one.
///
/// From GStreamer 1.28 results follow it, but on the first frame after a change they follow the direction before
/// (seen in 1.28.8), so that frame has to lose them.
pub(super) struct Flip {
    name: String,
    is_active: Arc<AtomicBool>,
    element: glib::WeakRef<gst::Element>,
    listeners: Vec<glib::SignalHandlerId>,
}

impl Flip {
    /// Returns the element if that factory makes flips.
    pub(super) fn of(element: &gst::Element, factory: &str) -> Option<Self> {
        let (major, minor, ..) = gst::version();
        if factory != "videoflip" || !element.has_property("video-direction") {
            return None;
        }
        let is_followed = (major, minor) >= FOLLOWED;
        let is_active = Arc::new(AtomicBool::new(false));
        // The same by its older name.
        let names = ["video-direction", "method"].into_iter().filter(|name| element.has_property(name));
        let listeners = names.map(|name| {
            let is_active = is_active.clone();
            element.connect_notify(Some(name), move |element, _| match is_followed {
                true => lose_next(element),
                false => is_active.store(turns(element), Relaxed),
            })
        });
        let listeners = listeners.collect();
        is_active.store(!is_followed && turns(element), Relaxed);
        let name = format!("{factory} '{}'", element.name());
        Some(Self { name, is_active, element: element.downgrade(), listeners })
    }

    /// Returns whether it turns or mirrors frames and leaves results where they were.
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

/// Takes the results off the next frame that leaves a flip, and off the one before it that may be on its way.
fn lose_next(element: &gst::Element) {
    let Some(src) = element.static_pad("src") else { return };
    let left = AtomicU32::new(2);
    src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            remove_results(buffer.make_mut(), |_| true);
        }
        match left.fetch_sub(1, Relaxed) {
            1 => gst::PadProbeReturn::Remove,
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

/// Returns whether a `videoflip` turns or mirrors frames: by its property, or by the tag that came in if it goes by
/// that.
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
