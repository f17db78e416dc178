// SPDX-License-Identifier: MPL-2.0
//! Judges pairs of arms on a real pipeline, and prints what was decided: equal arms, with one frame or ten frames an object, told
//! and not told; and arms of which b is better, or worse, by a known amount. The frames of an object look alike to an arm.
//!
//! ```sh
//! cargo bench --bench judged [-- RUNS]      # 40 by default
//! ```

use std::sync::Arc;

use andon_core::{
    random::Hash,
    result::{Arm, Frame, Inference, ModelId, Part, Verdict},
};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, message::json_of};
use serde_json::Value;

/// The chances that an arm stops a good object, and a defective one.
type Stops = [f64; 2];

/// How a stream says what a part is.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    /// By `part-by` of abtee.
    By(&'static str),
    /// By the source, as an application does.
    BySource,
    /// Not at all.
    Nothing,
}

struct Case {
    name: &'static str,
    frames: u64,
    told: Told,
    objects: u64,
    arms: [Stops; 2],
    right: &'static str,
}

const EQUAL: [Stops; 2] = [[0.08, 0.8], [0.08, 0.8]];
const BETTER: [Stops; 2] = [[0.08, 0.7], [0.05, 0.95]];
const WORSE: [Stops; 2] = [[0.05, 0.95], [0.08, 0.7]];

const CASES: [Case; 7] = [
    Case {
        name: "equal, one frame a part",
        frames: 1,
        told: Told::By("frame"),
        objects: 400,
        arms: EQUAL,
        right: "hold",
    },
    Case {
        name: "equal, ten frames a part, told",
        frames: 10,
        told: Told::BySource,
        objects: 200,
        arms: EQUAL,
        right: "hold",
    },
    Case {
        name: "equal, ten frames a part, not told",
        frames: 10,
        told: Told::Nothing,
        objects: 200,
        arms: EQUAL,
        right: "hold",
    },
    Case {
        name: "equal, ten frames a part, part-by=every:10",
        frames: 10,
        told: Told::By("every:10"),
        objects: 200,
        arms: EQUAL,
        right: "hold",
    },
    Case {
        name: "b better (escapes 30 → 5 %, overkill 8 → 5 %)",
        frames: 1,
        told: Told::By("frame"),
        objects: 1500,
        arms: BETTER,
        right: "promote",
    },
    Case {
        name: "b better, ten frames a part, part-by=every:10",
        frames: 10,
        told: Told::By("every:10"),
        objects: 600,
        arms: BETTER,
        right: "promote",
    },
    Case {
        name: "b worse (escapes 5 → 30 %, overkill 5 → 8 %)",
        frames: 1,
        told: Told::By("frame"),
        objects: 1500,
        arms: WORSE,
        right: "abort",
    },
];

/// A share of the objects, fixed by what they are.
fn happens(what: &str, run: u64, object: u64, chance: f64) -> bool {
    Hash::default().with(what.as_bytes()).with(&run.to_le_bytes()).with(&object.to_le_bytes()).fraction() < chance
}

fn is_defective(run: u64, object: u64) -> bool {
    happens("defect", run, object, 0.25)
}

/// Puts the result of an arm, and the truth beside a's, on what leaves an element.
fn judge(element: &gst::Element, case: &'static Case, arm: Arm, run: u64) {
    let version = if arm == Arm::A { "1" } else { "2" };
    let model = Arc::new(ModelId { name: "made".into(), version: version.into(), ..ModelId::default() });
    let stops = case.arms[usize::from(arm == Arm::B)];
    let pad = element.static_pad("src").expect("identity has one");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let Some(frame) = AndonFrameMeta::get(buffer) else { return gst::PadProbeReturn::Ok };
        let object = buffer.offset() / case.frames;
        let defective = is_defective(run, object);
        let verdict = |stopped: bool| if stopped { Verdict::Ng } else { Verdict::Ok };
        let of = |arm: Arm, stopped: bool| {
            let mut said = Inference::new("made".into(), arm, &frame, [32, 32]);
            (said.model, said.verdict, said.latency_us) = (model.clone(), verdict(stopped), 500);
            Arc::new(said)
        };
        let stopped = happens(version, run, object, stops[usize::from(defective)]);
        let buffer = buffer.make_mut();
        AndonInferenceMeta::set(buffer, of(arm, stopped));
        if arm == Arm::A {
            AndonInferenceMeta::set(buffer, of(Arm::Truth, defective));
        }
        gst::PadProbeReturn::Ok
    });
}

/// One run: the last judgement.
fn run(case: &'static Case, run: u64) -> Value {
    let part_by = match case.told {
        Told::By(rule) => format!("part-by={rule}"),
        _ => String::new(),
    };
    let text = format!(
        "videotestsrc name=source num-buffers={} pattern=black ! video/x-raw,format=GRAY8,width=32,height=32 ! \
         abtee name=t leaky=false {part_by} t.src_a ! identity name=a ! j.sink_a t.src_b ! identity name=b ! j.sink_b \
         abjoin name=j wait=-1 max-ng-difference=1 report-interval=0 ! fakesink",
        case.objects * case.frames
    );
    let pipeline = gst::parse::launch(&text).expect("it parses").downcast::<gst::Pipeline>().expect("it is a pipeline");
    let by_name = |name: &str| pipeline.by_name(name).expect("it is in the text");
    judge(&by_name("a"), case, Arm::A, run);
    judge(&by_name("b"), case, Arm::B, run);
    if case.told == Told::BySource {
        let pad = by_name("source").static_pad("src").expect("a source has one");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
            let at = buffer.offset();
            let part = Part {
                id: format!("object {}", at / case.frames),
                view: (at % case.frames) as u32,
                views: case.frames as u32,
                ..Part::default()
            };
            AndonFrameMeta::set(buffer.make_mut(), Frame::new(Some(Arc::new(part))));
            gst::PadProbeReturn::Ok
        });
    }
    let bus = pipeline.bus().expect("a pipeline has one");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut last = Value::Null;
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{}: {:?}", error.error(), error.debug()),
            _ => last = json_of(&message, "andon/ab-judgement").unwrap_or(last),
        }
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    last
}

fn main() {
    let runs = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(40_u64);
    gst::init().expect("GStreamer is installed");
    gstandon::plugin_register_static().expect("the plugin registers once");
    println!("\n| arms | runs | promote | abort | hold | right | labels, median and 90 % |");
    println!("|---|---|---|---|---|---|---|");
    for case in &CASES {
        let judged: Vec<_> = (0..runs).map(|k| run(case, k)).collect();
        let of = |decision: &str| judged.iter().filter(|j| j["decision"] == decision).count();
        let mut labels: Vec<_> = judged.iter().filter_map(|j| j.pointer("/labels/tested")?.as_u64()).collect();
        labels.sort_unstable();
        let at = |q: f64| labels.get((q * labels.len() as f64) as usize).copied().unwrap_or(0);
        println!(
            "| {} | {runs} | {} | {} | {} | {:.0} % | {} {} |",
            case.name,
            of("promote"),
            of("abort"),
            of("hold"),
            100.0 * of(case.right) as f64 / runs as f64,
            at(0.5),
            at(0.9)
        );
        if case.told == Told::Nothing {
            println!("<!-- {} -->", judged[0]["reasons"][0].as_str().unwrap_or_default());
        }
    }
}
