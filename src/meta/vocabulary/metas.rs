// SPDX-License-Identifier: MPL-2.0
//! The metas on buffers, and the structures by which results are mirrored.

use super::{Field, Kind, double, number, text};

/// A structure that buffers carry.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// The name: of the custom meta, or META/PARAMETER for a structure among a meta's parameters.
    pub name: &'static str,
    /// What it says.
    pub what: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// All structures that any language can read.
pub const METAS: &[Meta] = &[
    Meta {
        name: "AndonResult",
        what: "What was decided about the frame: a `GstCustomMeta`, one a buffer.",
        fields: RESULT,
    },
    Meta {
        name: "GstVideoRegionOfInterestMeta/detection",
        what: "One detection of the deciding models: `roi_type` is the label, the rectangle is in pixels of this buffer.",
        fields: &[
            Field::new("label_id", Kind::Int, "", "index of the label in the model's list"),
            text("label", "the label"),
            double("confidence", "0..1", "the score"),
            double("x_min", "share of the width", "left edge"),
            double("x_max", "share of the width", "right edge"),
            double("y_min", "share of the height", "upper edge"),
            double("y_max", "share of the height", "lower edge"),
            double("rotation", "radians", "the angle of an oriented box, clockwise").or_none(),
            double("width", "pixels", "the width of an oriented box before the rotation").or_none(),
            double("height", "pixels", "the height of an oriented box before the rotation").or_none(),
            text("element", "the name of the element whose model found it"),
        ],
    },
    Meta {
        name: "GstVideoRegionOfInterestMeta/classification",
        what: "What a later model says of the whole region.",
        fields: &[
            Field::new("label_id", Kind::Int, "", "index of the label in the model's list"),
            text("label", "the label"),
            double("confidence", "0..1", "the score"),
            text("element", "the name of the element that says so"),
        ],
    },
];

/// The fields of `AndonResult`.
pub const RESULT: &[Field] = &[
    text("verdict", "`ok`, `ng`, `review` or `unjudged`"),
    text("status", "`ok`, `skipped`, `error`, `missing-field` or `non-finite`; only `ok` carries a verdict"),
    double("score", "0..1", "the score that decides the verdict"),
    text("run", "the run that gave the frame id, a UUID"),
    number("frame-id", "", "the frame, unique within the run"),
    text("part", "the id of the part; empty if there is none"),
    text("element", "the name of the element whose result gave the verdict"),
    text("arm", "its arm, `a` or `b`"),
    text("model", "the name of its model"),
    text("version", "the version of its model"),
    text("digest", "the digest of its model, `sha256:…`"),
    number("latency", "ns", "the time that judging took"),
    text("json", "all deciding results, schema `andon.result/1`; with `result-json=true`").or_none(),
];
