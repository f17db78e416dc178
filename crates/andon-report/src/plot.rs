// SPDX-License-Identifier: MPL-2.0
//! Plots as inline SVG: lines over frames with chapters behind them.
//!
//! Colours are CSS classes of the page, so that one plot serves light and dark; lines of different arms also differ in
//! dash, and kinds of bars in hatching, for those who do not tell colours apart.

use std::fmt::Write;

use super::html::escape;

/// The width of a plot that has its row to itself, in its own units; the page scales it.
pub const WIDTH: f64 = 960.0;
/// Room left of the plot for the numbers of the y axis.
pub const LEFT: f64 = 52.0;
pub const RIGHT: f64 = 12.0;
/// Room above for the chapters' numbers; what marks say stands below them, in lanes.
pub const TOP: f64 = 20.0;
/// The same where no chapter has a name.
const BARE_TOP: f64 = 6.0;
/// Height of a lane of text.
pub const LANE: f64 = 14.0;
/// Width of a character of such text, about.
pub const CHARACTER: f64 = 6.4;
/// Room below for the numbers of the x axis.
pub const BOTTOM: f64 = 22.0;
/// Units between two numbers of the x axis, at least.
const BETWEEN_TICKS: f64 = 88.0;
/// Points beyond this many a line are thinned: more cannot be seen.
const MOST_POINTS: usize = 1200;

/// A line.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is, for the legend.
    pub name: String,
    /// The page's class for its colour.
    pub class: &'static str,
    /// x (frames) and y; a NaN leaves a gap.
    pub points: Vec<(f64, f64)>,
}

/// A stretch of the x axis with a name: a chapter.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Where it begins and ends.
    pub span: (f64, f64),
    /// What stands above it.
    pub name: String,
}

/// An event at one frame.
#[derive(Clone, Debug)]
pub struct Mark {
    /// When.
    pub x: f64,
    /// What; shown beside its line.
    pub text: String,
    /// The page's class for its colour.
    pub class: &'static str,
}

/// Where lines are expected, over a stretch of the x axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Where it begins and ends.
    pub span: (f64, f64),
    /// Its lower and upper edge.
    pub y: (f64, f64),
}

/// Lines over frames.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Said to those who cannot see the plot.
    pub title: String,
    /// Width in units of [`WIDTH`], which is the whole row.
    pub width: f64,
    /// Height in the same units.
    pub height: f64,
    /// The lines.
    pub series: Vec<Series>,
    /// The y axis, when it is not to follow the data.
    pub y: Option<(f64, f64)>,
    /// The x axis, when it is to be longer than the data.
    pub x: Option<(f64, f64)>,
    /// Bands that the lines are expected in.
    pub expected: Vec<Band>,
    /// Stretches of alarm, shaded.
    pub alarms: Vec<(f64, f64)>,
    /// Chapters behind the lines.
    pub stretches: Vec<Stretch>,
    /// Events.
    pub marks: Vec<Mark>,
    /// Numbers of the y axis are shares, to be written in percent.
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
            expected: Vec::new(),
            alarms: Vec::new(),
            stretches: Vec::new(),
            marks: Vec::new(),
            percent: false,
        }
    }
}

impl Lines {
    /// The plot.
    pub fn svg(&self) -> String {
        let x = self.x_range();
        let y = self.y_range();
        let across = |px: f64| LEFT + (px - x.0) / (x.1 - x.0) * (self.width - LEFT - RIGHT);
        let lanes = lanes(&self.marks, self.width, &across);
        let above = if self.stretches.iter().all(|s| s.name.is_empty()) { BARE_TOP } else { TOP };
        let top = above + LANE * lanes.iter().map(|(lane, _)| lane + 1).max().unwrap_or(0) as f64;
        let h = self.height + top - above;
        let at = |px: f64, py: f64| {
            let fy = (py - y.0) / (y.1 - y.0);
            (across(px), h - BOTTOM - fy.clamp(0.0, 1.0) * (h - top - BOTTOM))
        };
        let mut s = open(&self.title, self.width, h);
        for (i, stretch) in self.stretches.iter().enumerate() {
            let (from, to) = (at(stretch.span.0, y.0).0, at(stretch.span.1, y.0).0);
            let class = if i % 2 == 0 { "even" } else { "odd" };
            let _ = write!(
                s,
                r#"<rect class="stretch {class}" x="{from:.1}" y="{top}" width="{:.1}" height="{:.1}"/><text class="stretch-name" x="{:.1}" y="13">{}</text>"#,
                to - from,
                h - top - BOTTOM,
                (from + to) / 2.0,
                escape(&stretch.name)
            );
        }
        let boxes = self.expected.iter().map(|band| ("expected", *band));
        let alarms = self.alarms.iter().map(|span| ("in-alarm", Band { span: *span, y }));
        for (class, Band { span, y: (low, high) }) in boxes.chain(alarms) {
            let (left, top) = at(span.0.max(x.0), high.min(y.1));
            let (right, bottom) = at(span.1.min(x.1), low.max(y.0));
            let _ = write!(
                s,
                r#"<rect class="{class}" x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"/>"#,
                (right - left).max(0.0),
                (bottom - top).max(1.0)
            );
        }
        for v in ticks(y.0, y.1, if h < 150.0 { 4 } else { 5 }) {
            let ty = at(x.0, v).1;
            let number = if self.percent { format!("{:.0} %", v * 100.0) } else { number(v, y.1 - y.0) };
            let _ = write!(
                s,
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{ty:.1}" y2="{ty:.1}"/><text class="tick y" x="{:.1}" y="{:.1}">{number}</text>"#,
                self.width - RIGHT,
                LEFT - 6.0,
                ty + 4.0
            );
        }
        for v in ticks(x.0, x.1, (self.width / BETWEEN_TICKS) as usize) {
            let tx = at(v, y.0).0;
            let text = if x.1 - x.0 < 10.0 { number(v, x.1 - x.0) } else { format!("{v:.0}") };
            let _ = write!(s, r#"<text class="tick x" x="{tx:.1}" y="{:.1}">{text}</text>"#, h - 6.0);
        }
        for series in &self.series {
            let _ = write!(s, r#"<path class="line {}" d="{}"/>"#, series.class, path(&thinned(&series.points), &at));
        }
        for (mark, (lane, left)) in self.marks.iter().zip(lanes) {
            let mx = across(mark.x);
            let text_at = above + LANE * lane as f64 + 11.0;
            let _ = write!(
                s,
                r#"<line class="mark {c}" x1="{mx:.1}" x2="{mx:.1}" y1="{top:.1}" y2="{:.1}"/><text class="mark-text {c}" text-anchor="{}" x="{:.1}" y="{text_at:.1}">{}</text>"#,
                h - BOTTOM,
                if left { "end" } else { "start" },
                if left { mx + 1.0 } else { mx - 1.0 },
                escape(&mark.text),
                c = mark.class
            );
        }
        s + "</svg>"
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

/// A lane for what each mark says, so that no two texts overlap, and whether it stands left of its line.
pub fn lanes(marks: &[Mark], plot_width: f64, across: &impl Fn(f64) -> f64) -> Vec<(usize, bool)> {
    let mut ends: Vec<f64> = Vec::new();
    let mut order: Vec<_> = (0..marks.len()).collect();
    order.sort_by(|i, j| marks[*i].x.total_cmp(&marks[*j].x));
    let mut placed = vec![(0, false); marks.len()];
    for i in order {
        let width = CHARACTER * marks[i].text.chars().count() as f64 + 8.0;
        let x = across(marks[i].x);
        let left = x + width > plot_width;
        let (from, to) = if left { (x - width, x) } else { (x, x + width) };
        let lane = ends.iter().position(|end| *end <= from).unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(to);
        }
        ends[lane] = to;
        placed[i] = (lane, left);
    }
    placed
}

/// The beginning of a plot; `title` is said to those who cannot see it.
pub fn open(title: &str, width: f64, height: f64) -> String {
    let title = escape(title);
    format!(r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}"><title>{title}</title>"#)
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |r, v| match r {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// Round numbers between `low` and `high`, about `wanted` of them.
pub fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
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

/// A number with as many digits as tell the ticks of a `span` apart.
fn number(v: f64, span: f64) -> String {
    let digits = if span > 0.0 { (1.0 - span.log10().floor()).clamp(0.0, 6.0) as usize } else { 2 };
    format!("{v:.digits$}")
}

/// Every n-th point, so many that they can be drawn; the first and the last stay.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let mut kept: Vec<_> = points.iter().step_by(step).copied().collect();
    if step > 1 && kept.last() != points.last() {
        kept.extend(points.last());
    }
    kept
}

fn path(points: &[(f64, f64)], at: &impl Fn(f64, f64) -> (f64, f64)) -> String {
    let mut d = String::new();
    let mut pen_down = false;
    for (x, y) in points {
        if !y.is_finite() {
            pen_down = false;
            continue;
        }
        let (px, py) = at(*x, *y);
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

    fn paths(svg: &str) -> Vec<&str> {
        svg.split("d=\"").skip(1).map(|p| p.split('"').next().unwrap()).collect()
    }

    #[test]
    fn the_first_and_last_frame_lie_on_the_edges_of_the_plot() {
        let svg = Lines { y: Some((0.0, 1.0)), ..lines(&[(0.0, 0.0), (10.0, 1.0)]) }.svg();
        assert_eq!(paths(&svg), ["M52.0 178.0L948.0 6.0"]);
    }

    #[test]
    fn what_is_not_known_leaves_a_gap() {
        let svg = lines(&[(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 2.0)]).svg();
        assert_eq!(paths(&svg)[0].matches('M').count(), 2);
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn nothing_measured_is_still_a_plot() {
        let svg = lines(&[]).svg();
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
        assert!(plot.svg().contains(r#"class="expected" x="500.0""#), "it begins where it holds");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 930.0, 10), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0]);
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
    }

    #[test]
    fn long_lines_are_thinned_and_keep_their_end() {
        let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), 0.0)).collect();
        let kept = thinned(&points);
        assert!(kept.len() <= MOST_POINTS + 1 && kept[0] == points[0] && kept.last() == points.last());
    }

    #[test]
    fn what_marks_say_never_overlaps() {
        let mark = |x: f64| Mark { x, text: "alarm: lighting".into(), class: "alarm" };
        let lanes = lanes(&[mark(0.0), mark(10.0), mark(500.0), mark(950.0)], WIDTH, &|x| x);
        assert_eq!(lanes, [(0, false), (1, false), (0, false), (0, true)], "the last has no room on its right");
    }

    #[test]
    fn names_cannot_break_the_page() {
        let svg = Lines { title: "<a & \"b\">".into(), ..lines(&[(0.0, 0.0)]) }.svg();
        assert!(svg.contains("&lt;a &amp; &quot;b&quot;&gt;") && !svg.contains("<a &"));
    }
}
