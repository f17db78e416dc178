// SPDX-License-Identifier: MPL-2.0
//! Measures how long an event takes from who says it to a client that has read and understood it: by the number of clients, the
//! number of events a second, and beside threads that keep every core busy, as models do.
//!
//! ```text
//! cargo bench -p andon-control --bench latency [-- SECONDS of each case, default 2]
//! ```

use std::{
    hint::black_box,
    path::Path,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use andon_control::{
    address::Address,
    client::Client,
    event::{Event, Kind},
    journal::{Journal, Limits, Pending, Publisher},
    reply::Refusal,
    request::Request,
    serve::{Caller, Line, Server},
};
use serde_json::{Value, json};

/// Clients, events a second, whether every core is busy.
const CASES: [(usize, u64, bool); 7] = [
    (1, 20, false),
    (1, 1000, false),
    (8, 200, false),
    (31, 60, false),
    (1, 20, true),
    (1, 1000, true),
    (8, 200, true),
];

struct Nothing;

impl Line for Nothing {
    fn handle(&self, _: &Caller, _: &Request) -> Result<Value, Refusal> {
        Ok(Value::Null)
    }
}

/// An event of the size of a frame's result with three boxes, which says when it was made.
fn publish(publisher: &Publisher, begin: Instant) {
    let now = begin.elapsed().as_nanos() as u64;
    let data = move || {
        let boxes: Vec<_> =
            (0..3).map(|n| json!({ "class": n, "label": "short", "score": 0.94, "box": [1, 2, 3, 4] })).collect();
        json!({ "made": now, "schema": "andon.inference/1", "frame_id": 812, "verdict": "ng", "detections": boxes })
    };
    let (element, path) = ("champion".into(), "/GstPipeline:pipeline0/GstModelInfer:champion".into());
    let (kind, name) = (Kind::Messages, "andon/result".into());
    publisher.publish(Pending { kind, name, element, path, utc_ns: 1, data: Box::new(data) });
}

/// How late each event was, ns.
fn read(path: &Path, begin: Instant, count: u64, ready: &Barrier) -> Vec<u64> {
    let mut client = Client::connect(path).expect("the line answers");
    client.subscribe(&[], &[], None).expect("it may subscribe");
    ready.wait();
    let mut late = Vec::new();
    while late.len() < count as usize {
        match client.next_event(Some(Duration::from_secs(10))).expect("the line goes on") {
            Some(Event::Happened(event)) => {
                let made = event.data["made"].as_u64().unwrap_or_default();
                late.push((begin.elapsed().as_nanos() as u64).saturating_sub(made));
            }
            other => panic!("{other:?}"),
        }
    }
    late
}

fn measure(clients: usize, a_second: u64, busy: bool, seconds: u64) -> Vec<u64> {
    let folder = tempfile::tempdir().expect("a folder");
    let address = Address::parse(&format!("unix:{}/", folder.path().display())).expect("an address");
    let (journal, publisher) = Journal::start(Limits::default()).expect("a thread");
    let server = Server::open(&address, "bench", "0", Arc::new(Nothing), journal).expect("a socket");
    let (begin, count) = (Instant::now(), a_second * seconds);
    let ready = Barrier::new(clients + 1);
    let end = AtomicBool::new(false);
    let mut late: Vec<u64> = thread::scope(|scope| {
        let cores = if busy { thread::available_parallelism().map_or(1, Into::into) } else { 0 };
        for _ in 0..cores {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    black_box((0..1000_u64).fold(0, |sum, n| black_box(sum ^ n)));
                }
            });
        }
        let reads = || scope.spawn(|| read(server.path(), begin, count, &ready));
        let readers: Vec<_> = (0..clients).map(|_| reads()).collect();
        ready.wait();
        let start = Instant::now();
        for n in 0..count {
            let due = start + Duration::from_nanos(n * 1_000_000_000 / a_second);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            publish(&publisher, begin);
        }
        let late = readers.into_iter().flat_map(|reader| reader.join().expect("no panic")).collect();
        end.store(true, Ordering::Relaxed);
        late
    });
    late.sort_unstable();
    late
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(2);
    println!("| clients | events/s | cores busy | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|---|");
    for (clients, a_second, busy) in CASES {
        let late = measure(clients, a_second, busy, seconds);
        let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize] as f64 / 1e6;
        let busy = if busy { "yes" } else { "no" };
        println!("| {clients} | {a_second} | {busy} | {:.2} | {:.2} | {:.2} |", at(0.5), at(0.99), at(1.0));
    }
}
