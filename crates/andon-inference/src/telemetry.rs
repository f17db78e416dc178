// SPDX-License-Identifier: MPL-2.0
//! Keeps ONNX Runtime from reporting to its maker.
//!
//! From 1.29 on, the official builds for Linux and macOS hold an uploader, which is on unless they are told otherwise: it
//! asks for `mobile.events.data.microsoft.com`, sends the names and hashes of models and keeps a device id below `HOME`.
//! Only the variable [`VARIABLE`] stops all of it, and only if it is there before the library makes its environment; the
//! call of the C API comes after the first report, and no option of the environment stands for it (docs/Privacy.md and
//! `core/platform/telemetry_environment.h` of ONNX Runtime 1.29 to 1.32).

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The variable by which ONNX Runtime is told to report nothing.
pub const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// What the environment says about reports of ONNX Runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telemetry {
    /// Nothing: a library with an uploader would report, so none is opened.
    Unsaid,
    /// Off.
    Off,
    /// On, by this value of [`VARIABLE`] that somebody has set.
    On(OsString),
}

/// Switches reports off for this process, unless the environment says already what is wanted.
///
/// # Safety
/// No other thread may be reading the environment past Rust's standard library: see `std::env::set_var`.
pub unsafe fn switch_off() {
    if env::var_os(VARIABLE).is_none() {
        // SAFETY: the caller's promise.
        unsafe { env::set_var(VARIABLE, "1") };
    }
}

/// What the environment says now.
pub fn telemetry() -> Telemetry {
    let Some(value) = env::var_os(VARIABLE) else { return Telemetry::Unsaid };
    // What the library takes for a yes.
    let word = value.to_string_lossy().trim().to_ascii_lowercase();
    if ["1", "true", "yes", "on", "y"].contains(&word.as_str()) { Telemetry::Off } else { Telemetry::On(value) }
}

/// Whether a library of ONNX Runtime holds the uploader: then it holds the name of the variable, too.
///
/// # Errors
/// The library cannot be read.
pub fn has_uploader(library: &Path) -> io::Result<bool> {
    let (mut file, name) = (File::open(library)?, VARIABLE.as_bytes());
    let mut read = vec![0; 1 << 20];
    let mut kept = 0;
    loop {
        let count = file.read(&mut read[kept..])?;
        if count == 0 {
            return Ok(false);
        }
        let seen = &read[..kept + count];
        if holds(seen, name) {
            return Ok(true);
        }
        // The name may lie across two reads.
        let from = seen.len().saturating_sub(name.len() - 1);
        let end = seen.len();
        read.copy_within(from..end, 0);
        kept = end - from;
    }
}

/// Whether some bytes hold others, which are not empty.
fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == wanted[0]) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uploader_is_found_wherever_its_name_lies() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libonnxruntime.so");
        for (before, found) in [(0, true), (1 << 20, true), ((1 << 20) - 7, true), (3 << 20, true), (40, false)] {
            let name = if found { VARIABLE } else { "ORT_DISABLE_TELEMETRX" };
            let bytes = [&vec![b'O'; before][..], name.as_bytes(), &[0; 9]].concat();
            std::fs::write(&library, bytes).unwrap();
            assert_eq!(has_uploader(&library).unwrap(), found, "{before}");
        }
        assert!(has_uploader(&folder.path().join("none")).is_err());
    }
}
