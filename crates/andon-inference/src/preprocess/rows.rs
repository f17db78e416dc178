// SPDX-License-Identifier: MPL-2.0
//! Loops that resize one row of bytes to the model's width, as `f32`.
//!
//! They are short, and have neither calls nor bounds checks inside, so that the compiler finds vector instructions. Samples
//! that must be gathered byte by byte are gathered as words first. They use `for`, not `for_each`, since all are inlined
//! into their caller, which is compiled for several instruction sets (see `Preprocessor::write`).

use super::taps::{Order, Tap, Taps};

/// Words that are gathered at a time: two blocks of them stay in the nearest cache.
const BLOCK: usize = 64;

/// The samples of one pixel, and their places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixel<'a> {
    /// The bytes from pixel to pixel, 1 to 4.
    pub step: usize,
    /// The byte of each component within the pixel.
    pub offsets: &'a [usize],
}

/// Resizes `row` to the width of `taps`, and writes component after component into `out`.
#[inline(always)]
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
        Some((3, 3, None)) if row.len() >= first + 3 * width => unzip(&row[first..][..3 * width], pixel.offsets, out),
        Some((3, 1, None)) if let Some((row, lead)) = groups::<3>(row, first, 1, width) => match lead {
            0 => third::<0>(row, out),
            1 => third::<1>(row, out),
            _ => third::<2>(row, out),
        },
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

/// Widens bytes to numbers.
#[inline(always)]
fn widen(row: &[u8], out: &mut [f32]) {
    for (o, v) in out.iter_mut().zip(row) {
        *o = f32::from(*v);
    }
}

/// Splits pixels of three bytes into three rows; `offsets` has the byte of each row.
#[inline(always)]
fn unzip(row: &[u8], offsets: &[usize], out: &mut [f32]) {
    let [a, b, c] = offsets else { unreachable!("a pixel of three bytes has three components") };
    // With constants the compiler shuffles the bytes, and looks up none.
    match (a, b, c) {
        (0, 1, 2) => unzip_as::<0, 1, 2>(row, out),
        (2, 1, 0) => unzip_as::<2, 1, 0>(row, out),
        _ => unreachable!("no format has its components in another order"),
    }
}

#[inline(always)]
fn unzip_as<const A: usize, const B: usize, const C: usize>(row: &[u8], out: &mut [f32]) {
    let row = row.as_chunks::<3>().0;
    let (a, rest) = out.split_at_mut(row.len());
    let (b, c) = rest.split_at_mut(row.len());
    for (((a, b), c), pixel) in a.iter_mut().zip(b).zip(c).zip(row) {
        (*a, *b, *c) = (f32::from(pixel[A]), f32::from(pixel[B]), f32::from(pixel[C]));
    }
}

/// Takes one byte of every three.
#[inline(always)]
fn third<const AT: usize>(row: &[[u8; 3]], out: &mut [f32]) {
    for (o, group) in out.iter_mut().zip(row) {
        *o = f32::from(group[AT]);
    }
}

/// Splits the row into `count` groups of `N` bytes so that the `need` bytes from `first` on lie in the first group; also
/// returns their place in that group. `None` if the row is too short.
#[inline(always)]
fn groups<const N: usize>(row: &[u8], first: usize, need: usize, count: usize) -> Option<(&[[u8; N]], usize)> {
    let lead = (0..=N.checked_sub(need)?.min(first)).find(|lead| first - lead + count * N <= row.len())?;
    Some((row[first - lead..][..count * N].as_chunks().0, lead))
}

/// Takes one byte of every group, or the middle of two bytes, at the given shifts.
#[inline(always)]
fn words<const N: usize>(row: &[[u8; N]], word: impl Fn(&[u8; N]) -> u32, a: u32, b: Option<u32>, out: &mut [f32]) {
    let at = |w: u32, shift: u32| (w >> shift & 255) as i32;
    match b {
        None => {
            for (o, w) in out.iter_mut().zip(row) {
                *o = at(word(w), a) as f32;
            }
        }
        Some(b) => {
            for (o, w) in out.iter_mut().zip(row) {
                *o = (at(word(w), a) + at(word(w), b)) as f32 * 0.5;
            }
        }
    }
}

/// Resizes by arbitrary taps.
#[inline(always)]
fn pick(row: &[u8], pixel: Pixel<'_>, taps: &[Tap], whole: bool, out: &mut [f32]) {
    let width = taps.len();
    let (mut near, mut next) = ([0u32; BLOCK], [0u32; BLOCK]);
    for (block, taps) in taps.chunks(BLOCK).enumerate() {
        let wide = pixel.step > 2;
        // As far as the row holds a word at both samples of a tap.
        let far = |tap: &Tap| tap.at as usize * pixel.step + pixel.step + 4 <= row.len();
        let (whole_words, at_end) = taps.split_at(taps.partition_point(far));
        for (w, tap) in near.iter_mut().zip(whole_words) {
            *w = word(row, tap.at as usize * pixel.step);
        }
        if wide && !whole {
            for (w, tap) in next.iter_mut().zip(whole_words) {
                *w = word(row, (tap.at as usize + 1) * pixel.step);
            }
        }
        for (i, tap) in (whole_words.len()..).zip(at_end) {
            near[i] = word_at_end(row, tap.at as usize * pixel.step);
            next[i] = word_at_end(row, (tap.at as usize + 1) * pixel.step);
        }
        let (near, next) = (&near[..taps.len()], if wide { &next[..taps.len()] } else { &near[..taps.len()] });
        for (out, offset) in out.chunks_exact_mut(width).zip(pixel.offsets) {
            let out = &mut out[block * BLOCK..][..taps.len()];
            let a = 8 * *offset as u32;
            let b = if wide { a } else { a + 8 * pixel.step as u32 };
            if whole {
                for (o, w) in out.iter_mut().zip(near) {
                    *o = (w >> a & 255) as i32 as f32;
                }
                continue;
            }
            for (((o, near), next), tap) in out.iter_mut().zip(near).zip(next).zip(taps) {
                let (a, b) = ((near >> a & 255) as i32 as f32, (next >> b & 255) as i32 as f32);
                *o = a + (b - a) * tap.weight;
            }
        }
    }
}

#[inline(always)]
fn word(row: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(row[at..at + 4].try_into().expect("the slice has four bytes"))
}

/// Reads a word near the end of the row. Bytes beyond the end are 0, and their weight is 0.
#[inline(always)]
fn word_at_end(row: &[u8], at: usize) -> u32 {
    (at..row.len().min(at + 4)).rev().fold(0, |word, i| word << 8 | u32::from(row[i]))
}

/// Computes `out = a + (b - a) * weight`.
#[inline(always)]
pub(super) fn between(a: &[f32], b: &[f32], weight: f32, out: &mut [f32]) {
    for (o, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
        *o = a + (b - a) * weight;
    }
}

/// Adds `weight` times every `step`-th sample of `bytes` bytes to the sums.
#[inline(always)]
pub(super) fn add(row: &[u8], step: usize, bytes: usize, weight: f32, sums: &mut [f32]) {
    match (step, bytes) {
        (1, _) => {
            for (s, v) in sums.iter_mut().zip(row) {
                *s += f32::from(*v) * weight;
            }
        }
        (_, 1) => {
            for (s, v) in sums.iter_mut().zip(row.iter().step_by(step)) {
                *s += f32::from(*v) * weight;
            }
        }
        _ => {
            // A 16-bit sample of 65535 means 255.
            let (weight, row) = (weight / 257.0, row.as_chunks::<2>().0);
            for (s, v) in sums.iter_mut().zip(row) {
                *s += f32::from(u16::from_le_bytes(*v)) * weight;
            }
        }
    }
}

/// Adds every byte of four rows to the sums, each row times its weight. The sums are read and written once for all four.
#[inline(always)]
pub(super) fn add_four([a, b, c, d]: [&[u8]; 4], [i, j, k, l]: [f32; 4], sums: &mut [f32]) {
    let rows = a.iter().zip(b).zip(c).zip(d);
    for (s, (((a, b), c), d)) in sums.iter_mut().zip(rows) {
        *s += f32::from(*a) * i + f32::from(*b) * j + f32::from(*c) * k + f32::from(*d) * l;
    }
}
