// SPDX-License-Identifier: MPL-2.0
//! Ten successors that must not take over, and one that must. Whatever becomes of each, no frame goes without a verdict
//! of the champion. `cargo test --test successors -- --nocapture` prints the table.

mod common;

use std::{fs, io::Cursor, path::Path, time::Instant};

use andon_core::result::{Arm, Status};
use andon_model::digest;
use common::{
    judge::{Bench, edit, graph, path, prove_by, version},
    root,
};
use gst::prelude::*;
use gstandon::{
    elements::modelinfer::OnError,
    meta::{event::AndonEvent, message::json_of},
};
use minisign::KeyPair;
use tempfile::TempDir;

/// Puts other bytes in the graph's place. The manifest keeps the digest of before, or gets the new one.
fn replace(bundle: &TempDir, bytes: &[u8], and_the_digest: bool) {
    fs::write(bundle.path().join("model.onnx"), bytes).unwrap();
    if and_the_digest {
        edit(bundle, |m| m["digests"]["model.onnx"] = digest(bytes).into());
    }
}

fn sign(bundle: &TempDir, keys: &KeyPair) {
    let manifest = fs::read(bundle.path().join("model.json")).unwrap();
    let signature = minisign::sign(Some(&keys.pk), &keys.sk, Cursor::new(manifest), None, None).unwrap();
    fs::write(bundle.path().join("model.json.minisig"), signature.into_string()).unwrap();
}

fn keys(folder: &Path) -> (KeyPair, String) {
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    let at = folder.join("trusted.pub");
    fs::write(&at, keys.pk.to_box().unwrap().into_string()).unwrap();
    (keys, at.display().to_string())
}

/// Lets a version judge dark frames on arm b, so that its own rate of bad parts is known.
fn as_a_shadow(bundle: &TempDir, parts: usize) {
    let mut b = Bench::new(&[("model", &path(bundle)), ("part-by", &"frame")]);
    assert!(b.h.push_event(AndonEvent::Arm(Arm::B).to_event()));
    for _ in 0..parts {
        let frame = b.frame(10, 64 * 64);
        b.push(frame);
    }
}

struct Successor {
    name: &'static str,
    bundle: TempDir,
    /// The brightness of its frames.
    level: u8,
    /// The message at its end, and what its text contains.
    end: (&'static str, &'static str),
    /// Whether it runs in the end.
    stays: bool,
}

#[test]
fn a_successor_that_must_not_take_over_does_not_and_the_line_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, trusted) = keys(folder.path());
    let champion = version("detector", "1", |_| {});
    sign(&champion, &ours);
    let mut all = Vec::new();
    let mut add = |name, bundle: TempDir, level, end, stays| {
        all.push(Successor { name, bundle, level, end, stays });
    };
    let failed = |why| ("andon/model-failed", why);
    let back = |why| ("andon/model-rolled-back", why);

    let cut = version("detector-left", "2", |_| {});
    let bytes = fs::read(graph("detector-left")).unwrap();
    replace(&cut, &bytes[..bytes.len() / 2], true);
    sign(&cut, &ours);
    add("a truncated file", cut, 10, failed("cannot load it"), false);

    let shape = version("rank2", "3", |_| {});
    sign(&shape, &ours);
    add("of a wrong shape", shape, 10, failed("has shape [1, 1024]"), false);

    let nan = version("nan", "4", |_| {});
    sign(&nan, &ours);
    add("says NaN", nan, 0, back("non-finite"), false);

    let slow = version("detector", "5", |m| {
        m["inputs"][0]["size"] = [320, 320].into();
        m["inputs"][0]["colour"] = "rgb".into();
    });
    replace(&slow, &fs::read(root().join("benches/models/detector320.onnx")).unwrap(), true);
    sign(&slow, &ours);
    add("20 times too slow", slow, 10, back("deadline"), false);

    let nervous = version("detector-left", "6", |m| m["thresholds"]["score"] = 0.001.into());
    prove_by(&nervous, 10, "ok", &[]);
    sign(&nervous, &ours);
    add("calls every frame NG, with a golden sample", nervous, 10, failed("it must be ok"), false);

    let turned = version("detector-left", "7", |_| {});
    sign(&turned, &ours);
    as_a_shadow(&turned, 300);
    add("calls every frame NG, unlike as a shadow", turned, 255, back("ng-rate"), false);

    let blind = version("detector-left", "8", |m| m["thresholds"]["score"] = 1.0.into());
    prove_by(&blind, 250, "ng", &[]);
    sign(&blind, &ours);
    add("calls every part OK", blind, 10, failed("it must be ng"), false);

    let tampered = version("detector-left", "9", |_| {});
    sign(&tampered, &ours);
    replace(&tampered, &fs::read(graph("nan")).unwrap(), true);
    add("tampered with", tampered, 10, failed("is not what was signed"), false);

    add("unsigned", version("detector-left", "10", |_| {}), 10, failed("is not signed"), false);

    let foreign = version("detector-left", "11", |_| {});
    sign(&foreign, &KeyPair::generate_unencrypted_keypair().unwrap());
    add("signed by a stranger", foreign, 10, failed("signed by a key"), false);

    let better = version("detector-left", "12", |m| m["thresholds"]["score"] = 0.03.into());
    sign(&better, &ours);
    add("better, with twice as many NG", better, 10, ("andon/model-proved", "no guard"), true);

    println!("{:<44} {:<8} {:<8} message", "successor", "runs", "frames");
    for s in all {
        let mut b = Bench::new(&[
            ("model", &path(&champion)),
            ("on-error", &OnError::Pass),
            ("trusted-keys", &trusted),
            ("threads", &1u32),
            ("deadline", &2_000_000u64),
            ("probation", &200u64),
            ("part-by", &"frame"),
        ]);
        b.judge(s.level);
        assert!(b.element().emit_by_name::<bool>("swap", &[&path(&s.bundle)]));
        let until = Instant::now() + common::WATCHDOG;
        let (mut frames, mut names) = (1, Vec::new());
        let message = loop {
            assert!(Instant::now() < until, "{}: {} comes: {names:?}", s.name, s.end.0);
            let result = b.judge(s.level);
            frames += 1;
            let champions = result.model.version == "1";
            assert!(
                !champions || result.status == Status::Ok,
                "{}: the champion judges every frame of its own",
                s.name
            );
            let messages = b.messages();
            names.extend(messages.iter().filter_map(|m| Some(m.structure()?.name().to_string())));
            if let Some(message) = messages.iter().find_map(|m| json_of(m, s.end.0)) {
                break message;
            }
        };
        let words = message["error"].as_str().or(message["why"].as_str()).unwrap();
        assert!(words.contains(s.end.1), "{}: {words}", s.name);
        let last = b.judge(s.level);
        frames += 1;
        assert_eq!((last.model.version != "1", last.status), (s.stays, Status::Ok), "{}", s.name);
        assert_eq!(b.stat("frames"), frames, "as many left as came");
        println!("{:<44} {:<8} {frames:<8} {}: {words}", s.name, format!("line@{}", last.model.version), s.end.0);
    }
}
