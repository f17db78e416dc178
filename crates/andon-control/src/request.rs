// SPDX-License-Identifier: MPL-2.0
//! What a client may ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::event::Kind;

/// A request, with what goes around it: `{"request_id": 7, "who": "maria", "why": "the lamp is new", "request": "set", …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Comes back with the reply; any JSON, null if none was given.
    pub request_id: Value,
    /// Who asks, in the client's own words. Believed from root, the line's own user and the socket's group only.
    pub who: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// What is asked.
    pub request: Request,
}

/// A request.
///
/// `element` names an element by its name, or by its whole path (`/GstPipeline:pipeline0/GstModelInfer:champion`) where two
/// pipelines of the process have one of that name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Which elements there are: [`crate::reply::Element`] for each.
    Elements {
        /// With their properties and actions: [`crate::reply::Described`].
        #[serde(default)]
        describe: bool,
    },
    /// The value of a property.
    Get {
        /// The element.
        element: String,
        /// The property.
        property: String,
    },
    /// Sets a property. The reply has the value `before` and `after`: [`crate::reply::Changed`].
    Set {
        /// The element.
        element: String,
        /// The property.
        property: String,
        /// The value: a number, true or false, a text; an enumeration by its nick; a structure as its text or as an object.
        value: Value,
    },
    /// Calls an action, such as `capture`. The reply says whether the element accepted it.
    Call {
        /// The element.
        element: String,
        /// The action.
        action: String,
        /// Its arguments by name; all of them.
        #[serde(default)]
        arguments: BTreeMap<String, Value>,
    },
    /// The statistics of an element, or of all by their names.
    Stats {
        /// The element; all if none.
        #[serde(default)]
        element: Option<String>,
    },
    /// Sends the value of a property now, and from here on whenever it has changed, at most once in `every_ms`.
    Observe {
        /// The client's number for it, which comes with each value.
        id: u64,
        /// The element.
        element: String,
        /// The property.
        #[serde(default = "stats")]
        property: String,
        /// Time between two looks, ms: 20 to 3,600,000.
        #[serde(default = "a_second")]
        every_ms: u64,
    },
    /// Ends an observation.
    Unobserve {
        /// The client's number.
        id: u64,
    },
    /// Sends events from here on, or from where the client was. A second one replaces the first.
    Subscribe {
        /// Which kinds; all but results if none are named.
        #[serde(default)]
        kinds: Vec<Kind>,
        /// Of which elements, by name or path; of all if none are named.
        #[serde(default)]
        elements: Vec<String>,
        /// The last event that the client has seen: what came after it is sent first.
        #[serde(default)]
        since: Option<Since>,
    },
    /// Ends the subscription.
    Unsubscribe {},
    /// Sets named fields of the frames from here on.
    Fields {
        /// The element at which they enter the stream; may be left out if only one comes into question.
        #[serde(default)]
        element: Option<String>,
        /// Values by name.
        #[serde(default)]
        values: BTreeMap<String, Value>,
        /// Names of fields that have no value from here on.
        #[serde(default)]
        remove: Vec<String>,
        /// Fields that are not named here have no value.
        #[serde(default)]
        complete: bool,
    },
    /// Says that the next frames show this part.
    Part {
        /// The element at which it enters the stream; may be left out if only one comes into question.
        #[serde(default)]
        element: Option<String>,
        /// The part, by the names of `andon/part`: `id`, `sku`, `lot`, `station`, `view`, `views`, `purpose`, `trigger-utc-ns`.
        part: BTreeMap<String, Value>,
    },
    /// A picture of the last frame: [`crate::reply::Snapshot`].
    Snapshot {
        /// The element whose output it shows; may be left out if only one comes into question.
        #[serde(default)]
        element: Option<String>,
        /// With what was found drawn into it.
        #[serde(default)]
        overlay: bool,
        /// The widest it may be, pixels; a wider frame is made smaller.
        #[serde(default)]
        max_width: Option<u32>,
        /// The quality of the JPEG, 1..100.
        #[serde(default = "fine")]
        quality: u8,
    },
    /// Ends the streams: every element sees its end, and files are closed. Under `andon run` and gst-launch only.
    Quit {},
}

fn stats() -> String {
    "stats".into()
}

fn a_second() -> u64 {
    1000
}

fn fine() -> u8 {
    85
}

/// The last event that a client has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The run of the line that it belongs to. Of another run, everything that is kept is sent, after a gap of unknown size.
    pub run: Uuid,
    /// Its number; 0 for what is kept of the whole run.
    pub seq: u64,
}

impl Request {
    /// The name on the socket.
    pub fn name(&self) -> &'static str {
        match self {
            Request::Elements { .. } => "elements",
            Request::Get { .. } => "get",
            Request::Set { .. } => "set",
            Request::Call { .. } => "call",
            Request::Stats { .. } => "stats",
            Request::Observe { .. } => "observe",
            Request::Unobserve { .. } => "unobserve",
            Request::Subscribe { .. } => "subscribe",
            Request::Unsubscribe {} => "unsubscribe",
            Request::Fields { .. } => "fields",
            Request::Part { .. } => "part",
            Request::Snapshot { .. } => "snapshot",
            Request::Quit {} => "quit",
        }
    }

    /// Returns whether it only looks, and so is answered on the read-only socket.
    pub fn only_looks(&self) -> bool {
        !matches!(
            self,
            Request::Set { .. }
                | Request::Call { .. }
                | Request::Fields { .. }
                | Request::Part { .. }
                | Request::Quit {}
        )
    }
}
