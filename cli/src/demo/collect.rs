// SPDX-License-Identifier: MPL-2.0
//! What the demo saw: every frame that came out of the line and everything its elements said, summed up by chapter.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Inference, ModelId, Status, Verdict};
use andon_statistics::{
    agreement::{Scored, Table},
    meter::{DriftReport, State},
};
use gstandon::meta::{AndonInferenceMeta, message::json_of};

use super::script::{DIM, KEEPING, LAMP, NEW_KINDS, OLD_KINDS, RETURN, Script, Step, TAKEOVER};
use crate::{
    drift::{Change, Course},
    play::{Listener, warning},
};

/// What an arm made of the parts.
#[derive(Clone, Debug, Default)]
pub struct ArmTally {
    /// Parts called ok.
    pub ok: u64,
    /// Parts called ng.
    pub ng: u64,
    /// Parts left to a person, or not judged.
    pub undecided: u64,
    /// Against the truth.
    pub scored: Scored,
    /// Time in the engine, µs a frame.
    pub latency_us: Vec<u64>,
}

impl ArmTally {
    fn add(&mut self, said: Verdict, truth: Verdict, latency_us: u64) {
        match said {
            Verdict::Ok => self.ok += 1,
            Verdict::Ng => self.ng += 1,
            Verdict::Review | Verdict::Unjudged => self.undecided += 1,
        }
        self.scored.add(truth, said);
        self.latency_us.push(latency_us);
    }

    /// Whether this arm was asked at all.
    pub fn was_asked(&self) -> bool {
        !self.latency_us.is_empty()
    }
}

/// What happened in one chapter.
#[derive(Clone, Debug, Default)]
pub struct ChapterTally {
    /// Frames that left the line's end.
    pub frames_out: u64,
    /// The champion's element.
    pub a: ArmTally,
    /// The challenger's.
    pub b: ArmTally,
    /// Parts by both arms' verdicts.
    pub table: Table,
    /// Captures, by what asked for them.
    pub captures: BTreeMap<String, u64>,
}

/// One part, judged. The demo's parts have one view each, so that a frame's verdict is its part's.
#[derive(Clone, Copy, Debug)]
pub struct PartSeen {
    /// The number of its frame.
    pub number: u64,
    /// What it is.
    pub truth: Verdict,
    /// What the champion's element said.
    pub a: Verdict,
    /// What the challenger's said, where it was asked.
    pub b: Option<Verdict>,
}

/// A change of model while the line played.
#[derive(Clone, Debug)]
pub struct ModelChange {
    /// The frame that left the camera as it was asked for.
    pub asked_at: u64,
    asked: Instant,
    /// The first frame that the new model judged.
    pub first: Option<u64>,
    /// From asking to that frame's leaving the line.
    pub took: Duration,
}

/// The frames that left the camera, by their place in the script. Shared by camera and collector.
#[derive(Clone, Debug, Default)]
pub struct Roll(Arc<Mutex<Vec<u64>>>);

impl Roll {
    /// Enters a frame; answers its number, from 0. Ids rise.
    pub fn enter(&self, id: u64) -> u64 {
        let mut ids = self.ids();
        ids.push(id);
        ids.len() as u64 - 1
    }

    /// The number of the frame with that id.
    pub fn number(&self, id: u64) -> Option<u64> {
        self.ids().binary_search(&id).ok().map(|i| i as u64)
    }

    /// Frames entered.
    pub fn len(&self) -> u64 {
        self.ids().len() as u64
    }

    fn ids(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().expect("nobody panics while holding the roll")
    }
}

/// A frame that is worth showing.
pub struct Picture {
    /// Its number.
    pub number: u64,
    /// The pixels, with what was found drawn on them.
    pub sample: gst::Sample,
    /// What it is.
    pub truth: Arc<Inference>,
    /// What the champion's element said.
    pub a: Arc<Inference>,
    /// What the challenger's said.
    pub b: Option<Arc<Inference>>,
    worth: usize,
}

/// All that was seen.
pub struct Collector {
    script: Script,
    started: Instant,
    /// From the start to the last frame.
    pub took: Duration,
    /// The frames that left the camera.
    pub roll: Roll,
    /// By chapter.
    pub chapters: Vec<ChapterTally>,
    /// Every part.
    pub parts: Vec<PartSeen>,
    /// What the drift meter said, by frame number.
    pub drift: Course,
    /// In order.
    pub changes: Vec<ModelChange>,
    /// One a chapter, where it had one.
    pub pictures: Vec<Option<Picture>>,
    /// What elements warned of.
    pub warnings: Vec<String>,
    /// The models that judged, in the order that they first did.
    pub models: Vec<Arc<ModelId>>,
    /// Number of each frame that left, and when, from the start.
    pub left: Vec<(u64, Duration)>,
    /// The champion's element's, at the last frame.
    model: Option<Arc<ModelId>>,
}

impl Collector {
    /// Nothing seen yet.
    pub fn new(script: &Script) -> Self {
        let n = script.chapters.len();
        Self {
            script: script.clone(),
            started: Instant::now(),
            took: Duration::ZERO,
            roll: Roll::default(),
            chapters: vec![ChapterTally::default(); n],
            parts: Vec::new(),
            drift: Course::default(),
            changes: Vec::new(),
            pictures: (0..n).map(|_| None).collect(),
            warnings: Vec::new(),
            models: Vec::new(),
            left: Vec::new(),
            model: None,
        }
    }

    /// What was played.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Takes in frame `number` as it leaves the line.
    pub fn frame(&mut self, number: u64, sample: &gst::Sample) {
        self.took = self.started.elapsed();
        self.left.push((number, self.took));
        let chapter = self.script.chapter_of(number);
        let tally = &mut self.chapters[chapter];
        tally.frames_out += 1;
        let Some(buffer) = sample.buffer() else { return };
        let [a, b, truth] = [Arm::A, Arm::B, Arm::Truth].map(|arm| AndonInferenceMeta::get(buffer, arm));
        let (Some(a), Some(truth)) = (a, truth) else { return };
        tally.a.add(verdict(&a), truth.verdict, a.latency_us);
        if let Some(b) = &b {
            tally.b.add(verdict(b), truth.verdict, b.latency_us);
            tally.table.add(verdict(&a), verdict(b));
        }
        self.parts.push(PartSeen { number, truth: truth.verdict, a: verdict(&a), b: b.as_deref().map(verdict) });
        for model in [Some(&a), b.as_ref()].into_iter().flatten().map(|o| &o.model) {
            if !self.models.contains(model) {
                self.models.push(model.clone());
            }
        }
        self.follow_model(number, &a.model);
        let worth = self.worth(chapter, number, &a, b.as_deref(), &truth);
        if worth > self.pictures[chapter].as_ref().map_or(0, |p| p.worth) {
            self.pictures[chapter] = Some(Picture { number, sample: sample.clone(), truth, a, b, worth });
        }
    }

    /// Takes in a message of an element.
    fn message(&mut self, message: &gst::Message) {
        for name in ["andon/drift", "andon/drift-report"] {
            let report = json_of(message, name).and_then(|json| serde_json::from_value::<DriftReport>(json).ok());
            let Some(report) = report else { continue };
            let [number, since] = [report.frame_id, report.since_frame].map(|id| self.roll.number(id));
            if let Some(number) = number {
                self.drift.add(report, number, since.unwrap_or_default());
            }
        }
        if let Some(sidecar) = json_of(message, "andon/captured") {
            let number = sidecar["frame_id"].as_u64().and_then(|id| self.roll.number(id)).unwrap_or_default();
            let by = sidecar["triggers"][0]["trigger"].as_str().unwrap_or("?").to_string();
            *self.chapters[self.script.chapter_of(number)].captures.entry(by).or_default() += 1;
        }
    }

    /// Another model is asked for as frame `number` leaves the camera.
    pub fn change_asked(&mut self, number: u64) {
        let took = Duration::ZERO;
        self.changes.push(ModelChange { asked_at: number, asked: Instant::now(), first: None, took });
    }

    /// Frames that left the camera in a chapter.
    pub fn frames_in(&self, chapter: usize) -> u64 {
        self.roll.len().saturating_sub(self.script.start(chapter)).min(self.script.chapters[chapter].frames)
    }

    /// Frames from the dimming of the lamp to the alarm that names the light, and that cause.
    pub fn lamp_noticed(&self) -> Option<(u64, &'static str)> {
        let dimmed = self.script.frame_of(Step::Lamp(DIM))?;
        let alarm = self.drift.changes.iter().find(|d| d.state == State::Drift && d.number >= dimmed)?;
        Some((alarm.number - dimmed, alarm.cause))
    }

    /// The drift meter's state at the end of a chapter.
    pub fn drift_at_end(&self, chapter: usize) -> Option<&Change> {
        let end = self.script.start(chapter) + self.script.chapters[chapter].frames;
        self.drift.changes.iter().rev().find(|d| d.number < end)
    }

    /// The longest wait between two frames within `around` frames of a change of model.
    pub fn gap_around(&self, change: &ModelChange, around: u64) -> Option<Duration> {
        let first = change.first?;
        self.gaps(|n| n + around >= change.asked_at && n <= first + around).max()
    }

    /// The longest wait between two frames, away from the start and from changes of model, among frames that both arms
    /// judged.
    pub fn gap_elsewhere(&self, around: u64) -> Option<Duration> {
        let both = self.script.start(1) + around;
        let near = |n: u64| self.changes.iter().any(|c| n + around >= c.asked_at && n <= c.first.unwrap_or(n) + around);
        self.gaps(|n| n >= both && !near(n)).max()
    }

    fn gaps(&self, of: impl Fn(u64) -> bool) -> impl Iterator<Item = Duration> {
        self.left.windows(2).filter(move |w| of(w[1].0)).map(|w| w[1].1 - w[0].1)
    }

    fn follow_model(&mut self, number: u64, model: &Arc<ModelId>) {
        let changed = self.model.as_ref().is_some_and(|m| m != model);
        if changed && let Some(change) = self.changes.iter_mut().find(|c| c.first.is_none()) {
            change.first = Some(number);
            change.took = change.asked.elapsed();
        }
        if changed || self.model.is_none() {
            self.model = Some(model.clone());
        }
    }

    /// How much a frame shows of what its chapter is about; 0 for nothing.
    fn worth(&self, chapter: usize, number: u64, a: &Inference, b: Option<&Inference>, truth: &Inference) -> usize {
        let found = |o: &Inference| o.detections.len().min(9);
        let escaped = truth.verdict == Verdict::Ng && verdict(a) == Verdict::Ok;
        let caught_by_b = b.is_some_and(|b| verdict(b) == Verdict::Ng);
        let changed = self.changes.iter().any(|c| c.asked_at < number && c.first.is_some_and(|f| f <= number));
        let both = found(a) + b.map_or(0, found);
        let new_kind = |o: &Inference| o.detections.iter().any(|d| !OLD_KINDS.split(',').any(|old| old == &*d.label));
        let telling = if new_kind(truth) { 200 } else { 100 };
        let back = self.changes.get(1).is_some_and(|c| c.first.is_some());
        match chapter {
            // An escape that the challenger catches.
            NEW_KINDS | KEEPING if escaped && caught_by_b => telling + both,
            // After a change of model, a frame on which the present one shows its strength or its weakness.
            TAKEOVER if changed && new_kind(a) => telling + both,
            RETURN if back && escaped && caught_by_b => telling + both,
            LAMP if !self.is_dim(number) => 0,
            _ if truth.verdict == Verdict::Ng => both,
            _ => 0,
        }
    }

    fn is_dim(&self, number: u64) -> bool {
        let at = |step| self.script.frame_of(step).unwrap_or(u64::MAX);
        (at(Step::Lamp(DIM))..at(Step::Lamp(1.0))).contains(&number)
    }
}

impl Listener for Collector {
    fn hear(&mut self, message: &gst::Message) -> Vec<String> {
        self.warnings.extend(warning(message));
        self.message(message);
        Vec::new()
    }
}

/// What an outcome says of a part of one view: without a judgement, unjudged.
fn verdict(o: &Inference) -> Verdict {
    if o.status == Status::Ok { o.verdict } else { Verdict::Unjudged }
}
