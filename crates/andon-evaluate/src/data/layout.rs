// SPDX-License-Identifier: MPL-2.0
//! The layouts, and which of them a folder has.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    coco, deeppcb,
    error::{Error, Result, ensure},
    files, folders, labelme, mvtec, strays,
    survey::Survey,
    voc, yolo,
};

/// How the files of a labelled set lie on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// DeepPCB: `images/ID_test.jpg` or `.png`, its golden template `images/ID_temp`, `labels/ID.txt`.
    Deeppcb,
    /// COCO: `annotations/instances_SUBSET.json` and `images/SUBSET/`; Roboflow's `SUBSET/_annotations.coco.json` beside the
    /// pictures; or the `.json` file itself.
    Coco,
    /// YOLO: Ultralytics' `data.yaml` with `images/` and `labels/`, or the `.yaml` file itself; Darknet's and CVAT's `obj.data`;
    /// or pictures with their `.txt` files and `classes.txt`.
    Yolo,
    /// PASCAL VOC: `JPEGImages/` or `images/` with `Annotations/*.xml`, or an `.xml` file beside each picture.
    Voc,
    /// labelme: a `.json` file of shapes beside each picture.
    Labelme,
    /// A folder a class: `CLASS/*.png` or `.jpg`, or `SUBSET/CLASS/`.
    Folders,
    /// MVTec AD: `test/good/`, `test/DEFECT/`, `ground_truth/DEFECT/NAME_mask.png`, or `CATEGORY/` with these.
    Mvtec,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 7] =
        [Self::Deeppcb, Self::Coco, Self::Yolo, Self::Voc, Self::Labelme, Self::Folders, Self::Mvtec];

    /// The name of the layout, as in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Deeppcb => "deeppcb",
            Layout::Coco => "coco",
            Layout::Yolo => "yolo",
            Layout::Voc => "voc",
            Layout::Labelme => "labelme",
            Layout::Folders => "folders",
            Layout::Mvtec => "mvtec",
        }
    }

    /// The files by which the layout is known.
    pub fn files(self) -> &'static str {
        match self {
            Layout::Deeppcb => "images/ID_test.jpg or .png and labels/ID.txt",
            Layout::Coco => {
                "annotations/instances_SUBSET.json and images/SUBSET/, SUBSET/_annotations.coco.json, or a .json file itself"
            }
            Layout::Yolo => {
                "data.yaml or dataset.yaml, or a .yaml file itself; obj.data; or a .txt file of boxes for a picture, and classes.txt"
            }
            Layout::Voc => "Annotations/*.xml and JPEGImages/ or images/, or an .xml file beside a picture",
            Layout::Labelme => "a .json file of shapes beside a picture",
            Layout::Folders => "CLASS/*.png or .jpg, or SUBSET/CLASS/",
            Layout::Mvtec => "test/CLASS/ and ground_truth/CLASS/, or CATEGORY/ with these",
        }
    }

    /// Returns whether a folder has the mark of the layout. Class folders have none.
    fn fits(self, survey: &Survey) -> Result<bool> {
        match self {
            Layout::Deeppcb => deeppcb::fits(&survey.root),
            Layout::Coco => Ok(!coco::listed(&survey.root)?.is_empty()),
            Layout::Yolo => Ok(yolo::fits(survey)),
            Layout::Voc => Ok(voc::fits(survey)),
            Layout::Labelme => Ok(labelme::fits(survey)),
            Layout::Folders => Ok(false),
            Layout::Mvtec => Ok(!mvtec::categories(&survey.root)?.is_empty()),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns the layout of a folder or file; fails if no layout fits, or two do. Class folders have no mark of their own, so
/// they are tried last, and only where nothing looks like labels.
pub(super) fn find(folder: &Path) -> Result<Layout> {
    match files::kind(folder).as_deref() {
        Some("json") if folder.is_file() => return Ok(Layout::Coco),
        Some("yaml" | "yml") if folder.is_file() => return Ok(Layout::Yolo),
        _ => ensure!(folder.is_dir(), Layout, "{} is no folder, and no .json or .yaml file", folder.display()),
    }
    let survey = Survey::of(folder)?;
    let mut fitting = Vec::new();
    for layout in Layout::ALL {
        if layout.fits(&survey)? {
            fitting.push(layout);
        }
    }
    let folder = folder.display();
    match fitting[..] {
        [layout] => Ok(layout),
        [] => {
            let labels = strays::found(&survey);
            // Folders that are classes and subsets at once may be ones of a set with labels.
            let classes = folders::fits(&survey.root);
            let classes = if labels.is_none() { classes? } else { classes.unwrap_or(true) };
            match labels {
                None if classes => Ok(Layout::Folders),
                Some(labels) if classes => Err(Error::Layout(format!(
                    "{folder} could be class folders, or a set with labels: there is {labels}. {}, say --layout folders",
                    strays::advice()
                ))),
                labels => {
                    let all: String = Layout::ALL.iter().map(|l| format!("\n  {l}: {}", l.files())).collect();
                    let labels =
                        labels.map(|labels| format!("\nThere is {labels}. {}, move them away", strays::advice()));
                    let labels = labels.unwrap_or_default();
                    Err(Error::Layout(format!("{folder} has none of the layouts that are read:{all}{labels}")))
                }
            }
        }
        _ => {
            let names: Vec<_> = fitting.iter().map(|l| format!("{l} ({})", l.files())).collect();
            Err(Error::Layout(format!("{folder} could be {}; say which with --layout", names.join(" or "))))
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
            (&["train/_annotations.coco.json", "train/0.png", "README.roboflow.txt"], Layout::Coco),
            (&["obj.data", "obj_train_data/0.png", "obj_train_data/0.txt"], Layout::Yolo),
            (&["images/train/0.png", "labels/train/0.txt"], Layout::Yolo),
            (&["train/0.png", "train/0.txt", "train/_darknet.labels"], Layout::Yolo),
            (&["scratch/0.png", "ok/0.png", "ok/notes.txt", "LICENSE"], Layout::Folders),
            (&["test/scratch/0.png", "train/ok/0.png"], Layout::Folders),
            (&["test/good/0.png", "train/good/0.png", "ground_truth/hole/0_mask.png"], Layout::Mvtec),
            (&["bottle/test/good/0.png", "bottle/ground_truth/hole/0_mask.png"], Layout::Mvtec),
        ] {
            let set = Set::new();
            files.iter().for_each(|f| set.file(f, ""));
            assert_eq!(find(set.path()).unwrap(), layout, "{files:?}");
        }
        for (file, content, layout) in [
            ("shots/0.xml", "<annotation><size/></annotation>", Layout::Voc),
            ("shots/0.json", r#"{"shapes": [], "imagePath": "0.png"}"#, Layout::Labelme),
        ] {
            let set = Set::new();
            set.file("shots/0.png", "");
            set.file(file, content);
            assert_eq!(find(set.path()).unwrap(), layout, "{file}");
        }
        let set = Set::new();
        set.file("truth.json", "{}");
        assert_eq!(find(&set.path().join("truth.json")).unwrap(), Layout::Coco);
    }

    #[test]
    fn what_may_be_labels_is_never_taken_for_class_folders() {
        for (file, says) in [
            ("train/_annotations.csv", "train/_annotations.csv (a table, which is not read)"),
            ("train/_annotations.createml.json", "(CreateML, which is not read)"),
            ("annotations.xml", "annotations.xml (XML of another form than Pascal VOC's, such as CVAT"),
            ("label_2/a.txt", "label_2/a.txt, and the folder label_2/"),
            ("text/a.md", "text/a.md"),
            ("train/b.jsonl", "(JSON Lines, which is not read)"),
            ("train/a_mask.png", "train/a_mask.png (a mask, which is read in the layout of MVTec only)"),
            ("masks/b.png", "the folder masks/"),
            ("images/b.png", "the folder images/"),
            ("train/train.txt", "train/train.txt"),
            ("labels.names", "labels.names"),
        ] {
            let set = Set::new();
            set.file("train/a.png", "");
            set.file(file, "");
            let error = find(set.path()).unwrap_err().to_string();
            assert!(error.contains("could be class folders, or a set with labels") && error.contains(says), "{error}");
            assert!(
                error.contains("say --layout folders") && error.contains("as COCO, as PASCAL VOC, or as YOLO"),
                "{error}"
            );
        }
        let set = Set::new();
        ["train/a.png", "train/a.txt"].iter().for_each(|f| set.file(f, "0 0.5 0.5 0.2 0.2\n3 0.5 0.5 0.2 0.2"));
        set.is_refused(&["nothing names their classes", "classes.txt", "the last for class 3", "--layout folders"]);
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
