// SPDX-License-Identifier: MPL-2.0
//! The state that a stream's `andon/…` events leave behind: arm, part, fields. Every element keeps one, and gives
//! frames their identity by it.

use std::sync::Arc;

use andon_core::result::{Arm, Fields, Frame, Part};
use gst::prelude::*;

use super::{
    AndonFrameMeta,
    event::{AndonEvent, EventError, FieldsChange},
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
    /// The part is named by the fields.
    part_of_fields: bool,
}

impl StreamContext {
    /// Takes in an event from the sink pad, and returns it if it is one of Andon's, or an error if it cannot be read.
    pub(crate) fn observe(&mut self, event: &gst::EventRef) -> Option<Result<AndonEvent, EventError>> {
        let parsed = AndonEvent::parse(event)?;
        match &parsed {
            Ok(AndonEvent::Arm(arm)) => self.arm = Some(*arm),
            Ok(AndonEvent::Part(part)) => (self.part, self.part_of_fields) = (Some(part.clone()), false),
            Ok(AndonEvent::Fields(change)) => {
                change.apply(Arc::make_mut(&mut self.fields));
                match part_of(&self.fields) {
                    Some(part) => (self.part, self.part_of_fields) = (Some(Arc::new(part)), true),
                    None if self.part_of_fields => (self.part, self.part_of_fields) = (None, false),
                    None => {}
                }
            }
            _ => {}
        }
        Some(parsed)
    }

    /// Returns the event to send on for one that was [observed](Self::observe): for `andon/fields` the complete set, sticky,
    /// so that whoever comes later knows all fields; any other event as it is.
    pub(crate) fn outgoing(&self, event: gst::Event) -> gst::Event {
        let is_fields = event.structure().is_some_and(|s| s.name() == "andon/fields");
        if !is_fields {
            return event;
        }
        let change = FieldsChange::complete((*self.fields).clone());
        let mut complete = AndonEvent::Fields(change).to_event();
        let to = complete.make_mut();
        to.set_seqnum(event.seqnum());
        to.set_running_time_offset(event.running_time_offset());
        complete
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
        assert!(context.observe(&AndonEvent::Fields(fields.into()).to_event()).unwrap().is_ok());
        let part = context.part.unwrap();
        assert_eq!((part.id.as_str(), part.sku.as_str()), ("17", "A"));
    }

    #[test]
    fn fields_merge_are_taken_back_and_go_on_complete() {
        gst::init().unwrap();
        let mut context = StreamContext::default();
        let set = |name: &str, value: i64| Fields::from([(name.to_string(), value.into())]);
        let mut send = |change: FieldsChange| {
            let event = AndonEvent::Fields(change).plain();
            context.observe(&event).unwrap().unwrap();
            let sent = context.outgoing(event.clone());
            assert!(sent.is_sticky() && sent.seqnum() == event.seqnum());
            match AndonEvent::parse(&sent) {
                Some(Ok(AndonEvent::Fields(change))) if change.complete => change.values,
                other => panic!("{other:?}"),
            }
        };
        send(set("speed", 1).into());
        let both = send(set("heat", 2).into());
        assert_eq!(both, Fields::from([("speed".into(), 1.into()), ("heat".into(), 2.into())]));
        let remove = FieldsChange { remove: vec!["speed".into()], ..FieldsChange::default() };
        assert_eq!(send(remove), set("heat", 2));
        assert_eq!(send(FieldsChange::complete(set("lot", 3))), set("lot", 3));
    }

    #[test]
    fn a_part_that_fields_name_goes_when_they_name_it_no_longer() {
        gst::init().unwrap();
        let mut context = StreamContext::default();
        let named = Fields::from([("part".into(), "P".into())]);
        context.observe(&AndonEvent::Fields(named.into()).to_event());
        assert!(context.part.is_some());
        let none = FieldsChange::complete(Fields::new());
        context.observe(&AndonEvent::Fields(none).to_event());
        assert!(context.part.is_none());
    }
}
