// SPDX-License-Identifier: MPL-2.0
//! One frame, one answer: regions, `AndonResult`, part verdicts, captures, drift and tallies say what the arm that decides
//! the frame has said, with one model or several in a row.

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use andon_core::result::{Arm, Arms, Frame, Inference, Verdict};
use common::{
    judge::{bundle, graph, path},
    launch, play, runtime, sampler,
};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

/// Boards of one line; more with ANDON_BOARDS.
fn boards() -> u64 {
    std::env::var("ANDON_BOARDS").map_or(60, |n| n.parse().expect("ANDON_BOARDS is a number"))
}

/// The results that leave an element, by frame.
type Said = Arc<Mutex<BTreeMap<u64, Arc<Inference>>>>;

/// Collects what an element's own model says of each frame.
fn listen(pipeline: &gst::Pipeline, element: &str) -> Said {
    let said = Said::default();
    let into = said.clone();
    let name = element.to_string();
    let pad = pipeline.by_name(element).unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let own = info.buffer().into_iter().flat_map(|b| AndonInferenceMeta::all(b)).find(|i| *i.element == name);
        let own = own.expect("every frame has a result");
        into.lock().unwrap().insert(own.frame_id, own);
        gst::PadProbeReturn::Ok
    });
    said
}

/// The fields of `AndonResult` on a buffer.
fn andon_result(buffer: &gst::BufferRef) -> Option<gst::Structure> {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, "AndonResult").ok()?;
    Some(meta.structure().to_owned())
}

fn text(s: &gst::StructureRef, name: &str) -> String {
    s.get(name).unwrap()
}

/// Rectangles and labels of the regions on a buffer, in order.
fn regions(buffer: &gst::BufferRef) -> Vec<((u32, u32, u32, u32), String)> {
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let mut all: Vec<_> = regions.map(|roi| (roi.rect(), roi.roi_type().to_string())).collect();
    all.sort();
    all
}

/// What the regions must be: the smallest boxes of whole pixels around the detections.
fn expected(result: &Inference) -> Vec<((u32, u32, u32, u32), String)> {
    let whole = |b: &[f32; 4]| {
        let clip = |v: f32, most: u32| v.clamp(0.0, most as f32) as u32;
        let [w, h] = result.frame;
        let (x, y) = (clip(b[0].floor(), w), clip(b[1].floor(), h));
        (x, y, clip((b[0] + b[2]).ceil(), w) - x, clip((b[1] + b[3]).ceil(), h) - y)
    };
    let mut all: Vec<_> = result.detections.iter().map(|d| (whole(&d.upright()), d.label.to_string())).collect();
    all.sort();
    all
}

/// Plays `boards` boards through two arms; every reader must say what the arm that decides each frame has said.
#[track_caller]
fn agree(mode: &str) {
    runtime();
    let captures = tempfile::tempdir().unwrap();
    let models = common::root().join("models/pcb");
    let line = format!(
        "defecttestsrc num-buffers={n} defect-rate=0.5 ! abtee name=t {mode} leaky=false \
         t.src_a ! modelinfer name=first model={models}/1 threads=1 ! j.sink_a \
         t.src_b ! modelinfer name=second model={models}/2 threads=1 ! j.sink_b \
         abjoin name=j wait=-1 ! driftmeter name=meter learn-frames=50 ! tee name=all \
         all. ! identity name=out ! framesampler name=captures location={captures} on-ng=true random-rate=0 max-queue=2000 \
         format=jpeg drain-timeout=60000000000 ! fakesink async=false \
         all. ! identity name=plain ! driftmeter name=control learn-frames=50 ! fakesink async=false",
        n = boards(),
        models = models.display(),
        captures = captures.path().display(),
    );
    let pipeline = launch(&line);
    let said = [listen(&pipeline, "first"), listen(&pipeline, "second")];
    let out: Arc<Mutex<Vec<gst::Buffer>>> = Arc::default();
    let into = out.clone();
    let pad = pipeline.by_name("out").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let mut kept = gst::Buffer::new();
        let buffer = info.buffer().expect("a buffer probe has a buffer");
        // Without the pixels, which 1,000 boards would fill the memory with.
        let all = gst::BufferCopyFlags::META | gst::BufferCopyFlags::TIMESTAMPS;
        buffer.copy_into(kept.get_mut().unwrap(), all, ..).unwrap();
        into.lock().unwrap().push(kept);
        gst::PadProbeReturn::Ok
    });
    only_what_was_decided(&pipeline, &said);
    let stats = |name: &str| {
        let element = pipeline.by_name(name).unwrap();
        move || element.property::<gst::Structure>("stats")
    };
    let tallies = [stats("first"), stats("second")];
    // A meter that has stopped has no features.
    let drift: Arc<Mutex<[Vec<String>; 2]>> = Arc::default();
    let (into, of) = (drift.clone(), pipeline.downgrade());
    let end = pipeline.by_name("control").unwrap().static_pad("src").unwrap();
    end.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|e| e.type_() == gst::EventType::Eos)
            && let Some(of) = of.upgrade()
        {
            *into.lock().unwrap() = ["meter", "control"].map(|meter| measured(&of, meter));
        }
        gst::PadProbeReturn::Ok
    });
    let messages = play(&pipeline);

    let parts: BTreeMap<String, (String, String)> = common::jsons(&messages, "andon/part-verdict")
        .into_iter()
        .filter(|p| p["decides"] == true)
        .map(|p| {
            let text = |v: &serde_json::Value| v.as_str().unwrap().to_string();
            (text(&p["id"]), (text(&p["verdict"]), text(&p["arm"])))
        })
        .collect();
    let out = out.lock().unwrap();
    assert_eq!(out.len() as u64, boards());
    let mut differences = BTreeMap::<&str, u64>::new();
    let mut differ = |what: &'static str, is: bool| *differences.entry(what).or_default() += u64::from(is);
    let mut bad = Vec::new();
    let mut verdicts = [BTreeMap::<String, u64>::new(), BTreeMap::new()];
    let mut by_b = 0;
    for buffer in out.iter() {
        let frame = AndonFrameMeta::get(buffer).expect("a frame has an identity");
        let arm = frame.deciding_arm();
        by_b += u64::from(arm == Arm::B);
        let said = said[usize::from(arm == Arm::B)].lock().unwrap();
        let decides = said.get(&frame.id).expect("the arm that decides has spoken");
        differ("regions", regions(buffer) != expected(decides));
        let result = andon_result(buffer).expect("a frame that was judged tells everybody");
        let told =
            ["verdict", "status", "element", "arm", "model", "version", "digest", "run"].map(|f| text(&result, f));
        let must = [
            decides.verdict.as_str(),
            decides.status.as_str(),
            &decides.element,
            decides.arm.as_str(),
            &decides.model.name,
            &decides.model.version,
            &decides.model.digest,
            &decides.run.to_string(),
        ];
        differ("AndonResult", told != must || result.get::<u64>("frame-id").unwrap() != frame.id);
        let json: serde_json::Value = serde_json::from_str(&text(&result, "json")).unwrap();
        let own: serde_json::Value = serde_json::from_str(&decides.to_json()).unwrap();
        differ("its json", json["results"] != serde_json::json!([own]));
        let part = parts.get(&frame.part_key().to_string());
        differ("part verdicts", part != Some(&(decides.verdict.to_string(), arm.to_string())));
        *verdicts[usize::from(arm == Arm::B)].entry(decides.verdict.to_string()).or_default() += 1;
        if decides.verdict == Verdict::Ng {
            bad.push(frame.id);
        }
    }
    let mut kept: Vec<u64> = sampler::with_extension(captures.path(), "json")
        .iter()
        .map(|at| serde_json::from_slice::<serde_json::Value>(&std::fs::read(at).unwrap()).unwrap())
        .map(|s| s["frame_id"].as_u64().unwrap())
        .collect();
    kept.sort_unstable();
    bad.sort_unstable();
    differ("captures", kept != bad);
    for (arm, stats) in tallies.iter().enumerate() {
        let stats = stats();
        for verdict in ["ok", "ng", "review", "unjudged"] {
            let counted = stats.get::<u64>(format!("parts-{verdict}").as_str()).unwrap();
            differ("tallies", counted != verdicts[arm].get(verdict).copied().unwrap_or(0));
        }
    }
    let [drift, control] = &*drift.lock().unwrap();
    differ("drift", drift != control);
    assert!(drift.iter().any(|f| f.contains("prediction") || f.contains("score")), "{drift:?}");
    println!("{mode}: {} boards, {by_b} decided by b, {} bad, differences: {differences:?}", out.len(), bad.len());
    assert!(differences.values().all(|n| *n == 0), "{mode}: {differences:?}");
    assert!(!bad.is_empty(), "boards with defects came by");
}

/// Takes everything off the frames to the element `plain`, and gives them what the arm that decides has said, as a line
/// without arms has it.
fn only_what_was_decided(pipeline: &gst::Pipeline, said: &[Said; 2]) {
    let said = said.clone();
    let pad = pipeline.by_name("plain").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data else { panic!("a buffer probe has a buffer") };
        let frame = AndonFrameMeta::get(buffer).unwrap();
        let decides = &said[usize::from(frame.deciding_arm() == Arm::B)].lock().unwrap()[&frame.id];
        let mut plain = gst::Buffer::new();
        let to = plain.get_mut().unwrap();
        buffer.copy_into(to, gst::BufferCopyFlags::MEMORY | gst::BufferCopyFlags::TIMESTAMPS, ..).unwrap();
        AndonFrameMeta::set(to, Frame { arms: Arms::A, ..frame });
        AndonInferenceMeta::set(to, Arc::new(Inference { arm: Arm::A, ..(**decides).clone() }));
        *buffer = plain;
        gst::PadProbeReturn::Ok
    });
}

/// What a meter has measured: of each feature, the value and what is normal.
fn measured(pipeline: &gst::Pipeline, meter: &str) -> Vec<String> {
    let stats = pipeline.by_name(meter).unwrap().property::<gst::Structure>("stats");
    let features = stats.iter().filter_map(|(name, value)| Some((name, value.get::<gst::Structure>().ok()?)));
    let told = |(name, f): (&glib::GStr, gst::Structure)| {
        let number = |field| f.get::<f64>(field).ok();
        format!("{name} {:?} {:?} {:?}", number("value"), number("reference"), number("sigma"))
    };
    features.map(told).collect()
}

#[test]
fn in_mode_b_every_reader_says_what_b_said() {
    agree("mode=b");
}

#[test]
fn in_split_every_reader_says_what_the_arm_that_got_the_frame_said() {
    agree("mode=split weight=0.5");
}

/// Plays 21 bright frames through `models`, and returns the messages, what `AndonResult` says at the end, and the sidecars of
/// what is captured as ng.
fn bright(models: &str) -> (Vec<gst::Message>, Vec<gst::Structure>, Vec<serde_json::Value>) {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=21 pattern=white ! video/x-raw,format=RGB,width=64,height=64,framerate=25/1 ! {models} ! \
         framesampler location={} on-ng=true random-rate=0 ! fakesink name=out",
        folder.path().display()
    ));
    let told: Arc<Mutex<Vec<gst::Structure>>> = Arc::default();
    let into = told.clone();
    let out = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        into.lock().unwrap().extend(info.buffer().and_then(|b| andon_result(b)));
        gst::PadProbeReturn::Ok
    });
    let messages = play(&pipeline);
    let read = |at: &std::path::PathBuf| serde_json::from_slice(&std::fs::read(at).unwrap()).unwrap();
    let sidecars = sampler::with_extension(folder.path(), "json").iter().map(read).collect();
    let told = told.lock().unwrap().clone();
    (messages, told, sidecars)
}

/// A model that finds a bright box, and calls the frame ng.
fn finder() -> tempfile::TempDir {
    runtime();
    bundle("detector", |m| m["name"] = "finds".into())
}

#[test]
fn of_two_models_in_a_row_neither_erases_the_other_and_the_worst_decides() {
    let finds = finder();
    // The classifier calls a bright frame good.
    let [finds, good] = [path(&finds), graph("classifier")];
    for [first, second] in [[&finds, &good], [&good, &finds]] {
        let models = format!("modelinfer name=first model={first} ! modelinfer name=second model={second}");
        let (messages, told, sidecars) = bright(&models);
        assert_eq!((told.len(), sidecars.len()), (21, 21), "each frame is ng by one of the two");
        for s in &told {
            assert_eq!((text(s, "verdict"), text(s, "model")), ("ng".into(), "finds".into()));
        }
        for sidecar in sidecars {
            let said = |i: usize, of: &str| sidecar["results"][i][of].as_str().unwrap().to_string();
            assert_eq!(sidecar["results"].as_array().unwrap().len(), 2);
            assert_eq!((said(0, "element"), said(1, "element")), ("first".into(), "second".into()));
            assert_ne!(sidecar["results"][0]["model"]["name"], sidecar["results"][1]["model"]["name"]);
        }
        let parts = common::jsons(&messages, "andon/part-verdict");
        let last: Vec<_> = parts.iter().skip(1).step_by(2).collect();
        assert_eq!(last.len(), 21);
        assert!(last.iter().all(|p| p["verdict"] == "ng" && p["model"]["name"] == "finds"), "{last:?}");
        assert!(parts.iter().all(|p| p["utc_ns"].as_u64() > Some(0) && !p["pts_ns"].is_null()));
    }
}

#[test]
fn in_a_cascade_the_second_stage_decides_and_the_first_keeps_its_result() {
    let finds = finder();
    let models = format!(
        "modelinfer name=finder model={} ! modelinfer name=grader model={} on=detections",
        path(&finds),
        graph("classifier")
    );
    let (_, told, sidecars) = bright(&models);
    assert_eq!((told.len(), sidecars.len()), (21, 0), "the finder alone would have called every frame ng");
    for s in &told {
        assert_eq!((text(s, "verdict"), text(s, "element")), ("ok".into(), "grader".into()));
        let json: serde_json::Value = serde_json::from_str(&text(s, "json")).unwrap();
        let results = json["results"].as_array().unwrap();
        assert_eq!((results.len(), &results[0]["upstream"]), (1, &serde_json::json!(["finder"])));
    }
}

#[test]
fn a_second_stage_that_fails_leaves_the_frame_unjudged_whatever_the_first_has_found() {
    let finds = finder();
    let models = format!(
        "modelinfer name=finder model={} ! modelinfer name=grader model={} on=detections on-error=pass",
        path(&finds),
        graph("fails")
    );
    let (_, told, _) = bright(&models);
    assert_eq!(told.len(), 21);
    assert!(told.iter().all(|s| (text(s, "verdict"), text(s, "status")) == ("unjudged".into(), "error".into())));
}

#[test]
fn a_copy_whose_arm_only_watches_tells_nobody() {
    let finds = finder();
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=9 pattern=white ! video/x-raw,format=RGB,width=64,height=64 ! abtee name=t leaky=false \
         t.src_a ! modelinfer name=a model={} ! identity name=from_a ! j.sink_a \
         t.src_b ! modelinfer name=b model={} ! identity name=from_b ! j.sink_b abjoin name=j wait=-1 ! fakesink",
        path(&finds),
        graph("classifier")
    ));
    let [a, b] = ["from_a", "from_b"].map(|name| {
        let told: Arc<Mutex<Vec<(bool, usize)>>> = Arc::default();
        let into = told.clone();
        let pad = pipeline.by_name(name).unwrap().static_pad("src").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = info.buffer().unwrap();
            into.lock().unwrap().push((andon_result(buffer).is_some(), regions(buffer).len()));
            gst::PadProbeReturn::Ok
        });
        told
    });
    let messages = play(&pipeline);
    assert_eq!(*a.lock().unwrap(), [(true, 1); 9]);
    assert_eq!(*b.lock().unwrap(), [(false, 0); 9]);
    let parts = common::jsons(&messages, "andon/part-verdict");
    assert_eq!(parts.iter().filter(|p| p["decides"] == true && p["arm"] == "a").count(), 9);
    assert_eq!(parts.iter().filter(|p| p["decides"] == false && p["arm"] == "b").count(), 9);
}

#[test]
fn the_json_of_the_result_is_left_out_where_nobody_reads_it() {
    let finds = finder();
    let (_, told, _) = bright(&format!("modelinfer model={} result-json=false", path(&finds)));
    assert!(told.len() == 21 && told.iter().all(|s| !s.has_field("json") && text(s, "verdict") == "ng"));
}
