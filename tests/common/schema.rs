// SPDX-License-Identifier: MPL-2.0
//! The published schema of manifests, which holds for every one that the tests make.

use std::sync::LazyLock;

use serde_json::Value;

/// `docs/model.schema.json`.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = std::fs::read_to_string(super::root().join("docs/model.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
});

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| jsonschema::validator_for(&SCHEMA).unwrap());

/// What the schema has against a manifest; empty where it has nothing.
pub fn problems(manifest: &Value) -> Vec<String> {
    VALIDATOR.iter_errors(manifest).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// Fails where the schema does not take it.
#[track_caller]
pub fn assert_valid(manifest: &Value) {
    let problems = problems(manifest);
    assert!(problems.is_empty(), "the schema refuses a manifest that the code takes: {problems:?}: {manifest}");
}
