// SPDX-License-Identifier: MPL-2.0
//! Why the outputs of a model cannot be decoded.

/// What to write where logits are read as scores.
const ACTIVATE: &str =
    "set outputs[0].activation in model.json to \"sigmoid\", or to \"softmax\" if labels exclude each other";

/// Why the outputs of a model cannot be decoded. Each text says what to correct.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
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
         of them, or outputs of model.json that say which are theirs, with \"role\": \"scores\", \"map\" or \"labels\""
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
    /// A pixel, or a detection with a score from the threshold on, has a label without a name.
    #[error(
        "output '{output}' has label {number}, and outputs[0].labels has {labels} names, for labels 0 to {}: add the \
         missing names to outputs[0].labels of model.json or to the property labels, in the model's order; where the model's label 0 \
         is the background, write \"background\": true instead", .labels.saturating_sub(1)
    )]
    Label {
        /// The output's name.
        output: String,
        /// The label's number, less one if class 0 is the background.
        number: f32,
        /// How many labels have names.
        labels: usize,
    },
    /// What should be the number of a label is a fraction.
    #[error(
        "output '{output}' has {number} where the number of a label is read, which is no whole number: its columns or \
         outputs mean something else: correct outputs[].decoder or role in model.json"
    )]
    Fraction {
        /// The output's name.
        output: String,
        /// The number.
        number: f32,
    },
    /// Scores are above 1.
    #[error(
        "a score is {score}, beyond 0..1: if these are logits, {}; else correct outputs[0].decoder, labels or role in \
         model.json",
        if *.activates { ACTIVATE } else { "export the graph with the activation in it" }
    )]
    Beyond {
        /// The highest score.
        score: f32,
        /// Whether the decoder can apply an activation.
        activates: bool,
    },
    /// Integers stand where fractions are read.
    #[error(
        "output '{output}' holds integers where scores or boxes are read: say what they stand for, with \"quantisation\": \
         {{\"scale\": …, \"zero_point\": …}} of that output in model.json{hint}, or export the graph with float outputs"
    )]
    Integers {
        /// The output's name.
        output: String,
        /// The usual quantisation of its type.
        hint: &'static str,
    },
    /// A quantisation is given for an output of floats.
    #[error(
        "output '{0}' holds floats, and its quantisation in model.json is for integers: leave \"quantisation\" out, for \
         the graph has turned them into floats itself"
    )]
    NotQuantised(String),
    /// The numbers of a classifier may be scores or logits.
    #[error(
        "output '{output}' gives {numbers}, within 0..1{sum}: set outputs[0].activation in model.json: \"none\" if these \
         are {probabilities}, {logits}"
    )]
    Unclear {
        /// The output's name.
        output: String,
        /// The numbers.
        numbers: String,
        /// Their sum, if there are several.
        sum: String,
        /// What they are if they are scores.
        probabilities: &'static str,
        /// What to write if they are logits.
        logits: &'static str,
    },
    /// A number is read as a probability and is none.
    #[error(
        "output '{output}' holds {number}, beyond 0..1, {because}: set outputs[0].activation in model.json to {instead}"
    )]
    NoProbability {
        /// The output's name.
        output: String,
        /// The number.
        number: f32,
        /// Why it is read as a probability.
        because: &'static str,
        /// The activations that read it.
        instead: &'static str,
    },
    /// Scores of labels that are said to exclude each other add up to more than 1.
    #[error(
        "output '{output}' has scores that add up to {sum}, and the rule label-ok with activation \"none\" reads labels \
         that exclude each other, whose scores add up to 1: set verdict.rule in model.json to \"any-label\" if each label \
         stands alone, or outputs[0].activation to \"softmax\" if these are logits"
    )]
    Inclusive {
        /// The output's name.
        output: String,
        /// The sum.
        sum: f32,
    },
    /// A classifier has one label.
    #[error(
        "output '{output}' has one number and outputs[0].labels one name, which every frame would have: name both, the \
         label of low numbers first (as in good, bad); or use the rule any-label of model.json, with activation \"sigmoid\" \
         or \"none\""
    )]
    OneLabel {
        /// The output's name.
        output: String,
    },
    /// An anomaly score is beyond 0..1.
    #[error(
        "the anomaly score is {score}, beyond 0..1: it is one of the model's own: in model.json write the model's threshold \
         as thresholds.score (above 1), or outputs[0].normalisation with the threshold, min and max of its training; the \
         property score-threshold then counts with that threshold at 0.5"
    )]
    Anomaly {
        /// The score.
        score: f32,
    },
}
