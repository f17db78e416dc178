// SPDX-License-Identifier: MPL-2.0
//! `defecttestsrc` in real pipelines: the truth agrees with the pixels.

mod common;

use std::collections::BTreeSet;

use andon_core::result::{Arm, Inference, Purpose, Verdict};
use gst::prelude::*;
use gst_video::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, event::AndonEvent};

/// The samples of a pipeline that starts with the source, named `src`.
struct Taken {
    samples: Vec<gst::Sample>,
    messages: Vec<gst::Message>,
    stats: gst::Structure,
}

/// Plays `defecttestsrc name=src PROPERTIES ! REST` to its end.
#[track_caller]
fn take(properties: &str, rest: &str) -> Taken {
    let pipeline =
        common::launch(&format!("defecttestsrc name=src {properties} ! {rest} appsink name=sink sync=false"));
    collect(&pipeline)
}

#[track_caller]
fn collect(pipeline: &gst::Pipeline) -> Taken {
    let sink: gst_app::AppSink = pipeline.by_name("sink").unwrap().downcast().unwrap();
    let samples = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = samples.clone();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                into.lock().unwrap().push(sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    let messages = common::play(pipeline);
    let stats = pipeline.by_name("src").unwrap().property("stats");
    let samples = std::mem::take(&mut *samples.lock().unwrap());
    Taken { samples, messages, stats }
}

fn bytes(sample: &gst::Sample) -> Vec<u8> {
    sample.buffer().unwrap().map_readable().unwrap().to_vec()
}

fn pixels(taken: &Taken) -> Vec<Vec<u8>> {
    taken.samples.iter().map(bytes).collect()
}

fn truth(sample: &gst::Sample) -> std::sync::Arc<Inference> {
    AndonInferenceMeta::get(sample.buffer().unwrap(), Arm::Truth).expect("the truth rides on every buffer")
}

fn mean(frame: &[u8]) -> f64 {
    frame.iter().map(|&v| f64::from(v)).sum::<f64>() / frame.len() as f64
}

const SMALL: &str = "video/x-raw,format=GRAY8,width=320,height=320 !";

#[test]
fn equal_seeds_give_equal_pixels_and_other_seeds_others() {
    let of = |seed| pixels(&take(&format!("num-buffers=4 defect-rate=0.5 noise=3 seed={seed}"), SMALL));
    let first = of(11);
    assert_eq!(first.len(), 4);
    assert_eq!(first, of(11));
    assert_ne!(first, of(12));
}

#[test]
fn only_the_kinds_that_are_asked_for_are_drawn() {
    let taken = take("num-buffers=30 defect-rate=1 defects=short,pin-hole", SMALL);
    let labels: BTreeSet<String> = taken
        .samples
        .iter()
        .flat_map(|s| truth(s).detections.iter().map(|d| d.label.to_string()).collect::<Vec<_>>())
        .collect();
    assert_eq!(labels, BTreeSet::from(["short".to_string(), "pin-hole".to_string()]));
    let kinds: gst::Structure = taken.stats.get("kinds").unwrap();
    assert!(kinds.get::<u64>("short").unwrap() > 0);
    assert_eq!(kinds.get::<u64>("open").unwrap(), 0);
}

#[test]
fn every_part_is_ng_at_rate_one_and_none_at_rate_zero() {
    for (rate, verdict, ng) in [(1, Verdict::Ng, 12u64), (0, Verdict::Ok, 0)] {
        let taken = take(&format!("num-buffers=12 defect-rate={rate}"), SMALL);
        for sample in &taken.samples {
            let truth = truth(sample);
            assert_eq!((truth.verdict, truth.detections.is_empty()), (verdict, rate == 0));
            assert!(truth.detections.iter().all(|d| d.score == 1.0));
        }
        assert_eq!(taken.stats.get::<u64>("ng-parts").unwrap(), ng);
        assert_eq!(taken.stats.get::<u64>("parts").unwrap(), 12);
        assert_eq!(taken.stats.get::<u64>("frames").unwrap(), 12);
    }
}

#[test]
fn the_defect_rate_is_kept_in_the_long_run() {
    let taken = take("num-buffers=400 defect-rate=0.25", "video/x-raw,format=GRAY8,width=64,height=64 !");
    let ng = taken.stats.get::<u64>("ng-parts").unwrap();
    // 400 draws at 0.25: 100 expected, sigma 8.7; the seed is fixed, the bounds are five sigma.
    assert!((57..=143).contains(&ng), "{ng}");
}

#[test]
fn truth_boxes_hold_every_pixel_that_differs_from_the_good_part() {
    let bad = take("num-buffers=6 defect-rate=1 seed=3 sku=B", "video/x-raw,format=GRAY8,width=640,height=640 !");
    let good = take("num-buffers=6 defect-rate=0 seed=3 sku=B", "video/x-raw,format=GRAY8,width=640,height=640 !");
    for (bad, good) in bad.samples.iter().zip(&good.samples) {
        let truth = truth(bad);
        let mut hit = vec![false; truth.detections.len()];
        for (i, (a, b)) in bytes(bad).iter().zip(bytes(good)).enumerate() {
            if *a != b {
                let (x, y) = ((i % 640) as f32, (i / 640) as f32);
                let inside = |d: &andon_core::result::Detection| {
                    let [left, top, width, height] = d.bbox;
                    x >= left && x < left + width && y >= top && y < top + height
                };
                let holder = truth.detections.iter().position(inside);
                hit[holder.unwrap_or_else(|| panic!("{x},{y} differs outside of every box"))] = true;
            }
        }
        assert!(hit.iter().all(|&h| h), "a box without a defect");
    }
}

#[test]
fn the_mean_follows_the_lamp() {
    let of = |light: f64| mean(&pixels(&take(&format!("num-buffers=1 illumination={light}"), SMALL))[0]);
    let full = of(1.0);
    for light in [0.25, 0.5, 1.2] {
        let ratio = of(light) / full;
        assert!((ratio - light).abs() < 0.02, "{light}: {ratio}");
    }
}

#[test]
fn the_lamp_can_be_dimmed_and_the_defects_changed_while_playing() {
    let pipeline = common::launch(&format!(
        "defecttestsrc name=src num-buffers=20 defect-rate=1 defects=open ! {SMALL} appsink name=sink sync=false"
    ));
    let src = pipeline.by_name("src").unwrap();
    // The change is made on the streaming thread, so that it falls between two known frames.
    let count = std::sync::atomic::AtomicU32::new(0);
    let changed = src.downgrade();
    src.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 9
            && let Some(src) = changed.upgrade()
        {
            src.set_property("illumination", 0.5);
            src.set_property("defects", "spur");
        }
        gst::PadProbeReturn::Ok
    });
    let taken = collect(&pipeline);
    for (i, sample) in taken.samples.iter().enumerate() {
        let expected = if i < 10 { "open" } else { "spur" };
        assert!(truth(sample).detections.iter().all(|d| &*d.label == expected), "frame {i}");
        assert_eq!(mean(&bytes(sample)) < 65.0, i >= 10, "frame {i}: {}", mean(&bytes(sample)));
    }
}

#[test]
fn another_sku_takes_the_belt_with_the_next_part() {
    let pipeline =
        common::launch(&format!("defecttestsrc name=src num-buffers=8 views=2 ! {SMALL} appsink name=sink sync=false"));
    let src = pipeline.by_name("src").unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    let changed = src.downgrade();
    src.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        // The third frame is the first view of the second part: its second view still shows the same board.
        if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2
            && let Some(src) = changed.upgrade()
        {
            src.set_property("sku", "B");
        }
        gst::PadProbeReturn::Ok
    });
    let taken = collect(&pipeline);
    let (a, b) = (take("num-buffers=8 views=2", SMALL), take("num-buffers=8 views=2 sku=B", SMALL));
    for i in 0..8 {
        let (expected, sku) = if i < 4 { (&a, "A") } else { (&b, "B") };
        assert!(bytes(&taken.samples[i]) == bytes(&expected.samples[i]), "frame {i} is not of SKU {sku}");
        let truth = truth(&taken.samples[i]);
        assert_eq!((&*truth.part.as_deref().unwrap().sku, &truth.fields["sku"]), (sku, &sku.into()), "frame {i}");
    }
}

#[test]
fn an_unknown_kind_of_defect_is_refused_counted_and_the_kinds_before_stay() {
    let pipeline = common::launch(&format!("defecttestsrc name=src num-buffers=1 ! {SMALL} fakesink name=sink"));
    let src = pipeline.by_name("src").unwrap();
    src.set_property("defects", "open");
    src.set_property("defects", "open,crack");
    assert_eq!(src.property::<String>("defects"), "open");
    let stats: gst::Structure = src.property("stats");
    assert_eq!(stats.get::<u64>("refused-settings").unwrap(), 1);
    let warning = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Warning]).expect("a warning");
    let gst::MessageView::Warning(warning) = warning.view() else { unreachable!("only warnings were asked for") };
    assert!(warning.error().to_string().contains("mousebite"), "{}", warning.error());
}

#[test]
fn frames_are_named_by_part_and_view() {
    let taken =
        take("num-buffers=7 views=3 speed=40 sku=B seed=5 lot=L7 station=top purpose=golden defect-rate=1", SMALL);
    let mut frames = BTreeSet::new();
    for (i, sample) in taken.samples.iter().enumerate() {
        let frame = AndonFrameMeta::get(sample.buffer().unwrap()).unwrap();
        let part = frame.part.as_deref().unwrap();
        assert_eq!(part.id, format!("B-5-{:06}", i / 3));
        assert_eq!((part.view, part.views), ((i % 3) as u32, 3));
        assert_eq!((&*part.sku, &*part.lot, &*part.station, part.purpose), ("B", "L7", "top", Purpose::Golden));
        assert_eq!(part.trigger_utc_ns, None, "nothing triggers a source that is not live");
        let truth = truth(sample);
        assert_eq!((truth.run, truth.frame_id, truth.part.as_deref()), (frame.run, frame.id, Some(part)));
        frames.insert(frame.id);
    }
    assert_eq!(frames.len(), 7, "frame ids are unique");
    assert_eq!(taken.stats.get::<u64>("parts").unwrap(), 3);
}

#[test]
fn the_board_and_its_truth_move_with_the_belt() {
    let taken = take("num-buffers=2 views=2 speed=20 defect-rate=1 seed=2", SMALL);
    let (a, b) = (bytes(&taken.samples[0]), bytes(&taken.samples[1]));
    for y in 0..320 {
        assert_eq!(a[y * 320..][..300], b[y * 320 + 20..][..300], "row {y}");
    }
    let (first, second) = (truth(&taken.samples[0]), truth(&taken.samples[1]));
    let inner = |d: &andon_core::result::Detection| d.bbox[0] > 0.0 && d.bbox[0] + d.bbox[2] + 20.0 < 320.0;
    for d in first.detections.iter().filter(|d| inner(d)) {
        let moved = [d.bbox[0] + 20.0, d.bbox[1], d.bbox[2], d.bbox[3]];
        assert!(second.detections.iter().any(|e| e.bbox == moved), "{d:?}");
    }
}

#[test]
fn a_shift_moves_the_picture_and_boxes_stay_inside_the_frame() {
    let straight = take("num-buffers=5 defect-rate=1 seed=2", SMALL);
    let shifted = take("num-buffers=5 defect-rate=1 seed=2 shift-x=7 shift-y=-5", SMALL);
    for (a, b) in straight.samples.iter().zip(&shifted.samples) {
        let (pa, pb) = (bytes(a), bytes(b));
        assert_eq!(pa[5 * 320..][..300], pb[7..][..300]);
        for d in &truth(b).detections {
            let [x, y, w, h] = d.bbox;
            assert!(x >= 0.0 && y >= 0.0 && x + w <= 320.0 && y + h <= 320.0 && w > 0.0 && h > 0.0, "{d:?}");
        }
    }
}

#[test]
fn a_part_out_of_sight_shows_no_defects() {
    let taken = take("num-buffers=3 defect-rate=1 shift-x=2000", SMALL);
    for sample in &taken.samples {
        assert_eq!((truth(sample).verdict, truth(sample).detections.len()), (Verdict::Ok, 0));
    }
    assert_eq!(taken.stats.get::<u64>("ng-parts").unwrap(), 3);
}

#[test]
fn every_format_and_odd_sizes_are_filled() {
    for format in ["GRAY8", "RGB", "NV12"] {
        for (w, h) in [(640, 640), (641, 359), (17, 5), (1, 1)] {
            let caps = format!("video/x-raw,format={format},width={w},height={h} !");
            let taken = take("num-buffers=2 noise=2 blur=0.7 defect-rate=1", &caps);
            assert_eq!(taken.samples.len(), 2);
            let sample = &taken.samples[0];
            let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
            assert_eq!((info.width(), info.height(), info.format().to_str().as_str()), (w, h, format));
            let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), &info).unwrap();
            let (stride, row) = (frame.plane_stride()[0] as usize, w as usize * if format == "RGB" { 3 } else { 1 });
            for y in 0..h as usize {
                let row = &frame.plane_data(0).unwrap()[y * stride..][..row];
                assert!(row.iter().any(|&v| v > 10), "{format} {w}x{h}: row {y} is empty");
            }
            assert_eq!(truth(sample).frame, [w, h]);
        }
    }
}

#[test]
fn without_a_choice_of_downstream_frames_are_grey_640_by_640_at_30() {
    let taken = take("num-buffers=1", "");
    let info = gst_video::VideoInfo::from_caps(taken.samples[0].caps().unwrap()).unwrap();
    assert_eq!((info.width(), info.height(), info.fps()), (640, 640, gst::Fraction::new(30, 1)));
    assert_eq!(info.format(), gst_video::VideoFormat::Gray8);
}

#[test]
fn colours_have_the_luma_of_the_grey_frame() {
    let grey = pixels(&take("num-buffers=1", SMALL));
    let caps = format!("video/x-raw,format=RGB,width=320,height=320 ! videoconvert ! {SMALL}");
    let of_rgb = pixels(&take("num-buffers=1", &caps));
    let nv12 = pixels(&take("num-buffers=1", "video/x-raw,format=NV12,width=320,height=320 !"));
    // The test converts by hand: videoconvert passes limited-range luma on as grey.
    let of_nv12 = nv12[0].iter().map(|&y| ((f32::from(y) - 16.0) * 255.0 / 219.0).round() as u8);
    for (name, luma) in [("RGB", of_rgb[0].clone()), ("NV12", of_nv12.collect())] {
        let worst = grey[0].iter().zip(&luma).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 4, "{name}: {worst}");
    }
}

#[test]
fn the_strides_of_the_pool_are_honoured() {
    common::init();
    let pipeline = common::launch(
        "defecttestsrc name=src num-buffers=2 ! video/x-raw,format=RGB,width=101,height=67 ! appsink name=sink sync=false",
    );
    let plain = collect(&pipeline);
    // The pool of the sink pads every row: a probe puts that answer into the allocation query.
    let pipeline = common::launch(
        "defecttestsrc name=src num-buffers=2 ! video/x-raw,format=RGB,width=101,height=67 ! appsink name=sink sync=false",
    );
    let pad = pipeline.by_name("sink").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        let Some(query) = info.query_mut() else { return gst::PadProbeReturn::Ok };
        let gst::QueryViewMut::Allocation(q) = query.view_mut() else { return gst::PadProbeReturn::Ok };
        let caps = q.get().0.unwrap().to_owned();
        let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
        let pool = gst_video::VideoBufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(&caps), info.size() as u32, 0, 0);
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META);
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
        config.set_video_alignment(&gst_video::VideoAlignment::new(0, 0, 0, 77, &[0; 4]));
        pool.set_config(config).unwrap();
        q.add_allocation_pool(Some(&pool), info.size() as u32, 0, 0);
        q.add_allocation_meta::<gst_video::VideoMeta>(None);
        gst::PadProbeReturn::Handled
    });
    let padded = collect(&pipeline);
    for (a, b) in plain.samples.iter().zip(&padded.samples) {
        let info = gst_video::VideoInfo::from_caps(b.caps().unwrap()).unwrap();
        let frame = |s: &gst::Sample| {
            let buffer = s.buffer().unwrap();
            let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).unwrap();
            let stride = frame.plane_stride()[0] as usize;
            let data = frame.plane_data(0).unwrap();
            (stride, (0..67).flat_map(|y| data[y * stride..][..303].to_vec()).collect::<Vec<u8>>())
        };
        let ((tight, a), (wide, b)) = (frame(a), frame(b));
        assert!(wide > tight, "the pool's padding was not used: {wide}");
        assert!(a == b, "other pixels at another stride");
    }
}

#[test]
fn timestamps_follow_the_frame_count_without_drift() {
    let taken = take("num-buffers=10", "video/x-raw,format=GRAY8,width=32,height=32,framerate=30000/1001 !");
    for (i, sample) in taken.samples.iter().enumerate() {
        let buffer = sample.buffer().unwrap();
        let expected = gst::ClockTime::from_nseconds(i as u64 * 1_001_000_000_000 / 30_000);
        assert_eq!(buffer.pts(), Some(expected));
        assert_eq!(buffer.offset(), i as u64);
        assert_eq!(truth(sample).pts_ns, Some(expected.nseconds()));
        let next = gst::ClockTime::from_nseconds((i as u64 + 1) * 1_001_000_000_000 / 30_000);
        assert_eq!(buffer.duration(), Some(next - expected));
    }
    assert!(taken.samples[0].segment().unwrap().downcast_ref::<gst::ClockTime>().is_some());
}

#[test]
fn a_seek_finds_the_frames_that_playing_through_finds() {
    let all = take("num-buffers=20 views=2 speed=10 noise=1 defect-rate=0.5", SMALL);
    let pipeline = common::launch(&format!(
        "defecttestsrc name=src views=2 speed=10 noise=1 defect-rate=0.5 ! {SMALL} appsink name=sink sync=false max-buffers=1"
    ));
    let sink: gst_app::AppSink = pipeline.by_name("sink").unwrap().downcast().unwrap();
    pipeline.set_state(gst::State::Paused).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    for frame in [13u64, 4, 17] {
        let time = all.samples[frame as usize].buffer().unwrap().pts().unwrap();
        pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, time).unwrap();
        let sample = sink.pull_preroll().unwrap();
        assert_eq!(sample.buffer().unwrap().pts(), Some(time));
        assert!(bytes(&sample) == bytes(&all.samples[frame as usize]), "frame {frame} looks different");
        let part = |s: &gst::Sample| truth(s).part.as_deref().cloned();
        assert_eq!(part(&sample), part(&all.samples[frame as usize]));
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn fields_are_announced_downstream_and_are_in_the_truth() {
    let pipeline = common::launch(&format!(
        "defecttestsrc name=src num-buffers=2 sku=B speed=4 fields=\"fields,temperature=23.5\" ! {SMALL} appsink name=sink sync=false"
    ));
    let announced = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = announced.clone();
    let pad = pipeline.by_name("src").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(Ok(AndonEvent::Fields(change))) = info.event().and_then(|e| AndonEvent::parse(e)) {
            assert!(change.complete);
            into.lock().unwrap().push(change.values);
        }
        gst::PadProbeReturn::Ok
    });
    let taken = collect(&pipeline);
    let announced = announced.lock().unwrap();
    assert_eq!(announced.len(), 1, "announced once, since it did not change");
    assert_eq!(announced[0]["sku"], "B");
    assert_eq!(announced[0]["line_speed"], 120.0);
    assert_eq!(announced[0]["temperature"], 23.5);
    assert_eq!(*truth(&taken.samples[1]).fields, announced[0]);
}

#[test]
fn a_live_source_keeps_the_clocks_pace_and_stamps_the_time_of_capture() {
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let taken = take("num-buffers=6 is-live=true", "video/x-raw,format=GRAY8,width=64,height=64,framerate=50/1 !");
    let stamps: Vec<u64> = taken
        .samples
        .iter()
        .map(|sample| {
            let buffer = sample.buffer().unwrap();
            let meta = buffer.meta::<gst::ReferenceTimestampMeta>().expect("a live frame has a time of capture");
            let frame = AndonFrameMeta::get(buffer).unwrap();
            assert_eq!(frame.captured_utc_ns, Some(meta.timestamp().nseconds()));
            assert_eq!(frame.part.as_deref().unwrap().trigger_utc_ns, frame.captured_utc_ns);
            meta.timestamp().nseconds()
        })
        .collect();
    let after = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(after - before >= 5 * 20_000_000, "six frames at 50 a second came within {} ns", after - before);
    assert!(stamps[0] >= before && stamps[5] <= after, "{before} {stamps:?} {after}");
    for pair in stamps.windows(2) {
        assert!(pair[1] > pair[0]);
    }
}

#[test]
fn a_live_source_reports_its_latency_and_cannot_be_seeked_in() {
    let pipeline =
        common::launch("defecttestsrc name=src is-live=true ! video/x-raw,framerate=50/1 ! fakesink name=sink");
    let src = pipeline.by_name("src").unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    let mut query = gst::query::Latency::new();
    assert!(src.query(&mut query));
    assert_eq!((query.result().0, query.result().1), (true, gst::ClockTime::from_mseconds(20)));
    let mut query = gst::query::Seeking::new(gst::Format::Time);
    assert!(!src.query(&mut query) || !query.result().0);
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn the_duration_is_that_of_the_buffers_asked_for() {
    let pipeline = common::launch("defecttestsrc num-buffers=60 name=src ! video/x-raw,framerate=30/1 ! fakesink");
    pipeline.set_state(gst::State::Paused).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    assert_eq!(pipeline.query_duration::<gst::ClockTime>(), Some(gst::ClockTime::from_seconds(2)));
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_new_size_while_playing_changes_the_frames_and_repeats_no_part() {
    let pipeline = common::launch(
        "defecttestsrc name=src num-buffers=10 ! capsfilter name=caps caps=video/x-raw,format=GRAY8,width=320,height=320 ! appsink name=sink sync=false",
    );
    let filter = pipeline.by_name("caps").unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    pipeline.by_name("src").unwrap().static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 4 {
            let caps =
                gst::Caps::builder("video/x-raw").field("format", "RGB").field("width", 160).field("height", 120);
            filter.set_property("caps", caps.build());
        }
        gst::PadProbeReturn::Ok
    });
    let taken = collect(&pipeline);
    assert_eq!(taken.samples.len(), 10);
    let sizes: BTreeSet<[u32; 2]> = taken.samples.iter().map(|s| truth(s).frame).collect();
    assert_eq!(sizes, BTreeSet::from([[320, 320], [160, 120]]));
    let ids: BTreeSet<String> = taken.samples.iter().map(|s| truth(s).part.as_deref().unwrap().id.clone()).collect();
    assert_eq!(ids.len(), 10);
    let times: Vec<_> = taken.samples.iter().map(|s| s.buffer().unwrap().pts().unwrap()).collect();
    assert!(times.windows(2).all(|t| t[1] > t[0]), "{times:?}");
}

#[test]
fn a_hundred_state_changes_leave_it_working() {
    let pipeline = common::launch(
        "defecttestsrc name=src views=2 ! video/x-raw,width=64,height=64 ! fakesink name=sink sync=false",
    );
    for i in 0..100 {
        let state =
            [gst::State::Playing, gst::State::Paused, gst::State::Ready, gst::State::Playing, gst::State::Null][i % 5];
        pipeline.set_state(state).unwrap();
        if i % 7 == 0 {
            pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let again = take("num-buffers=3", SMALL);
    assert_eq!(again.samples.len(), 3);
    assert!(again.messages.iter().all(|m| m.type_() != gst::MessageType::Warning));
}

#[test]
fn what_can_change_from_frame_to_frame_can_be_controlled_while_playing() {
    common::init();
    let src = gst::ElementFactory::make("defecttestsrc").build().unwrap();
    for name in ["illumination", "contrast", "blur", "noise", "shift-x", "shift-y", "defect-rate", "speed"] {
        let flags = src.find_property(name).unwrap().flags();
        assert!(flags.contains(gst::PARAM_FLAG_CONTROLLABLE | gst::PARAM_FLAG_MUTABLE_PLAYING), "{name}");
    }
}
