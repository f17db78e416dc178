// SPDX-License-Identifier: MPL-2.0
//! The numbers of a comparison at one time, quickly copied while frames wait for the comparison. The report is made of
//! them after.

use std::sync::Arc;

use andon_core::result::ModelId;

use super::{
    agreement_report::{AB_SCHEMA, AgreementReport, Frames, Mode, NotCompared},
    boxes::Labels,
    counts::Counts,
    different::DifferentFrame,
    recent::RecentCounts,
    table::{ArmParts, Scored},
};

/// What a report is made of.
#[derive(Clone)]
pub struct Numbers {
    pub(super) models: [Option<Arc<ModelId>>; 2],
    pub(super) mode: Mode,
    pub(super) run: Counts,
    pub(super) window: RecentCounts,
    pub(super) labels: Labels,
    pub(super) aside: NotCompared,
    pub(super) untold: u64,
    pub(super) arms: [ArmParts; 2],
    pub(super) scored: [Scored; 2],
    pub(super) different: Vec<DifferentFrame>,
}

impl Numbers {
    /// Makes the report. `frames` is what the pairing counted.
    pub fn report(self, frames: Frames) -> AgreementReport {
        let table = self.run.table;
        AgreementReport {
            schema: AB_SCHEMA.into(),
            models: self.models.map(Option::unwrap_or_default).into(),
            mode: self.mode,
            parts: table,
            aside: self.aside,
            untold: self.untold,
            compared: table.compared(),
            agreement: table.agreement(),
            kappa: table.kappa(),
            prevalence: table.prevalence(),
            boxes: self.run.boxes(),
            classes: self.run.classes(&self.labels),
            latency_us: self.run.latency_us(),
            errors: self.run.errors.into(),
            skipped: self.run.skipped.into(),
            arms: self.arms.into(),
            truth: self.scored.into(),
            window: self.window.report(&self.labels),
            different: self.different,
            frames,
        }
    }
}
