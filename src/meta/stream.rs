// SPDX-License-Identifier: MPL-2.0
//! The state that a stream's `andon/…` events leave behind: arm, part, fields. Every element keeps one, and gives
//! frames their identity by it.

use std::{mem, sync::Arc};

use andon_core::result::{Arm, Fields, Frame, Part, PartBy, bounds};

use super::{
    AndonFrameMeta,
    capture_time::{TaiOffset, captured_utc_ns},
    event::{AndonEvent, EventError, FieldsChange, PART, names_a_part},
    part_by::{PartRule, Parting, Trouble, product_of},
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
    /// How frames become parts, where a property says it.
    parting: Parting,
    /// What was wrong with the part of the last frame.
    trouble: Option<Trouble>,
}

impl StreamContext {
    /// Takes in an event from the sink pad, and returns it if it is one of Andon's, or an error if it cannot be read.
    ///
    /// An event that is refused changes nothing, but if it was to name a part, the frames that follow are of none.
    pub(crate) fn observe(&mut self, event: &gst::EventRef) -> Option<Result<AndonEvent, EventError>> {
        let taken = AndonEvent::parse(event)?.and_then(|parsed| {
            match &parsed {
                AndonEvent::Arm(arm) => self.arm = Some(*arm),
                AndonEvent::Part(part) => (self.part, self.part_of_fields) = (Some(part.clone()), false),
                AndonEvent::Fields(change) => self.set_fields(change)?,
                _ => {}
            }
            Ok(parsed)
        });
        if taken.is_err() && names_a_part(event) {
            self.forget_part();
        }
        Some(taken)
    }

    /// Lets go the part, because the next one was refused.
    pub(crate) fn forget_part(&mut self) {
        (self.part, self.part_of_fields) = (None, false);
        if self.fields.contains_key(PART) {
            Arc::make_mut(&mut self.fields).remove(PART);
        }
    }

    /// Takes in a change of the fields, and with it of the part that they name.
    ///
    /// # Errors
    /// They are more than a frame may have, or name a part that cannot be one. Then nothing has changed.
    pub(crate) fn set_fields(&mut self, change: &FieldsChange) -> Result<(), EventError> {
        let all = change.applied(&self.fields)?;
        match part_of(&all)? {
            Some(part) => (self.part, self.part_of_fields) = (Some(Arc::new(part)), true),
            None if self.part_of_fields => (self.part, self.part_of_fields) = (None, false),
            None => {}
        }
        self.fields = Arc::new(all);
        Ok(())
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

    /// Returns the frame's identity. The first Andon element that the frame meets puts it on the buffer, with the part
    /// that `rule` makes of it, if the element has one; all others follow it. `tai` says how a PTP time becomes the UTC
    /// of capture. [`take_trouble`](Self::take_trouble) returns what is wrong with the part.
    pub(crate) fn identify(&mut self, buffer: &mut gst::BufferRef, tai: &TaiOffset, rule: &PartRule) -> Frame {
        self.parting.follow(rule);
        let says = self.parting.says();
        if says {
            self.refuse_told();
        }
        let pts_ns = buffer.pts().map(gst::ClockTime::nseconds);
        match AndonFrameMeta::get(buffer) {
            Some(mut frame) if says => {
                if frame.first.is_none() && frame.part.is_none() {
                    self.part(&mut frame, pts_ns, rule);
                    AndonFrameMeta::set(buffer, frame.clone());
                } else if let Some(conflict) = self.parting.conflict(&frame) {
                    self.trouble = Some(conflict);
                }
                frame
            }
            Some(mut frame) => {
                let is_free = frame.first.as_ref().is_none_or(|first| !first.part_by.says());
                if is_free && frame.part.is_none() && self.part.is_some() {
                    frame.part = self.part.clone();
                    AndonFrameMeta::set(buffer, frame.clone());
                }
                frame
            }
            None => {
                let mut frame = Frame::new(self.part.clone());
                self.part(&mut frame, pts_ns, rule);
                frame.captured_utc_ns = captured_utc_ns(buffer, tai);
                AndonFrameMeta::set(buffer, frame.clone());
                frame
            }
        }
    }

    /// Gives a frame the part that the rule makes of it, and says whose rule it is.
    fn part(&mut self, frame: &mut Frame, pts_ns: Option<u64>, rule: &PartRule) {
        frame.first = Some(self.parting.first().clone());
        if self.parting.says() {
            let (part, trouble) = self.parting.part(frame, pts_ns, &self.fields, rule);
            frame.part = part;
            self.trouble = trouble.or(self.trouble.take());
        }
    }

    /// Refuses a part that an event names beside a property that makes parts. Where the property goes by that very field,
    /// both say the same.
    fn refuse_told(&mut self) {
        let Some(part) = self.part.take() else { return };
        let of_fields = mem::take(&mut self.part_of_fields);
        let by = &self.parting.first().part_by;
        if of_fields && *by == PartBy::Field(PART.into()) {
            return;
        }
        let event = if of_fields { "andon/fields" } else { "andon/part" };
        self.trouble = Some(Trouble::Refused(EventError::Told { event, id: part.id.clone(), by: by.to_string() }));
    }

    /// Returns what is wrong with the part of the last frame.
    pub(crate) fn take_trouble(&mut self) -> Option<Trouble> {
        self.trouble.take()
    }

    /// The stream was flushed: frames that were on their way are gone, and the next one begins a part.
    pub(crate) fn flush(&mut self, rule: &PartRule) {
        self.parting.jumped(rule);
    }
}

/// Reads a part from fields: `part` (its id), and `sku`, `lot`, `station`, `view`, `views`, `purpose` if they are
/// there. An empty `part`, such as a barcode that was not read, is none.
///
/// # Errors
/// What they name cannot be a part.
pub(crate) fn part_of(fields: &Fields) -> Result<Option<Part>, EventError> {
    let count = |name: &str| fields.get(name).and_then(|v| v.as_u64()).and_then(|v| u32::try_from(v).ok());
    let id = match fields.get(PART) {
        // A barcode that was not read.
        None | Some(serde_json::Value::Null) => return Ok(None),
        Some(serde_json::Value::String(s)) if s.is_empty() => return Ok(None),
        Some(serde_json::Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    };
    let part = Part { id, view: count("view").unwrap_or(0), views: count("views").unwrap_or(1), ..product_of(fields) };
    bounds::check_part(&part).map_err(|why| EventError::Part { event: "andon/fields", why })?;
    Ok(Some(part))
}

#[cfg(test)]
mod tests {
    use andon_core::result::First;

    use super::*;

    #[test]
    fn the_first_element_identifies_the_frame_and_the_next_keeps_its_identity() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().unwrap();
        let first = StreamContext::default().identify(buffer, &TaiOffset::default(), &PartRule::default());
        let part = Arc::new(Part { id: "P".into(), ..Part::default() });
        let mut told = StreamContext { part: Some(part.clone()), ..Default::default() };
        let second = told.identify(buffer, &TaiOffset::default(), &PartRule::default());
        assert_eq!((second.run, second.id), (first.run, first.id));
        assert_eq!(second.part, Some(part), "a part that becomes known later is filled in");
    }

    /// What an element of this name and this `part-by` makes of frames.
    fn rule(element: &str, part_by: &str) -> PartRule {
        let first = First { element: element.into(), part_by: part_by.parse().unwrap() };
        PartRule { first: Arc::new(first), ..PartRule::default() }
    }

    #[test]
    fn what_the_first_element_says_of_parts_holds_and_who_says_something_else_is_told_once() {
        gst::init().unwrap();
        let (tai, every) = (TaiOffset::default(), rule("abtee0", "every:2"));
        let mut first = StreamContext::default();
        let frame = |first: &mut StreamContext, rule: &PartRule| {
            let mut buffer = gst::Buffer::new();
            let frame = first.identify(buffer.get_mut().unwrap(), &tai, rule);
            (buffer, frame)
        };
        let (mut buffer, identity) = frame(&mut first, &every);
        let part = identity.part.unwrap();
        assert_eq!((part.view, part.views, first.take_trouble()), (0, 2, None));
        let later = |by: &str, buffer: &mut gst::Buffer| {
            let (mut context, rule) = (StreamContext::default(), rule("m", by));
            let event = AndonEvent::Part(Arc::new(Part { id: "E".into(), ..Part::default() })).plain();
            context.observe(&event).unwrap().unwrap();
            let frames = [(); 2].map(|()| {
                let frame = context.identify(buffer.get_mut().unwrap(), &tai, &rule);
                (frame.part.map(|p| p.id.clone()), context.take_trouble())
            });
            let [(id, trouble), (again, none)] = frames;
            assert_eq!((&id, none), (&again, None), "once");
            (id, trouble.map(|t| format!("{t:?}")).unwrap_or_default())
        };
        let refused = "Refused(Told { event: \"andon/part\", id: \"E\", by: \"every:2\" })";
        for (by, said) in [
            ("", ""),
            ("every:2", refused),
            ("frame", "abtee0 has part-by=every:2, and m, which comes after it, part-by=frame: set both to the same"),
        ] {
            let (id, trouble) = later(by, &mut buffer);
            assert!(id.as_ref() == Some(&part.id) && trouble.contains(said), "{by}: {id:?} {trouble}");
        }
        let (mut untold, _) = frame(&mut StreamContext::default(), &rule("abtee0", ""));
        let (_, trouble) = later("frame", &mut untold);
        assert!(
            trouble.contains("comes too late: abtee0 is the first") && trouble.contains("set part-by=frame on abtee0"),
            "{trouble}"
        );
        let mut of_source = gst::Buffer::new();
        AndonFrameMeta::set(of_source.get_mut().unwrap(), Frame::new(Some(part.clone())));
        let (id, trouble) = later("pause:5", &mut of_source);
        assert!(
            id.as_ref() == Some(&part.id) && trouble.contains("the source of the frames says already"),
            "{trouble}"
        );
        // A jump ends the part, and a change of the rule does, too.
        let ids = [false, true].map(|flushed| {
            if flushed {
                first.flush(&every);
            }
            frame(&mut first, &every).1.part.unwrap().id.clone()
        });
        assert!(ids[0] == part.id && ids[1] != part.id, "{ids:?}");
        assert_ne!(frame(&mut first, &rule("abtee0", "every:2")).1.part.unwrap().id, ids[1]);
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

    #[test]
    fn frames_behind_a_part_that_is_refused_are_of_no_part_and_fields_stay_bounded() {
        gst::init().unwrap();
        let known = || {
            let mut context = StreamContext::default();
            let fields = Fields::from([("part".into(), "P".into()), ("lot".into(), "7".into())]);
            context.observe(&AndonEvent::Fields(fields.into()).to_event()).unwrap().unwrap();
            assert_eq!(context.part.as_ref().unwrap().id, "P");
            context
        };
        let long = "x".repeat(257);
        let part = |field: &str| gst::Structure::builder("andon/part").field("id", "Q").field(field, &long).build();
        let fields = |name: &str| gst::Structure::builder("andon/fields").field("part", "Q").field(name, &long).build();
        for event in [part("sku"), part("id"), fields("sku"), fields("part")] {
            let mut context = known();
            let said = format!("{event:?}");
            assert!(context.observe(&gst::event::CustomDownstream::new(event)).unwrap().is_err(), "{said}");
            assert!(context.part.is_none(), "{said}");
            assert_eq!(context.fields.keys().collect::<Vec<_>>(), ["lot"], "{said}: else the part comes again");
        }
        let mut context = known();
        let full = |from: usize| {
            let values: Fields = (from..from + 200).map(|k| (format!("f{k}"), 1.into())).collect();
            AndonEvent::Fields(values.into()).plain()
        };
        assert!(context.observe(&full(0)).unwrap().is_ok());
        let more = context.observe(&full(200)).unwrap().unwrap_err().to_string();
        assert_eq!(more, "andon/fields: 402 named fields, and 256 is the most that a frame has");
        assert_eq!((context.fields.len(), context.part.unwrap().id.as_str()), (202, "P"), "nothing has changed");
    }
}
