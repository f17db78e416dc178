// SPDX-License-Identifier: MPL-2.0
//! Reading a model: the manifest, the files that it names, their digests, and their signature.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use super::{
    Error, Golden, Location, Manifest, ModelInfo, Store, Trust, digest,
    files::{self, MANIFEST},
    locate,
    manifest::plain_path,
    trust::{POLICY, Policy, signature_of},
};
use andon_core::result::ModelId;

/// A model as read from disk: checked, but not loaded into an engine.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name, version and digest. For a bare file, the name is its stem and the version is empty.
    pub id: ModelId,
    /// The manifest. None for a bare file.
    pub manifest: Option<Manifest>,
    /// The content of the `.modelinfo` file beside a bare file. None for a bundle, whose manifest says it all.
    pub info: Option<ModelInfo>,
    /// The path of the graph.
    pub path: PathBuf,
    /// The content of the graph, so that what is hashed is what runs.
    pub bytes: Vec<u8>,
    /// The folder of the bundle. None for a bare file.
    pub folder: Option<PathBuf>,
    /// The manifest's golden samples, with absolute paths.
    pub golden: Vec<Golden>,
    /// The absolute path of the manifest's drift reference.
    pub reference: Option<PathBuf>,
    /// The trusted public key that signed the model. None if no signature was required or found.
    pub signed_by: Option<String>,
}

/// Keys, one of which must have signed a model.
struct Requirement {
    trust: Trust,
    /// Whether a model without a signature is refused.
    required: bool,
}

/// Reads the model that `model` names (see [`locate`]) and checks every digest. In a store with a policy, also checks the
/// signature.
///
/// # Errors
/// A model that is missing, damaged, altered or not signed as the store's policy requires.
pub fn open(model: &str) -> Result<Source, Error> {
    read_model(model, Vec::new(), true)
}

/// Reads a model as [`open`] does, and also refuses it if none of the keys in `trust` has signed it.
///
/// # Errors
/// All errors of [`open`], and a model that none of the keys has signed.
pub fn open_trusted(model: &str, trust: &Trust) -> Result<Source, Error> {
    read_model(model, vec![Requirement { trust: trust.clone(), required: true }], true)
}

/// Reads a model as [`open`] does, but ignores the store's policy: to look at a model, not to run it.
///
/// # Errors
/// A model that is missing or damaged.
pub fn inspect(model: &str) -> Result<Source, Error> {
    read_model(model, Vec::new(), false)
}

fn read_model(model: &str, mut requirements: Vec<Requirement>, policies: bool) -> Result<Source, Error> {
    let place = locate::place(model)?;
    if policies {
        requirements.extend(policies_in(&place.above)?);
    }
    let source = match &place.location {
        Location::Bare(path) => bare(path.clone(), &requirements),
        Location::Bundle(folder) => bundle(folder, &requirements, place.store.as_deref()),
    }?;
    place.check_unmoved()?;
    Ok(source)
}

/// Returns what the policies in the folders require.
fn policies_in(folders: &[PathBuf]) -> Result<Vec<Requirement>, Error> {
    let requirement = |p: Policy| Requirement { trust: p.trust, required: p.required };
    Ok(Policy::all(folders)?.into_iter().map(requirement).collect())
}

/// Reads a bundle under the policies of a store that holds it or is about to. With `placed`, the bundle must lie in the
/// store as the version that its manifest names.
pub(super) fn under_policy(folder: &Path, store: &Store, placed: bool) -> Result<Source, Error> {
    bundle(folder, &policies_in(store.policy_folders())?, placed.then_some(store.folder()))
}

/// Checks a file against all requirements, and returns the key that signed it. None if there is no signature.
fn signer(file: &Path, content: &[u8], requirements: &[Requirement]) -> Result<Option<String>, Error> {
    let mut signer = None;
    for requirement in requirements {
        signer = requirement.trust.verify(file, content, requirement.required)?.or(signer);
    }
    Ok(signer)
}

fn bare(path: PathBuf, requirements: &[Requirement]) -> Result<Source, Error> {
    let bytes = read(&path)?;
    let signed_by = signer(&path, &bytes, requirements)?;
    if signed_by.is_some() && has_external_weights(&bytes) {
        return Err(Error::Altered {
            path,
            problem: "its weights are in a file beside it, which its signature does not cover (make it a bundle)"
                .into(),
        });
    }
    let info = match ModelInfo::read_beside(&path)? {
        None => None,
        Some((at, text)) => {
            if signed_by.is_some() {
                signer(&at, text.as_bytes(), requirements)?;
            }
            Some(ModelInfo::of(&at, &text)?)
        }
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let id = ModelId { name, version: String::new(), digest: digest(&bytes) };
    let (manifest, folder, golden, reference) = (None, None, Vec::new(), None);
    Ok(Source { id, manifest, info, path, bytes, folder, golden, reference, signed_by })
}

/// Returns whether the graph names a file of weights: an ONNX entry with the key `location`, as protobuf writes it.
fn has_external_weights(graph: &[u8]) -> bool {
    const ENTRY: &[u8] = b"\x0a\x08location\x12";
    graph.windows(ENTRY.len()).any(|w| w == ENTRY)
}

fn bundle(folder: &Path, requirements: &[Requirement], store: Option<&Path>) -> Result<Source, Error> {
    let at = folder.join(MANIFEST);
    let text = read(&at)?;
    // Before parsing: an unsigned text must not reach the parser.
    let signed_by = signer(&at, &text, requirements)?;
    let text = String::from_utf8(text).map_err(|e| Error::Manifest {
        path: at.clone(),
        field: format!("byte {}", e.utf8_error().valid_up_to()),
        problem: "is not UTF-8".into(),
    })?;
    let manifest = Manifest::parse(&text, &at)?;
    if signed_by.is_some() {
        check_signed_folder(folder, &at, &manifest, store)?;
    }
    let path = inside(folder, &at, "model", &manifest.model)?;
    let golden = manifest.golden.iter().enumerate().map(|(i, golden)| {
        let image = inside(folder, &at, &format!("golden[{i}].image"), &golden.image.to_string_lossy())?;
        Ok(Golden { image, ..golden.clone() })
    });
    let golden = golden.collect::<Result<_, Error>>()?;
    let reference = manifest.reference.as_ref().map(|r| inside(folder, &at, "reference", r)).transpose()?;
    manifest.check_digests().map_err(|e| e.in_file(&at))?;
    let bytes = read(&path)?;
    let found = digest(&bytes);
    for (name, expected) in &manifest.digests {
        let file = inside(folder, &at, &format!("digests.{name}"), name)?;
        let found = if file == path { found.clone() } else { digest(&read(&file)?) };
        if !expected.eq_ignore_ascii_case(&found) {
            return Err(match signed_by {
                Some(_) => Error::Altered { path: file, problem: "its digest is not the one that was signed".into() },
                None => Error::Digest { path: file, expected: expected.clone(), found },
            });
        }
    }
    let id = ModelId { name: manifest.name.clone(), version: manifest.version.clone(), digest: found };
    let folder = Some(folder.to_path_buf());
    Ok(Source { id, manifest: Some(manifest), info: None, path, bytes, folder, golden, reference, signed_by })
}

/// Checks what a signature of the manifest cannot: that the digests cover every file in the folder, and that the bundle
/// lies where the store keeps this version. An old version in the place of a new one has a good signature, too.
fn check_signed_folder(folder: &Path, at: &Path, manifest: &Manifest, store: Option<&Path>) -> Result<(), Error> {
    let all = files::files(folder)?;
    let own = |name: &String| name == MANIFEST || Path::new(name) == signature_of(Path::new(MANIFEST));
    let signed: BTreeSet<_> = manifest.digests.keys().map(|name| plain_path(name)).collect();
    if let Some(name) = all.iter().find(|name| !own(name) && !signed.contains(*name)) {
        let path = folder.join(name);
        return Err(Error::Altered { path, problem: "it is not among the digests that were signed".into() });
    }
    let is = |path: &Path, what: &str| path.file_name().is_some_and(|n| n == what);
    // Where the store's own files were taken away, the policy beside the model's folder still says what that is.
    let below_policy = |model: &&Path| {
        is(model, &manifest.name) && model.parent().is_some_and(|above| above.join(POLICY).symlink_metadata().is_ok())
    };
    if let Some(store) = store.or_else(|| folder.parent().filter(below_policy)) {
        let real = |p: &Path| p.canonicalize().map_err(|error| Error::Io { path: p.into(), error });
        let (name, version) = (real(store)?, real(folder)?);
        if !is(&name, &manifest.name) || !is(&version, &manifest.version) {
            let problem = format!(
                "it was signed as version {} of {}, and lies in the place of another",
                manifest.version, manifest.name
            );
            return Err(Error::Altered { path: at.into(), problem });
        }
    }
    Ok(())
}

/// Returns the real path of a file that must lie in the bundle.
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
