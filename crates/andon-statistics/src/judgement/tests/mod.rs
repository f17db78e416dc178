// SPDX-License-Identifier: MPL-2.0
//! The judgement against its oracles, and what it says.

use andon_core::result::{Arm, Verdict};

use super::{
    evidence::{Claim, Evidence, Quantity},
    mixture::Mixture,
    *,
};
use crate::testing::Random;

mod chance;

const EVEN: Limits =
    Limits { alpha: 0.05, max_escape_increase: 0.01, max_overkill_increase: 1.0, escape_cost: 1.0, overkill_cost: 1.0 };
const SPARSE: Plan = Plan { disagree: 1.0, both_ok: 0.05, both_ng: 0.2 };
const CLAIMS: [Claim; 5] = [Claim::EscapesBelow, Claim::Saves, Claim::EscapesAbove, Claim::Costs, Claim::OverkillBelow];

fn judge(limits: Limits) -> Judge {
    Judge::new(limits).unwrap()
}

fn give(judge: &mut Judge, cell: Cell, defective: bool, n: u64) {
    for _ in 0..n {
        let ticket = judge.known(Design::Paired, cell).unwrap();
        judge.label(&ticket, defective);
    }
}

/// Labels of (good, defective) parts of the four cells of a design.
fn filled(limits: Limits, design: Design, plan: Plan, counts: [[u64; 2]; 4]) -> Judge {
    let mut judge = judge(limits);
    let cells = if design == Design::Paired { &Cell::ALL[..4] } else { &Cell::ALL[4..] };
    for (cell, counts) in cells.iter().zip(counts) {
        for (defective, n) in [false, true].into_iter().zip(counts) {
            for _ in 0..n {
                let ticket = judge.ticket(design, plan, *cell).unwrap();
                judge.label(&ticket, defective);
            }
        }
    }
    judge
}

#[test]
fn equal_costs_are_the_one_sided_beta_mixture() {
    // tests/oracles/judgement.py; 256 stakes are its integral but for some 1e-4.
    for (wins, losses, ln) in
        [(0, 0, 0.0), (5, 0, 2.351375257163), (40, 20, 2.194248001410), (700, 640, -1.391075551455)]
    {
        let mut judge = judge(EVEN);
        give(&mut judge, Cell::NgOk, false, wins);
        give(&mut judge, Cell::OkNg, false, losses);
        let got = judge.evidence.ln_evidence(Claim::Saves);
        assert!((got - ln).abs() < 2e-4, "{wins} {losses}: {got} {ln}");
    }
}

#[test]
fn evidence_and_bounds_are_those_of_the_oracle() {
    let plan = |disagree, both_ok, both_ng| Plan { disagree, both_ok, both_ng };
    let split = |weight| Design::Split { weight };
    // Printed by tests/oracles/judgement.py.
    for (design, plan, counts, ln, bounds) in [
        (
            Design::Paired,
            Plan::ALL,
            [[700, 4], [12, 6], [30, 3], [9, 300]],
            [1.36199624278, 0.684040754949, -1.98701385485, -1.83413746318],
            [0.02041829, -0.04484809, -0.0539356, 0.1789157],
        ),
        (
            Design::Paired,
            Plan::ALL,
            [[0, 0], [2, 1], [0, 2], [0, 40]],
            [-0.754915966764, -0.931829408242, -0.258589495666, -0.00450629799966],
            [0.1806198, -1.771875, -0.1779528, 1.671395],
        ),
        (
            Design::Paired,
            SPARSE,
            [[90, 1], [25, 9], [61, 2], [4, 80]],
            [4.49510681046, 3.83565069632, -2.49804354068, -2.45549027387],
            [0.005508083, 0.004045233, -0.05608117, 0.1204052],
        ),
        (
            split(0.1),
            plan(1.0, 0.4, 0.7),
            [[400, 30], [40, 300], [45, 1], [1, 50]],
            [0.820358539709, 0.800775584699, -3.25398084622, -3.25189057429],
            [0.1696418, -0.5372007, -0.2298083, 0.8252517],
        ),
        (
            split(0.5),
            Plan::ALL,
            [[900, 40], [90, 160], [950, 4], [20, 196]],
            [17.1536169807, 20.8528077847, -3.66333687391, -3.78626463963],
            [-0.0946621, 0.2159497, -0.3125778, 0.605023],
        ),
    ] {
        let judge = filled(Limits::default(), design, plan, counts);
        for (i, claim) in CLAIMS[..4].iter().copied().enumerate() {
            let (got, bound) = (judge.evidence.ln_evidence(claim), judge.evidence.bound(claim));
            assert!((got - ln[i]).abs() < 1e-9, "{design:?} {claim:?}: {got} {}", ln[i]);
            assert!((bound - bounds[i]).abs() < 3e-6, "{design:?} {claim:?}: {bound} {}", bounds[i]);
        }
    }
}

/// The chance that a label is of each outcome, for a plan, from the chances of what both arms would say.
fn labelled(design: Design, plan: &Plan, world: &[f64; 8]) -> [f64; 8] {
    std::array::from_fn(|i| {
        let (cell, truth) = (i / 2, i % 2);
        match design {
            Design::Split { weight } => {
                let (b, stopped) = (cell / 2, cell % 2);
                let both = (0..4).filter(|c| if b == 1 { c % 2 == stopped } else { c / 2 == stopped });
                let rate: f64 = both.map(|c| world[2 * c + truth]).sum();
                rate * if b == 1 { weight } else { 1.0 - weight } * plan.rate(Cell::ALL[4 + cell])
            }
            _ => world[i] * plan.rate(Cell::ALL[cell]),
        }
    })
}

#[test]
fn every_bet_is_fair_where_its_hypothesis_just_holds() {
    let mut random = Random::new(5);
    for round in 0..2000 {
        let mut world: [f64; 8] = std::array::from_fn(|_| random.uniform().powi(3));
        let limits = Limits {
            max_escape_increase: 0.3 * random.uniform(),
            max_overkill_increase: 0.3 * random.uniform(),
            escape_cost: 10.0 * random.uniform(),
            ..Limits::default()
        };
        // Escapes or overkill of b are moved until the increase is the one allowed, or overkill of b until the costs are
        // equal.
        let claim = CLAIMS[round % 5];
        let [both_bad, only_b_stops, only_a_stops] = [world[1] + world[7], world[3], world[5]];
        if matches!(claim, Claim::EscapesBelow | Claim::EscapesAbove) {
            let m = limits.max_escape_increase;
            world[5] = (m * (both_bad + only_b_stops) + only_b_stops) / (1.0 - m);
        } else if claim == Claim::OverkillBelow {
            let m = limits.max_overkill_increase;
            world[2] = (m * (world[0] + world[4] + world[6]) + world[4]) / (1.0 - m);
        } else {
            let saved = limits.escape_cost * (only_b_stops - only_a_stops);
            world[2] = world[2].max(saved);
            world[4] = world[2] - saved;
        }
        let rate = |random: &mut Random| 0.02 + 0.98 * random.uniform();
        let plan = Plan { disagree: rate(&mut random), both_ok: rate(&mut random), both_ng: rate(&mut random) };
        let design = match round % 3 {
            0 => Design::Split { weight: 0.01 + 0.98 * random.uniform() },
            _ => Design::Paired,
        };
        let mut evidence = Evidence::new(limits);
        let stratum = evidence.stratum(design, plan).unwrap();
        let bets = evidence.strata[stratum].bets(claim);
        let chances = labelled(design, &plan, &world);
        let mean: f64 = bets.iter().zip(chances).map(|(x, p)| x * p).sum();
        assert!(mean.abs() < 1e-9 * chances.iter().zip(bets).map(|(p, x)| 1.0 + (p * x).abs()).sum::<f64>(), "{mean}");
        assert!(bets.iter().all(|x| *x >= -1.0) && bets.iter().any(|x| *x < -0.999), "{claim:?} {bets:?}");
    }
}

#[test]
fn the_order_of_labels_is_nothing_to_the_evidence() {
    let labels = |i: usize| (Cell::ALL[(i * i + i / 7) % 4], i.is_multiple_of(3));
    let run = |order: &mut dyn Iterator<Item = usize>| {
        let mut judge = judge(Limits::default());
        order.for_each(|i| give(&mut judge, labels(i).0, labels(i).1, 1));
        judge
    };
    let [forth, back] = [run(&mut (0..3000)), run(&mut (0..3000).rev())];
    for claim in CLAIMS {
        let [forth, back] = [&forth, &back].map(|j| j.evidence.ln_evidence(claim));
        assert!((forth - back).abs() < 1e-8 * (1.0 + forth.abs()), "{claim:?}: {forth} {back}");
    }
}

#[test]
fn a_corrected_label_counts_as_if_it_had_always_been_so() {
    let [mut corrected, mut right] = [judge(EVEN), judge(EVEN)];
    give(&mut corrected, Cell::NgOk, false, 5);
    give(&mut right, Cell::NgOk, false, 4);
    give(&mut right, Cell::NgOk, true, 1);
    let ticket = corrected.known(Design::Paired, Cell::NgOk).unwrap();
    corrected.correct(&ticket, true);
    for claim in CLAIMS {
        assert!((corrected.evidence.ln_evidence(claim) - right.evidence.ln_evidence(claim)).abs() < 1e-12);
    }
    assert_eq!(corrected.report().cells, right.report().cells);
}

#[test]
fn bounds_and_decisions_never_differ() {
    let mut random = Random::new(3);
    for _ in 0..60 {
        let counts = std::array::from_fn(|_| [0, 1].map(|_| (random.uniform().powi(4) * 300.0) as u64));
        let plans = [Plan::ALL, SPARSE, Plan { both_ok: 0.0, ..Plan::ALL }];
        let mut plan = plans[(random.uniform() * 3.0) as usize];
        let design = if random.uniform() < 0.5 { Design::Paired } else { Design::Split { weight: 0.2 } };
        if design != Design::Paired {
            plan.both_ok = plan.both_ok.max(0.1);
        }
        let counts = if plan.both_ok == 0.0 { [[0, 0], counts[1], counts[2], counts[3]] } else { counts };
        let judge = filled(Limits::default(), design, plan, counts);
        let evidence = &judge.evidence;
        let [upper, saved, lower, most, _] = CLAIMS.map(|claim| evidence.bound(claim));
        let [below, saves, above, costs, _] = CLAIMS.map(|claim| evidence.proves(claim));
        assert_eq!(
            [upper <= 0.01, saved >= 0.0, lower >= 0.01, most <= 0.0],
            [below, saves, above, costs],
            "{counts:?}"
        );
        // The estimate of a split is steadier than what its bounds are of, and not always between them.
        let paired = design == Design::Paired;
        if let Some(increase) = evidence.mean(Quantity::Escapes).filter(|_| paired) {
            assert!(lower <= increase && increase <= upper, "{lower} {increase} {upper}");
        }
        if let Some(mean) = evidence.mean(Quantity::Saved).filter(|_| paired) {
            assert!(saved <= mean && mean <= most, "{saved} {mean} {most}");
        }
    }
}

#[test]
fn estimates_are_weighted_by_what_parts_stand_for() {
    let judge = filled(Limits::default(), Design::Paired, SPARSE, [[50, 1], [20, 5], [30, 9], [10, 40]]);
    // 20 parts for each that is ok to both, five for each that is ng to both.
    let (defective, parts) = (20.0 + 14.0 + 200.0, 1020.0 + 64.0 + 250.0);
    let j = judge.report();
    assert!((j.escapes.increase.unwrap() - 4.0 / defective).abs() < 1e-12);
    assert!((j.cost.saved_per_part.unwrap() - (10.0 - 40.0) / parts).abs() < 1e-12);
    let split = Design::Split { weight: 0.25 };
    let judge = filled(Limits::default(), split, Plan::ALL, [[60, 6], [20, 14], [28, 1], [2, 9]]);
    let j = judge.report();
    assert!((j.escapes.increase.unwrap() - (1.0 / 10.0 - 6.0 / 20.0)).abs() < 1e-12);
    assert!((j.cost.saved_per_part.unwrap() - (80.0 / 100.0 - 12.0 / 40.0)).abs() < 1e-12);
}

#[test]
fn without_a_sample_of_what_both_let_through_no_size_is_claimed() {
    let plan = Plan { both_ok: 0.0, ..Plan::ALL };
    let counts = [[0, 0], [5, 60], [200, 20], [0, 600]];
    let judge = filled(Limits::default(), Design::Paired, plan, counts);
    assert_eq!(judge.decision(), Decision::Promote, "the signs are known");
    let j = judge.report();
    assert_eq!((j.escapes.increase, j.cost.saved_per_part), (None, None));
    assert_eq!((j.escapes.lower, j.cost.lower), (-1.0, 0.0));
    assert!(j.escapes.upper >= 0.0 && j.escapes.upper <= 0.01);
    assert!(
        j.reasons[2].contains("only labels of parts that both arms judge alike can show how much"),
        "{:?}",
        j.reasons
    );
    // Many more of the labelled parts may escape; their share of all defective parts is unknown.
    let judge = filled(Limits::default(), Design::Paired, plan, [[0, 0], [0, 0], [0, 300], [0, 10]]);
    assert_eq!(judge.evidence.ln_evidence(Claim::EscapesAbove), 0.0);
}

#[test]
fn a_challenger_that_stops_many_more_good_parts_is_not_promoted_however_much_it_saves() {
    // Of 400 good parts a stops 15 in 100, and of 200 defective ones it lets 60 through that b stops; escapes cost ten times
    // as much. b stops this many more good parts.
    for (more, allowed, decision, said) in [
        (140, 0.05, Decision::Hold, "it is not known yet whether b stops at most 5 % more of the good parts: up to "),
        (140, 1.0, Decision::Promote, "b saves at least "),
        (0, 0.05, Decision::Promote, "b stops at most "),
    ] {
        let limits = Limits { max_overkill_increase: allowed, ..Limits::default() };
        let mut judge = judge(limits);
        for _ in 0..20 {
            give(&mut judge, Cell::NgNg, false, 3);
            give(&mut judge, Cell::OkNg, false, more / 20);
            give(&mut judge, Cell::OkOk, false, 17 - more / 20);
            give(&mut judge, Cell::OkNg, true, 3);
            give(&mut judge, Cell::NgNg, true, 7);
        }
        let j = judge.report();
        assert_eq!(j.decision, decision, "{more} {allowed}: {:?}", j.reasons);
        assert!(j.reasons.iter().any(|why| why.starts_with(said)), "{:?}", j.reasons);
        assert_eq!(judge.would_decide(), decision);
        let all = judge.evidence.mean(Quantity::Overkill).unwrap();
        assert!((all - more as f64 / 400.0).abs() < 1e-12, "{all}");
    }
}

#[test]
fn the_figures_of_a_decision_are_those_that_it_was_taken_on_and_what_came_since_stands_apart() {
    let mut judge = judge(Limits::default());
    while judge.decision() == Decision::Hold {
        give(&mut judge, Cell::OkNg, false, 1);
    }
    let taken = judge.report();
    let n = taken.labels.tested;
    assert!(n > 5 && (taken.decision, taken.cells[0].good) == (Decision::Abort, n), "{taken:?}");
    assert_eq!(taken.cost.saved_per_part, Some(-1.0));
    assert!(taken.e_values.costs >= taken.e_values.aborts && taken.e_values.saves < taken.e_values.promotes);
    assert_eq!(taken.since.as_ref().map(|s| (s.labels, s.saved_per_part)), Some((0, None)));
    give(&mut judge, Cell::OkNg, true, 30);
    let later = judge.report();
    let since = later.since.clone().unwrap();
    assert_eq!((since.labels, since.saved_per_part, since.cells[0].defective), (30, Some(10.0), 30));
    assert_eq!(JudgementReport { since: taken.since.clone(), ..later }, taken);
}

#[test]
fn the_reject_bin_is_shown_and_never_tested() {
    let mut judge = judge(EVEN);
    for _ in 0..1000 {
        judge.show(Cell::NgOk, false);
    }
    judge.undecided();
    let j = judge.report();
    assert_eq!((j.decision, j.labels.tested, j.labels.shown, j.labels.undecided), (Decision::Hold, 0, 1000, 1));
    assert_eq!(j.reasons, ["there are no labels of a random sample; 1000 labels from elsewhere are only shown"]);
    assert_eq!((j.escapes.upper, j.escapes.lower, j.cost.lower, j.cost.upper), (1.0, -1.0, -1.0, 1.0));
    assert_eq!(
        j.cells[0],
        CellLabels { cell: Cell::NgOk, good: 0, defective: 0, shown_good: 1000, shown_defective: 0 }
    );
}

#[test]
fn a_rollout_is_not_judged() {
    let mut judge = judge(EVEN);
    assert_eq!(judge.known(Design::Rollout, Cell::AOk), None);
    let j = judge.report();
    assert_eq!((j.decision, j.design), (Decision::Hold, DesignKind::Rollout));
    assert!(j.reasons[0].contains("rollout"));
}

#[test]
fn what_cannot_be_tested_gets_no_ticket() {
    let mut judge = judge(EVEN);
    for (design, cell) in [
        (Design::Paired, Cell::AOk),
        (Design::Split { weight: 0.1 }, Cell::NgOk),
        (Design::Split { weight: 0.0 }, Cell::AOk),
        (Design::Split { weight: 1.0 }, Cell::BOk),
        (Design::Split { weight: f64::NAN }, Cell::BOk),
    ] {
        assert_eq!(judge.known(design, cell), None, "{design:?} {cell:?}");
    }
    for rate in [0.0, -1.0, f64::NAN] {
        assert_eq!(judge.ask(Design::Paired, Plan { disagree: rate, ..Plan::ALL }, Cell::OkNg), None);
    }
    let plans = (1..=40)
        .filter_map(|i| judge.ask(Design::Paired, Plan { disagree: f64::from(i) / 40.0, ..SPARSE }, Cell::OkNg));
    assert_eq!(plans.count(), evidence::MOST_STRATA);
}

#[test]
fn a_decision_stays() {
    let mut judge = judge(EVEN);
    give(&mut judge, Cell::NgNg, true, 500);
    give(&mut judge, Cell::NgOk, false, 8);
    assert_eq!(judge.decision(), Decision::Promote);
    let reasons = judge.report().reasons;
    give(&mut judge, Cell::NgOk, true, 30);
    assert_eq!(judge.report().decision, Decision::Promote);
    assert_eq!(judge.report().reasons, reasons);
}

#[test]
fn reasons_are_sentences_with_numbers() {
    let mut judge = judge(Limits { max_overkill_increase: 1.0, ..Limits::default() });
    let last = |judge: &Judge| judge.report().reasons.pop().unwrap();
    assert_eq!(last(&judge), "there are no labels yet");
    give(&mut judge, Cell::OkOk, false, 50);
    assert_eq!(last(&judge), "no label of a defective part yet");
    give(&mut judge, Cell::NgNg, true, 100);
    assert_eq!(
        last(&judge),
        "no labelled part distinguishes the arms yet: if they are equal, about 1478 more labels are needed for the \
         escapes alone, 985 of them of defective parts"
    );
    give(&mut judge, Cell::NgOk, false, 12);
    give(&mut judge, Cell::OkNg, true, 3);
    let j = judge.report();
    assert_eq!(
        j.reasons,
        [
            "it is not known yet whether b lets at most 1 % more of the defective parts through: -13 % to 2.5 % is \
             possible",
            "it is not known yet whether b saves cost: -0.088 to 0.89 a part is possible (an escape costs 10, an \
             overkill 1)",
            "about 157 more labels are needed, 98 of them of defective parts, at the rates so far",
        ]
    );
}

#[test]
fn fewer_escapes_are_told_as_fewer_whatever_is_decided() {
    // b catches 60 of the 100 defective parts that a lets through, and stops 140 of 400 good parts more.
    let mut judge = judge(Limits::default());
    for _ in 0..20 {
        give(&mut judge, Cell::OkNg, false, 7);
        give(&mut judge, Cell::OkOk, false, 13);
        give(&mut judge, Cell::OkNg, true, 3);
        give(&mut judge, Cell::NgNg, true, 7);
    }
    let j = judge.report();
    assert!(j.decision == Decision::Hold && j.escapes.upper < -0.1, "{j:?}");
    assert!(
        j.reasons[0].starts_with("b lets at least ") && j.reasons[0].ends_with("fewer of the defective parts through"),
        "{:?}",
        j.reasons
    );
}

#[test]
fn the_labels_still_needed_are_those_that_come() {
    let mut judge = judge(Limits::default());
    let round = |judge: &mut Judge| {
        give(judge, Cell::NgNg, true, 96);
        give(judge, Cell::OkNg, true, 3);
        give(judge, Cell::NgOk, true, 1);
        give(judge, Cell::NgOk, false, 20);
        give(judge, Cell::OkNg, false, 10);
    };
    (0..2).for_each(|_| round(&mut judge));
    let [tested, needed] = [judge.report().labels].map(|l| [l.tested, l.needed.unwrap()])[0];
    while judge.decision() == Decision::Hold {
        round(&mut judge);
    }
    let total = judge.report().labels.tested;
    assert!((total as f64 / (tested + needed) as f64 - 1.0).abs() < 0.25, "{total} {tested} {needed}");
    assert_eq!(judge.report().labels.needed, None);
}

#[test]
fn evidence_against_b_needs_no_number_of_labels() {
    let judge = filled(Limits::default(), Design::Paired, Plan::ALL, [[10, 0], [5, 0], [2, 6], [0, 60]]);
    let j = judge.report();
    assert_eq!(j.labels.needed, None);
    assert_eq!(j.reasons.last().unwrap(), "more labels like these would not lead to promote");
}

#[test]
fn a_judgement_is_written_as_agreed() {
    let judge = filled(Limits::default(), Design::Paired, Plan::ALL, [[4, 1], [1, 0], [2, 1], [0, 9]]);
    let json = serde_json::to_value(judge.report()).unwrap();
    let keys = |v: &serde_json::Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&json),
        "alpha cells cost decided decision design e_values escapes labels overkill reasons schema since"
    );
    assert_eq!(keys(&json["escapes"]), "a b increase lower max_increase upper");
    assert_eq!(keys(&json["cost"]), "escape lower overkill saved_per_part upper");
    assert_eq!((&json["schema"], &json["decision"]), (&"andon.ab-judgement/1".into(), &"hold".into()));
    assert_eq!(
        json["cells"][1],
        serde_json::json!({"cell":"ok-ng","good":1,"defective":0,"shown_good":0,"shown_defective":0})
    );
    let [tested, defective, discordant] =
        ["tested", "defective", "discordant"].map(|k| json["labels"][k].as_u64().unwrap());
    assert_eq!((tested, defective, discordant), (18, 11, 4));
    assert_eq!((json["escapes"]["a"].as_u64(), json["escapes"]["b"].as_u64()), (Some(1), Some(2)));
}

#[test]
fn review_is_a_stop_and_unjudged_is_nothing() {
    assert_eq!(Cell::paired(Verdict::Review, Verdict::Ok), Some(Cell::NgOk));
    assert_eq!(Cell::paired(Verdict::Ok, Verdict::Unjudged), None);
    assert_eq!(Cell::alone(Arm::B, Verdict::Ng), Some(Cell::BNg));
    assert_eq!(Cell::alone(Arm::A, Verdict::Unjudged), None);
    assert_eq!(Cell::alone(Arm::Truth, Verdict::Ok), None);
    assert!(Cell::ALL.iter().enumerate().all(|(i, cell)| *cell as usize == i));
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let default = Limits::default();
    for (limits, word) in [
        (Limits { alpha: 0.0, ..default }, "alpha"),
        (Limits { alpha: f64::NAN, ..default }, "alpha"),
        (Limits { alpha: 1.0, ..default }, "alpha"),
        (Limits { max_escape_increase: -0.1, ..default }, "max-escape-increase"),
        (Limits { max_escape_increase: f64::NAN, ..default }, "max-escape-increase"),
        (Limits { max_escape_increase: 1.0, ..default }, "max-escape-increase"),
        (Limits { max_overkill_increase: 1.1, ..default }, "max-overkill-increase"),
        (Limits { escape_cost: -1.0, ..default }, "escape-cost"),
        (Limits { overkill_cost: f64::INFINITY, ..default }, "overkill-cost"),
        (Limits { escape_cost: 0.0, overkill_cost: 0.0, ..default }, "and one above 0"),
    ] {
        assert!(Judge::new(limits).unwrap_err().to_string().contains(word), "{limits:?}");
    }
    assert!(Judge::new(Limits { max_escape_increase: 0.0, overkill_cost: 0.0, ..default }).is_ok());
}

#[test]
fn long_runs_of_labels_stay_within_what_numbers_hold() {
    let mut mixture = Mixture::new();
    (0..200_000).for_each(|_| mixture.add(1.0));
    let of = Mixture::of([(1.0, 200_000)].into_iter());
    assert!((mixture.ln_evidence() - of.ln_evidence()).abs() < 1e-6 * of.ln_evidence());
    (0..2000).for_each(|_| mixture.add(-1.0));
    assert!(mixture.ln_evidence().is_finite());
}

#[test]
fn parts_are_drawn_at_their_rate_the_same_way_everywhere() {
    let ids: Vec<_> = (0..20_000).map(|i| format!("P{i}")).collect();
    let [one, other] = ["run-1", "run-2"].map(Draw::new);
    let count = |f: &dyn Fn(&str) -> bool| ids.iter().filter(|id| f(id)).count();
    let at = |rate| count(&|id| one.drawn(id, rate));
    assert!((850..1150).contains(&at(0.05)), "{}", at(0.05));
    assert_eq!((at(0.0), at(1.0)), (0, 20_000));
    assert!(ids.iter().all(|id| !one.drawn(id, 0.1) || one.drawn(id, 0.2)));
    assert!(ids.iter().all(|id| one.drawn(id, 0.3) == Draw::new("run-1").drawn(id, 0.3)));
    // A promise: with another hash a label that comes after an update would meet a part that was not drawn.
    let run = Draw::new("run");
    assert!(!run.drawn("PCB-1-000001", 0.314_08) && run.drawn("PCB-1-000001", 0.314_09), "it falls at 0.314081");
    let both = count(&|id| one.drawn(id, 0.2) && other.drawn(id, 0.2));
    assert!((680..920).contains(&both), "{both}");
}
