// SPDX-License-Identifier: MPL-2.0
//! Whole lines of `abtee`, two arms and `abjoin`: shares within what chance allows, one key on one arm also after a
//! restart, and 100,000 frames in order with random drops and delays in both arms.

mod common;

use std::{process::Command, sync::Arc};

use andon_core::result::{Arms, Part};
use common::{
    arms::{Decide, Left, Line, Rng, passing, random},
    tee::{Got, Pair, arms, frame, sink},
};
use gst::prelude::*;
use gstandon::meta::event::AndonEvent;

const FRAMES: u64 = 100_000;

/// Set in the child: share out parts and print what each met.
const RESTART: &str = "ANDON_SPLIT_RESTART";

/// Which arm each of `n` parts meets at a share of b.
fn met(weight: f64, n: u64) -> String {
    let pair = Pair::new(sink(), sink());
    pair.tee.set_property("weight", weight);
    pair.tee.set_property_from_str("mode", "split");
    for k in 0..n {
        let part = Part { id: format!("PCB-1-{k:06}"), ..Part::default() };
        pair.src.push_event(AndonEvent::Part(Arc::new(part)).to_event());
        pair.src.push(frame(k)).unwrap();
    }
    let mut met = vec!['-'; n as usize];
    for (arm, name) in [(&pair.a, 'a'), (&pair.b, 'b')] {
        for got in arm.got.try_iter() {
            if let Got::Buffer(buffer) = got {
                assert_eq!(arms(&buffer), if name == 'a' { Arms::A } else { Arms::B });
                met[common::tee::index(&buffer) as usize] = name;
            }
        }
    }
    met.into_iter().collect()
}

#[test]
fn the_share_of_the_challenger_is_the_weight_as_far_as_chance_allows() {
    let n = 20_000;
    for weight in [0.01, 0.05, 0.25, 0.5, 0.9] {
        let in_b = met(weight, n).matches('b').count() as f64;
        let (expected, sigma) = (n as f64 * weight, (n as f64 * weight * (1.0 - weight)).sqrt());
        // Six standard deviations: a fair share leaves them once in 500 million times.
        assert!((in_b - expected).abs() < 6.0 * sigma, "{in_b} of {n} at {weight}");
    }
    assert_eq!((met(0.0, 100), met(1.0, 100)), ("a".repeat(100), "b".repeat(100)));
}

/// The child's job; without being asked to, as in a plain run of the suite, it has nothing to do.
#[test]
fn restarted() {
    if std::env::var_os(RESTART).is_some() {
        println!("\nmet:{}:", met(0.3, 2_000));
    }
}

#[test]
fn one_key_meets_one_arm_also_after_a_restart() {
    let here = met(0.3, 2_000);
    assert_eq!(here, met(0.3, 2_000), "of another element");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "restarted", "--nocapture", "--test-threads=1"]).env(RESTART, "1");
    let out = child.current_dir(common::root()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let there =
        text.lines().find_map(|l| l.strip_prefix("met:")?.strip_suffix(':')).expect("the child says what it saw");
    assert_eq!(here, there, "of another process");
    assert!(here.contains('a') && here.contains('b'));
}

#[test]
fn a_larger_share_takes_keys_from_the_champion_and_gives_none_back() {
    let shares = [0.01, 0.05, 0.25, 1.0].map(|weight| met(weight, 5_000));
    for pair in shares.windows(2) {
        assert!(pair[0].chars().zip(pair[1].chars()).all(|(before, now)| before == 'a' || now == 'b'));
        assert!(pair[0].matches('b').count() < pair[1].matches('b').count());
    }
}

/// What left is what the arms handed on, each once, in order.
#[track_caller]
fn assert_whole(line: &Line, left: &[Left]) {
    assert!(left.is_sorted_by(|x, y| x.0 < y.0), "in order, and none twice");
    assert!(left.iter().map(|l| l.0).eq(line.passed()), "what an arm handed on is what came out");
    assert_eq!((line.stat(&line.join, "out-of-order"), line.stat(&line.join, "twice")), (0, 0));
}

/// 100,000 frames with random drops and delays in both arms; answers those that came out with both results.
#[track_caller]
fn flood(properties: &[(&str, &str)], decide: [Decide; 2]) -> usize {
    let mut line = Line::new(properties, decide);
    line.bring(FRAMES);
    let left = line.end();
    assert_whole(&line, &left);
    // A sixteenth is lost on purpose, whichever arm a frame met.
    let expected = FRAMES as f64 * 15.0 / 16.0;
    assert!((left.len() as f64 - expected).abs() < 6.0 * (expected / 16.0).sqrt(), "{} left", left.len());
    left.iter().filter(|l| l.1.is_some()).count()
}

#[test]
fn in_split_100_000_frames_leave_in_order_whatever_is_waited_for() {
    for wait in ["0", "2000000", "-1"] {
        let by_b = flood(
            &[("t.mode", "split"), ("t.weight", "0.5"), ("j.wait", wait)],
            [random(11, false), random(12, false)],
        );
        assert!((45_000..49_000).contains(&by_b), "wait={wait}: {by_b} by b");
    }
}

#[test]
fn in_shadow_100_000_frames_leave_in_order_and_no_one_waits_for_a_challenger_that_drops_and_reorders() {
    for wait in ["0", "2000000", "-1"] {
        flood(&[("j.wait", wait)], [random(21, false), random(22, true)]);
    }
}

#[test]
fn offline_100_000_frames_leave_in_order_with_the_opinion_of_all_that_the_challenger_judged() {
    let both = flood(&[("t.leaky", "false"), ("j.wait", "-1")], [random(31, false), random(32, false)]);
    // What both arms handed on: 15/16 of 15/16.
    assert!((87_000..89_000).contains(&both), "{both} with both results");
}

#[test]
fn while_everything_changes_100_000_frames_leave_in_order() {
    let mut line = Line::new(&[], [random(41, false), random(42, false)]);
    let rng = Rng::new(43);
    let mut brought = 0;
    while brought < FRAMES {
        let n = rng.below(400).min(FRAMES - brought);
        line.bring(n);
        brought += n;
        match rng.below(4) {
            0 => line.tee.set_property_from_str("mode", ["shadow", "split", "a", "b"][rng.below(4) as usize]),
            1 => line.tee.set_property("weight", rng.below(101) as f64 / 100.0),
            2 => line.tee.set_property("leaky", rng.below(2) == 0),
            _ => line.join.set_property("wait", [0_i64, 2_000_000, -1][rng.below(3) as usize]),
        }
    }
    let left = line.end();
    assert_whole(&line, &left);
}

#[test]
fn without_drops_every_one_of_100_000_frames_leaves() {
    let mut line = Line::new(&[("t.mode", "split"), ("t.weight", "0.25")], [passing(), passing()]);
    line.bring(FRAMES);
    let left = line.end();
    assert_whole(&line, &left);
    assert_eq!(left.len() as u64, FRAMES);
}
