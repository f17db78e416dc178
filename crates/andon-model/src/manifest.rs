// SPDX-License-Identifier: MPL-2.0
//! `model.json`, schema `andon.model/1`: what goes into the model, what comes out, and what is made of it.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{Error, Golden, Input, InputSource, Output, Rule, Task, Thresholds};

/// The schema name that every manifest starts with.
pub const MODEL_SCHEMA: &str = "andon.model/1";

/// The whole of `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`MODEL_SCHEMA`].
    pub schema: String,
    /// The model's name, the same over versions.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub task: Task,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The graph's file in the bundle.
    #[serde(default = "model_file")]
    pub model: String,
    /// Every input of the graph.
    pub inputs: Vec<Input>,
    /// The outputs that are read.
    pub outputs: Vec<Output>,
    /// From which score on.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// What makes a frame bad.
    pub verdict: Rule,
    /// `sha256:…` by file; where there are any, every file that the manifest names is among them.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// Pictures with the verdict that the model must come to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
    /// The file of a drift reference in the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Digests of the data sets that it was trained on, or whatever else names them; for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_on: Vec<String>,
    /// What was measured of it; free.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub quality: serde_json::Value,
}

fn model_file() -> String {
    "model.onnx".into()
}

impl Manifest {
    /// Reads and checks the text of the manifest at `path` (named in errors only).
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let fail = |field: String, problem: String| Error::Manifest { path: path.into(), field, problem };
        let manifest: Manifest = serde_json::from_str(text)
            .map_err(|e| fail(place(text, &e), format!("{e}: see the schema {MODEL_SCHEMA} in the documentation")))?;
        manifest.check().map_err(|(field, problem)| fail(field, problem))?;
        Ok(manifest)
    }

    /// The input that is the frame.
    pub fn image(&self) -> &Input {
        let image = self.inputs.iter().find(|i| i.source() == Some(InputSource::Image));
        image.expect("a checked manifest has exactly one image input")
    }

    /// Everything that serde cannot check: the field and what is wrong with it.
    pub fn check(&self) -> Result<(), (String, String)> {
        let bad = |field: &str, problem: String| Err((field.to_string(), problem));
        if self.schema != MODEL_SCHEMA {
            return bad("schema", format!("is '{}', must be '{MODEL_SCHEMA}'", self.schema));
        }
        if self.name.is_empty() {
            return bad("name", "must not be empty".into());
        }
        let images = self.inputs.iter().filter(|i| i.source() == Some(InputSource::Image)).count();
        if images != 1 {
            return bad("inputs", format!("{images} have the source 'image', must be one"));
        }
        for (i, input) in self.inputs.iter().enumerate() {
            input.check().map_err(|(field, problem)| (format!("inputs[{i}].{field}"), problem))?;
        }
        self.check_outputs()?;
        self.thresholds.check().map_err(|(field, problem)| (format!("thresholds.{field}"), problem))?;
        self.check_golden()
    }
}

/// Where in the text serde stumbled, with a few characters of it, so that the field can be seen.
fn place(text: &str, e: &serde_json::Error) -> String {
    let line = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
    let end = line.char_indices().map(|(i, c)| i + c.len_utf8()).take(e.column()).last().unwrap_or(0);
    let start = line[..end].char_indices().rev().take(50).last().map_or(0, |(i, _)| i);
    format!("line {}, at `{}`", e.line(), line[start..end].trim())
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
    fn an_input_from_a_field_needs_a_default_or_must_be_required() {
        let field = serde_json::json!({"name": "speed", "source": "field:line_speed"});
        let e = problem(|v| v["inputs"].as_array_mut().unwrap().push(field.clone()));
        assert!(e.contains("inputs[1].default") && e.contains("required"), "{e}");
    }
}
