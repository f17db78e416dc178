// SPDX-License-Identifier: MPL-2.0
//! The units of properties.

/// The unit of a property that is a number.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// The element; empty for a property that means the same in every element that has it.
    pub element: &'static str,
    /// The property.
    pub property: &'static str,
    /// The unit.
    pub unit: &'static str,
}

impl Unit {
    /// Returns whether it is the unit of that property.
    pub fn is_of(&self, element: &str, property: &str) -> bool {
        self.property == property && (self.element.is_empty() || self.element == element)
    }
}

const fn unit(element: &'static str, property: &'static str, unit: &'static str) -> Unit {
    Unit { element, property, unit }
}

/// The unit of every property that is a number, by element.
pub const UNITS: &[Unit] = &[
    unit("", "bits", "bits"),
    unit("", "tai-offset", "s"),
    unit("abjoin", "alpha", "probability"),
    unit("abjoin", "deadline", "ns"),
    unit("abjoin", "escape-cost", "any, as `overkill-cost`"),
    unit("abjoin", "label-rate", "share of parts"),
    unit("abjoin", "label-rate-agree", "share of parts"),
    unit("abjoin", "max-escape-increase", "share of bad parts"),
    unit("abjoin", "max-ng-difference", "share of parts"),
    unit("abjoin", "max-overkill-increase", "share of good parts"),
    unit("abjoin", "overkill-cost", "any, as `escape-cost`"),
    unit("abjoin", "report-interval", "ns"),
    unit("abjoin", "wait", "ns"),
    unit("abtee", "max-queue", "frames"),
    unit("abtee", "ramp-frames", "frames"),
    unit("abtee", "weight", "share of parts"),
    unit("defectoverlay", "line-width", "pixels"),
    unit("defecttestsrc", "blur", "pixels"),
    unit("defecttestsrc", "contrast", "factor"),
    unit("defecttestsrc", "defect-rate", "share of parts"),
    unit("defecttestsrc", "illumination", "factor"),
    unit("defecttestsrc", "noise", "grey levels"),
    unit("defecttestsrc", "seed", "none"),
    unit("defecttestsrc", "shift-x", "pixels"),
    unit("defecttestsrc", "shift-y", "pixels"),
    unit("defecttestsrc", "speed", "pixels"),
    unit("defecttestsrc", "views", "frames"),
    unit("driftmeter", "expected-run-length", "parts"),
    unit("driftmeter", "expected-run-time", "ns"),
    unit("driftmeter", "learn-frames", "frames"),
    unit("driftmeter", "report-interval", "ns"),
    unit("driftmeter", "subsample", "rows"),
    unit("framesampler", "auto-pre-roll", "frames"),
    unit("framesampler", "drain-timeout", "ns"),
    unit("framesampler", "drift-frames", "frames"),
    unit("framesampler", "every", "frames"),
    unit("framesampler", "jpeg-quality", "percent"),
    unit("framesampler", "max-age", "ns"),
    unit("framesampler", "max-bytes", "bytes"),
    unit("framesampler", "max-queue", "frames"),
    unit("framesampler", "max-total-bytes", "bytes"),
    unit("framesampler", "min-distance", "bits"),
    unit("framesampler", "min-free", "bytes"),
    unit("framesampler", "post-roll", "frames"),
    unit("framesampler", "pre-roll", "frames"),
    unit("framesampler", "random-rate", "share of parts"),
    unit("modelinfer", "batch-size", "frames"),
    unit("modelinfer", "batch-timeout", "ns"),
    unit("modelinfer", "deadline", "ns"),
    unit("modelinfer", "in-flight", "frames"),
    unit("modelinfer", "interval", "frames"),
    unit("modelinfer", "iou-threshold", "0..1"),
    unit("modelinfer", "load-timeout", "ns"),
    unit("modelinfer", "max-detections", "detections"),
    unit("modelinfer", "max-rate", "frames a second"),
    unit("modelinfer", "part-deadline", "ns"),
    unit("modelinfer", "probation", "parts"),
    unit("modelinfer", "score-threshold", "0..1"),
    unit("modelinfer", "threads", "threads"),
];
