// SPDX-License-Identifier: MPL-2.0
//! The properties as they are set.

use std::sync::Arc;

use andon_boards::{Imaging, Kinds, Order};
use andon_core::result::{self, Fields, Part};

/// Why the parts pass the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonDefectTestSrcPurpose")]
pub enum Purpose {
    /// The part is made to be sold.
    #[default]
    #[enum_value(name = "Made to be sold", nick = "production")]
    Production,
    /// The part is a known sample that proves the inspection.
    #[enum_value(name = "A known sample that proves the inspection", nick = "golden")]
    Golden,
    /// The line is being set up.
    #[enum_value(name = "The line is being set up", nick = "setup")]
    Setup,
    /// The part was repaired and comes again.
    #[enum_value(name = "A repaired part that comes again", nick = "rework")]
    Rework,
}

impl From<Purpose> for result::Purpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Production => Self::Production,
            Purpose::Golden => Self::Golden,
            Purpose::Setup => Self::Setup,
            Purpose::Rework => Self::Rework,
        }
    }
}

/// The properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub seed: u64,
    pub sku: String,
    pub defect_rate: f64,
    pub kinds: Kinds,
    pub illumination: f64,
    pub contrast: f64,
    pub blur: f64,
    pub noise: f64,
    pub shift_x: i32,
    pub shift_y: i32,
    pub views: u32,
    pub speed: f64,
    pub lot: String,
    pub station: String,
    pub purpose: Purpose,
    pub fields: Arc<Fields>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            sku: "A".into(),
            defect_rate: 0.1,
            kinds: Kinds::ALL,
            illumination: 1.0,
            contrast: 1.0,
            blur: 0.0,
            noise: 0.0,
            shift_x: 0,
            shift_y: 0,
            views: 1,
            speed: 0.0,
            lot: String::new(),
            station: String::new(),
            purpose: Purpose::Production,
            fields: Arc::default(),
        }
    }
}

impl Settings {
    /// Returns the conditions under which the camera takes every frame.
    pub fn imaging(&self) -> Imaging {
        Imaging { illumination: self.illumination, contrast: self.contrast, blur: self.blur, noise: self.noise }
    }

    /// Returns the order for the parts to come.
    pub fn order(&self) -> Order {
        Order {
            seed: self.seed,
            sku: self.sku.clone(),
            defect_rate: self.defect_rate,
            kinds: self.kinds,
            views: self.views,
            speed: self.speed,
        }
    }

    /// Returns what all parts have in common.
    pub fn part(&self) -> Part {
        Part {
            sku: self.sku.clone(),
            lot: self.lot.clone(),
            station: self.station.clone(),
            purpose: self.purpose.into(),
            ..Part::default()
        }
    }

    /// Returns the named fields of the stream, at `fps` frames a second.
    pub fn stream_fields(&self, fps: f64) -> Fields {
        let mut fields =
            Fields::from([("sku".into(), self.sku.as_str().into()), ("line_speed".into(), (self.speed * fps).into())]);
        fields.extend((*self.fields).clone());
        fields
    }
}
