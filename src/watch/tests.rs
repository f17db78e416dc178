// SPDX-License-Identifier: MPL-2.0
//! A file is followed whatever happens to its folder, its disk and the threads of the process.

use std::{
    fs,
    sync::{atomic::AtomicUsize, mpsc},
};

use super::*;

/// Only a hang gets there.
const LONG: Duration = Duration::from_secs(60);

/// Looks so seldom that only reports are seen.
const SELDOM: Options = Options { interval: Duration::from_secs(3600), patience: LONG, notices: true, spawn };

/// Looks often, and gets no reports, as on a share.
const OFTEN: Options =
    Options { interval: Duration::from_millis(10), patience: Duration::from_millis(50), notices: false, spawn };

fn spawn(name: &str, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    (Options::default().spawn)(name, run)
}

/// Watches `STORE/pcb/aliases.json`, and reads it as the elements do. Brings its content, empty if there is none.
fn follow(watcher: &Arc<Watcher>, store: &Path) -> (Watched, mpsc::Receiver<String>) {
    let (sender, seen) = mpsc::channel();
    let (folder, sender) = (store.join("pcb"), Mutex::new(sender));
    let path = folder.join("aliases.json");
    let changed = move || drop(sender.lock().send(fs::read_to_string(&path).unwrap_or_default()));
    (watcher.watch(&folder, "aliases.json", changed), seen)
}

#[track_caller]
fn until(seen: &mpsc::Receiver<String>, content: &str) {
    until_counting(seen, content);
}

/// Returns how many calls it took.
#[track_caller]
fn until_counting(seen: &mpsc::Receiver<String>, content: &str) -> usize {
    let mut calls = 0;
    loop {
        calls += 1;
        if seen.recv_timeout(LONG).unwrap_or_else(|_| panic!("'{content}' is seen")) == content {
            return calls;
        }
    }
}

fn store(at: &Path, content: &str) {
    fs::create_dir_all(at.join("pcb")).unwrap();
    fs::write(at.join("pcb/aliases.json"), content).unwrap();
}

#[test]
fn a_change_of_a_file_is_seen_and_a_read_is_not() {
    for options in [SELDOM, OFTEN] {
        let (watcher, folder) = (Watcher::new(options), tempfile::tempdir().unwrap());
        store(folder.path(), "0");
        let path = folder.path().join("pcb/aliases.json");
        let (watched, seen) = follow(&watcher, folder.path());
        let mut calls = until_counting(&seen, "0");
        assert_eq!(watched.problem(), None);
        for change in ["1", "2", "3"] {
            fs::write(folder.path().join("pcb/new"), change).unwrap();
            fs::rename(folder.path().join("pcb/new"), &path).unwrap();
            calls += until_counting(&seen, change);
            (0..100).for_each(|_| drop(fs::read(&path)));
        }
        fs::remove_file(&path).unwrap();
        calls += until_counting(&seen, "") + seen.try_iter().count();
        assert!(calls <= 12, "{calls} calls for a start, four changes and 300 reads");
    }
}

#[cfg(unix)]
#[test]
fn a_store_is_followed_whatever_is_put_in_its_place() {
    type Replace = fn(&Path);
    let rows: [(&str, Replace); 6] = [
        ("the folder is removed and restored", |at| {
            fs::remove_dir_all(at.join("store/pcb")).unwrap();
            store(&at.join("store"), "new");
        }),
        ("another folder is renamed over it", |at| {
            fs::rename(at.join("store/pcb"), at.join("store/old")).unwrap();
            fs::rename(at.join("next/pcb"), at.join("store/pcb")).unwrap();
        }),
        ("the store above it is exchanged", |at| {
            fs::rename(at.join("store"), at.join("old")).unwrap();
            fs::rename(at.join("next"), at.join("store")).unwrap();
        }),
        ("a link to the store is turned", |at| {
            std::os::unix::fs::symlink("next", at.join("new")).unwrap();
            fs::rename(at.join("new"), at.join("link")).unwrap();
        }),
        ("a copy is renamed over the file", |at| {
            fs::rename(at.join("next/pcb/aliases.json"), at.join("store/pcb/aliases.json")).unwrap();
        }),
        ("the file is written in place", |at| fs::write(at.join("store/pcb/aliases.json"), "new").unwrap()),
    ];
    for notices in [true, false] {
        for (what, replace) in rows {
            let (watcher, dir) = (Watcher::new(Options { notices, ..OFTEN }), tempfile::tempdir().unwrap());
            store(&dir.path().join("store"), "old");
            store(&dir.path().join("next"), "new");
            std::os::unix::fs::symlink("store", dir.path().join("link")).unwrap();
            let through = if what.contains("link") { "link" } else { "store" };
            let (watched, seen) = follow(&watcher, &dir.path().join(through));
            until(&seen, "old");
            replace(dir.path());
            until(&seen, "new");
            // And again, in what is there now.
            store(&dir.path().join(through), "newer");
            until(&seen, "newer");
            assert_eq!(watched.problem(), None, "{what}");
        }
    }
}

#[test]
fn what_is_not_there_yet_is_told_and_seen_when_it_comes() {
    let (watcher, dir) = (Watcher::new(OFTEN), tempfile::tempdir().unwrap());
    let (watched, seen) = follow(&watcher, &dir.path().join("store"));
    until(&seen, "");
    let problem = watched.problem().unwrap();
    assert!(problem.contains("pcb: No such file"), "{problem}");
    store(&dir.path().join("store"), "1");
    until(&seen, "1");
    assert_eq!(watched.problem(), None);
}

#[test]
fn many_files_need_one_watcher() {
    let (watcher, dir) = (Watcher::new(SELDOM), tempfile::tempdir().unwrap());
    let at = |i: usize| dir.path().join(i.to_string());
    // Ten watch each file.
    (0..30).for_each(|i| store(&at(i), "0"));
    let all: Vec<_> = (0..300).map(|i| follow(&watcher, &at(i % 30))).collect();
    all.iter().for_each(|(_, seen)| until(seen, "0"));
    (0..30).for_each(|i| fs::write(at(i).join("pcb/aliases.json"), "1").unwrap());
    all.iter().for_each(|(_, seen)| until(seen, "1"));
    let mut numbers: Vec<_> = all.iter().map(|(watched, _)| watched.file.watch().expect("reports come")).collect();
    numbers.dedup();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 30, "each folder is reported once");
    // Who goes takes nothing from the others.
    let mut all = all;
    all.truncate(30);
    (0..30).for_each(|i| fs::write(at(i).join("pcb/aliases.json"), "2").unwrap());
    all.iter().for_each(|(_, seen)| until(seen, "2"));
}

#[test]
fn who_hangs_or_panics_holds_up_nobody_else() {
    let (watcher, dir) = (Watcher::new(OFTEN), tempfile::tempdir().unwrap());
    store(&dir.path().join("good"), "0");
    let (good, seen) = follow(&watcher, &dir.path().join("good"));
    until(&seen, "0");
    let (release, hang) = mpsc::channel::<()>();
    let (calls, hang) = (Arc::new(AtomicUsize::new(0)), Mutex::new(hang));
    let counted = calls.clone();
    let hung = watcher.watch(&dir.path().join("hung"), "x", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = hang.lock().recv();
    });
    let broken = watcher.watch(&dir.path().join("broken"), "x", || std::panic::resume_unwind(Box::new("a bug")));
    let until_it_hangs = Instant::now() + LONG;
    while !hung.problem().is_some_and(|p| p.ends_with("does not answer")) {
        assert!(Instant::now() < until_it_hangs, "{:?}", hung.problem());
        thread::yield_now();
    }
    for change in ["1", "2"] {
        store(&dir.path().join("good"), change);
        until(&seen, change);
    }
    assert_eq!((good.problem(), calls.load(Ordering::SeqCst)), (None, 1), "it is not called again meanwhile");
    let (count, runners) = {
        let state = watcher.state.lock();
        (state.runs.iter().filter(|run| run.left).count(), state.runners)
    };
    assert_eq!((count, runners), (1, 1), "one runner hangs, and one took its place");
    // Nobody waits for it.
    drop((hung, broken));
    drop(release);
    while watcher.state.lock().runs.iter().any(|run| run.left) {
        assert!(Instant::now() < until_it_hangs, "it comes back");
        thread::yield_now();
    }
    store(&dir.path().join("good"), "3");
    until(&seen, "3");
}

#[test]
fn without_a_thread_nothing_is_watched_until_there_is_one() {
    static LEFT: AtomicUsize = AtomicUsize::new(0);
    fn few(name: &str, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let one_less = |left: usize| left.checked_sub(1);
        match LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
            Ok(_) => spawn(name, run),
            Err(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
    let (watcher, dir) = (Watcher::new(Options { spawn: few, ..OFTEN }), tempfile::tempdir().unwrap());
    store(dir.path(), "0");
    let (watched, seen) = follow(&watcher, dir.path());
    let no_thread = || watched.problem().is_some_and(|p| p.starts_with("there is no thread to watch it with"));
    assert!(no_thread());
    let tries = || watcher.state.lock().tried.unwrap();
    let first = tries();
    (0..1000).for_each(|_| watcher.revive());
    assert!(tries().duration_since(first) < AGAIN * 1000 && no_thread(), "at most one try a second");
    // One thread is not enough, and is told as well.
    LEFT.store(1, Ordering::SeqCst);
    let end = Instant::now() + LONG;
    let wait = |what: &str, is: &dyn Fn() -> bool| {
        while !is() {
            watcher.revive();
            assert!(Instant::now() < end, "{what}");
            thread::yield_now();
        }
    };
    wait("the timer is there", &|| watcher.state.lock().timer);
    wait("the runner is not", &no_thread);
    LEFT.store(1, Ordering::SeqCst);
    until(&seen, "0");
    assert!(!watcher.stalled.load(Ordering::SeqCst));
    wait("all is well", &|| watched.problem().is_none());
    store(dir.path(), "1");
    until(&seen, "1");
}
