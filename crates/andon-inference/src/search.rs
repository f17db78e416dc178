// SPDX-License-Identifier: MPL-2.0
//! Finds the library of ONNX Runtime: the one that `ORT_DYLIB_PATH` names; else one that lies where an installation or a
//! build of Andon puts it, as seen from the file that this code was loaded from; else the system's.
//!
//! Seen from the plugin or the program, in this order:
//!
//! 1. beside it, and in the folder `onnxruntime` beside it;
//! 2. in the private folder of an installation, `PREFIX/lib/andon`, or beside the installed plugin;
//! 3. beside its build, in `target/onnxruntime`, where `make setup` leaves it;
//! 4. in the folders of the system, if it is new enough.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::Error;

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

/// Finds the library to load.
///
/// # Errors
/// [`Error::NoRuntime`], with the places and the command that helps.
pub(crate) fn find() -> Result<PathBuf, Error> {
    let own = own_library();
    let help = || help(own.as_deref());
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|p| !p.is_empty()).map(PathBuf::from) {
        // The named library is the one that is meant: there is no fallback.
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::NoRuntime { tried: vec![format!("ORT_DYLIB_PATH={}", path.display())], help: help() })
        };
    }
    let mut tried = Vec::new();
    for folder in own.as_deref().map(of_andon).unwrap_or_default() {
        if let Some(path) = in_folder(&folder).into_iter().next() {
            return Ok(path);
        }
        tried.push(folder.display().to_string());
    }
    for folder in SYSTEM.iter().map(Path::new) {
        let found = in_folder(folder);
        if let Some(path) = found.iter().find(|path| is_new_enough(path)) {
            return Ok(path.clone());
        }
        // One that is too old is said to be there.
        tried.push(found.first().map_or(folder.display().to_string(), |old| format!("{}, too old", old.display())));
    }
    Err(Error::NoRuntime { tried, help: help() })
}

/// The folders in which an installation or a build of Andon keeps the library, seen from the plugin's or program's own file.
fn of_andon(own: &Path) -> Vec<PathBuf> {
    let Some(beside) = own.parent() else { return Vec::new() };
    let above = beside.parent();
    let mut all = vec![beside.to_path_buf(), beside.join("onnxruntime")];
    match (beside.file_name().and_then(|n| n.to_str()), above) {
        (Some("bin"), Some(prefix)) => {
            let libraries = prefix.join("lib");
            all.push(libraries.join("andon"));
            all.push(libraries.join("gstreamer-1.0"));
            let of_machines = fs::read_dir(&libraries).into_iter().flatten().flatten().map(|e| e.path());
            let mut of_machines: Vec<_> =
                of_machines.map(|p| p.join("gstreamer-1.0")).filter(|p| p.join("libgstandon.so").is_file()).collect();
            of_machines.sort();
            all.extend(of_machines);
        }
        // PREFIX/lib/gstreamer-1.0, or PREFIX/lib/MACHINE/gstreamer-1.0.
        (Some("gstreamer-1.0"), Some(libraries)) => {
            all.push(libraries.join("andon"));
            all.extend(libraries.parent().map(|p| p.join("andon")));
        }
        // target/PROFILE/deps and target/PROFILE/examples.
        (Some("deps" | "examples"), Some(profile)) => all.extend(profile.parent().map(|p| p.join("onnxruntime"))),
        // target/PROFILE.
        (_, Some(target)) => all.push(target.join("onnxruntime")),
        _ => {}
    }
    all
}

/// What to do where there is no library.
fn help(own: Option<&Path>) -> String {
    let source = own.and_then(|own| own.ancestors().skip(1).take(5).find(|p| p.join("scripts/setup").is_file()));
    match source {
        Some(source) => format!("run `make setup` in {}, which will install one", source.display()),
        None => format!(
            "install ONNX Runtime 1.{} or newer (on Debian 13: apt install libonnxruntime1.21)",
            ort::MINOR_VERSION
        ),
    }
}

/// The libraries in a folder: the one without a number first, then from the newest to the oldest.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let named = |p: &PathBuf| p.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix(LIBRARY)).is_some();
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut all: Vec<_> = files
        .filter(named)
        .filter(|p| {
            let plain = p.file_name().is_some_and(|n| n == LIBRARY);
            (plain || !version(p).is_empty()) && p.is_file()
        })
        .collect();
    all.sort_by_key(|p| (p.file_name().is_some_and(|n| n == LIBRARY), version(p)));
    all.reverse();
    all
}

/// Returns whether a library is one that Andon can use, by the number in its file's name. One without a number is tried.
fn is_new_enough(path: &Path) -> bool {
    let numbers = version(&path.canonicalize().unwrap_or_else(|_| path.into()));
    numbers.len() < 2 || (numbers[0], numbers[1]) >= (1, ort::MINOR_VERSION)
}

/// The numbers after `.so`, so that 1.9 comes before 1.22.
pub(crate) fn version(path: &Path) -> Vec<u32> {
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
        let path = rest.find('/').map(|i| &rest[i..])?;
        // A package that was upgraded has put another file in the place of the one that runs.
        let path = PathBuf::from(path.strip_suffix(" (deleted)").unwrap_or(path));
        (at(from)?..at(to)?).contains(&here).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes empty files below a folder.
    fn make(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
    }

    /// The library that is found from there, below the root.
    fn found(root: &Path, own: &str) -> Option<String> {
        let library = of_andon(&root.join(own)).iter().flat_map(|f| in_folder(f)).next()?;
        Some(library.strip_prefix(root).unwrap().to_str().unwrap().to_string())
    }

    #[test]
    fn the_code_finds_the_file_it_was_loaded_from() {
        assert_eq!(own_library().unwrap().canonicalize().unwrap(), env::current_exe().unwrap().canonicalize().unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_newest_numbered_library_is_taken_where_there_is_no_plain_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(in_folder(dir.path()).is_empty());
        make(
            dir.path(),
            &["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.22.0", "libonnxruntime_providers_shared.so"],
        );
        let names = ["libonnxruntime.so.1.22.0", "libonnxruntime.so.1.9.0"].map(|name| dir.path().join(name));
        assert_eq!(in_folder(dir.path()), names);
        assert_eq!(names.map(|path| is_new_enough(&path)), [true, false]);
        make(dir.path(), &["libonnxruntime.so"]);
        assert_eq!(in_folder(dir.path())[0], dir.path().join("libonnxruntime.so"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_installation_and_a_build_find_what_was_put_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let (plugin, program) = ("usr/lib/x86_64-linux-gnu/gstreamer-1.0/libgstandon.so", "usr/bin/andon");
        make(root, &[plugin, program, "target/release/andon", "target/debug/deps/test"]);
        assert_eq!(found(root, program), None);
        let library = "usr/lib/x86_64-linux-gnu/gstreamer-1.0/libonnxruntime.so.1";
        make(root, &[library]);
        assert_eq!([program, plugin].map(|own| found(root, own).unwrap()), [library; 2], "beside the plugin");
        let private = "usr/lib/andon/libonnxruntime.so.1";
        make(root, &[private]);
        assert_eq!(found(root, program).unwrap(), private, "the private folder, before the plugin's");
        fs::remove_file(root.join(library)).unwrap();
        assert_eq!(found(root, plugin).unwrap(), private);
        let own = "target/onnxruntime/libonnxruntime.so";
        make(root, &[own]);
        for built in ["target/release/andon", "target/debug/deps/test", "target/debug/examples/inspect"] {
            assert_eq!(found(root, built).as_deref(), Some(own), "{built}");
        }
    }

    #[test]
    fn who_has_the_source_is_told_of_set_up_and_who_has_not_of_a_package() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &["andon/scripts/setup"]);
        let built = dir.path().join("andon/target/release/andon");
        let told = help(Some(&built));
        assert!(told.contains("`make setup` in ") && told.contains(dir.path().to_str().unwrap()), "{told}");
        for elsewhere in [Some(Path::new("/usr/bin/andon")), None] {
            assert!(help(elsewhere).starts_with("install ONNX Runtime 1."), "{elsewhere:?}");
        }
    }
}
