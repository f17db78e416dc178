// SPDX-License-Identifier: MPL-2.0
//! A snapshot of a bank, to go on from after a restart: references, sums, states.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    super::{
        cause::Cause,
        detector::CusumState,
        features::{COUNT, SPECS},
        or_empty,
        reference::{Reference, ReferenceError},
    },
    Bank, DriftStatus, Mode, Moment, State,
};

/// The schema name of a snapshot.
pub(crate) const STATE_SCHEMA: &str = "andon.drift-state/1";

/// A snapshot of all meters, and its form on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always `andon.drift-state/1`.
    pub(crate) schema: String,
    /// The key of the bank. Empty for one meter for all frames.
    pub(crate) key: String,
    /// The meters, by the value of the key.
    pub(crate) meters: BTreeMap<String, MeterSnapshot>,
}

/// A snapshot of one meter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeterSnapshot {
    /// Whether the meter is in drift.
    pub(crate) drift: bool,
    /// Whether the reference does not represent its scene yet. Absent in files of older versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) provisional: bool,
    /// The cause of the drift.
    #[serde(with = "or_empty")]
    pub(crate) cause: Option<Cause>,
    /// When and where the state began. None in a file of an earlier version.
    #[serde(default)]
    pub(crate) since: Option<Moment>,
    /// How often drift began.
    pub(crate) alarms: u64,
    /// The sums, by feature.
    pub(crate) sums: BTreeMap<String, CusumState>,
    /// The reference.
    pub(crate) reference: Arc<Reference>,
}

/// Why a text is not a snapshot, or not one of a [`Bank`].
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The text is not JSON, or lacks what a snapshot has.
    #[error("this is no state of a drift meter: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("its schema is '{0}', and this version reads '{STATE_SCHEMA}'")]
    Schema(String),
    /// The reference of a meter cannot be used.
    #[error("'{key}': {error}")]
    Reference {
        /// The value of the key that the meter belongs to.
        key: String,
        /// What is wrong with the reference.
        #[source]
        error: ReferenceError,
    },
    /// A sum of a meter is not a number.
    #[error("'{key}': a sum is not a number")]
    Sum {
        /// The value of the key that the meter belongs to.
        key: String,
    },
    /// The snapshot was taken by another key than the bank's.
    #[error("it was kept with reference-key='{kept}', and '{asked}' is asked for")]
    Key {
        /// The key of the snapshot.
        kept: String,
        /// The key of the bank.
        asked: String,
    },
}

impl Snapshot {
    /// Reads the text of a file.
    pub fn from_json(text: &str) -> Result<Self, SnapshotError> {
        let snapshot: Self = andon_core::json::read(text)?;
        if snapshot.schema != STATE_SCHEMA {
            return Err(SnapshotError::Schema(snapshot.schema));
        }
        for (key, meter) in &snapshot.meters {
            meter.reference.check().map_err(|error| SnapshotError::Reference { key: key.clone(), error })?;
            if !meter.sums.values().all(CusumState::sound) {
                return Err(SnapshotError::Sum { key: key.clone() });
            }
        }
        Ok(snapshot)
    }

    /// The number of meters that have a reference.
    pub fn len(&self) -> usize {
        self.meters.len()
    }

    /// Returns whether no meter has a reference yet.
    pub fn is_empty(&self) -> bool {
        self.meters.is_empty()
    }

    /// Returns the text of a file.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}

/// What a snapshot is made of, as numbers that are quickly copied while frames wait for the meters.
pub struct BankState {
    key: String,
    meters: Vec<MeterState>,
}

struct MeterState {
    key: Arc<str>,
    provisional: bool,
    status: DriftStatus,
    since: Option<Moment>,
    alarms: u64,
    /// In the order of a row.
    sums: [Option<CusumState>; COUNT],
    reference: Arc<Reference>,
}

impl BankState {
    /// Makes the snapshot.
    pub fn snapshot(self) -> Snapshot {
        let kept = self.meters.into_iter().map(|meter| {
            let sums = SPECS.iter().zip(meter.sums).filter_map(|(spec, sums)| Some((spec.name.to_string(), sums?)));
            let kept = MeterSnapshot {
                drift: meter.status.state == State::Drift,
                provisional: meter.provisional,
                cause: meter.status.cause,
                since: meter.since,
                alarms: meter.alarms,
                sums: sums.collect(),
                reference: meter.reference,
            };
            (meter.key.to_string(), kept)
        });
        Snapshot { schema: STATE_SCHEMA.into(), key: self.key, meters: kept.collect() }
    }
}

impl Bank {
    /// Returns the state of all meters that have a reference.
    pub fn state(&self) -> BankState {
        let mut meters = Vec::with_capacity(self.meters.len());
        for (key, meter) in &self.meters {
            let Mode::Running(running) = &meter.mode else { continue };
            meters.push(MeterState {
                key: key.clone(),
                provisional: running.provisional().is_some(),
                status: meter.status,
                since: meter.since.clone(),
                alarms: meter.counts.alarms,
                sums: running.detector.memory(),
                reference: running.reference.clone(),
            });
        }
        BankState { key: self.by.clone(), meters }
    }

    /// Goes on from a snapshot.
    ///
    /// # Errors
    ///
    /// The snapshot was taken with another key than this bank's.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        if snapshot.key != self.by {
            return Err(SnapshotError::Key { kept: snapshot.key, asked: self.by.clone() });
        }
        for (key, kept) in snapshot.meters {
            let config = self.config;
            let Some(meter) = self.meter(&key) else { continue };
            meter.take_up(kept.reference);
            meter.counts.alarms = kept.alarms;
            if kept.drift {
                // The frames of another run have other ids, so drift holds since the beginning of this run.
                meter.status = DriftStatus { state: State::Drift, cause: kept.cause, since_frame: 0 };
                // Its time and its part are those from before the restart.
                let since = kept.since.unwrap_or_default();
                meter.since = Some(Moment { frame_id: 0, pts_ns: None, ..since });
                meter.unreported = true;
            }
            if let Mode::Running(running) = &mut meter.mode {
                running.detector.recall(&kept.sums);
                if kept.provisional {
                    running.go_on_learning(&config);
                }
            }
        }
        Ok(())
    }
}
