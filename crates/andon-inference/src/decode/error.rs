// SPDX-License-Identifier: MPL-2.0
//! Why the outputs of a model cannot be decoded.

/// Why the outputs of a model cannot be decoded. Each text says what to correct.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The graph lacks the first output of the manifest.
    #[error("the graph has no output '{0}': correct outputs[0].name in model.json")]
    NoOutput(String),
    /// The graph lacks an output of a role that the decoder needs.
    #[error("the graph has no output for the {0}: name it in outputs of model.json, with \"role\": \"{0}\"")]
    NoRole(String),
    /// An anomaly model has none of anomalib's outputs.
    #[error(
        "the graph has none of the outputs 'pred_score', 'anomaly_map' and 'pred_label': the decoder anomalib needs one \
         of them"
    )]
    NoAnomaly,
    /// An output has a shape that the decoder does not read.
    #[error("output '{output}' has shape {shape:?}, {needed}")]
    Shape {
        /// The output's name.
        output: String,
        /// Its shape.
        shape: Vec<i64>,
        /// The shape that is needed, and what to correct.
        needed: String,
    },
    /// The candidates of a YOLOX model do not cover its grids.
    #[error(
        "output '{output}' has {candidates} candidates, grids of strides 8, 16 and 32 have {cells} at {width}×{height}: \
         set outputs[0].grid to false in model.json if its boxes are in pixels, or correct inputs[0].size"
    )]
    Grid {
        /// The output's name.
        output: String,
        /// Candidates in the output.
        candidates: usize,
        /// Cells of the three grids.
        cells: usize,
        /// Width of the model's input, pixels.
        width: usize,
        /// Height of the model's input, pixels.
        height: usize,
    },
    /// A pixel has a label without a name.
    #[error("output '{output}' names a label beyond the {labels} of outputs[0].labels: add it")]
    Label {
        /// The output's name.
        output: String,
        /// How many labels have names.
        labels: usize,
    },
}
