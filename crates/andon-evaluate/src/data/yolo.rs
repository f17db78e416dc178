// SPDX-License-Identifier: MPL-2.0
//! YOLO as Ultralytics reads it: `data.yaml`, pictures below `images/`, and a file of labels for each below `labels/`.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Component, Path, PathBuf},
};

use super::{
    error::{Error, Result, ensure, read_to_string},
    files,
    sample::{LabelledBox, Sample, checked},
    size::size,
    yaml::DataYaml,
};

/// Names of the file that describes a set.
const FILES: [&str; 4] = ["data.yaml", "dataset.yaml", "data.yml", "dataset.yml"];
/// How far a corner may lie over the edge, in parts of the picture's side: tools round.
const OVER: f64 = 0.01;

/// Returns the file that describes the set: the path itself, or a file in that folder.
pub(super) fn file(path: &Path) -> Option<PathBuf> {
    let named = path.is_file().then(|| path.into());
    named.or_else(|| FILES.iter().map(|name| path.join(name)).find(|file| file.is_file()))
}

/// Reads all labels, and the pictures of `subset` or of all subsets. A picture that two subsets name is taken once.
pub(super) fn read(path: &Path, subset: Option<&str>) -> Result<(Vec<String>, Vec<Sample>)> {
    let none = || Error::Layout(format!("{} has no {}", path.display(), FILES[..2].join(" or ")));
    let file = file(path).ok_or_else(none)?;
    let yaml = DataYaml::parse(&read_to_string(&file)?);
    let yaml = yaml.map_err(|e| Error::Label(e).at(file.display()))?;
    let base = base(&file, yaml.path.as_deref());
    let images = images(&yaml, &base, subset).map_err(|e| e.at(file.display()))?;
    ensure!(!yaml.poses, Label, "{} is of poses (kpt_shape): only boxes and outlines are read", file.display());

    let (mut samples, mut folders) = (Vec::new(), BTreeSet::new());
    for (image, id) in images {
        folders.extend(image.parent().map(PathBuf::from));
        let label = label_of(&image)?;
        let sample = Sample::alone(id, image);
        // A picture without a file is not labelled; a picture without defects has an empty file.
        samples.push(if label.is_file() {
            let boxes = boxes(&label, &sample.image, &yaml.names)?;
            sample.with_boxes(boxes)
        } else {
            sample
        });
    }
    let labelled = samples.iter().any(|s| s.boxes.is_some());
    ensure!(
        samples.is_empty() || labelled,
        Inconsistent,
        "{}: no picture has a file below labels/ in the place of images/; add them",
        base.display()
    );
    folders.iter().try_for_each(|folder| no_label_is_alone(folder))?;
    Ok((yaml.names, samples))
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

fn boxes(label: &Path, image: &Path, names: &[String]) -> Result<Vec<LabelledBox>> {
    let text = read_to_string(label)?;
    let lines: Vec<_> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let size = size(image)?.map(f64::from);
    let parsed = |(n, line): (usize, &str)| {
        let at = || format!("{}, line {}: '{line}'", label.display(), n + 1);
        parse(line, size, names).map_err(|e| Error::Label(e).at(at()))
    };
    lines.into_iter().map(parsed).collect()
}

/// Parses a line: the class, then centre and size of a box, or the corners of an outline; all in parts of the sides of the
/// picture.
fn parse(line: &str, size: [f64; 2], names: &[String]) -> std::result::Result<LabelledBox, String> {
    let number = |word: &str| word.parse().map_err(|e: std::num::ParseFloatError| e.to_string());
    let numbers: Vec<f64> = line.split_whitespace().map(number).collect::<std::result::Result<_, _>>()?;
    let [class, place @ ..] = &numbers[..] else { return Err("needs class x y width height".into()) };
    let label = (0_u32..).zip(names).find(|(n, _)| f64::from(*n) == *class);
    let (_, label) = label.ok_or_else(|| format!("class {class} is none of 0 to {}", names.len() as i64 - 1))?;
    let within = place.iter().all(|v| (-OVER..=1.0 + OVER).contains(v));
    if !within {
        return Err("numbers after the class go from 0 to 1: they are parts of the picture's width and height".into());
    }
    let [[left, right], [top, bottom]] = match place {
        [x, y, w, h] => [[x - w / 2.0, x + w / 2.0], [y - h / 2.0, y + h / 2.0]],
        corners if corners.len() >= 6 && corners.len() % 2 == 0 => [0, 1].map(|axis| {
            let along = corners.iter().skip(axis).step_by(2);
            [along.clone().copied().fold(f64::INFINITY, f64::min), along.copied().fold(f64::NEG_INFINITY, f64::max)]
        }),
        _ => return Err("needs class x y width height, or the class and three corners or more".into()),
    };
    if !(right > left && bottom > top) {
        return Err("the box has no size; correct the label or take it out".into());
    }
    let edges = [left, right, top, bottom];
    if !edges.iter().all(|v| (-OVER..=1.0 + OVER).contains(v)) {
        return Err("the box lies over the picture's edge; correct the label or take it out".into());
    }
    // A corner that was rounded over the edge is cut there.
    let [left, right, top, bottom] = edges.map(|v| v.clamp(0.0, 1.0));
    let [width, height] = size;
    let bbox = checked([left * width, top * height, (right - left) * width, (bottom - top) * height])?;
    Ok(LabelledBox { label: label.clone(), bbox, crowd: false })
}

#[cfg(test)]
mod tests;
