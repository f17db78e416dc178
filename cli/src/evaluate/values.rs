// SPDX-License-Identifier: MPL-2.0
//! Words of the command line for values of the library.

use andon_evaluate::{
    data::{Layout, Side},
    metrics::Unit,
};
use clap::{ValueEnum, builder::PossibleValue};

/// A layout of a labelled set.
#[derive(Clone, Copy)]
pub struct LayoutArg(pub Layout);

impl ValueEnum for LayoutArg {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [LayoutArg; Layout::ALL.len()] = {
            let mut all = [LayoutArg(Layout::Deeppcb); Layout::ALL.len()];
            let mut i = 0;
            while i < all.len() {
                all[i] = LayoutArg(Layout::ALL[i]);
                i += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(self.0.files()))
    }
}

/// What the bootstrap draws.
#[derive(Clone, Copy, ValueEnum)]
pub enum UnitArg {
    /// Parts: how much of a figure is the luck of this sample
    Part,
    /// Groups of parts: how much of a figure is the luck of these products; needs more than a few groups
    Group,
}

impl From<UnitArg> for Unit {
    fn from(unit: UnitArg) -> Self {
        match unit {
            UnitArg::Part => Self::Part,
            UnitArg::Group => Self::Group,
        }
    }
}

/// Returns the side of a split that a word names, or None for any other word.
pub fn side(word: &str) -> Option<Side> {
    match word {
        "held-out" => Some(Side::HeldOut),
        "validation" => Some(Side::Validation),
        "train" => Some(Side::Train),
        _ => None,
    }
}
