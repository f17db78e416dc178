// SPDX-License-Identifier: MPL-2.0
//! From a `model=` string to a path: a bundle folder, a bare file, or a version or alias in a store.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::Error;

/// Where a model lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder with a manifest.
    Bundle(PathBuf),
    /// An `.onnx` file without one.
    Bare(PathBuf),
}

/// Finds what `model` means. `STORE/NAME@champion` is read from `NAME/aliases.json` now, once.
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
            Some("model.json") => bundle(path.parent().unwrap_or(Path::new("."))),
            Some(name) if name.to_ascii_lowercase().ends_with(".onnx") => Ok(Location::Bare(path.into())),
            _ => Err(Error::NotAModel { path: path.into() }),
        };
    }
    if let Some((store, reference)) = model.rsplit_once('@')
        && !reference.contains('/')
    {
        return in_store(Path::new(store), reference);
    }
    Err(Error::NotFound { path: path.into() })
}

fn bundle(path: &Path) -> Result<Location, Error> {
    if path.join("model.json").is_file() {
        Ok(Location::Bundle(path.into()))
    } else {
        Err(Error::NoManifest { path: path.into() })
    }
}

fn in_store(store: &Path, reference: &str) -> Result<Location, Error> {
    if !store.is_dir() {
        return Err(Error::NotFound { path: store.into() });
    }
    let aliases = aliases(&store.join("aliases.json"))?;
    let version = aliases.get(reference).map_or(reference, String::as_str);
    // A version is one folder below the store, whatever an alias file says.
    let inside = !version.is_empty() && !version.contains(['/', '\\']) && version != "." && version != "..";
    if inside && store.join(version).is_dir() {
        return bundle(&store.join(version));
    }
    let mut known: Vec<String> = fs::read_dir(store)
        .map_err(|error| Error::Io { path: store.into(), error })?
        .flatten()
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .chain(aliases.iter().map(|(alias, to)| format!("{alias} ({to})")))
        .collect();
    known.sort();
    Err(Error::NoVersion { store: store.into(), reference: reference.into(), known })
}

/// Alias to version; empty where there is no file.
fn aliases(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Error::Io { path: path.into(), error }),
    };
    serde_json::from_str(&text).map_err(|e| Error::Manifest {
        path: path.into(),
        field: format!("line {}", e.line()),
        problem: format!("{e}: must map aliases to versions, as in {{\"champion\":\"2\"}}"),
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
