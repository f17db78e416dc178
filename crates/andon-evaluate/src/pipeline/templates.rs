// SPDX-License-Identifier: MPL-2.0
//! The golden templates of a set, laid out as a model asks for them.

use std::{fs, path::Path};

use andon_core::result::{Fields, Part};
use andon_model::{InputSource, Manifest, Pattern};
use tempfile::TempDir;

use super::{
    Error,
    pictures::{Decoder, decoded, read},
};
use crate::data::Sample;

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

/// Returns a picture as a PNG file, byte for byte if it is one that is stored as it is shown.
fn png(path: &Path) -> Result<Vec<u8>, Error> {
    let is_png = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
    if is_png && !Decoder::of(path)?.turns() {
        return read(path);
    }
    let sample = decoded(path, "! pngenc compression-level=1")?;
    let buffer = sample.buffer().ok_or_else(|| Error::Pipeline("a picture without pixels".into()))?;
    Ok(buffer.map_readable().map_err(Error::pipeline)?.to_vec())
}
