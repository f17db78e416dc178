// SPDX-License-Identifier: MPL-2.0
//! What a line says, in words: values, events, gaps.

use andon_control::event::Happened;
use andon_report::words;
use serde_json::{Map, Value};

/// What stands first in a line about an event, because people look for it first.
const FIRST: [&str; 21] = [
    "state", "cause", "verdict", "id", "status", "decision", "reason", "reasons", "trigger", "from", "to", "who",
    "request", "element", "property", "action", "value", "before", "after", "accepted", "why",
];

/// What is of no use in a line for people: it is in the line already, or a number of the machine.
const NEVER: [&str; 3] = ["schema", "run", "json"];

/// The difference of the clock on the wall to UTC, s. Nothing where the system does not know it.
pub fn offset() -> i64 {
    glib::DateTime::now_local().map_or(0, |now| now.utc_offset().as_seconds())
}

/// The time on the wall of ns since 1970: `14:03:09`.
pub fn clock(utc_ns: u64, offset: i64) -> String {
    words::clock((utc_ns / 1_000_000_000) as f64 + offset as f64, true)
}

/// A value as people read it: a text without its quotes, anything else as JSON.
pub fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => words::UNKNOWN.into(),
        other => other.to_string(),
    }
}

/// The main facts of an event as `name=value`, most wanted first; what is nested, empty or known already is left out. What a
/// client asked for stands beside who it was.
pub fn facts(data: &Value) -> String {
    let Value::Object(all) = data else { return value(data) };
    let mut all = all.clone();
    for inner in ["request", "data", "arguments"] {
        if let Some(Value::Object(of)) = all.get(inner).cloned() {
            all.remove(inner);
            all.extend(of);
        }
    }
    let rest = all.keys().map(String::as_str).filter(|k| !FIRST.contains(k) && !NEVER.contains(k));
    FIRST.into_iter().chain(rest).filter_map(|name| fact(&all, name)).collect::<Vec<_>>().join(" ")
}

fn fact(all: &Map<String, Value>, name: &str) -> Option<String> {
    match all.get(name)? {
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) if text.contains(char::is_whitespace) => Some(format!("{name}={}", Value::from(&**text))),
        Value::Number(n) if n.is_f64() => Some(format!("{name}={:.4}", n.as_f64().unwrap_or(f64::NAN))),
        other => Some(format!("{name}={}", value(other))),
    }
}

/// An event in a line: when, its number, who says it, what.
pub fn event(event: &Happened, offset: i64) -> String {
    let (time, facts) = (clock(event.utc_ns, offset), facts(&event.data));
    let element = if event.element.is_empty() { "line" } else { &event.element };
    format!("{time} #{} {element}: {} {facts}", event.seq, name(&event.name)).trim_end().into()
}

/// The name of an event without what all of Andon's have.
pub fn name(name: &str) -> &str {
    name.strip_prefix("andon/").unwrap_or(name)
}

/// A gap, so that nobody takes it for silence.
pub fn gap(from: u64, to: u64, lost: u64, more: bool) -> String {
    let lost = match (lost, more) {
        (0, _) => "an unknown number of events".into(),
        (n, _) => words::counted(n, "event", "events"),
    };
    let numbers = if to >= from && to > 0 { format!(" (#{from} to #{to})") } else { String::new() };
    let more = if more { ", and whatever an earlier run still had to say" } else { "" };
    format!("!!! {lost} lost{numbers}{more}: they are not kept any more")
}

#[cfg(test)]
mod tests {
    use andon_control::event::Kind;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_is_a_line_with_the_main_facts_first() {
        let data = json!({
            "schema": "andon.drift/1", "cause": "lighting", "state": "drift", "features": [1, 2], "since-frame": 9,
            "note": "", "share": 0.81234567, "said": "two words"
        });
        let happened = Happened {
            run: Uuid::nil(),
            seq: 812,
            utc_ns: 3_723_000_000_000,
            kind: Kind::Drift,
            name: "andon/drift".into(),
            element: "meter".into(),
            path: "/p/meter".into(),
            data,
        };
        let line =
            "02:02:03 #812 meter: drift state=drift cause=lighting said=\"two words\" share=0.8123 since-frame=9";
        assert_eq!(event(&happened, 3600), line);
        let of_all = Happened { element: String::new(), name: "eos".into(), data: json!({}), ..happened };
        assert_eq!(event(&of_all, 0), "01:02:03 #812 line: eos");
    }

    #[test]
    fn what_a_client_did_is_said_with_who_it_was() {
        let set = json!({"request": "set", "element": "m", "property": "score-threshold", "value": 0.5});
        let data = json!({"who": "maria", "uid": 7, "why": null, "request": set, "error": "success",
            "data": {"before": 0.25, "after": 0.5}});
        let said = "who=maria request=set element=m property=score-threshold value=0.5000 before=0.2500 after=0.5000 \
                    error=success uid=7";
        assert_eq!(facts(&data), said);
        let call = json!({"request": "call", "element": "s", "action": "capture", "arguments": {"count": 3}});
        let said = facts(&json!({"who": "maria", "request": call}));
        assert_eq!(said, "who=maria request=call element=s action=capture count=3");
    }

    #[test]
    fn a_gap_says_how_much_it_is_and_when_nobody_knows() {
        assert_eq!(gap(5, 124, 120, false), "!!! 120 events lost (#5 to #124): they are not kept any more");
        let of_another_run = gap(0, 0, 0, true);
        assert!(
            of_another_run.contains("unknown number") && of_another_run.contains("earlier run"),
            "{of_another_run}"
        );
    }
}
