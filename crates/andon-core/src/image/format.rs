// SPDX-License-Identifier: MPL-2.0
//! Pixel formats, each described by where its components lie. Code that reads or draws pixels needs no more than that.

/// How pixels lie in memory. Samples have 8 bits where nothing else is said. The layouts are those of GStreamer's formats of
/// the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One plane of luma, 8 bits.
    Gray8,
    /// One plane of luma, 16 bits, low byte first. Cameras of 10, 12 and 14 bits fill the lower ones: see [`super::Image::bits`].
    Gray16Le,
    /// One plane of luma, 16 bits, high byte first. See [`Format::Gray16Le`].
    Gray16Be,
    /// One plane of luma, 10 bits: three pixels in 32 bits, low byte first, the first pixel lowest.
    Gray10Le32,
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
    /// Packed, 4 bytes for two pixels: Y V Y U. A row of odd width ends with a whole group.
    Yvyu,
    /// Three planes: luma, V and U at half size both ways.
    Yv12,
    /// Three planes: luma, U and V at half width.
    Y42b,
    /// Three planes: luma, U and V at full size.
    Y444,
    /// A plane of luma, a plane of interleaved U and V at half width.
    Nv16,
    /// A plane of luma, a plane of interleaved V and U at half width.
    Nv61,
    /// Packed, 4 bytes: alpha, luma, U, V.
    Ayuv,
    /// As [`Format::Nv12`], with 10 bits a sample: the upper ones of 16, low byte first.
    P010,
    /// As [`Format::I420`], with 10 bits a sample: the lower ones of 16, low byte first.
    I420p10,
    /// Packed, 16 bits in the machine's order of bytes: 5 of red, 6 of green, 5 of blue, red highest.
    Rgb16,
}

/// How one sample is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// A byte.
    Byte,
    /// Bits of a word of 16.
    Word {
        /// Whether the high byte comes first.
        big_endian: bool,
        /// The lowest bit.
        shift: u32,
        /// The number of bits.
        bits: u32,
    },
    /// 10 bits of 32, the low byte first; three samples in each 32, the first lowest.
    Third,
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
    /// How a sample is coded.
    pub coding: Coding,
}

const fn at(plane: usize, offset: usize, step: usize) -> Component {
    Component { plane, offset, step, half_width: false, half_height: false, coding: Coding::Byte }
}

const fn half_both(plane: usize, offset: usize, step: usize) -> Component {
    Component { half_width: true, half_height: true, ..at(plane, offset, step) }
}

const fn half_wide(plane: usize, offset: usize, step: usize) -> Component {
    Component { half_width: true, ..at(plane, offset, step) }
}

/// The component in words of 16 bits, of which it has `bits` from `shift` on.
const fn word(c: Component, big_endian: bool, shift: u32, bits: u32) -> Component {
    Component { coding: Coding::Word { big_endian, shift, bits }, ..c }
}

/// 10 bits of 16, the low byte first.
const fn ten(c: Component, shift: u32) -> Component {
    word(c, false, shift, 10)
}

/// A colour of [`Format::Rgb16`].
const fn of_565(shift: u32, bits: u32) -> Component {
    word(at(0, 0, 2), cfg!(target_endian = "big"), shift, bits)
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 30] = [
        Format::Gray8,
        Format::Gray16Le,
        Format::Gray16Be,
        Format::Gray10Le32,
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
        Format::Yvyu,
        Format::Yv12,
        Format::Y42b,
        Format::Y444,
        Format::Nv16,
        Format::Nv61,
        Format::Ayuv,
        Format::P010,
        Format::I420p10,
        Format::Rgb16,
    ];

    /// Returns the components: luma; or red, green, blue and alpha, if there is one; or luma, U, V
    /// and alpha, if there is one.
    pub fn components(self) -> &'static [Component] {
        match self {
            Format::Gray8 => const { &[at(0, 0, 1)] },
            Format::Gray16Le => const { &[word(at(0, 0, 2), false, 0, 16)] },
            Format::Gray16Be => const { &[word(at(0, 0, 2), true, 0, 16)] },
            // Its samples lie at no fixed distance.
            Format::Gray10Le32 => const { &[Component { coding: Coding::Third, ..at(0, 0, 0) }] },
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
            Format::Yuy2 => const { &[at(0, 0, 2), half_wide(0, 1, 4), half_wide(0, 3, 4)] },
            Format::Uyvy => const { &[at(0, 1, 2), half_wide(0, 0, 4), half_wide(0, 2, 4)] },
            Format::Yvyu => const { &[at(0, 0, 2), half_wide(0, 3, 4), half_wide(0, 1, 4)] },
            // GStreamer counts planes as they lie in memory, V first.
            Format::Yv12 => const { &[at(0, 0, 1), half_both(2, 0, 1), half_both(1, 0, 1)] },
            Format::Y42b => const { &[at(0, 0, 1), half_wide(1, 0, 1), half_wide(2, 0, 1)] },
            Format::Y444 => const { &[at(0, 0, 1), at(1, 0, 1), at(2, 0, 1)] },
            Format::Nv16 => const { &[at(0, 0, 1), half_wide(1, 0, 2), half_wide(1, 1, 2)] },
            Format::Nv61 => const { &[at(0, 0, 1), half_wide(1, 1, 2), half_wide(1, 0, 2)] },
            Format::Ayuv => const { &[at(0, 1, 4), at(0, 2, 4), at(0, 3, 4), at(0, 0, 4)] },
            Format::P010 => const { &[ten(at(0, 0, 2), 6), ten(half_both(1, 0, 4), 6), ten(half_both(1, 2, 4), 6)] },
            Format::I420p10 => const { &[ten(at(0, 0, 2), 0), ten(half_both(1, 0, 2), 0), ten(half_both(2, 0, 2), 0)] },
            Format::Rgb16 => const { &[of_565(11, 5), of_565(5, 6), of_565(0, 5)] },
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
        !self.is_rgb() && !self.is_grey()
    }

    /// Returns whether the format is luma alone.
    pub fn is_grey(self) -> bool {
        self.components().len() == 1
    }

    /// Returns whether the format is red, green and blue.
    pub fn is_rgb(self) -> bool {
        use Format::{Abgr, Argb, Bgr, Bgra, Bgrx, Rgb, Rgb16, Rgba, Rgbp, Rgbx, Xbgr, Xrgb};
        matches!(self, Rgb | Bgr | Rgbx | Bgrx | Xrgb | Xbgr | Rgba | Bgra | Argb | Abgr | Rgbp | Rgb16)
    }

    /// Returns whether every sample is a byte.
    pub fn is_of_bytes(self) -> bool {
        self.components()[0].coding == Coding::Byte
    }

    /// Returns the bits of a sample of luma, or of green.
    pub fn bits(self) -> u32 {
        match self.components()[usize::from(self.is_rgb())].coding {
            Coding::Byte => 8,
            Coding::Word { bits, .. } => bits,
            Coding::Third => 10,
        }
    }

    /// Returns whether cameras leave bits of a sample unused without the format saying so.
    pub fn has_spare_bits(self) -> bool {
        matches!(self, Format::Gray16Le | Format::Gray16Be)
    }
}
