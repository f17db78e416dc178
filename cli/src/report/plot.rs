// SPDX-License-Identifier: MPL-2.0
//! Plots as inline SVG: lines over frames with chapters behind them, and stacked bars.
//!
//! Colours are CSS classes of the page, so that one plot serves light and dark; lines of different arms also differ in
//! dash, and kinds of bars in hatching, for those who do not tell colours apart.

use std::fmt::Write;

use super::html::escape;

/// The width of every plot in its own units; the page scales it.
const WIDTH: f64 = 960.0;
/// Room left of the plot for the numbers of the y axis.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
/// Room above for the chapters' numbers; what marks say stands below them, in lanes.
const TOP: f64 = 20.0;
/// Height of a lane of text.
const LANE: f64 = 14.0;
/// Width of a character of such text, about.
const CHARACTER: f64 = 6.4;
/// Room below for the numbers of the x axis.
const BOTTOM: f64 = 22.0;
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

/// Lines over frames.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Said to those who cannot see the plot.
    pub title: String,
    /// Height in units of a 960 wide plot.
    pub height: f64,
    /// The lines.
    pub series: Vec<Series>,
    /// The y axis, when it is not to follow the data.
    pub y: Option<(f64, f64)>,
    /// A band that the lines are expected in: low, high.
    pub expected: Option<(f64, f64)>,
    /// Chapters behind the lines.
    pub stretches: Vec<Stretch>,
    /// Events.
    pub marks: Vec<Mark>,
    /// Numbers of the y axis are shares, to be written in percent.
    pub percent: bool,
}

impl Lines {
    /// The plot.
    pub fn svg(&self) -> String {
        let x = self.x_range();
        let y = self.y_range();
        let across = |px: f64| LEFT + (px - x.0) / (x.1 - x.0) * (WIDTH - LEFT - RIGHT);
        let lanes = lanes(&self.marks, &across);
        let top = TOP + LANE * lanes.iter().map(|(lane, _)| lane + 1).max().unwrap_or(0) as f64;
        let h = self.height + top - TOP;
        let at = |px: f64, py: f64| {
            let fy = (py - y.0) / (y.1 - y.0);
            (across(px), h - BOTTOM - fy.clamp(0.0, 1.0) * (h - top - BOTTOM))
        };
        let mut s = open(&self.title, h);
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
        if let Some((low, high)) = self.expected {
            let (top, bottom) = (at(x.0, high.min(y.1)).1, at(x.0, low.max(y.0)).1);
            let _ = write!(
                s,
                r#"<rect class="expected" x="{LEFT}" y="{top:.1}" width="{:.1}" height="{:.1}"/>"#,
                WIDTH - LEFT - RIGHT,
                (bottom - top).max(1.0)
            );
        }
        for v in ticks(y.0, y.1, if h < 150.0 { 3 } else { 5 }) {
            let ty = at(x.0, v).1;
            let number = if self.percent { format!("{:.0} %", v * 100.0) } else { number(v, y.1 - y.0) };
            let _ = write!(
                s,
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{ty:.1}" y2="{ty:.1}"/><text class="tick y" x="{:.1}" y="{:.1}">{number}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                ty + 4.0
            );
        }
        for v in ticks(x.0, x.1, 10) {
            let tx = at(v, y.0).0;
            let _ = write!(s, r#"<text class="tick x" x="{tx:.1}" y="{:.1}">{v:.0}</text>"#, h - 6.0);
        }
        for series in &self.series {
            let _ = write!(s, r#"<path class="line {}" d="{}"/>"#, series.class, path(&thinned(&series.points), &at));
        }
        for (mark, (lane, left)) in self.marks.iter().zip(lanes) {
            let mx = across(mark.x);
            let text_at = TOP + LANE * lane as f64 + 11.0;
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
        let xs = self.series.iter().flat_map(|s| s.points.iter().map(|p| p.0));
        let ends = self.stretches.iter().flat_map(|s| [s.span.0, s.span.1]);
        range(xs.chain(ends)).map_or((0.0, 1.0), |(low, high)| if high > low { (low, high) } else { (low, low + 1.0) })
    }

    fn y_range(&self) -> (f64, f64) {
        if let Some(y) = self.y {
            return y;
        }
        let ys = self.series.iter().flat_map(|s| s.points.iter().map(|p| p.1));
        let expected = self.expected.into_iter().flat_map(|(low, high)| [low, high]);
        let (low, high) = range(ys.chain(expected)).unwrap_or((0.0, 1.0));
        let room = if high > low { (high - low) * 0.08 } else { low.abs().max(1.0) * 0.1 };
        (low - room, high + room)
    }
}

/// A lane for what each mark says, so that no two texts overlap, and whether it stands left of its line.
fn lanes(marks: &[Mark], across: &impl Fn(f64) -> f64) -> Vec<(usize, bool)> {
    let mut ends: Vec<f64> = Vec::new();
    let mut order: Vec<_> = (0..marks.len()).collect();
    order.sort_by(|i, j| marks[*i].x.total_cmp(&marks[*j].x));
    let mut placed = vec![(0, false); marks.len()];
    for i in order {
        let width = CHARACTER * marks[i].text.chars().count() as f64 + 8.0;
        let x = across(marks[i].x);
        let left = x + width > WIDTH;
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

/// One bar: a name on the left, segments one after the other.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is of; a bar with an empty name belongs to the group above.
    pub group: String,
    /// Beside the bar.
    pub name: String,
    /// Class and length of each segment.
    pub segments: Vec<(&'static str, u64)>,
}

/// Stacked horizontal bars on one scale.
#[derive(Clone, Debug)]
pub struct Bars {
    /// Said to those who cannot see the plot.
    pub title: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

impl Bars {
    /// The plot.
    pub fn svg(&self) -> String {
        const NAMES: f64 = 330.0;
        const ROW: f64 = 19.0;
        const GAP: f64 = 12.0;
        let most = self.bars.iter().map(|b| b.segments.iter().map(|s| s.1).sum::<u64>()).max().unwrap_or(0).max(1);
        let groups = self.bars.iter().filter(|b| !b.group.is_empty()).count();
        let mut s = open(&self.title, self.bars.len() as f64 * ROW + groups as f64 * GAP);
        s += HATCHES;
        let mut y = 0.0;
        for bar in &self.bars {
            if !bar.group.is_empty() {
                y += GAP;
                let _ = write!(s, r#"<text class="group" x="0" y="{:.1}">{}</text>"#, y + 12.5, escape(&bar.group));
            }
            let _ = write!(
                s,
                r#"<text class="bar-name" x="{:.1}" y="{:.1}">{}</text>"#,
                NAMES - 8.0,
                y + 12.5,
                escape(&bar.name)
            );
            let mut x = NAMES;
            for (class, n) in bar.segments.iter().filter(|(_, n)| *n > 0) {
                let w = (*n as f64 / most as f64) * (WIDTH - NAMES);
                let _ = write!(
                    s,
                    r#"<rect class="segment {class}" x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{:.1}"><title>{n} {class}</title></rect>"#,
                    ROW - 3.0
                );
                if w > 9.0 * n.to_string().len() as f64 {
                    let (tx, ty) = (x + w / 2.0, y + 12.5);
                    let _ = write!(s, r#"<text class="in-bar {class}" x="{tx:.1}" y="{ty:.1}">{n}</text>"#);
                }
                x += w;
            }
            y += ROW;
        }
        s + "</svg>"
    }
}

/// Fills for the kinds of bars that must not be told by colour alone.
const HATCHES: &str = r#"<defs><pattern id="hatch-overkill" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground overkill" width="6" height="6"/><rect class="hatch-line" width="2" height="6"/></pattern><pattern id="hatch-undecided" width="5" height="5" patternUnits="userSpaceOnUse"><rect class="hatch-ground undecided" width="5" height="5"/><circle class="hatch-dot" cx="2.5" cy="2.5" r="1"/></pattern><pattern id="hatch-only-b" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground only-b" width="6" height="6"/><rect class="hatch-line" width="2" height="6"/></pattern></defs>"#;

fn open(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}"><title>{title}</title>"#)
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |r, v| match r {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// Round numbers between `low` and `high`, about `wanted` of them.
fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
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
        assert_eq!(paths(&svg), ["M52.0 178.0L948.0 20.0"]);
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
        let plot = Lines { expected: Some((0.0, 10.0)), ..lines(&[(0.0, 4.0), (1.0, 5.0)]) };
        let y = plot.y_range();
        assert!(y.0 <= 0.0 && y.1 >= 10.0);
        assert!(plot.svg().contains(r#"class="expected""#));
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
        let lanes = lanes(&[mark(0.0), mark(10.0), mark(500.0), mark(950.0)], &|x| x);
        assert_eq!(lanes, [(0, false), (1, false), (0, false), (0, true)], "the last has no room on its right");
    }

    #[test]
    fn bars_are_to_scale_and_say_their_numbers() {
        let bar = |name: &str, ok, ng| Bar {
            group: name.into(),
            name: name.into(),
            segments: vec![("passed", ok), ("caught", ng)],
        };
        let svg = Bars { title: "t".into(), bars: vec![bar("1", 30, 10), bar("2", 20, 0)] }.svg();
        let widths: Vec<_> = svg
            .split(r#"class="segment"#)
            .skip(1)
            .map(|r| r.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap())
            .collect();
        assert_eq!(widths, [472.5, 157.5, 315.0], "a segment of nothing is not drawn");
        assert!(svg.contains(">30</text>"));
    }

    #[test]
    fn names_cannot_break_the_page() {
        let svg = Lines { title: "<a & \"b\">".into(), ..lines(&[(0.0, 0.0)]) }.svg();
        assert!(svg.contains("&lt;a &amp; &quot;b&quot;&gt;") && !svg.contains("<a &"));
    }
}
