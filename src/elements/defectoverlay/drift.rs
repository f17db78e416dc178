// SPDX-License-Identifier: MPL-2.0
//! What `driftmeter` upstream says, as a line on the frame.

use std::collections::BTreeMap;

use andon_statistics::{
    cause::Cause,
    meter::{DriftReport, MOST_KEYS, State},
};

use super::{
    canvas::{Canvas, Rgb},
    font::{self, COLUMN, LINE},
    style::{BLACK, GREY, RED, WHITE, YELLOW, fitting, scale},
};
use crate::meta::event::AndonEvent;

/// What is said of one reference.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    state: State,
    line: String,
}

/// What is said of all references, by key.
#[derive(Debug, Default)]
pub(super) struct Drifts(BTreeMap<String, Said>);

impl Drifts {
    /// Takes an event. Another's event, and one that cannot be read, change nothing.
    pub(super) fn event(&mut self, event: &gst::EventRef) {
        if event.structure().is_none_or(|s| s.name() != "andon/drift") {
            return;
        }
        let Some(Ok(AndonEvent::Drift(drift))) = AndonEvent::parse(event) else { return };
        let Ok(report) = serde_json::from_str::<DriftReport>(&drift.json) else { return };
        let key = report.key.to_string();
        match line(&report) {
            None => drop(self.0.remove(&key)),
            Some(line) if self.0.len() < MOST_KEYS || self.0.contains_key(&key) => {
                self.0.insert(key, Said { state: report.state, line });
            }
            Some(_) => {}
        }
    }

    /// Returns what is to be shown: the worst.
    pub(super) fn worst(&self) -> Option<&Said> {
        self.0.values().max_by_key(|said| said.state)
    }
}

/// Returns the line for a report. None if nothing is off.
fn line(report: &DriftReport) -> Option<String> {
    let cause = report.cause.map_or("", Cause::as_str);
    let of = if report.key.is_empty() { String::new() } else { format!("{}: ", report.key) };
    let learning = report.learning.as_ref().map(|l| format!(" {l}")).unwrap_or_default();
    let told = match report.state {
        State::Ok => return None,
        State::Learning => format!("learning{learning}"),
        State::Provisional => format!("no alarms yet: learning{learning}"),
        State::Warning => format!("warning: {cause}"),
        State::Drift => {
            let since = report.since.as_ref();
            let time = since.and_then(|s| Some((s.local.as_deref()?, report.now.as_ref()?.local.as_deref()?)));
            let time = time.map(|(since, now)| format!(" since {}", clock(since, now)));
            let part = since.filter(|s| !s.part.is_empty()).map(|s| format!(", part {}", s.part));
            format!("drift: {cause}{}{}", time.unwrap_or_default(), part.unwrap_or_default())
        }
    };
    Some(of + &told)
}

/// Returns the time of day of a time as RFC 3339 has it, with the date unless it is `now`'s.
fn clock(since: &str, now: &str) -> String {
    let (Some((date, time)), Some((today, _))) = (since.split_once('T'), now.split_once('T')) else {
        return since.into();
    };
    let time = time.get(..8).unwrap_or(time);
    if date == today { time.into() } else { format!("{date} {time}") }
}

/// Draws the line from the row `top` on.
pub(super) fn draw(canvas: &mut Canvas<'_>, size: [u32; 2], top: i32, said: &Said) {
    let scale = scale(size[1]);
    let (under, ink): (Rgb, Rgb) = match said.state {
        State::Drift => (RED, WHITE),
        State::Warning => (YELLOW, BLACK),
        State::Learning | State::Provisional | State::Ok => (GREY, WHITE),
    };
    let text = fitting(&said.line, size[0] as i32 - 6 * scale, scale);
    let width = (COLUMN * font::width(text) + 6) * scale;
    canvas.fill(0, top, width, (LINE + 4) * scale, under, 208);
    canvas.text(3 * scale, top + 2 * scale, scale, text, ink);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(facts: Value) -> Option<String> {
        let mut report =
            json!({"schema": "andon.drift/1", "since_frame": 3, "frame_id": 9, "pts_ns": null, "features": []});
        report.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
        line(&serde_json::from_value(report).unwrap())
    }

    #[test]
    fn a_line_says_how_far_learning_has_come_and_since_when_what_has_drifted() {
        let learning =
            json!({"frames": 320, "least": 480, "waits_for": ["halves that agree in luma", "an event's end"]});
        let moment =
            |day, part| json!({"frame_id": 3, "local": format!("2026-03-{day}T14:03:12.250+01:00"), "part": part});
        for (facts, expected) in [
            (json!({"state": "ok"}), None),
            (
                json!({"state": "learning", "learning": learning}),
                Some("learning 320/≥480: waits for halves that agree in luma; an event's end"),
            ),
            (
                json!({"state": "provisional", "learning": {"frames": 500, "least": 480}, "key": "A"}),
                Some("A: no alarms yet: learning 500/≥480"),
            ),
            (json!({"state": "warning", "cause": "focus"}), Some("warning: focus")),
            (
                json!({"state": "drift", "cause": "lighting", "since": moment("02", "B-12"), "now": moment("02", "")}),
                Some("drift: lighting since 14:03:12, part B-12"),
            ),
            (
                json!({"state": "drift", "cause": "lighting", "since": moment("02", ""), "now": moment("03", "")}),
                Some("drift: lighting since 2026-03-02 14:03:12"),
            ),
            (json!({"state": "drift", "cause": "scene"}), Some("drift: scene")),
        ] {
            assert_eq!(said(facts.clone()).as_deref(), expected, "{facts}");
        }
    }
}
