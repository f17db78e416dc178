// SPDX-License-Identifier: MPL-2.0
//! The reports of one drift meter in order: its states, its alarms and every feature over frames. A course stays within
//! bounds, however long the record is.

use std::sync::Arc;

use andon_statistics::{
    cause::Cause,
    meter::{DriftReport, FeatureReport, State},
};

use super::times::{Clocks, Place, Scale};

/// Most points of a feature. Of more, every second one is dropped.
const MOST_POINTS: usize = 4000;

/// A change of state or cause.
#[derive(Clone, Debug)]
pub struct Change {
    /// The number of the frame at which the change was found.
    pub number: u64,
    /// The place of that frame.
    pub at: Place,
    /// The place of the frame since which the state holds.
    pub since: Place,
    /// The part at which the state began; empty if the record names no parts.
    pub part: String,
    /// The state.
    pub state: State,
    /// The name of the cause; empty while there is none.
    pub cause: &'static str,
    /// The causes with their shares, in words, if there are several.
    pub shares: Vec<String>,
    /// The largest score as a multiple of its threshold, while the state held.
    pub sure: Option<f64>,
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
    /// The largest score as a multiple of its threshold, in the whole stretch.
    pub sure: Option<f64>,
    /// The place of the frame at which it was over. None if it lasted to the end.
    pub until: Option<Place>,
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
    /// Whether it was significantly off at any time.
    pub moved: bool,
}

impl Feature {
    /// Returns whether there are values for a line.
    pub fn is_plotted(&self) -> bool {
        self.points.iter().filter(|p| p.1.is_finite()).count() > 1
    }
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
    /// The places of the points that are kept.
    places: Vec<Place>,
    clocks: Clocks,
    /// The place of the last report.
    end: Place,
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
            places: Vec::new(),
            clocks: Clocks::default(),
            end: Place::default(),
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
        let at = Place { pts_ns: report.pts_ns, ..Place::of(number, report.now.as_ref()) };
        self.clocks.add(at, report.now.as_ref());
        self.end = at;
        let cause = report.cause.map_or("", Cause::as_str);
        if self.changes.last().is_none_or(|c| (c.state, c.cause) != (report.state, cause)) {
            let off = off(&report);
            let several = report.causes.len() > 1;
            self.changes.push(Change {
                number,
                at,
                since: Place::of(since, report.since.as_ref()),
                part: report.since.as_ref().map(|since| since.part.clone()).unwrap_or_default(),
                state: report.state,
                cause,
                shares: report.causes.iter().filter(|_| several).map(ToString::to_string).collect(),
                sure: report.sure,
                off,
            });
        } else if let Some(change) = self.changes.last_mut() {
            change.sure = larger(change.sure, report.sure);
        }
        let keep = self.reports.is_multiple_of(self.stride);
        if keep {
            self.places.push(at);
        }
        for measured in &report.features {
            let feature = self.feature(&measured.name);
            feature.of = measured.of.clone().or(feature.of.take());
            if keep {
                feature.points.push((number as f64, measured.value.unwrap_or(f64::NAN)));
            }
            if let (Some(mean), Some(sigma)) = (measured.reference, measured.sigma)
                && feature.normals.last().is_none_or(|n| n.differs(mean, sigma))
            {
                feature.normals.push(Normal { from: number, mean, sigma });
            }
            let is_off = measured.is_significant() || report.off.iter().any(|off| off.name == measured.name);
            feature.moved |= is_off;
            if report.state == State::Drift {
                feature.off |= is_off;
                if size(measured) > feature.largest.abs() {
                    feature.largest = measured.effect.unwrap_or_default();
                }
            }
        }
        if self.places.len() > MOST_POINTS {
            self.stride *= 2;
            halve(&mut self.places);
            for feature in &mut self.features {
                // A feature that came later keeps the points of the places that are kept.
                let is_kept = |number: f64| self.places.binary_search_by_key(&(number as u64), |p| p.number).is_ok();
                feature.points.retain(|(number, _)| is_kept(*number));
                // Frames that are reported twice.
                if feature.points.len() > MOST_POINTS {
                    halve(&mut feature.points);
                }
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

    /// Returns what the times of this record are told by.
    pub fn scale(&self) -> Scale {
        self.clocks.scale()
    }

    /// The place of the first report.
    pub fn begin(&self) -> Place {
        self.places.first().copied().unwrap_or(self.end)
    }

    /// The anchor of a feature's plot, if it has one: one value is no line.
    pub fn plot_of(&self, name: &str) -> Option<String> {
        let at = self.features.iter().position(|f| f.name == name)?;
        self.features[at].is_plotted().then(|| format!("feature-{at}"))
    }

    /// The place of the last report.
    pub fn end(&self) -> Place {
        self.end
    }

    /// Where a frame lies on the x axis: between the places of the reports before and after it.
    pub fn x(&self, number: u64, scale: Scale) -> f64 {
        if scale == Scale::Frames {
            return number as f64;
        }
        let x = |place: &Place| scale.x(place).unwrap_or(f64::NAN);
        let after = self.places.partition_point(|place| place.number < number);
        let next = self.places.get(after).unwrap_or(&self.end);
        let Some(before) = after.checked_sub(1).map(|at| &self.places[at]) else { return x(next) };
        let frames = next.number.saturating_sub(before.number);
        let share = if frames == 0 { 1.0 } else { number.saturating_sub(before.number) as f64 / frames as f64 };
        x(before) + (x(next) - x(before)) * share.clamp(0.0, 1.0)
    }

    /// The place of a frame, with what the reports around it say where it does not say so itself.
    pub fn place(&self, place: &Place) -> Place {
        let between = |ns: Option<u64>, of: fn(&Place) -> Option<u64>| {
            ns.or_else(|| {
                let after = self.places.partition_point(|p| p.number < place.number);
                let [before, next] =
                    [self.places.get(after.checked_sub(1)?)?, self.places.get(after).unwrap_or(&self.end)];
                let (a, b) = (of(before)?, of(next)?);
                let frames = next.number.saturating_sub(before.number).max(1) as f64;
                let share = ((place.number - before.number) as f64 / frames).clamp(0.0, 1.0);
                Some(a + (b.saturating_sub(a) as f64 * share) as u64)
            })
        };
        Place {
            number: place.number,
            utc_ns: between(place.utc_ns, |p| p.utc_ns),
            pts_ns: between(place.pts_ns, |p| p.pts_ns),
        }
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

    /// Frames while an alarm was possible.
    pub fn watched(&self) -> u64 {
        self.states().filter(|(c, _)| is_watching(c.state)).map(|(_, (from, to))| to - from).sum()
    }

    /// The place of the first frame at which an alarm was possible.
    pub fn watched_from(&self) -> Option<Place> {
        self.changes.iter().find(|c| is_watching(c.state)).map(|c| c.at)
    }

    /// The stretches of drift, in order.
    pub fn alarms(&self) -> Vec<Alarm> {
        let mut alarms: Vec<Alarm> = Vec::new();
        let mut open = false;
        for change in &self.changes {
            match (change.state == State::Drift, alarms.last_mut().filter(|_| open)) {
                (true, Some(alarm)) => {
                    alarm.causes.push(change.cause);
                    alarm.sure = larger(alarm.sure, change.sure);
                }
                (true, None) => {
                    let causes = vec![change.cause];
                    alarms.push(Alarm { began: change.clone(), causes, sure: change.sure, until: None });
                }
                (false, Some(alarm)) => alarm.until = Some(change.at),
                (false, None) => {}
            }
            open = change.state == State::Drift;
        }
        alarms
    }
}

impl Normal {
    /// Returns whether another expectation is one that a reader would see.
    fn differs(&self, mean: f64, sigma: f64) -> bool {
        // Thresholds tighten little by little while the sample that they are made of grows.
        (mean - self.mean).abs() > 0.05 * self.sigma || !(0.95..1.05).contains(&(sigma / self.sigma))
    }
}

/// Returns whether an alarm is possible in a state.
pub fn is_watching(state: State) -> bool {
    !matches!(state, State::Learning | State::Provisional)
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

/// Keeps every second one, from the first on.
fn halve<T>(kept: &mut Vec<T>) {
    let mut at = 0;
    kept.retain(|_| {
        at += 1;
        at % 2 == 1
    });
}

/// The features that are off, the clearest first: those that the report names, or those that were significantly off by its
/// scores, of an earlier version.
fn off(report: &DriftReport) -> Vec<FeatureReport> {
    let named = report.off.iter().filter_map(|off| report.features.iter().find(|f| f.name == off.name));
    let named: Vec<_> = named.cloned().collect();
    if !named.is_empty() {
        return named;
    }
    let mut off: Vec<_> = report.features.iter().filter(|f| f.is_significant()).cloned().collect();
    off.sort_by(|a, b| size(b).total_cmp(&size(a)));
    off
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
            "sure": known.then_some(effect.abs() / 2.0), "features": [feature]}))
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
        assert_eq!(
            (alarms[0].began.number, alarms[0].began.since.number, alarms[0].until.map(|u| u.number)),
            (24, 22, Some(40))
        );
        assert_eq!(alarms[0].causes, ["lighting", "scene"]);
        assert_eq!(alarms[0].began.off[0].name, "luma");
        assert_eq!((alarms[1].until, alarms[1].began.off.len(), alarms[0].sure), (None, 0, Some(10.0)));
        assert_eq!((course.watched(), course.watched_from().map(|p| p.number), course.span), (50, Some(10), (0, 60)));
        let luma = &course.features[0];
        assert!(luma.off && (luma.largest + 20.0).abs() < 1e-9, "{}", luma.largest);
        let seconds = [0, 5, 24, 45, 60].map(|number| course.x(number, course.scale()));
        assert_eq!(seconds, [0.0, 5.0, 24.0, 45.0, 60.0], "between reports too");
        let since = course.place(&alarms[0].began.since);
        assert_eq!(since.pts_ns, Some(22_000_000_000), "what a record does not say is read from its neighbours");
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
