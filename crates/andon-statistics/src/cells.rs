// SPDX-License-Identifier: MPL-2.0
//! A frame cell by cell, compared with the scene that the camera always shows.
//!
//! What changes in a camera changes every cell in the same way: a lamp, the focus, the gain. What passes in front of it
//! changes some cells. So every feature here is a median over cells of how a cell differs from the scene's, and an
//! object that covers a minority of them moves none.

use serde::{Deserialize, Serialize};

use super::features::*;

/// Cells on a side.
pub(crate) const SIDE: usize = 8;
/// Cells of a frame, row by row.
pub(crate) const CELLS: usize = SIDE * SIDE;

/// The fewest cells that a median is taken over.
const LEAST_CELLS: usize = 8;
/// The luma that is neither too dark nor too bright to compare, 0..1.
const USABLE: std::ops::Range<f32> = 0.04..0.97;
/// What is added to luma before the ln, so that black has one.
const DARK: f32 = 0.01;
/// The contrast from which a cell has texture to compare, 0..1.
const TEXTURE: f32 = 0.012;
/// The contrast from which a cell can be sharp or not, and the RMS Laplacian: below, a decoder's blocks decide.
const SHARP: f32 = 0.02;
const EDGED: f32 = 0.008;
/// What is added to contrast, and to noise, before the ln: about half the noise of eight bits.
const QUANTUM: f32 = 0.0015;
/// The noise variance that a 3×3 Laplacian gives for a variance of 1: 4² + 4 · 1².
const LAPLACIAN_GAIN: f32 = 20.0;
/// How far a cell's ln luma may lie from the light of its surroundings, at least, before it shows something else.
const OTHER_LIGHT: f32 = 0.12;
/// The same for its ln contrast.
const OTHER_TEXTURE: f32 = 0.6;
/// How well the change of a cell's ln contrast has to agree with that of its ln luma to be a shadow.
const SHADED: f32 = 0.2;
/// How many σ of its own a cell may lie off.
const OTHER_SIGMAS: f32 = 4.0;

/// One number for each cell; NaN where it is not known.
type CellValues = [f32; CELLS];

/// The measures of one frame's cells.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    /// Mean luma, 0..1.
    pub luma: CellValues,
    /// Standard deviation of luma, 0..1.
    pub contrast: CellValues,
    /// RMS of the Laplacian, in the unit of luma.
    pub laplacian: CellValues,
    /// Noise σ of luma away from edges, 0..1.
    pub noise: CellValues,
    /// Mean red less luma. NaN for grey frames.
    pub red: CellValues,
    /// Mean blue less luma.
    pub blue: CellValues,
}

impl Default for Cells {
    fn default() -> Self {
        let none = [f32::NAN; CELLS];
        Self { luma: none, contrast: none, laplacian: none, noise: none, red: none, blue: none }
    }
}

/// Returns the square of `all` without that of noise times a gain; at least a twentieth of it.
fn without(all: f32, noise: f32, gain: f32) -> f32 {
    let noise = if noise.is_finite() { gain * noise * noise } else { 0.0 };
    (all * all - noise).max(0.05 * all * all) + QUANTUM * QUANTUM
}

impl Cells {
    fn light(&self, i: usize) -> f32 {
        (self.luma[i].max(0.0) + DARK).ln()
    }

    /// The ln of the contrast without what noise adds to it.
    fn texture(&self, i: usize) -> f32 {
        0.5 * without(self.contrast[i], self.noise[i], 1.0).ln()
    }

    /// The ln of the Laplacian over the contrast, without what noise adds to either.
    fn detail(&self, i: usize) -> f32 {
        0.5 * without(self.laplacian[i], self.noise[i], LAPLACIAN_GAIN).ln() - self.texture(i)
    }

    fn grain(&self, i: usize) -> f32 {
        (self.noise[i] + QUANTUM).ln()
    }
}

/// How quickly a cell that shows something else counts as covered: the weight of the latest frame.
const NEWEST: f32 = 1.0 / 16.0;
/// The share of the latest frames in which a covered cell shows something else.
const LASTING: f32 = 0.8;

/// For how long cells have shown something else than the scene: what passes covers no cell for long.
#[derive(Clone, Debug)]
pub(crate) struct Covers([f32; CELLS]);

impl Default for Covers {
    fn default() -> Self {
        Self([0.0; CELLS])
    }
}

/// What the cells of the scene look like, by the frames that were learned first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellScene {
    /// Mean luma, 0..1.
    luma: Vec<f32>,
    /// ln of luma, contrast, sharpness and noise, as [`Cells`] gives them; None where a cell cannot tell.
    light: Vec<Option<f32>>,
    texture: Vec<Option<f32>>,
    detail: Vec<Option<f32>>,
    grain: Vec<Option<f32>>,
    /// Red and blue less luma.
    red: Vec<Option<f32>>,
    blue: Vec<Option<f32>>,
    /// The scatter over time of `light` and `texture`.
    light_spread: Vec<f32>,
    texture_spread: Vec<f32>,
    /// The half of the cells that holds most still. Medians are taken over them.
    steady: Vec<bool>,
}

impl CellScene {
    /// Describes the scene that these frames show. An object that passes in a minority of them leaves no trace.
    pub(crate) fn learn(frames: &[Cells]) -> Self {
        let over = |of: &dyn Fn(&Cells, usize) -> f32| -> Vec<Option<f32>> {
            let mut values = Vec::with_capacity(frames.len());
            (0..CELLS)
                .map(|i| {
                    values.clear();
                    values.extend(frames.iter().map(|f| of(f, i)).filter(|v| v.is_finite()));
                    (2 * values.len() > frames.len()).then(|| median(&mut values))
                })
                .collect()
        };
        let luma = over(&|f, i| f.luma[i]);
        let contrast = over(&|f, i| f.contrast[i]);
        let usable = |i: usize| luma[i].is_some_and(|v| USABLE.contains(&v));
        let textured = |i: usize| contrast[i].is_some_and(|v| v >= TEXTURE);
        let laplacian = over(&|f, i| f.laplacian[i]);
        let edged = |i: usize| laplacian[i].is_some_and(|v| v >= EDGED);
        let only = |mut of: Vec<Option<f32>>, keep: &dyn Fn(usize) -> bool| {
            of.iter_mut().enumerate().filter(|(i, _)| !keep(*i)).for_each(|(_, v)| *v = None);
            of
        };
        let light = only(over(&Cells::light), &usable);
        let texture = only(over(&Cells::texture), &textured);
        // Nine of ten normal numbers lie within 1.645 σ. An object that passes now and then counts.
        let spread = |of: &dyn Fn(&Cells, usize) -> f32, around: &[Option<f32>]| -> Vec<f32> {
            let mut far = Vec::with_capacity(frames.len());
            (0..CELLS)
                .map(|i| {
                    let Some(around) = around[i] else { return 0.0 };
                    far.clear();
                    far.extend(frames.iter().map(|f| (of(f, i) - around).abs()).filter(|v| v.is_finite()));
                    let ninth = far.len() * 9 / 10;
                    far.select_nth_unstable_by(ninth, f32::total_cmp).1.clamp(0.0, 10.0) / 1.645
                })
                .collect()
        };
        let light_spread = spread(&Cells::light, &light);
        let texture_spread = spread(&Cells::texture, &texture);
        let restless = |i: usize| light_spread[i] + 0.3 * texture_spread[i];
        let mut all: Vec<f32> = (0..CELLS).filter(|i| light[*i].is_some()).map(restless).collect();
        let middle = if all.is_empty() { 0.0 } else { median(&mut all) };
        Self {
            steady: (0..CELLS).map(|i| restless(i) <= middle).collect(),
            light_spread,
            texture_spread,
            detail: only(over(&Cells::detail), &|i| contrast[i].is_some_and(|v| v >= SHARP) && edged(i)),
            grain: over(&Cells::grain),
            red: only(over(&|f, i| f.red[i]), &usable),
            blue: only(over(&|f, i| f.blue[i]), &usable),
            luma: luma.into_iter().map(|v| v.unwrap_or(0.0)).collect(),
            light,
            texture,
        }
    }

    /// Returns whether the numbers, which may come from a file, can be used.
    pub(crate) fn sound(&self) -> bool {
        let each = [&self.light, &self.texture, &self.detail, &self.grain, &self.red, &self.blue];
        let plain = [&self.luma, &self.light_spread, &self.texture_spread];
        each.iter().all(|v| v.len() == CELLS && v.iter().flatten().all(|v| v.is_finite()))
            && plain.iter().all(|v| v.len() == CELLS && v.iter().all(|v| v.is_finite()))
            && self.steady.len() == CELLS
    }

    /// Writes into a row how the cells of a frame differ from the scene's. What cannot be told stays unknown.
    pub(crate) fn compare(&self, cells: &Cells, covers: &mut Covers, row: &mut Row) {
        let light = less(&self.light, |i| cells.light(i));
        let texture = less(&self.texture, |i| cells.texture(i));
        let middle = self.median(&light);
        row[LIGHT] = shared(&light, &mut [0.0; CELLS], LEAST_CELLS);
        row[LOCAL_CONTRAST] = self.median(&texture);
        row[DETAIL] = self.median(&less(&self.detail, |i| cells.detail(i)));
        row[GRAIN] = self.median(&less(&self.grain, |i| cells.grain(i)));
        let rest = self.rest(cells, middle, row);
        let line = |i: usize, along: usize, across: usize| slope(&rest, i * across, along);
        row[SLOPE_X] = shared(&std::array::from_fn::<_, SIDE, _>(|y| line(y, 1, SIDE)), &mut [0.0; SIDE], SIDE / 2);
        row[SLOPE_Y] = shared(&std::array::from_fn::<_, SIDE, _>(|x| line(x, SIDE, 1)), &mut [0.0; SIDE], SIDE / 2);
        self.tint(cells, middle, row);
        self.covered(&rest, &texture, covers, row);
    }

    /// Returns the median over the steady cells, or over all where too few of them are known.
    fn median(&self, each: &CellValues) -> f64 {
        let steady = among(each, |i| self.steady[i]);
        if steady.is_nan() { among(each, |_| true) } else { steady }
    }

    /// Returns what is left of each cell's ln luma after the frame's light, or after its gain and offset: whichever
    /// explains the frame better.
    fn rest(&self, cells: &Cells, light: f64, row: &Row) -> CellValues {
        let usable = |i: usize| self.light[i].is_some();
        let explained = |gain: f32, offset: f32| -> CellValues {
            std::array::from_fn(|i| match usable(i) {
                true => cells.light(i) - ((gain * self.luma[i] + offset).max(0.0) + DARK).ln(),
                false => f32::NAN,
            })
        };
        let light = explained(known(light).exp(), 0.0);
        if !row[LOCAL_CONTRAST].is_finite() {
            return light;
        }
        let gain = row[LOCAL_CONTRAST].exp() as f32;
        let over: CellValues =
            std::array::from_fn(|i| if usable(i) { cells.luma[i] - gain * self.luma[i] } else { f32::NAN });
        let both = explained(gain, known(self.median(&over)));
        let size = |rest: &CellValues| self.median(&rest.map(f32::abs));
        if size(&both) < size(&light) { both } else { light }
    }

    /// Colour differences (red and blue less luma) grow with the light and the contrast, and an offset leaves them. What
    /// is left after the best such factor, from 1 to what light and contrast have changed by, is a tint.
    fn tint(&self, cells: &Cells, light: f64, row: &mut Row) {
        let factors = [1.0, light.exp(), row[LOCAL_CONTRAST].exp()].map(|v| v as f32);
        let range = factors.into_iter().filter(|v| v.is_finite()).fold([1f32; 2], |[a, b], v| [a.min(v), b.max(v)]);
        let sum = |now: &CellValues, then: &[Option<f32>]| {
            let pairs =
                now.iter().zip(then).filter_map(|(now, then)| then.filter(|_| now.is_finite()).map(|t| (now, t)));
            pairs.fold((0.0, 0.0), |(a, b), (now, then)| (a + now, b + then))
        };
        let [(red, was_red), (blue, was_blue)] = [sum(&cells.red, &self.red), sum(&cells.blue, &self.blue)];
        let power = was_red * was_red + was_blue * was_blue;
        let best = if power > 1e-6 { (red * was_red + blue * was_blue) / power } else { 1.0 };
        let factor = best.clamp(range[0], range[1]);
        for (feature, now, then) in [(TINT_RED, &cells.red, &self.red), (TINT_BLUE, &cells.blue, &self.blue)] {
            let tint: CellValues = std::array::from_fn(|i| match then[i] {
                Some(then) if USABLE.contains(&cells.luma[i]) => (now[i] - factor * then) / cells.luma[i].max(0.08),
                _ => f32::NAN,
            });
            row[feature] = self.median(&tint);
        }
    }

    /// A cell shows something else if its light is not that of the frame, of its half or of a slope over the frame, or
    /// if its contrast has changed much more or less than that of the others.
    fn covered(&self, rest: &CellValues, texture: &CellValues, covers: &mut Covers, row: &mut Row) {
        let (slope_x, slope_y) = (known(row[SLOPE_X]), known(row[SLOPE_Y]));
        let contrast = known(row[LOCAL_CONTRAST]);
        let (mut all, mut other) = (0, 0);
        for i in 0..CELLS {
            // −1 at the left and upper edge, 1 at the right and lower one. The medians of halves lie at ±½.
            let [x, y] = [i % SIDE, i / SIDE].map(|v| (2 * v + 1) as f32 / SIDE as f32 - 1.0);
            let halves = 0.5 * (slope_x * x.signum() + slope_y * y.signum());
            let plane = slope_x * x + slope_y * y;
            let off = rest[i].abs().min((rest[i] - halves).abs()).min((rest[i] - plane).abs());
            let lit = off > OTHER_LIGHT.max(OTHER_SIGMAS * self.light_spread[i]);
            // A shadow takes contrast and light alike.
            let shaded = (texture[i] - contrast - rest[i]).abs() < SHADED;
            let textured = (texture[i] - contrast).abs() > OTHER_TEXTURE.max(OTHER_SIGMAS * self.texture_spread[i]);
            all += usize::from(rest[i].is_finite() || texture[i].is_finite());
            let now = if (lit || textured) && !shaded { 1.0 } else { 0.0 };
            covers.0[i] += NEWEST * (now - covers.0[i]);
            other += usize::from(covers.0[i] >= LASTING);
        }
        if all >= LEAST_CELLS {
            row[COVERED] = other as f64 / all as f64;
        }
    }
}

/// Returns how much more the second half of a row or column of cells has than the first.
fn slope(each: &CellValues, first: usize, step: usize) -> f32 {
    let half = |from: usize| {
        let mut known = [0.0; SIDE / 2];
        let mut n = 0;
        for v in (from..from + SIDE / 2).map(|i| each[first + i * step]).filter(|v| v.is_finite()) {
            known[n] = v;
            n += 1;
        }
        if n < 2 { f32::NAN } else { median(&mut known[..n]) }
    };
    half(SIDE / 2) - half(0)
}

/// Returns what three quarters of the numbers share: the lower quartile if that is above 0, the upper one if that is
/// below, else 0. What moves some of them far moves this not at all. NaN if fewer than `least` are known.
fn shared(all: &[f32], scratch: &mut [f32], least: usize) -> f64 {
    let mut n = 0;
    for v in all.iter().filter(|v| v.is_finite()) {
        scratch[n] = *v;
        n += 1;
    }
    if n < least {
        return f64::NAN;
    }
    let mut at = |i: usize| f64::from(*scratch[..n].select_nth_unstable_by(i, f32::total_cmp).1);
    at(n / 4).max(0.0) + at(n - 1 - n / 4).min(0.0)
}

fn known(v: f64) -> f32 {
    if v.is_finite() { v as f32 } else { 0.0 }
}

/// Returns how the cells differ from what was.
fn less(was: &[Option<f32>], now: impl Fn(usize) -> f32) -> CellValues {
    std::array::from_fn(|i| was[i].map_or(f32::NAN, |was| now(i) - was))
}

/// Returns the median over some of the cells, or NaN if too few are known.
fn among(each: &CellValues, of: impl Fn(usize) -> bool) -> f64 {
    let mut known = [0.0; CELLS];
    let mut n = 0;
    for (_, v) in each.iter().enumerate().filter(|(i, v)| v.is_finite() && of(*i)) {
        known[n] = *v;
        n += 1;
    }
    if n < LEAST_CELLS { f64::NAN } else { median(&mut known[..n]).into() }
}

/// Returns the upper median.
fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
