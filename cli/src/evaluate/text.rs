// SPDX-License-Identifier: MPL-2.0
//! The report as tables, on a terminal or as Markdown.

use std::fmt::Write;

use andon_evaluate::{
    Check, CheckResult, Checks, Choice, EvaluationReport, ModelReport, ROBUSTNESS_FIGURES, RobustnessRow,
    metrics::{Estimate, Unit, lower_is_better},
    power::Power,
};
use comfy_table::CellAlignment;

use andon_report::markdown;

use crate::table::table;

/// What a table is of; a model by its place in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The checks of the gate.
    Gate,
    /// A model's labels.
    Labels(usize),
    /// All models, part by part.
    Parts,
    /// A model's confusion.
    Confusion(usize),
    /// Something of which no pictures are kept.
    Other,
}

/// A table, for the terminal, Markdown or a page.
pub struct Table {
    /// What it is of.
    pub of: Of,
    /// The title.
    pub title: String,
    /// The heads of the columns.
    pub header: Vec<String>,
    /// The cells, row by row.
    pub rows: Vec<Vec<String>>,
}

const NONE: &str = "–";

/// A number with four digits after the point.
pub fn decimal(v: Option<f64>) -> String {
    v.map_or_else(|| NONE.into(), |v| format!("{v:.4}"))
}

fn estimate(e: Option<&Estimate>) -> String {
    match e {
        None => NONE.into(),
        Some(Estimate { value, interval: None }) => decimal(Some(*value)),
        Some(Estimate { value, interval: Some([low, high]) }) => format!("{value:.4} ({low:.3}..{high:.3})"),
    }
}

fn signed(e: Option<&Estimate>) -> String {
    match e {
        None => NONE.into(),
        Some(Estimate { value, interval: None }) => format!("{value:+.4}"),
        Some(Estimate { value, interval: Some([low, high]) }) => format!("{value:+.4} ({low:+.4}..{high:+.4})"),
    }
}

/// The name and version of the model.
pub fn name(m: &ModelReport) -> String {
    format!("{} {}", m.name, m.version).trim().into()
}

/// One sentence on the models and the set.
pub fn headline(r: &EvaluationReport) -> String {
    let models: Vec<_> = r.models.iter().map(name).collect();
    format!(
        "{} on {} pictures of {} parts ({} bad, {} good) of {}",
        models.join(" and "),
        r.images,
        r.parts,
        r.bad,
        r.good,
        r.data.display()
    )
}

/// All tables of the report.
pub fn tables(r: &EvaluationReport) -> Vec<Table> {
    let mut all = Vec::new();
    all.extend(r.gate.as_ref().map(gate));
    all.extend(r.models.iter().enumerate().filter(|(_, m)| !m.labels.is_empty()).map(classes));
    all.push(overall(r));
    if let Some(differences) = &r.differences {
        all.push(Table {
            of: Of::Other,
            title: format!(
                "Difference {} minus {}, over the labels that both know; bootstrap over {}s, {:.0} %",
                name(&r.models[1]),
                name(&r.models[0]),
                unit(r),
                r.confidence * 100.0
            ),
            header: ["figure", "difference", "better"].map(String::from).to_vec(),
            rows: differences
                .iter()
                .filter(|(n, _)| !n.starts_with("ap_0.5") && !n.starts_with("precision/") && !n.starts_with("f1/"))
                .map(|(n, e)| vec![n.clone(), signed(Some(e)), better(n, e).into()])
                .collect(),
        });
    }
    if r.groups > 1 && r.groups <= 40 && r.by_group.values().flatten().any(Option::is_some) {
        let header = std::iter::once("group".into()).chain(r.models.iter().map(name)).collect();
        let row = |(g, v): (&String, &Vec<Option<f64>>)| {
            std::iter::once(g.clone()).chain(v.iter().map(|v| decimal(*v))).collect()
        };
        all.push(Table {
            of: Of::Other,
            title: "mAP at IoU 0.33 by group".into(),
            header,
            rows: r.by_group.iter().map(row).collect(),
        });
    }
    all.extend(r.models.iter().enumerate().filter_map(confusion));
    all.extend(r.models.iter().filter_map(thresholds));
    all.extend(robustness(r));
    all.extend(power(r));
    all
}

fn unit(r: &EvaluationReport) -> &'static str {
    match r.unit {
        Unit::Part => "part",
        Unit::Group => "group",
    }
}

/// The model that is surely better, or nothing.
fn better(name: &str, e: &Estimate) -> &'static str {
    let Some([low, high]) = e.interval else { return "" };
    let sign = if lower_is_better(name) { -1.0 } else { 1.0 };
    match (low * sign > 0.0 && high * sign > 0.0, low * sign < 0.0 && high * sign < 0.0) {
        (true, _) => "challenger",
        (_, true) => "champion",
        _ => "",
    }
}

fn gate(checks: &Checks) -> Table {
    let row = |c: &Check| {
        let result = match c.result {
            CheckResult::Passed => "passed",
            CheckResult::Failed => "FAILED",
            CheckResult::Undecided => "UNDECIDED",
        };
        vec![c.figure.clone(), c.demand.clone(), result.into(), c.found.clone()]
    };
    let verdict = if checks.passed { "lets it through" } else { "stops it" };
    Table {
        of: Of::Gate,
        title: format!("The gate {verdict}: {} {}", checks.model.name, checks.model.version),
        header: ["figure", "demand", "result", "found"].map(String::from).to_vec(),
        rows: checks.checks.iter().map(row).collect(),
    }
}

fn classes((at, m): (usize, &ModelReport)) -> Table {
    let row = |label: &str, boxes: u64, of: &dyn Fn(&str) -> String| {
        let mut row = vec![label.to_string(), boxes.to_string()];
        row.extend(["ap_0.33", "ap_0.5", "ap_0.5:0.95", "precision", "recall", "f1"].map(of));
        row
    };
    // One interval for each class; the JSON document has all.
    let of_class = |l: &str, figure: &str| match m.figures.get(&format!("{figure}/{l}")) {
        e if figure == "ap_0.33" => estimate(e),
        e => decimal(e.map(|e| e.value)),
    };
    let mut rows: Vec<_> = m.labels.iter().map(|l| row(l, m.boxes[l], &|figure| of_class(l, figure))).collect();
    let all = |figure: &str| {
        estimate(m.figures.get(&if figure.starts_with("ap_") { format!("m{figure}") } else { figure.into() }))
    };
    rows.push(row("all", m.boxes.values().sum(), &all));
    let not_scored = match m.boxes_not_scored {
        0 => String::new(),
        n => format!("; {n} boxes with labels that it does not know are not scored"),
    };
    Table {
        of: Of::Labels(at),
        title: format!(
            "{}: average precision, and figures at its threshold {} (IoU 0.33){not_scored}",
            name(m),
            m.threshold
        ),
        header: ["class", "boxes", "AP 0.33", "AP 0.5", "AP 0.5:0.95", "precision", "recall", "F1"]
            .map(String::from)
            .to_vec(),
        rows,
    }
}

fn overall(r: &EvaluationReport) -> Table {
    let figures = [
        ("escape_rate", "escapes: bad parts called ok"),
        ("overkill_rate", "overkill: good parts called ng"),
        ("review_rate", "left to a person"),
        ("accuracy", "accuracy"),
        ("image_auroc", "AUROC of parts"),
        ("pixel_auroc", "AUROC of pixels"),
        ("latency_p50_us", "latency, median, ms"),
        ("latency_p95_us", "latency, 95 %, ms"),
        ("latency_p99_us", "latency, 99 %, ms"),
    ];
    let mut rows = Vec::new();
    for (figure, what) in figures {
        let cell = |m: &ModelReport| match m.figures.get(figure) {
            Some(e) if figure.starts_with("latency_") => format!("{:.1}", e.value / 1000.0),
            e => estimate(e),
        };
        if r.models.iter().any(|m| m.figures.contains_key(figure)) {
            rows.push(std::iter::once(what.to_string()).chain(r.models.iter().map(cell)).collect());
        }
    }
    Table {
        of: Of::Parts,
        title: format!("By part, and time in modelinfer ({})", r.models[0].provider),
        header: std::iter::once(String::new()).chain(r.models.iter().map(name)).collect(),
        rows,
    }
}

fn confusion((at, m): (usize, &ModelReport)) -> Option<Table> {
    let c = m.confusion.as_ref()?;
    let row = |(name, counts): (&String, &Vec<u64>)| {
        std::iter::once(name.clone()).chain(counts.iter().map(u64::to_string)).collect()
    };
    Some(Table {
        of: Of::Confusion(at),
        title: format!("{}: rows are what is there, columns what the model says", name(m)),
        header: std::iter::once(String::new()).chain(c.columns.clone()).collect(),
        rows: c.rows.iter().zip(&c.counts).map(row).collect(),
    })
}

fn thresholds(m: &ModelReport) -> Option<Table> {
    let chosen = m.chosen.as_ref()?;
    let row = |what: &str, c: &Choice| {
        let mut row = vec![what.to_string(), format!("{:.4}", c.threshold)];
        row.extend([c.precision, c.recall, c.escape_rate, c.overkill_rate].map(decimal));
        row
    };
    let mut rows = vec![row("on this set", &chosen.here)];
    rows.extend(chosen.elsewhere.iter().map(|c| row("chosen on one half, measured on the other", c)));
    Some(Table {
        of: Of::Other,
        title: format!("{}: the chosen threshold", name(m)),
        header: ["", "threshold", "precision", "recall", "escapes", "overkill"].map(String::from).to_vec(),
        rows,
    })
}

fn robustness(r: &EvaluationReport) -> Option<Table> {
    let first = r.robustness.first()?;
    let shown: Vec<_> = ROBUSTNESS_FIGURES.into_iter().filter(|f| first.figures.contains_key(*f)).collect();
    let row = |row: &RobustnessRow| {
        let mut cells = vec![row.change.clone()];
        cells.extend(shown.iter().map(|f| decimal(row.figures.get(*f).copied())));
        let drift = row.drift.as_deref().map(|d| if d.is_empty() { "nothing" } else { d });
        cells.push(drift.unwrap_or(NONE).into());
        cells
    };
    let header = ["change"].into_iter().chain(shown.iter().copied()).chain(["driftmeter says"]);
    Some(Table {
        of: Of::Other,
        title: "Under change".into(),
        header: header.map(String::from).collect(),
        rows: r.robustness.iter().map(row).collect(),
    })
}

fn power(r: &EvaluationReport) -> Option<Table> {
    let first = r.power.first()?;
    let header = ["parts", "equal one passes"].into_iter().map(String::from);
    let worse = first.worse_stopped.iter().map(|(l, _)| format!("worse at {l} stopped"));
    let row = |p: &Power| {
        let percent = |v: f64| format!("{:.0} %", v * 100.0);
        let mut row = vec![p.parts.to_string(), percent(p.equal_passed)];
        row.extend(p.worse_stopped.iter().map(|(_, v)| percent(*v)));
        row
    };
    Some(Table {
        of: Of::Other,
        title: "The power of the gate: an equal model, and one that is worse by a point of AP 0.33 at one label".into(),
        header: header.chain(worse).collect(),
        rows: r.power.iter().map(row).collect(),
    })
}

/// Prints the report on the terminal.
pub fn print(r: &EvaluationReport) {
    println!("{}", headline(r));
    for t in tables(r) {
        let mut shown = table(&t.header.iter().map(String::as_str).collect::<Vec<_>>());
        for row in &t.rows {
            shown.add_row(row);
        }
        for column in shown.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("\n{}\n{shown}", t.title);
    }
}

/// The report as Markdown, for a comment of a CI.
pub fn markdown(r: &EvaluationReport) -> String {
    let mut s = format!("## {}\n", markdown::escape(&headline(r)));
    for t in tables(r) {
        let _ = writeln!(s, "\n### {}", markdown::escape(&t.title));
        s += &andon_report::Table::new(t.header, t.rows).markdown();
    }
    s
}
