// SPDX-License-Identifier: MPL-2.0
//! The rows of `andon top`: an element in a line of text, for a narrow and for a wide screen.

use andon_control::reply::Element;
use andon_core::text::shown;
use andon_report::words;
use ratatui::text::Span;
use serde_json::Value;

use super::state::{State, number, pipeline, text};
use crate::ctl::words::clock;

/// Columns from which on a screen is wide.
pub const WIDE: u16 = 110;

/// How a row is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As any other.
    Plain,
    /// As good.
    Good,
    /// As something to look at.
    Odd,
    /// As something wrong.
    Bad,
    /// As a heading.
    Head,
}

/// A row of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The element, of the state's; none for a heading.
    pub element: Option<usize>,
    /// What stands there.
    pub text: String,
    /// How.
    pub tone: Tone,
}

/// A column: its heading, its width, and whether its texts stand at its right.
type Column = (&'static str, usize, bool);

const NARROW: [Column; 9] = [
    ("model of", 14, false),
    ("version", 11, false),
    ("alias", 10, false),
    ("/s", 6, true),
    ("p50 ms", 6, true),
    ("p99 ms", 6, true),
    ("ok", 6, true),
    ("ng", 5, true),
    ("?", 5, true),
];

const BROAD: [Column; 12] = [
    ("model of", 20, false),
    ("arm", 3, false),
    ("version", 20, false),
    ("alias", 12, false),
    ("standby", 14, false),
    ("/s", 7, true),
    ("p50 ms", 8, true),
    ("p99 ms", 8, true),
    ("ok", 8, true),
    ("ng", 7, true),
    ("review", 7, true),
    ("unjudged", 8, true),
];

/// All rows: of each pipeline its models, and what else it has.
pub fn rows(state: &State, width: u16) -> Vec<Row> {
    let head = |text: String| Row { element: None, text, tone: Tone::Head };
    let several = state.elements.iter().any(|e| pipeline(e) != state.elements.first().map_or("", pipeline));
    let (mut rows, mut before): (Vec<Row>, Option<&Element>) = (Vec::new(), None);
    for (at, element) in state.elements.iter().enumerate() {
        let is_first = before.is_none_or(|b| pipeline(b) != pipeline(element));
        if several && is_first {
            rows.push(head(shown(pipeline(element)).into_owned()));
        }
        let row = if element.factory == "modelinfer" {
            if is_first {
                rows.push(head(model_heading(width)));
            }
            model(state, element, width)
        } else {
            other(state, element, width)
        };
        rows.push(Row { element: Some(at), ..row });
        before = Some(element);
    }
    rows
}

fn columns(width: u16) -> &'static [Column] {
    if width >= WIDE { &BROAD } else { &NARROW }
}

fn model_heading(width: u16) -> String {
    let heads: Vec<_> = columns(width).iter().map(|(head, ..)| head.to_string()).collect();
    joined(width, &heads)
}

fn joined(width: u16, cells: &[String]) -> String {
    let cells: Vec<_> = columns(width).iter().zip(cells).map(|((_, w, right), cell)| fit(cell, *w, *right)).collect();
    cells.join(" ")
}

fn model(state: &State, element: &Element, width: u16) -> Row {
    let stats = state.stats_of(element);
    let count = |name: &str| number(stats, name).map_or(words::UNKNOWN.into(), |n| n.to_string());
    let ms = |name: &str| match number(stats, name) {
        None | Some(0) => words::UNKNOWN.into(),
        Some(us) => format!("{:.1}", us as f64 / 1000.0),
    };
    let alias = state.models.get(&element.path).and_then(|m| m.rsplit_once('@')).map_or("", |(_, alias)| alias);
    let (version, loading) = (text(stats, "active"), text(stats, "load-state"));
    let standby = match loading {
        "" | "idle" => text(stats, "standby"),
        other => other,
    };
    let arm = state.arms.get(&element.path).map_or("", String::as_str);
    let [review, unjudged] = ["parts-review", "parts-unjudged"].map(|name| number(stats, name).unwrap_or(0));
    let own = |text: &str| shown(text).into_owned();
    let rate = words::decimal(state.rate(element), 1);
    let [ok, ng] = ["parts-ok", "parts-ng"].map(count);
    let [p50, p99] = ["latency-us-p50", "latency-us-p99"].map(ms);
    let cells = if width >= WIDE {
        let (review, unjudged) = (review.to_string(), unjudged.to_string());
        let (arm, standby) = (own(arm), own(standby));
        vec![own(&element.name), arm, own(version), own(alias), standby, rate, p50, p99, ok, ng, review, unjudged]
    } else {
        let undecided = (review + unjudged).to_string();
        vec![own(&element.name), own(version), own(alias), rate, p50, p99, ok, ng, undecided]
    };
    let failing = number(stats, "frames-error").unwrap_or(0) > 0 || version.is_empty();
    let odd = unjudged > 0 || !text(stats, "alias-problem").is_empty() || !matches!(loading, "" | "idle");
    let tone = if failing && odd || version.is_empty() {
        Tone::Bad
    } else if odd {
        Tone::Odd
    } else {
        Tone::Plain
    };
    Row { element: None, text: joined(width, &cells), tone }
}

fn other(state: &State, element: &Element, width: u16) -> Row {
    let stats = state.stats_of(element);
    let (said, tone) = match &*element.factory {
        "abjoin" => arms(stats),
        "driftmeter" => drift(state, element, stats),
        "framesampler" => captures(stats),
        "abtee" => tee(stats),
        "defecttestsrc" => (counts(stats, &[("parts", "parts"), ("ng-parts", "of them defective")]), Tone::Plain),
        _ => (counts(stats, &[("results-lost", "results lost")]), Tone::Plain),
    };
    let said = if said.is_empty() && element.state != "playing" { element.state.clone() } else { said };
    let name = fit(&shown(&element.name), 14, false);
    // Where there is little room, what it says tells its kind.
    let kind = if width >= WIDE { fit(&shown(&element.factory), 14, false) } else { String::new() };
    Row { element: None, text: format!("{name} {kind}{}", shown(&said)), tone }
}

/// The counts that are not 0, each with its words.
fn counts(stats: &Value, of: &[(&str, &str)]) -> String {
    let said = of.iter().filter_map(|(name, said)| Some((number(stats, name).filter(|n| *n > 0)?, said)));
    said.map(|(n, said)| format!("{n} {said}")).collect::<Vec<_>>().join(" · ")
}

fn arms(stats: &Value) -> (String, Tone) {
    let of = |name: &str| number(stats, name).unwrap_or(0);
    let (compared, agree) = (of("compared"), of("ok-ok") + of("ng-ng"));
    let mut said = match words::share(agree, compared) {
        None => "nothing compared yet".to_string(),
        Some(share) => format!("agree {} of {compared} parts", words::percent(Some(share))),
    };
    let decision = text(stats, "decision");
    if !decision.is_empty() {
        said += &format!(" · {decision}");
    }
    let more =
        counts(stats, &[("b-errors", "errors of b"), ("late", "late"), ("dropped", "not asked"), ("missing", "lost")]);
    if !more.is_empty() {
        said += &format!(" · {more}");
    }
    let tone = match decision {
        "promote" => Tone::Good,
        "abort" => Tone::Bad,
        _ => Tone::Plain,
    };
    (said, tone)
}

fn drift(state: &State, element: &Element, stats: &Value) -> (String, Tone) {
    let told = state.drift.get(&element.path).unwrap_or(&Value::Null);
    let now = text(stats, "state");
    let (kind, cause) = (if now.is_empty() { text(told, "state") } else { now }, text(stats, "cause"));
    let tone = match kind {
        "drift" => Tone::Bad,
        "warning" => Tone::Odd,
        "ok" => Tone::Good,
        _ => Tone::Plain,
    };
    let is_of_now = text(told, "state") == kind;
    let mut said = if kind.is_empty() { "no frame yet".into() } else { kind.to_string() };
    let causes = Some(causes(told)).filter(|c| is_of_now && !c.is_empty()).unwrap_or_else(|| cause.into());
    if !causes.is_empty() {
        said += &format!(": {causes}");
    }
    let learning = told.get("learning").filter(|_| is_of_now);
    if let Some(since) = told.get("since").and_then(|s| number(s, "utc_ns")).filter(|_| is_of_now) {
        let held = state.now_ns.saturating_sub(since);
        said += &format!(" · since {} ({})", clock(since, state.offset), words::duration(held));
    }
    if let Some((frames, least)) = learning.and_then(|l| number(l, "frames").zip(number(l, "least"))) {
        said += &format!(" · {frames} of at least {least} frames");
    }
    (said, tone)
}

/// The causes of a drift with their shares, as the last message about it has them.
fn causes(told: &Value) -> String {
    let share = |of: &Value| {
        let cause = Some(text(of, "cause")).filter(|c| !c.is_empty()).unwrap_or("unknown");
        Some(format!("{:.0} % {cause}", of.get("share")?.as_f64()? * 100.0))
    };
    let all = told.get("causes").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(share).collect::<Vec<_>>().join(", ")
}

fn captures(stats: &Value) -> (String, Tone) {
    let of = |name: &str| number(stats, name).unwrap_or(0);
    let dropped = of("dropped-queue") + of("over-budget") + of("dropped-no-location") + of("failed") + of("given-up");
    let mut said = format!("kept {} · waiting {} · dropped {dropped}", of("written"), of("queue") + of("pending"));
    if of("ring-frames") > 0 {
        said += &format!(" · {} gone by in memory", words::counted(of("ring-frames"), "frame", "frames"));
    }
    let failing = stats.get("failing").and_then(Value::as_bool).unwrap_or(false);
    if failing {
        said += &format!(" · {}", text(stats, "last-error"));
    }
    (
        said,
        if failing {
            Tone::Bad
        } else if dropped > 0 {
            Tone::Odd
        } else {
            Tone::Plain
        },
    )
}

fn tee(stats: &Value) -> (String, Tone) {
    let of = |name: &str| number(stats, name).unwrap_or(0);
    let out = stats.get("b-is-out").and_then(Value::as_bool).unwrap_or(false);
    let said = format!("to a {} · to b {} · b left out {}", of("to-a"), of("to-b"), of("dropped"));
    if out { (format!("{said} · b gets no more frames"), Tone::Bad) } else { (said, Tone::Plain) }
}

/// A text in exactly that many columns of the screen.
pub fn fit(text: &str, width: usize, right: bool) -> String {
    let wide = |text: &str| Span::raw(text.to_string()).width();
    let mut kept = text.to_string();
    if wide(&kept) > width {
        while wide(&kept) + 1 > width && kept.pop().is_some() {}
        kept.push('…');
    }
    let room = " ".repeat(width.saturating_sub(wide(&kept)));
    if right { room + &kept } else { kept + &room }
}
