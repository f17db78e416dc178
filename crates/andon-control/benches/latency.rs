// SPDX-License-Identifier: MPL-2.0
//! Measures how long an event takes from who says it to a client that has read and understood it: by the number of clients, the
//! number of events a second, and beside threads that keep every core busy, as models do. Beside each case stands the same
//! without a line: who says it writes the text into the sockets itself. That is what the machine and its load allow.
//!
//! ```text
//! cargo bench -p andon-control --bench latency [-- SECONDS of each case, default 2]
//! ```

use std::{
    hint::black_box,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
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
fn event(now: u64) -> Value {
    let one = |n| json!({ "class": n, "label": "short", "score": 0.94, "box": [1, 2, 3, 4] });
    let boxes: Vec<_> = (0..3).map(one).collect();
    json!({ "made": now, "schema": "andon.inference/1", "frame_id": 812, "verdict": "ng", "detections": boxes })
}

fn publish(publisher: &Publisher, now: u64) {
    let (element, path) = ("champion".into(), "/GstPipeline:pipeline0/GstModelInfer:champion".into());
    let (kind, name) = (Kind::Messages, "andon/result".into());
    publisher.publish(Pending { kind, name, element, path, utc_ns: 1, data: Box::new(move || event(now)) });
}

/// How late an event is, ns.
fn late(data: &Value, begin: Instant) -> u64 {
    (begin.elapsed().as_nanos() as u64).saturating_sub(data["made"].as_u64().unwrap_or_default())
}

/// What hands events over.
enum Way {
    /// A line, and a client.
    Line(Server, Publisher),
    /// Sockets, and nothing between.
    Bare(Vec<UnixStream>),
}

/// How late each event was for each of the clients, ns, in order.
fn measure(clients: usize, a_second: u64, busy: bool, seconds: u64, bare: bool) -> Vec<u64> {
    let folder = tempfile::tempdir().expect("a folder");
    let address = Address::parse(&format!("unix:{}/", folder.path().display())).expect("an address");
    let (begin, count) = (Instant::now(), a_second * seconds);
    let (ready, end) = (Barrier::new(clients + 1), AtomicBool::new(false));
    let (way, mut others): (Way, Vec<_>) = if bare {
        let (ours, theirs) = (0..clients).map(|_| UnixStream::pair().expect("two sockets")).unzip();
        (Way::Bare(ours), theirs)
    } else {
        let (journal, publisher) = Journal::start(Limits::default()).expect("a thread");
        let server = Server::open(&address, "bench", "0", Arc::new(Nothing), journal).expect("a socket");
        (Way::Line(server, publisher), Vec::new())
    };
    let mut all: Vec<u64> = thread::scope(|scope| {
        let cores = if busy { thread::available_parallelism().map_or(1, Into::into) } else { 0 };
        for _ in 0..cores {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    black_box((0..1000_u64).fold(0, |sum, n| black_box(sum ^ n)));
                }
            });
        }
        let (way, ready) = (&way, &ready);
        let read = move |other: Option<UnixStream>| match (way, other) {
            (Way::Line(server, _), _) => {
                let mut client = Client::connect(server.path()).expect("the line answers");
                client.subscribe(&[], &[], None).expect("it may subscribe");
                ready.wait();
                let mut next = || match client.next_event(Some(Duration::from_secs(10))).expect("the line goes on") {
                    Some(Event::Happened(event)) => late(&event.data, begin),
                    other => panic!("{other:?}"),
                };
                (0..count).map(|_| next()).collect::<Vec<_>>()
            }
            (Way::Bare(_), other) => {
                ready.wait();
                let lines = BufReader::new(other.expect("its socket")).lines().take(count as usize);
                let data = lines.map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
                data.map(|data| late(&data, begin)).collect()
            }
        };
        let readers: Vec<_> =
            (0..clients).map(|_| others.pop()).map(|other| scope.spawn(move || read(other))).collect();
        ready.wait();
        let start = Instant::now();
        for n in 0..count {
            let due = start + Duration::from_nanos(n * 1_000_000_000 / a_second);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let now = begin.elapsed().as_nanos() as u64;
            match way {
                Way::Line(_, publisher) => publish(publisher, now),
                Way::Bare(sockets) => {
                    let line = format!("{}\n", event(now));
                    sockets.iter().for_each(|mut socket| socket.write_all(line.as_bytes()).expect("it is read"));
                }
            }
        }
        let all = readers.into_iter().flat_map(|reader| reader.join().expect("no panic")).collect();
        end.store(true, Ordering::Relaxed);
        all
    });
    all.sort_unstable();
    all
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(2);
    println!("| clients | events/s | cores busy | p50 ms | p99 ms | most ms | bare p50 | bare p99 | bare most |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (clients, a_second, busy) in CASES {
        let figures = [false, true].map(|bare| {
            let late = measure(clients, a_second, busy, seconds, bare);
            [0.5, 0.99, 1.0].map(|share| late[((late.len() - 1) as f64 * share) as usize] as f64 / 1e6)
        });
        let shown: Vec<_> = figures.concat().iter().map(|figure| format!("{figure:.2}")).collect();
        println!("| {clients} | {a_second} | {} | {} |", if busy { "yes" } else { "no" }, shown.join(" | "));
    }
}
