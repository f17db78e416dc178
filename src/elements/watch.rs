// SPDX-License-Identifier: MPL-2.0
//! Watches a file for changes, on a thread of its own.

use std::path::{Path, PathBuf};

use notify::{RecursiveMode, Watcher};

/// A file that is watched, until this is dropped.
pub(super) struct Watched {
    _watcher: notify::RecommendedWatcher,
}

/// Calls `changed` whenever the file of that name may have been made, changed, renamed or removed. Its folder must exist,
/// the file need not. A read is no change: a callback that reads the file would never come to rest.
pub(super) fn watch(folder: &Path, name: &str, changed: impl Fn() + Send + 'static) -> notify::Result<Watched> {
    let name = PathBuf::from(name);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerns = |e: &notify::Event| !e.kind.is_access() && e.paths.iter().any(|p| p.ends_with(&name));
        if event.is_ok_and(|e| e.need_rescan() || concerns(&e)) {
            changed();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(Watched { _watcher: watcher })
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc, time::Duration};

    use super::*;

    #[test]
    fn a_change_of_a_file_is_seen_and_a_read_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aliases.json");
        let (sender, seen) = mpsc::channel();
        let read = path.clone();
        let _watched = watch(folder.path(), "aliases.json", move || {
            // Reads the file, as the elements do.
            let _ = fs::read(&read);
            sender.send(()).unwrap();
        })
        .unwrap();
        let mut calls = 0;
        for change in 0..3 {
            fs::write(folder.path().join("new"), change.to_string()).unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            seen.recv_timeout(Duration::from_secs(60)).expect("a change is seen");
            calls += 1 + seen.try_iter().count();
            (0..100).for_each(|_| drop(fs::read(&path)));
        }
        fs::remove_file(&path).unwrap();
        seen.recv_timeout(Duration::from_secs(60)).expect("a removal is seen");
        calls += seen.try_iter().count();
        assert!(calls <= 12, "{calls} calls for four changes and 300 reads");
    }
}
