// SPDX-License-Identifier: MPL-2.0
//! A model's life in `modelinfer`: it proves itself, takes over, is on probation, and makes way.

mod common;

use std::sync::Arc;

use andon_core::result::{Arm, Status, Verdict};
use andon_model::{Store, store::Note};
use common::{
    jsons,
    judge::{Bench, bundle, path, prove_by, version},
    launch,
};
use gst::prelude::*;
use gstandon::{
    elements::modelinfer::OnError,
    meta::{AndonInferenceMeta, message::json_of},
};

/// Feeds frames of one brightness until a message of that name comes.
#[track_caller]
fn message_while(b: &mut Bench, level: u8, name: &str) -> serde_json::Value {
    let until = std::time::Instant::now() + common::WATCHDOG;
    while std::time::Instant::now() < until {
        b.judge(level);
        if let Some(message) = b.messages().iter().find_map(|m| json_of(m, name)) {
            return message;
        }
    }
    panic!("no {name} came");
}

fn swap(b: &Bench, to: &tempfile::TempDir) {
    assert!(b.element().emit_by_name::<bool>("swap", &[&path(to)]));
}

fn note() -> Note {
    Note::new("test", "because")
}

/// Makes a store with these versions of `line`. The first is the champion.
fn store(versions: &[&tempfile::TempDir]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("line");
    std::fs::create_dir_all(&folder).unwrap();
    let store = Store::open(&folder).unwrap();
    let names: Vec<_> = versions.iter().map(|v| store.add(v.path(), &note()).unwrap()).collect();
    store.set_alias("champion", &names[0], &note()).unwrap();
    let model = format!("{}@champion", folder.display());
    (dir, model)
}

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(&dir.path().join("line")).unwrap()
}

#[test]
fn each_step_of_a_swap_is_a_message_with_from_to_why_and_how_long() {
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let mut b = Bench::new(&[("model", &path(&one)), ("probation", &3u64)]);
    b.judge(10);
    swap(&b, &two);
    let loading = b.message("andon/model-loading");
    assert_eq!(
        (&loading["from"], &loading["to"], &loading["why"]),
        (&"line@1".into(), &path(&two).into(), &"swap".into())
    );
    let changed = b.swapped();
    assert_eq!(changed["cause"], "swap");
    assert!(changed["held_ns"].as_u64().unwrap() > 0);
    let proved = b.message_while_frames("andon/model-proved");
    assert_eq!((&proved["from"], &proved["to"]), (&"line@1".into(), &"line@2".into()));
    assert!(proved["duration_ns"].as_u64().unwrap() > 0 && proved["detail"].is_object(), "{proved}");
    assert_eq!(b.stat("probation-left"), 0);
    assert!(b.element().emit_by_name::<bool>("rollback", &[]));
    let back = b.message_while_frames("andon/model-rolled-back");
    assert_eq!((&back["from"], &back["to"], &back["why"]), (&"line@2".into(), &"line@1".into(), &"asked for".into()));
    let stats = b.element().property::<gst::Structure>("stats");
    let get = |name| stats.get::<String>(name).unwrap();
    assert_eq!((get("active"), get("standby")), ("line@1".into(), "line@2".into()));
}

#[test]
fn a_rollback_before_the_next_frame_withdraws_the_new_model_and_the_property_says_what_runs() {
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let mut b = Bench::new(&[("model", &path(&one))]);
    b.judge(10);
    swap(&b, &two);
    let model = || b.element().property::<String>("model");
    let until = std::time::Instant::now() + common::WATCHDOG;
    while model() != path(&two) {
        assert!(std::time::Instant::now() < until, "it is loaded without a frame");
        std::thread::yield_now();
    }
    assert!(b.element().emit_by_name::<bool>("rollback", &[]));
    assert_eq!(model(), path(&one));
    assert_eq!(b.judge(255).model.version, "1");
    assert!(!b.element().emit_by_name::<bool>("rollback", &[]), "version 2 never ran");
}

#[test]
fn a_retired_model_is_nothing_to_go_back_to() {
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let mut b = Bench::new(&[("model", &path(&one))]);
    b.judge(10);
    assert!(!b.element().emit_by_name::<bool>("retire", &[]), "nothing is on standby");
    swap(&b, &two);
    b.swapped();
    assert!(b.element().emit_by_name::<bool>("retire", &[]));
    assert!(!b.element().emit_by_name::<bool>("rollback", &[]));
    assert_eq!(b.judge(255).model.version, "2");
}

#[test]
fn a_version_that_fails_with_nothing_to_go_back_to_says_so_and_runs_on() {
    let (one, two) = (version("detector", "1", |_| {}), version("nan", "2", |_| {}));
    let mut b = Bench::new(&[("model", &path(&one)), ("on-error", &OnError::Pass)]);
    b.judge(10);
    swap(&b, &two);
    b.swapped();
    assert!(b.element().emit_by_name::<bool>("retire", &[]));
    (0..5).for_each(|_| drop(b.judge(0)));
    let warned = b.messages().iter().any(|m| match m.view() {
        gst::MessageView::Warning(w) => w.error().to_string().contains("was retired: swap to another"),
        _ => false,
    });
    assert!(warned);
    assert_eq!(b.judge(10).model.version, "2");
}

#[test]
fn golden_samples_let_in_a_model_that_gets_them_right_and_no_other() {
    let one = version("detector", "1", |_| {});
    let good = version("detector-left", "2", |_| {});
    prove_by(&good, 10, "ok", &[]);
    prove_by(&good, 250, "ng", &["bright"]);
    // One that calls everything good, one that calls everything bad, one that sees the defect and names it wrongly.
    let blind = version("detector", "3", |m| m["thresholds"]["score"] = 1.0.into());
    prove_by(&blind, 250, "ng", &[]);
    let nervous = version("detector", "4", |m| m["thresholds"]["score"] = 0.001.into());
    prove_by(&nervous, 10, "ok", &[]);
    let wrong = version("detector", "5", |_| {});
    prove_by(&wrong, 250, "ng", &["dark"]);

    let mut b = Bench::new(&[("model", &path(&one))]);
    b.judge(10);
    for (bad, words) in [
        (&blind, "250.png: it must be ng, and the model says ok"),
        (&nervous, "10.png: it must be ok, and the model says ng"),
        (&wrong, "250.png: it shows 'dark', and the model does not find that"),
    ] {
        swap(&b, bad);
        let failed = b.message_while_frames("andon/model-failed");
        assert!(failed["error"].as_str().unwrap().contains(words), "{failed}");
        assert_eq!((&failed["running"], &failed["cause"]), (&"line@1".into(), &"swap".into()));
        assert_eq!(b.judge(255).model.version, "1");
    }
    swap(&b, &good);
    b.swapped();
    assert_eq!(b.judge(255).model.version, "2");
    assert_eq!((b.stat("swaps"), b.stat("swaps-failed")), (1, 3));
    // Also at the start: a bundle that does not prove itself does not judge.
    let element = gst::ElementFactory::make("modelinfer").property("model", path(&blind)).build().unwrap();
    assert!(element.set_state(gst::State::Paused).is_err());
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_version_that_fails_its_probation_makes_way_by_itself_and_is_refused_from_then_on() {
    // A black frame is no number for the one, a white one an error for the other.
    for (graph, level, reason) in [("nan", 0, "non-finite"), ("fails", 255, "error")] {
        let (one, two) = (version("detector", "1", |_| {}), version(graph, "2", |_| {}));
        let mut b = Bench::new(&[("model", &path(&one)), ("on-error", &OnError::Pass)]);
        b.judge(10);
        swap(&b, &two);
        b.swapped();
        let before = b.n;
        let back = message_while(&mut b, level, "andon/model-rolled-back");
        assert_eq!((&back["from"], &back["to"]), (&"line@2".into(), &"line@1".into()), "{graph}");
        assert!(back["why"].as_str().unwrap().contains(reason), "{graph}: {back}");
        assert!(b.n - before <= 6, "it is out after a few frames: {}", b.n - before);
        assert_eq!(b.judge(255).model.version, "1", "{graph}");
        assert_eq!(b.stat("rollbacks"), 1);
        assert!(!b.element().emit_by_name::<bool>("rollback", &[]), "what failed is nothing to go back to");
        swap(&b, &two);
        let failed = b.message_while_frames("andon/model-failed");
        assert!(failed["error"].as_str().unwrap().contains("a guard removed it"), "{failed}");
        assert!(b.element().emit_by_name::<bool>("reset", &[]));
        swap(&b, &two);
        b.swapped();
    }
}

#[test]
fn a_better_model_that_finds_twice_as_much_stays() {
    let (one, two) =
        (version("detector", "1", |_| {}), version("detector", "2", |m| m["thresholds"]["score"] = 0.03.into()));
    let mut b = Bench::new(&[("model", &path(&one)), ("probation", &100u64)]);
    b.judge(10);
    swap(&b, &two);
    b.swapped();
    let proved = b.message_while_frames("andon/model-proved");
    assert_eq!(proved["to"], "line@2");
    let judged = b.judge(10);
    assert_eq!(
        (judged.model.version.as_str(), judged.verdict),
        ("2", Verdict::Ng),
        "it calls every frame bad, and no guard minds"
    );
}

#[test]
fn another_products_model_is_no_promotion() {
    let (one, other) = (version("detector", "1", |_| {}), bundle("nan", |m| m["name"] = "other".into()));
    let mut b = Bench::new(&[("model", &path(&one)), ("on-error", &OnError::Pass)]);
    b.judge(10);
    swap(&b, &other);
    b.swapped();
    assert_eq!(b.stat("probation-left"), 0);
    (0..100).for_each(|_| drop(b.judge(0)));
    assert_eq!(b.judge(0).model.name, "other", "no guard took it out");
}

#[test]
fn an_alias_that_is_moved_is_followed_and_one_that_is_moved_back_too() {
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let (dir, model) = store(&[&one, &two]);
    let mut b = Bench::new(&[("model", &model), ("probation", &0u64)]);
    assert_eq!(b.judge(10).model.version, "1");
    open(&dir).promote(Some("2"), &note()).unwrap();
    let changed = b.swapped();
    assert_eq!((&changed["cause"], &changed["to"]["version"]), (&"alias".into(), &"2".into()));
    assert_eq!(b.element().property::<String>("model"), model);
    open(&dir).rollback(&note()).unwrap();
    let back = b.swapped();
    assert_eq!(
        (&back["cause"], &back["to"]["version"], &back["loading_ns"]),
        (&"rollback".into(), &"1".into(), &0.into())
    );
    // The store takes no garbage; where somebody puts it there by hand, what runs goes on.
    std::fs::write(dir.path().join("line/2/model.onnx"), "garbage").unwrap();
    assert!(open(&dir).promote(Some("2"), &note()).is_err());
    std::fs::write(dir.path().join("line/aliases.json"), r#"{"champion":"2"}"#).unwrap();
    let failed = b.message_while_frames("andon/model-failed");
    assert!(failed["error"].as_str().unwrap().contains("model.onnx"), "{failed}");
    assert_eq!(b.judge(10).model.version, "1");
}

#[cfg(unix)]
#[test]
fn an_alias_is_followed_through_all_that_happens_to_its_store_and_told_when_it_cannot_be() {
    use std::{fs, os::unix::fs::symlink};
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let [(dir, _), (restored, _)] = [store(&[&one, &two]), store(&[&one, &two])];
    let at = |path: &str| dir.path().join(path);
    open(&restored).promote(Some("2"), &note()).unwrap();
    symlink("line", at("named")).unwrap();
    let model = format!("{}@champion", at("named").display());
    let mut b = Bench::new(&[("model", &model), ("probation", &0u64)]);
    assert_eq!(b.judge(10).model.version, "1");
    let problem = |b: &Bench| b.element().property::<gst::Structure>("stats").get::<String>("alias-problem").unwrap();
    // What cannot be read, or is gone, is told once. What runs goes on.
    let whole = fs::read(at("line/aliases.json")).unwrap();
    for (n, (garbage, said)) in [
        ("{\"champion\": \"2\"", "it must map names to texts"),
        ("{\"champion\": \"2\", \"champion\": \"1\"}", "stands twice"),
        ("{\"night\": \"2\"}", "there is no alias 'champion'"),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(at("line/aliases.json"), garbage).unwrap();
        let told = message_while(&mut b, 10, "andon/alias");
        assert_eq!((&told["state"], &told["running"]), (&"unclear".into(), &"line@1".into()), "{told}");
        assert!(told["problem"].as_str().unwrap().contains(said), "{told}");
        println!("{}", told["problem"]);
        assert_eq!((problem(&b).contains(said), b.stat("alias-problems")), (true, n as u64 + 1));
        fs::write(at("line/aliases.json"), &whole).unwrap();
        assert_eq!(message_while(&mut b, 10, "andon/alias")["state"], "followed");
        assert_eq!((problem(&b), b.judge(10).model.version.as_str()), (String::new(), "1"));
    }
    // A copy is restored in the folder's place.
    fs::rename(at("line"), at("old")).unwrap();
    fs::rename(restored.path().join("line"), at("line")).unwrap();
    assert_eq!(b.swapped()["to"]["version"], "2");
    // And it is followed where it is now.
    open(&dir).promote(Some("1"), &note()).unwrap();
    assert_eq!(b.swapped()["to"]["version"], "1");
    // The link is turned to another store.
    fs::create_dir(at("other")).unwrap();
    fs::rename(at("old"), at("other/line")).unwrap();
    Store::open(&at("other/line")).unwrap().promote(Some("2"), &note()).unwrap();
    symlink("other/line", at("new")).unwrap();
    fs::rename(at("new"), at("named")).unwrap();
    assert_eq!(b.swapped()["to"]["version"], "2");
}

#[test]
fn a_champion_that_fails_its_probation_has_its_alias_moved_back_and_is_refused_in_the_store() {
    let (one, two) = (version("detector", "1", |_| {}), version("nan", "2", |_| {}));
    let (dir, model) = store(&[&one, &two]);
    let mut b = Bench::new(&[("model", &model), ("on-error", &OnError::Pass)]);
    b.judge(10);
    open(&dir).promote(Some("2"), &note()).unwrap();
    message_while(&mut b, 0, "andon/model-rolled-back");
    let until = std::time::Instant::now() + common::WATCHDOG;
    let moved_back = || open(&dir).aliases().unwrap()["champion"] == "1";
    while open(&dir).refused().unwrap().is_empty() || !moved_back() {
        assert!(std::time::Instant::now() < until, "the version is refused in the store, and its alias moved back");
        b.judge(10);
    }
    let history = open(&dir).history().unwrap();
    assert!(history.entries.iter().any(|e| e.why.contains("guard: ")), "{history:?}");
    assert!(open(&dir).promote(Some("2"), &note()).is_err(), "until it is added again");
    assert_eq!(b.judge(255).model.version, "1");
    assert_eq!((b.stat("swaps"), b.stat("rollbacks")), (1, 1), "what the alias says now runs already");
    open(&dir).add(two.path(), &note()).unwrap();
    open(&dir).promote(Some("2"), &note()).unwrap();
    assert_eq!(b.swapped()["to"]["version"], "2", "it was added again");
}

/// Adds inputs that each take a field.
fn with_fields(m: &mut serde_json::Value, fields: &[(&str, Option<f64>)]) {
    for (i, (name, default)) in fields.iter().enumerate() {
        let mut input = serde_json::json!({"name": format!("f{i}"), "source": format!("field:{name}")});
        match default {
            Some(value) => input["default"] = (*value).into(),
            None => input["required"] = true.into(),
        }
        m["inputs"].as_array_mut().unwrap().push(input);
    }
}

#[test]
fn today_five_pieces_of_data_tomorrow_eight_and_the_pipeline_is_not_touched() {
    let five = [("line_speed", None), ("temperature", None), ("humidity", None), ("pressure", None), ("lamp", None)];
    let eight = [&five[..], &[("vibration", None), ("recipe", Some(0.8)), ("shift", None)]].concat();
    let one = version("fields5", "1", |m| with_fields(m, &five));
    let two = version("fields8", "2", |m| with_fields(m, &eight));
    let (dir, model) = store(&[&one, &two]);
    let pipeline = launch(&format!(
        "defecttestsrc is-live=true speed=0 \
         fields=\"fields,temperature=0.1,humidity=0.2,pressure=0.3,lamp=0.4,vibration=0.5\" ! \
         video/x-raw,width=64,height=64,framerate=100/1 ! \
         modelinfer name=judge model={model} probation=0 post-messages=true ! fakesink"
    ));
    let (judge, bus) = (pipeline.by_name("judge").unwrap(), pipeline.bus().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut results, until) = (Vec::new(), std::time::Instant::now() + common::WATCHDOG);
    let new = |o: &&serde_json::Value| o["model"]["version"] == "2" && o["status"] == "ok";
    while results.iter().filter(new).count() < 3 {
        assert!(std::time::Instant::now() < until, "the new version judges");
        let Some(message) = bus.timed_pop(gst::ClockTime::from_mseconds(100)) else { continue };
        results.extend(jsons(&[message], "andon/inference"));
        match results.last() {
            Some(_) if results.len() == 3 && open(&dir).aliases().unwrap()["champion"] == "1" => {
                drop(open(&dir).promote(Some("2"), &note()).unwrap());
            }
            Some(last) if last["status"] == "missing-field" => {
                judge.set_property("fields", gst::Structure::builder("fields").field("shift", 0.9f64).build());
            }
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let score = |o: &serde_json::Value| o["score"].as_f64().unwrap();
    let first = &results[0];
    assert_eq!((&first["model"]["version"], &first["status"]), (&"1".into(), &"ok".into()));
    assert!((score(first) - 0.2).abs() < 1e-5, "the mean of 0, 0.1, 0.2, 0.3, 0.4: {first}");
    let missing = results.iter().find(|o| o["status"] == "missing-field").expect("'shift' comes later");
    assert_eq!((&missing["model"]["version"], &missing["verdict"]), (&"2".into(), &"unjudged".into()));
    let last = results.last().unwrap();
    assert!((score(last) - 0.4).abs() < 1e-5, "the mean of those, 0.5, 0.8 by default, and 0.9: {last}");
    let times: Vec<_> = results.iter().map(|o| o["pts_ns"].as_u64().unwrap()).collect();
    assert!(times.windows(2).all(|w| w[1] == w[0] + 10_000_000), "no frame is lost: {times:?}");
}

#[test]
fn a_hundred_swaps_between_unlike_models_lose_no_frame_and_every_result_names_who_made_it() {
    let one = version("detector", "1", |_| {});
    let two = bundle("classifier", |m| {
        (m["name"], m["task"]) = ("line".into(), "classification".into());
        m["version"] = "2".into();
        (m["inputs"][0]["name"], m["inputs"][0]["size"]) = ("image".into(), [16, 16].into());
        m["inputs"][0]["colour"] = "rgb".into();
        m["outputs"] = serde_json::json!([{"name": "logits", "decoder": "classification", "labels": ["good", "bad"]}]);
        m["verdict"] = serde_json::json!({"rule": "label-ok", "ok": ["good"]});
    });
    let mut b = Bench::new(&[("model", &path(&one)), ("probation", &0u64)]);
    let mut running = b.judge(10).model.clone();
    for i in 0..100 {
        swap(&b, if i % 2 == 0 { &two } else { &one });
        let until = std::time::Instant::now() + common::WATCHDOG;
        loop {
            assert!(std::time::Instant::now() < until, "swap {i} comes");
            let result = b.judge(10);
            assert_eq!(result.status, Status::Ok, "frame by frame");
            let classes = result.model.version == "2";
            assert_eq!(result.classes.is_empty(), !classes, "the one that is named made it");
            let messages = b.messages();
            assert_eq!(jsons(&messages, "andon/model-failed"), Vec::<serde_json::Value>::new());
            let changed = !jsons(&messages, "andon/model-changed").is_empty();
            assert_eq!(result.model != running, changed, "the digest changes exactly at the swap");
            if changed {
                running = result.model.clone();
                break;
            }
        }
    }
    assert_eq!((b.stat("swaps"), b.stat("frames"), b.stat("frames-ok")), (100, b.n, b.n));
}

#[test]
fn a_result_names_its_model_whatever_is_swapped_meanwhile() {
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let mut b = Bench::new(&[("model", &path(&one)), ("in-flight", &4u32), ("threads", &1u32), ("probation", &0u64)]);
    let mut results = Vec::new();
    for round in 0..20 {
        swap(&b, if round % 2 == 0 { &two } else { &one });
        for _ in 0..10 {
            let frame = b.frame(255, 64 * 64);
            b.h.push(frame).unwrap();
        }
        for _ in 0..10 {
            let frame = b.h.pull().unwrap();
            results.push(AndonInferenceMeta::get(&frame, Arm::A).unwrap());
        }
    }
    let place = |o: &Arc<andon_core::result::Inference>| o.detections[0].bbox[0];
    assert!(
        results.iter().all(|o| (place(o) == 0.0) == (o.model.version == "2")),
        "no frame is judged by half a model"
    );
    assert_eq!(results.len(), 200);
}
