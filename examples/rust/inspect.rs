// SPDX-License-Identifier: MPL-2.0
//! A line in Rust, with the plugin linked in: reads the verdict, the model and the defects of each frame, captures frames,
//! swaps the model and goes back.
//!
//! ```text
//! cargo run --example inspect -- MODEL OTHER_MODEL CAPTURES ["properties of modelinfer"]
//! ```

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use gst::prelude::*;
use gstandon::meta::{message::json_of, read_decided};

const CAPTURE_AT: u64 = 5;
const SWAP_AT: u64 = 10;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Error> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [model, other, captures, properties @ ..] = arguments.as_slice() else {
        eprintln!("usage: inspect MODEL OTHER_MODEL CAPTURES [\"properties of modelinfer\"]");
        return Ok(ExitCode::from(2));
    };
    gst::init()?;
    // The plugin is part of this program: no plugin path is needed.
    gstandon::plugin_register_static()?;
    let line = format!(
        "defecttestsrc defect-rate=0.5 seed=3 is-live=true \
         ! modelinfer name=judge model={model} on-error=pass {} \
         ! framesampler name=sampler location={captures} pre-roll=8 random-rate=0 ! fakesink name=out",
        properties.join(" ")
    );
    let pipeline = gst::parse::launch(&line)?.downcast::<gst::Pipeline>().map_err(|_| "a launch line is a pipeline")?;
    let element = |name: &str| pipeline.by_name(name).ok_or(format!("the line has no {name}"));
    let (judge, sampler) = (element("judge")?, element("sampler")?);
    watch(&element("out")?, judge.clone(), sampler, other.clone())?;

    let bus = pipeline.bus().ok_or("a pipeline has a bus")?;
    pipeline.set_state(gst::State::Playing)?;
    let end = listen(&bus, &pipeline, &judge);
    pipeline.set_state(gst::State::Null)?;
    end.map(|()| ExitCode::SUCCESS)
}

/// Prints what decides each frame. It runs on the streaming thread: an application that does more hands the frame on.
fn watch(out: &gst::Element, judge: gst::Element, sampler: gst::Element, other: String) -> Result<(), Error> {
    let frames = AtomicU64::new(0);
    let accepted = |done| if done { "accepted" } else { "refused" };
    let pad = out.static_pad("sink").ok_or("a sink has a pad")?;
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let n = frames.fetch_add(1, Relaxed);
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        let info = pad.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        let size = info.map_or([0, 0], |i| [i.width(), i.height()]);
        match read_decided(buffer, size) {
            None => println!("frame {n}: no result, which is not a good one"),
            Some(said) => {
                let (model, version) = (&said.model.name, &said.model.version);
                println!("frame {n}: {} ({}) {:.2} by {model}@{version}", said.verdict, said.status, said.score);
                for d in &said.detections {
                    let [x, y, width, height] = d.bbox.map(f32::round);
                    println!("  {} {:.2} at {x},{y} {width}x{height}", d.label, d.score);
                }
            }
        }
        if n == CAPTURE_AT {
            let done = sampler.emit_by_name("capture", &[&2u32, &"example", &3u32, &1u32]);
            println!("capture: {}", accepted(done));
        } else if n == SWAP_AT {
            println!("swap: {}", accepted(judge.emit_by_name("swap", &[&other])));
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Listens until the end of the stream. The first change of the model is taken back, and then the stream ends.
fn listen(bus: &gst::Bus, pipeline: &gst::Pipeline, judge: &gst::Element) -> Result<(), Error> {
    let mut changes = 0;
    for message in bus.iter_timed(None) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => return Err(e.error().to_string().into()),
            _ => {}
        }
        if let Some(part) = json_of(&message, "andon/part-verdict") {
            let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_string();
            let model = (text(&part["model"]["name"]), text(&part["model"]["version"]));
            println!("part {}: {} by {}@{}", text(&part["id"]), text(&part["verdict"]), model.0, model.1);
        } else if let Some(s) = message.structure().filter(|s| s.name() == "andon/model-changed") {
            println!("runs now: {}", s.get::<&str>("to")?);
            changes += 1;
            let back = changes == 1 && judge.emit_by_name("rollback", &[]);
            if changes == 1 {
                println!("rollback: {}", if back { "accepted" } else { "refused" });
            }
            if !back {
                // Every element sees the end of the stream, and the last frames come out.
                pipeline.send_event(gst::event::Eos::new());
            }
        } else if let Some(s) = message.structure().filter(|s| s.name() == "andon/model-failed") {
            println!("model failed: {}", s.get::<&str>("error")?);
        }
    }
    Ok(())
}
