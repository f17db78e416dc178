// SPDX-License-Identifier: MPL-2.0
//! How the screen of `andon top` changes: with keys, with time, and with what the line says. Nothing is done here; what is
//! to be done is returned.

use std::{collections::BTreeMap, time::Duration};

use andon_control::{
    event::Happened,
    reply::{AllStats, Element, Hello},
};

use super::{
    form::{Act, Edit, Form, Move, Way},
    state::{Link, Notice, State, text},
};

/// A key, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Go on, or be done.
    Enter,
    /// Leave what is asked.
    Escape,
    /// Take a character away.
    Backspace,
    /// The next line.
    Tab,
    /// The line before.
    BackTab,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Ctrl-C: end, whatever is asked.
    Interrupt,
}

/// What changes the screen.
#[derive(Debug)]
pub enum Input {
    /// A key.
    Key(Key),
    /// The time has gone on, or the window has another size.
    Time {
        /// ns since 1970.
        now_ns: u64,
    },
    /// The line answers.
    Up(Hello),
    /// The line does not answer.
    Down {
        /// Why.
        why: String,
        /// ns since 1970.
        now_ns: u64,
    },
    /// The elements of the line, and the property `model` of each modelinfer by its path.
    Elements(Vec<Element>, BTreeMap<String, String>),
    /// New statistics, as of a clock that goes on.
    Stats(Duration, AllStats),
    /// Something happened.
    Event(Happened),
    /// Events were lost.
    Gap(u64),
    /// A move was looked at: the question about it.
    Planned(Result<Move, String>),
    /// Something was done, or failed.
    Done(Result<String, String>),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Capture.
    Capture {
        /// The path of the framesampler.
        element: String,
        /// Frames from now on.
        count: u32,
        /// Frames before.
        pre: u32,
        /// What for.
        reason: String,
    },
    /// Have a modelinfer go back to the model before.
    GoBack {
        /// Its path.
        element: String,
        /// Why.
        reason: String,
    },
    /// Look which move of its store's champion is possible.
    Plan {
        /// The property `model`.
        model: String,
        /// The process whose directory a relative path starts at.
        pid: u32,
        /// Which way.
        way: Way,
    },
    /// Move the champion of a store.
    Move(Move, String),
    /// End.
    Quit,
}

/// Takes an input. Returns what is to be done about it.
pub fn update(state: &mut State, input: Input) -> Option<Order> {
    match input {
        Input::Key(key) => return on_key(state, key),
        Input::Time { now_ns } => state.now_ns = now_ns,
        Input::Up(hello) => {
            if !matches!(&state.link, Link::Lost { hello: Some(before), .. } if before.run == hello.run) {
                state.forget();
            }
            state.link = Link::Up(hello);
        }
        Input::Down { why, now_ns } => {
            state.link = match std::mem::replace(&mut state.link, Link::Connecting) {
                Link::Up(hello) => Link::Lost { hello: Some(hello), since_ns: now_ns, why },
                Link::Lost { hello, since_ns, .. } => Link::Lost { hello, since_ns, why },
                Link::Connecting => Link::Lost { hello: None, since_ns: now_ns, why },
            };
        }
        Input::Elements(elements, models) => {
            state.models = models;
            state.set_elements(elements);
        }
        Input::Stats(at, stats) => state.set_stats(at, stats),
        Input::Event(event) => state.add_event(event),
        Input::Gap(lost) => state.lost += lost,
        // Whoever has begun something else meanwhile is not interrupted.
        Input::Planned(Ok(planned)) if state.form.is_none() => state.form = Some(Form::of_move(planned)),
        Input::Planned(Ok(_)) => {}
        Input::Planned(Err(why)) | Input::Done(Err(why)) => say(state, why, true),
        Input::Done(Ok(text)) => say(state, text, false),
    }
    None
}

fn say(state: &mut State, text: impl Into<String>, bad: bool) {
    state.notice = Some(Notice { text: text.into(), bad });
}

fn on_key(state: &mut State, key: Key) -> Option<Order> {
    if key == Key::Interrupt {
        return Some(Order::Quit);
    }
    state.notice = None;
    if state.form.is_some() {
        return in_form(state, key);
    }
    if std::mem::take(&mut state.help) {
        return None;
    }
    let last = state.elements.len().saturating_sub(1);
    match key {
        Key::Char('q') | Key::Escape => return Some(Order::Quit),
        Key::Char('?' | 'h') => state.help = true,
        Key::Up | Key::Char('k') => state.chosen = state.chosen.saturating_sub(1),
        Key::Down | Key::Char('j') => state.chosen = (state.chosen + 1).min(last),
        Key::Char('c') => match sampler(state) {
            Ok(element) => state.form = Some(Form::capture(&element)),
            Err(why) => say(state, why, true),
        },
        Key::Char('p') => return plan(state, Way::Promote),
        Key::Char('r') => return plan(state, Way::RollBack),
        _ => {}
    }
    None
}

fn in_form(state: &mut State, key: Key) -> Option<Order> {
    let form = state.form.as_mut()?;
    match key {
        Key::Escape => state.form = None,
        Key::Char(c) => form.edit(Edit::Type(c)),
        Key::Backspace => form.edit(Edit::Back),
        Key::Tab | Key::Down => form.edit(Edit::Next),
        Key::BackTab | Key::Up => form.edit(Edit::Before),
        Key::Enter if !form.is_last() => form.edit(Edit::Next),
        Key::Enter => match answered(form) {
            Ok(order) => {
                state.form = None;
                return Some(order);
            }
            Err(why) => say(state, why, true),
        },
        Key::Interrupt => {}
    }
    None
}

fn answered(form: &Form) -> Result<Order, String> {
    let reason = form.reason()?;
    Ok(match &form.act {
        Act::Capture(element) => {
            let (count, pre) = (form.number(1)?, form.number(2)?);
            if count == 0 && pre == 0 {
                return Err("that asks for no frame: say how many".into());
            }
            Order::Capture { element: element.clone(), count, pre, reason }
        }
        Act::Move(planned) => Order::Move(planned.clone(), reason),
        Act::GoBack(element) => Order::GoBack { element: element.clone(), reason },
    })
}

/// The framesampler that is meant: the chosen one, or the only one of the chosen element's pipeline or of all.
fn sampler(state: &State) -> Result<String, String> {
    let all: Vec<_> = state.elements.iter().filter(|e| e.factory == "framesampler").collect();
    let chosen = state.chosen();
    if let Some(chosen) = chosen.filter(|e| e.factory == "framesampler") {
        return Ok(chosen.path.clone());
    }
    let near = |e: &&Element| chosen.is_some_and(|c| super::state::pipeline(c) == super::state::pipeline(e));
    let beside: Vec<_> = all.iter().copied().filter(near).collect();
    match (&all[..], &beside[..]) {
        ([], _) => Err("the line has no framesampler, which captures".into()),
        ([one], _) | (_, [one]) => Ok(one.path.clone()),
        _ => Err("there is more than one framesampler: choose one with the arrow keys".into()),
    }
}

fn plan(state: &mut State, way: Way) -> Option<Order> {
    let Some(element) = state.chosen().filter(|e| e.factory == "modelinfer") else {
        say(state, "choose a modelinfer with the arrow keys: it is a model that is promoted or rolled back", true);
        return None;
    };
    let model = state.models.get(&element.path).cloned().unwrap_or_default();
    let follows = model.rsplit_once('@').is_some();
    if follows {
        return match &state.link {
            Link::Up(hello) => Some(Order::Plan { model, pid: hello.pid, way }),
            Link::Lost { hello: Some(hello), .. } => Some(Order::Plan { model, pid: hello.pid, way }),
            _ => None,
        };
    }
    let stats = state.stats_of(element);
    let [active, standby] = ["active", "standby"].map(|name| text(stats, name).to_string());
    let path = element.path.clone();
    match way {
        Way::Promote => {
            let name = element.name.clone();
            let what = format!(
                "{name} runs '{model}', which is no version of a store: set `model` to STORE/NAME@champion, or change the \
                 model with `andon ctl swap {name} MODEL`"
            );
            say(state, what, true);
        }
        Way::RollBack if standby.is_empty() => {
            let name = element.name.clone();
            say(state, format!("{name} has no model to go back to, and runs none of a store"), true);
        }
        Way::RollBack => state.form = Some(Form::go_back(&path, &active, &standby)),
    }
    None
}
