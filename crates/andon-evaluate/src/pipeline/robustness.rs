// SPDX-License-Identifier: MPL-2.0
//! The set once more for each thing that happens to a camera, and whether a driftmeter sees it.

use super::{
    Error,
    change::{Change, SWEEP},
    judge::{Judge, JudgedSet, Meter},
};
use crate::{
    data::Sample,
    measure::{MeasureError, Measured},
    metrics::figures,
    report::{ROBUSTNESS_FIGURES, RobustnessRow},
};

/// The fewest and the most frames that a driftmeter learns from.
const LEAST_LEARNED: u32 = 20;
const MOST_LEARNED: u32 = 10_000;

/// Judges the set under changes of light, focus, noise, position and compression, with a driftmeter that has learnt the
/// unchanged set. `measured` measures the results, given how far the pictures were moved to the right, pixels. Calls `done`
/// after each frame.
///
/// # Errors
/// Those of [`Judge::run`] and of `measured`.
pub fn sweep(
    judge: &Judge,
    samples: &[Sample],
    measured: impl Fn(JudgedSet, f64) -> Result<Measured, MeasureError>,
    mut done: impl FnMut(),
) -> Result<Vec<RobustnessRow>, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("there is no room for a drift reference"))?;
    let reference = folder.path().join("reference.json");
    let learn = |frames: u32| Judge { meter: Some(Meter::Learn(frames, reference.clone())), ..judge.clone() };
    // The first run counts the frames that a driftmeter can learn from.
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
        let shown = all.into_iter().filter(|(name, _)| ROBUSTNESS_FIGURES.contains(&name.as_str())).collect();
        rows.push(RobustnessRow { change: change.map_or("none".into(), |c| c.to_string()), figures: shown, drift });
    }
    Ok(rows)
}

/// The number of frames that [`sweep`] judges at most.
pub fn frames(samples: usize) -> usize {
    samples * (SWEEP.len() + 3)
}
