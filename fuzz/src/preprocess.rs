// SPDX-License-Identifier: MPL-2.0
//! Preprocessing on frames of any format, size, stride and offset, as planes and as buffers of GStreamer.

use andon_core::image::{Colorimetry, Format, Image, Matrix, Plane};
use andon_inference::{Preprocessor, TensorMut};
use andon_model::Input;
use half::f16;

use super::bytes::Bytes;

/// The most bytes of a frame.
const MOST: usize = 1 << 16;

/// Fills a tensor: every number is finite, and the frame lies somewhere.
pub fn preprocess(data: &[u8]) {
    let mut bytes = Bytes(data);
    let size = [1 + bytes.below(40), 1 + bytes.below(40)];
    let Some(input) = input(&mut bytes, size) else { return };
    let bits = *bytes.one(&[0, 8, 10, 12, 16, 99]);
    if bytes.below(3) == 0 {
        return of_buffer(&mut bytes, &input, size, bits);
    }
    let format = *bytes.one(&Format::ALL);
    let (width, height) = (1 + bytes.below(300), 1 + bytes.below(60));
    let pixels: Vec<u8> = data.iter().cycle().take(MOST).copied().collect();
    let planes: Vec<_> = (0..3)
        .map(|_| {
            let (from, length) = (bytes.below(64), bytes.below(1 << 16));
            let data = pixels.get(from..(from + length).min(pixels.len())).unwrap_or_default();
            Plane { data, stride: if bytes.below(20) == 0 { usize::MAX / 2 } else { bytes.below(1400) } }
        })
        .collect();
    let colorimetry = Colorimetry { matrix: *bytes.one(&Matrix::ALL), full_range: bytes.below(2) == 0 };
    let Some(image) = Image::new(format, width, height, &planes, colorimetry) else { return };
    fill(&mut bytes, &input, size, &image.with_bits(bits));
}

/// An image input as a manifest may say it.
fn input(bytes: &mut Bytes<'_>, size: [usize; 2]) -> Option<Input> {
    let input = serde_json::json!({
        "name": "images", "source": "image", "size": size,
        "layout": bytes.one(&["NCHW", "NHWC"]), "type": bytes.one(&["f32", "f16", "u8", "i8"]),
        "colour": bytes.one(&["grey", "rgb", "bgr", "rgba", "bgra"]),
        "resize": bytes.one(&["letterbox", "stretch", "crop"]), "align": bytes.one(&["centre", "top-left"]),
        "interpolation": bytes.one(&["bilinear", "area", "antialias"]),
        "scale": [f32::from(bytes.byte()) / 64.0], "mean": [f32::from(bytes.byte())], "pad": [bytes.byte()],
    });
    serde_json::from_value(input).ok()
}

fn fill(bytes: &mut Bytes<'_>, input: &Input, size: [usize; 2], image: &Image<'_>) {
    let mut preprocessor = Preprocessor::new(input, size);
    let length = preprocessor.len();
    for _ in 0..2 {
        let region = (bytes.below(3) == 0)
            .then(|| [0; 4].map(|_| if bytes.below(9) == 0 { bytes.float() } else { f32::from(bytes.byte()) }));
        // This tensor is another, even if it lies where the last one did.
        preprocessor.forget();
        let mut float = vec![f32::NAN; length];
        let mapping = preprocessor.run(image, region, TensorMut::F32(&mut float));
        assert!(float.iter().all(|v| v.is_finite()), "{mapping:?}");
        assert!(mapping.scale.iter().all(|s| s.is_finite() && *s > 0.0), "{mapping:?}");
        preprocessor.run(image, region, TensorMut::F16(&mut vec![f16::ZERO; length]));
        preprocessor.run(image, region, TensorMut::U8(&mut vec![0; length]));
        preprocessor.run(image, region, TensorMut::I8(&mut vec![0; length]));
    }
}

/// A buffer whose video meta says what it likes: the planes lie in the buffer, or there is no frame.
fn of_buffer(bytes: &mut Bytes<'_>, input: &Input, size: [usize; 2], bits: u32) {
    gst::init().expect("GStreamer is installed");
    let format = *bytes.one(gstandon::meta::video::FORMATS);
    let (width, height) = (1 + bytes.below(300) as u32, 1 + bytes.below(60) as u32);
    let Ok(info) = gst_video::VideoInfo::builder(format, width, height).build() else { return };
    let length = if bytes.below(4) == 0 { bytes.below(1 << 16) } else { info.size() };
    let mut buffer = gst::Buffer::with_size(length).expect("there is memory for a frame");
    let planes = info.n_planes() as usize;
    if bytes.below(4) > 0 {
        let mut offsets: Vec<_> = info.offset().to_vec();
        let mut strides: Vec<_> = info.stride().to_vec();
        for i in 0..planes {
            match bytes.below(6) {
                0 => offsets[i] = bytes.below(1 << 16),
                1 => strides[i] = bytes.below(2000) as i32,
                2 => strides[i] = -(bytes.below(2000) as i32),
                _ => {}
            }
        }
        // GStreamer itself refuses a meta that is smaller than the caps.
        let [w, h] = if bytes.below(4) == 0 { [width + 7, height + 3] } else { [width, height] };
        let buffer = buffer.get_mut().expect("it is ours alone");
        let flags = gst_video::VideoFrameFlags::empty();
        if gst_video::VideoMeta::add_full(buffer, flags, format, w, h, &offsets[..planes], &strides[..planes]).is_err()
        {
            return;
        }
    }
    let whole = buffer.map_readable().expect("memory can be read");
    let Ok(frame) = gst_video::VideoFrameRef::from_buffer_ref_readable(&buffer, &info) else { return };
    let Some(image) = gstandon::meta::video::image(&frame, bits) else { return };
    let range = whole.as_slice().as_ptr_range();
    for plane in image.planes.iter().take(image.format.planes()) {
        let own = plane.data.as_ptr_range();
        assert!(own.start >= range.start && own.end <= range.end, "a plane of {format:?} lies in the buffer");
    }
    fill(bytes, input, size, &image);
}
