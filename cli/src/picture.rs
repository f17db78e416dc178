// SPDX-License-Identifier: MPL-2.0
//! Frames as files that a page can show.

use andon_core::result::Inference;
use andon_report::{Found, Image, boxes};
use andon_statistics::box_pairs::{BoxPairs, pair_boxes};
use anyhow::{Context, Result};
use gst_video::prelude::*;
use maud::Markup;

/// The frame as a PNG file, in colour.
pub fn png(sample: &gst::Sample) -> Result<Image> {
    let caps = gst::Caps::builder("video/x-raw").field("format", "RGB").build();
    let sample = converted(sample, &caps)?;
    let info = gst_video::VideoInfo::from_caps(sample.caps().context("a picture without caps")?)?;
    let buffer = sample.buffer().context("a picture without pixels")?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info)?;
    let (width, height) = (info.width() as usize, info.height() as usize);
    let (data, stride) = (frame.plane_data(0)?, frame.plane_stride()[0] as usize);
    let pixels: Vec<u8> = (0..height).flat_map(|y| &data[y * stride..][..width * 3]).copied().collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, info.width(), info.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(Image { bytes, mime: "image/png" })
}

/// The frame as a JPEG file at most `widest` pixels wide; a PNG file where this machine has no encoder for JPEG.
pub fn jpeg(sample: &gst::Sample, widest: u32) -> Result<Image> {
    if gst::ElementFactory::find("jpegenc").is_none() {
        return png(sample);
    }
    let info = gst_video::VideoInfo::from_caps(sample.caps().context("a picture without caps")?)?;
    let width = info.width().min(widest);
    let height = (u64::from(info.height()) * u64::from(width) / u64::from(info.width().max(1))).max(1);
    // By way of RGB: the encoder takes any YCbCr for that of JPEG, and a camera's would come out pale.
    let rgb = gst::Caps::builder("video/x-raw").field("format", "RGB");
    let sample = converted(sample, &rgb.field("width", width as i32).field("height", height as i32).build())?;
    let sample = converted(&sample, &gst::Caps::new_empty_simple("image/jpeg"))?;
    let buffer = sample.buffer().context("a picture without pixels")?;
    let bytes = buffer.map_readable()?.as_slice().to_vec();
    Ok(Image { bytes, mime: "image/jpeg" })
}

/// A frame, shown at most `widest` pixels wide, with what a and b found on it; brackets where both judged it and only one
/// found it. `size` is the frame's, pixels.
pub fn with_boxes(
    sample: &gst::Sample,
    title: &str,
    size: [u32; 2],
    results: [Option<&Inference>; 2],
    widest: u32,
) -> Result<Markup> {
    let pairs = if let [Some(a), Some(b)] = results { pair_boxes(a, b) } else { BoxPairs::default() };
    let [a, b] = results;
    let found = [(a, &pairs.a_only), (b, &pairs.b_only)].map(|(result, alone)| Some(Found { result: result?, alone }));
    Ok(boxes(&jpeg(sample, widest)?, title, size, found))
}

fn converted(sample: &gst::Sample, caps: &gst::Caps) -> Result<gst::Sample> {
    gst_video::convert_sample(sample, caps, Some(gst::ClockTime::from_seconds(10)))
        .with_context(|| format!("a frame cannot be converted to {caps}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: i32, height: i32) -> gst::Sample {
        gst::init().unwrap();
        let caps: gst::Caps =
            format!("video/x-raw,format=GRAY8,width={width},height={height},framerate=30/1").parse().unwrap();
        let size = gst_video::VideoInfo::from_caps(&caps).unwrap().size();
        gst::Sample::builder().buffer(&gst::Buffer::from_slice(vec![90u8; size])).caps(&caps).build()
    }

    #[test]
    fn a_frame_becomes_a_png_file_of_its_size() {
        let image = png(&grey(33, 7)).unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(&image.bytes)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (33, 7));
        assert!(image.address().starts_with("data:image/png;base64,iVBOR"));
    }

    #[test]
    fn a_wide_frame_becomes_a_narrower_jpeg_file() {
        let image = jpeg(&grey(640, 480), 320).unwrap();
        assert_eq!(image.mime, "image/jpeg");
        // The frame header: two bytes marker, two length, one precision, then height and width.
        let at = image.bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        let of = |i: usize| u16::from_be_bytes([image.bytes[at + i], image.bytes[at + i + 1]]);
        assert_eq!((of(7), of(5)), (320, 240));
    }
}
