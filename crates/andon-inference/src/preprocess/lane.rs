// SPDX-License-Identifier: MPL-2.0
//! A lane: components that share a plane and a resolution, resized together to the model's size, row by row.

use andon_core::image::{Component, Image};
use andon_model::Interpolation;

use super::{
    mapping::Axis,
    rows::{self, Pixel},
    taps::{Rule, Taps},
};

/// The tables and rows of one lane. The tables are kept until the geometry changes, and the memory for good.
#[derive(Debug, Default)]
pub(super) struct Lane {
    plane: usize,
    step: usize,
    bytes: usize,
    offsets: Vec<usize>,
    across: Taps,
    down: Taps,
    /// Whether samples are summed, for geometries and formats that the fast loops do not support.
    summed: bool,
    width: usize,
    /// The input rows that `ready` holds.
    rows: [usize; 2],
    /// Two input rows resized to the width, component after component.
    ready: [Vec<f32>; 2],
    /// The row between them.
    out: Vec<f32>,
    /// Whether the current row lies between two input rows.
    between: bool,
    /// Columns of the frame summed over rows: every byte of them, or the samples of one component that are no bytes.
    sums: Vec<f32>,
}

const NO_ROW: usize = usize::MAX;

impl Lane {
    /// Fills the tables for components of one plane and resolution, and for `axes` of the frame.
    pub(super) fn fill(
        &mut self,
        image: &Image<'_>,
        components: &[Component],
        axes: &[Axis; 2],
        interpolation: Interpolation,
    ) {
        let first = components[0];
        self.plane = first.plane;
        self.step = first.step;
        self.bytes = image.format.sample_bytes();
        self.offsets.clear();
        self.offsets.extend(components.iter().map(|c| c.offset));
        let samples = image.samples(&first);
        let halves = [first.half_width, first.half_height];
        let seen = [0, 1].map(|i| match (halves[i], axes[i].whole) {
            (false, _) => (axes[i].start, axes[i].length),
            // The chroma plane of an odd size has half a sample more: it is resized as it is.
            (true, true) => (0.0, samples[i] as f64),
            (true, false) => (axes[i].start / 2.0, (axes[i].length / 2.0).max(0.5)),
        });
        let grows = [0, 1].map(|i| axes[i].resized as f64 > seen[i].1);
        let same = [0, 1].map(|i| axes[i].resized as f64 == seen[i].1);
        let rule = match interpolation {
            Interpolation::Bilinear => Rule::Linear,
            Interpolation::Area if same == [true; 2] => Rule::Linear,
            Interpolation::Area if grows == [false; 2] => Rule::Area,
            Interpolation::Area => Rule::AreaGrowing,
            // Where nothing shrinks, the triangle is the line between two samples.
            Interpolation::Antialias if [0, 1].iter().all(|i| grows[*i] || same[*i]) => Rule::Linear,
            Interpolation::Antialias => Rule::Antialias,
        };
        self.summed = matches!(rule, Rule::Area | Rule::Antialias) || self.bytes == 2;
        self.across.fill(samples[0], seen[0], &axes[0], rule, self.summed);
        self.down.fill(samples[1], seen[1], &axes[1], rule, self.summed);
        self.width = axes[0].count;
        let row = self.width * components.len();
        self.ready.iter_mut().chain([&mut self.out]).for_each(|r| r.resize(row, 0.0));
        let (from, to) = self.across.reach();
        self.sums.resize((to - from) * if self.of_bytes() { self.step } else { 1 }, 0.0);
    }

    /// Forgets the rows of the last frame.
    pub(super) fn begin(&mut self) {
        self.rows = [NO_ROW; 2];
    }

    /// Computes output row `y`, which [`Lane::component`] then returns.
    #[inline(always)]
    pub(super) fn row(&mut self, image: &Image<'_>, y: usize) {
        if self.summed {
            return self.sum(image, y);
        }
        let tap = self.down.pairs[y];
        let at = tap.at as usize;
        if self.rows[0] != at && self.rows[1] == at {
            self.rows.swap(0, 1);
            self.ready.swap(0, 1);
        }
        self.load(0, image, at);
        self.between = tap.weight != 0.0;
        if self.between {
            self.load(1, image, at + 1);
            rows::between(&self.ready[0], &self.ready[1], tap.weight, &mut self.out);
        }
    }

    /// One component of the current row.
    #[inline(always)]
    pub(super) fn component(&self, c: usize) -> &[f32] {
        let row = if self.between { &self.out } else { &self.ready[0] };
        &row[c * self.width..][..self.width]
    }

    /// The fourth component of the current row, if the lane reads one.
    #[inline(always)]
    pub(super) fn alpha(&self) -> Option<&[f32]> {
        (self.offsets.len() > 3).then(|| self.component(3))
    }

    #[inline(always)]
    fn load(&mut self, slot: usize, image: &Image<'_>, y: usize) {
        if self.rows[slot] != y {
            self.rows[slot] = y;
            let row = image.planes[self.plane].row(y, image.plane_size(self.plane).0);
            let pixel = Pixel { step: self.step, offsets: &self.offsets };
            rows::resize(row, pixel, &self.across, &mut self.ready[slot]);
        }
    }

    /// Whether samples are bytes.
    #[inline(always)]
    fn of_bytes(&self) -> bool {
        self.bytes == 1
    }

    #[inline(always)]
    fn sum(&mut self, image: &Image<'_>, y: usize) {
        if self.of_bytes() {
            return self.sum_bytes(image, y);
        }
        self.between = false;
        let (first, _) = self.across.reach();
        let bytes = image.plane_size(self.plane).0;
        let span = self.down.spans[y];
        for (c, offset) in self.offsets.iter().enumerate() {
            self.sums.fill(0.0);
            for (row, weight) in (span.first as usize..).zip(self.down.of(&span)) {
                let row = &image.planes[self.plane].row(row, bytes)[first * self.step + offset..];
                rows::add(row, self.step, self.bytes, *weight, &mut self.sums);
            }
            let out = &mut self.ready[0][c * self.width..][..self.width];
            for (out, span) in out.iter_mut().zip(&self.across.spans) {
                let samples = &self.sums[span.first as usize - first..];
                let mut sum = 0.0;
                for (v, w) in samples.iter().zip(self.across.of(span)) {
                    sum += v * w;
                }
                *out = sum;
            }
        }
    }

    /// The same for bytes, interleaved or not: rows are summed as they lie, which takes wide instructions, and only then
    /// picked apart.
    #[inline(always)]
    fn sum_bytes(&mut self, image: &Image<'_>, y: usize) {
        self.between = false;
        let (first, _) = self.across.reach();
        let (bytes, step) = (image.plane_size(self.plane).0, self.step);
        let span = self.down.spans[y];
        self.sums.fill(0.0);
        let row = |row: usize| &image.planes[self.plane].row(row, bytes)[first * step..];
        let (fours, rest) = self.down.of(&span).as_chunks::<4>();
        let mut at = span.first as usize;
        for weights in fours {
            rows::add_four([0, 1, 2, 3].map(|i| row(at + i)), *weights, &mut self.sums);
            at += 4;
        }
        for (i, weight) in rest.iter().enumerate() {
            rows::add(row(at + i), 1, 1, *weight, &mut self.sums);
        }
        for (c, offset) in self.offsets.iter().enumerate() {
            let out = &mut self.ready[0][c * self.width..][..self.width];
            for (out, span) in out.iter_mut().zip(&self.across.spans) {
                let samples = &self.sums[(span.first as usize - first) * step + offset..];
                let mut sum = 0.0;
                for (v, w) in samples.iter().step_by(step).zip(self.across.of(span)) {
                    sum += v * w;
                }
                *out = sum;
            }
        }
    }
}
