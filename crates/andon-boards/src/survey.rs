// SPDX-License-Identifier: MPL-2.0
//! Measurements of a rastered board: how far each pixel is from an edge, and which copper is connected.

use super::shape::Plane;

/// Coverage from which a pixel counts as copper.
pub(crate) const COPPER: u8 = 128;

/// Measurements of a plane of copper coverage.
#[derive(Debug, Clone)]
pub(crate) struct Survey {
    width: usize,
    height: usize,
    /// Distance to the nearest pixel of the other kind in thirds of a pixel; positive in copper, negative outside.
    distance: Vec<i16>,
    /// The piece of connected copper a pixel belongs to, from 1; 0 outside copper.
    piece: Vec<u16>,
    /// Copper pixels that touch substrate: x, y.
    pub(crate) edges: Vec<(u16, u16)>,
}

impl Survey {
    /// Measures `copper` (chamfer distance 3-4 after Borgefors 1986; flood fill over four neighbours).
    pub(crate) fn of(copper: &Plane) -> Self {
        let (width, height) = (copper.width, copper.height);
        let mut inside = chamfer(copper, |v| v >= COPPER);
        let outside = chamfer(copper, |v| v < COPPER);
        for (d, o) in inside.iter_mut().zip(&outside) {
            *d -= *o;
        }
        let edges = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .filter(|&(x, y)| (1..=3).contains(&inside[y * width + x]))
            .map(|(x, y)| (x as u16, y as u16))
            .collect();
        Self { width, height, distance: inside, piece: pieces(copper), edges }
    }

    fn slot(&self, x: f32, y: f32) -> Option<usize> {
        (x >= 0.0 && y >= 0.0 && (x as usize) < self.width && (y as usize) < self.height)
            .then(|| y as usize * self.width + x as usize)
    }

    /// Returns the signed distance at a point in pixels, positive in copper, or None outside the raster.
    pub(crate) fn distance(&self, x: f32, y: f32) -> Option<f32> {
        self.slot(x, y).map(|slot| f32::from(self.distance[slot]) / 3.0)
    }

    /// Returns the piece of copper at a point, or 0 outside copper.
    pub(crate) fn piece(&self, x: f32, y: f32) -> u16 {
        self.slot(x, y).map_or(0, |slot| self.piece[slot])
    }

    /// Returns the unit vector that points out of the copper at an edge, or None if the edge has no clear direction.
    pub(crate) fn normal(&self, x: f32, y: f32) -> Option<[f32; 2]> {
        let (mut gx, mut gy) = (0.0, 0.0);
        for dy in -3i32..=3 {
            for dx in -3i32..=3 {
                let d = self.distance(x + dx as f32, y + dy as f32)?.clamp(-3.0, 3.0);
                gx -= d * dx as f32;
                gy -= d * dy as f32;
            }
        }
        let len = gx.hypot(gy);
        (len > 30.0).then(|| [gx / len, gy / len])
    }

    /// Returns the distance from x, y along `dir` to where copper begins or ends. Returns None if that is farther than `limit`
    /// pixels, or outside the raster.
    pub(crate) fn march(&self, x: f32, y: f32, dir: [f32; 2], limit: f32) -> Option<f32> {
        let start = self.distance(x, y)? > 0.0;
        let mut t = 0.0;
        while t <= limit {
            if (self.distance(x + dir[0] * t, y + dir[1] * t)? > 0.0) != start {
                return Some(t);
            }
            t += 0.5;
        }
        None
    }
}

/// Returns the distance of every pixel that `is` accepts to the nearest that it does not, in thirds of a pixel; 0 for others.
fn chamfer(plane: &Plane, is: impl Fn(u8) -> bool) -> Vec<i16> {
    let (w, h) = (plane.width, plane.height);
    const FAR: i16 = 3 * 4000;
    let mut d: Vec<i16> = plane.data.iter().map(|&v| if is(v) { FAR } else { 0 }).collect();
    for y in 0..h {
        for x in 0..w {
            let i = y * w + x;
            if d[i] == 0 {
                continue;
            }
            let mut best = d[i];
            if x > 0 {
                best = best.min(d[i - 1] + 3);
            }
            if y > 0 {
                best = best.min(d[i - w] + 3);
                if x > 0 {
                    best = best.min(d[i - w - 1] + 4);
                }
                if x + 1 < w {
                    best = best.min(d[i - w + 1] + 4);
                }
            }
            d[i] = best;
        }
    }
    for y in (0..h).rev() {
        for x in (0..w).rev() {
            let i = y * w + x;
            if d[i] == 0 {
                continue;
            }
            let mut best = d[i];
            if x + 1 < w {
                best = best.min(d[i + 1] + 3);
            }
            if y + 1 < h {
                best = best.min(d[i + w] + 3);
                if x > 0 {
                    best = best.min(d[i + w - 1] + 4);
                }
                if x + 1 < w {
                    best = best.min(d[i + w + 1] + 4);
                }
            }
            d[i] = best;
        }
    }
    d
}

/// Numbers the pieces of copper.
fn pieces(plane: &Plane) -> Vec<u16> {
    let (w, h) = (plane.width, plane.height);
    let mut piece = vec![0u16; w * h];
    let mut count = 0u16;
    let mut stack = Vec::new();
    for start in 0..w * h {
        if piece[start] != 0 || plane.data[start] < COPPER {
            continue;
        }
        count = count.saturating_add(1);
        piece[start] = count;
        stack.push(start);
        while let Some(i) = stack.pop() {
            let (x, y) = (i % w, i / w);
            let mut visit = |j: usize| {
                if piece[j] == 0 && plane.data[j] >= COPPER {
                    piece[j] = count;
                    stack.push(j);
                }
            };
            if x > 0 {
                visit(i - 1);
            }
            if x + 1 < w {
                visit(i + 1);
            }
            if y > 0 {
                visit(i - w);
            }
            if y + 1 < h {
                visit(i + w);
            }
        }
    }
    piece
}
