// SPDX-License-Identifier: MPL-2.0
//! What a shell proposes for the next word: lines, and the elements, properties and actions of the one that runs.
//!
//! A proposal never keeps anybody waiting: what the line has not answered within [`PATIENCE`] is not proposed.

use std::{sync::mpsc, thread, time::Duration};

use andon_control::{client, reply::Element};
use clap_complete::engine::CompletionCandidate;

use super::{
    acts,
    line::{Asker, Line},
    target::{self, Target},
};

/// How long a shell waits for proposals.
const PATIENCE: Duration = Duration::from_millis(250);

/// Does what may take long, but not longer than [`PATIENCE`]. What is late ends with the process.
fn within<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    let (send, receive) = mpsc::channel();
    // Without a thread there is no proposal.
    thread::Builder::new().spawn(move || send.send(work())).ok()?;
    receive.recv_timeout(PATIENCE).ok().flatten()
}

/// The words that were typed, without the program's name.
fn typed() -> Vec<String> {
    let all = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    all.skip_while(|word| word != "--").skip(2).collect()
}

/// What was typed for `andon ctl`: the line, and the words of the command without options.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typed {
    line: Option<String>,
    words: Vec<String>,
}

impl Typed {
    fn read(words: &[String]) -> Self {
        /// Options that are followed by a word of theirs.
        const WITH_VALUE: [&str; 16] = [
            "--line",
            "--who",
            "--why",
            "--count",
            "--pre",
            "--post",
            "--reason",
            "--source",
            "--every",
            "--element",
            "--since",
            "--remove",
            "--max-width",
            "--quality",
            "--output",
            "-o",
        ];
        let (mut read, mut words) = (Self::default(), words.iter());
        while let Some(word) = words.next() {
            if let Some(line) = word.strip_prefix("--line=") {
                read.line = Some(line.into());
            } else if WITH_VALUE.contains(&&**word) {
                let value = words.next().cloned();
                if word == "--line" {
                    read.line = value;
                }
            } else if !word.starts_with('-') || word == acts::ONLY {
                read.words.push(word.clone());
            }
        }
        // Bash splits at `=`.
        if read.line.as_deref() == Some("=") {
            read.line = None;
        }
        read
    }

    /// The element, which stands behind the command: `ctl set ELEMENT …`.
    fn element(&self) -> Option<&str> {
        self.words.get(2).map(String::as_str)
    }
}

fn described() -> Vec<Element> {
    let line = Typed::read(&typed()).line;
    let ask = move || {
        let target = Target::here(line.as_deref()).ok()?;
        Line::connect(&target, Asker::default()).ok()?.elements(true).ok()
    };
    within(ask).unwrap_or_default()
}

fn candidate(name: &str, help: &str) -> CompletionCandidate {
    let help = andon_core::text::shown(help).into_owned();
    CompletionCandidate::new(name).help((!help.is_empty()).then(|| help.into()))
}

/// The names of lines that answer.
pub fn lines() -> Vec<CompletionCandidate> {
    let all = || Some(target::folders().iter().flat_map(|folder| client::lines(folder)).collect::<Vec<_>>());
    let found = within(all).unwrap_or_default();
    found.iter().map(|f| candidate(&f.hello.name, &f.path.to_string_lossy())).collect()
}

/// The names of the line's elements.
pub fn elements() -> Vec<CompletionCandidate> {
    described().iter().map(|e| candidate(&e.name, &e.factory)).collect()
}

/// The properties of the element that was typed.
pub fn properties() -> Vec<CompletionCandidate> {
    properties_of(&described(), &Typed::read(&typed()), false)
}

/// Those of them that can be set.
pub fn settable() -> Vec<CompletionCandidate> {
    properties_of(&described(), &Typed::read(&typed()), true)
}

fn properties_of(elements: &[Element], typed: &Typed, settable: bool) -> Vec<CompletionCandidate> {
    let of = typed.element().and_then(|name| acts::find(elements, name)).and_then(|e| e.described.as_ref());
    let all = of.map(|d| &d.properties[..]).unwrap_or_default();
    all.iter().filter(|p| p.writable || !settable).map(|p| candidate(&p.name, &p.blurb)).collect()
}

/// The values of the property that was typed, if it is one of a few.
pub fn values() -> Vec<CompletionCandidate> {
    values_of(&described(), &Typed::read(&typed()))
}

fn values_of(elements: &[Element], typed: &Typed) -> Vec<CompletionCandidate> {
    let (Some(element), Some(name)) = (typed.element(), typed.words.get(3)) else { return Vec::new() };
    let of = acts::find(elements, element).and_then(|e| e.described.as_ref());
    let Some(property) = of.and_then(|d| d.properties.iter().find(|p| p.name == *name)) else { return Vec::new() };
    match &*property.kind {
        "bool" => ["true", "false"].map(|v| candidate(v, "")).into(),
        _ => property.choices.iter().map(|v| candidate(v, "")).collect(),
    }
}

/// The actions of the element that was typed.
pub fn actions() -> Vec<CompletionCandidate> {
    let typed = Typed::read(&typed());
    let all = described();
    let of = typed.element().and_then(|name| acts::find(&all, name)).and_then(|e| e.described.as_ref());
    of.map(|d| d.actions.iter().map(|a| candidate(&a.name, &a.what)).collect()).unwrap_or_default()
}

/// The arguments of the action that was typed, as `NAME=`.
pub fn arguments() -> Vec<CompletionCandidate> {
    let typed = Typed::read(&typed());
    let all = described();
    let of = typed.element().and_then(|name| acts::find(&all, name)).and_then(|e| e.described.as_ref());
    let action = of.zip(typed.words.get(3)).and_then(|(d, name)| d.actions.iter().find(|a| a.name == *name));
    let names = action.map(|a| &a.arguments[..]).unwrap_or_default();
    names.iter().map(|(name, kind)| candidate(&format!("{name}="), kind)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn read(line: &str) -> Typed {
        Typed::read(&line.split(' ').map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn options_do_not_hide_which_element_was_typed() {
        for line in
            ["ctl set m ", "ctl --who x set --why y m ", "ctl --json --line=left set m", "ctl --line left set m"]
        {
            assert_eq!(read(line).element(), Some("m"), "{line}");
        }
        assert_eq!(read("ctl --line left get").line.as_deref(), Some("left"));
        assert_eq!(read("ctl capture - --count 3").element(), Some("-"));
        assert_eq!(read("ctl set").element(), None);
    }

    #[test]
    fn properties_and_values_are_those_of_the_element() {
        let property = |name: &str, kind: &str, writable: bool, choices: &[&str]| {
            json!({
                "name": name, "type": kind, "value": 0, "default": 0, "choices": choices, "writable": writable,
                "while_playing": true, "names_path": false, "blurb": "what\u{1b}it says"
            })
        };
        let all: Vec<Element> = serde_json::from_value(json!([{
            "name": "t", "path": "/p/t", "factory": "abtee", "state": "playing", "actions": [],
            "properties": [
                property("mode", "enum", true, &["shadow", "split"]), property("leaky", "bool", true, &[]),
                property("stats", "structure", false, &[])
            ]
        }]))
        .unwrap();
        let names = |found: Vec<CompletionCandidate>| {
            found.iter().map(|c| c.get_value().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(properties_of(&all, &read("ctl get t"), false)), ["mode", "leaky", "stats"]);
        assert_eq!(names(properties_of(&all, &read("ctl set t"), true)), ["mode", "leaky"]);
        assert_eq!(names(values_of(&all, &read("ctl set t mode"))), ["shadow", "split"]);
        assert_eq!(names(values_of(&all, &read("ctl set t leaky"))), ["true", "false"]);
        assert!(properties_of(&all, &read("ctl set u"), true).is_empty());
        let help = properties_of(&all, &read("ctl get t"), false)[0].get_help().unwrap().to_string();
        assert!(!help.contains('\u{1b}'), "{help}");
    }

    #[test]
    fn a_line_that_does_not_answer_keeps_no_shell_waiting() {
        let (keep, never) = mpsc::channel::<()>();
        let began = Instant::now();
        assert_eq!(within(move || never.recv().ok()), None);
        assert!(began.elapsed() < Duration::from_secs(5));
        drop(keep);
        assert_eq!(within(|| Some(7)), Some(7));
    }
}
