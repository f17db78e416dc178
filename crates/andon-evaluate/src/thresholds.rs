// SPDX-License-Identifier: MPL-2.0
//! Chooses a score threshold for a recall of boxes, an escape rate of parts, or a cost.

use std::{fmt, str::FromStr};

use andon_core::{random::Random, result::Verdict};
use serde::{Deserialize, Serialize};

use crate::{
    measure::{Measured, MeasuredPart},
    metrics::SEED,
    score::{Tally, share},
};

/// What the score threshold should achieve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// The highest threshold that still finds this share of the labelled boxes.
    Recall(f64),
    /// The highest threshold at which no more than this share of the bad parts escapes.
    Escapes(f64),
    /// The threshold with the least cost, at a price of an escape and a price of overkill.
    Cost(f64, f64),
}

/// As the command line takes it.
impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wish::Recall(share) => write!(f, "recall={share}"),
            Wish::Escapes(share) => write!(f, "escapes={share}"),
            Wish::Cost(escape, overkill) => write!(f, "cost={escape}:{overkill}"),
        }
    }
}

/// A text that is no [`Wish`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is none of recall=SHARE of boxes, escapes=SHARE of bad parts, cost=ESCAPE:OVERKILL")]
pub struct UnknownWish(pub String);

impl FromStr for Wish {
    type Err = UnknownWish;

    fn from_str(text: &str) -> Result<Self, UnknownWish> {
        let number = |t: &str| t.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
        let wish = text.split_once('=').and_then(|(what, value)| match what {
            "recall" => number(value).filter(|v| *v <= 1.0).map(Wish::Recall),
            "escapes" => number(value).filter(|v| *v <= 1.0).map(Wish::Escapes),
            "cost" => value.split_once(':').and_then(|(e, o)| Some(Wish::Cost(number(e)?, number(o)?))),
            _ => None,
        });
        wish.ok_or_else(|| UnknownWish(text.into()))
    }
}

/// A threshold, and the figures of a set at it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The threshold, for `thresholds.score` of the manifest or `score-threshold` of the element.
    pub threshold: f32,
    /// The precision over boxes; None if the set or the model has no boxes.
    pub precision: Option<f64>,
    /// The recall over boxes.
    pub recall: Option<f64>,
    /// The share of the bad parts called ok.
    pub escape_rate: Option<f64>,
    /// The share of the good parts called ng.
    pub overkill_rate: Option<f64>,
}

impl Choice {
    /// Returns the figures of `parts` at a threshold.
    fn at(m: &Measured, threshold: f32, parts: &[usize]) -> Self {
        let mut weights = vec![0; m.part_of.len()];
        parts.iter().flat_map(|p| &m.parts[*p].samples).for_each(|s| weights[*s] = 1);
        let tally: Tally = m.curves.iter().map(|c| c.at(threshold, 0, &weights)).sum();
        let rate = |truth: Verdict, wrong: fn(&MeasuredPart, f32) -> bool| {
            let of = || parts.iter().map(|p| &m.parts[*p]).filter(|p| p.truth == Some(truth));
            share(of().filter(|p| wrong(p, threshold)).count() as u64, of().count() as u64)
        };
        Self {
            threshold,
            precision: tally.precision(),
            recall: tally.recall(),
            escape_rate: rate(Verdict::Ng, |p, t| p.score < t),
            overkill_rate: rate(Verdict::Ok, |p, t| p.score >= t),
        }
    }
}

/// Returns the threshold that fulfils the wish on `parts`, or None if no threshold does, or the set cannot say.
fn choose(m: &Measured, wish: Wish, parts: &[usize]) -> Option<f32> {
    let mut of_parts: Vec<(f32, bool)> =
        parts.iter().filter_map(|p| Some((m.parts[*p].score, m.parts[*p].truth? == Verdict::Ng))).collect();
    match wish {
        Wish::Recall(wanted) => {
            let mut taking_part = vec![false; m.part_of.len()];
            parts.iter().flat_map(|p| &m.parts[*p].samples).for_each(|s| taking_part[*s] = true);
            let weights: Vec<u32> = taking_part.iter().map(|t| u32::from(*t)).collect();
            let boxes: u64 = m.curves.iter().map(|c| c.boxes(&weights)).sum();
            let mut hits: Vec<f32> = m
                .curves
                .iter()
                .flat_map(|c| c.hits(0))
                .filter(|(_, s)| taking_part[*s])
                .map(|(score, _)| score)
                .collect();
            hits.sort_unstable_by(|a, b| b.total_cmp(a));
            let needed = (wanted * boxes as f64).ceil() as usize;
            (boxes > 0 && needed > 0).then(|| hits.get(needed - 1).copied()).flatten()
        }
        Wish::Escapes(most) => {
            let mut bad: Vec<f32> = of_parts.iter().filter(|p| p.1).map(|p| p.0).collect();
            bad.sort_unstable_by(f32::total_cmp);
            let may_escape = (most * bad.len() as f64).floor() as usize;
            bad.get(may_escape).copied().filter(|score| *score > 0.0)
        }
        Wish::Cost(escape, overkill) => {
            of_parts.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
            let bad = of_parts.iter().filter(|p| p.1).count();
            if bad == 0 || bad == of_parts.len() {
                return None;
            }
            // From a threshold above all scores on every part passes.
            let (mut caught, mut called) = (0, 0);
            let mut best = (escape * bad as f64, 1.0f32);
            for ties in of_parts.chunk_by(|a, b| a.0 == b.0) {
                caught += ties.iter().filter(|p| p.1).count();
                called += ties.iter().filter(|p| !p.1).count();
                let cost = escape * (bad - caught) as f64 + overkill * called as f64;
                if cost < best.0 && ties[0].0 > 0.0 {
                    best = (cost, ties[0].0);
                }
            }
            Some(best.1)
        }
    }
}

/// Returns the threshold that fulfils the wish on all parts, and what such a choice is worth on other parts: chosen on one
/// half and measured on the other, both ways, the mean. The latter is None if a half cannot say.
pub fn chosen(m: &Measured, wish: Wish) -> Option<(Choice, Option<Choice>)> {
    let all: Vec<usize> = (0..m.parts.len()).collect();
    let choice = Choice::at(m, choose(m, wish, &all)?, &all);
    // At random: sets are sorted, and every second part may be good.
    let mut random = Random(SEED);
    let (one, other): (Vec<_>, Vec<_>) = all.iter().partition(|_| random.below(2) == 0);
    let halves = [(&one, &other), (&other, &one)].map(|(on, off)| Some(Choice::at(m, choose(m, wish, on)?, off)));
    let elsewhere = match halves {
        [Some(a), Some(b)] => {
            let mean = |of: fn(&Choice) -> Option<f64>| Some((of(&a)? + of(&b)?) / 2.0);
            Some(Choice {
                threshold: (a.threshold + b.threshold) / 2.0,
                precision: mean(|c| c.precision),
                recall: mean(|c| c.recall),
                escape_rate: mean(|c| c.escape_rate),
                overkill_rate: mean(|c| c.overkill_rate),
            })
        }
        _ => None,
    };
    Some((choice, elsewhere))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{measured, seen};

    /// Bad parts with scores 0.9, 0.8 … 0.1, and as many good ones with scores 0.05 below.
    fn some() -> Measured {
        let bad = (1..10).map(|i| seen(&format!("n{i}"), 0, &[50.0], &[(50.0, i as f32 / 10.0)]));
        let good = (1..10).map(|i| seen(&format!("g{i}"), 0, &[], &[(50.0, i as f32 / 20.0)]));
        measured(bad.chain(good).collect())
    }

    fn all(m: &Measured) -> Vec<usize> {
        (0..m.parts.len()).collect()
    }

    #[test]
    fn a_wish_is_one_of_three() {
        assert_eq!("recall=0.99".parse(), Ok(Wish::Recall(0.99)));
        assert_eq!("cost=10:1".parse(), Ok(Wish::Cost(10.0, 1.0)));
        assert_eq!(Wish::Cost(10.0, 1.0).to_string(), "cost=10:1");
        assert_eq!("escapes=0.01".parse(), Ok(Wish::Escapes(0.01)));
        for bad in ["recall=2", "cost=1", "f1=1", "recall", "escapes=-1", "cost=NaN:1"] {
            let error = bad.parse::<Wish>().unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("cost=ESCAPE:OVERKILL"), "{bad}");
        }
    }

    #[test]
    fn the_highest_threshold_that_fulfils_the_wish_is_taken() {
        let m = some();
        let choice = |wish| choose(&m, wish, &all(&m));
        assert_eq!(choice(Wish::Recall(1.0)), Some(0.1));
        assert_eq!(choice(Wish::Recall(0.6)), Some(0.4), "six of nine");
        assert_eq!((choice(Wish::Escapes(0.0)), choice(Wish::Escapes(0.25))), (Some(0.1), Some(0.3)));
        let at = Choice::at(&m, 0.4, &all(&m));
        assert_eq!((at.recall, at.escape_rate, at.overkill_rate), (Some(6.0 / 9.0), Some(3.0 / 9.0), Some(2.0 / 9.0)));
    }

    #[test]
    fn dear_escapes_lower_the_threshold_and_dear_overkill_raises_it() {
        let m = some();
        let cost = |escape, overkill| choose(&m, Wish::Cost(escape, overkill), &all(&m)).unwrap();
        assert!(cost(100.0, 1.0) <= 0.1 && cost(1.0, 100.0) >= 0.5);
    }

    #[test]
    fn a_set_that_cannot_tell_gives_no_threshold() {
        let m = measured(vec![seen("g", 0, &[], &[])]);
        assert!(chosen(&m, Wish::Recall(0.9)).is_none() && chosen(&m, Wish::Cost(1.0, 1.0)).is_none());
        let never = measured(vec![seen("n", 0, &[50.0], &[])]);
        assert!(chosen(&never, Wish::Recall(0.9)).is_none(), "what was never found has no threshold");
    }
}
