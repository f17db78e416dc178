// SPDX-License-Identifier: MPL-2.0
//! Labelled pictures on disk, however they are laid out: their paths and what is said of them, never their pixels.
//!
//! Everything is checked while it is read. What does not hold together is an error that names the file and the line or
//! annotation: a score over labels that were half read would look like any other.

mod coco;
mod deeppcb;
mod files;
mod folders;
mod layout;
mod mvtec;
mod sample;
mod size;
#[cfg(test)]
mod testing;
mod training_split;
mod yaml;
mod yolo;

pub use layout::Layout;
pub use sample::{Labelled, Sample, SamplePart};
pub use training_split::{Split, Which};

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

/// A set, read.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledSet {
    /// How it lies on disk.
    pub layout: Layout,
    /// Every label that the set names, in its own order.
    pub labels: Vec<String>,
    /// Its pictures in order of their ids, at least one.
    pub samples: Vec<Sample>,
    /// Files of a model's own detections, which no one has corrected: not the truth.
    pub unseen: Vec<PathBuf>,
}

/// What of a set is to be read.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// How it lies on disk; none: to be found out.
    pub layout: Option<Layout>,
    /// Of COCO, YOLO and class folders a subset, of MVTec a category; none: all of them.
    pub subset: Option<String>,
    /// Of DeepPCB: the boards of one side of a split.
    pub split: Option<Split>,
    /// Of DeepPCB: the golden templates too, as pictures without defects.
    pub good: bool,
    /// Class folders whose pictures are ok; `good` and `ok` where empty.
    pub ok_classes: Vec<String>,
}

/// Reads the set in `folder`, of COCO and YOLO also the `.json` or `.yaml` file itself.
///
/// Fails where anything in it does not hold together, where there is no picture, where no layout fits or two do, and where
/// `selection` asks for what the layout does not have.
pub fn read(folder: &Path, selection: &Selection) -> Result<LabelledSet> {
    let layout = selection.layout.map_or_else(|| layout::find(folder), Ok)?;
    selection.check(layout)?;
    let subset = selection.subset.as_deref();
    let mut unseen = Vec::new();
    let (labels, mut samples) = match layout {
        Layout::Deeppcb => deeppcb::read(folder, selection.split.as_ref(), selection.good),
        Layout::Coco => coco::read(folder, subset, &mut unseen),
        Layout::Yolo => yolo::read(folder, subset),
        Layout::Folders => folders::read(folder, subset, &selection.ok_classes),
        Layout::Mvtec => mvtec::read(folder, subset),
    }?;
    ensure!(!samples.is_empty(), "{} holds no picture to judge; looked for {}", folder.display(), layout.files());
    samples.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some([a, b]) = samples.windows(2).find(|two| two[0].id == two[1].id) {
        bail!("two pictures are called {}: {} and {}; rename one", a.id, a.image.display(), b.image.display());
    }
    Ok(LabelledSet { layout, labels, samples, unseen })
}

impl Selection {
    /// What would have no effect is an error: somebody meant something by it.
    fn check(&self, layout: Layout) -> Result<()> {
        let of = |asked: bool, what: &str, layouts: &[Layout]| {
            ensure!(!asked || layouts.contains(&layout), "the layout {layout} has no {what}; leave that out");
            Ok(())
        };
        of(self.subset.is_some(), "subsets", &[Layout::Coco, Layout::Yolo, Layout::Folders, Layout::Mvtec])?;
        of(self.split.is_some(), "board groups to split by", &[Layout::Deeppcb])?;
        of(self.good, "golden templates", &[Layout::Deeppcb])?;
        of(!self.ok_classes.is_empty(), "class folders to call ok", &[Layout::Folders])
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::Set, *};

    #[test]
    fn what_a_layout_does_not_have_cannot_be_asked_of_it() {
        let set = Set::new();
        set.picture("good/0.png", [8, 8]);
        let told = |told: &str, selection: Selection| {
            let error = format!("{:#}", read(set.path(), &selection).unwrap_err());
            assert!(error.contains(told), "{error}");
        };
        told("folders has no golden templates", Selection { good: true, ..Selection::default() });
        let deeppcb = Some(Layout::Deeppcb);
        told("deeppcb has no subsets", Selection { layout: deeppcb, subset: Some("x".into()), ..Selection::default() });
        let ok_classes = vec!["ok".into()];
        told(
            "mvtec has no class folders",
            Selection { layout: Some(Layout::Mvtec), ok_classes, ..Selection::default() },
        );
    }

    #[test]
    fn two_pictures_of_one_name_are_told() {
        let set = Set::new();
        set.picture("good/0.png", [8, 8]);
        set.jpeg("good/0.jpg", [8, 8]);
        let error = format!("{:#}", read(set.path(), &Selection::default()).unwrap_err());
        assert!(error.contains("good/0.png") && error.contains("good/0.jpg"), "{error}");
    }
}
