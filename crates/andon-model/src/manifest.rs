// SPDX-License-Identifier: MPL-2.0
//! `model.json`, schema `andon.model/1`: the model's inputs, its outputs, and what they mean.

use std::{collections::BTreeMap, path::Path};

use andon_core::{
    json,
    text::{check_name, check_value, is_hidden, shown},
};
use serde::{Deserialize, Serialize};

use super::{
    Error, FieldError, Golden, Input, InputSource, Normalisation, Output, Rule, Task, Thresholds, golden, name_unused,
    output,
};

/// The schema name of every manifest.
pub const MODEL_SCHEMA: &str = "andon.model/1";

/// The content of `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`MODEL_SCHEMA`].
    pub schema: String,
    /// The model's name, the same for all versions.
    pub name: String,
    /// The version.
    pub version: String,
    /// What the model is for.
    pub task: Task,
    /// A description for people.
    #[serde(default)]
    pub description: String,
    /// The file of the graph in the bundle.
    #[serde(default = "model_file")]
    pub model: String,
    /// All inputs of the graph.
    pub inputs: Vec<Input>,
    /// The outputs to read.
    pub outputs: Vec<Output>,
    /// The thresholds.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// What makes a frame ng.
    pub verdict: Rule,
    /// Digests by file, `sha256:…`. If there are any, every file that the manifest names has one.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// Images with the verdicts that the model must reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
    /// The file of the drift reference in the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Digests or names of the data sets that the model was trained on, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_on: Vec<String>,
    /// Measured quality, in any form.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub quality: serde_json::Value,
}

/// The most entries of a list in a manifest: of golden samples, each is a run before the model may judge.
const MOST_ENTRIES: usize = 1024;

fn model_file() -> String {
    "model.onnx".into()
}

impl Manifest {
    /// Parses and checks the text of a manifest. Errors name `path`.
    ///
    /// # Errors
    /// [`Error::Manifest`] with the field or line that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let mut manifest: Manifest = json::read(text)
            .map_err(|e| {
                FieldError::new(place(text, &e), format!("{e}: see the schema {MODEL_SCHEMA} in the documentation"))
            })
            .map_err(|e| e.in_file(path))?;
        manifest.place_raw_threshold();
        manifest.outputs.iter_mut().for_each(|output| name_unused(&mut output.labels));
        manifest.check().map_err(|e| e.in_file(path))?;
        Ok(manifest)
    }

    /// Takes a threshold above 1 of an anomaly model as one of the model's own scores: such a score lies at one half of 0..1
    /// from then on, where everything that reads scores expects it.
    fn place_raw_threshold(&mut self) {
        let (Some(first), own) = (self.outputs.first_mut(), self.thresholds.score) else { return };
        if self.verdict == Rule::AnomalyScore && own > 1.0 && own.is_finite() && first.normalisation.is_none() {
            let normalisation = Normalisation::around(own);
            first.normalisation = Some(normalisation);
            self.thresholds.score = 0.5;
            self.thresholds.review = self.thresholds.review.map(|r| r.map(|v| v / normalisation.max));
        }
    }

    /// Returns the input that takes the frame.
    ///
    /// # Panics
    /// If there is none: the manifest was neither parsed nor checked.
    pub fn image(&self) -> &Input {
        let image = self.inputs.iter().find(|i| i.source() == Some(InputSource::Image));
        image.expect("a checked manifest has exactly one image input")
    }

    /// Checks everything that serde cannot.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), FieldError> {
        let bad = |field: &str, problem: String| Err(FieldError::new(field, problem));
        if self.schema != MODEL_SCHEMA {
            return bad("schema", format!("is '{}', must be '{MODEL_SCHEMA}'", self.schema));
        }
        check_name(&self.name).or_else(|why| bad("name", why.to_string()))?;
        check_value(&self.version).or_else(|why| bad("version", why.to_string()))?;
        for (field, count) in [
            ("inputs", self.inputs.len()),
            ("outputs", self.outputs.len()),
            ("golden", self.golden.len()),
            ("digests", self.digests.len()),
            ("trained_on", self.trained_on.len()),
        ] {
            if count > MOST_ENTRIES {
                return bad(field, format!("has {count} entries, and {MOST_ENTRIES} is the most"));
            }
        }
        for (field, name) in self.named() {
            if let Some(c) = name.chars().find(|c| is_hidden(*c)) {
                let name = shown(&name);
                return bad(&field, format!("'{name}' holds the control character U+{:04X}", u32::from(c)));
            }
        }
        let images = self.inputs.iter().filter(|i| i.source() == Some(InputSource::Image)).count();
        if images != 1 {
            return bad("inputs", format!("{images} have the source 'image', must be one"));
        }
        for (i, input) in self.inputs.iter().enumerate() {
            input.check().map_err(|e| e.within(&format!("inputs[{i}]")))?;
        }
        output::check(&self.outputs, self.task, &self.verdict)?;
        let normalised = self.outputs.iter().any(|o| o.normalisation.is_some());
        self.thresholds.check(normalised).map_err(|e| e.within("thresholds"))?;
        let labels = self.outputs.first().map(|o| o.labels.as_slice()).unwrap_or_default();
        golden::check(&self.golden, labels)
    }

    /// Checks that the digests, if there are any, include every file that the manifest names.
    pub(super) fn check_digests(&self) -> Result<(), FieldError> {
        if self.digests.is_empty() {
            return Ok(());
        }
        for (field, file) in self.named() {
            if !self.digests.keys().any(|name| plain_path(name) == plain_path(&file)) {
                return Err(self.without_digest(&file, &field));
            }
        }
        Ok(())
    }

    /// The error that a file which `by` names has no digest.
    pub(super) fn without_digest(&self, file: &str, by: &str) -> FieldError {
        let problem = format!("does not include '{file}', which {by} names: add it, or run `andon model digest`");
        FieldError::new("digests", problem)
    }

    /// Returns every file that the manifest names, each after its field.
    fn named(&self) -> Vec<(String, String)> {
        let golden = self.golden.iter().enumerate();
        std::iter::once(("model".to_string(), self.model.clone()))
            .chain(golden.map(|(i, g)| (format!("golden[{i}].image"), g.image.to_string_lossy().into_owned())))
            .chain(self.reference.iter().map(|r| ("reference".to_string(), r.clone())))
            .collect()
    }
}

/// Returns a relative path without empty steps: `a/b` for `./a/b`.
pub(super) fn plain_path(path: &str) -> String {
    path.split('/').filter(|step| !step.is_empty() && *step != ".").collect::<Vec<_>>().join("/")
}

/// Returns where serde failed in the text, with a few characters of it, so that the field can be found.
fn place(text: &str, e: &serde_json::Error) -> String {
    let line = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
    let end = line.char_indices().map(|(i, c)| i + c.len_utf8()).take(e.column()).last().unwrap_or(0);
    let start = line[..end].char_indices().rev().take(50).last().map_or(0, |(i, _)| i);
    format!("line {}, at `{}`", e.line(), shown(line[start..end].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layout, Resize};

    fn sample() -> serde_json::Value {
        serde_json::json!({
            "schema": "andon.model/1", "name": "pcb", "version": "2", "task": "detection",
            "inputs": [{"name": "images", "source": "image", "colour": "grey", "size": [640, 640]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
            "verdict": {"rule": "any-detection"}
        })
    }

    fn problem(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut v = sample();
        change(&mut v);
        Manifest::parse(&v.to_string(), Path::new("x/model.json")).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let m = Manifest::parse(&sample().to_string(), Path::new("model.json")).unwrap();
        assert_eq!(
            (m.model.as_str(), m.image().layout, m.image().resize),
            ("model.onnx", Layout::Nchw, Resize::Letterbox)
        );
        assert_eq!(m.thresholds, Thresholds::default());
    }

    #[test]
    fn a_manifest_comes_back_as_it_went() {
        let m = Manifest::parse(&sample().to_string(), Path::new("model.json")).unwrap();
        let text = serde_json::to_string_pretty(&m).unwrap();
        assert_eq!(Manifest::parse(&text, Path::new("model.json")).unwrap(), m);
    }

    #[test]
    fn every_refusal_names_the_file_the_field_and_the_choice() {
        let e = problem(|v| v["outputs"][0]["decoder"] = "yolov99".into());
        assert!(e.contains("x/model.json") && e.contains("\"decoder\":\"yolov99\"") && e.contains("yolov8"), "{e}");
        let e = problem(|v| v["schema"] = "andon.model/9".into());
        assert!(e.contains("schema") && e.contains("andon.model/1"), "{e}");
        let e = problem(|v| v["inputs"][0]["size"] = serde_json::json!([0, 640]));
        assert!(e.contains("inputs[0].size"), "{e}");
        let e = problem(|v| v["inputs"][0]["type"] = "i64".into());
        assert!(e.contains("inputs[0].type") && e.contains("u8"), "{e}");
        let e = problem(|v| v["inputs"][0]["type"] = "u8".into());
        assert!(e.contains("inputs[0].scale") && e.contains("\"scale\": [1]"), "{e}");
        let e = problem(|v| v["inputs"][0] = serde_json::json!({"name": "i", "source": "image", "multiple": 0}));
        assert!(e.contains("inputs[0].multiple"), "{e}");
        let e = problem(|v| v["inputs"][0]["source"] = "camera".into());
        assert!(e.contains("inputs"), "{e}");
        let e = problem(|v| v["thresholds"] = serde_json::json!({"score": 2}));
        assert!(e.contains("thresholds.score"), "{e}");
        let e = problem(|v| v["thresholds"] = serde_json::json!({"max_detections": 0}));
        assert!(e.contains("thresholds.max_detections") && e.contains("at least 1"), "{e}");
        let e = problem(|v| v["thresholds"] = serde_json::json!({"review": [0.8, 0.2]}));
        assert!(e.contains("thresholds.review"), "{e}");
        let e = problem(|v| v["verdict"] = serde_json::json!({"rule": "anomaly-score"}));
        assert!(e.contains("verdict.rule") && e.contains("any-detection"), "{e}");
        let e = problem(|v| v["outputs"][0]["labels"] = serde_json::json!([]));
        assert!(e.contains("outputs[0].labels"), "{e}");
        let e = problem(|v| v["inputs"][0]["mean"] = serde_json::json!([1, 2, 3]));
        assert!(e.contains("inputs[0].mean") && e.contains("1 or 1"), "{e}");
    }

    #[test]
    fn what_could_be_read_in_two_ways_or_is_too_much_is_refused() {
        use serde_json::{Value, json};
        let whole = sample().to_string();
        let twice = whole.replace(r#""version":"2""#, r#""version":"2","version":"3""#);
        let e = Manifest::parse(&twice, Path::new("model.json")).unwrap_err().to_string();
        assert!(e.contains("the key 'version' stands twice"), "{e}");
        let many: Vec<_> = (0..70_000).map(|k| k.to_string()).collect();
        type Change = Box<dyn Fn(&mut Value)>;
        let rows: &[(Change, &str)] = &[
            (Box::new(|v| v["name"] = "a\u{0}b".into()), r"name: 'a\0b' holds NUL, which no name may"),
            (Box::new(|v| v["name"] = "n".repeat(300).into()), "name: has 300 bytes, and 256 is the most"),
            (
                Box::new(|v| v["version"] = "2\u{1b}[2J".into()),
                "version: '2\\u{1b}[2J' holds the control character U+001B",
            ),
            (Box::new(|v| v["model"] = "m\n.onnx".into()), "model: 'm\\n.onnx' holds the control character U+000A"),
            (
                Box::new(|v| v["outputs"][0]["labels"] = json!(["a", ""])),
                "outputs[0].labels: the label of class 1 is empty",
            ),
            (
                Box::new(|v| v["outputs"][0]["labels"] = json!(["a", "b", "a"])),
                "outputs[0].labels: classes 0 and 2 are both 'a'",
            ),
            (Box::new(move |v| v["outputs"][0]["labels"] = json!(many)), "outputs[0].labels: 70000 labels, and 65536"),
            (Box::new(|v| v["inputs"][0]["size"] = json!([1_000_000_000, 1_000_000_000])), "inputs[0].size"),
            (Box::new(|v| v["thresholds"] = json!({"score": 1e300})), "number out of range"),
            (
                Box::new(|v| v["thresholds"] = json!({"max_detections": 1e6 as u64})),
                "thresholds.max_detections: is 1000000",
            ),
            (Box::new(|v| v["inputs"][0]["mean"] = json!([1e300])), "inputs[0].mean: must be finite"),
            (
                Box::new(move |v| {
                    let shape = json!([1_000_000_000, 1_000_000_000_000u64]);
                    let field = json!({"name": "f", "source": "field:a", "required": true, "shape": shape});
                    v["inputs"].as_array_mut().unwrap().push(field);
                }),
                "inputs[1].shape: is of more than 65536 numbers",
            ),
            (
                Box::new(|v| {
                    let field = json!({"name": "f", "source": "field:a\u{7}", "required": true});
                    v["inputs"].as_array_mut().unwrap().push(field);
                }),
                "inputs[1].source: the name of the field 'a\\u{7}' holds",
            ),
            (
                Box::new(|v| v["trained_on"] = json!(vec!["a"; 2000])),
                "trained_on: has 2000 entries, and 1024 is the most",
            ),
        ];
        for (change, said) in rows {
            let e = problem(change);
            assert!(e.contains(said), "{said}: {e}");
        }
    }

    #[test]
    fn an_input_from_a_field_needs_a_default_or_must_be_required() {
        let field = serde_json::json!({"name": "speed", "source": "field:line_speed"});
        let e = problem(|v| v["inputs"].as_array_mut().unwrap().push(field.clone()));
        assert!(e.contains("inputs[1].default") && e.contains("required"), "{e}");
    }

    #[test]
    fn digests_hold_every_file_that_is_named() {
        let with = |names: &[&str]| {
            let digests: serde_json::Map<_, _> = names.iter().map(|n| (n.to_string(), "sha256:0".into())).collect();
            let mut v = sample();
            v["golden"] = serde_json::json!([{"image": "golden/a.png", "verdict": "ng"}]);
            v["digests"] = digests.into();
            v["reference"] = "drift/reference.json".into();
            let manifest = Manifest::parse(&v.to_string(), Path::new("model.json")).unwrap();
            manifest.check_digests().map_err(|e| e.to_string())
        };
        assert!(with(&["./model.onnx", "golden/a.png", "drift/reference.json"]).is_ok());
        let e = with(&["golden/a.png", "drift/reference.json"]).unwrap_err();
        assert!(e.contains("digests: does not include 'model.onnx', which model names"), "{e}");
        let e = with(&["model.onnx", "drift/reference.json"]).unwrap_err();
        assert!(e.contains("'golden/a.png', which golden[0].image names"), "{e}");
        let e = with(&["model.onnx", "golden/a.png"]).unwrap_err();
        assert!(e.contains("'drift/reference.json', which reference names"), "{e}");
    }
}
