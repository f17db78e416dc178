// SPDX-License-Identifier: MPL-2.0
//! What people corrected in an annotation tool comes back as labels of parts.

mod coco;
mod label_file;
mod labelstudio;
mod parts;

pub use label_file::append;

use std::path::Path;

use andon_core::result::{Part, PartKey, Verdict};
use parts::PartLabels;

use super::{
    Named, folder,
    name::{Name, name},
};
use crate::coco as checked;

/// An annotation tool, and the format of its export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// CVAT's export in COCO 1.0.
    CvatCoco,
    /// Label Studio's export in JSON, not JSON-MIN.
    Labelstudio,
}

/// Why an annotation file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not an export of Label Studio.
    #[error("no export of Label Studio in JSON (JSON-MIN is none): {0}")]
    LabelStudio(serde_json::Error),
    /// The file is not a COCO file of boxes, or does not hold together.
    #[error(transparent)]
    Coco(#[from] checked::Error),
    /// The file is what the export wrote: a model's own detections.
    #[error(
        "this is what andon dataset export wrote, detections of models: correct it in the annotation tool, and export it from \
         there"
    )]
    Uncorrected,
}

/// A frame that a person has looked at.
#[derive(Clone, Debug)]
pub struct CorrectedFrame {
    name: Name,
    /// The part that it shows, if the file says so.
    part: Option<Part>,
    verdict: Verdict,
}

/// What an annotation file says.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// Frames that a person has looked at.
    pub frames: Vec<CorrectedFrame>,
    /// Images that a framesampler did not write.
    pub foreign: Named,
    /// Captures that no one has looked at.
    pub untouched: u64,
    /// Captures with two labels that contradict each other.
    pub contradictory: Named,
}

/// Labels of parts, as they follow from the frames.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// The ids of the parts in order, each with its verdict.
    pub parts: Vec<(String, Verdict)>,
    /// Parts without a label: they show no defect, and a view was not looked at.
    pub unfinished: Named,
    /// Frames whose sidecar is missing or broken.
    pub without_sidecar: Named,
    /// Frames that no part is known of: their label is of RUN/FRAME.
    pub without_part: u64,
}

impl Corrections {
    /// Parses the file that a tool exported.
    ///
    /// # Errors
    /// An [`Error`] if the file is another one, or no one has corrected it.
    pub fn parse(text: &[u8], tool: Tool) -> Result<Self, Error> {
        match tool {
            Tool::CvatCoco => coco::parse(text),
            Tool::Labelstudio => labelstudio::parse(text),
        }
    }

    /// Returns the labels of the parts: a frame with a box is ng; a part is ng if any of its frames is, and ok if all its
    /// views were looked at. `captures` is the folder of the sidecars, which know the part of a frame.
    pub fn labels(&self, captures: Option<&Path>) -> Labels {
        let mut parts = PartLabels::default();
        let mut labels = Labels::default();
        for CorrectedFrame { name, part, verdict } in &self.frames {
            let mut part = part.clone();
            if let Some(folder) = captures {
                match folder::sidecar(folder, &name.stem) {
                    Ok(sidecar) => part = sidecar.part.map(|p| (*p).clone()),
                    Err(_) => labels.without_sidecar.add(&name.stem),
                }
            }
            labels.without_part += u64::from(part.is_none());
            let key = part.as_ref().map_or_else(|| name.frame.clone(), |p| PartKey::Part(p.id.clone()));
            parts.add(key, part.as_ref(), *verdict);
        }
        (labels.parts, labels.unfinished) = parts.finish();
        labels
    }

    /// Returns the frame that an image shows, or counts it as foreign.
    fn capture(&mut self, image: &str) -> Option<Name> {
        let name = name(image);
        if name.is_none() {
            self.foreign.add(image);
        }
        name
    }
}
