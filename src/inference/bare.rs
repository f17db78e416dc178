// SPDX-License-Identifier: MPL-2.0
//! What a manifest would say, for an `.onnx` file without one: from the graph and from what its exporter left in it.
//!
//! Ultralytics writes `names`, `task`, `imgsz`; anomalib names its outputs. Where that is not enough, the error says
//! which property or which field of a `model.json` decides.

use std::collections::BTreeMap;

use crate::{
    model::{
        Colour, Decoder, ElementType, Input, Layout, MODEL_SCHEMA, Manifest, Output, Resize, Rule, Task, Thresholds,
    },
    result::ModelId,
};

/// The graph as far as it matters here.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Name and shape of inputs; -1 where it is open.
    pub inputs: Vec<(String, Vec<i64>)>,
    /// Name and shape of outputs.
    pub outputs: Vec<(String, Vec<i64>)>,
    /// The exporter's notes.
    pub notes: BTreeMap<String, String>,
}

/// Labels that mean good where nothing else is said.
const GOOD: &[&str] = &["ok", "good", "normal", "pass"];

const WRITE: &str = "write a model.json beside it and set model= to the folder";

/// The manifest that fits the graph, or why none can be told; `labels` are the user's.
pub(super) fn manifest(id: &ModelId, graph: &Graph, labels: &[String]) -> Result<Manifest, String> {
    let input = image(graph)?;
    let noted = graph.notes.get("names").map(|n| names(n)).unwrap_or_default();
    let labels = if labels.is_empty() { noted } else { labels.to_vec() };
    let (decoder, output) = decoder(graph, &labels)?;
    let (task, verdict) = match decoder {
        Decoder::Yolov8 => (Task::Detection, Rule::AnyDetection),
        Decoder::Anomalib => (Task::Anomaly, Rule::AnomalyScore),
        Decoder::Classification => {
            let ok: Vec<_> = labels.iter().filter(|l| GOOD.contains(&l.to_lowercase().as_str())).cloned().collect();
            if ok.is_empty() {
                return Err(format!(
                    "a classifier whose labels ({}) do not tell which is good: {WRITE}, with verdict.ok",
                    labels.join(", ")
                ));
            }
            (Task::Classification, Rule::LabelOk { ok })
        }
        other => return Err(format!("{other:?} needs a manifest: {WRITE}")),
    };
    let score = if decoder == Decoder::Yolov8 { Thresholds::default().score } else { 0.5 };
    Ok(Manifest {
        schema: MODEL_SCHEMA.into(),
        name: id.name.clone(),
        version: id.version.clone(),
        task,
        description: String::new(),
        model: String::new(),
        inputs: vec![Input {
            resize: if decoder == Decoder::Yolov8 { Resize::Letterbox } else { Resize::Stretch },
            ..input
        }],
        outputs: vec![Output::new(output, decoder, labels)],
        thresholds: Thresholds { score, ..Thresholds::default() },
        verdict,
        digests: BTreeMap::new(),
        quality: serde_json::Value::Null,
    })
}

fn image(graph: &Graph) -> Result<Input, String> {
    let [(name, shape)] = &graph.inputs[..] else {
        let all: Vec<_> = graph.inputs.iter().map(|i| i.0.as_str()).collect();
        return Err(format!(
            "the graph has {} inputs ({}): {WRITE}, with all of them in inputs",
            all.len(),
            all.join(", ")
        ));
    };
    let (layout, channels, h, w) = match shape[..] {
        [_, c @ (1 | 3), h, w] => (Layout::Nchw, c, h, w),
        [_, h, w, c @ (1 | 3)] => (Layout::Nhwc, c, h, w),
        _ => {
            return Err(format!(
                "input '{name}' has shape {shape:?}, an image has rank 4 with 1 or 3 channels: {WRITE}, or export the \
                 graph with fixed channels"
            ));
        }
    };
    let noted = graph.notes.get("imgsz").map(|s| numbers(s)).filter(|s| s.len() == 2);
    let size = match (w, h, noted) {
        (1.., 1.., _) => [w as u32, h as u32],
        (_, _, Some(noted)) => [noted[1], noted[0]],
        _ => {
            return Err(format!(
                "input '{name}' has shape {shape:?}, without a fixed size: {WRITE}, with inputs[0].size"
            ));
        }
    };
    Ok(Input {
        name: name.clone(),
        source: "image".into(),
        pattern: None,
        layout,
        element: ElementType::F32,
        colour: if channels == 1 { Colour::Grey } else { Colour::Rgb },
        resize: Resize::Letterbox,
        pad: vec![114.0],
        size: Some(size),
        mean: vec![0.0],
        scale: vec![1.0 / 255.0],
        shape: None,
        default: None,
        required: false,
    })
}

fn decoder(graph: &Graph, labels: &[String]) -> Result<(Decoder, String), String> {
    if graph.outputs.iter().any(|o| o.0 == "pred_score" || o.0 == "anomaly_map") {
        return Ok((Decoder::Anomalib, "pred_score".into()));
    }
    let task = graph.notes.get("task").map(String::as_str);
    if let Some(task) = task.filter(|t| !matches!(*t, "detect" | "classify")) {
        return Err(format!("its task is '{task}', this version reads detect and classify: export one of those"));
    }
    let (name, shape) = graph.outputs.first().ok_or("the graph has no output")?;
    let decoder = match (task, shape.len()) {
        (Some("detect"), 3) | (None, 3) => Decoder::Yolov8,
        (Some("classify"), 1 | 2) | (None, 1 | 2) => Decoder::Classification,
        _ => {
            return Err(format!(
                "output '{name}' has shape {shape:?}, which no decoder takes (yolov8: [1, 4+labels, N]; \
                 classification: [1, labels]; anomalib: an output 'pred_score'): {WRITE}"
            ));
        }
    };
    if labels.is_empty() {
        return Err(format!("the names of its classes are not in the file: set the property labels, or {WRITE}"));
    }
    Ok((decoder, name.clone()))
}

/// `{0: 'open', 1: "short"}`, as Python prints a dictionary, by key.
fn names(text: &str) -> Vec<String> {
    let mut found = BTreeMap::new();
    let (mut key, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '0'..='9' => key.push(c),
            '\'' | '"' => {
                let mut name = String::new();
                while let Some(n) = chars.next().filter(|n| *n != c) {
                    name.push(if n == '\\' { chars.next().unwrap_or(n) } else { n });
                }
                let at = key.parse().unwrap_or(found.len() as u64);
                found.insert(at, name);
                key.clear();
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

/// `[640, 640]`.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).filter(|n| *n > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(input: &[i64], output: &[i64], notes: &[(&str, &str)]) -> Graph {
        Graph {
            inputs: vec![("images".into(), input.to_vec())],
            outputs: vec![("output0".into(), output.to_vec())],
            notes: notes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        }
    }

    fn told(g: &Graph, labels: &[&str]) -> Result<Manifest, String> {
        let labels: Vec<_> = labels.iter().map(|l| l.to_string()).collect();
        let m = manifest(&ModelId { name: "m".into(), ..ModelId::default() }, g, &labels)?;
        m.check().unwrap();
        Ok(m)
    }

    #[test]
    fn an_ultralytics_export_needs_nothing_more() {
        let notes =
            [("names", "{0: 'open', 1: \"it's short\", 10: 'x\\'y'}"), ("task", "detect"), ("imgsz", "[480, 640]")];
        let m = told(&graph(&[1, 3, -1, -1], &[1, 7, -1], &notes), &[]).unwrap();
        assert_eq!(m.outputs[0].labels, ["open", "it's short", "x'y"]);
        assert_eq!((m.image().size, m.image().colour, m.task), (Some([640, 480]), Colour::Rgb, Task::Detection));
    }

    #[test]
    fn what_cannot_be_told_names_the_property_or_the_field() {
        let detector = graph(&[1, 1, 64, 64], &[1, 5, 84], &[]);
        assert!(told(&detector, &[]).unwrap_err().contains("property labels"));
        assert_eq!(told(&detector, &["a"]).unwrap().outputs[0].decoder, Decoder::Yolov8);
        assert!(told(&graph(&[1, 3, -1, -1], &[1, 5, 84], &[]), &["a"]).unwrap_err().contains("inputs[0].size"));
        assert!(told(&graph(&[1, 100], &[1, 5, 84], &[]), &["a"]).unwrap_err().contains("rank 4"));
        let classifier = graph(&[1, 224, 224, 3], &[1, 2], &[]);
        assert!(told(&classifier, &["cat", "dog"]).unwrap_err().contains("verdict.ok"));
        assert_eq!(told(&classifier, &["Good", "bad"]).unwrap().image().layout, Layout::Nhwc);
        assert!(
            told(&graph(&[1, 3, 8, 8], &[1, 5, 84], &[("task", "segment")]), &["a"]).unwrap_err().contains("segment")
        );
    }

    #[test]
    fn anomalib_is_known_by_its_outputs() {
        let mut g = graph(&[1, 3, 256, 256], &[1], &[]);
        g.outputs = vec![("pred_score".into(), vec![-1]), ("anomaly_map".into(), vec![-1, 1, 256, 256])];
        let m = told(&g, &[]).unwrap();
        assert_eq!((m.outputs[0].decoder, m.image().resize), (Decoder::Anomalib, Resize::Stretch));
    }
}
