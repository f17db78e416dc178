// SPDX-License-Identifier: MPL-2.0
//! What is printed while the pipeline plays: news, and not what is said of every part.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use andon_report::words::counted;
use gst::{MessageView, prelude::*};
use gstandon::meta::message::json_of;
use serde_json::{Value, json};

use super::{figures::Figures, log::Log};
use crate::play::{Listener, Voice};

/// Hears everything for the report, and has the news printed.
#[derive(Clone)]
pub struct Newsroom(Rc<Room>);

struct Room {
    voice: Voice,
    everything: bool,
    join: gst::Object,
    log: RefCell<Log>,
    told: RefCell<Told>,
}

/// What has been printed.
#[derive(Default)]
struct Told {
    /// The state of each abjoin's judgement: its models, the decision, and what was done.
    judgements: BTreeMap<String, [Value; 3]>,
    /// The last judgement, as a line, and whether that is printed.
    last: Option<(String, bool)>,
    labels_wanted: u64,
}

impl Newsroom {
    /// Listens to `join` for the report; `everything` prints what every element says.
    pub fn new(voice: Voice, everything: bool, join: &gst::Element) -> Self {
        let join = join.clone().upcast();
        Self(Rc::new(Room { voice, everything, join, log: RefCell::default(), told: RefCell::default() }))
    }

    /// All that `join` said.
    pub fn log(&self) -> Ref<'_, Log> {
        self.0.log.borrow()
    }
}

impl Listener for Newsroom {
    fn hear(&self, message: &gst::Message) -> Vec<String> {
        let room = &*self.0;
        if message.src() == Some(&room.join) {
            room.log.borrow_mut().hear(message);
        }
        let everything = room.everything || room.voice.json;
        if let MessageView::Eos(_) = message.view() {
            return if everything { Vec::new() } else { room.told.borrow_mut().at_the_end() };
        }
        let Some(line) = room.voice.of(message) else { return Vec::new() };
        let name = message.structure().map(|s| s.name().as_str()).unwrap_or_default();
        if everything {
            return vec![line];
        }
        let mut told = room.told.borrow_mut();
        match name {
            "andon/part-verdict" | "andon/ab" | "andon/disagreement" => Vec::new(),
            "andon/label-wanted" => told.wanted().into_iter().collect(),
            "andon/ab-judgement" => {
                let who = message.src().map(|s| s.name().to_string()).unwrap_or_default();
                let new = json_of(message, name).is_some_and(|judgement| told.is_new(who, &judgement));
                let printed = new || told.last.as_ref() == Some(&(line.clone(), true));
                told.last = Some((line.clone(), printed));
                if new { vec![line] } else { Vec::new() }
            }
            _ => vec![line],
        }
    }

    fn state(&self) -> String {
        let log = self.log();
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

impl Told {
    /// Whether the decision, or what was done about it, is another than before; a trial begins with `hold`.
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

    /// One more label; a line where they are 1, 10, 100…
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
        let mut told = Told::default();
        let mut new = |b: u32, decision: &str, acted: Value| {
            told.is_new("j".into(), &json!({"models": {"b": b}, "decision": decision, "acted": acted}))
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
        let mut told = Told::default();
        let lines: Vec<_> = (0..250).filter_map(|_| told.wanted()).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].starts_with("10 labels wanted so far"));
        assert!(told.at_the_end()[0].starts_with("250 labels wanted"));
    }
}
