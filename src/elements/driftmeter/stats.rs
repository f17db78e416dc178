// SPDX-License-Identifier: MPL-2.0
//! The property `stats`.

use andon_statistics::{
    detector::Calibration,
    meter::{DriftStatus, Meter, MeterCounts, Reading, Stamp},
};

use super::{frames::State, local_time::rfc3339, messages::write_facts};

/// Returns the statistics of a stopped element.
pub(super) fn stopped() -> gst::Structure {
    gst::Structure::new_empty("driftmeter-stats")
}

/// What the statistics are made of: numbers that are quickly copied while frames wait for the meters.
pub(super) struct Numbers {
    status: DriftStatus,
    counts: MeterCounts,
    /// Ticks relearned, and wanted.
    relearning: [usize; 2],
    references: usize,
    not_production: u64,
    not_measured: u64,
    unreadable: u64,
    left_out: u64,
    /// The meter of the latest frame.
    latest: Option<Reading>,
}

impl Numbers {
    /// Copies the numbers.
    pub(super) fn of(state: &State) -> Self {
        let bank = &state.bank;
        let latest = bank.latest();
        let (relearned, rewanted) = latest.and_then(Meter::relearning).unwrap_or_default();
        Self {
            status: bank.status(),
            counts: bank.counts(),
            relearning: [relearned, rewanted],
            references: bank.meters().filter(|m| m.reference().is_some()).count(),
            not_production: state.not_production,
            not_measured: state.not_measured,
            unreadable: state.unreadable,
            left_out: bank.left_out(),
            latest: latest.map(Meter::reading),
        }
    }

    /// Returns the counts, with the frames whose results were `lost` on the way, the events that were `refused`, the bits that
    /// samples of 16-bit grey were seen to have, and a structure for each feature of the latest frame's reference.
    pub(super) fn structure(self, [lost, refused]: [u64; 2], bits_seen: u32) -> gst::Structure {
        let Self { status, counts, .. } = self;
        let [relearned, rewanted] = self.relearning.map(|n| n as u64);
        let mut stats = gst::Structure::builder("driftmeter-stats")
            .field("state", status.state.as_str())
            .field("cause", status.cause_str())
            .field("since-frame", status.since_frame)
            .field("frames", counts.measured)
            .field("ticks", counts.ticks)
            .field("alarms", counts.alarms)
            .field("relearned-ticks", relearned)
            .field("wanted-ticks", rewanted)
            .field("references", self.references as u64)
            .field("not-production", self.not_production)
            .field("not-measured", self.not_measured)
            .field("too-small", counts.too_small)
            .field("black-not-learned", counts.black_not_learned)
            .field("frozen-not-learned", counts.frozen_not_learned)
            .field("unreadable", self.unreadable)
            .field("results-lost", lost)
            .field("events-refused", refused)
            .field("keys-left-out", self.left_out)
            .field("bits-seen", u64::from(bits_seen))
            .build();
        let Some(mut report) = self.latest.map(|reading| reading.report(Stamp::default())) else { return stats };
        report.localise(rfc3339);
        write_facts(&mut stats, &report);
        stats.set("key", &*report.key);
        stats.set("model", &report.model);
        stats.set("observations-per-tick", report.tick as u64);
        stats.set("calibration", report.calibration.map_or("", Calibration::as_str));
        for f in report.features.iter().filter(|f| f.value.is_some() || f.reference.is_some()) {
            let mut feature = gst::Structure::new_empty("feature");
            if let Some(of) = &f.of {
                feature.set("of", &**of);
            }
            for (name, value) in f.numbers().into_iter().filter_map(|(name, v)| Some((name, v?))) {
                feature.set(name, value);
            }
            stats.set(&*f.name, feature);
        }
        stats
    }
}
