// SPDX-License-Identifier: MPL-2.0
//! A hundred starts and stops leave no thread and no open file of an alias and a label file that are watched. The test is
//! alone in its process, because it counts the process's threads and files.
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

#[test]
fn a_hundred_starts_and_stops_leave_no_watcher_behind() {
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
    let before = footprint();
    (0..100).for_each(|_| turn());
    // A watcher's own thread ends a little after its watcher.
    while footprint() > before {
        assert!(std::time::Instant::now() < until, "{before:?} and then {:?}", footprint());
        std::thread::yield_now();
    }
}
