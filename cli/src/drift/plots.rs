// SPDX-License-Identifier: MPL-2.0
//! The record as plots over time: a strip of states, and a small plot for each feature with its expected band.

use andon_report::{
    Band, Lines, Mark, Series, Span, Stretch, Strip, WIDTH, key, linked, panel,
    words::{counted, effect},
};
use andon_statistics::meter::State;
use maud::{Markup, html};

use super::{
    course::{Course, Feature},
    times::Scale,
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

/// What all plots of a record share.
struct Page<'a> {
    course: &'a Course,
    scene: &'a Scene,
    scale: Scale,
    /// The range of the x axis.
    x: (f64, f64),
    /// Where the alarms are told, if they are.
    alarms: Option<&'a str>,
}

/// The whole record as plots; `alarms` is where on the page they are told. With events on the line, whose places are numbers of frames, the x axis counts frames.
pub fn plots(course: &Course, scene: &Scene, alarms: Option<&str>) -> Markup {
    let bare = scene.stretches.is_empty() && scene.marks.is_empty();
    let scale = if bare { course.scale() } else { Scale::Frames };
    let page = Page { course, scene, scale, x: x_range(course, scene, scale), alarms };
    let known = |f: &&Feature| f.is_plotted();
    let (mut cells, others): (Vec<_>, Vec<_>) =
        course.features.iter().filter(known).partition(|f| words::cell(&f.name).is_some());
    let none = cells.is_empty() && others.is_empty();
    // Only features that were off have an order of their own.
    let off = |f: &Feature| if f.off { f.largest.abs() } else { -1.0 };
    let (mut moved, still): (Vec<_>, Vec<_>) = others.into_iter().partition(|f| f.moved);
    moved.sort_by(|a, b| off(b).total_cmp(&off(a)));
    cells.sort_by_key(|f| words::cell(&f.name));
    let cells_moved = cells.iter().any(|f| f.moved);
    let folded = still.len() + if cells_moved { 0 } else { cells.len() };
    html! {
        (page.strip())
        @if none {
            p.small {
                "There are not enough reports for lines over time: set report-interval of driftmeter."
            }
        } @else {
            h3 { "Features over " (if scale == Scale::Frames { "frames" } else { "time" }) }
            p { (key("expected", "expected")) (key("in-alarm", "in alarm")) }
            p.small {
                "The band is the mean of the reference, ± " (format_args!("{SIGMAS:.0}")) " σ of a tick. While the meter \
                 learns, a point is a frame; afterwards it is the mean of a tick. Features that were significantly off in \
                 an alarm stand first, each with its largest effect. Those that never moved are folded away."
            }
            div.multiples { @for f in moved { (page.multiple(f, (WIDTH / 2.0, 130.0), None)) } }
            @if cells_moved { (page.cells(&cells)) }
            @if folded > 0 {
                details.still {
                    summary { (counted(folded as u64, "feature", "features")) " that never moved" }
                    div.multiples { @for f in still { (page.multiple(f, (WIDTH / 2.0, 130.0), None)) } }
                    @if !cells_moved && !cells.is_empty() { (page.cells(&cells)) }
                }
            }
        }
    }
}

fn x_range(course: &Course, scene: &Scene, scale: Scale) -> (f64, f64) {
    let [first, last] = [course.span.0, course.span.1].map(|number| course.x(number, scale));
    let spans = || scene.stretches.iter().map(|s| s.span);
    let from = spans().map(|s| s.0).fold(first, f64::min);
    let to = spans().map(|s| s.1).fold(last, f64::max);
    (from, to.max(from + 1.0))
}

impl Page<'_> {
    fn x(&self, number: u64) -> f64 {
        self.course.x(number, self.scale)
    }

    fn strip(&self) -> Markup {
        let spans = self.course.states().map(|(change, (from, to))| {
            let state = change.state.as_str();
            let name = if change.cause.is_empty() { state } else { change.cause };
            Span { span: (self.x(from), self.x(to)), class: state.into(), name: name.into() }
        });
        let mut marks = self.scene.marks.clone();
        marks.extend(self.alarm_marks(|cause| format!("alarm: {cause}")));
        let strip = Strip {
            title: "The meter's state".into(),
            width: WIDTH,
            across: self.scale.across(),
            x: self.x,
            spans: spans.collect(),
            stretches: self.scene.stretches.clone(),
            marks,
        };
        let seen = |state: State| self.course.changes.iter().any(|c| c.state == state);
        let keys = html! {
            @for (state, what) in STATES.into_iter().filter(|(state, _)| seen(*state)) {
                (key(&format!("state {}", state.as_str()), what))
            }
        };
        panel(keys, |width| Strip { width, ..strip.clone() }.svg())
    }

    fn alarm_marks(&self, text: impl Fn(&str) -> String) -> impl Iterator<Item = Mark> {
        let mark = move |alarm: super::course::Alarm| Mark {
            x: self.x(alarm.began.number),
            text: text(alarm.began.cause),
            class: "alarm",
        };
        self.course.alarms().into_iter().map(mark)
    }

    /// The cells of brightness as they lie in the frame.
    fn cells(&self, cells: &[&Feature]) -> Markup {
        // One scale, so that cells can be compared like places in a picture.
        let all = cells.iter().flat_map(|f| f.points.iter().map(|p| p.1)).filter(|v| v.is_finite());
        let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let y = ((low * 10.0).floor() / 10.0, (high * 10.0).floor() / 10.0 + 0.1);
        html! {
            h3 { "Luma by place in the frame" }
            p.small { "All on one scale, " (format_args!("{:.1}", y.0)) " to " (format_args!("{:.1}", y.1)) "." }
            div.multiples.cells {
                @for f in cells { (self.multiple(f, (WIDTH / 3.2, 120.0), Some(y))) }
            }
        }
    }

    fn multiple(&self, feature: &Feature, (width, height): (f64, f64), y: Option<(f64, f64)>) -> Markup {
        let course = self.course;
        let (words, what) = match words::cell(&feature.name) {
            Some((row, column)) => (format!("Row {}, column {}", row + 1, column + 1), ""),
            None => words::feature(&feature.name),
        };
        let words = feature.of.as_ref().map_or(words.clone(), |of| format!("{words}: {of}"));
        let ends = feature.normals.iter().skip(1).map(|n| n.from).chain([course.span.1]);
        // No band where no value can be.
        let (least, most) = words::bounds(&feature.name);
        let band = |(normal, end): (&super::course::Normal, u64)| Band {
            span: (self.x(normal.from), self.x(end)),
            y: (
                (normal.mean - SIGMAS * normal.sigma).clamp(least, most),
                (normal.mean + SIGMAS * normal.sigma).clamp(least, most),
            ),
        };
        let stretches = self.scene.stretches.iter().map(|s| Stretch { name: String::new(), ..s.clone() });
        let points = feature.points.iter().map(|(number, value)| (self.x(*number as u64), *value));
        let plot = Lines {
            title: words.clone(),
            width,
            height,
            series: vec![Series { name: words.clone(), class: "plain", points: points.collect() }],
            x: Some(self.x),
            across: self.scale.across(),
            y,
            expected: feature.normals.iter().zip(ends).map(band).collect(),
            alarms: course
                .alarms()
                .iter()
                .map(|a| (self.x(a.began.number), self.x(a.until.map_or(course.span.1, |place| place.number))))
                .collect(),
            stretches: stretches.collect(),
            marks: self.alarm_marks(|cause| cause.to_string()).collect(),
            ..Lines::default()
        };
        html! {
            figure id=[self.course.plot_of(&feature.name)] {
                figcaption {
                    b { (words) } " " (what)
                    @if feature.off { em { (linked(&format!("{} σ", effect(Some(feature.largest))), self.alarms)) } }
                }
                (plot.svg())
            }
        }
    }
}
