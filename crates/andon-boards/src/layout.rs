// SPDX-License-Identifier: MPL-2.0
//! The design of a board: its buses, pads, vias, pours and traces, drawn at random from the name of its SKU.

use super::rng::Rng;
use super::router::{Grid, Node};
use super::shape::{Ink, Point, Shape};

/// tan(22.5°): how much earlier the next trace of a bus bends at a 45° corner for the traces to keep their distance.
const BEND: f32 = 0.414_213_56;

/// The length of a bus's pads in half trace widths.
const BUS_PAD: f32 = 5.0;

/// A family of boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Buses of wide traces crossing the board, pours, few pads.
    Bus,
    /// Narrow traces between many pads and vias.
    Dense,
}

impl Family {
    /// Returns the family of a SKU: bus if the last byte of its name is odd ("A", "C", "7"), else dense ("B", "12").
    pub(crate) fn of(sku: &str) -> Self {
        match sku.bytes().last() {
            Some(last) if last % 2 == 0 => Self::Dense,
            _ => Self::Bus,
        }
    }
}

/// A board as geometry, in design units.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Copper laid and etched, in this order; holes not included.
    pub(crate) copper: Vec<(Ink, Shape)>,
    /// Drilled holes: centre and radius.
    pub(crate) holes: Vec<(Point, f32)>,
}

impl Layout {
    /// Lays out `sku` on a board of `width` by `height` design units. Equal arguments give equal layouts.
    pub(crate) fn of(sku: &str, width: f32, height: f32) -> Self {
        let family = Family::of(sku);
        let mut rng = Rng::from_text(sku);
        let (pitch, fill) = match family {
            Family::Bus => (rng.range(17.0, 33.0), rng.range(0.42, 0.6)),
            Family::Dense => (rng.range(13.0, 20.0), rng.range(0.42, 0.54)),
        };
        let mut designer = Designer {
            half: pitch * fill / 2.0,
            gap: pitch * 0.34,
            grid: Grid::new(width, height, pitch),
            size: [width, height],
            rng,
            owners: 0,
            pins: Vec::new(),
            copper: Vec::new(),
            holes: Vec::new(),
        };
        match family {
            Family::Bus => designer.bus_board(),
            Family::Dense => designer.dense_board(),
        }
        Self { copper: designer.copper, holes: designer.holes }
    }
}

/// A place where a trace may begin or end.
#[derive(Debug, Clone, Copy)]
struct Pin {
    node: Node,
    owner: u16,
}

struct Designer {
    /// Half the width of an ordinary trace.
    half: f32,
    /// The least distance between two nets.
    gap: f32,
    grid: Grid,
    size: Point,
    rng: Rng,
    owners: u16,
    pins: Vec<Pin>,
    copper: Vec<(Ink, Shape)>,
    holes: Vec<(Point, f32)>,
}

impl Designer {
    fn bus_board(&mut self) {
        let upright = self.rng.chance(0.5);
        for _ in 0..self.rng.int(2, 3) {
            self.bus(upright, 4, 9);
        }
        for _ in 0..self.rng.int(1, 3) {
            self.pour();
        }
        for _ in 0..self.rng.int(1, 3) {
            self.header();
        }
        for _ in 0..self.rng.int(6, 12) {
            self.pad(0.75, 1.25);
        }
        self.nets(26, 0.35);
    }

    fn dense_board(&mut self) {
        for _ in 0..self.rng.int(3, 5) {
            self.package();
        }
        if self.rng.chance(0.5) {
            let upright = self.rng.chance(0.5);
            self.bus(upright, 3, 6);
        }
        for _ in 0..self.rng.int(1, 2) {
            self.header();
        }
        for _ in 0..self.rng.int(1, 2) {
            self.pour();
        }
        for _ in 0..self.rng.int(28, 50) {
            self.pad(0.62, 0.85);
        }
        self.nets(70, 0.1);
    }

    fn owner(&mut self) -> u16 {
        self.owners += 1;
        self.owners
    }

    fn reach(&self) -> f32 {
        self.gap + self.half
    }

    fn random_node(&mut self) -> Node {
        (self.rng.int(1, self.grid.nx - 2), self.rng.int(1, self.grid.ny - 2))
    }

    fn lay(&mut self, shape: Shape, owner: u16) {
        self.grid.take(&shape, self.reach(), owner);
        self.copper.push((Ink::Lay, shape));
    }

    /// Lays parallel traces across the board, with a jog or two of 45°.
    fn bus(&mut self, upright: bool, least: i32, most: i32) {
        for _ in 0..30 {
            let half = self.half * self.rng.range(0.8, 1.15);
            let step = half * 2.0 / self.rng.range(0.42, 0.6);
            let traces = self.rng.int(least, most);
            let (length, breadth) = if upright { (self.size[1], self.size[0]) } else { (self.size[0], self.size[1]) };
            let wide = step * traces as f32;
            let mut v = self.rng.range(20.0, (breadth - wide - 20.0).max(21.0));
            let starts_at_pads = self.rng.chance(0.45);
            let begin = if starts_at_pads { self.rng.range(60.0, length * 0.3) } else { -20.0 };
            let mut jogs = Vec::new();
            let mut u = begin + self.rng.range(0.25, 0.4) * length;
            while u < length - wide - 60.0 && jogs.len() < 2 {
                let d = self.rng.range(30.0, 150.0) * if self.rng.chance(0.5) { 1.0 } else { -1.0 };
                if v + d > 15.0 && v + d + wide < breadth - 15.0 {
                    jogs.push((u, d));
                    v += d;
                }
                u += self.rng.range(0.25, 0.5) * length;
            }
            v -= jogs.iter().map(|(_, d)| d).sum::<f32>();
            let mut strokes = Vec::new();
            let turn = |u: f32, v: f32| if upright { [v, u] } else { [u, v] };
            for k in 0..traces {
                let offset = k as f32 * step;
                let mut at = (begin, v + offset);
                let mut trace = Vec::new();
                for &(c, d) in &jogs {
                    let bend = c - offset * BEND * d.signum();
                    trace.push((at, (bend, at.1)));
                    trace.push(((bend, at.1), (bend + d.abs(), at.1 + d)));
                    at = (bend + d.abs(), at.1 + d);
                }
                trace.push((at, (length + 20.0, at.1)));
                strokes.push(trace);
            }
            let shape =
                |(a, b): ((f32, f32), (f32, f32))| Shape::Stroke { a: turn(a.0, a.1), b: turn(b.0, b.1), r: half };
            if !strokes.iter().flatten().all(|&s| self.grid.fits(&shape(s), self.reach())) {
                continue;
            }
            for trace in strokes {
                let owner = self.owner();
                if starts_at_pads {
                    let (u, v) = trace[0].0;
                    let (long, wide) = (half * BUS_PAD, half * 1.4);
                    let (a, b) = (turn(u - long, v - wide), turn(u, v + wide));
                    self.lay(Shape::Rect { min: a, max: b, round: half * 0.5 }, owner);
                }
                for s in trace {
                    self.lay(shape(s), owner);
                }
            }
            return;
        }
    }

    /// Lays a copper area with cut corners, at times with an isolated via or bare holes in it.
    fn pour(&mut self) {
        for _ in 0..30 {
            let node = self.random_node();
            let c = self.grid.position(node);
            let (w, h) = (self.rng.range(45.0, 115.0), self.rng.range(35.0, 95.0));
            let cut = self.rng.range(0.15, 0.5) * w.min(h);
            let shape = Shape::Convex(vec![
                [c[0] - w + cut, c[1] - h],
                [c[0] + w - cut, c[1] - h],
                [c[0] + w, c[1] - h + cut],
                [c[0] + w, c[1] + h - cut],
                [c[0] + w - cut, c[1] + h],
                [c[0] - w + cut, c[1] + h],
                [c[0] - w, c[1] + h - cut],
                [c[0] - w, c[1] - h + cut],
            ]);
            if !self.grid.fits(&shape, self.reach()) {
                continue;
            }
            let owner = self.owner();
            self.lay(shape, owner);
            self.pins.push(Pin { node, owner });
            let hole = self.rng.range(6.0, 11.0);
            if self.rng.chance(0.6) {
                let at = [c[0] - w * 0.45, c[1] + self.rng.range(-0.3, 0.3) * h];
                self.copper.push((Ink::Etch, Shape::disc(at, hole * 1.8 + self.gap)));
                self.copper.push((Ink::Lay, Shape::disc(at, hole * 1.8)));
                self.holes.push((at, hole));
            }
            if self.rng.chance(0.6) {
                self.holes.push(([c[0] + w * 0.5, c[1] + self.rng.range(-0.3, 0.3) * h], hole));
            }
            return;
        }
    }

    /// Lays a round pad with a drilled hole, its radius `least..most` pitches. Small pads are vias.
    fn pad(&mut self, least: f32, most: f32) {
        let r = self.rng.range(least, most) * self.grid.pitch;
        for _ in 0..20 {
            let node = self.random_node();
            let shape = Shape::disc(self.grid.position(node), r);
            if self.grid.fits(&shape, self.reach()) {
                self.drilled(node, shape, r);
                return;
            }
        }
    }

    fn drilled(&mut self, node: Node, shape: Shape, r: f32) {
        let owner = self.owner();
        self.lay(shape, owner);
        if self.rng.chance(0.85) {
            let hole = r * self.rng.range(0.36, 0.52);
            self.holes.push((self.grid.position(node), hole));
        }
        self.pins.push(Pin { node, owner });
    }

    /// Lays a row of drilled pads, the first one square.
    fn header(&mut self) {
        let r = self.rng.range(0.75, 1.05) * self.grid.pitch;
        let step = ((2.0 * r + 2.0 * self.gap) / self.grid.pitch).ceil() as i32;
        for _ in 0..20 {
            let (first, count, upright) = (self.random_node(), self.rng.int(3, 6), self.rng.chance(0.5));
            let nodes: Vec<Node> = (0..count)
                .map(|i| if upright { (first.0, first.1 + i * step) } else { (first.0 + i * step, first.1) })
                .collect();
            let shape = |node: Node, square: bool| {
                let c = self.grid.position(node);
                if square {
                    Shape::Rect { min: [c[0] - r, c[1] - r], max: [c[0] + r, c[1] + r], round: r * 0.2 }
                } else {
                    Shape::disc(c, r)
                }
            };
            let shapes: Vec<Shape> = nodes.iter().enumerate().map(|(i, &n)| shape(n, i == 0)).collect();
            if shapes.iter().all(|s| self.grid.fits(s, self.reach())) {
                for (node, shape) in nodes.into_iter().zip(shapes) {
                    self.drilled(node, shape, r);
                }
                return;
            }
        }
    }

    /// Lays the footprint of a chip: two facing rows of flat pads.
    fn package(&mut self) {
        let p = self.grid.pitch;
        let (long, wide) = (self.rng.range(1.1, 1.5) * p, self.rng.range(0.42, 0.56) * p);
        for _ in 0..30 {
            let (first, count) = (self.random_node(), self.rng.int(4, 8));
            let (apart, upright) = (self.rng.int(6, 9), self.rng.chance(0.5));
            let mut pads = Vec::new();
            for i in 0..count {
                for row in [0, apart] {
                    let node =
                        if upright { (first.0 + row, first.1 + 2 * i) } else { (first.0 + 2 * i, first.1 + row) };
                    let (hx, hy) = if upright { (long, wide) } else { (wide, long) };
                    let c = self.grid.position(node);
                    let (min, max) = ([c[0] - hx, c[1] - hy], [c[0] + hx, c[1] + hy]);
                    pads.push((node, Shape::Rect { min, max, round: wide * 0.35 }));
                }
            }
            if pads.iter().all(|(_, s)| self.grid.fits(s, self.reach())) {
                for (node, shape) in pads {
                    let owner = self.owner();
                    self.lay(shape, owner);
                    self.pins.push(Pin { node, owner });
                }
                return;
            }
        }
    }

    /// Routes up to `count` traces between pins, or from a pin off the board; a share of `fat` of them wide.
    fn nets(&mut self, count: usize, fat: f64) {
        let mut used = vec![false; self.pins.len()];
        for _ in 0..count {
            if self.pins.is_empty() {
                return;
            }
            let a = self.rng.index(self.pins.len());
            let from = self.pins[a];
            let off_board = self.rng.chance(0.3);
            let (goal, owner) = if off_board {
                let (nx, ny) = (self.grid.nx, self.grid.ny);
                let edges = [(0, from.node.1), (nx - 1, from.node.1), (from.node.0, 0), (from.node.0, ny - 1)];
                (edges[self.rng.index(4)], from.owner)
            } else {
                let Some(b) = self.partner(a, &used) else {
                    continue;
                };
                used[b] = true;
                (self.pins[b].node, self.pins[b].owner)
            };
            let wide = self.rng.chance(fat);
            let owners = [from.owner, owner];
            let Some(corners) = self.grid.route(from.node, goal, owners, wide) else {
                continue;
            };
            used[a] = true;
            let half = if wide { self.half * self.rng.range(1.5, 2.6) } else { self.half };
            let mut points: Vec<Point> = corners.iter().map(|&n| self.grid.position(n)).collect();
            if off_board && let Some(last) = points.last_mut() {
                let p = self.grid.pitch;
                let out = |v: i32, n: i32| {
                    if v == 0 {
                        -p
                    } else if v == n - 1 {
                        p
                    } else {
                        0.0
                    }
                };
                last[0] += out(goal.0, self.grid.nx) * 2.0;
                last[1] += out(goal.1, self.grid.ny) * 2.0;
            }
            for pair in points.windows(2) {
                self.lay(Shape::Stroke { a: pair[0], b: pair[1], r: half }, owners[0]);
            }
        }
    }

    /// Returns a pin near pin `a` that has no trace yet.
    fn partner(&mut self, a: usize, used: &[bool]) -> Option<usize> {
        let from = self.pins[a];
        let far = |pin: &Pin| (pin.node.0 - from.node.0).abs().max((pin.node.1 - from.node.1).abs());
        let mut near: Vec<usize> =
            (0..self.pins.len()).filter(|&b| b != a && !used[b] && self.pins[b].owner != from.owner).collect();
        near.sort_by_key(|&b| (far(&self.pins[b]), b));
        near.truncate(8);
        (!near.is_empty()).then(|| near[self.rng.index(near.len())])
    }
}
