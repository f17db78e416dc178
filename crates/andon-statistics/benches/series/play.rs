// SPDX-License-Identifier: MPL-2.0
//! Plays a series into a meter, and keeps what the meter says.

use std::{fs::File, io::Write, path::PathBuf};

use andon_core::{
    random::Random,
    result::{self, Arm, Detection, Inference, ModelId, Verdict},
};
use andon_statistics::meter::{Bank, Config, DriftStatus, Stamp, State};

use super::{
    changes::{Change, Changer, Kind},
    frame::{Frame, Source},
};

/// How series are played.
#[derive(Clone, Debug)]
pub struct Options {
    /// The meter's settings.
    pub config: Config,
    /// The number of frames. None: a recording once, a made scene 20,000.
    pub frames: Option<u64>,
    /// The most frames to learn from before a change is put in, after which it is not.
    pub most_learnt: u64,
    /// The frames in `ok`, after learning has ended, that come before a change.
    pub settle: u64,
    /// The most changed frames.
    pub most_changed: u64,
    /// Where to write the features of every frame.
    pub csv: Option<PathBuf>,
}

/// An alarm.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// The frame at which drift was reported.
    pub frame: u64,
    /// The cause named first.
    pub cause: &'static str,
    /// What is off, the clearest first.
    pub off: String,
}

/// What came of a series in which nothing changed.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// The frames played.
    pub frames: u64,
    /// The frame at which learning ended.
    pub learnt: Option<u64>,
    /// Frames in `ok` and `warning`, of which each may raise an alarm.
    pub watched: u64,
    /// How often drift began.
    pub alarms: Vec<Alarm>,
    /// How often a warning began.
    pub warnings: u64,
}

/// What came of a change.
#[derive(Clone, Debug)]
pub enum Finding {
    /// Found after so many changed frames, the last of which raised the alarm.
    Found(u64, Alarm),
    /// Not found within so many changed frames.
    Missed(u64),
    /// One alarm after the other came before the change.
    Early(Alarm),
    /// Learning had not ended after so many frames.
    NotLearnt(u64),
}

/// How many false alarms before a change are waited out.
const MOST_EARLY: u32 = 3;

/// A meter with what is fed to it.
struct Player<'a> {
    bank: Bank,
    source: &'a mut dyn Source,
    frame: Frame,
    id: u64,
    model: Option<Model>,
    csv: Option<File>,
    state: State,
}

impl<'a> Player<'a> {
    fn new(source: &'a mut dyn Source, options: &Options, change: Option<&Change>) -> Self {
        source.rewind();
        let (size, grey) = source.shape();
        let csv = options.csv.as_ref().map(|folder| {
            let of = change.map_or(String::new(), |c| format!("--{}", c.name.replace([' ', '%', '\'', '°'], "_")));
            File::create(folder.join(format!("{}{of}.csv", source.name()))).expect("the folder can be written")
        });
        let model = change.is_some_and(|c| c.kind == Kind::Mix).then(|| Model::new(size));
        let bank = Bank::new(options.config, "");
        Self { bank, source, frame: Frame::new(size, grey), id: 0, model, csv, state: State::Learning }
    }

    /// Plays the next frame, changed if there is a changer. Returns the status before it and after it.
    fn step(&mut self, changer: Option<&mut Changer>) -> (State, DriftStatus) {
        self.source.next(&mut self.frame);
        let changed = changer.is_some();
        if let Some(changer) = changer {
            changer.apply(&mut self.frame);
        }
        let pts_ns = Some((self.id as f64 * 1e9 / self.source.rate()) as u64);
        let stamp = Stamp { frame_id: self.id, pts_ns, ..Stamp::default() };
        let result = self.model.as_mut().map(|model| model.judge(changed));
        let meter = self.bank.meter("").expect("one meter is allowed");
        meter.observe(&self.frame.image(), result.as_ref(), stamp);
        let (before, status) = (self.state, meter.status());
        if let Some(csv) = &mut self.csv {
            write_row(csv, self.id, status.state, changed, meter);
        }
        // An element hands this to a thread of its own.
        if let Some((key, of, bootstrap)) = self.bank.take_bootstrap()
            && let Some(slow) = bootstrap.run(|| false)
        {
            self.bank.calibrated(&key, of, slow);
        }
        self.state = status.state;
        self.id += 1;
        (before, status)
    }

    fn alarm(&self, status: DriftStatus) -> Alarm {
        let meter = self.bank.latest().expect("a frame was observed");
        let stamp = Stamp { frame_id: self.id, ..Stamp::default() };
        let off = meter.report(stamp).off.iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Alarm { frame: self.id - 1, cause: status.cause_str(), off }
    }
}

fn write_row(csv: &mut File, id: u64, state: State, changed: bool, meter: &andon_statistics::meter::Meter) {
    let features = meter.report(Stamp::default()).features;
    if id == 0 {
        let names: Vec<_> = features.iter().map(|f| f.name.as_ref()).collect();
        writeln!(csv, "frame,state,changed,{}", names.join(",")).expect("the file can be written");
    }
    let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
    let values: Vec<_> = features.iter().map(|f| number(f.value)).collect();
    writeln!(csv, "{id},{},{},{}", state.as_str(), u8::from(changed), values.join(","))
        .expect("the file can be written");
}

/// Returns whether the meter compares frames with a reference that may alarm.
fn watches(state: State) -> bool {
    !matches!(state, State::Learning | State::Provisional)
}

/// Plays a series in which nothing changes.
pub fn unchanged(source: &mut dyn Source, options: &Options) -> Course {
    let frames = options.frames.unwrap_or_else(|| source.length().unwrap_or(20_000));
    let mut player = Player::new(source, options, None);
    let mut course = Course { frames, ..Course::default() };
    for id in 0..frames {
        let (before, status) = player.step(None);
        if watches(status.state) && course.learnt.is_none() {
            course.learnt = Some(id);
        }
        course.watched += u64::from(matches!(status.state, State::Ok | State::Warning));
        if status.state != before {
            match status.state {
                State::Warning => course.warnings += 1,
                State::Drift => course.alarms.push(player.alarm(status)),
                _ => {}
            }
        }
    }
    course
}

/// Plays a series that changes a while after learning has ended.
pub fn changed(source: &mut dyn Source, change: &Change, changer: &mut Changer, options: &Options) -> Finding {
    let mut player = Player::new(source, options, Some(change));
    while !watches(player.state) {
        if player.id >= options.most_learnt {
            return Finding::NotLearnt(player.id);
        }
        player.step(None);
    }
    let (mut calm, mut early) = (0, 0);
    while calm < options.settle {
        let (before, status) = player.step(None);
        if status.state == State::Drift && before != State::Drift {
            early += 1;
            if early > MOST_EARLY {
                return Finding::Early(player.alarm(status));
            }
        }
        calm = if status.state == State::Ok { calm + 1 } else { 0 };
        if player.id >= options.most_learnt {
            return Finding::NotLearnt(player.id);
        }
    }
    if change.kind == Kind::Frozen {
        changer.apply(&mut player.frame);
    }
    for n in 1..=options.most_changed {
        let (_, status) = player.step(Some(changer));
        if status.state == State::Drift {
            return Finding::Found(n, player.alarm(status));
        }
    }
    Finding::Missed(options.most_changed)
}

/// How many frames show an object, and how many come between two.
const SHOWN: u64 = 10;
const APART: u64 = 5;

/// A model that does not exist: it finds an object in ten frames of fifteen, of class 0 mostly.
struct Model {
    random: Random,
    frame: result::Frame,
    size: [u32; 2],
    frames: u64,
    class: u32,
    model: std::sync::Arc<ModelId>,
}

impl Model {
    fn new(size: [usize; 2]) -> Self {
        let model = ModelId { name: "made".into(), version: "1".into(), digest: "sha256:made".into() };
        Self {
            random: Random(5),
            frame: result::Frame::new(None),
            size: size.map(|v| v as u32),
            frames: 0,
            class: 0,
            model: model.into(),
        }
    }

    /// Returns the result for the next frame. Changed: class 1 mostly, and less sure.
    fn judge(&mut self, changed: bool) -> Inference {
        let at = self.frames % (SHOWN + APART);
        self.frames += 1;
        if at == 0 {
            let first = if changed { 0.3 } else { 0.85 };
            self.class = u32::from(self.random.uniform() > first);
        }
        let mut result = Inference::new("made".into(), Arm::A, &self.frame, self.size);
        result.model = self.model.clone();
        result.verdict = Verdict::Ok;
        if at < SHOWN {
            let sure = if changed { 0.7 } else { 0.85 };
            let score = (sure + 0.05 * self.random.normal()).clamp(0.3, 0.99) as f32;
            let label = ["cap", "label"][self.class as usize];
            let [w, h] = self.size.map(|v| v as f32);
            let side = 0.2 * (1.0 + 0.05 * self.random.normal() as f32);
            result.detections.push(Detection::new(
                self.class,
                label.into(),
                score,
                [0.3 * w, 0.3 * h, side * w, side * h],
            ));
            result.score = score;
            if self.class == 1 {
                result.verdict = Verdict::Ng;
            }
        }
        result
    }
}
