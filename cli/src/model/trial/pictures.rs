// SPDX-License-Identifier: MPL-2.0
//! The pictures to try a model on, and where what was found in them goes.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::app::Usage;

/// Endings of files that are pictures. In a folder, other files are passed over.
const ENDINGS: &[&str] = &["png", "jpg", "jpeg"];

/// The pictures, in the order in which they were named; those of a folder by name.
pub struct Pictures {
    /// The files.
    pub files: Vec<PathBuf>,
}

impl Pictures {
    /// Finds the pictures that are named, and those in the folders that are. A file that is named is taken whatever it is:
    /// what cannot be read is told for each.
    pub fn find(named: &[PathBuf]) -> Result<Self> {
        let mut files = Vec::new();
        for path in named {
            if path.is_dir() {
                let before = files.len();
                walk(path, &mut files)?;
                if files.len() == before {
                    bail!(Usage(format!(
                        "{}: no picture in this folder: .png and .jpg files are taken",
                        path.display()
                    )));
                }
            } else if path.exists() {
                files.push(path.clone());
            } else {
                bail!(Usage(format!("{}: there is no such picture", path.display())));
            }
        }
        Ok(Self { files })
    }
}

/// Appends the pictures in a folder and below it, by name. Hidden ones and links to folders are passed over.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, hidden) = (entry.path(), entry.file_name().to_string_lossy().starts_with('.'));
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if hidden {
            continue;
        }
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&path, files)?;
        } else if ending.is_some_and(|e| ENDINGS.contains(&e.as_str())) {
            files.push(path);
        }
    }
    Ok(())
}

/// The folder of the drawn pictures, and the name of each.
pub struct Target {
    /// The folder.
    pub folder: PathBuf,
    names: Vec<String>,
}

impl Target {
    /// Makes the folder. It must not be one that the pictures come from, since their copies would overwrite them.
    pub fn new(folder: &Path, pictures: &Pictures) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let real = |p: &Path| p.canonicalize().ok();
        let sources: BTreeSet<_> = pictures.files.iter().filter_map(|f| real(f.parent()?)).collect();
        if real(folder).or_else(|| real(Path::new("."))).is_some_and(|f| sources.contains(&f)) {
            bail!(Usage(format!(
                "{}: the pictures themselves lie there, and would be overwritten: name another folder with --into",
                folder.display()
            )));
        }
        Ok(Self { folder: folder.into(), names: names(&pictures.files) })
    }

    /// Writes the drawn picture of that number.
    pub fn write(&self, number: usize, png: &[u8]) -> Result<()> {
        let path = self.folder.join(&self.names[number]);
        fs::write(&path, png).with_context(|| format!("{}: cannot be written", path.display()))
    }
}

/// The name of each picture's drawing: its own as PNG, with a number where two pictures have the same.
fn names(files: &[PathBuf]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |file: &PathBuf| {
        let stem = file.file_stem().map_or_else(|| "picture".into(), |s| s.to_string_lossy().into_owned());
        let numbered = |n: usize| if n == 1 { format!("{stem}.png") } else { format!("{stem}-{n}.png") };
        let name = (1..).map(numbered).find(|n| !taken.contains(n)).expect("some number is free");
        taken.insert(name.clone());
        name
    };
    files.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_folders_come_by_name_and_drawings_never_overwrite() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["b/2.JPG", "b/1.png", "b/notes.txt", "a/1.jpg", ".hidden/3.png"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = Pictures::find(&[dir.path().into()]).unwrap();
        let shown: Vec<_> = found.files.iter().map(|f| f.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(shown, ["a/1.jpg", "b/1.png", "b/2.JPG"]);
        assert_eq!(names(&found.files), ["1.png", "1-2.png", "2.png"]);
        for (folder, fits) in [("b", false), ("a/../b", false), ("new/deep", true), ("", true)] {
            assert_eq!(Target::new(&dir.path().join(folder), &found).is_ok(), fits, "{folder}");
        }
        for (path, why) in [("nowhere.png", "no such picture"), ("new", "no picture in this folder")] {
            let e = Pictures::find(&[dir.path().join(path)]).err().unwrap().to_string();
            assert!(e.contains(why), "{e}");
        }
    }
}
