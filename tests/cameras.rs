// SPDX-License-Identifier: MPL-2.0
//! Cameras of every depth and format on whole lines: the same boards are the same detections, what a camera of 10 or 12 bits
//! gives in 16 is said, and a capture has the pixels that were seen.

mod common;

use std::sync::{Arc, Mutex};

use andon_core::result::{Arm, Inference, Verdict};
use common::{launch, play, root, runtime, sampler::captures};
use gst::prelude::*;
use gstandon::meta::AndonInferenceMeta;

/// Boards of the test source as grey frames of 640×640 pixels.
fn boards(frames: u32) -> Vec<Vec<u8>> {
    let pipeline = launch(&format!(
        "defecttestsrc num-buffers={frames} defect-rate=0.6 seed=3 ! video/x-raw,format=GRAY8,width=640,height=640 ! \
         fakesink name=out sync=false"
    ));
    let all = Arc::new(Mutex::new(Vec::new()));
    let put = all.clone();
    pipeline.by_name("out").unwrap().static_pad("sink").unwrap().add_probe(
        gst::PadProbeType::BUFFER,
        move |_, info| {
            put.lock().unwrap().push(info.buffer().unwrap().map_readable().unwrap().to_vec());
            gst::PadProbeReturn::Ok
        },
    );
    play(&pipeline);
    std::mem::take(&mut *all.lock().unwrap())
}

/// Plays frames of `format` (with more caps after it) through `line`; its fakesink is named `out`. Returns what arm a said of
/// each, and the warnings.
fn judged(format: &str, side: i32, frames: &[Vec<u8>], line: &str) -> (Vec<Arc<Inference>>, Vec<String>) {
    let caps = format!("video/x-raw,format={format},width={side},height={side},framerate=25/1");
    let pipeline =
        launch(&format!("appsrc name=in format=time caps=\"{caps}\" ! {line} ! fakesink name=out sync=false"));
    let src = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let all = Arc::new(Mutex::new(Vec::new()));
    let put = all.clone();
    pipeline.by_name("out").unwrap().static_pad("sink").unwrap().add_probe(
        gst::PadProbeType::BUFFER,
        move |_, info| {
            put.lock().unwrap().extend(AndonInferenceMeta::get(info.buffer().unwrap(), Arm::A));
            gst::PadProbeReturn::Ok
        },
    );
    pipeline.set_state(gst::State::Ready).unwrap();
    src.set_max_bytes(u64::MAX);
    for (n, frame) in frames.iter().enumerate() {
        let mut buffer = gst::Buffer::from_slice(frame.clone());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(40 * n as u64));
        src.push_buffer(buffer).unwrap();
    }
    src.end_of_stream().unwrap();
    let warnings = play(&pipeline).into_iter().filter_map(|m| match m.view() {
        gst::MessageView::Warning(w) => Some(format!("{}: {}", w.src().unwrap().name(), w.error().message())),
        _ => None,
    });
    let warnings = warnings.collect();
    (std::mem::take(&mut *all.lock().unwrap()), warnings)
}

/// A camera's way to code grey levels 0..255.
type Code = fn(&[u8]) -> Vec<u8>;

fn words(grey: &[u8], white: u32, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    grey.iter().flat_map(|v| bytes(((u32::from(*v) * white + 127) / 255) as u16)).collect()
}

fn thirds(grey: &[u8]) -> Vec<u8> {
    // Rows of 640 pixels end with a group of one.
    let ten = |v: &u8| (u32::from(*v) * 1023 + 127) / 255;
    let group = |g: &[u8]| g.iter().enumerate().fold(0, |all, (i, v)| all | ten(v) << (10 * i)).to_le_bytes();
    grey.chunks(640).flat_map(|row| row.chunks(3).flat_map(group)).collect()
}

#[test]
fn the_same_boards_are_the_same_detections_whatever_the_depth() {
    runtime();
    let boards = boards(4);
    let model = format!("modelinfer model={}", root().join("models/pcb/2").display());
    let (want, _) = judged("GRAY8", 640, &boards, &model);
    let found: usize = want.iter().map(|i| i.detections.len()).sum();
    assert!(found >= 3 && want.iter().any(|i| i.verdict == Verdict::Ng), "there is something to find: {found}");
    let cases: [(&str, &str, Code); 8] = [
        ("GRAY16_LE", "", |g| words(g, 65_535, u16::to_le_bytes)),
        ("GRAY16_BE", "", |g| words(g, 65_535, u16::to_be_bytes)),
        ("GRAY16_LE", " bits=14", |g| words(g, 16_383, u16::to_le_bytes)),
        ("GRAY16_LE", " bits=12", |g| words(g, 4095, u16::to_le_bytes)),
        ("GRAY16_LE,bpp=12", "", |g| words(g, 4095, u16::to_le_bytes)),
        ("GRAY16_BE,bpp=16", " bits=10", |g| words(g, 1023, u16::to_be_bytes)),
        ("GRAY16_LE,bpp=10", "", |g| words(g, 1023, u16::to_le_bytes)),
        ("GRAY10_LE32", "", thirds),
    ];
    for (format, set, code) in cases {
        let frames: Vec<_> = boards.iter().map(|b| code(b)).collect();
        let (got, warnings) = judged(format, 640, &frames, &format!("{model}{set}"));
        assert_eq!(warnings, [""; 0], "{format}{set}");
        for (g, w) in got.iter().zip(&want) {
            assert_eq!((g.verdict, g.detections.len()), (w.verdict, w.detections.len()), "{format}{set}");
            for (g, w) in g.detections.iter().zip(&w.detections) {
                let apart = g.bbox.iter().zip(w.bbox).map(|(g, w)| (g - w).abs()).fold(0.0, f32::max);
                assert!(
                    g.label == w.label && (g.score - w.score).abs() < 0.01 && apart < 0.5,
                    "{format}{set}: {g:?} {w:?}"
                );
            }
        }
        assert_eq!(got.len(), want.len());
    }
}

#[test]
fn every_element_says_once_that_a_stream_never_leaves_its_lower_part_and_the_caps_can_say_it_for_all() {
    runtime();
    let model = root().join("tests/data/detector.onnx");
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "modelinfer name=m model={} ! driftmeter name=d ! framesampler name=f location={} random-rate=0 ! defectoverlay name=o",
        model.display(),
        folder.path().display()
    );
    // 12 bits of white and of black in turns.
    let frame = [[0xff, 0x0f], [0, 0]].concat().repeat(64 * 32);
    let (dark, warnings) = judged("GRAY16_LE", 64, &vec![frame.clone(); 40], &line);
    assert!(dark.iter().all(|i| i.score < 0.25), "1/16 of the brightness shows nothing");
    let by: Vec<_> = warnings.iter().map(|w| w.split(':').next().unwrap()).collect();
    assert_eq!(by.len(), 4, "{warnings:?}");
    assert!(["m", "d", "f", "o"].iter().all(|e| by.contains(e)), "{by:?}");
    for warning in &warnings {
        assert!(warning.contains("none was above 4095") && warning.contains("bits=12"), "{warning}");
        assert!(warning.contains("capssetter caps=video/x-raw,bpp=12"), "{warning}");
    }
    let (bright, warnings) =
        judged("GRAY16_LE", 64, &vec![frame; 40], &format!("capssetter caps=video/x-raw,bpp=12 ! {line}"));
    assert_eq!(warnings, [""; 0]);
    assert!(bright.iter().all(|i| i.score > 0.3), "half white: {}", bright[0].score);
}

#[test]
fn a_capture_of_twelve_bits_has_sixteen_that_mean_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("framesampler bits=12 every=1 random-rate=0 location={}", folder.path().display());
    judged("GRAY16_LE", 2, &[[0u16, 1000, 2048, 4095].map(u16::to_le_bytes).concat()], &line);
    let found = captures(folder.path());
    let got = found[0].pixels.as_chunks::<2>().0.iter().map(|v| u16::from_be_bytes(*v));
    assert_eq!(got.collect::<Vec<_>>(), [0, 16_004, 32_776, 65_535], "65535 is white, as 4095 was");
    assert!(found[0].sidecar.caps.contains("bpp=(int)12"), "raw files are read by the caps: {}", found[0].sidecar.caps);
}

#[test]
fn every_format_passes_every_element_and_is_captured_in_its_colours() {
    runtime();
    let model = root().join("tests/data/detector.onnx");
    for format in gstandon::meta::video::FORMATS {
        for (width, height) in [(64, 48), (63, 47)] {
            let folder = tempfile::tempdir().unwrap();
            play(&launch(&format!(
                "videotestsrc num-buffers=2 pattern=solid-color foreground-color=0xffd04020 ! \
                 video/x-raw,format=RGB,width={width},height={height} ! videoconvert ! video/x-raw,format={} ! \
                 modelinfer model={} ! driftmeter ! framesampler random-rate=0 location={} every=2 ! defectoverlay ! fakesink",
                format.to_str(),
                model.display(),
                folder.path().display()
            )));
            let found = &captures(folder.path())[0];
            let grey = format.to_str().starts_with("GRAY");
            let want = if grey { vec![104] } else { vec![0xd0, 0x40, 0x20] };
            // Luma of grey is of BT.601 or BT.709, as videoconvert chooses; of RGB16 it cuts three bits off.
            let most = match format.to_str().as_str() {
                "RGB16" => 8,
                _ if grey => 16,
                _ => 5,
            };
            let eight: Vec<u8> = match found.pixels.len() == 2 * width * height {
                true => found.pixels.iter().step_by(2).copied().collect(),
                false => found.pixels.clone(),
            };
            assert_eq!(eight.len(), width * height * want.len(), "{format}");
            // videoconvert 1.22 swaps U and V of the last column when it makes NV61 of odd width.
            let last = width - usize::from(format.to_str() == "NV61" && width % 2 == 1);
            for (i, got) in eight.iter().enumerate().filter(|(i, _)| i / want.len() % width < last) {
                let want = want[i % want.len()];
                assert!(got.abs_diff(want) <= most, "{format} {width}×{height}: {:?} at {i}", &eight[..3]);
            }
        }
    }
}
