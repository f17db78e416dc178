// SPDX-License-Identifier: MPL-2.0
//! What the user asked of `defecttestsrc`, and what it has counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use andon_boards::{Kind, Kinds, Look, Order};
use andon_core::result::{Fields, Part};

use super::Purpose;

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
    /// What the camera does to every frame.
    pub fn look(&self) -> Look {
        Look { illumination: self.illumination, contrast: self.contrast, blur: self.blur, noise: self.noise }
    }

    /// What makes the parts.
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

    /// What all parts have in common.
    pub fn part(&self) -> Part {
        Part {
            sku: self.sku.clone(),
            lot: self.lot.clone(),
            station: self.station.clone(),
            purpose: self.purpose.into(),
            ..Part::default()
        }
    }

    /// What the stream tells of itself at `fps` frames a second.
    pub fn told(&self, fps: f64) -> Fields {
        let mut fields =
            Fields::from([("sku".into(), self.sku.as_str().into()), ("line_speed".into(), (self.speed * fps).into())]);
        fields.extend((*self.fields).clone());
        fields
    }
}

/// Counters, readable from any thread.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub frames: AtomicU64,
    pub parts: AtomicU64,
    pub ng_parts: AtomicU64,
    pub refused_settings: AtomicU64,
    pub kinds: [AtomicU64; Kind::ALL.len()],
}

impl Counters {
    /// Counts a part with these defects.
    pub fn part(&self, defects: impl Iterator<Item = Kind>) {
        let mut ng = false;
        for kind in defects {
            ng = true;
            self.kinds[kind.index()].fetch_add(1, Relaxed);
        }
        self.parts.fetch_add(1, Relaxed);
        self.ng_parts.fetch_add(u64::from(ng), Relaxed);
    }

    /// Begins again from zero; what was refused stays counted, for it is the application's doing.
    pub fn reset(&self) {
        let of_the_run = [&self.frames, &self.parts, &self.ng_parts];
        for counter in of_the_run.into_iter().chain(&self.kinds) {
            counter.store(0, Relaxed);
        }
    }

    /// The property `stats`.
    pub fn structure(&self) -> gst::Structure {
        let mut kinds = gst::Structure::new_empty("kinds");
        for kind in Kind::ALL {
            kinds.set(kind.label(), self.kinds[kind.index()].load(Relaxed));
        }
        gst::Structure::builder("stats")
            .field("frames", self.frames.load(Relaxed))
            .field("parts", self.parts.load(Relaxed))
            .field("ng-parts", self.ng_parts.load(Relaxed))
            .field("refused-settings", self.refused_settings.load(Relaxed))
            .field("kinds", kinds)
            .build()
    }
}
