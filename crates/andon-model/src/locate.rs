// SPDX-License-Identifier: MPL-2.0
//! From the text of `model=` to a path: a bundle, a bare file, or a version or alias in a store.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{Error, files::MANIFEST};

/// The file in a model's folder that maps aliases to versions.
pub(super) const ALIASES: &str = "aliases.json";

/// The file in a model's folder that records all changes.
pub(super) const HISTORY: &str = "history.jsonl";

/// The longest name of a version, bytes. Temporary names add a prefix, and some file systems have no room for more.
const MAX_NAME: usize = 100;

/// Where a model lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder with a manifest.
    Bundle(PathBuf),
    /// An `.onnx` file without one.
    Bare(PathBuf),
}

/// Finds the model that the text `model` names. An alias, as in `STORE/NAME@champion`, is resolved once, now.
///
/// # Errors
/// A text that names no model.
pub fn locate(model: &str) -> Result<Location, Error> {
    if model.trim().is_empty() {
        return Err(Error::NoModel);
    }
    let path = Path::new(model);
    if path.is_dir() {
        return bundle(path);
    }
    if path.is_file() {
        return match path.file_name().and_then(|n| n.to_str()) {
            Some(MANIFEST) => bundle(path.parent().unwrap_or(Path::new("."))),
            Some(name) if name.to_ascii_lowercase().ends_with(".onnx") => Ok(Location::Bare(path.into())),
            _ => Err(Error::NotAModel { path: path.into() }),
        };
    }
    match split(model) {
        Some((store, reference)) => in_store(store, reference),
        None => Err(Error::NotFound { path: path.into() }),
    }
}

/// Splits `STORE/NAME@REF`. Returns None if `model` is a path itself.
pub(super) fn split(model: &str) -> Option<(&Path, &str)> {
    let (store, reference) = model.rsplit_once('@')?;
    let meant = !Path::new(model).exists() && !reference.contains('/');
    meant.then_some((Path::new(store), reference))
}

/// Returns the folder `STORE/NAME` of a model in a store, derived from its name or from the files beside it.
pub(super) fn in_a_store(model: &str, location: &Location) -> Option<PathBuf> {
    if let Some((store, _)) = split(model) {
        return Some(store.into());
    }
    let (Location::Bundle(path) | Location::Bare(path)) = location;
    let path = path.canonicalize().ok()?;
    // A bundle lies in the model's folder; its graph, if named as a bare file, one level deeper.
    let mut above = path.ancestors().skip(1).take(2);
    above.find(|folder| [ALIASES, HISTORY].iter().any(|file| folder.join(file).is_file())).map(Path::to_path_buf)
}

fn bundle(path: &Path) -> Result<Location, Error> {
    if path.join(MANIFEST).is_file() {
        Ok(Location::Bundle(path.into()))
    } else {
        Err(Error::NoManifest { path: path.into(), graphs: graphs(path) })
    }
}

/// Returns the names of the graphs in a folder, sorted. None if it cannot be read.
fn graphs(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().filter(|e| e.path().is_file());
    let mut names: Vec<_> = files.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.retain(|name| name.to_ascii_lowercase().ends_with(".onnx"));
    names.sort();
    names
}

fn in_store(store: &Path, reference: &str) -> Result<Location, Error> {
    if !store.is_dir() {
        return Err(Error::NotFound { path: store.into() });
    }
    let aliases = aliases(&store.join(ALIASES))?;
    let version = aliases.get(reference).map_or(reference, String::as_str);
    // An alias must never lead out of the store.
    if is_version(version) && store.join(version).is_dir() {
        return bundle(&store.join(version));
    }
    let mut known: Vec<String> =
        versions(store)?.into_iter().chain(aliases.iter().map(|(alias, to)| format!("{alias} ({to})"))).collect();
    known.sort();
    Err(Error::NoVersion { store: store.into(), reference: reference.into(), known })
}

/// Returns whether a folder of that name may be a version: a single path component, without characters that have a
/// meaning in a reference. A leading dot marks unfinished work.
pub(super) fn is_version(name: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | '@' | ':');
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.trim() == name && !name.contains(odd)
}

/// Returns the versions in a model's folder, sorted by name.
pub(super) fn versions(store: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(store).map_err(|error| Error::Io { path: store.into(), error })?;
    let folders = entries.flatten().filter(|e| e.path().is_dir());
    let mut names: Vec<_> = folders.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.retain(|name| is_version(name));
    names.sort();
    Ok(names)
}

/// Reads a file that maps aliases to versions. Empty if there is no such file.
pub(super) fn aliases(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Error::Io { path: path.into(), error }),
    };
    serde_json::from_str(&text).map_err(|e| Error::Manifest {
        path: path.into(),
        field: format!("line {}", e.line()),
        problem: format!("{e}: it must map names to texts, as in {{\"champion\":\"2\"}}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            let bundle = dir.path().join("pcb").join(version);
            fs::create_dir_all(&bundle).unwrap();
            fs::write(bundle.join("model.json"), "{}").unwrap();
        }
        fs::write(dir.path().join("pcb/aliases.json"), r#"{"champion":"2","lost":"9","evil":"../.."}"#).unwrap();
        dir
    }

    #[test]
    fn versions_and_aliases_lead_to_their_folder() {
        let dir = store();
        let at = |r: &str| locate(&format!("{}/pcb@{r}", dir.path().display()));
        assert_eq!(at("champion").unwrap(), Location::Bundle(dir.path().join("pcb/2")));
        assert_eq!(at("1").unwrap(), Location::Bundle(dir.path().join("pcb/1")));
    }

    #[test]
    fn an_unknown_version_is_told_what_there_is() {
        let dir = store();
        let at = |r: &str| locate(&format!("{}/pcb@{r}", dir.path().display())).unwrap_err().to_string();
        assert!(at("challenger").contains("champion (2)"), "{}", at("challenger"));
        assert!(at("lost").contains("'lost' is neither"));
        assert!(at("evil").contains("'evil' is neither"), "an alias cannot leave the store");
        fs::rename(dir.path().join("pcb/1"), dir.path().join("pcb/.add-1")).unwrap();
        assert!(at(".add-1").ends_with("there are 2, champion (2), evil (../..), lost (9)"), "{}", at(".add-1"));
    }

    #[test]
    fn what_is_no_model_is_refused_with_what_is_one() {
        let dir = store();
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        let no = |p: &str| locate(&dir.path().join(p).display().to_string()).unwrap_err().to_string();
        assert!(matches!(locate(" "), Err(Error::NoModel)));
        assert!(no("pcb").contains("no model.json"));
        assert!(no("notes.txt").contains(".onnx"));
        assert!(no("nowhere").contains("no such model"));
    }
}
