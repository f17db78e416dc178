// SPDX-License-Identifier: MPL-2.0
//! Readers of labelled pictures in seven layouts: DeepPCB, COCO, YOLO, PASCAL VOC, labelme, a folder a class, MVTec AD.
//!
//! A reader returns the paths of the pictures and their labels, never pixels. It checks everything that it reads. Labels
//! that do not hold together are an error that names the file and the line or annotation: a score over half of the labels
//! looks like any other. Boxes lie on a picture as it is shown, turned as its EXIF note says.

mod coco;
mod deeppcb;
mod error;
mod files;
mod folders;
mod labelme;
mod layout;
mod mvtec;
pub(crate) mod picture;
mod sample;
mod strays;
mod survey;
#[cfg(test)]
pub(crate) mod testing;
mod training_split;
mod voc;
mod yaml;
mod yolo;

pub use error::Error;
pub use layout::Layout;
pub use sample::{LabelledBox, Sample, SamplePart};
pub use training_split::{Side, TrainingSplit};

use std::path::{Path, PathBuf};

use andon_core::text::check_name;
use error::{Result, ensure};

/// A labelled set.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledSet {
    /// How the files of the set lie on disk.
    pub layout: Layout,
    /// All labels of the set, in the order of the set.
    pub labels: Vec<String>,
    /// The pictures in order of their ids, at least one.
    pub samples: Vec<Sample>,
    /// Files of annotations that `andon dataset export` wrote: a model's own detections, not the truth.
    pub unseen: Vec<PathBuf>,
    /// What was taken for granted in reading the set, in sentences.
    pub notes: Vec<String>,
}

/// What to read of a set.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The layout, or None to find it.
    pub layout: Option<Layout>,
    /// A subset of COCO, YOLO, VOC, labelme or class folders, or a category of MVTec; None for all.
    pub subset: Option<String>,
    /// The boards of one side of a split; DeepPCB only.
    pub split: Option<TrainingSplit>,
    /// Takes the golden templates, too, as pictures without defects; DeepPCB only.
    pub good: bool,
    /// Class folders whose pictures are ok, and no others; empty for those that the model calls good, and `good` and `ok`.
    pub ok_classes: Vec<String>,
    /// Class folders whose pictures are not ok, whatever they are called.
    pub ng_classes: Vec<String>,
    /// The labels that the model to be measured calls good.
    pub model_ok: Vec<String>,
    /// The other labels of that model.
    pub model_ng: Vec<String>,
}

/// Reads the set in `folder`; of COCO and YOLO also from the `.json` or `.yaml` file itself.
///
/// # Errors
/// [`Error::Layout`] if no layout fits or several do, [`Error::Selection`] if `selection` asks for what the set does not
/// have, and others if a file cannot be read, a label is malformed, or the files do not fit together.
pub fn read(folder: &Path, selection: &Selection) -> Result<LabelledSet> {
    let layout = selection.layout.map_or_else(|| layout::find(folder), Ok)?;
    selection.check(layout)?;
    let subset = selection.subset.as_deref();
    let (mut unseen, mut notes) = (Vec::new(), Vec::new());
    let (labels, mut samples) = match layout {
        Layout::Deeppcb => deeppcb::read(folder, selection.split.as_ref(), selection.good),
        Layout::Coco => coco::read(folder, subset, &mut unseen),
        Layout::Yolo => yolo::read(folder, subset),
        Layout::Voc => voc::read(folder, subset, &mut notes),
        Layout::Labelme => labelme::read(folder, subset),
        Layout::Folders => folders::read(
            folder,
            subset,
            folders::Said {
                ok: &selection.ok_classes,
                ng: &selection.ng_classes,
                model_ok: &selection.model_ok,
                model_ng: &selection.model_ng,
            },
        ),
        Layout::Mvtec => mvtec::read(folder, subset),
    }?;
    ensure!(
        !samples.is_empty(),
        Inconsistent,
        "{} holds no picture to judge; looked for {}",
        folder.display(),
        layout.files()
    );
    for label in &labels {
        check_name(label).map_err(|why| Error::Label(format!("{}: a label {why}: correct it", folder.display())))?;
    }
    samples.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some([a, b]) = samples.windows(2).find(|two| two[0].id == two[1].id) {
        let (one, other) = (a.image.display(), b.image.display());
        return Err(Error::Inconsistent(format!(
            "two pictures are called {}: {one} and {other}; rename one, or, if it is the mask of the other, move the masks out of the \
             set, or lay them out as MVTec does",
            a.id
        )));
    }
    Ok(LabelledSet { layout, labels, samples, unseen, notes })
}

/// Returns the pictures in a folder and below it, in the order of their paths, each with its path below the folder, with `/`
/// and the extension.
///
/// # Errors
/// [`Error::Io`] if a folder cannot be read, and [`Error::Picture`] if one is of a kind that is not read, if a path is not
/// UTF-8, or if there is none.
pub fn pictures(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let all = files::pictures_below(folder)?;
    ensure!(!all.is_empty(), Picture, "{} holds no PNG and no JPEG", folder.display());
    let name = |path: PathBuf| {
        let below = path.strip_prefix(folder).unwrap_or(&path);
        let steps: Option<Vec<_>> = below.iter().map(|step| step.to_str()).collect();
        let steps = steps.ok_or_else(|| Error::Picture(format!("{} is not UTF-8: rename it", path.display())))?;
        Ok((steps.join("/"), path))
    };
    all.into_iter().map(name).collect()
}

impl Selection {
    /// A selection without effect is an error: the caller meant something by it.
    fn check(&self, layout: Layout) -> Result<()> {
        let of = |asked: bool, what: &str, layouts: &[Layout]| {
            ensure!(
                !asked || layouts.contains(&layout),
                Selection,
                "the layout {layout} has no {what}; leave that out"
            );
            Ok(())
        };
        of(
            self.subset.is_some(),
            "subsets",
            &[Layout::Coco, Layout::Yolo, Layout::Voc, Layout::Labelme, Layout::Folders, Layout::Mvtec],
        )?;
        of(self.split.is_some(), "board groups to split by", &[Layout::Deeppcb])?;
        of(self.good, "golden templates", &[Layout::Deeppcb])?;
        of(!self.ok_classes.is_empty(), "class folders to call ok", &[Layout::Folders])?;
        of(!self.ng_classes.is_empty(), "class folders to call ng", &[Layout::Folders])
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::Set, *};

    #[test]
    fn what_a_layout_does_not_have_cannot_be_asked_of_it() {
        let set = Set::new();
        set.picture("good/0.png", [8, 8]);
        let refused = |refused: &str, selection: Selection| {
            let error = read(set.path(), &selection).unwrap_err().to_string();
            assert!(error.contains(refused), "{error}");
        };
        refused("folders has no golden templates", Selection { good: true, ..Selection::default() });
        let deeppcb = Some(Layout::Deeppcb);
        refused(
            "deeppcb has no subsets",
            Selection { layout: deeppcb, subset: Some("x".into()), ..Selection::default() },
        );
        let ok_classes = vec!["ok".into()];
        refused(
            "mvtec has no class folders",
            Selection { layout: Some(Layout::Mvtec), ok_classes, ..Selection::default() },
        );
    }

    #[test]
    fn two_pictures_of_one_name_are_refused() {
        let set = Set::new();
        set.picture("good/0.png", [8, 8]);
        set.jpeg("good/0.jpg", [8, 8]);
        let error = read(set.path(), &Selection::default()).unwrap_err().to_string();
        assert!(error.contains("good/0.png") && error.contains("good/0.jpg"), "{error}");
    }
}
