// SPDX-License-Identifier: MPL-2.0
//! "Did you mean": the name that there is for one that there is not.

use std::path::Path;

/// Returns the one of `known` that is spelt most like `name`, if one is like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = match name.chars().count() {
        0..=1 => 0,
        2..=3 => 1,
        4..=6 => 2,
        _ => 3,
    };
    let distances = known.into_iter().filter(|k| *k != name).map(|k| (strsim::osa_distance(name, k), k));
    distances.filter(|(d, _)| *d <= most).min().map(|(_, k)| k)
}

/// Asks whether another of `known` was meant, for the end of a message; empty if none is like it.
pub fn question<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
}

/// Asks whether a file or folder beside one that is not there was meant; empty if none is like it.
pub fn file(path: &Path) -> String {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(name), false) = (path.file_name().and_then(|n| n.to_str()), path.exists()) else { return String::new() };
    let names: Vec<_> =
        folder.read_dir().into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("; did you mean {}?", path.with_file_name(meant).display()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        for (name, meant) in [
            ("modelinfr", Some("modelinfer")),
            ("moedlinfer", Some("modelinfer")),
            ("teee", Some("tee")),
            ("zzzzzz", None),
            ("queue", None),
        ] {
            assert_eq!(nearest(name, ["modelinfer", "tee", "queue"]), meant, "{name}");
        }
        assert_eq!(question("champoin", ["champion", "challenger"]), "; did you mean champion?");
        assert_eq!(question("x", ["champion"]), "");
    }

    #[test]
    fn a_misspelt_file_finds_its_neighbour() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("inspect.launch"), "").unwrap();
        let asked = file(&folder.path().join("inspct.launch"));
        assert!(asked.ends_with("/inspect.launch?"), "{asked}");
        assert_eq!(file(&folder.path().join("inspect.launch")), "", "it is there");
        assert_eq!(file(Path::new("/nowhere/inspect.launch")), "");
    }
}
