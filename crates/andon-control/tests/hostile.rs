// SPDX-License-Identifier: MPL-2.0
//! Clients that mean no good, or know no better, and those beside them.

mod common;

use std::io::Write;

use andon_control::{
    LONGEST_REQUEST, MOST_CLIENTS,
    client::Client,
    event::Kind,
    reply::{Access, Outcome},
};
use common::{CHILD, Raw, Served, alone, paths, until};
use serde_json::Value;

/// Asks for `threads`, and is answered.
fn works(raw: &mut Raw) {
    let answer = raw.ask(r#"{"request_id":"after","request":"get","element":"m","property":"threads"}"#);
    assert_eq!(
        (&answer["request_id"], &answer["error"], &answer["data"]),
        (&"after".into(), &"success".into(), &0.into())
    );
}

#[test]
fn bad_lines_are_refused_and_the_connection_goes_on() {
    let served = Served::new();
    let mut raw = Raw::connect(served.server.path());
    let nested = "[".repeat(LONGEST_REQUEST - 100).into_bytes();
    let too_long = vec![b'x'; LONGEST_REQUEST];
    let far_too_long = vec![b'{'; LONGEST_REQUEST * 2 + 77];
    let cases: [(&[u8], &str); 8] = [
        (b"hello", "no JSON"),
        (b"{\"request_id\":1,\"request\":\"quit\"\0}", "no JSON"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b"\0\0\0", "no JSON"),
        (b"GET / HTTP/1.1\r", "no JSON"),
        (&nested, "recursion limit"),
        (&too_long, "longer than 262144 bytes"),
        (&far_too_long, "longer than 262144 bytes"),
    ];
    for (line, why) in cases {
        raw.say(line);
        raw.say(b"\n");
        let answer = raw.read();
        assert_eq!((&answer["request_id"], &answer["error"]), (&Value::Null, &"invalid".into()));
        assert!(answer["message"].as_str().unwrap().contains(why), "{answer}");
        works(&mut raw);
    }
    raw.say(b"\n\r\n  \n");
    works(&mut raw);
    let start = r#"{"request_id":"after","request":"get","element":"m","property":"threads","why":""#;
    let mut longest = start.to_string();
    longest += "\"}";
    longest += &" ".repeat(LONGEST_REQUEST - 1 - longest.len());
    assert_eq!(raw.ask(&longest)["error"], "success", "the longest that is allowed");
}

#[test]
fn when_all_places_are_taken_who_comes_is_told_and_closed() {
    let served = Served::new();
    let (full, look) = paths(&served);
    let few = MOST_CLIENTS - 8;
    let mut all: Vec<_> = (0..few).map(|_| Client::connect(&look).unwrap()).collect();
    let refused = Client::connect(&look).err().unwrap();
    assert_eq!(refused.outcome(), Some(Outcome::Busy), "{refused}");
    all.extend((few..MOST_CLIENTS).map(|_| Client::connect(&full).unwrap()));
    assert_eq!(all.last().unwrap().hello().access, Access::Own, "nobody locks the line's own user out by looking");
    let mut refused = Raw::silent(&full);
    let answer = refused.read();
    assert_eq!(answer["error"], "busy");
    assert!(answer["message"].as_str().unwrap().contains("32 clients are connected"), "{answer}");
    assert_eq!(refused.read(), Value::Null, "closed");
    all.pop();
    until(|| Client::connect(&full).is_ok());
    assert_eq!(all[0].get("m", "threads").unwrap(), 0);
}

#[test]
fn clients_take_a_descriptor_each_and_leave_none_behind() {
    if std::env::var_os(CHILD).is_none() {
        return alone("clients_take_a_descriptor_each_and_leave_none_behind", &[]);
    }
    let served = Served::new();
    let (full, _) = paths(&served);
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut all = vec![Client::connect(&full).unwrap()];
    let before = open() - 2;
    all.extend((1..MOST_CLIENTS).map(|_| Client::connect(&full).unwrap()));
    let two_ends = before + 2 * MOST_CLIENTS;
    for _ in 0..50 {
        assert_eq!(Client::connect(&full).err().unwrap().outcome(), Some(Outcome::Busy));
        assert!(open() <= two_ends, "{} of {two_ends}", open());
    }
    drop(all);
    until(|| open() <= before);
}

#[test]
fn who_does_not_read_is_not_answered_further_and_who_floods_delays_nobody() {
    let served = Served::new();
    let (full, _) = paths(&served);
    let ask = |property: &str| {
        format!("{{\"why\":\"{property}\",\"request\":\"get\",\"element\":\"m\",\"property\":\"{property}\"}}\n")
    };
    let mut greedy = Raw::connect(&full);
    greedy.say(ask("big").repeat(50));
    let mut floods: Vec<_> = (0..4).map(|_| Raw::connect(&full)).collect();
    for flood in &mut floods {
        flood.say(ask("threads").repeat(500));
        flood.stream.set_nonblocking(true).unwrap();
    }
    let mut other = Client::connect(&full).unwrap();
    other.subscribe(&[], &[], None).unwrap();
    for n in 0..20 {
        assert_eq!(other.get("m", "threads").unwrap(), 0);
        assert!(served.publish(Kind::Messages, "m", n.into()));
        assert!(other.next_event(Some(common::PATIENCE)).unwrap().is_some());
    }
    // A reply that is not read holds back the next: of 50 that were asked for at once, few were made.
    let made = served.line.calls.lock().iter().filter(|caller| caller.why.as_deref() == Some("big")).count();
    assert!((1..=2).contains(&made), "{made}");
    drop(floods);
    assert_eq!(greedy.read()["data"].as_str().unwrap().len(), 3 << 20);
    assert_eq!(greedy.read()["data"].as_str().unwrap().len(), 3 << 20, "and goes on once it is read");
}

#[test]
fn silent_clients_and_halves_of_lines_cost_nothing_but_their_place() {
    let served = Served::new();
    let (full, _) = paths(&served);
    let silent: Vec<_> = (0..10).map(|_| Raw::silent(&full)).collect();
    let mut halves: Vec<_> = (0..10).map(|_| Raw::silent(&full)).collect();
    for half in &mut halves {
        half.stream.write_all(b"{\"request\":").unwrap();
    }
    works(&mut Raw::connect(&full));
    let mut half = halves.pop().unwrap();
    assert_eq!(half.read()["event"], "hello");
    half.say(b"\"stats\"}\n");
    assert_eq!(half.read()["error"], "success");
    drop((silent, halves));
}
