// SPDX-License-Identifier: MPL-2.0
//! The image features of one frame, straight from its planes, in one pass over every n-th row.
//!
//! Rows are read whole, with the neighbours above and below for the 3×3 operators: processors read contiguous bytes
//! fast. Sums are kept for each of 8×8 cells, from which come both the features of the whole frame and what
//! [`cells`](super::cells) compares with the scene. After the first frame of a size nothing is allocated.

use andon_core::image::{Colorimetry, Format, Image};

use super::{
    cells::{CELLS, Cells, SIDE},
    features::*,
};

/// The gradient from which a pixel is an edge and not noise: straight (|right − left| + |below − above|, 8-bit levels)
/// or diagonal.
const EDGE: u8 = 48;
/// The pixels of a partial sum: 32 bits hold the sum of squares of that many Laplacians (at most 1020² each).
const CHUNK: usize = 1024;
/// The pixels that the 3×3 operators take at once: one register of bytes.
const BLOCK: usize = 16;
/// The fewest rows to read of a small frame, if it has as many.
const LEAST_ROWS: usize = 40;
/// The smallest width and height. Smaller frames have no useful block or profile.
const LEAST_SIZE: usize = 24;
/// The share of black pixels from which a frame shows nothing to learn from.
const BLACK_SHARE: f64 = 0.999;

/// The features of one frame, without its position.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// The features. Position and predictions are not known yet.
    pub row: Row,
    /// A number that is equal for frames of equal content, and practically never for others.
    pub fingerprint: u64,
    /// Whether nearly every pixel is black.
    pub black: bool,
}

/// Measures frames, and reuses its buffers.
#[derive(Debug)]
pub(crate) struct Extractor {
    /// Every how many rows are read, at least 1.
    subsample: usize,
    /// The luma of three neighbouring rows, for packed colour formats.
    luma: [Vec<u8>; 3],
    sums: Box<Sums>,
    /// How many of every eighth pixel have each level.
    levels: Box<[u32; 256]>,
    /// The cells of the latest frame.
    pub cells: Cells,
}

/// The sums over one cell.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    pixels: u64,
    luma: u64,
    squares: u64,
    low: u64,
    high: u64,
    /// Squares of the Laplacian, and the pixels that it was taken at.
    laplacian: u64,
    inner: u64,
    noise: u64,
    flat: u64,
    rgb: [u64; 3],
    uv: [u64; 2],
    chroma: u64,
}

impl Sum {
    fn add(&mut self, o: &Self) {
        self.pixels += o.pixels;
        self.luma += o.luma;
        self.squares += o.squares;
        self.low += o.low;
        self.high += o.high;
        self.laplacian += o.laplacian;
        self.inner += o.inner;
        self.noise += o.noise;
        self.flat += o.flat;
        self.chroma += o.chroma;
        self.rgb.iter_mut().zip(o.rgb).for_each(|(sum, v)| *sum += v);
        self.uv.iter_mut().zip(o.uv).for_each(|(sum, v)| *sum += v);
    }

    fn mean(&self) -> f64 {
        self.luma as f64 / self.pixels as f64
    }

    /// The standard deviation of luma, 8-bit levels.
    fn contrast(&self) -> f64 {
        let mean = self.mean();
        (self.squares as f64 / self.pixels as f64 - mean * mean).max(0.0).sqrt()
    }

    /// The RMS of the Laplacian, 8-bit levels. None where the cell is narrower than the operators' block.
    fn laplacian(&self) -> Option<f64> {
        (self.inner > 0).then(|| (self.laplacian as f64 / self.inner as f64).sqrt())
    }

    /// Immerkær, Fast Noise Variance Estimation, CVIU 64 (1996): σ = √(π/2) · mean|N| / 6, 8-bit levels. Edges are not
    /// noise and are left out, as in Tai and Yang (2008). None where nearly everything is edges.
    fn noise(&self) -> Option<f64> {
        let known = self.flat * 50 > self.inner;
        known.then(|| (std::f64::consts::PI / 2.0).sqrt() * self.noise as f64 / (6.0 * self.flat as f64))
    }

    /// Mean red, green and blue, 0..1. None for grey frames.
    fn rgb(&self, image: &Image, range: &Range) -> Option<[f64; 3]> {
        if image.format.is_grey() || self.pixels == 0 {
            return None;
        }
        if image.format.is_yuv() {
            let uv = self.uv.map(|v| v as f64 / self.chroma as f64);
            return (self.chroma > 0).then(|| to_rgb(range.unit(self.mean()), uv, image.colorimetry));
        }
        Some(self.rgb.map(|v| v as f64 / self.pixels as f64 / 255.0))
    }
}

#[derive(Debug)]
struct Sums([Sum; CELLS]);

impl Default for Sums {
    fn default() -> Self {
        Self([Sum::default(); CELLS])
    }
}

impl Extractor {
    /// Makes an extractor that reads every `subsample`-th row.
    pub(crate) fn new(subsample: u32) -> Self {
        Self {
            subsample: subsample.max(1) as usize,
            luma: Default::default(),
            sums: Box::default(),
            levels: Box::new([0; 256]),
            cells: Cells::default(),
        }
    }

    /// Measures a frame. Returns None if it is smaller than 24×24 pixels.
    pub(crate) fn measure(&mut self, image: &Image) -> Option<Measured> {
        let (w, h) = (image.width, image.height);
        if w < LEAST_SIZE || h < LEAST_SIZE {
            return None;
        }
        let range = Range::of(image);
        *self.sums = Sums::default();
        self.levels.fill(0);
        // Rows 1..h-1 have both neighbours. Fewer than some 40 rows would alias with the content of the frame.
        let step = self.subsample.min(((h - 2) / LEAST_ROWS).max(1));
        for (i, y) in (1 + step / 2..h - 1).step_by(step).enumerate() {
            // The 3×3 operators cost more than everything else together, and every other row is enough for texture.
            self.row(image, y, i % 2 == 0, &range);
        }
        if image.format.is_yuv() {
            chroma(image, step, &mut self.sums);
        }
        Some(self.finish(image, &range))
    }

    fn row(&mut self, image: &Image, y: usize, texture_too: bool, range: &Range) {
        let of_row = &mut self.sums.0[y * SIDE / image.height * SIDE..][..SIDE];
        let (w, ps) = (image.width, image.format.pixel_stride());
        let plane = &image.planes[0];
        let [above, row, below] = if ps == 1 && !image.format.is_rgb() && image.format.is_of_bytes() {
            [plane.row(y - 1, w), plane.row(y, w), plane.row(y + 1, w)]
        } else if !colour_first(image.format) {
            for (i, luma) in self.luma.iter_mut().enumerate().filter(|(i, _)| texture_too || *i == 1) {
                luma.resize(w, 0);
                image.luma_row(y + i - 1, luma);
            }
            if image.format.is_rgb() {
                for (k, c) in image.format.components().iter().take(3).enumerate() {
                    let samples = image.component(c, y);
                    for (i, sum) in of_row.iter_mut().enumerate() {
                        sum.rgb[k] += part(i, w).map(|x| u64::from(samples.byte(x))).sum::<u64>();
                    }
                }
            }
            [&self.luma[0], &self.luma[1], &self.luma[2]].map(Vec::as_slice)
        } else {
            let bgr = matches!(image.format, Format::Bgr | Format::Bgrx | Format::Bgra);
            for (i, luma) in self.luma.iter_mut().enumerate().filter(|(i, _)| texture_too || *i == 1) {
                let packed = plane.row(y + i - 1, w * ps);
                luma.resize(w, 0);
                if ps == 3 { to_luma::<3>(packed, luma, bgr) } else { to_luma::<4>(packed, luma, bgr) }
            }
            let packed = plane.row(y, w * ps);
            for (i, sum) in of_row.iter_mut().enumerate() {
                let columns = part(i, w);
                let packed = &packed[columns.start * ps..columns.end * ps];
                let rgb = if ps == 3 { channels::<3>(packed) } else { channels::<4>(packed) };
                for (k, s) in rgb.into_iter().enumerate() {
                    sum.rgb[if bgr { 2 - k } else { k }] += s;
                }
            }
            [&self.luma[0], &self.luma[1], &self.luma[2]].map(Vec::as_slice)
        };
        for (i, sum) in of_row.iter_mut().enumerate() {
            tones(&row[part(i, w)], range, sum);
        }
        for v in row.iter().step_by(8) {
            self.levels[usize::from(*v)] += 1;
        }
        if texture_too {
            // A block belongs to the cell of its middle.
            let blocks = (w - 2) / BLOCK;
            let first = |i: usize| ((i * w / SIDE + BLOCK / 2 - 2) / BLOCK).min(blocks);
            for (i, sum) in of_row.iter_mut().enumerate() {
                let end = if i + 1 == SIDE { blocks } else { first(i + 1) };
                for block in (first(i)..end).step_by(CHUNK / BLOCK) {
                    let (from, to) = (block * BLOCK, end.min(block + CHUNK / BLOCK) * BLOCK + 2);
                    texture([&above[from..to], &row[from..to], &below[from..to]], sum);
                }
            }
        }
    }

    fn finish(&mut self, image: &Image, range: &Range) -> Measured {
        let mut row = UNKNOWN;
        let mut s = Sum::default();
        let mut grid = [Sum::default(); GRID_CELLS];
        for (i, sum) in self.sums.0.iter().enumerate() {
            s.add(sum);
            grid[i / SIDE / 2 * 4 + i % SIDE / 2].add(sum);
        }
        let (mean, contrast) = (s.mean(), s.contrast());
        row[LUMA] = range.unit(mean);
        row[CONTRAST] = contrast / range.span;
        // Below one level of contrast sharpness means nothing.
        row[SHARPNESS] = s.laplacian().filter(|_| contrast >= 1.0).map_or(f64::NAN, |laplacian| laplacian / contrast);
        row[NOISE] = s.noise().map_or(f64::NAN, |noise| noise / range.span);
        let pixels = s.pixels as f64;
        let low = s.low as f64 / pixels;
        row[CLIPPED_LOW] = low;
        row[CLIPPED_HIGH] = s.high as f64 / pixels;
        for (i, cell) in grid.iter().enumerate().filter(|(_, cell)| cell.pixels > 0) {
            row[GRID + i] = range.unit(cell.mean());
        }
        row[WHITE_LEVEL] = (range.unit(self.white_level()).max(0.0) + 0.01).ln();
        // In a dark frame, shares of colour are noise.
        if let Some(rgb) = s.rgb(image, range).filter(|rgb| rgb.iter().sum::<f64>() > 0.05) {
            let rgb = rgb.map(|v| v.max(0.0));
            let all: f64 = rgb.iter().sum();
            for (i, v) in rgb.into_iter().enumerate() {
                row[RED + i] = v / all;
            }
        }
        self.fill_cells(image, range);
        Measured { row, fingerprint: self.fingerprint(), black: low >= BLACK_SHARE }
    }

    /// The level below which 95 of 100 pixels lie, with a fraction.
    fn white_level(&self) -> f64 {
        let mut above = f64::from(self.levels.iter().sum::<u32>()) * 0.05;
        for (level, n) in self.levels.iter().enumerate().rev() {
            let n = f64::from(*n);
            if n >= above && n > 0.0 {
                return level as f64 + 0.5 - above / n;
            }
            above -= n;
        }
        0.0
    }

    fn fill_cells(&mut self, image: &Image, range: &Range) {
        let unit = |levels: Option<f64>| levels.map_or(f32::NAN, |v| (v / range.span) as f32);
        for (i, s) in self.sums.0.iter().enumerate() {
            let known = s.pixels > 0;
            let luma = range.unit(s.mean());
            self.cells.luma[i] = if known { luma as f32 } else { f32::NAN };
            self.cells.contrast[i] = unit(known.then(|| s.contrast()));
            self.cells.laplacian[i] = unit(s.laplacian());
            self.cells.noise[i] = unit(s.noise());
            let [red, _, blue] = s.rgb(image, range).map_or([f64::NAN; 3], |rgb| rgb.map(|v| v - luma));
            (self.cells.red[i], self.cells.blue[i]) = (red as f32, blue as f32);
        }
    }

    /// Hashes all sums by FNV-1a.
    fn fingerprint(&self) -> u64 {
        let sums =
            |s: &Sum| [s.luma, s.squares, s.laplacian, s.noise, s.rgb[0] ^ s.uv[0] << 32, s.rgb[2] ^ s.uv[1] << 32];
        let all = self.sums.0.iter().flat_map(sums);
        all.fold(0xcbf2_9ce4_8422_2325, |hash, v| (hash ^ v).wrapping_mul(0x0100_0000_01b3))
    }
}

/// The columns of cell `i` of a row of `width` samples.
fn part(i: usize, width: usize) -> std::ops::Range<usize> {
    i * width / SIDE..(i + 1) * width / SIDE
}

/// The range of luma values.
struct Range {
    black: f64,
    span: f64,
    low: u8,
    high: u8,
}

impl Range {
    fn of(image: &Image) -> Self {
        if image.format.is_yuv() && !image.colorimetry.full_range {
            Self { black: 16.0, span: 219.0, low: 17, high: 234 }
        } else {
            Self { black: 0.0, span: 255.0, low: 1, high: 254 }
        }
    }

    /// Converts luma in 8-bit levels to 0..1.
    fn unit(&self, level: f64) -> f64 {
        (level - self.black) / self.span
    }
}

/// Adds a run of pixels: their luma, its squares, and how many are clipped.
fn tones(pixels: &[u8], range: &Range, sums: &mut Sum) {
    sums.pixels += pixels.len() as u64;
    for chunk in pixels.chunks(CHUNK) {
        sums.luma += u64::from(chunk.iter().map(|v| u32::from(*v)).sum::<u32>());
        let square = |v: &u8| i32::from(i16::from(*v)) * i32::from(i16::from(*v));
        sums.squares += chunk.iter().map(square).sum::<i32>() as u64;
    }
    // A byte counts fewer than 256 pixels.
    for chunk in pixels.chunks(128) {
        let (mut low, mut high) = (0u8, 0u8);
        for v in chunk {
            low += u8::from(*v <= range.low);
            high += u8::from(*v >= range.high);
        }
        sums.low += u64::from(low);
        sums.high += u64::from(high);
    }
}

/// Applies the 3×3 operators to one run of a row. Blocks have the width of one register, and each step uses the
/// narrowest type that holds it, so that the compiler finds the vector instructions. An incomplete last block is left
/// out.
fn texture([above, row, below]: [&[u8]; 3], sums: &mut Sum) {
    fn block(row: &[u8], at: usize) -> &[u8; BLOCK] {
        row[at..at + BLOCK].try_into().expect("the slice is a block long")
    }
    let wide = |v: u8| i16::from(v);
    let blocks = (row.len() - 2) / BLOCK;
    let (mut laplacian, mut noise, mut flat) = (0i32, 0i32, 0i32);
    for at in (0..blocks).map(|i| i * BLOCK) {
        let [al, a, ar] = [0, 1, 2].map(|i| block(above, at + i));
        let [l, c, r] = [0, 1, 2].map(|i| block(row, at + i));
        let [bl, b, br] = [0, 1, 2].map(|i| block(below, at + i));
        let (mut edge, mut grain, mut is_flat) = ([0i16; BLOCK], [0i16; BLOCK], [0u8; BLOCK]);
        for i in 0..BLOCK {
            let straight = r[i].abs_diff(l[i]).saturating_add(b[i].abs_diff(a[i]));
            let diagonal = al[i].abs_diff(br[i]).saturating_add(ar[i].abs_diff(bl[i]));
            is_flat[i] = u8::from(straight.max(diagonal) < EDGE);
            let cross = wide(l[i]) + wide(r[i]) + wide(a[i]) + wide(b[i]);
            edge[i] = 4 * wide(c[i]) - cross;
            grain[i] = (wide(al[i]) + wide(ar[i]) + wide(bl[i]) + wide(br[i]) + edge[i] - cross).abs();
        }
        laplacian += edge.iter().map(|v| i32::from(*v) * i32::from(*v)).sum::<i32>();
        noise += grain.iter().zip(&is_flat).map(|(g, f)| i32::from(*g) * i32::from(wide(*f))).sum::<i32>();
        flat += is_flat.iter().map(|f| i32::from(*f)).sum::<i32>();
    }
    sums.laplacian += laplacian as u64;
    sums.noise += noise as u64;
    sums.flat += flat as u64;
    sums.inner += (blocks * BLOCK) as u64;
}

/// Converts packed colour to BT.601 luma, full range.
fn to_luma<const STRIDE: usize>(packed: &[u8], luma: &mut [u8], bgr: bool) {
    let (r, b) = if bgr { (29, 77) } else { (77, 29) };
    for (p, y) in packed.as_chunks::<STRIDE>().0.iter().zip(luma) {
        *y = ((u16::from(p[0]) * r + u16::from(p[1]) * 150 + u16::from(p[2]) * b) >> 8) as u8;
    }
}

/// Sums the first three bytes of every pixel.
fn channels<const STRIDE: usize>(packed: &[u8]) -> [u64; 3] {
    let mut sums = [0u32; 3];
    for p in packed.as_chunks::<STRIDE>().0 {
        for (sum, v) in sums.iter_mut().zip(p) {
            *sum += u32::from(*v);
        }
    }
    sums.map(u64::from)
}

/// Returns whether the first three bytes of a pixel are its colours, which the fast loops need.
fn colour_first(format: Format) -> bool {
    use Format::{Bgr, Bgra, Bgrx, Rgb, Rgba, Rgbx};
    matches!(format, Rgb | Bgr | Rgbx | Bgrx | Rgba | Bgra)
}

fn chroma(image: &Image, step: usize, sums: &mut Sums) {
    let [_, u, v, ..] = image.format.components() else { return };
    let [samples, rows] = image.samples(u);
    for y in (0..rows).step_by(step) {
        let of_row = &mut sums.0[y * SIDE / rows * SIDE..][..SIDE];
        for (k, c) in [u, v].into_iter().enumerate() {
            let other = (!image.format.is_of_bytes()).then(|| image.component(c, y << usize::from(u.half_height)));
            let bytes = image.planes[c.plane].row(y, image.plane_size(c.plane).0);
            for (i, sum) in of_row.iter_mut().enumerate() {
                let columns = part(i, samples);
                sum.chroma += columns.len() as u64 * u64::from(k == 0);
                let run = || &bytes[columns.start * c.step..columns.end * c.step];
                sum.uv[k] += match (&other, c.step) {
                    (Some(row), _) => columns.map(|x| u64::from(row.byte(x))).sum(),
                    (_, 1) => u64::from(run().iter().map(|v| u32::from(*v)).sum::<u32>()),
                    (_, 2) => {
                        u64::from(run().as_chunks::<2>().0.iter().map(|p| u32::from(p[c.offset & 1])).sum::<u32>())
                    }
                    _ => u64::from(run().as_chunks::<4>().0.iter().map(|p| u32::from(p[c.offset & 3])).sum::<u32>()),
                };
            }
        }
    }
}

/// Returns mean red, green and blue, 0..1, from mean luma (0..1) and mean chroma (8-bit levels). The matrix is linear,
/// so means convert as pixels do.
fn to_rgb(y: f64, uv: [f64; 2], colorimetry: Colorimetry) -> [f64; 3] {
    let span = if colorimetry.full_range { 255.0 } else { 224.0 };
    let [cb, cr] = uv.map(|v| (v - 128.0) / span);
    let (kr, kb) = colorimetry.matrix.luma_weights();
    let (r, b) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
    [r, (y - kr * r - kb * b) / (1.0 - kr - kb), b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Canvas, Random};
    use andon_core::image::{Matrix, Plane};

    fn measure(canvas: &Canvas) -> Row {
        Extractor::new(4).measure(&canvas.image()).unwrap().row
    }

    #[test]
    fn a_flat_frame_is_its_grey_and_nothing_else() {
        let row = measure(&Canvas::flat(64, 48, 51));
        assert!((row[LUMA] - 0.2).abs() < 1e-9 && row[CONTRAST] < 1e-9 && row[NOISE] < 1e-9);
        assert!(row[GRID..GRID + GRID_CELLS].iter().all(|v| (v - 0.2).abs() < 1e-9));
        assert!(row[SHARPNESS].is_nan() && row[RED].is_nan(), "what a frame does not tell is not made up");
        assert_eq!((row[CLIPPED_LOW], row[CLIPPED_HIGH]), (0.0, 0.0));
    }

    #[test]
    fn the_noise_put_in_is_the_noise_found_edges_or_not() {
        for base in [Canvas::flat(320, 240, 128), Canvas::board(320, 240)] {
            for sigma in [2.0, 5.0] {
                let found = measure(&base.noisy(sigma, &mut Random::new(7)))[NOISE] * 255.0;
                assert!((found / sigma - 1.0).abs() < 0.25, "{sigma} put in, {found} found");
            }
        }
    }

    #[test]
    fn blur_lowers_sharpness_and_light_does_not() {
        let board = Canvas::board(320, 240);
        let sharp = measure(&board)[SHARPNESS];
        assert!(measure(&board.blurred(1))[SHARPNESS] < 0.8 * sharp);
        assert!((measure(&board.scaled(0.7))[SHARPNESS] / sharp - 1.0).abs() < 0.03);
    }

    #[test]
    fn every_colour_format_sees_the_same_colour() {
        let (w, h) = (32, 32);
        let pixel = [200u8, 120, 80];
        let total = 400.0;
        let rgb: Vec<u8> = pixel.repeat(w * h);
        let bgrx: Vec<u8> = [80u8, 120, 200, 0].repeat(w * h);
        let xrgb: Vec<u8> = [0u8, 200, 120, 80].repeat(w * h);
        let [red, green, blue] = pixel.map(|v| vec![v; w * h]);
        let c = Colorimetry { matrix: Matrix::Bt601, full_range: true };
        // JFIF: Y = 0.299 R + 0.587 G + 0.114 B, U = 128 + 0.564 (B − Y), V = 128 + 0.713 (R − Y).
        let y: f64 = 0.299 * 200.0 + 0.587 * 120.0 + 0.114 * 80.0;
        let (u, v) = ((128.0 + 0.564 * (80.0 - y)).round() as u8, (128.0 + 0.713 * (200.0 - y)).round() as u8);
        let luma = vec![y.round() as u8; w * h];
        let (uv, us, vs) = ([u, v].repeat(w * h / 4), vec![u; w * h / 4], vec![v; w * h / 4]);
        let yuy2 = [luma[0], u, luma[0], v].repeat(w * h / 2);
        let ayuv = [255, luma[0], u, v].repeat(w * h);
        let upper = |bytes: &[u8]| bytes.iter().flat_map(|v| [128, *v]).collect::<Vec<u8>>();
        let (luma10, uv10) = (upper(&luma), upper(&uv));
        let rgb16 = (24u16 << 11 | 30 << 5 | 10).to_ne_bytes().repeat(w * h);
        let plane = |data, stride| Plane { data, stride };
        for (format, planes) in [
            (Format::Rgb, vec![plane(&rgb[..], w * 3)]),
            (Format::Bgrx, vec![plane(&bgrx, w * 4)]),
            (Format::Xrgb, vec![plane(&xrgb, w * 4)]),
            (Format::Rgbp, vec![plane(&red, w), plane(&green, w), plane(&blue, w)]),
            (Format::Yuy2, vec![plane(&yuy2, w * 2)]),
            (Format::Nv12, vec![plane(&luma, w), plane(&uv, w)]),
            (Format::I420, vec![plane(&luma, w), plane(&us, w / 2), plane(&vs, w / 2)]),
            (Format::Yv12, vec![plane(&luma, w), plane(&vs, w / 2), plane(&us, w / 2)]),
            (Format::Ayuv, vec![plane(&ayuv, w * 4)]),
            (Format::P010, vec![plane(&luma10, w * 2), plane(&uv10, w * 2)]),
            (Format::Rgb16, vec![plane(&rgb16, w * 2)]),
        ] {
            let image = Image::new(format, w, h, &planes, c).unwrap();
            let row = Extractor::new(4).measure(&image).unwrap().row;
            for (i, p) in pixel.iter().enumerate() {
                let share = f64::from(*p) / total;
                assert!((row[RED + i] - share).abs() < 0.01, "{format:?} {i}: {} for {share}", row[RED + i]);
            }
            assert!((row[LUMA] - y / 255.0).abs() < 0.01, "{format:?}");
        }
    }

    #[test]
    fn equal_frames_have_equal_fingerprints_and_noise_changes_them() {
        let board = Canvas::board(64, 64);
        let print = |c: &Canvas| Extractor::new(4).measure(&c.image()).unwrap().fingerprint;
        assert_eq!(print(&board), print(&board));
        assert_ne!(print(&board), print(&board.noisy(1.0, &mut Random::new(1))));
    }

    #[test]
    fn only_a_dark_frame_is_black_and_tiny_ones_say_nothing() {
        let black = |level| Extractor::new(4).measure(&Canvas::flat(64, 64, level).image()).unwrap().black;
        assert!(black(0) && !black(8));
        assert!(Extractor::new(4).measure(&Canvas::flat(23, 64, 0).image()).is_none());
    }
}
