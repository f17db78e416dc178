// SPDX-License-Identifier: MPL-2.0
//! Stacked bars.

use maud::{Markup, html};

use crate::{
    page::key,
    svg::{Px, drawing},
};

/// Room left of the bars for their names, where there is room for more than the bars.
const NAMES: f64 = 330.0;
/// Least width of a plot with the names on the left.
const BROAD: f64 = 700.0;
/// Height of a bar with the gap below it.
const ROW: f64 = 19.0;
/// Gap above a group.
const GAP: f64 = 12.0;

/// Parts by verdict and truth: the style's classes, and what they mean.
const VERDICTS: [(&str, &str); 5] = [
    ("passed", "good, called ok"),
    ("caught", "bad, called ng"),
    ("escape", "bad, called ok: escapes"),
    ("overkill", "good, called ng: overkill"),
    ("undecided", "undecided"),
];

/// The legend of bars of [`Bar::verdicts`].
pub fn verdict_legend() -> Markup {
    html! { @for (class, what) in VERDICTS { (key(class, what)) } }
}

/// One bar: a name on the left, and segments one after the other.
#[derive(Clone, Debug)]
pub struct Bar {
    /// The name of its group; empty if the bar belongs to the group above.
    pub group: String,
    /// The name beside the bar.
    pub name: String,
    /// Class and length of each segment.
    pub segments: Vec<(&'static str, u64)>,
}

impl Bar {
    /// A bar of parts by verdict and truth: passed, caught, escapes, overkill and undecided. [`verdict_legend`] is its legend.
    pub fn verdicts(group: String, name: String, counts: [u64; 5]) -> Self {
        let segments = VERDICTS.iter().zip(counts).map(|((class, _), n)| (*class, n)).collect();
        Self { group, name, segments }
    }

    fn begins_a_group(&self) -> bool {
        !self.group.is_empty()
    }
}

/// Stacked horizontal bars on one scale.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What the plot shows.
    pub title: String,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

impl Bars {
    /// The plot, `width` units wide. In a narrow one the names stand above their bars.
    pub fn svg(&self, width: f64) -> Markup {
        let most = self.bars.iter().map(|b| b.segments.iter().map(|s| s.1).sum::<u64>()).max().unwrap_or(0).max(1);
        let (names, above) = if width >= BROAD { (NAMES, 0.0) } else { (0.0, ROW) };
        let mut y = 0.0;
        let mut place = |bar| {
            y += above + if Bar::begins_a_group(bar) { GAP + ROW } else { ROW };
            if above > 0.0 && Bar::begins_a_group(bar) {
                y += ROW;
            }
            (bar, y - ROW)
        };
        let placed: Vec<_> = self.bars.iter().map(&mut place).collect();
        let content = html! {
            @for (bar, y) in placed {
                @if bar.begins_a_group() {
                    text.group x="0" y=(Px(y + 12.5 - 2.0 * above)) { (bar.group) }
                }
                @if above > 0.0 {
                    text x="0" y=(Px(y - 5.0)) { (bar.name) }
                } @else {
                    text.bar-name x=(Px(names - 8.0)) y=(Px(y + 12.5)) { (bar.name) }
                }
                (segments(bar, y, names, (width - names) / most as f64))
            }
        };
        drawing(&self.title, &self.said(), width, y, &content)
    }

    /// The plot in words: every bar with its figures.
    fn said(&self) -> String {
        let said = |bar: &Bar| {
            let shown = bar.segments.iter().filter(|(_, n)| *n > 0);
            let all: Vec<_> = shown.map(|(class, n)| format!("{n} {}", meaning(class))).collect();
            let all = if all.is_empty() { "nothing".into() } else { all.join(", ") };
            let before =
                if bar.begins_a_group() && bar.group != bar.name { format!("{}, ", bar.group) } else { String::new() };
            format!("{before}{}: {all}", bar.name)
        };
        let bars: Vec<_> = self.bars.iter().map(said).collect();
        format!("{}. {}.", self.title, bars.join("; "))
    }
}

/// What a segment of a class is, in words.
fn meaning(class: &str) -> String {
    let verdict = VERDICTS.iter().find(|(of, _)| *of == class).map(|(_, what)| (*what).to_string());
    verdict.unwrap_or_else(|| class.replace('-', " "))
}

fn segments(bar: &Bar, y: f64, names: f64, unit: f64) -> Markup {
    let shown = bar.segments.iter().filter(|(_, n)| *n > 0);
    let placed = shown.scan(names, |end, (class, n)| {
        let (x, width) = (*end, *n as f64 * unit);
        *end += width;
        Some((class, n, x, width))
    });
    html! {
        @for (class, n, x, width) in placed {
            rect.segment.(class) x=(Px(x)) y=(Px(y)) width=(Px(width)) height=(Px(ROW - 3.0)) {
                title { (n) " " (meaning(class)) }
            }
            @if width > 9.0 * n.to_string().len() as f64 {
                text.in-bar.(class) x=(Px(x + width / 2.0)) y=(Px(y + 12.5)) { (n) }
            }
        }
    }
}

/// Fills for kinds of segments that colour alone must not tell apart: once on every page, for all its plots.
pub(crate) fn hatches() -> Markup {
    html! {
        svg.defs width="0" height="0" aria-hidden="true" {
            defs {
            (hatch("overkill"))
            pattern id="hatch-undecided" width="5" height="5" patternUnits="userSpaceOnUse" {
                rect.hatch-ground.undecided width="5" height="5" {}
                circle.hatch-dot cx="2.5" cy="2.5" r="1" {}
            }
            (hatch("only-b"))
        }
        }
    }
}

fn hatch(class: &str) -> Markup {
    html! {
        pattern id=(format_args!("hatch-{class}")) width="6" height="6" patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)" {
            rect.hatch-ground.(class) width="6" height="6" {}
            rect.hatch-line width="2" height="6" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_to_scale_and_say_their_numbers() {
        let bar = |name: &str, ok, ng| Bar {
            group: name.into(),
            name: name.into(),
            segments: vec![("passed", ok), ("caught", ng)],
        };
        let svg =
            Bars { title: "t".into(), bars: vec![bar("1", 30, 10), bar("2", 20, 0)] }.svg(crate::WIDTH).into_string();
        let widths: Vec<_> = svg
            .split(r#"class="segment"#)
            .skip(1)
            .map(|r| r.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap())
            .collect();
        assert_eq!(widths, [472.5, 157.5, 315.0], "a segment of nothing is not drawn");
        assert!(svg.contains(">30</text>"));
        let said = "aria-label=\"t. 1: 30 good, called ok, 10 bad, called ng; 2: 20 good, called ok.\"";
        assert!(svg.contains(said), "{svg}");
    }
}
