// SPDX-License-Identifier: MPL-2.0
//! Changes of light, optics, camera and model, put into the pixels of a frame.
//!
//! Light is a gain on what lies above black, for colour about its neutral value. A kind of lamp is a gain on red and
//! another on blue, converted as BT.601 says.

use andon_core::random::Random;

use super::frame::{Frame, Source};

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Light times this.
    Gain(f32),
    /// The left half gets 60 % of its light: one lamp of two is out.
    HalfLamp,
    /// Contrast times this, about the middle of the range.
    Contrast(f32),
    /// Black is this many levels lower.
    Offset(f32),
    /// Gaussian blur of this σ, in pixels.
    Blur(f32),
    /// The scene lies this many pixels to the right, and half as many lower.
    Shift(usize),
    /// The camera is turned by this many degrees.
    Turn(f32),
    /// Noise of this σ, in levels of luma; colour gets half as much.
    Noise(f32),
    /// Red times 1 + this, blue times 1 − this.
    Warmth(f32),
    /// A dark thing covers this share of the view, from the upper left corner on.
    Cover(f32),
    /// Another scene.
    AnotherCamera,
    /// The last frame, again and again.
    Frozen,
    /// The model finds other classes, and is less sure.
    Mix,
}

/// A change with its name.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// The name in tables.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// The causes that are right, first of all.
    pub right: &'static [&'static str],
    /// Whether it is one of the larger steps, which have to be found within two seconds.
    pub larger: bool,
}

const fn change(name: &'static str, kind: Kind, right: &'static [&'static str], larger: bool) -> Change {
    Change { name, kind, right, larger }
}

/// All changes.
pub const CHANGES: [Change; 22] = [
    change("light -5 %", Kind::Gain(0.95), &["lighting"], false),
    change("light -10 %", Kind::Gain(0.9), &["lighting"], false),
    change("light -20 %", Kind::Gain(0.8), &["lighting"], true),
    change("light -25 %", Kind::Gain(0.75), &["lighting"], true),
    change("light +40 %", Kind::Gain(1.4), &["lighting", "exposure"], false),
    change("half the lamp", Kind::HalfLamp, &["lighting"], false),
    change("contrast x 0.7", Kind::Contrast(0.7), &["exposure", "lighting"], false),
    change("dark offset", Kind::Offset(12.0), &["exposure", "lighting"], false),
    change("blur 1", Kind::Blur(1.0), &["focus"], false),
    change("blur 2", Kind::Blur(2.0), &["focus"], true),
    change("shift 4 px", Kind::Shift(4), &["position"], false),
    change("shift 16 px", Kind::Shift(16), &["position"], true),
    change("turned 2°", Kind::Turn(2.0), &["position", "scene"], false),
    change("noise 5", Kind::Noise(5.0), &["noise"], false),
    change("noise 12", Kind::Noise(12.0), &["noise"], true),
    change("lamp's kind 1", Kind::Warmth(0.06), &["colour"], false),
    change("lamp's kind 2", Kind::Warmth(0.15), &["colour"], true),
    change("covered 10 %", Kind::Cover(0.1), &["scene", "occlusion"], false),
    change("covered 25 %", Kind::Cover(0.25), &["scene", "occlusion"], true),
    change("another camera", Kind::AnotherCamera, &["scene", "occlusion"], true),
    change("frozen", Kind::Frozen, &["frozen"], true),
    change("model's mix", Kind::Mix, &["predictions"], false),
];

/// Puts a change into frames. Keeps what it needs between them.
pub struct Changer<'a> {
    kind: Kind,
    random: Random,
    /// Unit normal numbers, read from a random place on.
    normal: Vec<f32>,
    before: Option<Frame>,
    other: Option<(&'a mut dyn Source, Frame)>,
}

/// How many normal numbers are kept.
const NORMALS: usize = 1 << 16;

impl<'a> Changer<'a> {
    /// Makes a changer. `other` is what another camera sees.
    pub fn new(kind: Kind, other: Option<&'a mut dyn Source>) -> Self {
        let mut random = Random(77);
        let normal = (0..NORMALS).map(|_| random.normal() as f32).collect();
        let other = other.map(|source| {
            let (size, grey) = source.shape();
            source.rewind();
            (source, Frame::new(size, grey))
        });
        Self { kind, random, normal, before: None, other }
    }

    /// Returns whether the change can be put into frames like this one.
    pub fn fits(&self, frame: &Frame) -> bool {
        match self.kind {
            Kind::Warmth(_) => frame.chroma.is_some(),
            Kind::AnotherCamera => self.other.is_some(),
            _ => true,
        }
    }

    /// Changes a frame.
    pub fn apply(&mut self, frame: &mut Frame) {
        let [w, h] = frame.size;
        let [black, white] = frame.range();
        match self.kind {
            Kind::Mix => {}
            Kind::Gain(by) => light(frame, |_| by),
            Kind::HalfLamp => light(frame, |x| 0.6 + 0.4 * ((x - 0.35) / 0.3).clamp(0.0, 1.0)),
            Kind::Contrast(by) => {
                let middle = (black + white) / 2.0;
                tone(&mut frame.luma, black, white, |v| middle + by * (v - middle));
                frame.chroma.iter_mut().flatten().for_each(|p| tone(p, 16.0, 240.0, |v| 128.0 + by * (v - 128.0)));
            }
            Kind::Offset(by) => tone(&mut frame.luma, black, white, |v| v - by),
            Kind::Blur(sigma) => {
                blur(&mut frame.luma, w, sigma);
                let half = w.div_ceil(2);
                frame.chroma.iter_mut().flatten().for_each(|p| blur(p, half, sigma / 2.0));
            }
            Kind::Shift(by) => {
                let (dx, dy) = (by as f32, (by / 2) as f32);
                resample(frame, |x, y| [x - dx, y - dy]);
            }
            Kind::Turn(degrees) => {
                let (sin, cos) = degrees.to_radians().sin_cos();
                let (cx, cy) = (w as f32 / 2.0, h as f32 / 2.0);
                resample(frame, |x, y| {
                    let (x, y) = (x - cx, y - cy);
                    [cx + cos * x - sin * y, cy + sin * x + cos * y]
                });
            }
            Kind::Noise(sigma) => self.noise(frame, sigma),
            Kind::Warmth(by) => warm(frame, by),
            Kind::Cover(share) => {
                let side = share.sqrt();
                let (cw, ch) = ((w as f32 * side) as usize, (h as f32 * side) as usize);
                let level = black + 0.2 * (white - black);
                let from = self.random.below(NORMALS - cw);
                for y in 0..ch {
                    let noise = &self.normal[(from + 7919 * y) % (NORMALS - cw)..];
                    let row = &mut frame.luma[y * w..][..cw];
                    row.iter_mut().zip(noise).for_each(|(v, n)| *v = (level + 1.5 * n).round() as u8);
                }
                for plane in frame.chroma.iter_mut().flatten() {
                    plane.chunks_mut(w.div_ceil(2)).take(ch / 2).for_each(|row| row[..cw / 2].fill(128));
                }
            }
            Kind::AnotherCamera => {
                if let Some((source, other)) = &mut self.other {
                    source.next(other);
                    frame.show(other);
                }
            }
            Kind::Frozen => match &self.before {
                Some(before) => frame.clone_from(before),
                None => self.before = Some(frame.clone()),
            },
        }
    }

    fn noise(&mut self, frame: &mut Frame, sigma: f32) {
        let Self { random, normal, .. } = self;
        let mut add = |plane: &mut [u8], width: usize, sigma: f32| {
            for row in plane.chunks_mut(width) {
                let noise = &normal[random.below(NORMALS - width)..];
                row.iter_mut().zip(noise).for_each(|(v, n)| *v = (f32::from(*v) + sigma * n).round() as u8);
            }
        };
        add(&mut frame.luma, frame.size[0], sigma);
        let half = frame.size[0].div_ceil(2);
        frame.chroma.iter_mut().flatten().for_each(|plane| add(plane, half, sigma / 2.0));
    }
}

/// Maps a plane by a table.
fn tone(plane: &mut [u8], low: f32, high: f32, map: impl Fn(f32) -> f32) {
    let table: Vec<u8> = (0..=255).map(|v| map(v as f32).round().clamp(low, high) as u8).collect();
    plane.iter_mut().for_each(|v| *v = table[usize::from(*v)]);
}

/// Multiplies the light by a factor that depends on the place, 0..1 from left to right.
fn light(frame: &mut Frame, factor: impl Fn(f32) -> f32) {
    let [w, _] = frame.size;
    let [black, white] = frame.range();
    let scale = |plane: &mut [u8], w: usize, zero: f32, high: f32| {
        let factors: Vec<f32> = (0..w).map(|x| factor((x as f32 + 0.5) / w as f32)).collect();
        for row in plane.chunks_mut(w) {
            let pairs = row.iter_mut().zip(&factors);
            pairs.for_each(|(v, by)| *v = (zero + by * (f32::from(*v) - zero)).round().clamp(0.0, high) as u8);
        }
    };
    scale(&mut frame.luma, w, black, white);
    frame.chroma.iter_mut().flatten().for_each(|plane| scale(plane, w.div_ceil(2), 128.0, 240.0));
}

/// Blurs by a Gaussian, first along rows, then along columns.
fn blur(plane: &mut [u8], w: usize, sigma: f32) {
    let reach = (3.0 * sigma).ceil() as usize;
    let weight = |i: usize| (-0.5 * (i as f32 / sigma).powi(2)).exp();
    let sum: f32 = weight(0) + 2.0 * (1..=reach).map(weight).sum::<f32>();
    let kernel: Vec<f32> = (0..=reach).map(|i| weight(i) / sum).collect();
    let h = plane.len() / w;
    let mut along: Vec<f32> = plane.iter().map(|v| f32::from(*v)).collect();
    for (row, to) in plane.chunks(w).zip(along.chunks_mut(w)) {
        for (x, to) in to.iter_mut().enumerate() {
            let pair = |i: usize| f32::from(row[x.saturating_sub(i)]) + f32::from(row[(x + i).min(w - 1)]);
            *to = kernel[0] * f32::from(row[x]) + (1..=reach).map(|i| kernel[i] * pair(i)).sum::<f32>();
        }
    }
    let mut sums = vec![0.0; w];
    for y in 0..h {
        sums.fill(0.5);
        let mut add = |y: usize, by: f32| {
            sums.iter_mut().zip(&along[y * w..]).for_each(|(sum, v)| *sum += by * v);
        };
        add(y, kernel[0]);
        for (i, by) in kernel.iter().enumerate().skip(1) {
            add(y.saturating_sub(i), *by);
            add((y + i).min(h - 1), *by);
        }
        plane[y * w..][..w].iter_mut().zip(&sums).for_each(|(v, sum)| *v = *sum as u8);
    }
}

/// Reads every pixel from another place, between pixels linearly. What lies beyond the edge is a mirror image.
fn resample(frame: &mut Frame, from: impl Fn(f32, f32) -> [f32; 2]) {
    fn mirrored(at: isize, side: usize) -> usize {
        let last = side as isize - 1;
        let at = at.abs();
        (if at > last { 2 * last - at } else { at }).clamp(0, last) as usize
    }
    let plane = |plane: &mut Vec<u8>, [w, h]: [usize; 2], scale: f32| {
        let old = plane.clone();
        for (i, v) in plane.iter_mut().enumerate() {
            let [x, y] = from((i % w) as f32 * scale, (i / w) as f32 * scale).map(|v| v / scale);
            let (fx, fy) = (x - x.floor(), y - y.floor());
            let at = |dx: isize, dy: isize| {
                let (x, y) = (mirrored(x.floor() as isize + dx, w), mirrored(y.floor() as isize + dy, h));
                f32::from(old[y * w + x])
            };
            let row = |dy: isize| at(0, dy) + fx * (at(1, dy) - at(0, dy));
            *v = (row(0) + fy * (row(1) - row(0))).round() as u8;
        }
    };
    plane(&mut frame.luma, frame.size, 1.0);
    let half = frame.size.map(|side| side.div_ceil(2));
    frame.chroma.iter_mut().flatten().for_each(|p| plane(p, half, 2.0));
}

/// Changes red and blue. The matrix is BT.601's.
fn warm(frame: &mut Frame, by: f32) {
    const KR: f32 = 0.299;
    const KB: f32 = 0.114;
    let [w, h] = frame.size;
    let Some([us, vs]) = &mut frame.chroma else { return };
    let half = w.div_ceil(2);
    for (i, (u, v)) in us.iter_mut().zip(vs).enumerate() {
        let (cb, cr) = ((f32::from(*u) - 128.0) / 224.0, (f32::from(*v) - 128.0) / 224.0);
        let (cx, cy) = (i % half * 2, i / half * 2);
        let pixels = [0, 1].into_iter().flat_map(|dy| [0, 1].map(|dx| (cx + dx, cy + dy)));
        let pixels: Vec<usize> = pixels.filter(|(x, y)| *x < w && *y < h).map(|(x, y)| y * w + x).collect();
        let mut mean = 0.0;
        for at in &pixels {
            let y = (f32::from(frame.luma[*at]) - 16.0) / 219.0;
            let red = (y + 2.0 * (1.0 - KR) * cr).max(0.0);
            let blue = (y + 2.0 * (1.0 - KB) * cb).max(0.0);
            let warmed = y + by * (KR * red - KB * blue);
            frame.luma[*at] = (16.0 + 219.0 * warmed).round().clamp(16.0, 235.0) as u8;
            mean += y / pixels.len() as f32;
        }
        let red = (mean + 2.0 * (1.0 - KR) * cr).max(0.0);
        let blue = (mean + 2.0 * (1.0 - KB) * cb).max(0.0);
        let luma = mean + by * (KR * red - KB * blue);
        let chroma =
            |colour: f32, k: f32| (128.0 + 224.0 * (colour - luma) / (2.0 * (1.0 - k))).round().clamp(16.0, 240.0);
        *v = chroma(red * (1.0 + by), KR) as u8;
        *u = chroma(blue * (1.0 - by), KB) as u8;
    }
}
