// SPDX-License-Identifier: MPL-2.0
//! docs/control.md is true: its line is played, its requests are sent one after the other over one connection, and the line
//! answers as the page says. Numbers, times and what the page shortens by an ellipsis may differ; all else may not.

mod common;

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    process::Command,
};

use common::{WATCHDOG, control::GstLaunch, root, runtime};
use serde_json::Value;

/// The blocks of the page that have that name, without their fences.
fn blocks(page: &str, name: &str) -> Vec<String> {
    let fence = format!("```{name}\n");
    page.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_string()).collect()
}

/// Returns where `real` is not what the page shows.
fn difference(shown: &Value, real: &Value, at: &str) -> Option<String> {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => shown.iter().find_map(|(name, value)| match real.get(name) {
            None => Some(format!("{at}.{name} is missing")),
            Some(real) => difference(value, real, &format!("{at}.{name}")),
        }),
        (Value::Array(shown), Value::Array(real)) => {
            shown.iter().enumerate().find_map(|(k, value)| match real.get(k) {
                None => Some(format!("{at}[{k}] is missing")),
                Some(real) => difference(value, real, &format!("{at}[{k}]")),
            })
        }
        (Value::String(shown), Value::String(real)) if shown.contains('…') => {
            let start = shown.split('…').next().unwrap();
            (!real.starts_with(start)).then(|| format!("{at} is {real:?}, and the page says {shown:?}"))
        }
        (Value::Number(_), Value::Number(_)) => None,
        _ if shown == real => None,
        _ => Some(format!("{at} is {real}, and the page says {shown}")),
    }
}

/// One connection, whose lines are sorted into replies and events.
struct Talk {
    stream: BufReader<UnixStream>,
    replies: VecDeque<Value>,
    events: VecDeque<Value>,
}

impl Talk {
    fn read(&mut self) {
        let mut line = String::new();
        assert!(self.stream.read_line(&mut line).unwrap() > 0, "the line has closed the connection");
        let said: Value = serde_json::from_str(&line).unwrap();
        let to = if said.get("event").is_some() { &mut self.events } else { &mut self.replies };
        to.push_back(said);
    }

    fn reply(&mut self) -> Value {
        while self.replies.is_empty() {
            self.read();
        }
        self.replies.pop_front().unwrap()
    }

    /// The next event that has the names of the one shown.
    fn event(&mut self, shown: &Value) -> Value {
        let is_it = |event: &Value| ["event", "name", "kind"].iter().all(|key| event.get(key) == shown.get(key));
        loop {
            while let Some(event) = self.events.pop_front() {
                if is_it(&event) {
                    return event;
                }
            }
            self.read();
        }
    }
}

/// Plays the line of the page.
fn play(page: &str, captures: &std::path::Path) -> GstLaunch {
    let line = &blocks(page, "sh")[0].replace("\\\n", " ");
    let (_, line) = line.split_once("gst-launch-1.0 ").expect("the first block of the page is the line");
    assert!(line.contains("location=captures"));
    GstLaunch::play(&line.replace("location=captures", &format!("location={}", captures.display())), &[])
}

#[test]
fn every_request_of_the_page_is_answered_as_it_says() {
    runtime();
    let page = fs::read_to_string(root().join("docs/control.md")).unwrap();
    let captures = tempfile::tempdir().unwrap();
    let mut line = play(&page, captures.path());
    let stream = UnixStream::connect(line.socket()).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    let mut talk = Talk { stream: BufReader::new(stream), replies: VecDeque::new(), events: VecDeque::new() };
    let (mut sent, mut answered) = (0, 0);
    for shown in blocks(&page, "control").iter().flat_map(|block| block.lines()) {
        if let Some(request) = shown.strip_prefix("> ") {
            sent += 1;
            let request: Value = serde_json::from_str(request).unwrap_or_else(|e| panic!("{request}: {e}"));
            writeln!(talk.stream.get_mut(), "{request}").unwrap();
            continue;
        }
        let shown = shown.strip_prefix("< ").unwrap_or_else(|| panic!("neither > nor <: {shown}"));
        let shown: Value = serde_json::from_str(shown).unwrap_or_else(|e| panic!("{shown}: {e}"));
        answered += 1;
        let real = if shown.get("event").is_some() { talk.event(&shown) } else { talk.reply() };
        let difference = difference(&shown, &real, "");
        assert!(difference.is_none(), "{}\nthe page: {shown}\nthe line: {real}", difference.unwrap());
    }
    assert!(sent >= 15 && answered >= sent, "{sent} requests and {answered} answers on the page");
    assert!(line.end().success(), "the last request of the page ends the line");
}

#[test]
fn the_client_of_the_page_runs() {
    runtime();
    let page = fs::read_to_string(root().join("docs/control.md")).unwrap();
    let captures = tempfile::tempdir().unwrap();
    let line = play(&page, captures.path());
    let client = &blocks(&page, "python")[0];
    assert!(client.contains("/tmp/line1.sock"));
    let client = client.replace("/tmp/line1.sock", line.socket().to_str().unwrap());
    let out = Command::new("python3").args(["-c", &client]).output().expect("python3 runs: make setup installs it");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(said.lines().filter(|l| l.contains("andon/captured")).count(), 3, "{said}");
}
