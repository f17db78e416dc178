// SPDX-License-Identifier: MPL-2.0
//! What a meter knows, as numbers that are quickly copied while frames wait for the meter. The report is made of them after.

use std::sync::Arc;

use super::{
    CauseShare, DriftReport, DriftStatus, FeatureReport, Learning, Meter, Mode, Moment, Off, Progress, SCHEMA, Stamp,
    State,
};
use crate::{
    cause::{self, Cause},
    detector::{Calibration, Watch},
    features::{COUNT, Row, SPECS},
    reference::Reference,
};

/// The numbers of a meter at one time.
#[derive(Clone)]
pub struct Reading {
    status: DriftStatus,
    key: Arc<str>,
    /// When and where the state began.
    since: Option<Moment>,
    /// When and where the latest frame was.
    now: Option<Moment>,
    /// How far learning has come.
    learning: Option<Learning>,
    /// Equal frames in a row, as a share of how many mean a frozen camera.
    still: Option<f64>,
    /// The features of the latest frame.
    latest: Row,
    /// The class label or the field name that each feature is of.
    names: [Option<Arc<str>>; COUNT],
    running: Option<Compared>,
}

/// The numbers of a meter that compares.
#[derive(Clone)]
struct Compared {
    reference: Arc<Reference>,
    watches: [Option<Watch>; COUNT],
    calibration: Calibration,
}

impl Meter {
    /// Returns what the meter knows now.
    pub fn reading(&self) -> Reading {
        let (running, reader) = match &self.mode {
            Mode::Running(running) => (Some(running), Some(&running.reader)),
            Mode::Learning(learner) => (None, Some(&learner.reader)),
            Mode::Idle => (None, None),
        };
        Reading {
            status: self.status,
            key: self.key.clone(),
            since: self.since.clone(),
            now: self.moments.latest(),
            learning: self.learning(),
            still: running.and_then(|r| Some(self.still.run as f64 / r.frozen_after? as f64)),
            latest: self.latest,
            names: std::array::from_fn(|i| reader.and_then(|r| r.name(i)).cloned()),
            running: running.map(|r| Compared {
                reference: r.reference.clone(),
                watches: *r.detector.watches(),
                calibration: r.detector.calibration(),
            }),
        }
    }

    /// Returns how far learning has come.
    fn learning(&self) -> Option<Learning> {
        let Progress { frames, least, most, effective, wanted, waits_for } = self.progress()?;
        let waits_for = waits_for.iter().map(ToString::to_string).collect();
        let (effective, wanted) = (Some(effective), Some(wanted));
        Some(Learning { frames, least, most: Some(most), effective, wanted, waits_for })
    }

    /// Reports all that is known now.
    pub fn report(&self, stamp: Stamp) -> DriftReport {
        self.reading().report(stamp)
    }
}

impl Reading {
    /// Reports all that was known then.
    pub fn report(&self, stamp: Stamp) -> DriftReport {
        let running = self.running.as_ref();
        let off = match self.status.state {
            State::Warning | State::Drift => self.off(),
            State::Learning | State::Provisional | State::Ok => Vec::new(),
        };
        let features: Vec<_> = (0..COUNT).map(|i| self.feature(i)).filter(is_there).collect();
        DriftReport {
            schema: SCHEMA.into(),
            state: self.status.state,
            cause: self.status.cause,
            causes: self.causes(),
            since_frame: self.status.since_frame,
            since: self.since.clone(),
            now: self.now.clone(),
            held_ns: self.now.as_ref().zip(self.since.as_ref()).and_then(|(now, since)| now.since(since)),
            sure: self.sure(),
            off,
            frame_id: stamp.frame_id,
            pts_ns: stamp.pts_ns,
            key: self.key.clone(),
            model: running.map(|r| r.reference.model.clone()).unwrap_or_default(),
            calibration: running.map(|r| r.calibration),
            unit: if self.now.as_ref().is_some_and(|now| !now.part.is_empty()) { "parts" } else { "frames" }.into(),
            learning: self.learning.clone(),
            effective: running.map(|r| r.reference.effective),
            weak: running.map(|r| r.reference.weak.clone()).unwrap_or_default(),
            unsteady: running.map(|r| r.reference.unsteady.clone()).unwrap_or_default(),
            tick: running.map_or(0, |r| r.reference.tick),
            features,
        }
    }

    /// Returns the causes with their shares, the one that was named first.
    fn causes(&self) -> Vec<CauseShare> {
        let Some(named) = self.status.cause else { return Vec::new() };
        let watches = self.running.as_ref().map(|r| &r.watches).filter(|_| named != Cause::Frozen);
        let shares = watches.map(|w| cause::shares(&cause::changes(w))).unwrap_or_default();
        // What was named as the alarm was raised stays named, also when the features of now say something else.
        let Some(at) = shares.iter().position(|(cause, _)| *cause == named) else {
            return vec![CauseShare { cause: Some(named), share: 1.0 }];
        };
        let others = shares.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, s)| s);
        let all = shares.get(at).into_iter().chain(others);
        all.map(|(cause, share)| CauseShare { cause: Some(*cause), share: *share }).collect()
    }

    /// Returns the largest score of the features that are off, as a multiple of its threshold.
    fn sure(&self) -> Option<f64> {
        if self.status.cause? == Cause::Frozen {
            return self.still;
        }
        let off = self.running.iter().flat_map(|r| r.watches.iter().flatten()).filter(|w| w.moved());
        off.map(Watch::evidence).filter(|e| e.is_finite()).reduce(f64::max)
    }

    fn feature(&self, i: usize) -> FeatureReport {
        let known = |v: f64| v.is_finite().then_some(v);
        let latest = self.latest[i];
        let watch = self.running.as_ref().and_then(|r| Some((r.watches[i].as_ref()?, r.calibration)));
        let of = self.names[i].clone();
        let Some((watch, calibration)) = watch else {
            return FeatureReport { name: SPECS[i].name.into(), of, value: known(latest), ..FeatureReport::default() };
        };
        let distance = |d: usize| watch.window.map(|w| w.distances[d]);
        FeatureReport {
            name: SPECS[i].name.into(),
            of,
            value: known(if watch.value.is_nan() { latest } else { watch.value }),
            reference: Some(watch.normal.mean),
            sigma: Some(watch.normal.sigma),
            effect: Some(watch.effect),
            score: Some(watch.score),
            threshold: Some(watch.threshold),
            calibration: Some(watch.calibration(calibration)),
            ks: distance(0),
            wasserstein: distance(1),
            jensen_shannon: distance(2),
            psi: distance(3),
            window_score: watch.window.map(|w| w.score),
            window_threshold: watch.window.map(|w| w.threshold),
        }
    }

    /// Returns the features that are off, the clearest first.
    fn off(&self) -> Vec<Off> {
        let watches = self.running.iter().flat_map(|r| r.watches.iter().enumerate());
        let mut off: Vec<_> = watches.filter_map(|(i, w)| Some((i, w.as_ref().filter(|w| w.moved())?))).collect();
        off.sort_by(|(_, a), (_, b)| b.clarity().total_cmp(&a.clarity()));
        let say = |(i, watch): (usize, &Watch)| Off {
            name: SPECS[i].name.into(),
            of: self.names[i].clone(),
            effect: watch.delta() / watch.normal.sigma,
        };
        off.into_iter().map(say).collect()
    }
}

/// Returns whether a feature exists: a place for a class or a field may be unused.
fn is_there(feature: &FeatureReport) -> bool {
    let spare = feature.name.starts_with("class-") || feature.name.starts_with("field-");
    !spare || feature.of.is_some() || feature.reference.is_some()
}
