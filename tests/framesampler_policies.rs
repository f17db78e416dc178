// SPDX-License-Identifier: MPL-2.0
//! The policies of `framesampler`: triggers, budgets, formats of the files, quotas of the folder.

mod common;

use std::{fs, path::Path, sync::Arc};

use andon_capture::{Sidecar, Trigger};
use andon_core::result::{Arm, Fields, Frame, Inference, Part, Status, Verdict};
use common::{
    launch, play,
    sampler::{Capture, captures, harness, harness_to, ids, push, result, stat, stop, wait_for, with_extension},
};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, event::AndonEvent};
use serde_json::json;

fn kinds(capture: &Capture) -> Vec<Trigger> {
    capture.sidecar.triggers.iter().map(|t| t.trigger).collect()
}

#[test]
fn scores_near_the_threshold_are_kept_with_their_surroundings() {
    let (folder, mut h, _bus) =
        harness(&[("near", "0.5±0.1"), ("pre-roll", "4"), ("auto-pre-roll", "1"), ("post-roll", "1")]);
    let mut seen = Vec::new();
    for (grey, score) in [(1, 0.2), (2, 0.3), (3, 0.45), (4, 0.9), (5, 0.1), (6, 0.7)] {
        let (id, _) = push(&mut h, grey, |buffer, frame| {
            let mut judged = Inference::clone(&result(frame, Arm::A, Verdict::Ok));
            judged.score = score;
            AndonInferenceMeta::set(buffer, Arc::new(judged));
        });
        seen.push(id);
    }
    stop(h);
    assert_eq!(ids(&captures(folder.path())), seen[1..4], "one before it, one after it");
}

#[test]
fn unjudged_frames_are_captured_and_skipped_ones_are_not() {
    let (folder, mut h, _bus) = harness(&[("on-unjudged", "true")]);
    let mut expected = Vec::new();
    for (grey, status) in
        [Status::Ok, Status::Error, Status::Skipped, Status::MissingField, Status::NonFinite].into_iter().enumerate()
    {
        let (id, _) = push(&mut h, grey as u8, |buffer, frame| {
            let mut judged = Inference::clone(&result(frame, Arm::A, Verdict::Ok));
            judged.status = status;
            AndonInferenceMeta::set(buffer, Arc::new(judged));
        });
        if !matches!(status, Status::Ok | Status::Skipped) {
            expected.push(id);
        }
    }
    stop(h);
    let found = captures(folder.path());
    assert_eq!(ids(&found), expected);
    assert!(found.iter().all(|c| kinds(c) == [Trigger::Unjudged]));
}

#[test]
fn a_field_of_such_a_value_keeps_frames_for_as_long_as_it_has_it() {
    let (folder, mut h, _bus) = harness(&[("when", "temperature>70, lot=7")]);
    let mut expected = Vec::new();
    for (grey, fields, kept) in [
        (1, json!({"temperature": 65}), false),
        (2, json!({"temperature": 71.5}), true),
        (3, json!({"temperature": 60, "lot": "7"}), true),
        (4, json!({"lot": "8"}), false),
    ] {
        let fields: Fields = fields.as_object().unwrap().clone().into_iter().collect();
        assert!(h.push_event(AndonEvent::Fields(fields.into()).plain()));
        let (id, _) = push(&mut h, grey, |_, _| {});
        expected.extend(kept.then_some(id));
    }
    stop(h);
    assert_eq!(ids(&captures(folder.path())), expected);
}

#[test]
fn chance_keeps_whole_parts_at_the_rate_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (mut h, _bus) = harness_to(folder.path(), &[("random-rate", "0.1"), ("max-queue", "5000")]);
    for n in 0..1500u32 {
        let part = Part { id: format!("P{}", n / 3), view: n % 3, views: 3, ..Part::default() };
        push(&mut h, (n % 250) as u8, |buffer, frame| {
            AndonFrameMeta::set(buffer, Frame { part: Some(Arc::new(part.clone())), ..frame.clone() });
        });
    }
    let element = stop(h);
    let found = captures(folder.path());
    assert!((60..=300).contains(&found.len()), "{} of about 150", found.len());
    let views = |id: &str| found.iter().filter(|c| c.sidecar.part.as_ref().unwrap().id == id).count();
    assert!(found.iter().all(|c| views(&c.sidecar.part.as_ref().unwrap().id) == 3), "a part is kept whole");
    assert_eq!(stat(&element, "written"), found.len() as u64);
}

#[test]
fn chance_is_on_by_itself_where_there_is_a_folder() {
    common::init();
    let element = gst::ElementFactory::make("framesampler").build().unwrap();
    assert_eq!(element.property::<f64>("random-rate"), 0.001);
    assert!(element.set_state(gst::State::Paused).is_ok(), "without a folder nothing is asked for");
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_budget_that_is_spent_costs_captures_of_its_kind_only() {
    let (folder, mut h, _bus) = harness(&[("on-ng", "true"), ("every", "4"), ("budgets", "ng=3/day, all=1000/day")]);
    for grey in 0..20 {
        push(&mut h, grey, |buffer, frame| AndonInferenceMeta::set(buffer, result(frame, Arm::A, Verdict::Ng)));
    }
    let element = stop(h);
    let found = captures(folder.path());
    let of = |kind| found.iter().filter(|c| kinds(c).contains(&kind)).count();
    assert_eq!((of(Trigger::Ng), of(Trigger::Every)), (3, 5));
    // ng captures three frames, the first of which is also a fourth one; then `every` captures alone.
    assert_eq!((found.len(), stat(&element, "over-budget")), (7, 13));
}

#[test]
fn captures_are_jpeg_or_raw_where_asked_and_sidecars_say_which() {
    for (format, extension) in [("jpeg", "jpg"), ("raw", "raw")] {
        let folder = tempfile::tempdir().unwrap();
        play(&launch(&format!(
            "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=32,height=24 \
             ! framesampler random-rate=0 location={} every=1 format={format} ! fakesink",
            folder.path().display()
        )));
        let files = with_extension(folder.path(), extension);
        assert_eq!(files.len(), 3, "{format}");
        for file in files {
            let sidecar: Sidecar = serde_json::from_slice(&fs::read(file.with_extension("json")).unwrap()).unwrap();
            assert_eq!(sidecar.file, file.file_name().unwrap().to_str().unwrap());
            let bytes = fs::read(&file).unwrap();
            match format {
                "raw" => assert_eq!(bytes.len(), 32 * 24 * 3 / 2, "{}", sidecar.caps),
                _ => assert_eq!(decoded_size(&file), (32, 24)),
            }
        }
    }
}

/// Returns the size of a JPEG, by GStreamer's own decoder.
fn decoded_size(file: &Path) -> (i32, i32) {
    let pipeline = launch(&format!("filesrc location={} ! jpegdec ! fakesink name=out", file.display()));
    let sink = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    let caps = Arc::new(std::sync::Mutex::new(None));
    let keep = caps.clone();
    sink.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        *keep.lock().unwrap() = pad.current_caps();
        gst::PadProbeReturn::Ok
    });
    play(&pipeline);
    let caps = caps.lock().unwrap().take().expect("a picture came out");
    let s = caps.structure(0).unwrap();
    (s.get("width").unwrap(), s.get("height").unwrap())
}

#[test]
fn what_is_masked_is_black_in_the_file_and_untouched_on_the_line() {
    let (folder, mut h, _bus) = harness(&[("every", "1"), ("mask", "0,0 0.5,0 0.5,1 0,1")]);
    let (_, out) = push(&mut h, 200, |_, _| {});
    assert_eq!(out.map_readable().unwrap().as_slice(), [200; 8]);
    stop(h);
    assert_eq!(captures(folder.path())[0].pixels, [0, 0, 200, 200, 0, 0, 200, 200]);
}

#[test]
fn hits_that_look_like_captures_of_late_are_left_aside_and_what_was_asked_for_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut h, _bus) = harness_to(folder.path(), &[("on-ng", "true"), ("min-distance", "6")]);
    let ng = |buffer: &mut gst::BufferRef, frame: &Frame| {
        AndonInferenceMeta::set(buffer, result(frame, Arm::A, Verdict::Ng));
    };
    for _ in 0..6 {
        push(&mut h, 90, ng);
    }
    let element = h.element().unwrap();
    assert!(element.emit_by_name::<bool>("capture", &[&2u32, &"look", &0u32, &0u32]));
    for _ in 0..2 {
        push(&mut h, 90, |_, _| {});
    }
    stop(h);
    let found = captures(folder.path());
    assert_eq!(found.iter().map(|c| kinds(c)[0]).collect::<Vec<_>>(), [Trigger::Ng, Trigger::Action, Trigger::Action]);
    assert_eq!(stat(&element, "alike"), 5);
}

#[test]
fn a_folder_that_is_full_by_its_quota_loses_its_oldest_and_never_half_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let (mut h, bus) = harness_to(folder.path(), &[("every", "1"), ("max-total-bytes", "9000")]);
    for n in 0..60 {
        push(&mut h, n, |_, _| {});
        wait_for(&bus, "andon/captured");
    }
    let element = stop(h);
    let found = captures(folder.path());
    let last: Vec<_> = ids(&found);
    assert!(found.len() > 2 && found.len() < 40, "{} are left", found.len());
    assert_eq!(stat(&element, "evicted") + found.len() as u64, 60);
    assert!(last.windows(2).all(|w| w[1] > w[0]));
    assert_eq!(with_extension(folder.path(), "json").len(), found.len(), "no sidecar is left without its image");
    let size = |extension| {
        with_extension(folder.path(), extension).iter().map(|p| fs::metadata(p).unwrap().len()).sum::<u64>()
    };
    let bytes = size("png") + size("json");
    assert!(bytes <= 9000, "{bytes}: sidecars count, too");
}

#[test]
fn two_samplers_keep_the_bounds_of_one_folder_together_and_old_captures_go_without_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = [("every", "1"), ("max-total-bytes", "9000")];
    let mut both = [harness_to(folder.path(), &bounds), harness_to(folder.path(), &bounds)];
    for n in 0..40 {
        for (h, bus) in &mut both {
            push(h, n, |_, _| {});
            wait_for(bus, "andon/captured");
        }
    }
    let evicted: u64 = both.into_iter().map(|(h, _)| stat(&stop(h), "evicted")).sum();
    let all = || [with_extension(folder.path(), "png"), with_extension(folder.path(), "json")].concat();
    let bytes: u64 = all().iter().map(|p| fs::metadata(p).unwrap().len()).sum();
    let left = captures(folder.path()).len() as u64;
    assert!(bytes <= 9000 && left > 2 && evicted + left == 80, "{bytes} bytes of {left} captures, {evicted} removed");

    for path in all() {
        let hour = std::time::Duration::from_secs(3600);
        fs::File::options().write(true).open(path).unwrap().set_modified(std::time::SystemTime::now() - hour).unwrap();
    }
    let (h, _bus) = harness_to(folder.path(), &[("on-ng", "true"), ("max-age", "7200000000000")]);
    let element = h.element().unwrap();
    element.set_property("max-age", 60_000_000_000u64);
    while stat(&element, "evicted") < left {
        std::thread::yield_now();
    }
    stop(h);
    assert_eq!(all().len(), 0);
}

#[test]
fn a_disk_without_its_min_free_costs_captures_is_reported_once_and_resumes() {
    let (folder, mut h, bus) = harness(&[("every", "1"), ("min-free", "9000000000000000")]);
    for n in 0..5 {
        push(&mut h, n, |_, _| {});
    }
    let failed = wait_for(&bus, "andon/capture-failed");
    assert!(failed.structure().unwrap().get::<String>("error").unwrap().contains("min-free"));
    let element = h.element().unwrap();
    element.set_property("min-free", 0u64);
    push(&mut h, 9, |_, _| {});
    wait_for(&bus, "andon/capture-resumed");
    stop(h);
    assert_eq!((stat(&element, "failed"), captures(folder.path()).len()), (5, 1));
}

#[test]
fn what_cannot_be_meant_is_refused_at_the_start_and_left_aside_while_playing() {
    for (name, value, says) in [
        ("near", "half", "0.4..0.6"),
        ("when", "hot", "temperature>70"),
        ("budgets", "ng=1", "ng=100/hour"),
        ("mask", "1,1", "corners"),
    ] {
        common::init();
        let element = gst::ElementFactory::make("framesampler").build().unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        element.set_property(name, value);
        assert!(element.set_state(gst::State::Paused).is_err(), "{name}");
        let error = bus.pop_filtered(&[gst::MessageType::Error]).expect("an error is posted");
        let gst::MessageView::Error(error) = error.view() else { panic!("it was asked for") };
        element.set_state(gst::State::Null).unwrap();
        assert!(error.error().to_string().contains(says), "{}", error.error());
    }
    let (folder, mut h, bus) = harness(&[("every", "1")]);
    h.element().unwrap().set_property("mask", "1,1");
    let warning = bus.pop_filtered(&[gst::MessageType::Warning]).expect("a warning is posted");
    let gst::MessageView::Warning(warning) = warning.view() else { panic!("it was asked for") };
    assert!(warning.error().to_string().contains("the settings before stay in force"), "{}", warning.error());
    push(&mut h, 7, |_, _| {});
    stop(h);
    assert_eq!(captures(folder.path()).len(), 1);
}
