// SPDX-License-Identifier: MPL-2.0
//! States over frames: one strip, coloured by state, with events above it.

use maud::{Markup, html};

use crate::{
    axis::{Across, CHARACTER, LEFT, Mark, Marks, RIGHT, Stretch, TOP, WIDTH, events},
    svg::{Px, drawing},
};

/// Height of the strip itself.
const HEIGHT: f64 = 26.0;
/// Room below for the numbers of the x axis.
const BOTTOM: f64 = 20.0;
/// Least width of a state. A shorter one would not be seen.
const LEAST: f64 = 2.0;

/// Most states that are said in words.
const MOST_SAID: usize = 12;

/// A state, and how long it held.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it begins and ends, frames.
    pub span: (f64, f64),
    /// The style's class for the colour.
    pub class: String,
    /// The text in it, if there is room.
    pub name: String,
}

/// States, one after the other.
#[derive(Clone, Debug)]
pub struct Strip {
    /// What the strip shows.
    pub title: String,
    /// Width in units of [`WIDTH`], which is the whole row.
    pub width: f64,
    /// What the x axis counts.
    pub across: Across,
    /// The range of the x axis.
    pub x: (f64, f64),
    /// The states, from left to right.
    pub spans: Vec<Span>,
    /// Stretches with their names above.
    pub stretches: Vec<Stretch>,
    /// Events.
    pub marks: Vec<Mark>,
}

impl Default for Strip {
    fn default() -> Self {
        Self {
            title: String::new(),
            width: WIDTH,
            across: Across::default(),
            x: (0.0, 1.0),
            spans: Vec::new(),
            stretches: Vec::new(),
            marks: Vec::new(),
        }
    }
}

impl Strip {
    /// The strip.
    pub fn svg(&self) -> Markup {
        let width = self.width;
        let across = |x: f64| LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (width - LEFT - RIGHT);
        let marks = Marks::new(&self.marks, width, across);
        let above = if self.stretches.is_empty() { 4.0 } else { TOP };
        let top = above + marks.height();
        // Names would lie over one another in little room.
        let named = width >= WIDTH;
        let content = html! {
            @for stretch in self.stretches.iter().filter(|_| named) {
                text.stretch-name x=(Px(across((stretch.span.0 + stretch.span.1) / 2.0))) y="13" { (stretch.name) }
            }
            @for Span { span, class, name } in &self.spans {
                @let (from, to) = (across(span.0), across(span.1));
                @let width = (to - from).max(LEAST);
                rect.state.(class) x=(Px(from)) y=(Px(top)) width=(Px(width)) height=(HEIGHT) {
                    title { (name) }
                }
                @if width > CHARACTER * name.chars().count() as f64 + 8.0 {
                    text.in-state.(class) x=(Px(from + width / 2.0)) y=(Px(top + HEIGHT / 2.0 + 4.0)) { (name) }
                }
            }
            @for (v, written) in self.across.ticks(self.x.0, self.x.1, (width / 96.0) as usize) {
                text.tick.x x=(Px(across(v))) y=(Px(top + HEIGHT + BOTTOM - 5.0)) { (written) }
            }
            (marks.svg(across, above, |baseline| (baseline + 2.0, top + HEIGHT)))
        };
        drawing(&self.title, &self.said(), width, top + HEIGHT + BOTTOM, &content)
    }

    /// The strip in words: every state with where it begins and ends, and the events.
    fn said(&self) -> String {
        let at = |x| self.across.told(x);
        let all =
            self.spans.iter().map(|Span { span, name, .. }| format!("{name} from {} to {}", at(span.0), at(span.1)));
        let mut said: Vec<_> = all.take(MOST_SAID).collect();
        if self.spans.len() > MOST_SAID {
            said.push(format!("{} more", self.spans.len() - MOST_SAID));
        }
        format!("{}: {}.{}", self.title, said.join("; "), events(&self.marks, self.across))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_to_scale_and_short_ones_are_seen() {
        let span = |from: f64, to: f64, name: &str| Span { span: (from, to), class: "ok".into(), name: name.into() };
        let spans = vec![span(0.0, 500.0, "learning"), span(500.0, 501.0, "warning"), span(501.0, 1000.0, "<ok>")];
        let strip = Strip { title: "t".into(), x: (0.0, 1000.0), spans, ..Strip::default() };
        let svg = strip.svg().into_string();
        let widths: Vec<_> = svg.split("<rect").skip(1).map(|r| r.split('"').nth(7).unwrap()).collect();
        assert_eq!(widths, ["448.0", "2.0", "447.1"]);
        assert!(svg.contains("t: learning from frame 0 to frame 500; warning from frame 500 to frame 501;"), "{svg}");
        assert!(svg.contains(">learning</text>") && !svg.contains(">warning</text>") && svg.contains("&lt;ok&gt;"));
    }
}
