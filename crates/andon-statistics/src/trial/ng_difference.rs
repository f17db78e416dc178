// SPDX-License-Identifier: MPL-2.0
//! Tests whether b's share of ng parts is too far from a's on the same parts.

use andon_core::result::Arm;

use crate::judgement::{Cell, Design, Mixture};

/// Tests "b's share of ng less a's is at most m", and the same with the arms exchanged, after every part.
///
/// For a part that both arms saw, the difference D is +1 if only b stopped it, −1 if only a did, else 0. For a part
/// that one arm saw alone, a stop is weighted by that arm's share: 1/w or −1/(1 − w). (D − m)/(m − Dₘᵢₙ) is a bet as in
/// `judgement/mixture.rs`.
#[derive(Clone, Debug)]
pub(super) struct NgDifference {
    most: f64,
    up: Mixture,
    down: Mixture,
    sum: f64,
    parts: u64,
}

impl NgDifference {
    /// Allows a difference of `most`, 0..1.
    pub(super) fn new(most: f64) -> Self {
        Self { most, up: Mixture::new(), down: Mixture::new(), sum: 0.0, parts: 0 }
    }

    /// Adds a part.
    pub(super) fn add(&mut self, design: Design, cell: Cell) {
        let (value, least, greatest) = match (design, cell) {
            (Design::Paired, Cell::OkNg) => (1.0, -1.0, 1.0),
            (Design::Paired, Cell::NgOk) => (-1.0, -1.0, 1.0),
            (Design::Paired, _) => (0.0, -1.0, 1.0),
            (Design::Split { weight }, _) if weight > 0.0 && weight < 1.0 => {
                let (of_b, of_a) = (1.0 / weight, -1.0 / (1.0 - weight));
                let value = match cell {
                    Cell::BNg => of_b,
                    Cell::ANg => of_a,
                    _ => 0.0,
                };
                (value, of_a, of_b)
            }
            _ => return,
        };
        self.sum += value;
        self.parts += 1;
        self.up.add((value - self.most) / (self.most - least));
        self.down.add((-value - self.most) / (self.most + greatest));
    }

    /// The difference so far. None before the first part.
    pub(super) fn difference(&self) -> Option<f64> {
        (self.parts > 0).then(|| self.sum / self.parts as f64)
    }

    /// Returns a reason if the difference is proven too large, at the level `alpha`, over all looks and both
    /// directions.
    pub(super) fn broken(&self, alpha: f64) -> Option<String> {
        let threshold = (2.0 / alpha).ln();
        let arm = if self.up.ln_evidence() >= threshold {
            Arm::B
        } else if self.down.ln_evidence() >= threshold {
            Arm::A
        } else {
            return None;
        };
        let (percent, allowed) = (100.0 * self.difference()?.abs(), 100.0 * self.most);
        let other = if arm == Arm::B { Arm::A } else { Arm::B };
        Some(format!(
            "ng-rate: {} stops {percent:.1} % more of {} parts than {} (allowed: {allowed:.1} %), and no label \
             confirms that they are defective",
            arm.as_str(),
            self.parts,
            other.as_str()
        ))
    }
}
