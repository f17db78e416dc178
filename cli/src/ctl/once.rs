// SPDX-License-Identifier: MPL-2.0
//! What is asked once, and answered: everything but lists of lines, and what goes on.

use andon_control::{client::ClientError, reply::Element, request::Request};
use anyhow::Result;
use serde_json::{Value, json};

use super::{acts, commands::Command, line::Line, tables, values, words};
use crate::{app::Usage, meant::question};

/// A line that is asked once.
pub struct Once {
    /// The line.
    pub line: Line,
    /// Who asks.
    pub who: String,
    /// Print answers as JSON.
    pub json: bool,
}

impl Once {
    /// Asks, and prints the answer.
    ///
    /// # Errors
    /// What the line says, and what cannot be meant.
    pub fn execute(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Elements => {
                let all = self.line.elements(false)?;
                self.say(&json!(all), |_| tables::elements(&all).to_string());
            }
            Command::Get { element, property: Some(property) } => {
                let value = self.line.ask(&Request::Get { element, property })?;
                self.say(&value, words::value);
            }
            Command::Get { element, property: None } => self.properties(&element)?,
            Command::Set { element, property, value } => {
                let value = acts::value_for(&self.line.elements(true)?, &element, &property, &value);
                let changed =
                    self.line.ask(&Request::Set { element: element.clone(), property: property.clone(), value })?;
                self.say(&changed, |changed| {
                    let [before, after] = ["before", "after"].map(|at| words::value(&changed[at]));
                    format!("{element}: {property} is {after}, it was {before}")
                });
            }
            Command::Call { element, action, arguments } => {
                let arguments = acts::arguments_for(&self.line.elements(true)?, &element, &action, &arguments)?;
                self.act(Request::Call { element, action, arguments })?;
            }
            Command::Capture { element, count, pre, post, reason } => {
                let element = self.only(&element, "framesampler")?;
                let numbers = [("count", count.into()), ("pre", pre.into()), ("post", post.into())];
                let [count, pre, post] = numbers;
                self.act(acts::call(&element, "capture", [count, ("reason", reason.into()), pre, post]))?;
            }
            Command::Swap { element, model } => {
                let element = self.only(&element, "modelinfer")?;
                self.act(acts::call(&element, "swap", [("model", acts::model_path(&model).into())]))?;
            }
            Command::Rollback { element } => {
                let element = self.only(&element, "modelinfer")?;
                self.act(acts::call(&element, "rollback", []))?;
            }
            Command::Learn { element, frames } => {
                let element = self.only(&element, "driftmeter")?;
                self.act(acts::call(&element, "learn", [("frames", frames.into())]))?;
            }
            Command::Reset { element } => self.act(acts::call(&element, "reset", []))?,
            Command::Label { element, id, verdict, source } => {
                let element = self.only(&element, "abjoin")?;
                let source = source.unwrap_or_else(|| self.who.clone());
                let arguments = [("id", id.into()), ("verdict", verdict.into()), ("source", source.into())];
                self.act(acts::call(&element, "label", arguments))?;
            }
            Command::Stats { element } => self.stats(element)?,
            Command::Fields { element, values, remove, complete } => {
                let values = values::by_name(values).map_err(Usage)?;
                self.done(
                    Request::Fields { element, values, remove, complete },
                    "the fields hold from the next frame on",
                )?;
            }
            Command::Part(part) => self.done(part.request(), "the next frame shows this part")?,
            Command::Snapshot(snapshot) => snapshot.execute(&mut self.line, self.json)?,
            Command::Quit => {
                let said = format!("{} ends its streams", self.line.hello().name);
                match self.line.ask(&Request::Quit {}) {
                    // A short stream may have ended before the answer was written.
                    Err(e) if matches!(e.downcast_ref(), Some(ClientError::Closed)) => self.say(&Value::Null, |_| said),
                    answer => self.say(&answer?, |_| said),
                }
            }
            Command::List | Command::Subscribe { .. } | Command::Observe { .. } => {
                unreachable!("these are not asked once")
            }
        }
        Ok(())
    }

    /// Prints an answer: as JSON, or in words.
    fn say(&self, answer: &Value, words: impl FnOnce(&Value) -> String) {
        if self.json { println!("{answer}") } else { println!("{}", words(answer)) }
    }

    fn done(&mut self, request: Request, said: &str) -> Result<()> {
        let answer = self.line.ask(&request)?;
        self.say(&answer, |_| said.into());
        Ok(())
    }

    fn only(&mut self, named: &str, kind: &str) -> Result<String> {
        let elements = if named == acts::ONLY { self.line.elements(false)? } else { Vec::new() };
        Ok(acts::only(&elements, named, kind)?.into())
    }

    fn act(&mut self, request: Request) -> Result<()> {
        let said = match &request {
            Request::Call { element, action, .. } => format!("{}: {action} accepted", words::short(element)),
            other => other.name().into(),
        };
        self.done(request, &said)
    }

    fn properties(&mut self, element: &str) -> Result<()> {
        let elements = self.line.elements(true)?;
        match acts::find(&elements, element).and_then(|e| e.described.as_ref()) {
            Some(described) => {
                self.say(&json!(described.properties), |_| tables::properties(&described.properties).to_string());
                Ok(())
            }
            None => Err(nowhere(&elements, element)),
        }
    }

    fn stats(&mut self, element: Option<String>) -> Result<()> {
        let answer = self.line.ask(&Request::Stats { element: element.clone() })?;
        match (&element, &answer) {
            (None, Value::Object(all)) if !self.json => {
                for (name, stats) in all {
                    println!("{name}\n{}", tables::stats(stats));
                }
            }
            _ => self.say(&answer, |stats| tables::stats(stats).to_string()),
        }
        Ok(())
    }
}

/// Why no element is meant by a name.
fn nowhere(elements: &[Element], named: &str) -> anyhow::Error {
    let of_name: Vec<_> = elements.iter().filter(|e| e.name == named).map(|e| &*e.path).collect();
    if of_name.len() > 1 {
        return Usage(format!(
            "{named} could be any of {}: give the path of the one that is meant",
            of_name.join(", ")
        ))
        .into();
    }
    let names: Vec<_> = elements.iter().map(|e| &*e.name).collect();
    let meant = question(named, names.iter().copied());
    Usage(format!("no element is called '{named}': there are {}{meant}", names.join(", "))).into()
}
