// SPDX-License-Identifier: MPL-2.0
//! The conveyor: parts one after the other on a belt, under a camera that takes each in one or more views.

use std::sync::Arc;

use super::{
    camera::{Camera, Imaging},
    kind::{Kind, Kinds},
    part::{Board, Part, PartSpec},
    rng::Rng,
};

/// Most defects on one defective part.
const MOST_DEFECTS: i32 = 3;
/// Half the range in which the mean greys of parts vary.
const GREY_JITTER: f32 = 3.0;

/// What parts to make. A new order takes effect with the next part.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Equal seeds give equal parts in equal order.
    pub seed: u64,
    /// The product.
    pub sku: String,
    /// Probability (0..1) that a part has defects, one to three of them.
    pub defect_rate: f64,
    /// Kinds of defects to draw.
    pub kinds: Kinds,
    /// Frames of each part.
    pub views: u32,
    /// Pixels that the belt moves to the right from one frame to the next.
    pub speed: f64,
}

/// Which view of which part a frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Number of the part, from 0.
    pub part: u64,
    /// Number of the view, from 0.
    pub view: u32,
    /// Views that this part gets.
    pub views: u32,
}

/// A belt, the part on it, and the camera over it.
#[derive(Debug)]
pub struct Conveyor {
    size: (usize, usize),
    board: Option<(String, Arc<Board>)>,
    part: Option<Part>,
    order: Option<Order>,
    /// The part and the view to come.
    next: (u64, u32),
    /// Frames taken since the start, which names each frame's noise.
    frames: u64,
    corner: [i32; 2],
    camera: Camera,
}

impl Conveyor {
    /// Makes a conveyor whose camera takes frames of `width` by `height` pixels.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            size: (width, height),
            board: None,
            part: None,
            order: None,
            next: (0, 0),
            frames: 0,
            corner: [0; 2],
            camera: Camera::new(width, height),
        }
    }

    /// Makes a conveyor with a camera of another size, which goes on with the next part.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let (part, view) = self.next;
        let next = if view == 0 { (part, 0) } else { (part + 1, 0) };
        Self { next, frames: self.frames, ..Self::new(width, height) }
    }

    /// Returns width and height of the frames.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Returns whether the next frame begins a part, and so takes a new order.
    pub fn wants_order(&self) -> bool {
        self.next.1 == 0 || self.order.is_none()
    }

    /// Supplies the board of `sku`, so that it need not be drawn when the next part of it begins.
    pub fn supply(&mut self, sku: String, board: Arc<Board>) {
        self.board = Some((sku, board));
    }

    /// Returns the seed of the order in force, or 0 before the first order.
    pub fn seed(&self) -> u64 {
        self.order.as_ref().map_or(0, |order| order.seed)
    }

    /// Sets the order for the parts to come; see [`Conveyor::wants_order`].
    pub fn order(&mut self, order: Order) {
        self.order = Some(order);
    }

    /// Goes to frame `frame` of a conveyor that took `views` views of each part from its start.
    pub fn go_to(&mut self, frame: u64, views: u32) {
        let views = u64::from(views.max(1));
        let (part, view) = (frame / views, frame % views);
        self.frames = frame;
        self.part = None;
        self.order = None;
        self.next = (part, view as u32);
    }

    /// Moves the belt on and takes the next frame; the picture is moved by `shift` pixels to the right and down. Returns None
    /// before the first order.
    pub fn take(&mut self, imaging: Imaging, shift: [i32; 2]) -> Option<View> {
        let order = self.order.as_ref()?;
        let (number, view) = self.next;
        if view == 0 || self.part.is_none() {
            let made = self.part.take();
            self.part = Some(make(&mut self.board, self.size, order, number, made));
        }
        let part = self.part.as_ref()?;
        let views = order.views.max(1);
        let belt = order.speed * (f64::from(view) - f64::from(views - 1) / 2.0);
        self.corner = [part.origin[0] - belt.round() as i32 - shift[0], part.origin[1] - shift[1]];
        if self.camera.imaging() != imaging {
            self.camera.set_imaging(imaging);
        }
        self.camera.look_at(part, self.corner, order.seed.wrapping_mul(31).wrapping_add(self.frames));
        self.frames += 1;
        self.next = if view + 1 < views { (number, view + 1) } else { (number + 1, 0) };
        Some(View { part: number, view, views })
    }

    /// Returns the defects that the last frame shows: left, top, right, bottom in pixels.
    pub fn truth(&self) -> impl Iterator<Item = (Kind, [i32; 4])> + '_ {
        let (width, height) = self.size;
        self.part.iter().flat_map(move |part| part.truth(self.corner, width, height))
    }

    /// Returns the kinds of all defects of the present part, also of those that the last frame does not show.
    pub fn defects(&self) -> impl Iterator<Item = Kind> + '_ {
        self.part.iter().flat_map(|part| part.defects.iter().map(|defect| defect.kind))
    }

    /// Returns the camera, from which the last frame is read out.
    pub fn camera(&mut self) -> &mut Camera {
        &mut self.camera
    }
}

fn make(
    board: &mut Option<(String, Arc<Board>)>,
    (width, height): (usize, usize),
    order: &Order,
    number: u64,
    old: Option<Part>,
) -> Part {
    let fits = board.as_ref().is_some_and(|(sku, board)| *sku == order.sku && board.size() == (width, height));
    if !fits {
        *board = None;
    }
    let (_, board) = board.get_or_insert_with(|| (order.sku.clone(), Arc::new(Board::new(&order.sku, width, height))));
    let mut rng = Rng::stream(order.seed, number);
    let seed = rng.next_u64();
    // Both are drawn in any case, so that the rate changes nothing else about a part.
    let (defective, count) = (rng.chance(order.defect_rate), rng.int(1, MOST_DEFECTS));
    let defects = if defective { count as usize } else { 0 };
    let spec = PartSpec { seed, defects, kinds: order.kinds, grey_jitter: GREY_JITTER };
    match old {
        Some(mut part) => {
            board.remake(&spec, &mut part);
            part
        }
        None => board.make(&spec),
    }
}
