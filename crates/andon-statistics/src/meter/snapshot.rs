// SPDX-License-Identifier: MPL-2.0
//! What a bank knows, to go on from after a restart: references, sums, states.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    super::{cause::Cause, detector::CusumState, reference::Reference},
    Bank, Mode, State, Status,
};

/// The schema of a snapshot.
pub(crate) const STATE_SCHEMA: &str = "andon.drift-state/1";

/// All meters, and their form on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always [`STATE_SCHEMA`].
    pub(crate) schema: String,
    /// What keys are of; empty for one meter.
    pub(crate) key: String,
    /// By the key's value.
    pub(crate) meters: BTreeMap<String, MeterSnapshot>,
}

/// A meter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeterSnapshot {
    /// Whether it is in drift.
    pub(crate) drift: bool,
    /// By what; empty where it is not.
    pub(crate) cause: String,
    /// Times that drift began.
    pub(crate) alarms: u64,
    /// What was summed, by feature.
    pub(crate) sums: BTreeMap<String, CusumState>,
    /// What is normal.
    pub(crate) reference: Arc<Reference>,
}

impl Snapshot {
    /// Reads a file's text; the error says what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let snapshot: Self =
            serde_json::from_str(text).map_err(|e| format!("this is no state of a drift meter: {e}"))?;
        if snapshot.schema != STATE_SCHEMA {
            return Err(format!("its schema is '{}', and this version reads '{STATE_SCHEMA}'", snapshot.schema));
        }
        for (key, meter) in &snapshot.meters {
            meter.reference.check().map_err(|e| format!("'{key}': {e}"))?;
            if !meter.sums.values().all(CusumState::sound) {
                return Err(format!("'{key}': a sum is not a number"));
            }
        }
        Ok(snapshot)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}

impl Bank {
    /// What it knows; meters that are still learning are not in it.
    pub fn snapshot(&self) -> Snapshot {
        let kept = self.meters.iter().filter_map(|(key, meter)| {
            let Mode::Running(running) = &meter.mode else { return None };
            let status = meter.status;
            let kept = MeterSnapshot {
                drift: status.state == State::Drift,
                cause: status.cause_str().into(),
                alarms: meter.counts.alarms,
                sums: running.detector.memory(),
                reference: running.reference.clone(),
            };
            Some((key.to_string(), kept))
        });
        Snapshot { schema: STATE_SCHEMA.into(), key: self.by.clone(), meters: kept.collect() }
    }

    /// Goes on from a snapshot; the error says why it is not of this bank.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<(), String> {
        if snapshot.key != self.by {
            return Err(format!("it was kept with reference-key='{}', and '{}' is asked for", snapshot.key, self.by));
        }
        for (key, kept) in snapshot.meters {
            let Some(meter) = self.meter(&key) else { continue };
            meter.take_up(kept.reference);
            meter.counts.alarms = kept.alarms;
            if kept.drift {
                // Frames of another run have other ids: since the beginning is all that can be said.
                let cause = Cause::named(&kept.cause);
                meter.status = Status { state: State::Drift, cause, since_frame: 0 };
                meter.untold = true;
            }
            if let Mode::Running(running) = &mut meter.mode {
                running.detector.recall(&kept.sums);
            }
        }
        Ok(())
    }
}
