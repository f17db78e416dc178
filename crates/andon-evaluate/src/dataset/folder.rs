// SPDX-License-Identifier: MPL-2.0
//! A folder of captures: its sidecars in the order of their names, one at a time, and what is wrong in it.
//!
//! Only the names of the sidecars are in memory, some 80 bytes a capture. No image is read here.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use andon_capture::{CAPTURE_SCHEMA, Sidecar};
use andon_core::{
    files, json,
    result::{Arm, Decided, Inference, PartKey, Status, Verdict, decided},
};

use super::{Error, Faults, Named};

/// File name extensions of the images of captures.
const IMAGES: [&str; 3] = ["png", "jpg", "jpeg"];

/// A folder that a framesampler wrote, as it was at the time of [`Folder::open`].
pub struct Folder {
    path: PathBuf,
    stems: Vec<Box<str>>,
    lonely: Named,
}

/// A whole capture: a sidecar and its image.
#[derive(Clone)]
pub struct Capture {
    /// The frame, its part, and the results of the models.
    pub sidecar: Sidecar,
    /// The file of the image.
    pub image: PathBuf,
    /// Size of the image, bytes.
    pub image_bytes: u64,
    /// Size of the sidecar, bytes.
    pub sidecar_bytes: u64,
    /// What each arm says of the frame, all its models together.
    said: Vec<Arc<Inference>>,
}

impl Capture {
    /// The name of both files without the extension.
    pub fn stem(&self) -> &str {
        self.sidecar.file.rsplit_once('.').map_or(&self.sidecar.file, |(stem, _)| stem)
    }

    /// The part that the frame belongs to, or the frame itself if it has no part.
    pub fn part_key(&self) -> PartKey {
        PartKey::of(self.sidecar.part.as_deref(), self.sidecar.run, self.sidecar.frame_id)
    }

    /// What an arm says of the frame, all its models together, also if the arm did not judge the frame.
    pub fn result(&self, arm: Arm) -> Option<&Inference> {
        self.said.iter().find(|i| i.arm == arm).map(|i| &**i)
    }

    /// The results that decide what an arm says, one for each model; none if the arm did not judge the frame.
    pub fn models_of(&self, arm: Arm) -> Vec<&Inference> {
        let all = &self.sidecar.results;
        let decided = self.judged(arm).and_then(|_| decided(all, arm));
        let counts = |i: &&Arc<Inference>| decided.iter().flat_map(Decided::all).any(|d| Arc::ptr_eq(d, i));
        all.iter().filter(counts).map(|i| &**i).collect()
    }

    /// The result of an arm, or None if the arm did not judge the frame.
    pub fn judged(&self, arm: Arm) -> Option<&Inference> {
        self.result(arm).filter(|i| i.status == Status::Ok && i.verdict != Verdict::Unjudged)
    }
}

impl Folder {
    /// Finds the captures.
    ///
    /// # Errors
    /// [`Error::Unusable`] if there is no folder, or no sidecar in it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Unusable { path: path.into(), reason };
        let names = || -> io::Result<_> {
            Ok(fs::read_dir(path)?
                .flatten()
                .filter_map(|e| e.file_name().into_string().ok())
                .filter(|n| !n.starts_with('.')))
        };
        let mut stems: Vec<Box<str>> = names()
            .map_err(|e| unusable(format!("{e}; name a folder that a framesampler wrote")))?
            .filter_map(|n| Some(n.strip_suffix(".json")?.into()))
            .collect();
        if stems.is_empty() {
            return Err(unusable("no captures in it; name a folder that a framesampler wrote".into()));
        }
        stems.sort_unstable();
        // A second pass, so that the names of the images need no memory.
        let mut alone: Vec<_> = names()
            .map_err(|e| unusable(e.to_string()))?
            .filter(|n| {
                n.rsplit_once('.').is_some_and(|(stem, kind)| {
                    IMAGES.contains(&kind) && stems.binary_search_by(|s| (**s).cmp(stem)).is_err()
                })
            })
            .collect();
        alone.sort_unstable();
        let mut lonely = Named::default();
        alone.into_iter().for_each(|n| lonely.add(n));
        Ok(Self { path: path.into(), stems, lonely })
    }

    /// How many sidecars there are, with or without an image.
    #[expect(clippy::len_without_is_empty, reason = "an empty folder is refused")]
    pub fn len(&self) -> usize {
        self.stems.len()
    }

    /// Calls `look` with every whole capture, in the order of their names, and `done` after each sidecar. Returns how many
    /// captures are whole, and which are not.
    ///
    /// # Errors
    /// [`Error::NoneWhole`] if no capture is whole, [`Error::Capture`] if `look` fails.
    pub fn each(
        &self,
        mut done: impl FnMut(),
        mut look: impl FnMut(&Capture) -> Result<(), Error>,
    ) -> Result<(u64, Faults), Error> {
        let mut faults = Faults { without_sidecar: self.lonely.clone(), ..Faults::default() };
        let mut whole = 0;
        for stem in &self.stems {
            match self.read(stem) {
                Ok(Some(capture)) => {
                    let failed = |e| Error::Capture { file: format!("{stem}.json"), source: Box::new(e) };
                    look(&capture).map_err(failed)?;
                    whole += 1;
                }
                Ok(None) => faults.without_image.add(format!("{stem}.json")),
                Err(why) => faults.broken.add(format!("{stem}.json ({why})")),
            }
            done();
        }
        if whole == 0 {
            return Err(Error::NoneWhole { path: self.path.clone(), faults: Box::new(faults) });
        }
        Ok((whole, faults))
    }

    /// Reads the capture of that name; None if its image is missing.
    fn read(&self, stem: &str) -> Result<Option<Capture>, String> {
        let text = read(&self.path, stem)?;
        let sidecar = parse(&text, stem)?;
        let image = self.path.join(&sidecar.file);
        let there = fs::metadata(&image).ok().filter(fs::Metadata::is_file);
        let sidecar_bytes = text.len() as u64;
        let of = |arm| decided(&sidecar.results, arm).map(Decided::merged);
        let said = [Arm::A, Arm::B, Arm::Truth].into_iter().filter_map(of).collect();
        Ok(there.map(|there| Capture { sidecar, image, image_bytes: there.len(), sidecar_bytes, said }))
    }
}

/// The largest sidecar, bytes: more than one with the masks of a whole frame has.
const LARGEST: u64 = 4 * files::TEXT;

fn read(folder: &Path, stem: &str) -> Result<String, String> {
    files::read_text(&folder.join(format!("{stem}.json")), LARGEST).map_err(|e| e.to_string())
}

/// Parses and checks a sidecar, whose words become names of files.
fn parse(text: &str, stem: &str) -> Result<Sidecar, String> {
    let sidecar: Sidecar = json::read(text).map_err(|e| e.to_string())?;
    if sidecar.schema != CAPTURE_SCHEMA {
        return Err(format!("its schema is not {CAPTURE_SCHEMA}"));
    }
    let kind = sidecar.file.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
    if !kind.is_some_and(|kind| IMAGES.contains(&kind)) {
        return Err(format!("its file is not {stem} with {}", IMAGES.join(", ")));
    }
    if sidecar.size.contains(&0) {
        return Err("its image has no size".into());
    }
    Ok(sidecar)
}

/// Reads the sidecar of that name, with or without an image; else says what is wrong with it.
pub(super) fn sidecar(folder: &Path, stem: &str) -> Result<Sidecar, String> {
    parse(&read(folder, stem)?, stem)
}
