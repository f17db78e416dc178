// SPDX-License-Identifier: MPL-2.0
//! Which signatures are trusted: public keys, a store's policy, and the check of a signature.
//!
//! Signatures are minisign's. In a bundle, `model.json.minisig` signs `model.json`, whose digests cover all other files.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use andon_core::{
    files::{self, TEXT},
    json,
};
use minisign_verify::{Error as Refusal, PublicKey, Signature};
use serde::{Deserialize, Serialize};

use super::Error;

/// The suffix that a file's name gets for its signature.
pub const SIGNATURE: &str = ".minisig";

/// The file with a policy for all models below its folder.
pub(super) const POLICY: &str = "policy.json";

/// The largest signature, bytes. Minisign's have some 300, and a comment.
const LONGEST: u64 = 64 << 10;

/// The beginning of minisign's comment lines.
const COMMENT: &str = "untrusted comment:";

/// Trusted public keys. One of them must have signed a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    keys: Vec<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    /// The key as text, base64.
    text: String,
    key: PublicKey,
}

impl Trust {
    /// Reads a file of minisign public keys, one per line. Empty lines, lines that begin with `#` and minisign's own
    /// comments are ignored, so a `minisign.pub` is such a file, and so is a concatenation of several.
    ///
    /// # Errors
    /// A file that is not plain, cannot be read, holds no key, or holds a line that is not a key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = files::read_text(path, TEXT).map_err(|error| Error::Io { path: path.into(), error })?;
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, l)| !l.is_empty() && !l.starts_with('#') && !l.starts_with(COMMENT));
        Self::new(keys.map(|(i, l)| (format!("line {}", i + 1), l.to_string())), path)
    }

    /// Returns the keys as texts, base64.
    pub fn keys(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.text.clone()).collect()
    }

    /// Makes a set of keys, each with its place in the file at `path`. An empty set is an error: it would trust no model.
    fn new(keys: impl Iterator<Item = (String, String)>, path: &Path) -> Result<Self, Error> {
        let fail = |field: String, problem: &str| Error::Keys { path: path.into(), field, problem: problem.into() };
        let keys = keys.map(|(field, text)| match PublicKey::from_base64(&text) {
            Ok(key) => Ok(Key { text, key }),
            Err(_) => {
                Err(fail(field, "is not a minisign public key: a key is one line of 56 characters, as in minisign.pub"))
            }
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(fail("keys".into(), "there is no key: add the second line of a minisign.pub"));
        }
        Ok(Self { keys })
    }

    /// Returns the key that signed `content`, the content of `file`. None if there is no signature and none is required.
    pub(super) fn verify(&self, file: &Path, content: &[u8], required: bool) -> Result<Option<String>, Error> {
        let at = signature_of(file);
        let broken = |problem: &str| Error::Signature { path: at.clone(), problem: problem.into() };
        // A link to nothing is a signature that is lost, not none.
        match at.symlink_metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound && !required => return Ok(None),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(Error::Unsigned { path: file.into(), signature: at });
            }
            Err(error) => return Err(Error::Io { path: at, error }),
            Ok(_) => {}
        }
        let text = match files::read_text(&at, LONGEST) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::InvalidData => return Err(broken("is not a text")),
            Err(error) => return Err(Error::Io { path: at, error }),
        };
        let signature =
            Signature::decode(&text).map_err(|_| broken("is incomplete, or not a signature of minisign"))?;
        let mut known = false;
        for key in &self.keys {
            match key.key.verify(content, &signature, false) {
                Ok(()) => return Ok(Some(key.text.clone())),
                Err(Refusal::UnexpectedKeyId) => {}
                Err(Refusal::UnexpectedAlgorithm) => {
                    return Err(broken("was made in minisign's old format, without -H"));
                }
                Err(_) => known = true,
            }
        }
        let path = file.into();
        Err(if known {
            Error::Altered { path, problem: "its content is not what was signed".into() }
        } else {
            Error::UntrustedKey { path }
        })
    }
}

/// Returns the path of a file's signature.
pub(super) fn signature_of(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(SIGNATURE);
    name.into()
}

/// A `policy.json`: the keys that sign the models below its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// The trusted keys.
    pub trust: Trust,
    /// Whether a model without a signature is refused. A signature that is there must be good in either case.
    pub required: bool,
}

/// The content of a `policy.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// The trusted keys of minisign, base64; at least one.
    pub trusted_keys: Vec<String>,
    /// Whether a model without a signature is refused. A signature that is there must be good in either case.
    #[serde(default = "yes")]
    pub require_signature: bool,
}

impl PolicyFile {
    /// Returns the path of the policy for all models below a folder.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(POLICY)
    }

    /// Reads the policy of a folder; None if it has none.
    ///
    /// # Errors
    /// [`Error::Policy`] or [`Error::Keys`] if what is called so is no policy.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = Self::path(folder);
        let fail = |problem: String| Error::Policy { path: path.clone(), problem };
        match path.symlink_metadata() {
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(fail(e.to_string())),
        }
        let text = files::read_text(&path, TEXT).map_err(|e| match (e.kind(), fs::read_link(&path)) {
            (ErrorKind::NotFound, Ok(target)) => fail(format!("is a link to {}, which is not there", target.display())),
            _ => fail(e.to_string()),
        })?;
        let file: Self = json::read(&text).map_err(|e| fail(e.to_string()))?;
        file.trust(&path).map(|_| Some(file))
    }

    /// Replaces the policy of a folder in one step.
    ///
    /// # Errors
    /// [`Error::Keys`] if it has no key, or what is none, and [`Error::Io`] if it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = Self::path(folder);
        self.trust(&path)?;
        let text = serde_json::to_string_pretty(self).expect("plain data always serialises") + "\n";
        files::replace(&path, text.as_bytes()).map_err(|error| Error::Io { path, error })
    }

    fn trust(&self, path: &Path) -> Result<Trust, Error> {
        let keys = self.trusted_keys.iter().cloned().enumerate().map(|(i, k)| (format!("trusted_keys[{i}]"), k));
        Trust::new(keys, path)
    }
}

fn yes() -> bool {
    true
}

impl Policy {
    /// Reads the policies in the folders, all of which hold: who may write a folder of models must not be able to put a
    /// milder policy between them and the one above. Whatever is called `policy.json` and is no policy is an error: it must
    /// not count as no policy.
    pub(super) fn all(folders: &[PathBuf]) -> Result<Vec<Self>, Error> {
        folders.iter().filter_map(|folder| Self::read(folder).transpose()).collect()
    }

    fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let Some(file) = PolicyFile::read(folder)? else { return Ok(None) };
        Ok(Some(Self { trust: file.trust(&PolicyFile::path(folder))?, required: file.require_signature }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn read(text: &str) -> Result<Trust, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Trust::read(file.path())
    }

    #[test]
    fn keys_are_read_from_one_or_several_public_key_files() {
        let one = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n");
        assert_eq!(read(&one).unwrap().keys.len(), 1);
        assert_eq!(read(&format!("# ours\n{KEY}\n\n{one}")).unwrap().keys.len(), 2);
    }

    #[test]
    fn a_file_without_a_key_and_a_line_that_is_not_a_key_are_refused() {
        let e = read("# no key\n").unwrap_err().to_string();
        assert!(e.contains("keys: there is no key"), "{e}");
        let e = read(&format!("{KEY}\nRWQnonsense\n")).unwrap_err().to_string();
        assert!(e.contains("line 2: is not a minisign public key"), "{e}");
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_refused_and_not_ignored() {
        let store = tempfile::tempdir().unwrap();
        let path = store.path().join(POLICY);
        let policy = || Policy::all(&[store.path().into()]);
        let good = format!(r#"{{"trusted_keys": ["{KEY}"]}}"#);
        fs::write(&path, format!("\u{feff}{good}")).unwrap();
        assert!(policy().unwrap()[0].required);
        for (text, where_) in [
            (&b""[..], "line 1"),
            (br#"{"trusted_keys": []}"#, "keys: there is no key"),
            (br#"{"trusted_keys": ["RW"]}"#, "trusted_keys[0]"),
            (br#"{"trusted_keys": [], "require_signatures": true}"#, "require_signature"),
            (br#"{"require_signature": true, "trusted_keys": [], "require_signature": false}"#, "stands twice"),
            (br#"{"default": [{"type": "insecureAcceptAnything"}]}"#, "another program's"),
            (b"\xff\xfe{\0}\0", "is UTF-16"),
        ] {
            fs::write(&path, text).unwrap();
            let e = policy().unwrap_err().to_string();
            assert!(e.contains("policy.json") && e.contains(where_), "{}: {e}", text.escape_ascii());
        }
        fs::File::create(&path).unwrap().set_len(TEXT + 1).unwrap();
        assert!(policy().unwrap_err().to_string().contains("has more than 16777216 bytes"));
        fs::remove_file(&path).unwrap();
        assert_eq!(policy().unwrap(), []);
        fs::create_dir(&path).unwrap();
        assert!(policy().unwrap_err().to_string().contains("is a folder"));
        fs::remove_dir(&path).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", &path).unwrap();
            let e = policy().unwrap_err().to_string();
            assert!(e.contains("is a link to nowhere, which is not there"), "{e}");
            fs::write(store.path().join("nowhere"), good).unwrap();
            assert!(policy().unwrap()[0].required, "a link to a policy is one");
        }
    }
}
