// SPDX-License-Identifier: MPL-2.0
//! Scenes that differ in what makes it hard to tell a change.

use super::{Actor, Design, Ground, Light};

const SMALL: [usize; 2] = [160, 120];
const MIDDLE: [usize; 2] = [240, 180];
const LARGE: [usize; 2] = [320, 240];

/// A hall: of middle luma, with many things.
const HALL: Ground = Ground { level: 110.0, contrast: 60.0, things: 60, grain: 4.0, tint: [-4.0, 6.0] };
/// A road: grey, with few things.
const ROAD: Ground = Ground { level: 95.0, contrast: 30.0, things: 25, grain: 6.0, tint: [2.0, -2.0] };
/// A belt before a plain wall.
const PLAIN: Ground = Ground { level: 130.0, contrast: 12.0, things: 8, grain: 1.0, tint: [0.0, 0.0] };
/// A dark room.
const DARK: Ground = Ground { level: 28.0, contrast: 14.0, things: 30, grain: 1.0, tint: [0.0, 0.0] };

const STILL: Design = Design {
    name: "still",
    grey: true,
    rate: 30.0,
    size: SMALL,
    ground: HALL,
    noise: 2.0,
    blocks: 0.0,
    vibration: 0,
    lights: &[],
    actors: &[],
};
const COLOUR: Design = Design { grey: false, ..STILL };

const BELT: Actor = Actor::Belt { speed: 3.0, pitch: 90.0, height: 0.4, spread: 12.0, run: 0.0, pause: 0.0 };
const FRUIT: Actor = Actor::Belt { speed: 2.5, pitch: 55.0, height: 0.35, spread: 60.0, run: 0.0, pause: 0.0 };
const STOPPING: Actor = Actor::Belt { speed: 4.0, pitch: 120.0, height: 0.5, spread: 25.0, run: 200.0, pause: 90.0 };
const FEW: Actor = Actor::Walkers { every: 300.0, frames: [90.0, 300.0], height: 0.5, linger: 90.0 };
const MANY: Actor = Actor::Walkers { every: 45.0, frames: [90.0, 300.0], height: 0.35, linger: 60.0 };
const NEAR: Actor = Actor::Walkers { every: 240.0, frames: [60.0, 180.0], height: 0.9, linger: 60.0 };
const CROSSING: Actor = Actor::Traffic { cycle: 600.0, every: 30.0, frames: 60.0, length: 0.18 };
const LORRIES: Actor = Actor::Traffic { cycle: 450.0, every: 90.0, frames: 90.0, length: 0.35 };

/// Twenty scenes.
pub const DESIGNS: [Design; 20] = [
    STILL,
    Design { name: "dark room", ground: DARK, noise: 2.5, actors: &[FEW], ..STILL },
    Design { name: "belt", ground: PLAIN, size: MIDDLE, actors: &[BELT], ..STILL },
    Design { name: "belt that stops", size: MIDDLE, actors: &[STOPPING], ..COLOUR },
    Design { name: "fruit", ground: PLAIN, actors: &[FRUIT], ..COLOUR },
    Design { name: "crossing", ground: ROAD, size: LARGE, actors: &[CROSSING], noise: 3.0, ..COLOUR },
    Design {
        name: "road, camera corrects",
        ground: ROAD,
        actors: &[LORRIES],
        lights: &[Light::Hunting { share: 0.8 }],
        ..COLOUR
    },
    Design { name: "few people", size: MIDDLE, actors: &[FEW], ..COLOUR },
    Design { name: "many people", size: MIDDLE, actors: &[MANY], noise: 3.0, ..COLOUR },
    Design {
        name: "people near, camera corrects",
        actors: &[NEAR],
        lights: &[Light::Hunting { share: 0.9 }],
        ..COLOUR
    },
    // The shutter sees the mains beat slowly.
    Design { name: "flicker", actors: &[BELT], lights: &[Light::Wave { period: 73.7, share: 0.04 }], ..STILL },
    Design {
        name: "flicker, two lamps",
        ground: PLAIN,
        lights: &[Light::Wave { period: 3.03, share: 0.03 }, Light::Wave { period: 410.0, share: 0.02 }],
        ..COLOUR
    },
    Design {
        name: "short days",
        actors: &[FEW],
        lights: &[Light::Wave { period: 900.0, share: 0.2 }],
        rate: 10.0,
        ..COLOUR
    },
    Design { name: "slow days", actors: &[BELT], lights: &[Light::Wave { period: 6000.0, share: 0.1 }], ..STILL },
    Design {
        name: "clouds",
        ground: ROAD,
        actors: &[Actor::Leaves { period: 330.0, count: 14 }, LORRIES],
        lights: &[Light::Wander { memory: 250.0, share: 0.04 }],
        ..COLOUR
    },
    Design {
        name: "arm and press",
        size: MIDDLE,
        actors: &[Actor::Arm { period: 240.0, size: 0.3 }, Actor::Gate { period: 410.0, width: 0.25 }],
        ..COLOUR
    },
    Design {
        name: "sparks",
        ground: DARK,
        actors: &[Actor::Flash { every: 60.0, size: 0.3 }, Actor::Gate { period: 700.0, width: 0.3 }],
        ..STILL
    },
    Design { name: "shaking", actors: &[BELT], vibration: 1, ..STILL },
    Design { name: "low bit rate", size: LARGE, actors: &[FEW], blocks: 3.0, noise: 1.0, rate: 15.0, ..COLOUR },
    Design {
        name: "shop",
        size: MIDDLE,
        actors: &[
            Actor::Screen { frames: [150.0, 450.0], size: 0.25 },
            MANY,
            Actor::Gate { period: 900.0, width: 0.2 },
        ],
        lights: &[Light::Wave { period: 97.3, share: 0.015 }, Light::Wander { memory: 60.0, share: 0.005 }],
        blocks: 1.0,
        ..COLOUR
    },
];
