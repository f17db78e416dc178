// SPDX-License-Identifier: MPL-2.0
//! Masks of detections, in the resolution of the model.

use std::sync::Arc;

use andon_core::result::Mask;

use super::{error::DecodeError, geometry::point_to_frame, nms::Candidate, outputs::View};
use crate::preprocess::Mapping;

/// The source of the masks of candidates.
pub(super) enum Prototypes<'a> {
    /// Prototypes (1, K, h, w), and for each candidate K weights: a pixel belongs to it if the weighted sum is
    /// positive (Bolya et al., "YOLACT", 2019: the sigmoid is above one half), within its box.
    Weighted {
        /// The prototypes.
        planes: &'a View<'a>,
        /// Weight `k` of candidate `i` lies at `from + i * step + k * stride`.
        weights: &'a [f32],
        /// The index of the first candidate's first weight.
        from: usize,
        /// The distance from candidate to candidate.
        step: usize,
        /// The distance from weight to weight.
        stride: usize,
    },
    /// A map of logits for each query: (1, N, h, w).
    Own(&'a View<'a>),
    /// A map of probabilities for each box, (1, N, h, w) or (N, 1, h, w): of the model's input, or of the box alone.
    OfBoxes {
        /// The maps.
        planes: &'a View<'a>,
        /// Whether each covers its box alone.
        boxed: bool,
    },
}

/// Count, rows and columns of (1, K, h, w).
fn planes(view: &View<'_>) -> Result<[usize; 3], DecodeError> {
    match *view.shape {
        [1, k, h, w] | [k, 1, h, w] if k > 0 && h > 0 && w > 0 => Ok([k as usize, h as usize, w as usize]),
        _ => Err(view.misshaped("masks need [1, K, h, w]")),
    }
}

impl<'a> Prototypes<'a> {
    /// The number of weights that a candidate has for the prototypes in `view`.
    pub(super) fn count(view: &View<'_>) -> Result<usize, DecodeError> {
        planes(view).map(|[k, ..]| k)
    }

    /// One map a query.
    pub(super) fn own(view: &'a View<'a>) -> Result<Self, DecodeError> {
        planes(view).map(|_| Self::Own(view))
    }

    /// One map for each of `n` boxes: of the whole input if it has its size (torchvision, mmdeploy), else of the box
    /// (TensorFlow, mmdeploy without its last step).
    pub(super) fn of_boxes(view: &'a View<'a>, n: usize, mapping: &Mapping) -> Result<Self, DecodeError> {
        match *view.shape {
            [1, k, h, w] | [k, 1, h, w] if k as usize == n => {
                Ok(Self::OfBoxes { planes: view, boxed: [w, h] != mapping.model.map(|v| v as i64) })
            }
            _ => Err(view.misshaped(format!("masks of {n} boxes need [1, {n}, h, w] or [{n}, 1, h, w]"))),
        }
    }

    /// The mask of one candidate: of weighted prototypes the part within its box, otherwise the whole map. `None` if the
    /// box holds no cell. `sums` is scratch space.
    pub(super) fn mask(&self, c: &Candidate, mapping: &Mapping, sums: &mut Vec<f32>) -> Option<Arc<Mask>> {
        let view = match self {
            Self::Weighted { planes, .. } | Self::Own(planes) | Self::OfBoxes { planes, .. } => planes,
        };
        let [count, rows, columns] = planes(view).ok()?;
        let cell = [mapping.model[0] as f32 / columns as f32, mapping.model[1] as f32 / rows as f32];
        let (mut left, mut top, mut right, mut bottom) = (0, 0, columns, rows);
        if let Self::Weighted { .. } = self {
            // A cell belongs to the box if its index is at least the one edge and below the other.
            let edge = |v: f32, most: usize| (v.ceil().max(0.0) as usize).min(most);
            (left, right) = (edge(c.bbox[0] / cell[0], columns), edge((c.bbox[0] + c.bbox[2]) / cell[0], columns));
            (top, bottom) = (edge(c.bbox[1] / cell[1], rows), edge((c.bbox[1] + c.bbox[3]) / cell[1], rows));
        }
        if left >= right || top >= bottom {
            return None;
        }
        let least = if matches!(self, Self::OfBoxes { .. }) { 0.5 } else { 0.0 };
        // Written before it is shared, so that there is one allocation.
        let mut values: Arc<[u8]> = std::iter::repeat_n(0, (right - left) * (bottom - top)).collect();
        let cells = Arc::get_mut(&mut values).expect("it is not shared yet");
        for (y, row) in (top..bottom).zip(cells.chunks_exact_mut(right - left)) {
            let part = |plane: usize| &view.data[(plane * rows + y) * columns..][left..right];
            let logits = match self {
                Self::Own(_) | Self::OfBoxes { .. } => part(c.index as usize),
                Self::Weighted { weights, from, step, stride, .. } => {
                    sums.clear();
                    sums.resize(right - left, 0.0);
                    // Plane by plane, so that memory is read in order.
                    for plane in 0..count {
                        let weight = weights[from + c.index as usize * step + plane * stride];
                        sums.iter_mut().zip(part(plane)).for_each(|(sum, v)| *sum += weight * v);
                    }
                    &sums[..]
                }
            };
            row.iter_mut().zip(logits).for_each(|(cell, logit)| *cell = u8::from(*logit > least));
        }
        let corner = |x: usize, y: usize| point_to_frame(mapping, [x as f32 * cell[0], y as f32 * cell[1]]);
        let ([x0, y0], [x1, y1]) = match self {
            Self::OfBoxes { boxed: true, .. } => {
                let [x, y, w, h] = c.bbox;
                (point_to_frame(mapping, [x, y]), point_to_frame(mapping, [x + w, y + h]))
            }
            _ => (corner(left, top), corner(right, bottom)),
        };
        let region = [x0, y0, x1 - x0, y1 - y0];
        let (width, height) = ((right - left) as u32, (bottom - top) as u32);
        Some(Arc::new(Mask { width, height, region, values }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of 8×8 over a frame of 16×16.
    const MAPPING: Mapping = Mapping { frame: [16, 16], model: [8, 8], offset: [0.0; 2], scale: [0.5; 2] };

    fn candidate(index: u32, bbox: [f32; 4]) -> Candidate {
        Candidate { class: 0, score: 0.9, bbox, angle: 0.0, index }
    }

    fn view<'a>(shape: &'a [i64], data: &'a [f32]) -> View<'a> {
        View { name: "protos", shape, data, integer: false }
    }

    /// Two prototypes of 4×4: column, row.
    fn planes_of_four() -> Vec<f32> {
        (0..16).map(|i| (i % 4) as f32).chain((0..16).map(|i| (i / 4) as f32)).collect()
    }

    #[test]
    fn a_mask_is_the_weighted_sum_within_its_box() {
        let data = planes_of_four();
        let planes = view(&[1, 2, 4, 4], &data);
        // Two candidates, weights side by side: the first says column - row.
        let weights = [1.0, 0.0, -1.0, 0.0];
        let p = Prototypes::Weighted { planes: &planes, weights: &weights, from: 0, step: 1, stride: 2 };
        let mask = p.mask(&candidate(0, [1.0, 0.0, 7.0, 4.0]), &MAPPING, &mut Vec::new()).unwrap();
        // A cell is two pixels of the model: columns 1 to 3, rows 0 and 1.
        assert_eq!((mask.width, mask.height, &*mask.values), (3, 2, &[1, 1, 1, 0, 1, 1][..]));
        assert_eq!(mask.region, [4.0, 0.0, 12.0, 8.0], "a cell is four pixels of the frame");
    }

    #[test]
    fn a_query_has_a_map_of_its_own() {
        let data = planes_of_four();
        let planes = view(&[1, 2, 4, 4], &data);
        let p = Prototypes::own(&planes).unwrap();
        let mask = p.mask(&candidate(1, [0.0, 0.0, 2.0, 2.0]), &MAPPING, &mut Vec::new()).unwrap();
        assert_eq!((&mask.values[..5], mask.region), (&[0, 0, 0, 0, 1][..], [0.0, 0.0, 16.0, 16.0]));
    }

    #[test]
    fn a_box_between_two_cells_has_no_mask() {
        let data = planes_of_four();
        let planes = view(&[1, 2, 4, 4], &data);
        let p = Prototypes::Weighted { planes: &planes, weights: &[1.0, 1.0], from: 0, step: 2, stride: 1 };
        assert!(p.mask(&candidate(0, [0.5, 0.5, 1.0, 1.0]), &MAPPING, &mut Vec::new()).is_none());
    }

    #[test]
    fn what_is_no_stack_of_maps_is_told_what_masks_need() {
        let e = Prototypes::count(&view(&[32, 4, 4], &[])).unwrap_err().to_string();
        assert!(e.contains("[32, 4, 4]") && e.contains("[1, K, h, w]"), "{e}");
    }
}
