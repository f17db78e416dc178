// SPDX-License-Identifier: MPL-2.0
//! The screen as somebody sees it, on a terminal of 80 columns and on one of 140.

use std::{collections::BTreeMap, time::Duration};

use andon_control::{
    event::{Happened, Kind},
    reply::{Access, Element, Hello},
};
use ratatui::{Terminal, backend::TestBackend, style::Modifier};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    form::{Move, Way},
    state::{Link, State},
    update::{Input, Key, Order, update},
    view::view,
};

/// Two o'clock and a bit, ns.
const NOW: u64 = 7_500_000_000_000;

fn hello() -> Hello {
    Hello {
        protocol: 1,
        andon: "0.1.0".into(),
        name: "left".into(),
        pid: 4123,
        run: Uuid::from_u128(1),
        seq: 812,
        access: Access::Own,
    }
}

fn element(name: &str, factory: &str) -> Element {
    Element {
        name: name.into(),
        path: format!("/GstPipeline:pipeline0/{name}"),
        factory: factory.into(),
        state: "playing".into(),
        described: None,
    }
}

fn happened(name: &str, element: &str, data: Value) -> Happened {
    Happened {
        run: Uuid::from_u128(1),
        seq: 1,
        utc_ns: NOW - 60_000_000_000,
        kind: Kind::Messages,
        name: name.into(),
        element: element.into(),
        path: format!("/GstPipeline:pipeline0/{element}"),
        data,
    }
}

/// Statistics of a line after so many frames.
fn stats(frames: u64) -> BTreeMap<String, Value> {
    let model = |version: &str, ng: u64| {
        json!({
            "frames": frames, "active": format!("pcb@{version}"), "standby": "", "load-state": "idle",
            "latency-us-p50": 1850, "latency-us-p99": 2912, "parts-ok": 480, "parts-ng": ng, "parts-review": 1,
            "parts-unjudged": 0, "alias-problem": ""
        })
    };
    BTreeMap::from([
        ("champion".into(), model("1", 31)),
        ("challenger".into(), model("2", 33)),
        ("j".into(), json!({"compared": 512, "ok-ok": 480, "ng-ng": 29, "decision": "hold", "late": 3, "b-errors": 0})),
        ("meter".into(), json!({"state": "drift", "cause": "lighting"})),
        (
            "sampler".into(),
            json!({"written": 12, "queue": 1, "pending": 0, "over-budget": 2, "ring-frames": 40, "failing": false}),
        ),
    ])
}

/// A line in shadow mode, in the middle of a drift.
fn line() -> State {
    let mut state = State::new(NOW, 0);
    let elements = vec![
        element("sampler", "framesampler"),
        element("meter", "driftmeter"),
        element("j", "abjoin"),
        element("challenger", "modelinfer"),
        element("champion", "modelinfer"),
        element("t", "abtee"),
    ];
    let models =
        ["champion", "challenger"].map(|name| (format!("/GstPipeline:pipeline0/{name}"), format!("store/pcb@{name}")));
    let drift = json!({
        "state": "drift", "since": {"utc_ns": NOW - 240_000_000_000},
        "causes": [{"cause": "lighting", "share": 0.8}, {"cause": "colour", "share": 0.2}]
    });
    for input in [
        Input::Up(hello()),
        Input::Elements(elements, BTreeMap::from(models)),
        Input::Stats(Duration::from_secs(1), stats(100)),
        Input::Stats(Duration::from_secs(3), stats(160)),
        Input::Event(happened("andon/drift", "meter", drift)),
        Input::Event(happened(
            "andon/part-verdict",
            "champion",
            json!({"id": "7", "verdict": "ng\u{1b}[2J", "arm": "a"}),
        )),
    ] {
        assert_eq!(update(&mut state, input), None);
    }
    state
}

/// The screen as text, a line a row.
fn screen(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(frame, state, false)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
    (0..height).map(row).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn shows(screen: &str, texts: &[&str]) {
    for text in texts {
        assert!(screen.contains(text), "'{text}' is not in\n{screen}");
    }
}

fn keys(state: &mut State, keys: &str) -> Option<Order> {
    let key = |c| match c {
        '\n' => Key::Enter,
        '\t' => Key::Tab,
        '<' => Key::Backspace,
        '^' => Key::Up,
        'v' => Key::Down,
        '!' => Key::Escape,
        c => Key::Char(c),
    };
    let mut orders = keys.chars().filter_map(|c| update(state, Input::Key(key(c)))).collect::<Vec<_>>();
    assert!(orders.len() < 2, "{orders:?}");
    orders.pop()
}

#[test]
fn all_that_matters_is_on_a_small_screen_and_more_on_a_large_one() {
    let state = line();
    let narrow = screen(&state, 80, 24);
    shows(
        &narrow,
        &[
            "02:05:00  left · process 4123 · andon 0.1.0",
            "challenger     pcb@2       challenger   30.0    1.9    2.9    480    33     1",
            "champion       pcb@1       champion     30.0    1.9    2.9    480    31     1",
            "agree 99.4 % of 512 parts · hold · 3 late",
            "drift: 80 % lighting, 20 % colour · since 02:01:00 (4 min)",
            "kept 12 · waiting 1 · dropped 2 · 40 frames gone by in memory",
            "02:04:00 champion part-verdict verdict=ng\\u{1b}[2J id=7 arm=a",
            "c capture  p promote  r roll back",
        ],
    );
    assert!(narrow.lines().count() == 24 && !narrow.contains('\u{1b}'), "{narrow}");
    let wide = screen(&state, 140, 24);
    shows(&wide, &["arm version", "standby", "unjudged", "champion             a   pcb@1"]);
    // Nothing else is known of a screen than its size, and none breaks.
    for (width, height) in [(1, 1), (20, 3), (40, 8), (79, 5), (300, 80)] {
        screen(&state, width, height);
    }
}

#[test]
fn the_chosen_element_is_seen_however_many_there_are() {
    let mut state = line();
    let many = (0..60).map(|n| element(&format!("model{n:02}"), "modelinfer")).collect();
    update(&mut state, Input::Elements(many, BTreeMap::new()));
    for _ in 0..57 {
        keys(&mut state, "v");
    }
    let shown = screen(&state, 80, 24);
    shows(&shown, &["model57", "events"]);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| view(frame, &state, false)).unwrap();
    let buffer = terminal.backend().buffer();
    let at = shown.lines().position(|row| row.contains("model57")).unwrap() as u16;
    assert!(buffer[(0, at)].modifier.contains(Modifier::REVERSED), "it is seen without colour");
    keys(&mut state, "^^");
    assert_eq!(state.chosen().unwrap().name, "model55");
    // It stays chosen when others come and go.
    let others = vec![element("model55", "modelinfer"), element("a", "modelinfer")];
    update(&mut state, Input::Elements(others, BTreeMap::new()));
    assert_eq!(state.chosen().unwrap().name, "model55");
}

#[test]
fn a_capture_asks_what_for_and_how_many() {
    let mut state = line();
    assert_eq!(keys(&mut state, "c"), None);
    shows(&screen(&state, 80, 24), &["Capture with", "> reason", "frames before"]);
    assert_eq!(keys(&mut state, "\n\n\n"), None, "there is no reason yet");
    shows(&screen(&state, 80, 24), &["! say why"]);
    // q and c are letters here, digits only where a number is asked for.
    assert_eq!(keys(&mut state, "\tquick c\t<<x2\t<5"), None);
    assert_eq!(
        keys(&mut state, "\n"),
        Some(Order::Capture {
            element: "/GstPipeline:pipeline0/sampler".into(),
            count: 2,
            pre: 5,
            reason: "quick c".into()
        })
    );
    assert!(state.form.is_none());
    update(&mut state, Input::Done(Err("sampler: no location".into())));
    shows(&screen(&state, 80, 24), &["! sampler: no location"]);
    assert_eq!(keys(&mut state, "cwhy!"), None);
    assert!(state.form.is_none(), "Esc leaves it");
    let without = vec![element("m", "modelinfer")];
    update(&mut state, Input::Elements(without, BTreeMap::new()));
    keys(&mut state, "c");
    shows(&screen(&state, 80, 24), &["! the line has no framesampler"]);
}

#[test]
fn a_promotion_is_planned_asked_about_and_then_made_as_it_was_asked() {
    let mut state = line();
    let model = "store/pcb@challenger".to_string();
    assert_eq!(keys(&mut state, "p"), Some(Order::Plan { model, pid: 4123, way: Way::Promote }));
    let planned = Move {
        folder: "/store/pcb".into(),
        name: "pcb".into(),
        from: Some("1".into()),
        to: "2".into(),
        way: Way::Promote,
    };
    update(&mut state, Input::Planned(Ok(planned.clone())));
    shows(&screen(&state, 80, 24), &["pcb: promote: 2 becomes champion, which 1 is now", "> reason"]);
    assert_eq!(keys(&mut state, "better\n"), Some(Order::Move(planned, "better".into())));
    update(&mut state, Input::Planned(Err("pcb has no challenger".into())));
    shows(&screen(&state, 80, 24), &["! pcb has no challenger"]);
    // What follows no alias goes back by itself, if there is something to go back to.
    update(&mut state, Input::Elements(vec![element("champion", "modelinfer")], BTreeMap::new()));
    assert_eq!(keys(&mut state, "p"), None);
    shows(&screen(&state, 80, 24), &["no version of a store"]);
    assert_eq!(keys(&mut state, "r"), None);
    shows(&screen(&state, 80, 24), &["no model to go back to"]);
    let back = BTreeMap::from([("champion".to_string(), json!({"active": "pcb@2", "standby": "pcb@1"}))]);
    update(&mut state, Input::Stats(Duration::from_secs(4), back));
    let element = "/GstPipeline:pipeline0/champion".to_string();
    assert_eq!(keys(&mut state, "rworse\n"), Some(Order::GoBack { element, reason: "worse".into() }));
    update(&mut state, Input::Elements(vec![self::element("t", "abtee")], BTreeMap::new()));
    assert_eq!(keys(&mut state, "r"), None);
    shows(&screen(&state, 80, 24), &["choose a modelinfer"]);
}

#[test]
fn a_line_that_is_gone_is_said_to_be_and_what_was_of_it_is_not_taken_for_the_next() {
    let mut state = line();
    update(&mut state, Input::Gap(7));
    update(&mut state, Input::Down { why: "the line has closed the connection".into(), now_ns: NOW });
    update(&mut state, Input::Time { now_ns: NOW + 75_000_000_000 });
    let gone = screen(&state, 140, 24);
    shows(&gone, &["left DOES NOT ANSWER since 1 min 15 s", "closed the connection", "pcb@1", "7 events lost"]);
    // The time since when does not begin anew with each attempt.
    update(&mut state, Input::Down { why: "refused".into(), now_ns: NOW + 75_000_000_000 });
    shows(&screen(&state, 140, 24), &["since 1 min 15 s"]);
    update(&mut state, Input::Up(hello()));
    assert!(!state.stats.is_empty(), "it was the connection only");
    update(&mut state, Input::Down { why: "refused".into(), now_ns: NOW });
    update(&mut state, Input::Up(Hello { run: Uuid::from_u128(2), pid: 5000, ..hello() }));
    assert!(state.stats.is_empty() && matches!(&state.link, Link::Up(h) if h.pid == 5000));
    shows(&screen(&state, 80, 24), &["process 5000", "no frame yet"]);
    // A count that begins anew is no negative rate.
    update(&mut state, Input::Stats(Duration::from_secs(9), stats(500)));
    update(&mut state, Input::Stats(Duration::from_secs(10), stats(5)));
    assert_eq!(state.rate(&state.elements[0].clone()), None);
}

#[test]
fn help_is_a_key_away_and_ctrl_c_always_ends() {
    let mut state = line();
    keys(&mut state, "?");
    shows(&screen(&state, 80, 24), &["make the challenger", "any key closes it"]);
    assert_eq!(keys(&mut state, "q"), None, "it closes the help");
    assert_eq!(keys(&mut state, "cq"), None);
    assert_eq!(update(&mut state, Input::Key(Key::Interrupt)), Some(Order::Quit));
    assert_eq!(keys(&mut state, "!q"), Some(Order::Quit));
}
