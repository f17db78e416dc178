// SPDX-License-Identifier: MPL-2.0
//! However many elements watch an alias or a label file, the process has one watcher, and a hundred starts and stops leave
//! nothing more behind. The test is alone in its process, because it counts the process's threads and files.
#![cfg(target_os = "linux")]

mod common;

use std::fs;

use andon_model::{Store, store::Note};
use common::judge::version;
use gst::prelude::*;

/// Returns the number of threads and of open files of this process.
fn footprint() -> [usize; 2] {
    ["/proc/self/task", "/proc/self/fd"].map(|of| fs::read_dir(of).unwrap().count())
}

/// Returns whether the watcher has both its threads.
fn has_watcher() -> bool {
    let threads: Vec<_> = fs::read_dir("/proc/self/task").unwrap().flatten().map(|t| t.path().join("comm")).collect();
    let is_there = |name: &str| threads.iter().any(|t| fs::read_to_string(t).is_ok_and(|comm| comm.trim() == name));
    is_there("andon-watch") && is_there("andon-watch-run")
}

/// Returns how many inotify instances this process has. A user has 128 by default.
fn instances() -> usize {
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    files.filter(|f| fs::read_link(f.path()).is_ok_and(|to| to.to_string_lossy() == "anon_inode:inotify")).count()
}

#[test]
fn two_hundred_elements_watch_with_one_watcher_and_leave_none_behind() {
    common::runtime();
    let (bundle, store) = (version("detector", "1", |_| {}), tempfile::tempdir().unwrap());
    let note = Note::new("test", "because");
    let line = Store::for_bundle(store.path(), bundle.path()).unwrap();
    line.add(bundle.path(), &note).unwrap();
    line.set_alias("champion", "1", &note).unwrap();
    let model = format!("{}@champion", line.folder().display());
    let infer = gst::ElementFactory::make("modelinfer").property("model", &model).build().unwrap();
    let labels = store.path().join("labels.jsonl");
    fs::write(&labels, "{\"id\": \"P1\", \"verdict\": \"ok\", \"source\": \"sample\"}\n").unwrap();
    let join = gst::ElementFactory::make("abjoin").property("labels", labels.to_str().unwrap()).build().unwrap();
    join.set_property_from_str("auto", "abort");
    let turn = || {
        for element in [&infer, &join] {
            element.set_state(gst::State::Paused).unwrap();
            element.set_state(gst::State::Null).unwrap();
        }
    };
    turn();
    let until = std::time::Instant::now() + common::WATCHDOG;
    while !has_watcher() {
        assert!(std::time::Instant::now() < until, "the watcher comes");
        std::thread::yield_now();
    }
    let before = footprint();
    (0..100).for_each(|_| turn());
    // A watcher's own thread ends a little after its watcher.
    while footprint() > before {
        assert!(std::time::Instant::now() < until, "{before:?} and then {:?}", footprint());
        std::thread::yield_now();
    }
    // Each has a folder of its own.
    let many: Vec<_> = (0..200)
        .map(|i| {
            let folder = store.path().join(i.to_string());
            fs::create_dir(&folder).unwrap();
            let labels = folder.join("labels.jsonl");
            let join =
                gst::ElementFactory::make("abjoin").property("labels", labels.to_str().unwrap()).build().unwrap();
            join.set_property_from_str("auto", "abort");
            join.set_state(gst::State::Paused).unwrap();
            (join, labels)
        })
        .collect();
    assert_eq!(instances(), 1);
    let bad = |join: &gst::Element| join.property::<gst::Structure>("stats").get::<u64>("bad-labels").unwrap();
    many.iter().for_each(|(_, labels)| fs::write(labels, "no label\n").unwrap());
    for (join, _) in &many {
        while bad(join) != 1 {
            assert!(std::time::Instant::now() < until, "every file is seen to come");
            std::thread::yield_now();
        }
        join.set_state(gst::State::Null).unwrap();
    }
    while footprint() > before {
        assert!(std::time::Instant::now() < until, "{before:?} and then {:?}", footprint());
        std::thread::yield_now();
    }
}
