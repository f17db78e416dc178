// SPDX-License-Identifier: MPL-2.0
//! Pictures and files of labels in YOLO's form that nothing describes: `images/` and `labels/`, or both kinds in one folder;
//! the classes are named by `classes.txt` or a list of another tool.

use std::path::{Path, PathBuf};

use super::{darknet::names, labels::Listed};
use crate::data::{
    error::{Error, Result, ensure, read_to_string},
    files,
    survey::{Place, Survey},
};

/// Names of the list of classes: of LabelImg and Label Studio, of Darknet, of Roboflow.
const LISTS: [&str; 3] = ["classes.txt", "obj.names", "_darknet.labels"];

/// Returns whether a picture has a file of labels.
pub(super) fn fits(survey: &Survey) -> bool {
    survey.with_pictures().any(|place| place.pictures.iter().any(|image| !labels_of(survey, place, image).is_empty()))
}

/// Reads the names of the classes, and the pictures of `subset` or of all: those in folders of that name.
pub(super) fn read(root: &Path, subset: Option<&str>) -> Result<(Vec<String>, Vec<Listed>)> {
    let survey = Survey::of(root)?;
    ensure!(
        fits(&survey),
        Layout,
        "{} has no data.yaml, no obj.data, and no .txt file for any picture",
        root.display()
    );
    let names = classes(&survey)?;
    let mut listed = Vec::new();
    for place in survey.with_pictures().filter(|place| place.is_of(subset)) {
        let in_tree = tree(&survey, place).is_some();
        let labelled = |image: &PathBuf| !labels_of(&survey, place, image).is_empty();
        if !in_tree && !place.pictures.iter().any(labelled) {
            // Masks, or pictures for people: they have no part in it.
            continue;
        }
        for image in &place.pictures {
            files::is_picture(image)?;
            let labels = labels_of(&survey, place, image);
            if let [one, other] = &labels[..] {
                let (one, other) = (one.display(), other.display());
                return Err(Error::Inconsistent(format!("{one} or {other}: which labels the picture? Take one out")));
            }
            let label = labels.into_iter().next().unwrap_or_else(|| image.with_extension("txt"));
            let id = files::id(image.strip_prefix(root).unwrap_or(image))?;
            listed.push(Listed { image: image.clone(), id, label });
        }
        no_label_is_alone(&survey, place)?;
    }
    let known = subset.is_none() || !listed.is_empty();
    ensure!(known, Selection, "{} has no folder {}", root.display(), subset.unwrap_or_default());
    Ok((names, listed))
}

/// The folder below `labels/` that belongs to one below `images/`.
fn tree(survey: &Survey, place: &Place) -> Option<PathBuf> {
    let pieces: Vec<_> = place.below.components().map(|c| c.as_os_str()).collect();
    let at = pieces.iter().rposition(|piece| *piece == "images")?;
    let labels = pieces[..at].iter().copied().chain(["labels".as_ref()]).chain(pieces[at + 1..].iter().copied());
    Some(survey.root.join(labels.collect::<PathBuf>()))
}

/// The files of labels that a picture has.
fn labels_of(survey: &Survey, place: &Place, image: &Path) -> Vec<PathBuf> {
    let beside = image.with_extension("txt");
    let name = beside.file_name().unwrap_or_default();
    let apart = tree(survey, place).map(|folder| folder.join(name));
    let is_list = LISTS.iter().any(|list| name == *list);
    [Some(beside.clone()), apart].into_iter().flatten().filter(|file| !is_list && file.is_file()).collect()
}

/// The names of the classes; fails with what to write if nothing names them.
fn classes(survey: &Survey) -> Result<Vec<String>> {
    let root = survey.root.display();
    let lists: Vec<_> = survey.files().filter(|file| LISTS.iter().any(|list| file.ends_with(list))).collect();
    let Some((first, others)) = lists.split_first() else {
        let highest = highest_class(survey)?;
        let yaml = survey.files().find(|f| matches!(files::kind(f).as_deref(), Some("yaml" | "yml")));
        let or = yaml.map(|f| format!("; or name the file that describes the set, if {} does", f.display()));
        return Err(Error::Label(format!(
            "{root} has labels in YOLO's form, and nothing names their classes: no data.yaml, {}. Write {root}/classes.txt with \
             a name a line, the first for class 0{}{}. If they are class folders, and the .txt files mean nothing, say \
             --layout folders",
            LISTS.join(", "),
            highest.map(|n| format!(" and the last for class {n} or more")).unwrap_or_default(),
            or.unwrap_or_default()
        )));
    };
    let found = names(first)?;
    for other in others {
        ensure!(
            names(other)? == found,
            Inconsistent,
            "{} and {} name other classes; take one out",
            first.display(),
            other.display()
        );
    }
    Ok(found)
}

/// The highest number of a class in the labels, if they have numbers.
fn highest_class(survey: &Survey) -> Result<Option<u32>> {
    let mut highest = None;
    for place in survey.with_pictures() {
        for label in place.pictures.iter().flat_map(|image| labels_of(survey, place, image)) {
            let text = read_to_string(&label)?;
            let classes = text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
            highest = highest.max(classes.max());
        }
    }
    Ok(highest)
}

/// Fails if a file of labels has no picture in `place`.
fn no_label_is_alone(survey: &Survey, place: &Place) -> Result<()> {
    let apart = tree(survey, place);
    let apart = apart.as_deref().and_then(|folder| survey.places.iter().find(|place| place.folder == folder));
    for label in place.files.iter().chain(apart.iter().flat_map(|place| &place.files)) {
        let numbers = |line: &str| line.split_whitespace().all(|word| word.parse::<f64>().is_ok());
        let is_label = || Ok::<_, Error>(read_to_string(label)?.lines().all(numbers));
        let alone = files::kind(label).is_some_and(|k| k == "txt")
            && !LISTS.iter().any(|list| label.ends_with(list))
            && place.picture_of(label).is_none();
        ensure!(
            !(alone && is_label()?),
            Inconsistent,
            "{} labels a picture that is not in {}; add that, or take the file out",
            label.display(),
            place.folder.display()
        );
    }
    Ok(())
}
