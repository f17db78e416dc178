// SPDX-License-Identifier: MPL-2.0
//! Stacked bars as inline SVG.

use std::fmt::Write;

use super::{
    html::escape,
    plot::{WIDTH, open},
};

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
        let mut s = open(&self.title, WIDTH, self.bars.len() as f64 * ROW + groups as f64 * GAP);
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
        let svg = Bars { title: "t".into(), bars: vec![bar("1", 30, 10), bar("2", 20, 0)] }.svg();
        let widths: Vec<_> = svg
            .split(r#"class="segment"#)
            .skip(1)
            .map(|r| r.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap())
            .collect();
        assert_eq!(widths, [472.5, 157.5, 315.0], "a segment of nothing is not drawn");
        assert!(svg.contains(">30</text>"));
    }
}
