// SPDX-License-Identifier: MPL-2.0
//! Convex polygons, outlines of turned boxes, dashes and brackets, clipped, without allocation.

use super::canvas::{Canvas, Rgb};

/// A point in pixels, x to the right and y down.
type Point = [f64; 2];

/// The stroke of an outline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    /// Thickness, pixels.
    pub(super) line: i32,
    /// Pixels on and off; 0 for a solid line.
    pub(super) dash: i32,
    /// The colour.
    pub(super) colour: Rgb,
}

impl Canvas<'_> {
    /// Draws a level line, `length` pixels from x, y to the right.
    pub(super) fn dashes(&mut self, x: i32, y: i32, length: i32, stroke: Stroke) {
        let on = if stroke.dash > 0 { stroke.dash } else { length };
        for at in (0..length).step_by(2 * on.max(1) as usize) {
            self.fill(x + at, y, on.min(length - at), stroke.line, stroke.colour, 256);
        }
    }

    /// Draws brackets inside the four corners of a rectangle: a quarter of its sides long, `line` pixels thick.
    pub(super) fn brackets(&mut self, [x, y, w, h]: [i32; 4], line: i32, colour: Rgb) {
        let arm = |side: i32| (side / 4).max(2 * line).min(side);
        let (across, down) = (arm(w), arm(h));
        for (left, top) in [(x, y), (x + w - across, y), (x, y + h - line), (x + w - across, y + h - line)] {
            self.fill(left, top, across, line, colour, 256);
        }
        for (left, top) in [(x, y), (x + w - line, y), (x, y + h - down), (x + w - line, y + h - down)] {
            self.fill(left, top, line, down, colour, 256);
        }
    }

    /// Covers the pixels whose centres lie in a convex polygon, its corners in order.
    fn polygon(&mut self, corners: &[Point], colour: Rgb) {
        let [_, height] = self.size();
        let (top, bottom) = span(corners.iter().map(|c| c[1]));
        let row = |v: f64| (v.floor() as i32).clamp(0, height);
        for y in row(top)..row(bottom).saturating_add(1).min(height) {
            let middle = f64::from(y) + 0.5;
            let next = corners.iter().cycle().skip(1);
            let crossings = corners.iter().zip(next).filter(|(a, b)| (a[1] <= middle) != (b[1] <= middle));
            let (left, right) = span(crossings.map(|(a, b)| a[0] + (middle - a[1]) * (b[0] - a[0]) / (b[1] - a[1])));
            let column = |v: f64| (v - 0.5).ceil() as i32;
            if left < right {
                let (x0, x1) = (column(left).max(0), column(right));
                self.fill(x0, y, x1.saturating_sub(x0), 1, colour, 256);
            }
        }
    }

    /// Draws the outline of a box about `centre`, its line inside, turned clockwise by `angle` radians.
    pub(super) fn turned_outline(&mut self, centre: [f32; 2], size: [f32; 2], angle: f32, stroke: Stroke) {
        let (sin, cos) = f64::from(angle).sin_cos();
        let [cx, cy] = centre.map(f64::from);
        let [u, v] = size.map(|s| f64::from(s) / 2.0);
        let line = f64::from(stroke.line);
        let place = |[across, down]: Point| [cx + across * cos - down * sin, cy + across * sin + down * cos];
        // Each side: its ends, and the direction inwards.
        let sides = [
            ([-u, -v], [u, -v], [0.0, line]),
            ([-u, v], [u, v], [0.0, -line]),
            ([-u, -v], [-u, v], [line, 0.0]),
            ([u, -v], [u, v], [-line, 0.0]),
        ];
        for (from, to, inward) in sides {
            let along = |t: f64| [0, 1].map(|i| from[i] + (to[i] - from[i]) * t);
            let length = (to[0] - from[0]).hypot(to[1] - from[1]);
            // Only the visible stretch is drawn: the sides of a wild box may be millions of dashes long.
            let Some((mut at, end)) = self.visible(place(from), place(to), line + 1.0) else { continue };
            let step = if stroke.dash > 0 { f64::from(stroke.dash) / length } else { end - at };
            if stroke.dash > 0 {
                at = (at / (2.0 * step)).floor() * 2.0 * step;
            }
            while at < end {
                let (a, b) = (along(at), along((at + step).min(1.0)));
                let inside = |p: Point| [p[0] + inward[0], p[1] + inward[1]];
                self.polygon(&[a, b, inside(b), inside(a)].map(place), stroke.colour);
                at += 2.0 * step;
            }
        }
    }

    /// Returns the stretch of a line that shows on the canvas, each end 0..1, `margin` pixels beyond the edges included (Liang
    /// & Barsky, "A New Concept and Method for Line Clipping", 1984). Returns None if no stretch shows.
    fn visible(&self, from: Point, to: Point, margin: f64) -> Option<(f64, f64)> {
        let (mut first, mut last) = (0f64, 1f64);
        for (axis, length) in self.size().into_iter().enumerate() {
            let (low, high) = (-margin, f64::from(length) + margin);
            let way = to[axis] - from[axis];
            if way == 0.0 {
                if !(low..=high).contains(&from[axis]) {
                    return None;
                }
                continue;
            }
            let (a, b) = ((low - from[axis]) / way, (high - from[axis]) / way);
            (first, last) = (first.max(a.min(b)), last.min(a.max(b)));
        }
        (first < last).then_some((first, last))
    }
}

/// Returns the least and the greatest value.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

#[cfg(test)]
mod tests {
    use super::super::canvas::PlaneMut;
    use super::*;
    use andon_core::image::{Colorimetry, Format};
    use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};

    const STROKE: Stroke = Stroke { line: 1, dash: 0, colour: [255; 3] };

    fn drawn(edge: usize, draw: impl FnOnce(&mut Canvas<'_>)) -> Vec<u8> {
        let mut data = vec![0; edge * edge];
        let planes = vec![PlaneMut { data: &mut data, stride: edge }];
        draw(&mut Canvas::new(Format::Gray8, edge, edge, planes, Colorimetry::default(), 0).unwrap());
        data
    }

    #[test]
    fn a_box_that_is_not_turned_is_the_upright_one() {
        let upright = drawn(12, |c| c.outline(2, 3, 8, 6, 1, 0, [255; 3]));
        assert_eq!(drawn(12, |c| c.turned_outline([6.0, 6.0], [8.0, 6.0], 0.0, STROKE)), upright);
        let quarter = drawn(12, |c| c.turned_outline([6.0, 6.0], [6.0, 8.0], FRAC_PI_2, STROKE));
        assert_eq!(quarter, upright, "a quarter turn swaps its sides");
    }

    #[test]
    fn brackets_leave_the_middles_of_the_sides_open() {
        let data = drawn(16, |c| c.brackets([2, 2, 12, 12], 1, [255; 3]));
        let ink = |x: usize, y: usize| data[y * 16 + x] > 0;
        assert!([(2, 2), (13, 2), (2, 13), (13, 13)].into_iter().all(|(x, y)| ink(x, y)), "the corners");
        assert!(![(7, 2), (2, 7), (13, 7), (7, 13), (7, 7)].into_iter().any(|(x, y)| ink(x, y)), "the middles");
        assert_eq!(data.iter().filter(|v| **v > 0).count(), 4 * 5, "three across and three down, the corner shared");
    }

    #[test]
    fn dashes_begin_with_ink_and_end_in_time() {
        let data = drawn(12, |c| c.dashes(1, 5, 9, Stroke { dash: 2, ..STROKE }));
        let row: Vec<_> = data[60..72].iter().map(|v| u8::from(*v > 0)).collect();
        assert_eq!(row, [0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn an_eighth_of_a_turn_stands_on_its_corner() {
        let data = drawn(21, |c| c.turned_outline([10.5, 10.5], [12.0, 12.0], FRAC_PI_4, STROKE));
        let ink = |x: usize, y: usize| data[y * 21 + x] > 0;
        assert!((2..5).any(|y| ink(10, y)) && (16..19).any(|y| ink(10, y)), "above and below");
        assert!((2..5).any(|x| ink(x, 10)) && (16..19).any(|x| ink(x, 10)), "left and right");
        assert!(!ink(10, 10) && !ink(4, 4) && !ink(16, 16), "neither its inside nor the upright corners");
    }

    #[test]
    fn clockwise_is_down_on_the_right() {
        let data = drawn(40, |c| c.turned_outline([20.0, 20.0], [30.0, 2.0], 0.5, STROKE));
        let (right, left) = (20.0 + 13.0 * 0.5f64.cos(), 20.0 - 13.0 * 0.5f64.cos());
        let (below, above) = (20.0 + 13.0 * 0.5f64.sin(), 20.0 - 13.0 * 0.5f64.sin());
        assert_eq!(data[below as usize * 40 + right as usize], 255);
        assert_eq!(data[above as usize * 40 + left as usize], 255);
        assert_eq!(data[above as usize * 40 + right as usize], 0);
    }

    #[test]
    fn a_wild_box_is_drawn_where_it_shows_and_at_once() {
        let dashed = Stroke { dash: 4, ..STROKE };
        drawn(8, |c| c.turned_outline([f32::MAX, 0.0], [f32::MAX, 1.0], 0.3, dashed));
        drawn(8, |c| c.turned_outline([f32::NAN, 0.0], [f32::INFINITY, 1.0], 0.3, dashed));
        let data = drawn(8, |c| c.turned_outline([4.0, 4.0], [1e9, 4.0], 0.0, dashed));
        assert!(data.iter().any(|v| *v > 0), "its long sides cross the canvas");
    }
}
