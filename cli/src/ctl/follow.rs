// SPDX-License-Identifier: MPL-2.0
//! `andon ctl subscribe` and `observe`: what a line says by itself, for as long as somebody listens. A line that is started
//! again is followed on, from the last event that was seen.

use std::{thread, time::Duration};

use andon_control::{
    client::ClientError,
    event::{Event, Kind},
    reply::{Hello, Outcome},
    request::{Request, Since},
};
use anyhow::Result;
use serde_json::Value;

use super::{
    line::{Asker, Line},
    target::Target,
    values::From,
    words,
};
use crate::terminal;

/// How long between two looks for a line that is gone.
const AGAIN: Duration = Duration::from_millis(500);

/// What to listen to, and how to say it.
pub struct Follow {
    /// Where the line is.
    target: Target,
    /// Who listens.
    asker: Asker,
    /// Print events as JSON lines.
    json: bool,
    /// How many events to print; all if none.
    count: Option<u64>,
    /// Whether it was said that the line is waited for.
    waits: bool,
}

impl Follow {
    /// Listens to that line.
    pub fn new(target: Target, asker: Asker, json: bool, count: Option<u64>) -> Self {
        Self { target, asker, json, count, waits: false }
    }
}

/// What the line said to a request, if it refused.
fn outcome(error: &anyhow::Error) -> Option<Outcome> {
    error.downcast_ref::<ClientError>().and_then(ClientError::outcome)
}

/// Why the line is gone.
///
/// # Errors
/// It is there, and refused; or something else failed.
fn gone(error: anyhow::Error) -> Result<String> {
    match error.downcast_ref::<ClientError>() {
        Some(of_line) if of_line.outcome().is_none() => Ok(of_line.to_string()),
        _ => Err(error),
    }
}

/// Which events.
pub struct Wanted {
    /// The kinds; all but results if none.
    pub kinds: Vec<Kind>,
    /// The elements; all if none.
    pub elements: Vec<String>,
    /// From where on.
    pub since: Option<From>,
}

/// Where a subscription goes on.
fn start(since: Option<From>, hello: &Hello) -> Option<Since> {
    match since? {
        From::Seq(seq) => Some(Since { run: hello.run, seq }),
        From::Of(since) => Some(since),
    }
}

/// Whether somebody still wants to hear.
enum Heard {
    On,
    Enough,
}

/// Why there is nothing more to hear.
enum End {
    /// There was enough.
    Enough,
    /// The line, or what was observed of it, is gone.
    Gone(String),
}

impl Follow {
    /// Prints events until nobody reads them, or there were enough.
    ///
    /// # Errors
    /// A line that is not there to begin with, or that refuses.
    pub fn subscribe(mut self, wanted: Wanted) -> Result<()> {
        let mut line = Line::connect(&self.target, self.asker.clone())?;
        let mut since = start(wanted.since, line.hello());
        loop {
            let hello = line.hello().clone();
            let end = match self.events_of(&mut line, &wanted, &mut since) {
                Err(error) => End::Gone(gone(error)?),
                Ok(end) => end,
            };
            let End::Gone(why) = end else { return Ok(()) };
            line = self.again(&hello, &why);
        }
    }

    fn events_of(&mut self, line: &mut Line, wanted: &Wanted, since: &mut Option<Since>) -> Result<End> {
        let (kinds, elements) = (wanted.kinds.clone(), wanted.elements.clone());
        let answer = line.ask(&Request::Subscribe { kinds, elements, since: *since })?;
        // Without an event yet, what comes after this moment is what was missed if the line goes away.
        let (run, seq) = (line.hello().run, line.hello().seq);
        let last = answer.get("last").and_then(Value::as_u64).unwrap_or(seq);
        *since = since.or(Some(Since { run, seq: last }));
        loop {
            let Some(event) = line.client().next_event(None)? else { continue };
            if let Event::Happened(happened) = &event {
                *since = Some(Since { run: happened.run, seq: happened.seq });
            }
            if let Heard::Enough = self.print(&event)? {
                return Ok(End::Enough);
            }
        }
    }

    /// Prints a property whenever it has changed.
    ///
    /// # Errors
    /// A line that is not there to begin with, or that refuses.
    pub fn observe(mut self, element: &str, property: &str, every: Duration) -> Result<()> {
        let mut line = Line::connect(&self.target, self.asker.clone())?;
        let mut seen = false;
        loop {
            let hello = line.hello().clone();
            let end = match self.values_of(&mut line, element, property, every, &mut seen) {
                // A line that is started again has its socket before its elements.
                Err(error) if seen && outcome(&error) == Some(Outcome::UnknownElement) => End::Gone(error.to_string()),
                Err(error) => End::Gone(gone(error)?),
                Ok(end) => end,
            };
            let End::Gone(why) = end else { return Ok(()) };
            line = self.again(&hello, &why);
        }
    }

    fn values_of(
        &mut self,
        line: &mut Line,
        element: &str,
        property: &str,
        every: Duration,
        seen: &mut bool,
    ) -> Result<End> {
        let (element, property) = (element.to_string(), property.to_string());
        let every_ms = every.as_millis() as u64;
        line.ask(&Request::Observe { id: 1, element: element.clone(), property: property.clone(), every_ms })?;
        *seen = true;
        loop {
            let Some(event) = line.client().next_event(None)? else { continue };
            // Null is what is not set, and what is not there any more.
            if matches!(&event, Event::Value { value, .. } if value.is_null()) {
                line.ask(&Request::Get { element: element.clone(), property: property.clone() })?;
            }
            if let Heard::Enough = self.print(&event)? {
                return Ok(End::Enough);
            }
        }
    }

    /// Waits for the line until it answers again.
    fn again(&mut self, hello: &Hello, why: &str) -> Line {
        if !std::mem::replace(&mut self.waits, true) {
            eprintln!("andon: {}: {why}: waiting for it", hello.name);
        }
        loop {
            thread::sleep(AGAIN);
            if let Ok(line) = Line::connect_again(&self.target, &hello.name, self.asker.clone()) {
                return line;
            }
        }
    }

    fn print(&mut self, event: &Event) -> Result<Heard> {
        if std::mem::take(&mut self.waits) {
            eprintln!("andon: it answers again");
        }
        let counts = matches!(event, Event::Happened(_) | Event::Value { .. });
        if let Event::Gap { from, to, lost, more, .. } = event {
            eprintln!("andon: {}", words::gap(*from, *to, *lost, *more));
        }
        let text = match event {
            _ if self.json => Some(serde_json::to_string(event)?),
            Event::Happened(happened) => Some(words::event(happened, words::offset())),
            Event::Value { element, property, value, .. } => {
                Some(format!("{element}.{property} {}", words::value(value)))
            }
            Event::Hello(_) | Event::Gap { .. } => None,
        };
        if let Some(text) = text {
            println!("{text}");
            // `| head` has seen enough.
            if !terminal::is_heard() {
                return Ok(Heard::Enough);
            }
        }
        self.count = self.count.map(|n| n.saturating_sub(u64::from(counts)));
        Ok(if self.count == Some(0) { Heard::Enough } else { Heard::On })
    }
}
