// SPDX-License-Identifier: MPL-2.0
//! What a line answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The answer to a request: `{"request_id": 7, "error": "success", "data": …}`, or with another word and a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// That of the request.
    pub request_id: Value,
    /// `success`, or what kind of refusal it is.
    pub error: Outcome,
    /// Why it was refused and what to do, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done.
    Success,
    /// The line is no request: no JSON, an unknown name, a wrong argument.
    Invalid,
    /// No element of that name.
    UnknownElement,
    /// More than one element of that name, or more than one that comes into question.
    Ambiguous,
    /// The element has no such property.
    UnknownProperty,
    /// The element has no such action.
    UnknownAction,
    /// The value is of the wrong type, or out of bounds.
    BadValue,
    /// The property cannot be set, or not now.
    ReadOnly,
    /// The caller may not do this.
    NotAllowed,
    /// The element said no.
    NotAccepted,
    /// Too much is under way; ask again later.
    Busy,
    /// It took too long, and may still happen.
    Timeout,
    /// There is nothing to answer with, such as no frame yet.
    Unavailable,
    /// Something broke; the message says what.
    Failed,
}

impl Outcome {
    /// The word on the socket.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Invalid => "invalid",
            Outcome::UnknownElement => "unknown-element",
            Outcome::Ambiguous => "ambiguous",
            Outcome::UnknownProperty => "unknown-property",
            Outcome::UnknownAction => "unknown-action",
            Outcome::BadValue => "bad-value",
            Outcome::ReadOnly => "read-only",
            Outcome::NotAllowed => "not-allowed",
            Outcome::NotAccepted => "not-accepted",
            Outcome::Busy => "busy",
            Outcome::Timeout => "timeout",
            Outcome::Unavailable => "unavailable",
            Outcome::Failed => "failed",
        }
    }
}

/// A request that was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// The kind; never [`Outcome::Success`].
    pub outcome: Outcome,
    /// Why, and what to do about it.
    pub why: String,
}

impl Refusal {
    /// Makes a refusal.
    pub fn new(outcome: Outcome, why: impl Into<String>) -> Self {
        Self { outcome, why: why.into() }
    }
}

/// The first line that a client gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::PROTOCOL`] of the line.
    pub protocol: u32,
    /// The version of Andon.
    pub andon: String,
    /// The name of the line: `?name=`, or that of its program.
    pub name: String,
    /// The process.
    pub pid: u32,
    /// The run that the numbers of events belong to: one a process.
    pub run: Uuid,
    /// The number of the last event, 0 if there was none.
    pub seq: u64,
    /// What the client may do here.
    pub access: Access,
}

/// What a client may do; what comes later here may do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Look.
    Look,
    /// Look, set properties that name no file, call actions.
    Act,
    /// Everything: the process's own user, or root.
    Own,
}

/// An element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its path, which is its own in the process.
    pub path: String,
    /// Its kind, such as `modelinfer`.
    pub factory: String,
    /// Its state: `null`, `ready`, `paused` or `playing`.
    pub state: String,
    /// What it has, if that was asked for.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub described: Option<Described>,
}

/// The properties and actions of an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// The properties.
    pub properties: Vec<Property>,
    /// The actions.
    pub actions: Vec<Action>,
}

/// A property of an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its type: `bool`, `int`, `uint`, `int64`, `uint64`, `float`, `double`, `string`, `enum`, `structure`, or GObject's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value now.
    pub value: Value,
    /// Its value unless it was set.
    pub default: Value,
    /// The least and the largest value, of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(Value, Value)>,
    /// The nicks, of an enumeration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The unit of a number, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whether it can be set at all.
    pub writable: bool,
    /// Whether it can be set while the line plays.
    pub while_playing: bool,
    /// Whether it names a file or folder, so that only the process's own user and root may set it.
    pub names_path: bool,
    /// What it says.
    pub blurb: String,
}

/// An action of an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// Its arguments in their order: name and type.
    pub arguments: Vec<(String, String)>,
    /// What it does.
    pub what: String,
}

/// The answer to `set`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The value before.
    pub before: Value,
    /// The value that the element has now.
    pub after: Value,
}

/// The answer to `subscribe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscribed {
    /// The run that numbers belong to.
    pub run: Uuid,
    /// The number of the first event that is still kept; 0 if there is none.
    pub first: u64,
    /// The number of the last event.
    pub last: u64,
}

/// The answer to `snapshot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The element.
    pub element: String,
    /// Columns of the picture.
    pub width: u32,
    /// Rows of the picture.
    pub height: u32,
    /// The presentation time of the frame, ns.
    pub pts_ns: Option<u64>,
    /// Its number in the run of its stream, if it has one.
    pub frame_id: Option<u64>,
    /// When the frame went by, ns since 1970.
    pub utc_ns: u64,
    /// A JPEG, in base64.
    pub jpeg: String,
}

/// The statistics of elements by their names, or by their paths where two have one name.
pub type AllStats = BTreeMap<String, Value>;
