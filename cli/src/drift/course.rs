// SPDX-License-Identifier: MPL-2.0
//! What a drift meter said, in order: its states, its alarms and every feature over frames. Bounded, however long that was.

use serde::Deserialize;

/// Points a feature that are kept; where there are more, every other goes.
const MOST_POINTS: usize = 4000;

/// A document of the meter's, `andon.drift/1`: what a later one adds breaks nothing here.
#[derive(Clone, Debug, Deserialize)]
pub struct Document {
    /// `learning`, `ok`, `warning` or `drift`.
    pub state: String,
    /// Empty while there is none.
    #[serde(default)]
    pub cause: String,
    /// The frame since which the state holds.
    pub since_frame: u64,
    /// The frame at which it was found.
    pub frame_id: u64,
    /// Its presentation time.
    #[serde(default)]
    pub pts_ns: Option<u64>,
    /// Of several references the one in use, as the SKU.
    #[serde(default)]
    pub key: String,
    /// Digest of the model whose predictions are watched.
    #[serde(default)]
    pub model: String,
    /// Features that changed while the reference was learned.
    #[serde(default)]
    pub unsteady: Vec<String>,
    /// `estimated` or `extrapolated`; empty while learning.
    #[serde(default)]
    pub calibration: String,
    /// Observations a tick; 0 while learning.
    #[serde(default)]
    pub tick: u64,
    /// All features.
    pub features: Vec<Measured>,
}

/// One feature in a document; what is not known is none.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// What it is of: a class's label, a field's name.
    #[serde(default)]
    pub of: Option<String>,
    /// Mean of the latest tick.
    pub value: Option<f64>,
    /// Mean of the reference.
    pub reference: Option<f64>,
    /// σ of a tick.
    pub sigma: Option<f64>,
    /// Recent distance from the reference, in σ.
    pub effect: Option<f64>,
    /// What has been summed against the threshold.
    pub score: Option<f64>,
    /// Where the score becomes significant.
    pub threshold: Option<f64>,
    /// Its own threshold's label, where it has one.
    #[serde(default)]
    pub calibration: Option<String>,
    /// Kolmogorov-Smirnov D of the latest window.
    #[serde(default)]
    pub ks: Option<f64>,
    /// Its population stability index.
    #[serde(default)]
    pub psi: Option<f64>,
    /// What the window has been compared by.
    #[serde(default)]
    pub window_score: Option<f64>,
    /// Where a window becomes significant.
    #[serde(default)]
    pub window_threshold: Option<f64>,
}

impl Measured {
    /// More than chance makes of it, by its sum or by its latest window.
    pub fn significant(&self) -> bool {
        let beyond = |score, threshold| matches!((score, threshold), (Some(s), Some(t)) if s > t);
        beyond(self.score, self.threshold) || beyond(self.window_score, self.window_threshold)
    }

    /// Its name, and what it is of.
    pub fn title(&self) -> String {
        self.of.as_ref().map_or_else(|| self.name.clone(), |of| format!("{} ({of})", self.name))
    }
}

/// A change of state or cause.
#[derive(Clone, Debug)]
pub struct Change {
    /// The number of the frame at which it was found.
    pub number: u64,
    /// The number of the frame since which it holds.
    pub since: u64,
    /// Presentation time of the frame at which it was found.
    pub pts_ns: Option<u64>,
    /// `learning`, `ok`, `warning` or `drift`.
    pub state: String,
    /// Empty while there is none.
    pub cause: String,
    /// The features that were significantly off, the largest effect first.
    pub off: Vec<Measured>,
}

/// A stretch of drift.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// How it began.
    pub began: Change,
    /// What it was taken for, one after the other.
    pub causes: Vec<String>,
    /// The number of the frame at which it was over; none where it lasted to the end.
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
    pub of: Option<String>,
    /// Its value by frame number.
    pub points: Vec<(f64, f64)>,
    /// What was expected, in order.
    pub normals: Vec<Normal>,
    /// The effect that was largest while the meter was in alarm, σ.
    pub largest: f64,
    /// Whether it was significantly off in an alarm.
    pub off: bool,
}

/// All that was said.
#[derive(Clone, Debug)]
pub struct Course {
    /// In order; the first is how things were when the record began.
    pub changes: Vec<Change>,
    /// In the order of the meter.
    pub features: Vec<Feature>,
    /// The last document.
    pub last: Option<Document>,
    /// The numbers of the first and of the last frame.
    pub span: (u64, u64),
    /// Every how many documents a point is kept.
    stride: u64,
    heard: u64,
    /// Presentation times have gone back: they tell frames apart no more.
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
            heard: 0,
            rewound: false,
        }
    }
}

impl Course {
    /// Takes in a document; `number` is the place of its frame on the x axis, `since` that of its `since_frame`.
    pub fn hear(&mut self, document: Document, number: u64, since: u64) {
        if self.heard == 0 {
            self.span.0 = number;
        }
        self.span.1 = number;
        self.rewound |= self.last.as_ref().is_some_and(|last| document.pts_ns < last.pts_ns);
        let new = self.changes.last().is_none_or(|c| (&c.state, &c.cause) != (&document.state, &document.cause));
        if new {
            let mut off: Vec<_> = document.features.iter().filter(|f| f.significant()).cloned().collect();
            off.sort_by(|a, b| size(b).total_cmp(&size(a)));
            self.changes.push(Change {
                number,
                since,
                pts_ns: document.pts_ns,
                state: document.state.clone(),
                cause: document.cause.clone(),
                off,
            });
        }
        let keep = self.heard.is_multiple_of(self.stride);
        for measured in &document.features {
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
            if document.state == "drift" {
                feature.off |= measured.significant();
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
        self.heard += 1;
        self.last = Some(document);
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

    /// Documents taken in.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Each change with the numbers of the frames from which and to which it held.
    pub fn states(&self) -> impl Iterator<Item = (&Change, (u64, u64))> {
        let ends = self.changes.iter().skip(1).map(|c| c.number).chain([self.span.1]);
        self.changes.iter().zip(ends).map(|(c, end)| (c, (c.number, end)))
    }

    /// Frames while there was something to compare with.
    pub fn watched(&self) -> u64 {
        self.states().filter(|(c, _)| c.state != "learning").map(|(_, (from, to))| to - from).sum()
    }

    /// The number of the first frame that was compared with something.
    pub fn watched_from(&self) -> Option<u64> {
        self.changes.iter().find(|c| c.state != "learning").map(|c| c.number)
    }

    /// The stretches of drift, in order.
    pub fn alarms(&self) -> Vec<Alarm> {
        let mut alarms: Vec<Alarm> = Vec::new();
        let mut open = false;
        for change in &self.changes {
            match (change.state == "drift", alarms.last_mut().filter(|_| open)) {
                (true, Some(alarm)) => alarm.causes.push(change.cause.clone()),
                (true, None) => {
                    let causes = vec![change.cause.clone()];
                    alarms.push(Alarm { began: change.clone(), causes, until: None });
                }
                (false, Some(alarm)) => alarm.until = Some(change.number),
                (false, None) => {}
            }
            open = change.state == "drift";
        }
        alarms
    }
}

fn size(measured: &Measured) -> f64 {
    measured.effect.unwrap_or_default().abs()
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A document about luma alone.
    pub fn document(frame: u64, state: &str, cause: &str, luma: f64) -> Document {
        let effect = (luma - 0.5) / 0.01;
        let known = state != "learning";
        let feature = json!({"name": "luma", "value": luma, "reference": known.then_some(0.5), "sigma": known.then_some(0.01),
            "effect": known.then_some(effect), "score": known.then_some(10.0 * effect.abs()), "threshold": known.then_some(20.0)});
        serde_json::from_value(json!({"schema": "andon.drift/1", "state": state, "cause": cause, "since_frame": frame,
            "frame_id": frame, "pts_ns": frame * 1_000_000_000, "calibration": "estimated", "tick": 4,
            "features": [feature]}))
        .unwrap()
    }

    /// A course of documents about luma alone.
    pub fn course(documents: &[(u64, &str, &str, f64)]) -> Course {
        let mut course = Course::default();
        for (frame, state, cause, luma) in documents {
            course.hear(document(*frame, state, cause, *luma), *frame, frame.saturating_sub(2));
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
            course.hear(document(n, "ok", "", 0.5), n, n);
        }
        let points = &course.features[0].points;
        assert!(points.len() <= MOST_POINTS && points.len() > MOST_POINTS / 4, "{}", points.len());
        let gaps: Vec<_> = points.windows(2).map(|w| w[1].0 - w[0].0).collect();
        assert!(gaps.iter().all(|g| *g == gaps[0]), "{gaps:?}");
        assert_eq!((course.span, course.heard()), ((0, 19_999), 20_000));
    }
}
