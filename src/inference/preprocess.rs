// SPDX-License-Identifier: MPL-2.0
//! From a frame to the model's tensor in one pass over its rows: planes are resized first, then converted at the
//! model's size, then normalised.
//!
//! Resizing is bilinear between pixel centres without a low-pass, as OpenCV's `INTER_LINEAR`; numbers stay `f32` from
//! the first sample to the tensor, so nothing is rounded on the way. The tables of taps are kept until the frame's size
//! changes, and nothing is allocated between such changes.

use crate::{
    image::{Format, Image, Plane, YuvToRgb},
    model::{Colour, Input, Layout, Resize},
    result::BoxPx,
};

/// Where the frame lies in the model's input, both in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mapping {
    /// Frame size: width, height.
    pub frame: [u32; 2],
    /// The model's input: width, height.
    pub model: [u32; 2],
    /// Left and top of the frame in it.
    pub offset: [f32; 2],
    /// Pixels of the model's input a pixel of the frame, across and down.
    pub scale: [f32; 2],
}

impl Mapping {
    fn new(frame: [usize; 2], model: [usize; 2], resize: Resize) -> (Self, [usize; 2], [usize; 2]) {
        let content = match resize {
            Resize::Stretch => model,
            Resize::Letterbox => {
                let k = (model[0] as f64 / frame[0] as f64).min(model[1] as f64 / frame[1] as f64);
                [0, 1].map(|i| ((frame[i] as f64 * k).round() as usize).clamp(1, model[i]))
            }
        };
        let offset = [0, 1].map(|i| (model[i] - content[i]) / 2);
        let mapping = Self {
            frame: frame.map(|v| v as u32),
            model: model.map(|v| v as u32),
            offset: offset.map(|v| v as f32),
            scale: [0, 1].map(|i| content[i] as f32 / frame[i] as f32),
        };
        (mapping, content, offset)
    }

    /// A box given by its corners in the model's input (left, top, right, bottom), in pixels of the frame, clipped to it.
    pub fn to_frame(&self, corners: [f32; 4]) -> BoxPx {
        let back =
            |v: f32, axis: usize| ((v - self.offset[axis]) / self.scale[axis]).clamp(0.0, self.frame[axis] as f32);
        let (x, y) = (back(corners[0], 0), back(corners[1], 1));
        [x, y, back(corners[2], 0) - x, back(corners[3], 1) - y]
    }

    /// What the whole of the model's input covers, in pixels of the frame; a letterbox reaches beyond it.
    pub fn region(&self) -> BoxPx {
        let at = |axis: usize| -self.offset[axis] / self.scale[axis];
        let long = |axis: usize| self.model[axis] as f32 / self.scale[axis];
        [at(0), at(1), long(0), long(1)]
    }
}

/// One output sample between two input samples: `a + (b - a) * weight`.
#[derive(Clone, Copy, Debug)]
struct Tap {
    a: u32,
    b: u32,
    weight: f32,
}

/// The taps that bring `from` samples to `to`, half-pixel centres, edges repeated.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let step = from as f64 / to as f64;
    (0..to)
        .map(|i| {
            let at = ((i as f64 + 0.5) * step - 0.5).clamp(0.0, (from - 1) as f64);
            let a = at as usize;
            Tap { a: a as u32, b: (a + 1).min(from - 1) as u32, weight: (at - a as f64) as f32 }
        })
        .collect()
}

/// One plane on its way to the model's size.
struct Lane {
    /// In bytes of a row.
    across: Vec<Tap>,
    /// In rows.
    down: Vec<Tap>,
    /// The width stays, so that a row is only widened to `f32`.
    plain: bool,
    /// Components of a pixel that are read.
    components: usize,
    /// Bytes from pixel to pixel.
    pixel: usize,
    /// Input rows in `ready`.
    rows: [usize; 2],
    /// Two input rows brought to the width, component by component.
    ready: [Vec<f32>; 2],
    /// The row between them.
    out: Vec<f32>,
    /// Whether the row at hand lies between two, and not on one.
    between: bool,
}

const NO_ROW: usize = usize::MAX;

impl Lane {
    fn new(from: [usize; 2], to: [usize; 2], components: usize, pixel: usize) -> Self {
        let row = || vec![0.0; to[0] * components];
        let mut across = taps(from[0], to[0]);
        across.iter_mut().for_each(|t| (t.a, t.b) = (t.a * pixel as u32, t.b * pixel as u32));
        Self {
            across,
            down: taps(from[1], to[1]),
            plain: from[0] == to[0],
            components,
            pixel,
            rows: [NO_ROW; 2],
            ready: [row(), row()],
            out: row(),
            between: false,
        }
    }

    fn begin(&mut self) {
        self.rows = [NO_ROW; 2];
    }

    /// Makes output row `y` what [`Lane::current`] gives.
    fn row(&mut self, plane: &Plane<'_>, bytes: usize, y: usize) {
        let Tap { a, b, weight } = self.down[y];
        let (a, b) = (a as usize, b as usize);
        if self.rows[0] != a && self.rows[1] == a {
            self.rows.swap(0, 1);
            self.ready.swap(0, 1);
        }
        self.load(0, plane, bytes, a);
        self.between = weight != 0.0;
        if self.between {
            self.load(1, plane, bytes, b);
            for ((out, a), b) in self.out.iter_mut().zip(&self.ready[0]).zip(&self.ready[1]) {
                *out = a + (b - a) * weight;
            }
        }
    }

    /// The row at hand, component by component.
    fn current(&self) -> &[f32] {
        if self.between { &self.out } else { &self.ready[0] }
    }

    fn load(&mut self, slot: usize, plane: &Plane<'_>, bytes: usize, y: usize) {
        if self.rows[slot] == y {
            return;
        }
        self.rows[slot] = y;
        let (row, out, pixel) = (plane.row(y, bytes), &mut self.ready[slot], self.pixel);
        if pixel == 1 && self.plain {
            out.iter_mut().zip(row).for_each(|(o, v)| *o = *v as f32);
            return;
        }
        // A pass a component: the loops stay short, and the row stays in the cache.
        for (c, out) in out.chunks_exact_mut(self.across.len()).enumerate().take(self.components) {
            if self.plain {
                out.iter_mut().zip(row.chunks_exact(pixel)).for_each(|(o, p)| *o = p[c] as f32);
            } else {
                for (o, t) in out.iter_mut().zip(&self.across) {
                    let (a, b) = (row[t.a as usize + c] as f32, row[t.b as usize + c] as f32);
                    *o = a + (b - a) * t.weight;
                }
            }
        }
    }
}

/// What depends on the frame's size and format.
struct Geometry {
    format: Format,
    frame: [usize; 2],
    mapping: Mapping,
    /// The frame's size and place in the model's input.
    content: [usize; 2],
    offset: [usize; 2],
    lanes: Vec<Lane>,
}

/// Brings frames to one model's image input. Keep one a model: it keeps its tables and rows.
pub struct Preprocessor {
    size: [usize; 2],
    layout: Layout,
    colour: Colour,
    resize: Resize,
    /// A number a channel.
    pad: [f32; 3],
    mean: [f32; 3],
    scale: [f32; 3],
    geometry: Option<Geometry>,
    /// The padding is in the tensor.
    padded: bool,
    /// One row of each channel after conversion.
    channels: [Vec<f32>; 3],
}

impl Preprocessor {
    /// For a checked image input of a manifest.
    pub fn new(input: &Input) -> Self {
        let spread = |v: &[f32]| [0, 1, 2].map(|c| v.get(c).or(v.first()).copied().unwrap_or(0.0));
        let size = input.size.unwrap_or([1, 1]).map(|v| v as usize);
        Self {
            size,
            layout: input.layout,
            colour: input.colour,
            resize: input.resize,
            pad: spread(&input.pad),
            mean: spread(&input.mean),
            scale: spread(&input.scale),
            geometry: None,
            padded: false,
            channels: [(); 3].map(|()| vec![0.0; size[0]]),
        }
    }

    /// Numbers in the tensor.
    pub fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.colour.channels()
    }

    /// Whether the tensor has no numbers, which a checked input rules out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next tensor is another one: its padding has to be written, too.
    pub fn forget(&mut self) {
        self.padded = false;
    }

    /// Fills `tensor` ([`Preprocessor::len`] numbers, batch of one) with `image`; answers where the frame lies in it.
    ///
    /// The padding is written when the frame's size or format changes: between frames, hand in the same tensor.
    pub fn run(&mut self, image: &Image<'_>, tensor: &mut [f32]) -> Mapping {
        assert_eq!(tensor.len(), self.len(), "the tensor has the size of the model's input");
        let frame = [image.width, image.height];
        if self.geometry.as_ref().is_none_or(|g| g.format != image.format || g.frame != frame) {
            self.geometry = Some(self.geometry(image));
            self.forget();
        }
        if !std::mem::replace(&mut self.padded, true) {
            self.fill(tensor);
        }
        let geometry = self.geometry.as_mut().expect("it was just made");
        geometry.lanes.iter_mut().for_each(Lane::begin);
        let yuv = YuvToRgb::new(image.colorimetry);
        for y in 0..geometry.content[1] {
            for (i, lane) in geometry.lanes.iter_mut().enumerate() {
                lane.row(&image.planes[i], image.plane_size(i).0, y);
            }
            convert(image.format, self.colour, &yuv, &geometry.lanes, geometry.content[0], &mut self.channels);
            let at = (geometry.offset[0], geometry.offset[1] + y);
            let width = geometry.content[0];
            for c in 0..self.colour.channels() {
                let (row, mean, scale) = (&self.channels[c][..width], self.mean[c], self.scale[c]);
                let normalised = row.iter().map(|v| (v - mean) * scale);
                match self.layout {
                    Layout::Nchw => {
                        let start = (c * self.size[1] + at.1) * self.size[0] + at.0;
                        tensor[start..][..width].iter_mut().zip(normalised).for_each(|(o, v)| *o = v);
                    }
                    Layout::Nhwc => {
                        let n = self.colour.channels();
                        let start = (at.1 * self.size[0] + at.0) * n + c;
                        tensor[start..].iter_mut().step_by(n).zip(normalised).for_each(|(o, v)| *o = v);
                    }
                }
            }
        }
        geometry.mapping
    }

    fn geometry(&self, image: &Image<'_>) -> Geometry {
        let frame = [image.width, image.height];
        let (mapping, content, offset) = Mapping::new(frame, self.size, self.resize);
        let half = [image.width.div_ceil(2), image.height.div_ceil(2)];
        let luma = || Lane::new(frame, content, 1, 1);
        let chroma = |components| Lane::new(half, content, components, components);
        let grey = self.colour == Colour::Grey;
        let lanes = match image.format {
            Format::Gray8 => vec![luma()],
            // Chroma is not looked at for a grey model.
            Format::Nv12 | Format::I420 if grey => vec![luma()],
            Format::Nv12 => vec![luma(), chroma(2)],
            Format::I420 => vec![luma(), chroma(1), chroma(1)],
            packed => vec![Lane::new(frame, content, 3, packed.pixel_stride())],
        };
        Geometry { format: image.format, frame, mapping, content, offset, lanes }
    }

    fn fill(&self, tensor: &mut [f32]) {
        let n = self.colour.channels();
        let value = |c: usize| (self.pad[c] - self.mean[c]) * self.scale[c];
        match self.layout {
            Layout::Nchw => {
                tensor.chunks_mut(self.size[0] * self.size[1]).enumerate().for_each(|(c, p)| p.fill(value(c)))
            }
            Layout::Nhwc => {
                tensor.chunks_mut(n).for_each(|p| p.iter_mut().enumerate().for_each(|(c, v)| *v = value(c)))
            }
        }
    }
}

/// One row of each channel from the resized planes.
fn convert(format: Format, colour: Colour, yuv: &YuvToRgb, lanes: &[Lane], width: usize, out: &mut [Vec<f32>; 3]) {
    let first = lanes[0].current();
    let (u, v) = match (format, lanes) {
        (Format::Nv12, [_, uv]) => uv.current().split_at(width),
        (Format::I420, [_, u, v]) => (u.current(), v.current()),
        _ => (&[][..], &[][..]),
    };
    let [r, g, b] = out.each_mut().map(|row| &mut row[..width]);
    let (r, b) = if colour == Colour::Bgr { (b, r) } else { (r, b) };
    match (format, colour) {
        (Format::Gray8, Colour::Grey) => r.copy_from_slice(first),
        (Format::Gray8, _) => [r, g, b].into_iter().for_each(|o| o.copy_from_slice(first)),
        (Format::Nv12 | Format::I420, Colour::Grey) => r.iter_mut().zip(first).for_each(|(o, y)| *o = yuv.grey(*y)),
        (Format::Nv12 | Format::I420, _) => {
            let (first, u, v) = (&first[..width], &u[..width], &v[..width]);
            for x in 0..width {
                [r[x], g[x], b[x]] = yuv.rgb(first[x], u[x], v[x]);
            }
        }
        (Format::Rgb | Format::Rgbx | Format::Bgr | Format::Bgrx, _) => {
            let (c0, green, c2) = (&first[..width], &first[width..][..width], &first[2 * width..][..width]);
            let (red, blue) = if matches!(format, Format::Rgb | Format::Rgbx) { (c0, c2) } else { (c2, c0) };
            if colour == Colour::Grey {
                for x in 0..width {
                    r[x] = 0.299 * red[x] + 0.587 * green[x] + 0.114 * blue[x];
                }
            } else {
                r.copy_from_slice(red);
                g.copy_from_slice(green);
                b.copy_from_slice(blue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letterbox_is_centred_and_maps_back_exactly() {
        let (m, content, offset) = Mapping::new([1280, 720], [640, 640], Resize::Letterbox);
        assert_eq!((content, offset), ([640, 360], [0, 140]));
        assert_eq!(m.to_frame([10.0, 150.0, 30.0, 190.0]), [20.0, 20.0, 40.0, 80.0]);
        assert_eq!(m.to_frame([-5.0, 0.0, 700.0, 640.0]), [0.0, 0.0, 1280.0, 720.0], "clipped to the frame");
        assert_eq!(m.region(), [0.0, -280.0, 1280.0, 1280.0]);
    }

    #[test]
    fn a_frame_a_thousand_times_wider_than_high_keeps_a_row() {
        let (_, content, _) = Mapping::new([10_000, 1], [64, 64], Resize::Letterbox);
        assert_eq!(content, [64, 1]);
    }

    #[test]
    fn taps_of_the_same_size_are_the_samples_themselves() {
        assert!(taps(7, 7).iter().enumerate().all(|(i, t)| t.a as usize == i && t.weight == 0.0));
        assert_eq!(taps(1, 4).iter().map(|t| (t.a, t.b)).collect::<Vec<_>>(), [(0, 0); 4]);
    }
}
