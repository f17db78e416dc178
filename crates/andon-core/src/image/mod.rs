// SPDX-License-Identifier: MPL-2.0
//! A frame as planes of bytes, as preprocessing, features and encoders read it.
//!
//! ```
//! use andon_core::image::{Format, Image};
//!
//! let image = Image::gray8(&[10, 20, 30, 40, 50, 60], 3, 2).expect("six bytes are three columns and two rows");
//! let mut row = [0; 3];
//! image.luma_row(1, &mut row);
//! assert_eq!((image.format, row), (Format::Gray8, [40, 50, 60]));
//! ```

mod colour;
mod format;
mod rows;
mod samples;

pub use colour::YuvToRgb;
pub use format::{Coding, Component, Format};
pub use samples::Samples;

/// The matrix between RGB and YCbCr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601, standard definition.
    #[default]
    Bt601,
    /// ITU-R BT.709, high definition.
    Bt709,
    /// ITU-R BT.2020 (of luma that is not constant), ultra high definition.
    Bt2020,
    /// SMPTE 240M, early high definition.
    Smpte240m,
    /// FCC, 47 CFR 73.682 (a) (20): early colour television.
    Fcc,
}

impl Matrix {
    /// All matrices.
    pub const ALL: [Matrix; 5] = [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m, Matrix::Fcc];
}

/// How the numbers of a YCbCr format map to colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Colorimetry {
    /// The matrix.
    pub matrix: Matrix,
    /// Whether luma is 0..255 instead of 16..235.
    pub full_range: bool,
}

/// One plane: rows of bytes, `stride` bytes apart.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// All rows; the last may be shorter than the stride.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// Returns the first `bytes` bytes of row `y`.
    pub fn row(&self, y: usize, bytes: usize) -> &'a [u8] {
        &self.data[y * self.stride..][..bytes]
    }
}

/// The pixels of a frame, read-only.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// How the pixels lie in memory.
    pub format: Format,
    /// Pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// The planes. Only the first [`Format::planes`] are valid.
    pub planes: [Plane<'a>; 3],
    /// How the numbers map to colours, for YCbCr formats.
    pub colorimetry: Colorimetry,
    /// The bits of a sample: white of grey is 2^bits − 1. A format with spare bits ([`Format::has_spare_bits`]) does not say
    /// them by itself.
    pub bits: u32,
}

const NO_PLANE: Plane<'static> = Plane { data: &[], stride: 0 };

impl<'a> Image<'a> {
    /// Makes a frame over `planes`. Returns None if a side is 0 or a plane is too short.
    pub fn new(
        format: Format,
        width: usize,
        height: usize,
        planes: &[Plane<'a>],
        colorimetry: Colorimetry,
    ) -> Option<Self> {
        if planes.len() < format.planes() || width == 0 || height == 0 {
            return None;
        }
        let mut image = Image { format, width, height, planes: [NO_PLANE; 3], colorimetry, bits: format.bits() };
        for (i, plane) in planes.iter().take(format.planes()).enumerate() {
            let (row, rows) = image.plane_size(i);
            let length = plane.stride.checked_mul(rows - 1)?.checked_add(row)?;
            if plane.stride < row || plane.data.len() < length {
                return None;
            }
            image.planes[i] = *plane;
        }
        Some(image)
    }

    /// Returns the frame with samples of `bits` bits, 8..16, the lower ones of 16. It is no other frame if its format has no
    /// spare bits, or if `bits` is 0.
    pub fn with_bits(self, bits: u32) -> Self {
        match self.format.has_spare_bits() && bits > 0 {
            true => Self { bits: bits.clamp(8, 16), ..self },
            false => self,
        }
    }

    /// Returns the conversion of its colours to red, green and blue.
    pub fn yuv_to_rgb(&self) -> YuvToRgb {
        YuvToRgb::new(self.colorimetry, self.bits)
    }

    /// Makes a grey frame whose rows follow each other without a gap.
    pub fn gray8(data: &'a [u8], width: usize, height: usize) -> Option<Self> {
        Self::new(Format::Gray8, width, height, &[Plane { data, stride: width }], Colorimetry::default())
    }

    /// Returns the bytes per row and the number of rows of plane `i`.
    pub fn plane_size(&self, i: usize) -> (usize, usize) {
        let (mut row, mut rows) = (0, 0);
        for c in self.format.components().iter().filter(|c| c.plane == i) {
            let [width, height] = self.samples(c);
            // Whole groups: the last sample's group ends with the row.
            row = row.max(if c.coding == Coding::Third { width.div_ceil(3) * 4 } else { width * c.step });
            rows = rows.max(height);
        }
        (row, rows)
    }

    /// Returns the samples per row and the number of rows of a component.
    pub fn samples(&self, c: &Component) -> [usize; 2] {
        let side = |of: usize, half: bool| if half { of.div_ceil(2) } else { of };
        [side(self.width, c.half_width), side(self.height, c.half_height)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_too_short_for_its_size_is_refused() {
        assert!(Image::gray8(&[0; 11], 4, 3).is_none());
        assert!(Image::gray8(&[0; 12], 4, 3).is_some());
        let far = [Plane { data: &[0; 12], stride: usize::MAX / 2 }];
        assert!(Image::new(Format::Gray8, 4, 4, &far, Colorimetry::default()).is_none());
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        let (y, uv) = ([0; 15], [0; 12]);
        let planes = [Plane { data: &y, stride: 5 }, Plane { data: &uv, stride: 6 }];
        let image = Image::new(Format::Nv12, 5, 3, &planes, Colorimetry::default()).unwrap();
        assert_eq!(image.plane_size(1), (6, 2));
        let yuy2 = [0; 36];
        let image =
            Image::new(Format::Yuy2, 5, 3, &[Plane { data: &yuy2, stride: 12 }], Colorimetry::default()).unwrap();
        assert_eq!(image.plane_size(0), (12, 3), "a row of odd width ends with a whole group");
        let third = Image::new(Format::Gray10Le32, 4, 3, &[Plane { data: &yuy2, stride: 8 }], Colorimetry::default());
        assert_eq!(third.unwrap().plane_size(0), (8, 3), "three pixels in four bytes");
    }
}
