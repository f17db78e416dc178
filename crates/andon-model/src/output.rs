// SPDX-License-Identifier: MPL-2.0
//! What `model.json` says of the graph's outputs.

use serde::{Deserialize, Serialize};

use super::{
    Decoder, FieldError, Head, Normalisation, Quantisation, Role, Rule, Task, check_labels, decoder::BoxForm, settings,
};

/// How a model's outputs become scores of 0..1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The outputs are probabilities.
    None,
    /// The labels exclude each other.
    Softmax,
    /// The labels are independent.
    Sigmoid,
}

/// One output of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The output's name in the graph.
    pub name: String,
    /// How the output is decoded: the same for all outputs of a model.
    pub decoder: Decoder,
    /// Which of the decoder's outputs this one is. The default follows from its name or its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// For an output of integers that stand for other numbers: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<Quantisation>,
    /// For anomaly scores and maps that are not within 0..1: what they are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
    /// For the first output: the labels, in the model's order.
    #[serde(default)]
    pub labels: Vec<String>,
    /// For the first output, as are all fields below: what a detector gives beside boxes.
    #[serde(default)]
    pub head: Head,
    /// What the four numbers of a box mean. The default is the decoder's usual form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<BoxForm>,
    /// Whether class 0 is the background, which `labels` does not name.
    #[serde(default)]
    pub background: bool,
    /// For YOLOX: whether boxes are in cells of its grids.
    #[serde(default = "yes")]
    pub grid: bool,
    /// How outputs become scores. For a classifier, and for a segmentation with one plane of scores, the default follows from
    /// the numbers of the first frames that show it; the rule `any-label` needs an explicit value. The default is sigmoid for
    /// the logits of `rtdetr`, and none for its single output and for `ssd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// For a detector: whether boxes that overlap better ones go. The default is what the decoder's families need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppress: Option<bool>,
    /// For YOLOv2: width and height of its anchors, in cells of its grid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<[f32; 2]>,
    /// For an embedding: whether it is scaled to length 1.
    #[serde(default)]
    pub normalise: bool,
}

fn yes() -> bool {
    true
}

impl Output {
    /// Makes an output with that name and decoder, and defaults for everything else.
    pub fn new(name: impl Into<String>, decoder: Decoder, labels: Vec<String>) -> Self {
        Self {
            name: name.into(),
            decoder,
            role: None,
            quantisation: None,
            normalisation: None,
            labels,
            head: Head::Detect,
            boxes: None,
            background: false,
            grid: true,
            activation: None,
            suppress: None,
            anchors: Vec::new(),
            normalise: false,
        }
    }

    /// Returns the role of this output, which is at `place` of the list.
    pub fn role(&self, place: usize) -> Role {
        let known = self.role.or_else(|| Role::of(&self.name, self.decoder));
        known.unwrap_or(match (place, self.decoder) {
            (0, _) => Role::Main,
            (_, Decoder::Paddle) => Role::Count,
            _ => Role::Masks,
        })
    }
}

/// Checks the outputs against each other, the task and the verdict rule.
pub(super) fn check(outputs: &[Output], task: Task, verdict: &Rule) -> Result<(), FieldError> {
    let bad = |field: &str, problem: String| Err(FieldError::new(field, problem));
    let Some(first) = outputs.first() else {
        return bad("outputs", "is empty, must name the output to read".into());
    };
    if outputs.iter().any(|o| o.decoder != first.decoder) {
        return bad("outputs", "name different decoders, must all name one".into());
    }
    for (i, output) in outputs.iter().enumerate() {
        check_labels(&output.labels).or_else(|why| bad(&format!("outputs[{i}].labels"), why.to_string()))?;
    }
    if first.labels.is_empty() && first.decoder.needs_labels() {
        return bad("outputs[0].labels", "is empty, must name every label in the model's order".into());
    }
    if !first.decoder.heads().contains(&first.head) {
        let reads: Vec<_> = first.decoder.heads().iter().map(|h| format!("{h:?}").to_lowercase()).collect();
        let head = format!("{:?}", first.head).to_lowercase();
        return bad("outputs[0].head", format!("is {head}, must be {} for its decoder", reads.join(" or ")));
    }
    settings::check(outputs)?;
    for (i, output) in outputs.iter().enumerate() {
        let same = |o: &Output, at: usize| o.role(at) == output.role(i) && output.decoder != Decoder::Raw;
        if outputs.iter().enumerate().take(i).any(|(at, o)| same(o, at)) {
            let role = format!("{:?}", output.role(i)).to_lowercase();
            return bad(
                &format!("outputs[{i}].role"),
                format!("is {role}, as that of another output: give each output its role"),
            );
        }
    }
    if first.decoder.task().is_some_and(|t| t != task) {
        return bad("task", "does not fit outputs[0].decoder: see the table of decoders in docs/models.md".into());
    }
    let fits = matches!(
        (verdict, task),
        (Rule::None, _)
            | (Rule::AnyDetection, Task::Detection)
            | (Rule::LabelOk { .. } | Rule::AnyLabel { .. }, Task::Classification)
            | (Rule::AnomalyScore, Task::Anomaly)
            | (Rule::AnyArea { .. }, Task::Segmentation)
    );
    if !fits {
        return bad(
            "verdict.rule",
            "does not fit: any-detection goes with detection, label-ok and any-label with classification, \
                 anomaly-score with anomaly, any-area with segmentation, none with all"
                .into(),
        );
    }
    if let Rule::LabelOk { ok } | Rule::AnyArea { ok } = verdict
        && ok.is_empty()
    {
        return bad("verdict.ok", "is empty, must name the labels of good frames".into());
    }
    if let (Rule::AnyLabel { .. }, None) = (verdict, first.activation) {
        return bad(
            "outputs[0].activation",
            "is missing: write \"sigmoid\" if the graph gives logits, \"none\" if it gives probabilities; for \
                 independent labels the numbers do not show which"
                .into(),
        );
    }
    if let Some(unknown) = verdict.ok().iter().find(|l| !first.labels.contains(l)) {
        return bad("verdict.ok", format!("'{unknown}' is not one of outputs[0].labels"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::Manifest;

    const PAGE: &str = include_str!("../../../docs/models.md");

    /// Names in the first column of the table whose head begins so.
    fn listed(head: &str) -> Vec<&'static str> {
        let table = PAGE.lines().skip_while(|l| !l.starts_with(head)).skip(2).take_while(|l| l.starts_with('|'));
        table.map(|row| row.split('`').nth(1).unwrap_or_else(|| panic!("no name in {row}"))).collect()
    }

    fn known<T: DeserializeOwned>(name: &str) -> bool {
        serde_json::from_value::<T>(name.into()).is_ok()
    }

    #[test]
    fn the_page_on_models_names_every_decoder_and_no_other() {
        let names = listed("| `decoder` |");
        assert!(names.iter().all(|n| known::<Decoder>(n)), "{names:?}");
        // Serde lists all names when it meets an unknown one.
        let all = serde_json::from_value::<Decoder>("?".into()).unwrap_err().to_string();
        let missing: Vec<_> = all.split('`').skip(3).step_by(2).filter(|n| !names.contains(n)).collect();
        assert!(missing.is_empty() && names.len() == 15, "{missing:?}");
    }

    #[test]
    fn the_page_on_models_names_every_rule() {
        let names = listed("| `verdict.rule` |");
        for name in &names {
            let rule = serde_json::json!({"rule": name, "ok": ["a"]});
            assert!(serde_json::from_value::<Rule>(rule).is_ok(), "{name}");
        }
        assert_eq!(names.len(), 6);
    }

    #[test]
    fn the_manifest_on_the_page_is_one() {
        let text = PAGE.split("```json").nth(1).and_then(|t| t.split("```").next()).unwrap();
        let m = Manifest::parse(text, Path::new("model.json")).unwrap();
        assert_eq!((m.outputs[0].decoder, m.thresholds.score), (Decoder::Yolov8, 0.5));
    }

    #[test]
    fn a_head_that_the_decoder_does_not_read_and_a_role_told_twice_are_refused() {
        let text = PAGE.split("```json").nth(1).and_then(|t| t.split("```").next()).unwrap();
        let problem = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut v: serde_json::Value = serde_json::from_str(text).unwrap();
            change(&mut v);
            Manifest::parse(&v.to_string(), Path::new("model.json")).unwrap_err().to_string()
        };
        let e = problem(&|v| {
            v["outputs"][0]["decoder"] = "yolov5".into();
            v["outputs"][0]["head"] = "oriented".into();
        });
        assert!(e.contains("outputs[0].head: is oriented") && e.contains("detect or segment"), "{e}");
        let e = problem(&|v| {
            let again = v["outputs"][0].clone();
            v["outputs"].as_array_mut().unwrap().push(again);
            v["outputs"][1]["role"] = "main".into();
        });
        assert!(e.contains("outputs[1].role") && e.contains("main"), "{e}");
        let e = problem(&|v| v["outputs"][0]["decoder"] = "segmentation".into());
        assert!(e.contains("task") && e.contains("docs/models.md"), "{e}");
    }
}
