// SPDX-License-Identifier: MPL-2.0
//! Samples of one component, whatever their coding.

use std::{iter::StepBy, slice::Iter};

use super::{Coding, Component, Image};

/// A row of one component.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// From the first sample on.
    row: &'a [u8],
    /// Bytes from sample to sample.
    step: usize,
    coding: Coding,
    /// The number of white: what lies above is white too.
    most: u32,
    /// 8-bit levels of a sample of 1.
    factor: f32,
    /// Bits to the right of an 8-bit level; those that it lacks if below 0.
    surplus: i32,
}

impl<'a> Image<'a> {
    /// Returns the row of component `c` of the format that covers pixel row `y`.
    pub fn component(&self, c: &Component, y: usize) -> Samples<'a> {
        let plane = &self.planes[c.plane];
        let row = &plane.row(y >> usize::from(c.half_height), self.plane_size(c.plane).0)[c.offset..];
        let bits = match c.coding {
            Coding::Byte => 8,
            Coding::Word { .. } if self.format.has_spare_bits() => self.bits,
            Coding::Word { bits, .. } => bits,
            Coding::Third => 10,
        };
        let most = (1 << bits) - 1;
        // White of grey and of colours is the largest number; luma and chroma keep their limited range.
        let white = if self.format.is_yuv() { 255 << (bits - 8) } else { most };
        Samples { row, step: c.step, coding: c.coding, most, factor: 255.0 / white as f32, surplus: bits as i32 - 8 }
    }
}

impl Samples<'_> {
    /// Returns sample `i` as a whole number of its own depth.
    #[inline(always)]
    pub fn raw(&self, i: usize) -> u32 {
        match self.coding {
            Coding::Byte => self.row[i * self.step].into(),
            Coding::Word { big_endian, shift, bits } => {
                let at = &self.row[i * self.step..];
                self.part([at[0], at[1]], big_endian, shift, bits)
            }
            Coding::Third => third(self.row, i),
        }
    }

    /// Returns sample `i` in 8-bit levels, 0..255, with fractions. Full range of luma and chroma may end a little above.
    #[inline(always)]
    pub fn level(&self, i: usize) -> f32 {
        self.raw(i) as f32 * self.factor
    }

    /// Returns the upper 8 bits of sample `i`.
    #[inline(always)]
    pub fn byte(&self, i: usize) -> u8 {
        let raw = self.raw(i);
        // Fewer than 8 bits are widened so that white stays white.
        if self.surplus < 0 { (raw as f32 * self.factor).round() as u8 } else { (raw >> self.surplus) as u8 }
    }

    /// Writes the samples from `from` on into `out`, in 8-bit levels: [`Samples::level`] of each.
    ///
    /// Every loop is short and without bounds checks inside, so that the compiler finds vector instructions.
    #[inline(always)]
    pub fn levels(&self, from: usize, out: &mut [f32]) {
        match (self.coding, self.step) {
            (Coding::Word { big_endian, shift, bits }, 2) => {
                for (o, v) in out.iter_mut().zip(self.row[2 * from..].as_chunks::<2>().0) {
                    *o = self.part(*v, big_endian, shift, bits) as i32 as f32 * self.factor;
                }
            }
            (Coding::Word { big_endian, shift, bits }, 4) => {
                for (o, v) in out.iter_mut().zip(self.row[4 * from..].as_chunks::<4>().0) {
                    *o = self.part([v[0], v[1]], big_endian, shift, bits) as i32 as f32 * self.factor;
                }
                // The last group ends where its sample does.
                let last = out.len().saturating_sub(1);
                if let Some(o) = out.last_mut() {
                    *o = self.level(from + last);
                }
            }
            _ => {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = self.level(from + i);
                }
            }
        }
    }

    /// Writes the upper 8 bits of the samples from `from` on into `out`: [`Samples::byte`] of each.
    pub fn bytes(&self, from: usize, out: &mut [u8]) {
        match (self.coding, self.step) {
            (Coding::Byte, 1) => out.copy_from_slice(&self.row[from..][..out.len()]),
            (Coding::Byte, _) => out.iter_mut().zip(self.stepped().skip(from)).for_each(|(o, v)| *o = *v),
            _ => out.iter_mut().enumerate().for_each(|(i, o)| *o = self.byte(from + i)),
        }
    }

    /// Returns the bytes of [`Coding::Byte`].
    pub(super) fn stepped(&self) -> StepBy<Iter<'_, u8>> {
        self.row.iter().step_by(self.step)
    }

    /// Returns the sample in a word of 16 bits.
    #[inline(always)]
    fn part(&self, word: [u8; 2], big_endian: bool, shift: u32, bits: u32) -> u32 {
        let word = if big_endian { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) };
        (u32::from(word) >> shift & ((1 << bits) - 1)).min(self.most)
    }
}

/// Returns sample `i` of a row of [`Coding::Third`].
#[inline(always)]
fn third(row: &[u8], i: usize) -> u32 {
    let word = row[i / 3 * 4..].first_chunk().expect("a row ends with whole groups");
    u32::from_le_bytes(*word) >> (i % 3 * 10) & 1023
}

#[cfg(test)]
mod tests {
    use super::super::{Colorimetry, Format, Plane};
    use super::*;

    /// Samples of the first component.
    fn first(format: Format, bits: u32, data: &[u8], width: usize) -> (Vec<f32>, Vec<u8>) {
        let planes = [Plane { data, stride: data.len() }; 3];
        let image = Image::new(format, width, 1, &planes, Colorimetry::default()).unwrap().with_bits(bits);
        let samples = image.component(&format.components()[0], 0);
        let (mut levels, mut bytes) = (vec![0.0; width], vec![0; width]);
        samples.levels(0, &mut levels);
        samples.bytes(0, &mut bytes);
        assert!((0..width).all(|i| samples.level(i) == levels[i] && samples.byte(i) == bytes[i]), "{format:?}");
        (levels, bytes)
    }

    #[test]
    fn every_depth_has_the_same_black_grey_and_white() {
        let twelve = [[0, 0], 2048u16.to_le_bytes(), 4095u16.to_le_bytes()].concat();
        let ten = (512u32 << 10 | 1023 << 20).to_le_bytes();
        for (format, bits, data, grey) in [
            (Format::Gray16Le, 0, [[0, 0], [0, 128], [255, 255]].concat(), 127.502),
            (Format::Gray16Be, 0, [[0, 0], [128, 0], [255, 255]].concat(), 127.502),
            (Format::Gray16Le, 12, twelve.clone(), 127.531),
            (Format::Gray16Be, 12, twelve.chunks(2).flat_map(|v| [v[1], v[0]]).collect(), 127.531),
            (Format::Gray10Le32, 0, ten.to_vec(), 127.625),
            (Format::Gray10Le32, 12, ten.to_vec(), 127.625),
        ] {
            let (levels, bytes) = first(format, bits, &data, 3);
            assert!(
                [0.0, grey, 255.0].iter().zip(&levels).all(|(w, l)| (w - l).abs() < 1e-3),
                "{format:?}: {levels:?}"
            );
            assert_eq!(bytes, [0, 128, 255], "{format:?}");
        }
        assert_eq!(first(Format::Gray16Le, 10, &[0, 16], 1), (vec![255.0], vec![255]), "above white is white");
    }

    #[test]
    fn ten_bits_of_luma_keep_their_range_and_unused_bits_do_not_count() {
        // 64, 502 and 940 are black, grey and white.
        let upper: Vec<u8> = [64u16, 502, 940].iter().flat_map(|v| (v << 6 | 63).to_le_bytes()).collect();
        assert_eq!(
            first(Format::P010, 0, &[upper, vec![0; 2]].concat(), 3),
            (vec![16.0, 125.5, 235.0], vec![16, 125, 235])
        );
        let lower: Vec<u8> = [64u16, 502, 940].iter().flat_map(|v| (v | 0xf000).to_le_bytes()).collect();
        assert_eq!(first(Format::I420p10, 0, &lower, 3), (vec![16.0, 125.5, 235.0], vec![16, 125, 235]));
    }
}
