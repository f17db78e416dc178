// SPDX-License-Identifier: MPL-2.0
//! An estimate with its bounds on a line, beside the limit that one of the bounds has to keep.

use std::fmt::Write;

use super::html::escape;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 64.0;
const MARGIN: f64 = 60.0;

/// Bounds around an estimate, and a limit.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Said to those who cannot see the plot.
    pub title: String,
    /// The lower and the upper bound.
    pub bounds: (f64, f64),
    /// Between them, where it is known.
    pub estimate: Option<f64>,
    /// What a bound has to stay on one side of.
    pub limit: f64,
    /// Whether it does.
    pub kept: bool,
}

impl Interval {
    /// The plot.
    pub fn svg(&self) -> String {
        let (low, high) = (self.bounds.0.min(self.limit).min(0.0), self.bounds.1.max(self.limit).max(0.0));
        let span = (high - low).max(f64::MIN_POSITIVE);
        let x = |v: f64| MARGIN + (v - low) / span * (WIDTH - 2.0 * MARGIN);
        let title = escape(&self.title);
        let mut s = format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title><line class="grid" x1="{MARGIN}" x2="{:.1}" y1="32" y2="32"/>"#,
            WIDTH - MARGIN
        );
        let class = if self.kept { "interval kept" } else { "interval" };
        let (from, to) = (x(self.bounds.0), x(self.bounds.1));
        let _ = write!(
            s,
            r#"<rect class="{class}" x="{from:.1}" y="27" width="{:.1}" height="10" rx="5"/>"#,
            (to - from).max(2.0)
        );
        if let Some(estimate) = self.estimate {
            let _ = write!(s, r#"<circle class="estimate" cx="{:.1}" cy="32" r="6"/>"#, x(estimate));
        }
        let _ = write!(
            s,
            r#"<line class="limit" x1="{0:.1}" x2="{0:.1}" y1="18" y2="46"/><text class="tick x" x="{0:.1}" y="13">limit {1}</text>"#,
            x(self.limit),
            number(self.limit)
        );
        // The bounds' numbers stand outside of the bar; a bar without length has one number.
        for (v, anchor) in
            [(self.bounds.0, "start"), (self.bounds.1, "end")].into_iter().take(if to > from { 2 } else { 1 })
        {
            let _ = write!(s, r#"<text text-anchor="{anchor}" x="{:.1}" y="58">{}</text>"#, x(v), number(v));
        }
        s + "</svg>"
    }
}

fn number(v: f64) -> String {
    format!("{v:.4}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_spans_the_bounds_and_the_limit_stands_where_it_is() {
        let plot = Interval { title: "t".into(), bounds: (-0.5, 0.25), estimate: Some(0.0), limit: 0.5, kept: true };
        let svg = plot.svg();
        assert!(svg.contains(r#"class="interval kept" x="60.0" y="27" width="630.0""#), "{svg}");
        assert!(svg.contains(r#"class="limit" x1="900.0""#) && svg.contains("limit 0.5000") && svg.contains("−0.5000"));
    }

    #[test]
    fn bounds_without_width_are_still_a_plot() {
        let svg = Interval { title: "t".into(), bounds: (0.0, 0.0), estimate: None, limit: 0.0, kept: false }.svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.ends_with("</svg>"));
    }
}
