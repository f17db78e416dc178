// SPDX-License-Identifier: MPL-2.0
//! What a folder of captures holds.

use std::collections::{BTreeMap, BTreeSet};

use andon_capture::disagree;
use andon_core::result::{Arm, Status, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Capture, Error, Faults, Folder, model_name};

const NS: u64 = 1_000_000_000;

/// What a folder of captures holds, `andon.dataset-stats/1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptureStats {
    /// `andon.dataset-stats/1`.
    pub schema: String,
    /// Whole captures.
    pub captures: u64,
    /// Bytes of their images.
    pub image_bytes: u64,
    /// Bytes of their sidecars.
    pub sidecar_bytes: u64,
    /// Captures by trigger; a capture with several triggers counts under each.
    pub triggers: BTreeMap<String, u64>,
    /// Results by arm.
    pub arms: BTreeMap<String, ArmStats>,
    /// How often the arms agree.
    pub agreement: ArmAgreement,
    /// Captures by product; empty if the part has no product, or there is no part.
    pub skus: BTreeMap<String, u64>,
    /// Captures by day, UTC: of the capture, or of the writing if the time of the capture is unknown.
    pub days: BTreeMap<String, u64>,
    /// Files that are not counted.
    pub faults: Faults,
}

/// The results of one arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmStats {
    /// Names and versions of its models.
    pub models: BTreeSet<String>,
    /// Captures by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Boxes by label.
    pub boxes: BTreeMap<String, u64>,
    /// Captures with at least one box of the label.
    pub captures_with: BTreeMap<String, u64>,
}

/// Captures that both arms judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmAgreement {
    /// Captures that both arms judged.
    pub both_judged: u64,
    /// Captures with one verdict by both.
    pub equal_verdicts: u64,
    /// Captures with different verdicts, or with defects of different labels.
    pub disagree: u64,
    /// Captures by the verdict of a, a space, and the verdict of b.
    pub verdicts: BTreeMap<String, u64>,
}

impl CaptureStats {
    /// Counts the captures of a folder; calls `done` after each sidecar.
    ///
    /// # Errors
    /// [`Error::NoneWhole`] if no capture is whole.
    pub fn count(folder: &Folder, done: impl FnMut()) -> Result<Self, Error> {
        let mut stats = Self { schema: "andon.dataset-stats/1".into(), ..Self::default() };
        let counted = folder.each(done, |capture| {
            stats.add(capture);
            Ok(())
        });
        (stats.captures, stats.faults) = counted?;
        Ok(stats)
    }

    fn add(&mut self, capture: &Capture) {
        let sidecar = &capture.sidecar;
        self.image_bytes += capture.image_bytes;
        self.sidecar_bytes += capture.sidecar_bytes;
        let kinds: BTreeSet<_> = sidecar.triggers.iter().map(|t| t.trigger.as_str()).collect();
        kinds.into_iter().for_each(|kind| count(&mut self.triggers, kind));
        for result in &sidecar.results {
            let arm = self.arms.entry(result.arm.as_str().into()).or_default();
            if result.arm != Arm::Truth {
                arm.models.insert(model_name(&result.model));
            }
            let verdict = if result.status == Status::Ok { result.verdict } else { Verdict::Unjudged };
            count(&mut arm.verdicts, verdict.as_str());
            for d in &result.detections {
                count(&mut arm.boxes, &d.label);
            }
            let labels: BTreeSet<_> = result.detections.iter().map(|d| &*d.label).collect();
            labels.into_iter().for_each(|label| count(&mut arm.captures_with, label));
        }
        if let (Some(a), Some(b)) = (capture.judged(Arm::A), capture.judged(Arm::B)) {
            self.agreement.both_judged += 1;
            self.agreement.equal_verdicts += u64::from(a.verdict == b.verdict);
            self.agreement.disagree += u64::from(disagree(a, b));
            count(&mut self.agreement.verdicts, &format!("{} {}", a.verdict, b.verdict));
        }
        count(&mut self.skus, sidecar.part.as_ref().map_or("", |p| &p.sku));
        count(&mut self.days, &day(sidecar.captured_utc_ns.unwrap_or(sidecar.written_utc_ns)));
    }
}

/// The day, UTC, of a time in nanoseconds since 1970: `2026-11-29`.
fn day(utc_ns: u64) -> String {
    let seconds = i64::try_from(utc_ns / NS).expect("2^64 ns are 584 years");
    let time = Timestamp::from_second(seconds).expect("the year is before 2554");
    time.strftime("%Y-%m-%d").to_string()
}

/// Counts one more of `name`; allocates only for a new name.
fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.into(), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_utc() {
        assert_eq!((day(0), day(u64::MAX)), ("1970-01-01".into(), "2554-07-21".into()));
        let leap = 1_709_251_199 * NS;
        assert_eq!((day(leap), day(leap + NS)), ("2024-02-29".into(), "2024-03-01".into()));
    }
}
