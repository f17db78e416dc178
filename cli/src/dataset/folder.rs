// SPDX-License-Identifier: MPL-2.0
//! A folder of captures: its sidecars in the order of their names, one at a time, and what is amiss in it.
//!
//! Only the names of the sidecars are held, some 80 bytes a capture; images are never read here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use andon_capture::{CAPTURE_SCHEMA, Sidecar};
use andon_core::result::{Arm, Inference, PartKey, Status, Verdict};
use andon_report::words::counted;
use anyhow::{Context, Result};
use serde::Serialize;

use crate::app::Usage;

/// What images of captures end in.
const IMAGES: [&str; 3] = ["png", "jpg", "jpeg"];
/// Names that are told of each kind of fault.
const MOST_NAMED: usize = 5;

/// A folder that a framesampler wrote, as it was when it was opened.
pub struct Folder {
    path: PathBuf,
    stems: Vec<Box<str>>,
    lonely: Named,
}

/// A capture that is whole.
#[derive(Clone)]
pub struct Capture {
    /// What is known of it.
    pub sidecar: Sidecar,
    /// Its image.
    pub image: PathBuf,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Bytes of the sidecar.
    pub sidecar_bytes: u64,
}

impl Capture {
    /// The file names without their kind.
    pub fn stem(&self) -> &str {
        self.sidecar.file.rsplit_once('.').map_or(&self.sidecar.file, |(stem, _)| stem)
    }

    /// What the frame counts under.
    pub fn part_key(&self) -> PartKey {
        PartKey::of(self.sidecar.part.as_deref(), self.sidecar.run, self.sidecar.frame_id)
    }

    /// What an arm said, whether or not it judged.
    pub fn said(&self, arm: Arm) -> Option<&Inference> {
        self.sidecar.results.iter().find(|i| i.arm == arm).map(|i| &**i)
    }

    /// What an arm said, where it judged.
    pub fn judged(&self, arm: Arm) -> Option<&Inference> {
        self.said(arm).filter(|i| i.status == Status::Ok && i.verdict != Verdict::Unjudged)
    }
}

/// How many, and the names of the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Named {
    /// All of them.
    pub total: u64,
    /// The first few.
    pub first: Vec<String>,
}

impl Named {
    /// One more.
    pub fn add(&mut self, name: impl Into<String>) {
        self.total += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(name.into());
        }
    }

    /// Says so on standard error, where there is any: `one` and `more` name the thing.
    pub fn tell(&self, one: &str, more: &str) {
        if self.total > 0 {
            let rest = if self.total > self.first.len() as u64 { ", …" } else { "" };
            eprintln!("warning: {}: {}{rest}", counted(self.total, one, more), self.first.join(", "));
        }
    }
}

/// What was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Faults {
    /// Sidecars that cannot be read, each with the reason.
    pub broken: Named,
    /// Sidecars whose image is not there: captures that were interrupted.
    pub without_image: Named,
    /// Images that have no sidecar.
    pub without_sidecar: Named,
}

impl Faults {
    /// Says so on standard error, where there is any.
    pub fn tell(&self) {
        self.broken.tell("broken sidecar", "broken sidecars");
        self.without_image.tell("sidecar without its image", "sidecars without their images");
        self.without_sidecar.tell("image without a sidecar", "images without sidecars");
    }
}

impl Folder {
    /// Finds the captures; wrong usage where there are none.
    pub fn open(path: &Path) -> Result<Self> {
        let misused = |what: String| Usage(format!("{}: {what}", path.display()));
        let names = || -> std::io::Result<_> {
            Ok(fs::read_dir(path)?
                .flatten()
                .filter_map(|e| e.file_name().into_string().ok())
                .filter(|n| !n.starts_with('.')))
        };
        let mut stems: Vec<Box<str>> = names()
            .map_err(|e| misused(format!("{e}; name a folder that a framesampler wrote")))?
            .filter_map(|n| Some(n.strip_suffix(".json")?.into()))
            .collect();
        if stems.is_empty() {
            return Err(misused("no captures in it; name a folder that a framesampler wrote".into()).into());
        }
        stems.sort_unstable();
        // Looked for in a second pass, so that the names of images need not be held.
        let mut alone: Vec<_> = names()?
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

    /// Sidecars in it, whole or not.
    pub fn len(&self) -> usize {
        self.stems.len()
    }

    /// Shows every whole capture to `look`, in the order of their names, and calls `done` after each sidecar; answers how
    /// many were whole, and what was left out. Wrong usage where none is whole.
    pub fn each(&self, mut done: impl FnMut(), mut look: impl FnMut(&Capture) -> Result<()>) -> Result<(u64, Faults)> {
        let mut faults = Faults { without_sidecar: self.lonely.clone(), ..Faults::default() };
        let mut whole = 0;
        for stem in &self.stems {
            match self.read(stem) {
                Ok(Some(capture)) => {
                    look(&capture).with_context(|| format!("{stem}.json"))?;
                    whole += 1;
                }
                Ok(None) => faults.without_image.add(format!("{stem}.json")),
                Err(why) => faults.broken.add(format!("{stem}.json ({why})")),
            }
            done();
        }
        if whole == 0 {
            faults.tell();
            return Err(Usage(format!("{}: no capture in it is whole", self.path.display())).into());
        }
        Ok((whole, faults))
    }

    /// The capture of that name; none where its image is missing.
    fn read(&self, stem: &str) -> Result<Option<Capture>, String> {
        let text = fs::read(self.path.join(format!("{stem}.json"))).map_err(|e| e.to_string())?;
        let sidecar = parse(&text, stem)?;
        let image = self.path.join(&sidecar.file);
        let there = fs::metadata(&image).ok().filter(fs::Metadata::is_file);
        let sidecar_bytes = text.len() as u64;
        Ok(there.map(|there| Capture { sidecar, image, image_bytes: there.len(), sidecar_bytes }))
    }
}

/// A sidecar, checked: its words become names of files.
fn parse(text: &[u8], stem: &str) -> Result<Sidecar, String> {
    let sidecar: Sidecar = serde_json::from_slice(text).map_err(|e| e.to_string())?;
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

/// The sidecar of that name in `folder`, whether or not its image is there.
pub fn sidecar(folder: &Path, stem: &str) -> Result<Sidecar, String> {
    let text = fs::read(folder.join(format!("{stem}.json"))).map_err(|e| e.to_string())?;
    parse(&text, stem)
}
