// SPDX-License-Identifier: MPL-2.0
//! Words on the command line for values of the library.

use andon_evaluate::{
    data::{Layout, Which},
    metrics::Unit,
};
use clap::{ValueEnum, builder::PossibleValue};

/// A layout of a labelled set.
#[derive(Clone, Copy)]
pub struct LayoutArg(pub Layout);

impl ValueEnum for LayoutArg {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self(Layout::Deeppcb), Self(Layout::Coco), Self(Layout::Yolo), Self(Layout::Folders), Self(Layout::Mvtec)] }
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
    /// Groups of parts: how much of it is the luck of these products; needs more than a few groups
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

/// Reads the name of a side of a split; None for any other word.
pub fn side(word: &str) -> Option<Which> {
    match word {
        "held-out" => Some(Which::HeldOut),
        "validation" => Some(Which::Validation),
        "train" => Some(Which::Train),
        _ => None,
    }
}
