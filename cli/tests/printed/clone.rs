// SPDX-License-Identifier: MPL-2.0
//! A fresh clone: what git would keep of this folder, and nothing of what lies beside it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::common::root;

/// What `.gitignore` says, as far as this repository uses its language: `/NAME`, `/NAME/` and `*.END`, and names at any depth.
struct Ignored(Vec<String>);

impl Ignored {
    fn read() -> Self {
        let text = fs::read_to_string(root().join(".gitignore")).unwrap();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(Into::into).collect())
    }

    fn holds(&self, path: &Path) -> bool {
        let names: Vec<_> = path.iter().map(|name| name.to_str().unwrap()).collect();
        self.0.iter().any(|pattern| {
            let pattern = pattern.trim_end_matches('/');
            if let Some(from_the_root) = pattern.strip_prefix('/') {
                let wanted: Vec<_> = from_the_root.split('/').collect();
                names.len() >= wanted.len() && names.iter().zip(&wanted).all(|(name, wanted)| matches(name, wanted))
            } else {
                names.iter().any(|name| matches(name, pattern))
            }
        })
    }
}

fn matches(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        Some((begin, end)) => name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end),
        None => name == pattern,
    }
}

/// The files below a folder that git would keep, by their paths from there. A fuzzer's inputs are of no use to a page.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let (ignored, mut all, mut folders) = (Ignored::read(), Vec::new(), vec![PathBuf::new()]);
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(folder.join(&here)).unwrap().map(Result::unwrap) {
            let path = here.join(entry.file_name());
            if ignored.holds(&path) || path == Path::new(".git") || path.starts_with("fuzz/corpus") {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                all.push(path);
            }
        }
    }
    all
}

pub struct Clone {
    folder: TempDir,
    before: BTreeMap<PathBuf, Vec<u8>>,
}

impl Clone {
    pub fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("andon");
        let mut before = BTreeMap::new();
        for path in files(&root()) {
            let (from, to) = (root().join(&path), source.join(&path));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&from, &to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
            before.insert(path, fs::read(&to).unwrap());
        }
        assert!(fs::metadata(source.join("scripts/env")).unwrap().permissions().mode() & 0o400 != 0);
        let here = Self { folder, before };
        here.lay_out_what_is_built();
        here
    }

    /// The folder that a newcomer types in.
    pub fn source(&self) -> PathBuf {
        self.folder.path().join("andon")
    }

    /// A folder beside it, for what no page speaks of.
    pub fn beside(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The target folder as `make build` leaves it.
    fn lay_out_what_is_built(&self) {
        use std::os::unix::fs::symlink;
        let program = Path::new(env!("CARGO_BIN_EXE_andon"));
        let built = self.beside("target").join("debug");
        fs::create_dir_all(&built).unwrap();
        symlink(program, built.join("andon")).unwrap();
        let plugin = program.parent().unwrap().join("deps/libgstandon.so");
        assert!(plugin.exists(), "{} is not built: run the tests by cargo", plugin.display());
        symlink(plugin, built.join("libgstandon.so")).unwrap();
        let runtime = root().join("target/onnxruntime");
        if runtime.exists() {
            symlink(runtime.canonicalize().unwrap(), self.folder.path().join("target/onnxruntime")).unwrap();
        }
    }

    /// What git would list: files that were changed, removed, or made and are not ignored.
    pub fn left_over(&self) -> Vec<String> {
        let after = files(&self.source());
        let changed =
            self.before.iter().filter(|(path, text)| fs::read(self.source().join(path)).ok().as_ref() != Some(*text));
        let changed = changed.map(|(path, _)| format!("is changed or gone: {}", path.display()));
        let new = after.iter().filter(|path| !self.before.contains_key(*path));
        changed.chain(new.map(|path| format!("is left behind: {}", path.display()))).collect()
    }
}

#[test]
fn what_is_ignored_is_what_git_ignores() {
    let ignored = Ignored(["/target/", "*.pyc", "/seen.*", "__pycache__/"].map(Into::into).into());
    let holds = |path: &str| ignored.holds(Path::new(path));
    assert!(holds("target/debug/andon") && holds("scripts/a.pyc") && holds("seen.mp4") && holds("a/__pycache__/b"));
    assert!(!holds("src/target/a") && !holds("a/seen.mp4") && !holds("README.md"));
}
