// SPDX-License-Identifier: MPL-2.0
//! Makes the report of a judgement, with its reasons in sentences.

use super::{
    cell::{Cell, DesignKind},
    evidence::{Claim, Evidence, Quantity},
    judge::Judge,
    judgement_report::{
        CellLabels, Cost, Escapes, JUDGEMENT_SCHEMA, JudgementReport, LabelEValues, Labels, Overkill, Since,
    },
    limits::{ABORT_SHARE, Decision, PROMOTE_SHARE},
};

/// JSON has no infinity.
const MOST_E: f64 = 1e300;

impl Judge {
    /// Reports all that is known now; of a decision, all that was known when it was taken, and what came since.
    ///
    /// This computes the bounds and takes milliseconds. [`Judge::decision`] is cheap.
    pub fn report(&self) -> JudgementReport {
        let mut judgement = self.then.as_deref().unwrap_or(self).figures();
        judgement.decision = self.decision();
        judgement.since = self.since();
        judgement.reasons = match (self.decided, &self.then) {
            (Some(decision), Some(then)) => then.reasons(decision),
            _ => self.hold(&mut judgement),
        };
        judgement
    }

    /// Returns the labels that have come since the decision.
    pub(crate) fn since(&self) -> Option<Since> {
        let evidence = self.evidence.less(&self.then.as_ref()?.evidence);
        Some(Since {
            parts: 0,
            labels: evidence.labels(&Cell::ALL, &[0, 1]),
            escapes_increase: evidence.mean(Quantity::Escapes),
            overkill_increase: evidence.mean(Quantity::Overkill),
            saved_per_part: evidence.mean(Quantity::Saved),
            cells: cells(&evidence, &[[0; 2]; 8]),
        })
    }

    /// Returns the figures, without reasons.
    pub(crate) fn figures(&self) -> JudgementReport {
        let evidence = &self.evidence;
        let of = |cells: &[Cell], truths: &[usize]| evidence.labels(cells, truths);
        let limits = &self.limits;
        let e_value = |claim| evidence.ln_evidence(claim).exp().min(MOST_E);
        JudgementReport {
            schema: JUDGEMENT_SCHEMA.into(),
            decision: Decision::Hold,
            design: self.design.kind(),
            reasons: Vec::new(),
            alpha: limits.alpha,
            labels: Labels {
                tested: of(&Cell::ALL, &[0, 1]),
                shown: self.shown.iter().flatten().sum(),
                defective: of(&Cell::ALL, &[1]),
                discordant: of(&[Cell::OkNg, Cell::NgOk], &[0, 1]),
                needed: None,
                needed_defective: None,
                asked: self.answers.asked,
                answered: self.answers.answered,
                undecided: self.undecided,
            },
            escapes: Escapes {
                a: of(&[Cell::OkOk, Cell::OkNg, Cell::AOk], &[1]),
                b: of(&[Cell::OkOk, Cell::NgOk, Cell::BOk], &[1]),
                increase: evidence.mean(Quantity::Escapes),
                upper: evidence.bound(Claim::EscapesBelow),
                lower: evidence.bound(Claim::EscapesAbove),
                max_increase: limits.max_escape_increase,
            },
            overkill: Overkill {
                a: of(&[Cell::NgNg, Cell::NgOk, Cell::ANg], &[0]),
                b: of(&[Cell::NgNg, Cell::OkNg, Cell::BNg], &[0]),
                increase: evidence.mean(Quantity::Overkill),
                upper: evidence.bound(Claim::OverkillBelow),
                max_increase: limits.max_overkill_increase,
            },
            cost: Cost {
                saved_per_part: evidence.mean(Quantity::Saved),
                lower: evidence.bound(Claim::Saves),
                upper: evidence.bound(Claim::Costs),
                escape: limits.escape_cost,
                overkill: limits.overkill_cost,
            },
            cells: cells(evidence, &self.shown),
            e_values: LabelEValues {
                escapes_below: e_value(Claim::EscapesBelow),
                saves: e_value(Claim::Saves),
                overkill_below: e_value(Claim::OverkillBelow),
                escapes_above: e_value(Claim::EscapesAbove),
                costs: e_value(Claim::Costs),
                promotes: 1.0 / (PROMOTE_SHARE * limits.alpha),
                aborts: 1.0 / (ABORT_SHARE * limits.alpha),
            },
            decided: None,
            since: None,
        }
    }

    /// Returns the reasons of a decision that was taken on what is known here.
    fn reasons(&self, decision: Decision) -> Vec<String> {
        let evidence = &self.evidence;
        let allowed = percent(self.limits.max_escape_increase);
        let mut reasons = Vec::new();
        if decision == Decision::Promote {
            reasons.push(self.escapes());
            reasons.extend(self.overkill());
            let lower = evidence.bound(Claim::Saves);
            reasons.push(match lower {
                lower if lower > 0.0 => format!("b saves at least {} a part{}", short(lower), self.costs()),
                _ => "b saves cost; only labels of parts that both arms judge alike can show how much".into(),
            });
        }
        if decision == Decision::Abort {
            if evidence.proves(Claim::EscapesAbove) {
                let lower = percent(evidence.bound(Claim::EscapesAbove));
                reasons
                    .push(format!("b lets at least {lower} more of the defective parts through (allowed: {allowed})"));
            }
            if evidence.proves(Claim::Costs) {
                let upper = evidence.bound(Claim::Costs);
                reasons.push(match upper {
                    upper if upper < 0.0 => format!("b costs at least {} more a part{}", short(-upper), self.costs()),
                    _ => "b costs more; only labels of parts that both arms judge alike can show how much".into(),
                });
            }
        }
        reasons
    }

    /// Returns what is known of the escapes once they are known to be few enough. A bound below 0 is told as what it is: fewer.
    fn escapes(&self) -> String {
        let upper = self.evidence.bound(Claim::EscapesBelow);
        match upper {
            upper if upper < 0.0 => format!("b lets at least {} fewer of the defective parts through", percent(-upper)),
            _ => format!(
                "b lets at most {} more of the defective parts through (allowed: {})",
                percent(upper),
                percent(self.limits.max_escape_increase)
            ),
        }
    }

    /// Returns what is known of the overkill. None where it may be any.
    fn overkill(&self) -> Option<String> {
        let most = self.limits.max_overkill_increase;
        if most >= 1.0 {
            return None;
        }
        let (allowed, upper) = (percent(most), self.evidence.bound(Claim::OverkillBelow));
        Some(match self.evidence.proves(Claim::OverkillBelow) {
            true if upper < 0.0 => format!("b stops at least {} fewer of the good parts", percent(-upper)),
            true => format!("b stops at most {} more of the good parts (allowed: {allowed})", percent(upper)),
            false => format!(
                "it is not known yet whether b stops at most {allowed} more of the good parts: up to {} is possible",
                percent(upper)
            ),
        })
    }

    fn costs(&self) -> String {
        format!(
            " (an escape costs {}, an overkill {})",
            short(self.limits.escape_cost),
            short(self.limits.overkill_cost)
        )
    }

    /// Returns why nothing is decided, and what a decision needs.
    fn hold(&self, judgement: &mut JudgementReport) -> Vec<String> {
        let JudgementReport { labels, escapes, cost, design, .. } = judgement;
        if *design == DesignKind::Rollout {
            return vec![
                "parts go to the arms by what they have in common: that is a rollout, and a rollout is not judged"
                    .into(),
            ];
        }
        if self.is_chosen() {
            return vec![format!(
                "{} of {} proposed parts were labelled, and which ones depends on the verdicts of the arms (evidence {}): \
                 labels that are no random sample prove nothing",
                labels.answered,
                labels.asked,
                short(self.answers.most)
            )];
        }
        if labels.tested == 0 {
            let shown = labels.shown;
            return vec![match shown {
                0 => "there are no labels yet".into(),
                _ => format!("there are no labels of a random sample; {shown} labels from elsewhere are only shown"),
            }];
        }
        let mut reasons = Vec::new();
        let evidence = &self.evidence;
        let allowed = percent(escapes.max_increase);
        reasons.push(if evidence.proves(Claim::EscapesBelow) {
            self.escapes()
        } else {
            format!(
                "it is not known yet whether b lets at most {allowed} more of the defective parts through: {} to {} is \
                 possible",
                percent(escapes.lower),
                percent(escapes.upper)
            )
        });
        reasons.push(if evidence.proves(Claim::Saves) {
            format!("b saves at least {} a part{}", short(cost.lower), self.costs())
        } else {
            let (lower, upper) = (short(cost.lower), short(cost.upper));
            format!("it is not known yet whether b saves cost: {lower} to {upper} a part is possible{}", self.costs())
        });
        reasons.extend(self.overkill());
        let silent = evidence.is_silent_of_cost();
        let times = [Claim::EscapesBelow, Claim::OverkillBelow, Claim::Saves].map(|claim| evidence.times_until(claim));
        let (times, whole) = match times {
            [Some(escapes), Some(overkill), Some(saves)] => (Some(escapes.max(overkill).max(saves)), true),
            [escapes, _, None] if silent => (escapes, false),
            _ => (None, true),
        };
        let more = |n: u64| times.map(|times| ((times - 1.0) * n as f64).ceil() as u64);
        labels.needed = more(labels.tested);
        labels.needed_defective = more(labels.defective);
        reasons.push(match (labels.needed.zip(labels.needed_defective), whole) {
            (Some((n, defective)), true) => {
                format!("about {n} more labels are needed, {defective} of them of defective parts, at the rates so far")
            }
            (Some((n, defective)), false) => format!(
                "no labelled part distinguishes the arms yet: if they are equal, about {n} more labels are needed for \
                 the escapes alone, {defective} of them of defective parts"
            ),
            (None, _) if labels.defective == 0 => "no label of a defective part yet".into(),
            (None, _) => "more labels like these would not lead to promote".into(),
        });
        reasons
    }
}

/// Counts labels by the verdicts of the arms. Cells without labels are left out.
fn cells(evidence: &Evidence, shown: &[[u64; 2]; 8]) -> Vec<CellLabels> {
    let cells = Cell::ALL.iter().map(|cell| CellLabels {
        cell: *cell,
        good: evidence.labels(&[*cell], &[0]),
        defective: evidence.labels(&[*cell], &[1]),
        shown_good: shown[*cell as usize][0],
        shown_defective: shown[*cell as usize][1],
    });
    cells.filter(|c| c.good + c.defective + c.shown_good + c.shown_defective > 0).collect()
}

/// Formats a share in percent.
fn percent(share: f64) -> String {
    format!("{} %", short(100.0 * share))
}

/// Formats with two digits, or all digits before the point.
fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{}", x.abs());
    }
    let decimals = (1.0 - x.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{x:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').into() }
}
