// SPDX-License-Identifier: MPL-2.0
//! Guards against simulated lines, and against the numbers of tests/oracles/guard.py.

use andon_core::result::{Status, Verdict};

use super::{change::ChangeTest, rate::RateTest, *};
use crate::testing::Random;

/// Limits under which each of `guards` may be wrong with the chance 0.05.
fn watched(probation: u64, guards: u8) -> Limits {
    Limits { probation, alpha: 0.05 * f64::from(guards), ..Limits::default() }
}

fn verdict(ng: bool) -> Verdict {
    if ng { Verdict::Ng } else { Verdict::Ok }
}

fn happens(random: &mut Random, rate: f64) -> bool {
    random.uniform() < rate
}

/// The part at which a model that calls `rate` ng broke its guard.
fn broke_at(probation: &mut Probation, random: &mut Random, rate: f64) -> Option<u64> {
    while probation.state() == ProbationState::Running {
        let ng = happens(random, rate);
        if let Some(broken) = probation.part(verdict(ng), true) {
            assert_eq!(broken.guard, Guard::NgRate);
            return Some(broken.parts);
        }
    }
    None
}

/// How many of 100 probations broke, and the median part at which they did, 0 where most did not.
fn delay(limits: Limits, shadow: u64, before: f64, after: f64) -> (usize, u64) {
    let mut random = Random::new(7);
    let mut broke: Vec<_> = (0..100)
        .filter_map(|_| {
            let ng = (0..shadow).filter(|_| happens(&mut random, before)).count() as u64;
            broke_at(&mut Probation::new(limits, Some(Baseline { parts: shadow, ng })), &mut random, after)
        })
        .collect();
    broke.sort_unstable();
    let delay = (broke.len(), broke.get(49).copied().unwrap_or(0));
    println!("{before} to {after}, {shadow} parts as a shadow: {delay:?}");
    delay
}

/// A sequence of frames until the guard breaks.
fn frames(probation: &mut Probation, frames: impl IntoIterator<Item = (Status, u64)>) -> Option<(u64, Broken)> {
    (1..).zip(frames).find_map(|(i, (status, latency))| Some((i, probation.frame(status, latency)?)))
}

/// Share of 2,000 runs that broke, which may be 0.05, and three σ of what chance adds: 0.0646.
#[track_caller]
fn assert_rare(what: &str, broke: impl FnMut(&mut Random) -> bool) {
    let mut broke = broke;
    let mut random = Random::new(what.len() as u64);
    let share = (0..2000).filter(|_| broke(&mut random)).count() as f64 / 2000.0;
    println!("{what}: {share}");
    assert!(share <= 0.05 + 3.0 * (0.05f64 * 0.95 / 2000.0).sqrt(), "{what}: {share}");
}

#[track_caller]
fn assert_unchanged_is_kept(shadow: u64, rate: f64, parts: u64) {
    // Looked at from the first part on, which the default does not.
    let limits = Limits { min_parts: 1, ..watched(parts, 3) };
    assert_rare(&format!("{shadow} and {parts} parts, NG {rate}"), |random| {
        let ng = (0..shadow).filter(|_| happens(random, rate)).count() as u64;
        broke_at(&mut Probation::new(limits, Some(Baseline { parts: shadow, ng })), random, rate).is_some()
    });
}

#[test]
fn equal_rates_are_kept_with_a_short_shadow() {
    assert_unchanged_is_kept(200, 0.005, 600);
    assert_unchanged_is_kept(200, 0.05, 600);
    assert_unchanged_is_kept(200, 0.5, 600);
}

#[test]
fn equal_rates_are_kept_with_a_long_shadow() {
    assert_unchanged_is_kept(2000, 0.005, 600);
    assert_unchanged_is_kept(2000, 0.05, 600);
    assert_unchanged_is_kept(2000, 0.5, 600);
}

#[test]
fn equal_rates_are_kept_over_a_long_probation() {
    assert_unchanged_is_kept(50, 0.02, 1500);
    assert_unchanged_is_kept(500, 0.2, 1500);
}

#[test]
fn frames_exactly_at_their_limits_are_kept() {
    let limits = Limits { max_consecutive_errors: 0, ..watched(1, 2) };
    assert_rare("1 % errors", |random| {
        let mut p = Probation::new(limits, None);
        (0..2000).any(|_| {
            let status = if happens(random, 0.01) { Status::Error } else { Status::Ok };
            p.frame(status, 0).is_some()
        })
    });
    let limits = Limits { deadline_us: Some(1000), ..watched(1, 3) };
    assert_rare("1 % late, one by one", |random| {
        let mut p = Probation::new(Limits { burst: 0, ..limits }, None);
        (0..2000).any(|_| p.frame(Status::Ok, 1000 + u64::from(happens(random, 0.01))).is_some())
    });
    assert_rare("0.5 % hiccups of six frames", |random| {
        let mut p = Probation::new(limits, None);
        let mut late = 0;
        (0..2000).any(|_| {
            late = if late == 0 && happens(random, 0.005) { 6 } else { late.max(1) - 1 };
            p.frame(Status::Ok, if late > 0 { 9000 } else { 10 }).is_some()
        })
    });
}

#[test]
fn a_model_that_calls_everything_ng_is_out_at_the_first_look() {
    for (shadow, rate) in [(200, 0.005), (1000, 0.05), (1000, 0.2)] {
        assert_eq!(delay(Limits::default(), shadow, rate, 1.0), (100, 20));
    }
    assert_eq!(delay(Limits { min_parts: 1, ..Limits::default() }, 1000, 0.05, 1.0).0, 100);
}

#[test]
fn a_probation_shorter_than_the_first_look_ends_with_one() {
    let limits = Limits { probation: 10, ..Limits::default() };
    assert_eq!(delay(limits, 1000, 0.05, 1.0), (100, 10));
}

#[test]
fn a_doubled_rate_breaks_once_enough_parts_are_seen() {
    let limits = Limits { probation: 3000, ..Limits::default() };
    let (broke, median) = delay(limits, 2000, 0.05, 0.1);
    assert!(broke >= 95 && median <= 900, "{broke} {median}");
    let (broke, median) = delay(Limits::default(), 500, 0.2, 0.4);
    assert!(broke >= 99 && median <= 150, "{broke} {median}");
}

#[test]
fn a_rate_that_falls_to_zero_breaks() {
    let (broke, median) = delay(Limits::default(), 1000, 0.05, 0.0);
    assert!(broke == 100 && median <= 220, "{broke} {median}");
    let (broke, median) = delay(Limits::default(), 500, 0.2, 0.0);
    assert!(broke == 100 && median <= 60, "{broke} {median}");
}

#[test]
fn without_a_shadow_any_rate_is_only_reported() {
    for baseline in [None, Some(Baseline { parts: 0, ng: 0 })] {
        let mut p = Probation::new(Limits::default(), baseline);
        for i in 0..1000 {
            assert!(!p.passed());
            assert_eq!((p.part(verdict(i % 5 == 0), true), p.left()), (None, 999 - i));
        }
        let report = p.report();
        assert!(p.passed() && report.ng_rate == Some(0.2) && report.e_values.ng_rate.is_none());
    }
}

#[test]
fn a_model_that_fails_on_every_frame_is_out_in_five() {
    // However long it ran well before.
    for well in [0, 10_000] {
        for status in [Status::Error, Status::MissingField] {
            let mut p = Probation::new(Limits::default(), None);
            assert_eq!(frames(&mut p, vec![(Status::Ok, 1); well]), None);
            let (at, broken) = frames(&mut p, [(status, 1); 9]).unwrap();
            assert_eq!((at, broken.guard, broken.e_value), (5, Guard::Errors, None));
        }
        let mut p = Probation::new(Limits::default(), None);
        assert_eq!(frames(&mut p, vec![(Status::Ok, 1); well]), None);
        let (at, broken) = frames(&mut p, [(Status::NonFinite, 1); 9]).unwrap();
        assert_eq!((at, broken.guard), (3, Guard::NonFinite));
        assert_eq!(broken.to_string(), "non-finite: 3 results were not finite in a row, after 0 parts");
    }
}

#[test]
fn a_run_goes_on_over_skipped_frames_and_over_other_failures() {
    use Status::{Error, MissingField, NonFinite, Skipped};
    let mut p = Probation::new(Limits::default(), None);
    let mixed = [Error, Skipped, NonFinite, MissingField, Skipped, NonFinite, Error];
    let (at, broken) = frames(&mut p, mixed.map(|s| (s, 1))).unwrap();
    assert_eq!((at, broken.guard, broken.events), (7, Guard::Errors, 5));
}

#[test]
fn failures_far_apart_break_where_they_are_too_many() {
    let failing = |status, every: usize| {
        let mut p = Probation::new(Limits::default(), None);
        frames(&mut p, (1..20_000).map(|i| (if i % every == 0 { status } else { Status::Ok }, 1)))
    };
    let (at, broken) = failing(Status::Error, 12).unwrap();
    assert!(broken.guard == Guard::Errors && at <= 60, "{at} {broken}");
    let (at, broken) = failing(Status::NonFinite, 100).unwrap();
    assert!(broken.guard == Guard::NonFinite && at <= 400, "{at} {broken}");
    assert_eq!(failing(Status::Error, 120), None);
    assert_eq!(failing(Status::NonFinite, 1200), None);
}

#[test]
fn skipped_frames_count_for_and_against_nothing() {
    let mut p = Probation::new(Limits { deadline_us: Some(10), ..Limits::default() }, None);
    assert_eq!(frames(&mut p, [(Status::Skipped, 1_000_000); 5000]), None);
    let report = p.report();
    assert_eq!((report.frames.skipped, report.error_rate, report.latency_us.max), (5000, None, None));
}

#[test]
fn twenty_times_too_slow_is_out_within_twenty_frames() {
    let mut p = Probation::new(Limits { deadline_us: Some(1000), ..Limits::default() }, None);
    let (at, broken) = frames(&mut p, [(Status::Ok, 20_000); 100]).unwrap();
    assert_eq!((at, broken.guard, broken.events, broken.trials), (19, Guard::Latency, 3, 3));
    assert!(broken.to_string().starts_with("latency: 3 of 3 results were later than the deadline, 1.000 % allowed"));
}

#[test]
fn a_p99_just_below_the_deadline_is_kept() {
    let mut random = Random::new(3);
    let mut p = Probation::new(Limits { deadline_us: Some(1000), ..Limits::default() }, None);
    let answers = (0..50_000).map(|_| (Status::Ok, if happens(&mut random, 0.008) { 5000 } else { 990 }));
    assert_eq!(frames(&mut p, answers), None);
    let report = p.report();
    assert_eq!(report.latency_us.max, Some(5000));
    assert!((990..=990 + 990 / 32).contains(&report.latency_us.p99.unwrap()));
    assert!((300..500).contains(&report.latency_us.late));
}

#[test]
fn only_production_parts_count_and_only_judged_ones_bring_the_end_nearer() {
    let limits = Limits { probation: 10, ..Limits::default() };
    let mut p = Probation::new(limits, Some(Baseline { parts: 1000, ng: 10 }));
    let before = p.report();
    for v in [Verdict::Ok, Verdict::Ng, Verdict::Review, Verdict::Unjudged].repeat(100) {
        assert_eq!(p.part(v, false), None);
    }
    assert_eq!(p.report(), before);
    for _ in 0..100 {
        assert_eq!(p.part(Verdict::Unjudged, true), None);
    }
    assert_eq!((p.left(), p.report().parts.unjudged), (10, 100));
    // Frames of which nothing says what part they show bring the end nearer, and are in no rate.
    for left in (0..10).rev() {
        p.untold(Verdict::Unjudged);
        p.untold(Verdict::Ng);
        assert_eq!(p.left(), left);
    }
    let report = p.report();
    assert_eq!((p.passed(), report.parts.untold, report.ng_rate), (true, 10, None));
}

#[test]
fn what_is_broken_stays_broken_and_says_so_once() {
    let mut p = Probation::new(Limits { probation: 50, ..Limits::default() }, Some(Baseline { parts: 1000, ng: 10 }));
    let broken = (0..50).find_map(|_| p.part(Verdict::Ng, true)).unwrap();
    let at = p.report();
    for _ in 0..200 {
        assert_eq!((p.part(Verdict::Ok, true), p.frame(Status::Error, 1)), (None, None));
    }
    assert_eq!((p.report(), p.report().broken, p.passed()), (at, Some(broken), false));
}

#[test]
fn what_has_passed_is_watched_no_more() {
    let mut p = Probation::new(Limits { probation: 1, ..Limits::default() }, None);
    assert_eq!(p.part(Verdict::Ok, true), None);
    assert_eq!(frames(&mut p, [(Status::Error, 1); 100]), None);
    assert_eq!((p.state(), p.report().frames.error), (ProbationState::Passed, 0));
    assert!(Probation::new(Limits { probation: 0, ..Limits::default() }, None).passed());
}

#[test]
fn alpha_is_shared_by_the_guards_that_are_on() {
    let threshold = |deadline_us, baseline| {
        let limits = Limits { alpha: 0.01, deadline_us, ..Limits::default() };
        Probation::new(limits, baseline).report().threshold.round()
    };
    let shadow = Some(Baseline { parts: 9, ng: 0 });
    assert_eq!(
        [threshold(None, None), threshold(Some(1), None), threshold(None, shadow), threshold(Some(1), shadow)],
        [200.0, 300.0, 300.0, 400.0]
    );
}

#[test]
fn a_limit_of_nothing_and_limits_beyond_reason_are_taken() {
    for limit in [0.0, -1.0, f64::NAN, 1e-300] {
        let mut p = Probation::new(Limits { max_error_rate: limit, ..Limits::default() }, None);
        let (at, _) =
            frames(&mut p, (0..900).map(|i| (if i % 300 == 0 { Status::Error } else { Status::Ok }, 1))).unwrap();
        assert_eq!(at, 601, "the third, for {limit}");
    }
    let limits = Limits { max_error_rate: 7.0, max_consecutive_errors: 0, alpha: 0.0, ..Limits::default() };
    let mut p = Probation::new(limits, Some(Baseline { parts: 3, ng: u64::MAX }));
    assert_eq!(frames(&mut p, [(Status::Error, u64::MAX); 500]), None);
    assert!((0..500).all(|_| p.part(Verdict::Ok, true).is_none()));
}

#[test]
fn the_report_is_json_without_holes() {
    let limits = Limits { deadline_us: Some(1), burst: 0, alpha: 1e-200, ..Limits::default() };
    let mut p = Probation::new(limits, Some(Baseline { parts: 10, ng: 1 }));
    assert_eq!(frames(&mut p, [(Status::Ok, 2); 99]), None);
    assert!((0..20).all(|_| p.part(Verdict::Ng, true).is_none()));
    let json = serde_json::to_value(p.report()).unwrap();
    assert_eq!((&json["schema"], &json["state"]), (&guard_report::PROBATION_SCHEMA.into(), &"running".into()));
    assert_eq!(json["baseline"], serde_json::json!({"parts": 10, "ng": 1}));
    assert!(["errors", "non_finite", "latency", "ng_rate"].iter().all(|g| json["e_values"][g].is_number()));
    assert_eq!(json["limits"]["probation"], 1000);
}

#[test]
fn e_values_are_those_of_scipy() {
    // Printed by tests/oracles/guard.py.
    let rate = |limit, burst, trials: u64, event: fn(u64) -> bool| {
        let mut test = RateTest::new(limit, burst);
        (0..trials).for_each(|i| test.add(event(i)));
        test.ln_evidence()
    };
    let change = |k0, m, k, n: u64| {
        let mut test = ChangeTest::new(k0, m);
        // In an order of its own, for the order must not matter.
        (0..n).for_each(|i| test.add((i * k) % n < k));
        assert_eq!((0..n).filter(|i| (i * k) % n < k).count() as u64, k);
        test.ln_evidence()
    };
    for (got, e) in [
        (rate(0.01, 0, 400, |i| i % 25 == 3), 2.234159940124e+03),
        (rate(0.01, 8, 400, |i| i % 25 < 3), 6.123063263265e+05),
        (rate(0.001, 8, 900, |i| i % 300 == 299), 1.127597961336e+00),
        (change(40, 1000, 60, 700), 3.258584084903e+01),
        (change(1, 200, 9, 150), 4.706486352017e+00),
        (change(100, 200, 30, 120), 4.066213582352e+02),
        (change(25, 500, 0, 300), 3.696831899158e+03),
        (change(50, 1000, 30, 600), 2.173062723818e-02),
    ] {
        assert!((got.exp() / e - 1.0).abs() < 1e-9, "{} is not {e}", got.exp());
    }
}
