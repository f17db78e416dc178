// SPDX-License-Identifier: MPL-2.0
//! The one place where pictures on disk become frames: PNG and JPEG, turned as their EXIF note says.

use std::path::Path;

use andon_core::{files, orientation::Orientation};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};

use super::{Error, bus::failure};
use crate::data::picture::Header;

/// What the elements must be that make a frame of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decoder {
    /// The element that decodes.
    element: &'static str,
    /// How the frame is turned after that.
    orientation: Orientation,
}

impl Decoder {
    /// Returns the decoder of a picture, by the extension of the file and its EXIF note.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let element = match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("jpg" | "jpeg") => "jpegdec",
            Some("png") => "pngdec",
            _ => return Err(Error::NotAPicture(path.into())),
        };
        // Of a header that cannot be read the decoder says what is wrong with it.
        let orientation = Header::read(path).map(|header| header.orientation).unwrap_or_default();
        Ok(Self { element, orientation })
    }

    /// Returns whether the frame is turned.
    pub(super) fn turns(self) -> bool {
        self.orientation != Orientation::Upright
    }

    /// The elements as a part of a launch line: they take the caps of [`Decoder::caps`].
    pub(super) fn elements(self) -> String {
        // In the names of videoflip; ul-lr is the diagonal from the upper left to the lower right.
        let direction = match self.orientation {
            Orientation::Upright => return format!("{} ! videoconvert", self.element),
            Orientation::Mirrored => "horiz",
            Orientation::HalfTurn => "180",
            Orientation::UpsideDown => "vert",
            Orientation::Transposed => "ul-lr",
            Orientation::Clockwise => "90r",
            Orientation::Transversed => "ur-ll",
            Orientation::Counterclockwise => "90l",
        };
        // Whole pixels are turned: a plane of colour at half the size would move by half a pixel.
        let whole = "video/x-raw,format={RGB,GRAY8,GRAY16_LE}";
        format!("{} ! videoconvert ! {whole} ! videoflip video-direction={direction} ! videoconvert", self.element)
    }

    /// The caps of the files.
    pub(super) fn caps(self) -> gst::Caps {
        let kind = if self.element == "jpegdec" { "image/jpeg" } else { "image/png" };
        gst::Caps::builder(kind).field("framerate", gst::Fraction::new(1, 1)).build()
    }
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    files::read(path, files::DATA).map_err(Error::io(format!("{} cannot be read", path.display())))
}

/// Decodes a picture, turns it as its EXIF note says, and sends it through `more`, elements of a launch line that begin with
/// `!`. Whoever shows or judges a picture takes it from here, so that all see the same.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Pipeline`] if it cannot be decoded.
pub fn decoded(path: &Path, more: &str) -> Result<gst::Sample, Error> {
    let decoder = Decoder::of(path)?;
    let text = format!("appsrc name=src format=time ! {} {more} ! appsink name=sink sync=false", decoder.elements());
    let pipeline = gst::parse::launch(&text).map_err(Error::pipeline)?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
    let src: AppSrc = pipeline.by_name("src").and_downcast().expect("it is an appsrc");
    let sink: AppSink = pipeline.by_name("sink").and_downcast().expect("it is an appsink");
    src.set_caps(Some(&decoder.caps()));
    let bytes = read(path)?;
    let decode = || {
        pipeline.set_state(gst::State::Playing).map_err(|e| e.to_string())?;
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        buffer.get_mut().expect("a new buffer has one owner").set_pts(gst::ClockTime::ZERO);
        let _ = src.push_buffer(buffer);
        let _ = src.end_of_stream();
        sink.pull_sample().map_err(|e| failure(&pipeline).unwrap_or_else(|| e.to_string()))
    };
    let sample = decode();
    let _ = pipeline.set_state(gst::State::Null);
    sample.map_err(|why| Error::Pipeline(format!("{}: {why}", path.display())))
}
