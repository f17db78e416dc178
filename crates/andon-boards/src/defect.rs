// SPDX-License-Identifier: MPL-2.0
//! Draws defects where they make sense: each kind searches for a fitting place, and the pixels that it changes give its box.

use super::kind::Kind;
use super::rng::Rng;
use super::shape::{Ink, Plane, Point, Shape};
use super::survey::{COPPER, Survey};

/// Places tried before a kind counts as having no room on a board.
const TRIES: usize = 400;

/// A defect and its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Defect {
    /// The kind of defect.
    pub(crate) kind: Kind,
    /// Left, top, right, bottom of its box in pixels of the board's raster, right and bottom excluded. The box
    /// holds every pixel that the defect changes visibly, with room around, as DeepPCB's labels have it.
    pub(crate) bounds: [i32; 4],
}

impl Defect {
    fn overlaps(&self, other: &[i32; 4]) -> bool {
        let b = &self.bounds;
        b[0] < other[2] && other[0] < b[2] && b[1] < other[3] && other[1] < b[3]
    }
}

/// Where defects may be drawn.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// Measurements of the board without defects.
    pub(crate) survey: &'a Survey,
    /// Drilled holes in pixels. Copper cannot stick to a hole.
    pub(crate) holes: &'a [(Point, f32)],
    /// Pixels a design unit.
    pub(crate) scale: f32,
    /// Left, top, right, bottom of the visible part of the raster.
    pub(crate) window: [i32; 4],
}

impl Site<'_> {
    /// Draws one defect of `kind` into `copper`, clear of those `taken`. Returns None if no place is found.
    pub(crate) fn plant(&self, copper: &mut Plane, kind: Kind, taken: &[Defect], rng: &mut Rng) -> Option<Defect> {
        for _ in 0..TRIES {
            let Some(strokes) = self.propose(kind, rng) else {
                continue;
            };
            let room = rng.range(8.5, 12.5) * self.scale;
            let Some(patch) = self.patch(copper, &strokes) else {
                continue;
            };
            let before = patch.save(copper);
            for (ink, shape) in &strokes {
                copper.draw(shape, *ink);
            }
            let bounds = patch.changed(copper, &before).filter(|_| self.sound(kind, copper, &strokes));
            let bounds = bounds.map(|b| {
                let room = room.round() as i32;
                [b[0] - room, b[1] - room, b[2] + room, b[3] + room]
            });
            match bounds {
                Some(bounds) if !taken.iter().any(|d| d.overlaps(&bounds)) => {
                    return Some(Defect { kind, bounds });
                }
                _ => patch.restore(copper, &before),
            }
        }
        None
    }

    fn propose(&self, kind: Kind, rng: &mut Rng) -> Option<Vec<(Ink, Shape)>> {
        match kind {
            Kind::Open => self.open(rng),
            Kind::Short => self.short(rng),
            Kind::Mousebite => self.mousebite(rng),
            Kind::Spur => self.spur(rng),
            Kind::Copper => self.blob(rng, Ink::Lay),
            Kind::PinHole => self.blob(rng, Ink::Etch),
        }
    }

    /// Returns a random visible edge: its place, and the direction out of the copper.
    fn edge(&self, rng: &mut Rng) -> Option<(Point, Point)> {
        if self.survey.edges.is_empty() {
            return None;
        }
        let (x, y) = self.survey.edges[rng.index(self.survey.edges.len())];
        let (x, y) = (f32::from(x) + 0.5, f32::from(y) + 0.5);
        self.visible([x, y], 0.0).then_some(())?;
        Some(([x, y], self.survey.normal(x, y)?))
    }

    fn visible(&self, p: Point, room: f32) -> bool {
        let [left, top, right, bottom] = self.window.map(|v| v as f32);
        p[0] >= left + room && p[0] < right - room && p[1] >= top + room && p[1] < bottom - room
    }

    fn in_hole(&self, p: Point) -> bool {
        self.holes.iter().any(|(c, r)| (p[0] - c[0]).hypot(p[1] - c[1]) < r + 1.0)
    }

    /// Returns how much free ground lies outwards from an edge, at most `limit`.
    fn gap(&self, edge: Point, out: Point, limit: f32) -> Option<f32> {
        let start = along(edge, out, 1.5);
        if self.survey.distance(start[0], start[1])? > 0.0 {
            return None;
        }
        Some(self.survey.march(start[0], start[1], out, limit).map_or(limit, |t| t + 1.5))
    }

    /// Proposes a jagged cut across a trace.
    fn open(&self, rng: &mut Rng) -> Option<Vec<(Ink, Shape)>> {
        let s = self.scale;
        let (edge, out) = self.edge(rng)?;
        let inward = [-out[0], -out[1]];
        let thick = self.survey.march(edge[0], edge[1], inward, 34.0 * s)?;
        let (middle, tangent) = (along(edge, inward, thick / 2.0), [-out[1], out[0]]);
        let deep = self.survey.distance(middle[0], middle[1])?;
        if thick < 4.0 * s || deep < 0.4 * thick {
            return None;
        }
        for side in [-12.0, 12.0] {
            let p = along(middle, tangent, side * s);
            if self.survey.distance(p[0], p[1])? < 0.25 * thick {
                return None;
            }
        }
        let far = along(edge, inward, thick);
        let room = self.gap(edge, out, 6.0 * s)?.min(self.gap(along(far, out, 1.0), inward, 6.0 * s)?);
        let r = rng.range(1.5, 3.2) * s;
        let r = r.min(room - 2.0);
        if r < 1.4 {
            return None;
        }
        let (a, b) = (along(edge, out, 0.7), along(far, inward, 0.7));
        Some(jagged(a, b, tangent, 2.5 * s, r, Ink::Etch, rng))
    }

    /// Proposes a bridge between two pieces of copper.
    fn short(&self, rng: &mut Rng) -> Option<Vec<(Ink, Shape)>> {
        let s = self.scale;
        let (edge, out) = self.edge(rng)?;
        let limit = 42.0 * s;
        let gap = self.gap(edge, out, limit)?;
        let far = along(edge, out, gap + 1.0);
        let (here, there) = (self.survey.piece(edge[0], edge[1]), self.survey.piece(far[0], far[1]));
        // Most bridges are short; the far side must be visible too.
        if gap < 3.0 || gap >= limit || here == 0 || there == 0 || here == there || !self.visible(far, 0.0) {
            return None;
        }
        if rng.unit() > (-gap / (22.0 * s)).exp() {
            return None;
        }
        let (a, b) = (along(edge, out, -2.0 * s), along(far, out, 2.0 * s));
        let r = rng.range(1.6, 4.0) * s;
        Some(jagged(a, b, [-out[1], out[0]], 2.5 * s, r, Ink::Lay, rng))
    }

    /// Proposes a bite from an edge that leaves nearly half of the copper.
    fn mousebite(&self, rng: &mut Rng) -> Option<Vec<(Ink, Shape)>> {
        let s = self.scale;
        let (edge, out) = self.edge(rng)?;
        let inward = [-out[0], -out[1]];
        let limit = 60.0 * s;
        let thick = self.survey.march(edge[0], edge[1], inward, limit).unwrap_or(limit);
        let depth = (rng.range(5.0, 12.0) * s).min(0.55 * thick);
        let gap = self.gap(edge, out, 12.0 * s)?;
        let r = (rng.range(2.2, 3.8) * s).min(depth * 0.55);
        // The mouth is drawn from outside, so that no rim of copper closes the bite to a hole.
        let mouth = 1.2 * s;
        if depth < 3.8 * s || gap < r + mouth + 1.0 {
            return None;
        }
        let (start, tip) = (along(edge, out, mouth), along(edge, inward, depth - r));
        let mut strokes = jagged(start, tip, [-out[1], out[0]], 1.2 * s, r, Ink::Etch, rng);
        if rng.chance(0.5) {
            let side = rng.range(-4.0, 4.0) * s;
            let at = along(along(edge, [-out[1], out[0]], side), inward, rng.range(0.0, 0.4) * depth);
            strokes.push((Ink::Etch, Shape::disc(at, r * rng.range(0.7, 1.0))));
        }
        Some(strokes)
    }

    /// Proposes an outgrowth that stays clear of the neighbour.
    fn spur(&self, rng: &mut Rng) -> Option<Vec<(Ink, Shape)>> {
        let s = self.scale;
        let (edge, out) = self.edge(rng)?;
        let gap = self.gap(edge, out, 40.0 * s)?;
        let length = (rng.range(6.0, 16.0) * s).min(0.6 * gap);
        if length < 4.0 * s {
            return None;
        }
        let r = (rng.range(1.6, 3.4) * s).min((length - 1.5 * s) / 2.0).max(1.0);
        let tip = along(edge, out, length - r);
        let clear = -self.survey.distance(tip[0], tip[1])?;
        if clear < (length - r - 2.0 * s).min(r + 1.5 * s) || self.in_hole(tip) {
            return None;
        }
        let root = along(edge, out, -1.5 * s);
        let mut strokes = jagged(root, tip, [-out[1], out[0]], 2.0 * s, r, Ink::Lay, rng);
        if rng.chance(0.4) {
            let at = along(edge, [-out[1], out[0]], rng.range(-3.5, 3.5) * s);
            strokes.push((Ink::Lay, Shape::disc(at, r * rng.range(0.8, 1.2))));
        }
        Some(strokes)
    }

    /// Proposes an irregular spot away from all edges: copper on free ground, or a hole in copper.
    fn blob(&self, rng: &mut Rng, ink: Ink) -> Option<Vec<(Ink, Shape)>> {
        let s = self.scale;
        let [left, top, right, bottom] = self.window.map(|v| v as f32);
        let c = [rng.range(left, right), rng.range(top, bottom)];
        let (size, room) = match ink {
            Ink::Lay => (rng.range(4.5, 10.5) * s, 5.0 * s),
            Ink::Etch => (rng.range(2.5, 6.5) * s, 2.5 * s),
        };
        let distance = self.survey.distance(c[0], c[1])?;
        let free = if ink == Ink::Lay { -distance } else { distance };
        if free < size + room || !self.visible(c, size) || (ink == Ink::Lay && self.in_hole(c)) {
            return None;
        }
        let angle = rng.range(0.0, std::f32::consts::TAU);
        let dir = [angle.cos(), angle.sin()];
        let r = size * rng.range(0.35, 0.6);
        let long = size - r;
        let mut strokes = jagged(along(c, dir, -long), along(c, dir, long), [-dir[1], dir[0]], long * 0.6, r, ink, rng);
        if rng.chance(0.4) {
            let side = along(c, [-dir[1], dir[0]], (size - r) * if rng.chance(0.5) { 1.0 } else { -1.0 });
            strokes.push((ink, Shape::Stroke { a: c, b: side, r: r * 0.8 }));
        }
        Some(strokes)
    }

    /// Returns whether an open really parts the trace: its two sides no longer meet in the neighbourhood.
    fn sound(&self, kind: Kind, copper: &Plane, strokes: &[(Ink, Shape)]) -> bool {
        if kind != Kind::Open {
            return true;
        }
        let (Some((_, Shape::Stroke { a, .. })), Some((_, Shape::Stroke { b, .. }))) =
            (strokes.first(), strokes.last())
        else {
            return false;
        };
        let middle = [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
        let len = (b[0] - a[0]).hypot(b[1] - a[1]).max(1e-3);
        let tangent = [-(b[1] - a[1]) / len, (b[0] - a[0]) / len];
        let reach = 12.0 * self.scale;
        let sides = [along(middle, tangent, reach), along(middle, tangent, -reach)];
        parted(copper, sides, (30.0 * self.scale) as i32)
    }

    /// Returns the rectangle that `strokes` can change, or None if it leaves the raster.
    fn patch(&self, copper: &Plane, strokes: &[(Ink, Shape)]) -> Option<Patch> {
        let mut b = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
        for (_, shape) in strokes {
            let (low, high) = shape.bounds();
            b[0] = b[0].min(low[0].floor() as i32 - 2);
            b[1] = b[1].min(low[1].floor() as i32 - 2);
            b[2] = b[2].max(high[0].ceil() as i32 + 2);
            b[3] = b[3].max(high[1].ceil() as i32 + 2);
        }
        let inside = b[0] >= 0 && b[1] >= 0 && b[2] <= copper.width as i32 && b[3] <= copper.height as i32;
        inside.then_some(Patch(b))
    }
}

/// Returns `p` moved by `t` along `dir`.
fn along(p: Point, dir: Point, t: f32) -> Point {
    [p[0] + dir[0] * t, p[1] + dir[1] * t]
}

/// Makes a stroke from `a` to `b` whose two inner points stray sideways by up to `stray`.
fn jagged(a: Point, b: Point, side: Point, stray: f32, r: f32, ink: Ink, rng: &mut Rng) -> Vec<(Ink, Shape)> {
    let mut points = vec![a];
    for t in [0.33, 0.67] {
        let on = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
        points.push(along(on, side, rng.range(-stray, stray)));
    }
    points.push(b);
    points.windows(2).map(|pair| (ink, Shape::Stroke { a: pair[0], b: pair[1], r: r * rng.range(0.8, 1.0) })).collect()
}

/// Returns whether two points of copper are not connected within `reach` pixels of the point between them.
fn parted(copper: &Plane, [a, b]: [Point; 2], reach: i32) -> bool {
    let (cx, cy) = (((a[0] + b[0]) / 2.0) as i32, ((a[1] + b[1]) / 2.0) as i32);
    let side = 2 * reach + 1;
    let slot = |x: i32, y: i32| {
        let (dx, dy) = (x - cx + reach, y - cy + reach);
        (dx >= 0 && dy >= 0 && dx < side && dy < side).then_some((dy * side + dx) as usize)
    };
    let is_copper = |x, y| copper.at(x, y) >= COPPER;
    let (start, goal) = ((a[0] as i32, a[1] as i32), (b[0] as i32, b[1] as i32));
    if !is_copper(start.0, start.1) || !is_copper(goal.0, goal.1) {
        return false;
    }
    let mut seen = vec![false; (side * side) as usize];
    let mut stack = vec![start];
    while let Some((x, y)) = stack.pop() {
        let Some(i) = slot(x, y) else { continue };
        if seen[i] || !is_copper(x, y) {
            continue;
        }
        if (x, y) == goal {
            return false;
        }
        seen[i] = true;
        stack.extend([(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]);
    }
    true
}

/// A rectangle of the raster: left, top, right, bottom.
struct Patch([i32; 4]);

impl Patch {
    fn save(&self, plane: &Plane) -> Vec<u8> {
        let [left, top, right, bottom] = self.0.map(|v| v as usize);
        (top..bottom).flat_map(|y| plane.row(y)[left..right].iter().copied()).collect()
    }

    fn restore(&self, plane: &mut Plane, saved: &[u8]) {
        let [left, top, right, bottom] = self.0.map(|v| v as usize);
        for (y, row) in (top..bottom).zip(saved.chunks_exact(right - left)) {
            let at = y * plane.width;
            plane.data[at + left..at + right].copy_from_slice(row);
        }
    }

    /// Returns the rectangle of the pixels that differ from what was saved, or None if too few differ visibly.
    fn changed(&self, plane: &Plane, saved: &[u8]) -> Option<[i32; 4]> {
        let [left, top, right, bottom] = self.0;
        let mut b = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
        let mut count = 0;
        let mut before = saved.iter();
        for y in top..bottom {
            for x in left..right {
                let was = *before.next()?;
                let now = plane.at(x, y);
                if was != now {
                    b = [b[0].min(x), b[1].min(y), b[2].max(x + 1), b[3].max(y + 1)];
                }
                if was.abs_diff(now) > 100 {
                    count += 1;
                }
            }
        }
        (count >= 8).then_some(b)
    }
}
