// SPDX-License-Identifier: MPL-2.0
//! The custom events.

use super::{Field, Kind, double, number, small, text};

/// Which way an event goes, and whether it stays with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Downstream, and held for whatever is linked later.
    Sticky,
    /// Downstream, once.
    Downstream,
    /// Upstream.
    Upstream,
}

impl Way {
    /// The name in the reference.
    pub fn name(self) -> &'static str {
        match self {
            Way::Sticky => "downstream, sticky",
            Way::Downstream => "downstream",
            Way::Upstream => "upstream",
        }
    }
}

/// A custom event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The name of its structure.
    pub name: &'static str,
    /// Which way it goes.
    pub way: Way,
    /// Who sends it.
    pub by: &'static str,
    /// What it says.
    pub what: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// Whether it may have any other field, too.
    pub has_any_field: bool,
}

const RUN: Field = text("run", "the run that gave the frame ids, a UUID");
const FRAME_ID: Field = number("frame-id", "", "the frame, unique within the run");

/// All events.
pub const EVENTS: &[Event] = &[
    Event {
        name: "andon/arm",
        way: Way::Sticky,
        by: "abtee",
        what: "The arm that all that follows belongs to.",
        fields: &[text("arm", "`a` or `b`")],
        has_any_field: false,
    },
    Event {
        name: "andon/part",
        way: Way::Sticky,
        by: "applications, sources",
        what: "The part that the next frames show.",
        fields: &[
            text("id", "unique among the parts of a line"),
            text("sku", "the product").or_none(),
            text("lot", "the batch that it was made in").or_none(),
            text("station", "where on the line the camera stands").or_none(),
            small("view", "count", "which view of the part, from 0; 0 if it is missing").or_none(),
            small(
                "views",
                "count",
                "how many views the part has; 0: as many as come before the next part; 1 if it is missing",
            )
            .or_none(),
            text("purpose", "`production` (if it is missing), `golden`, `setup` or `rework`").or_none(),
            number("trigger-utc-ns", "ns", "when the camera was triggered, UTC since 1970").or_none(),
        ],
        has_any_field: false,
    },
    Event {
        name: "andon/fields",
        way: Way::Sticky,
        by: "applications, sources",
        what: "Values of named fields, each a field of the structure. They are added to those before.",
        fields: &[
            Field::new("complete", Kind::Bool, "", "true: these are all fields, and no other is known any more")
                .or_none(),
            Field::new("remove", Kind::Strings, "", "fields that are known no more").or_none(),
        ],
        has_any_field: true,
    },
    Event {
        name: "andon/model",
        way: Way::Sticky,
        by: "modelinfer",
        what: "The model that judges the frames that follow.",
        fields: &[
            text("name", "its name"),
            text("version", "its version; empty for a bare file"),
            text("digest", "the digest of its graph, `sha256:…`"),
            text("element", "the name of the element that runs it").or_none(),
            text("arm", "the arm of that element, `a` or `b`").or_none(),
            text("reference", "the digest of its bundle's drift reference, if there is one").or_none(),
        ],
        has_any_field: false,
    },
    Event {
        name: "andon/split",
        way: Way::Sticky,
        by: "abtee",
        what: "How the frames that follow are handed to the arms.",
        fields: &[
            text("mode", "`shadow`, `split`, `a` or `b`"),
            double("weight", "0..1", "the share of the keys that go to arm b; 0 unless `mode` is `split`"),
            text("key", "`part`, or `field:NAME`: what the choice goes by"),
        ],
        has_any_field: false,
    },
    Event {
        name: "andon/dropped",
        way: Way::Downstream,
        by: "abtee, on arm b",
        what: "Frames that arm b does not get.",
        fields: &[RUN, Field::new("frame-ids", Kind::Uint64s, "", "the frames")],
        has_any_field: false,
    },
    Event {
        name: "andon/late",
        way: Way::Downstream,
        by: "abjoin",
        what: "A result of arm b that came when its frame had gone on.",
        fields: &[
            RUN,
            FRAME_ID,
            number("pts", "ns", "the presentation time of the frame").or_none(),
            text("element", "the name of the element that judged").or_none(),
            text("arm", "its arm").or_none(),
            text("json", "the result, schema `andon.inference/1`"),
        ],
        has_any_field: false,
    },
    Event {
        name: "andon/drift",
        way: Way::Downstream,
        by: "driftmeter",
        what: "The state or the cause of the drift has changed.",
        fields: &[
            text("state", "`learning`, `ok`, `warning` or `drift`"),
            text("cause", "what drifted; empty if nothing did"),
            number("since-frame", "", "the first frame in this state"),
            text("json", "the whole report, schema `andon.drift/1`"),
        ],
        has_any_field: false,
    },
    Event {
        name: "andon/ab-decision",
        way: Way::Upstream,
        by: "abjoin",
        what: "What was decided about the arms.",
        fields: &[
            text("decision", "`promote` or `abort`"),
            text("act", "what abtee must do: `none`, or `a`: every frame to arm a alone"),
        ],
        has_any_field: false,
    },
];
