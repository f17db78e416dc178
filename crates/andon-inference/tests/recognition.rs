// SPDX-License-Identifier: MPL-2.0
//! Every family of detectors as its exporter shapes it, with 1, 2, 3 and 80 labels, with the exporter's notes and without,
//! with fixed and with open axes: read right, or refused; no third. docs/recognition.md has the table; ANDON_BLESS=1 writes
//! it anew.

mod common;

use std::fmt::Write as _;

use common::{F32, I64, Onnx, found};

/// Side of the model's input and of the frame, pixels.
const SIDE: usize = 640;
const CELLS: usize = 8400;

/// What each graph finds: left, top, right, bottom in pixels, and the score.
const A: ([f32; 4], f32) = ([64.0, 32.0, 192.0, 160.0], 0.9);
const B: ([f32; 4], f32) = ([96.0, 112.0, 288.0, 272.0], 0.6);

/// One graph of the table.
struct Cell {
    graph: Onnx,
    /// Whether the graph holds its labels.
    labelled: bool,
}

/// What a family's exporter makes of so many labels; `notes`: with what it writes beside; `open`: with open axes. None if it
/// never makes such a graph.
type Make = fn(labels: usize, notes: bool, open: bool) -> Option<Cell>;

fn names(labels: usize) -> Vec<String> {
    (0..labels).map(|i| format!("l{i}")).collect()
}

fn python(labels: usize) -> String {
    let all: Vec<_> = names(labels).iter().enumerate().map(|(i, n)| format!("{i}: '{n}'")).collect();
    format!("{{{}}}", all.join(", "))
}

/// Ultralytics' notes.
fn ultralytics(labels: usize, task: &str, more: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("author", "Ultralytics".to_string()),
        ("description", "Ultralytics own model".into()),
        ("task", task.into()),
        ("stride", "32".into()),
        ("imgsz", format!("[{SIDE}, {SIDE}]")),
        ("names", python(labels)),
    ];
    for (key, text) in more {
        let key = ["args", "end2end", "head", "description"].into_iter().find(|k| k == key).unwrap();
        all.retain(|(k, _)| *k != key);
        all.push((key, text.to_string()));
    }
    all
}

fn image(open: bool) -> Onnx {
    let side = if open { -1 } else { SIDE as i64 };
    Onnx::default().input("images", F32, &[if open { -1 } else { 1 }, 3, side, side])
}

fn centre([l, t, r, b]: [f32; 4]) -> [f32; 4] {
    [(l + r) / 2.0, (t + b) / 2.0, r - l, b - t]
}

fn shares(v: [f32; 4]) -> [f32; 4] {
    v.map(|v| v / SIDE as f32)
}

/// The finds with their labels: the first and the last.
fn finds(labels: usize) -> [([f32; 4], f32, usize); 2] {
    [(A.0, A.1, 0), (B.0, B.1, labels - 1)]
}

/// Rows for a number of cells, each with a small box about its cell and a score of 0.01 a label; the first hold the finds.
fn dense(
    times: usize,
    width: usize,
    row: impl Fn([f32; 4], f32, Option<usize>) -> Vec<f32>,
    labels: usize,
) -> Vec<f32> {
    let mut data = Vec::with_capacity(CELLS * times * width);
    let mut wanted = finds(labels).into_iter();
    for _ in 0..times {
        for stride in [8, 16, 32] {
            for (y, x) in (0..SIDE / stride).flat_map(|y| (0..SIDE / stride).map(move |x| (y, x))) {
                let [x, y] = [x, y].map(|v| (v as f32 + 0.5) * stride as f32);
                let (place, score, label) =
                    wanted.next().map_or(([x, y, 20.0, 20.0], 0.01, None), |(b, s, l)| (centre(b), s, Some(l)));
                let numbers = row(place, score, label);
                assert_eq!(numbers.len(), width);
                data.extend(numbers);
            }
        }
    }
    data
}

/// A score for each label.
fn by_label(labels: usize, score: f32, label: Option<usize>) -> Vec<f32> {
    (0..labels).map(|l| if label.is_none_or(|at| at == l) { score } else { 0.01 }).collect()
}

fn turned(rows: &[f32], width: usize) -> Vec<f32> {
    let n = rows.len() / width;
    (0..width).flat_map(|r| (0..n).map(move |i| rows[i * width + r])).collect()
}

fn v8(labels: usize, task: &str, more: usize, notes: bool, open: bool) -> Option<Cell> {
    let width = 4 + labels + more;
    let rows = dense(1, width, |b, s, l| [b.to_vec(), by_label(labels, s, l), vec![0.0; more]].concat(), labels);
    let shape = [1, width as i64, CELLS as i64];
    let told = if open { [-1, shape[1], -1] } else { shape };
    let mut graph = image(open).told("output0", F32, &shape, &told, &turned(&rows, width));
    if task == "segment" {
        let told = if open { [-1, 32, -1, -1] } else { [1, 32, 4, 4] };
        graph = graph.told("output1", F32, &[1, 32, 4, 4], &told, &[1.0; 32 * 16]);
    }
    if notes {
        graph =
            graph.notes(&ultralytics(labels, task, &[("args", "{'batch': 1, 'nms': False}"), ("end2end", "False")]));
    }
    Some(Cell { graph, labelled: notes })
}

/// Rows with an objectness score.
fn objects(labels: usize, b: [f32; 4], s: f32, l: Option<usize>) -> Vec<f32> {
    let sure = (0..labels).map(|at| if l.is_none_or(|l| l == at) { 1.0 } else { 0.01 });
    [b.to_vec(), vec![s], sure.collect()].concat()
}

fn v5(labels: usize, notes: bool, open: bool) -> Option<Cell> {
    let width = 5 + labels;
    let rows = dense(3, width, |b, s, l| objects(labels, b, s, l), labels);
    let shape = [1, 3 * CELLS as i64, width as i64];
    let told = if open { [-1, -1, shape[2]] } else { shape };
    let mut graph = image(open).told("output0", F32, &shape, &told, &rows);
    if notes {
        graph = graph.notes(&[("stride", "32".to_string()), ("names", python(labels))]);
    }
    Some(Cell { graph, labelled: notes })
}

/// YOLOv7 leaves the score of an only label untrained.
fn v7(labels: usize, notes: bool, open: bool) -> Option<Cell> {
    if notes {
        return None;
    }
    let width = 5 + labels;
    let rows = dense(3, width, |b, s, l| objects(labels, b, s, l), labels);
    let rows: Vec<_> = rows.iter().enumerate().map(|(i, v)| if labels == 1 && i % 6 == 5 { 0.5 } else { *v }).collect();
    let shape = [1, 3 * CELLS as i64, width as i64];
    let told = if open { [-1, -1, shape[2]] } else { shape };
    Some(Cell { graph: image(open).told("output", F32, &shape, &told, &rows), labelled: false })
}

fn yolox(labels: usize, notes: bool, open: bool, pixels: bool) -> Option<Cell> {
    if notes {
        return None;
    }
    let width = 5 + labels;
    let mut rows = dense(1, width, |b, s, l| objects(labels, b, s, l), labels);
    if !pixels {
        let cells = [8usize, 16, 32].into_iter().flat_map(|s| {
            let n = SIDE / s;
            (0..n * n).map(move |i| [(i % n) as f32, (i / n) as f32, s as f32])
        });
        for (row, [x, y, stride]) in rows.chunks_exact_mut(width).zip(cells) {
            let [cx, cy, w, h] = [row[0], row[1], row[2], row[3]];
            row[..4].copy_from_slice(&[cx / stride - x, cy / stride - y, (w / stride).ln(), (h / stride).ln()]);
        }
    }
    let shape = [1, CELLS as i64, width as i64];
    let told = if open { [-1, -1, shape[2]] } else { shape };
    Some(Cell { graph: image(open).told("output", F32, &shape, &told, &rows), labelled: false })
}

/// 300 rows of which the first hold the finds; the others hold what `rest` gives.
fn best(labels: usize, rest: &[f32], row: impl Fn([f32; 4], f32, usize) -> Vec<f32>) -> Vec<f32> {
    let mut data: Vec<f32> = finds(labels).into_iter().flat_map(|(b, s, l)| row(b, s, l)).collect();
    while data.len() < 300 * rest.len() {
        data.extend_from_slice(rest);
    }
    data
}

/// Detectors that select by themselves. `kind`: suppression in the graph, YOLO26, or YOLOv10 as it was exported at first.
fn ends(labels: usize, task: &str, kind: &str, notes: bool, open: bool) -> Option<Cell> {
    let more = match task {
        "segment" => 32,
        "obb" => 1,
        _ => 0,
    };
    // The head's task is said by the notes alone.
    if task == "obb" && !notes {
        return None;
    }
    let rest: Vec<f32> = match kind {
        "nms" => vec![0.0; 6 + more],
        _ => [vec![300.0, 300.0, 320.0, 330.0, 0.001, 0.0], vec![0.0; more]].concat(),
    };
    let rows = best(labels, &rest, |b, s, l| {
        let place = if task == "obb" { centre(b) } else { b };
        [place.to_vec(), vec![s, l as f32], vec![0.0; more]].concat()
    });
    let shape = [1, 300, rest.len() as i64];
    let told = if open { [-1, 300, shape[2]] } else { shape };
    let mut graph = image(open).told("output0", F32, &shape, &told, &rows);
    if task == "segment" {
        graph = graph.output("output1", F32, &[1, 32, 4, 4], &[1.0; 32 * 16]);
    }
    if notes {
        let more: &[(&str, &str)] = match kind {
            "nms" => &[("args", "{'batch': 1, 'nms': True}"), ("end2end", "False")],
            "26" => &[("args", "{'batch': 1, 'nms': False}"), ("end2end", "True")],
            _ => &[],
        };
        graph = graph.notes(&ultralytics(labels, task, more));
    }
    Some(Cell { graph, labelled: notes })
}

/// RT-DETR by Ultralytics: a score a label, or since 8.4 the best.
fn rtdetr(labels: usize, notes: bool, open: bool, since: bool) -> Option<Cell> {
    let rest = if since {
        vec![0.5, 0.5, 0.1, 0.1, 0.001, 0.0]
    } else {
        [vec![0.5, 0.5, 0.1, 0.1], vec![0.001; labels]].concat()
    };
    let rows = best(labels, &rest, |b, s, l| {
        let place = shares(centre(b)).to_vec();
        [place, if since { vec![s, l as f32] } else { by_label(labels, s, Some(l)) }].concat()
    });
    let shape = [1, 300, rest.len() as i64];
    let told = if open { [-1, 300, shape[2]] } else { shape };
    let mut graph = image(open).told("output0", F32, &shape, &told, &rows);
    if notes {
        // Under one's own file name the description does not tell; the head does, where the version writes it.
        let more: &[(&str, &str)] =
            if since { &[("head", "RTDETRDecoder")] } else { &[("description", "Ultralytics rtdetr-l model")] };
        graph = graph.notes(&ultralytics(labels, "detect", more));
    }
    Some(Cell { graph, labelled: notes })
}

/// Outputs for boxes and a number for each label.
fn matrix(labels: usize, open: bool, ports: [&str; 2], wide: usize, logit: impl Fn(Option<f32>) -> f32) -> Cell {
    let rest = shares(centre([100.0, 100.0, 110.0, 110.0]));
    let boxes = best(labels, &rest, |b, _, _| shares(centre(b)).to_vec());
    let empty: Vec<f32> = (0..wide).map(|l| if l == labels { 9.0 } else { logit(None) }).collect();
    let scores = best(labels, &empty, |_, s, l| (0..wide).map(|at| logit((at == l).then_some(s))).collect());
    let n = if open { -1 } else { 1 };
    let graph = image(open)
        .told(ports[0], F32, &[1, 300, wide as i64], &[n, if open { -1 } else { 300 }, wide as i64], &scores)
        .told(ports[1], F32, &[1, 300, 4], &[n, if open { -1 } else { 300 }, 4], &boxes);
    Cell { graph, labelled: false }
}

fn logit(score: Option<f32>) -> f32 {
    score.map_or(-9.0, |s| (s / (1.0 - s)).ln())
}

/// Softmax over the labels and nothing: with -9 elsewhere the score of a logit against nought is the sigmoid's.
fn detr(labels: usize, open: bool) -> Cell {
    let mut cell = matrix(labels, open, ["logits", "pred_boxes"], labels + 1, logit);
    // The finds have nought for nothing.
    let rest = shares(centre([100.0, 100.0, 110.0, 110.0]));
    let boxes = best(labels, &rest, |b, _, _| shares(centre(b)).to_vec());
    let empty: Vec<f32> = (0..=labels).map(|l| if l == labels { 9.0 } else { -9.0 }).collect();
    let scores = best(labels, &empty, |_, s, l| {
        (0..=labels)
            .map(|at| {
                if at == labels {
                    0.0
                } else {
                    logit((at == l).then_some(s)).max(-20.0) - if at == l { 0.0 } else { 11.0 }
                }
            })
            .collect()
    });
    let wide = labels as i64 + 1;
    let n = if open { -1 } else { 1 };
    cell.graph = image(open)
        .told("logits", F32, &[1, 300, wide], &[n, n * 300, wide].map(|v| v.max(-1)), &scores)
        .told("pred_boxes", F32, &[1, 300, 4], &[n, n * 300, 4].map(|v| v.max(-1)), &boxes);
    cell
}

/// Sets of boxes, scores and labels that the graph chose itself.
fn set(
    labels: usize,
    open: bool,
    ports: [&str; 4],
    batch: bool,
    first: usize,
    place: impl Fn([f32; 4]) -> [f32; 4],
) -> Cell {
    let finds = finds(labels);
    let boxes: Vec<f32> = finds.iter().flat_map(|(b, ..)| place(*b)).collect();
    let scores: Vec<f32> = finds.iter().map(|(_, s, _)| *s).collect();
    let numbers: Vec<f32> = finds.iter().map(|(.., l)| (*l + first) as f32).collect();
    let [b, s, l, count] = ports;
    let shape = |more: &[i64], n: i64| [if batch { vec![1, n] } else { vec![n] }, more.to_vec()].concat();
    let (n, told) = (2, if batch { 2 } else { -1 });
    let kind = if ports[0] == "detection_boxes" { F32 } else { I64 };
    let mut graph = image(open)
        .told(b, F32, &shape(&[4], n), &shape(&[4], told), &boxes)
        .told(l, kind, &shape(&[], n), &shape(&[], told), &numbers)
        .told(s, F32, &shape(&[], n), &shape(&[], told), &scores);
    if !count.is_empty() {
        graph = graph.output(count, kind, &[1], &[2.0]);
    }
    Cell { graph, labelled: false }
}

fn same(v: [f32; 4]) -> [f32; 4] {
    v
}

fn y_first(v: [f32; 4]) -> [f32; 4] {
    let [l, t, r, b] = shares(v);
    [t, l, b, r]
}

const FAMILIES: &[(&str, Make)] = &[
    ("YOLOv8, 9, 11, 12", |l, n, o| v8(l, "detect", 0, n, o)),
    ("YOLOv8 segment", |l, n, o| v8(l, "segment", 32, n, o)),
    ("YOLOv8 obb", |l, n, o| if n { v8(l, "obb", 1, n, o) } else { None }),
    ("YOLOv5", v5),
    ("YOLOv7", v7),
    ("YOLOX", |l, n, o| yolox(l, n, o, false)),
    ("YOLOX, own decoding", |l, n, o| yolox(l, n, o, true)),
    ("Ultralytics nms=True", |l, n, o| ends(l, "detect", "nms", n, o)),
    ("Ultralytics nms=True segment", |l, n, o| ends(l, "segment", "nms", n, o)),
    ("Ultralytics nms=True obb", |l, n, o| ends(l, "obb", "nms", n, o)),
    ("YOLOv10 by its authors", |l, n, o| ends(l, "detect", "10", n, o)),
    ("YOLO26", |l, n, o| ends(l, "detect", "26", n, o)),
    ("YOLO26 segment", |l, n, o| ends(l, "segment", "26", n, o)),
    ("YOLO26 obb", |l, n, o| ends(l, "obb", "26", n, o)),
    ("RT-DETR by Ultralytics, a score a label", |l, n, o| rtdetr(l, n, o, false)),
    ("RT-DETR by Ultralytics since 8.4", |l, n, o| rtdetr(l, n, o, true)),
    ("RT-DETR, Deformable DETR by transformers", |l, n, o| {
        (!n).then(|| matrix(l, o, ["logits", "pred_boxes"], l, logit))
    }),
    ("DETR by transformers", |l, n, o| (!n).then(|| detr(l, o))),
    ("RT-DETR, D-FINE, DEIM by their authors", |l, n, o| {
        let mut cell = set(l, o, ["boxes", "scores", "labels", ""], true, 0, same);
        cell.graph = cell.graph.input("orig_target_sizes", I64, &[if o { -1 } else { 1 }, 2]);
        (!n).then_some(cell)
    }),
    ("torchvision", |l, n, o| (!n).then(|| set(l, o, ["boxes", "scores", "labels", ""], false, 1, same))),
    ("torchvision without names", |l, n, o| (!n).then(|| set(l, o, ["3715", "3717", "3716", ""], false, 1, same))),
    ("TensorFlow Object Detection", |l, n, o| {
        let ports = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"];
        (!n).then(|| set(l, o, ports, true, 1, y_first))
    }),
    ("Azure Custom Vision", |l, n, o| {
        (!n).then(|| set(l, o, ["detected_boxes", "detected_scores", "detected_classes", ""], false, 0, shares))
    }),
    ("EfficientNMS", |l, n, o| {
        (!n).then(|| set(l, o, ["det_boxes", "det_scores", "det_classes", "num_dets"], true, 0, same))
    }),
    ("YOLO-NAS with suppression", |l, n, o| {
        let ports = ["graph2_pred_boxes", "graph2_pred_scores", "graph2_pred_classes", "graph2_num_predictions"];
        (!n).then(|| set(l, o, ports, true, 0, same))
    }),
    ("YOLO-NAS", |l, n, o| {
        let corners = |[x, y, w, h]: [f32; 4]| vec![x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0];
        let boxes = dense(1, 4, |b, _, _| corners(b), l);
        let scores = dense(1, l, |_, s, at| by_label(l, s, at), l);
        let rows = if o { -1 } else { CELLS as i64 };
        let lead = if o { -1 } else { 1 };
        let graph = image(o).told("904", F32, &[1, CELLS as i64, 4], &[lead, rows, 4], &boxes).told(
            "913",
            F32,
            &[1, CELLS as i64, l as i64],
            &[lead, rows, l as i64],
            &scores,
        );
        (!n).then_some(Cell { graph, labelled: false })
    }),
    ("mmdetection by mmdeploy", |l, n, o| {
        let all = finds(l);
        let dets: Vec<f32> = all.iter().flat_map(|(b, s, _)| [&b[..], &[*s]].concat()).collect();
        let labels: Vec<f32> = all.iter().map(|(.., l)| *l as f32).collect();
        let graph = image(o).told("dets", F32, &[1, 2, 5], &[-1, -1, 5], &dets).told(
            "labels",
            I64,
            &[1, 2],
            &[-1, -1],
            &labels,
        );
        (!n).then_some(Cell { graph, labelled: false })
    }),
    ("PaddleDetection", |l, n, o| {
        let rows: Vec<f32> = finds(l).iter().flat_map(|(b, s, l)| [&[*l as f32, *s], &b[..]].concat()).collect();
        let side = if o { -1 } else { SIDE as i64 };
        let mut graph = Onnx::default()
            .input("im_shape", F32, &[1, 2])
            .input("image", F32, &[1, 3, side, side])
            .input("scale_factor", F32, &[1, 2])
            .told("multiclass_nms3_0.tmp_0", F32, &[2, 6], &[-1, 6], &rows)
            .output("multiclass_nms3_0.tmp_2", I64, &[1], &[2.0]);
        if n {
            graph = graph.note("character", &names(l).join("\n"));
        }
        Some(Cell { graph, labelled: n })
    }),
];

/// What came of a graph: `right`, or the refusal.
fn outcome(cell: &Cell, labels: usize, told: usize) -> Result<(), String> {
    let names = names(told);
    let names: Vec<_> = if cell.labelled { Vec::new() } else { names.iter().map(String::as_str).collect() };
    let decoded = cell.graph.judged(&names, [SIDE, SIDE])?;
    let wanted: Vec<_> = finds(labels)
        .iter()
        .map(|(b, s, l)| {
            (*l as u32, (s * 1000.0).round() as i32, [b[0], b[1], b[2] - b[0], b[3] - b[1]].map(|v| v.round() as i32))
        })
        .collect();
    let found = found(&decoded);
    let few = &found[..found.len().min(3)];
    assert!(found == wanted, "WRONG: {few:?} ({:?}), should be {wanted:?}", decoded.reason);
    Ok(())
}

#[test]
fn every_family_is_read_right_or_refused_whatever_its_labels_its_notes_and_its_axes() {
    let mut page = String::from(
        "# Recognition\n\nWhat becomes of a bare `.onnx` file, by family, as its exporter shapes it: read **right** (labels, scores \
         and boxes exact), or refused with the readings that remain and how to say which is meant; never read wrongly. Each cell \
         holds 1, 2, 3 and 80 labels, in this order, in one word where all four are alike; `–` where the exporter makes no such \
         graph. Without notes the labels come from the property `labels`. The test that makes these graphs writes this page.\n\n\
         | family | notes, fixed axes | notes, open axes | no notes, fixed axes | no notes, open axes |\n|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for (family, make) in FAMILIES {
        write!(page, "| {family} |").unwrap();
        for (notes, open) in [(true, false), (true, true), (false, false), (false, true)] {
            let mut words = Vec::new();
            for labels in [1, 2, 3, 80] {
                let Some(cell) = make(labels, notes, open) else { continue };
                let what = format!("{family}, {labels} labels, notes {notes}, open {open}");
                let result = std::panic::catch_unwind(|| outcome(&cell, labels, labels));
                words.push(match result {
                    Ok(Ok(())) => "right",
                    Ok(Err(refusal)) => {
                        println!("{what}: refused: {refusal}");
                        "refused"
                    }
                    Err(e) => {
                        wrong.push(format!("{what}: {}", e.downcast_ref::<String>().cloned().unwrap_or_default()));
                        "WRONG"
                    }
                });
                // One label more or fewer must not make it another family.
                for told in [labels - 1, labels + 1].into_iter().filter(|t| *t > 0 && !cell.labelled) {
                    match std::panic::catch_unwind(|| outcome(&cell, labels, told)) {
                        Ok(_) => {}
                        Err(e) => wrong.push(format!(
                            "{what}, {told} told: {}",
                            e.downcast_ref::<String>().cloned().unwrap_or_default()
                        )),
                    }
                }
            }
            let alike = words.windows(2).all(|w| w[0] == w[1]);
            let word = match &words[..] {
                [] => "–".to_string(),
                [one, ..] if alike => one.to_string(),
                all => all.join(", "),
            };
            write!(page, " {word} |").unwrap();
        }
        page.push('\n');
    }
    println!("{page}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let path = common::root().join("docs/recognition.md");
    if std::env::var_os("ANDON_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "run with ANDON_BLESS=1 to write it");
}
