// SPDX-License-Identifier: MPL-2.0
//! Holds docs/model.schema.json against the code: what the one takes, the other does, and neither knows of more.

mod common;

use std::{collections::BTreeSet, fmt, fs, path::Path};

use andon_core::result::Verdict;
use andon_model::{
    Activation, Align, BoxForm, Colour, Decoder, ElementType, Golden, GoldenPart, Head, Input, Interpolation, Layout,
    Manifest, Output, Resize, Role, Rounding, Rule, SizeOrder, Task, Thresholds,
};
use common::schema::{SCHEMA, assert_valid, problems};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Visitor};
use serde_json::{Value, json};

/// Asks a type for the names of its fields or variants, and gives it nothing.
struct Names<'a>(&'a mut Vec<&'static str>);

#[derive(Debug)]
struct Asked;

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("asked")
    }
}

impl std::error::Error for Asked {}

impl serde::de::Error for Asked {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Asked;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Asked> {
        self.0.extend(fields);
        Err(Asked)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Asked> {
        self.0.extend(variants);
        Err(Asked)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Asked> {
        Err(Asked)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[track_caller]
fn names<T: for<'de> Deserialize<'de>>() -> BTreeSet<String> {
    let mut names = Vec::new();
    assert!(T::deserialize(Names(&mut names)).is_err());
    assert!(!names.is_empty());
    names.into_iter().map(String::from).collect()
}

/// Variants of an enum that is told by a tag: serde lists them when it meets a stranger.
fn tags<T: DeserializeOwned>(tag: &str) -> BTreeSet<String> {
    let e = serde_json::from_value::<T>(json!({tag: "?"})).err().unwrap().to_string();
    e.split('`').skip(3).step_by(2).map(String::from).collect()
}

fn at(pointer: &str) -> &'static Value {
    SCHEMA.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in the schema"))
}

fn properties(of: &str) -> BTreeSet<String> {
    at(&format!("{of}/properties")).as_object().unwrap().keys().cloned().collect()
}

fn values(of: &str) -> BTreeSet<String> {
    at(&format!("{of}/enum")).as_array().unwrap().iter().map(|v| v.as_str().unwrap().into()).collect()
}

#[test]
fn the_schema_knows_every_field_and_no_other() {
    let mut whole = names::<Manifest>();
    whole.insert("$schema".into());
    assert_eq!(properties(""), whole);
    assert_eq!(properties("/$defs/input"), names::<Input>());
    assert_eq!(properties("/$defs/output"), names::<Output>());
    assert_eq!(properties("/$defs/thresholds"), names::<Thresholds>());
    assert_eq!(properties("/$defs/golden"), names::<Golden>());
    assert_eq!(properties("/$defs/part"), names::<GoldenPart>());
}

#[test]
fn the_schema_knows_every_choice_and_no_other() {
    let input = |field: &str| values(&format!("/$defs/input/properties/{field}"));
    let output = |field: &str| values(&format!("/$defs/output/properties/{field}"));
    assert_eq!(values("/properties/task"), names::<Task>());
    assert_eq!(input("layout"), names::<Layout>());
    assert_eq!(input("type"), names::<ElementType>());
    assert_eq!(input("colour"), names::<Colour>());
    assert_eq!(input("resize"), names::<Resize>());
    assert_eq!(input("interpolation"), names::<Interpolation>());
    assert_eq!(input("align"), names::<Align>());
    assert_eq!(input("rounding"), names::<Rounding>());
    assert_eq!(input("order"), names::<SizeOrder>());
    assert_eq!(output("decoder"), names::<Decoder>());
    assert_eq!(output("role"), names::<Role>());
    assert_eq!(output("head"), names::<Head>());
    assert_eq!(output("boxes"), names::<BoxForm>());
    assert_eq!(output("activation"), names::<Activation>());
    assert_eq!(values("/$defs/verdict/properties/rule"), tags::<Rule>("rule"));
    let mut verdicts = names::<Verdict>();
    assert!(verdicts.remove("unjudged"), "no model is expected to leave a golden sample unjudged");
    assert_eq!(values("/$defs/golden/properties/verdict"), verdicts);
}

#[test]
fn defaults_of_the_schema_are_those_of_the_code() {
    let least = json!({
        "schema": "andon.model/1", "name": "m", "version": "1", "task": "detection",
        "inputs": [{"name": "i", "source": "image"}],
        "outputs": [{"name": "o", "decoder": "yolov8", "labels": ["a"]}],
        "verdict": {"rule": "any-detection"}
    });
    assert_valid(&least);
    let whole = serde_json::to_value(parse(&least).unwrap()).unwrap();
    for (of, values) in [
        ("", &whole),
        ("/$defs/input", &whole["inputs"][0]),
        ("/$defs/output", &whole["outputs"][0]),
        ("/$defs/thresholds", &whole["thresholds"]),
    ] {
        for (field, schema) in at(&format!("{of}/properties")).as_object().unwrap() {
            if let Some(default) = schema.get("default") {
                assert_eq!(*default, values[field], "{of}: {field}");
            }
        }
    }
}

fn parse(manifest: &Value) -> Result<Manifest, String> {
    Manifest::parse(&manifest.to_string(), Path::new("model.json")).map_err(|e| e.to_string())
}

/// A manifest with all that can be said.
fn full() -> Value {
    json!({
        "$schema": "../../docs/model.schema.json",
        "schema": "andon.model/1", "name": "pcb", "version": "2", "task": "detection", "description": "d",
        "model": "graph/model.onnx",
        "inputs": [
            {"name": "i", "source": "image", "layout": "NHWC", "type": "u8", "colour": "bgr", "resize": "crop",
             "interpolation": "area", "rounding": "down", "shorter_side": 80, "pad": 0, "size": [64, 32], "multiple": 16,
             "mean": [1, 2, 3], "scale": 1},
            {"name": "g", "source": "image-file", "pattern": "{sku}.png", "align": "top-left"},
            {"name": "s", "source": "frame-size", "type": "i64", "order": "hw"},
            {"name": "f", "source": "field:speed", "type": "f64", "shape": [1, 2], "default": [0, 1]},
            {"name": "h", "source": "field:heat", "required": true}
        ],
        "outputs": [
            {"name": "o", "decoder": "yolov8", "role": "main", "labels": ["open"], "head": "segment",
             "boxes": "corners", "background": false, "grid": true, "activation": "none", "normalise": false,
             "suppress": true, "anchors": [], "quantisation": {"scale": 0.5, "zero_point": -3}},
            {"name": "p", "decoder": "yolov8"}
        ],
        "thresholds": {"score": 0.5, "iou": 0.4, "agnostic": true, "max_detections": 9, "review": [0.4, 0.6]},
        "verdict": {"rule": "any-detection"},
        "digests": {
            "graph/model.onnx": format!("sha256:{}", "0".repeat(64)), "golden/a.png": format!("sha256:{}", "a".repeat(64)),
            "drift.json": format!("sha256:{}", "F".repeat(64))
        },
        "golden": [
            {"image": "golden/a.png", "verdict": "ng", "labels": ["open"], "fields": {"speed": [1, 2]},
             "part": {"sku": "A", "view": 1}}
        ],
        "reference": "drift.json", "trained_on": ["sha256:…"], "quality": {"map": 0.9}
    })
}

#[test]
fn shipped_manifests_and_those_of_the_pages_are_valid() {
    let mut seen = 0;
    for version in fs::read_dir(common::root().join("models/pcb")).unwrap() {
        let Ok(text) = fs::read_to_string(version.unwrap().path().join("model.json")) else { continue };
        assert_valid(&serde_json::from_str(&text).unwrap());
        seen += 1;
    }
    let page = fs::read_to_string(common::root().join("docs/models.md")).unwrap();
    for text in page.split("```json").skip(1).map(|t| t.split("```").next().unwrap()) {
        let example: Value = serde_json::from_str(text).unwrap();
        assert_valid(&example);
        parse(&example).unwrap();
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
    for (rule, score, output) in [
        ("anomaly", 9.0, json!({"decoder": "anomalib"})),
        ("anomaly", 0.5, json!({"decoder": "anomalib", "normalisation": {"threshold": 9, "min": 1, "max": 12.5}})),
        ("detection", 0.5, json!({"decoder": "yolov2", "labels": ["a"], "anchors": [[0.573, 0.677], [1.87, 2.06]]})),
        ("detection", 0.5, json!({"decoder": "rtdetr", "labels": ["a"], "background": true, "activation": "softmax"})),
        ("detection", 0.5, json!({"decoder": "paddle", "labels": ["a"], "suppress": false})),
    ] {
        let mut manifest = full();
        manifest.as_object_mut().unwrap().remove("golden");
        manifest["task"] = rule.into();
        manifest["thresholds"] = json!({"score": score});
        manifest["verdict"]["rule"] = if rule == "anomaly" { "anomaly-score" } else { "any-detection" }.into();
        manifest["outputs"] = json!([output]);
        manifest["outputs"][0]["name"] = "o".into();
        assert_valid(&manifest);
        parse(&manifest).unwrap();
    }
    assert_valid(&full());
    let whole = parse(&full()).unwrap();
    // What the code writes is valid, too.
    assert_valid(&serde_json::to_value(whole).unwrap());
}

#[test]
fn what_is_wrong_is_refused_by_the_schema_and_by_the_code() {
    type Change = fn(&mut Value);
    let bad: &[(&str, Change)] = &[
        ("another schema", |v| v["schema"] = "andon.model/9".into()),
        ("no name", |v| v["name"] = "".into()),
        ("no version", |v| drop(v.as_object_mut().unwrap().remove("version"))),
        ("a task that is none", |v| v["task"] = "pose".into()),
        ("no image", |v| drop(v["inputs"].as_array_mut().unwrap().remove(0))),
        ("two images", |v| v["inputs"][2]["source"] = "image".into()),
        ("a source that is none", |v| v["inputs"][0]["source"] = "camera".into()),
        ("a field without a name", |v| v["inputs"][3]["source"] = "field:".into()),
        ("a field without a default", |v| drop(v["inputs"][3].as_object_mut().unwrap().remove("default"))),
        ("a template without a pattern", |v| drop(v["inputs"][1].as_object_mut().unwrap().remove("pattern"))),
        ("an image of f64", |v| v["inputs"][0]["type"] = "f64".into()),
        ("a frame size of f16", |v| v["inputs"][2]["type"] = "f16".into()),
        ("the order of an image", |v| v["inputs"][0]["order"] = "hw".into()),
        ("the corner of a crop", |v| v["inputs"][0]["align"] = "top-left".into()),
        ("a stretch rounded down", |v| {
            v["inputs"][0]["resize"] = "stretch".into();
            drop(v["inputs"][0].as_object_mut().unwrap().remove("shorter_side"));
        }),
        ("the shorter side of a letterbox", |v| {
            v["inputs"][0]["resize"] = "letterbox".into();
        }),
        ("a scale by name", |v| v["inputs"][0]["scale"] = "1".into()),
        ("a size of nothing", |v| v["inputs"][0]["size"] = json!([0, 64])),
        ("a size of one number", |v| v["inputs"][0]["size"] = json!([64])),
        ("an axis of nothing", |v| v["inputs"][3]["shape"] = json!([1, 0])),
        ("no output", |v| v["outputs"] = json!([])),
        ("a decoder that is none", |v| v["outputs"][0]["decoder"] = "yolov99".into()),
        ("a score of 2", |v| v["thresholds"]["score"] = 2.into()),
        ("a background that is not read", |v| v["outputs"][0]["background"] = true.into()),
        ("a grid that is not read", |v| v["outputs"][0]["grid"] = false.into()),
        ("an activation that is not read", |v| v["outputs"][0]["activation"] = "sigmoid".into()),
        ("a normalisation of boxes", |v| {
            v["outputs"][0]["normalisation"] = json!({"threshold": 1, "min": 0, "max": 2});
        }),
        ("anchors that are not read", |v| v["outputs"][0]["anchors"] = json!([[1, 2]])),
        ("a step of nothing", |v| v["outputs"][0]["quantisation"]["scale"] = 0.into()),
        ("no detections", |v| v["thresholds"]["max_detections"] = 0.into()),
        ("a review band of one number", |v| v["thresholds"]["review"] = json!([0.5])),
        ("a rule that is none", |v| v["verdict"]["rule"] = "always".into()),
        ("a rule without its labels", |v| v["verdict"] = json!({"rule": "label-ok"})),
        ("a golden sample without a verdict", |v| drop(v["golden"][0].as_object_mut().unwrap().remove("verdict"))),
        ("a golden sample unjudged", |v| v["golden"][0]["verdict"] = "unjudged".into()),
        ("a golden sample of another kind", |v| v["golden"][0]["image"] = "a.gif".into()),
        ("a view below 0", |v| v["golden"][0]["part"]["view"] = (-1).into()),
        ("data sets by number", |v| v["trained_on"] = json!([1])),
    ];
    for (what, change) in bad {
        let mut manifest = full();
        change(&mut manifest);
        assert!(!problems(&manifest).is_empty(), "the schema takes {what}");
        assert!(parse(&manifest).is_err(), "the code takes {what}");
    }
}

#[test]
fn what_the_code_passes_over_or_finds_on_the_disk_the_schema_refuses() {
    let refused = |change: fn(&mut Value)| {
        let mut manifest = full();
        change(&mut manifest);
        parse(&manifest).unwrap();
        !problems(&manifest).is_empty()
    };
    assert!(refused(|v| v["treshold"] = 1.into()), "a field that is misspelt");
    assert!(refused(|v| v["golden"][0]["image"] = "../a.png".into()), "a path out of the bundle");
    assert!(refused(|v| v["model"] = "/etc/hostname".into()), "a path from the root");
    assert!(refused(|v| v["digests"]["drift.json"] = "md5:0".into()), "a digest of another kind");
}
