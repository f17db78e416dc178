// SPDX-License-Identifier: MPL-2.0
//! The image features of one frame, straight from its planes, in one pass over every n-th row.
//!
//! Rows are read whole, with the neighbours above and below for the 3×3 operators: processors read contiguous bytes
//! fast, and the edge profile needs every column. The edge profile over rows needs every row, and reads four narrow
//! strips of each. After the first frame of a size nothing is allocated.

use andon_core::image::{Coding, Colorimetry, Component, Format, Image};

use super::features::*;

/// The gradient from which a pixel is an edge and not noise: straight (|right − left| + |below − above|, 8-bit levels)
/// or diagonal.
const EDGE: u8 = 48;
/// The pixels of a partial sum: 32 bits hold the sum of squares of that many Laplacians (at most 1020² each).
const CHUNK: usize = 1024;
/// The rows that 16-bit column sums hold: 255 × 256 < 65536.
const SPILL: usize = 256;
/// The number of strips for the edge profile over rows, and the most pixels of one: what one instruction sums.
const STRIPS: usize = 4;
const STRIP: usize = 16;
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
    /// The sum of |right − left| of each column, over at most [`SPILL`] rows.
    narrow: Vec<u16>,
    /// The sum of |right − left| of each column, over all rows.
    columns: Vec<u32>,
    /// The sum of |below − above| of each row, over the strips.
    rows: Vec<u32>,
}

#[derive(Default)]
struct Sums {
    cells: [u64; GRID_CELLS],
    cell_pixels: [u64; GRID_CELLS],
    squares: u64,
    low: u64,
    high: u64,
    laplacian: u64,
    inner: u64,
    noise: u64,
    flat: u64,
    rgb: [u64; 3],
    uv: [u64; 2],
    chroma: u64,
}

impl Extractor {
    /// Makes an extractor that reads every `subsample`-th row.
    pub(crate) fn new(subsample: u32) -> Self {
        Self {
            subsample: subsample.max(1) as usize,
            luma: Default::default(),
            narrow: Vec::new(),
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// The edge profiles of the latest frame: over columns, over rows.
    pub(crate) fn profiles(&self) -> [&[u32]; 2] {
        [&self.columns, &self.rows]
    }

    /// Measures a frame. Returns None if it is smaller than 24×24 pixels.
    pub(crate) fn measure(&mut self, image: &Image) -> Option<Measured> {
        let (w, h) = (image.width, image.height);
        if w < LEAST_SIZE || h < LEAST_SIZE {
            return None;
        }
        self.columns.clear();
        self.columns.resize(w, 0);
        self.narrow.clear();
        self.narrow.resize(w, 0);
        let range = Range::of(image);
        let mut sums = Sums::default();
        // Rows 1..h-1 have both neighbours. Fewer than some 40 rows would alias with the content of the frame.
        let step = self.subsample.min(((h - 2) / LEAST_ROWS).max(1));
        for (i, y) in (1 + step / 2..h - 1).step_by(step).enumerate() {
            // The 3×3 operators cost more than everything else together, and every other row is enough for texture.
            self.row(image, y, i % 2 == 0, &range, &mut sums);
            if (i + 1) % SPILL == 0 {
                self.spill();
            }
        }
        self.spill();
        self.measure_rows(image);
        if image.format.is_yuv() {
            chroma(image, step, &mut sums);
        }
        Some(self.finish(image, &range, &sums))
    }

    fn row(&mut self, image: &Image, y: usize, texture_too: bool, range: &Range, sums: &mut Sums) {
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
                for (sum, c) in sums.rgb.iter_mut().zip(image.format.components()) {
                    *sum += column_sum(image, c, y);
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
            let sum = if ps == 3 { channels::<3>(packed) } else { channels::<4>(packed) };
            for (i, s) in sum.into_iter().enumerate() {
                sums.rgb[if bgr { 2 - i } else { i }] += s;
            }
            [&self.luma[0], &self.luma[1], &self.luma[2]].map(Vec::as_slice)
        };
        let grid_row = (y * 4 / image.height) * 4;
        for i in 0..4 {
            let part = &row[i * w / 4..(i + 1) * w / 4];
            sums.cells[grid_row + i] += tones(part, range, sums);
            sums.cell_pixels[grid_row + i] += part.len() as u64;
        }
        let inner = self.narrow[1..w - 1].iter_mut();
        inner.zip(row).zip(&row[2..]).for_each(|((sum, l), r)| *sum += u16::from(r.abs_diff(*l)));
        if texture_too {
            for from in (0..w - 2).step_by(CHUNK) {
                let to = (from + CHUNK + 2).min(w);
                texture([&above[from..to], &row[from..to], &below[from..to]], sums);
            }
        }
    }

    fn spill(&mut self) {
        for (wide, narrow) in self.columns.iter_mut().zip(&mut self.narrow) {
            *wide += u32::from(std::mem::take(narrow));
        }
    }

    /// Sums the edge profile over rows: |below − above| over four strips, of green in colour formats.
    fn measure_rows(&mut self, image: &Image) {
        let (w, h) = (image.width, image.height);
        let c = image.format.components()[usize::from(image.format.is_rgb())];
        let (plane, ps, first) = (&image.planes[c.plane], c.step, c.offset);
        self.rows.clear();
        self.rows.resize(h, 0);
        let width = STRIP.min(w / STRIPS);
        let strips: [_; STRIPS] = std::array::from_fn(|i| (2 * i + 1) * w / (2 * STRIPS) - width / 2);
        if c.coding != Coding::Byte {
            for y in 1..h - 1 {
                let (above, below) = (image.component(&c, y - 1), image.component(&c, y + 1));
                let all = strips.iter().flat_map(|x| *x..*x + width);
                self.rows[y] = all.map(|x| u32::from(above.byte(x).abs_diff(below.byte(x)))).sum();
            }
            return;
        }
        let strips = strips.map(|x| x * ps);
        for (y, sum) in self.rows.iter_mut().enumerate().take(h - 1).skip(1) {
            let (above, below) = (plane.row(y - 1, w * ps), plane.row(y + 1, w * ps));
            for x in strips {
                let (a, b) = (&above[x..x + width * ps], &below[x..x + width * ps]);
                *sum += match (<&[u8; STRIP]>::try_from(a), <&[u8; STRIP]>::try_from(b)) {
                    (Ok(a), Ok(b)) if ps == 1 => a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>(),
                    _ => {
                        // A grey strip that is narrower than a register comes here too.
                        let green = |s: &[u8]| s[first];
                        let pixels = a.chunks_exact(ps).zip(b.chunks_exact(ps));
                        pixels.map(|(a, b)| u32::from(green(a).abs_diff(green(b)))).sum()
                    }
                };
            }
        }
    }

    fn finish(&self, image: &Image, range: &Range, s: &Sums) -> Measured {
        let mut row = UNKNOWN;
        let pixels = s.cell_pixels.iter().sum::<u64>() as f64;
        let mean = s.cells.iter().sum::<u64>() as f64 / pixels;
        let contrast = (s.squares as f64 / pixels - mean * mean).max(0.0).sqrt();
        row[LUMA] = range.unit(mean);
        row[CONTRAST] = contrast / range.span;
        // Below one level of contrast sharpness means nothing.
        if contrast >= 1.0 && s.inner > 0 {
            row[SHARPNESS] = (s.laplacian as f64 / s.inner as f64).sqrt() / contrast;
        }
        // Immerkær, Fast Noise Variance Estimation, CVIU 64 (1996): σ = √(π/2) · mean|N| / 6. Edges are not noise and
        // are left out, as in Tai and Yang (2008).
        if s.flat * 50 > s.inner {
            row[NOISE] = (std::f64::consts::PI / 2.0).sqrt() * s.noise as f64 / (6.0 * s.flat as f64) / range.span;
        }
        let low = s.low as f64 / pixels;
        row[CLIPPED_LOW] = low;
        row[CLIPPED_HIGH] = s.high as f64 / pixels;
        for i in (0..GRID_CELLS).filter(|i| s.cell_pixels[*i] > 0) {
            row[GRID + i] = range.unit(s.cells[i] as f64 / s.cell_pixels[i] as f64);
        }
        let rgb = if image.format.is_grey() {
            None
        } else if image.format.is_yuv() {
            let uv = s.uv.map(|v| v as f64 / s.chroma as f64);
            Some(to_rgb(range.unit(mean), uv, image.colorimetry))
        } else {
            Some(s.rgb.map(|v| v as f64 / pixels / 255.0))
        };
        // In a dark frame, shares of colour are noise.
        if let Some(rgb) = rgb.filter(|rgb| rgb.iter().sum::<f64>() > 0.05) {
            let rgb = rgb.map(|v| v.max(0.0));
            let all: f64 = rgb.iter().sum();
            for (i, v) in rgb.into_iter().enumerate() {
                row[RED + i] = v / all;
            }
        }
        Measured { row, fingerprint: self.fingerprint(s), black: low >= BLACK_SHARE }
    }

    /// Hashes all sums and the profile over columns by FNV-1a.
    fn fingerprint(&self, s: &Sums) -> u64 {
        let sums = [s.squares, s.laplacian, s.noise, s.flat, s.rgb[0], s.rgb[1], s.rgb[2], s.uv[0], s.uv[1]];
        let pair = |v: &[u32]| v.iter().fold(0, |pair, v| (pair << 32) | u64::from(*v));
        let profiles = self.columns.chunks(2).map(pair);
        let all = s.cells.into_iter().chain(sums).chain(profiles);
        all.fold(0xcbf2_9ce4_8422_2325, |hash, v| (hash ^ v).wrapping_mul(0x0100_0000_01b3))
    }
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

/// Returns the sum of a run of pixels. Adds squares and clipped pixels to `sums`.
fn tones(pixels: &[u8], range: &Range, sums: &mut Sums) -> u64 {
    let mut sum = 0;
    for chunk in pixels.chunks(CHUNK) {
        sum += chunk.iter().map(|v| u64::from(*v)).sum::<u64>();
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
    sum
}

/// Applies the 3×3 operators to one run of a row. Blocks have the width of one register, and each step uses the
/// narrowest type that holds it, so that the compiler finds the vector instructions. An incomplete last block is left
/// out.
fn texture([above, row, below]: [&[u8]; 3], sums: &mut Sums) {
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

/// Sums the upper 8 bits of the samples of a component in the row that covers pixel row `y`.
fn column_sum(image: &Image, c: &Component, y: usize) -> u64 {
    let (row, [samples, _]) = (image.component(c, y), image.samples(c));
    (0..samples).map(|x| u64::from(row.byte(x))).sum()
}

fn chroma(image: &Image, step: usize, sums: &mut Sums) {
    let [_, u, v, ..] = image.format.components() else { return };
    let [samples, rows] = image.samples(u);
    for y in (0..rows).step_by(step) {
        if !image.format.is_of_bytes() {
            let pixel_row = y << usize::from(u.half_height);
            sums.uv[0] += column_sum(image, u, pixel_row);
            sums.uv[1] += column_sum(image, v, pixel_row);
            sums.chroma += samples as u64;
            continue;
        }
        let (bytes, _) = image.plane_size(u.plane);
        let (us, vs) = (image.planes[u.plane].row(y, bytes), image.planes[v.plane].row(y, bytes));
        let sum = |row: &[u8], c: &Component| match c.step {
            1 => row.iter().map(|v| u32::from(*v)).sum::<u32>(),
            2 => row.as_chunks::<2>().0.iter().map(|p| u32::from(p[c.offset & 1])).sum(),
            _ => row.as_chunks::<4>().0.iter().map(|p| u32::from(p[c.offset & 3])).sum(),
        };
        sums.uv[0] += u64::from(sum(us, u));
        sums.uv[1] += u64::from(sum(vs, v));
        sums.chroma += samples as u64;
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
