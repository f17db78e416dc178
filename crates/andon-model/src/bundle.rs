// SPDX-License-Identifier: MPL-2.0
//! Reading a model: the manifest, the files that it names, their digests, and their signature.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use andon_core::{files::TEXT, result::ModelId, text};

use super::{
    Error, Golden, InputSource, Location, Manifest, ModelInfo, Store, Trust, digest,
    files::{self, MANIFEST},
    locate,
    manifest::plain_path,
    trust::{POLICY, Policy, signature_of},
    weights::{self, Content, GRAPH},
};

/// The folder of a bundle with golden samples and the templates that they need.
const GOLDEN: &str = "golden";

/// The largest picture or drift reference, bytes.
const PICTURE: u64 = 256 << 20;

/// A model as read from disk: checked, but not loaded into an engine.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name, version and digest. For a bare file, the name is its stem and the version is empty.
    pub id: ModelId,
    /// The manifest. None for a bare file.
    pub manifest: Option<Manifest>,
    /// The content of the `.modelinfo` file beside a bare file. None for a bundle, whose manifest says it all.
    pub info: Option<ModelInfo>,
    /// The path of the graph, for messages: what runs are [`Self::bytes`].
    pub path: PathBuf,
    /// The graph, so that what is hashed is what runs. Weights in files of their own are in it as far as ONNX Runtime takes
    /// them from nowhere else.
    pub bytes: Arc<[u8]>,
    /// The files of weights that the graph names, each by its path as the graph writes it.
    pub weights: Vec<Content>,
    /// The folder of the bundle. None for a bare file.
    pub folder: Option<PathBuf>,
    /// The manifest's golden samples, with absolute paths.
    pub golden: Vec<Golden>,
    /// The pictures of the golden samples, and the templates in the folder `golden` where the model takes templates, by their
    /// absolute paths.
    pub pictures: BTreeMap<PathBuf, Arc<[u8]>>,
    /// The manifest's drift reference.
    pub reference: Option<Content>,
    /// What a signature signs: the text of the manifest, or a bare file's graph as it lies on the disk.
    pub to_sign: Arc<[u8]>,
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
    let (folder, own) = weights::place(&path)?;
    let graph = weights::read_graph(&path)?;
    let signed_by = signer(&path, &graph, requirements)?;
    let outside = weights::named(&graph, own, &path)?;
    if signed_by.is_some() && !outside.files.is_empty() {
        return Err(Error::Altered {
            path,
            problem: "its weights are in a file beside it, which its signature does not cover (make it a bundle)"
                .into(),
        });
    }
    let (digest, to_sign) = (digest(&graph), graph.clone());
    let (bytes, weights) = weights::read(folder, graph, &outside, &path, |_, _| Ok(()))?;
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
    let id = ModelId { name, version: String::new(), digest };
    let (manifest, folder, golden, pictures, reference) = Default::default();
    Ok(Source { id, manifest, info, path, bytes, weights, folder, golden, pictures, reference, to_sign, signed_by })
}

/// The digests that a manifest gives, by plain path.
struct Digests<'a> {
    folder: &'a Path,
    all: BTreeMap<String, &'a str>,
    signed: bool,
}

impl Digests<'_> {
    /// Holds a file to its digest, if it has one.
    fn check(&self, name: &str, found: &str) -> Result<(), Error> {
        let expected = match self.all.get(name) {
            Some(expected) if !expected.eq_ignore_ascii_case(found) => expected.to_string(),
            _ => return Ok(()),
        };
        let path = self.folder.join(name);
        Err(if self.signed {
            Error::Altered { path, problem: "its digest is not the one that was signed".into() }
        } else {
            Error::Digest { path, expected, found: found.into() }
        })
    }

    fn check_content(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        if self.all.contains_key(name) { self.check(name, &digest(content)) } else { Ok(()) }
    }

    /// Reads a file of at most `most` bytes, and holds it to its digest.
    fn read(&self, name: &str, most: u64) -> Result<Arc<[u8]>, Error> {
        let content = files::read(self.folder, name, most)?;
        self.check_content(name, &content)?;
        Ok(content)
    }
}

fn bundle(folder: &Path, requirements: &[Requirement], store: Option<&Path>) -> Result<Source, Error> {
    let at = folder.join(MANIFEST);
    let to_sign = files::read(folder, MANIFEST, TEXT)?;
    // Before parsing: an unsigned text must not reach the parser.
    let signed_by = signer(&at, &to_sign, requirements)?;
    let text = text::decode(to_sign.to_vec()).map_err(|e| Error::Manifest {
        path: at.clone(),
        field: "text".into(),
        problem: e.to_string(),
    })?;
    let manifest = Manifest::parse(&text, &at)?;
    if signed_by.is_some() {
        check_signed_folder(folder, &at, &manifest, store)?;
    }
    let folder = &folder.canonicalize().map_err(|error| Error::Io { path: folder.into(), error })?;
    let inside = |field: &str, file: &str| inside(&at, field, file);
    let own = inside("model", &manifest.model)?;
    let images = manifest.golden.iter().enumerate();
    let images = images.map(|(i, g)| inside(&format!("golden[{i}].image"), &g.image.to_string_lossy()));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let reference = manifest.reference.as_ref().map(|r| inside("reference", r)).transpose()?;
    manifest.check_digests().map_err(|e| e.in_file(&at))?;
    let mut digests = Digests { folder, all: BTreeMap::new(), signed: signed_by.is_some() };
    for (name, expected) in &manifest.digests {
        digests.all.insert(inside(&format!("digests.{name}"), name)?, expected);
    }
    // Every file is read once, and what was read is what runs: a file that is exchanged later changes nothing.
    let path = folder.join(&own);
    let graph = files::read(folder, &own, GRAPH)?;
    let found = digest(&graph);
    digests.check(&own, &found)?;
    let outside = weights::named(&graph, &own, &path)?;
    if let Some(named) = outside.files.iter().find(|f| !digests.all.is_empty() && !digests.all.contains_key(&f.name)) {
        return Err(manifest.without_digest(&named.name, "the graph").in_file(&at));
    }
    let (bytes, weights) =
        weights::read(folder, graph, &outside, &path, |name, content| digests.check_content(name, content))?;
    let pictures = pictures(&digests, &manifest, &images)?;
    let reference = reference.map(|name| {
        let bytes = digests.read(&name, PICTURE)?;
        Ok::<_, Error>(Content { path: folder.join(&name), name, bytes })
    });
    let reference = reference.transpose()?;
    let read = |name: &String| {
        let path = folder.join(name);
        *name == own
            || pictures.contains_key(&path)
            || reference.as_ref().is_some_and(|r| r.name == *name)
            || weights.iter().any(|w| w.path == path)
    };
    for name in digests.all.keys().filter(|name| !read(name)) {
        digests.check(name, &files::digest_of(folder, name)?)?;
    }
    let golden = manifest.golden.iter().zip(&images);
    let golden = golden.map(|(golden, name)| Golden { image: folder.join(name), ..golden.clone() }).collect();
    let id = ModelId { name: manifest.name.clone(), version: manifest.version.clone(), digest: found };
    let (manifest, info, folder) = (Some(manifest), None, Some(folder.clone()));
    Ok(Source { id, manifest, info, path, bytes, weights, folder, golden, pictures, reference, to_sign, signed_by })
}

/// Reads the pictures of golden samples, and the templates that may be wanted with them.
fn pictures(
    digests: &Digests<'_>,
    manifest: &Manifest,
    images: &[String],
) -> Result<BTreeMap<PathBuf, Arc<[u8]>>, Error> {
    let mut names: BTreeSet<_> = images.iter().cloned().collect();
    let templates = manifest.inputs.iter().any(|i| i.source() == Some(InputSource::ImageFile));
    let golden = digests.folder.join(GOLDEN);
    if templates && !images.is_empty() && golden.is_dir() {
        let all = files::files(&golden)?.into_iter().filter(|n| n.to_ascii_lowercase().ends_with(".png"));
        names.extend(all.map(|n| format!("{GOLDEN}/{n}")));
    }
    names.into_iter().map(|name| Ok((digests.folder.join(&name), digests.read(&name, PICTURE)?))).collect()
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
    // A copy that is about to become a version lies there by another name.
    let is_version = folder.file_name().and_then(|n| n.to_str()).is_some_and(locate::is_version);
    let by_policy = || folder.parent().filter(|_| is_version).filter(below_policy);
    if let Some(store) = store.or_else(by_policy) {
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

/// Returns the plain path, below the bundle's folder, of a file that must lie there.
fn inside(manifest: &Path, field: &str, file: &str) -> Result<String, Error> {
    let steps = || Path::new(file).components();
    let plain = steps().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let name = plain_path(file);
    if plain && !name.is_empty() {
        return Ok(name);
    }
    Err(Error::Escape { path: manifest.into(), field: field.into(), file: file.into() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The least that is a graph: the name of who made it.
    const GRAPH: &[u8] = b"\x12\x05graph";

    fn write(folder: &Path, change: impl Fn(&mut serde_json::Value)) {
        fs::write(folder.join("model.onnx"), GRAPH).unwrap();
        let mut v = serde_json::json!({
            "schema": "andon.model/1", "name": "pcb", "version": "2", "task": "detection",
            "inputs": [{"name": "images", "source": "image", "colour": "grey", "size": [64, 64]}],
            "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
            "verdict": {"rule": "any-detection"},
            "digests": {"model.onnx": digest(GRAPH)}
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
        assert_eq!((source.id.digest, source.bytes), (digest(GRAPH), GRAPH.into()));
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
    fn a_link_is_refused() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        write(dir.path(), |v| {
            v["model"] = "link.onnx".into();
            v["digests"] = serde_json::json!({});
        });
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link.onnx")).unwrap();
        let e = open(&dir.path().display().to_string()).unwrap_err().to_string();
        assert!(e.contains("link.onnx: is a link, and a bundle holds plain files only"), "{e}");
    }
}
