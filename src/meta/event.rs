// SPDX-License-Identifier: MPL-2.0
//! The custom events `andon/…`: what elements and applications tell the elements downstream.
//!
//! | event | kind | fields |
//! |---|---|---|
//! | `andon/arm` | sticky | `arm` string: `a` or `b` |
//! | `andon/part` | sticky | `id`, `sku`, `lot`, `station`, `purpose` strings; `view`, `views` uint; `trigger-utc-ns` uint64 |
//! | `andon/fields` | sticky or plain | any: every field of the structure is a named field |
//! | `andon/late` | plain | `run` string, `frame-id` uint64, `pts` uint64 (ns), `json` string: the outcome that came late |
//! | `andon/dropped` | plain | `run` string, `frame-ids` array of uint64: frames that arm b will never see |
//! | `andon/drift` | plain | `state`, `cause` strings, `since-frame` uint64, `json` string |
//! | `andon/split` | sticky | `mode`, `key` strings, `weight` double: how abtee hands out what follows |
//! | `andon/ab-decision` | upstream | `decision` string: `promote` or `abort`; `act` string: `none`, or `a` for arm a alone |

use std::sync::Arc;

use andon_core::result::{Arm, Fields, Part, UnknownName};
use gst::prelude::*;
use uuid::Uuid;

/// What an `andon/…` event says.
#[derive(Clone, Debug, PartialEq)]
pub enum AndonEvent {
    /// Which arm what follows belongs to.
    Arm(Arm),
    /// The part that the next frames show.
    Part(Arc<Part>),
    /// New values of named fields; others keep theirs.
    Fields(Fields),
    /// The outcome of a frame that has gone by already.
    Late(Late),
    /// Frames that arm b will never see.
    Dropped {
        /// The process start that gave the ids.
        run: Uuid,
        /// Their ids.
        frame_ids: Vec<u64>,
    },
    /// The state of drift has changed.
    Drift(Drift),
    /// How abtee hands out the frames that follow.
    Split(Split),
    /// What abjoin has made of the arms, for abtee.
    Decision(AbDecision),
}

/// How abtee hands out frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// `shadow`, `split`, `a` or `b`.
    pub mode: String,
    /// The share of the keys that arm b alone is given, 0..1; 0 unless `mode` is `split`.
    pub weight: f64,
    /// By what it is chosen: `part` or `field:NAME`.
    pub key: String,
}

/// What abjoin has made of the arms.
#[derive(Clone, Debug, PartialEq)]
pub struct AbDecision {
    /// `promote` or `abort`.
    pub decision: String,
    /// What abtee is to do: `none`, or `a` to give every frame to arm a alone.
    pub act: String,
}

impl AbDecision {
    /// The event that goes up arm a to abtee.
    pub fn to_upstream_event(&self) -> gst::Event {
        AndonEvent::Decision(self.clone()).to_event()
    }
}

/// What came after its frame had left.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    /// The process start that gave the id.
    pub run: Uuid,
    /// The frame it is about.
    pub frame_id: u64,
    /// Its presentation time, ns.
    pub pts_ns: Option<u64>,
    /// The outcome, schema `andon.inference/1`.
    pub json: String,
}

/// A change of the drift state.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// `learning`, `ok`, `warning` or `drift`.
    pub state: String,
    /// `lighting`, `focus`…; empty while there is none.
    pub cause: String,
    /// The frame since which it holds.
    pub since_frame: u64,
    /// Everything, schema `andon.drift/1`.
    pub json: String,
}

impl AndonEvent {
    /// The event to push or send. `Arm`, `Part` and `Split` are sticky; `Fields` too, by [`AndonEvent::plain`] not.
    /// `Decision` goes upstream.
    pub fn to_event(&self) -> gst::Event {
        let s = self.structure();
        match self {
            AndonEvent::Arm(_) | AndonEvent::Part(_) | AndonEvent::Fields(_) | AndonEvent::Split(_) => {
                gst::event::CustomDownstreamSticky::new(s)
            }
            AndonEvent::Decision(_) => gst::event::CustomUpstream::new(s),
            _ => gst::event::CustomDownstream::new(s),
        }
    }

    /// The same as an event that does not stick.
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
            AndonEvent::Fields(fields) => {
                let mut s = gst::Structure::new_empty("andon/fields");
                for (name, value) in fields {
                    s.set_value(name, to_value(value));
                }
                s
            }
            AndonEvent::Late(l) => {
                let s = gst::Structure::builder("andon/late")
                    .field("run", l.run.to_string())
                    .field("frame-id", l.frame_id)
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
                .field("state", &d.state)
                .field("cause", &d.cause)
                .field("since-frame", d.since_frame)
                .field("json", &d.json)
                .build(),
            AndonEvent::Split(s) => gst::Structure::builder("andon/split")
                .field("mode", &s.mode)
                .field("weight", s.weight)
                .field("key", &s.key)
                .build(),
            AndonEvent::Decision(d) => {
                gst::Structure::builder("andon/ab-decision").field("decision", &d.decision).field("act", &d.act).build()
            }
        }
    }

    /// Reads an event; none where it is not Andon's, an error where it is but says nothing sensible.
    pub fn parse(event: &gst::EventRef) -> Option<Result<Self, String>> {
        let s = event.structure()?;
        Some(match s.name().as_str() {
            "andon/arm" => {
                string(s, "arm").and_then(|a| a.parse().map_err(|e: UnknownName| e.to_string())).map(AndonEvent::Arm)
            }
            "andon/part" => part(s).map(|p| AndonEvent::Part(Arc::new(p))),
            "andon/fields" => Ok(AndonEvent::Fields(fields(s))),
            "andon/late" => late(s).map(AndonEvent::Late),
            "andon/dropped" => dropped(s),
            "andon/drift" => drift(s).map(AndonEvent::Drift),
            "andon/split" => split(s).map(AndonEvent::Split),
            "andon/ab-decision" => decision(s).map(AndonEvent::Decision),
            _ => return None,
        })
    }
}

fn string(s: &gst::StructureRef, name: &str) -> Result<String, String> {
    s.get::<String>(name).map_err(|e| format!("{}: {e}", s.name()))
}

fn run(s: &gst::StructureRef) -> Result<Uuid, String> {
    string(s, "run")?.parse().map_err(|e| format!("{}: run: {e}", s.name()))
}

fn part(s: &gst::StructureRef) -> Result<Part, String> {
    let text = |name| s.get_optional::<String>(name).ok().flatten().unwrap_or_default();
    let count = |name, default| match s.value(name) {
        Err(_) => Ok(default),
        Ok(v) => {
            let n = v.get::<u32>().ok().or_else(|| v.get::<i32>().ok().and_then(|n| n.try_into().ok()));
            n.ok_or_else(|| format!("andon/part: {name} must be a whole number from 0"))
        }
    };
    let part = Part {
        id: string(s, "id")?,
        sku: text("sku"),
        lot: text("lot"),
        station: text("station"),
        view: count("view", 0)?,
        views: count("views", 1)?,
        purpose: match s.get_optional::<String>("purpose") {
            Ok(Some(p)) => p.parse().map_err(|e: UnknownName| e.to_string())?,
            _ => Default::default(),
        },
        trigger_utc_ns: s.get("trigger-utc-ns").ok(),
    };
    if part.view >= part.views {
        return Err(format!("andon/part: view {} of {} views: views count from 0", part.view, part.views));
    }
    Ok(part)
}

fn late(s: &gst::StructureRef) -> Result<Late, String> {
    let frame_id = s.get("frame-id").map_err(|e| format!("andon/late: {e}"))?;
    Ok(Late { run: run(s)?, frame_id, pts_ns: s.get("pts").ok(), json: string(s, "json")? })
}

fn dropped(s: &gst::StructureRef) -> Result<AndonEvent, String> {
    let ids = s.get::<gst::ArrayRef>("frame-ids").map_err(|e| format!("andon/dropped: {e}"))?;
    let frame_ids = ids.iter().filter_map(|v| v.get::<u64>().ok()).collect();
    Ok(AndonEvent::Dropped { run: run(s)?, frame_ids })
}

fn drift(s: &gst::StructureRef) -> Result<Drift, String> {
    Ok(Drift {
        state: string(s, "state")?,
        cause: string(s, "cause")?,
        since_frame: s.get("since-frame").map_err(|e| format!("andon/drift: {e}"))?,
        json: string(s, "json")?,
    })
}

fn split(s: &gst::StructureRef) -> Result<Split, String> {
    let weight = s.get("weight").map_err(|e| format!("andon/split: {e}"))?;
    if !(0.0..=1.0).contains(&weight) {
        return Err(format!("andon/split: weight is {weight}, and must be 0..1"));
    }
    Ok(Split { mode: string(s, "mode")?, weight, key: string(s, "key")? })
}

fn decision(s: &gst::StructureRef) -> Result<AbDecision, String> {
    let d = AbDecision { decision: string(s, "decision")?, act: string(s, "act")? };
    if !["promote", "abort"].contains(&&*d.decision) || !["none", "a"].contains(&&*d.act) {
        let AbDecision { decision, act } = d;
        return Err(format!(
            "andon/ab-decision: decision={decision} act={act}: decision must be promote or abort, act none or a"
        ));
    }
    Ok(d)
}

/// Every field of a structure as a named field; what JSON has no word for becomes its GStreamer serialisation.
pub fn fields(s: &gst::StructureRef) -> Fields {
    s.iter().map(|(name, value)| (name.to_string(), to_json(value))).collect()
}

/// Named fields as a structure, for properties.
pub fn fields_structure(fields: &Fields) -> gst::Structure {
    AndonEvent::Fields(fields.clone()).structure()
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
        v.iter().map(to_json).collect::<Vec<_>>().into()
    } else {
        value.serialize().map(|s| s.to_string()).unwrap_or_default().into()
    }
}

fn to_value(value: &serde_json::Value) -> glib::SendValue {
    match value {
        serde_json::Value::Bool(b) => b.to_send_value(),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(i) => i.to_send_value(),
            None => n.as_f64().unwrap_or(f64::NAN).to_send_value(),
        },
        serde_json::Value::String(s) => s.to_send_value(),
        serde_json::Value::Array(a) => gst::Array::from_values(a.iter().map(to_value)).to_send_value(),
        other => other.to_string().to_send_value(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            AndonEvent::Fields(fields),
            AndonEvent::Late(Late { run, frame_id: 7, pts_ns: Some(5), json: "{}".into() }),
            AndonEvent::Dropped { run, frame_ids: vec![1, 2] },
            AndonEvent::Drift(Drift { state: "ok".into(), cause: "".into(), since_frame: 3, json: "{}".into() }),
            AndonEvent::Split(Split { mode: "split".into(), weight: 0.25, key: "field:sku".into() }),
            AndonEvent::Decision(AbDecision { decision: "abort".into(), act: "a".into() }),
        ] {
            assert_eq!(AndonEvent::parse(&event.to_event()), Some(Ok(event)));
        }
    }

    #[test]
    fn a_split_sticks_and_a_decision_goes_upstream() {
        gst::init().unwrap();
        let split = Split { mode: "a".into(), weight: 0.0, key: "part".into() };
        assert!(AndonEvent::Split(split).to_event().is_sticky());
        let decision = AbDecision { decision: "promote".into(), act: "none".into() };
        assert_eq!(decision.to_upstream_event().type_(), gst::EventType::CustomUpstream);
    }

    #[test]
    fn what_no_split_and_no_decision_can_be_is_refused_with_what_is_expected() {
        gst::init().unwrap();
        let split = AndonEvent::Split(Split { mode: "split".into(), weight: 1.5, key: "part".into() });
        let decision = AndonEvent::Decision(AbDecision { decision: "hold".into(), act: "b".into() });
        for (event, expected) in [(split, "must be 0..1"), (decision, "promote or abort, act none or a")] {
            let why = AndonEvent::parse(&event.to_event()).unwrap().unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn a_view_beyond_the_views_is_refused_with_the_rule() {
        gst::init().unwrap();
        let part = Part { id: "P".into(), view: 2, views: 2, ..Part::default() };
        let event = AndonEvent::Part(Arc::new(part)).to_event();
        assert!(AndonEvent::parse(&event).unwrap().unwrap_err().contains("count from 0"));
    }

    #[test]
    fn strangers_events_are_left_alone() {
        gst::init().unwrap();
        let event = gst::event::CustomDownstream::new(gst::Structure::new_empty("other/thing"));
        assert_eq!(AndonEvent::parse(&event), None);
        assert_eq!(AndonEvent::parse(&gst::event::Eos::new()), None);
    }
}
