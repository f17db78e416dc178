// SPDX-License-Identifier: MPL-2.0
//! Reading a bundle: the manifest, the files it names, and whether they are the ones it was written for.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Error, Location, Manifest, ModelInfo, locate};
use crate::result::ModelId;

/// A model read from disk, checked, not yet in an engine.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name, version and digest; of a bare file the name is its stem and the version is empty.
    pub id: ModelId,
    /// What the bundle says; none for a bare file.
    pub manifest: Option<Manifest>,
    /// What lies beside a bare file as `.modelinfo`; none for a bundle, whose manifest says it all.
    pub info: Option<ModelInfo>,
    /// The graph's file.
    pub path: PathBuf,
    /// The graph's content: what was hashed is what is run.
    pub bytes: Vec<u8>,
}

/// Reads what `model` names (see [`locate`]) and checks every digest.
pub fn open(model: &str) -> Result<Source, Error> {
    match locate(model)? {
        Location::Bare(path) => {
            let bytes = read(&path)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let id = ModelId { name, version: String::new(), digest: digest(&bytes) };
            let info = ModelInfo::beside(&path)?;
            Ok(Source { id, manifest: None, info, path, bytes })
        }
        Location::Bundle(folder) => bundle(&folder),
    }
}

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

fn bundle(folder: &Path) -> Result<Source, Error> {
    let at = folder.join("model.json");
    let text = fs::read_to_string(&at).map_err(|error| Error::Io { path: at.clone(), error })?;
    let manifest = Manifest::parse(&text, &at)?;
    let path = inside(folder, &at, "model", &manifest.model)?;
    let bytes = read(&path)?;
    let found = digest(&bytes);
    for (name, expected) in &manifest.digests {
        let file = inside(folder, &at, &format!("digests.{name}"), name)?;
        let found = if file == path { found.clone() } else { digest(&read(&file)?) };
        if !expected.eq_ignore_ascii_case(&found) {
            return Err(Error::Digest { path: file, expected: expected.clone(), found });
        }
    }
    let id = ModelId { name: manifest.name.clone(), version: manifest.version.clone(), digest: found };
    Ok(Source { id, manifest: Some(manifest), info: None, path, bytes })
}

/// The path of a file that must lie in the bundle, symbolic links followed.
fn inside(folder: &Path, manifest: &Path, field: &str, file: &str) -> Result<PathBuf, Error> {
    let escape = || Error::Escape { path: manifest.into(), field: field.into(), file: file.into() };
    let plain = Path::new(file).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !plain || file.is_empty() {
        return Err(escape());
    }
    let joined = folder.join(file);
    let real = |p: &Path| p.canonicalize().map_err(|error| Error::Io { path: p.into(), error });
    let path = real(&joined)?;
    if !path.starts_with(real(folder)?) {
        return Err(escape());
    }
    Ok(path)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::Io { path: path.into(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, change: impl Fn(&mut serde_json::Value)) {
        fs::write(folder.join("model.onnx"), b"graph").unwrap();
        let mut v = serde_json::json!({
            "schema": "andon.model/1", "name": "pcb", "version": "2", "task": "detection",
            "inputs": [{"name": "images", "source": "image", "colour": "grey", "size": [64, 64]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
            "verdict": {"rule": "any-detection"},
            "digests": {"model.onnx": digest(b"graph")}
        });
        change(&mut v);
        fs::write(folder.join("model.json"), v.to_string()).unwrap();
    }

    fn refusal(change: impl Fn(&mut serde_json::Value)) -> Error {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), change);
        open(&dir.path().display().to_string()).unwrap_err()
    }

    #[test]
    fn a_digest_is_the_sha256_in_hex() {
        assert_eq!(digest(b"abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_bundle_gives_its_name_version_and_digest() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), |_| {});
        let source = open(&dir.path().display().to_string()).unwrap();
        assert_eq!((source.id.name.as_str(), source.id.version.as_str()), ("pcb", "2"));
        assert_eq!((source.id.digest, source.bytes), (digest(b"graph"), b"graph".to_vec()));
    }

    #[test]
    fn a_changed_file_is_refused() {
        let e = refusal(|v| v["digests"]["model.onnx"] = digest(b"other").into());
        assert!(matches!(e, Error::Digest { .. }), "{e}");
    }

    #[test]
    fn a_path_out_of_the_bundle_is_refused_even_if_it_exists() {
        for file in ["../model.onnx", "/etc/hostname", "", "a/../../x"] {
            let e = refusal(|v| v["model"] = file.into());
            assert!(matches!(e, Error::Escape { .. }), "{file}: {e}");
        }
        let e = refusal(|v| v["digests"]["../../etc/passwd"] = "sha256:0".into());
        assert!(matches!(e, Error::Escape { .. }), "{e}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_bundle_is_refused() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        write(dir.path(), |v| v["model"] = "link.onnx".into());
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link.onnx")).unwrap();
        assert!(matches!(open(&dir.path().display().to_string()), Err(Error::Escape { .. })));
    }
}
