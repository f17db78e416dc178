// SPDX-License-Identifier: MPL-2.0
//! A template, decoded from a PNG.

use std::{
    io::{self, BufRead, BufReader, Seek},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use andon_core::{
    files,
    image::{Colorimetry, Format, Image, Plane},
    orientation::Orientation,
};

/// The largest image that is decoded, bytes of pixels.
const LARGEST: usize = 512 << 20;

/// Why a file is not a template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The file, or the image root, cannot be opened.
    #[error("{}: {error}: {advice}", .path.display())]
    Open { path: PathBuf, error: io::Error, advice: &'static str },
    /// The file lies outside the image root.
    #[error("{}: lies outside of image-root: keep the templates below it", .0.display())]
    Outside(PathBuf),
    /// The file is not a whole PNG.
    #[error("{}: {error}: a template must be a whole PNG", .path.display())]
    Png { path: PathBuf, error: png::DecodingError },
    /// The file notes that its pixels are to be turned before they are shown.
    #[error(
        "{}: its EXIF note turns it before it is shown, and a template is taken as it is stored: turn the pixels, and drop the \
         note (ImageMagick's mogrify -auto-orient)",
        .0.display()
    )]
    Turned(PathBuf),
    /// The image is too large.
    #[error("{}: is too large for a template", .0.display())]
    TooLarge(PathBuf),
    /// The decoder left indices instead of colours.
    #[error("{}: its palette was not expanded", .0.display())]
    Palette(PathBuf),
}

/// An image from a file.
pub struct Template {
    id: u64,
    format: Format,
    width: usize,
    height: usize,
    pub(super) data: Vec<u8>,
}

impl Template {
    /// A number that is unique in the process: templates with the same id have the same pixels.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The pixels.
    pub(crate) fn image(&self) -> Image<'_> {
        let plane = Plane { data: &self.data, stride: self.width * self.format.pixel_stride() };
        Image::new(self.format, self.width, self.height, &[plane], Colorimetry::default())
            .expect("decoding gave as many bytes as the size asks for")
    }

    /// Decodes a PNG: grey or RGB, with or without alpha, or with a palette, of any depth. 16 bits are cut to 8.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let advice = "put the template there, or correct pattern";
        let file = files::open(path).map_err(|error| FileError::Open { path: path.into(), error, advice })?;
        Self::decode(path, BufReader::new(file))
    }

    /// Decodes the content of the file at `path` as [`Self::read`] does.
    pub(crate) fn decode(path: &Path, content: impl BufRead + Seek) -> Result<Self, FileError> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let bad = |error| FileError::Png { path: path.into(), error };
        let mut decoder = png::Decoder::new_with_limits(content, png::Limits { bytes: LARGEST });
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(bad)?;
        if reader.info().exif_metadata.as_deref().is_some_and(|exif| Orientation::of_exif(exif) != Orientation::Upright)
        {
            return Err(FileError::Turned(path.into()));
        }
        let size = reader.output_buffer_size().filter(|n| *n <= LARGEST);
        let mut data = vec![0; size.ok_or_else(|| FileError::TooLarge(path.into()))?];
        let info = reader.next_frame(&mut data).map_err(bad)?;
        data.truncate(info.buffer_size());
        let format = match info.color_type {
            png::ColorType::Grayscale => Format::Gray8,
            png::ColorType::Rgb => Format::Rgb,
            png::ColorType::Rgba => Format::Rgbx,
            png::ColorType::GrayscaleAlpha => {
                data = data.chunks_exact(2).map(|p| p[0]).collect();
                Format::Gray8
            }
            png::ColorType::Indexed => return Err(FileError::Palette(path.into())),
        };
        let (width, height) = (info.width as usize, info.height as usize);
        Ok(Self { id: IDS.fetch_add(1, Ordering::Relaxed), format, width, height, data })
    }
}
