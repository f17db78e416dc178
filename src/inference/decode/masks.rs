// SPDX-License-Identifier: MPL-2.0
//! Masks of single things, kept at the resolution that the model gives them in.

use std::sync::Arc;

use super::{boxes::to_frame, nms::Candidate, outputs::View};
use crate::{inference::preprocess::Mapping, result::Mask};

/// Where the masks of candidates come from.
pub(super) enum Prototypes<'a> {
    /// Prototypes (1, K, h, w), and for each candidate K weights: a pixel belongs to it where the weighted sum is
    /// positive (Bolya et al., "YOLACT", 2019: the sigmoid is above one half), within its box.
    Weighted {
        /// The prototypes.
        planes: &'a View<'a>,
        /// Weight `k` of candidate `i` lies at `from + i * step + k * stride`.
        weights: &'a [f32],
        /// Of the first candidate's first weight.
        from: usize,
        /// From candidate to candidate.
        step: usize,
        /// From weight to weight.
        stride: usize,
    },
    /// A map of logits for each query: (1, N, h, w).
    Own(&'a View<'a>),
}

/// Count, rows, columns of (1, K, h, w).
fn planes(view: &View<'_>) -> Result<[usize; 3], String> {
    match *view.shape {
        [1, k, h, w] if k > 0 && h > 0 && w > 0 => Ok([k as usize, h as usize, w as usize]),
        ref shape => Err(format!("output '{}' has shape {shape:?}, masks need [1, K, h, w]", view.name)),
    }
}

impl<'a> Prototypes<'a> {
    /// How many weights a candidate has for the prototypes in `view`.
    pub fn count(view: &View<'_>) -> Result<usize, String> {
        planes(view).map(|[k, ..]| k)
    }

    /// A map a query.
    pub fn own(view: &'a View<'a>) -> Result<Self, String> {
        planes(view).map(|_| Self::Own(view))
    }

    /// The mask of one candidate: of weighted prototypes the part within its box, else the whole map.
    pub fn mask(&self, c: &Candidate, mapping: &Mapping) -> Option<Arc<Mask>> {
        let view = match self {
            Self::Weighted { planes, .. } | Self::Own(planes) => planes,
        };
        let [count, rows, columns] = planes(view).ok()?;
        let cell = [mapping.model[0] as f32 / columns as f32, mapping.model[1] as f32 / rows as f32];
        let (mut left, mut top, mut right, mut bottom) = (0, 0, columns, rows);
        if let Self::Weighted { .. } = self {
            // A cell belongs to the box where its index is not below the one edge and below the other.
            let edge = |v: f32, most: usize| (v.ceil().max(0.0) as usize).min(most);
            (left, right) = (edge(c.bbox[0] / cell[0], columns), edge((c.bbox[0] + c.bbox[2]) / cell[0], columns));
            (top, bottom) = (edge(c.bbox[1] / cell[1], rows), edge((c.bbox[1] + c.bbox[3]) / cell[1], rows));
        }
        if left >= right || top >= bottom {
            return None;
        }
        let mut values = vec![0u8; (right - left) * (bottom - top)];
        for (y, row) in (top..bottom).zip(values.chunks_exact_mut(right - left)) {
            for (x, value) in (left..right).zip(row) {
                let at = y * columns + x;
                let logit = match self {
                    Self::Own(view) => view.data[c.index as usize * rows * columns + at],
                    Self::Weighted { planes, weights, from, step, stride } => (0..count)
                        .map(|k| {
                            weights[from + c.index as usize * step + k * stride] * planes.data[k * rows * columns + at]
                        })
                        .sum(),
                };
                *value = u8::from(logit > 0.0);
            }
        }
        let corner = |x: usize, y: usize| to_frame(mapping, [x as f32 * cell[0], y as f32 * cell[1]]);
        let ([x0, y0], [x1, y1]) = (corner(left, top), corner(right, bottom));
        let region = [x0, y0, x1 - x0, y1 - y0];
        let (width, height) = ((right - left) as u32, (bottom - top) as u32);
        Some(Arc::new(Mask { width, height, region, values: values.into() }))
    }
}
