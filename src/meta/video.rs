// SPDX-License-Identifier: MPL-2.0
//! From GStreamer's video frames to [`andon_core::image`].

use andon_core::{
    image::{Colorimetry, Format, Image, Matrix, Plane},
    result::BoxPx,
};
use gst_video::{VideoColorMatrix, VideoColorRange, VideoCropMeta, VideoFormat, VideoFrameRef, VideoInfo, prelude::*};

/// The formats that elements which look at pixels take, best first.
pub const FORMATS: &[VideoFormat] = &[
    VideoFormat::Gray8,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Xrgb,
    VideoFormat::Xbgr,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::Argb,
    VideoFormat::Abgr,
    VideoFormat::Rgbp,
    VideoFormat::Nv12,
    VideoFormat::Nv21,
    VideoFormat::I420,
    VideoFormat::Yuy2,
    VideoFormat::Uyvy,
    VideoFormat::Gray16Le,
];

/// The caps of [`FORMATS`] in system memory, of any size and rate.
pub fn caps() -> gst::Caps {
    gst_video::VideoCapsBuilder::new().format_list(FORMATS.iter().copied()).build()
}

/// Our name for one of [`FORMATS`].
pub fn format(format: VideoFormat) -> Option<Format> {
    Some(match format {
        VideoFormat::Gray8 => Format::Gray8,
        VideoFormat::Gray16Le => Format::Gray16Le,
        VideoFormat::Rgb => Format::Rgb,
        VideoFormat::Bgr => Format::Bgr,
        VideoFormat::Rgbx => Format::Rgbx,
        VideoFormat::Bgrx => Format::Bgrx,
        VideoFormat::Xrgb => Format::Xrgb,
        VideoFormat::Xbgr => Format::Xbgr,
        VideoFormat::Rgba => Format::Rgba,
        VideoFormat::Bgra => Format::Bgra,
        VideoFormat::Argb => Format::Argb,
        VideoFormat::Abgr => Format::Abgr,
        VideoFormat::Rgbp => Format::Rgbp,
        VideoFormat::Nv12 => Format::Nv12,
        VideoFormat::Nv21 => Format::Nv21,
        VideoFormat::I420 => Format::I420,
        VideoFormat::Yuy2 => Format::Yuy2,
        VideoFormat::Uyvy => Format::Uyvy,
        _ => return None,
    })
}

/// Matrix and range that the caps name; what they leave out is BT.601, limited, as in the rest of GStreamer.
pub fn colorimetry(info: &VideoInfo) -> Colorimetry {
    let c = info.colorimetry();
    let matrix = if c.matrix() == VideoColorMatrix::Bt709 { Matrix::Bt709 } else { Matrix::Bt601 };
    Colorimetry { matrix, full_range: c.range() == VideoColorRange::Range0_255 }
}

/// The pixels of a mapped frame, strides and offsets as its video meta tells; none for a format not in [`FORMATS`].
pub fn image<'a>(frame: &'a VideoFrameRef<&gst::BufferRef>) -> Option<Image<'a>> {
    let ours = format(frame.format())?;
    let mut planes = [Plane { data: &[], stride: 0 }; 3];
    for (i, plane) in planes.iter_mut().enumerate().take(ours.planes()) {
        let stride = usize::try_from(*frame.plane_stride().get(i)?).ok()?;
        *plane = Plane { data: frame.plane_data(i as u32).ok()?, stride };
    }
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    Image::new(ours, w, h, &planes, colorimetry(frame.info()))
}

/// The part of the frame that its crop meta leaves, pixels; none where it has none, or one that leaves nothing.
pub fn region(buffer: &gst::BufferRef) -> Option<BoxPx> {
    let crop = buffer.meta::<VideoCropMeta>()?;
    let (x, y, w, h) = crop.rect();
    (w > 0 && h > 0).then(|| [x, y, w, h].map(|v| v as f32))
}
