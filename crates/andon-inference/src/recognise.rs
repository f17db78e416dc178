// SPDX-License-Identifier: MPL-2.0
//! Which family a graph without a manifest is of: by the names and shapes of its outputs and by its exporter's notes.

use andon_model::{Decoder, Head, Output, tensor_name};

use super::bare::{Graph, Lack, Port, Unknown, WRITE};

/// What is told of an output, where the rest follows from the decoder.
type Found = Result<Vec<Output>, Lack>;

/// The outputs that are read, the first with what holds for all; `size` is that of the model's input, where it is fixed.
pub(super) fn outputs(graph: &Graph, size: Option<[u32; 2]>, labels: &[String]) -> Found {
    let has = |name: &str| graph.outputs.iter().any(|o| o.name == name);
    if has("pred_score") || has("anomaly_map") {
        return Ok(vec![Output::new("pred_score", Decoder::Anomalib, labels.to_vec())]);
    }
    if labels.is_empty() {
        let problem = format!(
            "the names of its classes are not in the file: set the property labels, or {WRITE} (where it has no classes, \
             with the decoder embedding or raw)"
        );
        return Err(Lack { what: Some(Unknown::Labels), problem });
    }
    if let Some(set) = set(graph, labels) {
        return set;
    }
    let task = graph.notes.get("task").map(String::as_str);
    let (first, second) = match &graph.outputs[..] {
        [] => return Err("the graph has no output".to_string().into()),
        [first, rest @ ..] => (first, rest.first()),
    };
    let found = match (task, first.shape.len()) {
        (Some(task), _) if !matches!(task, "detect" | "segment" | "obb" | "classify") => {
            return Err(format!(
                "its task is '{task}', this version reads detect, segment, obb and classify: export one of those"
            )
            .into());
        }
        (Some("classify"), 1 | 2) => Some((Decoder::Classification, Head::Detect)),
        (Some(task), 3) => noted(graph, task, first, second, labels.len()),
        (None, 3) => by_shape(graph, first, second, size, labels.len()),
        (None, 2) if first.shape[0] != 1 && first.shape[1] == 7 && labels.len() != 7 => {
            Some((Decoder::Yolov7EndToEnd, Head::Detect))
        }
        (None, 1 | 2) => Some((Decoder::Classification, Head::Detect)),
        (None, 4) => Some((Decoder::Segmentation, Head::Detect)),
        _ => None,
    };
    let (decoder, head) = found.ok_or_else(|| {
        let (name, shape, n) = (&first.name, &first.shape, labels.len());
        format!(
            "output '{name}' has shape {shape:?}, which no decoder takes for {n} labels (yolov8: [1, 4+labels, N]; yolov5: \
             [1, N, 5+labels]; classification: [1, labels]; anomalib: an output 'pred_score'): correct the property \
             labels, or {WRITE}"
        )
    })?;
    let mut outputs = vec![Output { head, ..Output::new(&first.name, decoder, labels.to_vec()) }];
    if let (Head::Segment, Some(masks)) = (head, second) {
        outputs.push(Output::new(&masks.name, decoder, Vec::new()));
    }
    Ok(outputs)
}

/// Detectors with an output each for boxes and scores.
fn set(graph: &Graph, labels: &[String]) -> Option<Found> {
    let port = |names: &[&str]| graph.outputs.iter().find(|o| names.contains(&tensor_name(&o.name)));
    let list = |decoder, head, background, ports: &[&Port]| {
        let mut outputs: Vec<_> = ports.iter().map(|p| Output::new(&p.name, decoder, Vec::new())).collect();
        outputs[0] = Output { head, background, labels: labels.to_vec(), ..outputs[0].clone() };
        Some(Ok(outputs))
    };
    let named = ["detection_boxes", "detection_scores", "detection_classes"].map(|n| port(&[n]));
    if let [Some(boxes), Some(scores), Some(classes)] = named {
        let count = port(&["num_detections"]);
        let ports: Vec<_> = [boxes, scores, classes].into_iter().chain(count).collect();
        return list(Decoder::Ssd, Head::Detect, true, &ports);
    }
    if let [Some(boxes), Some(scores), Some(classes)] = ["boxes", "scores", "labels"].map(|n| port(&[n])) {
        // torchvision's boxes have no batch axis, and its labels begin after the background.
        return list(Decoder::Ssd, Head::Detect, boxes.shape.len() == 2, &[boxes, scores, classes]);
    }
    if let (Some(boxes), Some(logits)) = (port(&["dets"]), port(&["labels"])) {
        let masks = port(&["masks"]);
        let head = if masks.is_some() { Head::Segment } else { Head::Detect };
        let ports: Vec<_> = [boxes, logits].into_iter().chain(masks).collect();
        return list(Decoder::Rtdetr, head, false, &ports);
    }
    if let (Some(boxes), Some(logits)) = (port(&["pred_boxes"]), port(&["logits", "pred_logits"])) {
        let (n, c) = (labels.len(), logits.shape.last().copied().unwrap_or(-1));
        let decoder = match c {
            c if c == n as i64 => Decoder::Rtdetr,
            c if c == n as i64 + 1 => Decoder::Detr,
            _ => {
                return Some(Err(format!(
                    "output '{}' has {c} logits a box, {n} labels need {n} (RT-DETR) or {} (DETR): correct the property \
                     labels, or {WRITE}",
                    logits.name,
                    n + 1
                )
                .into()));
            }
        };
        return list(decoder, Head::Detect, false, &[boxes, logits]);
    }
    None
}

/// Ultralytics' exports, whose notes tell the task.
fn noted(graph: &Graph, task: &str, first: &Port, second: Option<&Port>, labels: usize) -> Option<(Decoder, Head)> {
    let (a, b) = (first.shape[1], first.shape[2]);
    let masks = second.filter(|s| s.shape.len() == 4).map_or(0, |s| s.shape[1]);
    let (head, more) = match task {
        "detect" => (Head::Detect, 0),
        "segment" if masks > 0 => (Head::Segment, masks),
        "obb" => (Head::Oriented, 1),
        _ => return None,
    };
    if let Some(rtdetr) = rtdetr(graph) {
        return Some((rtdetr, head));
    }
    let wide = 4 + labels as i64 + more;
    let ends = graph.notes.get("end2end").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if b == 6 + more && (ends || (b != wide && a != wide)) {
        Some((Decoder::YoloEndToEnd, head))
    } else {
        (a == wide || b == wide || a == -1 || b == -1).then_some((Decoder::Yolov8, head))
    }
}

/// RT-DETR as Ultralytics exports it says so in its description only.
fn rtdetr(graph: &Graph) -> Option<Decoder> {
    let words = graph.notes.get("description")?.to_lowercase();
    (words.contains("rt-detr") || words.contains("rtdetr")).then_some(Decoder::Rtdetr)
}

/// By how many candidates there are, and how many numbers for each.
fn by_shape(
    graph: &Graph,
    first: &Port,
    second: Option<&Port>,
    size: Option<[u32; 2]>,
    labels: usize,
) -> Option<(Decoder, Head)> {
    if let Some(rtdetr) = rtdetr(graph) {
        return Some((rtdetr, Head::Detect));
    }
    let (a, b) = (first.shape[1], first.shape[2]);
    let masks = second.filter(|s| s.shape.len() == 4).map_or(0, |s| s.shape[1].max(0));
    let head = if masks > 0 { Head::Segment } else { Head::Detect };
    let (v8, v5) = (4 + labels as i64 + masks, 5 + labels as i64 + masks);
    // One cell each of strides 8, 16 and 32; YOLOv5 and v7 have three anchors a cell.
    let cells = size.map(|[w, h]| [8, 16, 32].iter().map(|s| i64::from(w / s) * i64::from(h / s)).sum::<i64>());
    if b == v5 && cells.is_none_or(|n| a == 3 * n || a < 0) {
        return Some((Decoder::Yolov5, head));
    }
    if b == v5 && head == Head::Detect && cells == Some(a) {
        return Some((Decoder::Yolox, head));
    }
    if a == v8 || b == v8 {
        return Some((Decoder::Yolov8, head));
    }
    (b == 6 + masks && a <= 1000).then_some((Decoder::YoloEndToEnd, head))
}
