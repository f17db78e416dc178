// SPDX-License-Identifier: MPL-2.0
//! What a server does with the requests of its clients: which it answers itself, which it has done, and what becomes of them.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    guest::{self, Guest, MUCH_UNREAD, Purpose, Sent, Subscription, Underway, Watch},
    hub::{Hub, Turns},
    line::Caller,
    workers::{Done, Job},
};
use crate::{
    LONGEST_REQUEST,
    event::Kind,
    journal::{Filter, Journal, Pending},
    reply::{Access, Outcome, Refusal},
    request::{Envelope, Request, Since},
};

/// Bytes of a request that are written down of an attempt.
const LONGEST_ATTEMPT: usize = 1024;

/// Observations of one client, at most.
const MOST_WATCHES: usize = 64;

/// The shortest and longest time between two looks, ms.
const EVERY_MS: std::ops::RangeInclusive<u64> = 20..=3_600_000;

/// The most elements that one subscription names.
const MOST_NAMES: usize = 100;
impl Hub {
    /// Tells a client that its request takes too long.
    pub fn give_up(&self, turns: &mut Turns, guest: &mut Guest, now: Instant) {
        let Some(underway) = &mut guest.underway else { return };
        if underway.given_up {
            return;
        }
        if now < underway.until {
            turns.look_at(underway.until);
            return;
        }
        underway.given_up = true;
        let waited = self.patience.reply.as_secs_f32();
        let never_begun = self.workers.take_back(underway.number);
        let refusal = if never_begun {
            let why = format!("other requests were under way for {waited} s; this one was not begun: ask again later");
            Refusal::new(Outcome::Busy, why)
        } else {
            let why = format!("it is not done after {waited} s, and may still happen: look before you ask again");
            Refusal::new(Outcome::Timeout, why)
        };
        let reply = match &underway.purpose {
            Purpose::Reply(request_id) | Purpose::Observe(request_id, _) => guest::reply(request_id, &Err(refusal)),
            Purpose::Look(_) => Vec::new(),
        };
        if never_begun {
            guest.underway = None;
        }
        guest.say(&reply);
    }

    /// Does the next request of a client, if it has one and it is its turn.
    pub fn listen_to(&self, turns: &mut Turns, guest: &mut Guest, now: Instant) {
        while guest.has_line() && guest.unread() < MUCH_UNREAD {
            if guest.underway.as_ref().is_some_and(|underway| !underway.given_up) {
                return;
            }
            if !guest.requests.allows(now) {
                return turns.look_at(guest.requests.when());
            }
            if !turns.requests.allows(now) {
                return turns.look_at(turns.requests.when());
            }
            let Some(sent) = guest.next_line() else { return };
            if matches!(&sent, Sent::Line(line) if line.trim_ascii().is_empty()) {
                continue;
            }
            guest.requests.count(1);
            turns.requests.count(1);
            let invalid = |why: String| Err(Refusal::new(Outcome::Invalid, why));
            let envelope = match sent {
                Sent::Line(line) => Envelope::parse(&line),
                Sent::TooLong => {
                    let why =
                        format!("the line is longer than {LONGEST_REQUEST} bytes; what follows its end is read again");
                    guest.reply(&Value::Null, &invalid(why));
                    continue;
                }
                Sent::Half => {
                    let why = "the stream ended within a line, which therefore was not done";
                    guest.reply(&Value::Null, &invalid(why.into()));
                    continue;
                }
            };
            match envelope {
                Ok(envelope) => {
                    guest.used = now;
                    self.request(turns, guest, envelope, now);
                }
                Err(misread) => guest.reply(&misread.request_id, &Err(misread.refusal)),
            }
        }
    }

    fn request(&self, turns: &mut Turns, guest: &mut Guest, envelope: Envelope, now: Instant) {
        let Envelope { request_id, who, why, request } = envelope;
        if guest.gone && request.only_looks() {
            return;
        }
        let caller = Caller::new(&guest.peer, guest.access, guest.believed, who, why);
        if guest.access == Access::Look && !request.only_looks() {
            let refusal = Refusal::new(
                Outcome::NotAllowed,
                format!(
                    "this is the read-only socket; {} goes over {}",
                    request.name(),
                    self.listening[0].place.path.display()
                ),
            );
            record_attempt(&self.journal, turns, &caller, &request, &refusal, now);
            return guest.reply(&request_id, &Err(refusal));
        }
        if guest.underway.is_some() && !is_done_here(&request) {
            let why = "an earlier request of this connection is still not done; wait for it, or connect anew";
            return guest.reply(&request_id, &Err(Refusal::new(Outcome::Busy, why)));
        }
        let answer = match request {
            Request::Subscribe { kinds, elements, since } => self.subscribe(guest, kinds, elements, since, now),
            Request::Unsubscribe {} => {
                self.end_subscription(guest, now);
                Ok(Vec::new())
            }
            Request::Unobserve { id } => {
                let before = guest.watches.len();
                guest.watches.retain(|watch| watch.id != id);
                let ids: Vec<_> = guest.watches.iter().map(|watch| watch.id).collect();
                let unknown =
                    || Refusal::new(Outcome::Invalid, format!("there is no observation {id}; there are {ids:?}"));
                if ids.len() < before { Ok(Vec::new()) } else { Err(unknown()) }
            }
            Request::Observe { id, element, property, every_ms } => {
                match watch(guest, id, element, property, every_ms, now) {
                    Ok(watch) => {
                        let request = look(&watch);
                        return self.give(turns, guest, caller, request, Purpose::Observe(request_id, watch), now);
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            request => return self.give(turns, guest, caller, request, Purpose::Reply(request_id), now),
        };
        guest.reply(&request_id, &answer);
    }

    fn give(
        &self,
        turns: &mut Turns,
        guest: &mut Guest,
        caller: Caller,
        request: Request,
        purpose: Purpose,
        now: Instant,
    ) {
        let number = turns.number();
        match self.workers.give(Job { guest: guest.id, number, caller, request }) {
            Ok(()) => {
                let until = now + self.patience.reply;
                turns.look_at(until);
                guest.underway = Some(Underway { number, until, given_up: false, purpose });
            }
            Err(refusal) => match purpose {
                Purpose::Reply(id) | Purpose::Observe(id, _) => guest.reply(&id, &Err(refusal)),
                Purpose::Look(_) => {}
            },
        }
    }

    pub fn finish(&self, turns: &mut Turns, done: Done, now: Instant) {
        let Some(guest) = turns.guests.iter_mut().find(|guest| guest.id == done.guest) else { return };
        let Some(underway) = guest.underway.take_if(|underway| underway.number == done.number) else { return };
        let told = underway.given_up;
        match (underway.purpose, done.outcome) {
            (Purpose::Reply(id), outcome) if !told => guest.reply(&id, &outcome),
            (Purpose::Observe(id, mut watch), Ok(value)) if !told => {
                guest.reply(&id, &Ok(Vec::new()));
                guest.value(&watch, &value);
                (watch.next, watch.last) = (now + watch.every, value);
                guest.watches.push(watch);
            }
            (Purpose::Observe(id, _), Err(refusal)) if !told => guest.reply(&id, &Err(refusal)),
            (Purpose::Look(id), outcome) => {
                let Some(at) = guest.watches.iter().position(|watch| watch.id == id) else { return };
                match outcome {
                    Ok(value) if value != guest.watches[at].last => {
                        let mut watch = guest.watches.swap_remove(at);
                        guest.value(&watch, &value);
                        watch.last = value;
                        guest.watches.push(watch);
                    }
                    Err(refusal) if refusal.outcome == Outcome::UnknownElement => {
                        let watch = guest.watches.swap_remove(at);
                        guest.value(&watch, b"null");
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Looks at what a client observes: the one that waits longest.
    pub fn look(&self, turns: &mut Turns, guest: &mut Guest, now: Instant) {
        if guest.underway.is_some() || guest.gone || guest.unread() >= MUCH_UNREAD {
            return;
        }
        let Some(watch) = guest.watches.iter_mut().min_by_key(|watch| watch.next) else { return };
        if watch.next > now {
            return turns.look_at(watch.next);
        }
        if !turns.requests.allows(now) {
            return turns.look_at(turns.requests.when());
        }
        turns.requests.count(1);
        watch.next = now + watch.every;
        let (request, id) = (look(watch), watch.id);
        let caller = Caller::new(&guest.peer, guest.access, false, None, None);
        self.give(turns, guest, caller, request, Purpose::Look(id), now);
    }
    fn subscribe(
        &self,
        guest: &mut Guest,
        mut kinds: Vec<Kind>,
        elements: Vec<String>,
        since: Option<Since>,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let kept = self.journal.kept();
        if elements.len() > MOST_NAMES {
            let why = format!("{} elements are named, and may be {MOST_NAMES}; name none for all", elements.len());
            return Err(Refusal::new(Outcome::Invalid, why));
        }
        let (cursor, away) = match since {
            None => (kept.last + 1, false),
            Some(since) if since.run != kept.run => (1, true),
            Some(since) if since.seq > kept.last => {
                let (asked, last) = (since.seq, kept.last);
                let why = format!("since {asked} is in the future: the last event of this run has the number {last}");
                return Err(Refusal::new(Outcome::Invalid, why));
            }
            Some(since) => (since.seq + 1, false),
        };
        self.end_subscription(guest, now);
        if kinds.is_empty() {
            kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Results).collect();
        }
        if kinds.contains(&Kind::Results) {
            self.journal.count_results(true, now);
        }
        guest.subscription = Some(Subscription { filter: Filter { kinds, elements }, cursor, away });
        Ok(serde_json::to_vec(&kept).unwrap_or_default())
    }

    pub fn end_subscription(&self, guest: &mut Guest, now: Instant) {
        if guest.subscription.take().is_some_and(|s| s.filter.kinds.contains(&Kind::Results)) {
            self.journal.count_results(false, now);
        }
    }
}

/// Writes down what somebody tried on the read-only socket: in short, and not more often than [`Turns::attempts`] allows, so that
/// whoever may only look pushes nothing else out of the record.
fn record_attempt(
    journal: &Journal,
    turns: &mut Turns,
    caller: &Caller,
    request: &Request,
    refusal: &Refusal,
    now: Instant,
) {
    if !turns.attempts.allows(now) {
        turns.untold += 1;
        return;
    }
    turns.attempts.count(1);
    let element = request.element().unwrap_or_default();
    let mut data = serde_json::to_value(request).unwrap_or_default();
    if data.to_string().len() > LONGEST_ATTEMPT {
        data = serde_json::json!({ "request": request.name(), "cut": true });
    }
    let about = serde_json::json!({
        "who": caller.name, "why": caller.why, "uid": caller.uid, "pid": caller.pid,
        "error": refusal.outcome, "message": refusal.why, "untold": std::mem::take(&mut turns.untold),
    });
    if let (Value::Object(data), Value::Object(about)) = (&mut data, about) {
        data.extend(about);
    }
    journal.publisher().publish(Pending {
        kind: Kind::Control,
        name: Cow::Borrowed("control"),
        element: element.chars().take(LONGEST_ATTEMPT).collect::<String>().into(),
        path: "".into(),
        utc_ns: andon_core::result::utc_ns(),
        data: Box::new(move || data),
    });
}

/// Returns whether a request needs nobody but the hub.
fn is_done_here(request: &Request) -> bool {
    matches!(request, Request::Subscribe { .. } | Request::Unsubscribe {} | Request::Unobserve { .. })
}

/// The request that an observation makes again and again.
fn look(watch: &Watch) -> Request {
    let element = watch.element.clone();
    match watch.property.as_str() {
        "stats" => Request::Stats { element: Some(element) },
        property => Request::Get { element, property: property.into() },
    }
}

fn watch(
    guest: &Guest,
    id: u64,
    element: String,
    property: String,
    every_ms: u64,
    now: Instant,
) -> Result<Watch, Refusal> {
    let invalid = |why: String| Err(Refusal::new(Outcome::Invalid, why));
    if !EVERY_MS.contains(&every_ms) {
        return invalid(format!("every_ms is {every_ms}, and has to be {} to {}", EVERY_MS.start(), EVERY_MS.end()));
    }
    if guest.watches.iter().any(|watch| watch.id == id) {
        return invalid(format!(
            "there is an observation {id} already; end it first (unobserve), or take another number"
        ));
    }
    if guest.watches.len() >= MOST_WATCHES {
        return invalid(format!("there are {MOST_WATCHES} observations already, which is all that a client may have"));
    }
    Ok(Watch { id, element, property, every: Duration::from_millis(every_ms), next: now, last: Vec::new() })
}
