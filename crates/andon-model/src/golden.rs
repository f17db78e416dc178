// SPDX-License-Identifier: MPL-2.0
//! Golden samples: images in the bundle with the verdict that the model must reach before it may judge a line.

use std::path::PathBuf;

use andon_core::result::{Fields, Part, Purpose, Verdict};
use serde::{Deserialize, Serialize};

use super::FieldError;

/// A golden sample: an image, and the verdict that the model must reach on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// The path of the image, a PNG: relative to the bundle in a manifest, absolute in a [`Source`](super::Source).
    pub image: PathBuf,
    /// The verdict that the model must reach: ok, ng or review.
    pub verdict: Verdict,
    /// Labels that must be among those found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Values for the model's inputs that come from fields.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// The part that the image shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<GoldenPart>,
}

/// What a golden sample says of its part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoldenPart {
    /// The product.
    pub sku: String,
    /// Which view of the part, from 0.
    pub view: u32,
}

impl Golden {
    /// Returns the part that the sample shows. Its purpose is golden, so it counts nowhere.
    pub fn part(&self) -> Part {
        let GoldenPart { sku, view } = self.part.clone().unwrap_or_default();
        Part { sku, view, views: view + 1, purpose: Purpose::Golden, ..Part::default() }
    }
}

/// Checks golden samples against the labels of the model.
pub(super) fn check(samples: &[Golden], labels: &[String]) -> Result<(), FieldError> {
    for (i, golden) in samples.iter().enumerate() {
        let bad = |field: &str, problem: String| Err(FieldError::new(format!("golden[{i}].{field}"), problem));
        if golden.image.to_str().is_none_or(|p| !p.to_ascii_lowercase().ends_with(".png")) {
            return bad("image", format!("is '{}', must be a .png in the bundle", golden.image.display()));
        }
        if golden.verdict == Verdict::Unjudged {
            return bad("verdict", "is 'unjudged', must be 'ok', 'ng' or 'review'".into());
        }
        if let Some(unknown) = golden.labels.iter().find(|l| !labels.contains(l)) {
            return bad("labels", format!("'{unknown}' is not one of outputs[0].labels"));
        }
        if golden.part.as_ref().is_some_and(|p| p.view == u32::MAX) {
            return bad("part.view", "is not a view: views count from 0".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::Manifest;

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
}
