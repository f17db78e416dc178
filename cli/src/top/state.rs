// SPDX-License-Identifier: MPL-2.0
//! What `andon top` knows of a line, and which figures it makes of that.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use andon_control::{
    event::Happened,
    reply::{AllStats, Element, Hello},
};
use serde_json::Value;

use super::form::Form;

/// How many events are kept for the screen.
const EVENTS: usize = 200;

/// Over how long a rate is taken.
const WINDOW: Duration = Duration::from_secs(5);

/// How it stands with the line.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// It has not answered yet.
    Connecting,
    /// It answers.
    Up(Hello),
    /// It does not answer any more.
    Lost {
        /// What it said of itself when it still did.
        hello: Option<Hello>,
        /// Since when, ns since 1970.
        since_ns: u64,
        /// Why.
        why: String,
    },
}

/// A text for whoever looks, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The text.
    pub text: String,
    /// Whether something went wrong.
    pub bad: bool,
}

/// Everything that the screen shows.
#[derive(Debug)]
pub struct State {
    /// How it stands with the line.
    pub link: Link,
    /// The elements, in the order of the screen.
    pub elements: Vec<Element>,
    /// Their statistics by name, or by path where two have one name.
    pub stats: AllStats,
    /// The property `model` of each modelinfer, by path.
    pub models: BTreeMap<String, String>,
    /// The last message `andon/drift` of each driftmeter, by path.
    pub drift: BTreeMap<String, Value>,
    /// The arm of each modelinfer that has told it, by path.
    pub arms: BTreeMap<String, String>,
    /// The last events, the newest at the end.
    pub events: VecDeque<Happened>,
    /// Events that were lost.
    pub lost: u64,
    /// The element that is chosen, of [`Self::elements`].
    pub chosen: usize,
    /// What is asked for, if something is.
    pub form: Option<Form>,
    /// Whether the help is shown.
    pub help: bool,
    /// What is to be said.
    pub notice: Option<Notice>,
    /// The time, ns since 1970.
    pub now_ns: u64,
    /// The difference of the clock on the wall to UTC, s.
    pub offset: i64,
    frames: BTreeMap<String, VecDeque<(Duration, u64)>>,
}

impl State {
    /// A screen before the line has answered.
    pub fn new(now_ns: u64, offset: i64) -> Self {
        Self {
            link: Link::Connecting,
            elements: Vec::new(),
            stats: AllStats::new(),
            models: BTreeMap::new(),
            drift: BTreeMap::new(),
            arms: BTreeMap::new(),
            events: VecDeque::new(),
            lost: 0,
            chosen: 0,
            form: None,
            help: false,
            notice: None,
            now_ns,
            offset,
            frames: BTreeMap::new(),
        }
    }

    /// Takes the elements that there are now. The chosen one stays chosen while it is there.
    pub fn set_elements(&mut self, mut elements: Vec<Element>) {
        let chosen = self.chosen().map(|e| e.path.clone());
        elements.sort_by(|a, b| {
            let key = |e: &Element| (pipeline(e).to_string(), rank(&e.factory), e.name.clone());
            key(a).cmp(&key(b))
        });
        let at = chosen.and_then(|path| elements.iter().position(|e| e.path == path));
        self.chosen = at.unwrap_or_else(|| self.chosen.min(elements.len().saturating_sub(1)));
        self.elements = elements;
    }

    /// Takes new statistics, as of `at` on any clock that goes on.
    pub fn set_stats(&mut self, at: Duration, stats: AllStats) {
        self.stats = stats;
        for element in &self.elements {
            let Some(frames) = number(self.stats_of(element), "frames") else { continue };
            let all = self.frames.entry(element.path.clone()).or_default();
            if all.back().is_some_and(|(_, last)| *last > frames) {
                all.clear();
            }
            all.push_back((at, frames));
            while all.len() > 2 && all.front().is_some_and(|(first, _)| at.saturating_sub(*first) > WINDOW) {
                all.pop_front();
            }
        }
    }

    /// Takes an event.
    pub fn add_event(&mut self, event: Happened) {
        match &*event.name {
            "andon/drift" => {
                self.drift.insert(event.path.clone(), event.data.clone());
            }
            "andon/part-verdict" | "andon/inference" => {
                if let Some(arm) = event.data.get("arm").and_then(Value::as_str) {
                    self.arms.insert(event.path.clone(), arm.into());
                }
            }
            _ => {}
        }
        self.events.push_back(event);
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }

    /// Forgets what was of another process.
    pub fn forget(&mut self) {
        self.stats.clear();
        self.models.clear();
        self.drift.clear();
        self.arms.clear();
        self.frames.clear();
    }

    /// The element that is chosen.
    pub fn chosen(&self) -> Option<&Element> {
        self.elements.get(self.chosen)
    }

    /// The statistics of an element; null if there are none.
    pub fn stats_of(&self, element: &Element) -> &Value {
        self.stats.get(&element.path).or_else(|| self.stats.get(&element.name)).unwrap_or(&Value::Null)
    }

    /// Frames a second of an element, over the last seconds.
    pub fn rate(&self, element: &Element) -> Option<f64> {
        let all = self.frames.get(&element.path)?;
        let ((began, first), (ended, last)) = (all.front()?, all.back()?);
        let time = ended.saturating_sub(*began).as_secs_f64();
        (time > 0.0).then(|| (last - first) as f64 / time)
    }
}

/// The pipeline of an element: the first name of its path.
pub fn pipeline(element: &Element) -> &str {
    element.path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// The order on the screen: what judges, then what looks at judgements, then the rest.
fn rank(factory: &str) -> usize {
    let order = ["modelinfer", "abjoin", "driftmeter", "framesampler", "abtee"];
    order.iter().position(|f| *f == factory).unwrap_or(order.len())
}

/// A figure of statistics.
pub fn number(stats: &Value, name: &str) -> Option<u64> {
    stats.get(name)?.as_u64()
}

/// A text of statistics; empty if there is none.
pub fn text<'a>(stats: &'a Value, name: &str) -> &'a str {
    stats.get(name).and_then(Value::as_str).unwrap_or_default()
}
