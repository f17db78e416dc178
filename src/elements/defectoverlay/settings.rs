// SPDX-License-Identifier: MPL-2.0
//! The properties: what is drawn.

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Thickness of the lines of boxes, pixels; 0 chooses by the size of the frame.
    pub line_width: u32,
    /// Label and score at each box.
    pub labels: bool,
    /// The band with the verdicts.
    pub band: bool,
    /// The truth, if the source knows it.
    pub truth: bool,
    /// Anomaly maps.
    pub heat: bool,
    /// Masks of detections, and the labels of a segmentation.
    pub masks: bool,
    /// The legend, if there is more than one arm.
    pub legend: bool,
    /// Marks on boxes that only one of two arms found.
    pub marks: bool,
    /// The state of the driftmeter upstream, unless nothing is off.
    pub drift: bool,
    /// Bits of a sample of 16-bit grey; 0 as the caps say.
    pub bits: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            line_width: 0,
            labels: true,
            band: true,
            truth: false,
            heat: true,
            masks: true,
            legend: true,
            marks: true,
            drift: true,
            bits: 0,
        }
    }
}
