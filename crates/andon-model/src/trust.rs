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

use minisign_verify::{Error as Refusal, PublicKey, Signature};
use serde::Deserialize;

use super::Error;

/// The suffix that a file's name gets for its signature.
pub const SIGNATURE: &str = ".minisig";

/// The file in a store's folder with its policy.
const POLICY: &str = "policy.json";

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
    /// A file that cannot be read, holds no key, or holds a line that is not a key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|error| Error::Io { path: path.into(), error })?;
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, l)| !l.is_empty() && !l.starts_with('#') && !l.starts_with(COMMENT));
        Self::new(keys.map(|(i, l)| (format!("line {}", i + 1), l.to_string())), path)
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
        let text = match fs::read_to_string(&at) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound && !required => return Ok(None),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(Error::Unsigned { path: file.into(), signature: at });
            }
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

/// `STORE/policy.json`: the keys that sign the models of this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// The trusted keys.
    pub trust: Trust,
    /// Whether a model without a signature is refused. A signature that is there must be good in either case.
    pub required: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    trusted_keys: Vec<String>,
    #[serde(default = "yes")]
    require_signature: bool,
}

fn yes() -> bool {
    true
}

impl Policy {
    /// Reads the policy for the models in `STORE/NAME`. None if the store has no policy. A file that cannot be parsed is an
    /// error: it must not count as no policy.
    pub(super) fn of(model: &Path) -> Result<Option<Self>, Error> {
        let path = match (model.file_name(), model.parent()) {
            (Some(_), Some(store)) => store.join(POLICY),
            _ => model.join("..").join(POLICY),
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::Io { path, error }),
        };
        let file: PolicyFile = serde_json::from_str(&text).map_err(|e| Error::Keys {
            path: path.clone(),
            field: format!("line {}", e.line()),
            problem: format!("{e}: write {{\"trusted_keys\": [\"RW…\"], \"require_signature\": true}}"),
        })?;
        let keys = file.trusted_keys.into_iter().enumerate().map(|(i, k)| (format!("trusted_keys[{i}]"), k));
        Ok(Some(Self { trust: Trust::new(keys, &path)?, required: file.require_signature }))
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
    fn a_policy_that_cannot_be_parsed_is_refused_and_not_ignored() {
        let store = tempfile::tempdir().unwrap();
        let policy = |text: &str| {
            fs::write(store.path().join(POLICY), text).unwrap();
            Policy::of(&store.path().join("pcb"))
        };
        assert!(policy(&format!(r#"{{"trusted_keys": ["{KEY}"]}}"#)).unwrap().unwrap().required);
        for (text, where_) in [
            ("", "line 1"),
            (r#"{"trusted_keys": []}"#, "keys: there is no key"),
            (r#"{"trusted_keys": ["RW"]}"#, "trusted_keys[0]"),
            (r#"{"trusted_keys": [], "require_signatures": true}"#, "require_signature"),
        ] {
            let e = policy(text).unwrap_err().to_string();
            assert!(e.contains("policy.json") && e.contains(where_), "{text}: {e}");
        }
        fs::remove_file(store.path().join(POLICY)).unwrap();
        assert_eq!(Policy::of(&store.path().join("pcb")).unwrap(), None);
    }
}
