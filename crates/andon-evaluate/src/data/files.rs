// SPDX-License-Identifier: MPL-2.0
//! Folders and the pictures in them, in the order of their names.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use super::error::{Error, Result, ensure};

/// Extensions of pictures that are not read. To pass over them would make another set.
const OTHERS: [&str; 8] = ["bmp", "gif", "pgm", "ppm", "tif", "tiff", "webp", "avif"];

/// The extension in small letters.
pub(super) fn kind(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// Returns whether a file is a PNG or JPEG by its name; fails if it is another picture.
pub(super) fn is_picture(path: &Path) -> Result<bool> {
    let kind = kind(path).unwrap_or_default();
    if OTHERS.contains(&&*kind) {
        let name = path.display();
        return Err(Error::Picture(format!("{name} is neither PNG nor JPEG: convert it, or take it out")));
    }
    Ok(matches!(&*kind, "png" | "jpg" | "jpeg"))
}

/// What is in a folder except hidden files, in the order of the names.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if !name(&path)?.starts_with('.') {
            all.push(path);
        }
    }
    all.sort_unstable();
    Ok(all)
}

/// The folders in a folder.
pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|p| p.is_dir()).collect())
}

/// The pictures in a folder, not those deeper.
pub(super) fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in entries(folder)? {
        if is_picture(&path)? {
            all.push(path);
        }
    }
    Ok(all)
}

/// The pictures in a folder and below it.
pub(super) fn pictures_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = pictures(folder)?;
    for folder in folders(folder)? {
        all.extend(pictures_below(&folder)?);
    }
    Ok(all)
}

/// The last piece of a path.
pub(super) fn name(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|n| n.to_str());
    name.ok_or_else(|| not_utf8(path))
}

/// The last piece of a path without the extension.
pub(super) fn stem(path: &Path) -> Result<&str> {
    let name = name(path)?;
    Ok(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
}

/// A path as text with `/`, without the extension.
pub(super) fn id(path: &Path) -> Result<String> {
    let pieces = path.components().filter(|c| *c != Component::CurDir);
    let pieces: Option<Vec<_>> = pieces.map(|c| c.as_os_str().to_str()).collect();
    let pieces = pieces.ok_or_else(|| not_utf8(path))?;
    let id = pieces.join("/");
    let dot = id.rfind('.').filter(|dot| !id[*dot..].contains('/'));
    Ok(dot.map_or(id.as_str(), |dot| &id[..dot]).into())
}

fn not_utf8(path: &Path) -> Error {
    Error::Picture(format!("{} has a name that is not UTF-8: rename it", path.display()))
}

/// Checks the name of a picture in a file of labels: it must stay below the set.
pub(super) fn below(name: &str) -> Result<&Path> {
    let path = Path::new(name);
    let stays = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let inside = stays && !name.is_empty();
    ensure!(inside, Label, "'{name}' leads out of the set; names have to be relative to its pictures");
    ensure!(is_picture(path)?, Label, "'{name}' is neither PNG nor JPEG by its name: convert it, or take it out");
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Set, *};

    #[test]
    fn pictures_are_png_and_jpeg_and_others_are_refused_and_not_passed_over() {
        let set = Set::new();
        ["b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "deeper/c.jpg"].iter().for_each(|f| set.file(f, ""));
        let names = |all: Vec<PathBuf>| all.iter().map(|p| name(p).unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!(names(pictures(set.path()).unwrap()), ["a.jpeg", "b.PNG"]);
        assert_eq!(names(pictures_below(set.path()).unwrap()), ["a.jpeg", "b.PNG", "c.jpg"]);
        set.file("d.tif", "");
        let error = pictures(set.path()).unwrap_err().to_string();
        assert!(error.contains("d.tif is neither PNG nor JPEG"), "{error}");
    }

    #[test]
    fn an_id_is_a_path_without_its_kind() {
        assert_eq!(id(Path::new("./good.v2/00.1.png")).unwrap(), "good.v2/00.1");
        assert_eq!(id(Path::new("good.v2/00")).unwrap(), "good.v2/00");
    }

    #[test]
    fn a_name_that_leads_out_of_the_set_is_refused() {
        for name in ["../a.png", "/etc/a.png", ""] {
            assert!(below(name).unwrap_err().to_string().contains("leads out of the set"), "{name}");
        }
        assert!(below("a.txt").unwrap_err().to_string().contains("neither PNG nor JPEG"));
        assert_eq!(below("sub/a.png").unwrap(), Path::new("sub/a.png"));
    }
}
