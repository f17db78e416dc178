// SPDX-License-Identifier: MPL-2.0
//! What is normal of a camera and a model, learned from a first stretch of frames, and its form on disk.
//!
//! Frames of one camera resemble their neighbours. A detector that treats them as independent raises false alarms. So
//! observations (the mean of a part, or a frame without a part) are averaged to *ticks*, long enough that neighbouring
//! ticks correlate by at most 0.1. The remaining correlation widens σ. The shortness of the stretch widens σ too: it is
//! taken at the upper end of its 95 % interval.

use std::collections::BTreeMap;

use andon_core::image::{Format, Image};
use serde::{Deserialize, Serialize};

use super::{
    embedding::EmbeddingNormal, features::*, normal::Normal, scene::Scene, steps::Limit, unchanged::ChangeRate,
    window::SlowNormal,
};

/// The schema name of a reference file.
pub(crate) const SCHEMA: &str = "andon.reference/1";
/// What is normal, and its form on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Always [`SCHEMA`].
    pub(crate) schema: String,
    /// The width and height of the frames, pixels.
    pub frame: [usize; 2],
    /// The pixel format of the frames, such as `gray8`.
    pub format: String,
    /// Every how many rows are read.
    pub(crate) subsample: u32,
    /// The number of frames learned from.
    pub frames: u64,
    /// Observations per tick.
    pub tick: usize,
    /// Observations per base tick, by which steps are found; a tick has a whole number of them. 0 in files of older
    /// versions, whose base ticks are their ticks.
    #[serde(default)]
    pub(crate) base: usize,
    /// The number of ticks learned from.
    pub ticks: usize,
    /// How many independent stretches the frames are worth, by the slowest tenth of the features. 0 in files of older
    /// versions.
    #[serde(default)]
    pub effective: f64,
    /// What is weak about the reference, in words. Empty if it represents its scene.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak: Vec<String>,
    /// The longest run of equal frames.
    pub(crate) longest_still: u64,
    /// What is normal of each feature, by name. A feature that was not known is absent.
    pub features: BTreeMap<String, Normal>,
    /// The scene that frames are compared with. None in files of versions that did not know it: what needs it is then
    /// not watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scene: Option<Scene>,
    /// The digest of the model whose predictions were learned. Empty if none were, or if the model has no digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) model: String,
    /// The class labels of class features, and the field names of field features.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) names: BTreeMap<String, String>,
    /// How often the model's result changed.
    #[serde(default, rename = "words", skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<ChangeRate>,
    /// What is normal of the model's embeddings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) embedding: Option<EmbeddingNormal>,
    /// The mean time between two observations, if frames had timestamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observation_ns: Option<u64>,
    /// Features that changed while they were learned, as ADWIN finds. What was learned of them is a mixture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsteady: Vec<String>,
    /// What is normal of windows and sums. None if there are too few ticks, or before the bootstrap is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<SlowNormal>,
}

/// Why a text is not a reference that a meter can use.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The text is not JSON, or lacks what a reference has.
    #[error("this is no drift reference: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("its schema is '{0}', and this version reads '{SCHEMA}'")]
    Schema(String),
    /// The numbers of this feature make no sense.
    #[error("feature '{0}' has a mean, σ or tail that cannot be used: learn it anew")]
    Feature(String),
    /// A length is zero.
    #[error("tick and subsample must be at least 1: learn it anew")]
    Zero,
    /// A tick is no whole number of base ticks.
    #[error("'base' is {base} and 'tick' is {tick}, which is no multiple of it: learn it anew")]
    Base {
        /// Observations per base tick.
        base: usize,
        /// Observations per tick.
        tick: usize,
    },
    /// The numbers of the embedding make no sense.
    #[error("'embedding' holds numbers that cannot be used: learn it anew")]
    Embedding,
    /// The numbers of the scene make no sense.
    #[error("'scene' holds numbers that cannot be used: learn it anew")]
    Scene,
    /// The numbers of the windows make no sense.
    #[error("'slow' holds numbers that cannot be used: learn it anew")]
    Slow,
}

impl Reference {
    /// Reads the text of a reference file.
    pub fn from_json(text: &str) -> Result<Self, ReferenceError> {
        let reference: Self = andon_core::json::read(text)?;
        reference.check()?;
        Ok(reference)
    }

    /// Refuses numbers that a meter cannot use.
    pub(crate) fn check(&self) -> Result<(), ReferenceError> {
        if self.schema != SCHEMA {
            return Err(ReferenceError::Schema(self.schema.clone()));
        }
        let sound = |n: &Normal| {
            [n.mean, n.spread, n.lag_1, n.effective, n.steps[0], n.steps[1]].iter().all(|v| v.is_finite())
                && n.sigma > 0.0
                && n.tail > 0.0
        };
        if let Some((name, _)) = self.features.iter().find(|(_, n)| !sound(n)) {
            return Err(ReferenceError::Feature(name.clone()));
        }
        if self.tick == 0 || self.subsample == 0 {
            return Err(ReferenceError::Zero);
        }
        if self.base > 0 && !self.tick.is_multiple_of(self.base) {
            return Err(ReferenceError::Base { base: self.base, tick: self.tick });
        }
        if self.embedding.as_ref().is_some_and(|normal| !normal.sound()) {
            return Err(ReferenceError::Embedding);
        }
        if self.scene.as_ref().is_some_and(|scene| !scene.sound()) {
            return Err(ReferenceError::Scene);
        }
        if self.slow.as_ref().is_some_and(|slow| !slow.sound()) {
            return Err(ReferenceError::Slow);
        }
        Ok(())
    }

    /// Observations per base tick, by which steps are found; a tick has a whole number of them.
    pub fn base_tick(&self) -> usize {
        if self.base > 0 { self.base } else { self.tick }
    }

    /// Returns the limit of steps by the score.
    pub(crate) fn limit(&self, score: f64) -> Limit {
        let base_ticks = self.tick / self.base_tick();
        Limit::new(score, base_ticks, (self.ticks * base_ticks) as f64, self.effective)
    }

    /// Fills in what a file of an older version lacks: how much its frames are worth, by how ticks resemble one another, and
    /// limits as wide as that says.
    pub(crate) fn complete(&mut self) {
        if self.effective > 0.0 {
            return;
        }
        let mut lags: Vec<_> = self.features.values().map(|n| n.lag_1.clamp(0.0, 0.95)).collect();
        lags.sort_unstable_by(f64::total_cmp);
        let slowest = lags.get(lags.len() * 9 / 10).copied().unwrap_or(0.0);
        self.effective = (self.ticks as f64 * (1.0 - slowest) / (1.0 + slowest)).max(1.0);
        let base_ticks = (self.tick / self.base_tick()) as f64;
        for (feature, spec) in SPECS.iter().enumerate() {
            if let Some(normal) = self.features.get_mut(spec.name) {
                normal.complete(feature, base_ticks, self.effective);
            }
        }
        self.weak = vec![format!(
            "an older version made it, which did not ask whether it represents its scene: its {} frames are taken for {:.0} \
             independent stretches",
            self.frames, self.effective
        )];
    }

    /// Returns the text of a reference file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with string keys always serialises")
    }

    /// Returns whether the reference was learned from frames like this one.
    pub(crate) fn fits(&self, image: &Image) -> bool {
        self.frame == [image.width, image.height] && self.format == format_name(image.format)
    }

    /// Returns the features in the order of a row.
    pub(crate) fn normals(&self) -> [Option<Normal>; COUNT] {
        std::array::from_fn(|i| self.features.get(SPECS[i].name).copied())
    }
}

/// Returns the name of a format in reference files.
pub(crate) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Gray8 => "gray8",
        Format::Rgb => "rgb",
        Format::Bgr => "bgr",
        // Alpha is ignored.
        Format::Rgbx | Format::Rgba => "rgbx",
        Format::Bgrx | Format::Bgra => "bgrx",
        Format::Xrgb | Format::Argb => "xrgb",
        Format::Xbgr | Format::Abgr => "xbgr",
        Format::Gray16Le => "gray16-le",
        Format::Gray16Be => "gray16-be",
        Format::Gray10Le32 => "gray10-le32",
        Format::Rgbp => "rgbp",
        Format::Nv12 => "nv12",
        Format::Nv21 => "nv21",
        Format::Yuy2 => "yuy2",
        Format::Uyvy => "uyvy",
        Format::I420 => "i420",
        Format::Yvyu => "yvyu",
        Format::Yv12 => "yv12",
        Format::Y42b => "y42b",
        Format::Y444 => "y444",
        Format::Nv16 => "nv16",
        Format::Nv61 => "nv61",
        Format::Ayuv => "ayuv",
        Format::P010 => "p010",
        Format::I420p10 => "i420-10",
        Format::Rgb16 => "rgb16",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{learner::Learner, normal::tests::ar};

    #[test]
    fn a_reference_comes_back_from_its_file_and_a_broken_one_says_what_is_wrong() {
        let mut learner = Learner::new(20);
        for row in ar(0.0, 40, 9) {
            learner.frames += 1;
            learner.add(row);
        }
        assert!(learner.look().is_some());
        let reference = learner.finish(&Image::gray8(&[0; 64], 8, 8).unwrap(), 4);
        let read = Reference::from_json(&reference.to_json()).unwrap();
        assert_eq!((&read.scene, read.tick, read.frame), (&reference.scene, reference.tick, [8, 8]));
        let [read, written] = [&read, &reference].map(|r| r.features["luma"]);
        assert!((read.mean - written.mean).abs() < 1e-12 && (read.sigma - written.sigma).abs() < 1e-12);
        let other = reference.to_json().replace(SCHEMA, "andon.reference/9");
        assert!(Reference::from_json(&other).unwrap_err().to_string().contains("andon.reference/9"));
        let mut poisoned = reference.clone();
        poisoned.features.get_mut("luma").unwrap().sigma = 0.0;
        assert!(Reference::from_json(&poisoned.to_json()).unwrap_err().to_string().contains("'luma'"));
        assert!(Reference::from_json("{").unwrap_err().to_string().contains("no drift reference"));
    }
}
