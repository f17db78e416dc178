// SPDX-License-Identifier: MPL-2.0
//! The layouts, and which of them a folder has.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    coco, deeppcb,
    error::{Error, Result, ensure},
    files, folders, mvtec, yolo,
};

/// How the files of a labelled set lie on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// DeepPCB: `images/ID_test.jpg` or `.png`, its golden template `images/ID_temp`, `labels/ID.txt`.
    Deeppcb,
    /// COCO: `annotations/instances_SUBSET.json` and `images/SUBSET/`; or the `.json` file itself.
    Coco,
    /// YOLO: Ultralytics' `data.yaml` with `images/` and `labels/`; or the `.yaml` file itself.
    Yolo,
    /// A folder a class: `CLASS/*.png` or `.jpg`, or `SUBSET/CLASS/`.
    Folders,
    /// MVTec AD: `test/good/`, `test/DEFECT/`, `ground_truth/DEFECT/NAME_mask.png`, or `CATEGORY/` with these.
    Mvtec,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 5] = [Self::Deeppcb, Self::Coco, Self::Yolo, Self::Folders, Self::Mvtec];

    /// The name of the layout, as in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Deeppcb => "deeppcb",
            Layout::Coco => "coco",
            Layout::Yolo => "yolo",
            Layout::Folders => "folders",
            Layout::Mvtec => "mvtec",
        }
    }

    /// The files by which the layout is known.
    pub fn files(self) -> &'static str {
        match self {
            Layout::Deeppcb => "images/ID_test.jpg or .png and labels/ID.txt",
            Layout::Coco => "annotations/instances_SUBSET.json and images/SUBSET/, or a .json file itself",
            Layout::Yolo => "data.yaml or dataset.yaml, or a .yaml file itself",
            Layout::Folders => "CLASS/*.png or .jpg, or SUBSET/CLASS/",
            Layout::Mvtec => "test/CLASS/ and ground_truth/CLASS/, or CATEGORY/ with these",
        }
    }

    fn fits(self, folder: &Path) -> Result<bool> {
        match self {
            Layout::Deeppcb => deeppcb::fits(folder),
            Layout::Coco => Ok(!coco::listed(folder)?.is_empty()),
            Layout::Yolo => Ok(yolo::file(folder).is_some()),
            Layout::Folders => folders::fits(folder),
            Layout::Mvtec => Ok(!mvtec::categories(folder)?.is_empty()),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns the layout of a folder or file; fails if no layout fits, or two do. Class folders have no mark of their own, so
/// they are tried last.
pub(super) fn find(folder: &Path) -> Result<Layout> {
    match files::kind(folder).as_deref() {
        Some("json") if folder.is_file() => return Ok(Layout::Coco),
        Some("yaml" | "yml") if folder.is_file() => return Ok(Layout::Yolo),
        _ => ensure!(folder.is_dir(), Layout, "{} is no folder, and no .json or .yaml file", folder.display()),
    }
    let mut fitting = Vec::new();
    for layout in [Layout::Deeppcb, Layout::Coco, Layout::Yolo, Layout::Mvtec] {
        if layout.fits(folder)? {
            fitting.push(layout);
        }
    }
    match fitting[..] {
        [layout] => Ok(layout),
        [] if Layout::Folders.fits(folder)? => Ok(Layout::Folders),
        [] => {
            let all = Layout::ALL.iter().map(|l| format!("\n  {l}: {}", l.files()));
            let (folder, all) = (folder.display(), all.collect::<String>());
            Err(Error::Layout(format!("{folder} has none of the layouts that are read:{all}")))
        }
        _ => {
            let names: Vec<_> = fitting.iter().map(|l| format!("{l} ({})", l.files())).collect();
            let (folder, names) = (folder.display(), names.join(" or "));
            Err(Error::Layout(format!("{folder} could be {names}; say which with --layout")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Set, *};

    #[test]
    fn a_layout_is_found_by_what_is_there() {
        for (files, layout) in [
            (&["images/0_test.png", "labels/0.txt"][..], Layout::Deeppcb),
            (&["annotations/instances_a.json", "images/a/0.png"], Layout::Coco),
            (&["dataset.yaml", "images/train/0.png", "labels/train/0.txt"], Layout::Yolo),
            (&["scratch/0.png", "ok/0.png"], Layout::Folders),
            (&["test/scratch/0.png", "train/ok/0.png"], Layout::Folders),
            (&["test/good/0.png", "train/good/0.png", "ground_truth/hole/0_mask.png"], Layout::Mvtec),
            (&["bottle/test/good/0.png", "bottle/ground_truth/hole/0_mask.png"], Layout::Mvtec),
        ] {
            let set = Set::new();
            files.iter().for_each(|f| set.file(f, ""));
            assert_eq!(find(set.path()).unwrap(), layout, "{files:?}");
        }
        let set = Set::new();
        set.file("truth.json", "{}");
        assert_eq!(find(&set.path().join("truth.json")).unwrap(), Layout::Coco);
    }

    #[test]
    fn where_none_fits_all_are_named_and_where_two_fit_both_are() {
        let set = Set::new();
        set.file("notes.txt", "");
        let error = find(set.path()).unwrap_err().to_string();
        assert!(Layout::ALL.iter().all(|l| error.contains(l.files())), "{error}");
        set.file("data.yaml", "");
        set.file("annotations/instances_train.json", "{}");
        let error = find(set.path()).unwrap_err().to_string();
        assert!(error.contains("coco (") && error.contains("or yolo (") && error.contains("--layout"), "{error}");
        let error = find(&set.path().join("nowhere")).unwrap_err().to_string();
        assert!(error.contains("nowhere is no folder"), "{error}");
    }
}
