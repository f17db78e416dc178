// SPDX-License-Identifier: MPL-2.0
//! What tells against class folders: files and folders of labels. To take such a set for class folders would call every
//! picture of it bad.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::{
    files,
    survey::{Place, Survey},
};

/// Kinds of files that hold labels.
const KINDS: [&str; 18] = [
    "arrow", "csv", "data", "h5", "json", "jsonl", "labels", "mat", "names", "npy", "npz", "parquet", "pbtxt",
    "record", "tfrecord", "tsv", "xml", "yaml",
];
/// Names of lists of labels or pictures.
const LISTS: [&str; 8] =
    ["annotations.txt", "classes.txt", "labelmap.txt", "labels.txt", "test.txt", "train.txt", "val.txt", "valid.txt"];
/// Folders of sets with labels, in small letters and digits; beside one of them something of that set is missing.
const FOLDERS: [&str; 25] = [
    "ann",
    "annotation",
    "annotations",
    "groundtruth",
    "gt",
    "gtfine",
    "image",
    "image2",
    "images",
    "imagesets",
    "img",
    "imgs",
    "jpegimages",
    "label",
    "label2",
    "labels",
    "labelids",
    "labeltxt",
    "leftimg8bit",
    "mask",
    "masks",
    "objtraindata",
    "segmentation",
    "segmentationclass",
    "segmentationobject",
];
/// The end of the names of masks that lie beside their pictures.
const MASK: &str = "_mask";
/// Formats that are not read: a part of the name of a file, and what it is.
const UNREAD: [(&str, &str); 11] = [
    ("_annotations.createml.json", "CreateML"),
    (".xml", "XML of another form than Pascal VOC's, such as CVAT for images"),
    (".arrow", "Arrow"),
    ("metadata.jsonl", "an image folder of Hugging Face"),
    (".jsonl", "JSON Lines"),
    (".csv", "a table"),
    (".tsv", "a table"),
    (".tfrecord", "TFRecord"),
    (".record", "TFRecord"),
    (".parquet", "Parquet"),
    (".mat", "MATLAB"),
];
/// How sets of other formats become such that are read.
const CONVERT: &str = "export the set from its tool as COCO, as PASCAL VOC, or as YOLO with data.yaml (CVAT, Label Studio and \
                       Roboflow write all three; Datumaro converts between formats)";

/// What speaks for labels in a set, in words; None if nothing does.
pub(super) fn found(survey: &Survey) -> Option<String> {
    let pictures: HashSet<_> =
        survey.with_pictures().flat_map(|place| &place.pictures).filter_map(|image| image.file_stem()).collect();
    let folder = survey.places.iter().find(|place| is_of_labels(place));
    // A file that is called like a picture, wherever that lies, may say something of it.
    let of_picture = |file: &PathBuf| file.file_stem().is_some_and(|stem| pictures.contains(stem));
    let file = survey.files().find(|file| is_label(file) || of_picture(file));
    let mask = survey.with_pictures().find_map(|place| place.pictures.iter().find(|image| is_mask(place, image)));
    let file = file.map(|file| match unread(file) {
        Some(what) => format!("{} ({what}, which is not read)", survey.shown(file)),
        None => survey.shown(file),
    });
    let mask = mask.map(|mask| format!("{} (a mask, which is read in the layout of MVTec only)", survey.shown(mask)));
    let folder = folder.map(|place| format!("the folder {}/", place.below.display()));
    let all: Vec<_> = [file, mask, folder].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(", and "))
}

/// What to do with such a set.
pub(super) fn advice() -> String {
    format!("If these are labels, {CONVERT}, or name a COCO .json or a data.yaml itself; if they mean nothing")
}

/// What a format that is not read is called.
fn unread(file: &Path) -> Option<&'static str> {
    let name = file.file_name()?.to_str()?.to_ascii_lowercase();
    UNREAD.iter().find(|(part, _)| name.ends_with(part)).map(|(_, what)| *what)
}

fn is_label(file: &Path) -> bool {
    let kind = files::kind(file).unwrap_or_default();
    KINDS.contains(&&*kind) || kind == "yml" || LISTS.iter().any(|list| file.ends_with(list))
}

fn is_of_labels(place: &Place) -> bool {
    let name = place.below.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    FOLDERS.contains(&&*name.replace(|letter: char| !letter.is_ascii_alphanumeric(), ""))
}

fn is_mask(place: &Place, image: &Path) -> bool {
    let stem = image.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_suffix(MASK));
    stem.is_some_and(|stem| place.picture_of(Path::new(&format!("{stem}.png"))).is_some())
}
