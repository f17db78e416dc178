// SPDX-License-Identifier: MPL-2.0
//! What tells against class folders: files and folders of labels. To take such a set for class folders would call every
//! picture of it bad.

use std::path::Path;

use super::{
    files,
    survey::{Place, Survey},
};

/// Kinds of files that hold labels.
const KINDS: [&str; 17] = [
    "csv", "data", "h5", "json", "jsonl", "labels", "mat", "names", "npy", "npz", "parquet", "pbtxt", "record",
    "tfrecord", "tsv", "xml", "yaml",
];
/// Names of lists of labels or pictures.
const LISTS: [&str; 8] =
    ["annotations.txt", "classes.txt", "labelmap.txt", "labels.txt", "test.txt", "train.txt", "val.txt", "valid.txt"];
/// Folders of layouts with labels; beside one of them something of that layout is missing.
const FOLDERS: [&str; 12] = [
    "Annotations",
    "ImageSets",
    "JPEGImages",
    "SegmentationClass",
    "ann",
    "annotations",
    "ground_truth",
    "images",
    "img",
    "labels",
    "masks",
    "obj_train_data",
];
/// The end of the names of masks that lie beside their pictures.
const MASK: &str = "_mask";
/// Formats that are not read: a part of the name of a file, and what it is.
const UNREAD: [(&str, &str); 10] = [
    ("_annotations.createml.json", "CreateML"),
    ("annotations.xml", "CVAT for images, or another list of all pictures"),
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
    let folder = survey
        .places
        .iter()
        .find(|place| FOLDERS.iter().any(|name| place.below.file_name().is_some_and(|f| f == *name)));
    let file = survey.places.iter().find_map(|place| place.files.iter().find(|file| is_label(place, file)));
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

fn is_label(place: &Place, file: &Path) -> bool {
    let kind = files::kind(file).unwrap_or_default();
    let named = LISTS.iter().any(|list| file.ends_with(list));
    KINDS.contains(&&*kind) || kind == "yml" || kind == "txt" && (named || place.picture_of(file).is_some())
}

fn is_mask(place: &Place, image: &Path) -> bool {
    let stem = image.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_suffix(MASK));
    stem.is_some_and(|stem| place.picture_of(Path::new(&format!("{stem}.png"))).is_some())
}
