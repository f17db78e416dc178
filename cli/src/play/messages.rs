// SPDX-License-Identifier: MPL-2.0
//! The messages of Andon's elements as lines: for people, or as JSON for programs.

use andon_core::result::utc_ns;
use andon_report::words::plain;
use gst::prelude::*;
use gstandon::meta::event;
use serde_json::{Value, json};

use super::listener::Listener;

/// Writes every message of Andon's elements as a line.
#[derive(Clone, Copy)]
pub struct Messages {
    /// Whether lines are JSON.
    pub json: bool,
}

impl Listener for Messages {
    fn hear(&mut self, message: &gst::Message) -> Vec<String> {
        self.of(message).into_iter().collect()
    }
}

impl Messages {
    /// Returns the line for a message, or None if the message is not one of Andon's.
    pub fn of(self, message: &gst::Message) -> Option<String> {
        let element = message.src().map(|s| s.name()).unwrap_or_default();
        self.line(&element, message.structure()?).map(|line| plain(&line).into_owned())
    }

    /// Returns the line for an `andon/…` structure of an element, or None for a structure of another name.
    fn line(self, element: &str, s: &gst::StructureRef) -> Option<String> {
        let what = s.name().strip_prefix("andon/")?;
        let mut fields = event::fields(s);
        let whole = fields.remove("json");
        if self.json {
            let data = whole
                .and_then(|j| serde_json::from_str::<Value>(j.as_str()?).ok())
                .unwrap_or_else(|| fields.into_iter().collect());
            // Nanoseconds of 1970 and a text: programs sort by the one, people read the other.
            let utc_ns = utc_ns();
            let utc = i64::try_from(utc_ns).ok().and_then(|ns| jiff::Timestamp::from_nanosecond(ns.into()).ok());
            let line = json!({
                "message": s.name().as_str(), "element": element, "utc_ns": utc_ns,
                "utc": utc.map(|t| format!("{t:.6}")), "data": data
            });
            return Some(line.to_string());
        }
        let mut line = format!("{element}: {what}");
        // In the element's own order: the main fact comes first.
        for (name, value) in s.iter().filter_map(|(name, _)| Some((name, fields.get(name.as_str())?))) {
            match value {
                Value::String(text) if text.is_empty() => {}
                Value::String(text) if !text.contains(char::is_whitespace) => line += &format!(" {name}={text}"),
                Value::Number(n) if n.is_f64() => {
                    line += &format!(" {name}={:.4}", n.as_f64().expect("is_f64 has just said so"));
                }
                other => line += &format!(" {name}={other}"),
            }
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> gst::Structure {
        gst::init().unwrap();
        gst::Structure::builder("andon/part-verdict")
            .field("verdict", "ng")
            .field("id", "lot 7/3")
            .field("score", 0.94_f64)
            .field("sku", "")
            .field("json", r#"{"schema":"andon.part-verdict/1","verdict":"ng"}"#)
            .build()
    }

    #[test]
    fn people_get_the_main_facts_in_one_line() {
        let line = Messages { json: false }.line("champion", &verdict()).unwrap();
        assert_eq!(line, r#"champion: part-verdict verdict=ng id="lot 7/3" score=0.9400"#);
    }

    #[test]
    fn programs_get_the_whole_document() {
        let line = Messages { json: true }.line("champion", &verdict()).unwrap();
        let v: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(v["message"], "andon/part-verdict");
        assert_eq!(v["element"], "champion");
        assert_eq!(v["data"]["schema"], "andon.part-verdict/1");
        let utc: jiff::Timestamp = v["utc"].as_str().unwrap().parse().unwrap();
        assert_eq!(utc.as_microsecond() as u64, v["utc_ns"].as_u64().unwrap() / 1000);
        assert!(utc_ns() - v["utc_ns"].as_u64().unwrap() < 60_000_000_000, "it is the time at which it was said");
    }

    #[test]
    fn a_message_without_a_document_gives_its_fields() {
        gst::init().unwrap();
        let s = gst::Structure::builder("andon/swap").field("accepted", true).build();
        let v: Value = serde_json::from_str(&Messages { json: true }.line("m", &s).unwrap()).unwrap();
        assert_eq!(v["data"]["accepted"], true);
    }

    #[test]
    fn other_peoples_messages_are_theirs() {
        gst::init().unwrap();
        assert_eq!(Messages { json: true }.line("level0", &gst::Structure::new_empty("level")), None);
    }
}
