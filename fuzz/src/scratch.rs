// SPDX-License-Identifier: MPL-2.0
//! A folder in memory, where there is one, for what can only be read from files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder that goes when it is dropped.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        Self(tempfile::tempdir_in(base).expect("there is room for a folder"))
    }

    /// The path of a file, whose folders are made.
    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("there is room for a folder");
        path
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("there is room for a file");
        path
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }
}
