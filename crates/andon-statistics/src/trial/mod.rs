// SPDX-License-Identifier: MPL-2.0
//! The trial of a challenger beside a champion. It remembers the verdicts of both arms on each part until its label
//! comes, and judges the labels. While there are no labels, guards watch that the challenger at least works.
//!
//! | a trial ends by | | share of alpha |
//! |---|---|---|
//! | labels | see [`judgement`] | 0.9 |
//! | errors, results that are not finite, p99 over the deadline | see [`guard`]; `abort` | 0.05 over all runs |
//! | b's share of ng too far from a's, and no label tested | `ng_difference.rs`; `abort` | 0.05 |
//! | arm b takes no more frames | `abort` | no test |
//!
//! So the chance of any wrong decision, over all looks, is at most alpha. Without labels nothing is ever promoted. Only parts
//! of which the stream told that they are parts are evidence.
//!
//! A trial may go on in another process: [`Trial::take_entries`] gives what has to be kept, [`Trial::replay`] takes what
//! others kept (`entry.rs`, `replay.rs`).

mod entry;
mod ng_difference;
mod part_names;
mod recent_parts;
mod replay;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use self::{
    entry::{Entry, LabelEntry, Limit, PartEntry, RunEntry, TRIAL_SCHEMA, Tally},
    part_names::Matching,
    recent_parts::MOST_AHEAD,
    replay::{Kept, Replayed, compacted},
};
use andon_core::result::{Status, Verdict};

use self::{
    ng_difference::NgDifference,
    recent_parts::{RecentPart, RecentParts},
};
use super::{
    agreement::{LonePart, PairedPart},
    guard,
    judgement::{
        self, Cell, Decided, Decision, Design, Draw, Grounds, Judge, JudgementReport, LimitsError, Plan, Since, Ticket,
    },
};

/// The source of labels that are tested, if their part was proposed.
pub(crate) const SAMPLE: &str = "sample";

/// The schema name of a serialised [`Wanted`].
const WANTED_SCHEMA: &str = "andon.label-wanted/1";

/// The shares of alpha for the labels, for the guards, and for the comparison of ng rates.
const SHARES: [f64; 3] = [0.9, 0.05, 0.05];

/// Why nothing is judged where the stream does not tell what a part is.
const UNTOLD: &str = "nothing says what a part is, and frames of one part are no independent evidence: set part-by on the \
                      first Andon element (part-by=frame if every frame shows a part of its own), or send andon/part";

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
    /// Parts of several runs have this id. RUN/ID names one of them.
    Ambiguous,
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
    /// The reason why b is out without labels, and what it was seen by.
    broken: Option<(Grounds, String)>,
    /// The decision, with all that was known when it was taken.
    decided: Option<Box<JudgementReport>>,
    /// Parts in evidence, and those of them when the decision was taken.
    parts: [u64; 2],
    /// The time of what happens, ns since 1970 in UTC.
    now: u64,
    /// The runs whose parts are here: this one, then those of the ledger.
    runs: Vec<String>,
    /// What a ledger has to keep. None without one.
    kept: Option<replay::Keeping>,
    /// Parts that were proposed for a label.
    pub wanted: u64,
    /// Parts that came again. A part counts once.
    pub seen_again: u64,
    /// Labels that a part had already, word for word.
    pub again: u64,
    /// The first label whose id parts of several runs have.
    pub ambiguous: Option<String>,
    /// The first part whose id a part of another run has. It is known, and is in no evidence.
    pub twice: Option<String>,
    /// Parts of which nothing told that they are parts. They are in no evidence.
    pub untold: u64,
}

impl Trial {
    /// Begins a trial. `run` names the process; it makes the draw of proposed parts independent of other runs.
    ///
    /// # Errors
    ///
    /// The limits make no sense.
    pub fn new(rules: Rules, run: &str) -> Result<Self, LimitsError> {
        rules.limits.check()?;
        let limits = judgement::Limits { alpha: SHARES[0] * rules.limits.alpha, ..rules.limits };
        Ok(Self {
            rules,
            judge: Judge::new(limits)?,
            guards: guards(&rules, 1.0),
            ng_difference: NgDifference::new(rules.max_ng_difference),
            recent: RecentParts::default(),
            draw: Draw::new(run),
            labels: [0; 2],
            broken: None,
            decided: None,
            parts: [0; 2],
            now: 0,
            runs: vec![run.into()],
            kept: None,
            wanted: 0,
            seen_again: 0,
            again: 0,
            ambiguous: None,
            twice: None,
            untold: 0,
        })
    }

    /// Sets the time of what happens from now on, ns since 1970 in UTC. A trial reads no clock.
    pub fn at(&mut self, utc_ns: u64) {
        self.now = utc_ns;
    }

    /// Adds a frame of b.
    pub fn frame(&mut self, status: Status, latency_us: u64) {
        if let Some(broken) = self.guards.frame(status, latency_us) {
            self.breaks(Grounds::Guards, broken.to_string());
        }
    }

    /// Adds a part that both arms saw. Returns the proposal if its label is wanted.
    pub fn paired(&mut self, part: PairedPart, plan: Plan) -> Option<Wanted> {
        let verdicts = [Some(part.a.verdict), Some(part.b.verdict)];
        if !part.told {
            self.untold += 1;
            return None;
        }
        self.guard_part(part.b.verdict);
        let cell = Cell::paired(part.a.verdict, part.b.verdict);
        self.part((part.id, part.frame_id), Design::Paired, cell, part.truth, plan, verdicts)
    }

    /// Adds a part that one arm saw under this design. Returns the proposal if its label is wanted.
    pub fn alone(&mut self, part: LonePart, design: Design, plan: Plan) -> Option<Wanted> {
        if !part.told {
            self.untold += 1;
            return None;
        }
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
            self.breaks(Grounds::Guards, broken.to_string());
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
        let truth = truth.filter(|truth| is_defective(*truth).is_some());
        let asked = truth.is_none() && cell.is_some_and(|cell| self.draw.drawn(&id, plan.rate(cell)));
        let entry = PartEntry::new(id.clone(), frame_id, self.now, (design, cell), asked.then_some(plan), truth);
        let drawn = self.take_part(0, &entry, design, asked.then_some(plan))?;
        if self.kept.is_some() && design != Design::Rollout {
            self.keep(Entry::Part(entry));
        }
        let wanted = drawn.is_asked.then(|| Wanted {
            schema: Cow::Borrowed(WANTED_SCHEMA),
            id: id.clone(),
            frame_id,
            a: verdicts[0],
            b: verdicts[1],
            probability: cell.map_or(0.0, |cell| plan.rate(cell)),
        });
        self.wanted += u64::from(wanted.is_some());
        if let Some((verdict, source)) = drawn.ahead {
            self.label_of(&drawn.key, verdict, &source);
        }
        self.look_if_alone();
        wanted
    }

    /// Takes a part of a run, here or from a ledger. None if it came before: a part is one observation, however often it
    /// comes.
    fn take_part(&mut self, run: u32, part: &PartEntry, design: Design, asked: Option<Plan>) -> Option<Drawn> {
        let key = self.key(run, &part.id);
        if self.recent.get(&key).is_some() {
            self.seen_again += u64::from(run == 0);
            return None;
        }
        // It may be the same part once more, a recording that is played again, or another one by a counter that began anew:
        // what may have been counted already is not counted again.
        let is_twice = key != part.id;
        if is_twice {
            self.twice.get_or_insert_with(|| part.id.clone());
            self.seen_again += u64::from(run == 0);
        }
        let mut ticket = None;
        if let Some(cell) = part.cell.filter(|_| !is_twice) {
            self.parts[0] += 1;
            self.ng_difference.add(design, cell);
            ticket = match (part.truth, asked) {
                (Some(_), _) => self.judge.known(design, cell),
                (None, Some(plan)) => self.judge.ask(design, plan, cell),
                (None, None) => None,
            };
        }
        let mut known = RecentPart { cell: part.cell, ticket, tested: None, shown: None, named: false, run };
        if let Some(verdict) = part.truth {
            self.labels[0] += u64::from(test(&mut self.judge, &mut known, verdict));
        }
        let is_asked = ticket.is_some() && part.truth.is_none();
        let ahead = self.recent.add(key.clone(), known);
        Some(Drawn { key, is_asked, ahead })
    }

    /// The name of a part here: its id, or RUN/ID if a part of another run has that id.
    fn key(&mut self, run: u32, id: &str) -> String {
        match self.recent.get(id) {
            Some(other) if other.run != run => format!("{}/{id}", self.runs[run as usize]),
            _ => id.into(),
        }
    }

    /// Takes a label, `ok` or `ng`, of the part that `id` names: by its id, by RUN/ID, or, where one of the two is the file of a
    /// picture, with or without the folders and the extension. Labels from the source `sample` are tested; all others are only
    /// counted.
    pub fn label(&mut self, id: &str, verdict: Verdict, source: &str) -> Taken {
        if is_defective(verdict).is_none() {
            return Taken::Nothing;
        }
        let key = match self.part_named(id) {
            Ok(key) => key,
            Err(taken) => return taken,
        };
        let taken = self.label_of(&key, verdict, source);
        self.look_if_alone();
        taken
    }

    /// Finds the part that a label names.
    fn part_named(&mut self, id: &str) -> Result<String, Taken> {
        let is_of = |run: &&String| id.strip_prefix(run.as_str()).is_some_and(|rest| rest.starts_with('/'));
        if let Some(run) = self.runs.iter().position(|run| is_of(&run)) {
            let bare = &id[self.runs[run].len() + 1..];
            let run = run as u32;
            for name in [id, bare] {
                if self.recent.get(name).is_some_and(|part| part.run == run) {
                    return Ok(name.into());
                }
            }
        }
        let elsewhere = |run: &String| format!("{run}/{id}");
        if self.runs.len() > 1 && self.runs.iter().map(elsewhere).any(|other| self.recent.get(&other).is_some()) {
            self.ambiguous.get_or_insert(id.into());
            return Err(Taken::Ambiguous);
        }
        self.recent.named(id).ok_or(Taken::Unknown)
    }

    /// Takes the label of a part that is known.
    fn label_of(&mut self, key: &str, verdict: Verdict, source: &str) -> Taken {
        let Some(known) = self.recent.labelled(key) else { return Taken::Unknown };
        let run = known.run;
        let before = (known.tested, known.shown);
        let taken = match known.cell {
            None => {
                self.judge.undecided();
                Taken::Shown
            }
            Some(cell) => {
                let first = known.tested.is_none();
                if source == SAMPLE && test(&mut self.judge, known, verdict) {
                    self.labels[0] += u64::from(first);
                    Taken::Tested
                } else {
                    if known.shown.replace(verdict) != Some(verdict) {
                        self.judge.show(cell, verdict == Verdict::Ng);
                        self.labels[1] += 1;
                    }
                    Taken::Shown
                }
            }
        };
        if before == (known.tested, known.shown) && known.cell.is_some() {
            self.again += 1;
        } else if self.kept.is_some() {
            let run = self.runs[run as usize].clone();
            // RUN/ID only where a part of another run has the id.
            let bare = key.strip_prefix(&run).and_then(|rest| rest.strip_prefix('/'));
            let id = bare.filter(|bare| self.recent.get(bare).is_some()).unwrap_or(key);
            self.keep(Entry::Label(LabelEntry {
                id: id.into(),
                run,
                verdict,
                source: source.into(),
                utc_ns: self.now,
            }));
        }
        taken
    }

    /// Keeps a label whose part is still to come.
    pub fn expect(&mut self, id: &str, verdict: Verdict, source: &str) {
        self.recent.expect(id, verdict, source);
    }

    /// Takes over the labels whose parts are still to come from the trial before. They belong to the parts, whatever
    /// the models.
    pub fn succeed(&mut self, before: Trial) {
        self.recent.succeed(before.recent);
        if self.runs.len() > 1 || self.parts[0] > 0 {
            // Parts that are known already, of a ledger, do not come any more.
            for (id, (verdict, source)) in self.recent.take_ahead() {
                if self.label(&id, verdict, &source) == Taken::Unknown {
                    self.expect(&id, verdict, &source);
                }
            }
        }
    }

    /// Ends the trial because arm b takes no more frames while a does.
    pub fn b_is_out(&mut self) {
        self.breaks(Grounds::Guards, "arm b takes no more frames".into());
    }

    fn breaks(&mut self, by: Grounds, why: String) {
        self.broken.get_or_insert((by, why));
        self.look_if_alone();
    }

    /// Looks at once, where there is nothing to be read before a look.
    fn look_if_alone(&mut self) {
        if self.kept.is_none() {
            self.look();
        }
    }

    /// Returns whether a look would change the decision. Then all that other processes have kept must be taken first.
    pub fn is_due(&self) -> bool {
        let by_guards = self.broken.is_some() || self.ng_broken().is_some();
        let now = if by_guards { Decision::Abort } else { self.judge.would_decide() };
        now != self.decision() && now != Decision::Hold
    }

    /// Decides by all that is known. Without a ledger a trial looks by itself after whatever comes.
    pub fn look(&mut self) {
        if let Some(why) = self.ng_broken() {
            self.broken.get_or_insert((Grounds::NgRate, why));
        }
        self.judge.look();
        let now = if self.broken.is_some() { Decision::Abort } else { self.judge.decision() };
        if now == Decision::Hold || self.decision() == now {
            return;
        }
        self.parts[1] = self.parts[0];
        let mut judgement = match &self.broken {
            None => self.judge.report(),
            Some((_, why)) => {
                self.judge.mark();
                JudgementReport { decision: now, reasons: vec![why.clone()], ..self.judge.figures() }
            }
        };
        judgement.alpha = self.rules.limits.alpha;
        judgement.since = None;
        judgement.decided = Some(Decided {
            utc_ns: self.now,
            run: self.runs[0].clone(),
            by: self.broken.as_ref().map_or(Grounds::Labels, |(by, _)| *by),
            parts: self.parts[0],
        });
        if self.kept.is_some() {
            self.keep(Entry::Decision(Box::new(judgement.clone())));
        }
        self.decided = Some(Box::new(judgement));
    }

    /// Returns why b's share of ng parts is too far from a's, if no label was tested.
    fn ng_broken(&self) -> Option<String> {
        let is_open = self.broken.is_none() && self.labels[0] == 0;
        is_open.then(|| self.ng_difference.broken(SHARES[2] * self.rules.limits.alpha))?
    }

    /// The decision. Guards outweigh labels.
    pub fn decision(&self) -> Decision {
        self.decided.as_ref().map_or(Decision::Hold, |decided| decided.decision)
    }

    /// Reports all that is known now; of a decision, what it was taken on, and what has come since. Takes milliseconds.
    pub fn report(&self) -> TrialReport {
        let matching = self.recent.matching();
        let judgement = match &self.decided {
            Some(decided) => {
                let parts = self.parts[0].saturating_sub(self.parts[1]);
                let since = self.judge.since().map(|since| Since { parts, ..since });
                JudgementReport { since, ..(**decided).clone() }
            }
            None => {
                let mut judgement = self.judge.report();
                judgement.alpha = self.rules.limits.alpha;
                if self.untold > 0 && self.parts[0] == 0 {
                    judgement.reasons = vec![UNTOLD.into()];
                } else if matching.matched == 0 && matching.unknown > 0 && self.labels == [0; 2] {
                    // There are labels, but of whom?
                    judgement.reasons = vec![matching.to_string()];
                }
                judgement
            }
        };
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

/// What became of a part that came.
struct Drawn {
    /// Its name here.
    key: String,
    /// Whether its label is wanted.
    is_asked: bool,
    /// The label that came before it, with its source.
    ahead: Option<(Verdict, String)>,
}

/// Makes the guards of one run, with this part of their share of alpha.
fn guards(rules: &Rules, part: f64) -> guard::Probation {
    let limits = guard::Limits {
        // The watch never ends. Larger whole numbers are not exact in every JSON reader.
        probation: 1 << 53,
        deadline_us: rules.deadline_us,
        alpha: part * SHARES[1] * rules.limits.alpha,
        ..guard::Limits::default()
    };
    guard::Probation::new(limits, None)
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
