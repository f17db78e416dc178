// SPDX-License-Identifier: MPL-2.0
//! Darknet's layout, CVAT's YOLO 1.1: `obj.data` names a list of the classes and a list of pictures for each subset; the file
//! of labels lies beside its picture.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::labels::Listed;
use crate::data::{
    error::{Error, Result, ensure, read_to_string},
    files,
};

/// Keys that name no list of pictures; all others do, whatever their subset is called.
const OTHERS: [&str; 10] = ["backup", "classes", "eval", "labels", "leaves", "map", "names", "results", "top", "tree"];
/// The lists of a file without keys for them.
const LISTS: [(&str, &str); 4] =
    [("train", "train.txt"), ("valid", "valid.txt"), ("val", "val.txt"), ("test", "test.txt")];
/// Two words for one subset.
const SAME: [&str; 2] = ["val", "valid"];
/// The folder in which Darknet keeps sets: the paths in the files begin with it, the set as it is exported has none.
const ABOVE: &str = "data/";

/// Returns the file that describes the set.
pub(super) fn file(path: &Path) -> Option<PathBuf> {
    Some(path.join("obj.data")).filter(|file| file.is_file())
}

/// Reads the names of the classes, and the pictures of `subset` or of all subsets.
pub(super) fn read(file: &Path, subset: Option<&str>) -> Result<(Vec<String>, Vec<Listed>)> {
    let root = file.parent().unwrap_or(Path::new(""));
    let text = read_to_string(file)?;
    let keys: Vec<_> = text.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.trim(), v.trim())).collect();
    let get = |key: &str| keys.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    let names = names(&below(root, get("names").unwrap_or("obj.names"))?)?;
    if let Some(classes) = get("classes") {
        ensure!(
            classes == names.len().to_string(),
            Inconsistent,
            "{}: classes is {classes}, and there are {} names; correct one of them",
            file.display(),
            names.len()
        );
    }
    let mut lists: Vec<_> = keys.iter().filter(|(k, _)| !k.starts_with('#') && !OTHERS.contains(k)).copied().collect();
    if lists.is_empty() {
        lists.extend(LISTS.iter().filter(|(_, list)| root.join(list).is_file()));
    }
    let all: Vec<_> = lists.iter().map(|(key, _)| *key).collect();
    ensure!(!lists.is_empty(), Label, "{} names no list of pictures: train = train.txt", file.display());
    let is_wanted = |key: &str| subset.is_none_or(|w| w == key || SAME.contains(&w) && SAME.contains(&key));
    ensure!(all.iter().any(|k| is_wanted(k)), Selection, "{} has the subsets {} only", file.display(), all.join(", "));
    let (mut listed, mut seen) = (Vec::new(), HashSet::new());
    for (_, list) in lists.iter().filter(|(key, _)| is_wanted(key)) {
        pictures(root, &below(root, list)?, &mut seen, &mut listed)?;
    }
    Ok((names, listed))
}

/// The names of the classes, one a line.
pub(super) fn names(file: &Path) -> Result<Vec<String>> {
    let text = read_to_string(file)?;
    let names: Vec<_> = text.trim_end().lines().map(|line| line.trim().to_string()).collect();
    for (n, name) in names.iter().enumerate() {
        let wrong = if name.is_empty() {
            "names nothing, and would shift the classes after it; take it out, or write the name"
        } else if names[..n].contains(name) {
            "is there twice; rename one"
        } else {
            continue;
        };
        return Err(Error::Label(format!("{}, line {}: '{name}' {wrong}", file.display(), n + 1)));
    }
    ensure!(!text.trim().is_empty(), Label, "{} names no class", file.display());
    Ok(names)
}

/// A file that another one names, with or without [`ABOVE`].
fn below(root: &Path, name: &str) -> Result<PathBuf> {
    let found = [name, name.strip_prefix(ABOVE).unwrap_or(name)].map(|name| root.join(name));
    let nowhere = || Error::Inconsistent(format!("{} is not there; add it, or correct obj.data", found[1].display()));
    found.iter().find(|path| path.is_file()).cloned().ok_or_else(nowhere)
}

fn pictures(root: &Path, list: &Path, seen: &mut HashSet<PathBuf>, listed: &mut Vec<Listed>) -> Result<()> {
    let text = read_to_string(list)?;
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = || format!("{}, line {}", list.display(), n + 1);
        let name = line.trim().trim_start_matches("./");
        let inside = root.join(files::below(name).map_err(|e| e.at(at()))?);
        let without = name.strip_prefix(ABOVE).map(|name| root.join(name));
        let image = [Some(inside.clone()), without].into_iter().flatten().find(|image| image.is_file());
        let nowhere =
            || Error::Picture(format!("{}: {} is not there; export the set with its pictures", at(), inside.display()));
        let image = image.ok_or_else(nowhere)?;
        if seen.insert(image.clone()) {
            let id = files::id(image.strip_prefix(root).unwrap_or(&image))?;
            listed.push(Listed { label: image.with_extension("txt"), image, id });
        }
    }
    Ok(())
}
