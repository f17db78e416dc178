// SPDX-License-Identifier: MPL-2.0
//! The line: parts one after the other on a belt under a camera that takes each in one or more views.

use std::sync::Arc;

use super::{Board, Camera, Kind, Kinds, Look, Making, Part, Rng};

/// Most defects on one defective part.
const MOST_DEFECTS: i32 = 3;
/// How much the mean greys of parts differ, half the range.
const GREY_JITTER: f32 = 3.0;

/// What the line is told. All but light and place is taken in when the next part begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Names the run of the line: equal seeds give equal parts in equal order.
    pub seed: u64,
    /// The product.
    pub sku: String,
    /// Probability (0..1) that a part has defects, one to three of them.
    pub defect_rate: f64,
    /// Kinds of defects that come up.
    pub kinds: Kinds,
    /// Frames a part.
    pub views: u32,
    /// Way of the belt from one frame to the next, pixels to the right.
    pub speed: f64,
}

/// Which view of which part a frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shot {
    /// Number of the part, from 0.
    pub part: u64,
    /// Number of the view, from 0.
    pub view: u32,
    /// Views that this part gets.
    pub views: u32,
}

/// A belt, the part on it, and the camera over it.
#[derive(Debug)]
pub struct Line {
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

impl Line {
    /// A line whose camera sees `width` by `height` pixels.
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

    /// The same line with a camera of another size. A part that is on the belt does not come again.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let (part, view) = self.next;
        let next = if view == 0 { (part, 0) } else { (part + 1, 0) };
        Self { next, frames: self.frames, ..Self::new(width, height) }
    }

    /// The size of the frames: width, height.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The order to be asked for at the next frame: true when that frame begins a part.
    pub fn wants_order(&self) -> bool {
        self.next.1 == 0 || self.order.is_none()
    }

    /// Makes `board` the mould for parts of `sku`, so that it need not be drawn when the next such part begins.
    pub fn supply(&mut self, sku: String, board: Arc<Board>) {
        self.board = Some((sku, board));
    }

    /// The seed of the order in force; 0 before there is one.
    pub fn seed(&self) -> u64 {
        self.order.as_ref().map_or(0, |order| order.seed)
    }

    /// Gives the order for the parts to come; see [`Line::wants_order`].
    pub fn order(&mut self, order: Order) {
        self.order = Some(order);
    }

    /// Goes to frame `frame` of a line that has had the present number of views a part from its beginning.
    pub fn go_to(&mut self, frame: u64, views: u32) {
        let views = u64::from(views.max(1));
        let (part, view) = (frame / views, frame % views);
        self.frames = frame;
        self.part = None;
        self.order = None;
        self.next = (part, view as u32);
    }

    /// Moves the belt on and takes the next frame under `look`, the picture moved by `shift` pixels to the right and
    /// downwards. `None` until an order was given.
    pub fn take(&mut self, look: Look, shift: [i32; 2]) -> Option<Shot> {
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
        if self.camera.look() != look {
            self.camera.set_look(look);
        }
        self.camera.look_at(part, self.corner, order.seed.wrapping_mul(31).wrapping_add(self.frames));
        self.frames += 1;
        self.next = if view + 1 < views { (number, view + 1) } else { (number + 1, 0) };
        Some(Shot { part: number, view, views })
    }

    /// What is wrong with the part in the last frame as far as the frame shows it: left, top, right, bottom in pixels.
    pub fn truth(&self) -> impl Iterator<Item = (Kind, [i32; 4])> + '_ {
        let (width, height) = self.size;
        self.part.iter().flat_map(move |part| part.truth(self.corner, width, height))
    }

    /// The kinds of all defects of the present part, whether the last frame shows them or not.
    pub fn defects(&self) -> impl Iterator<Item = Kind> + '_ {
        self.part.iter().flat_map(|part| part.defects.iter().map(|defect| defect.kind))
    }

    /// The camera, to read out the last frame.
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
    // Drawn whether needed or not, so that the rate changes nothing else about a part.
    let (defective, count) = (rng.chance(order.defect_rate), rng.int(1, MOST_DEFECTS));
    let defects = if defective { count as usize } else { 0 };
    let making = Making { seed, defects, kinds: order.kinds, grey_jitter: GREY_JITTER };
    match old {
        Some(mut part) => {
            board.remake(&making, &mut part);
            part
        }
        None => board.make(&making),
    }
}
