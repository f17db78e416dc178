// SPDX-License-Identifier: MPL-2.0
//! The thread of `andon top` that talks with the line: it looks again and again, passes on what happens, and does what is
//! ordered. A line that is gone is looked for until it is back.

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    time::{Duration, Instant},
};

use andon_control::{
    client::{Client, ClientError},
    event::{Event, Kind},
    reply::Element,
    request::Since,
};
use andon_core::result::utc_ns;
use anyhow::Result;
use serde_json::json;

use super::{
    store,
    update::{Input, Order},
};
use crate::ctl::{line::Asker, target::Target};

/// How often statistics are asked for.
const LOOK: Duration = Duration::from_millis(500);

/// How often it is asked which elements there are, and what they run.
const LOOK_ROUND: Duration = Duration::from_secs(2);

/// How long an order waits at most, and a line that is gone is left alone.
const TURN: Duration = Duration::from_millis(100);

/// How far back the events go that are asked for at the start.
const BACK: u64 = 2000;

/// Events that are passed on before statistics get their turn.
const AT_ONCE: usize = 500;

/// The thread that talks with the line.
pub struct Talk {
    /// Where the line is.
    target: Target,
    /// Who orders.
    asker: Asker,
    /// What is ordered.
    orders: Receiver<Order>,
    /// Where news go.
    news: Sender<Input>,
    /// The name of the line, once it has answered.
    name: Option<String>,
    /// The last event that was passed on.
    since: Option<Since>,
}

/// Nobody wants news any more.
struct Ended;

impl Talk {
    /// Is to talk with that line.
    pub fn new(target: Target, asker: Asker, orders: Receiver<Order>, news: Sender<Input>) -> Self {
        Self { target, asker, orders, news, name: None, since: None }
    }

    /// Talks until nobody listens.
    pub fn run(mut self) {
        loop {
            match self.connect().map(|client| self.talk(client)) {
                Ok(Err(Ended)) => return,
                Ok(Ok(why)) | Err(why) => {
                    if self.tell(Input::Down { why, now_ns: utc_ns() }).is_err() || self.idle().is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn connect(&mut self) -> Result<Client, String> {
        let connect = || -> Result<Client> {
            let path = match &self.name {
                None => self.target.find()?,
                Some(name) => self.target.find_again(name)?,
            };
            let mut client = Client::connect(path)?;
            client.introduce(Some(self.asker.who.clone()), None);
            Ok(client)
        };
        connect().map_err(|e| e.to_string())
    }

    fn tell(&self, input: Input) -> Result<(), Ended> {
        self.news.send(input).map_err(|_| Ended)
    }

    /// Does what can be done without the line, for a while.
    fn idle(&mut self) -> Result<(), Ended> {
        let until = Instant::now() + 5 * TURN;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.orders.recv_timeout(left) {
                Ok(order) => self.order(order, None)?,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(Ended),
            }
        }
    }

    /// Talks with a line until it is gone. Returns why it is.
    fn talk(&mut self, mut client: Client) -> Result<String, Ended> {
        let hello = client.hello().clone();
        self.name = Some(hello.name.clone());
        self.tell(Input::Up(hello.clone()))?;
        let back = Since { run: hello.run, seq: hello.seq.saturating_sub(BACK) };
        let since = self.since.filter(|since| since.run == hello.run).unwrap_or(back);
        let kinds = [Kind::Messages, Kind::Judgements, Kind::Drift, Kind::Control];
        if let Err(error) = client.subscribe(&kinds, &[], Some(since)) {
            return Ok(error.to_string());
        }
        let (began, mut looked, mut looked_round) = (Instant::now(), None::<Instant>, None::<Instant>);
        let is_due = |at: Option<Instant>, every| at.is_none_or(|at| at.elapsed() >= every);
        loop {
            while let Ok(order) = self.orders.try_recv() {
                self.order(order, Some(&mut client))?;
            }
            if is_due(looked_round, LOOK_ROUND) {
                looked_round = Some(Instant::now());
                match look_round(&mut client) {
                    Ok((elements, models)) => self.tell(Input::Elements(elements, models))?,
                    Err(error) if error.outcome().is_none() => return Ok(error.to_string()),
                    Err(error) => self.tell(Input::Done(Err(error.to_string())))?,
                }
            }
            if is_due(looked, LOOK) {
                looked = Some(Instant::now());
                match client.stats(None) {
                    Ok(stats) => self.tell(Input::Stats(began.elapsed(), stats))?,
                    Err(error) if error.outcome().is_none() => return Ok(error.to_string()),
                    Err(error) => self.tell(Input::Done(Err(error.to_string())))?,
                }
            }
            match self.pass_on(&mut client)? {
                Ok(()) => {}
                Err(error) => return Ok(error.to_string()),
            }
        }
    }

    /// Passes on what has happened.
    fn pass_on(&mut self, client: &mut Client) -> Result<Result<(), ClientError>, Ended> {
        let mut wait = TURN;
        for _ in 0..AT_ONCE {
            match client.next_event(Some(wait)) {
                Ok(None) => break,
                Ok(Some(Event::Happened(event))) => {
                    self.since = Some(Since { run: event.run, seq: event.seq });
                    self.tell(Input::Event(event))?;
                }
                Ok(Some(Event::Gap { lost, .. })) => self.tell(Input::Gap(lost))?,
                Ok(Some(Event::Hello(_) | Event::Value { .. })) => {}
                Err(error) => return Ok(Err(error)),
            }
            wait = Duration::ZERO;
        }
        Ok(Ok(()))
    }

    fn order(&mut self, order: Order, client: Option<&mut Client>) -> Result<(), Ended> {
        let not_there = || Err("the line does not answer: nothing was done".to_string());
        let who = Some(self.asker.who.clone());
        let call = |element: String, action: &str, arguments: serde_json::Value, reason: String| {
            let Some(client) = client else { return not_there() };
            client.introduce(who.clone(), Some(reason));
            let arguments: BTreeMap<_, _> = serde_json::from_value(arguments).unwrap_or_default();
            let done = client.call(&element, action, arguments);
            client.introduce(who.clone(), None);
            done.map(|_| format!("{element}: {action} accepted")).map_err(|e| e.to_string())
        };
        let said = match order {
            Order::Capture { element, count, pre, reason } => {
                let arguments = json!({"count": count, "reason": reason, "pre": pre, "post": 0});
                Input::Done(call(element, "capture", arguments, reason))
            }
            Order::GoBack { element, reason } => Input::Done(call(element, "rollback", json!({}), reason)),
            Order::Plan { model, pid, way } => Input::Planned(store::plan(&model, pid, way)),
            Order::Move(planned, reason) => Input::Done(store::make(&planned, &self.asker.who, &reason)),
            Order::Quit => return Err(Ended),
        };
        self.tell(said)
    }
}

/// Asks which elements there are, and which models they are to run.
fn look_round(client: &mut Client) -> Result<(Vec<Element>, BTreeMap<String, String>), ClientError> {
    let elements = client.elements(false)?;
    let mut models = BTreeMap::new();
    for element in elements.iter().filter(|e| e.factory == "modelinfer") {
        match client.get(&element.path, "model") {
            Ok(model) => drop(models.insert(element.path.clone(), model.as_str().unwrap_or_default().into())),
            // It has left between the two questions.
            Err(error) if error.outcome().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok((elements, models))
}
