// SPDX-License-Identifier: MPL-2.0
//! What the caps say is followed, and what they leave out is no hindrance: the colours of luma and chroma, a stream
//! without a framerate, how upstream can be scheduled, and when the camera took a frame.

mod common;

use common::{
    judge::{bundle, path},
    launch, play, runtime,
    sampler::captures,
};
use gst::prelude::*;
use gstandon::meta::AndonFrameMeta;

/// Colorimetries by their names, or as range, matrix, transfer and primaries; 2 is FCC, 4 BT.601, 6 BT.2020.
const COLORIMETRIES: [&str; 8] = ["bt601", "bt709", "bt2020", "smpte240m", "2:2:5:1", "1:4:16:4", "1:6:5:1", "1:5:7:5"];

#[test]
fn luma_and_chroma_become_the_colours_that_they_were_made_of_whatever_the_matrix() {
    for colorimetry in COLORIMETRIES {
        for format in ["NV12", "I420", "YUY2", "Y444", "AYUV", "P010_10LE", "I420_10LE"] {
            let folder = tempfile::tempdir().unwrap();
            // One colour, so that the siting of chroma does not matter.
            play(&launch(&format!(
                "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xffd04020 ! \
                 video/x-raw,format=RGB,width=64,height=48 ! videoconvert ! \
                 video/x-raw,format={format},colorimetry=(string){colorimetry} ! \
                 framesampler random-rate=0 location={} every=1 ! fakesink",
                folder.path().display()
            )));
            let found = captures(folder.path());
            for (got, want) in found[0].pixels.iter().zip([0xd0, 0x40, 0x20].iter().cycle()) {
                assert!(got.abs_diff(*want) <= 3, "{format} {colorimetry}: {:?}", &found[0].pixels[..3]);
            }
        }
    }
}

/// Returns the red, green and blue, 0..255, of the line of a box that is drawn on a frame of `caps`.
fn line(caps: &str) -> [f32; 3] {
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=1 pattern=black ! video/x-raw,format=RGB,width=64,height=48 ! videoconvert ! {caps} ! \
         identity name=found ! defectoverlay band=false labels=false line-width=8 ! videoconvert ! \
         video/x-raw,format=ARGB64_LE ! appsink name=out sync=false"
    ));
    let found = pipeline.by_name("found").unwrap().static_pad("src").unwrap();
    found.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let buffer = info.buffer_mut().unwrap().make_mut();
        let mut region = gst_video::VideoRegionOfInterestMeta::add(buffer, "short", (16, 16, 16, 16));
        region.add_param(gst::Structure::builder("detection").field("confidence", 0.9).build());
        gst::PadProbeReturn::Ok
    });
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let pixels = samples(&pipeline, &out)[0].buffer().unwrap().map_readable().unwrap().to_vec();
    // 16 bits each, for videoconvert is less exact with 8.
    let [_, colour @ ..] = [0, 2, 4, 6].map(|at| (12 * 64 + 24) * 8 + at).map(|at| [pixels[at], pixels[at + 1]]);
    colour.map(|v| f32::from(u16::from_le_bytes(v)) / 257.0)
}

#[test]
fn what_the_overlay_draws_has_the_same_colour_whatever_the_matrix() {
    let want = line("video/x-raw,format=RGB");
    assert!(want[2] > want[0] + 100.0, "a line of colour: {want:?}");
    for colorimetry in COLORIMETRIES {
        for format in ["NV12", "YUY2", "AYUV", "P010_10LE"] {
            let got = line(&format!("video/x-raw,format={format},colorimetry=(string){colorimetry}"));
            assert!(
                got.iter().zip(want).all(|(g, w)| (g - w).abs() <= 3.0),
                "{format} {colorimetry}: {got:?} {want:?}"
            );
        }
    }
}

/// The elements that a frame passes on its way, each as the part of a launch line that it takes.
fn inline(model: &str, folder: &str) -> Vec<(&'static str, String)> {
    let of = |line: &str| line.replace("MODEL", model).replace("FOLDER", folder);
    [
        ("modelinfer", "modelinfer name=e model=MODEL"),
        ("modelinfer in-flight=2", "modelinfer name=e model=MODEL in-flight=2"),
        ("driftmeter", "driftmeter name=e"),
        ("framesampler", "framesampler name=e location=FOLDER"),
        ("defectoverlay", "defectoverlay name=e"),
        ("abtee", "abtee name=e e.src_b ! fakesink async=false e.src_a ! identity"),
        ("abjoin", "abtee name=t t.src_b ! e.sink_b t.src_a ! e.sink_a abjoin name=e"),
        ("abjoin wait=-1", "abtee name=t leaky=false t.src_b ! e.sink_b t.src_a ! e.sink_a abjoin name=e wait=-1"),
    ]
    .map(|(name, line)| (name, of(line)))
    .into()
}

#[test]
fn every_element_takes_frames_whose_caps_have_no_framerate() {
    runtime();
    let (model, folder) = (bundle("detector", |_| {}), tempfile::tempdir().unwrap());
    for (name, element) in inline(&path(&model), &path(&folder)) {
        let pipeline = launch(&format!(
            "appsrc name=in format=time caps=video/x-raw,format=RGB,width=64,height=48 ! {element} ! \
             appsink name=out sync=false"
        ));
        let src = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        for k in 0..5 {
            let mut buffer = gst::Buffer::from_mut_slice(vec![40 * k as u8; 64 * 48 * 3]);
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(40 * k));
            src.push_buffer(buffer).unwrap();
        }
        src.end_of_stream().unwrap();
        let samples = samples(&pipeline, &out);
        assert_eq!(samples.len(), 5, "{name}");
        assert!(samples.iter().all(|s| s.caps() == src.caps().as_deref()), "{name}: {:?}", samples[0].caps());
    }
}

/// Plays to the end and returns what came to `out`. Panics if an element posts an error.
#[track_caller]
fn samples(pipeline: &gst::Pipeline, out: &gst_app::AppSink) -> Vec<gst::Sample> {
    let (put, taken) = std::sync::mpsc::channel();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        put.send(sink.pull_sample().unwrap()).unwrap();
        Ok(gst::FlowSuccess::Ok)
    });
    out.set_callbacks(callbacks.build());
    play(pipeline);
    taken.try_iter().collect()
}

/// Returns a pad that answers how it can be scheduled: by pushing and pulling, with seeks.
fn schedulable() -> gst::Pad {
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Always, &any).unwrap();
    let pad = gst::Pad::builder_from_template(&template)
        .query_function(|pad, parent, query| match query.view_mut() {
            gst::QueryViewMut::Scheduling(q) => {
                q.set(gst::SchedulingFlags::SEEKABLE | gst::SchedulingFlags::BANDWIDTH_LIMITED, 7, 4096, 15);
                q.add_scheduling_modes([gst::PadMode::Push, gst::PadMode::Pull]);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build();
    pad.set_active(true).unwrap();
    pad
}

#[test]
fn every_element_says_how_upstream_can_be_scheduled_and_offers_no_mode_that_it_lacks() {
    runtime();
    let (model, folder) = (bundle("detector", |_| {}), tempfile::tempdir().unwrap());
    for (name, element) in inline(&path(&model), &path(&folder)) {
        let bin = gst::parse::bin_from_description(&element, true).unwrap();
        let upstream = schedulable();
        upstream.link(&bin.static_pad("sink").unwrap()).unwrap();
        bin.set_state(gst::State::Paused).unwrap();
        let mut query = gst::query::Scheduling::new();
        assert!(bin.static_pad("src").unwrap().query(&mut query), "{name}");
        let flags = gst::SchedulingFlags::SEEKABLE | gst::SchedulingFlags::BANDWIDTH_LIMITED;
        assert_eq!(query.result(), (flags, 7, 4096, 15), "{name}");
        assert!(query.has_scheduling_mode(gst::PadMode::Push), "{name}");
        // GStreamer's base class of the others can pull.
        let pulls = bin.by_name("e").unwrap().is::<gst_base::BaseTransform>();
        assert_eq!(query.has_scheduling_mode(gst::PadMode::Pull), pulls, "{name}");
        bin.set_state(gst::State::Null).unwrap();
    }
}

/// Brings each element that gives frames their identity a frame with a reference timestamp. Returns the time of capture by
/// the element's name.
fn captured(reference: &str, seconds: u64, properties: &str) -> Vec<(&'static str, Option<u64>)> {
    let (model, folder) = (bundle("detector", |_| {}), tempfile::tempdir().unwrap());
    let giving = inline(&path(&model), &path(&folder)).into_iter().filter(|(name, _)| !name.contains("overlay"));
    let of = |(name, element): (&'static str, String)| {
        // An abtee ahead of abjoin is the one that gives the identity.
        let first = element.split(' ').next().unwrap().to_string();
        let pipeline = launch(&format!(
            "videotestsrc num-buffers=1 ! video/x-raw,format=RGB,width=64,height=48 ! identity name=camera ! {} ! \
             appsink name=out sync=false",
            element.replacen(&first, &format!("{first} {properties}"), 1)
        ));
        let caps: gst::Caps = reference.parse().unwrap();
        let camera = pipeline.by_name("camera").unwrap().static_pad("src").unwrap();
        camera.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = info.buffer_mut().unwrap().make_mut();
            gst::ReferenceTimestampMeta::add(buffer, &caps, gst::ClockTime::from_seconds(seconds), None);
            gst::PadProbeReturn::Ok
        });
        let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        let samples = samples(&pipeline, &out);
        (name, AndonFrameMeta::get(samples[0].buffer().unwrap()).unwrap().captured_utc_ns)
    };
    giving.map(of).collect()
}

#[test]
fn the_atomic_time_of_ptp_becomes_utc_by_the_leap_table_or_as_the_property_says() {
    runtime();
    let ptp = "timestamp/x-ptp,version=(string)IEEE1588-2008,domain=(int)0";
    // 2023-11-14T22:13:20Z, by a clock that keeps TAI.
    for (name, utc) in captured(ptp, 1_700_000_037, "") {
        assert_eq!(utc, Some(1_700_000_000_000_000_000), "{name}");
    }
    for (name, utc) in captured(ptp, 1_700_000_000, "tai-offset=0") {
        assert_eq!(utc, Some(1_700_000_000_000_000_000), "{name}");
    }
    for (name, utc) in captured(ptp, 12, "") {
        assert_eq!(utc, None, "{name}: a clock that was never set");
    }
    for (name, utc) in captured("timestamp/x-unix", 1_700_000_000, "tai-offset=99") {
        assert_eq!(utc, Some(1_700_000_000_000_000_000), "{name}");
    }
}
