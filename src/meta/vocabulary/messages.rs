// SPDX-License-Identifier: MPL-2.0
//! The element messages.

use super::{Field, Kind, double, number, small, text};

/// An element message.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// The name of its structure.
    pub name: &'static str,
    /// The element that posts it.
    pub element: &'static str,
    /// The schema of its field `json`.
    pub schema: &'static str,
    /// When it is posted.
    pub when: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

const JSON: Field = text("json", "all facts");
const FRAME_ID: Field = number("frame-id", "", "the frame, unique within the run");
const DECIDES: Field =
    Field::new("decides", Kind::Bool, "", "whether the line goes by it: a challenger in shadow mode only watches");
const TIME: Field = number("duration", "ns", "the time since the request");
const FROM: Field = text("from", "the model that ran before, `NAME@VERSION`; empty if there was none");
const VERDICT_A: Field = text("verdict-a", "what arm a says");
const VERDICT_B: Field = text("verdict-b", "what arm b says");
const STATE: Field = text("state", "`learning`, `provisional`, `ok`, `warning` or `drift`");
const CAUSE: Field = text("cause", "what drifted; empty if nothing did");
const SINCE: Field = number("since-frame", "", "the first frame in this state");
const KEY: Field = text("key", "the value of `reference-key` whose reference was used; empty for the only one");
const OFF: Field = text("off", "the features that are off, each with its effect in σ");
const CAUSES: Field =
    text("causes", "the causes, each with its share: `80 % lighting, 20 % colour`; empty without a cause");
const SINCE_UTC: Field = number("since-utc", "ns", "when the state began, since 1970, UTC").or_none();
const SINCE_LOCAL: Field = text("since-local", "the same on the clock at the line, as RFC 3339 has it").or_none();
const SINCE_PTS: Field = number("since-pts", "ns", "the presentation time of the first frame in this state").or_none();
const SINCE_PART: Field =
    text("since-part", "the part at which the state began; empty if the stream names no parts").or_none();
const TIME_OF: Field =
    text("time-of", "whose time `since-utc` is: `capture` by the camera, or `arrival` at the first element").or_none();
const HELD: Field = number("held", "ns", "how long the state has held").or_none();
const SURE: Field = double("sure", "", "the largest score as a multiple of its threshold").or_none();
const EFFECTIVE: Field =
    double("effective-ticks", "ticks", "the independent ticks learned so far, or of the reference").or_none();
const EFFECTIVE_WANTED: Field =
    double("effective-wanted", "ticks", "the independent ticks wanted, while learning").or_none();
const LEARNED: Field = number("learned-frames", "frames", "the frames learned so far, while learning").or_none();
const LEAST: Field = number("least-frames", "frames", "the fewest frames to learn from, while learning").or_none();
const MOST: Field = number("most-frames", "frames", "the frames at which learning ends in any case").or_none();
const WAITS_FOR: Field = text("waits-for", "what learning waits for, in words, while learning").or_none();
const WEAK: Field = text("weak", "what is weak about the reference, in words; empty if it represents the scene");
const UNIT: Field =
    text("unit", "what the expected run length counts: `parts` if the stream tells them, else `frames`");
const DRIFT: &[Field] = &[
    STATE,
    CAUSE,
    CAUSES,
    SINCE,
    SINCE_UTC,
    SINCE_LOCAL,
    TIME_OF,
    SINCE_PTS,
    SINCE_PART,
    HELD,
    SURE,
    EFFECTIVE,
    EFFECTIVE_WANTED,
    LEARNED,
    LEAST,
    MOST,
    WAITS_FOR,
    UNIT,
    WEAK,
    KEY,
    OFF,
    JSON,
];
const LOCATION: Field = text("location", "the folder");

/// All messages, by element.
pub const MESSAGES: &[Message] = &[
    Message {
        name: "andon/inference",
        element: "modelinfer",
        schema: "andon.inference/1",
        when: "each frame, with `post-messages=true`",
        fields: &[
            text("element", "the name of the element that judged"),
            text("arm", "`a` or `b`"),
            DECIDES,
            FRAME_ID,
            number("pts", "ns", "the presentation time").or_none(),
            text("part", "the id of the part").or_none(),
            text("status", "`ok`, `skipped`, `error`, `missing-field` or `non-finite`"),
            text("verdict", "`ok`, `ng`, `review` or `unjudged`"),
            double("score", "0..1", "the score that decides the verdict"),
            small("detections", "count", "how many things the model found"),
            number("latency-us", "µs", "the time that judging took"),
            text("model", "`NAME@VERSION`"),
            JSON,
        ],
    },
    Message {
        name: "andon/part-verdict",
        element: "modelinfer",
        schema: "andon.part-verdict/1",
        when: "a part is judged, as `post-parts` has it: at its last view, or at `part-deadline`",
        fields: &[
            text("id", "the part's id, or RUN/FRAME for a frame that is a part of its own"),
            text("verdict", "`ok`, `ng`, `review` or `unjudged`"),
            double("score", "0..1", "the highest deciding score of its views"),
            text("arm", "the arm that judged"),
            DECIDES,
            text("element", "the name of the element whose result gave the verdict"),
            text("model", "the name of its model"),
            text("version", "the version of its model"),
            text("digest", "the digest of its model, `sha256:…`"),
            number("pts", "ns", "the presentation time of the last view").or_none(),
            number("utc", "ns", "when the verdict was given, UTC since 1970"),
            text("sku", "the product; empty if it is not known"),
            text("purpose", "`production`, `golden`, `setup` or `rework`"),
            small("views-seen", "count", "views that came"),
            small("views-judged", "count", "views that were judged"),
            Field::new("labels", Kind::Strings, "", "labels of what was found, each once"),
            JSON,
        ],
    },
    Message {
        name: "andon/unjudged",
        element: "modelinfer",
        schema: "andon.unjudged/1",
        when: "frames begin not to be judged",
        fields: &[FRAME_ID, text("status", "how judging went"), text("reason", "why"), JSON],
    },
    Message {
        name: "andon/model-loading",
        element: "modelinfer",
        schema: "andon.model-loading/1",
        when: "a model begins to load",
        fields: &[FROM, text("to", "the model, as it was asked for"), text("why", "`swap` or `alias`"), TIME, JSON],
    },
    Message {
        name: "andon/model-changed",
        element: "modelinfer",
        schema: "andon.model-changed/1",
        when: "another model runs",
        fields: &[
            FROM,
            text("to", "the model that runs, `NAME@VERSION`"),
            text("cause", "`swap`, `alias`, `rollback` or `guard`"),
            text("why", "the same as `cause`"),
            TIME,
            number("held", "ns", "the time that the exchange took of the streaming thread"),
            JSON,
        ],
    },
    Message {
        name: "andon/model-failed",
        element: "modelinfer",
        schema: "andon.model-failed/1",
        when: "a model could not be loaded, or did not prove itself",
        fields: &[
            text("from", "the same as `running`"),
            text("to", "the same as `model`"),
            text("why", "the same as `error`"),
            text("model", "the model, as it was asked for"),
            text("running", "the model that goes on, `NAME@VERSION`; empty if there is none"),
            text("error", "what went wrong, and what to do"),
            text("cause", "who asked: `swap`, `alias`, `rollback` or `guard`"),
            TIME,
            JSON,
        ],
    },
    Message {
        name: "andon/alias",
        element: "modelinfer",
        schema: "andon.alias/1",
        when: "the alias that `model` names cannot be followed any more, and when it can again",
        fields: &[
            text("model", "the value of the property"),
            text("state", "`unclear` or `followed`"),
            text("problem", "what is amiss, and what to do; empty if the alias is followed"),
            text("running", "the model that goes on, `NAME@VERSION`; empty if there is none"),
            JSON,
        ],
    },
    Message {
        name: "andon/model-proved",
        element: "modelinfer",
        schema: "andon.model-proved/1",
        when: "a new version has come through its probation",
        fields: &[FROM, text("to", "the version, `NAME@VERSION`"), text("why", "that no guard was broken"), TIME, JSON],
    },
    Message {
        name: "andon/model-rolled-back",
        element: "modelinfer",
        schema: "andon.model-rolled-back/1",
        when: "the model before runs again",
        fields: &[
            FROM,
            text("to", "the model that runs again, `NAME@VERSION`"),
            text("why", "what the guard says, or `asked for`"),
            TIME,
            JSON,
        ],
    },
    Message {
        name: "andon/provider-fallback",
        element: "modelinfer",
        schema: "andon.provider-fallback/1",
        when: "the model does not run on the preferred provider",
        fields: &[
            text("provider", "the execution provider that runs it"),
            text("wanted", "the property `execution-providers`"),
            text("reason", "why each preferred provider was not taken"),
            JSON,
        ],
    },
    Message {
        name: "andon/arm-out",
        element: "abtee",
        schema: "andon.arm-out/1",
        when: "arm b gets no more frames",
        fields: &[text("arm", "`b`"), text("reason", "why"), JSON],
    },
    Message {
        name: "andon/ramp",
        element: "abtee",
        schema: "andon.ramp/1",
        when: "a step of the ramp begins",
        fields: &[
            small("step", "count", "the step, from 1"),
            double("weight", "0..1", "the share of arm b in it"),
            JSON,
        ],
    },
    Message {
        name: "andon/ab",
        element: "abjoin",
        schema: "andon.ab/1",
        when: "every `report-interval`, when a model changes, and at the end",
        fields: &[
            number("compared", "count", "parts that both arms judged"),
            double("agreement", "0..1", "the share of them on which the arms agree").or_none(),
            double("kappa", "-1..1", "Cohen's kappa: agreement beyond chance").or_none(),
            JSON,
        ],
    },
    Message {
        name: "andon/ab-judgement",
        element: "abjoin",
        schema: "andon.ab-judgement/1",
        when: "the decision changes, after each `andon/ab`, and before the end",
        fields: &[
            text("decision", "`promote`, `hold` or `abort`"),
            text("design", "how parts came to the arms: `paired` or `split`"),
            text("reasons", "why"),
            number("labels-needed", "count", "labels until a decision is likely").or_none(),
            text("acted", "what was done about it").or_none(),
            JSON,
        ],
    },
    Message {
        name: "andon/disagreement",
        element: "abjoin",
        schema: "andon.disagreement/1",
        when: "the arms differ on a part",
        fields: &[text("id", "the part"), VERDICT_A, VERDICT_B, FRAME_ID, JSON],
    },
    Message {
        name: "andon/label-wanted",
        element: "abjoin",
        schema: "andon.label-wanted/1",
        when: "a part needs an inspection label",
        fields: &[
            text("id", "the part"),
            FRAME_ID,
            VERDICT_A,
            VERDICT_B,
            double("probability", "0..1", "the probability with which chance drew it"),
            JSON,
        ],
    },
    Message {
        name: "andon/drift",
        element: "driftmeter",
        schema: "andon.drift/1",
        when: "the state or the cause changes, learning begins, and each ten seconds (300 frames) of learning",
        fields: DRIFT,
    },
    Message {
        name: "andon/drift-report",
        element: "driftmeter",
        schema: "andon.drift/1",
        when: "every `report-interval`",
        fields: DRIFT,
    },
    Message {
        name: "andon/captured",
        element: "framesampler",
        schema: "andon.capture/1",
        when: "an image is written",
        fields: &[
            text("path", "the image"),
            text("run", "the run of the frame"),
            FRAME_ID,
            text("reason", "why it was captured, in words"),
            text("trigger", "the trigger's name"),
            JSON,
        ],
    },
    Message {
        name: "andon/capture-failed",
        element: "framesampler",
        schema: "andon.capture-failed/1",
        when: "captures begin to fail; once, until one succeeds again",
        fields: &[LOCATION, text("error", "what went wrong"), JSON],
    },
    Message {
        name: "andon/capture-resumed",
        element: "framesampler",
        schema: "andon.capture-resumed/1",
        when: "captures succeed again",
        fields: &[LOCATION, number("lost", "count", "captures lost in between"), JSON],
    },
];
