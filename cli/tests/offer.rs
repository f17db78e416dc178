// SPDX-License-Identifier: MPL-2.0
//! `scripts/offer-model`: from a trained bundle to the challenger of a store, past the gate.

mod common;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use common::{andon, arg, err, ok, out, root};
use serde_json::{Value, json};

/// The script, with the program that is tested and the runtime that it is tested with.
fn offer(bundle: &Path, folder: &Path, version: &str) -> Output {
    let mut script = Command::new(root().join("scripts/offer-model"));
    for (name, value) in andon(&[]).get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let at = |name: &str| folder.join(name);
    script.env("ANDON", env!("CARGO_BIN_EXE_andon")).env("VERSION", version).current_dir(root());
    script.arg(bundle).arg(at("store")).arg(at("boards")).arg(at("gate.json")).arg(at("line1.key")).arg(at("reports"));
    script.output().unwrap()
}

#[test]
fn what_passes_the_gate_becomes_the_challenger_and_what_does_not_leaves_the_store_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    ok(&["boards", arg(&at("boards")), "--count=12", "--skus=2", "--seed=7", "--kinds=open,short,mousebite,spur"]);
    let gate = json!({"schema": "andon.gate/1", "resamples": 100, "not_worse_by_more_than": {"map_0.33": 0.1}});
    fs::write(at("gate.json"), gate.to_string()).unwrap();
    ok(&["model", "keygen", arg(&at("line1")), "--no-password"]);
    fs::create_dir(at("store")).unwrap();

    let first = offer(&root().join("models/pcb/2"), folder.path(), "7");
    assert_eq!(first.status.code(), Some(1));
    assert!(err(&first).contains("has no champion of pcb"), "{}", err(&first));

    ok(&["model", "add", "models/pcb/1", arg(&at("store"))]);
    ok(&["model", "promote", arg(&at("store/pcb")), "1"]);
    // The champion's own signature has to be trusted, too.
    let key = |path: &Path| fs::read_to_string(path).unwrap().lines().last().unwrap().to_owned();
    let keys = [key(&at("line1.pub")), key(&root().join("models/demo.pub"))];
    fs::write(at("store/policy.json"), json!({"trusted_keys": keys, "require_signature": true}).to_string()).unwrap();

    let good = offer(&root().join("models/pcb/2"), folder.path(), "7");
    assert!(good.status.success(), "{}{}", out(&good), err(&good));
    let aliases = || json!(andon_model::Store::open(&at("store/pcb")).unwrap().aliases().unwrap());
    assert_eq!(aliases(), json!({"champion": "1", "challenger": "7"}));
    ok(&["model", "verify", arg(&at("store/pcb/7")), "--keys", arg(&at("line1.pub"))]);
    assert!(fs::read_to_string(at("reports/gate.xml")).unwrap().contains("failures=\"0\""));

    // Blind: what training made of it sees nothing. Its golden samples would stop it earlier.
    let blind = at("blind");
    fs::create_dir(&blind).unwrap();
    fs::copy(root().join("models/pcb/2/model.onnx"), blind.join("model.onnx")).unwrap();
    let mut manifest: Value =
        serde_json::from_slice(&fs::read(root().join("models/pcb/2/model.json")).unwrap()).unwrap();
    for field in ["golden", "digests", "reference"] {
        manifest.as_object_mut().unwrap().remove(field);
    }
    manifest["inputs"][0]["scale"] = json!([0.0]);
    fs::write(blind.join("model.json"), manifest.to_string()).unwrap();
    let bad = offer(&blind, folder.path(), "8");
    assert_eq!(bad.status.code(), Some(1), "{}{}", out(&bad), err(&bad));
    assert!(fs::read_to_string(at("reports/gate.xml")).unwrap().contains("<failure"));
    assert_eq!(aliases(), json!({"champion": "1", "challenger": "7"}));
    assert!(!at("store/pcb/8").exists());
}
