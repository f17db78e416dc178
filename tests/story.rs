// SPDX-License-Identifier: MPL-2.0
//! The whole story, with the shipped models on a simulated line. A challenger is tried beside the champion, new defects
//! begin, labels come, and the better model takes over and proves itself. A worse one is aborted.

mod common;

use std::path::Path;

use andon_model::{Store, store::Note};
use common::launch;
use gst::prelude::*;
use gstandon::meta::message::json_of;
use serde_json::Value;

/// The kinds of defects that version 1 has learnt.
const OLD: &str = "open,short,mousebite,spur";
/// Those, and the two that only version 2 has learnt.
const ALL: &str = "open,short,mousebite,spur,copper,pin-hole";
/// The frame from which all kinds occur.
const BEGIN: u64 = 100;

/// Makes a store with the shipped models.
fn store(champion: &str, challenger: &str) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let note = Note::new("story", "set up");
    for version in ["1", "2"] {
        let bundle = common::root().join("models/pcb").join(version);
        Store::for_bundle(folder.path(), &bundle).unwrap().add(&bundle, &note).unwrap();
    }
    let store = Store::open(&folder.path().join("pcb")).unwrap();
    store.set_alias("champion", champion, &note).unwrap();
    store.set_alias("challenger", challenger, &note).unwrap();
    (folder, store)
}

/// Plays the pipeline. Returns its `andon/…` messages by name, in order, and the pipeline.
fn play(store: &Path, frames: u32) -> (Vec<(String, Value)>, gst::Pipeline) {
    common::runtime();
    let pcb = store.join("pcb");
    let line = launch(&format!(
        "defecttestsrc name=camera num-buffers={frames} seed=5 defect-rate=0.5 defects={OLD} \
         ! video/x-raw,format=NV12,width=320,height=320,framerate=30/1 \
         ! abtee name=tee leaky=false \
         tee.src_a ! modelinfer name=champion model={pcb}@champion threads=1 probation=60 ! join.sink_a \
         tee.src_b ! modelinfer name=challenger model={pcb}@challenger threads=1 on-error=pass ! join.sink_b \
         abjoin name=join wait=-1 auto=full store={pcb} ! fakesink",
        pcb = pcb.display()
    ));
    let camera = line.by_name("camera").unwrap();
    let weak = camera.downgrade();
    line.by_name("tee").unwrap().static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let begins = info.buffer().and_then(|b| b.pts()).is_some_and(|t| t.mseconds() * 30 / 1000 >= BEGIN);
        match weak.upgrade().filter(|_| begins) {
            Some(camera) => {
                camera.set_property("defects", ALL);
                gst::PadProbeReturn::Remove
            }
            None => gst::PadProbeReturn::Ok,
        }
    });
    let messages = common::play(&line);
    line.set_state(gst::State::Null).unwrap();
    let messages = messages.iter().filter_map(|m| {
        let name = m.structure()?.name().to_string();
        json_of(m, &name).map(|json| (name, json))
    });
    (messages.collect(), line)
}

fn first<'a>(
    messages: &'a [(String, Value)],
    name: &str,
    which: impl Fn(&Value) -> bool,
) -> Option<(usize, &'a Value)> {
    messages.iter().enumerate().find(|(_, (n, json))| n == name && which(json)).map(|(i, (_, json))| (i, json))
}

#[test]
fn a_better_challenger_takes_over_once_new_defects_begin_and_proves_itself() {
    let (folder, store) = store("1", "2");
    let (messages, line) = play(folder.path(), 600);
    let (judged, judgement) = first(&messages, "andon/ab-judgement", |j| j["decision"] == "promote").expect("promoted");
    println!("{}: {}", judgement["acted"], judgement["reasons"]);
    assert!(judgement["acted"].as_str().unwrap().ends_with("1 → 2"), "{judgement}");
    let (changed, change) = first(&messages, "andon/model-changed", |c| c["cause"] == "alias").expect("taken over");
    assert_eq!((&change["from"]["version"], &change["to"]["version"]), (&"1".into(), &"2".into()));
    let (proved, _) = first(&messages, "andon/model-proved", |p| p["to"].as_str().is_some_and(|to| to.contains("2")))
        .expect("proved");
    assert!(judged < changed && changed < proved);
    assert!(first(&messages, "andon/model-rolled-back", |_| true).is_none());
    assert_eq!(store.aliases().unwrap()["champion"], "2");
    drop(line);
}

#[test]
fn a_worse_challenger_is_taken_out_and_the_champion_stays() {
    let (folder, store) = store("2", "1");
    let (messages, line) = play(folder.path(), 300);
    let (_, judgement) = first(&messages, "andon/ab-judgement", |j| j["decision"] == "abort").expect("aborted");
    println!("{}: {}", judgement["acted"], judgement["reasons"]);
    assert_eq!(judgement["acted"], "the challenger was taken out");
    let tee = line.by_name("tee").unwrap();
    assert_eq!(tee.property_value("mode").serialize().unwrap(), "a");
    assert_eq!(store.aliases().unwrap()["champion"], "2");
    assert_eq!(store.history().unwrap().entries.last().unwrap().why, "set up", "the store was not touched");
}
