// SPDX-License-Identifier: MPL-2.0
//! Where the scene lies in the frame, by small patches of it that hold still.
//!
//! A patch is a square of a reduced picture. The scene is learned as the median of its first frames; patches are chosen
//! where it has structure that every one of these frames shows in the same place. Each patch is followed from frame to
//! frame by its normalised correlation, and searched for anew, one patch a frame, where it is lost. The place of the
//! scene is where most patches agree that it is. Where they do not agree, it is not known.

use andon_core::image::{Coding, Image};
use serde::{Deserialize, Serialize};

use super::features::*;

/// The side of a patch, in pixels of the reduced picture: one register of 16-bit numbers, twice.
const SIDE: usize = 16;
/// The side of what a patch is compared with: one pixel more on each side.
const AROUND: usize = SIDE + 2;
/// The most patches of a scene, and the fewest that can agree on something.
const MOST: usize = 16;
const LEAST: usize = 4;
/// The most frames that a scene is learned from.
const FRAMES: usize = 25;
/// The size of a reduced picture, at least, where the frame has it.
const REDUCED: [usize; 2] = [128, 72];
/// The largest factor by which a frame is reduced.
const FACTOR: usize = 8;
/// The smallest reach of a search: pixels of the frame, and of the reduced picture.
const REACH: [usize; 2] = [32, 16];
/// Levels of the reduced picture for one 8-bit level.
const LEVELS: u32 = 8;
/// The RMS that templates are scaled to.
const RMS: f32 = 40.0;
/// The correlation at which a patch counts as found, and at which a search believes its peak.
const FOUND: f32 = 0.7;
/// How much lower the second peak of a search has to be.
const UNIQUE: f32 = 0.1;
/// The correlation that nine of ten frames have to reach at rest, for a patch to hold still.
const STILL: f32 = 0.8;
/// The least RMS contrast of a patch, 8-bit levels.
const CONTRAST: f32 = 3.0;
/// How much of its correlation a patch has to lose by one pixel along an axis, to know its place on it.
const BEND: f32 = 0.04;
/// By how much a place has to be better than where the scene had the patch.
const BETTER: f32 = 0.04;
/// How far a patch may lie from where the others say it is, in pixels of the reduced picture.
const AGREE: f32 = 0.75;
/// The most pixels of the reduced picture that a patch is followed by in one frame.
const JUMP: usize = 4;
/// The share of the width, and of the height, between the outermost patches that the agreeing ones of a moved scene span.
const ALL_OVER: f32 = 0.6;
/// The share of the patches that have to agree.
const QUORUM: f32 = 0.4;
/// The share that is enough where they lie at both ends of the frame, which is this share of the width and the height.
const FEWER: f32 = 0.3;
const BOTH_ENDS: f32 = 0.8;
/// The turns that any two patches may show, radians: no less than scenes wander, no more than patches are still found by.
const TURNED: [f32; 2] = [0.02, 0.12];

/// A patch that holds still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Patch {
    /// The upper left corner, in pixels of the reduced picture.
    at: [i32; 2],
    /// The place can be told from left to right, and up and down.
    tells: [bool; 2],
    /// Nothing within reach looks like it.
    unique: bool,
    /// The picture with mean 0 and RMS 40, row by row.
    #[serde(with = "hex")]
    template: Vec<i8>,
}

/// The patches of a scene. Empty where nothing holds still.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Patches {
    /// Pixels of the frame on a side of a pixel of the reduced picture.
    factor: usize,
    patches: Vec<Patch>,
}

/// A part of a reduced picture, in levels of an eighth.
#[derive(Clone, Debug, Default)]
struct Reduced {
    width: usize,
    pixels: Vec<i16>,
    /// The sums of a row of reduced pixels' columns.
    sums: Vec<u16>,
    bytes: Vec<u8>,
}

fn factor(image: &Image) -> usize {
    let mut factor = 1;
    while factor < FACTOR && image.width / (2 * factor) >= REDUCED[0] && image.height / (2 * factor) >= REDUCED[1] {
        factor *= 2;
    }
    factor
}

/// The reach of a search, pixels of the reduced picture.
fn reach(factor: usize) -> usize {
    REACH[1].max(REACH[0] / factor)
}

impl Reduced {
    /// Reads `width` × `height` reduced pixels from `at` on. All of them lie in the frame.
    fn read(&mut self, image: &Image, factor: usize, at: [usize; 2], [width, height]: [usize; 2]) {
        let c = image.format.components()[usize::from(image.format.is_rgb())];
        let (columns, first) = (width * factor, at[0] * factor);
        self.width = width;
        self.pixels.clear();
        self.bytes.resize(columns, 0);
        // Half the rows give nearly the same mean.
        let rows = (factor / 2).max(1);
        let scale = LEVELS as f32 / (factor * rows) as f32;
        for y in at[1]..at[1] + height {
            self.sums.clear();
            self.sums.resize(columns, 0);
            for k in 0..rows {
                let y = y * factor + k * factor / rows;
                let bytes: &[u8] = if c.coding == Coding::Byte && c.step == 1 {
                    &image.planes[c.plane].row(y, image.width)[first..first + columns]
                } else {
                    image.component(&c, y).bytes(first, &mut self.bytes);
                    &self.bytes
                };
                self.sums.iter_mut().zip(bytes).for_each(|(sum, v)| *sum += u16::from(*v));
            }
            let reduced = |group: &[u16]| (f32::from(group.iter().sum::<u16>()) * scale) as i16;
            self.pixels.extend(self.sums.chunks_exact(factor).map(reduced));
        }
    }

    /// Returns the correlation of a template with what lies at `at`.
    fn correlation(&self, template: &[i16], at: [usize; 2]) -> f32 {
        let (mut product, mut sum, mut squares, mut energy) = (0i32, 0i32, 0i32, 0i32);
        for (y, line) in template.as_chunks::<SIDE>().0.iter().enumerate() {
            let from = (at[1] + y) * self.width + at[0];
            let now: &[i16; SIDE] = self.pixels[from..from + SIDE].try_into().expect("the slice is a side long");
            product += line.iter().zip(now).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
            squares += now.iter().map(|b| i32::from(*b) * i32::from(*b)).sum::<i32>();
            sum += now.iter().map(|b| i32::from(*b)).sum::<i32>();
            energy += line.iter().map(|a| i32::from(*a) * i32::from(*a)).sum::<i32>();
        }
        let n = (SIDE * SIDE) as f32;
        let variance = squares as f32 - sum as f32 * sum as f32 / n;
        // Below half a level of contrast there is nothing to compare.
        if variance < n * 16.0 { 0.0 } else { product as f32 / (variance * energy as f32).sqrt().max(1.0) }
    }
}

/// Makes a template of mean 0 and RMS 40. None without contrast.
fn template(picture: &Reduced, at: [usize; 2]) -> Option<Vec<i16>> {
    let pixels = || (0..SIDE).flat_map(|y| &picture.pixels[(at[1] + y) * picture.width + at[0]..][..SIDE]);
    let n = (SIDE * SIDE) as f32;
    let mean = pixels().map(|v| f32::from(*v)).sum::<f32>() / n;
    let rms = (pixels().map(|v| (f32::from(*v) - mean).powi(2)).sum::<f32>() / n).sqrt();
    let scaled = |v: &i16| ((f32::from(*v) - mean) * RMS / rms).round().clamp(-127.0, 127.0) as i16;
    (rms >= CONTRAST * LEVELS as f32).then(|| pixels().map(scaled).collect())
}

/// Collects the first frames of a scene.
#[derive(Debug, Default)]
pub(crate) struct PatchLearner {
    factor: usize,
    size: [usize; 2],
    frames: Vec<Reduced>,
}

impl PatchLearner {
    /// Adds a frame, unless there are enough.
    pub(crate) fn add(&mut self, image: &Image) {
        if self.frames.len() < FRAMES {
            self.factor = factor(image);
            self.size = [image.width / self.factor, image.height / self.factor];
            let mut reduced = Reduced::default();
            reduced.read(image, self.factor, [0; 2], self.size);
            self.frames.push(reduced);
        }
    }

    /// Chooses the patches.
    pub(crate) fn finish(&self) -> Patches {
        let [width, height] = self.size;
        let none = Patches { factor: self.factor.max(1), patches: Vec::new() };
        if width < AROUND || height < AROUND || self.frames.is_empty() {
            return none;
        }
        let mut scene = Reduced { width, ..Reduced::default() };
        let mut values = Vec::with_capacity(FRAMES);
        for i in 0..width * height {
            values.clear();
            values.extend(self.frames.iter().map(|f| f.pixels[i]));
            let middle = values.len() / 2;
            scene.pixels.push(*values.select_nth_unstable(middle).1);
        }
        let mut candidates = Vec::new();
        for y in (1..height - SIDE).step_by(SIDE / 4) {
            for x in (1..width - SIDE).step_by(SIDE / 4) {
                candidates.extend(self.candidate(&scene, [x, y]));
            }
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut patches: Vec<Patch> = Vec::new();
        // First at most one in each of 4×4 parts of the frame, so that they lie all over it.
        for spread in [true, false] {
            for (_, patch) in &candidates {
                let part = |p: &Patch| [0, 1].map(|i| (p.at[i] as usize + SIDE / 2) * 4 / self.size[i]);
                let near = |p: &Patch| (0..2).all(|i| p.at[i].abs_diff(patch.at[i]) < SIDE as u32 * 3 / 4);
                let taken = patches.iter().any(|p| near(p) || spread && part(p) == part(patch));
                if patches.len() < MOST && !taken {
                    patches.push(patch.clone());
                }
            }
        }
        let mut tracker = Tracker::default();
        for patch in &mut patches {
            let wide: Vec<i16> = patch.template.iter().map(|v| i16::from(*v)).collect();
            let [x, y] = patch.at.map(|v| v as usize);
            let reach = reach(self.factor);
            let far = |o: [usize; 2]| [o[0].abs_diff(x), o[1].abs_diff(y)];
            let beside = |o: [usize; 2]| far(o).iter().any(|v| *v > 3) && far(o).iter().all(|v| *v <= reach);
            let all = tracker.peaks(&scene, &wide, &beside);
            patch.unique = patch.tells == [true; 2] && all.0 < 1.0 - 2.0 * UNIQUE;
        }
        if patches.len() < LEAST { none } else { Patches { patches, ..none } }
    }

    /// Returns a patch with what it is worth, if it has structure and every frame shows it there.
    fn candidate(&self, scene: &Reduced, at: [usize; 2]) -> Option<(f32, Patch)> {
        let template = template(scene, at)?;
        // How much it loses by a pixel along each axis.
        let beside = |dx: isize, dy: isize| {
            scene.correlation(&template, [at[0].wrapping_add_signed(dx), at[1].wrapping_add_signed(dy)])
        };
        let bend = [1.0 - beside(-1, 0).max(beside(1, 0)), 1.0 - beside(0, -1).max(beside(0, 1))];
        let diagonal = 1.0 - beside(1, 1).max(beside(-1, -1)).max(beside(1, -1)).max(beside(-1, 1));
        let mut tells = bend.map(|b| b >= BEND);
        if tells == [true; 2] && diagonal < BEND {
            // A line at a slant: it has no place of its own.
            tells = [false; 2];
        }
        if tells == [false; 2] {
            return None;
        }
        let mut still: Vec<f32> = self.frames.iter().map(|f| f.correlation(&template, at)).collect();
        let tenth = still.len() / 10;
        if *still.select_nth_unstable_by(tenth, f32::total_cmp).1 < STILL {
            return None;
        }
        let worth = bend[0].min(bend[1]).min(0.2) + 0.05 * bend[0].max(bend[1]).min(0.2);
        let template = template.into_iter().map(|v| v as i8).collect();
        Some((worth, Patch { at: at.map(|v| v as i32), tells, unique: false, template }))
    }
}

impl Patches {
    /// Returns whether the numbers, which may come from a file, can be used.
    pub(crate) fn sound(&self) -> bool {
        let most = 1 << 16;
        (1..=FACTOR).contains(&self.factor)
            && self.patches.len() <= MOST
            && self.patches.iter().all(|p| {
                p.template.len() == SIDE * SIDE && p.at.iter().all(|v| (0..most).contains(v)) && p.tells != [false; 2]
            })
    }
}

/// Templates as text in files: two digits a pixel.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(pixels: &[i8], to: S) -> Result<S::Ok, S::Error> {
        let digit = |v: u8| char::from_digit(v.into(), 16).expect("four bits are one digit");
        let text = pixels.iter().map(|v| v.cast_unsigned()).flat_map(|v| [digit(v >> 4), digit(v & 15)]);
        to.serialize_str(&text.collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<i8>, D::Error> {
        let text = String::deserialize(from)?;
        let digit =
            |v: u8| char::from(v).to_digit(16).ok_or_else(|| D::Error::custom("a template has digits of 16 only"));
        let pixel = |pair: &[u8; 2]| Ok(((digit(pair[0])? << 4 | digit(pair[1])?) as u8).cast_signed());
        text.as_bytes().as_chunks::<2>().0.iter().map(pixel).collect()
    }
}

/// Where a patch was found last.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Whole pixels of the reduced picture from where the scene has it.
    moved: [i32; 2],
    /// The same with fractions.
    exact: [f32; 2],
    /// The correlation there.
    score: f32,
}

/// Follows the patches of one scene from frame to frame, and reuses its buffers.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    places: Vec<Place>,
    picture: Reduced,
    wide: Vec<i16>,
    scores: Vec<f32>,
    /// The patch that was searched for last.
    searched: usize,
}

impl Tracker {
    /// Writes into a row where the scene lies. Unknown without patches, or where they do not agree.
    pub(crate) fn locate(&mut self, patches: &Patches, image: &Image, row: &mut Row) {
        let n = patches.patches.len();
        if n == 0 || image.width / patches.factor < AROUND || image.height / patches.factor < AROUND {
            return;
        }
        if self.places.len() != n {
            self.places = vec![Place::default(); n];
        }
        self.follow_all(patches, image);
        let mut place = self.agreed(patches);
        if place.is_none() && self.search(patches, image) {
            self.follow_all(patches, image);
            place = self.agreed(patches);
        }
        let scores = &mut self.scores;
        scores.clear();
        scores.extend(self.places.iter().map(|p| p.score));
        row[MATCH] = f64::from(*scores.select_nth_unstable_by(n / 2, f32::total_cmp).1);
        if let Some(agreed) = &place {
            for (k, feature) in [SHIFT_X, SHIFT_Y].into_iter().enumerate() {
                row[feature] = agreed.shift[k].map_or(f64::NAN, |v| f64::from(v) * patches.factor as f64);
            }
            row[ROTATION] = agreed.turn.map_or(f64::NAN, |v| f64::from(v.to_degrees()));
        }
        if let Some(agreed) = place {
            // Those that were lost are looked for where the others are.
            for (patch, place) in patches.patches.iter().zip(&mut self.places) {
                if !agreed.holds(patch, place) {
                    place.moved = agreed.of(patch).map(|v| v.round() as i32);
                }
            }
        }
    }

    fn follow_all(&mut self, patches: &Patches, image: &Image) {
        for i in 0..self.places.len() {
            // A jump of a few pixels is followed at once.
            for _ in 0..JUMP {
                let before = self.places[i].moved;
                self.follow(patches, i, image);
                if self.places[i].moved == before {
                    break;
                }
            }
        }
    }

    /// Moves a patch by up to a pixel to where it fits best.
    fn follow(&mut self, patches: &Patches, i: usize, image: &Image) {
        let (patch, factor) = (&patches.patches[i], patches.factor);
        let size = [image.width / factor, image.height / factor];
        let place = &mut self.places[i];
        let at: [usize; 2] =
            std::array::from_fn(|k| (patch.at[k] + place.moved[k] - 1).clamp(0, (size[k] - AROUND) as i32) as usize);
        self.picture.read(image, factor, at, [AROUND; 2]);
        self.wide.clear();
        self.wide.extend(patch.template.iter().map(|v| i16::from(*v)));
        let mut scores = [[f32::NEG_INFINITY; 3]; 3];
        let mut best = [1, 1];
        let home = [0, 1].map(|k| patch.at[k] - at[k] as i32);
        for (y, line) in scores.iter_mut().enumerate().filter(|(y, _)| patch.tells[1] || *y == 1) {
            for (x, score) in line.iter_mut().enumerate().filter(|(x, _)| patch.tells[0] || *x == 1) {
                *score = self.picture.correlation(&self.wide, [x, y]);
            }
        }
        // What resembles its surroundings drifts over them: a patch is at home unless another place is clearly better.
        let worth = |x: usize, y: usize| scores[y][x] + if [x as i32, y as i32] == home { BETTER } else { 0.0 };
        for (x, y) in (0..9).map(|i| (i % 3, i / 3)) {
            if worth(x, y) > worth(best[0], best[1]) {
                best = [x, y];
            }
        }
        place.score = scores[best[1]][best[0]];
        if (0..2).any(|k| !(0..3).contains(&home[k])) {
            // Far from home the patch goes back as soon as the scene is there again.
            self.picture.read(image, factor, patch.at.map(|v| v as usize), [SIDE; 2]);
            let score = self.picture.correlation(&self.wide, [0; 2]);
            if score >= FOUND && score + BETTER >= place.score {
                *place = Place { moved: [0; 2], exact: [0.0; 2], score };
                return;
            }
        }
        let line = [[0, 1, 2].map(|x| scores[best[1]][x]), [0, 1, 2].map(|y| scores[y][best[0]])];
        for k in 0..2 {
            place.moved[k] = at[k] as i32 + best[k] as i32 - patch.at[k];
            // The vertex of the parabola through three points.
            let [before, peak, after] = line[k];
            let bend = before + after - 2.0 * peak;
            let inside = best[k] == 1 && patch.tells[k] && bend < -1e-6;
            place.exact[k] = place.moved[k] as f32 + if inside { (before - after) / (2.0 * bend) } else { 0.0 };
        }
    }

    /// Returns the place that most patches agree on.
    fn agreed(&self, patches: &Patches) -> Option<Agreed> {
        let all = || patches.patches.iter().zip(&self.places).filter(|(_, place)| place.score >= FOUND);
        // By how much a patch is moved along an axis, less the turn's share.
        let shift = |turn: f32, middle: [f32; 2]| {
            [0, 1].map(|k| {
                let (mut moved, mut n) = ([0.0; MOST], 0);
                for (patch, place) in all().filter(|(patch, _)| patch.tells[k]) {
                    let across = patch.at[1 - k] as f32 - middle[1 - k];
                    moved[n] = place.exact[k] - turn * if k == 0 { -across } else { across };
                    n += 1;
                }
                (n > 0).then(|| *moved[..n].select_nth_unstable_by(n / 2, f32::total_cmp).1)
            })
        };
        // Around the middle of the patches a small turn by φ moves (x, y) by φ · (−y, x).
        let both = || all().filter(|(patch, _)| patch.tells == [true; 2]);
        let count = both().count().max(1) as f32;
        let middle = both().fold([0.0; 2], |m: [f32; 2], (p, _)| [0, 1].map(|k| m[k] + p.at[k] as f32 / count));
        let straight_shift = shift(0.0, middle);
        let mut agreed = Agreed { shift: straight_shift, turn: None, middle };
        let (mut moment, mut arm) = (0.0, 0.0);
        for (patch, place) in both() {
            let [x, y] = [0, 1].map(|k| patch.at[k] as f32 - middle[k]);
            let [u, v] = [0, 1].map(|k| place.exact[k] - straight_shift[k].unwrap_or(0.0));
            moment += x * v - y * u;
            arm += x * x + y * y;
        }
        let turn = if arm > 0.0 { moment / arm } else { 0.0 };
        let votes = |agreed: &Agreed| all().filter(|(patch, place)| agreed.holds(patch, place)).count();
        let straight = votes(&agreed);
        let turned = Agreed { shift: shift(turn, middle), turn: Some(turn), middle };
        // A turn needs patches that lie apart.
        let apart = count >= LEAST as f32 && arm / count > (SIDE * SIDE) as f32;
        let most = if apart && votes(&turned) >= straight {
            agreed = turned;
            votes(&turned)
        } else {
            straight
        };
        // One object that moves has patches too, but not all over the frame.
        let still =
            agreed.shift.iter().flatten().all(|v| v.abs() < AGREE) && agreed.turn.is_none_or(|v| v.abs() < 0.005);
        let span = |k: usize, of: &dyn Fn(&Patch, &Place) -> bool| {
            let places = patches.patches.iter().zip(&self.places).filter(|(patch, place)| of(patch, place));
            let [low, high] = places
                .fold([i32::MAX, i32::MIN], |[low, high], (patch, _)| [low.min(patch.at[k]), high.max(patch.at[k])]);
            high.saturating_sub(low) as f32
        };
        let spans = |agreed: &Agreed, share: f32| {
            (0..2).all(|k| span(k, &|patch, place| agreed.holds(patch, place)) >= share * span(k, &|_, _| true))
        };
        let all_over = still || spans(&agreed, ALL_OVER);
        let (found, n) = (all().count(), self.places.len() as f32);
        if most >= LEAST && most as f32 >= QUORUM * n && 2 * most > found && all_over {
            return Some(agreed);
        }
        // Fewer are enough where they lie at both ends of the frame, or turn about one point: what moves through it does
        // neither.
        let enough = |most: usize| most > LEAST && most as f32 >= FEWER * n && 2 * most >= found;
        if !still && enough(most) && spans(&agreed, BOTH_ENDS) {
            return Some(agreed);
        }
        self.turned(patches, middle).filter(|(most, turned)| enough(*most) && spans(turned, ALL_OVER)).map(|(_, t)| t)
    }

    /// Returns the turn that most patches agree on, by any two of them, and how many do. None where nothing is turned by
    /// [`TURNED`].
    fn turned(&self, patches: &Patches, middle: [f32; 2]) -> Option<(usize, Agreed)> {
        let all = || patches.patches.iter().zip(&self.places).filter(|(_, place)| place.score >= FOUND);
        let both = || all().filter(|(patch, _)| patch.tells == [true; 2]);
        let mut best: Option<(usize, Agreed)> = None;
        for (i, (first, place)) in both().enumerate() {
            for (second, other) in both().skip(i + 1) {
                let [x, y] = [0, 1].map(|k| (second.at[k] - first.at[k]) as f32);
                let [u, v] = [0, 1].map(|k| other.exact[k] - place.exact[k]);
                let turn = (x * v - y * u) / (x * x + y * y).max(1.0);
                if !(TURNED[0]..TURNED[1]).contains(&turn.abs()) || x * x + y * y < (4 * SIDE * SIDE) as f32 {
                    continue;
                }
                let [x, y] = [0, 1].map(|k| first.at[k] as f32 - middle[k]);
                let shift = [Some(place.exact[0] + turn * y), Some(place.exact[1] - turn * x)];
                let turned = Agreed { shift, turn: Some(turn), middle };
                let votes = all().filter(|(patch, place)| turned.holds(patch, place)).count();
                if best.is_none_or(|(most, _)| votes > most) {
                    best = Some((votes, turned));
                }
            }
        }
        best
    }

    /// Searches for one patch, another one each time. Returns whether it was found, so that the others may be there too.
    fn search(&mut self, patches: &Patches, image: &Image) -> bool {
        let n = self.places.len();
        let lost = |i: &usize| patches.patches[*i].unique;
        let Some(i) = (self.searched + 1..self.searched + 1 + n).map(|i| i % n).find(lost) else { return false };
        self.searched = i;
        let (patch, factor) = (&patches.patches[i], patches.factor);
        let reach = reach(factor) as i32;
        let size = [image.width / factor, image.height / factor].map(|v| v as i32);
        let from = [0, 1].map(|k| (patch.at[k] - reach).max(0));
        let to = [0, 1].map(|k| (patch.at[k] + SIDE as i32 + reach).min(size[k]));
        if (0..2).any(|k| to[k] - from[k] < AROUND as i32) {
            return false;
        }
        let mut picture = std::mem::take(&mut self.picture);
        picture.read(image, factor, from.map(|v| v as usize), [0, 1].map(|k| (to[k] - from[k]) as usize));
        let mut wide = std::mem::take(&mut self.wide);
        wide.clear();
        wide.extend(patch.template.iter().map(|v| i16::from(*v)));
        let (peak, at) = self.peaks(&picture, &wide, &|_| true);
        let second = self.peaks(&picture, &wide, &|o| (0..2).any(|k| o[k].abs_diff(at[k]) > 3)).0;
        (self.picture, self.wide) = (picture, wide);
        if peak < FOUND || peak - second < UNIQUE {
            return false;
        }
        let moved = [0, 1].map(|k| from[k] + at[k] as i32 - patch.at[k]);
        self.places.iter_mut().filter(|p| p.score < FOUND).for_each(|p| p.moved = moved);
        self.places[i].moved = moved;
        true
    }

    /// Returns the highest correlation among some places of a picture, and the place.
    fn peaks(&mut self, picture: &Reduced, template: &[i16], among: &dyn Fn([usize; 2]) -> bool) -> (f32, [usize; 2]) {
        let (width, height) = (picture.width - SIDE, picture.pixels.len() / picture.width - SIDE);
        let mut best = (f32::NEG_INFINITY, [0, 0]);
        let look = |at: [usize; 2], best: &mut (f32, [usize; 2])| {
            if among(at) {
                let score = picture.correlation(template, at);
                if score > best.0 {
                    *best = (score, at);
                }
            }
        };
        // Every other place, then around the best of them.
        for y in (0..=height).step_by(2) {
            for x in (0..=width).step_by(2) {
                look([x, y], &mut best);
            }
        }
        let [x, y] = best.1;
        for y in y.saturating_sub(1)..=(y + 1).min(height) {
            for x in x.saturating_sub(1)..=(x + 1).min(width) {
                look([x, y], &mut best);
            }
        }
        best
    }
}

/// Where the scene lies, in pixels of the reduced picture.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    /// To the right and down; unknown where no patch tells.
    shift: [Option<f32>; 2],
    /// Clockwise, radians.
    turn: Option<f32>,
    /// What it is turned around.
    middle: [f32; 2],
}

impl Agreed {
    /// Returns by how much a patch is moved.
    fn of(&self, patch: &Patch) -> [f32; 2] {
        let [x, y] = [0, 1].map(|k| patch.at[k] as f32 - self.middle[k]);
        let turn = self.turn.unwrap_or(0.0);
        [self.shift[0].unwrap_or(0.0) - turn * y, self.shift[1].unwrap_or(0.0) + turn * x]
    }

    /// Returns whether a patch lies where it should.
    fn holds(&self, patch: &Patch, place: &Place) -> bool {
        let of = self.of(patch);
        place.score >= FOUND && (0..2).all(|k| !patch.tells[k] || (place.exact[k] - of[k]).abs() <= AGREE)
    }
}
