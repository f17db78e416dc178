// SPDX-License-Identifier: MPL-2.0
//! What tests of the program need: the program itself, the repository, the data.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The repository's root, from which models and data are found.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program, run from the repository's root, with the ONNX Runtime that `make setup` left.
pub fn andon(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
    let runtime = root().join("target/onnxruntime/libonnxruntime.so");
    if std::env::var_os("ORT_DYLIB_PATH").is_none() && runtime.is_file() {
        command.env("ORT_DYLIB_PATH", runtime);
    }
    // The elements come with the program; what else is installed must not decide.
    command.args(arguments).current_dir(root()).env_remove("GST_PLUGIN_PATH").stdin(Stdio::null());
    command
}

/// The shared data's folder of that name, or none, with a line that says what is skipped.
pub fn data(folder: &str) -> Option<PathBuf> {
    let base = std::env::var_os("ANDON_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = base.join(folder);
    if !path.exists() {
        println!("skipped: {} is not there (set ANDON_DATA)", path.display());
        return None;
    }
    Some(path)
}

/// What was printed as results.
pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What was printed beside them.
pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}
