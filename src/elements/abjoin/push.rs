// SPDX-License-Identifier: MPL-2.0
//! What goes on: frames under their own caps, events in their turn, and what a flush leaves of those that waited.

use gst::{prelude::*, subclass::prelude::*};

use super::{imp::AbJoin, queue::Item};
use crate::{
    control,
    meta::{decided_on, result},
};

impl AbJoin {
    /// Pushes a frame, after its caps if the last frame had others. The caller holds `push`.
    pub(super) fn push_frame(
        &self,
        buffer: gst::Buffer,
        caps: Option<&gst::Caps>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(caps) = caps.filter(|caps| !self.is_current(caps)) {
            // If downstream refuses them, the push of the frame says so.
            self.src.push_event(gst::event::Caps::new(caps));
        }
        control::result(&*self.obj(), || {
            let decided = decided_on(&buffer)?;
            Some((true, move || result::to_json(&decided)))
        });
        self.src.push(buffer)
    }

    /// Returns whether these are the caps of the last frame that went on.
    pub(super) fn is_current(&self, caps: &gst::Caps) -> bool {
        self.src.current_caps().is_some_and(|current| current == *caps)
    }

    /// Pushes an event whose turn has come. The caller holds `push`.
    pub(super) fn push_serialized(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Eos {
            self.state.lock().a_ended = true;
            self.post_last_report();
        }
        self.src.push_event(event)
    }

    /// Passes on the beginning of a flush. Of what waits, frames go, and sticky events stay on the source pad, as nobody
    /// sends them again; all but the segment and the end of the stream.
    pub(super) fn start_flush(&self, event: gst::Event) -> bool {
        let waiting = {
            let mut state = self.state.lock();
            state.flushing = true;
            state.late.clear();
            state.pairing.flush();
            self.notify(&mut state);
            state.queue.take()
        };
        let done = self.src.push_event(event);
        // Downstream is flushing, so the push of the task returns, and with it the item that goes before all that wait.
        let _ = self.src.pause_task();
        for item in waiting {
            if let Item::Event(event) = item
                && event.is_sticky()
                && !matches!(event.type_(), gst::EventType::Segment | gst::EventType::Eos)
            {
                // Only a pad that is shut takes none, and then nothing more goes on.
                let _ = self.src.store_sticky_event(&event);
            }
        }
        done
    }
}
