// SPDX-License-Identifier: MPL-2.0
//! `framesampler` in real pipelines: its captures and messages, and that captures never cost the line a frame.

mod common;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, mpsc},
};

use andon_capture::{Role, Sidecar, Trigger};
use andon_core::result::{Arm, Frame, Verdict};
use andon_statistics::cause::Cause;
use common::{
    WATCHDOG, init, launch, play,
    sampler::{
        Capture, act, captures, harness, harness_to, ids, late, late_event, push, result, stat, stop, wait_for,
        with_extension,
    },
};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoInfo, prelude::*};
use gstandon::meta::{
    AndonFrameMeta, AndonInferenceMeta,
    event::{AndonEvent, Drift, Late},
};

/// Collects the samples that reach the appsink `out`, by frame id, rows without gaps.
fn watch(pipeline: &gst::Pipeline) -> Arc<Mutex<BTreeMap<u64, Vec<u8>>>> {
    let seen = Arc::<Mutex<BTreeMap<_, _>>>::default();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    sink.set_sync(false);
    let keep = seen.clone();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let (buffer, caps) = (sample.buffer().unwrap(), sample.caps().unwrap());
        let id = AndonFrameMeta::get(buffer).expect("framesampler names every frame").id;
        keep.lock().unwrap().insert(id, rows(buffer, &VideoInfo::from_caps(caps).unwrap()));
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
    seen
}

/// Returns the rows of the first plane, without gaps.
fn rows(buffer: &gst::BufferRef, info: &VideoInfo) -> Vec<u8> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap();
    let bytes = info.width() as usize * frame.comp_pstride(0) as usize;
    let (stride, data) = (frame.plane_stride()[0] as usize, frame.plane_data(0).unwrap());
    (0..info.height() as usize).flat_map(|y| data[y * stride..][..bytes].to_vec()).collect()
}

#[test]
fn a_capture_on_demand_writes_exactly_the_frames_asked_for_pixel_by_pixel() {
    // 161 pixels a row leave a gap at the end of each.
    for (format, color) in [("GRAY8", png::ColorType::Grayscale), ("RGB", png::ColorType::Rgb)] {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = launch(&format!(
            "videotestsrc num-buffers=20 pattern=snow ! video/x-raw,format={format},width=161,height=40 ! \
             framesampler random-rate=0 name=s location={} ! appsink name=out",
            folder.path().display()
        ));
        let seen = watch(&pipeline);
        let s = pipeline.by_name("s").unwrap();
        assert!(act(&s, 5, "Line 3: look!", 0, 2));
        play(&pipeline);
        let seen = seen.lock().unwrap();
        let found = captures(folder.path());
        assert_eq!(ids(&found), seen.keys().take(7).copied().collect::<Vec<_>>(), "{format}");
        for (i, c) in found.iter().enumerate() {
            assert_eq!((c.color, c.size), (color, (161, 40)));
            assert!(c.pixels == seen[&c.sidecar.frame_id], "{format}: frame {i} is not the one that passed");
            let role = if i < 5 { Role::Hit } else { Role::Post };
            let tag = &c.sidecar.triggers[0];
            assert_eq!((tag.trigger, tag.role, tag.offset), (Trigger::Action, role, i as i64));
            assert_eq!(&*tag.reason, "Line 3: look!");
            assert!(c.sidecar.file.ends_with("-line-3-look.png"), "{}", c.sidecar.file);
            assert!(c.sidecar.caps.contains(format) && c.sidecar.pts_ns.is_some());
        }
        assert_eq!((seen.len(), stat(&s, "frames"), stat(&s, "written")), (20, 20, 7));
    }
}

#[test]
fn every_image_is_announced_with_its_path_and_its_sidecar() {
    let (folder, mut h, bus) = harness(&[]);
    assert!(act(h.element().as_ref().unwrap(), 1, "look", 0, 0));
    let (id, _) = push(&mut h, 1, |_, _| {});
    let message = wait_for(&bus, "andon/captured");
    let s = message.structure().unwrap();
    let path = PathBuf::from(s.get::<String>("path").unwrap());
    assert!(path.exists() && path.starts_with(folder.path()));
    assert_eq!((s.get::<u64>("frame-id"), s.get::<&str>("reason")), (Ok(id), Ok("look")));
    let sidecar: Sidecar = serde_json::from_str(s.get("json").unwrap()).unwrap();
    assert_eq!(sidecar.frame_id, id);
}

#[test]
fn luma_and_chroma_formats_become_rgb_by_the_streams_own_colorimetry() {
    for colorimetry in ["bt601", "bt709"] {
        for format in ["NV12", "I420"] {
            let folder = tempfile::tempdir().unwrap();
            // The colour is flat, so that the chroma siting does not matter.
            let pipeline = launch(&format!(
                "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xffd04020 ! \
                 video/x-raw,format={format},width=64,height=48,colorimetry={colorimetry} ! \
                 framesampler random-rate=0 location={} every=1 ! fakesink",
                folder.path().display()
            ));
            play(&pipeline);
            let found = captures(folder.path());
            for (got, want) in found[0].pixels.iter().zip([0xd0, 0x40, 0x20].iter().cycle()) {
                assert!(got.abs_diff(*want) <= 3, "{format} {colorimetry}: {:?}", &found[0].pixels[..3]);
            }
        }
    }
}

#[test]
fn pre_roll_gives_the_frames_that_have_gone_by() {
    let (folder, mut h, _bus) = harness(&[("pre-roll", "4")]);
    let passed: Vec<_> = (0..10).map(|i| push(&mut h, i, |_, _| {}).0).collect();
    let s = h.element().unwrap();
    assert_eq!((stat(&s, "ring-frames"), stat(&s, "ring-bytes")), (4, 32));
    assert!(act(&s, 0, "what was that", 3, 0));
    let s = stop(h);
    let found = captures(folder.path());
    assert_eq!(ids(&found), passed[7..]);
    let greys: Vec<_> = found.iter().map(|c| c.pixels.clone()).collect();
    assert_eq!(greys, [vec![7; 8], vec![8; 8], vec![9; 8]]);
    let places: Vec<_> = found.iter().map(|c| (c.sidecar.triggers[0].role, c.sidecar.triggers[0].offset)).collect();
    assert_eq!(places, [(Role::Pre, -3), (Role::Pre, -2), (Role::Pre, -1)]);
    assert_eq!(stat(&s, "missed-pre"), 0);
}

#[test]
fn what_is_drawn_downstream_is_not_in_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=8 pattern=white ! video/x-raw,format=RGB,width=64,height=48 ! \
         framesampler random-rate=0 name=s location={} pre-roll=8 ! videobalance brightness=-1.0 ! appsink name=out",
        folder.path().display()
    ));
    let seen = watch(&pipeline);
    let s = pipeline.by_name("s").unwrap();
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    bus.timed_pop_filtered(gst::ClockTime::try_from(WATCHDOG).ok(), &[gst::MessageType::Eos]).expect("it ends");
    assert!(act(&s, 0, "look", 8, 0));
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(seen.lock().unwrap().values().flatten().all(|v| *v == 0), "all is drawn black");
    let found = captures(folder.path());
    assert_eq!(found.len(), 8);
    assert!(found.iter().flat_map(|c| &c.pixels).all(|v| *v == 255));
}

#[test]
fn a_late_disagreement_keeps_the_right_frame_with_both_opinions() {
    let (folder, mut h, _bus) =
        harness(&[("pre-roll", "30"), ("on-disagreement", "true"), ("auto-pre-roll", "1"), ("post-roll", "1")]);
    let mut frames = Vec::new();
    for grey in 0..25 {
        push(&mut h, grey, |buffer, frame| {
            AndonInferenceMeta::set(buffer, result(frame, Arm::A, Verdict::Ok));
            frames.push(frame.clone());
        });
        // The challenger is 20 frames late, and sees a defect in the fourth frame only.
        if let Some(old) = grey.checked_sub(20) {
            let verdict = if old == 3 { Verdict::Ng } else { Verdict::Ok };
            late(&mut h, &result(&frames[usize::from(old)], Arm::B, verdict));
        }
    }
    let s = stop(h);
    let found = captures(folder.path());
    assert_eq!(ids(&found), frames[2..5].iter().map(|f| f.id).collect::<Vec<_>>());
    let c = &found[1];
    assert_eq!(c.pixels, [3; 8], "the frame itself, not the one that passed when it was known");
    assert_eq!((c.sidecar.triggers[0].trigger, c.sidecar.triggers[0].role), (Trigger::Disagreement, Role::Hit));
    let results: Vec<_> = c.sidecar.results.iter().map(|i| (i.arm, i.verdict)).collect();
    assert_eq!(results, [(Arm::A, Verdict::Ok), (Arm::B, Verdict::Ng)]);
    assert_eq!((stat(&s, "late"), stat(&s, "late-gone")), (5, 0));
}

#[test]
fn what_is_known_twenty_frames_late_is_captured_as_the_camera_gave_it_pixel_by_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=60 pattern=snow ! video/x-raw,format=RGB,width=161,height=120 ! identity name=camera ! \
         framesampler random-rate=0 name=s location={} pre-roll=30 on-disagreement=true ! fakesink",
        folder.path().display()
    ));
    let given = Arc::new(Mutex::new(Vec::<(Frame, Vec<u8>)>::new()));
    let keep = given.clone();
    let camera = pipeline.by_name("camera").unwrap().static_pad("src").unwrap();
    camera.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = VideoInfo::from_caps(&pad.current_caps().unwrap()).unwrap();
        let buffer = info.buffer_mut().unwrap().make_mut();
        let frame = Frame::new(None);
        let mut given = keep.lock().unwrap();
        given.push((frame.clone(), rows(buffer, &video)));
        AndonInferenceMeta::set(buffer, result(&frame, Arm::A, Verdict::Ok));
        AndonFrameMeta::set(buffer, frame);
        // The challenger is 20 frames late, and differs on every tenth.
        if let Some(n) = given.len().checked_sub(21) {
            let late = result(&given[n].0, Arm::B, if n % 10 == 3 { Verdict::Ng } else { Verdict::Ok });
            assert!(pad.push_event(late_event(&late)));
        }
        gst::PadProbeReturn::Ok
    });
    play(&pipeline);
    let given = given.lock().unwrap();
    let found = captures(folder.path());
    assert_eq!(ids(&found), [3, 13, 23, 33].map(|n: usize| given[n].0.id));
    for (c, n) in found.iter().zip([3, 13, 23, 33]) {
        assert!(c.pixels == given[n].1, "frame {n} is not as the camera gave it");
        assert!(given.iter().filter(|(_, pixels)| *pixels == c.pixels).count() == 1, "no two frames of snow are alike");
    }
    let s = pipeline.by_name("s").unwrap();
    assert_eq!((stat(&s, "frames"), stat(&s, "late"), stat(&s, "written")), (60, 40, 4));
    println!(
        "late by 20 frames: {} captures of {:?} pixels, each identical to its source frame",
        found.len(),
        found[0].size
    );
}

#[test]
fn an_opinion_that_comes_after_the_image_was_written_is_added_to_its_sidecar() {
    let (folder, mut h, bus) = harness(&[]);
    let s = h.element().unwrap();
    assert!(act(&s, 1, "look", 0, 0));
    let mut frame = None;
    push(&mut h, 1, |buffer, f| {
        AndonInferenceMeta::set(buffer, result(f, Arm::A, Verdict::Ok));
        frame = Some(f.clone());
    });
    wait_for(&bus, "andon/captured");
    assert_eq!(captures(folder.path())[0].sidecar.results.len(), 1);
    late(&mut h, &result(&frame.unwrap(), Arm::B, Verdict::Ng));
    let s = stop(h);
    let results: Vec<_> = captures(folder.path())[0].sidecar.results.iter().map(|i| (i.arm, i.verdict)).collect();
    assert_eq!(results, [(Arm::A, Verdict::Ok), (Arm::B, Verdict::Ng)]);
    assert_eq!(stat(&s, "amended"), 1);
}

#[test]
fn arms_that_differ_on_the_passing_frame_are_kept_and_unjudged_ones_are_not() {
    let (folder, mut h, _bus) = harness(&[("on-disagreement", "true")]);
    let mut wanted = Vec::new();
    for (a, b) in [(Verdict::Ok, Verdict::Ok), (Verdict::Ok, Verdict::Ng), (Verdict::Ng, Verdict::Unjudged)] {
        let (id, _) = push(&mut h, 9, |buffer, frame| {
            AndonInferenceMeta::set(buffer, result(frame, Arm::A, a));
            AndonInferenceMeta::set(buffer, result(frame, Arm::B, b));
        });
        if (a, b) == (Verdict::Ok, Verdict::Ng) {
            wanted.push(id);
        }
    }
    stop(h);
    assert_eq!(ids(&captures(folder.path())), wanted);
}

#[test]
fn what_the_running_model_calls_ng_is_kept_with_its_surroundings() {
    let (folder, mut h, _bus) =
        harness(&[("on-ng", "true"), ("pre-roll", "5"), ("auto-pre-roll", "2"), ("post-roll", "1")]);
    let ids_of: Vec<_> = (0..10)
        .map(|grey| {
            let verdict = if grey == 5 { Verdict::Ng } else { Verdict::Ok };
            push(&mut h, grey, |buffer, f| AndonInferenceMeta::set(buffer, result(f, Arm::A, verdict))).0
        })
        .collect();
    // The challenger alone does not make a frame ng.
    push(&mut h, 10, |buffer, f| AndonInferenceMeta::set(buffer, result(f, Arm::B, Verdict::Ng)));
    stop(h);
    let found = captures(folder.path());
    assert_eq!(ids(&found), ids_of[3..7]);
    assert_eq!(found[2].sidecar.results[0].verdict, Verdict::Ng);
    assert!(found[2].sidecar.file.ends_with("-ng.png"));
}

#[test]
fn a_drift_event_keeps_the_frames_that_follow_once() {
    let (folder, mut h, _bus) = harness(&[("on-drift", "true"), ("drift-frames", "3")]);
    let tell = |h: &mut Harness, state: &str, since_frame| {
        let state = state.parse().unwrap();
        let drift = Drift { state, cause: Some(Cause::Lighting), since_frame, json: "{}".into() };
        assert!(h.push_event(AndonEvent::Drift(drift).to_event()));
    };
    push(&mut h, 0, |_, _| {});
    tell(&mut h, "warning", 0);
    push(&mut h, 1, |_, _| {});
    tell(&mut h, "drift", 1);
    let wanted: Vec<_> = (2..5)
        .map(|g| {
            let id = push(&mut h, g, |_, _| {}).0;
            tell(&mut h, "drift", 1);
            id
        })
        .collect();
    (5..9).for_each(|g| drop(push(&mut h, g, |_, _| {})));
    stop(h);
    let found = captures(folder.path());
    assert_eq!(ids(&found), wanted);
    assert_eq!(&*found[0].sidecar.triggers[0].reason, "lighting");
    assert!(found[0].sidecar.file.ends_with("-drift.png"), "a cause comes from the stream: {}", found[0].sidecar.file);
}

#[test]
fn fields_and_part_of_the_frame_are_in_the_sidecar() {
    let (folder, mut h, _bus) = harness(&[("every", "1")]);
    let fields = gst::Structure::builder("andon/fields").field("line_speed", 1.5).field("part", "P7").build();
    assert!(h.push_event(gst::event::CustomDownstreamSticky::new(fields)));
    push(&mut h, 0, |_, _| {});
    stop(h);
    let sidecar = &captures(folder.path())[0].sidecar;
    assert_eq!(sidecar.fields["line_speed"], 1.5);
    assert_eq!(sidecar.part.as_ref().unwrap().id, "P7");
}

#[test]
fn each_frame_of_the_ring_keeps_the_caps_it_came_with_and_a_flush_empties_it() {
    let (folder, mut h, _bus) = harness(&[("pre-roll", "10")]);
    push(&mut h, 0, |_, _| {});
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=8,height=1,framerate=25/1");
    push(&mut h, 1, |_, _| {});
    let s = h.element().unwrap();
    assert!(act(&s, 0, "look", 2, 0));
    assert!(h.push_event(gst::event::FlushStart::new()) && h.push_event(gst::event::FlushStop::new(true)));
    assert_eq!(stat(&s, "ring-frames"), 0);
    stop(h);
    let sizes: Vec<_> = captures(folder.path()).iter().map(|c| c.size).collect();
    assert_eq!(sizes, [(4, 2), (8, 1)]);
}

#[test]
fn a_missing_folder_costs_no_frame_is_reported_once_and_resumes_when_it_is_there() {
    let base = tempfile::tempdir().unwrap();
    let blocker = base.path().join("file");
    fs::write(&blocker, b"not a folder").unwrap();
    let (mut h, bus) = harness_to(&blocker.join("captures"), &[("every", "1")]);
    let patience = gst::ClockTime::try_from(WATCHDOG).unwrap();
    let warned = bus.timed_pop_filtered(patience, &[gst::MessageType::Warning]);
    assert!(warned.is_some(), "gst-launch-1.0 prints it too");
    let failed = wait_for(&bus, "andon/capture-failed");
    let text = failed.structure().unwrap().get::<String>("error").unwrap();
    assert!(text.contains("must be a folder"), "{text}");
    (0..20).for_each(|g| drop(push(&mut h, g, |_, _| {})));
    let s = h.element().unwrap();
    while stat(&s, "failed") < 20 {
        std::thread::yield_now();
    }
    fs::remove_file(&blocker).unwrap();
    push(&mut h, 20, |_, _| {});
    let mut names = Vec::new();
    while names.last().is_none_or(|n| n != "andon/captured") {
        let message = bus.timed_pop(patience).expect("it resumes");
        names.extend(message.structure().map(|s| s.name().to_string()).filter(|n| n.starts_with("andon/")));
    }
    assert_eq!(names, ["andon/capture-resumed", "andon/captured"], "reported once, not for every frame");
    let s = stop(h);
    assert_eq!((stat(&s, "frames"), stat(&s, "written"), stat(&s, "errors")), (21, 1, 1));
    assert_eq!(captures(&blocker.join("captures")).len(), 1);
}

#[test]
fn a_writer_that_hangs_costs_captures_and_never_a_frame() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=200 ! video/x-raw,format=GRAY8,width=64,height=48 ! \
         framesampler random-rate=0 name=s location={} every=1 max-queue=4 ! appsink name=out",
        folder.path().display()
    ));
    let seen = watch(&pipeline);
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let bus = pipeline.bus().unwrap();
    // The message of the first image blocks the writer's thread, as a disk that does not answer would.
    bus.set_sync_handler(move |_, message| {
        if message.structure().is_some_and(|s| s.name() == "andon/captured") {
            let _ = held.lock().unwrap().recv();
        }
        gst::BusSyncReply::Pass
    });
    let s = pipeline.by_name("s").unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    bus.timed_pop_filtered(gst::ClockTime::try_from(WATCHDOG).ok(), &[gst::MessageType::Eos])
        .expect("the line ends although the writer hangs");
    assert_eq!(seen.lock().unwrap().len(), 200);
    let dropped = stat(&s, "dropped-queue");
    assert!(dropped >= 190, "{dropped}");
    drop(release);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(stat(&s, "written") + dropped, 200);
    assert_eq!(captures(folder.path()).len() as u64, stat(&s, "written"));
}

#[test]
fn two_samplers_share_a_folder_without_treading_on_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path().display();
    // Both see the same frames under the same ids.
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=30 ! video/x-raw,format=GRAY8,width=64,height=48 ! \
         framesampler random-rate=0 name=s1 location={f} every=1 ! framesampler random-rate=0 name=s2 location={f} every=1 ! fakesink"
    ));
    play(&pipeline);
    let found = captures(folder.path());
    assert_eq!(found.len(), 60);
    let elements: HashSet<_> = found.iter().map(|c| c.sidecar.element.to_string()).collect();
    assert_eq!(elements, HashSet::from(["s1".to_string(), "s2".to_string()]));
}

#[test]
fn a_pool_of_four_upstream_does_not_stall_behind_a_ring_of_thirty() {
    let (_folder, mut h, _bus) = harness(&[("pre-roll", "30")]);
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(None, 8, 4, 4);
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    let now_or_never = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
    let mut addresses = HashSet::new();
    for i in 0..60 {
        let buffer = pool.acquire_buffer(Some(&now_or_never)).unwrap_or_else(|e| panic!("frame {i}: {e}"));
        addresses.insert(buffer.map_readable().unwrap().as_ptr());
        h.push(buffer).unwrap();
        drop(h.pull().unwrap());
    }
    let s = h.element().unwrap();
    assert_eq!((stat(&s, "ring-frames"), stat(&s, "deep-copies")), (30, 0));
    println!("a pool of 4 gave 60 frames in {} places: it allocated afresh where its memory is held", addresses.len());
    assert!(addresses.len() > 30, "the ring holds 30 while the next is filled");
    // Buffers that keep others from returning to their pool are copied instead.
    for i in 0..60 {
        let parent = pool.acquire_buffer(Some(&now_or_never)).unwrap_or_else(|e| panic!("frame {i}: {e}"));
        let mut child = parent.copy();
        gst::ParentBufferMeta::add(child.get_mut().unwrap(), &parent);
        drop(parent);
        h.push(child).unwrap();
        drop(h.pull().unwrap());
    }
    assert_eq!((stat(&s, "ring-frames"), stat(&s, "deep-copies")), (30, 60));
    stop(h);
    pool.set_active(false).unwrap();
}

#[test]
fn the_allocation_query_is_answered_by_downstream_unchanged() {
    let (_folder, mut h, _bus) = harness(&[("pre-roll", "30")]);
    h.add_propose_allocation_meta(gst_video::VideoMeta::meta_api(), None);
    push(&mut h, 0, |_, _| {});
    let caps = gst::Caps::new_empty_simple("video/x-raw");
    let mut query = gst::query::Allocation::new(Some(&caps), true);
    let s = h.element().unwrap();
    assert!(s.static_pad("sink").unwrap().query(query.query_mut()));
    assert!(query.find_allocation_meta::<gst_video::VideoMeta>().is_some());
}

#[test]
fn a_shared_buffer_keeps_its_pixels_where_they_are() {
    let (_folder, mut h, _bus) = harness(&[]);
    let buffer = gst::Buffer::from_mut_slice([7u8; 8]);
    let at = buffer.map_readable().unwrap().as_ptr();
    let other = buffer.clone();
    h.push(buffer).unwrap();
    let out = h.pull().unwrap();
    assert_eq!(out.map_readable().unwrap().as_ptr(), at);
    assert!(AndonFrameMeta::get(&out).is_some() && AndonFrameMeta::get(&other).is_none());
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_do() {
    init();
    let element = gst::ElementFactory::make("framesampler").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(!act(&element, 1, "look", 0, 0), "nowhere to write to");
    let warning = bus.pop_filtered(&[gst::MessageType::Warning]).unwrap();
    let gst::MessageView::Warning(warning) = warning.view() else { unreachable!() };
    assert!(warning.error().to_string().contains("set location"), "{}", warning.error());
    element.set_property("every", 1u32);
    assert!(element.set_state(gst::State::Paused).is_err(), "nowhere to write every frame to");
    element.set_state(gst::State::Null).unwrap();
    element.set_property("location", "/nowhere");
    assert!(!act(&element, 0, "look", 0, 0), "nothing asked for");
}

#[test]
fn an_event_that_makes_no_sense_is_counted_and_reported_once() {
    let (_folder, mut h, bus) = harness(&[("pre-roll", "2")]);
    let (id, _) = push(&mut h, 0, |_, _| {});
    for _ in 0..3 {
        let run = andon_core::result::run_id();
        let (element, arm) = (String::new(), Arm::B);
        let bad = Late { run, frame_id: id, pts_ns: None, element, arm, json: "{".into() };
        assert!(h.push_event(AndonEvent::Late(bad).to_event()));
    }
    assert_eq!(stat(&h.element().unwrap(), "bad-events"), 3);
    assert!(bus.pop_filtered(&[gst::MessageType::Warning]).is_some());
    assert!(bus.pop_filtered(&[gst::MessageType::Warning]).is_none());
}

#[test]
fn reset_lets_go_and_counts_from_nothing() {
    let (folder, mut h, _bus) = harness(&[("pre-roll", "5")]);
    (0..5).for_each(|g| drop(push(&mut h, g, |_, _| {})));
    let s = h.element().unwrap();
    assert!(act(&s, 10, "look", 0, 0));
    assert!(s.emit_by_name::<bool>("reset", &[]));
    assert_eq!(["frames", "ring-frames", "pending"].map(|n| stat(&s, n)), [0; 3]);
    push(&mut h, 5, |_, _| {});
    stop(h);
    assert!(captures(folder.path()).is_empty());
}

#[test]
fn a_hundred_changes_of_state_lose_no_capture() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=3 ! video/x-raw,format=GRAY8,width=64,height=48 ! \
         framesampler random-rate=0 location={} every=1 pre-roll=2 ! fakesink",
        folder.path().display()
    ));
    for round in 1..=50 {
        play(&pipeline);
        assert_eq!(with_extension(folder.path(), "png").len(), 3 * round);
    }
    assert_eq!(captures(folder.path()).len(), 150);
}

/// The child that [`killed_at_any_moment_every_image_is_whole_and_has_its_sidecar`] kills. Without a folder it does nothing.
#[test]
fn child_that_captures_until_it_is_killed() {
    let Ok(folder) = std::env::var("ANDON_TEST_KILL_FOLDER") else { return };
    let pipeline = launch(&format!(
        "videotestsrc pattern=snow ! video/x-raw,format=RGB,width=160,height=120 ! \
         framesampler random-rate=0 location={folder} every=1 max-queue=8 ! fakesink"
    ));
    play(&pipeline);
}

/// Counts the images, the sidecars without an image, and the files under temporary names.
fn kinds(folder: &Path) -> [usize; 3] {
    let names: HashSet<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    let of = |e: &'static str| names.iter().filter(move |p| p.extension().is_some_and(|x| x == e));
    let alone = of("json").filter(|p| !names.contains(&p.with_extension("png")));
    [of("png").count(), alone.count(), of("tmp").count()]
}

/// Kills the child ten times, or as often as `ANDON_KILLS` says.
#[test]
fn killed_at_any_moment_every_image_is_whole_and_has_its_sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let kills = std::env::var("ANDON_KILLS").map_or(10, |n| n.parse().expect("ANDON_KILLS is a count"));
    let mut wanted = 0;
    for kill in 0..kills {
        let had = kinds(folder.path());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_captures_until_it_is_killed", "--nocapture"])
            .env("ANDON_TEST_KILL_FOLDER", folder.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // The kill comes after some images: when an image has its name, when only its sidecar has, or while a file is written.
        let (images, moment) = (1 + kill % 10, kill % 3);
        wanted += images;
        loop {
            let has = kinds(folder.path());
            if has[0] >= had[0] + images && (moment == 0 || has[moment] > had[moment]) {
                break;
            }
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let [images, alone, unfinished] = kinds(folder.path());
    println!("{kills} kills: {images} images, {alone} sidecars without one, {unfinished} files under temporary names");
    assert!(images >= wanted);
    assert_eq!(captures(folder.path()).len(), images);
}

#[test]
fn the_launch_lines_of_the_documentation_run() {
    init();
    let page = fs::read_to_string(common::root().join("src/elements/framesampler/mod.rs")).unwrap();
    let page: String =
        page.lines().map(|l| l.trim_start_matches("//!").trim_end_matches('\\').to_owned() + "\n").collect();
    let mut ran = 0;
    for line in page.split("```sh").skip(1).map(|b| b.split("```").next().unwrap().replace('\n', " ")) {
        let needs = ["defecttestsrc", "abtee", "abjoin", "modelinfer"];
        let lacks = |n: &&&str| line.contains(**n) && gst::ElementFactory::find(n).is_none();
        if let Some(missing) = needs.iter().find(lacks) {
            println!("skipped: {missing} is not there: {line}");
            continue;
        }
        if line.contains("models/pcb") && !common::root().join("models/pcb/2").exists() {
            println!("skipped: models/pcb is not there: {line}");
            continue;
        }
        if line.contains("modelinfer") {
            common::runtime();
        }
        let folder = tempfile::tempdir().unwrap();
        let line = line.trim().strip_prefix("gst-launch-1.0").expect("a launch line");
        let line = line.replace("location=captures", &format!("location={}", folder.path().display()));
        play(&launch(&line));
        if line.contains("every=25") {
            // Chance may have captured others.
            let every = |c: &Capture| c.sidecar.triggers.iter().any(|t| t.trigger == Trigger::Every);
            assert_eq!(captures(folder.path()).into_iter().filter(every).count(), 4);
        }
        ran += 1;
    }
    assert!(ran > 0);
}
