// SPDX-License-Identifier: MPL-2.0
//! The headline of an evaluation, and the sentence that says why: what stops a model, what is open, and about how many more
//! parts would settle it.

use andon_evaluate::{
    Check, CheckResult, Checks, EvaluationReport, ModelReport,
    metrics::{Estimate, Unit, lower_is_better},
    units_to_settle,
};

use super::text::name;

/// Most figures that are named.
const MOST_NAMED: usize = 3;

/// The headline, and why.
pub fn why(r: &EvaluationReport) -> (String, String) {
    let last = r.models.last().map(name).unwrap_or_default();
    match (&r.gate, &r.models[..]) {
        (Some(gate), _) if gate.passed => {
            (format!("{last} may go to the line"), format!("All {} checks of the gate hold.", gate.checks.len()))
        }
        (Some(gate), _) => stopped(&last, gate, unit(r)),
        (None, [first, second, ..]) => (format!("{} beside {}", name(second), name(first)), beside(r)),
        (None, _) => (format!("How good {last} is"), r.models.first().map(least_certain).unwrap_or_default()),
    }
}

fn unit(r: &EvaluationReport) -> &'static str {
    match r.unit {
        Unit::Part => "parts",
        Unit::Group => "groups",
    }
}

/// What stops a model: what failed, else what is undecided.
fn stopped(model: &str, gate: &Checks, units: &str) -> (String, String) {
    let all = |result| gate.checks.iter().filter(move |c| c.result == result);
    let names = |result| all(result).map(|c| c.figure.as_str()).collect::<Vec<_>>();
    let (failed, open) = (names(CheckResult::Failed), names(CheckResult::Undecided));
    let more = all(CheckResult::Undecided).filter_map(|c| c.more).max();
    let more = more.map(|n| format!(": about {n} more {units}")).unwrap_or_default();
    let headline = match (&failed[..], &open[..]) {
        ([], open) => format!("{model} may not go to the line yet, {} undecided{more}", listed(open)),
        (failed, _) => format!("{model} may not go to the line: {} failed", listed(failed)),
    };
    let told = |c: &Check| format!("{} ({}): {}.", c.figure, c.demand, c.found);
    let all: Vec<_> = all(CheckResult::Failed).chain(all(CheckResult::Undecided)).collect();
    let mut sentences: Vec<_> = all.iter().take(MOST_NAMED).map(|c| told(c)).collect();
    if all.len() > MOST_NAMED {
        sentences.push(format!("{} more do not hold.", all.len() - MOST_NAMED));
    }
    (headline, sentences.join(" "))
}

/// What the second model does better, worse, and what is open, by the figures of labels and of verdicts.
fn beside(r: &EvaluationReport) -> String {
    let units = if r.unit == Unit::Part { r.parts } else { r.groups };
    let (mut better, mut worse, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for (figure, e) in r.differences.iter().flatten() {
        let counts =
            figure.starts_with("ap_0.33/") || ["map_0.33", "escape_rate", "overkill_rate"].contains(&figure.as_str());
        let (true, Estimate { value, interval: Some([low, high]) }) = (counts, e) else { continue };
        let (low, high) = (*low, *high);
        let gain = if lower_is_better(figure) { -value } else { *value };
        if low > 0.0 || high < 0.0 {
            if gain > 0.0 { better.push(figure.as_str()) } else { worse.push(figure.as_str()) }
        } else if let Some(n) = units_to_settle(units, *value, [low, high], 0.0) {
            open.push((n.saturating_sub(units as u64), figure.as_str()));
        }
    }
    open.sort_unstable();
    let [better, worse] = [("Better", better), ("Worse", worse)].map(|(word, of)| match &of[..] {
        [] => String::new(),
        of => format!("{word}: {}. ", listed(of)),
    });
    let open = match open.first() {
        None => String::new(),
        Some((n, first)) => {
            let all: Vec<_> = open.iter().map(|(_, figure)| *figure).collect();
            format!("Undecided: {}; about {n} more {} would settle {first}.", listed(&all), unit(r))
        }
    };
    format!("{better}{worse}{open}").trim_end().into()
}

/// The label that is found worst, and the one that least is known about.
fn least_certain(m: &ModelReport) -> String {
    let of = |l: &String| Some((l.clone(), *m.figures.get(&format!("ap_0.33/{l}"))?));
    let all: Vec<(String, Estimate)> = m.labels.iter().filter_map(of).collect();
    let worst = all.iter().min_by(|a, b| a.1.value.total_cmp(&b.1.value));
    let width = |e: &Estimate| e.interval.map(|[low, high]| high - low);
    let wide = all.iter().filter_map(|(l, e)| Some((l, width(e)?))).max_by(|a, b| a.1.total_cmp(&b.1));
    let worst = worst.map(|(label, e)| format!("Found worst: {label}, AP 0.33 {:.3}. ", e.value)).unwrap_or_default();
    let wide = wide.map(|(label, width)| format!("Least certain: {label}, within {width:.3}.")).unwrap_or_default();
    format!("{worst}{wide}").trim_end().into()
}

fn listed(names: &[&str]) -> String {
    let beyond = names.len().saturating_sub(MOST_NAMED);
    let mut named: Vec<String> = names.iter().take(MOST_NAMED).map(|n| (*n).to_string()).collect();
    if beyond > 0 {
        named.push(format!("{beyond} more"));
    }
    match named.pop() {
        Some(last) if !named.is_empty() => format!("{} and {last}", named.join(", ")),
        last => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(figure: &str, result: CheckResult, more: Option<u64>) -> Check {
        Check { figure: figure.into(), demand: "at least 1".into(), result, found: "0.5".into(), more }
    }

    #[test]
    fn what_is_open_is_the_headline_with_the_parts_that_it_takes() {
        let open = |n: u64| check(&format!("ap_0.33/{n}"), CheckResult::Undecided, Some(10 * n));
        let mut checks = vec![check("recall", CheckResult::Passed, None), open(1), open(4), open(2), open(3)];
        let mut said = |more: Option<Check>| {
            checks.extend(more);
            stopped("pcb 2", &Checks { model: Default::default(), passed: false, checks: checks.clone() }, "parts")
        };
        let (headline, why) = said(None);
        assert_eq!(
            headline,
            "pcb 2 may not go to the line yet, ap_0.33/1, ap_0.33/4, ap_0.33/2 and 1 more undecided: about 40 more parts"
        );
        assert!(why.starts_with("ap_0.33/1 (at least 1): 0.5. ") && why.ends_with(" 1 more do not hold."), "{why}");
        let (headline, why) = said(Some(check("f1", CheckResult::Failed, None)));
        assert_eq!(headline, "pcb 2 may not go to the line: f1 failed");
        assert!(why.starts_with("f1 "), "what failed comes first: {why}");
    }
}
