// SPDX-License-Identifier: MPL-2.0
//! Lines over frames, with chapters behind them.
//!
//! Colours are classes of the page's style, so that one plot serves light and dark. Lines of different arms also differ
//! in dash, and kinds of bars in hatching, for readers who cannot tell colours apart.

use std::fmt::Write;

use maud::{Markup, html};

use crate::{
    axis::{Across, LEFT, Mark, Marks, RIGHT, Stretch, TOP, WIDTH, events, number, ticks},
    page::key,
    svg::{Px, drawing},
};

/// Room above a plot in which no stretch has a name.
const BARE_TOP: f64 = 6.0;
/// Room below a plot for the numbers of the x axis.
const BOTTOM: f64 = 22.0;
/// Least distance between two numbers of the x axis.
const BETWEEN_TICKS: f64 = 88.0;
/// Most points of a line; a screen shows no more.
const MOST_POINTS: usize = 1200;

/// A line.
#[derive(Clone, Debug)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// The style's class for the colour.
    pub class: &'static str,
    /// x (frames) and y; a NaN leaves a gap.
    pub points: Vec<(f64, f64)>,
}

/// Where lines are expected, over a stretch of the x axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Where it begins and ends, frames.
    pub span: (f64, f64),
    /// Its lower and upper edge.
    pub y: (f64, f64),
}

/// Lines over frames.
#[derive(Clone, Debug)]
pub struct Lines {
    /// What the plot shows.
    pub title: String,
    /// Width in units of [`WIDTH`], which is the whole row.
    pub width: f64,
    /// Height in the same units.
    pub height: f64,
    /// The lines.
    pub series: Vec<Series>,
    /// The range of the y axis; None follows the data.
    pub y: Option<(f64, f64)>,
    /// The range of the x axis; None follows the data.
    pub x: Option<(f64, f64)>,
    /// What the x axis counts.
    pub across: Across,
    /// Bands that the lines are expected in.
    pub expected: Vec<Band>,
    /// Stretches of alarm, shaded.
    pub alarms: Vec<(f64, f64)>,
    /// Stretches behind the lines.
    pub stretches: Vec<Stretch>,
    /// Events.
    pub marks: Vec<Mark>,
    /// Whether the y axis shows shares, 0..1, in percent.
    pub percent: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            title: String::new(),
            width: WIDTH,
            height: 190.0,
            series: Vec::new(),
            y: None,
            x: None,
            across: Across::default(),
            expected: Vec::new(),
            alarms: Vec::new(),
            stretches: Vec::new(),
            marks: Vec::new(),
            percent: false,
        }
    }
}

/// The legend of a plot: an entry for each line.
pub fn legend(series: &[Series]) -> Markup {
    html! { @for s in series { (key(&format!("line-key {}", s.class), &s.name)) } }
}

/// A plot's area: ranges of both axes, and where they lie in the drawing.
struct Area {
    x: (f64, f64),
    y: (f64, f64),
    width: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn across(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (self.width - LEFT - RIGHT)
    }

    fn down(&self, y: f64) -> f64 {
        let share = (y - self.y.0) / (self.y.1 - self.y.0);
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

impl Lines {
    /// The plot.
    pub fn svg(&self) -> Markup {
        let mut area =
            Area { x: self.x_range(), y: self.y_range(), width: self.width, top: 0.0, bottom: self.height - BOTTOM };
        let marks = Marks::new(&self.marks, self.width, |x| area.across(x));
        let above = if self.stretches.iter().all(|s| s.name.is_empty()) { BARE_TOP } else { TOP };
        let height = self.height + marks.height();
        (area.top, area.bottom) = (above + marks.height(), height - BOTTOM);
        let content = html! {
            (self.behind(&area))
            (self.axes(&area, height))
            @for series in &self.series {
                path.line.(series.class) d=(path(&thinned(&series.points), &area)) {}
            }
            (marks.svg(|x| area.across(x), above, |_| (area.top, area.bottom)))
        };
        drawing(&self.title, &self.said(), self.width, height, &content)
    }

    /// The plot in words: each line's first and last value and its range, what was expected, and the events.
    fn said(&self) -> String {
        let (low, high) = self.y_range();
        let value = |v: f64| if self.percent { format!("{:.0} %", v * 100.0) } else { number(v, high - low) };
        let line = |s: &Series| {
            let known: Vec<_> = s.points.iter().filter(|p| p.1.is_finite()).collect();
            let name = if s.name == self.title { String::new() } else { format!("{}: ", s.name) };
            let (Some(first), Some(last)) = (known.first(), known.last()) else { return format!("{name}no value") };
            let (least, most) = range(known.iter().map(|p| p.1)).unwrap_or_default();
            format!(
                "{name}{} at first, {} at last, between {} and {}",
                value(first.1),
                value(last.1),
                value(least),
                value(most)
            )
        };
        let lines: Vec<_> = self.series.iter().map(line).collect();
        let expected =
            self.expected.last().map(|band| format!(" Expected: {} to {}.", value(band.y.0), value(band.y.1)));
        format!(
            "{}. {}.{}{}",
            self.title,
            lines.join("; "),
            expected.unwrap_or_default(),
            events(&self.marks, self.across)
        )
    }

    /// Stretches, bands and alarms.
    fn behind(&self, area: &Area) -> Markup {
        let bands = self.expected.iter().map(|band| ("expected", *band));
        let alarms = self.alarms.iter().map(|span| ("in-alarm", Band { span: *span, y: area.y }));
        html! {
            @for (i, stretch) in self.stretches.iter().enumerate() {
                @let (from, to) = (area.across(stretch.span.0), area.across(stretch.span.1));
                rect.stretch.(if i % 2 == 0 { "even" } else { "odd" })
                    x=(Px(from)) y=(area.top) width=(Px(to - from)) height=(Px(area.bottom - area.top)) {}
                text.stretch-name x=(Px((from + to) / 2.0)) y="13" { (stretch.name) }
            }
            @for (class, Band { span, y: (low, high) }) in bands.chain(alarms) {
                @let (left, right) = (area.across(span.0.max(area.x.0)), area.across(span.1.min(area.x.1)));
                @let (top, bottom) = (area.down(high.min(area.y.1)), area.down(low.max(area.y.0)));
                rect class=(class) x=(Px(left)) y=(Px(top))
                    width=(Px((right - left).max(0.0))) height=(Px((bottom - top).max(1.0))) {}
            }
        }
    }

    fn axes(&self, area: &Area, height: f64) -> Markup {
        let ((x0, x1), (y0, y1)) = (area.x, area.y);
        let on_y = |v: f64| if self.percent { format!("{:.0} %", v * 100.0) } else { number(v, y1 - y0) };
        html! {
            @for v in ticks(y0, y1, if height < 150.0 { 4 } else { 5 }) {
                @let y = area.down(v);
                line.grid x1=(LEFT) x2=(Px(self.width - RIGHT)) y1=(Px(y)) y2=(Px(y)) {}
                text.tick.y x=(Px(LEFT - 6.0)) y=(Px(y + 4.0)) { (on_y(v)) }
            }
            @for (v, written) in self.across.ticks(x0, x1, (self.width / BETWEEN_TICKS) as usize) {
                text.tick.x x=(Px(area.across(v))) y=(Px(height - 6.0)) { (written) }
            }
        }
    }

    fn x_range(&self) -> (f64, f64) {
        if let Some(x) = self.x {
            return x;
        }
        let xs = self.series.iter().flat_map(|s| s.points.iter().map(|p| p.0));
        let ends = self.stretches.iter().flat_map(|s| [s.span.0, s.span.1]);
        range(xs.chain(ends)).map_or((0.0, 1.0), |(low, high)| if high > low { (low, high) } else { (low, low + 1.0) })
    }

    fn y_range(&self) -> (f64, f64) {
        if let Some(y) = self.y {
            return y;
        }
        let ys = self.series.iter().flat_map(|s| s.points.iter().map(|p| p.1));
        let expected = self.expected.iter().flat_map(|band| [band.y.0, band.y.1]);
        let (low, high) = range(ys.chain(expected)).unwrap_or((0.0, 1.0));
        let room = if high > low { (high - low) * 0.08 } else { low.abs().max(1.0) * 0.1 };
        (low - room, high + room)
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |r, v| match r {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// Every n-th point, at most about [`MOST_POINTS`]; the first and the last stay.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let mut kept: Vec<_> = points.iter().step_by(step).copied().collect();
    if step > 1 && kept.last() != points.last() {
        kept.extend(points.last());
    }
    kept
}

fn path(points: &[(f64, f64)], area: &Area) -> String {
    let mut d = String::new();
    let mut pen_down = false;
    for (x, y) in points {
        if !y.is_finite() {
            pen_down = false;
            continue;
        }
        let (px, py) = (area.across(*x), area.down(*y));
        let _ = write!(d, "{}{px:.1} {py:.1}", if pen_down { "L" } else { "M" });
        pen_down = true;
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(points: &[(f64, f64)]) -> Lines {
        let series = Series { name: "agreement".into(), class: "arm-a", points: points.to_vec() };
        Lines { title: "t".into(), height: 200.0, series: vec![series], ..Lines::default() }
    }

    fn svg(lines: &Lines) -> String {
        lines.svg().into_string()
    }

    fn paths(svg: &str) -> Vec<&str> {
        svg.split("d=\"").skip(1).map(|p| p.split('"').next().unwrap()).collect()
    }

    #[test]
    fn the_first_and_last_frame_lie_on_the_edges_of_the_plot() {
        let svg = svg(&Lines { y: Some((0.0, 1.0)), ..lines(&[(0.0, 0.0), (10.0, 1.0)]) });
        assert_eq!(paths(&svg), ["M52.0 178.0L948.0 6.0"]);
    }

    #[test]
    fn what_is_not_known_leaves_a_gap() {
        let svg = svg(&lines(&[(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 2.0)]));
        assert_eq!(paths(&svg)[0].matches('M').count(), 2);
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn who_cannot_see_the_plot_hears_its_figures() {
        let band = Band { span: (0.0, 3.0), y: (0.25, 0.75) };
        let marks = vec![Mark { x: 2.0, text: "swap".into(), class: "done" }];
        let plot = Lines {
            expected: vec![band],
            marks,
            y: Some((0.0, 1.0)),
            percent: true,
            ..lines(&[(0.0, 0.5), (1.0, 1.0), (3.0, 0.25)])
        };
        let said = "t. agreement: 50 % at first, 25 % at last, between 25 % and 100 %. Expected: 25 % to 75 %. Marked: swap at frame 2.";
        assert!(svg(&plot).contains(&format!("aria-label=\"{said}\"")), "{}", svg(&plot));
        assert!(svg(&lines(&[])).contains("agreement: no value"));
    }

    #[test]
    fn nothing_measured_is_still_a_plot() {
        let svg = svg(&lines(&[]));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && !svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn a_constant_line_has_room_above_and_below() {
        let y = lines(&[(0.0, 5.0), (1.0, 5.0)]).y_range();
        assert!(y.0 < 5.0 && y.1 > 5.0);
    }

    #[test]
    fn the_expected_band_is_within_the_axis() {
        let band = Band { span: (0.5, 1.0), y: (0.0, 10.0) };
        let plot = Lines { expected: vec![band], ..lines(&[(0.0, 4.0), (1.0, 5.0)]) };
        let y = plot.y_range();
        assert!(y.0 <= 0.0 && y.1 >= 10.0);
        assert!(svg(&plot).contains(r#"class="expected" x="500.0""#), "it begins where it holds");
    }

    #[test]
    fn long_lines_are_thinned_and_keep_their_end() {
        let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), 0.0)).collect();
        let kept = thinned(&points);
        assert!(kept.len() <= MOST_POINTS + 1 && kept[0] == points[0] && kept.last() == points.last());
    }

    #[test]
    fn names_cannot_break_the_page() {
        let svg = svg(&Lines { title: "<a & \"b\">".into(), ..lines(&[(0.0, 0.0)]) });
        assert!(svg.contains("&lt;a &amp; &quot;b&quot;&gt;") && !svg.contains("<a &"));
    }
}
