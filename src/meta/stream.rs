// SPDX-License-Identifier: MPL-2.0
//! The state that a stream's `andon/…` events leave behind: arm, part, fields. Every element keeps one, and gives
//! frames their identity by it.

use std::sync::Arc;

use andon_core::result::{Arm, Fields, Frame, Part};
use gst::prelude::*;

use super::{
    AndonFrameMeta,
    event::{AndonEvent, EventError},
};

/// Arm, part and fields of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamContext {
    /// The arm behind an abtee; `None` in a stream without one.
    pub(crate) arm: Option<Arm>,
    /// The part that the next frames show.
    pub(crate) part: Option<Arc<Part>>,
    /// The values of the named fields.
    pub(crate) fields: Arc<Fields>,
}

impl StreamContext {
    /// Takes in an event from the sink pad, and returns it if it is one of Andon's, or an error if it cannot be read.
    pub(crate) fn observe(&mut self, event: &gst::EventRef) -> Option<Result<AndonEvent, EventError>> {
        let parsed = AndonEvent::parse(event)?;
        match &parsed {
            Ok(AndonEvent::Arm(arm)) => self.arm = Some(*arm),
            Ok(AndonEvent::Part(part)) => self.part = Some(part.clone()),
            Ok(AndonEvent::Fields(new)) => {
                Arc::make_mut(&mut self.fields).extend(new.clone());
                if let Some(part) = part_of(&self.fields) {
                    self.part = Some(Arc::new(part));
                }
            }
            _ => {}
        }
        Some(parsed)
    }

    /// Returns the arm of the results: `a` in a stream without an abtee.
    pub(crate) fn arm(&self) -> Arm {
        self.arm.unwrap_or_default()
    }

    /// Returns the frame's identity. The first Andon element that the frame meets puts it on the buffer.
    pub(crate) fn identify(&self, buffer: &mut gst::BufferRef) -> Frame {
        match AndonFrameMeta::get(buffer) {
            Some(mut frame) => {
                if frame.part.is_none() && self.part.is_some() {
                    frame.part = self.part.clone();
                    AndonFrameMeta::set(buffer, frame.clone());
                }
                frame
            }
            None => {
                let mut frame = Frame::new(self.part.clone());
                frame.captured_utc_ns = captured_utc_ns(buffer);
                AndonFrameMeta::set(buffer, frame.clone());
                frame
            }
        }
    }
}

/// Reads a part from fields: `part` (its id), and `sku`, `lot`, `station`, `view`, `views`, `purpose` if they are
/// there.
fn part_of(fields: &Fields) -> Option<Part> {
    let text = |name: &str| fields.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_string();
    let count = |name: &str| fields.get(name).and_then(|v| v.as_u64()).and_then(|v| u32::try_from(v).ok());
    let id = match fields.get("part")? {
        serde_json::Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    Some(Part {
        id,
        sku: text("sku"),
        lot: text("lot"),
        station: text("station"),
        view: count("view").unwrap_or(0),
        views: count("views").unwrap_or(1),
        purpose: text("purpose").parse().unwrap_or_default(),
        trigger_utc_ns: None,
    })
}

/// Seconds from 1900 (NTP) to 1970 (UTC).
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// Returns when the camera took the frame, by a reference timestamp meta in Unix or NTP time.
fn captured_utc_ns(buffer: &gst::BufferRef) -> Option<u64> {
    buffer.iter_meta::<gst::ReferenceTimestampMeta>().find_map(|meta| {
        let ns = meta.timestamp().nseconds();
        match meta.reference().structure(0)?.name().as_str() {
            "timestamp/x-unix" => Some(ns),
            "timestamp/x-ntp" => ns.checked_sub(NTP_TO_UNIX_S * gst::ClockTime::SECOND.nseconds()),
            _ => None,
        }
    })
}

/// Returns when a frame without a reference timestamp was taken, if the pipeline's clock has the time of day (NTP, PTP,
/// or the system's realtime clock).
pub(crate) fn utc_by_clock(
    element: &impl IsA<gst::Element>,
    segment: &gst::FormattedSegment<gst::ClockTime>,
    pts: gst::ClockTime,
) -> Option<u64> {
    let clock = element.clock()?;
    let realtime = clock.downcast_ref::<gst::SystemClock>().is_some_and(|c| {
        matches!(c.type_().name(), "GstNtpClock" | "GstPtpClock")
            || (c.has_property("clock-type") && c.property::<gst::ClockType>("clock-type") == gst::ClockType::Realtime)
    });
    let running = segment.to_running_time(pts)?;
    realtime.then(|| element.base_time().map(|base| (base + running).nseconds())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_identifies_the_frame_and_the_next_keeps_its_identity() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().unwrap();
        let first = StreamContext::default().identify(buffer);
        let part = Arc::new(Part { id: "P".into(), ..Part::default() });
        let second = StreamContext { part: Some(part.clone()), ..Default::default() }.identify(buffer);
        assert_eq!((second.run, second.id), (first.run, first.id));
        assert_eq!(second.part, Some(part), "a part that becomes known later is filled in");
    }

    #[test]
    fn capture_time_comes_from_the_reference_timestamp() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let b = buffer.get_mut().unwrap();
        let caps = gst::Caps::new_empty_simple("timestamp/x-ntp");
        let at = gst::ClockTime::from_seconds(NTP_TO_UNIX_S + 5);
        gst::ReferenceTimestampMeta::add(b, &caps, at, gst::ClockTime::NONE);
        assert_eq!(StreamContext::default().identify(b).captured_utc_ns, Some(5_000_000_000));
    }

    #[test]
    fn fields_may_name_the_part() {
        gst::init().unwrap();
        let mut context = StreamContext::default();
        let fields = Fields::from([("part".into(), 17.into()), ("sku".into(), "A".into())]);
        assert!(context.observe(&AndonEvent::Fields(fields).to_event()).unwrap().is_ok());
        let part = context.part.unwrap();
        assert_eq!((part.id.as_str(), part.sku.as_str()), ("17", "A"));
    }
}
