// SPDX-License-Identifier: MPL-2.0
//! What a run came to, from the elements' `stats`: parts, labels, latency, rate, captures, restarts.

use std::collections::BTreeMap;

use gst::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{play::Course, table};

/// Labels that are named in the text; the JSON has all.
const LABELS: usize = 8;

/// What a run came to.
pub struct Summary {
    seconds: f64,
    models: Vec<Model>,
    captures: Vec<Captures>,
    restarts: Vec<(String, u64)>,
}

/// What a run came to, for programs: the last line of `andon run --json` has it as `summary`.
#[derive(Serialize)]
struct RunSummary {
    /// Always `andon.run-summary/1`.
    schema: &'static str,
    /// How long it played, seconds.
    seconds: f64,
    /// What each model did.
    models: Vec<ModelSummary>,
    /// What each sampler kept.
    captures: Vec<CapturesSummary>,
    /// How often each branch was started again, by its name.
    restarts: BTreeMap<String, u64>,
}

/// What one model did.
#[derive(Serialize)]
struct ModelSummary {
    /// The element's name.
    element: String,
    /// The model's name and version; `none` if there is none.
    model: String,
    /// Frames.
    frames: u64,
    /// Frames a second, over the whole run.
    frames_per_second: f64,
    /// Parts by verdict.
    parts: PartsByVerdict,
    /// Parts that are ng, by the label that made them so.
    ng_by_label: BTreeMap<String, u64>,
    /// Median latency of the frames that were judged lately, µs.
    latency_p50_us: u64,
    /// Latency that 99 of 100 of these frames keep, µs.
    latency_p99_us: u64,
}

/// Parts by their verdict.
#[derive(Serialize)]
struct PartsByVerdict {
    ok: u64,
    ng: u64,
    review: u64,
    unjudged: u64,
}

/// What one sampler kept.
#[derive(Serialize)]
struct CapturesSummary {
    /// The element's name.
    element: String,
    /// Captures that were written.
    written: u64,
    /// Captures that were lost.
    lost: u64,
}

/// What one model did.
struct Model {
    element: String,
    model: String,
    /// Parts by verdict: ok, ng, review, unjudged.
    parts: [u64; 4],
    frames: u64,
    /// Of the frames that were judged lately, µs.
    latency: [u64; 2],
    labels: BTreeMap<String, u64>,
}

/// What one sampler kept.
struct Captures {
    element: String,
    written: u64,
    lost: u64,
}

impl Summary {
    /// Reads the elements of a pipeline that still plays. None if none of them has anything to say.
    pub fn of(pipeline: &gst::Pipeline, course: &Course) -> Option<Self> {
        let stats = |factory: &str| {
            let mut all: Vec<_> = pipeline
                .iterate_all_by_element_factory_name(factory)
                .into_iter()
                .flatten()
                .map(|e| (e.name().to_string(), e.property::<gst::Structure>("stats")))
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        };
        let models: Vec<_> = stats("modelinfer").into_iter().map(|(element, s)| Model::of(element, &s)).collect();
        let captures: Vec<_> =
            stats("framesampler").into_iter().map(|(element, s)| Captures::of(element, &s)).collect();
        let summary =
            Self { seconds: course.played.as_secs_f64(), models, captures, restarts: course.restarts.clone() };
        let nothing = summary.models.is_empty() && summary.captures.is_empty() && summary.restarts.is_empty();
        (!nothing).then_some(summary)
    }

    /// Returns it for people: a table, and a line for each other thing that there was.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        if !self.models.is_empty() {
            let header =
                ["element", "model", "frames", "ok", "ng", "review", "unjudged", "p50 ms", "p99 ms", "frames/s"];
            let rows = self.models.iter().map(|m| {
                let mut row = vec![m.element.clone(), m.model.clone(), m.frames.to_string()];
                row.extend(m.parts.iter().map(u64::to_string));
                row.extend(m.latency.iter().map(|us| format!("{:.1}", *us as f64 / 1000.0)));
                row.push(format!("{:.1}", self.rate(m.frames)));
                row
            });
            let figures = andon_report::Table::new(header, rows.collect());
            lines.push(table::figures(&figures, table::WIDTH).to_string());
        }
        for model in self.models.iter().filter(|m| !m.labels.is_empty()) {
            lines.push(format!("ng of {} by label: {}", model.element, most(&model.labels)));
        }
        for c in self.captures.iter().filter(|c| c.written + c.lost > 0) {
            let lost = if c.lost > 0 { format!(", {} lost", c.lost) } else { String::new() };
            lines.push(format!("captures of {}: {}{lost}", c.element, c.written));
        }
        if !self.restarts.is_empty() {
            let each: Vec<_> = self.restarts.iter().map(|(name, n)| format!("{name} {n}")).collect();
            lines.push(format!("restarts: {}", each.join(", ")));
        }
        lines.join("\n")
    }

    /// Returns it for programs: one line, beside those of the messages.
    pub fn json(&self) -> Value {
        let models = self.models.iter().map(|m| {
            let [ok, ng, review, unjudged] = m.parts;
            ModelSummary {
                element: m.element.clone(),
                model: m.model.clone(),
                frames: m.frames,
                frames_per_second: self.rate(m.frames),
                parts: PartsByVerdict { ok, ng, review, unjudged },
                ng_by_label: m.labels.clone(),
                latency_p50_us: m.latency[0],
                latency_p99_us: m.latency[1],
            }
        });
        let captures = self.captures.iter().map(|c| CapturesSummary {
            element: c.element.clone(),
            written: c.written,
            lost: c.lost,
        });
        let summary = RunSummary {
            schema: "andon.run-summary/1",
            seconds: self.seconds,
            models: models.collect(),
            captures: captures.collect(),
            restarts: self.restarts.iter().cloned().collect(),
        };
        json!({ "summary": summary })
    }

    fn rate(&self, frames: u64) -> f64 {
        if self.seconds > 0.0 { frames as f64 / self.seconds } else { 0.0 }
    }
}

impl Model {
    fn of(element: String, s: &gst::StructureRef) -> Self {
        let text = |field| s.get::<&str>(field).unwrap_or_default();
        let (name, version) = (text("model-name"), text("model-version"));
        let model = if name.is_empty() { "none".into() } else { format!("{name} {version}").trim().into() };
        let labels = s.get::<gst::Structure>("ng-by-class").ok();
        let labels = labels.iter().flat_map(|all| all.iter());
        Self {
            element,
            model,
            parts: ["parts-ok", "parts-ng", "parts-review", "parts-unjudged"].map(|field| number(s, field)),
            frames: number(s, "frames"),
            latency: ["latency-us-p50", "latency-us-p99"].map(|field| number(s, field)),
            labels: labels.filter_map(|(label, n)| Some((label.to_string(), n.get::<u64>().ok()?))).collect(),
        }
    }
}

impl Captures {
    fn of(element: String, s: &gst::StructureRef) -> Self {
        let lost = ["dropped-queue", "dropped-no-location", "failed", "given-up"].map(|field| number(s, field));
        Self { element, written: number(s, "written"), lost: lost.iter().sum() }
    }
}

fn number(s: &gst::StructureRef, field: &str) -> u64 {
    s.get(field).unwrap_or(0)
}

/// Returns the labels with the largest counts.
fn most(labels: &BTreeMap<String, u64>) -> String {
    let mut all: Vec<_> = labels.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1));
    let named: Vec<_> = all.iter().take(LABELS).map(|(label, n)| format!("{label} {n}")).collect();
    let more = all.len().saturating_sub(LABELS);
    if more > 0 { format!("{}, and {more} more", named.join(", ")) } else { named.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_a_table_and_in_one_line_of_json() {
        let labels = BTreeMap::from([("short".to_string(), 2), ("open".to_string(), 5)]);
        let model = Model {
            element: "champion".into(),
            model: "pcb 2".into(),
            parts: [90, 7, 0, 3],
            frames: 100,
            latency: [1850, 4000],
            labels,
        };
        let captures = vec![Captures { element: "sampler".into(), written: 12, lost: 1 }];
        let summary = Summary { seconds: 10.0, models: vec![model], captures, restarts: vec![("cam1".into(), 3)] };
        let text = summary.text();
        for part in [
            "champion",
            "pcb 2",
            "90",
            "1.9",
            "4.0",
            "10.0",
            "ng of champion by label: open 5, short 2",
            "captures of sampler: 12, 1 lost",
            "restarts: cam1 3",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json = summary.json();
        assert_eq!(json.pointer("/summary/models/0/parts/ng"), Some(&json!(7)));
        assert_eq!(json.pointer("/summary/restarts/cam1"), Some(&json!(3)));
    }
}
