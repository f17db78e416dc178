// SPDX-License-Identifier: MPL-2.0
//! From the text of `model=` to a path: a bundle, a bare file, or a version or alias in a store.
//!
//! Everything is decided and opened by one path, on which no folder is a link: else a link to a model would be a way round
//! what is decided by where the model lies.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use andon_core::{
    files::{self, TEXT},
    json, text,
};

use super::{Error, files::MANIFEST, trials::TRIALS};

/// The file in a model's folder that maps aliases to versions.
pub(super) const ALIASES: &str = "aliases.json";

/// The file in a model's folder that records all changes.
pub(super) const HISTORY: &str = "history.jsonl";

/// Files that only the folder of a store's model has. One is enough.
const OF_A_STORE: [&str; 3] = [ALIASES, HISTORY, "refused.json"];

/// The key in [`ALIASES`] that is no alias: how the history ends.
const END: &str = ".history";

/// The longest name of a version, bytes. Temporary names add a prefix, and some file systems have no room for more.
const MAX_NAME: usize = 100;

/// The most links on the way to a model: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Where a model lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder with a manifest.
    Bundle(PathBuf),
    /// An `.onnx` file without one.
    Bare(PathBuf),
}

/// Where a model lies, and what decides about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The model. No folder of the path is a link.
    pub location: Location,
    /// The folder `STORE/NAME`, if the model lies in a store.
    pub store: Option<PathBuf>,
    /// Every folder in which a policy counts, see [`above`].
    pub above: Vec<PathBuf>,
    /// The path of the model as it was named, with an alias already followed.
    named: PathBuf,
}

/// Finds the model that the text `model` names. An alias, as in `STORE/NAME@champion`, is resolved once, now. No folder of
/// the path is a link.
///
/// # Errors
/// A text that names no model.
pub fn locate(model: &str) -> Result<Location, Error> {
    Ok(place(model)?.location)
}

/// Finds the model that the text `model` names, and what decides about it.
pub(super) fn place(model: &str) -> Result<Place, Error> {
    if model.trim().is_empty() {
        return Err(Error::NoModel);
    }
    let path = Path::new(model);
    if path.is_dir() {
        return Place::new(path.into(), Location::Bundle(bundle(path)?), None);
    }
    if path.is_file() {
        return match path.file_name().and_then(|n| n.to_str()) {
            Some(MANIFEST) => Place::new(path.into(), Location::Bundle(bundle(folder_of(path))?), None),
            Some(name) if name.to_ascii_lowercase().ends_with(".onnx") => {
                Place::new(path.into(), Location::Bare(real(folder_of(path))?.join(name)), None)
            }
            _ => Err(Error::NotAModel { path: path.into() }),
        };
    }
    match split(model) {
        Some((store, reference)) => in_store(store, reference),
        None if path.exists() => Err(Error::NotAModel { path: path.into() }),
        None => Err(Error::NotFound { path: path.into() }),
    }
}

impl Place {
    fn new(named: PathBuf, location: Location, store: Option<PathBuf>) -> Result<Self, Error> {
        let above = above(&named)?;
        let (Location::Bundle(path) | Location::Bare(path)) = &location;
        // A bundle lies in the model's folder; its graph, if named as a bare file, one level deeper.
        let is_store = |folder: &&Path| OF_A_STORE.iter().any(|file| folder.join(file).symlink_metadata().is_ok());
        let store = store.or_else(|| path.ancestors().skip(1).take(2).find(is_store).map(Path::to_path_buf));
        Ok(Self { location, store, above, named })
    }

    /// Checks, after the model was read, that what was read is what was decided about: that no link and no folder on the
    /// way to it was exchanged meanwhile.
    pub(super) fn check_unmoved(&self) -> Result<(), Error> {
        if above(&self.named)? == self.above {
            return Ok(());
        }
        Err(Error::Io { path: self.named.clone(), error: io::Error::other("leads elsewhere than when it was opened") })
    }
}

/// Returns every folder above a path: above the path as it is named, above what each link on the way to it leads to, and
/// above where it really lies, up to the root. So none of a path's names leads round a policy.
pub(super) fn above(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |error| Error::Io { path: path.into(), error };
    let mut ways = vec![std::path::absolute(path).map_err(fail)?];
    let mut next = 0;
    while let Some(way) = ways.get(next).cloned() {
        next += 1;
        for part in way.ancestors() {
            let Ok(target) = fs::read_link(part) else { continue };
            let rest = way.strip_prefix(part).unwrap_or(Path::new(""));
            let led = part.parent().unwrap_or(part).join(target).join(rest);
            if !ways.contains(&led) {
                if ways.len() > MAX_LINKS {
                    return Err(fail(io::Error::other("there are too many links on the way to it")));
                }
                ways.push(led);
            }
        }
    }
    ways.push(real(path)?);
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in ways.iter().flat_map(|way| way.ancestors().skip(1)) {
        if !folders.iter().any(|f| f == folder) {
            folders.push(folder.into());
        }
    }
    Ok(folders)
}

/// Returns the path without links.
fn real(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|error| Error::Io { path: path.into(), error })
}

/// Returns the folder in which a named file lies.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Splits `STORE/NAME@REF`. Returns None if `model` is a path itself.
pub(super) fn split(model: &str) -> Option<(&Path, &str)> {
    let (store, reference) = model.rsplit_once('@')?;
    let meant = !Path::new(model).exists() && !reference.contains('/');
    meant.then_some((Path::new(store), reference))
}

/// Returns the real path of a folder that holds a manifest.
fn bundle(path: &Path) -> Result<PathBuf, Error> {
    let folder = real(path)?;
    if folder.join(MANIFEST).is_file() {
        Ok(folder)
    } else {
        Err(Error::NoManifest { path: path.into(), graphs: graphs(&folder) })
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

fn in_store(named: &Path, reference: &str) -> Result<Place, Error> {
    if !named.is_dir() {
        return Err(Error::NotFound { path: named.into() });
    }
    let store = real(named)?;
    let aliases = aliases(&store.join(ALIASES))?.versions;
    let version = aliases.get(reference).map_or(reference, String::as_str);
    // An alias must never lead out of the store.
    if is_version(version) && version != TRIALS && store.join(version).is_dir() {
        let location = Location::Bundle(bundle(&store.join(version))?);
        return Place::new(named.join(version), location, Some(store));
    }
    let shown = aliases.iter().map(|(alias, to)| text::shown(&format!("{alias} ({to})")).into_owned());
    let mut known: Vec<String> = versions(&store)?.into_iter().chain(shown).collect();
    known.sort();
    Err(Error::NoVersion { store: named.into(), reference: reference.into(), known })
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
    names.retain(|name| is_version(name) && name != TRIALS);
    names.sort();
    Ok(names)
}

/// The content of [`ALIASES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases {
    /// The version of each alias.
    pub versions: BTreeMap<String, String>,
    /// How the history ends, `SERIAL DIGEST`. None in a store that was last changed before this was written.
    pub end: Option<String>,
}

impl Aliases {
    /// Returns the content of the file: one map of texts. No alias begins with a dot, so the end of the history can stand
    /// among them, and is replaced with them in one step.
    pub(super) fn map(&self) -> BTreeMap<&str, &str> {
        let end = self.end.as_deref().map(|end| (END, end));
        self.versions.iter().map(|(alias, version)| (&**alias, &**version)).chain(end).collect()
    }
}

/// Reads the file that maps aliases to versions. Empty if there is no such file.
pub(super) fn aliases(path: &Path) -> Result<Aliases, Error> {
    let mut versions = texts(path)?;
    let end = versions.remove(END);
    Ok(Aliases { versions, end })
}

/// Reads a file of a store that maps names to texts. Empty if there is no such file.
pub(super) fn texts(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let Some(text) = text_of(path)? else { return Ok(BTreeMap::new()) };
    json::read(&text).map_err(|e| Error::Manifest {
        path: path.into(),
        field: format!("line {}", e.line()),
        problem: format!("{e}: it must map names to texts, as in {{\"champion\":\"2\"}}"),
    })
}

/// Reads a text of a store, or returns None if there is no such file.
pub(super) fn text_of(path: &Path) -> Result<Option<String>, Error> {
    if !is_own(path)? {
        return Ok(None);
    }
    files::read_text(path, TEXT).map(Some).or_else(|error| gone(path, error))
}

/// Opens a file of a store, or returns None if there is no such file.
pub(super) fn file_of(path: &Path) -> Result<Option<File>, Error> {
    if !is_own(path)? {
        return Ok(None);
    }
    files::open(path).map(Some).or_else(|error| gone(path, error))
}

/// A file that its writer has removed meanwhile is none. A link that leads to nothing is an error.
fn gone<T>(path: &Path, error: io::Error) -> Result<Option<T>, Error> {
    match error.kind() {
        io::ErrorKind::NotFound if path.symlink_metadata().is_err() => Ok(None),
        _ => Err(Error::Io { path: path.into(), error }),
    }
}

/// Returns whether there is a file of a store. One that is a link out of its folder is an error: others would decide what
/// the store says.
fn is_own(path: &Path) -> Result<bool, Error> {
    let fail = |error| Error::Io { path: path.into(), error };
    match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(fail(error)),
        Ok(found) if !found.is_symlink() => Ok(true),
        Ok(_) if real(path)?.starts_with(real(folder_of(path))?) => Ok(true),
        Ok(_) => Err(Error::Outside { path: path.into() }),
    }
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
