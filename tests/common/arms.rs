// SPDX-License-Identifier: MPL-2.0
//! `abtee`, two arms in which the test decides what becomes of each frame, and `abjoin`, under a watchdog.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use andon_core::result::{Arm, Arms, Frame, Inference, Verdict};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

use super::tee::CAPS;

/// A line without a frame for so long hangs.
const HUNG: Duration = Duration::from_secs(20);

/// What becomes of a frame in an arm.
pub enum Fate {
    /// The frame is judged and goes on.
    Pass,
    /// The frame is dropped.
    Drop,
    /// The frame is judged, and goes on behind the next one.
    Behind,
    /// The arm returns an error.
    Fail(gst::FlowError),
    /// The arm ends.
    End,
}

/// Decides by the frame's id.
pub type Decide = Box<dyn Fn(u64) -> Fate + Send + Sync>;

/// Numbers that look random and are the same in every run (xorshift).
pub struct Rng(Cell<u64>);

impl Rng {
    /// Takes a seed other than 0.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// Returns the next number below `n`.
    pub fn below(&self, n: u64) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        (x >> 11) % n
    }
}

/// Drops a sixteenth of the frames, delays some, and, if the arm `reorders`, sends some behind the next.
pub fn random(seed: u64, reorders: bool) -> Decide {
    let rng = Mutex::new(Rng::new(seed));
    Box::new(move |_| {
        let rng = rng.lock().unwrap();
        match rng.below(1024) {
            0 => (0..rng.below(8)).for_each(|_| thread::yield_now()),
            1..16 => (0..rng.below(10_000)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
        match rng.below(32) {
            0 | 1 => Fate::Drop,
            2 if reorders => Fate::Behind,
            _ => Fate::Pass,
        }
    })
}

/// Lets every frame go on.
pub fn passing() -> Decide {
    Box::new(|_| Fate::Pass)
}

/// The id of a frame that has left, and the verdict of arm b on it.
pub type Left = (u64, Option<Verdict>);

/// The whole line.
pub struct Line {
    /// abtee.
    pub tee: gst::Element,
    /// abjoin.
    pub join: gst::Element,
    /// Holds both.
    pub pipeline: gst::Pipeline,
    /// The source.
    pub src: gst::Pad,
    pads: Vec<gst::Pad>,
    left: Arc<Mutex<Vec<Left>>>,
    passed: [Arc<Mutex<Vec<u64>>>; 2],
    ended: mpsc::Receiver<()>,
    progress: Arc<AtomicU64>,
    watchdog: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    next: u64,
}

impl Line {
    /// Plays with these properties (`t.mode=split`, `j.wait=-1`) and what becomes of the frames in a and in b.
    pub fn new(properties: &[(&str, &str)], decide: [Decide; 2]) -> Self {
        super::init();
        let pipeline = gst::Pipeline::new();
        let [tee, join] = [("abtee", "t"), ("abjoin", "j")].map(|(kind, name)| {
            let element = gst::ElementFactory::make(kind).name(name).build().unwrap();
            pipeline.add(&element).unwrap();
            element
        });
        for (name, value) in properties {
            let (element, name) = name.split_once('.').expect("an element and a property");
            pipeline.by_name(element).unwrap().set_property_from_str(name, value);
        }
        let passed: [Arc<Mutex<Vec<u64>>>; 2] = Default::default();
        let mut pads = Vec::new();
        for (((arm, from, to), decide), passed) in
            [(Arm::A, "src_a", "sink_a"), (Arm::B, "src_b", "sink_b")].into_iter().zip(decide).zip(&passed)
        {
            let [sink, src] = arm_of(arm, decide, passed.clone());
            tee.static_pad(from).unwrap().link(&sink).unwrap();
            src.link(&join.static_pad(to).unwrap()).unwrap();
            pads.extend([sink, src]);
        }
        let (left, progress) = (Arc::<Mutex<Vec<Left>>>::default(), Arc::new(AtomicU64::new(0)));
        let (end, ended) = mpsc::channel();
        let (leave, moved) = (left.clone(), progress.clone());
        let out = sink_pad()
            .chain_function(move |_, _, buffer| {
                let b = AndonInferenceMeta::get(&buffer, Arm::B).map(|i| i.verdict);
                leave.lock().unwrap().push((AndonFrameMeta::get(&buffer).unwrap().id, b));
                moved.fetch_add(1, SeqCst);
                Ok(gst::FlowSuccess::Ok)
            })
            .event_function(move |_, _, event| {
                if event.type_() == gst::EventType::Eos {
                    let _ = end.send(());
                }
                true
            })
            .build();
        join.static_pad("src").unwrap().link(&out).unwrap();
        let src = gst::Pad::builder(gst::PadDirection::Src).build();
        src.link(&tee.static_pad("sink").unwrap()).unwrap();
        pads.extend([out, src.clone()]);
        pads.iter().for_each(|pad| pad.set_active(true).unwrap());
        pipeline.set_state(gst::State::Playing).unwrap();
        src.push_event(gst::event::StreamStart::new("line"));
        src.push_event(gst::event::Caps::new(&CAPS.parse().unwrap()));
        src.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        let watchdog = Some(watch(&pipeline, progress.clone()));
        Self { tee, join, pipeline, src, pads, left, passed, ended, progress, watchdog, next: 0 }
    }

    /// Pushes the next `n` frames, 33 ms apart. The line must take each.
    #[track_caller]
    pub fn bring(&mut self, n: u64) {
        for _ in 0..n {
            let mut buffer = gst::Buffer::with_size(64).unwrap();
            let b = buffer.get_mut().unwrap();
            b.set_pts(gst::ClockTime::from_mseconds(self.next * 33));
            AndonFrameMeta::set(b, Frame { id: self.next, ..Frame::new(None) });
            self.next += 1;
            self.src.push(buffer).expect("the line takes every frame");
            // A frame that is dropped is progress, too.
            self.progress.fetch_add(1, SeqCst);
        }
    }

    /// Ends the stream, and returns all frames that have left when the end has come out.
    pub fn end(&self) -> Vec<Left> {
        self.src.push_event(gst::event::Eos::new());
        self.ended.recv().expect("the sink is there");
        self.left.lock().unwrap().clone()
    }

    /// Returns the frames that the arms have handed on: all of a, and those of b alone.
    pub fn passed(&self) -> Vec<u64> {
        let [mut a, b] = [0, 1].map(|i| self.passed[i].lock().unwrap().clone());
        a.extend(b);
        a.sort_unstable();
        a
    }

    /// Returns a number of an element's `stats`.
    pub fn stat(&self, element: &gst::Element, name: &str) -> u64 {
        element.property::<gst::Structure>("stats").get(name).unwrap()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.pads.iter().for_each(|pad| pad.set_active(false).unwrap());
        self.pipeline.set_state(gst::State::Null).unwrap();
        if let Some((stop, thread)) = self.watchdog.take() {
            drop(stop);
            thread.join().unwrap();
        }
    }
}

fn sink_pad() -> gst::PadBuilder<gst::Pad> {
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
    gst::Pad::builder_from_template(&template)
}

/// Makes both ends of an arm.
fn arm_of(arm: Arm, decide: Decide, passed: Arc<Mutex<Vec<u64>>>) -> [gst::Pad; 2] {
    let src = gst::Pad::builder(gst::PadDirection::Src).build();
    let (out, events, queries) = (src.clone(), src.clone(), src.clone());
    let held = Mutex::new(None::<gst::Buffer>);
    let sink = sink_pad()
        .chain_function(move |_, _, mut buffer| {
            let frame = AndonFrameMeta::get(&buffer).expect("abtee names every frame");
            let fate = decide(frame.id);
            match fate {
                Fate::Drop => return Ok(gst::FlowSuccess::Ok),
                Fate::Fail(error) => return Err(error),
                Fate::End => {
                    out.push_event(gst::event::Eos::new());
                    return Err(gst::FlowError::Eos);
                }
                Fate::Pass | Fate::Behind => {}
            }
            let mut result = Inference::new("arm".into(), arm, &frame, [8, 8]);
            result.verdict = Verdict::Ok;
            AndonInferenceMeta::set(buffer.make_mut(), Arc::new(result));
            if arm == Arm::A || frame.arms == Arms::B {
                passed.lock().unwrap().push(frame.id);
            }
            if matches!(fate, Fate::Behind) {
                let before = held.lock().unwrap().replace(buffer);
                return before.map_or(Ok(gst::FlowSuccess::Ok), |before| out.push(before));
            }
            out.push(buffer)?;
            let behind = held.lock().unwrap().take();
            behind.map_or(Ok(gst::FlowSuccess::Ok), |behind| out.push(behind))
        })
        .event_function(move |_, _, event| events.push_event(event))
        .query_function(move |_, _, query| queries.peer_query(query))
        .build();
    let up = sink.downgrade();
    // SAFETY: the pad is neither active nor linked yet, so no thread calls the function that is being set.
    unsafe {
        src.set_event_function(move |_, _, event| up.upgrade().is_some_and(|pad| pad.push_event(event)));
    }
    [sink, src]
}

/// Prints the state of the line and aborts when nothing has moved for long. Ends when the sender is dropped.
fn watch(pipeline: &gst::Pipeline, progress: Arc<AtomicU64>) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel();
    let pipeline = pipeline.clone();
    let thread = thread::spawn(move || {
        let mut last = u64::MAX;
        while stopped.recv_timeout(HUNG) == Err(mpsc::RecvTimeoutError::Timeout) {
            let now = progress.load(SeqCst);
            if now == last {
                eprintln!("no frame left for {} s, after {now}", HUNG.as_secs());
                for name in ["t", "j"] {
                    let element = pipeline.by_name(name).unwrap();
                    eprintln!("{name}: {}", element.property::<gst::Structure>("stats"));
                    for pad in element.pads() {
                        eprintln!("  {}: {:?}, task {:?}", pad.name(), pad.pad_flags(), pad.task_state());
                    }
                }
                eprintln!("{}", pipeline.debug_to_dot_data(gst::DebugGraphDetails::ALL));
                std::process::abort();
            }
            last = now;
        }
    });
    (stop, thread)
}
