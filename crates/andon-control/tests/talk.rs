// SPDX-License-Identifier: MPL-2.0
//! What clients and a line say to each other.

mod common;

use std::{io::Write, net::Shutdown, sync::mpsc, time::Duration};

use andon_control::{
    client::{self, Client},
    event::{Event, Kind},
    journal::Limits,
    reply::{Access, Outcome},
    request::{Request, Since},
};
use common::{PATIENCE, Raw, Served, paths, until};
use serde_json::{Value, json};
use uuid::Uuid;

fn next(client: &mut Client) -> Event {
    client.next_event(Some(PATIENCE)).unwrap().expect("an event in time")
}

fn numbers(client: &mut Client, count: usize) -> Vec<u64> {
    let number = |event| if let Event::Happened(happened) = event { happened.seq } else { panic!("{event:?}") };
    (0..count).map(|_| number(next(client))).collect()
}

#[test]
fn a_client_reads_sets_and_is_refused() {
    let served = Served::new();
    let mut client = Client::connect(served.server.path()).unwrap();
    let hello = client.hello();
    assert_eq!((hello.name.as_str(), hello.access, hello.seq), ("line", Access::Own, 0));
    assert_eq!((hello.pid, hello.run), (std::process::id(), served.journal.run()));
    assert_eq!(client.get("m", "threads").unwrap(), 0);
    let changed = client.set("m", "threads", 4.into()).unwrap();
    assert_eq!((changed.before, changed.after, *served.line.threads.lock()), (0.into(), 4.into(), 4));
    assert_eq!(client.set("m", "threads", "four".into()).unwrap_err().outcome(), Some(Outcome::BadValue));
    assert_eq!(client.get("n", "threads").unwrap_err().outcome(), Some(Outcome::UnknownElement));
    assert_eq!(client.get("m", "panic").unwrap_err().outcome(), Some(Outcome::Failed));
    assert_eq!(client.get("m", "big").unwrap().as_str().unwrap().len(), 3 << 20);
    let asked = client.ask(&Request::Get { element: "m".into(), property: "who".into() }, Some("maria"), Some("lamp"));
    let asked = asked.unwrap();
    assert_eq!((&asked["name"], &asked["why"], &asked["access"]), (&json!("maria"), &json!("lamp"), &json!("own")));
}

#[test]
fn the_second_socket_only_looks_and_what_was_tried_there_is_written_down() {
    let served = Served::new();
    let mut client = Client::connect(served.server.look_path()).unwrap();
    assert_eq!(client.hello().access, Access::Look);
    client.subscribe(&[Kind::Control], &[], None).unwrap();
    assert_eq!(client.get("m", "threads").unwrap(), 0);
    let refused = client.set("m", "threads", 4.into()).unwrap_err();
    assert_eq!(refused.outcome(), Some(Outcome::NotAllowed));
    let full = served.server.path().display().to_string();
    assert!(refused.to_string().contains("read-only") && refused.to_string().contains(&full), "{refused}");
    let Event::Happened(event) = next(&mut client) else { panic!() };
    assert_eq!((event.kind, event.element.as_str(), &event.data["request"]), (Kind::Control, "m", &json!("set")));
    assert_eq!((&event.data["value"], &event.data["error"]), (&json!(4), &json!("not-allowed")));
    assert_eq!(*served.line.threads.lock(), 0);

    // Whoever may only look pushes nothing out of the record: neither by many nor by large attempts.
    assert_eq!(
        client.set("m", "threads", "x".repeat(100_000).into()).unwrap_err().outcome(),
        Some(Outcome::NotAllowed)
    );
    let Event::Happened(event) = next(&mut client) else { panic!() };
    assert_eq!(
        (&event.data["cut"], &event.data["value"], &event.data["untold"]),
        (&json!(true), &Value::Null, &json!(0))
    );
    let begun = std::time::Instant::now();
    (0..60).for_each(|_| assert!(client.set("m", "threads", 4.into()).is_err()));
    let kept = served.journal.kept().last;
    let most = 2 + 18 + begun.elapsed().as_secs() + 1;
    assert!(kept <= most, "{kept} of 62 attempts are written down, and {most} is the most");
}

#[test]
fn a_client_that_was_away_learns_what_it_missed() {
    let served = Served::with(Limits { events: 5, bytes: usize::MAX }, "");
    let run = served.journal.run();
    let publish = |count: u64| (0..count).for_each(|n| assert!(served.publish(Kind::Messages, "m", n.into())));
    let mut first = Client::connect(served.server.path()).unwrap();
    assert_eq!(first.subscribe(&[], &[], None).unwrap().last, 0);
    publish(3);
    assert_eq!(numbers(&mut first, 3), [1, 2, 3]);
    drop(first);
    publish(2);
    let mut again = Client::connect(served.server.path()).unwrap();
    again.subscribe(&[], &[], Some(Since { run, seq: 3 })).unwrap();
    assert_eq!(numbers(&mut again, 2), [4, 5], "nothing lost");
    publish(4);
    assert_eq!(numbers(&mut again, 4), [6, 7, 8, 9]);
    again.subscribe(&[], &[], Some(Since { run, seq: 1 })).unwrap();
    assert_eq!(next(&mut again), Event::Gap { run, from: 2, to: 4, lost: 3, more: false });
    assert_eq!(numbers(&mut again, 5), [5, 6, 7, 8, 9]);
    again.subscribe(&[], &[], Some(Since { run: Uuid::from_u128(1), seq: 77 })).unwrap();
    assert_eq!(next(&mut again), Event::Gap { run, from: 1, to: 4, lost: 4, more: true });
    assert_eq!(numbers(&mut again, 5), [5, 6, 7, 8, 9]);
    let future = again.subscribe(&[], &[], Some(Since { run, seq: 12 })).unwrap_err();
    assert_eq!(future.outcome(), Some(Outcome::Invalid));
    assert!(future.to_string().contains("12") && future.to_string().contains('9'), "{future}");
    publish(1);
    assert_eq!(numbers(&mut again, 1), [10], "what was refused changed nothing");
}

#[test]
fn a_reader_that_stands_still_gets_a_gap_and_goes_on() {
    let served = Served::with(Limits { events: 50, bytes: usize::MAX }, "");
    let (full, _) = paths(&served);
    let mut slow = Raw::connect(&full);
    slow.ask(r#"{"request":"subscribe"}"#);
    let mut quick = Client::connect(&full).unwrap();
    quick.subscribe(&[], &[], None).unwrap();
    let long = Value::from("x".repeat(10_000));
    for _ in 0..200 {
        assert!(served.publish(Kind::Messages, "m", long.clone()));
        let Event::Happened(_) = next(&mut quick) else { panic!("the quick one has no gap") };
    }
    let mut seen = Vec::new();
    let mut lost = 0;
    while seen.last() != Some(&200) {
        let event = slow.read();
        if event["event"] == "gap" {
            assert_eq!(event["from"].as_u64().unwrap(), seen.last().unwrap() + 1);
            lost += event["lost"].as_u64().unwrap();
        } else {
            seen.push(event["seq"].as_u64().unwrap());
        }
    }
    assert!(lost > 0 && seen.len() as u64 + lost == 200, "{} seen, {lost} lost", seen.len());
}

#[test]
fn values_are_sent_when_they_change() {
    let served = Served::new();
    let mut client = Client::connect(served.server.path()).unwrap();
    let mut observe = |id, element: &str, every_ms| client.observe(id, element, "threads", every_ms);
    assert_eq!(observe(7, "n", 20).unwrap_err().outcome(), Some(Outcome::UnknownElement));
    assert!(observe(7, "m", 19).unwrap_err().to_string().contains("20 to 3600000"));
    observe(7, "m", 20).unwrap();
    assert!(observe(7, "m", 20).unwrap_err().to_string().contains("observation 7 already"));
    let value = |value: i64| {
        let (element, property, value) = ("m".into(), "threads".into(), value.into());
        Event::Value { id: 7, element, property, value }
    };
    assert_eq!(next(&mut client), value(0));
    let asked = served.line.calls.lock().len();
    until(|| served.line.calls.lock().len() >= asked + 3);
    client.set("m", "threads", 4.into()).unwrap();
    assert_eq!(next(&mut client), value(4), "not the old value again");
    client.ask(&Request::Unobserve { id: 7 }, None, None).unwrap();
    let unknown = client.ask(&Request::Unobserve { id: 7 }, None, None).unwrap_err();
    assert_eq!(unknown.outcome(), Some(Outcome::Invalid));
}

#[test]
fn what_was_sent_before_the_end_is_done_and_half_a_line_is_not() {
    let served = Served::new();
    let (full, _) = paths(&served);
    let set = |value: i32| {
        format!(r#"{{"request_id":{value},"request":"set","element":"m","property":"threads","value":{value}}}"#)
    };
    let mut halved = Raw::connect(&full);
    halved.say(format!("{}\n{}", set(5), set(6)));
    halved.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(halved.read()["request_id"], 5);
    let refused = halved.read();
    assert!(refused["message"].as_str().unwrap().contains("ended within a line"), "{refused}");
    assert_eq!(halved.read(), Value::Null, "closed");
    assert_eq!(*served.line.threads.lock(), 5);
    let mut left = Raw::silent(&full);
    left.stream.write_all(format!("{}\n{}\n", set(7), set(8)).as_bytes()).unwrap();
    drop(left);
    until(|| *served.line.threads.lock() == 8);
}

#[test]
fn one_request_that_hangs_holds_up_nobody_else() {
    let served = Served::new();
    let (go, waits) = mpsc::channel();
    *served.line.waits.lock() = Some(waits);
    let (full, _) = paths(&served);
    let mut stuck = Raw::connect(&full);
    stuck.say("{\"request_id\":1,\"request\":\"get\",\"element\":\"m\",\"property\":\"wait\"}\n{\"request_id\":2,\"request\":\"stats\"}\n");
    let mut other = Client::connect(&full).unwrap();
    assert_eq!(other.get("m", "threads").unwrap(), 0);
    go.send(()).unwrap();
    assert_eq!((stuck.read()["request_id"].clone(), stuck.read()["request_id"].clone()), (1.into(), 2.into()));
}

#[test]
fn lines_are_found_in_a_folder_and_dead_ones_are_not() {
    let served = Served::with(Limits::default(), "name=line1");
    let folder = served.folder.path();
    drop(std::os::unix::net::UnixListener::bind(folder.join("dead.sock")).unwrap());
    std::fs::write(folder.join("text.sock"), "no socket").unwrap();
    let found = client::lines(folder);
    let names: Vec<_> = found.iter().map(|found| found.hello.name.as_str()).collect();
    assert_eq!((names, found[0].path.as_path()), (vec!["line1"], served.server.path()));
    assert!(client::lines(&folder.join("none")).is_empty());
    let path = served.server.path().to_owned();
    let mut client = Client::connect(&path).unwrap();
    drop(served);
    let gone = client.next_event(Some(PATIENCE)).unwrap_err();
    assert!(gone.to_string().contains("has closed"), "{gone}");
    let none = Client::connect(&path).err().unwrap().to_string();
    assert!(none.contains("no such socket") && none.contains("x.sock"), "{none}");
    assert!(client.next_event(Some(Duration::ZERO)).is_err());
}
