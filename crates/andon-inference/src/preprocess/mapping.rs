// SPDX-License-Identifier: MPL-2.0
//! The place of the frame in the model's input, and the way back.

use andon_core::result::BoxPx;
use andon_model::{Align, Input, Resize, Rounding};

/// The place of the frame in the model's input, both in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mapping {
    /// Width and height of the frame.
    pub frame: [u32; 2],
    /// Width and height of the model's input.
    pub model: [u32; 2],
    /// The place of the frame's top left corner in the model's input. It lies outside if a region or a crop cuts it off.
    pub offset: [f32; 2],
    /// Pixels of the model's input for each pixel of the frame, across and down.
    pub scale: [f32; 2],
}

/// What a manifest says of the frame's place in an image input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Placing {
    pub resize: Resize,
    pub align: Align,
    pub rounding: Rounding,
    pub shorter_side: Option<u32>,
}

impl From<&Input> for Placing {
    fn from(input: &Input) -> Self {
        let Input { resize, align, rounding, shorter_side, .. } = *input;
        Self { resize, align, rounding, shorter_side }
    }
}

impl Placing {
    fn whole(&self, v: f64) -> usize {
        // As Python's `round` and `int`, with the same quotients before: the authors' own code gives the same pixels.
        let v = if self.rounding == Rounding::Down { v.floor() } else { v.round_ties_even() };
        v as usize
    }

    /// The samples that axis `i` of what is `seen` (width, height) is resized to, for a model's size.
    fn resized(&self, i: usize, seen: [f64; 2], model: [usize; 2]) -> usize {
        let fit = [0, 1].map(|i| model[i] as f64 / seen[i]);
        match (self.resize, self.shorter_side) {
            (Resize::Stretch, _) => model[i],
            (Resize::Letterbox, _) => self.whole(seen[i] * fit[0].min(fit[1])).clamp(1, model[i]),
            (Resize::Crop, None) => self.whole(seen[i] * fit[0].max(fit[1])).max(model[i]),
            (Resize::Crop, Some(n)) => {
                let shorter = seen[0].min(seen[1]);
                ((f64::from(n) * seen[i] / shorter).floor() as usize).max(1)
            }
        }
    }

    /// How many of `resized` samples are cut off before those that are kept, and the place of these in the model's input.
    fn place(&self, resized: usize, model: usize) -> (usize, usize) {
        let over = resized.saturating_sub(model);
        let cut = if self.shorter_side.is_some() { self.whole(over as f64 / 2.0) } else { over / 2 };
        let free = model.saturating_sub(resized);
        (cut, if self.align == Align::TopLeft { 0 } else { free / 2 })
    }
}

/// One axis of the way from the frame to the model's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// The first pixel of the frame that counts, and how many pixels count, with fractions.
    pub start: f64,
    pub length: f64,
    /// Whether the whole frame counts.
    pub whole: bool,
    /// The samples that the length is resized to.
    pub resized: usize,
    /// How many samples are cut off before those that are kept.
    pub cut: usize,
    /// How many samples are kept.
    pub count: usize,
    /// The place of the first kept sample in the model's input.
    pub place: usize,
}

impl Mapping {
    /// The way from `region` of the frame to the model's size. `None` is the whole frame; a region is clipped to the frame,
    /// and at least one pixel wide and high.
    pub(super) fn new(
        frame: [usize; 2],
        region: Option<BoxPx>,
        model: [usize; 2],
        placing: Placing,
    ) -> (Self, [Axis; 2]) {
        let seen = [0, 1].map(|i| visible(region.map(|r| [r[i], r[i + 2]]), frame[i] as f64));
        let axes = [0, 1].map(|i| {
            let (start, length) = seen[i];
            let resized = placing.resized(i, seen.map(|s| s.1), model);
            let count = resized.min(model[i]);
            let (cut, place) = placing.place(resized, model[i]);
            Axis { start, length, whole: length == frame[i] as f64, resized, cut, count, place }
        });
        let scale = axes.map(|a| a.resized as f64 / a.length);
        let mapping = Self {
            frame: frame.map(|v| v as u32),
            model: model.map(|v| v as u32),
            offset: [0, 1].map(|i| (axes[i].place as f64 - axes[i].cut as f64 - axes[i].start * scale[i]) as f32),
            scale: scale.map(|v| v as f32),
        };
        (mapping, axes)
    }

    /// Maps a box from its corners in the model's input (left, top, right, bottom) to pixels of the frame, clipped to the
    /// frame.
    pub(crate) fn to_frame(self, corners: [f32; 4]) -> BoxPx {
        let back =
            |v: f32, axis: usize| ((v - self.offset[axis]) / self.scale[axis]).clamp(0.0, self.frame[axis] as f32);
        let (x, y) = (back(corners[0], 0), back(corners[1], 1));
        [x, y, back(corners[2], 0) - x, back(corners[3], 1) - y]
    }

    /// The region that the model's input covers, in pixels of the frame. A letterbox reaches beyond the frame.
    pub fn region(&self) -> BoxPx {
        let at = |axis: usize| -self.offset[axis] / self.scale[axis];
        let long = |axis: usize| self.model[axis] as f32 / self.scale[axis];
        [at(0), at(1), long(0), long(1)]
    }
}

/// Clips a start and a length to 0..`all`, at least 1 long. With a number that is not finite, everything counts.
fn visible(side: Option<[f32; 2]>, all: f64) -> (f64, f64) {
    let Some([start, length]) = side.filter(|s| s.iter().all(|v| v.is_finite())) else { return (0.0, all) };
    let from = f64::from(start).clamp(0.0, all);
    let to = (f64::from(start) + f64::from(length)).clamp(0.0, all);
    if to - from >= 1.0 {
        return (from, to - from);
    }
    (((from + to) / 2.0 - 0.5).clamp(0.0, all - 1.0), 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(resize: Resize) -> Placing {
        Placing { resize, ..Placing::default() }
    }

    #[test]
    fn a_letterbox_is_centred_and_maps_back_exactly() {
        let (m, axes) = Mapping::new([1280, 720], None, [640, 640], of(Resize::Letterbox));
        assert_eq!(axes.map(|a| (a.count, a.place)), [(640, 0), (360, 140)]);
        assert_eq!(m.to_frame([10.0, 150.0, 30.0, 190.0]), [20.0, 20.0, 40.0, 80.0]);
        assert_eq!(m.to_frame([-5.0, 0.0, 700.0, 640.0]), [0.0, 0.0, 1280.0, 720.0], "clipped to the frame");
        assert_eq!(m.region(), [0.0, -280.0, 1280.0, 1280.0]);
    }

    #[test]
    fn a_crop_cuts_the_longer_side_in_the_middle_and_maps_back_exactly() {
        let (m, axes) = Mapping::new([1280, 720], None, [360, 360], of(Resize::Crop));
        assert_eq!(axes.map(|a| (a.resized, a.cut, a.count, a.place)), [(640, 140, 360, 0), (360, 0, 360, 0)]);
        assert_eq!(m.to_frame([0.0, 0.0, 360.0, 360.0]), [280.0, 0.0, 720.0, 720.0]);
    }

    #[test]
    fn boxes_found_in_a_region_are_boxes_of_the_frame() {
        for resize in [Resize::Stretch, Resize::Letterbox, Resize::Crop] {
            let (m, _) = Mapping::new([1280, 720], Some([100.0, 50.0, 64.0, 64.0]), [128, 128], of(resize));
            assert_eq!(m.to_frame([0.0, 0.0, 128.0, 64.0]), [100.0, 50.0, 64.0, 32.0], "{resize:?}");
        }
    }

    #[test]
    fn a_region_that_is_empty_outside_or_no_number_still_shows_a_pixel_of_the_frame() {
        for region in [
            [5.0, 5.0, 0.0, 0.0],
            [-50.0, -50.0, 10.0, 10.0],
            [99.0, 99.0, 1e9, 1e9],
            [40.0, 40.0, -7.0, 3.0],
            [f32::NAN, 0.0, 3.0, 3.0],
            [0.0, 0.0, f32::INFINITY, 3.0],
        ] {
            let (m, axes) = Mapping::new([64, 48], Some(region), [8, 8], of(Resize::Letterbox));
            for (a, all) in axes.iter().zip([64.0, 48.0]) {
                assert!(a.start >= 0.0 && a.length >= 1.0 && a.start + a.length <= all, "{region:?}: {a:?}");
            }
            assert!(m.to_frame([0.0, 0.0, 8.0, 8.0]).iter().all(|v| v.is_finite()));
        }
    }

    #[test]
    fn a_frame_a_thousand_times_wider_than_high_keeps_a_row() {
        let (_, axes) = Mapping::new([10_000, 1], None, [64, 64], of(Resize::Letterbox));
        assert_eq!(axes.map(|a| a.count), [64, 1]);
    }
}
