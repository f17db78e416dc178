// SPDX-License-Identifier: MPL-2.0
//! States over frames as inline SVG: one strip, coloured by state, with what happened above it.

use std::fmt::Write;

use super::{
    html::escape,
    plot::{CHARACTER, LANE, LEFT, Mark, RIGHT, Stretch, TOP, WIDTH, lanes, open, ticks},
};

/// Height of the strip itself.
const HEIGHT: f64 = 26.0;
/// Room below for the numbers of the x axis.
const BOTTOM: f64 = 20.0;
/// A state that held shorter than this is drawn as wide, or it would not be seen.
const LEAST: f64 = 2.0;

/// How things were, over a stretch of the x axis.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it begins and ends.
    pub span: (f64, f64),
    /// The page's class for its colour.
    pub class: String,
    /// What stands in it where there is room.
    pub name: String,
}

/// States one after the other.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// Said to those who cannot see it.
    pub title: String,
    /// The x axis.
    pub x: (f64, f64),
    /// From left to right.
    pub spans: Vec<Span>,
    /// Chapters: their names stand above.
    pub stretches: Vec<Stretch>,
    /// Events.
    pub marks: Vec<Mark>,
}

impl Strip {
    /// The plot.
    pub fn svg(&self) -> String {
        let across = |x: f64| LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT);
        let lanes = lanes(&self.marks, WIDTH, &across);
        let above = if self.stretches.is_empty() { 4.0 } else { TOP };
        let top = above + LANE * lanes.iter().map(|(lane, _)| lane + 1).max().unwrap_or(0) as f64;
        let mut s = open(&self.title, WIDTH, top + HEIGHT + BOTTOM);
        for stretch in &self.stretches {
            let middle = across((stretch.span.0 + stretch.span.1) / 2.0);
            let _ = write!(s, r#"<text class="stretch-name" x="{middle:.1}" y="13">{}</text>"#, escape(&stretch.name));
        }
        for Span { span, class, name } in &self.spans {
            let (from, to) = (across(span.0), across(span.1));
            let width = (to - from).max(LEAST);
            let name = escape(name);
            let _ = write!(
                s,
                r#"<rect class="state {class}" x="{from:.1}" y="{top:.1}" width="{width:.1}" height="{HEIGHT}"><title>{name}, from {:.0}</title></rect>"#,
                span.0
            );
            if width > CHARACTER * name.chars().count() as f64 + 8.0 {
                let (x, y) = (from + width / 2.0, top + HEIGHT / 2.0 + 4.0);
                let _ = write!(s, r#"<text class="in-state {class}" x="{x:.1}" y="{y:.1}">{name}</text>"#);
            }
        }
        for v in ticks(self.x.0, self.x.1, 10) {
            let _ = write!(
                s,
                r#"<text class="tick x" x="{:.1}" y="{:.1}">{v:.0}</text>"#,
                across(v),
                top + HEIGHT + BOTTOM - 5.0
            );
        }
        for (mark, (lane, left)) in self.marks.iter().zip(lanes) {
            let x = across(mark.x);
            let text_at = above + LANE * lane as f64 + 11.0;
            let _ = write!(
                s,
                r#"<line class="mark {c}" x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{:.1}"/><text class="mark-text {c}" text-anchor="{}" x="{:.1}" y="{text_at:.1}">{}</text>"#,
                text_at + 2.0,
                top + HEIGHT,
                if left { "end" } else { "start" },
                if left { x + 1.0 } else { x - 1.0 },
                escape(&mark.text),
                c = mark.class
            );
        }
        s + "</svg>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_to_scale_and_short_ones_are_seen() {
        let span = |from: f64, to: f64, name: &str| Span { span: (from, to), class: "ok".into(), name: name.into() };
        let spans = vec![span(0.0, 500.0, "learning"), span(500.0, 501.0, "warning"), span(501.0, 1000.0, "<ok>")];
        let svg = Strip { title: "t".into(), x: (0.0, 1000.0), spans, ..Strip::default() }.svg();
        let widths: Vec<_> = svg.split("<rect").skip(1).map(|r| r.split('"').nth(7).unwrap()).collect();
        assert_eq!(widths, ["448.0", "2.0", "447.1"]);
        assert!(svg.contains(">learning</text>") && !svg.contains(">warning</text>") && svg.contains("&lt;ok&gt;"));
    }
}
