// SPDX-License-Identifier: MPL-2.0
//! Compares the results of two providers on the same frames.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// The largest differences over all frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Frames with another verdict, label or number of detections.
    pub disagreed: usize,
    /// All frames.
    pub frames: usize,
    /// Largest difference of scores, 0..1, on the other frames.
    pub scores: f64,
    /// Largest difference of boxes on those frames, pixels.
    pub boxes: f64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.disagreed > 0 {
            write!(f, "differs on {} of {} frames; ", self.disagreed, self.frames)?;
        }
        write!(f, "scores within {:.1e}, boxes within {:.1e} pixels", self.scores, self.boxes)
    }
}

/// The members of a result (`andon.inference/1`) that are compared.
const COMPARED: [&str; 5] = ["status", "verdict", "score", "detections", "classes"];

/// Compares frame by frame.
pub fn difference(one: &[Value], other: &[Value]) -> Difference {
    let frames = one.len().max(other.len());
    let mut all = Difference { disagreed: frames - one.len().min(other.len()), frames, scores: 0.0, boxes: 0.0 };
    for (a, b) in one.iter().zip(other) {
        let mut here = (0.0, 0.0);
        let keys = COMPARED.iter().chain(&["anomaly"]);
        if keys.into_iter().all(|key| walk(key, &a[key], &b[key], &mut here)) {
            (all.scores, all.boxes) = (here.0.max(all.scores), here.1.max(all.boxes));
        } else {
            all.disagreed += 1;
        }
    }
    all
}

/// Returns whether two values have the same form and words. Their numbers go into `most`: scores, boxes.
fn walk(key: &str, a: &Value, b: &Value, most: &mut (f64, f64)) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let apart = (a.as_f64().unwrap_or(f64::NAN) - b.as_f64().unwrap_or(f64::NAN)).abs();
            let kind = if key == "box" { &mut most.1 } else { &mut most.0 };
            *kind = kind.max(apart);
            key != "class" || apart == 0.0
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| walk(key, a, b, most)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| walk(key, a, b, most)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result(label: &str, score: f64, x: f64) -> Value {
        json!({"status": "ok", "verdict": "ng", "score": score, "classes": [], "anomaly": null, "latency_us": x,
            "detections": [{"class": 1, "label": label, "score": score, "box": [x, 2.0, 3.0, 4.0]}]})
    }

    #[test]
    fn numbers_are_compared_by_their_largest_difference() {
        let d = difference(&[result("short", 0.5, 10.0)], &[result("short", 0.75, 10.5)]);
        assert_eq!(d, Difference { disagreed: 0, frames: 1, scores: 0.25, boxes: 0.5 });
    }

    #[test]
    fn another_label_and_another_count_are_disagreements() {
        let one = [result("short", 0.5, 10.0), result("short", 0.5, 10.0), result("short", 0.5, 10.0)];
        let mut none = result("short", 0.5, 10.0);
        none["detections"] = json!([]);
        let d = difference(&one, &[result("open", 0.5, 10.0), none]);
        assert_eq!((d.disagreed, d.frames), (3, 3), "a frame that the other has not is one, too");
        assert!(d.to_string().contains("differs on 3 of 3"), "{d}");
    }
}
