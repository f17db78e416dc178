// SPDX-License-Identifier: MPL-2.0
//! Preprocessing: from a frame to the model's tensor in one pass over the rows. Planes are resized first, then converted at
//! the model's size, then normalised.
//!
//! Resizing follows OpenCV's `INTER_LINEAR` and `INTER_AREA` and Pillow's `BILINEAR`. Numbers stay `f32` from the first sample to the tensor, so
//! nothing is rounded on the way. Tables are kept until the frame's size or the region changes, and nothing is allocated
//! once the largest geometry was seen.

mod colours;
mod lane;
mod mapping;
mod rows;
mod taps;
mod tensor;
#[cfg(test)]
mod tests;

use andon_core::{
    image::{Format, Image, YuvToRgb},
    result::BoxPx,
};
use andon_model::{Colour, Input, Interpolation};
use colours::{Row, Scratch};
use lane::Lane;
use mapping::{Axis, Placing};
use tensor::{Normalise, Number, Shape};

pub use mapping::Mapping;
pub use tensor::TensorMut;

/// The most tensors whose padding is remembered: those of a large batch.
const MOST_PADDED: usize = 64;

/// The rectangle of a tensor that the frame fills: its place and its size.
type Rect = [[usize; 2]; 2];

/// The parts of a frame that the tables depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    format: Format,
    frame: [usize; 2],
    region: Option<BoxPx>,
}

/// Writes frames into one image input of a model. Keep one for each input and thread, since it keeps tables and rows.
pub struct Preprocessor {
    shape: Shape,
    colour: Colour,
    placing: Placing,
    interpolation: Interpolation,
    /// The padding of each channel, as a pixel value.
    pad: [f32; 4],
    normalise: Normalise,
    key: Option<Key>,
    mapping: Mapping,
    /// The frame's rectangle in the tensor.
    rect: Rect,
    /// The first `used` are in use; the others keep their memory.
    lanes: Vec<Lane>,
    used: usize,
    scratch: Scratch,
    /// Addresses of tensors that have the padding of this rectangle.
    padded: Vec<usize>,
}

impl Preprocessor {
    /// The preprocessor of a checked image input of a manifest. `size` is the tensor's width and height, pixels.
    pub fn new(input: &Input, size: [usize; 2]) -> Self {
        let spread = |v: &[f32]| [0, 1, 2, 3].map(|c| v.get(c).or(v.first()).copied().unwrap_or(0.0));
        Self {
            shape: Shape { size, channels: input.colour.channels(), layout: input.layout },
            colour: input.colour,
            placing: input.into(),
            interpolation: input.interpolation,
            pad: spread(&input.pad),
            normalise: Normalise { mean: spread(&input.mean), scale: spread(&input.scale) },
            key: None,
            mapping: Mapping::default(),
            rect: [[0; 2]; 2],
            lanes: Vec::new(),
            used: 0,
            scratch: Scratch::default(),
            padded: Vec::with_capacity(MOST_PADDED),
        }
    }

    /// The count of numbers in the tensor of one frame.
    pub fn len(&self) -> usize {
        self.shape.size[0] * self.shape.size[1] * self.shape.channels
    }

    /// Returns whether the tensor has no numbers, which a checked input rules out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `tensor` ([`Preprocessor::len`] numbers) with `region` of `image`, and returns where the frame lies in it.
    ///
    /// `region` is x, y, width and height in pixels of the frame, with fractions; `None` is the whole frame. It is clipped
    /// to the frame, and at least one pixel wide and high. Its edges are repeated as if it was cut out. On chroma planes
    /// its numbers are halved.
    ///
    /// Padding is written into a tensor of a new address, and when the frame's place in the tensor differs from the last
    /// run. If other code has written to a tensor since, call [`Preprocessor::forget`] first.
    ///
    /// # Panics
    /// If the tensor has another length.
    pub fn run(&mut self, image: &Image<'_>, region: Option<BoxPx>, tensor: TensorMut<'_>) -> Mapping {
        assert_eq!(tensor.len(), self.len(), "the tensor has the size of the model's input");
        let key = Key { format: image.format, frame: [image.width, image.height], region };
        if self.key != Some(key) {
            self.arrange(image, region);
            self.key = Some(key);
        }
        match tensor {
            TensorMut::F32(t) => self.write(image, t),
            TensorMut::F16(t) => self.write(image, t),
            TensorMut::U8(t) => self.write(image, t),
            TensorMut::I8(t) => self.write(image, t),
        }
        self.mapping
    }

    /// Writes the padding again into every tensor that follows, for tensors that other code writes to as well.
    pub fn forget(&mut self) {
        self.padded.clear();
    }

    /// Fills the tables for a new geometry.
    fn arrange(&mut self, image: &Image<'_>, region: Option<BoxPx>) {
        let axes: [Axis; 2];
        (self.mapping, axes) = Mapping::new([image.width, image.height], region, self.shape.size, self.placing);
        let rect = [axes.map(|a| a.place), axes.map(|a| a.count)];
        if rect != self.rect {
            self.rect = rect;
            self.forget();
        }
        self.scratch.fit(axes[0].count);
        let all = image.format.components();
        let grey = self.colour == Colour::Grey;
        let wanted = match image.format {
            // A grey model needs no chroma, and only a model with alpha needs alpha.
            f if f.is_yuv() && grey => 1,
            f if f.is_rgb() => all.len().min(self.colour.channels().max(3)),
            _ => all.len(),
        };
        self.used = 0;
        let like = |c: &andon_core::image::Component| (c.plane, c.step, c.half_width);
        for run in all[..wanted].chunk_by(|a, b| like(a) == like(b)) {
            if self.lanes.len() == self.used {
                self.lanes.push(Lane::default());
            }
            self.lanes[self.used].fill(image, run, &axes, self.interpolation);
            self.used += 1;
        }
    }

    /// Writes the tensor with the widest instructions that this machine has. All give the same numbers.
    fn write<T: Number>(&mut self, image: &Image<'_>, tensor: &mut [T]) {
        self.surround(tensor);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the function needs AVX2 alone, which the line above found.
            return unsafe { self.rows_avx2(image, tensor) };
        }
        self.rows(image, tensor);
    }

    /// [`Preprocessor::rows`] and everything that is inlined into it, compiled for AVX2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn rows_avx2<T: Number>(&mut self, image: &Image<'_>, tensor: &mut [T]) {
        self.rows(image, tensor);
    }

    #[inline(always)]
    fn rows<T: Number>(&mut self, image: &Image<'_>, tensor: &mut [T]) {
        let Self { shape, colour, normalise, rect: [place, count], lanes, scratch, .. } = self;
        let lanes = &mut lanes[..self.used];
        lanes.iter_mut().for_each(Lane::begin);
        let yuv = YuvToRgb::new(image.colorimetry);
        for y in 0..count[1] {
            for lane in &mut *lanes {
                lane.row(image, y);
            }
            let row = read(image.format, lanes, *colour == Colour::Grey, &yuv);
            let rows = colours::channels(row, *colour, count[0], scratch);
            shape.row(tensor, [place[0], place[1] + y], &rows[..shape.channels], normalise);
        }
    }

    /// Writes the padding unless it is already there.
    fn surround<T: Number>(&mut self, tensor: &mut [T]) {
        let address = tensor.as_ptr().addr();
        if self.padded.contains(&address) {
            return;
        }
        if self.padded.len() == MOST_PADDED {
            self.padded.clear();
        }
        self.padded.push(address);
        self.shape.surround(tensor, self.rect[0], self.rect[1], self.pad, &self.normalise);
    }
}

/// The components of the current row, from the lanes that hold them.
#[inline(always)]
fn read<'a>(format: Format, lanes: &'a [Lane], grey: bool, yuv: &'a YuvToRgb) -> Row<'a> {
    let first = &lanes[0];
    match (format, lanes) {
        (f, _) if f.is_grey() => Row::Grey(first.component(0)),
        (f, _) if f.is_yuv() && grey => Row::Luma(first.component(0), yuv),
        (f, [_, uv]) if f.is_yuv() => Row::Yuv([first.component(0), uv.component(0), uv.component(1)], yuv),
        (f, [_, u, v]) if f.is_yuv() => Row::Yuv([first.component(0), u.component(0), v.component(0)], yuv),
        (_, [r, g, b]) => Row::Rgb([r, g, b].map(|lane| lane.component(0)), None),
        _ => Row::Rgb([0, 1, 2].map(|c| first.component(c)), first.alpha()),
    }
}
