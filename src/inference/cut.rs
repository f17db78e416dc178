// SPDX-License-Identifier: MPL-2.0
//! A part of a frame as a frame of its own, without copying: where it begins and ends in whole pixels.

use super::preprocess::Mapping;
use crate::{
    image::{Format, Image, Plane},
    result::BoxPx,
};

/// The whole pixels around `region` in `image`, and where they begin. Formats of half the chroma begin at even pixels.
pub(super) fn cut<'a>(image: &Image<'a>, region: &BoxPx) -> (Image<'a>, [usize; 2]) {
    let step = if image.format.is_yuv() { 2 } else { 1 };
    let side = |axis: usize, long: usize| {
        let from = (region[axis].max(0.0) as usize).min(long - 1) / step * step;
        let to = ((region[axis] + region[axis + 2]).ceil() as usize).clamp(from + 1, long);
        (from, to - from)
    };
    let ((x, width), (y, height)) = (side(0, image.width), side(1, image.height));
    let mut part = Image { width, height, ..*image };
    for (i, plane) in part.planes.iter_mut().enumerate().take(image.format.planes()) {
        let (row, column) = match (image.format, i) {
            (Format::Nv12, 1) => (y / 2, x),
            (Format::I420, 1 | 2) => (y / 2, x / 2),
            (format, _) => (y, x * format.pixel_stride()),
        };
        let Plane { data, stride } = *plane;
        *plane = Plane { data: &data[row * stride + column..], stride };
    }
    (part, [x, y])
}

/// What maps to the part, mapping to the frame that it was cut out of.
pub(super) fn put_back(mapping: Mapping, origin: [usize; 2], frame: &Image<'_>) -> Mapping {
    let offset = [0, 1].map(|i| mapping.offset[i] - origin[i] as f32 * mapping.scale[i]);
    Mapping { offset, frame: [frame.width as u32, frame.height as u32], ..mapping }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Colorimetry;

    #[test]
    fn a_part_shows_what_is_there_and_boxes_come_back_to_the_frame() {
        let pixels: Vec<u8> = (0..64).collect();
        let image = Image::gray8(&pixels, 8, 8).unwrap();
        let (part, origin) = cut(&image, &[2.5, 3.0, 3.0, 40.0]);
        assert_eq!((part.width, part.height, origin), (4, 5, [2, 3]));
        assert_eq!(
            (part.planes[0].row(0, 4), part.planes[0].row(4, 4)),
            (&[26, 27, 28, 29][..], &[58, 59, 60, 61][..])
        );
        let mapping = Mapping { frame: [4, 5], model: [8, 10], offset: [0.0, 0.0], scale: [2.0, 2.0] };
        assert_eq!(put_back(mapping, origin, &image).to_frame([2.0, 2.0, 6.0, 8.0]), [3.0, 4.0, 2.0, 3.0]);
    }

    #[test]
    fn chroma_goes_with_its_luma() {
        let (y, uv): (Vec<u8>, Vec<u8>) = ((0..36).collect(), (100..118).collect());
        let planes = [Plane { data: &y[..], stride: 6 }, Plane { data: &uv[..], stride: 6 }];
        let image = Image::new(Format::Nv12, 6, 6, &planes, Colorimetry::default()).unwrap();
        let (part, origin) = cut(&image, &[3.0, 3.0, 2.0, 2.0]);
        assert_eq!((part.width, part.height, origin), (3, 3, [2, 2]));
        assert_eq!((part.planes[0].data[0], part.planes[1].data[0]), (14, 108));
    }
}
