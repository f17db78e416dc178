// SPDX-License-Identifier: MPL-2.0
//! Settings of outputs that change what their numbers mean, and which decoders honour them: a setting that would be passed
//! over is refused.

use serde::{Deserialize, Serialize};

use super::{Decoder, FieldError, Output, Role, Task};

/// What the integers of an output stand for: `(q - zero_point) * scale`, as ONNX's DequantizeLinear and TensorFlow Lite have
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantisation {
    /// What a step of one is worth: above 0.
    pub scale: f32,
    /// The integer that stands for 0.
    #[serde(default)]
    pub zero_point: i32,
}

/// Where the numbers of an anomaly model lie in 0..1, with the threshold at one half: anomalib's min-max normalisation,
/// `(v - threshold) / (max - min) + 0.5`, held within 0..1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// The number from which the model calls a frame, or a pixel, bad.
    pub threshold: f32,
    /// The lowest number that was seen in training.
    pub min: f32,
    /// The highest number that was seen in training: above `min`.
    pub max: f32,
}

impl Normalisation {
    /// For a threshold alone: numbers from 0 to twice the threshold.
    pub fn around(threshold: f32) -> Self {
        Self { threshold, min: 0.0, max: 2.0 * threshold }
    }

    /// Returns the number's place in 0..1.
    pub fn apply(&self, v: f32) -> f32 {
        ((v - self.threshold) / (self.max - self.min) + 0.5).clamp(0.0, 1.0)
    }
}

/// The most anchors of a cell.
const MOST_ANCHORS: usize = 256;

/// Checks the settings of all outputs. There is at least one, and they have one decoder.
pub(super) fn check(outputs: &[Output]) -> Result<(), FieldError> {
    for (i, output) in outputs.iter().enumerate() {
        let bad = |field: &str, problem: String| Err(FieldError::new(format!("outputs[{i}].{field}"), problem));
        let decoder = serde_json::to_value(output.decoder).ok();
        let decoder = decoder.as_ref().and_then(|d| d.as_str()).unwrap_or("its decoder");
        if let Some(q) = output.quantisation
            && !(q.scale.is_finite() && q.scale > 0.0)
        {
            return bad("quantisation.scale", format!("is {}, must be above 0: what a step of one is worth", q.scale));
        }
        if let Some(n) = output.normalisation {
            if output.decoder != Decoder::Anomalib || !(i == 0 || output.role(i) == Role::Map) {
                return bad(
                    "normalisation",
                    "is read of the decoder anomalib alone, from its first output for the score and from its map: write it there, or \
                     leave it out"
                        .into(),
                );
            }
            if !n.threshold.is_finite() || !n.min.is_finite() || !n.max.is_finite() || n.max <= n.min {
                let Normalisation { threshold, min, max } = n;
                return bad(
                    "normalisation",
                    format!("has threshold {threshold}, min {min}, max {max}: must be numbers, max above min"),
                );
            }
        }
        let ignored = [
            ("background", output.background && !output.decoder.reads_background(), "true", "false"),
            ("grid", !output.grid && output.decoder != Decoder::Yolox, "false", "true"),
            ("normalise", output.normalise && output.decoder != Decoder::Embedding, "true", "false"),
        ];
        if let Some((field, _, is, other)) = ignored.into_iter().find(|(_, ignored, ..)| *ignored) {
            return bad(
                field,
                format!("is {is}, and the decoder {decoder} does not read it: leave it out, or say {other}"),
            );
        }
        if let Some(activation) = output.activation
            && !output.decoder.activations().contains(&activation)
        {
            let name = format!("{activation:?}").to_lowercase();
            return bad(
                "activation",
                format!(
                    "is {name}, and the decoder {decoder} reads scores that the graph has made of its logits: say \
                     \"none\", or export the graph so that it gives scores"
                ),
            );
        }
        if output.suppress.is_some() && output.decoder.task() != Some(Task::Detection) {
            return bad("suppress", format!("is for detectors, and {decoder} finds no boxes: leave it out"));
        }
        if i > 0 {
            continue;
        }
        if output.anchors.is_empty() != (output.decoder != Decoder::Yolov2) {
            return bad(
                "anchors",
                match output.anchors.is_empty() {
                    true => "is missing: yolov2 needs width and height of each anchor, in cells (Custom Vision's are \
                             [0.573, 0.677], [1.87, 2.06], [3.34, 5.47], [7.88, 3.53], [9.77, 9.17])"
                        .into(),
                    false => format!("is for yolov2, and the decoder {decoder} does not read it: leave it out"),
                },
            );
        }
        if output.anchors.len() > MOST_ANCHORS {
            return bad("anchors", format!("has {} entries, and {MOST_ANCHORS} is the most", output.anchors.len()));
        }
        if output.anchors.iter().flatten().any(|v| !(v.is_finite() && *v > 0.0)) {
            return bad("anchors", "has a side that is not above 0: write width and height of each, in cells".into());
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

    fn parse(task: &str, score: f32, outputs: Value) -> Result<Manifest, String> {
        let rule = match task {
            "anomaly" => json!({"rule": "anomaly-score"}),
            "classification" => json!({"rule": "label-ok", "ok": ["a"]}),
            "embedding" => json!({"rule": "none"}),
            _ => json!({"rule": "any-detection"}),
        };
        let text = json!({
            "schema": "andon.model/1", "name": "m", "version": "1", "task": task, "verdict": rule,
            "inputs": [{"name": "i", "source": "image"}], "outputs": outputs, "thresholds": {"score": score}
        });
        Manifest::parse(&text.to_string(), Path::new("model.json")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_setting_that_its_decoder_would_pass_over_is_refused_and_one_that_it_reads_is_not() {
        let rows: &[(&str, &str, &[&str], Value)] = &[
            ("detection", "yolov8", &["activation", "none"], json!({"activation": "sigmoid"})),
            ("detection", "yolov8", &["background", "false"], json!({"background": true})),
            ("detection", "yolov8", &["grid", "true"], json!({"grid": false})),
            ("detection", "yolov8", &["normalise", "yolov8"], json!({"normalise": true})),
            ("detection", "yolov8", &["anchors", "yolov2"], json!({"anchors": [[1, 2]]})),
            (
                "detection",
                "yolov8",
                &["normalisation", "anomalib"],
                json!({"normalisation": {"threshold": 1, "min": 0, "max": 2}}),
            ),
            ("detection", "yolov8", &["quantisation.scale", "0"], json!({"quantisation": {"scale": 0}})),
            ("detection", "yolov2", &["anchors", "0.573"], json!({})),
            ("detection", "yolov2", &["anchors", "above 0"], json!({"anchors": [[1, 0]]})),
            ("classification", "classification", &["suppress"], json!({"suppress": true})),
            (
                "anomaly",
                "anomalib",
                &["normalisation", "max above min"],
                json!({"normalisation": {"threshold": 1, "min": 3, "max": 2}}),
            ),
            (
                "detection",
                "yolov8",
                &[],
                json!({"activation": "none", "suppress": false, "quantisation": {"scale": 0.5}}),
            ),
            ("detection", "yolov2", &[], json!({"anchors": [[1, 2], [0.5, 0.5]]})),
            ("detection", "rtdetr", &[], json!({"activation": "softmax", "background": true, "suppress": true})),
            ("detection", "ssd", &[], json!({"activation": "sigmoid", "head": "segment", "suppress": true})),
            ("detection", "paddle", &[], json!({"suppress": false})),
            ("anomaly", "anomalib", &[], json!({"normalisation": {"threshold": 1, "min": 0, "max": 2}})),
            (
                "embedding",
                "embedding",
                &[],
                json!({"normalise": true, "quantisation": {"scale": 0.5, "zero_point": -3}}),
            ),
        ];
        for (task, decoder, says, more) in rows {
            let mut output = json!({"name": "o", "decoder": decoder, "labels": ["a", "b"]});
            output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            match parse(task, 0.5, json!([output])) {
                Ok(_) => assert!(says.is_empty(), "{decoder} takes {more}"),
                Err(e) => assert!(
                    !says.is_empty() && e.contains("outputs[0].") && says.iter().all(|s| e.contains(s)),
                    "{decoder} {more}: {e}"
                ),
            }
        }
    }

    #[test]
    fn the_second_output_of_paddle_is_its_count() {
        let m = parse(
            "detection",
            0.5,
            json!([{"name": "a", "decoder": "paddle", "labels": ["a"]}, {"name": "b", "decoder": "paddle"}]),
        );
        assert_eq!(m.unwrap().outputs[1].role(1), Role::Count);
    }

    #[test]
    fn an_anomaly_threshold_above_one_is_one_of_the_models_own_scores() {
        let outputs =
            json!([{"name": "565", "decoder": "anomalib"}, {"name": "map", "decoder": "anomalib", "role": "map"}]);
        let m = parse("anomaly", 9.0, outputs).unwrap();
        let n = m.outputs[0].normalisation.unwrap();
        assert_eq!((n, m.thresholds.score), (Normalisation { threshold: 9.0, min: 0.0, max: 18.0 }, 0.5));
        assert_eq!((n.apply(9.0), n.apply(7.5) < 0.5, n.apply(12.0) > 0.5, n.apply(40.0)), (0.5, true, true, 1.0));
        assert_eq!(m.outputs[1].normalisation, None, "the map may have another range");
        // What is written back says the same.
        let again = Manifest::parse(&serde_json::to_string(&m).unwrap(), Path::new("model.json")).unwrap();
        assert_eq!(again, m);
        let both =
            json!([{"name": "o", "decoder": "anomalib", "normalisation": {"threshold": 9, "min": 0, "max": 20}}]);
        let e = parse("anomaly", 9.0, both).unwrap_err();
        assert!(e.contains("thresholds.score") && e.contains("normalisation"), "{e}");
        let e = parse("detection", 9.0, json!([{"name": "o", "decoder": "yolov8", "labels": ["a"]}])).unwrap_err();
        assert!(e.contains("thresholds.score") && e.contains("0..1"), "{e}");
    }
}
