// SPDX-License-Identifier: MPL-2.0
//! From a model's numbers to scores of 0..1.

use andon_model::Activation;

/// How far beyond 0..1 a score may lie: what rounding to half precision explains.
pub(super) const SLACK: f32 = 0.01;

/// Returns whether `v` can be a score.
pub(super) fn probable(v: f32) -> bool {
    (-SLACK..=1.0 + SLACK).contains(&v)
}

/// The score of one logit that stands alone.
pub(super) fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

/// The best label of a row of numbers, one a label from number `first` up to number `end`, and its score. With softmax all
/// numbers of the row count, also those outside of `first..end`.
pub(super) fn best(row: &[f32], first: usize, end: usize, activation: Activation) -> Option<(u32, f32)> {
    let named = &row[first..end];
    let best = named.iter().fold(f32::MIN, |best, v| if *v > best { *v } else { best });
    // Of equal ones the first.
    let class = named.iter().position(|v| *v == best)?;
    let score = match activation {
        Activation::None => best,
        Activation::Sigmoid => sigmoid(best),
        Activation::Softmax => {
            let top = row.iter().copied().fold(f32::MIN, f32::max);
            (best - top).exp() / row.iter().map(|v| (v - top).exp()).sum::<f32>()
        }
    };
    Some((class as u32, score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_label_has_the_score_that_its_activation_makes() {
        let row = [2f32.ln(), 0.0, 5f32.ln(), 0.0];
        for (first, end, activation, wanted) in [
            (0, 4, Activation::None, (2, 5f32.ln())),
            (0, 4, Activation::Sigmoid, (2, 5.0 / 6.0)),
            (0, 4, Activation::Softmax, (2, 5.0 / 9.0)),
            // A background before, or a "no object" behind, counts in the sum and is no label.
            (1, 4, Activation::Softmax, (1, 5.0 / 9.0)),
            (0, 2, Activation::Softmax, (0, 2.0 / 9.0)),
        ] {
            let (class, score) = best(&row, first, end, activation).unwrap();
            assert!(
                class == wanted.0 && (score - wanted.1).abs() < 1e-6,
                "{first}..{end} {activation:?}: {class} {score}"
            );
        }
        assert_eq!(best(&[0.5, 0.5], 0, 2, Activation::None), Some((0, 0.5)));
        assert_eq!(best(&[], 0, 0, Activation::None), None);
    }
}
