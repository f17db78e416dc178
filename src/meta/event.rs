// SPDX-License-Identifier: MPL-2.0
//! The custom events `andon/…`, by which elements and applications speak to the elements downstream.
//!
//! | event | kind | fields |
//! |---|---|---|
//! | `andon/arm` | sticky | `arm` string: `a` or `b` |
//! | `andon/part` | sticky | `id`, `sku`, `lot`, `station`, `purpose` strings; `view`, `views` uint; `trigger-utc-ns` uint64 |
//! | `andon/fields` | sticky or plain | any: every field of the structure is a named field, but for `complete` boolean and `remove`, a string or an array of strings: names |
//! | `andon/late` | plain | `run` string, `frame-id` uint64, `pts` uint64 (ns), `element`, `arm`, `json` strings: a result that came after its frame had left |
//! | `andon/dropped` | plain | `run` string, `frame-ids` array of uint64: frames that arm b does not get |
//! | `andon/drift` | plain | `state`, `cause` strings, `since-frame` uint64, `json` string |
//! | `andon/split` | sticky | `mode`, `key` strings, `weight` double: how abtee hands out the frames that follow |
//! | `andon/ab-decision` | upstream | `decision` string: `promote` or `abort`; `act` string: `none`, or `a` for arm a alone |

use std::{str::FromStr, sync::Arc};

use andon_core::{
    result::{Arm, Fields, Part, Purpose, SplitKey, TeeMode, bounds},
    text::{BadName, check_value},
};
use andon_statistics::{cause::Cause, judgement::Decision, meter::State};
use gst::prelude::*;
use uuid::Uuid;

use super::vocabulary;

/// The content of an `andon/…` event.
#[derive(Clone, Debug, PartialEq)]
pub enum AndonEvent {
    /// The arm that what follows belongs to.
    Arm(Arm),
    /// The part that the next frames show.
    Part(Arc<Part>),
    /// Values of named fields.
    Fields(FieldsChange),
    /// The result of a frame that has gone on already.
    Late(Late),
    /// Frames that arm b does not get.
    Dropped {
        /// The run that the ids belong to.
        run: Uuid,
        /// The ids of the frames.
        frame_ids: Vec<u64>,
    },
    /// A change of the drift state.
    Drift(Drift),
    /// How abtee hands out the frames that follow.
    Split(Split),
    /// What abjoin has decided about the arms, for abtee.
    Decision(AbDecision),
}

/// Values of named fields from here on.
///
/// An application sends what has changed. Each Andon element adds that to what it knows, and sends the complete set on, as a
/// sticky event: who comes later must know all fields, and a pad keeps only the last event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldsChange {
    /// The new values.
    pub values: Fields,
    /// Names of fields that have no value from here on.
    pub remove: Vec<String>,
    /// Fields that are not named here have no value. Otherwise they keep theirs.
    pub complete: bool,
}

impl From<Fields> for FieldsChange {
    fn from(values: Fields) -> Self {
        Self { values, ..Self::default() }
    }
}

impl FieldsChange {
    /// Makes the change to exactly these fields.
    pub fn complete(values: Fields) -> Self {
        Self { values, remove: Vec::new(), complete: true }
    }

    /// Returns what `fields` are from here on.
    ///
    /// # Errors
    /// The fields before and those of the event are more than a frame may have.
    pub fn applied(&self, fields: &Fields) -> Result<Fields, EventError> {
        let mut all = if self.complete { Fields::new() } else { fields.clone() };
        all.extend(self.values.clone());
        if !self.remove.is_empty() {
            all.retain(|name, _| !self.remove.contains(name));
        }
        bounds::check_fields(&all)?;
        Ok(all)
    }
}

/// How abtee hands out frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Which arms get a frame.
    pub mode: TeeMode,
    /// The share of the keys that go to arm b alone, 0..1; 0 unless `mode` is `split`.
    pub weight: f64,
    /// What the choice of an arm goes by.
    pub key: SplitKey,
}

/// What abjoin has decided about the arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbDecision {
    /// The decision: [`Decision::Promote`] or [`Decision::Abort`].
    pub decision: Decision,
    /// What abtee must do about it.
    pub act: Act,
}

/// What abtee must do about a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    None,
    /// Give every frame to arm a alone.
    A,
}

impl Act {
    /// The name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Act::None => "none",
            Act::A => "a",
        }
    }
}

/// A result that came after its frame had left.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    /// The run that the id belongs to.
    pub run: Uuid,
    /// The id of the frame.
    pub frame_id: u64,
    /// The presentation time of the frame, ns.
    pub pts_ns: Option<u64>,
    /// The element that judged the frame; empty if the event does not say.
    pub element: String,
    /// The arm of the result: b if the event does not say, as a waits for nobody.
    pub arm: Arm,
    /// The result, schema `andon.inference/1`.
    pub json: String,
}

/// A change of the drift state.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The new state.
    pub state: State,
    /// The name of what drifted, or `None` if nothing did. An empty string in the event.
    pub cause: Option<Cause>,
    /// The first frame in this state.
    pub since_frame: u64,
    /// The whole report, schema `andon.drift/1`.
    pub json: String,
}

/// An event that has the name of one of Andon's, but not its content.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EventError {
    /// A field is missing, or has another type.
    #[error("{event}: {error}")]
    Field {
        /// The name of the event.
        event: String,
        /// What is wrong with the field.
        error: String,
    },
    /// A field has a value that it cannot have.
    #[error("{event}: {field}: {error}")]
    Value {
        /// The name of the event.
        event: String,
        /// The name of the field.
        field: &'static str,
        /// What is wrong, and what is expected.
        error: String,
    },
    /// A field of `andon/part` is no count.
    #[error("andon/part: {0} must be a whole number from 0")]
    Count(&'static str),
    /// A text is too long, or holds a character that no name may.
    #[error("{event}: {field} {why}")]
    Text {
        /// The name of the event.
        event: String,
        /// The name of the field.
        field: &'static str,
        /// What is wrong with it.
        why: BadName,
    },
    /// A part that cannot be one, also if fields name it.
    #[error("{event}: {why}")]
    Part {
        /// The name of the event.
        event: &'static str,
        /// What is wrong.
        why: bounds::BadPart,
    },
    /// An event names a part, and the property `part-by` makes parts.
    #[error(
        "{event} names part '{id}' and part-by={by} makes parts of frames by itself: frames go by part-by; to go by \
             {event}, set part-by to nothing"
    )]
    Told {
        /// The name of the event.
        event: &'static str,
        /// The part's id.
        id: String,
        /// What the property says.
        by: String,
    },
    /// Two barcodes on one frame.
    #[error(
        "part-by=barcode: one frame shows the barcodes '{one}' and '{other}', which name two parts: the frames that \
             follow are of none, until one barcode alone is read"
    )]
    Barcodes {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
    /// Fields that no frame may have.
    #[error("andon/fields: {0}")]
    Fields(#[from] bounds::BadFields),
    /// The JSON of an event is too long.
    #[error("{event}: json has {bytes} bytes, and {MOST_JSON} is the most")]
    Json {
        /// The name of the event.
        event: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// An `andon/dropped` names too many frames.
    #[error("andon/dropped: {0} frame-ids, and {MOST_DROPPED} is the most of one event")]
    Dropped(usize),
    /// The weight of `andon/split` is no share.
    #[error("andon/split: weight is {0}, and must be 0..1")]
    Weight(f64),
    /// An `andon/ab-decision` says something that abtee cannot do.
    #[error("andon/ab-decision: decision={decision} act={act}: decision must be promote or abort, act none or a")]
    Decision {
        /// The decision.
        decision: String,
        /// The act.
        act: String,
    },
}

impl EventError {
    /// Returns what tells this kind of error from the others: the event, and what is wrong with it. Of each kind, only the
    /// first is told.
    pub(crate) fn kind(&self) -> (&str, &str) {
        match self {
            EventError::Field { event, .. } => (event, ""),
            EventError::Value { event, field, .. } | EventError::Text { event, field, .. } => (event, field),
            EventError::Count(field) => ("andon/part", field),
            EventError::Part { event, why } => (event, why.field()),
            EventError::Told { event, .. } => (event, "part-by"),
            EventError::Barcodes { .. } => ("part-by=barcode", "two"),
            EventError::Fields(why) => ("andon/fields", why.kind()),
            EventError::Json { event, .. } => (event, "json"),
            EventError::Dropped(_) => ("andon/dropped", "frame-ids"),
            EventError::Weight(_) => ("andon/split", "weight"),
            EventError::Decision { .. } => ("andon/ab-decision", ""),
        }
    }
}

/// Returns whether a refused event was to name a part. The frames that follow are then of none: they are never those of
/// the part before.
pub(crate) fn names_a_part(event: &gst::EventRef) -> bool {
    event.structure().is_some_and(|s| match s.name().as_str() {
        "andon/part" => true,
        "andon/fields" => s.has_field(PART),
        _ => false,
    })
}

/// The longest JSON of an event, bytes: more than that of a late result full of masks.
const MOST_JSON: usize = 16 << 20;
/// The most frames that one `andon/dropped` names.
const MOST_DROPPED: usize = 65_536;

impl AndonEvent {
    /// Makes the event to push or send: `Arm`, `Part`, `Fields` and `Split` sticky, `Decision` upstream, all others
    /// plain.
    pub fn to_event(&self) -> gst::Event {
        let s = self.structure();
        vocabulary::assert_event(&s);
        match self {
            AndonEvent::Arm(_) | AndonEvent::Part(_) | AndonEvent::Fields(_) | AndonEvent::Split(_) => {
                gst::event::CustomDownstreamSticky::new(s)
            }
            AndonEvent::Decision(_) => gst::event::CustomUpstream::new(s),
            _ => gst::event::CustomDownstream::new(s),
        }
    }

    /// Makes the event as one that does not stick.
    pub fn plain(&self) -> gst::Event {
        gst::event::CustomDownstream::new(self.structure())
    }

    fn structure(&self) -> gst::Structure {
        match self {
            AndonEvent::Arm(arm) => gst::Structure::builder("andon/arm").field("arm", arm.as_str()).build(),
            AndonEvent::Part(p) => {
                let s = gst::Structure::builder("andon/part")
                    .field("id", &p.id)
                    .field("sku", &p.sku)
                    .field("lot", &p.lot)
                    .field("station", &p.station)
                    .field("view", p.view)
                    .field("views", p.views)
                    .field("purpose", p.purpose.as_str());
                match p.trigger_utc_ns {
                    Some(t) => s.field("trigger-utc-ns", t).build(),
                    None => s.build(),
                }
            }
            AndonEvent::Fields(change) => {
                let mut s = fields_structure(&change.values);
                if change.complete {
                    s.set(COMPLETE, true);
                }
                if !change.remove.is_empty() {
                    s.set(REMOVE, gst::Array::new(&change.remove));
                }
                s
            }
            AndonEvent::Late(l) => {
                let s = gst::Structure::builder("andon/late")
                    .field("run", l.run.to_string())
                    .field("frame-id", l.frame_id)
                    .field("element", &l.element)
                    .field("arm", l.arm.as_str())
                    .field("json", &l.json);
                match l.pts_ns {
                    Some(pts) => s.field("pts", pts).build(),
                    None => s.build(),
                }
            }
            AndonEvent::Dropped { run, frame_ids } => gst::Structure::builder("andon/dropped")
                .field("run", run.to_string())
                .field("frame-ids", gst::Array::new(frame_ids))
                .build(),
            AndonEvent::Drift(d) => gst::Structure::builder("andon/drift")
                .field("state", d.state.as_str())
                .field("cause", d.cause.map_or("", Cause::as_str))
                .field("since-frame", d.since_frame)
                .field("json", &d.json)
                .build(),
            AndonEvent::Split(s) => gst::Structure::builder("andon/split")
                .field("mode", s.mode.as_str())
                .field("weight", s.weight)
                .field("key", s.key.to_string())
                .build(),
            AndonEvent::Decision(d) => gst::Structure::builder("andon/ab-decision")
                .field("decision", d.decision.as_str())
                .field("act", d.act.as_str())
                .build(),
        }
    }

    /// Reads an event. Returns `None` if it is not one of Andon's, and an error if it has the name of one but not its
    /// content.
    pub fn parse(event: &gst::EventRef) -> Option<Result<Self, EventError>> {
        let s = event.structure()?;
        Some(match s.name().as_str() {
            "andon/arm" => value(s, "arm").map(AndonEvent::Arm),
            "andon/part" => part(s).map(|p| AndonEvent::Part(Arc::new(p))),
            "andon/fields" => fields_change(s).map(AndonEvent::Fields),
            "andon/late" => late(s).map(AndonEvent::Late),
            "andon/dropped" => dropped(s),
            "andon/drift" => drift(s).map(AndonEvent::Drift),
            "andon/split" => split(s).map(AndonEvent::Split),
            "andon/ab-decision" => decision(s).map(AndonEvent::Decision),
            _ => return None,
        })
    }
}

/// Reads a field of a GStreamer type.
fn get<'a, T: glib::value::FromValue<'a>>(s: &'a gst::StructureRef, name: &str) -> Result<T, EventError> {
    s.get(name).map_err(|e| EventError::Field { event: s.name().to_string(), error: e.to_string() })
}

/// Reads a string field that stands for a value.
fn value<T: FromStr<Err: ToString>>(s: &gst::StructureRef, field: &'static str) -> Result<T, EventError> {
    parsed(s, field, &text(s, field)?)
}

/// Reads a string field that is a name, or short in any case.
fn text(s: &gst::StructureRef, field: &'static str) -> Result<String, EventError> {
    checked(s, field, get(s, field)?)
}

fn checked(s: &gst::StructureRef, field: &'static str, text: String) -> Result<String, EventError> {
    match check_value(&text) {
        Ok(()) => Ok(text),
        Err(why) => Err(EventError::Text { event: s.name().to_string(), field, why }),
    }
}

fn parsed<T: FromStr<Err: ToString>>(s: &gst::StructureRef, field: &'static str, text: &str) -> Result<T, EventError> {
    text.parse().map_err(|e: T::Err| EventError::Value { event: s.name().to_string(), field, error: e.to_string() })
}

fn part(s: &gst::StructureRef) -> Result<Part, EventError> {
    let text = |name| s.get_optional::<String>(name).ok().flatten().unwrap_or_default();
    let count = |name, default| match s.value(name) {
        Err(_) => Ok(default),
        Ok(v) => {
            let n = v.get::<u32>().ok().or_else(|| v.get::<i32>().ok().and_then(|n| n.try_into().ok()));
            n.ok_or(EventError::Count(name))
        }
    };
    let part = Part {
        id: get(s, "id")?,
        sku: text("sku"),
        lot: text("lot"),
        station: text("station"),
        view: count("view", 0)?,
        views: count("views", 1)?,
        purpose: match s.get_optional::<String>("purpose") {
            Ok(Some(purpose)) => parsed(s, "purpose", &checked(s, "purpose", purpose)?)?,
            _ => Purpose::default(),
        },
        trigger_utc_ns: s.get("trigger-utc-ns").ok(),
    };
    bounds::check_part(&part).map_err(|why| EventError::Part { event: "andon/part", why })?;
    Ok(part)
}

fn json(s: &gst::StructureRef, event: &'static str) -> Result<String, EventError> {
    let json = get::<String>(s, "json")?;
    if json.len() > MOST_JSON { Err(EventError::Json { event, bytes: json.len() }) } else { Ok(json) }
}

fn late(s: &gst::StructureRef) -> Result<Late, EventError> {
    let element = if s.has_field("element") { text(s, "element")? } else { String::new() };
    let arm = if s.has_field("arm") { value(s, "arm")? } else { Arm::B };
    let (run, frame_id, json) = (value(s, "run")?, get(s, "frame-id")?, json(s, "andon/late")?);
    Ok(Late { run, frame_id, pts_ns: s.get("pts").ok(), element, arm, json })
}

fn dropped(s: &gst::StructureRef) -> Result<AndonEvent, EventError> {
    let ids = get::<gst::ArrayRef>(s, "frame-ids")?;
    if ids.len() > MOST_DROPPED {
        return Err(EventError::Dropped(ids.len()));
    }
    let frame_ids = ids.iter().filter_map(|v| v.get::<u64>().ok()).collect();
    Ok(AndonEvent::Dropped { run: value(s, "run")?, frame_ids })
}

fn drift(s: &gst::StructureRef) -> Result<Drift, EventError> {
    let cause = text(s, "cause")?;
    Ok(Drift {
        state: value(s, "state")?,
        cause: if cause.is_empty() { None } else { Some(parsed(s, "cause", &cause)?) },
        since_frame: get(s, "since-frame")?,
        json: json(s, "andon/drift")?,
    })
}

fn split(s: &gst::StructureRef) -> Result<Split, EventError> {
    let weight = get(s, "weight")?;
    if !(0.0..=1.0).contains(&weight) {
        return Err(EventError::Weight(weight));
    }
    Ok(Split { mode: value(s, "mode")?, weight, key: value(s, "key")? })
}

fn decision(s: &gst::StructureRef) -> Result<AbDecision, EventError> {
    let [decision, act] = [text(s, "decision")?, text(s, "act")?];
    let known = match decision.parse() {
        Ok(decision @ (Decision::Promote | Decision::Abort)) => Some(decision),
        _ => None,
    };
    match known.zip([Act::None, Act::A].into_iter().find(|a| a.as_str() == act)) {
        Some((decision, act)) => Ok(AbDecision { decision, act }),
        None => Err(EventError::Decision { decision, act }),
    }
}

/// The field of `andon/fields` that marks a complete set.
const COMPLETE: &str = "complete";
/// The field of `andon/fields` with the names of fields that have no value any more.
const REMOVE: &str = "remove";
/// The field of `andon/fields` that names a part by its id.
pub(crate) const PART: &str = "part";
/// How many fields of `andon/fields` are no named fields: [`COMPLETE`] and [`REMOVE`].
const OF_EVENT: usize = 2;

fn fields_change(s: &gst::StructureRef) -> Result<FieldsChange, EventError> {
    let refused =
        |field, error: &str| Err(EventError::Value { event: s.name().to_string(), field, error: error.to_string() });
    // Before a value is looked at, for each costs time.
    if s.n_fields() > bounds::FIELDS + OF_EVENT {
        return Err(bounds::BadFields::Many(s.n_fields()).into());
    }
    let complete = match s.value(COMPLETE).map(|v| v.get::<bool>()) {
        Ok(Ok(complete)) => complete,
        Ok(Err(_)) => return refused(COMPLETE, "must be a boolean: no field can have this name"),
        Err(_) => false,
    };
    let remove = match s.value(REMOVE) {
        Ok(value) => match (value.get::<String>(), value.get::<gst::ArrayRef>(), value.get::<gst::ListRef>()) {
            (Ok(names), ..) => names.split(',').map(|name| name.trim().to_string()).collect(),
            (_, Ok(names), _) => names.iter().filter_map(|name| name.get().ok()).collect(),
            (.., Ok(names)) => names.iter().filter_map(|name| name.get().ok()).collect(),
            _ => return refused(REMOVE, "must be names of fields: no field can have this name"),
        },
        Err(_) => Vec::new(),
    };
    let mut values = fields(s);
    values.remove(COMPLETE);
    values.remove(REMOVE);
    bounds::check_fields(&values)?;
    if let Some(name) = remove.iter().find(|name| values.contains_key(*name)) {
        return refused(REMOVE, &format!("{name} has a value in the same event: give it one, or remove it"));
    }
    if remove.len() > bounds::FIELDS {
        return refused(REMOVE, &format!("has {} names, and {} is the most", remove.len(), bounds::FIELDS));
    }
    Ok(FieldsChange { values, remove, complete })
}

/// Reads every field of a structure as a named field. A value that JSON has no type for becomes its GStreamer text.
pub fn fields(s: &gst::StructureRef) -> Fields {
    s.iter().map(|(name, value)| (name.to_string(), to_json(value))).collect()
}

/// Makes a structure of named fields.
pub(crate) fn fields_structure(fields: &Fields) -> gst::Structure {
    let mut s = gst::Structure::new_empty("andon/fields");
    for (name, value) in fields {
        s.set_value(name, to_value(value));
    }
    s
}

fn to_json(value: &glib::SendValue) -> serde_json::Value {
    if let Ok(v) = value.get::<bool>() {
        v.into()
    } else if let Ok(v) = value.get::<i32>() {
        v.into()
    } else if let Ok(v) = value.get::<u32>() {
        v.into()
    } else if let Ok(v) = value.get::<i64>() {
        v.into()
    } else if let Ok(v) = value.get::<u64>() {
        v.into()
    } else if let Ok(v) = value.get::<f64>() {
        v.into()
    } else if let Ok(v) = value.get::<f32>() {
        v.into()
    } else if let Ok(v) = value.get::<Option<String>>() {
        v.into()
    } else if let Ok(v) = value.get::<gst::ArrayRef>() {
        alike(v.iter().map(to_json).collect()).into()
    } else {
        value.serialize().map(|s| s.to_string()).unwrap_or_default().into()
    }
}

/// Makes the numbers of a list whole in all places or in none, as they are in a list of GStreamer's.
fn alike(list: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    // As `to_value` makes them: a number that is none stands among numbers with a fraction.
    if list.iter().all(serde_json::Value::is_i64) || !list.iter().any(serde_json::Value::is_number) {
        return list;
    }
    let with_fraction = |v: serde_json::Value| if v.is_number() { v.as_f64().into() } else { v };
    list.into_iter().map(with_fraction).collect()
}

fn to_value(value: &serde_json::Value) -> glib::SendValue {
    match value {
        // A number that is none, such as infinity: no text that says so, which would be a value.
        serde_json::Value::Null => None::<String>.to_send_value(),
        serde_json::Value::Bool(b) => b.to_send_value(),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(i) => i.to_send_value(),
            None => n.as_f64().unwrap_or(f64::NAN).to_send_value(),
        },
        serde_json::Value::String(s) => s.to_send_value(),
        // A list of GStreamer's has values of one type: numbers are whole in all places, or in none.
        serde_json::Value::Array(a)
            if a.iter().any(serde_json::Value::is_number) && !a.iter().all(serde_json::Value::is_i64) =>
        {
            gst::Array::new(a.iter().map(|v| v.as_f64().unwrap_or(f64::NAN))).to_send_value()
        }
        serde_json::Value::Array(a) => gst::Array::from_values(a.iter().map(to_value)).to_send_value(),
        other => other.to_string().to_send_value(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_none_stays_none_through_every_element() {
        gst::init().unwrap();
        let s = gst::Structure::builder("andon/fields").field("speed", f64::INFINITY).field("lot", "7");
        let s = s.field("zones", gst::Array::new([1.5, f64::NAN, 2.0])).build();
        let mut event = gst::event::CustomDownstream::new(s);
        for _ in 0..2 {
            let Some(Ok(AndonEvent::Fields(change))) = AndonEvent::parse(&event) else { panic!("{event:?}") };
            assert_eq!(change.values["zones"], serde_json::json!([1.5, null, 2.0]));
            assert_eq!((&change.values["speed"], &change.values["lot"]), (&serde_json::Value::Null, &"7".into()));
            event = AndonEvent::Fields(change).plain();
        }
    }

    #[test]
    fn every_event_says_what_was_put_in() {
        gst::init().unwrap();
        let run = Uuid::new_v4();
        let mut fields = Fields::new();
        fields.insert("line_speed".into(), 1.25.into());
        fields.insert("recipe".into(), "fast".into());
        fields.insert("zones".into(), vec![1, 2].into());
        let part = Part { id: "P".into(), view: 1, views: 2, trigger_utc_ns: Some(9), ..Part::default() };
        for event in [
            AndonEvent::Arm(Arm::B),
            AndonEvent::Part(Arc::new(part)),
            AndonEvent::Fields(fields.clone().into()),
            AndonEvent::Fields(FieldsChange::complete(fields)),
            AndonEvent::Fields(FieldsChange { remove: vec!["recipe".into()], ..FieldsChange::default() }),
            AndonEvent::Late(Late {
                run,
                frame_id: 7,
                pts_ns: Some(5),
                element: "m".into(),
                arm: Arm::A,
                json: "{}".into(),
            }),
            AndonEvent::Dropped { run, frame_ids: vec![1, 2] },
            AndonEvent::Drift(Drift { state: State::Ok, cause: None, since_frame: 3, json: "{}".into() }),
            AndonEvent::Drift(Drift {
                state: State::Drift,
                cause: Some(Cause::ModelInput),
                since_frame: 3,
                json: "{}".into(),
            }),
            AndonEvent::Split(Split { mode: TeeMode::Split, weight: 0.25, key: SplitKey::Field("sku".into()) }),
            AndonEvent::Decision(AbDecision { decision: Decision::Abort, act: Act::A }),
        ] {
            assert_eq!(AndonEvent::parse(&event.to_event()), Some(Ok(event)));
        }
    }

    #[test]
    fn a_split_sticks_and_a_decision_goes_upstream() {
        gst::init().unwrap();
        let split = Split { mode: TeeMode::A, weight: 0.0, key: SplitKey::Part };
        assert!(AndonEvent::Split(split).to_event().is_sticky());
        let decision = AbDecision { decision: Decision::Promote, act: Act::None };
        assert_eq!(AndonEvent::Decision(decision).to_event().type_(), gst::EventType::CustomUpstream);
    }

    fn why(s: gst::Structure) -> String {
        AndonEvent::parse(&gst::event::CustomDownstream::new(s)).unwrap().unwrap_err().to_string()
    }

    #[test]
    fn what_no_split_and_no_decision_can_be_is_refused_with_what_is_expected() {
        gst::init().unwrap();
        let split = |mode: &str, weight: f64, key: &str| {
            let s = gst::Structure::builder("andon/split").field("mode", mode).field("weight", weight);
            s.field("key", key).build()
        };
        let decision = |decision: &str, act: &str| {
            gst::Structure::builder("andon/ab-decision").field("decision", decision).field("act", act).build()
        };
        for (event, expected) in [
            (split("split", 1.5, "part"), "must be 0..1"),
            (split("both", 0.5, "part"), "andon/split: mode: 'both' is not one of shadow, split, a, b"),
            (split("split", 0.5, "sku"), "expected part, or field:NAME"),
            (decision("hold", "a"), "promote or abort, act none or a"),
            (decision("abort", "b"), "promote or abort, act none or a"),
        ] {
            let why = why(event);
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn a_drift_of_an_unknown_state_or_cause_is_refused_with_the_choices() {
        gst::init().unwrap();
        let drift = |state: &str, cause: &str| {
            let s = gst::Structure::builder("andon/drift").field("state", state).field("cause", cause);
            why(s.field("since-frame", 0_u64).field("json", "{}").build())
        };
        assert_eq!(
            drift("bad", ""),
            "andon/drift: state: 'bad' is not one of learning, provisional, ok, warning, drift"
        );
        let why = drift("drift", "../lighting");
        assert!(why.starts_with("andon/drift: cause: '../lighting' is not one of lighting, focus, colour"), "{why}");
    }

    #[test]
    fn a_view_beyond_the_views_is_refused_with_the_rule() {
        gst::init().unwrap();
        let part = Part { id: "P".into(), view: 2, views: 2, ..Part::default() };
        let event = AndonEvent::Part(Arc::new(part)).to_event();
        assert!(AndonEvent::parse(&event).unwrap().unwrap_err().to_string().contains("count from 0"));
    }

    #[test]
    fn what_is_longer_or_more_than_a_frame_may_say_is_refused_and_told_by_kind() {
        gst::init().unwrap();
        let long = "x".repeat(1 << 20);
        let part = |field: &str, value: &str| {
            gst::Structure::builder("andon/part").field("id", "P").field(field, value).build()
        };
        let fields = |n: usize| {
            let mut s = gst::Structure::new_empty("andon/fields");
            (0..n).for_each(|k| s.set(format!("f{k}"), k as u64));
            s
        };
        let run = Uuid::nil().to_string();
        let late = |element: &str, json: &str| {
            let s = gst::Structure::builder("andon/late").field("run", &run).field("frame-id", 1_u64);
            s.field("element", element).field("json", json).build()
        };
        let dropped = gst::Structure::builder("andon/dropped").field("run", &run);
        let dropped = dropped.field("frame-ids", gst::Array::new(0..65_537_u64)).build();
        for (event, kind, said) in [
            (part("sku", &long), ("andon/part", "sku"), "andon/part: sku has 1048576 bytes, and 256 is the most"),
            (part("lot", "7\n"), ("andon/part", "lot"), "lot '7\\n' holds the control character U+000A"),
            (part("id", ""), ("andon/part", "id"), "andon/part: id is empty"),
            (part("purpose", &long), ("andon/part", "purpose"), "purpose has 1048576 bytes"),
            (fields(20_000), ("andon/fields", "many"), "20000 named fields, and 256 is the most"),
            (late(&long, "{}"), ("andon/late", "element"), "element has 1048576 bytes"),
            (late("m", &long.repeat(17)), ("andon/late", "json"), "17825792 bytes, and 16777216 is the most"),
            (dropped, ("andon/dropped", "frame-ids"), "65537 frame-ids, and 65536 is the most"),
        ] {
            let event = gst::event::CustomDownstream::new(event);
            let error = AndonEvent::parse(&event).unwrap().unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(said) && error.to_string().len() < 500, "{error}");
        }
        assert!(AndonEvent::parse(&gst::event::CustomDownstream::new(fields(256))).unwrap().is_ok());
    }

    #[test]
    fn strangers_events_are_left_alone() {
        gst::init().unwrap();
        let event = gst::event::CustomDownstream::new(gst::Structure::new_empty("other/thing"));
        assert_eq!(AndonEvent::parse(&event), None);
        assert_eq!(AndonEvent::parse(&gst::event::Eos::new()), None);
    }
}
