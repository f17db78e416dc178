// SPDX-License-Identifier: MPL-2.0
//! An estimate with its bounds on a line, beside the limit that one of the bounds has to keep.

use maud::{Markup, html};

use crate::{
    svg::{Px, drawing},
    words::decimal,
};

const HEIGHT: f64 = 64.0;
/// Room left and right of the line.
const MARGIN: f64 = 60.0;

/// Bounds around an estimate, and a limit.
#[derive(Clone, Debug)]
pub struct Interval {
    /// What the plot shows.
    pub title: String,
    /// The lower and the upper bound.
    pub bounds: (f64, f64),
    /// The estimate between them, if it is known.
    pub estimate: Option<f64>,
    /// The value that a bound must not cross.
    pub limit: f64,
    /// Whether the bound keeps the limit.
    pub kept: bool,
}

impl Interval {
    /// The plot, `width` units wide.
    pub fn svg(&self, width: f64) -> Markup {
        let (low, high) = (self.bounds.0.min(self.limit).min(0.0), self.bounds.1.max(self.limit).max(0.0));
        let span = (high - low).max(f64::MIN_POSITIVE);
        let x = |v: f64| MARGIN + (v - low) / span * (width - 2.0 * MARGIN);
        let (from, to, limit) = (x(self.bounds.0), x(self.bounds.1), x(self.limit));
        // A bar without length has one number.
        let ends = [(self.bounds.0, "start"), (self.bounds.1, "end")].into_iter().take(if to > from { 2 } else { 1 });
        let number = |v: f64| decimal(Some(v), 4);
        let content = html! {
            line.grid x1=(MARGIN) x2=(Px(width - MARGIN)) y1="32" y2="32" {}
            rect.interval.kept[self.kept] x=(Px(from)) y="27" width=(Px((to - from).max(2.0))) height="10" rx="5" {}
            @if let Some(estimate) = self.estimate {
                circle.estimate cx=(Px(x(estimate))) cy="32" r="6" {}
            }
            line.limit x1=(Px(limit)) x2=(Px(limit)) y1="18" y2="46" {}
            text.tick.x x=(Px(limit)) y="13" { "limit " (number(self.limit)) }
            @for (v, anchor) in ends {
                text text-anchor=(anchor) x=(Px(x(v))) y="58" { (number(v)) }
            }
        };
        drawing(&self.title, &format!("{}: {}", self.title, self.said()), width, HEIGHT, &content)
    }

    /// The interval in words: `estimate −0.0300, bounds −0.4000 to 0.3000, limit 0.0100: not kept`.
    pub fn said(&self) -> String {
        let number = |v: f64| decimal(Some(v), 4);
        let estimate = self.estimate.map(|v| format!("estimate {}, ", number(v))).unwrap_or_default();
        let (low, high, limit) = (number(self.bounds.0), number(self.bounds.1), number(self.limit));
        let kept = if self.kept { "kept" } else { "not kept" };
        format!("{estimate}bounds {low} to {high}, limit {limit}: {kept}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_spans_the_bounds_and_the_limit_stands_where_it_is() {
        let plot = Interval { title: "t".into(), bounds: (-0.5, 0.25), estimate: Some(0.0), limit: 0.5, kept: true };
        let svg = plot.svg(crate::WIDTH).into_string();
        assert!(svg.contains(r#"class="interval kept" x="60.0" y="27" width="630.0""#), "{svg}");
        assert!(svg.contains(r#"class="limit" x1="900.0""#) && svg.contains("limit 0.5000") && svg.contains("−0.5000"));
        let said = "t: estimate 0.0000, bounds −0.5000 to 0.2500, limit 0.5000: kept";
        assert!(svg.contains(&format!("aria-label=\"{said}\"")), "{svg}");
    }

    #[test]
    fn bounds_without_width_are_still_a_plot() {
        let plot = Interval { title: "t".into(), bounds: (0.0, 0.0), estimate: None, limit: 0.0, kept: false };
        let svg = plot.svg(crate::WIDTH).into_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.ends_with("</svg>"));
    }
}
