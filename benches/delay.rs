// SPDX-License-Identifier: MPL-2.0
//! Measures how soon `driftmeter` reports a change, and by which cause: real pipelines whose light, focus, position,
//! noise, product or model change at a known frame, on boards of `defecttestsrc` and on the video of a real line.
//!
//! Prints a line for each change: how many runs reported it, after how many changed frames (including the one that
//! raised the report), the causes named first, and the causes that they were corrected to while the change lasted. Then
//! prints a table of the causes named first against the true ones. Elements of GStreamer change the video:
//! `videobalance` changes the light, because its contrast scales luma about black and its saturation scales chroma, so
//! that both together are another gain; its contrast with a compensating brightness changes contrast about mid grey;
//! `gaussianblur` blurs; and `videocrop` shifts by cutting out another piece. Pad probes add noise and replace the
//! model's results.
//!
//! ```text
//! cargo bench --bench delay [-- PART OF A SOURCE'S NAME]
//! ```

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use andon_core::result::{Arm, Inference};
use gst::prelude::*;
use gstandon::meta::{AndonInferenceMeta, message::json_of};

const CAUSES: [&str; 10] =
    ["lighting", "exposure", "colour", "focus", "noise", "position", "scene", "predictions", "model-input", "frozen"];
/// The truth of a run in which nothing changes.
const NOTHING: &str = "nothing";

/// What happens at the frame of the change.
#[derive(Clone)]
enum Act {
    /// Sets properties of the element `change`.
    Set(&'static [(&'static str, &'static str)]),
    /// Adds noise of this σ to luma.
    Noise(f32),
    /// Gives every frame the model's result for the first changed one.
    Dead,
}

/// A change, and the elements that make it.
struct Change {
    name: &'static str,
    /// The cause that the meter has to name, or [`NOTHING`].
    truth: &'static str,
    /// Whether this is the largest step of its kind.
    larger: bool,
    /// The elements between source and meter.
    elements: &'static str,
    act: Act,
}

const fn change(name: &'static str, truth: &'static str, larger: bool, elements: &'static str, act: Act) -> Change {
    Change { name, truth, larger, elements, act }
}

/// Where frames come from.
struct Source {
    name: &'static str,
    /// For each run: the beginning of a launch line, and the frame from which on all frames are changed.
    runs: Vec<(String, u32)>,
    learn_frames: u32,
    changes: Vec<Change>,
}

/// The reports of drift in a run: how many came before the change, and the others by the number of changed frames.
#[derive(Debug, Default)]
struct Reports {
    before: usize,
    after: Vec<(u32, String)>,
}

fn boards() -> Source {
    use Act::{Noise, Set};
    let camera = |name, truth, larger, set| change(name, truth, larger, "identity", Set(set));
    let run = |seed| {
        let line = format!("defecttestsrc name=change seed={seed} num-buffers=700 noise=2");
        (format!("{line} ! video/x-raw,format=GRAY8,width=640,height=640,framerate=60/1"), 350 + 7 * seed)
    };
    Source {
        name: "boards",
        runs: (1..=5_u32).map(run).collect(),
        learn_frames: 300,
        changes: vec![
            camera("nothing", NOTHING, false, &[]),
            camera("light -5 %", "lighting", false, &[("illumination", "0.95")]),
            camera("light -10 %", "lighting", false, &[("illumination", "0.9")]),
            camera("light -25 %", "lighting", true, &[("illumination", "0.75")]),
            camera("light +10 %", "lighting", false, &[("illumination", "1.1")]),
            camera("burnt out", "exposure", true, &[("illumination", "1.8")]),
            camera("contrast x 0.9", "exposure", false, &[("contrast", "0.9")]),
            camera("contrast x 0.7", "exposure", true, &[("contrast", "0.7")]),
            camera("blur 1 px", "focus", false, &[("blur", "1")]),
            camera("blur 2 px", "focus", true, &[("blur", "2")]),
            camera("noise 4", "noise", false, &[("noise", "4.5")]),
            camera("noise 8", "noise", true, &[("noise", "8.2")]),
            change("noise 4, a probe's", "noise", false, "identity", Noise(4.0)),
            camera("3 px right", "position", true, &[("shift-x", "3")]),
            camera("3 px up", "position", true, &[("shift-y", "-3")]),
            camera("another SKU", "scene", true, &[("sku", "B")]),
        ],
    }
}

/// Boards with four views of each part, which are one observation.
fn views() -> Source {
    let mut source = boards();
    source.name = "boards, 4 views";
    source.changes.retain(|c| c.larger || c.truth == NOTHING);
    for (line, at) in &mut source.runs {
        *line = line.replace("num-buffers=700", "num-buffers=1800 views=4");
        *at += 500;
    }
    source.learn_frames = 800;
    source
}

fn model() -> Source {
    use Act::{Dead, Set};
    let judged = |name, truth, larger, act| change(name, truth, larger, "modelinfer model=models/pcb/2 threads=1", act);
    let run = |seed| {
        let line = format!("defecttestsrc name=change seed={seed} num-buffers=520 noise=2 defect-rate=0.3");
        (format!("{line} ! video/x-raw,format=GRAY8,width=640,height=640,framerate=60/1"), 280 + 7 * seed)
    };
    Source {
        name: "boards, model",
        runs: (1..=3_u32).map(run).collect(),
        learn_frames: 250,
        changes: vec![
            judged("nothing", NOTHING, false, Set(&[])),
            judged("defects x 2", "predictions", false, Set(&[("defect-rate", "0.6")])),
            judged("defects x 3", "predictions", true, Set(&[("defect-rate", "0.9")])),
            judged("one kind of defect", "predictions", false, Set(&[("defects", "open")])),
            judged("constant output", "predictions", true, Dead),
        ],
    }
}

fn video() -> Option<Source> {
    use Act::{Noise, Set};
    const BALANCE: &str = "videobalance name=change";
    const BLUR: &str = "videoconvert ! video/x-raw,format=AYUV ! gaussianblur name=change sigma=0 ! videoconvert ! video/x-raw,format=I420";
    const CROP: &str = "videocrop name=change left=8 right=8 top=8 bottom=8";
    let balance = |name, truth, larger, set| change(name, truth, larger, BALANCE, Set(set));
    let crop = |name, set| change(name, "position", true, CROP, Set(set));
    let path = common::data("video/bottle-detection.mp4")?;
    let line = format!("filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=I420", path.display());
    Some(Source {
        name: "bottle video",
        runs: [420, 560, 700].into_iter().map(|at| (line.clone(), at)).collect(),
        learn_frames: 396,
        changes: vec![
            balance("nothing", NOTHING, false, &[]),
            balance("light -5 %", "lighting", false, &[("contrast", "0.95"), ("saturation", "0.95")]),
            balance("light -10 %", "lighting", false, &[("contrast", "0.9"), ("saturation", "0.9")]),
            balance("light -25 %", "lighting", true, &[("contrast", "0.75"), ("saturation", "0.75")]),
            balance("light +10 %", "lighting", false, &[("contrast", "1.1"), ("saturation", "1.1")]),
            balance("burnt out", "exposure", true, &[("contrast", "1.8"), ("saturation", "1.8")]),
            balance("contrast x 0.9", "exposure", false, &[("contrast", "0.9"), ("brightness", "0.0439")]),
            balance("contrast x 0.7", "exposure", true, &[("contrast", "0.7"), ("brightness", "0.1318")]),
            change("blur 1 px", "focus", false, BLUR, Set(&[("sigma", "1")])),
            change("blur 2 px", "focus", true, BLUR, Set(&[("sigma", "2")])),
            change("noise 4", "noise", false, "identity", Noise(4.0)),
            change("noise 8", "noise", true, "identity", Noise(8.0)),
            crop("3 px right", &[("left", "5"), ("right", "11")]),
            crop("3 px up", &[("top", "11"), ("bottom", "5")]),
            balance("hue", "colour", false, &[("hue", "0.1")]),
            balance("hue, saturation", "colour", true, &[("hue", "0.2"), ("saturation", "1.5")]),
        ],
    })
}

/// The state of a run.
#[derive(Default)]
struct Course {
    frames: u32,
    random: u64,
    /// The model's result for the first changed frame.
    result: Option<Arc<Inference>>,
}

impl Course {
    /// Adds noise to luma, which is the first plane.
    fn add_noise(&mut self, luma: &mut [u8], sigma: f32) {
        for pixel in luma {
            // xorshift64*
            self.random ^= self.random >> 12;
            self.random ^= self.random << 25;
            self.random ^= self.random >> 27;
            let bytes = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
            // The sum of eight bytes is nearly normal, around 1020 with a σ of 209.
            let sum: i32 = bytes.into_iter().map(i32::from).sum();
            *pixel = (f32::from(*pixel) + (sum - 1020) as f32 * sigma / 209.0).round().clamp(0.0, 255.0) as u8;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays a run to its end, and returns its reports of drift.
fn run(source: &Source, change: &Change, (line, at): &(String, u32)) -> Reports {
    let meter = format!("driftmeter name=meter learn-frames={}", source.learn_frames);
    let pipeline = common::launch(&format!("{line} ! {} ! {meter} ! fakesink sync=false", change.elements));
    let (act, at) = (change.act.clone(), *at);
    let changed = pipeline.by_name("change");
    let sink = pipeline.by_name("meter").and_then(|m| m.static_pad("sink")).expect("the meter has a sink pad");
    let course = Arc::new(Mutex::new(Course { random: u64::from(at), ..Course::default() }));
    let here = course.clone();
    sink.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let mut course = locked(&here);
        course.frames += 1;
        let buffer = info.buffer_mut().expect("only buffers come here");
        match (&act, &changed) {
            // No thread lies between, so the next frame is the first changed one.
            (Act::Set(properties), Some(element)) if course.frames == at => {
                properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
            }
            (Act::Noise(sigma), _) if course.frames > at => {
                let caps = pad.current_caps().expect("frames have caps");
                let video = gst_video::VideoInfo::from_caps(&caps).expect("frames are raw video");
                let luma = video.stride()[0] as usize * video.height() as usize;
                let mut map = buffer.make_mut().map_writable().expect("the probe owns the buffer");
                course.add_noise(&mut map[..luma], *sigma);
            }
            (Act::Dead, _) if course.frames > at => {
                let result = AndonInferenceMeta::get(buffer, Arm::A).expect("the model has judged");
                AndonInferenceMeta::set(buffer.make_mut(), course.result.get_or_insert(result).clone());
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    let reports = Arc::new(Mutex::new(Reports::default()));
    let (keep, bus) = (reports.clone(), pipeline.bus().expect("a pipeline has a bus"));
    // Runs on the thread that posts the message, so that no further frame has come.
    bus.set_sync_handler(move |_, message| {
        if let Some(json) = json_of(message, "andon/drift").filter(|json| json["state"] == "drift") {
            let frames = locked(&course).frames;
            let mut reports = locked(&keep);
            if frames <= at {
                reports.before += 1;
            } else {
                reports.after.push((frames - at, json["cause"].as_str().expect("a cause is text").into()));
            }
        }
        gst::BusSyncReply::Pass
    });
    common::play(&pipeline);
    bus.unset_sync_handler();
    std::mem::take(&mut *locked(&reports))
}

/// Plays all runs of all changes, as many at once as there are processors. Returns the reports by change.
fn run_all(source: &Source) -> Vec<Vec<Reports>> {
    let jobs: Vec<_> = (0..source.changes.len()).flat_map(|c| (0..source.runs.len()).map(move |r| (c, r))).collect();
    let (next, done) = (Mutex::new(jobs.iter()), Mutex::new(BTreeMap::new()));
    let take = || locked(&next).next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&(c, r)) = take() {
                    let reports = run(source, &source.changes[c], &source.runs[r]);
                    locked(&done).insert((c, r), reports);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values();
    source.changes.iter().map(|_| done.by_ref().take(source.runs.len()).collect()).collect()
}

/// Lists the causes with their numbers of runs: `lighting (3), scene -> lighting (1)`.
fn named(reports: &[Reports]) -> String {
    let mut ways = BTreeMap::<String, u32>::new();
    for causes in reports.iter().filter(|t| !t.after.is_empty()).map(|t| t.after.iter().map(|(_, c)| c.as_str())) {
        let mut causes: Vec<_> = causes.collect();
        causes.dedup();
        *ways.entry(causes.join(" -> ")).or_default() += 1;
    }
    ways.iter().map(|(way, n)| format!("{way} ({n})")).collect::<Vec<_>>().join(", ")
}

fn print(source: &Source, change: &Change, reports: &[Reports]) {
    let delays: Vec<_> = reports.iter().map(|t| t.after.first().map_or("-".into(), |(n, _)| n.to_string())).collect();
    let n = reports.iter().filter(|t| !t.after.is_empty()).count();
    let before: usize = reports.iter().map(|t| t.before).sum();
    let early = if before > 0 { format!("; {before} reported before the change") } else { String::new() };
    println!(
        "{:<15} {:<19} {n}/{} after {:<22} {}{early}",
        source.name,
        change.name,
        reports.len(),
        delays.join(" "),
        named(reports)
    );
}

fn main() {
    common::runtime();
    let mut table = BTreeMap::<(&str, String), u32>::new();
    let (mut larger, mut missed, mut corrected, mut wrong) = (0, 0, 0, 0);
    println!("source, change: runs that reported it, changed frames until then, causes named (-> corrected to)");
    let only = std::env::args().skip(1).find(|a| !a.starts_with("--")).unwrap_or_default();
    let sources = [Some(boards()), Some(views()), video(), Some(model())].into_iter().flatten();
    for source in sources.filter(|s| s.name.contains(&only)) {
        for (change, all) in source.changes.iter().zip(run_all(&source)) {
            print(&source, change, &all);
            for reports in all {
                let first = reports.after.first().map_or("missed", |(_, cause)| cause);
                *table.entry((change.truth, first.into())).or_default() += 1;
                larger += u32::from(change.larger);
                missed += u32::from(change.larger && first == "missed");
                if first != "missed" && first != change.truth {
                    wrong += 1;
                    corrected += u32::from(reports.after.last().is_some_and(|(_, last)| last == change.truth));
                }
            }
        }
    }
    let columns = CAUSES.into_iter().chain(["missed"]);
    print!("\n{:<14}", "true \\ named");
    columns.clone().for_each(|c| print!("{c:>12}"));
    for truth in [NOTHING].into_iter().chain(CAUSES).filter(|t| table.keys().any(|(truth, _)| truth == t)) {
        print!("\n{truth:<14}");
        columns.clone().for_each(|c| print!("{:>12}", table.get(&(truth, c.into())).copied().unwrap_or(0)));
    }
    println!(
        "\n\nmissed at the larger step: {missed} of {larger}; named wrong first: {wrong}, of them corrected: {corrected}"
    );
}
