// SPDX-License-Identifier: MPL-2.0
//! Pixel formats, each described by where its components lie. Code that reads or draws pixels needs no more than that.

/// How pixels lie in memory. Samples have 8 bits, those of [`Format::Gray16Le`] 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One plane of luma, 8 bits.
    Gray8,
    /// One plane of luma, 16 bits, low byte first.
    Gray16Le,
    /// Packed, 3 bytes.
    Rgb,
    /// Packed, 3 bytes.
    Bgr,
    /// Packed, 4 bytes, the last one unused.
    Rgbx,
    /// Packed, 4 bytes, the last one unused.
    Bgrx,
    /// Packed, 4 bytes, the first one unused.
    Xrgb,
    /// Packed, 4 bytes, the first one unused.
    Xbgr,
    /// Packed, 4 bytes, alpha last.
    Rgba,
    /// Packed, 4 bytes, alpha last.
    Bgra,
    /// Packed, 4 bytes, alpha first.
    Argb,
    /// Packed, 4 bytes, alpha first.
    Abgr,
    /// Three planes: red, green, blue.
    Rgbp,
    /// A plane of luma, a plane of interleaved U and V at half size both ways.
    Nv12,
    /// A plane of luma, a plane of interleaved V and U at half size both ways.
    Nv21,
    /// Three planes: luma, U and V at half size both ways.
    I420,
    /// Packed, 4 bytes for two pixels: Y U Y V. A row of odd width ends with a whole group.
    Yuy2,
    /// Packed, 4 bytes for two pixels: U Y V Y. A row of odd width ends with a whole group.
    Uyvy,
}

/// Where the samples of one component lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// The index of the plane.
    pub plane: usize,
    /// The offset of a row's first sample, bytes.
    pub offset: usize,
    /// The distance between two samples of a row, bytes.
    pub step: usize,
    /// Whether one sample covers two columns.
    pub half_width: bool,
    /// Whether one sample covers two rows.
    pub half_height: bool,
}

const fn at(plane: usize, offset: usize, step: usize) -> Component {
    Component { plane, offset, step, half_width: false, half_height: false }
}

const fn half_both(plane: usize, offset: usize, step: usize) -> Component {
    Component { plane, offset, step, half_width: true, half_height: true }
}

const fn half_wide(offset: usize) -> Component {
    Component { plane: 0, offset, step: 4, half_width: true, half_height: false }
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 18] = [
        Format::Gray8,
        Format::Gray16Le,
        Format::Rgb,
        Format::Bgr,
        Format::Rgbx,
        Format::Bgrx,
        Format::Xrgb,
        Format::Xbgr,
        Format::Rgba,
        Format::Bgra,
        Format::Argb,
        Format::Abgr,
        Format::Rgbp,
        Format::Nv12,
        Format::Nv21,
        Format::I420,
        Format::Yuy2,
        Format::Uyvy,
    ];

    /// Returns the components: luma; or red, green, blue and alpha, if there is one; or luma, U, V.
    pub fn components(self) -> &'static [Component] {
        match self {
            Format::Gray8 => const { &[at(0, 0, 1)] },
            Format::Gray16Le => const { &[at(0, 0, 2)] },
            Format::Rgb => const { &[at(0, 0, 3), at(0, 1, 3), at(0, 2, 3)] },
            Format::Bgr => const { &[at(0, 2, 3), at(0, 1, 3), at(0, 0, 3)] },
            Format::Rgbx => const { &[at(0, 0, 4), at(0, 1, 4), at(0, 2, 4)] },
            Format::Bgrx => const { &[at(0, 2, 4), at(0, 1, 4), at(0, 0, 4)] },
            Format::Xrgb => const { &[at(0, 1, 4), at(0, 2, 4), at(0, 3, 4)] },
            Format::Xbgr => const { &[at(0, 3, 4), at(0, 2, 4), at(0, 1, 4)] },
            Format::Rgba => const { &[at(0, 0, 4), at(0, 1, 4), at(0, 2, 4), at(0, 3, 4)] },
            Format::Bgra => const { &[at(0, 2, 4), at(0, 1, 4), at(0, 0, 4), at(0, 3, 4)] },
            Format::Argb => const { &[at(0, 1, 4), at(0, 2, 4), at(0, 3, 4), at(0, 0, 4)] },
            Format::Abgr => const { &[at(0, 3, 4), at(0, 2, 4), at(0, 1, 4), at(0, 0, 4)] },
            Format::Rgbp => const { &[at(0, 0, 1), at(1, 0, 1), at(2, 0, 1)] },
            Format::Nv12 => const { &[at(0, 0, 1), half_both(1, 0, 2), half_both(1, 1, 2)] },
            Format::Nv21 => const { &[at(0, 0, 1), half_both(1, 1, 2), half_both(1, 0, 2)] },
            Format::I420 => const { &[at(0, 0, 1), half_both(1, 0, 1), half_both(2, 0, 1)] },
            Format::Yuy2 => const { &[at(0, 0, 2), half_wide(1), half_wide(3)] },
            Format::Uyvy => const { &[at(0, 1, 2), half_wide(0), half_wide(2)] },
        }
    }

    /// Returns the number of planes.
    pub fn planes(self) -> usize {
        self.components().iter().map(|c| c.plane + 1).max().unwrap_or(1)
    }

    /// Returns the distance between two pixels in plane 0, bytes.
    pub fn pixel_stride(self) -> usize {
        self.components()[0].step
    }

    /// Returns whether the format is luma and chroma.
    pub fn is_yuv(self) -> bool {
        matches!(self, Format::Nv12 | Format::Nv21 | Format::I420 | Format::Yuy2 | Format::Uyvy)
    }

    /// Returns whether the format is luma alone.
    pub fn is_grey(self) -> bool {
        matches!(self, Format::Gray8 | Format::Gray16Le)
    }

    /// Returns whether the format is red, green and blue.
    pub fn is_rgb(self) -> bool {
        !self.is_yuv() && !self.is_grey()
    }

    /// Returns the size of a sample, bytes.
    pub fn sample_bytes(self) -> usize {
        if self == Format::Gray16Le { 2 } else { 1 }
    }
}
