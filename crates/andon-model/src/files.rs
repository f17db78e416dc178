// SPDX-License-Identifier: MPL-2.0
//! The files of a bundle, and their digests.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
};

use andon_core::files::{NotPlain, open_in, read_shared};

use super::{
    Error, SIGNATURE,
    digest::{self, of_file},
};

/// The file name of the manifest in a bundle.
pub(super) const MANIFEST: &str = "model.json";

/// The deepest nesting of folders in a bundle.
const MAX_DEPTH: usize = 16;

/// Computes the `digests` of a bundle's manifest: `sha256:…` of every file in the folder except the manifest and its
/// signature, by relative path.
///
/// # Errors
/// A file that cannot be read, or an entry that is neither a file nor a folder.
pub fn digests(folder: &Path) -> Result<BTreeMap<String, String>, Error> {
    let own = |name: &str| name != MANIFEST && name.strip_suffix(SIGNATURE) != Some(MANIFEST);
    let names = files(folder)?.into_iter().filter(|name| own(name));
    names.map(|name| digest_of(folder, &name).map(|digest| (name, digest))).collect()
}

/// Opens a file of a bundle by its relative path. A link is an error, also one on the way.
pub(super) fn open(folder: &Path, name: &str) -> Result<File, Error> {
    open_in(folder, name.as_ref()).map_err(|error| refusal(folder.join(name).as_path(), error))
}

/// Reads a file of a bundle of at most `most` bytes.
pub(super) fn read(folder: &Path, name: &str, most: u64) -> Result<Arc<[u8]>, Error> {
    let file = open(folder, name)?;
    read_shared(&file, most).map_err(|error| refusal(folder.join(name).as_path(), error))
}

/// Returns the digest of a file of a bundle, which may be larger than memory.
pub(super) fn digest_of(folder: &Path, name: &str) -> Result<String, Error> {
    of_file(&open(folder, name)?).map_err(|error| refusal(folder.join(name).as_path(), error))
}

/// Says why a file is not read.
pub(super) fn refusal(path: &Path, error: io::Error) -> Error {
    let path = path.to_path_buf();
    match error.get_ref().and_then(|e| e.downcast_ref()) {
        Some(NotPlain::Kind(what)) => Error::NotPlain { path, what },
        Some(NotPlain::Size(most)) => Error::TooLarge { path, most: *most },
        None => Error::Io { path, error },
    }
}

/// Returns the relative paths of all files below a folder, sorted, with `/` as separator. A link is an error.
pub(super) fn files(folder: &Path) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    walk(folder, "", 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> Result<(), Error> {
    let fail = |error| Error::Io { path: folder.into(), error };
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (kind, path) = (entry.file_type().map_err(fail)?, entry.path());
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| fail(io::Error::other("a name in it is not UTF-8")))?;
        if kind.is_file() {
            found.push(format!("{prefix}{name}"));
        } else if kind.is_dir() && depth < MAX_DEPTH {
            walk(&path, &format!("{prefix}{name}/"), depth + 1, found)?;
        } else if kind.is_dir() {
            return Err(fail(io::Error::other("its folders are nested too deeply")));
        } else {
            let what = if kind.is_symlink() { "a link" } else { "a FIFO, a socket or a device" };
            return Err(Error::NotPlain { path, what });
        }
    }
    Ok(())
}

/// Returns one digest of a bundle without its signature. Two bundles with equal digests are the same.
pub(super) fn bundle_digest(folder: &Path) -> Result<String, Error> {
    let mut lines = String::new();
    for (name, digest) in digests(folder)? {
        lines += &format!("{digest}  {name}\n");
    }
    lines += &format!("{}  {MANIFEST}\n", digest_of(folder, MANIFEST)?);
    Ok(digest::digest(lines.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("golden")).unwrap();
        for name in ["model.json", "model.json.minisig", "model.onnx", "golden/a.png", "golden/model.json"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        dir
    }

    #[test]
    fn every_file_has_a_digest_but_the_manifest_and_its_signature() {
        let dir = bundle();
        let all = digests(dir.path()).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["golden/a.png", "golden/model.json", "model.onnx"]);
        assert_eq!(all["model.onnx"], digest::digest(b"model.onnx"));
    }

    #[test]
    fn two_bundles_are_the_same_by_their_content_and_not_by_who_signed_them() {
        let (one, other) = (bundle(), bundle());
        fs::write(other.path().join("model.json.minisig"), "somebody else").unwrap();
        assert_eq!(bundle_digest(one.path()).unwrap(), bundle_digest(other.path()).unwrap());
        fs::rename(other.path().join("golden/a.png"), other.path().join("golden/b.png")).unwrap();
        assert_ne!(bundle_digest(one.path()).unwrap(), bundle_digest(other.path()).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_bundle_is_named() {
        let dir = bundle();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("golden/link")).unwrap();
        let e = digests(dir.path()).unwrap_err().to_string();
        assert!(e.contains("golden/link: is a link"), "{e}");
    }
}
