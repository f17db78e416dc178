// SPDX-License-Identifier: MPL-2.0
//! Listens while the pipeline plays: keeps abjoin's messages for the report, and prints what is new.

use std::collections::BTreeMap;

use andon_report::words::counted;
use gst::{MessageView, prelude::*};
use gstandon::meta::message::json_of;
use serde_json::{Value, json};

use super::{figures::Figures, log::Log};
use crate::play::{Listener, Messages};

/// Keeps the messages of one abjoin, and chooses which messages of the pipeline are printed.
pub struct AbListener {
    messages: Messages,
    everything: bool,
    join: gst::Object,
    log: Log,
    printed: Printed,
}

/// What has been printed.
#[derive(Default)]
struct Printed {
    /// The last judgement of each abjoin: its models, the decision, and the action.
    judgements: BTreeMap<String, [Value; 3]>,
    /// The last judgement as a line, and whether that line is printed.
    last: Option<(String, bool)>,
    labels_wanted: u64,
}

impl AbListener {
    /// Listens to `join` for the report. `everything` prints the messages of every element.
    pub fn new(messages: Messages, everything: bool, join: &gst::Element) -> Self {
        let join = join.clone().upcast();
        Self { messages, everything, join, log: Log::default(), printed: Printed::default() }
    }

    /// Returns all messages of `join`.
    pub fn into_log(self) -> Log {
        self.log
    }
}

impl Listener for AbListener {
    fn hear(&mut self, message: &gst::Message) -> Vec<String> {
        if message.src() == Some(&self.join) {
            self.log.hear(message);
        } else {
            self.log.model(message);
        }
        let everything = self.everything || self.messages.json;
        if let MessageView::Eos(_) = message.view() {
            return if everything { Vec::new() } else { self.printed.at_the_end() };
        }
        let Some(line) = self.messages.of(message) else { return Vec::new() };
        let name = message.structure().map(|s| s.name().as_str()).unwrap_or_default();
        if everything {
            return vec![line];
        }
        let printed = &mut self.printed;
        match name {
            "andon/part-verdict" | "andon/ab" | "andon/disagreement" => Vec::new(),
            "andon/label-wanted" => printed.wanted().into_iter().collect(),
            "andon/ab-judgement" => {
                let join = message.src().map(|s| s.name().to_string()).unwrap_or_default();
                let new = json_of(message, name).is_some_and(|judgement| printed.is_new(join, &judgement));
                let shown = new || printed.last.as_ref() == Some(&(line.clone(), true));
                printed.last = Some((line.clone(), shown));
                if new { vec![line] } else { Vec::new() }
            }
            _ => vec![line],
        }
    }

    fn state(&self) -> String {
        let log = &self.log;
        let Some(ab) = log.reports.last().map(Figures) else { return String::new() };
        let mut state = format!("{} compared, {} differ", ab.count("/compared"), ab.different());
        if let Some(judgement) = log.judgements.last().map(Figures) {
            state += &format!(", {}", judgement.text("/decision"));
        }
        if log.labels_wanted.total > 0 {
            state += &format!(", {}", counted(log.labels_wanted.total, "label wanted", "labels wanted"));
        }
        state
    }
}

impl Printed {
    /// Returns whether the decision or the action differs from the one before. A trial begins with `hold`.
    fn is_new(&mut self, join: String, judgement: &Value) -> bool {
        let now = ["models", "decision", "acted"].map(|of| judgement[of].clone());
        let before = self.judgements.get(&join).filter(|before| before[0] == now[0]);
        let new = match before {
            Some(before) => *before != now,
            None => now[1..] != [json!("hold"), Value::Null],
        };
        self.judgements.insert(join, now);
        new
    }

    /// Counts a label that is wanted. Returns a line at 1, 10, 100…
    fn wanted(&mut self) -> Option<String> {
        self.labels_wanted += 1;
        let round = self.labels_wanted.ilog10();
        (self.labels_wanted == 10_u64.pow(round)).then(|| self.wanted_line())
    }

    fn wanted_line(&self) -> String {
        format!("{} so far; their ids are in the report", counted(self.labels_wanted, "label wanted", "labels wanted"))
    }

    fn at_the_end(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.last.take().and_then(|(line, printed)| (!printed).then_some(line)));
        lines.extend((self.labels_wanted > 0).then(|| self.wanted_line()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_is_news_where_the_decision_or_what_was_done_is_another() {
        let mut printed = Printed::default();
        let mut new = |b: u32, decision: &str, acted: Value| {
            printed.is_new("j".into(), &json!({"models": {"b": b}, "decision": decision, "acted": acted}))
        };
        assert!(!new(2, "hold", Value::Null), "every trial begins so");
        assert!(new(2, "promote", Value::Null));
        assert!(!new(2, "promote", Value::Null));
        assert!(new(2, "promote", json!("champion of s: 1 → 2")));
        assert!(!new(3, "hold", Value::Null), "a new trial");
        assert!(new(3, "abort", Value::Null));
        assert!(new(3, "hold", Value::Null), "the same trial, begun anew");
    }

    #[test]
    fn wanted_labels_are_told_ever_more_seldom_and_at_the_end() {
        let mut printed = Printed::default();
        let lines: Vec<_> = (0..250).filter_map(|_| printed.wanted()).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].starts_with("10 labels wanted so far"));
        assert!(printed.at_the_end()[0].starts_with("250 labels wanted"));
    }
}
