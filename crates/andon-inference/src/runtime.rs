// SPDX-License-Identifier: MPL-2.0
//! Finds the library of ONNX Runtime at run time, and loads it once a process: the one that `ORT_DYLIB_PATH` names, one
//! beside the plugin, or the system's.

use std::{
    cell::RefCell,
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use ort::{LoadDynamicError, environment::Environment, logging::LogLevel};
use parking_lot::Mutex;

use crate::{
    Error, exit,
    telemetry::{Telemetry, has_uploader, telemetry},
};

/// The library's name. A numbered library (`libonnxruntime.so.1.22.0`) is found by the beginning of its name.
const LIBRARY: &str = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// The folders in which distributions install libraries.
const SYSTEM: &[&str] = &[
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/opt/onnxruntime/lib",
];

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
static LOADED: OnceLock<PathBuf> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// The environment of ONNX Runtime. The first call loads the library; after a failure the next call tries again.
///
/// # Errors
/// [`Error::NoRuntime`] or [`Error::BadRuntime`], with the path and what to do.
pub fn environment() -> Result<&'static Environment, Error> {
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let _loading = LOADING.lock();
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let path = std::path::absolute(find()?).map_err(|e| Error::Runtime(e.to_string()))?;
    // The program or the plugin has seen to it long before. What has not, or has lost it since, is told, not reported on.
    if telemetry() == Telemetry::Unsaid && has_uploader(&path).unwrap_or(false) {
        return Err(Error::Reports { path });
    }
    let bad = |problem: String| Error::BadRuntime { path: path.clone(), problem };
    let builder = ort::init_from(&path).map_err(|e| bad(fault(&e)))?;
    exit::guard();
    let builder = builder.with_name("andon").with_telemetry(false).with_logger(Arc::new(log));
    let environment = builder.build().map_err(|e| bad(e.to_string()))?;
    let _ = LOADED.set(path.clone());
    exit::guard();
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// What is wrong with a library, without the library's path.
fn fault(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, path } => {
            // The source is the message of the system's loader.
            let text = std::error::Error::source(error).map_or_else(|| error.to_string(), |e| e.to_string());
            let text = text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text);
            format!("cannot be loaded: {text}")
        }
        LoadDynamicError::MissingApi { .. } => "is not ONNX Runtime (it has no OrtGetApiBase)".into(),
        LoadDynamicError::InvalidVersionString => "is ONNX Runtime of a version that cannot be read".into(),
        LoadDynamicError::BadVersion { version_str, .. } => format!("is ONNX Runtime {version_str}, which is too old"),
    }
}

thread_local! {
    static LOGGED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the last error that ONNX Runtime logs, since nothing else names the missing library of a provider. If `ORT_LOG`
/// is set, prints every message, as ONNX Runtime would.
fn log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    if env::var_os("ORT_LOG").is_some() {
        eprintln!("ONNX Runtime, {level:?}, {location}: {message}");
    }
    if level >= LogLevel::Error {
        LOGGED.set(Some(message.to_string()));
    }
}

/// Returns the last error that ONNX Runtime logged on this thread since the last call.
pub(crate) fn take_logged() -> Option<String> {
    LOGGED.take()
}

/// The version and build of ONNX Runtime, for people. Loads the library.
///
/// # Errors
/// As of [`environment`].
pub fn info() -> Result<&'static str, Error> {
    environment().map(|_| ort::info())
}

/// The version of ONNX Runtime, from the name of the library or else from its build. Loads the library.
///
/// # Errors
/// As of [`environment`].
pub fn release() -> Result<String, Error> {
    let info = info()?;
    let file = library().and_then(|p| p.canonicalize().ok()).map(|p| version(&p)).filter(|v| v.len() > 1);
    let file = file.map(|v| v.iter().map(u32::to_string).collect::<Vec<_>>().join("."));
    let branch = || Some(info.split_once("git-branch=rel-")?.1.split(',').next()?.to_string());
    Ok(file.or_else(branch).unwrap_or_else(|| "of an unknown version".into()))
}

/// The library that was loaded, or `None` before.
pub fn library() -> Option<&'static Path> {
    LOADED.get().map(PathBuf::as_path)
}

/// Finds the library to load.
fn find() -> Result<PathBuf, Error> {
    let mut tried = Vec::new();
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|p| !p.is_empty()).map(PathBuf::from) {
        // The named library is the one that is meant: there is no fallback.
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::NoRuntime { tried: vec![format!("ORT_DYLIB_PATH={}", path.display())] })
        };
    }
    let beside = own_library().and_then(|p| p.parent().map(Path::to_path_buf));
    for folder in beside.into_iter().chain(SYSTEM.iter().map(PathBuf::from)) {
        if let Some(path) = in_folder(&folder) {
            return Ok(path);
        }
        tried.push(folder.display().to_string());
    }
    Err(Error::NoRuntime { tried })
}

/// The library in a folder, or in the folder `onnxruntime` in it: one without a number, or else the newest.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let plain = [folder.join(LIBRARY), folder.join("onnxruntime").join(LIBRARY)];
    if let Some(path) = plain.into_iter().find(|p| p.is_file()) {
        return Some(path);
    }
    let numbered = fs::read_dir(folder).ok()?.flatten().map(|e| e.path());
    numbered
        .filter(|p| {
            let name = p.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.strip_prefix(LIBRARY).is_some_and(|rest| rest.starts_with('.'))
        })
        .max_by_key(|p| version(p))
}

/// The numbers after `.so`, so that 1.9 comes before 1.22.
fn version(path: &Path) -> Vec<u32> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name.trim_start_matches(LIBRARY).split('.').filter_map(|n| n.parse().ok()).collect()
}

/// The file that this code was loaded from: the plugin, or a program that links it.
fn own_library() -> Option<PathBuf> {
    let here = own_library as *const () as usize;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let at = |s| usize::from_str_radix(s, 16).ok();
        let path = rest.find('/').map(|i| PathBuf::from(&rest[i..]))?;
        (at(from)?..at(to)?).contains(&here).then_some(path)
    })
}

/// The number of cores that this process may use, hyper-threads counted once. It is the meaning of 0 threads.
pub fn cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, |n| n.get());
    physical().map_or(allowed, |n| n.min(allowed)).max(1)
}

/// The number of cores of the machine by package and core id, if the system shows them.
fn physical() -> Option<usize> {
    let mut seen = std::collections::BTreeSet::new();
    for entry in fs::read_dir("/sys/devices/system/cpu").ok()?.flatten() {
        let topology = entry.path().join("topology");
        let read = |file| fs::read_to_string(topology.join(file)).ok();
        if let (Some(package), Some(core)) = (read("physical_package_id"), read("core_id")) {
            seen.insert((package, core));
        }
    }
    (!seen.is_empty()).then_some(seen.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_finds_the_file_it_was_loaded_from() {
        assert_eq!(own_library().unwrap().canonicalize().unwrap(), env::current_exe().unwrap().canonicalize().unwrap());
    }

    #[test]
    fn the_newest_numbered_library_is_taken_where_there_is_no_plain_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(in_folder(dir.path()), None);
        for name in ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.22.0", "libonnxruntime_providers_shared.so"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        if cfg!(target_os = "linux") {
            assert_eq!(in_folder(dir.path()), Some(dir.path().join("libonnxruntime.so.1.22.0")));
        }
    }

    #[test]
    fn at_least_one_core_is_counted() {
        assert!(cores() >= 1);
    }
}
