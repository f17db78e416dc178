// SPDX-License-Identifier: MPL-2.0
//! A candidate's trial: what both arms say of each part is remembered until its label comes, the labels are judged, and
//! where there are none, guards watch that the candidate at least works.
//!
//! | what ends it | | share of alpha |
//! |---|---|---|
//! | labels | see [`judgement`] | 0.9 |
//! | errors, numbers that are none, p99 over the deadline | see [`guard`]; `abort` | 0.05 |
//! | b's share of ng too far from a's, and no label tested | `ng_difference.rs`; `abort` | 0.05 |
//! | b takes no frames any more | `abort` | no test |
//!
//! So the chance of any wrong decision, over all looks, is at most alpha. Without labels nothing is ever promoted.

mod ng_difference;
mod recent_parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use self::recent_parts::MOST_AHEAD;
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

/// Whose labels are tested, where the part was proposed to him.
pub(crate) const SAMPLE: &str = "sample";

/// The schema name of a serialised [`Wanted`].
const WANTED_SCHEMA: &str = "andon.label-wanted/1";

/// The share of alpha of the labels, of the guards, and of the comparison of ng rates.
const SHARES: [f64; 3] = [0.9, 0.05, 0.05];

/// By what a trial is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// The chance of a wrong decision, what is allowed, what mistakes cost.
    pub limits: judgement::Limits,
    /// What 99 of 100 answers of b may take, µs; none: any time.
    pub deadline_us: Option<u64>,
    /// So far b's share of ng parts may be from a's while there are no labels, 0..1.
    pub max_ng_difference: f64,
}

/// A part of which a person is asked what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Always `andon.label-wanted/1`.
    pub schema: Cow<'static, str>,
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// Its last frame.
    pub frame_id: u64,
    /// What a said; none where b saw it alone.
    pub a: Option<Verdict>,
    /// What b said; none where a saw it alone.
    pub b: Option<Verdict>,
    /// The chance that such a part is asked about, 0..1.
    pub probability: f64,
}

/// What became of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is evidence.
    Tested,
    /// It is counted, and no evidence.
    Shown,
    /// No such part is known: it was forgotten, or has not come yet.
    Unknown,
    /// It says neither ok nor ng.
    Nothing,
}

/// What is told of a trial: the judgement of the labels, and of the guards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialReport {
    /// The decision, its reasons, and the labels behind it.
    #[serde(flatten)]
    pub judgement: JudgementReport,
    /// What the guards see of b.
    pub guards: guard::GuardReport,
    /// b's share of ng parts less a's, −1..1; none before the first part.
    pub ng_difference: Option<f64>,
    /// What is allowed of it.
    pub max_ng_difference: f64,
}

/// See the module.
#[derive(Debug)]
pub struct Trial {
    rules: Rules,
    judge: Judge,
    guards: guard::Probation,
    ng_difference: NgDifference,
    recent: RecentParts,
    draw: Draw,
    /// Parts with a tested label, what goes before what the rates seem to say, and labels that are only shown.
    labels: [u64; 2],
    broken: Option<String>,
    /// Labels of parts that nobody knows.
    pub unknown: u64,
    /// Parts proposed to be labelled.
    pub wanted: u64,
    /// Parts that came round again and count once.
    pub seen_again: u64,
}

impl Trial {
    /// Nothing seen. `salt` makes the draw of parts to be labelled its own.
    pub fn new(rules: Rules, salt: &str) -> Result<Self, LimitsError> {
        let guards = guard::Limits {
            // It never passes; JSON has no larger whole numbers that everybody reads.
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
            unknown: 0,
            wanted: 0,
            seen_again: 0,
        })
    }

    /// Takes a frame of b.
    pub fn frame(&mut self, status: Status, latency_us: u64) {
        if let Some(broken) = self.guards.frame(status, latency_us) {
            self.breaks(broken.to_string());
        }
    }

    /// Takes a part that both arms saw; answers whether its label is wanted.
    pub fn paired(&mut self, part: PairedPart, plan: Plan) -> Option<Wanted> {
        let said = [Some(part.a.verdict), Some(part.b.verdict)];
        self.guard_part(part.b.verdict);
        let cell = Cell::paired(part.a.verdict, part.b.verdict);
        self.part((part.id, part.frame_id), Design::Paired, cell, part.truth, plan, said)
    }

    /// Takes a part that one arm saw, by this design; answers whether its label is wanted.
    pub fn alone(&mut self, part: LonePart, design: Design, plan: Plan) -> Option<Wanted> {
        let said = match part.arm {
            andon_core::result::Arm::B => {
                self.guard_part(part.verdict.verdict);
                [None, Some(part.verdict.verdict)]
            }
            _ => [Some(part.verdict.verdict), None],
        };
        let cell = Cell::alone(part.arm, part.verdict.verdict);
        self.part((part.id, part.frame_id), design, cell, part.truth, plan, said)
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
        said: [Option<Verdict>; 2],
    ) -> Option<Wanted> {
        // A part is one observation, however often it comes round.
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
            a: said[0],
            b: said[1],
            probability: cell.map_or(0.0, |cell| plan.rate(cell)),
        });
        self.wanted += u64::from(wanted.is_some());
        let mut known = RecentPart { cell, ticket, tested: None, shown: None };
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

    /// Takes a label: `ok` or `ng`, by the source [`SAMPLE`] or any other.
    pub fn label(&mut self, id: &str, verdict: Verdict, source: &str) -> Taken {
        if is_defective(verdict).is_none() {
            return Taken::Nothing;
        }
        let Some(known) = self.recent.get(id) else {
            self.unknown += 1;
            return Taken::Unknown;
        };
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

    /// Keeps a label whose part has not come yet.
    pub fn expect(&mut self, id: &str, verdict: Verdict, source: &str) {
        self.recent.expect(id, verdict, source);
    }

    /// Takes over the labels whose parts have not come yet: they tell of the parts, whatever the models were.
    pub fn succeed(&mut self, before: Trial) {
        self.recent.succeed(before.recent);
    }

    /// b takes no frames any more, while a does.
    pub fn b_is_out(&mut self) {
        self.breaks("arm b takes no frames any more".into());
    }

    fn breaks(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    /// What follows. What a guard says goes before what labels say.
    pub fn decision(&self) -> Decision {
        if self.broken.is_some() { Decision::Abort } else { self.judge.decision() }
    }

    /// All that is known; takes milliseconds.
    pub fn report(&self) -> TrialReport {
        let mut judgement = self.judge.report();
        judgement.alpha = self.rules.limits.alpha;
        if let Some(why) = &self.broken {
            judgement.decision = Decision::Abort;
            judgement.reasons = vec![why.clone()];
        }
        TrialReport {
            judgement,
            guards: self.guards.report(),
            ng_difference: self.ng_difference.difference(),
            max_ng_difference: self.rules.max_ng_difference,
        }
    }

    /// Labels that are tested, and those that are only shown.
    pub fn labels(&self) -> [u64; 2] {
        self.labels
    }

    /// Parts whose label was wanted and that were forgotten before it came.
    pub fn forgotten(&self) -> u64 {
        self.recent.forgotten
    }

    /// Labels ahead of their parts for which there was no room.
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

/// Tests a label, or corrects the one before; false where it is none to be tested.
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
