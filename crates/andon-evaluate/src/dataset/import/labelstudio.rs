// SPDX-License-Identifier: MPL-2.0
//! Label Studio's JSON export: tasks with the annotations of people.

use andon_core::result::{Part, Verdict};
use serde::Deserialize;
use serde_json::Value;

use super::{CorrectedFrame, Corrections, Error};

#[derive(Deserialize)]
struct Task {
    data: Data,
    annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
struct Data {
    image: String,
    #[serde(default)]
    part: Option<String>,
    #[serde(default)]
    view: u32,
    #[serde(default = "one")]
    views: u32,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    was_cancelled: bool,
    result: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    value: Value,
}

/// Returns the label of every capture in the file that a person has looked at.
pub(super) fn parse(text: &[u8]) -> Result<Corrections, Error> {
    let tasks: Vec<Task> = andon_core::json::read_slice(text).map_err(Error::LabelStudio)?;
    let mut corrections = Corrections::default();
    for Task { data, annotations } in tasks {
        let Some(name) = corrections.capture(&data.image) else { continue };
        // A skipped task has no label.
        let verdicts: Vec<_> =
            annotations.iter().flatten().filter(|a| !a.was_cancelled).flat_map(|a| a.verdicts()).collect();
        match verdicts[..] {
            [] => corrections.untouched += 1,
            [verdict, ref others @ ..] if others.iter().all(|v| *v == verdict) => {
                let part = data.part.map(|id| Part { id, view: data.view, views: data.views, ..Part::default() });
                corrections.frames.push(CorrectedFrame { name, part, verdict });
            }
            _ => corrections.contradictory.add(name.stem),
        }
    }
    Ok(corrections)
}

impl Annotation {
    /// Returns the verdict that was chosen, else ng if there is a box. Boxes beside the choice ok contradict it.
    fn verdicts(&self) -> Vec<Verdict> {
        let chosen = self.result.iter().filter(|t| t.kind == "choices").find_map(|t| t.value["choices"][0].as_str());
        let chosen = chosen.and_then(|c| c.to_ascii_lowercase().parse().ok());
        let boxes = self.result.iter().any(Item::is_region);
        match chosen.filter(|v| matches!(v, Verdict::Ok | Verdict::Ng)) {
            Some(Verdict::Ok) if boxes => vec![Verdict::Ok, Verdict::Ng],
            Some(verdict) => vec![verdict],
            None if boxes => vec![Verdict::Ng],
            None => vec![Verdict::Ok],
        }
    }
}

impl Item {
    fn is_region(&self) -> bool {
        self.kind.ends_with("labels")
            || matches!(&self.kind[..], "rectangle" | "ellipse" | "polygon" | "brush" | "keypoint")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(frame: u32, annotations: Value) -> Value {
        let image =
            format!("/data/local-files/?d=images/default/0123456789abcdef0123456789abcdef-{frame:08}-000003-ng.png");
        json!({"data": {"image": image, "part": format!("P{frame}"), "views": 1}, "annotations": annotations,
               "predictions": [{"result": [{"type": "rectanglelabels"}]}]})
    }

    #[test]
    fn what_people_said_counts_and_what_models_predicted_does_not() {
        let boxed = json!({"type": "rectanglelabels", "value": {"x": 1}});
        let chosen = |verdict: &str| json!({"type": "choices", "value": {"choices": [verdict]}});
        let tasks = json!([
            task(1, json!([{"result": [boxed]}])),
            task(2, json!([{"result": []}])),
            task(3, json!([{"result": [chosen("NG")]}])),
            task(4, json!([])),
            task(5, json!([{"result": [], "was_cancelled": true}])),
            task(6, json!([{"result": []}, {"result": [boxed]}])),
            task(7, json!([{"result": [chosen("ok"), boxed]}])),
            {"data": {"image": "cat.png"}, "annotations": [{"result": []}]},
        ]);
        let read = parse(tasks.to_string().as_bytes()).unwrap();
        let seen: Vec<_> = read.frames.iter().map(|s| (s.part.as_ref().unwrap().id.as_str(), s.verdict)).collect();
        assert_eq!(seen, [("P1", Verdict::Ng), ("P2", Verdict::Ok), ("P3", Verdict::Ng)]);
        assert_eq!((read.untouched, read.contradictory.total, read.foreign.total), (2, 2, 1));
    }
}
