// SPDX-License-Identifier: MPL-2.0
//! The numbers of a tensor: their types, their normalisation and their layout.

use andon_model::Layout;
use half::f16;

/// The part of a tensor that one frame fills.
#[derive(Debug)]
pub enum TensorMut<'a> {
    /// 32-bit floats.
    F32(&'a mut [f32]),
    /// 16-bit floats, rounded to the nearest, ties to even.
    F16(&'a mut [f16]),
    /// Unsigned 8-bit integers, rounded to the nearest, ties to even, as OpenCV does, and limited to 0..255.
    U8(&'a mut [u8]),
    /// Signed 8-bit integers, rounded to the nearest, ties to even, as OpenCV does, and limited to -128..127.
    I8(&'a mut [i8]),
}

impl TensorMut<'_> {
    /// The count of numbers.
    pub(super) fn len(&self) -> usize {
        match self {
            TensorMut::F32(t) => t.len(),
            TensorMut::F16(t) => t.len(),
            TensorMut::U8(t) => t.len(),
            TensorMut::I8(t) => t.len(),
        }
    }
}

/// A type of numbers in tensors.
pub(super) trait Number: Copy {
    /// The number for a normalised value.
    fn of(value: f32) -> Self;
}

impl Number for f32 {
    #[inline(always)]
    fn of(value: f32) -> Self {
        value
    }
}

impl Number for f16 {
    /// Converts in integers without branches, so that vector instructions do whole rows (after F. Giesen, "Half to float
    /// done quick", 2012: the inverse, rounding to even).
    #[inline(always)]
    fn of(value: f32) -> Self {
        let bits = value.to_bits();
        let size = bits & 0x7fff_ffff;
        let normal = (size.wrapping_add(0xfff + (size >> 13 & 1)).wrapping_sub(112 << 23)) >> 13;
        // Below the smallest normal number the sum with 0.5 has the rounded bits in their place.
        let small = (f32::from_bits(size) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
        let finite = if size < 113 << 23 { small } else { normal };
        let half = if size >= 0x477f_f000 { 0x7c00 } else { finite };
        f16::from_bits((half | bits >> 16 & 0x8000) as u16)
    }
}

/// Adding and subtracting this rounds a number of at most 2^22 to an integer, ties to even.
const WHOLE: f32 = 12_582_912.0;

impl Number for u8 {
    #[inline(always)]
    fn of(value: f32) -> Self {
        ((value.clamp(0.0, 255.0) + WHOLE) - WHOLE) as i32 as u8
    }
}

impl Number for i8 {
    #[inline(always)]
    fn of(value: f32) -> Self {
        ((value.clamp(-128.0, 127.0) + WHOLE) - WHOLE) as i32 as i8
    }
}

/// The normalisation of a pixel value 0..255: `(value - mean) * scale`, by channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalise {
    pub mean: [f32; 4],
    pub scale: [f32; 4],
}

impl Normalise {
    /// The number for a pixel value of channel `c`.
    #[inline(always)]
    fn of<T: Number>(&self, value: f32, c: usize) -> T {
        T::of((value - self.mean[c]) * self.scale[c])
    }
}

/// The layout of one frame's tensor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub size: [usize; 2],
    pub channels: usize,
    pub layout: Layout,
}

impl Shape {
    /// Writes a row of every channel from pixel `x`, `y` on.
    #[inline(always)]
    pub(super) fn row<T: Number>(&self, tensor: &mut [T], [x, y]: [usize; 2], rows: &[&[f32]], n: &Normalise) {
        let [width, height] = self.size;
        let count = rows[0].len();
        match (self.layout, rows) {
            (Layout::Nhwc, [r, g, b]) => {
                let out = &mut tensor[(y * width + x) * 3..][..count * 3];
                let values = r.iter().zip(*g).zip(*b);
                for (o, ((r, g), b)) in out.as_chunks_mut::<3>().0.iter_mut().zip(values) {
                    *o = [n.of(*r, 0), n.of(*g, 1), n.of(*b, 2)];
                }
            }
            (Layout::Nhwc, [r, g, b, a]) => {
                let out = &mut tensor[(y * width + x) * 4..][..count * 4];
                let values = r.iter().zip(*g).zip(*b).zip(*a);
                for (o, (((r, g), b), a)) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                    *o = [n.of(*r, 0), n.of(*g, 1), n.of(*b, 2), n.of(*a, 3)];
                }
            }
            _ => {
                for (c, row) in rows.iter().enumerate() {
                    let out = &mut tensor[(c * height + y) * width + x..][..count];
                    for (o, v) in out.iter_mut().zip(*row) {
                        *o = n.of(*v, c);
                    }
                }
            }
        }
    }

    /// Fills the tensor outside the rectangle `place`, `count` with `pad`.
    pub(super) fn surround<T: Number>(
        &self,
        tensor: &mut [T],
        place: [usize; 2],
        count: [usize; 2],
        pad: [f32; 4],
        n: &Normalise,
    ) {
        let [width, height] = self.size;
        let value = |c: usize| n.of(pad[c], c);
        // From the first pixel to the rectangle, between its rows, and from its end to the last pixel.
        let (left, right) = (place[0], place[0] + count[0]);
        let before = place[1] * width + left;
        let after = (place[1] + count[1] - 1) * width + right;
        let gaps = (place[1]..place[1] + count[1] - 1).map(|y| (y * width + right, (y + 1) * width + left));
        for (from, to) in [(0, before), (after, width * height)].into_iter().chain(gaps).filter(|(a, b)| a < b) {
            match self.layout {
                Layout::Nchw => {
                    for (c, plane) in tensor.chunks_exact_mut(width * height).enumerate() {
                        plane[from..to].fill(value(c));
                    }
                }
                Layout::Nhwc => {
                    for pixel in tensor[from * self.channels..to * self.channels].chunks_exact_mut(self.channels) {
                        pixel.iter_mut().enumerate().for_each(|(c, o)| *o = value(c));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_are_rounded_as_the_crate_rounds_them() {
        let parts = (0..u32::MAX).step_by(9973).map(f32::from_bits).filter(|v| !v.is_nan());
        for v in parts.chain([0.0, -0.0, 65504.0, 65519.9, 65520.0, 1.0 / 255.0, 6.1e-5, 5.96e-8, 2.98e-8, 1e-9]) {
            assert_eq!(<f16 as Number>::of(v).to_bits(), f16::from_f32(v).to_bits(), "{v:e}");
        }
    }

    #[test]
    fn whole_numbers_are_rounded_to_even_and_held_at_their_ends() {
        assert_eq!([-9.0, 0.5, 1.5, 2.5, 254.5, 255.5, 1e9].map(<u8 as Number>::of), [0, 0, 2, 2, 254, 255, 255]);
        assert_eq!([-1e9, -128.5, -1.5, -0.5, 0.5, 127.5].map(<i8 as Number>::of), [-128, -128, -2, 0, 0, 127]);
    }
}
