// SPDX-License-Identifier: MPL-2.0
//! What the user asked for, and what the streaming thread reads of it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use andon_capture::{Encoder, Encoding, FieldCondition, Hits, Policy, Quota, ScoreBand, disagree, drawn, unjudged};
use andon_core::result::{Fields, Frame, Inference, Status, Verdict};

pub(super) const DEFAULT_MAX_BYTES: u64 = 256 << 20;
pub(super) const DEFAULT_DRIFT_FRAMES: u32 = 10;
pub(super) const DEFAULT_MAX_QUEUE: u32 = 64;
pub(super) const DEFAULT_DRAIN_TIMEOUT: u64 = 10_000_000_000;
pub(super) const DEFAULT_RANDOM_RATE: f64 = 0.001;
pub(super) const DEFAULT_JPEG_QUALITY: u32 = 90;
pub(super) const DEFAULT_MIN_FREE: u64 = 100_000_000;

/// What captures are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonFrameSamplerFormat")]
pub enum Format {
    /// Nothing is lost.
    #[default]
    #[enum_value(name = "PNG, of 8 or 16 bits", nick = "png")]
    Png,
    /// Smaller.
    #[enum_value(name = "JPEG, of jpeg-quality", nick = "jpeg")]
    Jpeg,
    /// As it is.
    #[enum_value(name = "The frame's planes without gaps, as the caps in the sidecar say", nick = "raw")]
    Raw,
}

/// What the user asked for.
#[derive(Debug)]
pub(super) struct Settings {
    pub location: Option<PathBuf>,
    pub pre_roll: u32,
    pub max_bytes: u64,
    pub deep_copy: bool,
    pub auto_pre_roll: u32,
    pub post_roll: u32,
    pub on_ng: bool,
    pub on_disagreement: bool,
    pub on_drift: bool,
    pub drift_frames: u32,
    pub every: u32,
    pub max_queue: u32,
    pub drain_timeout: u64,
    pub near: String,
    pub on_unjudged: bool,
    pub when: String,
    pub random_rate: f64,
    pub budgets: String,
    pub format: Format,
    pub jpeg_quality: u32,
    pub mask: String,
    pub min_distance: u32,
    pub max_total_bytes: u64,
    pub max_age: u64,
    pub min_free: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            pre_roll: 0,
            max_bytes: DEFAULT_MAX_BYTES,
            deep_copy: false,
            auto_pre_roll: 0,
            post_roll: 0,
            on_ng: false,
            on_disagreement: false,
            on_drift: false,
            drift_frames: DEFAULT_DRIFT_FRAMES,
            every: 0,
            max_queue: DEFAULT_MAX_QUEUE,
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
            near: String::new(),
            on_unjudged: false,
            when: String::new(),
            random_rate: DEFAULT_RANDOM_RATE,
            budgets: String::new(),
            format: Format::default(),
            jpeg_quality: DEFAULT_JPEG_QUALITY,
            mask: String::new(),
            min_distance: 0,
            max_total_bytes: 0,
            max_age: 0,
            min_free: DEFAULT_MIN_FREE,
        }
    }
}

/// The settings as the streaming thread reads them.
pub(super) struct Orders {
    /// For the sampler.
    pub policy: Policy,
    /// Keep what arm a calls ng.
    on_ng: bool,
    /// Keep what is nearly so, or only just.
    near: Option<ScoreBand>,
    /// Keep what was not judged.
    on_unjudged: bool,
    /// Keep frames with such fields.
    when: Vec<FieldCondition>,
    /// Keep this share of all.
    random_rate: f64,
    /// Keep what drifts.
    pub on_drift: bool,
    /// So many frames of it.
    pub drift_frames: u32,
    /// Copy every frame that is held.
    pub deep_copy: bool,
}

impl Settings {
    /// The same for the streaming thread; the error says which property makes no sense, and how to write it.
    pub fn orders(&self, element: Arc<str>) -> Result<Orders, String> {
        let encoding = match self.format {
            Format::Png => Encoding::Png,
            Format::Jpeg => Encoding::Jpeg(self.jpeg_quality as u8),
            Format::Raw => Encoding::Raw,
        };
        let look = Encoder { encoding, mask: self.mask.parse()?, least_distance: self.min_distance };
        if look.encoding == Encoding::Raw && !look.mask.is_empty() {
            return Err("mask: raw files cannot be masked; set format to png or jpeg".into());
        }
        let policy = Policy {
            folder: self.location.as_deref().filter(|l| !l.as_os_str().is_empty()).map(Arc::from),
            element,
            ring_frames: self.pre_roll as usize,
            ring_bytes: usize::try_from(self.max_bytes).unwrap_or(usize::MAX),
            most_queued: self.max_queue as usize,
            pre: self.auto_pre_roll,
            post: self.post_roll,
            on_disagreement: self.on_disagreement,
            every: self.every,
            budgets: self.budgets.parse()?,
            look: Arc::new(look),
            quota: Quota {
                max_total: self.max_total_bytes,
                max_age: Duration::from_nanos(self.max_age),
                min_free: self.min_free,
            },
        };
        let near = (!self.near.trim().is_empty()).then(|| self.near.parse()).transpose()?;
        let when = FieldCondition::list(&self.when)?;
        let Self { on_ng, on_unjudged, on_drift, drift_frames, deep_copy, random_rate, .. } = *self;
        Ok(Orders { policy, on_ng, near, on_unjudged, when, random_rate, on_drift, drift_frames, deep_copy })
    }
}

impl Orders {
    /// Whether captures are asked for that come by themselves, chance aside.
    pub fn wants(&self) -> bool {
        let Self { on_ng, near, on_unjudged, when, on_drift, policy, .. } = self;
        let any = *on_ng || *on_unjudged || *on_drift || near.is_some() || !when.is_empty();
        any || policy.on_disagreement || policy.every > 0
    }

    /// What of a frame is reason to keep it. `a` and `b` answer what the arms said, and are asked where it matters.
    pub fn hits(
        &self,
        frame: &Frame,
        fields: &Fields,
        a: impl Fn() -> Option<Arc<Inference>>,
        b: impl Fn() -> Option<Arc<Inference>>,
    ) -> Hits {
        let on_disagreement = self.policy.on_disagreement;
        let first = if self.on_ng || self.on_unjudged || self.near.is_some() || on_disagreement { a() } else { None };
        let second = if self.on_unjudged || on_disagreement { b() } else { None };
        let said = first.as_deref();
        Hits {
            ng: self.on_ng && said.is_some_and(|i| i.status == Status::Ok && i.verdict == Verdict::Ng),
            disagreement: on_disagreement && said.zip(second.as_deref()).is_some_and(|(a, b)| disagree(a, b)),
            near: said.is_some_and(|i| self.near.is_some_and(|band| band.holds(i))),
            unjudged: self.on_unjudged && [said, second.as_deref()].into_iter().flatten().any(unjudged),
            field: self.when.iter().any(|c| c.holds(fields)),
            random: self.policy.folder.is_some() && drawn(frame, self.random_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::Arm;

    fn hits(settings: &Settings, said: [Option<Inference>; 2]) -> Hits {
        let [a, b] = said.map(|i| i.map(Arc::new));
        let orders = settings.orders("s".into()).unwrap();
        orders.hits(&Frame::new(None), &Fields::default(), || a.clone(), || b.clone())
    }

    fn said(arm: Arm, verdict: Verdict, status: Status) -> Option<Inference> {
        Some(Inference { verdict, status, ..Inference::new("m".into(), arm, &Frame::new(None), [8, 8]) })
    }

    #[test]
    fn a_model_that_failed_on_either_arm_is_a_reason() {
        let settings = Settings { on_unjudged: true, ..Settings::default() };
        let fine = || said(Arm::A, Verdict::Ok, Status::Ok);
        for (b, kept) in
            [(Status::Ok, false), (Status::Skipped, false), (Status::Error, true), (Status::NonFinite, true)]
        {
            assert_eq!(hits(&settings, [fine(), said(Arm::B, Verdict::Ok, b)]).unjudged, kept, "{b:?}");
        }
        assert!(hits(&settings, [said(Arm::A, Verdict::Unjudged, Status::MissingField), None]).unjudged);
        assert!(!hits(&settings, [None, None]).unjudged, "nobody was asked");
    }

    #[test]
    fn what_makes_no_sense_names_its_property() {
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.orders("s".into()).err().unwrap()
        };
        assert!(wrong(|s| s.near = "half".into()).starts_with("near: "));
        assert!(wrong(|s| s.when = "hot".into()).starts_with("when: "));
        assert!(wrong(|s| s.budgets = "ng".into()).starts_with("budgets: "));
        assert!(wrong(|s| s.mask = "0,0".into()).starts_with("mask: "));
        assert!(wrong(|s| (s.mask, s.format) = ("0,0 1,0 1,1".into(), Format::Raw)).contains("png or jpeg"));
    }
}
