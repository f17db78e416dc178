// SPDX-License-Identifier: MPL-2.0
//! Captures as a data set that an annotation tool or a trainer opens at once.
//!
//! The sidecars are read twice, one at a time: for the labels, which stand first in every format, and for the rest. So
//! only the names of the captures need memory.

mod coco;
mod datumaro;
mod labelstudio;
mod list;
mod marks;
mod split;
mod staging;
mod writer;
mod yolo;

use std::{collections::BTreeSet, fs, path::Path};

use andon_capture::MapImage;
use andon_core::result::{Arm, Inference};
use marks::marks;
use split::Split;
pub use split::Untold;
use staging::Staging;
use writer::{Item, Plan, Writer};

use super::{Capture, Error, Faults, Folder, model_name};

/// A format of data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// COCO: CVAT, FiftyOne, pycocotools.
    Coco,
    /// Label Studio, with both arms as predictions.
    Labelstudio,
    /// YOLO as Ultralytics reads it, without scores.
    Yolo,
    /// Datumaro, with the verdict as a tag of the image.
    Datumaro,
}

/// How captures become a data set.
#[derive(Clone, Debug)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// The arm whose detections become annotations; [`Format::Labelstudio`] takes both arms.
    pub arm: Arm,
    /// The lowest score of a box, 0..1.
    pub min_score: f32,
    /// The labels in the order of their numbers; empty for those that were found, by the alphabet.
    pub labels: Vec<String>,
    /// The name of the one subset; None for `train` in YOLO and `default` in others.
    pub subset: Option<String>,
    /// Splits into `train` and `val`: the share of the parts that go to `val`. Frames of one part stay together.
    pub val: Option<f32>,
    /// How captures are split of which nothing says what part they show.
    pub untold: Untold,
    /// Makes hard links instead of copies of the images, if the disk can.
    pub link: bool,
    /// Takes frames that the arm did not judge into COCO and YOLO, too, where no box means no defect.
    pub unjudged: bool,
    /// What the addresses of images begin with in Label Studio.
    pub prefix: String,
}

/// What [`export()`] does with each sidecar, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has read the sidecar for its labels.
    Read,
    /// It has written the capture, or left it out.
    Written,
}

/// What [`export()`] wrote.
#[derive(Clone, Debug, Default)]
pub struct Exported {
    /// The labels in the order of their numbers.
    pub labels: Vec<String>,
    /// The subsets, each with the number of its images.
    pub subsets: Vec<(String, u64)>,
    /// Boxes.
    pub boxes: u64,
    /// Boxes that were left out because they lie outside of the image.
    pub outside: u64,
    /// Captures that the arm did not judge.
    pub unjudged: u64,
    /// Whether the captures that the arm did not judge were left out.
    pub unjudged_left_out: bool,
    /// With [`Options::val`]: captures of which nothing says what part they show, and the groups that they were split by.
    pub untold: [u64; 2],
    /// Masks and maps that were written.
    pub masks: u64,
    /// Masks and maps that a sidecar names, but has no pixels of.
    pub masks_without_pixels: u64,
    /// Images that were copied, with or without [`Options::link`].
    pub copied: u64,
    /// Files that are not whole captures.
    pub faults: Faults,
}

/// Writes the captures as a data set into `into`, which must not be there, or be empty. Calls `done` after each sidecar.
///
/// The data set is there whole or not at all, and the same captures make the same bytes.
///
/// # Errors
/// [`Error::Unusable`] if `into` does not serve, [`Error::UnknownSubset`] and [`Error::MissingLabels`] if the options do not
/// fit, [`Error::NoneWhole`] if there is no capture, [`Error::Io`] if the disk refuses.
pub fn export(folder: &Folder, into: &Path, options: &Options, mut done: impl FnMut(Step)) -> Result<Exported, Error> {
    options.check()?;
    let staging = Staging::new(into)?;
    let plan = options.plan(folder, || done(Step::Read))?;
    let images = staging.path().join("images");
    plan.subsets.iter().try_for_each(|subset| make_folder(&images.join(subset)))?;
    let mut writer = options.writer(staging.path(), &plan)?;
    let mut exported = Exported {
        labels: plan.labels.clone(),
        subsets: plan.subsets.iter().map(|name| (name.clone(), 0)).collect(),
        unjudged_left_out: options.leaves_unjudged_out(),
        ..Exported::default()
    };
    let mut split = options.val.map(|share| Split::new(share, options.untold));
    let (_, faults) = folder.each(
        || done(Step::Written),
        |capture| {
            let Some(item) = options.item(capture, &plan, &mut split, &mut exported)? else { return Ok(()) };
            let subset = &plan.subsets[item.subset];
            options.place(&capture.image, &images.join(subset).join(&capture.sidecar.file), &mut exported)?;
            options.place_masks(capture, &staging.path().join("pixels").join(subset), &mut exported)?;
            writer.add(&item)
        },
    )?;
    writer.finish()?;
    staging.finish()?;
    let untold = split.map_or([0; 2], |split| [split.frames, split.groups]);
    Ok(Exported { faults, untold, ..exported })
}

impl Options {
    /// Other names in `data.yaml` would be settings, or nothing.
    fn check(&self) -> Result<(), Error> {
        match self.subset.as_deref() {
            Some("train" | "val" | "test") | None => Ok(()),
            Some(name) if self.format == Format::Yolo => Err(Error::UnknownSubset(name.into())),
            Some(_) => Ok(()),
        }
    }

    fn takes(&self, arm: Arm) -> bool {
        match self.format {
            Format::Labelstudio => matches!(arm, Arm::A | Arm::B),
            _ => arm == self.arm,
        }
    }

    /// Where no box means no defect, a frame that was not judged has no place.
    fn leaves_unjudged_out(&self) -> bool {
        matches!(self.format, Format::Coco | Format::Yolo) && !self.unjudged
    }

    /// Reads all sidecars for the labels and the models.
    fn plan(&self, folder: &Folder, done: impl FnMut()) -> Result<Plan, Error> {
        let (mut labels, mut models) = (BTreeSet::new(), BTreeSet::new());
        folder.each(done, |capture| {
            for result in self.results(capture) {
                for label in result.detections.iter().map(|d| &*d.label) {
                    if !labels.contains(label) {
                        labels.insert(label.to_string());
                    }
                }
                let model = model_name(&result.model);
                if !models.contains(&model) {
                    models.insert(model);
                }
            }
            Ok(())
        })?;
        let subsets = match (&self.subset, self.val) {
            (_, Some(_)) => vec!["train".into(), "val".into()],
            (Some(name), _) => vec![name.clone()],
            (None, None) if self.format == Format::Yolo => vec!["train".into()],
            (None, None) => vec!["default".into()],
        };
        let labels = self.numbered(labels)?;
        if labels.is_empty() && self.format == Format::Yolo {
            return Err(Error::NoLabels);
        }
        Ok(Plan { labels, models: models.into_iter().collect(), subsets })
    }

    /// The labels in the order that was asked for.
    fn numbered(&self, found: BTreeSet<String>) -> Result<Vec<String>, Error> {
        if self.labels.is_empty() {
            return Ok(found.into_iter().collect());
        }
        let missing: Vec<_> = found.into_iter().filter(|l| !self.labels.contains(l)).collect();
        if missing.is_empty() { Ok(self.labels.clone()) } else { Err(Error::MissingLabels(missing)) }
    }

    fn writer(&self, folder: &Path, plan: &Plan) -> Result<Box<dyn Writer>, Error> {
        Ok(match self.format {
            Format::Coco => Box::new(coco::Coco::new(folder, plan)?),
            Format::Labelstudio => Box::new(labelstudio::LabelStudio::new(folder, plan, &self.prefix, self.min_score)?),
            Format::Yolo => Box::new(yolo::Yolo::new(folder, plan)?),
            Format::Datumaro => Box::new(datumaro::Datumaro::new(folder, plan)?),
        })
    }

    /// The results of the arms that the options take, if they judged, one for each model.
    fn results<'a>(&self, capture: &'a Capture) -> Vec<&'a Inference> {
        let arms = [Arm::A, Arm::B, Arm::Truth].into_iter().filter(|arm| self.takes(*arm));
        arms.flat_map(|arm| capture.models_of(arm)).collect()
    }

    /// The capture as a writer takes it, or None if it is left out.
    fn item<'a>(
        &self,
        capture: &'a Capture,
        plan: &Plan,
        split: &mut Option<Split>,
        exported: &mut Exported,
    ) -> Result<Option<Item<'a>>, Error> {
        let chosen = capture.judged(self.arm);
        if chosen.is_none() {
            exported.unjudged += 1;
            if self.leaves_unjudged_out() {
                return Ok(None);
            }
        }
        let subset = split.as_mut().map_or(0, |split| split.side(capture));
        let mut found = Vec::new();
        for result in self.results(capture) {
            let sure = result.detections.iter().filter(|d| d.score >= self.min_score).count();
            let marks = marks(result, capture.sidecar.size, self.min_score);
            exported.outside += (sure - marks.len()) as u64;
            exported.boxes += marks.len() as u64;
            // Sidecars of before name no element, and have one model an arm.
            let is_of = |p: &&MapImage| p.arm == result.arm && (p.element.is_empty() || p.element == result.element);
            let there = capture.sidecar.pixels.iter().filter(is_of).count() as u64;
            exported.masks_without_pixels += masks_named(result).saturating_sub(there);
            for mark in marks {
                let label = plan.labels.iter().position(|l| l == mark.label);
                found.push((label.ok_or_else(|| Error::NewLabel(mark.label.into()))?, mark));
            }
        }
        exported.subsets[subset].1 += 1;
        Ok(Some(Item { capture, subset, result: chosen, marks: found }))
    }

    /// Puts an image in its place.
    fn place(&self, from: &Path, to: &Path, exported: &mut Exported) -> Result<(), Error> {
        if self.link && fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        let failed = Error::io(format!("{} cannot be copied to {}", from.display(), to.display()));
        fs::copy(from, to).map_err(failed)?;
        exported.copied += 1;
        Ok(())
    }

    /// Writes the masks and maps of the arms that are taken: STEM-ARM-WHAT.png, followed by its place in the list if it is
    /// of a detection. ARM of a second model of an arm is `a2`, and so on.
    fn place_masks(&self, capture: &Capture, folder: &Path, exported: &mut Exported) -> Result<(), Error> {
        let stem = capture.image.file_stem().unwrap_or_default().to_string_lossy();
        let mut elements: Vec<(Arm, &str)> = Vec::new();
        for pixels in capture.sidecar.pixels.iter().filter(|p| self.takes(p.arm)) {
            let this = (pixels.arm, &*pixels.element);
            if !elements.contains(&this) {
                elements.push(this);
            }
            let at = elements.iter().filter(|of| of.0 == pixels.arm).position(|of| *of == this).unwrap_or_default();
            let model = if at == 0 { String::new() } else { (at + 1).to_string() };
            let place = pixels.detection.map(|n| format!("-{n}")).unwrap_or_default();
            let to = folder.join(format!("{stem}-{}{model}-{}{place}.png", pixels.arm, pixels.what.as_str()));
            let unreadable = |reason: String| Error::Mask { image: capture.image.clone(), reason };
            let file = pixels.file().map_err(|e| unreadable(e.to_string()))?;
            make_folder(folder)?;
            fs::write(&to, file).map_err(Error::io(format!("{} cannot be written", to.display())))?;
            exported.masks += 1;
        }
        Ok(())
    }
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(format!("{} cannot be made", folder.display())))
}

/// Masks and maps that a result names.
fn masks_named(result: &Inference) -> u64 {
    let anomaly = result.anomaly.as_ref();
    let of_anomaly = anomaly.map_or(0, |a| usize::from(a.map.is_some()) + usize::from(a.mask.is_some()));
    let of_boxes = result.detections.iter().filter(|d| d.mask.is_some()).count();
    (of_anomaly + of_boxes + usize::from(result.segmentation.is_some())) as u64
}
