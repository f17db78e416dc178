// SPDX-License-Identifier: MPL-2.0
//! What a line says by itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::reply::Hello;

/// A kind of events, which a client subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What elements post on the bus, but for what the other kinds are; also the line's errors, warnings, ends and states.
    Messages,
    /// Verdicts on parts, and what abjoin makes of its arms.
    Judgements,
    /// States of drift.
    Drift,
    /// The result of every frame. They are made while somebody subscribes to them, and for 10 minutes after.
    Results,
    /// What clients did: who, what, why.
    Control,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] = [Kind::Messages, Kind::Judgements, Kind::Drift, Kind::Results, Kind::Control];

    /// The name on the socket.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Messages => "messages",
            Kind::Judgements => "judgements",
            Kind::Drift => "drift",
            Kind::Results => "results",
            Kind::Control => "control",
        }
    }
}

/// A line that is no reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The greeting.
    Hello(Hello),
    /// Something happened.
    Happened(Happened),
    /// The value of an observed property.
    Value {
        /// The client's number of the observation.
        id: u64,
        /// The element.
        element: String,
        /// The property.
        property: String,
        /// The value; null when the element is gone, which ends the observation.
        value: Value,
    },
    /// Events that are not kept any more.
    Gap {
        /// The run.
        run: Uuid,
        /// The first number that is missing.
        from: u64,
        /// The last number that is missing.
        to: u64,
        /// How many events that is, of every kind.
        lost: u64,
        /// Whether there may be more, which nobody knows of: the client was of another run.
        #[serde(default)]
        more: bool,
    },
}

/// Something that happened in the line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// The run that the number belongs to.
    pub run: Uuid,
    /// Its number, from 1, of all kinds together.
    pub seq: u64,
    /// When, ns since 1970.
    pub utc_ns: u64,
    /// The kind.
    pub kind: Kind,
    /// What: the name of a message (`andon/swap`), `andon/result`, `eos`, `error`, `warning`, `state`, `control`, or
    /// `lost` for what came faster than it could be kept.
    pub name: String,
    /// The element's name; empty for what is of the whole process.
    pub element: String,
    /// The element's path.
    pub path: String,
    /// All about it.
    pub data: Value,
}
