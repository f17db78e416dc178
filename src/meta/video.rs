// SPDX-License-Identifier: MPL-2.0
//! GStreamer's video frames as [`andon_core::image`].

use andon_core::{
    image::{Colorimetry, Format, Image, Matrix, Plane},
    result::BoxPx,
};
use gst_video::{
    VideoColorMatrix, VideoColorRange, VideoCropMeta, VideoFormat, VideoFrameRef, VideoInfo, prelude::*,
    video_frame::IsVideoFrame,
};

/// The formats of the elements that look at pixels, best first.
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
    VideoFormat::Yvyu,
    VideoFormat::Yv12,
    VideoFormat::Y42b,
    VideoFormat::Y444,
    VideoFormat::Nv16,
    VideoFormat::Nv61,
    VideoFormat::Ayuv,
    VideoFormat::P01010le,
    VideoFormat::I42010le,
    VideoFormat::Gray16Be,
    VideoFormat::Gray10Le32,
    VideoFormat::Rgb16,
];

/// Returns the caps of [`FORMATS`] in system memory, of any size. They say nothing of the framerate, for a stream that has
/// none would not be within caps that do.
pub(crate) fn caps() -> gst::Caps {
    let mut caps = gst_video::VideoCapsBuilder::new().format_list(FORMATS.iter().copied()).build();
    caps.make_mut().iter_mut().for_each(|s| s.remove_field("framerate"));
    caps
}

/// Returns Andon's format for one of [`FORMATS`], or `None` for any other.
pub(crate) fn format(format: VideoFormat) -> Option<Format> {
    Some(match format {
        VideoFormat::Gray8 => Format::Gray8,
        VideoFormat::Gray16Le => Format::Gray16Le,
        VideoFormat::Gray16Be => Format::Gray16Be,
        VideoFormat::Gray10Le32 => Format::Gray10Le32,
        VideoFormat::Yvyu => Format::Yvyu,
        VideoFormat::Yv12 => Format::Yv12,
        VideoFormat::Y42b => Format::Y42b,
        VideoFormat::Y444 => Format::Y444,
        VideoFormat::Nv16 => Format::Nv16,
        VideoFormat::Nv61 => Format::Nv61,
        VideoFormat::Ayuv => Format::Ayuv,
        VideoFormat::P01010le => Format::P010,
        VideoFormat::I42010le => Format::I420p10,
        VideoFormat::Rgb16 => Format::Rgb16,
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

/// Returns the matrix and the range of the caps. Where caps leave them out, GStreamer fills them in by the height: BT.601
/// up to 576 rows, BT.709 above, both limited.
pub(crate) fn colorimetry(info: &VideoInfo) -> Colorimetry {
    let c = info.colorimetry();
    let matrix = match c.matrix() {
        VideoColorMatrix::Bt709 => Matrix::Bt709,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        VideoColorMatrix::Smpte240m => Matrix::Smpte240m,
        VideoColorMatrix::Fcc => Matrix::Fcc,
        // RGB and grey have none, and no frame of luma and chroma comes without one: GStreamer replaces it by the default.
        _ => Matrix::Bt601,
    };
    Colorimetry { matrix, full_range: c.range() == VideoColorRange::Range0_255 }
}

/// Returns the pixels of a mapped frame, with the strides and offsets of its video meta, or `None` for a format that is
/// not in [`FORMATS`], and for rows that the buffer does not hold. `bits` is what a sample of 16-bit grey has; 0 for all 16.
#[doc(hidden)] // For fuzzing.
pub fn image<'a>(frame: &'a VideoFrameRef<&gst::BufferRef>, bits: u32) -> Option<Image<'a>> {
    let ours = format(frame.format())?;
    let mut planes = [Plane { data: &[], stride: 0 }; 3];
    for (i, plane) in planes.iter_mut().enumerate().take(ours.planes()) {
        let stride = usize::try_from(*frame.plane_stride().get(i)?).ok()?;
        *plane = Plane { data: mapped(frame, i).or_else(|| frame.plane_data(i as u32).ok())?, stride };
    }
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    Some(Image::new(ours, w, h, &planes, colorimetry(frame.info()))?.with_bits(bits))
}

/// Returns the memory of a frame from the start of a plane on: a video meta can speak of rows that are not there, and nothing
/// else looks. `None` where the memory was mapped in a way of its own, so that the plane lies elsewhere.
fn mapped<'a>(frame: &'a VideoFrameRef<&gst::BufferRef>, plane: usize) -> Option<&'a [u8]> {
    let raw = frame.as_raw();
    // Without a meta one map is of the whole buffer.
    let map = &raw.map[if raw.meta.is_null() { 0 } else { plane }];
    let start = raw.data[plane].cast::<u8>().cast_const();
    let at = (start as usize).checked_sub(map.data as usize).filter(|at| !map.data.is_null() && *at <= map.size)?;
    // SAFETY: the bytes from there to the end of the map, which the frame holds, stay readable as long as the frame.
    Some(unsafe { std::slice::from_raw_parts(start, map.size - at) })
}

/// Returns the region of the frame inside its crop meta, pixels, or `None` without a crop meta or for an empty region.
pub(crate) fn region(buffer: &gst::BufferRef) -> Option<BoxPx> {
    let crop = buffer.meta::<VideoCropMeta>()?;
    let (x, y, w, h) = crop.rect();
    (w > 0 && h > 0).then(|| [x, y, w, h].map(|v| v as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_caps_leave_the_colorimetry_out_the_height_says_it() {
        gst::init().unwrap();
        for (height, matrix) in
            [(480, Matrix::Bt601), (576, Matrix::Bt601), (577, Matrix::Bt709), (2160, Matrix::Bt709)]
        {
            let caps: gst::Caps = format!("video/x-raw,format=NV12,width=64,height={height}").parse().unwrap();
            let info = VideoInfo::from_caps(&caps).unwrap();
            assert_eq!(colorimetry(&info), Colorimetry { matrix, full_range: false }, "{height}");
        }
    }

    #[test]
    fn a_video_meta_that_speaks_of_rows_beyond_the_buffer_gives_no_frame() {
        gst::init().unwrap();
        for (offset, stride, expects) in [
            (0, 8, Some(64)),
            (0, 7, None),
            (0, 9, None),
            (1, 8, None),
            (60, 8, None),
            (0, i32::MAX, None),
            (0, -8, None),
        ] {
            let info = VideoInfo::builder(VideoFormat::Gray8, 8, 8).build().unwrap();
            let mut buffer = gst::Buffer::with_size(64).unwrap();
            let (flags, format) = (gst_video::VideoFrameFlags::empty(), VideoFormat::Gray8);
            gst_video::VideoMeta::add_full(buffer.get_mut().unwrap(), flags, format, 8, 8, &[offset], &[stride])
                .unwrap();
            let frame = VideoFrameRef::from_buffer_ref_readable(&buffer, &info).unwrap();
            let found = image(&frame, 0).map(|image| image.planes[0].data.len());
            assert_eq!(found, expects, "offset {offset}, stride {stride}");
        }
    }

    #[test]
    fn a_stream_without_a_framerate_or_with_any_is_within_the_caps() {
        gst::init().unwrap();
        for rest in ["", ",framerate=0/1", ",framerate=60/1"] {
            let stream: gst::Caps = format!("video/x-raw,format=RGB,width=1,height=1{rest}").parse().unwrap();
            assert!(stream.is_subset(&caps()), "{stream}");
        }
    }
}
