// SPDX-License-Identifier: MPL-2.0
//! Frames as files: PNG, JPEG, or the planes as they are. Grey stays grey, every other format becomes RGB, but in raw
//! files. PNG loses nothing but padding, alpha and, of luma and chroma formats, what the conversion rounds.

use std::path::Path;

use andon_core::image::{Format, Image};

use crate::{
    error::{EncodeError, PolicyError},
    privacy_mask::PrivacyMask,
};

/// The format of the image files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// PNG, of 8 or 16 bits. Grey of 10, 12 or 14 bits is widened to 16, white to white, and the file says how many it was.
    #[default]
    Png,
    /// JPEG of this quality, 1..100. Of more than 8 bits it keeps the upper 8.
    Jpeg(u8),
    /// The planes one after the other, rows without gaps: the format is in the caps of the sidecar.
    Raw,
}

/// Encodes frames, with the privacy mask applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoder {
    encoding: Encoding,
    mask: PrivacyMask,
}

impl Encoder {
    /// Makes an encoder.
    ///
    /// # Errors
    /// [`PolicyError::RawMasked`] for a mask over raw files.
    pub fn new(encoding: Encoding, mask: PrivacyMask) -> Result<Self, PolicyError> {
        if encoding == Encoding::Raw && !mask.is_empty() {
            return Err(PolicyError::RawMasked);
        }
        Ok(Self { encoding, mask })
    }

    /// Returns the extension of the files.
    pub(crate) fn extension(&self) -> &'static str {
        match self.encoding {
            Encoding::Png => "png",
            Encoding::Jpeg(_) => "jpg",
            Encoding::Raw => "raw",
        }
    }

    /// Returns whether the name of a file is that of a captured image.
    pub(crate) fn is_image(path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.') && ["png", "jpg", "raw"].iter().any(|e| path.extension().is_some_and(|x| x == *e))
    }

    /// Returns the content of the file for a frame.
    ///
    /// # Errors
    /// Says why the encoder refused the image.
    pub fn encode(&self, image: &Image<'_>) -> Result<Vec<u8>, EncodeError> {
        match self.encoding {
            Encoding::Png => png(image, &self.mask),
            Encoding::Jpeg(quality) => jpeg(image, &self.mask, quality),
            Encoding::Raw => Ok((0..image.format.planes()).flat_map(|plane| packed(image, plane)).collect()),
        }
    }
}

fn png(image: &Image<'_>, mask: &PrivacyMask) -> Result<Vec<u8>, EncodeError> {
    use png::{BitDepth, ColorType};
    let (color, depth, mut pixels) = match image.format {
        Format::Gray8 => (ColorType::Grayscale, BitDepth::Eight, packed(image, 0)),
        f if f.is_grey() => (ColorType::Grayscale, BitDepth::Sixteen, sixteen(image)),
        _ => (ColorType::Rgb, BitDepth::Eight, rgb(image)),
    };
    let bytes = pixels.len() / (image.width * image.height).max(1);
    mask.blacken(&mut pixels, image.width, bytes)?;
    let mut file = Vec::with_capacity(pixels.len() / 2);
    let mut encoder = png::Encoder::new(&mut file, image.width as u32, image.height as u32);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    if depth == BitDepth::Sixteen && image.bits < 16 {
        // The number of bits that the widened samples had (PNG, third edition, 11.3.2.7).
        writer.write_chunk(png::chunk::sBIT, &[image.bits as u8])?;
    }
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

fn jpeg(image: &Image<'_>, mask: &PrivacyMask, quality: u8) -> Result<Vec<u8>, EncodeError> {
    use jpeg_encoder::{ColorType, Encoder};
    let (color, mut pixels) = match image.format {
        Format::Gray8 => (ColorType::Luma, packed(image, 0)),
        f if f.is_grey() => (ColorType::Luma, luma(image)),
        _ => (ColorType::Rgb, rgb(image)),
    };
    let bytes = pixels.len() / (image.width * image.height).max(1);
    mask.blacken(&mut pixels, image.width, bytes)?;
    let side = |n: usize| u16::try_from(n).map_err(|_| EncodeError::TooLarge(n));
    let mut file = Vec::with_capacity(pixels.len() / 8);
    let encoder = Encoder::new(&mut file, quality);
    encoder.encode(&pixels, side(image.width)?, side(image.height)?, color)?;
    Ok(file)
}

/// Returns a plane without gaps between its rows.
fn packed(image: &Image<'_>, plane: usize) -> Vec<u8> {
    let (row, rows) = image.plane_size(plane);
    let mut out = Vec::with_capacity(row * rows);
    (0..rows).for_each(|y| out.extend_from_slice(image.planes[plane].row(y, row)));
    out
}

/// Returns grey of more than 8 bits as 16, high byte first as PNG has it.
fn sixteen(image: &Image<'_>) -> Vec<u8> {
    let most = (1 << image.bits) - 1;
    let mut out = Vec::with_capacity(2 * image.width * image.height);
    for y in 0..image.height {
        let row = image.component(&image.format.components()[0], y);
        // Rounded; the number before is got back by rounding, too.
        let wide = |x| ((row.raw(x) * 65_535 + most / 2) / most) as u16;
        (0..image.width).for_each(|x| out.extend_from_slice(&wide(x).to_be_bytes()));
    }
    out
}

/// Returns the upper 8 bits of luma.
fn luma(image: &Image<'_>) -> Vec<u8> {
    let mut out = vec![0; image.width * image.height];
    out.chunks_exact_mut(image.width).enumerate().for_each(|(y, out)| image.luma_row(y, out));
    out
}

/// Returns packed RGB, 3 bytes a pixel. Grey is repeated, alpha is left out.
fn rgb(image: &Image<'_>) -> Vec<u8> {
    if image.format == Format::Rgb {
        return packed(image, 0);
    }
    let row = image.width * 3;
    let mut out = vec![0; row * image.height];
    let yuv = image.yuv_to_rgb();
    out.chunks_exact_mut(row).enumerate().for_each(|(y, out)| image.rgb_row(y, &yuv, out));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::image::{Colorimetry, Matrix, Plane};

    fn decoded(file: &[u8]) -> (png::ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.color_type, pixels)
    }

    fn packed_image<'a>(format: Format, data: &'a [u8], stride: usize) -> Image<'a> {
        Image::new(format, 2, 1, &[Plane { data, stride }], Colorimetry::default()).unwrap()
    }

    #[test]
    fn grey_stays_grey_and_gaps_between_rows_are_left_out() {
        let data = [1, 2, 3, 99, 4, 5, 6, 99];
        let planes = [Plane { data: &data, stride: 4 }];
        let image = Image::new(Format::Gray8, 3, 2, &planes, Colorimetry::default()).unwrap();
        assert_eq!(
            decoded(&Encoder::default().encode(&image).unwrap()),
            (png::ColorType::Grayscale, vec![1, 2, 3, 4, 5, 6])
        );
    }

    #[test]
    fn sixteen_bits_of_grey_stay_sixteen_bits() {
        let file = Encoder::default().encode(&packed_image(Format::Gray16Le, &[0x34, 0x12, 0xff, 0x00], 4)).unwrap();
        let info = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap().info().bit_depth;
        assert_eq!((info, decoded(&file).1), (png::BitDepth::Sixteen, vec![0x12, 0x34, 0x00, 0xff]));
    }

    #[test]
    fn fewer_bits_of_grey_are_widened_so_that_white_is_white_and_the_file_says_how_many_they_were() {
        let twelve = [2048u16.to_le_bytes(), 4095u16.to_le_bytes()].concat();
        let ten = (512u32 | 1023 << 10).to_le_bytes();
        for (image, bits, want) in [
            (packed_image(Format::Gray16Le, &twelve, 4).with_bits(12), 12, [0x80, 0x08, 0xff, 0xff]),
            (packed_image(Format::Gray10Le32, &ten, 4), 10, [0x80, 0x20, 0xff, 0xff]),
        ] {
            let file = Encoder::default().encode(&image).unwrap();
            assert_eq!(decoded(&file).1, want, "{bits}");
            let at = file.windows(4).position(|w| w == b"sBIT").expect("the chunk of significant bits");
            assert_eq!(file[at + 4], bits);
            let jpeg = Encoder::new(Encoding::Jpeg(90), PrivacyMask::default()).unwrap().encode(&image).unwrap();
            assert!(jpeg.starts_with(&[0xff, 0xd8]), "{bits}");
        }
    }

    #[test]
    fn a_mask_hides_in_png_and_jpeg_and_is_refused_for_raw() {
        let data: Vec<u8> = (0..64 * 64).map(|i| 100 + (i % 64) as u8).collect();
        let image = Image::gray8(&data, 64, 64).unwrap();
        let masked = |encoding| Encoder::new(encoding, "0,0 0.5,0 0.5,1 0,1".parse().unwrap());
        let (_, pixels) = decoded(&masked(Encoding::Png).unwrap().encode(&image).unwrap());
        assert!(pixels.chunks(64).all(|row| row[..32] == [0; 32] && row[32..] == data[32..64]));
        let file = masked(Encoding::Jpeg(90)).unwrap().encode(&image).unwrap();
        assert!(
            file.starts_with(&[0xff, 0xd8]) && file.ends_with(&[0xff, 0xd9]) && file.len() < 2000,
            "{}",
            file.len()
        );
        assert_eq!(masked(Encoding::Raw), Err(PolicyError::RawMasked));
        let raw = Encoder::new(Encoding::Raw, PrivacyMask::default()).unwrap();
        assert_eq!(raw.encode(&image).unwrap(), data, "the planes as they are");
    }

    #[test]
    fn every_packed_order_of_colours_becomes_rgb() {
        let want = (png::ColorType::Rgb, vec![1, 2, 3, 4, 5, 6]);
        for (format, data) in [
            (Format::Rgb, &[1, 2, 3, 4, 5, 6][..]),
            (Format::Bgr, &[3, 2, 1, 6, 5, 4]),
            (Format::Rgbx, &[1, 2, 3, 0, 4, 5, 6, 0]),
            (Format::Bgrx, &[3, 2, 1, 255, 6, 5, 4, 255]),
            (Format::Xrgb, &[9, 1, 2, 3, 9, 4, 5, 6]),
            (Format::Abgr, &[9, 3, 2, 1, 9, 6, 5, 4]),
        ] {
            assert_eq!(
                decoded(&Encoder::default().encode(&packed_image(format, data, data.len())).unwrap()),
                want,
                "{format:?}"
            );
        }
    }

    #[test]
    fn nv12_and_i420_of_odd_size_say_the_same() {
        let y: Vec<u8> = (0..15).map(|i| 16 + i * 14).collect();
        let (u, v) = ([90, 128, 170, 60, 200, 128], [128, 30, 220, 100, 128, 150]);
        let uv: Vec<u8> = u.iter().zip(v).flat_map(|(u, v)| [*u, v]).collect();
        let c = Colorimetry { matrix: Matrix::Bt709, full_range: false };
        let plane = |data, stride| Plane { data, stride };
        let nv12 = Image::new(Format::Nv12, 5, 3, &[plane(&y, 5), plane(&uv, 6)], c).unwrap();
        let i420 = Image::new(Format::I420, 5, 3, &[plane(&y, 5), plane(&u, 3), plane(&v, 3)], c).unwrap();
        assert_eq!(rgb(&nv12), rgb(&i420));
        assert_eq!(rgb(&nv12).len(), 45);
    }
}
