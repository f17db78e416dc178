// SPDX-License-Identifier: MPL-2.0
//! What a trial prints.

use std::path::Path;

use andon_core::result::{Inference, Status, Verdict};
use andon_model::{Manifest, Resize, Task};

use super::{
    super::bundle::{verdict, word},
    prepare::{Tried, few},
};
use crate::table::table;

/// Finds of one picture that are printed.
const FINDS: usize = 4;
/// Pictures that are printed.
const ROWS: usize = 40;

/// One picture of the table.
pub struct Row {
    /// The file.
    pub picture: String,
    verdict: String,
    score: String,
    /// What was found, or why the picture was not read.
    pub found: String,
    /// Whether the picture was read.
    pub read: bool,
    latency_us: u64,
}

impl Row {
    /// A picture that the model judged.
    pub fn judged(file: &Path, i: &Inference) -> Self {
        let verdict = match i.status {
            Status::Ok if i.verdict == Verdict::Unjudged => "–".to_string(),
            Status::Ok => i.verdict.as_str().into(),
            status => status.as_str().into(),
        };
        let found = if i.status == Status::Ok { finds(i) } else { i.reason.clone() };
        let score = if i.status == Status::Ok { format!("{:.3}", i.score) } else { String::new() };
        Self { picture: file.display().to_string(), verdict, score, found, read: true, latency_us: i.latency_us }
    }

    /// A file that cannot be read as a picture.
    pub fn unread(file: &Path, why: &str) -> Self {
        let why = why.strip_prefix(&format!("{}: ", file.display())).unwrap_or(why);
        let found = format!("not read: {why}");
        Self {
            picture: file.display().to_string(),
            verdict: String::new(),
            score: String::new(),
            found,
            read: false,
            latency_us: 0,
        }
    }
}

/// What was found in a picture, the best first.
fn finds(i: &Inference) -> String {
    let list = |all: Vec<(&str, f32)>, shown: usize| {
        let total = all.len();
        let mut texts: Vec<_> = all.iter().take(shown).map(|(label, score)| format!("{label} {score:.2}")).collect();
        if total > shown {
            texts.push(format!("and {} more", total - shown));
        }
        texts.join(", ")
    };
    let mut boxes: Vec<_> = i.detections.iter().map(|d| (&*d.label, d.score)).collect();
    boxes.sort_by(|a, b| b.1.total_cmp(&a.1));
    if !boxes.is_empty() {
        return list(boxes, FINDS);
    }
    let mut classes: Vec<_> = i.classes.iter().map(|c| (&*c.label, c.score)).collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    if !classes.is_empty() {
        classes.truncate(FINDS);
        return list(classes, FINDS);
    }
    if i.anomaly.is_some() {
        return "an anomaly score".into();
    }
    if i.segmentation.is_some() {
        return "a map of labels".into();
    }
    "nothing".into()
}

/// The result of one picture as one line of JSON.
pub fn json(file: &Path, result: &Inference) -> serde_json::Value {
    serde_json::json!({ "picture": file.display().to_string(), "result": result })
}

/// Prints the pictures, the model, what was assumed, and what comes next.
pub fn print(rows: &[Row], tried: &Tried, model: &str, threshold: Option<f64>) {
    let mut pictures = table(&["picture", "verdict", "score", "found"]);
    for row in rows.iter().take(ROWS) {
        pictures.add_row([&row.picture, &row.verdict, &row.score, &row.found]);
    }
    println!("{pictures}");
    if rows.len() > ROWS {
        println!("… and {} more: --json prints all.", rows.len() - ROWS);
    }
    let count = |verdict: &str| rows.iter().filter(|r| r.verdict == verdict).count();
    let counts = ["ok", "ng", "review"].map(|v| format!("{} {v}", count(v))).join(", ");
    let unread = rows.iter().filter(|r| !r.read).count();
    let rest = rows.len() - unread - count("ok") - count("ng") - count("review");
    let pictures = if rows.len() == 1 { "picture" } else { "pictures" };
    println!("{} {pictures}: {counts}, {rest} without a verdict, {unread} not read", rows.len());

    let mut facts = table(&["the model", ""]);
    for (name, value) in facts_of(&tried.manifest, tried, threshold, rows) {
        facts.add_row([name.to_string(), value]);
    }
    println!("{facts}");
    if tried.assumed.is_empty() {
        println!("Nothing was assumed.");
    } else {
        let mut assumed = table(&["assumed", "because", "to change it"]);
        for a in &tried.assumed {
            assumed.add_row([format!("{} = {}", a.field, a.value), a.reason.clone(), a.change.clone()]);
        }
        println!("{assumed}");
        println!(
            "To keep it, and to say what is wrong: andon model init {model} --into FOLDER, then edit its model.json."
        );
    }
}

/// What the model is, for people.
fn facts_of(m: &Manifest, tried: &Tried, threshold: Option<f64>, rows: &[Row]) -> Vec<(&'static str, String)> {
    let image = m.image();
    let size = image.size.map_or_else(|| "the size of the picture".into(), |[w, h]| format!("{w}×{h}"));
    let how = match image.resize {
        Resize::Letterbox => "the whole picture, padded",
        Resize::Stretch => "the whole picture, stretched",
        Resize::Crop => "the middle of the picture",
    };
    let labels = m.outputs.first().map(|o| o.labels.as_slice()).unwrap_or_default();
    let score = threshold.map_or_else(|| m.thresholds.score.to_string(), |t| t.to_string());
    let threshold = match m.task {
        Task::Segmentation => format!("{score} of the frame"),
        _ => score,
    };
    let mut latencies: Vec<_> = rows.iter().filter(|r| r.read && r.latency_us > 0).map(|r| r.latency_us).collect();
    latencies.sort_unstable();
    let latency = latencies
        .get(latencies.len() / 2)
        .map_or_else(String::new, |us| format!("{:.1} ms, the median of {}", *us as f64 / 1e3, latencies.len()));
    let list = |ports: &[andon_inference::Port]| ports.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let mut facts = vec![
        ("task", word(&m.task)),
        ("read as", m.outputs.first().map(|o| word(&o.decoder)).unwrap_or_default()),
        ("looks at", format!("{how}, as {size} {}", word(&image.colour))),
        ("labels", if labels.is_empty() { String::new() } else { format!("{}: {}", labels.len(), few(labels)) }),
        ("verdict", verdict(m)),
        ("threshold", threshold),
        ("latency", latency),
        ("graph takes", list(&tried.ports.inputs)),
        ("graph gives", list(&tried.ports.outputs)),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
