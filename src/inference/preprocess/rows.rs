// SPDX-License-Identifier: MPL-2.0
//! Loops over one row of bytes that bring it to the model's width as `f32`. Short, without calls or bounds checks
//! inside, so that the compiler finds vector instructions; what has to be picked byte by byte is picked as words first.

use super::taps::{Order, Tap, Taps};

/// Words that are picked before they are worked on: two blocks of them stay in the nearest cache.
const BLOCK: usize = 64;

/// What the samples of one pixel are, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixel<'a> {
    /// Bytes from pixel to pixel, 1 to 4.
    pub step: usize,
    /// The byte of each component in it.
    pub offsets: &'a [usize],
}

/// Brings `row` to the width of `taps`, component after component into `out`.
pub(super) fn resize(row: &[u8], pixel: Pixel<'_>, taps: &Taps, out: &mut [f32]) {
    let width = taps.pairs.len();
    let first = taps.pairs[0].at as usize * pixel.step;
    let regular = match taps.order {
        Order::Every(k) => Some((k * pixel.step, pixel.step, None)),
        Order::Middle(k) => Some((k * pixel.step, 2 * pixel.step, Some(pixel.step))),
        Order::Any => None,
    };
    match regular {
        Some((1, _, None)) => widen(&row[first..][..width], out),
        Some((2, need, middle)) if let Some((row, lead)) = groups::<2>(row, first, need, width) => {
            for (out, offset) in out.chunks_exact_mut(width).zip(pixel.offsets) {
                let a = 8 * (lead + offset) as u32;
                words(row, |w: &[u8; 2]| u16::from_le_bytes(*w).into(), a, middle.map(|m| a + 8 * m as u32), out);
            }
        }
        Some((4, need, middle)) if let Some((row, lead)) = groups::<4>(row, first, need, width) => {
            for (out, offset) in out.chunks_exact_mut(width).zip(pixel.offsets) {
                let a = 8 * (lead + offset) as u32;
                words(row, |w: &[u8; 4]| u32::from_le_bytes(*w), a, middle.map(|m| a + 8 * m as u32), out);
            }
        }
        _ => pick(row, pixel, &taps.pairs, matches!(taps.order, Order::Every(_)), out),
    }
}

/// Bytes as numbers.
fn widen(row: &[u8], out: &mut [f32]) {
    out.iter_mut().zip(row).for_each(|(o, v)| *o = f32::from(*v));
}

/// The row as `count` groups of `N` bytes whose `need` bytes from the one at `first` on lie in the first group, and where
/// they begin there; none where the row does not reach so far.
fn groups<const N: usize>(row: &[u8], first: usize, need: usize, count: usize) -> Option<(&[[u8; N]], usize)> {
    let lead = (0..=N.checked_sub(need)?.min(first)).find(|lead| first - lead + count * N <= row.len())?;
    Some((row[first - lead..][..count * N].as_chunks().0, lead))
}

/// One byte of every group, or the middle of two, given by how far to shift.
fn words<const N: usize>(row: &[[u8; N]], word: impl Fn(&[u8; N]) -> u32, a: u32, b: Option<u32>, out: &mut [f32]) {
    let at = |w: u32, shift: u32| (w >> shift & 255) as i32;
    match b {
        None => out.iter_mut().zip(row).for_each(|(o, w)| *o = at(word(w), a) as f32),
        Some(b) => out.iter_mut().zip(row).for_each(|(o, w)| *o = (at(word(w), a) + at(word(w), b)) as f32 * 0.5),
    }
}

/// Any taps.
fn pick(row: &[u8], pixel: Pixel<'_>, taps: &[Tap], whole: bool, out: &mut [f32]) {
    let width = taps.len();
    let (mut near, mut next) = ([0u32; BLOCK], [0u32; BLOCK]);
    for (block, taps) in taps.chunks(BLOCK).enumerate() {
        let last = taps.last().map_or(0, |t| t.at as usize * pixel.step);
        let wide = pixel.step > 2;
        if last + pixel.step + 4 <= row.len() {
            for (w, tap) in near.iter_mut().zip(taps) {
                *w = word(row, tap.at as usize * pixel.step);
            }
            if wide && !whole {
                for (w, tap) in next.iter_mut().zip(taps) {
                    *w = word(row, (tap.at as usize + 1) * pixel.step);
                }
            }
        } else {
            for ((a, b), tap) in near.iter_mut().zip(&mut next).zip(taps) {
                *a = word_at_end(row, tap.at as usize * pixel.step);
                *b = word_at_end(row, (tap.at as usize + 1) * pixel.step);
            }
        }
        let (near, next) = (&near[..taps.len()], if wide { &next[..taps.len()] } else { &near[..taps.len()] });
        for (out, offset) in out.chunks_exact_mut(width).zip(pixel.offsets) {
            let out = &mut out[block * BLOCK..][..taps.len()];
            let a = 8 * *offset as u32;
            let b = if wide { a } else { a + 8 * pixel.step as u32 };
            if whole {
                out.iter_mut().zip(near).for_each(|(o, w)| *o = (w >> a & 255) as i32 as f32);
                continue;
            }
            for (((o, near), next), tap) in out.iter_mut().zip(near).zip(next).zip(taps) {
                let (a, b) = ((near >> a & 255) as i32 as f32, (next >> b & 255) as i32 as f32);
                *o = a + (b - a) * tap.weight;
            }
        }
    }
}

#[inline]
fn word(row: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(row[at..at + 4].try_into().expect("the slice has four bytes"))
}

/// The same where the row may end before; what lies beyond is 0, and has the weight 0.
fn word_at_end(row: &[u8], at: usize) -> u32 {
    (at..row.len().min(at + 4)).rev().fold(0, |word, i| word << 8 | u32::from(row[i]))
}

/// `out = a + (b - a) * weight`.
pub(super) fn between(a: &[f32], b: &[f32], weight: f32, out: &mut [f32]) {
    out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (a, b))| *o = a + (b - a) * weight);
}

/// Adds every `step`-th of `bytes`-long samples times `weight`.
pub(super) fn add(row: &[u8], step: usize, bytes: usize, weight: f32, sums: &mut [f32]) {
    match (step, bytes) {
        (1, _) => sums.iter_mut().zip(row).for_each(|(s, v)| *s += f32::from(*v) * weight),
        (_, 1) => sums.iter_mut().zip(row.iter().step_by(step)).for_each(|(s, v)| *s += f32::from(*v) * weight),
        _ => {
            // 65535 is 255.
            let (weight, row) = (weight / 257.0, row.as_chunks::<2>().0);
            sums.iter_mut().zip(row).for_each(|(s, v)| *s += f32::from(u16::from_le_bytes(*v)) * weight);
        }
    }
}
