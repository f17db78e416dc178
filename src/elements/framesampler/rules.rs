// SPDX-License-Identifier: MPL-2.0
//! The settings as the streaming thread reads them, and what of a frame they make a reason to capture it.

use std::{sync::Arc, time::Duration};

use andon_capture::{
    Encoder, Encoding, FieldCondition, Hits, Policy, PolicyError, Quota, ScoreBand, disagree, drawn, unjudged,
};
use andon_core::result::{Fields, Frame, Inference, Status, Verdict};

use super::settings::{Format, Settings};

/// The settings, read and checked.
pub(super) struct Rules {
    /// The policy of the sampler.
    pub policy: Policy,
    /// Capture frames whose deciding arm calls them ng.
    on_ng: bool,
    /// Capture frames with a score in this band.
    near: Option<ScoreBand>,
    /// Capture frames that were not judged.
    on_unjudged: bool,
    /// Capture frames that meet one of these conditions.
    when: Vec<FieldCondition>,
    /// Share of the parts that chance captures.
    random_rate: f64,
    /// Capture frames when the stream drifts.
    pub on_drift: bool,
    /// Frames captured then.
    pub drift_frames: u32,
    /// Copy every frame that is held.
    pub deep_copy: bool,
    /// Bits of a sample of 16-bit grey; 0 as the caps say.
    pub bits: u32,
}

impl Rules {
    /// Reads the settings of an element. The error names the property that makes no sense, and says how to write it.
    pub fn new(settings: &Settings, element: Arc<str>) -> Result<Self, PolicyError> {
        let encoding = match settings.format {
            Format::Png => Encoding::Png,
            Format::Jpeg => Encoding::Jpeg(settings.jpeg_quality as u8),
            Format::Raw => Encoding::Raw,
        };
        let policy = Policy {
            folder: settings.location.as_deref().filter(|l| !l.as_os_str().is_empty()).map(Arc::from),
            element,
            ring_frames: settings.pre_roll as usize,
            ring_bytes: usize::try_from(settings.max_bytes).unwrap_or(usize::MAX),
            most_queued: settings.max_queue as usize,
            pre: settings.auto_pre_roll,
            post: settings.post_roll,
            on_disagreement: settings.on_disagreement,
            every: settings.every,
            budgets: settings.budgets.parse()?,
            encoder: Arc::new(Encoder::new(encoding, settings.mask.parse()?)?),
            min_distance: settings.min_distance,
            quota: Quota {
                max_total: settings.max_total_bytes,
                max_age: Duration::from_nanos(settings.max_age),
                min_free: settings.min_free,
            },
        };
        let near = (!settings.near.trim().is_empty()).then(|| settings.near.parse()).transpose()?;
        let when = FieldCondition::list(&settings.when)?;
        let Settings { on_ng, on_unjudged, on_drift, drift_frames, deep_copy, random_rate, bits, .. } = *settings;
        Ok(Self { policy, on_ng, near, on_unjudged, when, random_rate, on_drift, drift_frames, deep_copy, bits })
    }

    /// Returns whether a trigger other than chance and the action is on.
    pub fn has_triggers(&self) -> bool {
        let Self { on_ng, near, on_unjudged, when, on_drift, policy, .. } = self;
        let any = *on_ng || *on_unjudged || *on_drift || near.is_some() || !when.is_empty();
        any || policy.on_disagreement || policy.every > 0
    }

    /// Returns the reasons that a frame gives to capture it. `read` returns what decides the frame, and what the other arm
    /// says of it; it is called only if a rule needs that.
    pub fn hits(
        &self,
        frame: &Frame,
        fields: &Fields,
        read: impl Fn() -> (Option<Arc<Inference>>, Option<Arc<Inference>>),
    ) -> Hits {
        let on_disagreement = self.policy.on_disagreement;
        let needs_results = self.on_ng || self.on_unjudged || self.near.is_some() || on_disagreement;
        let (a, b) = if needs_results { read() } else { (None, None) };
        let (a, b) = (a.as_deref(), b.as_deref());
        Hits {
            ng: self.on_ng && a.is_some_and(|i| i.status == Status::Ok && i.verdict == Verdict::Ng),
            disagreement: on_disagreement && a.zip(b).is_some_and(|(a, b)| disagree(a, b)),
            near: a.is_some_and(|i| self.near.is_some_and(|band| band.holds(i))),
            unjudged: self.on_unjudged && [a, b].into_iter().flatten().any(unjudged),
            field: self.when.iter().any(|c| c.holds(fields)),
            random: self.policy.folder.is_some() && drawn(frame, self.random_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::Arm;

    use super::super::settings::Format;

    fn hits(settings: &Settings, results: [Option<Inference>; 2]) -> Hits {
        let [a, b] = results.map(|i| i.map(Arc::new));
        let rules = Rules::new(settings, "s".into()).unwrap();
        rules.hits(&Frame::new(None), &Fields::default(), || (a.clone(), b.clone()))
    }

    fn result(arm: Arm, verdict: Verdict, status: Status) -> Option<Inference> {
        Some(Inference { verdict, status, ..Inference::new("m".into(), arm, &Frame::new(None), [8, 8]) })
    }

    #[test]
    fn a_model_that_failed_on_either_arm_is_a_reason() {
        let settings = Settings { on_unjudged: true, ..Settings::default() };
        let fine = || result(Arm::A, Verdict::Ok, Status::Ok);
        for (b, kept) in
            [(Status::Ok, false), (Status::Skipped, false), (Status::Error, true), (Status::NonFinite, true)]
        {
            assert_eq!(hits(&settings, [fine(), result(Arm::B, Verdict::Ok, b)]).unjudged, kept, "{b:?}");
        }
        assert!(hits(&settings, [result(Arm::A, Verdict::Unjudged, Status::MissingField), None]).unjudged);
        assert!(!hits(&settings, [None, None]).unjudged, "there is no model");
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named() {
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            Rules::new(&settings, "s".into()).err().unwrap().to_string()
        };
        assert!(wrong(|s| s.near = "half".into()).starts_with("near: "));
        assert!(wrong(|s| s.when = "hot".into()).starts_with("when: "));
        assert!(wrong(|s| s.budgets = "ng".into()).starts_with("budgets: "));
        assert!(wrong(|s| s.mask = "0,0".into()).starts_with("mask: "));
        assert!(wrong(|s| (s.mask, s.format) = ("0,0 1,0 1,1".into(), Format::Raw)).contains("png or jpeg"));
    }
}
