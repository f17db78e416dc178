// SPDX-License-Identifier: MPL-2.0
//! A policy cannot be lost: whatever name a model is given and whatever is taken away, a model that nobody signed is refused
//! below a policy that wants a signature.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::*;
use crate as model;

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

/// A store with an unsigned champion, and folders beside it.
struct Line {
    dir: tempfile::TempDir,
}

impl Line {
    fn new() -> Self {
        let line = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(line.at("other")).unwrap();
        let store = make(&line.at("store"), "pcb").unwrap();
        store.add(&line.bundle("bundle"), &Note::default()).unwrap();
        store.promote(Some("1"), &Note::default()).unwrap();
        line
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    fn bundle(&self, at: &str) -> PathBuf {
        let folder = self.at(at);
        fs::create_dir_all(&folder).unwrap();
        let manifest = json!({
            "schema": "andon.model/1", "name": "pcb", "version": "1", "task": "detection",
            "inputs": [{"name": "images", "source": "image", "size": [64, 64]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
            "verdict": {"rule": "any-detection"}
        });
        fs::write(folder.join("model.onnx"), b"\x12\x05graph").unwrap();
        fs::write(folder.join("model.json"), manifest.to_string()).unwrap();
        folder
    }

    fn link(&self, from: &str, to: &str) {
        symlink(self.at(to), self.at(from)).unwrap();
    }

    /// Writes a policy that wants a signature into a folder.
    fn policy(&self, folder: &str) {
        fs::write(self.at(folder).join("policy.json"), json!({"trusted_keys": [KEY]}).to_string()).unwrap();
    }

    /// Names a path from the working directory.
    fn relative(&self, path: &str) -> String {
        let up = std::env::current_dir().unwrap().ancestors().skip(1).map(|_| "..").collect::<PathBuf>();
        up.join(self.at(path).strip_prefix("/").unwrap()).display().to_string()
    }
}

/// A way to name a model and to lose its policy: what is prepared, the name, the folder of the policy, and what is done after
/// the policy is there.
type Way = (&'static str, fn(&Line), fn(&Line) -> String, &'static str, fn(&Line));

fn nothing(_: &Line) {}

fn text(path: PathBuf) -> String {
    path.display().to_string()
}

const WAYS: &[Way] = &[
    ("a link to the version", |l| l.link("other/v", "store/pcb/1"), |l| text(l.at("other/v")), "store", nothing),
    (
        "a link to the model's folder, and an alias",
        |l| l.link("other/pcb", "store/pcb"),
        |l| text(l.at("other/pcb@champion")),
        "store",
        nothing,
    ),
    (
        "a link to the graph",
        |l| l.link("other/m.onnx", "store/pcb/1/model.onnx"),
        |l| text(l.at("other/m.onnx")),
        "store",
        nothing,
    ),
    ("the graph itself", nothing, |l| text(l.at("store/pcb/1/model.onnx")), "store", nothing),
    ("the manifest itself", nothing, |l| text(l.at("store/pcb/1/model.json")), "store", nothing),
    ("a path with ..", |l| l.link("other/v", "store/pcb"), |l| text(l.at("other/v/../pcb/1")), "store", nothing),
    ("a relative path", nothing, |l| l.relative("store/pcb/1"), "store", nothing),
    (
        "a store that is a link to one without a policy",
        |l| {
            fs::create_dir(l.at("named")).unwrap();
            l.link("named/pcb", "store/pcb");
        },
        |l| text(l.at("named/pcb@champion")),
        "named",
        nothing,
    ),
    (
        "a version that is a link out of the store",
        |l| {
            l.bundle("elsewhere/1");
            l.link("store/pcb/9", "elsewhere/1");
        },
        |l| text(l.at("store/pcb@9")),
        "store",
        nothing,
    ),
    (
        "a link by way of a link in the store",
        |l| {
            l.bundle("elsewhere/1");
            l.link("store/hop", "elsewhere/1");
            l.link("other/v", "store/hop");
        },
        |l| text(l.at("other/v")),
        "store",
        nothing,
    ),
    ("a policy far above", nothing, |l| text(l.at("store/pcb/1")), "", nothing),
    (
        "aliases and history removed",
        nothing,
        |l| text(l.at("store/pcb/1")),
        "store",
        |l| {
            ["aliases.json", "history.jsonl", "refused.json"]
                .iter()
                .for_each(|f| fs::remove_file(l.at("store/pcb").join(f)).unwrap())
        },
    ),
    (
        "a milder policy in between",
        nothing,
        |l| text(l.at("store/pcb@champion")),
        "store",
        |l| {
            let mild = json!({"trusted_keys": [KEY], "require_signature": false});
            fs::write(l.at("store/pcb/policy.json"), mild.to_string()).unwrap();
        },
    ),
    (
        "a policy that is a link to nothing",
        nothing,
        |l| text(l.at("store/pcb@champion")),
        "store",
        |l| {
            fs::remove_file(l.at("store/policy.json")).unwrap();
            l.link("store/policy.json", "gone/policy.json");
        },
    ),
    (
        "a policy that is a folder",
        nothing,
        |l| text(l.at("store/pcb@champion")),
        "store",
        |l| {
            fs::remove_file(l.at("store/policy.json")).unwrap();
            fs::create_dir(l.at("store/policy.json")).unwrap();
        },
    ),
    (
        "a policy that was emptied",
        nothing,
        |l| text(l.at("store/pcb@champion")),
        "store",
        |l| fs::write(l.at("store/policy.json"), "").unwrap(),
    ),
];

#[test]
fn no_way_of_naming_a_model_leads_round_a_policy() {
    for (way, prepare, name, policy, then) in WAYS {
        let line = Line::new();
        prepare(&line);
        let name = name(&line);
        assert!(model::open(&name).is_ok(), "{way}: {name} is a model where there is no policy");
        line.policy(policy);
        then(&line);
        let e = model::open(&name).expect_err(way);
        println!("{way}: {e}");
        assert!(matches!(e, model::Error::Unsigned { .. } | model::Error::Policy { .. }), "{way}: {e}");
        assert!(model::inspect(&name).is_ok(), "{way}: it may be looked at");
    }
}

#[test]
fn a_change_of_a_store_is_held_to_the_policies_above_each_of_its_names() {
    let line = Line::new();
    fs::create_dir(line.at("named")).unwrap();
    line.link("named/pcb", "store/pcb");
    line.policy("named");
    let named = Store::open(&line.at("named/pcb")).unwrap();
    assert_eq!((named.folder(), &*named.name()), (&*line.at("store/pcb"), "pcb"));
    let refused = |e: Error| assert!(matches!(e, Error::Model(model::Error::Unsigned { .. })), "{e}");
    refused(named.promote(Some("1"), &Note::default()).unwrap_err());
    refused(named.add(&line.bundle("bundle"), &Note::default()).unwrap_err());
    refused(
        Store::for_bundle(&line.at("named"), &line.at("bundle"))
            .unwrap()
            .add(&line.at("bundle"), &Note::default())
            .unwrap_err(),
    );
    assert!(
        named
            .audit()
            .unwrap()
            .iter()
            .any(|f| f.to_string().contains("version 1:") && f.to_string().contains("is not signed"))
    );
    // A store of its own, with the policy of all of them.
    line.policy("");
    refused(Store::open(&line.at("store/pcb")).unwrap().promote(Some("1"), &Note::default()).unwrap_err());
}

#[test]
fn a_link_that_is_turned_while_a_model_is_read_is_noticed() {
    let line = Line::new();
    line.bundle("elsewhere/1");
    line.link("other/v", "store/pcb/1");
    let place = model::locate::place(&text(line.at("other/v"))).unwrap();
    place.check_unmoved().unwrap();
    fs::remove_file(line.at("other/v")).unwrap();
    line.link("other/v", "elsewhere/1");
    assert!(place.check_unmoved().unwrap_err().to_string().contains("leads elsewhere than when it was opened"));
    let of = |path: &Path| model::locate(&text(path.into())).unwrap();
    assert_eq!(of(&line.at("other/v")), model::Location::Bundle(line.at("elsewhere/1")), "by its real path");
    // Links in a circle end.
    line.link("other/a", "other/b");
    line.link("other/b", "other/a");
    assert!(model::open(&text(line.at("other/a"))).is_err());
}
