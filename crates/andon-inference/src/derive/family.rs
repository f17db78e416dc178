// SPDX-License-Identifier: MPL-2.0
//! The readings of a graph without a manifest, of all families, and why there are none.

use super::{
    evidence::Evidence,
    graph::{Graph, Port},
    missing::{Missing, WRITE},
    reading::Reading,
    rows,
    seen::cells,
    sets, whole,
};

/// Tasks of Ultralytics that are read.
const TASKS: &[&str] = &["detect", "segment", "obb", "classify", "semantic"];

/// Lists the readings that fit what is known; at least one. `size` is that of the model's input, if it is fixed.
pub(super) fn readings(e: &Evidence<'_>, size: Option<[u32; 2]>) -> Result<Vec<Reading>, Missing> {
    if e.graph.outputs.is_empty() {
        return Err("the graph has no output: export the model anew".to_string().into());
    }
    if let Some(anomaly) = whole::anomaly(e) {
        return Ok(vec![anomaly]);
    }
    if let Some(problem) = unreadable(e.graph).or_else(|| letters(e)).or_else(|| anchored(e.graph)) {
        return Err(problem.into());
    }
    let task = e.notes.task.as_deref();
    if let Some(task) = task.filter(|t| !TASKS.contains(t)) {
        return Err(format!("its task is '{task}', and read are {}: export one of those", TASKS.join(", ")).into());
    }
    if e.labels.is_empty() {
        let problem = format!(
            "the names of its classes are not in the file: set the property labels, or {WRITE} (if it has no classes, \
             with the decoder anomalib, embedding or raw)"
        );
        return Err(Missing::labels(problem));
    }
    let boxes = matches!(task, None | Some("detect" | "segment" | "obb"));
    let mut found = Vec::new();
    if boxes {
        found = sets::readings(e)?;
        if found.is_empty() {
            found = rows::readings(e);
        }
        if found.is_empty()
            && let Some(problem) = levels(e.graph)
        {
            return Err(problem.into());
        }
    }
    // A table of two axes may be a classifier's; other tables are not.
    let table = e.graph.outputs[0].rank() > 2;
    if matches!(task, None | Some("classify")) && (found.is_empty() || !table) {
        found.extend(whole::classifier(e));
    }
    if matches!(task, None | Some("semantic")) && found.is_empty() {
        found = whole::segmentation(e)?;
    }
    if found.is_empty() {
        return Err(none(e, size).into());
    }
    Ok(found)
}

/// Outputs that are no tensors of numbers, where no other output has any.
fn unreadable(graph: &Graph) -> Option<String> {
    let odd = graph.outputs.iter().find(|o| o.kind.is_none() || o.text())?;
    if graph.outputs.iter().any(|o| o.float() && o.rank() > 0) {
        return None;
    }
    Some(format!(
        "output {} holds names or maps of names to scores, not numbers (scikit-learn's ZipMap, Custom Vision's classifiers): export \
         it without them, as with skl2onnx's option zipmap=False, so that it gives the scores as f32 [1, labels]",
        odd.told()
    ))
}

/// Readers of text, whose notes have a letter for each number of a column, but for "nothing" and perhaps the space.
fn letters(e: &Evidence<'_>) -> Option<String> {
    let [output] = &e.graph.outputs[..] else { return None };
    let noted = e.graph.notes.contains_key("character").then_some(e.notes.labels.len() as i64)?;
    let letters = e.notes.labels.iter().all(|l| l.chars().count() == 1);
    (letters && output.rank() == 3 && (1..=2).contains(&(output.last() - noted))).then(|| {
        format!(
            "it reads text: output {} has the scores of {noted} letters for each column of the picture. Andon judges pictures and \
             reads no text: give it a detector or a classifier",
            output.told()
        )
    })
}

/// Detectors whose boxes are offsets from anchors that are not in the file.
fn anchored(graph: &Graph) -> Option<String> {
    let [boxes, scores, points] = &graph.outputs[..] else { return None };
    let tables = [boxes, scores, points].iter().all(|o| o.float() && o.rank() == 3);
    let named = boxes.plain().contains("loc") && scores.plain().contains("conf");
    let shaped = boxes.last() == 4 && scores.last() == 2 && matches!(points.last(), 8 | 10);
    (tables && shaped && (named || points.plain().contains("land"))).then(|| {
        format!(
            "outputs '{}', '{}' and '{}' are heads of RetinaFace's kind: boxes as offsets from anchors that are not in the file; \
             export the model with its decoding, so that it gives boxes, scores and labels",
            boxes.name, scores.name, points.name
        )
    })
}

/// Detectors whose outputs come level by level, before they are worked out.
fn levels(graph: &Graph) -> Option<String> {
    // The cells of an output: what is neither a batch nor the numbers of a cell.
    let cells = |p: &Port| match p.shape[..] {
        [n, _] | [1, n, _] if n > 1 => n,
        [1, _, h, w] | [1, _, h, w, _] | [1, _, _, h, w] if h > 1 && w > 1 => h * w,
        _ => 0,
    };
    let counts: Vec<_> = graph.outputs.iter().map(cells).collect();
    let three = counts.iter().any(|n| *n >= 64 && counts.contains(&(n / 4)) && counts.contains(&(n / 16)));
    let named = ["_8", "_16", "_32"].iter().all(|s| graph.outputs.iter().any(|o| o.plain().ends_with(s)));
    if !(three || named) {
        return None;
    }
    let points = graph.outputs.iter().any(|o| o.plain().contains("kps") || o.plain().contains("landmark"));
    let what = if points { "a face detector's heads with key points (SCRFD, YuNet)" } else { "a detector's heads" };
    Some(format!(
        "its outputs come level by level (strides 8, 16, 32): {what}, whose boxes are not worked out yet; Andon reads them worked \
         out: export the model with its decoding, so that it gives one table, or boxes, scores and labels"
    ))
}

/// Why nothing fits, and what would.
fn none(e: &Evidence<'_>, size: Option<[u32; 2]>) -> String {
    let told = implied(e.graph, size, e.labels.len()).unwrap_or_else(|| "its outputs are no family's".into());
    format!("no decoder reads it for {} labels: {told}: correct the property labels, or {WRITE}", e.labels.len())
}

/// What the shape of the first output says of the labels, of which `n` are named; `None` if it says nothing else.
pub(super) fn implied(graph: &Graph, size: Option<[u32; 2]>, n: usize) -> Option<String> {
    let first = graph.outputs.first()?;
    let all = size.map_or([0; 3], |s| cells(s.map(|v| v as usize)));
    let (labels, told) = match first.shape[..] {
        [_, rows, r] if rows > 0 && r > 5 && all.iter().any(|c| 3 * c == rows) => (
            r - 5,
            format!("{rows} rows are three a cell, as YOLOv5 and YOLOv7 have them, and {r} numbers are those of"),
        ),
        [_, rows, r] if rows > 0 && r > 5 && all.contains(&rows) => {
            let (yolox, yolov8) = (r - 5, r - 4);
            return Some(format!(
                "{rows} rows are one a cell, and {r} numbers are those of {yolox} labels of YOLOX or of {yolov8} of YOLOv8 turned"
            ));
        }
        [_, r, rows] if rows > r && r > 4 => (r - 4, format!("{r} numbers a candidate are YOLOv8's with")),
        [_, rows, r] if r > 4 => (r - 4, format!("{rows} rows of {r} numbers are RT-DETR's with")),
        [_, c] if c > 0 => (c, format!("{c} numbers are a classifier's with")),
        [_, c, _, _] if c > 0 => (c, format!("{c} planes are a segmentation's with")),
        _ => return None,
    };
    (labels != n as i64).then(|| format!("{told} {labels} labels"))
}
