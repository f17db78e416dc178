// SPDX-License-Identifier: MPL-2.0
//! The features of a frame: their names, their order in a row, and how large a change matters.

/// Mean luma, 0..1 from black to white.
pub(crate) const LUMA: usize = 0;
/// Standard deviation of luma (RMS contrast), 0..1.
pub(crate) const CONTRAST: usize = 1;
/// Share of red in the sum of mean red, green and blue; unknown for grey frames.
pub(crate) const RED: usize = 2;
/// Share of green.
pub(crate) const GREEN: usize = 3;
/// Share of blue.
pub(crate) const BLUE: usize = 4;
/// RMS of the Laplacian over the RMS contrast: falls with blur, and does not depend on the light.
pub(crate) const SHARPNESS: usize = 5;
/// Noise σ of luma away from edges, by Immerkær's operator, 0..1.
pub(crate) const NOISE: usize = 6;
/// Share of pixels at black.
pub(crate) const CLIPPED_LOW: usize = 7;
/// Share of pixels at white.
pub(crate) const CLIPPED_HIGH: usize = 8;
/// Pixels by which the scene lies to the right of the reference's.
pub(crate) const SHIFT_X: usize = 9;
/// Pixels by which the scene lies below the reference's.
pub(crate) const SHIFT_Y: usize = 10;
/// Correlation of the scene's fixed patches with the frame where they fit best: the median, at most 1.
pub(crate) const MATCH: usize = 11;
/// The first of [`GRID_CELLS`] mean lumas, row by row, 0..1.
pub(crate) const GRID: usize = 12;
/// Cells of the brightness grid, four by four.
pub(crate) const GRID_CELLS: usize = 16;
/// How much brighter than the scene all of the frame is: what three quarters of the cells share of ln(luma / the scene's).
pub(crate) const LIGHT: usize = GRID + GRID_CELLS;
/// How much more contrast than the scene's the frame has: the median over cells of ln(σ of luma / the scene's).
pub(crate) const LOCAL_CONTRAST: usize = LIGHT + 1;
/// How much sharper than the scene the frame is: the median over cells of the ln of RMS Laplacian over contrast, less the
/// scene's.
pub(crate) const DETAIL: usize = LIGHT + 2;
/// How much noisier than the scene the frame is: the median over cells of ln(noise / the scene's).
pub(crate) const GRAIN: usize = LIGHT + 3;
/// What red has more of than the scene's light and contrast explain: the median over cells, as a share of luma.
pub(crate) const TINT_RED: usize = LIGHT + 4;
/// The same of blue.
pub(crate) const TINT_BLUE: usize = LIGHT + 5;
/// How much brighter the right half is than the left, compared with the scene: the difference of the halves of a row of
/// cells that nearly all rows share.
pub(crate) const SLOPE_X: usize = LIGHT + 6;
/// The same of the lower half and the upper.
pub(crate) const SLOPE_Y: usize = LIGHT + 7;
/// Share of cells that do not show what the scene shows there, whatever the light.
pub(crate) const COVERED: usize = LIGHT + 8;
/// Degrees by which the scene is turned, clockwise.
pub(crate) const ROTATION: usize = LIGHT + 9;
/// ln of the luma below which 95 of 100 pixels lie.
pub(crate) const WHITE_LEVEL: usize = LIGHT + 10;
/// Score of the best detection, or the deciding score of a result without detections, 0..1.
pub(crate) const TOP_SCORE: usize = WHITE_LEVEL + 1;
/// Detections per frame.
pub(crate) const DETECTIONS: usize = TOP_SCORE + 1;
/// Share of frames judged ng.
pub(crate) const NG_SHARE: usize = TOP_SCORE + 2;
/// Share of frames with the verdict review.
pub(crate) const REVIEW_SHARE: usize = TOP_SCORE + 3;
/// √ of a box's share of the frame, mean over a frame's boxes; unknown without boxes.
pub(crate) const BOX_SIZE: usize = TOP_SCORE + 4;
/// Score of an anomaly model for the whole image, 0..1 by the model's own normalisation.
pub(crate) const ANOMALY: usize = TOP_SCORE + 5;
/// MMD² between the model's embeddings and the reference's, 0..2: see [`embedding`](super::embedding).
pub(crate) const EMBEDDING: usize = TOP_SCORE + 6;
/// The first of [`CLASSES`]: detections per frame of the class with this index. For a classifier, 1 if the class is the
/// best one.
pub(crate) const CLASS: usize = TOP_SCORE + 7;
/// Classes with a feature of their own; the last one counts all further classes too.
pub(crate) const CLASSES: usize = 8;
/// Share of frames that a model could not judge because of its inputs: a missing field, or a number that is not finite.
pub(crate) const MISSING: usize = CLASS + CLASSES;
/// The first of [`FIELDS`] numbers that the model gets beside the image.
pub(crate) const FIELD: usize = MISSING + 1;
/// Fields with a feature of their own; further fields are not watched.
pub(crate) const FIELDS: usize = 8;
/// Features in a row.
pub(crate) const COUNT: usize = FIELD + FIELDS;
/// The features of the model, not of the image: they start over with another model.
pub(crate) const OF_MODEL: std::ops::Range<usize> = TOP_SCORE..COUNT;

/// One value for each feature, in the order of the features. NaN means unknown, and is not counted.
pub type Row = [f64; COUNT];

/// A row without a known value.
pub(crate) const UNKNOWN: Row = [f64::NAN; COUNT];

/// A feature's name and the smallest change worth an alarm, however significant a smaller one may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// The name in messages, statistics and reference files.
    pub name: &'static str,
    /// The smallest change that matters, in the feature's unit.
    pub absolute: f64,
    /// The smallest change that matters, as a share of the reference's mean. The larger of both limits holds.
    pub relative: f64,
    /// Whether the feature is a median over the whole frame, which an object that passes does not move.
    pub global: bool,
}

impl Spec {
    /// Returns the smallest change around `mean` that matters, in the feature's unit.
    pub(crate) fn relevant(&self, mean: f64) -> f64 {
        self.absolute.max(self.relative * mean.abs())
    }

    /// Returns the lower limit of σ: a quarter of the smallest change that matters, which for luma is about the
    /// quantisation noise of eight bits. A still scene has no σ of its own.
    pub(crate) fn least_sigma(&self, mean: f64) -> f64 {
        self.relevant(mean) / 4.0
    }
}

const fn spec(name: &'static str, absolute: f64, relative: f64) -> Spec {
    Spec { name, absolute, relative, global: false }
}

const fn global(name: &'static str, absolute: f64) -> Spec {
    Spec { name, absolute, relative: 0.0, global: true }
}

const fn cell(name: &'static str) -> Spec {
    spec(name, 0.008, 0.04)
}

const fn class(name: &'static str) -> Spec {
    spec(name, 0.1, 0.25)
}

/// The unit of a field is unknown, so only a share of its mean can say what matters.
const fn field(name: &'static str) -> Spec {
    spec(name, 1e-6, 0.05)
}

/// All features, in the order of a [`Row`].
pub(crate) const SPECS: [Spec; COUNT] = [
    spec("luma", 0.004, 0.02),
    spec("contrast", 0.004, 0.05),
    spec("red", 0.006, 0.0),
    spec("green", 0.006, 0.0),
    spec("blue", 0.006, 0.0),
    spec("sharpness", 0.01, 0.10),
    spec("noise", 0.002, 0.25),
    spec("clipped-low", 0.01, 0.0),
    spec("clipped-high", 0.01, 0.0),
    global("shift-x", 0.75),
    global("shift-y", 0.75),
    global("match", 0.08),
    cell("grid-00"),
    cell("grid-01"),
    cell("grid-02"),
    cell("grid-03"),
    cell("grid-10"),
    cell("grid-11"),
    cell("grid-12"),
    cell("grid-13"),
    cell("grid-20"),
    cell("grid-21"),
    cell("grid-22"),
    cell("grid-23"),
    cell("grid-30"),
    cell("grid-31"),
    cell("grid-32"),
    cell("grid-33"),
    global("light", 0.02),
    global("local-contrast", 0.05),
    spec("detail", 0.12, 0.0),
    global("grain", 0.2),
    global("tint-red", 0.02),
    global("tint-blue", 0.02),
    spec("slope-x", 0.12, 0.0),
    spec("slope-y", 0.12, 0.0),
    spec("covered", 0.04, 0.0),
    global("rotation", 0.4),
    global("white-level", 0.03),
    spec("top-score", 0.1, 0.0),
    spec("detections", 0.25, 0.25),
    spec("ng-share", 0.15, 0.0),
    spec("review-share", 0.15, 0.0),
    spec("box-size", 0.01, 0.15),
    spec("anomaly", 0.05, 0.1),
    spec("embedding", 0.03, 0.0),
    class("class-0"),
    class("class-1"),
    class("class-2"),
    class("class-3"),
    class("class-4"),
    class("class-5"),
    class("class-6"),
    class("class-7"),
    spec("missing-share", 0.05, 0.0),
    field("field-0"),
    field("field-1"),
    field("field-2"),
    field("field-3"),
    field("field-4"),
    field("field-5"),
    field("field-6"),
    field("field-7"),
];

/// The mean of rows, each feature over the rows that know it: one part, or one tick.
#[derive(Clone, Debug)]
pub(crate) struct RowMean {
    sums: Row,
    counts: [u32; COUNT],
    /// The number of rows added.
    pub rows: u32,
}

impl Default for RowMean {
    fn default() -> Self {
        Self { sums: [0.0; COUNT], counts: [0; COUNT], rows: 0 }
    }
}

impl RowMean {
    /// Adds a row. Values that are not finite are left out.
    pub(crate) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for (i, v) in row.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            self.sums[i] += v;
            self.counts[i] += 1;
        }
    }

    /// Forgets the sums of some features.
    pub(crate) fn forget(&mut self, features: std::ops::Range<usize>) {
        self.sums[features.clone()].fill(0.0);
        self.counts[features].fill(0);
    }

    /// Returns the means, and starts over.
    pub(crate) fn take(&mut self) -> Row {
        let mut row = UNKNOWN;
        for (i, v) in row.iter_mut().enumerate().filter(|(i, _)| self.counts[*i] > 0) {
            *v = self.sums[i] / f64::from(self.counts[i]);
        }
        *self = Self::default();
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_where_its_constant_says() {
        let index = |name| SPECS.iter().position(|s| s.name == name);
        for (name, at) in [
            ("luma", LUMA),
            ("noise", NOISE),
            ("match", MATCH),
            ("grid-00", GRID),
            ("light", LIGHT),
            ("rotation", ROTATION),
            ("white-level", WHITE_LEVEL),
            ("ng-share", NG_SHARE),
            ("class-0", CLASS),
            ("missing-share", MISSING),
            ("field-7", COUNT - 1),
        ] {
            assert_eq!(index(name), Some(at));
        }
        assert_eq!(index("grid-33"), Some(GRID + GRID_CELLS - 1));
    }

    #[test]
    fn values_that_are_not_finite_are_left_out_of_means() {
        let mut mean = RowMean::default();
        for luma in [1.0, f64::NAN, 3.0, f64::INFINITY] {
            let mut row = UNKNOWN;
            row[LUMA] = luma;
            mean.add(&row);
        }
        let row = mean.take();
        assert_eq!(row[LUMA], 2.0);
        assert!(row[CONTRAST].is_nan());
    }
}
