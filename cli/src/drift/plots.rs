// SPDX-License-Identifier: MPL-2.0
//! The record as plots: a strip of states, and a small plot for each feature with its expected band.

use andon_report::{Band, Lines, Mark, Series, Span, Stretch, Strip, WIDTH, key, panel, words::effect};
use andon_statistics::meter::State;
use maud::{Markup, html};

use super::{
    course::{Change, Course, Feature},
    words,
};

/// Half the height of the expected band, in σ around the mean of the reference.
const SIGMAS: f64 = 3.0;
/// States, and the meaning of their colours.
const STATES: [(State, &str); 5] = [
    (State::Learning, "learning"),
    (State::Provisional, "not learned enough to alarm"),
    (State::Ok, "as learned"),
    (State::Warning, "off for one tick"),
    (State::Drift, "drift"),
];

/// Known events on the line, drawn behind and above the plots.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Chapters behind the plots.
    pub stretches: Vec<Stretch>,
    /// Events, shown above the states.
    pub marks: Vec<Mark>,
}

/// The whole record as plots.
pub fn plots(course: &Course, scene: &Scene) -> Markup {
    let x = x_range(course, scene);
    let known = |f: &&Feature| f.points.iter().filter(|p| p.1.is_finite()).count() > 1;
    let (mut cells, mut others): (Vec<_>, Vec<_>) =
        course.features.iter().filter(known).partition(|f| words::cell(&f.name).is_some());
    let none = cells.is_empty() && others.is_empty();
    // Only features that were off have an order of their own.
    let off = |f: &Feature| if f.off { f.largest.abs() } else { -1.0 };
    others.sort_by(|a, b| off(b).total_cmp(&off(a)));
    cells.sort_by_key(|f| words::cell(&f.name));
    // One scale, so that cells can be compared like places in a picture.
    let all = cells.iter().flat_map(|f| f.points.iter().map(|p| p.1)).filter(|v| v.is_finite());
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let y = ((low * 10.0).floor() / 10.0, (high * 10.0).floor() / 10.0 + 0.1);
    html! {
        (strip(course, scene, x))
        @if none {
            p.small {
                "There are not enough reports for lines over frames: set report-interval of driftmeter."
            }
        } @else {
            h3 { "Features over frames" }
            p { (key("expected", "expected")) (key("in-alarm", "in alarm")) }
            p.small {
                "The band is the mean of the reference, ± " (format_args!("{SIGMAS:.0}")) " σ of a tick. While the meter \
                 learns, a point is a frame; afterwards it is the mean of a tick. Features that were significantly off in \
                 an alarm stand first, each with its largest effect."
            }
            div.multiples { @for f in others { (multiple(course, scene, f, x, (WIDTH / 2.0, 130.0), None)) } }
            @if !cells.is_empty() {
                h3 { "Luma by place in the frame" }
                div.multiples.cells {
                    @for f in cells { (multiple(course, scene, f, x, (WIDTH / 3.2, 120.0), Some(y))) }
                }
            }
        }
    }
}

fn x_range(course: &Course, scene: &Scene) -> (f64, f64) {
    let (first, last) = (course.span.0 as f64, course.span.1 as f64);
    let spans = || scene.stretches.iter().map(|s| s.span);
    let from = spans().map(|s| s.0).fold(first, f64::min);
    let to = spans().map(|s| s.1).fold(last, f64::max);
    (from, to.max(from + 1.0))
}

fn strip(course: &Course, scene: &Scene, x: (f64, f64)) -> Markup {
    let span = |(change, (from, to)): (&Change, (u64, u64))| {
        let state = change.state.as_str();
        let name = if change.cause.is_empty() { state } else { change.cause };
        Span { span: (from as f64, to as f64), class: state.into(), name: name.into() }
    };
    let mut marks = scene.marks.clone();
    marks.extend(alarms(course, |cause| format!("alarm: {cause}")));
    let strip = Strip {
        title: "The meter's state over frames".into(),
        x,
        spans: course.states().map(span).collect(),
        stretches: scene.stretches.clone(),
        marks,
    };
    let keys = html! { @for (state, what) in STATES { (key(&format!("state {}", state.as_str()), what)) } };
    panel(keys, strip.svg())
}

fn alarms(course: &Course, text: impl Fn(&str) -> String) -> impl Iterator<Item = Mark> {
    let mark = move |alarm: super::course::Alarm| Mark {
        x: alarm.began.number as f64,
        text: text(alarm.began.cause),
        class: "alarm",
    };
    course.alarms().into_iter().map(mark)
}

fn multiple(
    course: &Course,
    scene: &Scene,
    feature: &Feature,
    x: (f64, f64),
    (width, height): (f64, f64),
    y: Option<(f64, f64)>,
) -> Markup {
    let (words, what) = match words::cell(&feature.name) {
        Some((row, column)) => (format!("Row {}, column {}", row + 1, column + 1), ""),
        None => words::feature(&feature.name),
    };
    let words = feature.of.as_ref().map_or(words.clone(), |of| format!("{words}: {of}"));
    let ends = feature.normals.iter().skip(1).map(|n| n.from as f64).chain([course.span.1 as f64]);
    let band = |(normal, end): (&super::course::Normal, f64)| Band {
        span: (normal.from as f64, end),
        y: (normal.mean - SIGMAS * normal.sigma, normal.mean + SIGMAS * normal.sigma),
    };
    let stretches = scene.stretches.iter().map(|s| Stretch { name: String::new(), ..s.clone() });
    let plot = Lines {
        title: format!("{words}, over frames"),
        width,
        height,
        series: vec![Series { name: words.clone(), class: "plain", points: feature.points.clone() }],
        x: Some(x),
        y,
        expected: feature.normals.iter().zip(ends).map(band).collect(),
        alarms: course
            .alarms()
            .iter()
            .map(|a| (a.began.number as f64, a.until.unwrap_or(course.span.1) as f64))
            .collect(),
        stretches: stretches.collect(),
        marks: alarms(course, |cause| cause.to_string()).collect(),
        ..Lines::default()
    };
    html! {
        figure {
            figcaption {
                b { (words) } " " (what)
                @if feature.off { em { (effect(Some(feature.largest))) " σ" } }
            }
            (plot.svg())
        }
    }
}
