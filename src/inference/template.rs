// SPDX-License-Identifier: MPL-2.0
//! Inputs that come from image files: pictures in memory.

use crate::image::{Colorimetry, Format, Image, Plane};

/// A picture from a file.
pub struct Template {
    id: u64,
    format: Format,
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Template {
    /// Unique in the process: with the same id come the same pixels.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The pixels.
    pub fn image(&self) -> Image<'_> {
        let plane = Plane { data: &self.data, stride: self.width * self.format.pixel_stride() };
        Image::new(self.format, self.width, self.height, &[plane], Colorimetry::default())
            .expect("decoding gave as many bytes as the size asks for")
    }
}
