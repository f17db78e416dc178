// SPDX-License-Identifier: MPL-2.0
//! The axes of plots over frames or over time, and what stands along them: stretches with a name, and marks.

use maud::{Markup, html};

use crate::{svg::Px, words};

/// Width of a plot that has its row to itself, in units of the plot. The page scales it.
pub const WIDTH: f64 = 960.0;
/// Room left of a plot for the numbers of the y axis.
pub(crate) const LEFT: f64 = 52.0;
/// Room right of a plot.
pub(crate) const RIGHT: f64 = 12.0;
/// Room above a plot for the names of stretches.
pub(crate) const TOP: f64 = 20.0;
/// Height of a row of marks.
pub(crate) const ROW: f64 = 14.0;
/// Approximate width of a character.
pub(crate) const CHARACTER: f64 = 6.4;

/// A stretch of the x axis with a name, such as a chapter.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Where it begins and ends, frames.
    pub span: (f64, f64),
    /// The text above it.
    pub name: String,
}

/// An event at one frame.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The frame.
    pub x: f64,
    /// The text beside its line.
    pub text: String,
    /// The style's class for its colour.
    pub class: &'static str,
}

/// The row of a mark's text, from the top, and the side of the line that it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    row: usize,
    left: bool,
}

/// Marks with a place for each text, so that no two overlap.
pub(crate) struct Marks<'a> {
    marks: &'a [Mark],
    places: Vec<Place>,
}

impl<'a> Marks<'a> {
    /// Places the texts. `across` maps a frame to its place in a plot of `width` units.
    pub(crate) fn new(marks: &'a [Mark], width: f64, across: impl Fn(f64) -> f64) -> Self {
        let mut ends: Vec<f64> = Vec::new();
        let mut order: Vec<_> = (0..marks.len()).collect();
        order.sort_by(|i, j| marks[*i].x.total_cmp(&marks[*j].x));
        let mut places = vec![Place { row: 0, left: false }; marks.len()];
        for i in order {
            let room = CHARACTER * marks[i].text.chars().count() as f64 + 8.0;
            let x = across(marks[i].x);
            let left = x + room > width;
            let (from, to) = if left { (x - room, x) } else { (x, x + room) };
            let row = ends.iter().position(|end| *end <= from).unwrap_or(ends.len());
            if row == ends.len() {
                ends.push(to);
            }
            ends[row] = to;
            places[i] = Place { row, left };
        }
        Self { marks, places }
    }

    /// Height of all rows.
    pub(crate) fn height(&self) -> f64 {
        ROW * self.places.iter().map(|place| place.row + 1).max().unwrap_or(0) as f64
    }

    /// The marks. Rows begin at `above`; `line` maps the baseline of a text to where its line begins and ends.
    pub(crate) fn svg(&self, across: impl Fn(f64) -> f64, above: f64, line: impl Fn(f64) -> (f64, f64)) -> Markup {
        html! {
            @for (mark, place) in self.marks.iter().zip(&self.places) {
                @let x = across(mark.x);
                @let baseline = above + ROW * place.row as f64 + 11.0;
                @let (top, bottom) = line(baseline);
                @let (anchor, text_x) = if place.left { ("end", x + 1.0) } else { ("start", x - 1.0) };
                line.mark.(mark.class) x1=(Px(x)) x2=(Px(x)) y1=(Px(top)) y2=(Px(bottom)) {}
                text.mark-text.(mark.class) text-anchor=(anchor) x=(Px(text_x)) y=(Px(baseline)) { (mark.text) }
            }
        }
    }
}

/// Round numbers between `low` and `high`, about `wanted` of them.
pub(crate) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let raw = (high - low) / wanted.max(1) as f64;
    if raw <= 0.0 || !raw.is_finite() {
        return vec![low];
    }
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= raw * 0.999).unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// What the x axis counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Across {
    /// Frames.
    #[default]
    Frames,
    /// Seconds since the beginning of the stream.
    Seconds,
    /// Seconds since 1970, UTC, told by a clock that is so many seconds ahead of UTC.
    Clock {
        /// The seconds.
        ahead_s: i64,
    },
}

/// Steps of a time axis, seconds.
const STEPS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0, 21600.0,
    43200.0, 86400.0, 172_800.0, 604_800.0,
];

impl Across {
    /// Says where a place on the axis is.
    pub(crate) fn told(self, x: f64) -> String {
        match self {
            Across::Frames => format!("frame {x:.0}"),
            Across::Seconds => words::elapsed(x),
            Across::Clock { ahead_s } => words::clock(x + ahead_s as f64, true),
        }
    }

    /// Returns places between `low` and `high`, about `wanted` of them, and what is written there.
    pub(crate) fn ticks(self, low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
        let ahead = match self {
            Across::Clock { ahead_s } => ahead_s as f64,
            Across::Frames | Across::Seconds => 0.0,
        };
        let raw = (high - low) / wanted.max(1) as f64;
        let weeks = (raw / 604_800.0).ceil() * 604_800.0;
        let step = STEPS.into_iter().chain([weeks]).find(|step| *step >= raw * 0.999 && raw > 0.2 && raw.is_finite());
        let (Some(step), true) = (step, self != Across::Frames) else {
            // Frames, and fractions of a second.
            let places = ticks(low + ahead, high + ahead, wanted);
            let written = |v: f64| match self {
                Across::Clock { .. } => words::clock(v, true),
                _ if high - low < 10.0 => number(v, high - low),
                _ => format!("{v:.0}"),
            };
            return places.into_iter().map(|v| (v - ahead, written(v))).collect();
        };
        let (first, last) = (((low + ahead) / step).ceil() as i64, ((high + ahead) / step + 1e-9).floor() as i64);
        let written = |v: f64| match self {
            Across::Clock { .. } if step >= 86400.0 => words::date(v),
            Across::Clock { .. } => words::clock(v, step < 60.0),
            _ => words::elapsed(v),
        };
        (first..=last).map(|i| i as f64 * step).map(|v| (v - ahead, written(v))).collect()
    }
}

/// Events in words, such as ` Marked: alarm at frame 303.`; empty if there are none.
pub(crate) fn events(marks: &[Mark], across: Across) -> String {
    if marks.is_empty() {
        return String::new();
    }
    let all: Vec<_> = marks.iter().map(|mark| format!("{} at {}", mark.text, across.told(mark.x))).collect();
    format!(" Marked: {}.", all.join("; "))
}

/// A number with as many digits as tell the ticks of a `span` apart.
pub(crate) fn number(v: f64, span: f64) -> String {
    let digits = if span > 0.0 { (1.0 - span.log10().floor()).clamp(0.0, 6.0) as usize } else { 2 };
    format!("{v:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 930.0, 10), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0]);
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
    }

    #[test]
    fn a_time_axis_has_round_times_of_the_clock_at_the_line() {
        let told = |across: Across, low, high| {
            across.ticks(low, high, 4).into_iter().map(|(x, text)| format!("{x:.0} {text}")).collect::<Vec<_>>()
        };
        // 13:03:12 UTC is 14:03:12 an hour ahead.
        let clock = Across::Clock { ahead_s: 3600 };
        let from = 1_772_456_592.0;
        assert_eq!(
            told(clock, from, from + 100.0),
            ["1772456610 14:03:30", "1772456640 14:04:00", "1772456670 14:04:30"]
        );
        assert_eq!(
            told(clock, from, from + 3.0 * 3600.0),
            ["1772460000 15:00", "1772463600 16:00", "1772467200 17:00"]
        );
        assert_eq!(told(clock, from, from + 4.0 * 86400.0)[0], "1772492400 03-03");
        assert_eq!(told(Across::Seconds, 0.0, 400.0), ["0 0:00", "120 2:00", "240 4:00", "360 6:00"]);
        assert_eq!(told(Across::Seconds, 0.0, 0.5).len(), 3);
        assert_eq!(told(Across::Frames, 0.0, 400.0).last().unwrap(), "400 400");
        for broken in [(0.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(told(clock, broken.0, broken.1).len() < 20, "{broken:?}");
        }
    }

    #[test]
    fn what_marks_say_never_overlaps() {
        let mark = |x: f64| Mark { x, text: "alarm: lighting".into(), class: "alarm" };
        let marks = [mark(0.0), mark(10.0), mark(500.0), mark(950.0)];
        let places = Marks::new(&marks, WIDTH, |x| x).places.iter().map(|p| (p.row, p.left)).collect::<Vec<_>>();
        assert_eq!(places, [(0, false), (1, false), (0, false), (0, true)], "the last has no room on its right");
    }
}
