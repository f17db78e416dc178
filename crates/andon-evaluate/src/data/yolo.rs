// SPDX-License-Identifier: MPL-2.0
//! YOLO: as Ultralytics reads it, with `data.yaml`, pictures below `images/`, and a file of labels for each below `labels/`;
//! as Darknet reads it and CVAT exports it, with `obj.data`; or only pictures and files of labels, and a list of the classes.

mod bare;
mod darknet;
mod labels;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Component, Path, PathBuf},
};

use labels::Listed;

use super::{
    error::{Error, Result, ensure, read_to_string},
    files,
    sample::Sample,
    survey::Survey,
    yaml::DataYaml,
};

/// Names of the file that describes a set.
const FILES: [&str; 4] = ["data.yaml", "dataset.yaml", "data.yml", "dataset.yml"];
/// Returns the file that describes the set: the path itself, or a file in that folder.
pub(super) fn file(path: &Path) -> Option<PathBuf> {
    let named = path.is_file().then(|| path.into());
    named.or_else(|| FILES.iter().map(|name| path.join(name)).find(|file| file.is_file()))
}

/// Returns whether a folder is such a set: with a file that describes it, or with a file of labels for some picture.
pub(super) fn fits(survey: &Survey) -> bool {
    file(&survey.root).is_some() || darknet::file(&survey.root).is_some() || bare::fits(survey)
}

/// Reads all labels, and the pictures of `subset` or of all subsets. A picture that two subsets name is taken once.
pub(super) fn read(path: &Path, subset: Option<&str>) -> Result<(Vec<String>, Vec<Sample>)> {
    let (names, listed) = match (file(path), darknet::file(path)) {
        (Some(file), _) => described(&file, subset)?,
        (None, Some(file)) => darknet::read(&file, subset)?,
        (None, None) => bare::read(path, subset)?,
    };
    let mut samples = Vec::new();
    for Listed { image, id, label } in listed {
        let sample = Sample::alone(id, image);
        // A picture without a file is not labelled; a picture without defects has an empty file.
        samples.push(if label.is_file() {
            let boxes = labels::boxes(&label, &sample.image, &names)?;
            sample.with_boxes(boxes)
        } else {
            sample
        });
    }
    let labelled = samples.iter().any(|s| s.boxes.is_some());
    ensure!(
        samples.is_empty() || labelled,
        Inconsistent,
        "{}: no picture has a file of labels: below labels/ in the place of images/, or beside it; add them",
        path.display()
    );
    Ok((names, samples))
}

/// Reads the names and the pictures of a set that a `data.yaml` describes.
fn described(file: &Path, subset: Option<&str>) -> Result<(Vec<String>, Vec<Listed>)> {
    let yaml = DataYaml::parse(&read_to_string(file)?);
    let yaml = yaml.map_err(|e| Error::Label(e).at(file.display()))?;
    let base = base(file, yaml.path.as_deref());
    let images = images(&yaml, &base, subset).map_err(|e| e.at(file.display()))?;
    ensure!(!yaml.poses, Label, "{} is of poses (kpt_shape): only boxes and outlines are read", file.display());
    let folders: BTreeSet<_> = images.keys().filter_map(|image| image.parent()).map(PathBuf::from).collect();
    folders.iter().try_for_each(|folder| no_label_is_alone(folder))?;
    let listed = images.into_iter().map(|(image, id)| Ok(Listed { label: label_of(&image)?, image, id }));
    Ok((yaml.names, listed.collect::<Result<_>>()?))
}

/// Fails if a file of labels has no picture in the folder `images`.
fn no_label_is_alone(images: &Path) -> Result<()> {
    let labels = labels_for(images)?;
    if !labels.is_dir() {
        return Ok(());
    }
    let pictures = files::pictures(images)?;
    let stems: HashSet<_> = pictures.iter().map(|p| files::stem(p)).collect::<Result<_>>()?;
    for label in files::entries(&labels)? {
        let stem = files::stem(&label)?;
        // `classes.txt` is the list of names that LabelImg leaves.
        let alone = files::kind(&label).is_some_and(|k| k == "txt") && stem != "classes" && !stems.contains(stem);
        ensure!(
            !alone,
            Inconsistent,
            "{} labels a picture that is not in {}; add that, or take the file out",
            label.display(),
            images.display()
        );
    }
    Ok(())
}

/// The folder of the set: what `path:` says, or the folder of the file if `path:` is of another machine.
fn base(file: &Path, path: Option<&str>) -> PathBuf {
    let beside = file.parent().unwrap_or(Path::new(""));
    path.map(|path| beside.join(path)).filter(|base| base.is_dir()).unwrap_or_else(|| beside.into())
}

/// The pictures with their ids.
fn images(yaml: &DataYaml, base: &Path, wanted: Option<&str>) -> Result<BTreeMap<PathBuf, String>> {
    let names: Vec<_> = yaml.subsets.iter().map(|(name, _)| &**name).collect();
    ensure!(!names.is_empty(), Label, "it has none of train:, val: and test:");
    ensure!(wanted.is_none_or(|w| names.contains(&w)), Selection, "it has the subsets {} only", names.join(", "));
    let mut images = BTreeMap::new();
    for (name, places) in yaml.subsets.iter().filter(|(name, _)| wanted.is_none_or(|w| w == name)) {
        for place in places {
            // Some tools write `../` for the folder that the file itself is in.
            let place =
                [place, place.trim_start_matches("../")].map(|place| base.join(place)).into_iter().find(|p| p.exists());
            let nowhere = || Error::Picture(format!("{name}: {} is not there", base.join(&places[0]).display()));
            let place = place.ok_or_else(nowhere)?;
            let found = if place.is_dir() { files::pictures_below(&place)? } else { listed(&place, base)? };
            ensure!(!found.is_empty(), Inconsistent, "{name}: {} holds no picture", place.display());
            for image in found {
                let id = id(&image, base)?;
                images.insert(image, id);
            }
        }
    }
    Ok(images)
}

/// The pictures that a text file lists, one a line.
fn listed(list: &Path, base: &Path) -> Result<Vec<PathBuf>> {
    let text = read_to_string(list)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let image = |(n, line): (usize, &str)| -> Result<PathBuf> {
        let of = || format!("{}, line {}", list.display(), n + 1);
        // A name that begins with a dot is relative to the folder of the list.
        let from = if line.starts_with("./") { list.parent().unwrap_or(base) } else { base };
        let image = from.join(files::below(line.trim()).map_err(|e| e.at(of()))?);
        ensure!(image.is_file(), Picture, "{}: {} is not there", of(), image.display());
        Ok(image.components().collect())
    };
    lines.map(image).collect()
}

/// The id of a picture: its path below the set without the folder `images`.
fn id(image: &Path, base: &Path) -> Result<String> {
    let below = image.strip_prefix(base).unwrap_or(image);
    files::id(&below.components().filter(|c| c.as_os_str() != "images").collect::<PathBuf>())
}

/// The file of labels of a picture: `labels/` in place of the last `images/`.
fn label_of(image: &Path) -> Result<PathBuf> {
    Ok(labels_for(image)?.with_extension("txt"))
}

/// The path with `labels` in place of the last `images`.
fn labels_for(path: &Path) -> Result<PathBuf> {
    let pieces: Vec<_> = path.components().collect();
    let at = pieces.iter().rposition(|c| c.as_os_str() == "images");
    let path = path.display();
    let nowhere = || Error::Inconsistent(format!("{path} is not below a folder images/, so its labels are nowhere"));
    let at = at.ok_or_else(nowhere)?;
    let labels = Component::Normal("labels".as_ref());
    Ok(pieces[..at].iter().chain([&labels]).chain(&pieces[at + 1..]).collect())
}

#[cfg(test)]
mod tests;
