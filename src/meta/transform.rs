// SPDX-License-Identifier: MPL-2.0
//! Where a result lies once the pixels of its frame have moved: scaled, cropped, mirrored, turned by quarters, set
//! between borders.
//!
//! What cannot be followed exactly is not followed: [`Placement::of_sizes`] and [`Placement::of_matrix`] return
//! `None`, and the caller drops the result.

use std::sync::Arc;

use andon_core::result::{BoxPx, Detection, Inference, Mask};

/// Size of a frame, and shape of its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    /// Width and height, pixels.
    pub size: [u32; 2],
    /// Width and height of a pixel, as a fraction.
    pub pixel: [u32; 2],
}

/// A transform as GStreamer 1.28 hands it over: the matrix takes a point of `from_part`, counted from its corner, to a
/// point of `to_part`, counted from its corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix {
    /// Size of the frame before.
    pub from: [u32; 2],
    /// The part of it that is shown: left, top, width, height.
    pub from_part: [i32; 4],
    /// Size of the frame after.
    pub to: [u32; 2],
    /// The part of it that shows the other: left, top, width, height.
    pub to_part: [i32; 4],
    /// The matrix, by rows.
    pub rows: [[f32; 3]; 3],
}

/// How the pixels of one frame lie in another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// Size of the frame before.
    from: [u32; 2],
    /// Size of the frame after.
    to: [u32; 2],
    /// Whether x and y change places.
    turned: bool,
    /// By how much each axis of the frame after is stretched. Negative if it is mirrored.
    factor: [f32; 2],
    /// Where the origin comes to lie on each axis of the frame after.
    offset: [f32; 2],
    /// The part of the frame after in which the other is seen. None if all of the other is seen.
    window: Option<BoxPx>,
}

impl Placement {
    /// Returns the placement of a frame that is stretched from one size to another.
    pub fn stretch(from: [u32; 2], to: [u32; 2]) -> Self {
        let factor = [0, 1].map(|i| to[i] as f32 / from[i].max(1) as f32);
        Self { from, to, turned: false, factor, offset: [0.0; 2], window: None }
    }

    /// Returns the placement of a frame of which nothing but both sizes is known, or `None` if there may be borders.
    ///
    /// A scaler adds borders where the shapes of both pictures differ, unless it is told to stretch. So only equal
    /// shapes tell that nothing but the size has changed. Borders of a pixel come from rounding.
    pub fn of_sizes(from: Extent, to: Extent) -> Option<Self> {
        let [wide, high] = [0, 1].map(|i| u128::from(from.size[i]) * u128::from(from.pixel[i]));
        let [wide, high] = [wide * u128::from(to.pixel[1]), high * u128::from(to.pixel[0])];
        if wide == 0 || high == 0 {
            return None;
        }
        let [out_wide, out_high] = to.size.map(u128::from);
        let border = match out_high.checked_sub(out_wide * high / wide) {
            Some(border) => border,
            None => out_wide.saturating_sub(out_high * wide / high),
        };
        (border <= 1).then(|| Self::stretch(from.size, to.size))
    }

    /// Returns the placement by a matrix, or `None` for one that leaves no box upright, or shows nothing.
    pub fn of_matrix(m: &Matrix) -> Option<Self> {
        let [[a, b, x], [c, d, y], last] = m.rows;
        let turned = a == 0.0 && d == 0.0;
        let factor = if turned { [b, c] } else { [a, d] };
        let is_straight = turned || (b == 0.0 && c == 0.0);
        let is_whole = factor.iter().chain([&x, &y]).all(|v| v.is_finite()) && !factor.contains(&0.0);
        if last != [0.0, 0.0, 1.0] || !is_straight || !is_whole {
            return None;
        }
        let offset = [0, 1].map(|i| {
            let of = source(turned, i);
            let mut start = [x, y][i];
            // A mirrored axis is given for the middles of pixels, n to width - 1 - n: edges lie one further.
            if (start.min(start + factor[i] * m.from_part[of + 2] as f32) + 1.0).abs() < 0.25 {
                start += 1.0;
            }
            start + m.to_part[i] as f32 - factor[i] * m.from_part[of] as f32
        });
        let within = |part: [i32; 4], size: [u32; 2]| {
            (0..2).all(|i| part[i] >= 0 && i64::from(part[i]) + i64::from(part[i + 2]) <= i64::from(size[i]))
        };
        let covers = |part: [i32; 4], size: [u32; 2]| {
            (0..2).all(|i| part[i] <= 0 && i64::from(part[i]) + i64::from(part[i + 2]) >= i64::from(size[i]))
        };
        let window = if covers(m.from_part, m.from) && within(m.to_part, m.to) {
            None
        } else {
            let all = [0.0, 0.0, m.to[0] as f32, m.to[1] as f32];
            Some(overlap(&m.to_part.map(|v| v as f32), &all)?)
        };
        Some(Self { from: m.from, to: m.to, turned, factor, offset, window })
    }

    /// Returns the result for the frame after. What lies outside of what is seen is gone; an upright box on the edge is
    /// cut off there. An oriented box, a mask and a map stay whole.
    pub fn place(&self, inference: &Inference) -> Inference {
        let here = self.after(inference.frame);
        let mut out = inference.clone();
        out.frame = self.to;
        out.detections.retain_mut(|d| here.detection(d));
        if self.window.is_some() {
            // They count the boxes of another result, which may have lost some.
            out.parents.clear();
        }
        if let Some(anomaly) = &mut out.anomaly {
            here.mask(&mut anomaly.mask);
            anomaly.map = anomaly.map.take().filter(|map| here.is_seen(&map.region)).map(|mut map| {
                let values = &map.values;
                (map.width, map.height, map.values) = here.grid(map.width, map.height, values);
                map.region = here.moved(&map.region);
                map
            });
        }
        out.segmentation = out.segmentation.take().filter(|s| here.is_seen(&s.region)).map(|mut s| {
            (s.width, s.height, s.classes) = here.grid(s.width, s.height, &s.classes);
            s.region = here.moved(&s.region);
            s
        });
        out
    }

    /// Returns the placement of a result whose boxes are pixels of a frame of another size.
    fn after(&self, frame: [u32; 2]) -> Self {
        if frame == self.from || frame.contains(&0) {
            return *self;
        }
        let before = Self::stretch(frame, self.from).factor;
        let factor = [0, 1].map(|i| self.factor[i] * before[source(self.turned, i)]);
        Self { factor, ..*self }
    }

    /// Moves a detection. Returns `false` if it is not seen any more.
    fn detection(&self, d: &mut Detection) -> bool {
        if !self.is_seen(&d.upright()) {
            return false;
        }
        match d.angle {
            Some(angle) => (d.bbox, d.angle) = self.oriented(&d.bbox, angle),
            None => {
                d.bbox = self.moved(&d.bbox);
                if let Some(seen) = self.window.and_then(|window| overlap(&d.bbox, &window)) {
                    d.bbox = seen;
                }
            }
        }
        self.mask(&mut d.mask);
        true
    }

    fn is_seen(&self, b: &BoxPx) -> bool {
        self.window.is_none_or(|window| overlap(&self.moved(b), &window).is_some())
    }

    /// Moves an upright box.
    fn moved(&self, b: &BoxPx) -> BoxPx {
        let mut out = [0.0; 4];
        for (i, factor) in self.factor.into_iter().enumerate() {
            let of = source(self.turned, i);
            let near = if factor < 0.0 { b[of] + b[of + 2] } else { b[of] };
            out[i] = near * factor + self.offset[i];
            out[i + 2] = b[of + 2] * factor.abs();
        }
        out
    }

    /// Moves an oriented box: the rectangle along the new direction of its width.
    fn oriented(&self, b: &BoxPx, angle: f32) -> (BoxPx, Option<f32>) {
        let [across, down] = self.factor;
        let keeps_angles = !self.turned && across > 0.0 && down > 0.0;
        if keeps_angles && across == down {
            return (self.moved(b), Some(angle));
        }
        let [x, y, w, h] = *b;
        let (sin, cos) = angle.sin_cos();
        let direction = |v: [f32; 2]| [0, 1].map(|i| v[source(self.turned, i)] * self.factor[i]);
        let [along, beside] = [direction([cos, sin]), direction([-sin, cos])];
        let [wide, high] = [w * along[0].hypot(along[1]), h * beside[0].hypot(beside[1])];
        let centre = direction([x + w / 2.0, y + h / 2.0]);
        let [cx, cy] = [0, 1].map(|i| centre[i] + self.offset[i]);
        let angle = along[1].atan2(along[0]);
        let angle = if keeps_angles { angle } else { least_turn(angle) };
        ([cx - wide / 2.0, cy - high / 2.0, wide, high], Some(angle))
    }

    fn mask(&self, mask: &mut Option<Arc<Mask>>) {
        *mask = mask.take().filter(|m| self.is_seen(&m.region)).map(|mut shared| {
            let m = Arc::make_mut(&mut shared);
            (m.width, m.height, m.values) = self.grid(m.width, m.height, &m.values);
            m.region = self.moved(&m.region);
            shared
        });
    }

    /// Turns and mirrors a grid of cells: width, height, values by rows.
    fn grid<T: Copy>(&self, width: u32, height: u32, values: &Arc<[T]>) -> (u32, u32, Arc<[T]>) {
        if !self.turned && self.factor.iter().all(|f| *f > 0.0) {
            return (width, height, values.clone());
        }
        let [out_width, out_height] = if self.turned { [height, width] } else { [width, height] };
        let (columns, rows) = (out_width as usize, out_height as usize);
        if values.len() < columns * rows {
            // A result that was read from JSON has no values.
            return (out_width, out_height, values.clone());
        }
        let cell = |at: usize| {
            let mut from = [0; 2];
            for (i, (place, count)) in [(at % columns, columns), (at / columns, rows)].into_iter().enumerate() {
                from[source(self.turned, i)] = if self.factor[i] < 0.0 { count - 1 - place } else { place };
            }
            values[from[1] * width as usize + from[0]]
        };
        (out_width, out_height, (0..columns * rows).map(cell).collect())
    }
}

/// Returns the result for the frame stretched from one size to another.
pub(crate) fn scaled(inference: &Inference, from: [u32; 2], to: [u32; 2]) -> Inference {
    Placement::stretch(from, to).place(inference)
}

/// Returns the axis before that becomes axis `i`.
fn source(turned: bool, i: usize) -> usize {
    if turned { 1 - i } else { i }
}

/// Returns the angle of the same rectangle within a quarter turn of none.
fn least_turn(angle: f32) -> f32 {
    use std::f32::consts::{FRAC_PI_2, PI};
    match angle {
        a if a > FRAC_PI_2 => a - PI,
        a if a <= -FRAC_PI_2 => a + PI,
        a => a,
    }
}

/// Returns what two boxes have in common, or `None` if that is nothing.
fn overlap(a: &BoxPx, b: &BoxPx) -> Option<BoxPx> {
    let [x, y] = [0, 1].map(|i| a[i].max(b[i]));
    let [right, bottom] = [0, 1].map(|i| (a[i] + a[i + 2]).min(b[i] + b[i + 2]));
    (right > x && bottom > y).then_some([x, y, right - x, bottom - y])
}
