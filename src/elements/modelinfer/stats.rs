// SPDX-License-Identifier: MPL-2.0
//! The counters of one element, and the property `stats` made of them.

use std::{collections::BTreeMap, sync::Arc};

use andon_core::result::{Inference, ModelId, Status, Tally};

use super::{
    exchange::Loading,
    judge::{Done, Plan},
    messages::label_of,
    skip::Skip,
};

/// The number of latencies that the percentiles are taken from.
const RECENT: usize = 1024;

/// What `stats` does not count but looks up.
#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    /// The model that a rollback leads to.
    pub standby: Option<Arc<ModelId>>,
    /// How far the latest request has come.
    pub loading: Loading,
    /// What is amiss with the alias that is followed; empty if nothing is.
    pub alias_problem: String,
    /// Parts until the new version has proved itself; 0 if none is on probation.
    pub probation_left: u64,
    /// Frames in work, including those that wait for their turn to leave.
    pub in_flight: usize,
    /// Elements that use the session; 1 if it is not shared.
    pub session_users: usize,
    /// Frames that were judged in batches, and the runs that they took, of all elements of the share.
    pub batches: (u64, u64),
    /// The bits that samples of 16-bit grey were seen to have.
    pub bits_seen: u32,
    /// What has no thread now; empty if all have theirs.
    pub without_thread: String,
    /// Events that were refused.
    pub events_refused: u64,
}

/// Counts since the element was made or since the last `reset()`. A stop loses none.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    /// Frames.
    frames: u64,
    /// Frames by [`Status`], in the order of its variants.
    by_status: [u64; 5],
    /// Skipped frames by [`Skip`], in the order of its variants.
    skipped: [u64; Skip::COUNT],
    /// Upstream boxes that the model looked at.
    regions: u64,
    /// Upstream boxes that show nothing of the frame: too small, beyond its edge, or not a number.
    regions_empty: u64,
    /// Upstream boxes beyond `max-detections`.
    regions_over: u64,
    /// Frames whose pixels could not be mapped.
    unmappable: u64,
    /// Threads for frames in work, and for a model to load on, that the system did not give.
    pub threads_refused: u64,
    /// Loads, looks at an alias and records in a store that did not end and were left behind.
    pub loads_abandoned: u64,
    /// Models that came to run by a swap.
    pub swaps: u64,
    /// Models that could not be loaded.
    pub swaps_failed: u64,
    /// How often the alias could not be followed.
    pub alias_problems: u64,
    /// Times that the model before came to run again.
    pub rollbacks: u64,
    /// The last latencies of judged frames, µs, as a ring.
    recent: Vec<u32>,
    /// Frames that the engine ran.
    runs: u64,
    /// Sum of their latencies, µs.
    total_us: u64,
    /// The longest, µs.
    max_us: u64,
    /// The model that runs, or that ran before a stop.
    pub model: Option<Arc<ModelId>>,
    /// The provider that runs it; empty after a stop.
    pub provider: Arc<str>,
    /// The providers that are preferred to it, each with the reason why it was not taken.
    pub fallbacks: Vec<String>,
    /// What was assumed of a bare file because nothing says it.
    pub assumed: Vec<String>,
}

impl Stats {
    /// Counts one frame.
    pub(super) fn add_frame(&mut self, inference: &Inference, done: &Done) {
        self.add(inference);
        match (&done.work.plan, inference.status) {
            (Plan::Skip(skip), _) => self.skipped[*skip as usize] += 1,
            // Only a second stage learns this late that there is nothing to look at.
            (Plan::Judge(..), Status::Skipped) => self.skipped[Skip::Upstream as usize] += 1,
            _ => {}
        }
        self.unmappable += u64::from(done.unmappable);
        if let Some(regions) = &done.regions {
            self.regions += regions.seen;
            self.regions_empty += regions.empty;
            self.regions_over += regions.over;
        }
    }

    fn add(&mut self, inference: &Inference) {
        self.frames += 1;
        self.by_status[inference.status as usize] += 1;
        if inference.latency_us == 0 {
            return;
        }
        let us = inference.latency_us;
        if self.recent.len() < RECENT {
            self.recent.reserve_exact(RECENT - self.recent.len());
            self.recent.push(us.min(u32::MAX.into()) as u32);
        } else {
            self.recent[self.runs as usize % RECENT] = us.min(u32::MAX.into()) as u32;
        }
        self.runs += 1;
        self.total_us += us;
        self.max_us = self.max_us.max(us);
    }

    /// Counts from zero again. What runs stays.
    pub(super) fn reset(&mut self) {
        let Self { model, provider, fallbacks, assumed, .. } = std::mem::take(self);
        *self = Self { model, provider, fallbacks, assumed, ..Self::default() };
    }

    /// Returns the value of the property `stats`.
    pub(super) fn structure(&self, tally: &Tally, now: &Now) -> gst::Structure {
        let mut recent = self.recent.clone();
        recent.sort_unstable();
        let quantile = |q: usize| recent.get((recent.len() * q / 100).min(recent.len().saturating_sub(1))).copied();
        let count = |status: Status| self.by_status[status as usize];
        let model = self.model.clone().unwrap_or_default();
        let hours = tally.hours.iter().map(|h| {
            gst::Structure::builder("hour")
                .field("hour", h.hour)
                .field("judged", h.judged)
                .field("ng", h.ng)
                .field("unjudged", h.unjudged)
                .build()
        });
        let mut s = gst::Structure::builder("andon/stats")
            .field("frames", self.frames)
            .field("frames-ok", count(Status::Ok))
            .field("frames-skipped", count(Status::Skipped))
            .field("frames-error", count(Status::Error))
            .field("frames-missing-field", count(Status::MissingField))
            .field("frames-non-finite", count(Status::NonFinite))
            .field("frames-unmappable", self.unmappable)
            .field("events-refused", now.events_refused)
            .field("threads-refused", self.threads_refused)
            .field("alias-problem", &now.alias_problem)
            .field("alias-problems", self.alias_problems)
            .field("without-thread", &now.without_thread)
            .field("parts-ok", tally.ok)
            .field("parts-ng", tally.ng)
            .field("parts-review", tally.review)
            .field("parts-unjudged", tally.unjudged)
            .field("parts-untold", tally.untold)
            .field("parts-not-production", tally.not_production)
            .field("ng-by-class", counts("classes", &tally.ng_by_class))
            .field("ng-by-other-class", tally.ng_by_other_class)
            .field("ng-by-sku", counts("skus", &tally.ng_by_sku))
            .field("ng-by-other-sku", tally.ng_by_other_sku)
            .field("hours", gst::Array::new(hours))
            .field("latency-us-mean", self.total_us.checked_div(self.runs).unwrap_or(0))
            .field("latency-us-p50", u64::from(quantile(50).unwrap_or(0)))
            .field("latency-us-p99", u64::from(quantile(99).unwrap_or(0)))
            .field("latency-us-max", self.max_us)
            .field("model-name", &model.name)
            .field("model-version", &model.version)
            .field("model-digest", &model.digest)
            .field("swaps", self.swaps)
            .field("swaps-failed", self.swaps_failed)
            .field("loads-abandoned", self.loads_abandoned)
            .field("load-state", now.loading.as_str())
            .field("rollbacks", self.rollbacks)
            .field("active", self.model.as_deref().map(label_of).unwrap_or_default())
            .field("standby", now.standby.as_deref().map(label_of).unwrap_or_default())
            .field("rollback-possible", now.standby.is_some())
            .field("probation-left", now.probation_left)
            .field("provider", &*self.provider)
            .field("provider-fallbacks", gst::Array::new(&self.fallbacks))
            .field("assumed", gst::Array::new(&self.assumed))
            .field("in-flight", now.in_flight as u64)
            .field("session-users", now.session_users as u64)
            .field("batches", now.batches.1)
            .field("batch-fill", now.batches.0 as f64 / now.batches.1.max(1) as f64)
            .field("bits-seen", u64::from(now.bits_seen))
            .field("regions", self.regions)
            .field("regions-empty", self.regions_empty)
            .field("regions-over", self.regions_over)
            .build();
        for skip in Skip::ALL {
            s.set(skip.counter(), self.skipped[skip as usize]);
        }
        s
    }
}

fn counts(name: &str, counts: &BTreeMap<String, u64>) -> gst::Structure {
    let mut s = gst::Structure::new_empty(name);
    for (key, n) in counts {
        s.set(key.as_str(), *n);
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame};

    #[test]
    fn frames_are_counted_by_status_and_latency_only_where_the_model_ran() {
        gst::init().unwrap();
        let mut stats = Stats::default();
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [8, 8]);
        for us in 1..=2000 {
            i.latency_us = us;
            stats.add(&i);
        }
        i.latency_us = 0;
        i.status = Status::Skipped;
        stats.add(&i);
        let s = stats.structure(&Tally::default(), &Now::default());
        let get = |name| s.get::<u64>(name).unwrap();
        assert_eq!((get("frames"), get("frames-ok"), get("frames-skipped")), (2001, 2000, 1));
        assert_eq!((get("latency-us-max"), get("latency-us-mean")), (2000, 1000));
        assert_eq!(get("latency-us-p50"), 977 + 512, "of the last 1024");
        stats.reset();
        assert_eq!(stats.structure(&Tally::default(), &Now::default()).get::<u64>("frames").unwrap(), 0);
    }
}
