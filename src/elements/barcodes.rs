// SPDX-License-Identifier: MPL-2.0
//! Barcodes that a reader upstream has found, such as GStreamer's `zbar`, which says them on the bus alone.
//!
//! A reader posts the message `barcode` before it pushes the frame. It is heard on the posting thread, by the signal
//! `sync-message` of the pipeline's bus, so that the reading is known when the frame comes. The one sync handler that a
//! bus has stays the application's; a message that such a handler drops is heard by nobody.

use std::sync::Arc;

use gst::prelude::*;

use super::upstream::feeding;
use crate::meta::Readings;

/// The name of the message's structure, which has `timestamp` and `symbol`.
const MESSAGE: &str = "barcode";

/// Most pads that are looked at on the way up to a reader.
const MOST: usize = 512;

/// Hears the readers upstream of one element, until it is dropped.
pub(super) struct Ear {
    bus: gst::Bus,
    handler: Option<glib::SignalHandlerId>,
}

impl Ear {
    /// Hears, and puts what was read into `readings`. Returns None if the element is in no pipeline.
    pub(super) fn new(element: &gst::Element, readings: Arc<Readings>) -> Option<Self> {
        let mut top = element.clone();
        while let Some(parent) = top.parent().and_downcast() {
            top = parent;
        }
        let bus = top.bus()?;
        bus.enable_sync_message_emission();
        let element = element.downgrade();
        let handler = bus.connect_sync_message(Some("element"), move |_, message| {
            let Some(barcode) = message.structure().filter(|s| s.name() == MESSAGE) else { return };
            let (Some(element), Some(reader)) = (element.upgrade(), message.src()) else { return };
            let Ok(text) = barcode.get::<String>("symbol") else { return };
            if is_upstream(&element, reader) {
                let pts_ns = barcode.get::<u64>("timestamp").ok().filter(|t| *t != u64::MAX);
                readings.add(pts_ns, text);
            }
        });
        Some(Self { bus, handler: Some(handler) })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(handler) = self.handler.take() {
            self.bus.disconnect(handler);
        }
        self.bus.disable_sync_message_emission();
    }
}

/// Returns whether frames come from `reader` to the element. Arm b's frames are identified elsewhere.
fn is_upstream(element: &gst::Element, reader: &gst::Object) -> bool {
    let mut ahead: Vec<_> = ["sink", "sink_a"].iter().filter_map(|name| element.static_pad(name)).collect();
    let mut looked_at = 0;
    while let Some(sink) = ahead.pop() {
        let Some(src) = feeding(&sink) else { continue };
        if src.parent().is_some_and(|parent| parent == *reader) {
            return true;
        }
        looked_at += 1;
        if looked_at == MOST {
            return false;
        }
        ahead.extend(src.iterate_internal_links().into_iter().flatten());
    }
    false
}
