// SPDX-License-Identifier: MPL-2.0
//! The outlines that boards are made of, and their rasterisation with soft edges into a plane of copper coverage.

/// A point or vector: x to the right, y downwards.
pub(crate) type Point = [f32; 2];

/// One outline. Lengths are in design units in a layout, and in pixels in a raster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// A line from `a` to `b` with round ends, `r` to each side; a disc if both ends are equal.
    Stroke { a: Point, b: Point, r: f32 },
    /// An upright rectangle whose corners are rounded with radius `round`.
    Rect { min: Point, max: Point, round: f32 },
    /// A convex polygon, its corners clockwise as seen (y downwards).
    Convex(Vec<Point>),
}

impl Shape {
    /// Makes a disc.
    pub(crate) fn disc(c: Point, r: f32) -> Self {
        Self::Stroke { a: c, b: c, r }
    }

    /// Returns the signed distance of `p` to the outline, negative inside (for polygons a lower bound near corners).
    pub(crate) fn distance(&self, p: Point) -> f32 {
        match self {
            Self::Stroke { a, b, r } => {
                let ab = [b[0] - a[0], b[1] - a[1]];
                let ap = [p[0] - a[0], p[1] - a[1]];
                let len2 = ab[0] * ab[0] + ab[1] * ab[1];
                let t = if len2 > 0.0 { ((ap[0] * ab[0] + ap[1] * ab[1]) / len2).clamp(0.0, 1.0) } else { 0.0 };
                (ap[0] - t * ab[0]).hypot(ap[1] - t * ab[1]) - r
            }
            Self::Rect { min, max, round } => {
                let half = [(max[0] - min[0]) / 2.0 - round, (max[1] - min[1]) / 2.0 - round];
                let q = [
                    (p[0] - (min[0] + max[0]) / 2.0).abs() - half[0],
                    (p[1] - (min[1] + max[1]) / 2.0).abs() - half[1],
                ];
                q[0].max(0.0).hypot(q[1].max(0.0)) + q[0].max(q[1]).min(0.0) - round
            }
            Self::Convex(points) => {
                let mut worst = f32::MIN;
                for (i, a) in points.iter().enumerate() {
                    let b = points[(i + 1) % points.len()];
                    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                    let len = dx.hypot(dy).max(1e-6);
                    worst = worst.max(((p[0] - a[0]) * dy - (p[1] - a[1]) * dx) / len);
                }
                worst
            }
        }
    }

    /// Returns the corners of the upright rectangle that holds the shape.
    pub(crate) fn bounds(&self) -> (Point, Point) {
        match self {
            Self::Stroke { a, b, r } => {
                ([a[0].min(b[0]) - r, a[1].min(b[1]) - r], [a[0].max(b[0]) + r, a[1].max(b[1]) + r])
            }
            Self::Rect { min, max, .. } => (*min, *max),
            Self::Convex(points) => points.iter().fold(([f32::MAX; 2], [f32::MIN; 2]), |(low, high), p| {
                ([low[0].min(p[0]), low[1].min(p[1])], [high[0].max(p[0]), high[1].max(p[1])])
            }),
        }
    }

    /// Returns the shape with every length multiplied by `s`.
    pub(crate) fn scaled(&self, s: f32) -> Self {
        let at = |p: &Point| [p[0] * s, p[1] * s];
        match self {
            Self::Stroke { a, b, r } => Self::Stroke { a: at(a), b: at(b), r: r * s },
            Self::Rect { min, max, round } => Self::Rect { min: at(min), max: at(max), round: round * s },
            Self::Convex(points) => Self::Convex(points.iter().map(at).collect()),
        }
    }
}

/// Whether a shape lays copper down or takes it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Copper is added.
    Lay,
    /// Copper is removed.
    Etch,
}

/// A plane of 8-bit samples without padding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plane {
    /// Samples a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// `width * height` samples, row by row.
    pub(crate) data: Vec<u8>,
}

impl Clone for Plane {
    fn clone(&self) -> Self {
        Self { width: self.width, height: self.height, data: self.data.clone() }
    }

    /// Copies into the memory already there.
    fn clone_from(&mut self, source: &Self) {
        (self.width, self.height) = (source.width, source.height);
        self.data.clone_from(&source.data);
    }
}

impl Plane {
    /// Makes a plane full of `value`.
    pub(crate) fn new(width: usize, height: usize, value: u8) -> Self {
        Self { width, height, data: vec![value; width * height] }
    }

    /// Returns the sample at x, y, or 0 outside.
    pub(crate) fn at(&self, x: i32, y: i32) -> u8 {
        if x < 0 || y < 0 || x as usize >= self.width || y as usize >= self.height {
            return 0;
        }
        self.data[y as usize * self.width + x as usize]
    }

    /// Returns the row `y`.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width..(y + 1) * self.width]
    }

    /// Calls `f` with every sample that `shape` (in pixels) touches and how much of the pixel it covers, 1..=255.
    pub(crate) fn cover(&mut self, shape: &Shape, mut f: impl FnMut(&mut u8, u8)) {
        let (low, high) = shape.bounds();
        let y0 = (low[1] - 1.0).floor().max(0.0) as usize;
        let y1 = ((high[1] + 1.0).ceil().max(0.0) as usize).min(self.height);
        for y in y0..y1 {
            let cy = y as f32 + 0.5;
            let (left, right) = span(shape, cy, low[0], high[0]);
            let x0 = (left - 1.0).floor().max(0.0) as usize;
            let x1 = ((right + 1.0).ceil().max(0.0) as usize).min(self.width);
            if x0 >= x1 {
                continue;
            }
            let row = &mut self.data[y * self.width..(y + 1) * self.width];
            for (x, sample) in row[x0..x1].iter_mut().enumerate() {
                let d = shape.distance([(x0 + x) as f32 + 0.5, cy]);
                if d < 0.75 {
                    // Edges are 1.5 pixels wide: the optics of a camera are never as sharp as its pixels.
                    let a = ((0.75 - d) / 1.5 * 255.0).min(255.0) as u8;
                    if a > 0 {
                        f(sample, a);
                    }
                }
            }
        }
    }

    /// Lays or etches `shape` (in pixels).
    pub(crate) fn draw(&mut self, shape: &Shape, ink: Ink) {
        match ink {
            Ink::Lay => self.cover(shape, |sample, a| *sample = (*sample).max(a)),
            Ink::Etch => self.cover(shape, |sample, a| *sample = (*sample).min(255 - a)),
        }
    }
}

/// Returns the columns in which `shape` can touch the row at height `cy`: a slanted stroke fills little of its rectangle.
fn span(shape: &Shape, cy: f32, left: f32, right: f32) -> (f32, f32) {
    let Shape::Stroke { a, b, r } = shape else {
        return (left, right);
    };
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    if dy.abs() < 1e-3 {
        return (left, right);
    }
    let reach = r + 1.0;
    let t0 = ((cy - reach - a[1]) / dy).clamp(0.0, 1.0);
    let t1 = ((cy + reach - a[1]) / dy).clamp(0.0, 1.0);
    let (x0, x1) = (a[0] + t0 * dx, a[0] + t1 * dx);
    (x0.min(x1) - reach, x0.max(x1) + reach)
}
