// SPDX-License-Identifier: MPL-2.0
//! A store when things go wrong: writers killed at any moment, two writers at once, and a full disk.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use andon_core::random::Random;
use andon_model::{
    self as model, Store,
    store::{CHAMPION, Finding, History, Note, PREVIOUS},
};
use common::{andon, arg, bundle, err, ok};

/// How many writers the test kills.
const KILLS: usize = 200;

/// A store with versions 1 to 3, the champion 2.
fn running(dir: &Path) -> Store {
    for version in ["1", "2", "3"] {
        let from = bundle(dir, version, &format!("graph {version}"));
        let store = Store::for_bundle(&dir.join("store"), &from).unwrap();
        store.add(&from, &Note::new("a test", "")).unwrap();
    }
    let store = Store::open(&dir.join("store/pcb")).unwrap();
    for version in ["1", "2"] {
        store.promote(Some(version), &Note::new("a test", "")).unwrap();
    }
    store
}

/// Checks what a reader must find, whatever writers do and however they end.
#[track_caller]
fn assert_consistent(store: &Store) {
    let aliases: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(store.folder().join("aliases.json")).unwrap()).unwrap();
    for alias in [CHAMPION, PREVIOUS] {
        assert!(aliases.contains_key(alias), "{aliases:?}");
        model::open(&format!("{}@{alias}", store.folder().display())).unwrap();
    }
    let found = store.audit().unwrap();
    assert!(found.iter().all(|f| *f == Finding::Unfinished), "{found:?}");
}

/// A change that its writer reported as done, with the event count when it began and when it was reported.
struct Acknowledged {
    why: String,
    began: u64,
    said: u64,
}

/// One of two writers: changes the store again and again, and is killed in most of the changes.
struct Writer<'a> {
    name: u64,
    dir: &'a Path,
    store: &'a Store,
    clock: &'a AtomicU64,
    kills: &'a AtomicUsize,
    done: &'a Mutex<Vec<Acknowledged>>,
}

impl Writer<'_> {
    fn run(&self, took: Duration) {
        let mut random = Random(self.name);
        let tick = || self.clock.fetch_add(1, Ordering::SeqCst);
        for turn in 0.. {
            if self.kills.load(Ordering::SeqCst) >= KILLS {
                return;
            }
            let why = format!("--why=writer {} turn {turn}", self.name);
            let (began, mut child) = (tick(), self.change(&mut random, turn, &why));
            if random.below(10) > 0 {
                thread::sleep(Duration::from_micros(random.below(took.as_micros() as usize * 3 / 2) as u64));
                let _ = child.kill();
            }
            let ended = child.wait_with_output().unwrap();
            if ended.status.success() {
                if !common::out(&ended).contains("already") {
                    let said = tick();
                    self.done.lock().unwrap().push(Acknowledged { why: why[6..].into(), began, said });
                }
            } else if ended.status.code().is_none() {
                self.kills.fetch_add(1, Ordering::SeqCst);
                assert_consistent(self.store);
            } else {
                panic!("{}", err(&ended));
            }
        }
    }

    fn change(&self, random: &mut Random, turn: u64, why: &str) -> Child {
        let pcb = arg(self.store.folder());
        let mut command = match random.below(4) {
            0 => andon(&["model", "promote", pcb, ["1", "2", "3"][random.below(3)], why]),
            1 | 2 => andon(&["model", "rollback", pcb, why]),
            _ => {
                let from = bundle(self.dir, &format!("{}-{turn}", self.name), "a new graph");
                andon(&["model", "add", "--no-run", arg(&from), arg(self.store.folder().parent().unwrap()), why])
            }
        };
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

#[test]
fn two_writers_killed_two_hundred_times_leave_a_consistent_store_and_a_complete_history() {
    let dir = tempfile::tempdir().unwrap();
    let store = running(dir.path());
    let began = Instant::now();
    ok(&["model", "rollback", arg(store.folder())]);
    let took = began.elapsed();
    let (clock, kills, done) = (AtomicU64::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for name in 0..2 {
            let (dir, store, clock, kills, done) = (dir.path(), &store, &clock, &kills, &done);
            scope.spawn(move || Writer { name, dir, store, clock, kills, done }.run(took));
        }
    });
    let unfinished = store.history().unwrap().unfinished;
    store.set_alias("last", "1", &Note::new("a test", "finishes what is left")).unwrap();
    assert_eq!(store.audit().unwrap(), [], "nothing is left unfinished, and all is explained");

    let history = store.history().unwrap();
    let place = |why: &str| {
        let all: Vec<_> = history.entries.iter().filter(|e| e.why == why).collect();
        assert_eq!(all.len(), 1, "{why} was acknowledged, and is in the history once");
        all[0].serial
    };
    let done = done.into_inner().unwrap();
    for one in &done {
        for other in done.iter().filter(|other| one.said < other.began) {
            assert!(place(&one.why) < place(&other.why), "{} was done before {} began", one.why, other.why);
        }
    }
    let serials: Vec<_> = history.entries.iter().map(|e| e.serial).collect();
    assert_eq!(serials, (1..=history.serial()).collect::<Vec<_>>());
    println!(
        "{} writers killed, {} changes acknowledged, {} in the history, {} s{}",
        kills.into_inner(),
        done.len(),
        history.entries.len(),
        began.elapsed().as_secs(),
        if unfinished { ", one was left to finish" } else { "" }
    );
}

/// The state of a store that a failed change must leave as it is.
fn state(store: &Store) -> (BTreeMap<PathBuf, Vec<u8>>, History) {
    let mut files = BTreeMap::new();
    let mut folders = vec![store.folder().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    (files, store.history().unwrap())
}

/// Changes that a full disk may hit.
fn changes(dir: &Path, store: &Store) -> Vec<Vec<String>> {
    let (pcb, all) = (arg(store.folder()).to_string(), arg(store.folder().parent().unwrap()).to_string());
    let new = arg(&bundle(dir, "4", &"a graph of some size ".repeat(200))).to_string();
    let line = |words: &[&str]| ["model"].iter().chain(words).map(|w| w.to_string()).collect();
    vec![
        line(&["promote", &pcb, "3"]),
        line(&["rollback", &pcb]),
        line(&["add", "--no-run", &new, &all]),
        line(&["refuse", &pcb, "3"]),
        line(&["alias", &pcb, "challenger", "3"]),
    ]
}

/// Runs a change under a condition that may make it fail. Returns whether it was done.
#[track_caller]
fn done_or_as_before(store: &Store, mut command: Command, why: &str) -> bool {
    let before = state(store);
    let output = command.output().unwrap();
    if output.status.success() {
        assert_consistent(store);
        return true;
    }
    assert_eq!(output.status.code(), Some(1), "{why}: {}", err(&output));
    assert!(err(&output).contains("the store is as it was before"), "{why}: {}", err(&output));
    assert!(state(store) == before, "{why}: {}", err(&output));
    false
}

#[test]
fn a_write_that_fails_at_any_byte_leaves_the_old_state_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    running(dir.path());
    let count = changes(dir.path(), &Store::open(&dir.path().join("store/pcb")).unwrap()).len();
    let mut failed = 0;
    for which in 0..count {
        // In blocks of 512 bytes, from a limit below every write to one above all.
        for limit in 0..40 {
            let dir = tempfile::tempdir().unwrap();
            let store = running(dir.path());
            let change = &changes(dir.path(), &store)[which];
            let mut command = Command::new("sh");
            let limited = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
            command.args(["-c", &limited, env!("CARGO_BIN_EXE_andon")]).args(change);
            if done_or_as_before(&store, command, &format!("{change:?} with {limit} blocks")) {
                break;
            }
            failed += 1;
        }
    }
    println!("{failed} failed writes, each of them left the store as it was");
    assert!(failed >= count * 3, "{failed} of {count} changes");
}

/// Runs a script in a mount of its own, 256 kB large. Returns None if this machine forbids that.
fn on_a_small_disk(folder: &Path, script: &str) -> Option<std::process::Output> {
    let mount = format!("mount -t tmpfs -o size=256k none '{}' 2>/dev/null || exit 77; {script}", folder.display());
    let output = Command::new("unshare").args(["-rm", "sh", "-ec", &mount]).output().ok()?;
    let forbidden = output.status.code() == Some(77) || err(&output).starts_with("unshare:");
    (!forbidden).then_some(output)
}

#[test]
fn a_disk_that_is_full_leaves_the_old_state_and_says_so() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let small = disk.path().join("store");
    fs::create_dir(&small).unwrap();
    let bundles = ["1", "2", "3"].map(|v| bundle(dir.path(), v, &format!("graph {v}")));
    let large = bundle(dir.path(), "4", &"a graph of some size ".repeat(400));
    let (andon, small_arg) = (env!("CARGO_BIN_EXE_andon"), arg(&small));
    let mut script = String::from("state() { cat aliases.json history.jsonl; ls; };");
    for bundle in &bundles {
        script += &format!("{andon} model add --no-run {} {small_arg} > /dev/null; ", arg(bundle));
    }
    script +=
        &format!("cd {small_arg}/pcb; {andon} model promote . 1 > /dev/null; {andon} model promote . 2 > /dev/null; ");
    // A full disk first, then one more free page at a time until the change succeeds.
    script += &format!(
        "for left in 0 1 2 3 4 5 6 7 8 9 10 11 12; do
            dd if=/dev/zero of=../filler bs=4096 2>/dev/null || true
            truncate -s -$((left * 4096)) ../filler
            state > {old}
            for change in 'promote . 3' 'add --no-run {large} ..'; do
                if {andon} model $change > {said} 2>&1; then echo \"$left pages: done: $change\"; state > {old}; else
                    grep -q 'as it was before' {said} || {{ cat {said}; exit 1; }}
                    grep -qi 'no space' {said} || {{ cat {said}; exit 1; }}
                    state | cmp - {old} || exit 1
                    echo \"$left pages: refused: $change\"
                fi
            done
            rm ../filler
        done
        {andon} model audit . ",
        large = arg(&large),
        old = arg(&dir.path().join("old")),
        said = arg(&dir.path().join("said")),
    );
    let Some(output) = on_a_small_disk(&small, &script) else {
        println!("skipped: this machine does not let a test mount a disk of its own");
        return;
    };
    let text = common::out(&output);
    assert!(output.status.success(), "{text}{}", err(&output));
    assert!(text.contains("0 pages: refused: promote") && text.contains("refused: add"), "{text}");
    assert!(text.contains("done: promote . 3") && text.contains("done: add"), "{text}");
    assert!(text.contains("everything matches the history"), "{text}");
    println!("{text}");
}
