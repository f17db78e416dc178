// SPDX-License-Identifier: MPL-2.0
//! What never ends, and threads that are not to be had: nothing else waits for either.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use andon_core::aside::{self, Spawn};
use andon_inference::{LOADS, Options, pool};
use parking_lot::Mutex;

use super::{Ask, Batch, Cause, Event, Exchange, Host, Loading, Running, Threads};

/// Only a hang gets there.
const LONG: Duration = Duration::from_secs(120);

/// The tests share the room for loads that were left behind.
static ONE: Mutex<()> = Mutex::new(());

fn path(graph: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(graph).with_extension("onnx").display().to_string()
}

fn ask(graph: &str, limit: Option<Duration>) -> Ask {
    let model = if graph.is_empty() { String::new() } else { path(graph) };
    let options = Options { threads: 1, time_limit: limit, ..Options::default() };
    let batch = Batch { size: 1, timeout: Duration::ZERO };
    Ask { model, options, frames: 1, share: String::new(), batch }
}

/// An element that only listens.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

impl Host for Ear {
    fn ask(&self, model: String) -> Option<Ask> {
        Some(Ask { model, ..ask("detector", None) })
    }

    fn name(&self) -> String {
        "ear".into()
    }

    fn handle(&self, event: Event<'_>) {
        let said = match event {
            Event::NoThread { job, .. } => format!("no thread to {job}"),
            Event::Abandoned { left, what } => format!("{left:?} {}", what.rsplit('/').next().unwrap_or_default()),
            Event::Failed { error, .. } => error.to_string(),
            _ => return,
        };
        self.0.lock().push(said);
    }
}

/// An exchange with the model `detector` running.
struct Bench {
    exchange: Arc<Exchange>,
    ear: Ear,
    runs: Option<Arc<Running>>,
}

impl Bench {
    fn new(spawn: Spawn) -> Self {
        pool::start();
        let ear = Ear::default();
        let exchange = Arc::new(Exchange { threads: Threads(spawn), ..Exchange::default() });
        exchange.serve(Box::new(ear.clone()));
        let (asked, runs) = exchange.bring(|| ask("detector", None));
        let runs = Some(runs.unwrap_or_else(|e| panic!("{e}; or run `make setup`")));
        exchange.open(&asked, runs.clone());
        Self { exchange, ear, runs }
    }

    fn request(&self, graph: &str) {
        assert!(self.exchange.request(path(graph), Cause::Swap));
    }

    fn until(&mut self, what: &str, is: impl Fn(&mut Self) -> bool) {
        let until = Instant::now() + LONG;
        while !is(self) {
            assert!(Instant::now() < until, "{what}: {:?}", self.said());
            thread::yield_now();
        }
    }

    /// Frames go by until that model runs.
    fn until_runs(&mut self, graph: &str) {
        self.until(graph, |b| {
            b.exchange.take(&mut b.runs);
            b.runs.as_ref().is_some_and(|r| r.id().name == graph)
        });
    }

    fn said(&self) -> Vec<String> {
        self.ear.0.lock().clone()
    }
}

#[test]
fn a_request_waits_for_a_thread_is_told_once_and_is_loaded_when_there_is_one() {
    static GIVES: AtomicU8 = AtomicU8::new(0);
    let spawn: Spawn = |name, run| {
        let refused = match GIVES.load(Ordering::SeqCst) {
            0 => true,
            1 => name != "andon-load",
            _ => false,
        };
        if refused { Err(io::ErrorKind::WouldBlock.into()) } else { aside::spawn(name, run) }
    };
    let _one = ONE.lock();
    // The start loads where it is.
    let mut b = Bench::new(spawn);
    for (turn, graph) in ["detector-left", "detector"].into_iter().enumerate() {
        // First there is no worker, then a worker and no thread to load on.
        GIVES.store(turn as u8, Ordering::SeqCst);
        b.request(graph);
        b.until("it is told", |b| b.exchange.loading() == Loading::NoThread && b.said().len() == turn + 1);
        assert_eq!(b.said()[turn], "no thread to load the model");
        b.request(graph);
        for _ in 0..1000 {
            assert!(b.exchange.take(&mut b.runs).is_none());
        }
        assert_eq!((b.said().len(), b.exchange.loading()), (turn + 1, Loading::NoThread), "once");
        GIVES.store(2, Ordering::SeqCst);
        b.until_runs(graph);
        assert_eq!(b.exchange.loading(), Loading::Idle);
    }
    b.exchange.close();
}

#[test]
fn a_load_that_does_not_end_holds_up_no_other_and_no_stop_and_holds_nothing_of_the_element() {
    static HANGS: AtomicBool = AtomicBool::new(false);
    static DEAD: Mutex<()> = Mutex::new(());
    let spawn: Spawn = |name, run| {
        let hangs = name == "andon-loading" && HANGS.load(Ordering::SeqCst);
        let run = move || {
            if hangs {
                drop(DEAD.lock());
            }
            run();
        };
        aside::spawn(name, Box::new(run))
    };
    let _one = ONE.lock();
    let mut b = Bench::new(spawn);
    let dead = DEAD.lock();
    let begin = |b: &mut Bench, graph: &str| {
        HANGS.store(true, Ordering::SeqCst);
        b.request(graph);
        b.until("it loads", |b| b.exchange.state.lock().load.is_some());
        HANGS.store(false, Ordering::SeqCst);
    };
    // Another comes to run beside it, and it is told that it was left behind.
    begin(&mut b, "classifier");
    b.request("detector-left");
    b.until_runs("detector-left");
    b.until("it is told", |b| !b.said().is_empty());
    assert_eq!(b.said(), ["Load(\"reading the model\") classifier.onnx"]);
    assert_eq!(LOADS.left(), [path("classifier")]);
    // A stop waits for it no longer than it says.
    begin(&mut b, "anomalib");
    let begun = Instant::now();
    b.exchange.close();
    assert!(begun.elapsed() < super::CLOSING * 10, "{:?}", begun.elapsed());
    assert_eq!(b.said()[1..], ["Load(\"reading the model\") anomalib.onnx"]);
    assert_eq!(b.exchange.model(), path("anomalib"), "the next start loads it");
    b.until("nothing holds the exchange", |b| Arc::strong_count(&b.exchange) == 1);

    // A start is given up when something else is asked for, and when it takes too long.
    HANGS.store(true, Ordering::SeqCst);
    let limit = Some(Duration::from_millis(200));
    let (_, late) = b.exchange.bring(|| ask("classifier", limit));
    let late = late.err().expect("it hangs").to_string();
    assert!(late.contains("classifier.onnx: reading the model took longer than 0.2 s"), "{late}");
    let calls = AtomicU8::new(0);
    let (asked, other) = b.exchange.bring(|| match calls.fetch_add(1, Ordering::SeqCst) {
        0..3 => ask("classifier", None),
        _ => {
            HANGS.store(false, Ordering::SeqCst);
            ask("detector", None)
        }
    });
    assert_eq!((asked.model, other.unwrap().id().name.as_str()), (path("detector"), "detector"));
    // Without room nothing begins, until one has ended.
    b.exchange.see_off(Some(Instant::now()));
    drop(dead);
    b.until("they end", |_| LOADS.left().is_empty());
    let dead = DEAD.lock();
    for _ in 0..8 {
        let hang = LOADS.start(aside::spawn, ("andon-loading", "dead"), || drop(DEAD.lock()), || {});
        assert!(hang.unwrap().leave());
    }
    let mut b = {
        let (ear, exchange) = (Ear::default(), Arc::new(Exchange::default()));
        exchange.serve(Box::new(ear.clone()));
        exchange.open(&ask("detector", None), b.runs.clone());
        Bench { exchange, ear, runs: b.runs.clone() }
    };
    b.request("classifier");
    b.until("it is refused", |b| !b.said().is_empty());
    assert!(b.said()[0].contains("8 that were left behind have not ended (dead, dead"), "{:?}", b.said());
    drop(dead);
    b.until("they end", |_| LOADS.left().is_empty());
    b.request("detector");
    b.until_runs("detector");
    b.exchange.close();
}
