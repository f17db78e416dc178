// SPDX-License-Identifier: MPL-2.0
//! What a client may ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    event::Kind,
    reply::{Outcome, Refusal},
    strict::Strict,
};

/// The longest `who`, characters.
const LONGEST_WHO: usize = 100;

/// The longest `why`, characters.
const LONGEST_WHY: usize = 1000;

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

/// Why a line is no request, with its `request_id` as far as it could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Misread {
    /// That of the request; null if it could not be read.
    pub request_id: Value,
    /// Why.
    pub refusal: Refusal,
}

impl Envelope {
    /// Reads a line, with or without its end.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as [`Outcome::Invalid`].
    pub fn parse(line: &[u8]) -> Result<Self, Misread> {
        let misread = |request_id: &Value, why: String| Misread {
            request_id: request_id.clone(),
            refusal: Refusal::new(Outcome::Invalid, why),
        };
        let none = Value::Null;
        let text = std::str::from_utf8(line).map_err(|e| misread(&none, format!("the line is no UTF-8: {e}")))?;
        let Strict(value) = serde_json::from_str(text).map_err(|e| {
            // The column is what helps; the line is always the first.
            let why = e.to_string().replace("line 1 ", "");
            misread(&none, format!("the line is no JSON: {why}"))
        })?;
        let Value::Object(mut map) = value else {
            return Err(misread(
                &none,
                "a request is an object: {\"request_id\": 1, \"request\": \"elements\"}".into(),
            ));
        };
        let request_id = map.remove("request_id").unwrap_or_default();
        let mut words = |name: &str, most: usize| match map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                Err(misread(&request_id, format!("{name} has control characters")))
            }
            Some(Value::String(text)) if text.chars().count() > most => {
                Err(misread(&request_id, format!("{name} is longer than {most} characters")))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(misread(&request_id, format!("{name} is {other}, and has to be a text"))),
        };
        let (who, why) = (words("who", LONGEST_WHO)?, words("why", LONGEST_WHY)?);
        if !map.contains_key("request") {
            return Err(misread(&request_id, "\"request\" is missing, which names what is asked for".into()));
        }
        match serde_json::from_value(Value::Object(map)) {
            Ok(request) => Ok(Self { request_id, who, why, request }),
            Err(error) => Err(misread(&request_id, error.to_string())),
        }
    }

    /// The line with its end.
    pub fn line(&self) -> Vec<u8> {
        let mut value = serde_json::to_value(&self.request).unwrap_or_default();
        if let Value::Object(map) = &mut value {
            map.insert("request_id".into(), self.request_id.clone());
            let words = [("who", &self.who), ("why", &self.why)];
            for (name, text) in words.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))) {
                map.insert(name.into(), text.into());
            }
        }
        let mut line = value.to_string().into_bytes();
        line.push(b'\n');
        line
    }
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

    /// The element that it names, if it names one.
    pub fn element(&self) -> Option<&str> {
        match self {
            Request::Get { element, .. }
            | Request::Set { element, .. }
            | Request::Call { element, .. }
            | Request::Observe { element, .. } => Some(element),
            Request::Stats { element }
            | Request::Fields { element, .. }
            | Request::Part { element, .. }
            | Request::Snapshot { element, .. } => element.as_deref(),
            _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_are_written() {
        let lines = [
            r#"{"request":"elements"}"#,
            r#"{"request_id":[1,{"a":null}],"who":"maria","why":"the lamp is new","request":"set","element":"m","property":"threads","value":2}"#,
            r#"{"request_id":18446744073709551615,"request":"call","element":"s","action":"capture","arguments":{"count":10}}"#,
            r#"{"request":"observe","id":3,"element":"m"}"#,
            r#"{"request":"subscribe","kinds":["results","drift"],"since":{"run":"67e55044-10b1-426f-9247-bb680e5fe0c8","seq":9}}"#,
            r#"{"request":"unsubscribe"}"#,
            r#"{"request":"fields","values":{"line_speed":1.2}}"#,
            r#"{"request":"quit","who":null}"#,
        ];
        for line in lines {
            let read = Envelope::parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e:?}"));
            assert_eq!(Envelope::parse(&read.line()).unwrap(), read, "{line}");
        }
        let observe = Envelope::parse(lines[3].as_bytes()).unwrap().request;
        let expected = Request::Observe { id: 3, element: "m".into(), property: "stats".into(), every_ms: 1000 };
        assert_eq!(observe, expected);
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_number_where_it_has_one() {
        let deep = format!(r#"{{"request":"set","value":{}}}"#, "[".repeat(100_000));
        let long = format!(r#"{{"request_id":7,"request":"quit","who":"{}"}}"#, "x".repeat(101));
        let cases: [(&[u8], Value, &str); 17] = [
            (b"", Value::Null, "no JSON: EOF"),
            (b"hello", Value::Null, "no JSON"),
            (b"[1]", Value::Null, "a request is an object"),
            (b"\xff{}", Value::Null, "no UTF-8"),
            (b"{\"request\":\"quit\"}\0", Value::Null, "trailing characters"),
            (b"{\"request\":\"quit\"} {}", Value::Null, "trailing characters"),
            (deep.as_bytes(), Value::Null, "recursion limit"),
            (br#"{"request_id":7}"#, 7.into(), "\"request\" is missing"),
            (br#"{"request_id":"x","request":"dance"}"#, "x".into(), "unknown variant `dance`"),
            (br#"{"request_id":7,"request":"get","element":"m"}"#, 7.into(), "missing field `property`"),
            (br#"{"request_id":7,"request":"quit","now":true}"#, 7.into(), "unknown field `now`"),
            (br#"{"request_id":7,"request":"elements","describe":1}"#, 7.into(), "expected a boolean"),
            (
                br#"{"request":"set","element":"m","property":"p","value":1,"value":2}"#,
                Value::Null,
                "\"value\" is given twice",
            ),
            (
                br#"{"request":"set","element":"m","property":"p","value":{"a":1,"a":2}}"#,
                Value::Null,
                "\"a\" is given twice",
            ),
            (br#"{"request":"set","element":"m","property":"p","value":1e999}"#, Value::Null, "out of range"),
            (br#"{"request_id":7,"request":"quit","who":"a\u001b[31m"}"#, 7.into(), "who has control characters"),
            (long.as_bytes(), 7.into(), "who is longer than 100"),
        ];
        for (line, request_id, why) in cases {
            let shown: String = String::from_utf8_lossy(line).chars().take(90).collect();
            let misread = Envelope::parse(line).expect_err(&shown);
            assert_eq!(misread.request_id, request_id, "{shown}");
            assert_eq!(misread.refusal.outcome, Outcome::Invalid);
            assert!(misread.refusal.why.contains(why), "{shown}: {}", misread.refusal.why);
        }
    }
}
