// SPDX-License-Identifier: MPL-2.0
//! PASCAL VOC: an `.xml` file of boxes for each picture, in `Annotations/` with the pictures in `JPEGImages/` or `images/`, or
//! beside its picture.

mod xml;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io::Read,
    path::{Path, PathBuf},
};

use andon_core::files as core_files;
use xml::Annotation;

use super::{
    error::{Error, Result, ensure, read_to_string},
    files,
    picture::{check_size, size},
    sample::{LabelledBox, Sample},
    survey::Survey,
};

/// Bytes at the beginning of a file in which its first tag stands.
const HEAD: u64 = 1024;
/// How far a box may lie over the edge, pixels: tools round, and VOC itself counts from 1.
const OVER: f64 = 1.0;

/// What is said of a set whose boxes do not tell from where they are counted.
const FROM_WHERE: &str = "corners of boxes are taken as edges, as CVAT and LabelImg write them; a tool that counts the pixels \
                          of a box from 1 to the last would put them one pixel further to the right and down";

/// Returns whether any file is one of annotations.
pub(super) fn fits(survey: &Survey) -> bool {
    survey.files().any(|file| is_annotation(file))
}

/// Returns whether a file is an annotation of a picture by its name and its first tag.
pub(super) fn is_annotation(file: &Path) -> bool {
    let mut head = Vec::new();
    let mut read = || core_files::open(file)?.take(HEAD).read_to_end(&mut head);
    files::kind(file).is_some_and(|kind| kind == "xml") && read().is_ok() && xml::begins(&head)
}

/// Reads the labels by the alphabet, and the pictures of `subset` or of all: those in a folder of that name, or those that
/// `ImageSets/Main/SUBSET.txt` lists. Adds to `notes` what was taken for granted.
pub(super) fn read(root: &Path, subset: Option<&str>, notes: &mut Vec<String>) -> Result<(Vec<String>, Vec<Sample>)> {
    let survey = Survey::of(root)?;
    let list = subset.and_then(|subset| list(&survey, subset));
    let listed = list.map(|list| stems(&list)).transpose()?;
    let by_folder = if listed.is_some() { None } else { subset };
    let pictures = pictures(&survey);
    let mut annotated = BTreeMap::new();
    for place in survey.places.iter().filter(|place| place.is_of(by_folder)) {
        for file in place.files.iter().filter(|file| is_annotation(file)) {
            let image = picture(&survey, file, &pictures)?;
            files::is_picture(&image)?;
            if let Some(before) = annotated.insert(image.clone(), file.clone()) {
                let (before, file, image) = (before.display(), file.display(), image.display());
                let twice = format!("{before} and {file} both label {image}; take one out");
                return Err(Error::Inconsistent(twice));
            }
        }
    }
    let (mut labels, mut samples) = (BTreeSet::new(), Vec::new());
    let mut counted = Counted::default();
    for place in survey.with_pictures().filter(|place| place.is_of(by_folder)) {
        // A folder without an annotated picture holds masks, or pictures for people.
        if !place.pictures.iter().any(|image| annotated.contains_key(image)) {
            continue;
        }
        for image in &place.pictures {
            files::is_picture(image)?;
            let stem = files::stem(image)?;
            if listed.as_ref().is_some_and(|listed| !listed.contains(stem)) {
                continue;
            }
            let sample = Sample::alone(files::id(image.strip_prefix(root).unwrap_or(image))?, image.clone());
            let Some(file) = annotated.get(image) else {
                samples.push(sample);
                continue;
            };
            let boxes = boxes(file, image, &mut counted).map_err(|e| e.at(file.display()))?;
            labels.extend(boxes.iter().map(|b| b.label.clone()));
            samples.push(sample.with_boxes(boxes));
        }
    }
    ensure!(
        subset.is_none() || !samples.is_empty(),
        Selection,
        "{} has neither ImageSets/Main/{}.txt nor a folder of that name",
        root.display(),
        subset.unwrap_or_default()
    );
    notes.extend((counted.boxes && !counted.from_0 && !counted.from_1).then(|| FROM_WHERE.into()));
    Ok((labels.into_iter().collect(), samples))
}

/// What the boxes of a set tell of where they are counted from.
#[derive(Default)]
struct Counted {
    /// There are boxes.
    boxes: bool,
    /// Some corner is 0, or no whole number: pixels are not counted from 1.
    from_0: bool,
    /// A file is of PASCAL's own data, which counts from 1.
    from_1: bool,
}

/// The boxes in the annotation of a picture.
fn boxes(file: &Path, image: &Path, counted: &mut Counted) -> Result<Vec<LabelledBox>> {
    let Annotation { said, objects, by_pascal } = xml::parse(&read_to_string(file)?).map_err(Error::Label)?;
    ensure!(
        said.is_some() || !objects.is_empty(),
        Label,
        "it says nothing of its picture, neither a size nor an object: is the picture without defects, or not labelled yet? Write \
         its <size>, or take the file out"
    );
    let [width, height] = size(image)?.map(f64::from);
    if let Some(said) = said {
        check_size(image, said, files::name(file)?)?;
    }
    let mut boxes = Vec::new();
    for object in objects {
        let [left, top, right, bottom] = object.corners;
        let outside = left < -OVER || top < -OVER || right > width + OVER || bottom > height + OVER;
        ensure!(
            right > left && bottom > top && !outside,
            Label,
            "object {} '{}': xmin {left}, ymin {top}, xmax {right}, ymax {bottom} is no box within {width} × {height} pixels; \
             correct it or take it out",
            object.number,
            object.name
        );
        counted.boxes = true;
        counted.from_0 |= left == 0.0 || top == 0.0 || object.corners.iter().any(|v| v.fract() != 0.0);
        counted.from_1 |= by_pascal;
        // PASCAL counts the pixels from 1, and the last one is inside.
        let first = if by_pascal { 1.0 } else { 0.0 };
        let (left, top) = ((left - first).max(0.0), (top - first).max(0.0));
        let bbox = [left, top, right.min(width) - left, bottom.min(height) - top];
        boxes.push(LabelledBox { label: object.name, bbox, crowd: object.difficult });
    }
    Ok(boxes)
}

/// All pictures by their names without the extension.
fn pictures(survey: &Survey) -> HashMap<&str, Vec<&PathBuf>> {
    let mut pictures: HashMap<_, Vec<_>> = HashMap::new();
    for image in survey.with_pictures().flat_map(|place| &place.pictures) {
        if let Ok(stem) = files::stem(image) {
            pictures.entry(stem).or_default().push(image);
        }
    }
    pictures
}

/// The picture that a file labels: the one beside it, else the one in the folder of pictures that belongs to its own, else the
/// only one of that name.
fn picture(survey: &Survey, file: &Path, pictures: &HashMap<&str, Vec<&PathBuf>>) -> Result<PathBuf> {
    let of_name = pictures.get(files::stem(file)?).map(|all| &all[..]).unwrap_or_default();
    let folder = file.parent().unwrap_or(Path::new(""));
    let among = |folder: &Path| of_name.iter().find(|image| image.parent() == Some(folder));
    let below = folder.strip_prefix(&survey.root).unwrap_or(folder);
    let named = |name: &str| {
        let is_labels = |c: &std::ffi::OsStr| c == "Annotations" || c == "annotations";
        let pieces = below.iter().map(|c| if is_labels(c) { name.as_ref() } else { c });
        survey.root.join(pieces.collect::<PathBuf>())
    };
    let beside = among(folder);
    let found = beside.or_else(|| ["JPEGImages", "images"].iter().find_map(|name| among(&named(name))));
    match (found, of_name) {
        (Some(image), _) => Ok((*image).clone()),
        (None, [image]) => Ok((*image).clone()),
        (None, []) => Err(Error::Inconsistent(format!(
            "{} labels a picture that is not there: {}.jpg or .png; add it, or take the file out",
            file.display(),
            files::stem(file)?
        ))),
        (None, [one, other, ..]) => {
            let (file, one, other) = (file.display(), one.display(), other.display());
            Err(Error::Inconsistent(format!("{file} labels {one} or {other}: put it beside the one that is meant")))
        }
    }
}

/// The list of a subset.
fn list(survey: &Survey, subset: &str) -> Option<PathBuf> {
    let lists = survey.places.iter().filter(|place| place.below.ends_with("ImageSets/Main"));
    lists.map(|place| place.folder.join(format!("{subset}.txt"))).find(|file| file.is_file())
}

/// The names in a list, each the first word of a line. The second, in lists of a class, says whether the class is there.
fn stems(list: &Path) -> Result<HashSet<String>> {
    let text = read_to_string(list)?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(Into::into).collect())
}

#[cfg(test)]
mod tests;
