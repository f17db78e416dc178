// SPDX-License-Identifier: MPL-2.0
//! A frame as planes of bytes: what preprocessing, features and encoders read, without a word of GStreamer.

mod colour;

pub use colour::YuvToRgb;

/// How pixels lie in memory. Every format has 8 bits a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One plane of luma.
    Gray8,
    /// Packed, 3 bytes.
    Rgb,
    /// Packed, 3 bytes.
    Bgr,
    /// Packed, 4 bytes; the last is alpha or padding.
    Rgbx,
    /// Packed, 4 bytes; the last is alpha or padding.
    Bgrx,
    /// A plane of luma, a plane of interleaved U and V at half size both ways.
    Nv12,
    /// Three planes: luma, U and V at half size both ways.
    I420,
}

impl Format {
    /// Number of planes.
    pub fn planes(self) -> usize {
        match self {
            Format::Nv12 => 2,
            Format::I420 => 3,
            _ => 1,
        }
    }

    /// Bytes a pixel of plane 0.
    pub fn pixel_stride(self) -> usize {
        match self {
            Format::Gray8 | Format::Nv12 | Format::I420 => 1,
            Format::Rgb | Format::Bgr => 3,
            Format::Rgbx | Format::Bgrx => 4,
        }
    }

    /// Whether it is luma and chroma.
    pub fn is_yuv(self) -> bool {
        matches!(self, Format::Nv12 | Format::I420)
    }
}

/// The matrix between RGB and YCbCr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601, standard definition.
    #[default]
    Bt601,
    /// ITU-R BT.709, high definition.
    Bt709,
}

/// How YCbCr numbers are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Colorimetry {
    /// The matrix.
    pub matrix: Matrix,
    /// Luma 0..255 instead of 16..235.
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
    /// The first `bytes` of row `y`.
    pub fn row(&self, y: usize, bytes: usize) -> &'a [u8] {
        &self.data[y * self.stride..][..bytes]
    }
}

/// A frame to read.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// How the pixels lie.
    pub format: Format,
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Only the first [`Format::planes`] mean anything.
    pub planes: [Plane<'a>; 3],
    /// Of YCbCr formats.
    pub colorimetry: Colorimetry,
}

const NO_PLANE: Plane<'static> = Plane { data: &[], stride: 0 };

impl<'a> Image<'a> {
    /// A frame over `planes`, or none where a plane is too short for its size.
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
        let mut image = Image { format, width, height, planes: [NO_PLANE; 3], colorimetry };
        for (i, plane) in planes.iter().take(format.planes()).enumerate() {
            let (row, rows) = image.plane_size(i);
            if plane.stride < row || plane.data.len() < plane.stride * (rows - 1) + row {
                return None;
            }
            image.planes[i] = *plane;
        }
        Some(image)
    }

    /// A grey frame whose rows follow each other without a gap.
    pub fn gray8(data: &'a [u8], width: usize, height: usize) -> Option<Self> {
        Self::new(Format::Gray8, width, height, &[Plane { data, stride: width }], Colorimetry::default())
    }

    /// Bytes a row and rows of plane `i`.
    pub fn plane_size(&self, i: usize) -> (usize, usize) {
        let half = (self.width.div_ceil(2), self.height.div_ceil(2));
        match (self.format, i) {
            (Format::Nv12, 1) => (half.0 * 2, half.1),
            (Format::I420, 1 | 2) => half,
            (format, _) => (self.width * format.pixel_stride(), self.height),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_too_short_for_its_size_is_refused() {
        assert!(Image::gray8(&[0; 11], 4, 3).is_none());
        assert!(Image::gray8(&[0; 12], 4, 3).is_some());
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        let (y, uv) = ([0; 15], [0; 12]);
        let planes = [Plane { data: &y, stride: 5 }, Plane { data: &uv, stride: 6 }];
        let image = Image::new(Format::Nv12, 5, 3, &planes, Colorimetry::default()).unwrap();
        assert_eq!(image.plane_size(1), (6, 2));
    }
}
