// SPDX-License-Identifier: MPL-2.0
//! The golden board of a SKU, and its parts: each with its own placement, copper texture and defects.

use super::defect::{Defect, Site};
use super::kind::{Kind, Kinds};
use super::layout::Layout;
use super::rng::Rng;
use super::shape::{Ink, Plane, Point, Shape};
use super::survey::Survey;

/// Mean grey of bare substrate under the default light.
pub(crate) const SUBSTRATE: u8 = 60;
/// Mean grey of copper under the default light.
pub(crate) const COPPER_GREY: u8 = 180;
/// Grey of the ground seen through drilled holes.
pub(crate) const HOLE: u8 = 34;
/// Grey of the belt beside the board.
pub(crate) const BELT: u8 = 28;
/// How far the board reaches beyond the view on every side, in design units. A camera that is slightly off its place
/// still sees the board.
const MARGIN: f32 = 32.0;
/// The shorter side of a view in design units.
const SIDE: f32 = 640.0;
/// Fewest pixels a design unit. A smaller view shows a section of the board, so that defects keep a size that can be seen.
const FINEST: f32 = 0.4;
/// Largest offset of a part from its place, in design units.
const JITTER: f32 = 2.5;
/// Side of the texture tile in pixels.
const TILE: usize = 256;

/// The golden board of one SKU at one size. It is rastered once, and any number of parts are made from it.
#[derive(Debug, Clone)]
pub struct Board {
    width: usize,
    height: usize,
    margin: usize,
    scale: f32,
    copper: Plane,
    holes: Vec<(Point, f32)>,
    survey: Survey,
    texture: Vec<i8>,
}

/// One part: its raster in grey under the default light, and its defects.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The part, with a margin around the view.
    pub(crate) raster: Plane,
    /// The true defects in pixels of the raster.
    pub(crate) defects: Vec<Defect>,
    /// The top left corner of the view in the raster, for a part that is centred under the camera.
    pub(crate) origin: [i32; 2],
}

impl Part {
    /// Returns the defects in a view of `width` by `height` pixels whose top left corner lies at `corner` of the raster: each
    /// with left, top, right, bottom in pixels of the view, clipped to it. A defect of which less than a third is in the view
    /// is left out, because its kind cannot be told.
    pub(crate) fn truth(
        &self,
        corner: [i32; 2],
        width: usize,
        height: usize,
    ) -> impl Iterator<Item = (Kind, [i32; 4])> {
        self.defects.iter().filter_map(move |defect| {
            let b = defect.bounds;
            let clip_x = |v: i32| (v - corner[0]).clamp(0, width as i32);
            let clip_y = |v: i32| (v - corner[1]).clamp(0, height as i32);
            let seen = [clip_x(b[0]), clip_y(b[1]), clip_x(b[2]), clip_y(b[3])];
            let area = |b: &[i32; 4]| i64::from(b[2] - b[0]) * i64::from(b[3] - b[1]);
            (area(&seen) > 0 && area(&seen) * 3 >= area(&b)).then_some((defect.kind, seen))
        })
    }
}

/// How to make a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSpec {
    /// Equal seeds give equal parts, and the same placement and texture with and without defects.
    pub(crate) seed: u64,
    /// Defects to draw. A board without room for all gets fewer.
    pub(crate) defects: usize,
    /// Kinds to choose from.
    pub(crate) kinds: Kinds,
    /// Half the range in which the mean greys of parts vary; 0 for no variation.
    pub(crate) grey_jitter: f32,
}

impl Board {
    /// Draws the golden board of `sku` for a view of `width` by `height` pixels. Lengths follow the shorter side; below 256
    /// pixels the view shows a section of a larger board.
    pub fn new(sku: &str, width: usize, height: usize) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let scale = (width.min(height) as f32 / SIDE).max(FINEST);
        let margin = (MARGIN * scale).round() as usize;
        let (full_w, full_h) = (width + 2 * margin, height + 2 * margin);
        let layout = Layout::of(sku, full_w as f32 / scale, full_h as f32 / scale);
        let mut copper = Plane::new(full_w, full_h, 0);
        for (ink, shape) in &layout.copper {
            copper.draw(&shape.scaled(scale), *ink);
        }
        let holes: Vec<(Point, f32)> =
            layout.holes.iter().map(|(c, r)| ([c[0] * scale, c[1] * scale], r * scale)).collect();
        for &(c, r) in &holes {
            copper.draw(&Shape::disc(c, r), Ink::Etch);
        }
        let survey = Survey::of(&copper);
        Self { width, height, margin, scale, copper, holes, survey, texture: texture(sku) }
    }

    /// Returns width and height of the view.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Returns the copper of the golden board, 0 for none to 255 for full, margin included.
    #[cfg(test)]
    pub(crate) fn copper(&self) -> &Plane {
        &self.copper
    }

    /// Makes a part.
    pub(crate) fn make(&self, spec: &PartSpec) -> Part {
        let mut part = Part { raster: Plane::new(0, 0, 0), defects: Vec::new(), origin: [0; 2] };
        self.remake(spec, &mut part);
        part
    }

    /// Makes a part in the memory of an earlier one.
    pub(crate) fn remake(&self, spec: &PartSpec, part: &mut Part) {
        let mut rng = Rng::stream(spec.seed, 0);
        let jitter = (JITTER * self.scale).round() as i32;
        part.origin = [rng.int(-jitter, jitter), rng.int(-jitter, jitter)].map(|j| self.margin as i32 + j);
        let greys = [f32::from(SUBSTRATE), f32::from(COPPER_GREY)]
            .map(|grey| grey + rng.range(-spec.grey_jitter, spec.grey_jitter));
        let offset = [rng.index(TILE), rng.index(TILE)];

        part.raster.clone_from(&self.copper);
        let mut rng = Rng::stream(spec.seed, 1);
        part.defects.clear();
        self.plant(part, spec, &mut rng);
        self.expose(&mut part.raster, greys, offset);
    }

    fn plant(&self, part: &mut Part, spec: &PartSpec, rng: &mut Rng) {
        let edge = (4.0 * self.scale) as i32;
        let origin = part.origin;
        let site = Site {
            survey: &self.survey,
            holes: &self.holes,
            scale: self.scale,
            window: [
                origin[0] + edge,
                origin[1] + edge,
                origin[0] + self.width as i32 - edge,
                origin[1] + self.height as i32 - edge,
            ],
        };
        let mut kinds: Vec<_> = spec.kinds.iter().collect();
        while part.defects.len() < spec.defects && !kinds.is_empty() {
            let choice = rng.index(kinds.len());
            match site.plant(&mut part.raster, kinds[choice], &part.defects, rng) {
                Some(defect) => part.defects.push(defect),
                // This kind has no room on this board; the others may still find some.
                None => {
                    kinds.swap_remove(choice);
                }
            }
        }
    }

    /// Turns coverage into grey under the default light, in place.
    fn expose(&self, plane: &mut Plane, [substrate, copper]: [f32; 2], offset: [usize; 2]) {
        let mut grey = [0i32; 256];
        let mut grain = [0i32; 256];
        for (c, (grey, grain)) in grey.iter_mut().zip(&mut grain).enumerate() {
            let share = c as f32 / 255.0;
            *grey = ((substrate + (copper - substrate) * share) * 256.0) as i32 + 128;
            // Copper shows its brushing, the substrate hardly any.
            *grain = (256.0 * (0.35 + 0.65 * share)) as i32;
        }
        let width = plane.width;
        for (y, row) in plane.data.chunks_exact_mut(width).enumerate() {
            let tile = (y + offset[1]) % TILE * TILE;
            let tile = &self.texture[tile..tile + TILE];
            for (x, sample) in row.iter_mut().enumerate() {
                let c = usize::from(*sample);
                let t = i32::from(tile[(x + offset[0]) % TILE]);
                *sample = ((grey[c] + grain[c] * t) >> 8).clamp(0, 255) as u8;
            }
        }
        for &(c, r) in &self.holes {
            plane.cover(&Shape::disc(c, r - 0.75), |sample, a| {
                let (was, a) = (i32::from(*sample), i32::from(a));
                *sample = (was + (i32::from(HOLE) - was) * a / 255) as u8;
            });
        }
    }
}

/// Fine grain and brush marks along x, about ±8 grey levels, repeating after `TILE` pixels.
fn texture(sku: &str) -> Vec<i8> {
    let mut rng = Rng::from_text(sku);
    let mut tile = vec![0i8; TILE * TILE];
    for row in tile.chunks_exact_mut(TILE) {
        let streak = rng.normal() * 1.2;
        let wild: Vec<f32> = (0..TILE).map(|_| rng.normal()).collect();
        for (x, sample) in row.iter_mut().enumerate() {
            let brushed: f32 = (0..12).map(|i| wild[(x + i) % TILE]).sum::<f32>() / 12f32.sqrt();
            *sample = (streak + brushed * 1.6 + wild[x] * 1.2).clamp(-9.0, 9.0) as i8;
        }
    }
    tile
}
