// SPDX-License-Identifier: MPL-2.0
//! Loads the library of ONNX Runtime at run time, once a process: the one that the module `search` finds.

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
    search::{find, version},
    telemetry::{Telemetry, has_uploader, telemetry},
};

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
    fn at_least_one_core_is_counted() {
        assert!(cores() >= 1);
    }
}
