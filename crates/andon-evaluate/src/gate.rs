// SPDX-License-Identifier: MPL-2.0
//! The gate: the figures that a model must reach, and how much worse than the champion it may be.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use andon_core::{files, json, result::ModelId};
use serde::{Deserialize, Serialize};

use crate::{
    metrics::{Draws, Name, Unit, lower_is_better, quantile},
    settle::units_to_settle,
};

/// The schema of a gate file.
const SCHEMA: &str = "andon.gate/1";

/// Why a gate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not JSON, or has an unknown key.
    #[error("no gate")]
    Json(#[from] serde_json::Error),
    /// A key has a value that makes no sense; the message has the key and the values that it may have.
    #[error("{0}")]
    Demand(String),
    /// An error in a file.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<GateError>,
    },
}

/// What a model must reach to pass, as a gate file says it. Names of figures are those of `andon evaluate --json`;
/// `ap_0.33/*` stands for every label of the champion.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// `andon.gate/1`.
    pub schema: String,
    /// The confidence of each comparison, one-sided, 0.5 to below 1.
    #[serde(default = "confidence")]
    pub confidence: f64,
    /// What the bootstrap draws.
    #[serde(default)]
    pub unit: Unit,
    /// Draws of the bootstrap, 100 to 100,000.
    #[serde(default = "resamples")]
    pub resamples: usize,
    /// The lowest values that figures may have.
    #[serde(default)]
    pub at_least: BTreeMap<Name, f64>,
    /// The highest values that figures may have.
    #[serde(default)]
    pub at_most: BTreeMap<Name, f64>,
    /// How much worse than that of the champion a figure may be, in its own unit.
    #[serde(default)]
    pub not_worse_by_more_than: BTreeMap<Name, f64>,
}

fn confidence() -> f64 {
    0.95
}

fn resamples() -> usize {
    2000
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckResult {
    /// The demand holds.
    Passed,
    /// The demand does not hold.
    Failed,
    /// The set is too small to say whether the demand holds: the model does not pass.
    Undecided,
}

/// A demand on a figure, and whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The figure.
    pub figure: Name,
    /// The demand, in words.
    pub demand: String,
    /// Whether it holds.
    #[serde(rename = "outcome")]
    pub result: CheckResult,
    /// What was measured, in words.
    pub found: String,
    /// Of an undecided check: about how many more parts, or groups, would decide it if the figure stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<u64>,
}

/// The checks of a gate on a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// The model.
    pub model: ModelId,
    /// Whether the model passes: every demand holds.
    pub passed: bool,
    /// A check for each demand.
    pub checks: Vec<Check>,
}

impl Gate {
    /// Reads a gate file.
    ///
    /// # Errors
    /// [`GateError::Io`] if it cannot be read, [`GateError::File`] with the reason if it is no gate.
    pub fn read(path: &Path) -> Result<Self, GateError> {
        let text = files::read_text(path, files::TEXT).map_err(|source| GateError::Io { path: path.into(), source })?;
        Self::parse(&text).map_err(|e| GateError::File { path: path.into(), source: Box::new(e) })
    }

    /// Parses the text of a gate file.
    ///
    /// # Errors
    /// [`GateError::Json`] and [`GateError::Demand`].
    pub fn parse(text: &str) -> Result<Self, GateError> {
        let gate: Self = json::read(text)?;
        gate.validate().map_err(GateError::Demand)?;
        Ok(gate)
    }

    fn validate(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("\"schema\" is '{}', must be '{SCHEMA}'", self.schema));
        }
        if !(0.5..1.0).contains(&self.confidence) {
            return Err(format!("\"confidence\" is {}, must be 0.5 to below 1", self.confidence));
        }
        if !(100..=100_000).contains(&self.resamples) {
            return Err(format!("\"resamples\" is {}, must be 100 to 100000", self.resamples));
        }
        let demands = [&self.at_least, &self.at_most, &self.not_worse_by_more_than];
        if demands.iter().all(|d| d.is_empty()) {
            return Err("it demands nothing, so everything would pass".into());
        }
        let mut all = demands.into_iter().flatten();
        match all.find(|(_, value)| !value.is_finite() || **value < 0.0) {
            Some((name, value)) => Err(format!("{name} is {value}, must be a number from 0")),
            None => Ok(()),
        }
    }

    /// Returns whether the gate compares with a champion.
    pub fn compares(&self) -> bool {
        !self.not_worse_by_more_than.is_empty()
    }

    /// Checks the figures of a model, and its differences to the champion (see [`differences`](crate::metrics::differences)).
    ///
    /// `labels` are those of the champion, for `/*`; without a champion they are those of the model. `units` is the number of
    /// parts or groups in the set.
    pub fn check(
        &self,
        model: &ModelId,
        figures: &BTreeMap<Name, f64>,
        versus: Option<(&BTreeMap<Name, f64>, &mut Draws)>,
        labels: &[String],
        units: usize,
    ) -> Checks {
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
                    result: CheckResult::Undecided,
                    found: "no champion was named: andon evaluate CHAMPION CHALLENGER".into(),
                    figure: name,
                    more: None,
                };
                checks.extend(spread(&self.not_worse_by_more_than, labels).into_iter().map(lone));
            }
        }
        Checks { model: model.clone(), passed: checks.iter().all(|c| c.result == CheckResult::Passed), checks }
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
            let found = "the two models, or the set, do not both have it".into();
            return Check { figure: name, demand, result: CheckResult::Failed, found, more: None };
        };
        // From here on more is better.
        let sign = if lower_is_better(&name) { -1.0 } else { 1.0 };
        drawn.sort_unstable_by(f64::total_cmp);
        let tail = 1.0 - self.confidence;
        let (low, high) = (quantile(drawn, tail), quantile(drawn, 1.0 - tail));
        let [worst, best] = if sign > 0.0 { [low, high] } else { [-high, -low] };
        let gain = sign * difference;
        let result = if worst >= -margin {
            CheckResult::Passed
        } else if best < -margin {
            CheckResult::Failed
        } else {
            CheckResult::Undecided
        };
        let percent = self.confidence * 100.0;
        let words = |v: f64| match v {
            v if v.abs() < 5e-5 => "no worse".to_string(),
            v if v > 0.0 => format!("better by {v:.4}"),
            v => format!("worse by {:.4}", -v),
        };
        let mut found = format!("{}; with {percent:.0} % confidence at worst {}", words(gain), words(worst));
        let mut more = None;
        if result == CheckResult::Undecided {
            let what = match self.unit {
                Unit::Part => "parts",
                Unit::Group => "groups",
            };
            let needed = units_to_settle(units, gain, [worst, best], -margin);
            more = needed.map(|n| n.saturating_sub(units as u64).max(1));
            found += &match needed {
                Some(n) if gain > -margin => {
                    format!(": too few {what} to say; about {n} would do if the difference stays")
                }
                Some(n) => {
                    format!(": it looks worse than it may be; about {n} {what} would show it if the difference stays")
                }
                None => format!(": it is as much worse as it may be; more {what} would show more"),
            };
        }
        Check { figure: name, demand, result, found, more }
    }
}

fn bound(name: Name, limit: f64, figures: &BTreeMap<Name, f64>, least: bool) -> Check {
    let demand = format!("{} {limit}", if least { "at least" } else { "at most" });
    let (result, found) = match figures.get(&name) {
        None => (CheckResult::Failed, "the model or the set does not have it".into()),
        Some(v) if (least && *v >= limit) || (!least && *v <= limit) => (CheckResult::Passed, format!("{v:.4}")),
        Some(v) => (
            CheckResult::Failed,
            format!("{v:.4}, which is {:.4} too {}", (v - limit).abs(), if least { "low" } else { "high" }),
        ),
    };
    Check { figure: name, demand, result, found, more: None }
}

/// Returns the demands with `/*` replaced by every label.
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

    fn gate(text: &str) -> Result<Gate, GateError> {
        Gate::parse(text)
    }

    fn named(pairs: &[(&str, f64)]) -> BTreeMap<Name, f64> {
        pairs.iter().map(|(n, v)| (n.to_string(), *v)).collect()
    }

    fn results(gate: &Gate, differences: &[(&str, f64)], spread: f64) -> Vec<CheckResult> {
        let differences = named(differences);
        // Evenly around the difference.
        let drawn = |v: &f64| (0..1001).map(|i| v + spread * (i as f64 / 500.0 - 1.0)).collect();
        let mut draws: Draws = differences.iter().map(|(n, v)| (n.clone(), drawn(v))).collect();
        let labels = ["open".to_string(), "short".into()];
        let judged = gate.check(&ModelId::default(), &named(&[]), Some((&differences, &mut draws)), &labels, 100);
        assert_eq!(judged.passed, judged.checks.iter().all(|c| c.result == CheckResult::Passed));
        judged.checks.into_iter().map(|c| c.result).collect()
    }

    #[test]
    fn floors_and_ceilings_hold_or_fail_and_what_is_not_measured_fails() {
        let gate = gate(
            r#"{"schema":"andon.gate/1","at_least":{"map_0.33":0.9,"recall":0.5},"at_most":{"overkill_rate":0.1,"accuracy":1}}"#,
        )
        .unwrap();
        let judged = gate.check(
            &ModelId::default(),
            &named(&[("map_0.33", 0.95), ("recall", 0.4), ("overkill_rate", 0.2)]),
            None,
            &[],
            1,
        );
        let failed: Vec<_> =
            judged.checks.iter().filter(|c| c.result != CheckResult::Passed).map(|c| &*c.figure).collect();
        assert_eq!(failed, ["recall", "accuracy", "overkill_rate"]);
        assert!(judged.checks.iter().any(|c| c.found == "0.4000, which is 0.1000 too low"));
    }

    #[test]
    fn what_is_surely_no_worse_passes_what_surely_is_fails_and_between_the_set_cannot_say() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"map_0.33":0.01}}"#).unwrap();
        assert_eq!(results(&gate, &[("map_0.33", 0.0)], 0.005), [CheckResult::Passed]);
        assert_eq!(results(&gate, &[("map_0.33", -0.02)], 0.005), [CheckResult::Failed]);
        assert_eq!(results(&gate, &[("map_0.33", 0.0)], 0.1), [CheckResult::Undecided]);
    }

    #[test]
    fn of_rates_more_is_worse() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"escape_rate":0.01}}"#).unwrap();
        assert_eq!(results(&gate, &[("escape_rate", -0.2)], 0.005), [CheckResult::Passed]);
        assert_eq!(results(&gate, &[("escape_rate", 0.2)], 0.005), [CheckResult::Failed]);
    }

    #[test]
    fn a_star_is_every_label_and_one_that_the_challenger_forgot_fails() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"ap_0.33/*":0.01}}"#).unwrap();
        assert_eq!(results(&gate, &[("ap_0.33/open", 0.0)], 0.001), [CheckResult::Passed, CheckResult::Failed]);
    }

    #[test]
    fn a_champion_that_was_not_named_is_not_taken_as_beaten() {
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"map_0.33":0.01}}"#).unwrap();
        assert!(!gate.check(&ModelId::default(), &named(&[("map_0.33", 1.0)]), None, &[], 1).passed);
    }

    #[test]
    fn a_gate_that_makes_no_sense_is_refused() {
        let refused = |text: &str, why: &str| {
            let error = crate::data::testing::whole_text(&gate(text).unwrap_err());
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
        let gate = gate(r#"{"schema":"andon.gate/1","not_worse_by_more_than":{"map_0.33":0.01}}"#).unwrap();
        let check = |difference: f64| {
            let differences = named(&[("map_0.33", difference)]);
            let drawn = (0..1001).map(|i| difference + 0.04 * (i as f64 / 500.0 - 1.0)).collect();
            let mut draws: Draws = [("map_0.33".to_string(), drawn)].into();
            gate.check(&ModelId::default(), &named(&[]), Some((&differences, &mut draws)), &[], 100).checks.remove(0)
        };
        // 95 % of the draws are within 0.036 on one side.
        let (open, worse, edge) = (check(0.0), check(-0.02), check(-0.01));
        assert_eq!((open.more, worse.more, edge.more), (Some(1196), Some(1196), None));
        assert!(
            open.found.contains("about 1296 would do") && worse.found.contains("about 1296 parts would show it"),
            "{worse:?}"
        );
        assert_eq!(check(0.1).more, None, "passed");
    }
}
