// SPDX-License-Identifier: MPL-2.0
//! Whether a frame comes too late, by the clock and by the QoS events of downstream.

use gst::prelude::*;

/// The last QoS event of downstream, and the frames that were late.
#[derive(Debug)]
pub(super) struct Qos {
    /// The running time before which a frame would be late at the sink: timestamp + diff of the last event, as
    /// `GstBaseTransform` computes it.
    earliest: Option<gst::ClockTime>,
    /// The rate at which downstream takes frames, relative to that at which they come.
    proportion: f64,
    /// Frames that were judged, for QoS messages.
    processed: u64,
    /// Frames that were too late to be judged.
    dropped: u64,
}

impl Default for Qos {
    fn default() -> Self {
        Self { earliest: None, proportion: 1.0, processed: 0, dropped: 0 }
    }
}

/// A frame that is too late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Late {
    running: gst::ClockTime,
    timestamp: Option<gst::ClockTime>,
    stream: Option<gst::ClockTime>,
    duration: Option<gst::ClockTime>,
    jitter_ns: i64,
    proportion: f64,
    processed: u64,
    dropped: u64,
}

impl Qos {
    /// Takes in a QoS event from downstream.
    pub(super) fn observe(&mut self, event: &gst::event::Qos) {
        let (_, proportion, diff, timestamp) = event.get();
        self.proportion = proportion;
        self.earliest = timestamp.and_then(|t| {
            let at = i64::try_from(t.nseconds()).ok()?.saturating_add(diff);
            Some(gst::ClockTime::from_nseconds(u64::try_from(at).unwrap_or(0)))
        });
    }

    /// Forgets the last event, because the stream starts anew.
    pub(super) fn flush(&mut self) {
        *self = Self { processed: self.processed, dropped: self.dropped, ..Self::default() };
    }

    /// Counts a frame that is judged.
    pub(super) fn in_time(&mut self) {
        self.processed += 1;
    }

    /// Returns the frame as too late if it is more than `deadline_ns` behind the clock of a playing element, or behind what
    /// the sink waits for. Counts it then.
    pub(super) fn is_late(
        &mut self,
        element: &impl IsA<gst::Element>,
        segment: &gst::FormattedSegment<gst::ClockTime>,
        buffer: &gst::BufferRef,
        deadline_ns: u64,
    ) -> Option<Late> {
        let running = segment.to_running_time(buffer.pts()?)?;
        let behind = behind_clock(element, running).filter(|ns| *ns > deadline_ns);
        let behind_sink = self.earliest.filter(|e| *e > running).map(|e| (e - running).nseconds());
        let jitter = behind.max(behind_sink)?;
        self.dropped += 1;
        Some(Late {
            running,
            timestamp: buffer.pts(),
            stream: buffer.pts().and_then(|t| segment.to_stream_time(t)),
            duration: buffer.duration(),
            jitter_ns: i64::try_from(jitter).unwrap_or(i64::MAX),
            proportion: self.proportion,
            processed: self.processed,
            dropped: self.dropped,
        })
    }
}

/// Returns how far `running` is behind the clock, ns. None before the element plays, because running time stands still.
fn behind_clock(element: &impl IsA<gst::Element>, running: gst::ClockTime) -> Option<u64> {
    if element.current_state() != gst::State::Playing {
        return None;
    }
    let now = element.clock()?.time().checked_sub(element.base_time()?)?;
    now.checked_sub(running).map(gst::ClockTime::nseconds)
}

impl Late {
    /// Posts the QoS message of elements that drop frames. Here only the judging is dropped.
    pub(super) fn post(&self, element: &impl IsA<gst::Element>) {
        let message = gst::message::Qos::builder(false)
            .running_time(self.running)
            .stream_time(self.stream)
            .timestamp(self.timestamp)
            .duration(self.duration)
            .values(self.jitter_ns, self.proportion, 1_000_000)
            .stats(gst::format::Buffers::from_u64(self.processed), gst::format::Buffers::from_u64(self.dropped))
            .src(element.upcast_ref::<gst::Element>())
            .build();
        // Without a bus there is no listener.
        let _ = element.post_message(message);
    }
}
