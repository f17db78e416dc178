// SPDX-License-Identifier: MPL-2.0
//! The report's plots: lines over time, and bars by label and by truth.

use andon_report::{Bar, Bars, Lines, Mark, Series, key, legend, panel, verdict_legend, words::share};
use maud::{Markup, html};

use super::{
    figures::{Arms, Figures},
    log::Point,
    tables,
};

/// Least number of parts of a point: fewer make a line of noise.
const PARTS_A_POINT: u64 = 20;

/// Agreement over frames, or None if the run was too short for a line.
pub fn agreement(history: &[Point]) -> Option<Markup> {
    let points = shares(history, |p| (p.agreed, p.compared));
    let least = points.iter().map(|p| p.1).filter(|y| y.is_finite()).fold(0.5, f64::min);
    let series = vec![Series { name: "parts on which both give the same verdict".into(), class: "plain", points }];
    over_frames(
        "Agreement of both models over frames",
        Some(((least * 10.0).floor() / 10.0, 1.0)),
        true,
        series,
        history,
    )
}

/// The share of parts called ng over frames, of each arm.
pub fn ng_rates(history: &[Point]) -> Option<Markup> {
    let of_a = shares(history, |p| (p.ng.a, p.judged.a));
    let of_b = shares(history, |p| (p.ng.b, p.judged.b));
    let most = of_a.iter().chain(&of_b).map(|p| p.1).filter(|y| y.is_finite()).fold(0.1, f64::max);
    let series = vec![
        Series { name: "a: champion".into(), class: "arm-a", points: of_a },
        Series { name: "b: challenger".into(), class: "arm-b", points: of_b },
    ];
    over_frames("Share of parts called ng over frames", Some((0.0, (most * 10.0).ceil() / 10.0)), true, series, history)
}

/// Median and p99 of both arms' latencies over frames, ms.
pub fn latency(history: &[Point]) -> Option<Markup> {
    let line = |name: &str, class, of: fn(&Point) -> Arms<u64>, arm: fn(Arms<u64>) -> u64| {
        let known = history.iter().filter(|p| arm(of(p)) > 0);
        let points = known.map(|p| (p.frames as f64, arm(of(p)) as f64 / 1000.0)).collect();
        Series { name: name.into(), class, points }
    };
    let series = vec![
        line("a: median", "arm-a", |p| p.p50, |v| v.a),
        line("b: median", "arm-b", |p| p.p50, |v| v.b),
        line("a: p99", "arm-a tail", |p| p.p99, |v| v.a),
        line("b: p99", "arm-b tail", |p| p.p99, |v| v.b),
    ];
    let most = series.iter().flat_map(|s| &s.points).map(|p| p.1).fold(1.0, f64::max);
    over_frames("Latency of both models over frames, ms", Some((0.0, most * 1.05)), false, series, history)
}

/// Boxes by label and by the arm that found them, or None if there are none.
pub fn classes(ab: Figures<'_>) -> Option<Markup> {
    let bar = |(label, f): (&str, Figures<'_>)| Bar {
        group: String::new(),
        name: label.into(),
        segments: vec![("both", f.count("/matched")), ("only-a", f.count("/a_only")), ("only-b", f.count("/b_only"))],
    };
    let bars: Vec<_> = tables::classes_of(ab).into_iter().map(bar).collect();
    let keys = html! { (key("both", "found by both")) (key("only-a", "only a")) (key("only-b", "only b")) };
    let title = "Boxes by label: found by both, only by a, only by b".into();
    let plot = Bars { title, bars };
    (!plot.bars.is_empty()).then(|| panel(keys, |width| plot.svg(width)))
}

/// Parts by verdict and truth, of each arm.
pub fn truth(ab: Figures<'_>) -> Markup {
    let bar = |(arm, name): (&str, &str)| {
        let counts = ["passed", "caught", "escapes", "overkill", "undecided"];
        Bar::verdicts(String::new(), name.into(), counts.map(|of| ab.count(&format!("/truth/{arm}/{of}"))))
    };
    let bars = [("a", "a: champion"), ("b", "b: challenger")].map(bar).to_vec();
    let plot = Bars { title: "Parts by verdict and truth, of each model".into(), bars };
    panel(verdict_legend(), |width| plot.svg(width))
}

/// The share that `of` counts between two moments, at the later one. A change of a model leaves a gap.
fn shares(history: &[Point], of: impl Fn(&Point) -> (u64, u64)) -> Vec<(f64, f64)> {
    let (mut points, mut since, mut comparison) = (Vec::new(), (0, 0), None);
    for (i, point) in history.iter().enumerate() {
        let now = of(point);
        // Counting begins anew with another model, and when abjoin is reset.
        if comparison != Some(point.comparison) || now.1 < since.1 || now.0 < since.0 {
            if comparison.is_some() {
                points.push((point.frames as f64, f64::NAN));
            }
            (since, comparison) = ((0, 0), Some(point.comparison));
        }
        let last = history.get(i + 1).is_none_or(|next| next.comparison != point.comparison);
        let parts = now.1 - since.1;
        // A short comparison has one point all the same.
        if parts >= PARTS_A_POINT || (last && since == (0, 0) && parts > 0) {
            points.push((point.frames as f64, share(now.0 - since.0, parts).unwrap_or(f64::NAN)));
            since = now;
        }
    }
    points
}

fn over_frames(
    title: &str,
    y: Option<(f64, f64)>,
    percent: bool,
    series: Vec<Series>,
    history: &[Point],
) -> Option<Markup> {
    let known = |s: &Series| s.points.iter().filter(|p| p.1.is_finite()).count() > 1;
    if !series.iter().any(known) {
        return None;
    }
    let changed = history.windows(2).filter(|w| w[0].comparison != w[1].comparison);
    let mark = |w: &[Point]| Mark { x: w[1].frames as f64, text: "another model".into(), class: "done" };
    let keys = legend(&series);
    let plot = Lines {
        title: title.into(),
        height: 190.0,
        series,
        y,
        marks: changed.map(mark).collect(),
        percent,
        ..Lines::default()
    };
    Some(panel(keys, |width| Lines { width, ..plot.clone() }.svg()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(frames: u64, comparison: usize, agreed: u64, compared: u64) -> Point {
        let n = Arms { a: compared, b: compared };
        let ng = Arms { a: compared - agreed, b: 0 };
        Point {
            frames,
            comparison,
            compared,
            agreed,
            judged: n,
            ng,
            p50: Arms { a: 1000, b: 2000 },
            p99: Arms { a: 3000, b: 4000 },
        }
    }

    #[test]
    fn each_point_is_of_the_parts_since_the_one_before() {
        let history = [point(40, 1, 40, 40), point(80, 1, 60, 80), point(85, 1, 60, 85), point(100, 1, 75, 100)];
        assert_eq!(shares(&history, |p| (p.agreed, p.compared)), [(40.0, 1.0), (80.0, 0.5), (100.0, 0.75)]);
    }

    #[test]
    fn another_model_begins_anew_behind_a_gap() {
        let history = [point(30, 1, 30, 30), point(35, 1, 30, 35), point(45, 2, 5, 10)];
        let shares = shares(&history, |p| (p.agreed, p.compared));
        assert_eq!((shares.len(), shares[0], shares[2]), (3, (30.0, 1.0), (45.0, 0.5)), "five parts are too few");
        assert!(shares[1].1.is_nan());
        assert!(agreement(&history).unwrap().into_string().contains("another model"));
    }

    #[test]
    fn a_line_takes_two_points() {
        assert!(agreement(&[point(30, 1, 30, 30)]).is_none() && latency(&[]).is_none());
        let svg = latency(&[point(30, 1, 30, 30), point(60, 1, 30, 60)]).unwrap().into_string();
        assert_eq!(svg.matches("<path").count(), 8, "four lines for wide and for narrow screens");
        assert!(ng_rates(&[point(30, 1, 30, 30), point(60, 1, 30, 60)]).unwrap().into_string().contains("line arm-b"));
    }

    #[test]
    fn bars_of_labels_say_who_saw_what() {
        let ab = serde_json::json!({"classes": {"open": {"matched": 40, "a_only": 0, "b_only": 10}}});
        let svg = classes(Figures(&ab)).unwrap().into_string();
        assert!(svg.contains("segment both") && svg.contains("segment only-b") && !svg.contains("segment only-a"));
        assert!(classes(Figures(&serde_json::json!({"classes": {}}))).is_none());
    }
}
