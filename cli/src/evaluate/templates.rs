// SPDX-License-Identifier: MPL-2.0
//! The golden templates of a set, laid out as a model asks for them, and pictures as a page can show them.

use std::{fs, path::Path};

use andon_core::result::{Fields, Part};
use andon_model::{InputSource, Manifest, Pattern};
use anyhow::{Context, Result, anyhow, bail};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use tempfile::TempDir;

use super::{data::Sample, judge::decoder_of};
use crate::play::failure;

/// Patterns of the templates that a model asks for; none for one that looks at the frame alone.
pub fn patterns(manifest: &Manifest) -> Vec<Pattern> {
    let files = manifest.inputs.iter().filter(|i| i.source() == Some(InputSource::ImageFile));
    files.filter_map(|i| Pattern::parse(i.pattern.as_deref()?).ok()).collect()
}

/// The part that a sample shows, as an element is told it.
pub fn part(sample: &Sample) -> Part {
    let p = &sample.part;
    Part { id: p.id.clone(), sku: p.sku.clone(), view: p.view, views: p.views, ..Part::default() }
}

/// A folder for `image-root` with the templates of all samples, PNG; told after each sample.
pub fn folder(samples: &[Sample], patterns: &[Pattern], mut done: impl FnMut()) -> Result<TempDir> {
    let folder = tempfile::tempdir().context("there is no room for a folder of golden templates")?;
    let mut path = String::new();
    for sample in samples {
        let Some(template) = &sample.template else {
            bail!(
                "the model compares with a golden template, and the set has none of {}: name their folder with --image-root",
                sample.id
            );
        };
        let picture = png(template)?;
        for pattern in patterns {
            pattern
                .fill(Some(&part(sample)), &Fields::default(), &mut path)
                .map_err(|e| anyhow!("{}: {e}: name the templates' folder with --image-root", sample.id))?;
            let to = folder.path().join(&path);
            fs::create_dir_all(to.parent().expect("it is below the folder"))?;
            fs::write(&to, &picture).with_context(|| format!("{} cannot be written", to.display()))?;
        }
        done();
    }
    Ok(folder)
}

/// A picture as a PNG file, byte for byte where it is one.
fn png(path: &Path) -> Result<Vec<u8>> {
    if decoder_of(path)? == "pngdec" {
        return fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
    }
    let sample = decoded(path, "! pngenc compression-level=1")?;
    Ok(sample.buffer().context("a picture without pixels")?.map_readable()?.to_vec())
}

/// A picture, decoded and sent through `more`.
pub fn decoded(path: &Path, more: &str) -> Result<gst::Sample> {
    let decoder = decoder_of(path)?;
    let text = format!("appsrc name=src format=time ! {decoder} ! videoconvert {more} ! appsink name=sink sync=false");
    let pipeline = gst::parse::launch(&text)?.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
    let src: AppSrc = pipeline.by_name("src").and_downcast().expect("it is an appsrc");
    let sink: AppSink = pipeline.by_name("sink").and_downcast().expect("it is an appsink");
    let kind = if decoder == "jpegdec" { "image/jpeg" } else { "image/png" };
    src.set_caps(Some(&gst::Caps::builder(kind).field("framerate", gst::Fraction::new(1, 1)).build()));
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let result = (|| {
        pipeline.set_state(gst::State::Playing)?;
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        buffer.get_mut().expect("a new buffer has one owner").set_pts(gst::ClockTime::ZERO);
        let _ = src.push_buffer(buffer);
        let _ = src.end_of_stream();
        sink.pull_sample().map_err(|e| failure(&pipeline).unwrap_or_else(|| e.into()))
    })();
    let _ = pipeline.set_state(gst::State::Null);
    result.with_context(|| path.display().to_string())
}
