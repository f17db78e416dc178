// SPDX-License-Identifier: MPL-2.0
//! What ships with the program: pipeline files and models. They are found from where the program lies, and not from the
//! current folder: in `../share/andon` of an installation, or in the source from which it was built into `target/`.

use std::path::{Path, PathBuf};

use crate::meant;

/// The folder with the shipped `pipelines` and `models`, if they lie where an installation or a build has them.
fn folder() -> Option<PathBuf> {
    of(&std::env::current_exe().ok()?.canonicalize().ok()?)
}

/// The same, for a program that lies there.
fn of(program: &Path) -> Option<PathBuf> {
    let installed = program.ancestors().nth(2).map(|prefix| prefix.join("share/andon"));
    // SOURCE/target/PROFILE/andon.
    let source = program.ancestors().nth(3).map(Path::to_path_buf);
    installed.into_iter().chain(source).find(|p| p.join("pipelines").is_dir() && p.join("models").is_dir())
}

/// The folder of the shipped models: as `models` where that is the current folder's, or where nothing is found.
pub fn models() -> PathBuf {
    beside(folder().as_deref())
}

/// The folder of the models that a pipeline file's defaults mean: those beside it if it lies where it is shipped, in
/// `…/pipelines/` beside `…/models/`; else the program's own.
pub fn models_of(file: &Path) -> PathBuf {
    let pipelines = file.canonicalize().ok().and_then(|f| f.parent().map(Path::to_path_buf));
    let shipped = pipelines.filter(|p| p.ends_with("pipelines")).and_then(|p| p.parent().map(Path::to_path_buf));
    match shipped.filter(|p| p.join("models").is_dir()) {
        Some(folder) => beside(Some(&folder)),
        None => models(),
    }
}

fn beside(folder: Option<&Path>) -> PathBuf {
    let here = std::env::current_dir().and_then(|p| p.canonicalize()).ok();
    match folder.filter(|folder| here.as_deref() != Some(folder)) {
        Some(folder) => folder.join("models"),
        None => "models".into(),
    }
}

/// The shipped pipeline file that a name means, where there is no such file: `inspect`, `inspect.launch` and
/// `pipelines/inspect.launch` are the same.
pub fn pipeline(asked: &Path) -> Option<PathBuf> {
    let name = asked.strip_prefix("pipelines").unwrap_or(asked);
    let is_name = name.components().count() == 1 && name.file_name().is_some();
    if asked.exists() || !is_name {
        return None;
    }
    let file = folder()?.join("pipelines").join(name);
    [file.clone(), file.with_extension("launch")]
        .into_iter()
        .find(|p| p.is_file() && p.extension() == Some("launch".as_ref()))
}

/// Asks whether a shipped pipeline file was meant by one that is not there; empty if none is called like it.
pub fn meant(asked: &Path) -> String {
    let name = asked.strip_prefix("pipelines").unwrap_or(asked).with_extension("");
    let Some(name) = name.to_str().filter(|name| !name.contains('/')) else { return String::new() };
    let files = folder().and_then(|folder| folder.join("pipelines").read_dir().ok());
    let files = files.into_iter().flatten().flatten().map(|entry| entry.path());
    let names: Vec<_> = files
        .filter(|path| path.extension() == Some("launch".as_ref()))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()))
        .collect();
    meant::question(name, names.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_installation_and_a_build_find_what_ships_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let (installed, built) = (dir.path().join("usr/bin/andon"), dir.path().join("source/target/release/andon"));
        assert_eq!((of(&installed), of(&built)), (None, None));
        for folder in ["usr/share/andon", "source"] {
            for kind in ["pipelines", "models"] {
                fs::create_dir_all(dir.path().join(folder).join(kind)).unwrap();
            }
        }
        assert_eq!(of(&installed), Some(dir.path().join("usr/share/andon")));
        assert_eq!(of(&built), Some(dir.path().join("source")));
    }

    #[test]
    fn a_file_in_its_shipped_folder_means_the_models_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let file = root.join("pipelines/inspect.launch");
        fs::create_dir_all(root.join("pipelines")).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(models_of(&file), models(), "there are none beside it");
        fs::create_dir_all(root.join("models")).unwrap();
        assert_eq!(models_of(&file), root.join("models"));
    }

    #[test]
    fn only_a_bare_name_may_mean_a_shipped_file() {
        for asked in ["../inspect.launch", "/nowhere/inspect.launch", "pipelines/more/inspect.launch", "pipelines", ""]
        {
            assert_eq!(pipeline(Path::new(asked)), None, "{asked}");
        }
    }
}
