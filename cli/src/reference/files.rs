// SPDX-License-Identifier: MPL-2.0
//! The files to learn from: videos as named, and the images of folders in the order of their names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// File name extensions of images.
const IMAGES: [&str; 3] = ["jpg", "jpeg", "png"];

/// Returns the files to play, in order. The error names what is missing.
pub fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in named {
        let wrong = |e: io::Error| format!("{}: {e}", path.display());
        if !fs::metadata(path).map_err(wrong)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut images = Vec::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            let file = entry.map_err(wrong)?.path();
            if is_image(&file) {
                images.push(file);
            }
        }
        if images.is_empty() {
            return Err(format!("{}: there are no images in this folder ({})", path.display(), IMAGES.join(", ")));
        }
        images.sort();
        files.extend(images);
    }
    Ok(files)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|e| IMAGES.contains(&e.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_a_folder_come_in_the_order_of_their_names_and_others_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.png", "a.JPG", "notes.txt", "c.jpeg"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let video = folder.path().join("notes.txt");
        let found = files(&[folder.path().into(), video]).unwrap();
        let names: Vec<_> = found.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.JPG", "b.png", "c.jpeg", "notes.txt"], "a file that is named is taken at its word");
    }
}
