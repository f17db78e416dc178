// SPDX-License-Identifier: MPL-2.0
//! The reports of one drift meter in order: its states, its alarms and every feature over frames. A course stays within
//! bounds, however long the record is.

use std::sync::Arc;

use andon_statistics::{
    cause::Cause,
    meter::{DriftReport, FeatureReport, State},
};

/// Most points of a feature. Of more, every second one is dropped.
const MOST_POINTS: usize = 4000;

/// A change of state or cause.
#[derive(Clone, Debug)]
pub struct Change {
    /// The number of the frame at which the change was found.
    pub number: u64,
    /// The number of the frame since which the state holds.
    pub since: u64,
    /// The presentation time of the frame at which the change was found.
    pub pts_ns: Option<u64>,
    /// The state.
    pub state: State,
    /// The name of the cause; empty while there is none.
    pub cause: &'static str,
    /// The features that were significantly off, the largest effect first.
    pub off: Vec<FeatureReport>,
}

/// A stretch of drift.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// The change that began it.
    pub began: Change,
    /// Its causes, one after the other.
    pub causes: Vec<&'static str>,
    /// The number of the frame at which it was over. None if it lasted to the end.
    pub until: Option<u64>,
}

/// The mean and σ of a feature's reference, and the number of the frame from which on they were used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    /// The first frame.
    pub from: u64,
    /// Mean of the reference.
    pub mean: f64,
    /// σ of a tick.
    pub sigma: f64,
}

/// One feature as it went.
#[derive(Clone, Debug, Default)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// What it is of.
    pub of: Option<Arc<str>>,
    /// Its value by frame number.
    pub points: Vec<(f64, f64)>,
    /// What was expected, in order.
    pub normals: Vec<Normal>,
    /// The effect that was largest while the meter was in alarm, σ.
    pub largest: f64,
    /// Whether it was significantly off in an alarm.
    pub off: bool,
}

/// The whole record of one meter.
#[derive(Clone, Debug)]
pub struct Course {
    /// The changes of state, in order. The first is the state when the record began.
    pub changes: Vec<Change>,
    /// The features, in the order of the meter.
    pub features: Vec<Feature>,
    /// The last report.
    pub last: Option<DriftReport>,
    /// The numbers of the first and of the last frame.
    pub span: (u64, u64),
    /// How many reports make one point.
    stride: u64,
    reports: u64,
    /// Whether presentation times have gone back, so that they no longer tell frames apart.
    rewound: bool,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            features: Vec::new(),
            last: None,
            span: (0, 0),
            stride: 1,
            reports: 0,
            rewound: false,
        }
    }
}

impl Course {
    /// Takes in a report. `number` is the place of its frame on the x axis, `since` that of its `since_frame`.
    pub fn add(&mut self, report: DriftReport, number: u64, since: u64) {
        if self.reports == 0 {
            self.span.0 = number;
        }
        self.span.1 = number;
        self.rewound |= self.last.as_ref().is_some_and(|last| report.pts_ns < last.pts_ns);
        let cause = report.cause.map_or("", Cause::as_str);
        if self.changes.last().is_none_or(|c| (c.state, c.cause) != (report.state, cause)) {
            let mut off: Vec<_> = report.features.iter().filter(|f| f.is_significant()).cloned().collect();
            off.sort_by(|a, b| size(b).total_cmp(&size(a)));
            self.changes.push(Change { number, since, pts_ns: report.pts_ns, state: report.state, cause, off });
        }
        let keep = self.reports.is_multiple_of(self.stride);
        for measured in &report.features {
            let feature = self.feature(&measured.name);
            feature.of = measured.of.clone().or(feature.of.take());
            if keep {
                feature.points.push((number as f64, measured.value.unwrap_or(f64::NAN)));
            }
            if let (Some(mean), Some(sigma)) = (measured.reference, measured.sigma)
                && feature.normals.last().is_none_or(|n| (n.mean, n.sigma) != (mean, sigma))
            {
                feature.normals.push(Normal { from: number, mean, sigma });
            }
            if report.state == State::Drift {
                feature.off |= measured.is_significant();
                if size(measured) > feature.largest.abs() {
                    feature.largest = measured.effect.unwrap_or_default();
                }
            }
        }
        if self.features.iter().any(|f| f.points.len() > MOST_POINTS) {
            self.stride *= 2;
            for feature in &mut self.features {
                let mut at = 0;
                feature.points.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
            }
        }
        self.reports += 1;
        self.last = Some(report);
    }

    fn feature(&mut self, name: &str) -> &mut Feature {
        let at = self.features.iter().position(|f| f.name == name).unwrap_or_else(|| {
            self.features.push(Feature { name: name.into(), ..Feature::default() });
            self.features.len() - 1
        });
        &mut self.features[at]
    }

    /// A presentation time, where those of this record tell frames apart.
    pub fn time(&self, pts_ns: Option<u64>) -> Option<u64> {
        pts_ns.filter(|_| !self.rewound)
    }

    /// Returns the number of reports.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// Each change with the numbers of the frames from which and to which it held.
    pub fn states(&self) -> impl Iterator<Item = (&Change, (u64, u64))> {
        let ends = self.changes.iter().skip(1).map(|c| c.number).chain([self.span.1]);
        self.changes.iter().zip(ends).map(|(c, end)| (c, (c.number, end)))
    }

    /// Frames while there was something to compare with.
    pub fn watched(&self) -> u64 {
        self.states().filter(|(c, _)| c.state != State::Learning).map(|(_, (from, to))| to - from).sum()
    }

    /// The number of the first frame that was compared with something.
    pub fn watched_from(&self) -> Option<u64> {
        self.changes.iter().find(|c| c.state != State::Learning).map(|c| c.number)
    }

    /// The stretches of drift, in order.
    pub fn alarms(&self) -> Vec<Alarm> {
        let mut alarms: Vec<Alarm> = Vec::new();
        let mut open = false;
        for change in &self.changes {
            match (change.state == State::Drift, alarms.last_mut().filter(|_| open)) {
                (true, Some(alarm)) => alarm.causes.push(change.cause),
                (true, None) => {
                    let causes = vec![change.cause];
                    alarms.push(Alarm { began: change.clone(), causes, until: None });
                }
                (false, Some(alarm)) => alarm.until = Some(change.number),
                (false, None) => {}
            }
            open = change.state == State::Drift;
        }
        alarms
    }
}

fn size(measured: &FeatureReport) -> f64 {
    measured.effect.unwrap_or_default().abs()
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A report about luma alone.
    pub fn report(frame: u64, state: &str, cause: &str, luma: f64) -> DriftReport {
        let effect = (luma - 0.5) / 0.01;
        let known = state != "learning";
        let feature = json!({"name": "luma", "value": luma, "reference": known.then_some(0.5), "sigma": known.then_some(0.01),
            "effect": known.then_some(effect), "score": known.then_some(10.0 * effect.abs()), "threshold": known.then_some(20.0)});
        serde_json::from_value(json!({"schema": "andon.drift/1", "state": state, "cause": cause, "since_frame": frame,
            "frame_id": frame, "pts_ns": frame * 1_000_000_000, "calibration": "estimated", "tick": 4,
            "features": [feature]}))
        .unwrap()
    }

    /// A course of reports about luma alone.
    pub fn course(reports: &[(u64, &str, &str, f64)]) -> Course {
        let mut course = Course::default();
        for (frame, state, cause, luma) in reports {
            course.add(report(*frame, state, cause, *luma), *frame, frame.saturating_sub(2));
        }
        course
    }

    #[test]
    fn an_alarm_lasts_from_its_drift_to_the_next_other_state() {
        let course = course(&[
            (0, "learning", "", 0.5),
            (10, "ok", "", 0.5),
            (20, "warning", "lighting", 0.4),
            (24, "drift", "lighting", 0.4),
            (25, "drift", "lighting", 0.3),
            (30, "drift", "scene", 0.4),
            (40, "ok", "", 0.5),
            (50, "drift", "frozen", 0.5),
            (60, "drift", "frozen", 0.5),
        ]);
        let alarms = course.alarms();
        assert_eq!(alarms.len(), 2);
        assert_eq!((alarms[0].began.number, alarms[0].began.since, alarms[0].until), (24, 22, Some(40)));
        assert_eq!(alarms[0].causes, ["lighting", "scene"]);
        assert_eq!(alarms[0].began.off[0].name, "luma");
        assert_eq!((alarms[1].until, alarms[1].began.off.len()), (None, 0));
        assert_eq!((course.watched(), course.watched_from(), course.span), (50, Some(10), (0, 60)));
        let luma = &course.features[0];
        assert!(luma.off && (luma.largest + 20.0).abs() < 1e-9, "{}", luma.largest);
        assert_eq!(luma.normals, [Normal { from: 10, mean: 0.5, sigma: 0.01 }]);
    }

    #[test]
    fn a_long_record_is_kept_in_bounds_and_evenly() {
        let mut course = Course::default();
        for n in 0..20_000 {
            course.add(report(n, "ok", "", 0.5), n, n);
        }
        let points = &course.features[0].points;
        assert!(points.len() <= MOST_POINTS && points.len() > MOST_POINTS / 4, "{}", points.len());
        let gaps: Vec<_> = points.windows(2).map(|w| w[1].0 - w[0].0).collect();
        assert!(gaps.iter().all(|g| *g == gaps[0]), "{gaps:?}");
        assert_eq!((course.span, course.reports()), ((0, 19_999), 20_000));
    }
}
