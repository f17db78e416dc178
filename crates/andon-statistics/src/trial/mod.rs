// SPDX-License-Identifier: MPL-2.0
//! The trial of a challenger beside a champion. It remembers the verdicts of both arms on each part until its label
//! comes, and judges the labels. While there are no labels, guards watch that the challenger at least works.
//!
//! | a trial ends by | | share of alpha |
//! |---|---|---|
//! | labels | see [`judgement`] | 0.9 |
//! | errors, results that are not finite, p99 over the deadline | see [`guard`]; `abort` | 0.05 |
//! | b's share of ng too far from a's, and no label tested | `ng_difference.rs`; `abort` | 0.05 |
//! | arm b takes no more frames | `abort` | no test |
//!
//! So the chance of any wrong decision, over all looks, is at most alpha. Without labels nothing is ever promoted.

mod ng_difference;
mod part_names;
mod recent_parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use self::{part_names::Matching, recent_parts::MOST_AHEAD};
use andon_core::result::{Status, Verdict};

use self::{
    ng_difference::NgDifference,
    recent_parts::{RecentPart, RecentParts},
};
use super::{
    agreement::{LonePart, PairedPart},
    guard,
    judgement::{self, Cell, Decision, Design, Draw, Judge, JudgementReport, LimitsError, Plan, Ticket},
};

/// The source of labels that are tested, if their part was proposed.
pub(crate) const SAMPLE: &str = "sample";

/// The schema name of a serialised [`Wanted`].
const WANTED_SCHEMA: &str = "andon.label-wanted/1";

/// The shares of alpha for the labels, for the guards, and for the comparison of ng rates.
const SHARES: [f64; 3] = [0.9, 0.05, 0.05];

/// The rules of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// The chance of a wrong decision, the allowed increase of escapes, and the costs of mistakes.
    pub limits: judgement::Limits,
    /// The time that 99 of 100 results of b have to keep, µs. None means any time.
    pub deadline_us: Option<u64>,
    /// How far b's share of ng parts may be from a's while there are no labels, 0..1.
    pub max_ng_difference: f64,
}

/// A part that is proposed to a person for its label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Always `andon.label-wanted/1`.
    pub schema: Cow<'static, str>,
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// The part's last frame.
    pub frame_id: u64,
    /// The verdict of a. None if b saw the part alone.
    pub a: Option<Verdict>,
    /// The verdict of b. None if a saw the part alone.
    pub b: Option<Verdict>,
    /// The chance that such a part is proposed, 0..1.
    pub probability: f64,
}

/// How a label was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The label is evidence.
    Tested,
    /// The label is counted, and is no evidence.
    Shown,
    /// The part is not known: it was forgotten, or is still to come.
    Unknown,
    /// The label says neither ok nor ng.
    Nothing,
}

/// The report of a trial: the judgement of the labels, and the guards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialReport {
    /// The decision, its reasons, and the labels behind it.
    #[serde(flatten)]
    pub judgement: JudgementReport,
    /// The guards that watch b.
    pub guards: guard::GuardReport,
    /// b's share of ng parts less a's, −1..1. None before the first part.
    pub ng_difference: Option<f64>,
    /// The allowed difference.
    pub max_ng_difference: f64,
    /// How labels and parts have found each other.
    #[serde(default)]
    pub matching: Matching,
}

/// The trial of a challenger: see the module.
#[derive(Debug)]
pub struct Trial {
    rules: Rules,
    judge: Judge,
    guards: guard::Probation,
    ng_difference: NgDifference,
    recent: RecentParts,
    draw: Draw,
    /// Parts with a tested label, and labels that are only counted. A tested label outweighs the ng rates.
    labels: [u64; 2],
    broken: Option<String>,
    /// Parts that were proposed for a label.
    pub wanted: u64,
    /// Parts that came again. A part counts once.
    pub seen_again: u64,
}

impl Trial {
    /// Begins a trial. `salt` makes the draw of proposed parts independent of other trials.
    ///
    /// # Errors
    ///
    /// The limits make no sense.
    pub fn new(rules: Rules, salt: &str) -> Result<Self, LimitsError> {
        let guards = guard::Limits {
            // The watch never ends. Larger whole numbers are not exact in every JSON reader.
            probation: 1 << 53,
            deadline_us: rules.deadline_us,
            alpha: SHARES[1] * rules.limits.alpha,
            ..guard::Limits::default()
        };
        rules.limits.check()?;
        let limits = judgement::Limits { alpha: SHARES[0] * rules.limits.alpha, ..rules.limits };
        Ok(Self {
            rules,
            judge: Judge::new(limits)?,
            guards: guard::Probation::new(guards, None),
            ng_difference: NgDifference::new(rules.max_ng_difference),
            recent: RecentParts::default(),
            draw: Draw::new(salt),
            labels: [0; 2],
            broken: None,
            wanted: 0,
            seen_again: 0,
        })
    }

    /// Adds a frame of b.
    pub fn frame(&mut self, status: Status, latency_us: u64) {
        if let Some(broken) = self.guards.frame(status, latency_us) {
            self.breaks(broken.to_string());
        }
    }

    /// Adds a part that both arms saw. Returns the proposal if its label is wanted.
    pub fn paired(&mut self, part: PairedPart, plan: Plan) -> Option<Wanted> {
        let verdicts = [Some(part.a.verdict), Some(part.b.verdict)];
        self.guard_part(part.b.verdict);
        let cell = Cell::paired(part.a.verdict, part.b.verdict);
        self.part((part.id, part.frame_id), Design::Paired, cell, part.truth, plan, verdicts)
    }

    /// Adds a part that one arm saw under this design. Returns the proposal if its label is wanted.
    pub fn alone(&mut self, part: LonePart, design: Design, plan: Plan) -> Option<Wanted> {
        let verdicts = match part.arm {
            andon_core::result::Arm::B => {
                self.guard_part(part.verdict.verdict);
                [None, Some(part.verdict.verdict)]
            }
            _ => [Some(part.verdict.verdict), None],
        };
        let cell = Cell::alone(part.arm, part.verdict.verdict);
        self.part((part.id, part.frame_id), design, cell, part.truth, plan, verdicts)
    }

    fn guard_part(&mut self, b: Verdict) {
        if let Some(broken) = self.guards.part(b, true) {
            self.breaks(broken.to_string());
        }
    }

    fn part(
        &mut self,
        (id, frame_id): (String, u64),
        design: Design,
        cell: Option<Cell>,
        truth: Option<Verdict>,
        plan: Plan,
        verdicts: [Option<Verdict>; 2],
    ) -> Option<Wanted> {
        // A part is one observation, however often it comes.
        if self.recent.get(&id).is_some() {
            self.seen_again += 1;
            return None;
        }
        let defective = truth.and_then(is_defective);
        let mut ticket = None;
        if let Some(cell) = cell {
            self.ng_difference.add(design, cell);
            ticket = match defective {
                Some(_) => self.judge.known(design, cell),
                None if self.draw.drawn(&id, plan.rate(cell)) => self.judge.ask(design, plan, cell),
                None => None,
            };
        }
        let wanted = (ticket.is_some() && defective.is_none()).then(|| Wanted {
            schema: Cow::Borrowed(WANTED_SCHEMA),
            id: id.clone(),
            frame_id,
            a: verdicts[0],
            b: verdicts[1],
            probability: cell.map_or(0.0, |cell| plan.rate(cell)),
        });
        self.wanted += u64::from(wanted.is_some());
        let mut known = RecentPart { cell, ticket, tested: None, shown: None, named: false };
        if let Some(defective) = defective {
            let verdict = if defective { Verdict::Ng } else { Verdict::Ok };
            self.labels[0] += u64::from(test(&mut self.judge, &mut known, verdict));
        }
        let ahead = self.recent.add(id.clone(), known);
        if let Some((verdict, source)) = ahead {
            self.label(&id, verdict, &source);
        } else if self.broken.is_none()
            && self.labels[0] == 0
            && let Some(why) = self.ng_difference.broken(SHARES[2] * self.rules.limits.alpha)
        {
            self.breaks(why);
        }
        wanted
    }

    /// Takes a label, `ok` or `ng`, of the part that `id` names: by its id, or, where one of the two is the file of a picture,
    /// with or without the folders and the extension. Labels from the source `sample` are tested; all others are only counted.
    pub fn label(&mut self, id: &str, verdict: Verdict, source: &str) -> Taken {
        if is_defective(verdict).is_none() {
            return Taken::Nothing;
        }
        let Some(known) = self.recent.named(id) else { return Taken::Unknown };
        let Some(cell) = known.cell else {
            self.judge.undecided();
            return Taken::Shown;
        };
        let first = known.tested.is_none();
        if source == SAMPLE && test(&mut self.judge, known, verdict) {
            self.labels[0] += u64::from(first);
            return Taken::Tested;
        }
        if known.shown.replace(verdict) != Some(verdict) {
            self.judge.show(cell, verdict == Verdict::Ng);
            self.labels[1] += 1;
        }
        Taken::Shown
    }

    /// Keeps a label whose part is still to come.
    pub fn expect(&mut self, id: &str, verdict: Verdict, source: &str) {
        self.recent.expect(id, verdict, source);
    }

    /// Takes over the labels whose parts are still to come from the trial before. They belong to the parts, whatever
    /// the models.
    pub fn succeed(&mut self, before: Trial) {
        self.recent.succeed(before.recent);
    }

    /// Ends the trial because arm b takes no more frames while a does.
    pub fn b_is_out(&mut self) {
        self.breaks("arm b takes no more frames".into());
    }

    fn breaks(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    /// The decision. Guards outweigh labels.
    pub fn decision(&self) -> Decision {
        if self.broken.is_some() { Decision::Abort } else { self.judge.decision() }
    }

    /// Reports all that is known now. Takes milliseconds.
    pub fn report(&self) -> TrialReport {
        let mut judgement = self.judge.report();
        judgement.alpha = self.rules.limits.alpha;
        let matching = self.recent.matching();
        if let Some(why) = &self.broken {
            judgement.decision = Decision::Abort;
            judgement.reasons = vec![why.clone()];
        } else if matching.matched == 0 && matching.unknown > 0 && self.labels == [0; 2] {
            // There are labels, but of whom?
            judgement.reasons = vec![matching.to_string()];
        }
        TrialReport {
            judgement,
            guards: self.guards.report(),
            ng_difference: self.ng_difference.difference(),
            max_ng_difference: self.rules.max_ng_difference,
            matching,
        }
    }

    /// How labels and parts have found each other.
    pub fn matching(&self) -> Matching {
        self.recent.matching()
    }

    /// Labels that are tested, and labels that are only counted.
    pub fn labels(&self) -> [u64; 2] {
        self.labels
    }

    /// Parts whose label was wanted and that were forgotten before it came.
    pub fn forgotten(&self) -> u64 {
        self.recent.forgotten
    }

    /// Labels of parts still to come that were dropped for lack of room.
    pub fn let_go(&self) -> u64 {
        self.recent.let_go
    }
}

fn is_defective(verdict: Verdict) -> Option<bool> {
    match verdict {
        Verdict::Ok => Some(false),
        Verdict::Ng => Some(true),
        Verdict::Review | Verdict::Unjudged => None,
    }
}

/// Tests a label, or corrects the one before. Returns false if the label cannot be tested.
fn test(judge: &mut Judge, known: &mut RecentPart, verdict: Verdict) -> bool {
    let Some(ticket): Option<Ticket> = known.ticket else { return false };
    let defective = verdict == Verdict::Ng;
    match known.tested {
        None => judge.label(&ticket, defective),
        Some(before) if before == verdict => {}
        Some(_) => judge.correct(&ticket, defective),
    }
    known.tested = Some(verdict);
    true
}
