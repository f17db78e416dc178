// SPDX-License-Identifier: MPL-2.0
//! The same set once more for each thing that happens to a camera, and whether a driftmeter would tell.

use anyhow::{Context, Result};

use super::{
    change::{Change, SWEEP},
    judge::{Judge, Meter},
};
use crate::{
    data::Sample,
    measure::Measured,
    metrics::figures,
    report::{Row, SHOWN},
};

/// Frames that a driftmeter learns from at least and at most.
const LEAST_LEARNED: u32 = 20;
const MOST_LEARNED: u32 = 10_000;

/// Goes through [`SWEEP`]; `measured` makes figures of outcomes, given how far the pictures were moved.
pub fn sweep(
    judge: &Judge,
    samples: &[Sample],
    measured: impl Fn(super::judge::Judged, f64) -> Result<Measured>,
    mut done: impl FnMut(),
) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("there is no room for a drift reference")?;
    let reference = folder.path().join("reference.json");
    let learn = |frames: u32| Judge { meter: Some(Meter::Learn(frames, reference.clone())), ..judge.clone() };
    // How many frames can be learned from is known once they were seen.
    let seen = learn(MOST_LEARNED).run(samples, &mut done)?.metered.learnable.min(MOST_LEARNED);
    let learned = seen >= LEAST_LEARNED;
    if learned {
        learn(seen).run(samples, &mut done)?;
    }
    let mut rows = Vec::new();
    for change in std::iter::once(None).chain(SWEEP.into_iter().map(Some)) {
        let meter = learned.then(|| Meter::Watch(reference.clone()));
        let judged = Judge { change, meter, ..judge.clone() }.run(samples, &mut done)?;
        let drift = learned.then(|| judged.metered.drift.clone());
        let m = measured(judged, change.map_or(0.0, Change::moved))?;
        let all = figures(&m, &m.labels, &vec![1; m.part_of.len()]);
        let shown = all.into_iter().filter(|(name, _)| SHOWN.contains(&name.as_str())).collect();
        rows.push(Row { change: change.map_or("none".into(), |c| c.to_string()), figures: shown, drift });
    }
    Ok(rows)
}

/// Frames that a sweep over `samples` judges.
pub fn frames(samples: usize) -> usize {
    samples * (SWEEP.len() + 3)
}
