// SPDX-License-Identifier: MPL-2.0
//! One line for people out of a frame's results.

use std::fmt::Write as _;

use andon_core::result::{ModelId, Part, Status, Verdict};
use serde::Deserialize;

/// What the line needs of a document of schema `andon.result/1`.
#[derive(Deserialize)]
struct Document {
    verdict: Verdict,
    status: Status,
    /// None for what is no number.
    score: Option<f32>,
    frame_id: u64,
    part: Option<Part>,
    model: ModelId,
    results: Vec<OneResult>,
}

/// What the line needs of a result, schema `andon.inference/1`.
#[derive(Deserialize)]
struct OneResult {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    detections: Vec<Scored>,
    #[serde(default)]
    classes: Vec<Scored>,
}

/// A label and its score.
#[derive(Deserialize)]
struct Scored {
    label: String,
    score: Option<f32>,
}

/// Returns the line, without a line break. Fails if `json` is no document of schema `andon.result/1`.
pub(super) fn line(json: &str) -> Result<String, serde_json::Error> {
    let document: Document = serde_json::from_str(json)?;
    let mut line = String::with_capacity(64);
    match document.part.as_ref().filter(|part| !part.id.is_empty()) {
        Some(part) => word(&mut line, &part.id),
        None => write!(line, "#{}", document.frame_id).expect("a string takes all that is written"),
    }
    line.push(' ');
    line.push_str(document.verdict.as_str());
    if document.verdict == Verdict::Unjudged {
        unjudged(&mut line, &document);
    } else {
        write!(line, " {:.2} ", document.score.unwrap_or_default()).expect("a string takes all that is written");
        labels(&mut line, &document.results);
        line.push(' ');
        model(&mut line, &document.model);
    }
    Ok(line)
}

fn unjudged(line: &mut String, document: &Document) {
    line.push(' ');
    line.push_str(document.status.as_str());
    let reason = document.results.iter().map(|i| i.reason.as_str()).find(|reason| !reason.is_empty());
    if let Some(reason) = reason {
        line.push_str(": ");
        // A reason may hold the lines of an error.
        line.extend(reason.trim().chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}

/// Writes the labels of all detections, each once, best first; without any the best label of the whole frame.
fn labels(line: &mut String, results: &[OneResult]) {
    let mut found: Vec<_> = results.iter().flat_map(|i| &i.detections).collect();
    found.sort_by(|a, b| b.score.unwrap_or_default().total_cmp(&a.score.unwrap_or_default()));
    let mut seen: Vec<&str> = Vec::new();
    for detection in found {
        if !seen.contains(&&*detection.label) {
            seen.push(&detection.label);
        }
    }
    if seen.is_empty() {
        seen.extend(results.iter().find_map(|i| i.classes.first()).map(|class| &*class.label));
    }
    for (i, label) in seen.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        word(line, label);
    }
    if seen.is_empty() {
        line.push('-');
    }
}

fn model(line: &mut String, model: &ModelId) {
    word(line, if model.name.is_empty() { "-" } else { &model.name });
    if !model.version.is_empty() {
        line.push('@');
        word(line, &model.version);
    }
}

/// Writes text as one word.
fn word(line: &mut String, text: &str) {
    line.extend(text.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, ClassScore, Detection, Frame, Inference};
    use serde_json::{Value, json};

    fn document(verdict: &str, status: &str, part: &str, results: Value) -> String {
        let part = if part.is_empty() { Value::Null } else { json!({ "id": part }) };
        json!({
            "schema": "andon.result/1", "verdict": verdict, "status": status, "score": 0.934, "frame_id": 812,
            "part": part, "model": {"name": "pcb", "version": "2", "digest": "sha256:0"}, "results": results
        })
        .to_string()
    }

    fn result(change: impl FnOnce(&mut Inference)) -> Value {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [8, 8]);
        change(&mut i);
        serde_json::to_value(i).unwrap()
    }

    fn detections(labels: &[(&str, f32)]) -> Value {
        result(|i| i.detections = labels.iter().map(|(l, s)| Detection::new(0, (*l).into(), *s, [0.0; 4])).collect())
    }

    #[test]
    fn a_line_has_part_verdict_score_labels_and_model() {
        let found = [detections(&[("open", 0.5), ("short", 0.9), ("open", 0.4)]), detections(&[("spur", 0.6)])];
        let text = line(&document("ng", "ok", "P17", found.as_slice().into())).unwrap();
        assert_eq!(text, "P17 ng 0.93 short,spur,open pcb@2");
        assert_eq!(line(&document("ok", "ok", "", json!([detections(&[])]))).unwrap(), "#812 ok 0.93 - pcb@2");
    }

    #[test]
    fn without_a_box_the_label_of_the_frame_is_named() {
        let class = |label: &str, score| ClassScore { class: 0, label: label.into(), score };
        let classified = result(|i| i.classes = vec![class("scratched", 0.9), class("good", 0.1)]);
        assert_eq!(line(&document("ng", "ok", "", json!([classified]))).unwrap(), "#812 ng 0.93 scratched pcb@2");
    }

    #[test]
    fn an_unjudged_frame_has_its_reason_on_one_line() {
        let failed = result(|i| i.reason = "the model failed:\nout of memory\n".into());
        let text = line(&document("unjudged", "error", "P 1", json!([failed]))).unwrap();
        assert_eq!(text, "P_1 unjudged error: the model failed: out of memory");
        assert_eq!(line(&document("unjudged", "skipped", "", json!([]))).unwrap(), "#812 unjudged skipped");
    }

    #[test]
    fn a_label_of_several_words_stays_one_word() {
        let found = detections(&[("pin hole\n", 0.9)]);
        assert_eq!(line(&document("ng", "ok", "", json!([found]))).unwrap(), "#812 ng 0.93 pin_hole_ pcb@2");
    }

    #[test]
    fn what_is_no_result_is_refused() {
        assert!(line("{}").is_err() && line("no JSON").is_err());
    }
}
