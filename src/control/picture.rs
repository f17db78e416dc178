// SPDX-License-Identifier: MPL-2.0
//! A frame as a JPEG.

use andon_capture::{Encoder, Encoding, PrivacyMask};
use andon_core::image::{Colorimetry, Format, Image, Plane};
use gst_video::{VideoConverter, VideoFormat, VideoFrame, VideoFrameRef, VideoInfo, prelude::*};

use crate::{
    elements::defectoverlay::paint,
    meta::{read_all, video},
};

/// How the picture is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Draw what was found.
    pub overlay: bool,
    /// The widest that it may be, pixels.
    pub max_width: Option<u32>,
    /// The quality, 1..100.
    pub quality: u8,
    /// The bits of a sample of 16-bit grey; 0 for all 16.
    pub bits: u32,
}

/// Makes a JPEG of a frame. Returns it with its columns and rows.
///
/// # Errors
/// Why there is none.
pub(super) fn jpeg(buffer: &gst::BufferRef, info: &VideoInfo, look: Look) -> Result<(Vec<u8>, [u32; 2]), String> {
    let size = [info.width(), info.height()];
    let mut rgb = rgb_of(buffer, info, look.bits)?;
    if look.overlay {
        paint(&mut rgb, size, &read_all(buffer, size));
    }
    let (rgb, size) = match look.max_width.filter(|most| *most < size[0]) {
        Some(width) => shrink(&rgb, size, width),
        None => (rgb, size),
    };
    let [columns, rows] = size.map(|n| n as usize);
    let planes = [Plane { data: &rgb, stride: columns * 3 }];
    let image = Image::new(Format::Rgb, columns, rows, &planes, Colorimetry::default()).ok_or("the frame is empty")?;
    let encoder = Encoder::new(Encoding::Jpeg(look.quality), PrivacyMask::default()).map_err(|why| why.to_string())?;
    let file = encoder.encode(&image).map_err(|why| why.to_string())?;
    Ok((file, size))
}

/// Returns packed RGB, 3 bytes a pixel.
fn rgb_of(buffer: &gst::BufferRef, info: &VideoInfo, bits: u32) -> Result<Vec<u8>, String> {
    let unread = || format!("a frame of {} cannot be read", info.format().to_str());
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|_| unread())?;
    if video::format(info.format()).is_some() {
        let image = video::image(&frame, bits).ok_or_else(unread)?;
        let yuv = image.yuv_to_rgb();
        let row = image.width * 3;
        let mut rgb = vec![0; row * image.height];
        rgb.chunks_exact_mut(row).enumerate().for_each(|(y, out)| image.rgb_row(y, &yuv, out));
        return Ok(rgb);
    }
    // Of elements that are not Andon's: GStreamer knows every format.
    let (width, height) = (info.width(), info.height());
    let out = VideoInfo::builder(VideoFormat::Rgb, width, height).build().map_err(|_| unread())?;
    let converter = VideoConverter::new(info, &out, None).map_err(|_| unread())?;
    let memory = gst::Buffer::with_size(out.size()).map_err(|_| "there is no memory for the picture")?;
    let mut converted = VideoFrame::from_buffer_writable(memory, &out).map_err(|_| unread())?;
    converter.frame_ref(&frame, &mut converted.as_mut_video_frame_ref());
    let stride = converted.plane_stride()[0] as usize;
    let pixels = converted.plane_data(0).map_err(|_| unread())?;
    let row = width as usize * 3;
    Ok(pixels.chunks(stride).take(height as usize).flat_map(|line| &line[..row]).copied().collect())
}

/// Makes packed RGB smaller: each pixel is the mean of those that it stands for.
fn shrink(rgb: &[u8], [width, height]: [u32; 2], to: u32) -> (Vec<u8>, [u32; 2]) {
    let to = to.clamp(1, width);
    let rows = ((u64::from(height) * u64::from(to) + u64::from(width) / 2) / u64::from(width)).max(1) as u32;
    let row = width as usize * 3;
    let span = |at: u32, of: u32, from: u32| {
        let edge = |at: u32| (u64::from(at) * u64::from(from) / u64::from(of)) as usize;
        edge(at)..edge(at + 1).max(edge(at) + 1)
    };
    let mut out = Vec::with_capacity((to * rows * 3) as usize);
    for y in 0..rows {
        for x in 0..to {
            let (xs, ys) = (span(x, to, width), span(y, rows, height));
            let count = (xs.len() * ys.len()) as u32;
            for channel in 0..3 {
                let line = |y: usize| xs.clone().map(move |x| u32::from(rgb[y * row + x * 3 + channel])).sum::<u32>();
                let sum: u32 = ys.clone().map(line).sum();
                out.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    (out, [to, rows])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_picture_has_the_mean_of_what_it_shows_and_the_same_shape() {
        let grey = |levels: &[u8]| levels.iter().flat_map(|v| [*v; 3]).collect::<Vec<_>>();
        let four = grey(&[0, 10, 100, 100, 20, 30, 200, 200]);
        assert_eq!(shrink(&four, [4, 2], 2), (grey(&[15, 150]), [2, 1]));
        assert_eq!(shrink(&grey(&[7; 15]), [5, 3], 3), (grey(&[7; 6]), [3, 2]));
        assert_eq!(shrink(&grey(&[7; 8]), [8, 1], 1), (grey(&[7]), [1, 1]));
    }

    #[test]
    fn every_format_gives_the_picture_that_gstreamer_s_own_source_shows() {
        gst::init().unwrap();
        for format in ["GRAY8", "GRAY16_LE", "RGB", "BGRx", "NV12", "I420", "YUY2", "RGBP", "Y444", "AYUV"] {
            let (width, height) = (66, 34);
            let caps = format!("video/x-raw,format={format},width={width},height={height}");
            let line = format!("videotestsrc num-buffers=1 pattern=white ! videoconvert ! {caps} ! appsink name=out");
            let Ok(line) = gst::parse::launch(&line) else { panic!("{format}") };
            let out = line.downcast_ref::<gst::Bin>().unwrap().by_name("out").unwrap();
            line.set_state(gst::State::Playing).unwrap();
            let sample = out.emit_by_name::<Option<gst::Sample>>("pull-sample", &[]);
            line.set_state(gst::State::Null).unwrap();
            let sample = sample.unwrap_or_else(|| panic!("{format}: no frame"));
            let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
            let rgb = rgb_of(sample.buffer().unwrap(), &info, 0).unwrap();
            assert_eq!(rgb.len(), width * height * 3, "{format}");
            // White of the source is 235 in grey.
            assert!(rgb.iter().all(|v| *v > 230), "{format}: white is {:?}", &rgb[..3]);
            let look = Look { overlay: true, max_width: Some(33), quality: 80, bits: 0 };
            let (jpeg, size) = jpeg(sample.buffer().unwrap(), &info, look).unwrap();
            assert!(jpeg.starts_with(&[0xff, 0xd8]) && size == [33, 17], "{format}: {size:?}");
        }
    }
}
