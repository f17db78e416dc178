// SPDX-License-Identifier: MPL-2.0
//! Trials from the first part to the decision.

use std::sync::Arc;

use crate::agreement::Each;
use andon_core::result::{Arm, ModelId, PartVerdict};

use super::*;

const RULES: Rules = Rules {
    limits: judgement::Limits {
        alpha: 0.05,
        max_escape_increase: 0.01,
        max_overkill_increase: 0.05,
        escape_cost: 10.0,
        overkill_cost: 1.0,
    },
    deadline_us: Some(10_000),
    max_ng_difference: 0.2,
};

fn trial() -> Trial {
    Trial::new(RULES, "salt").unwrap()
}

fn verdict(id: &str, verdict: Verdict) -> PartVerdict {
    PartVerdict {
        schema: "andon.part-verdict/1".into(),
        id: id.into(),
        part: None,
        verdict,
        views_seen: 1,
        views_judged: 1,
        score: 0.5,
        labels: Vec::new(),
        frames: [7; 2],
        arm: Arm::A,
        decides: true,
        element: "m".into(),
        model: Arc::default(),
        pts_ns: None,
        utc_ns: 0,
    }
}

fn pair(id: &str, a: Verdict, b: Verdict, truth: Option<Verdict>) -> PairedPart {
    PairedPart { id: id.into(), told: true, frame_id: 7, a: verdict(id, a), b: verdict(id, b), truth }
}

fn decided(trial: &Trial) -> (Decision, String) {
    let judgement = trial.report().judgement;
    assert_eq!(judgement.decision, trial.decision());
    (judgement.decision, judgement.reasons.join("; "))
}

#[test]
fn where_the_truth_is_known_a_challenger_that_finds_what_the_champion_misses_is_promoted() {
    let mut trial = trial();
    for k in 0..200 {
        let (b, truth) = if k % 4 == 0 { (Verdict::Ng, Verdict::Ng) } else { (Verdict::Ok, Verdict::Ok) };
        assert_eq!(trial.paired(pair(&k.to_string(), Verdict::Ok, b, Some(truth)), Plan::ALL), None);
    }
    let (decision, why) = decided(&trial);
    assert_eq!(decision, Decision::Promote, "{why}");
    assert!(why.contains("fewer of the defective parts through") && why.contains("saves at least"), "{why}");
}

#[test]
fn labels_from_elsewhere_decide_nothing() {
    let mut trial = trial();
    for k in 0..500 {
        let id = k.to_string();
        trial.paired(pair(&id, Verdict::Ng, Verdict::Ok, None), Plan::ALL);
        assert_eq!(trial.label(&id, Verdict::Ok, "reject-bin"), Taken::Shown);
    }
    // Without labels a difference of this size takes the challenger out; that is the only thing that can.
    assert_eq!(trial.labels(), [0, 500]);
    let judgement = trial.report().judgement;
    let decided = judgement.decided.unwrap();
    assert_eq!((decided.by, decided.parts), (Grounds::NgRate, judgement.labels.shown + 1));
    assert_eq!(judgement.since.unwrap().parts, 500 - decided.parts);
    assert_ne!(trial.decision(), Decision::Promote);
}

#[test]
fn only_drawn_parts_are_asked_about_and_only_their_labels_are_tested() {
    let mut trial = trial();
    let plan = Plan { disagree: 1.0, both_ok: 0.25, both_ng: 0.0 };
    let mut asked = Vec::new();
    for k in 0..400 {
        let id = format!("P{k}");
        if let Some(wanted) = trial.paired(pair(&id, Verdict::Ok, Verdict::Ok, None), plan) {
            assert_eq!((wanted.probability, wanted.a, wanted.frame_id), (0.25, Some(Verdict::Ok), 7));
            asked.push(wanted.id);
        }
    }
    assert!((60..140).contains(&asked.len()), "{} of 400 at a rate of 0.25", asked.len());
    assert_eq!(trial.wanted, asked.len() as u64);
    for k in 0..400 {
        let id = format!("P{k}");
        let expected = if asked.contains(&id) { Taken::Tested } else { Taken::Shown };
        assert_eq!(trial.label(&id, Verdict::Ok, SAMPLE), expected);
    }
    assert_eq!(trial.label("never seen", Verdict::Ok, SAMPLE), Taken::Unknown);
    assert_eq!(trial.label("P1", Verdict::Review, SAMPLE), Taken::Nothing);
    assert_eq!(trial.matching().unknown, 1);
}

#[test]
fn labels_find_their_parts_by_file_names_and_labels_of_others_are_told_with_both_sides() {
    // What is labelled before the parts come, and after; the parts; what is said of it.
    let (lids, folders) = (["lid-1.png", "lid-2.png", "lid-3.png"], ["good/1.png", "bad/1.png"]);
    for (before, parts, after, matched, unknown, said) in [
        (&["lid-1", "lids/lid-2.png"][..], &lids[..], &["lid-3.PNG"][..], 3, 0, "labels name 3 parts"),
        (&["lid-1", "lid-9"], &lids, &[], 1, 1, "labels name 1 part; no part has come for 1 label, such as 'lid-9'"),
        (
            &["A-001", "A-002"],
            &["f3c2/17"],
            &[],
            0,
            2,
            "labels name no part that has come: 2 labels of 'A-001', 'A-002', parts are called 'f3c2/17'",
        ),
        (&["A-001"], &[], &[], 0, 1, "no part has come that labels could name: 1 label of 'A-001'"),
        (
            &["1"],
            &folders,
            &[],
            1,
            0,
            "the label '1' could be of the part 'good/1.png' or 'bad/1.png': write its folder, too",
        ),
        (&[], &folders, &["1"], 0, 1, "the label '1' could be of the part 'good/1.png' or 'bad/1.png'"),
        (&[], &folders, &["bad/1", "good/1"], 2, 0, "labels name 2 parts"),
    ] {
        let mut trial = trial();
        for label in before {
            assert_eq!(trial.label(label, Verdict::Ng, SAMPLE), Taken::Unknown);
            trial.expect(label, Verdict::Ng, SAMPLE);
        }
        for part in parts {
            trial.paired(pair(part, Verdict::Ok, Verdict::Ng, None), Plan::ALL);
        }
        for label in after {
            trial.label(label, Verdict::Ng, SAMPLE);
        }
        let matching = trial.matching();
        assert_eq!((matching.matched, matching.unknown), (matched, unknown), "{said}: {matching:?}");
        assert_eq!(trial.labels(), [matched, 0]);
        assert!(matching.to_string().starts_with(said), "{matching}");
        let (decision, why) = decided(&trial);
        assert!(decision == Decision::Hold && (why == matching.to_string()) == (matched == 0), "{why}");
    }
}

#[test]
fn a_label_that_is_taken_back_counts_as_if_it_had_never_been() {
    let (mut once, mut twice) = (trial(), trial());
    for trial in [&mut once, &mut twice] {
        for k in 0..20 {
            trial.paired(pair(&k.to_string(), Verdict::Ok, Verdict::Ng, None), Plan::ALL);
        }
    }
    for k in 0..20 {
        let id = k.to_string();
        once.label(&id, Verdict::Ng, SAMPLE);
        twice.label(&id, Verdict::Ok, SAMPLE);
        twice.label(&id, Verdict::Ng, SAMPLE);
    }
    assert_eq!(once.labels(), twice.labels());
    let [once, twice] = [once, twice].map(|t| t.report().judgement);
    assert_eq!(once.cells, twice.cells);
    assert!((once.escapes.upper - twice.escapes.upper).abs() < 1e-9);
}

#[test]
fn a_label_ahead_of_its_part_counts_when_that_comes() {
    let mut trial = trial();
    trial.expect("P", Verdict::Ng, SAMPLE);
    trial.expect("Q", Verdict::Ng, "customer");
    for id in ["P", "Q"] {
        trial.paired(pair(id, Verdict::Ok, Verdict::Ng, None), Plan::ALL);
    }
    assert_eq!(trial.labels(), [1, 1]);
}

#[test]
fn a_challenger_that_fails_is_out_without_any_label() {
    type Fails = fn(&mut Trial, u64);
    let cases: [(&str, Fails); 5] = [
        ("errors", |t, _| t.frame(Status::Error, 0)),
        ("non-finite", |t, _| t.frame(Status::NonFinite, 900)),
        ("latency", |t, k| t.frame(Status::Ok, if k.is_multiple_of(10) { 20_000 } else { 900 })),
        ("ng-rate: b stops", |t, k| {
            t.paired(pair(&k.to_string(), Verdict::Ok, Verdict::Ng, None), Plan::ALL);
        }),
        ("takes no more frames", |t, _| t.b_is_out()),
    ];
    for (name, fails) in cases {
        let mut trial = trial();
        let mut frames = 0;
        while trial.decision() == Decision::Hold {
            fails(&mut trial, frames);
            frames += 1;
            assert!(frames < 3000, "{name} is never seen");
        }
        let (decision, why) = decided(&trial);
        assert_eq!(decision, Decision::Abort);
        assert!(why.contains(name), "{why}");
    }
}

#[test]
fn a_challenger_that_finds_more_is_not_out_for_it_once_labels_say_that_it_is_right() {
    let mut trial = trial();
    for k in 0..300 {
        let id = k.to_string();
        let b = if k % 2 == 0 { Verdict::Ng } else { Verdict::Ok };
        trial.paired(pair(&id, Verdict::Ok, b, Some(b)), Plan::ALL);
    }
    assert_eq!(decided(&trial).0, Decision::Promote);
}

#[test]
fn a_champion_that_stops_more_is_told_of_as_well() {
    let mut trial = trial();
    for k in 0..200 {
        trial.paired(pair(&k.to_string(), Verdict::Ng, Verdict::Ok, None), Plan { disagree: 0.0, ..Plan::ALL });
    }
    let (decision, why) = decided(&trial);
    assert_eq!(decision, Decision::Abort);
    assert!(why.starts_with("ng-rate: a stops 100.0 % more"), "{why}");
}

#[test]
fn a_part_that_comes_round_again_is_one_observation() {
    let mut trial = trial();
    for k in 0..30 {
        let id = (k % 3).to_string();
        trial.paired(pair(&id, Verdict::Ok, Verdict::Ng, Some(Verdict::Ng)), Plan::ALL);
    }
    assert_eq!((trial.labels(), trial.seen_again, trial.decision()), ([3, 0], 27, Decision::Hold));
}

#[test]
fn in_a_split_each_part_is_weighed_by_its_arms_share() {
    let mut trial = trial();
    let design = Design::Split { weight: 0.25 };
    for k in 0..4000_u32 {
        let arm = if k % 4 == 0 { Arm::B } else { Arm::A };
        let bad = k % 5 == 0;
        let b = if bad && arm == Arm::B { Verdict::Ng } else { Verdict::Ok };
        let truth = Some(if bad { Verdict::Ng } else { Verdict::Ok });
        let id = k.to_string();
        let part = LonePart { verdict: verdict(&id, b), id, told: true, frame_id: 7, arm, truth };
        trial.alone(part, design, Plan::ALL);
    }
    let (decision, why) = decided(&trial);
    assert_eq!(decision, Decision::Promote, "{why}");
    let ruling = trial.report();
    assert!((ruling.ng_difference.unwrap() - 0.2).abs() < 0.02, "{ruling:?}");
}

#[test]
fn parts_shared_out_by_what_they_have_in_common_are_not_judged() {
    let mut trial = trial();
    for k in 0..1000 {
        let id = k.to_string();
        let part = LonePart {
            verdict: verdict(&id, Verdict::Ng),
            id,
            told: true,
            frame_id: 7,
            arm: if k % 2 == 0 { Arm::B } else { Arm::A },
            truth: Some(if k % 2 == 0 { Verdict::Ng } else { Verdict::Ok }),
        };
        trial.alone(part, Design::Rollout, Plan::ALL);
    }
    let (decision, why) = decided(&trial);
    assert_eq!(decision, Decision::Hold);
    assert!(why.contains("rollout"), "{why}");
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let limits = judgement::Limits { escape_cost: 0.0, overkill_cost: 0.0, ..RULES.limits };
    let refused = Trial::new(Rules { limits, ..RULES }, "").unwrap_err().to_string();
    assert!(refused.contains("escape-cost"), "{refused}");
}

#[test]
fn memory_is_bounded_while_no_label_comes() {
    let mut recent = RecentParts::default();
    let ticket = trial().judge.ask(Design::Paired, Plan::ALL, Cell::OkNg);
    for k in 0..recent_parts::MOST_WANTED + recent_parts::MOST_OTHERS + 10 {
        let known = RecentPart { cell: Some(Cell::OkNg), ticket, tested: None, shown: None, named: false, run: 0 };
        recent.add(format!("w{k}"), known);
        recent.add(format!("o{k}"), RecentPart { ticket: None, ..known });
        recent.expect(&format!("x{k}"), Verdict::Ok, "");
    }
    assert_eq!(recent.forgotten as usize, recent_parts::MOST_OTHERS + 10);
    assert!(recent.get("w0").is_none() && recent.get("o0").is_none());
    assert!(recent.get(&format!("w{}", recent_parts::MOST_WANTED + 100)).is_some());
}

#[test]
fn a_report_comes_back_from_its_json() {
    let mut trial = trial();
    for k in 0..40 {
        let b = if k % 4 == 0 { Verdict::Ng } else { Verdict::Ok };
        trial.frame(Status::Ok, 900);
        trial.paired(pair(&k.to_string(), Verdict::Ok, b, Some(b)), Plan::ALL);
    }
    let report = trial.report();
    let json = serde_json::to_string(&report).unwrap();
    let read: TrialReport = serde_json::from_str(&json).unwrap();
    assert_eq!((&read.judgement.labels, read.judgement.design), (&report.judgement.labels, report.judgement.design));
    assert_eq!((read.judgement.reasons, read.judgement.cells), (report.judgement.reasons, report.judgement.cells));
    assert_eq!((read.guards.state, read.guards.parts), (report.guards.state, report.guards.parts));
    assert_eq!((&*read.judgement.schema, &*read.guards.schema), ("andon.ab-judgement/1", "andon.probation/1"));
}

fn models(digest: &str) -> Each<Arc<ModelId>> {
    let model =
        |version: &str| Arc::new(ModelId { name: "pcb".into(), version: version.into(), digest: digest.into() });
    Each { a: model("1"), b: model("2") }
}

/// A run of a trial that is kept, after what other runs have kept.
fn run(name: &str, rules: Rules, ledger: &[Kept]) -> (Trial, Replayed) {
    let mut trial = Trial::new(rules, name).unwrap();
    trial.at(ledger.len() as u64 * 1000 + 1000);
    trial.keep_for(&models("sha256:1"));
    let replayed = trial.replay(ledger);
    (trial, replayed)
}

/// What a run has kept, as it is written.
fn kept(name: &str, trial: &mut Trial) -> Kept {
    let lines = trial.take_entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    Kept { run: name.into(), lines }
}

fn give(trial: &mut Trial, ids: std::ops::Range<u64>) {
    for k in ids {
        let b = if k % 4 == 0 { Verdict::Ng } else { Verdict::Ok };
        trial.paired(pair(&format!("P{k}"), Verdict::Ok, b, None), Plan::ALL);
    }
}

fn label(trial: &mut Trial, ids: std::ops::Range<u64>) {
    for k in ids {
        let truth = if k % 4 == 0 { Verdict::Ng } else { Verdict::Ok };
        assert_eq!(trial.label(&format!("P{k}"), truth, SAMPLE), Taken::Tested, "P{k}");
    }
}

#[test]
fn a_trial_goes_on_in_other_processes_as_if_it_had_never_been_cut() {
    // Captured today, annotated tomorrow, judged the day after.
    let (mut monday, _) = run("mon", RULES, &[]);
    give(&mut monday, 0..100);
    let mut ledger = vec![kept("mon", &mut monday)];
    // Killed within a line.
    ledger[0].lines.push(r#"{"part":{"id":"P100","fra"#.into());
    let (mut tuesday, replayed) = run("tue", RULES, &ledger);
    assert_eq!((replayed.runs, replayed.parts, replayed.labels, replayed.unreadable), (1, 100, 0, 1));
    label(&mut tuesday, 0..60);
    give(&mut tuesday, 100..200);
    assert!(!tuesday.is_due(), "{:?}", tuesday.report().judgement.reasons);
    ledger.push(kept("tue", &mut tuesday));
    let (mut wednesday, replayed) = run("wed", RULES, &ledger);
    assert_eq!((replayed.parts, replayed.labels, replayed.aside.len()), (200, 60, 0));
    label(&mut wednesday, 60..200);
    assert_eq!(wednesday.labels(), [200, 0]);
    assert_eq!((wednesday.decision(), wednesday.is_due()), (Decision::Hold, true), "nobody has looked yet");
    wednesday.look();
    let judgement = wednesday.report().judgement;
    assert_eq!(judgement.decision, Decision::Promote, "{:?}", judgement.reasons);
    let decided = judgement.decided.clone().unwrap();
    assert_eq!((&*decided.run, decided.parts, decided.by), ("wed", 200, Grounds::Labels));
    // The same in one process.
    let (mut whole, _) = run("whole", RULES, &[]);
    give(&mut whole, 0..200);
    label(&mut whole, 0..200);
    whole.look();
    let uncut = whole.report().judgement;
    assert_eq!(
        (&uncut.cells, &uncut.escapes, &uncut.reasons),
        (&judgement.cells, &judgement.escapes, &judgement.reasons)
    );
    // The decision stands in every later process, on what it was taken on, and what comes since stands apart.
    ledger.push(kept("wed", &mut wednesday));
    let (mut thursday, _) = run("thu", RULES, &ledger);
    assert_eq!(thursday.decision(), Decision::Promote);
    give(&mut thursday, 200..204);
    label(&mut thursday, 200..204);
    thursday.look();
    let later = thursday.report().judgement;
    assert_eq!((&later.decided, &later.labels), (&judgement.decided, &judgement.labels));
    assert_eq!(later.cost.saved_per_part, judgement.cost.saved_per_part);
    assert_eq!(later.since.map(|since| (since.parts, since.labels)), Some((4, 4)));
    // Without room for all, the oldest parts without a label go.
    let small = compacted(&ledger[0], &ledger, 1000);
    assert_eq!(small.iter().filter(|line| line.contains("\"part\"")).count(), 100, "all have labels");
    let small = compacted(&ledger[0], &ledger[..1], 3000);
    let (resumed, replayed) = run("fri", RULES, &[Kept { run: "mon".into(), lines: small }]);
    assert!(replayed.parts > 5 && replayed.parts < 40, "{replayed:?}");
    assert_eq!(resumed.parts[0], 100, "the others are counted");
    assert_eq!(resumed.ng_difference.difference(), Some(0.25));
}

#[test]
fn what_is_not_evidence_of_this_trial_is_set_aside_and_told() {
    let (mut first, _) = run("one", RULES, &[]);
    give(&mut first, 0..8);
    label(&mut first, 0..8);
    let ledger = [kept("one", &mut first)];
    let limits = judgement::Limits { max_escape_increase: 0.02, ..RULES.limits };
    let (_, replayed) = run("two", Rules { limits, ..RULES }, &ledger);
    assert_eq!((replayed.runs, replayed.parts), (0, 0));
    assert!(replayed.aside[0].contains("(max-escape-increase was 0.01 and is 0.02)"), "{:?}", replayed.aside);
    let mut other = Trial::new(RULES, "three").unwrap();
    other.keep_for(&models("sha256:2"));
    let replayed = other.replay(&ledger);
    assert!(replayed.aside[0].contains("another arm a: pcb 1 (1), and here it is pcb 1 (2)"), "{:?}", replayed.aside);
    let headless = [Kept { run: "x".into(), lines: vec!["{\"run\":{\"sch".into()] }];
    assert!(run("four", RULES, &headless).1.aside[0].contains("run x: its first line cannot be read"));
}

#[test]
fn a_part_whose_id_another_run_has_is_not_counted_again_and_a_label_must_say_which_is_meant() {
    let (mut one, _) = run("one", RULES, &[]);
    give(&mut one, 0..4);
    let mut ledger = vec![kept("one", &mut one)];
    let (mut two, _) = run("two", RULES, &ledger);
    give(&mut two, 0..4);
    assert_eq!(two.label("P1", Verdict::Ok, SAMPLE), Taken::Ambiguous);
    assert_eq!(two.ambiguous.as_deref(), Some("P1"));
    for (id, taken) in [("one/P1", Taken::Tested), ("two/P1", Taken::Shown), ("one/P2", Taken::Tested)] {
        assert_eq!(two.label(id, Verdict::Ok, SAMPLE), taken, "{id}");
    }
    assert_eq!(two.label("one/P2", Verdict::Ok, SAMPLE), Taken::Tested);
    assert_eq!((two.labels(), two.again, two.label("one/P9", Verdict::Ok, SAMPLE)), ([2, 1], 1, Taken::Unknown));
    assert_eq!((two.parts[0], two.seen_again, two.twice.as_deref()), (4, 4, Some("P0")), "they may be the same");
    ledger.push(kept("two", &mut two));
    let (three, replayed) = run("three", RULES, &ledger);
    assert_eq!((replayed.parts, three.labels(), three.parts[0]), (8, [2, 1], 4));
}

#[test]
fn two_lines_at_once_hear_each_other_and_a_part_and_a_label_count_once() {
    let (mut one, _) = run("one", RULES, &[]);
    give(&mut one, 0..40);
    let first = kept("one", &mut one);
    let (mut two, _) = run("two", RULES, std::slice::from_ref(&first));
    // The label of a part of the other line, by both.
    for trial in [&mut one, &mut two] {
        label(trial, 0..4);
    }
    give(&mut two, 40..80);
    label(&mut two, 40..80);
    let second = kept("two", &mut two);
    let replayed = one.replay(&[second]);
    assert_eq!((replayed.runs_new, replayed.parts, replayed.begins_anew), (1, 40, false));
    assert_eq!(one.labels(), [44, 0]);
    // Labels for the parts of a run that is read later wait for it.
    let late = Kept { lines: kept("one", &mut one).lines, ..Kept::default() };
    assert_eq!(two.replay(&[Kept { run: "one".into(), ..late }]).labels, 4);
    assert_eq!(two.labels(), [44, 0]);
    // Someone begins anew: what was kept before counts no more, in no run.
    one.at(9_000_000);
    one.keep_reset();
    let reset = kept("one", &mut one);
    assert!(two.replay(std::slice::from_ref(&reset)).begins_anew);
    let all = Kept { lines: [first.lines, reset.lines].concat(), ..reset };
    let (anew, replayed) = run("three", RULES, &[all]);
    assert_eq!((replayed.parts, anew.labels()), (0, [0, 0]));
}

#[test]
fn what_a_process_saw_of_errors_ends_with_it_and_the_shares_of_ng_do_not() {
    let mut ledger = Vec::new();
    let (mut failing, _) = run("one", RULES, &[]);
    (0..5).for_each(|_| failing.frame(Status::Error, 0));
    failing.look();
    assert_eq!(failing.decision(), Decision::Abort);
    ledger.push(kept("one", &mut failing));
    let (mut stopping, _) = run("two", RULES, &ledger);
    assert_eq!(stopping.decision(), Decision::Hold, "errors of yesterday's machine are no errors of today's");
    for k in 0..60 {
        stopping.paired(pair(&k.to_string(), Verdict::Ok, Verdict::Ng, None), Plan { disagree: 0.0, ..Plan::ALL });
    }
    ledger.push(kept("two", &mut stopping));
    let (mut later, _) = run("three", RULES, &ledger);
    assert!(later.is_due(), "parts of yesterday are parts of today");
    later.look();
    let (_, why) = decided(&later);
    assert!(why.starts_with("ng-rate: b stops 100.0 % more of 60 parts"), "{why}");
}

#[test]
fn where_nothing_says_what_a_part_is_nothing_is_judged_and_it_is_said_how_to_say_it() {
    let mut trial = trial();
    for k in 0..400 {
        let b = if k % 4 == 0 { Verdict::Ng } else { Verdict::Ok };
        let part = PairedPart { told: false, ..pair(&k.to_string(), Verdict::Ok, b, Some(b)) };
        assert_eq!(trial.paired(part, Plan::ALL), None);
    }
    let (decision, why) = decided(&trial);
    assert_eq!((decision, trial.untold, trial.labels()), (Decision::Hold, 400, [0, 0]));
    assert!(why.contains("set part-by on the first Andon element") && why.contains("andon/part"), "{why}");
}
