// SPDX-License-Identifier: MPL-2.0
//! The gate: what a model has to reach, and how little worse than the champion it may be, read from a file.

use std::{collections::BTreeMap, fs, path::Path};

use andon_core::result::ModelId;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::metrics::{Draws, Name, Unit, lower_is_better, quantile};

/// The schema that a gate's file names.
pub const SCHEMA: &str = "andon.gate/1";

/// What `gate.json` says. Names of figures are those of `andon evaluate --json`; `ap_0.33/*` is every label of the
/// champion.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// [`SCHEMA`].
    pub schema: String,
    /// How sure each comparison has to be, one-sided.
    #[serde(default = "confidence")]
    pub confidence: f64,
    /// What the bootstrap draws.
    #[serde(default)]
    pub unit: Unit,
    /// Draws of the bootstrap.
    #[serde(default = "resamples")]
    pub resamples: usize,
    /// Floors.
    #[serde(default)]
    pub at_least: BTreeMap<Name, f64>,
    /// Ceilings.
    #[serde(default)]
    pub at_most: BTreeMap<Name, f64>,
    /// How much worse than the champion's a figure may be, in its own unit.
    #[serde(default)]
    pub not_worse_by_more_than: BTreeMap<Name, f64>,
}

fn confidence() -> f64 {
    0.95
}

fn resamples() -> usize {
    2000
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// The set is too small to say that it holds; nothing that is not shown to hold passes.
    Undecided,
}

/// One demand and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The figure.
    pub figure: Name,
    /// What was demanded.
    pub demand: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found, in a sentence.
    pub found: String,
}

/// All that the gate said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The model that wanted through.
    pub model: ModelId,
    /// Whether it may.
    pub passed: bool,
    /// Check by check.
    pub checks: Vec<Check>,
}

impl Gate {
    /// Reads a gate's file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let gate: Self = serde_json::from_str(&text).with_context(|| format!("{} is no gate", path.display()))?;
        gate.check().with_context(|| path.display().to_string())?;
        Ok(gate)
    }

    fn check(&self) -> Result<()> {
        ensure!(self.schema == SCHEMA, "\"schema\" is '{}', must be '{SCHEMA}'", self.schema);
        ensure!((0.5..1.0).contains(&self.confidence), "\"confidence\" is {}, must be 0.5 to below 1", self.confidence);
        ensure!(
            (100..=100_000).contains(&self.resamples),
            "\"resamples\" is {}, must be 100 to 100000",
            self.resamples
        );
        let demands = [&self.at_least, &self.at_most, &self.not_worse_by_more_than];
        ensure!(demands.iter().any(|d| !d.is_empty()), "it demands nothing, so everything would pass");
        for (name, value) in demands.into_iter().flatten() {
            ensure!(value.is_finite() && *value >= 0.0, "{name} is {value}, must be a number from 0");
        }
        Ok(())
    }

    /// Whether it compares with a champion.
    pub fn compares(&self) -> bool {
        !self.not_worse_by_more_than.is_empty()
    }

    /// Holds a model's figures against the floors and ceilings, and its differences to the champion against the margins.
    /// `labels` are the champion's, for `/*`; without a champion they are the model's own.
    pub fn judge(
        &self,
        model: &ModelId,
        figures: &BTreeMap<Name, f64>,
        versus: Option<(&BTreeMap<Name, f64>, &mut Draws)>,
        labels: &[String],
        units: usize,
    ) -> Judgement {
        let mut checks = Vec::new();
        for (demands, least) in [(&self.at_least, true), (&self.at_most, false)] {
            for (name, limit) in spread(demands, labels) {
                checks.push(bound(name, limit, figures, least));
            }
        }
        match versus {
            Some((differences, draws)) => {
                for (name, margin) in spread(&self.not_worse_by_more_than, labels) {
                    checks.push(self.versus(name, margin, differences, draws, units));
                }
            }
            None => {
                let lone = |(name, margin): (Name, f64)| Check {
                    demand: format!("not worse than the champion's by more than {margin}"),
                    outcome: Outcome::Undecided,
                    found: "no champion was named: andon evaluate CHAMPION CHALLENGER".into(),
                    figure: name,
                };
                checks.extend(spread(&self.not_worse_by_more_than, labels).into_iter().map(lone));
            }
        }
        Judgement { model: model.clone(), passed: checks.iter().all(|c| c.outcome == Outcome::Passed), checks }
    }

    fn versus(
        &self,
        name: Name,
        margin: f64,
        differences: &BTreeMap<Name, f64>,
        draws: &mut Draws,
        units: usize,
    ) -> Check {
        let demand = format!("not worse than the champion's by more than {margin}");
        let (Some(difference), Some(drawn)) = (differences.get(&name), draws.get_mut(&name).filter(|d| d.len() > 1))
        else {
            let found = "the two models, or the set, do not have it both".into();
            return Check { figure: name, demand, outcome: Outcome::Failed, found };
        };
        // Better is up from here on.
        let sign = if lower_is_better(&name) { -1.0 } else { 1.0 };
        drawn.sort_unstable_by(f64::total_cmp);
        let tail = 1.0 - self.confidence;
        let (low, high) = (quantile(drawn, tail), quantile(drawn, 1.0 - tail));
        let [worst, best] = if sign > 0.0 { [low, high] } else { [-high, -low] };
        let gain = sign * difference;
        let outcome = if worst >= -margin {
            Outcome::Passed
        } else if best < -margin {
            Outcome::Failed
        } else {
            Outcome::Undecided
        };
        let percent = self.confidence * 100.0;
        let words = |v: f64| match v {
            v if v.abs() < 5e-5 => "no worse".to_string(),
            v if v > 0.0 => format!("better by {v:.4}"),
            v => format!("worse by {:.4}", -v),
        };
        let mut found = format!("{}; with {percent:.0} % confidence at worst {}", words(gain), words(worst));
        if outcome == Outcome::Undecided {
            let what = match self.unit {
                Unit::Part => "parts",
                Unit::Group => "groups",
            };
            found += &match needed(units, gain, worst, margin) {
                Some(n) => format!(": too few {what} to say; about {n} would do if the difference stays"),
                None => format!(": it looks worse than it may be, and more {what} would say so"),
            };
        }
        Check { figure: name, demand, outcome, found }
    }
}

/// How many units bring the lower bound above the margin, if the difference stays what it is: its distance shrinks with
/// the root of their number.
fn needed(units: usize, gain: f64, worst: f64, margin: f64) -> Option<usize> {
    let (reach, room) = (gain - worst, gain + margin);
    (room > 0.0).then(|| (units as f64 * (reach / room).powi(2)).ceil() as usize)
}

fn bound(name: Name, limit: f64, figures: &BTreeMap<Name, f64>, least: bool) -> Check {
    let demand = format!("{} {limit}", if least { "at least" } else { "at most" });
    let (outcome, found) = match figures.get(&name) {
        None => (Outcome::Failed, "the model or the set does not have it".into()),
        Some(v) if (least && *v >= limit) || (!least && *v <= limit) => (Outcome::Passed, format!("{v:.4}")),
        Some(v) => (
            Outcome::Failed,
            format!("{v:.4}, which is {:.4} too {}", (v - limit).abs(), if least { "low" } else { "high" }),
        ),
    };
    Check { figure: name, demand, outcome, found }
}

/// Demands with every `/*` written out for all labels.
fn spread(demands: &BTreeMap<Name, f64>, labels: &[String]) -> Vec<(Name, f64)> {
    let each = |(name, value): (&Name, &f64)| match name.strip_suffix("/*") {
        Some(of) => labels.iter().map(|l| (format!("{of}/{l}"), *value)).collect(),
        None => vec![(name.clone(), *value)],
    };
    demands.iter().flat_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(text: &str) -> Result<Gate> {
        let gate: Gate = serde_json::from_str(text)?;
        gate.check()?;
        Ok(gate)
    }

    fn named(pairs: &[(&str, f64)]) -> BTreeMap<Name, f64> {
        pairs.iter().map(|(n, v)| (n.to_string(), *v)).collect()
    }

    fn outcomes(gate: &Gate, differences: &[(&str, f64)], spread: f64) -> Vec<Outcome> {
        let differences = named(differences);
        // Evenly around the difference.
        let drawn = |v: &f64| (0..1001).map(|i| v + spread * (i as f64 / 500.0 - 1.0)).collect();
        let mut draws: Draws = differences.iter().map(|(n, v)| (n.clone(), drawn(v))).collect();
        let labels = ["open".to_string(), "short".into()];
        let judged = gate.judge(&ModelId::default(), &named(&[]), Some((&differences, &mut draws)), &labels, 100);
        assert_eq!(judged.passed, judged.checks.iter().all(|c| c.outcome == Outcome::Passed));
        judged.checks.into_iter().map(|c| c.outcome).collect()
    }

    #[test]
    fn floors_and_ceilings_hold_or_fail_and_what_is_not_measured_fails() {
        let gate = gate(
            r#"{"schema":"andon.gate/1","at_least":{"map_0.33":0.9,"recall":0.5},"at_most":{"overkill_rate":0.1,"accuracy":1}}"#,
        )
        .unwrap();
        let judged = gate.judge(
            &ModelId::default(),
            &named(&[("map_0.33", 0.95), ("recall", 0.4), ("overkill_rate", 0.2)]),
            None,
            &[],
            1,
        );
        let failed: Vec<_> =
            judged.checks.iter().filter(|c| c.outcome != Outcome::Passed).map(|c| &*c.figure).collect();
        assert_eq!(failed, ["recall", "accuracy", "overkill_rate"]);
        assert!(judged.checks.iter().any(|c| c.found == "0.4000, which is 0.1000 too low"));
    }

    #[test]
    fn what_is_surely_no_worse_passes_what_surely_is_fails_and_between_nobody_can_say() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"map_0.33":0.01}}"#).unwrap();
        assert_eq!(outcomes(&gate, &[("map_0.33", 0.0)], 0.005), [Outcome::Passed]);
        assert_eq!(outcomes(&gate, &[("map_0.33", -0.02)], 0.005), [Outcome::Failed]);
        assert_eq!(outcomes(&gate, &[("map_0.33", 0.0)], 0.1), [Outcome::Undecided]);
    }

    #[test]
    fn of_rates_more_is_worse() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"escape_rate":0.01}}"#).unwrap();
        assert_eq!(outcomes(&gate, &[("escape_rate", -0.2)], 0.005), [Outcome::Passed]);
        assert_eq!(outcomes(&gate, &[("escape_rate", 0.2)], 0.005), [Outcome::Failed]);
    }

    #[test]
    fn a_star_is_every_label_and_one_that_the_challenger_forgot_fails() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"ap_0.33/*":0.01}}"#).unwrap();
        assert_eq!(outcomes(&gate, &[("ap_0.33/open", 0.0)], 0.001), [Outcome::Passed, Outcome::Failed]);
    }

    #[test]
    fn a_champion_that_was_not_named_is_not_taken_as_beaten() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"map_0.33":0.01}}"#).unwrap();
        assert!(!gate.judge(&ModelId::default(), &named(&[("map_0.33", 1.0)]), None, &[], 1).passed);
    }

    #[test]
    fn a_gate_that_makes_no_sense_is_refused() {
        let refused = |text: &str, why: &str| {
            let error = format!("{:#}", gate(text).unwrap_err());
            assert!(error.contains(why), "{error}");
        };
        refused(r#"{"schema":"andon.gate/1"}"#, "demands nothing");
        refused(r#"{"schema":"andon.gate/2","at_least":{"f1":1}}"#, "must be 'andon.gate/1'");
        refused(r#"{"schema":"andon.gate/1","at_leats":{"f1":1}}"#, "unknown field `at_leats`");
        refused(r#"{"schema":"andon.gate/1","at_least":{"f1":-1}}"#, "a number from 0");
        refused(r#"{"schema":"andon.gate/1","confidence":95,"at_least":{"f1":1}}"#, "0.5 to below 1");
    }

    #[test]
    fn the_parts_that_are_lacking_follow_from_the_width_of_the_interval() {
        assert_eq!(needed(100, 0.0, -0.02, 0.01), Some(400));
        assert_eq!(needed(100, -0.02, -0.04, 0.01), None);
    }
}
