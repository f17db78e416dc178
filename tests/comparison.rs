// SPDX-License-Identifier: MPL-2.0
//! A million pairs through the comparison, held to what scikit-learn and numpy make of the same pairs
//! (tests/oracles/comparison.py), over the run and over the last parts. `--nocapture` shows the numbers side by side.

use std::{collections::BTreeMap, sync::Arc};

use andon_core::{
    random::Random,
    result::{Arm, Arms, Detection, Frame, Inference, Part, Purpose, Status, Verdict},
};
use andon_statistics::agreement::{Agreement, AgreementReport, Frames, RELATIVE_ERROR};
use serde_json::Value;
use uuid::Uuid;

const FRAMES: u64 = 1_000_000;
const MIDWAY: u64 = 400_000;
const SPLIT: u64 = 200_000;

/// The n-th number of a random sequence, brought below a bound.
fn draw(n: u64, below: u64) -> u64 {
    // SplitMix64 adds its constant once a number, so any number can be had without those before.
    let seed = 0x5EED_u64.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (Random(seed).next_u64() >> 32) % below
}

/// What is seen of one frame.
struct View {
    a: Inference,
    b: Inference,
    truth: Option<Inference>,
    /// To whom split gives the part.
    to: Arm,
}

/// The line: part by part, view by view; tests/oracles/comparison.py draws the same numbers.
struct Line {
    labels: [Arc<str>; 6],
    run: Uuid,
    frame: u64,
    part: u64,
    view: u32,
}

impl Line {
    fn new() -> Self {
        Self {
            labels: ["c0", "c1", "c2", "c3", "c4", "c5"].map(Into::into),
            run: Uuid::from_u128(5),
            frame: 0,
            part: 0,
            view: 0,
        }
    }

    fn next(&mut self) -> View {
        let of_part = |j, below| draw((1 << 40) + self.part * 8 + j, below);
        let f = self.frame;
        let at = |j, below| draw(f * 64 + j, below);
        let views = [2, 3, 4, 1, 1, 1, 1, 1][of_part(0, 8) as usize];
        let told = views > 1 || of_part(1, 2) == 0;
        let purpose = if told && of_part(2, 100) == 0 { Purpose::Golden } else { Purpose::Production };
        let known = of_part(3, 2) == 0;
        let to = if of_part(4, 5) == 0 { Arm::B } else { Arm::A };
        let part = told.then(|| {
            Arc::new(Part { id: format!("P{}", self.part), view: self.view, views, purpose, ..Part::default() })
        });
        let frame = Frame { run: self.run, id: f, part, arms: Arms::AB, entered_ns: 0, ..Frame::new(None) };

        let bad = at(0, 16) == 0;
        let is = |ng| if ng { Verdict::Ng } else { Verdict::Ok };
        let result = |j: u64, arm, flips, reviews| {
            let mut i = Inference::new("m".into(), arm, &frame, [640, 480]);
            i.verdict = if at(3 + j, reviews) == 0 { Verdict::Review } else { is(bad != (at(1 + j, flips) == 0)) };
            i.status = match at(5 + j, 200) {
                0 => Status::Error,
                1 => Status::MissingField,
                2 => Status::NonFinite,
                3 | 4 => Status::Skipped,
                _ => Status::Ok,
            };
            if i.status != Status::Ok {
                i.verdict = Verdict::Unjudged;
            }
            i
        };
        let (mut a, mut b) = (result(0, Arm::A, 32, 64), result(1, Arm::B, 24, 48));
        a.latency_us = 1500 + at(7, 1000) + if at(8, 100) == 0 { at(9, 50_000) } else { 0 };
        b.latency_us = 1200 + at(10, 1500) + if at(11, 50) == 0 { at(12, 90_000) } else { 0 };
        a.score = at(13, 257) as f32 / 256.0;
        b.score = if at(14, 4) == 0 { at(15, 257) as f32 / 256.0 } else { a.score };

        // Coordinates come in quarters of a pixel.
        let found = |label: u64, score: u64, bbox: [i64; 4]| {
            let label = self.labels[label as usize].clone();
            Detection::new(0, label, score as f32 / 16.0, bbox.map(|quarters| quarters as f32 / 4.0))
        };
        let mut first = None;
        for k in 0..[0, 0, 0, 0, 1, 1, 2, 3][at(16, 8) as usize] {
            let [j, i] = [20 + 6 * k, 40 + 6 * k];
            let (label, score) = (at(j, 5), at(j + 1, 17));
            let bbox = [at(j + 2, 400), at(j + 3, 400), 32 + at(j + 4, 129), 32 + at(j + 5, 129)].map(|q| q as i64);
            a.detections.push(found(label, score, bbox));
            let (first_label, first_box) = *first.get_or_insert((label, bbox));
            let other = if at(i + 1, 4) == 0 { at(i + 4, 17) } else { score };
            let [x, y, w, h] = bbox;
            let moved = [x + at(i + 2, 33) as i64 - 16, y + at(i + 3, 33) as i64 - 16, w, h];
            match at(i, 8) {
                0 => {}
                1 => b.detections.push(found((label + 1) % 5, other, moved)),
                2 => b.detections.push(found(first_label, other, first_box)),
                _ => b.detections.push(found(label, other, moved)),
            }
        }
        if at(58, 10) == 0 {
            b.detections.push(found(at(59, 6), at(60, 17), [at(61, 400) as i64, at(62, 400) as i64, 64, 64]));
        }
        if at(63, 2) == 0 {
            b.frame = [320, 240];
            b.detections.iter_mut().for_each(|d| d.bbox = d.bbox.map(|v| v / 2.0));
        }
        let truth = known.then(|| {
            let mut truth = Inference::new("t".into(), Arm::Truth, &frame, [640, 480]);
            truth.verdict = is(bad);
            truth
        });
        self.frame += 1;
        self.view += 1;
        if self.view == views {
            (self.part, self.view) = (self.part + 1, 0);
        }
        View { a, b, truth, to }
    }
}

/// Quantities by name and by what may be between ours and the oracle's.
#[derive(Default)]
struct Held {
    exact: usize,
    near: usize,
    worst: f64,
    rows: Vec<String>,
    wrong: Vec<String>,
}

impl Held {
    /// Whatever the oracle knows has to be in ours.
    fn compare(&mut self, name: &str, ours: &Value, oracle: &Value) {
        match oracle {
            Value::Object(fields) => {
                for (field, oracle) in fields {
                    self.compare(&format!("{name}.{field}"), &ours[field], oracle);
                }
            }
            Value::Array(items) => {
                self.compare(&format!("{name}.length"), &ours.as_array().unwrap().len().into(), &items.len().into());
                for (i, oracle) in items.iter().enumerate() {
                    self.compare(&format!("{name}.{i}"), &ours[i], oracle);
                }
            }
            Value::Number(n) if name.contains("latency_us") => {
                let (ours, exact) = (ours.as_f64().unwrap(), n.as_f64().unwrap());
                let error = ours / exact - 1.0;
                self.row(name, ours, exact, 0, &format!("{error:.1e} of it"));
                self.hold(name, (0.0..=RELATIVE_ERROR).contains(&error));
            }
            Value::Number(n) if n.is_f64() => {
                let (ours, exact) = (ours.as_f64().unwrap(), n.as_f64().unwrap());
                let error = (ours - exact).abs();
                self.worst = self.worst.max(error);
                self.near += 1;
                if !name.contains("classes") && !name.contains("different") {
                    self.row(name, ours, exact, 12, &format!("{error:.1e}"));
                }
                self.hold(name, error <= 1e-9);
            }
            _ => {
                self.exact += 1;
                self.hold(&format!("{name}: {ours} for {oracle}"), ours == oracle);
            }
        }
    }

    fn row(&mut self, name: &str, ours: f64, oracle: f64, digits: usize, difference: &str) {
        self.rows.push(format!("{name:<42} {ours:>16.digits$} {oracle:>16.digits$} {difference:>14}"));
    }

    fn hold(&mut self, name: &str, holds: bool) {
        if !holds {
            self.wrong.push(name.into());
        }
    }
}

fn oracle(which: &str) -> Value {
    let mut all: BTreeMap<String, Value> = serde_json::from_str(include_str!("data/comparison.json")).unwrap();
    all.remove(which).unwrap()
}

#[track_caller]
fn assert_held(name: &str, report: &AgreementReport) {
    let mut held = Held::default();
    held.compare(name, &serde_json::to_value(report).unwrap(), &oracle(name));
    println!("{:<42} {:>16} {:>16} {:>14}", "", "ours", "oracle", "difference");
    held.rows.iter().for_each(|row| println!("{row}"));
    println!(
        "{name}: {} counts and names equal; {} means, shares and differences within {:.1e}\n",
        held.exact, held.near, held.worst
    );
    assert!(held.wrong.is_empty(), "{name}: {:#?}", held.wrong);
}

#[test]
fn a_million_pairs_come_to_what_scikit_learn_and_numpy_make_of_them() {
    let (mut line, mut score) = (Line::new(), Agreement::default());
    let (mut parts, mut disagreements) = (0, 0);
    for frame in 0..FRAMES {
        if frame == MIDWAY {
            assert_held("midway", &score.report(Frames::default()));
        }
        let View { a, b, truth, .. } = line.next();
        let seen = score.pair(&a, &b, truth.as_ref(), 0);
        parts += seen.parts.len() as u64;
        disagreements += seen.disagreements.len() as u64;
    }
    let last = score.finish();
    let report = score.report(Frames::default());
    assert_held("end", &report);
    let known = report.arms.a;
    assert_eq!(parts + last.parts.len() as u64, known.ok + known.ng + known.review + known.unjudged);
    let table = report.parts;
    assert!((1..=report.aside.review).contains(&(disagreements - table.ok_ng - table.ng_ok)), "{disagreements}");
}

#[test]
fn arms_that_are_given_parts_of_their_own_come_to_what_numpy_makes_of_each() {
    let (mut line, mut score) = (Line::new(), Agreement::default());
    for _ in 0..SPLIT {
        let View { a, b, truth, to } = line.next();
        score.alone(to, if to == Arm::A { &a } else { &b }, truth.as_ref(), 0);
    }
    score.finish();
    assert_held("split", &score.report(Frames::default()));
}
