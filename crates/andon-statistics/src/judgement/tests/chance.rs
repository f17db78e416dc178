// SPDX-License-Identifier: MPL-2.0
//! The judgement against chance, looked at after every part, and against people who choose what they label.

use std::collections::VecDeque;

use super::{super::*, EVEN, SPARSE, give, judge};
use crate::testing::Random;

/// Chances of ok-ok, ok-ng, ng-ok and ng-ng, of good parts and of defective ones; a tenth is defective.
#[derive(Clone, Copy)]
struct World {
    good: [f64; 4],
    bad: [f64; 4],
}

const EQUAL: World = World { good: [0.95, 0.02, 0.02, 0.01], bad: [0.05, 0.05, 0.05, 0.85] };

impl World {
    fn part(&self, random: &mut Random) -> (Cell, bool) {
        let defective = random.uniform() < 0.1;
        let mut u = random.uniform();
        for (cell, chance) in Cell::ALL.into_iter().zip(if defective { self.bad } else { self.good }) {
            if u < chance {
                return (cell, defective);
            }
            u -= chance;
        }
        (Cell::NgNg, defective)
    }
}

/// Share of `runs` that come to each decision when looked at after every part.
fn decisions(limits: Limits, runs: u32, parts: u32, step: impl Fn(&mut Judge, &mut Random)) -> (f64, f64) {
    let (mut promoted, mut aborted) = (0, 0);
    for run in 0..runs {
        let (mut judge, mut random) = (judge(limits), Random::new(u64::from(run) + 1));
        for _ in 0..parts {
            step(&mut judge, &mut random);
            if judge.decision() != Decision::Hold {
                break;
            }
        }
        promoted += u32::from(judge.decision() == Decision::Promote);
        aborted += u32::from(judge.decision() == Decision::Abort);
    }
    let shares = (f64::from(promoted) / f64::from(runs), f64::from(aborted) / f64::from(runs));
    println!("promoted {}, aborted {}", shares.0, shares.1);
    shares
}

/// What may be 0.05, and three σ of what chance adds to a share of 1,000 runs.
#[track_caller]
fn assert_rare(shares: (f64, f64)) {
    assert!(shares.0 + shares.1 <= 0.05 + 3.0 * (0.05f64 * 0.95 / 1000.0).sqrt(), "{shares:?}");
}

#[test]
fn equal_arms_are_hardly_ever_told_apart() {
    for limits in [Limits::default(), EVEN] {
        assert_rare(decisions(limits, 1000, 2000, |judge, random| {
            let (cell, defective) = EQUAL.part(random);
            give(judge, cell, defective, 1);
        }));
    }
}

#[test]
fn a_saving_b_with_exactly_the_allowed_escapes_is_hardly_ever_promoted() {
    let world = World { good: [0.95, 0.0, 0.04, 0.01], bad: [0.05, 0.02, 0.03, 0.90] };
    assert_rare(decisions(EVEN, 1000, 4000, |judge, random| {
        let (cell, defective) = world.part(random);
        give(judge, cell, defective, 1);
    }));
}

#[test]
fn equal_arms_are_hardly_ever_told_apart_by_a_part_of_the_labels() {
    assert_rare(decisions(Limits::default(), 1000, 5000, |judge, random| {
        let (cell, defective) = EQUAL.part(random);
        if random.uniform() < SPARSE.rate(cell) {
            let ticket = judge.ask(Design::Paired, SPARSE, cell).unwrap();
            judge.label(&ticket, defective);
        }
    }));
}

#[test]
fn equal_arms_are_hardly_ever_told_apart_by_a_split() {
    assert_rare(decisions(EVEN, 1000, 2000, |judge, random| {
        let (cell, defective) = EQUAL.part(random);
        let (a, b) = (cell as usize / 2, cell as usize % 2);
        let alone = if random.uniform() < 0.1 { Cell::ALL[6 + b] } else { Cell::ALL[4 + a] };
        let ticket = judge.known(Design::Split { weight: 0.1 }, alone).unwrap();
        judge.label(&ticket, defective);
    }));
}

#[test]
fn half_the_overkill_and_twice_the_escapes_is_not_promoted() {
    let world = World { good: [0.855, 0.045, 0.095, 0.005], bad: [0.0032, 0.0368, 0.0768, 0.8832] };
    let (promoted, aborted) = decisions(EVEN, 200, 20_000, |judge, random| {
        let (cell, defective) = world.part(random);
        give(judge, cell, defective, 1);
    });
    assert_eq!(promoted, 0.0);
    assert!(aborted > 0.5, "{aborted}");
}

#[test]
fn a_better_b_is_promoted_and_a_worse_one_is_not() {
    let better = World { good: [0.93, 0.02, 0.04, 0.01], bad: [0.02, 0.08, 0.01, 0.89] };
    let worse = World { good: [0.93, 0.04, 0.02, 0.01], bad: [0.02, 0.01, 0.08, 0.89] };
    for (world, expected) in [(better, (1.0, 0.0)), (worse, (0.0, 1.0))] {
        let shares = decisions(Limits::default(), 100, 20_000, |judge, random| {
            let (cell, defective) = world.part(random);
            give(judge, cell, defective, 1);
        });
        assert_eq!(shares, expected);
    }
}

/// Proposes parts of equal arms, and answers those that `answers` wants, a hundred later.
fn ask_and_answer(parts: u32, seed: u64, begin: u32, answers: impl Fn(Cell) -> bool) -> Judge {
    let (mut judge, mut random, mut waiting) = (judge(EVEN), Random::new(seed), VecDeque::new());
    for part in 0..parts {
        let (cell, defective) = EQUAL.part(&mut random);
        let defective = defective || part > begin && random.uniform() < 0.3;
        if random.uniform() < SPARSE.rate(cell) {
            waiting.push_back((judge.ask(Design::Paired, SPARSE, cell).unwrap(), defective));
        }
        if waiting.len() > 100
            && let Some((ticket, defective)) = waiting.pop_front()
            && answers(ticket.cell())
        {
            judge.label(&ticket, defective);
        }
    }
    judge
}

#[test]
fn the_reject_bin_called_a_sample_is_seen_through() {
    for seed in 1..50 {
        let judge = ask_and_answer(6000, seed, 6000, |cell| matches!(cell, Cell::NgOk | Cell::NgNg));
        assert!(judge.is_chosen());
        let j = judge.report();
        assert_eq!((j.decision, j.labels.needed), (Decision::Hold, None));
        assert!(j.reasons[0].contains("no random sample"), "{:?}", j.reasons);
    }
}

#[test]
fn who_answers_all_in_turn_is_hardly_ever_suspected_also_when_defects_begin() {
    let suspected = (1..=200).filter(|seed| ask_and_answer(3000, *seed, 1500, |_| true).is_chosen()).count();
    // A chance of 0.05, and three σ.
    assert!(suspected <= 19, "{suspected}");
}
