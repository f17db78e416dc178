// SPDX-License-Identifier: MPL-2.0
//! The property `stats`.

use andon_statistics::{detector::Calibration, meter::Stamp};

use super::frames::State;

/// Returns the statistics of a stopped element.
pub(super) fn stopped() -> gst::Structure {
    gst::Structure::new_empty("driftmeter-stats")
}

/// Returns the counts, and a structure for each feature of the latest frame's reference.
pub(super) fn stats(state: &State, lost: u64) -> gst::Structure {
    let (counts, status) = (state.bank.counts(), state.bank.status());
    let latest = state.bank.latest();
    let (learned, wanted) = latest.and_then(|m| m.progress()).unwrap_or_default();
    let (relearned, rewanted) = latest.and_then(|m| m.relearning()).unwrap_or_default();
    let mut stats = gst::Structure::builder("driftmeter-stats")
        .field("state", status.state.as_str())
        .field("cause", status.cause_str())
        .field("since-frame", status.since_frame)
        .field("frames", counts.measured)
        .field("ticks", counts.ticks)
        .field("alarms", counts.alarms)
        .field("learned-frames", learned as u64)
        .field("wanted-frames", wanted as u64)
        .field("relearned-ticks", relearned as u64)
        .field("wanted-ticks", rewanted as u64)
        .field("references", state.bank.meters().filter(|m| m.reference().is_some()).count() as u64)
        .field("not-production", state.not_production)
        .field("not-measured", state.not_measured)
        .field("too-small", counts.too_small)
        .field("black-not-learned", counts.black_not_learned)
        .field("unreadable", state.unreadable)
        .field("results-lost", lost)
        .field("keys-left-out", state.bank.left_out())
        .build();
    let Some(report) = latest.map(|m| m.report(Stamp::default())) else { return stats };
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
