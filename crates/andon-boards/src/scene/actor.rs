// SPDX-License-Identifier: MPL-2.0
//! What moves in a scene.

use super::{
    ground::{Canvas, Thing},
    wave,
};
use crate::rng::Rng;

/// Something that moves, for ever in the same manner. Lengths are shares of the frame's width or height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Actor {
    /// Products on a belt, from left to right.
    Belt {
        /// Pixels a frame.
        speed: f32,
        /// Pixels from one product to the next.
        pitch: f32,
        /// The height of a product.
        height: f32,
        /// How much products differ in luma, in levels, and in colour.
        spread: f32,
        /// Frames that it runs, and frames that it stands still then; each varies by half. Without pause: 0.
        run: f32,
        /// See `run`.
        pause: f32,
    },
    /// People who walk through the picture, one by one, and may linger.
    Walkers {
        /// Frames from one to the next, on average.
        every: f32,
        /// Frames that one takes to cross the picture, from and to.
        frames: [f32; 2],
        /// The height of one.
        height: f32,
        /// Frames that one in three stands still on the way.
        linger: f32,
    },
    /// Cars in both directions, which come in bursts: a traffic light stands somewhere.
    Traffic {
        /// Frames from one green to the next.
        cycle: f32,
        /// Frames from one car to the next while it is green, on average.
        every: f32,
        /// Frames that a car takes to cross the picture.
        frames: f32,
        /// The length of a car.
        length: f32,
    },
    /// An arm that goes to and fro.
    Arm {
        /// Frames that a stroke takes.
        period: f32,
        /// The size of its hand.
        size: f32,
    },
    /// A door, a press or a gate: it goes down and up within a third of the period, then rests.
    Gate {
        /// Frames from one opening to the next.
        period: f32,
        /// Its width.
        width: f32,
    },
    /// A screen or a sign that shows one thing, then another.
    Screen {
        /// Frames that it shows each, from and to.
        frames: [f32; 2],
        /// The size of its sides.
        size: f32,
    },
    /// Leaves that sway.
    Leaves {
        /// Frames from one gust to the next.
        period: f32,
        /// How many.
        count: usize,
    },
    /// A lamp, a spark or a flame that lights up for a few frames.
    Flash {
        /// Frames from one to the next, on average.
        every: f32,
        /// Its size.
        size: f32,
    },
}

/// Something on its way.
#[derive(Debug, Clone, Copy)]
struct Mover {
    thing: Thing,
    /// Pixels a frame.
    speed: f32,
    /// Where it stops, and for how many frames yet.
    stop: f32,
    wait: f32,
}

/// An actor with where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Acting {
    actor: Actor,
    /// A place of its own, 0..1.
    place: f32,
    movers: Vec<Mover>,
    /// The frames until it does something else.
    left: f32,
    running: bool,
    /// How far a belt has run since the latest product, in pixels.
    run: f32,
    things: Vec<Thing>,
}

impl Acting {
    pub(crate) fn new(actor: Actor, rng: &mut Rng) -> Self {
        let (movers, things) = (Vec::new(), Vec::new());
        Self { actor, place: rng.unit(), movers, left: 0.0, running: false, run: 0.0, things }
    }

    /// Moves on by one frame.
    pub(crate) fn step(&mut self, frame: u64, rng: &mut Rng, size: [usize; 2]) {
        let [w, h] = size.map(|side| side as f32);
        self.things.clear();
        self.left -= 1.0;
        match self.actor {
            Actor::Belt { speed, pitch, height, spread, run, pause } => {
                if pause > 0.0 && self.left <= 0.0 {
                    self.running = !self.running;
                    self.left = (if self.running { run } else { pause }) * rng.range(0.5, 1.5);
                }
                if pause == 0.0 || self.running {
                    self.run += speed;
                    if self.run >= pitch {
                        self.run -= pitch;
                        let half = height * h / 2.0 * rng.range(0.9, 1.1);
                        let thing = Thing {
                            at: [-half, h * 0.55 + rng.range(-1.0, 1.0)],
                            half: [half * 0.8, half],
                            round: self.place > 0.5,
                            level: (150.0 + spread * rng.range(-1.0, 1.0)).clamp(30.0, 225.0),
                            tint: [rng.range(-0.6, 0.6) * spread, rng.range(-0.6, 0.6) * spread],
                            stripes: 4,
                        };
                        self.movers.push(Mover { thing, speed, stop: f32::MAX, wait: 0.0 });
                    }
                    self.advance(w);
                }
            }
            Actor::Walkers { every, frames, height, linger } => {
                if rng.chance(f64::from(1.0 / every)) && self.movers.len() < 12 {
                    let speed = w / rng.range(frames[0], frames[1]) * if rng.chance(0.5) { 1.0 } else { -1.0 };
                    let half = height * h / 2.0 * rng.range(0.8, 1.2);
                    let thing = Thing {
                        at: [if speed > 0.0 { -half } else { w + half }, h * rng.range(0.4, 0.7)],
                        half: [half * 0.4, half],
                        round: true,
                        level: rng.range(25.0, 210.0),
                        tint: [rng.range(-30.0, 30.0), rng.range(-30.0, 30.0)],
                        stripes: rng.int(3, 9),
                    };
                    let wait = if rng.chance(0.33) { linger * rng.range(0.5, 1.5) } else { 0.0 };
                    self.movers.push(Mover { thing, speed, stop: w * rng.range(0.2, 0.8), wait });
                }
                self.advance(w);
                // They bob as they walk.
                for mover in &mut self.movers {
                    mover.thing.half[0] *= 1.0 + 0.02 * wave(frame as f32 / 12.0 + mover.stop);
                }
            }
            Actor::Traffic { cycle, every, frames, length } => {
                let green = frame as f32 % cycle < 0.55 * cycle;
                if green && rng.chance(f64::from(1.0 / every)) {
                    let right = rng.chance(0.5);
                    let speed = w / frames * rng.range(0.9, 1.1) * if right { 1.0 } else { -1.0 };
                    let half = length * w / 2.0 * if rng.chance(0.15) { 2.0 } else { 1.0 };
                    let thing = Thing {
                        at: [if right { -half } else { w + half }, h * if right { 0.7 } else { 0.5 }],
                        half: [half, length * w / 4.0],
                        round: false,
                        level: rng.range(30.0, 220.0),
                        tint: [rng.range(-35.0, 35.0), rng.range(-35.0, 35.0)],
                        stripes: 6,
                    };
                    self.movers.push(Mover { thing, speed, stop: f32::MAX, wait: 0.0 });
                }
                self.advance(w);
            }
            Actor::Arm { period, size } => {
                let to = wave(frame as f32 / period);
                let lift = wave(2.0 * frame as f32 / period + 0.1);
                let [x, y] = [w * (0.5 + 0.3 * to), h * (0.45 + 0.15 * lift)];
                let side = size * h / 2.0;
                let steel = Thing {
                    at: [x, y / 2.0],
                    half: [side / 3.0, y / 2.0],
                    round: false,
                    level: 120.0,
                    tint: [-20.0, 25.0],
                    stripes: 0,
                };
                let hand = Thing { at: [x, y], half: [side, side / 1.5], level: 190.0, stripes: 5, ..steel };
                self.things.extend([steel, hand]);
            }
            Actor::Gate { period, width } => {
                let at = (frame as f32 / period + self.place).fract() * 3.0;
                let down = if at < 1.0 { wave(at / 2.0) } else { 0.0 };
                self.things.push(Thing {
                    at: [w * (0.2 + 0.6 * self.place), h * (down * 0.5 - 0.3)],
                    half: [w * width / 2.0, h * 0.4],
                    round: false,
                    level: 170.0,
                    tint: [10.0, -10.0],
                    stripes: 8,
                });
            }
            Actor::Screen { frames, size } => {
                if self.left <= 0.0 {
                    self.left = rng.range(frames[0], frames[1]);
                    self.movers.clear();
                    let thing = Thing {
                        at: [w * (0.15 + 0.7 * self.place), h * 0.25],
                        half: [w * size / 2.0, h * size / 2.0],
                        round: false,
                        level: rng.range(60.0, 220.0),
                        tint: [rng.range(-40.0, 40.0), rng.range(-40.0, 40.0)],
                        stripes: rng.int(2, 7),
                    };
                    self.movers.push(Mover { thing, speed: 0.0, stop: f32::MAX, wait: 0.0 });
                }
            }
            Actor::Leaves { period, count } => {
                let gust = 1.0 + wave(frame as f32 / period);
                for i in 0..count {
                    let own = i as f32 * 0.618;
                    let sway = gust * wave(frame as f32 / 41.0 + own);
                    self.things.push(Thing {
                        at: [w * (0.7 + 0.3 * own.fract()) + 0.02 * w * sway, h * (i as f32 + 0.5) / count as f32],
                        half: [w * 0.05, h * 0.04],
                        round: true,
                        level: 60.0 + 60.0 * (own * 7.0).fract(),
                        tint: [-15.0, -15.0],
                        stripes: 2,
                    });
                }
            }
            Actor::Flash { every, size } => {
                if self.left <= 0.0 && rng.chance(f64::from(1.0 / every)) {
                    self.left = rng.range(2.0, 6.0);
                }
                if self.left > 0.0 {
                    self.things.push(Thing {
                        at: [w * (0.2 + 0.6 * self.place), h * 0.5],
                        half: [w * size / 2.0, h * size / 2.0],
                        round: true,
                        level: 235.0,
                        tint: [-10.0, 10.0],
                        stripes: 0,
                    });
                }
            }
        }
    }

    /// Moves all on their way, and forgets those that have left the picture.
    fn advance(&mut self, w: f32) {
        for mover in &mut self.movers {
            let passed = (mover.thing.at[0] - mover.stop) * mover.speed.signum() >= 0.0;
            if passed && mover.wait > 0.0 {
                mover.wait -= 1.0;
            } else {
                mover.thing.at[0] += mover.speed;
            }
        }
        self.movers.retain(|m| {
            let [x, half] = [m.thing.at[0], m.thing.half[0] + 2.0];
            if m.speed > 0.0 { x - half < w } else { x + half > 0.0 }
        });
    }

    /// Draws it, moved by `shift` pixels of a trembling picture.
    pub(crate) fn draw(&self, canvas: &mut Canvas, shift: [i32; 2]) {
        for mut thing in self.movers.iter().map(|m| m.thing).chain(self.things.iter().copied()) {
            for (at, by) in thing.at.iter_mut().zip(shift) {
                *at -= by as f32;
            }
            canvas.draw(&thing);
        }
    }
}
