// SPDX-License-Identifier: MPL-2.0
//! The golden templates of a set, laid out as a model asks for them, and decoded pictures.

use std::{fs, path::Path};

use andon_core::result::{Fields, Part};
use andon_model::{InputSource, Manifest, Pattern};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use tempfile::TempDir;

use super::{Error, bus::failure};
use crate::data::Sample;

/// Returns the element that decodes a picture, by the extension of the file.
pub(super) fn decoder_of(path: &Path) -> Result<&'static str, Error> {
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("jpg" | "jpeg") => Ok("jpegdec"),
        Some("png") => Ok("pngdec"),
        _ => Err(Error::NotAPicture(path.into())),
    }
}

/// Returns the patterns of the golden templates that a model asks for; empty for a model of the frame alone.
pub fn patterns(manifest: &Manifest) -> Vec<Pattern> {
    let files = manifest.inputs.iter().filter(|i| i.source() == Some(InputSource::ImageFile));
    files.filter_map(|i| Pattern::parse(i.pattern.as_deref()?).ok()).collect()
}

/// Returns the part that a sample shows, as the meta of a frame has it.
pub(super) fn part(sample: &Sample) -> Part {
    let p = &sample.part;
    Part { id: p.id.clone(), sku: p.sku.clone(), view: p.view, views: p.views, ..Part::default() }
}

/// Makes a folder for `image-root` with the templates of all samples as PNG; calls `done` after each sample.
///
/// # Errors
/// [`Error::NoTemplate`] if the set has no template of a sample.
pub fn folder(samples: &[Sample], patterns: &[Pattern], mut done: impl FnMut()) -> Result<TempDir, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("there is no room for a folder of golden templates"))?;
    let mut path = String::new();
    for sample in samples {
        let template = sample.template.as_ref().ok_or_else(|| Error::NoTemplate(sample.id.clone()))?;
        let picture = png(template)?;
        for pattern in patterns {
            let filled = pattern.fill(Some(&part(sample)), &Fields::default(), &mut path);
            filled.map_err(|e| Error::Pattern { sample: sample.id.clone(), reason: e.to_string() })?;
            let to = folder.path().join(&path);
            let made = fs::create_dir_all(to.parent().expect("it is below the folder"));
            made.and_then(|()| fs::write(&to, &picture))
                .map_err(Error::io(format!("{} cannot be written", to.display())))?;
        }
        done();
    }
    Ok(folder)
}

/// Returns a picture as a PNG file, byte for byte if it is one.
fn png(path: &Path) -> Result<Vec<u8>, Error> {
    if decoder_of(path)? == "pngdec" {
        return read(path);
    }
    let sample = decoded(path, "! pngenc compression-level=1")?;
    let buffer = sample.buffer().ok_or_else(|| Error::Pipeline("a picture without pixels".into()))?;
    Ok(buffer.map_readable().map_err(Error::pipeline)?.to_vec())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::io(format!("{} cannot be read", path.display())))
}

/// Decodes a picture and sends it through `more`, elements of a launch line that begin with `!`.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Pipeline`] if it cannot be decoded.
pub fn decoded(path: &Path, more: &str) -> Result<gst::Sample, Error> {
    let decoder = decoder_of(path)?;
    let text = format!("appsrc name=src format=time ! {decoder} ! videoconvert {more} ! appsink name=sink sync=false");
    let pipeline = gst::parse::launch(&text).map_err(Error::pipeline)?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
    let src: AppSrc = pipeline.by_name("src").and_downcast().expect("it is an appsrc");
    let sink: AppSink = pipeline.by_name("sink").and_downcast().expect("it is an appsink");
    let kind = if decoder == "jpegdec" { "image/jpeg" } else { "image/png" };
    src.set_caps(Some(&gst::Caps::builder(kind).field("framerate", gst::Fraction::new(1, 1)).build()));
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
