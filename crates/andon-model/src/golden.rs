// SPDX-License-Identifier: MPL-2.0
//! Golden samples: pictures in the bundle with the verdict that the model must come to, before it may judge a line.

use std::path::PathBuf;

use andon_core::result::{Fields, Part, Purpose, Verdict};
use serde::{Deserialize, Serialize};

use super::Manifest;

/// One golden sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// The picture, a PNG: in the manifest relative to the bundle, in a [`super::Source`] absolute.
    pub image: PathBuf,
    /// What the model must say: ok, ng or review.
    pub verdict: Verdict,
    /// Labels that must be among those it finds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Values for the model's inputs from fields.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// What the picture shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<GoldenPart>,
}

/// As far as a golden sample tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoldenPart {
    /// The product.
    pub sku: String,
    /// Which of its views, from 0.
    pub view: u32,
}

impl Golden {
    /// The part it shows, as an element is told it: its purpose is golden, so that it counts nowhere.
    pub fn part(&self) -> Part {
        let GoldenPart { sku, view } = self.part.clone().unwrap_or_default();
        Part { sku, view, views: view + 1, purpose: Purpose::Golden, ..Part::default() }
    }
}

impl Manifest {
    /// The golden samples: the field that is wrong, and what is.
    pub(super) fn check_golden(&self) -> Result<(), (String, String)> {
        let labels = self.outputs.first().map(|o| o.labels.as_slice()).unwrap_or_default();
        for (i, golden) in self.golden.iter().enumerate() {
            let bad = |field: &str, problem: String| Err((format!("golden[{i}].{field}"), problem));
            if golden.image.to_str().is_none_or(|p| !p.to_ascii_lowercase().ends_with(".png")) {
                return bad("image", format!("is '{}', must be a .png in the bundle", golden.image.display()));
            }
            if golden.verdict == Verdict::Unjudged {
                return bad("verdict", "is 'unjudged', must be 'ok', 'ng' or 'review'".into());
            }
            if let Some(stranger) = golden.labels.iter().find(|l| !labels.contains(l)) {
                return bad("labels", format!("'{stranger}' is not one of outputs[0].labels"));
            }
            if golden.part.as_ref().is_some_and(|p| p.view == u32::MAX) {
                return bad("part.view", "is not a view: they count from 0".into());
            }
        }
        Ok(())
    }

    /// Whether the digests, where there are any, hold every file that is named: the field that is wrong, and what is.
    pub(super) fn check_digests(&self) -> Result<(), (String, String)> {
        if self.digests.is_empty() {
            return Ok(());
        }
        for (field, file) in self.named() {
            if !self.digests.keys().any(|name| plain(name) == plain(&file)) {
                let problem =
                    format!("does not hold '{file}', which {field} names: add it, or run `andon model digest`");
                return Err(("digests".into(), problem));
            }
        }
        Ok(())
    }

    /// Every file that the manifest names, after the field that does.
    fn named(&self) -> Vec<(String, String)> {
        let golden = self.golden.iter().enumerate();
        std::iter::once(("model".to_string(), self.model.clone()))
            .chain(golden.map(|(i, g)| (format!("golden[{i}].image"), g.image.to_string_lossy().into_owned())))
            .chain(self.reference.iter().map(|r| ("reference".to_string(), r.clone())))
            .collect()
    }
}

/// A relative path without steps that lead nowhere: `./a/b` is `a/b`.
pub(super) fn plain(path: &str) -> String {
    path.split('/').filter(|step| !step.is_empty() && *step != ".").collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    fn parse(change: impl Fn(&mut Value)) -> Result<Manifest, String> {
        let mut v = json!({
            "schema": "andon.model/1", "name": "pcb", "version": "2", "task": "detection",
            "inputs": [{"name": "images", "source": "image", "size": [64, 64]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open", "short"]}],
            "verdict": {"rule": "any-detection"},
            "golden": [{"image": "golden/a.png", "verdict": "ng", "labels": ["open"], "part": {"sku": "A", "view": 2}}]
        });
        change(&mut v);
        Manifest::parse(&v.to_string(), Path::new("x/model.json")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_golden_sample_tells_the_part_that_counts_nowhere() {
        let part = parse(|_| {}).unwrap().golden[0].part();
        assert_eq!((part.sku.as_str(), part.view, part.purpose), ("A", 2, Purpose::Golden));
    }

    #[test]
    fn what_is_wrong_with_a_golden_sample_is_named() {
        let problem = |field: &str, value: Value| parse(|v| v["golden"][0][field] = value.clone()).unwrap_err();
        let e = problem("image", "golden/a.gif".into());
        assert!(e.contains("x/model.json: golden[0].image: is 'golden/a.gif'"), "{e}");
        let e = problem("verdict", "unjudged".into());
        assert!(e.contains("golden[0].verdict") && e.contains("'review'"), "{e}");
        let e = problem("labels", json!(["open", "spur"]));
        assert!(e.contains("golden[0].labels: 'spur' is not one of"), "{e}");
        let e = problem("part", json!({"view": u32::MAX}));
        assert!(e.contains("golden[0].part.view"), "{e}");
    }

    #[test]
    fn digests_hold_every_file_that_is_named() {
        let with = |names: &[&str]| {
            let digests: serde_json::Map<_, _> = names.iter().map(|n| (n.to_string(), "sha256:0".into())).collect();
            parse(|v| {
                v["digests"] = digests.clone().into();
                v["reference"] = "drift/reference.json".into();
            })
            .unwrap()
            .check_digests()
            .map_err(|(field, problem)| format!("{field}: {problem}"))
        };
        assert!(with(&["./model.onnx", "golden/a.png", "drift/reference.json"]).is_ok());
        let e = with(&["golden/a.png", "drift/reference.json"]).unwrap_err();
        assert!(e.contains("digests: does not hold 'model.onnx', which model names"), "{e}");
        let e = with(&["model.onnx", "drift/reference.json"]).unwrap_err();
        assert!(e.contains("'golden/a.png', which golden[0].image names"), "{e}");
        let e = with(&["model.onnx", "golden/a.png"]).unwrap_err();
        assert!(e.contains("'drift/reference.json', which reference names"), "{e}");
    }
}
