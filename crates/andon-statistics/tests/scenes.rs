// SPDX-License-Identifier: MPL-2.0
//! The meter at its defaults on made scenes in which much moves and nothing changes: it says nothing until the lamp loses
//! a quarter of its light, and then at once. The bench `series` measures more of them, for longer.

use andon_boards::scene::{DESIGNS, Scene};
use andon_core::image::{Colorimetry, Format, Image, Plane};
use andon_statistics::meter::{Config, Meter, Stamp, State};

/// The frames until the lamp is weaker, the most frames that learning may take, and the most until a weaker lamp is told.
const UNCHANGED: u64 = 2_000;
const MOST_LEARNT: u64 = 1_000;
const SOON: u64 = 60;

/// A meter before a scene.
struct Line {
    scene: Scene,
    size: [usize; 2],
    grey: bool,
    rate: f64,
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
    meter: Meter,
    frames: u64,
}

impl Line {
    fn new(name: &str) -> Self {
        let design = DESIGNS.iter().find(|d| d.name == name).unwrap();
        let [w, h] = design.size;
        let plane = || vec![128; w.div_ceil(2) * h.div_ceil(2)];
        Self {
            scene: Scene::new(design, 1),
            size: design.size,
            grey: design.grey,
            rate: design.rate,
            luma: vec![0; w * h],
            chroma: [plane(), plane()],
            meter: Meter::new(Config::default()),
            frames: 0,
        }
    }

    /// Shows the next frame under this share of the light. Returns the state.
    fn show(&mut self, light: f32) -> State {
        let [w, h] = self.size;
        let [u, v] = &mut self.chroma;
        self.scene.next(&mut self.luma, (!self.grey).then_some([u, v]));
        if light < 1.0 {
            let black = if self.grey { 0.0 } else { 16.0 };
            let dim = |plane: &mut [u8], zero: f32| {
                plane.iter_mut().for_each(|v| *v = (zero + light * (f32::from(*v) - zero)).round() as u8);
            };
            dim(&mut self.luma, black);
            self.chroma.iter_mut().for_each(|plane| dim(plane, 128.0));
        }
        let half = w.div_ceil(2);
        let [u, v] = [0, 1].map(|i| Plane { data: &self.chroma[i], stride: half });
        let image = if self.grey {
            Image::gray8(&self.luma, w, h)
        } else {
            let luma = Plane { data: &self.luma, stride: w };
            Image::new(Format::I420, w, h, &[luma, u, v], Colorimetry::default())
        };
        let pts_ns = Some((self.frames as f64 * 1e9 / self.rate) as u64);
        self.meter.observe(&image.unwrap(), None, Stamp { frame_id: self.frames, pts_ns, ..Stamp::default() });
        self.frames += 1;
        self.meter.status().state
    }
}

#[test]
fn scenes_that_go_on_as_they_did_are_silent_and_a_weaker_lamp_is_told_at_once() {
    for name in ["clouds", "sparks", "flicker, two lamps"] {
        let mut line = Line::new(name);
        let mut learnt = None;
        for frame in 0..UNCHANGED {
            let state = line.show(1.0);
            if learnt.is_none() && !matches!(state, State::Learning | State::Provisional) {
                learnt = Some(frame);
            }
            assert_ne!(state, State::Drift, "{name}, frame {frame}: {:?}", line.meter.report(Stamp::default()).off);
        }
        assert!(learnt.is_some_and(|frame| frame <= MOST_LEARNT), "{name}: learnt at {learnt:?}");
        let found = (1..=SOON).find(|_| line.show(0.75) == State::Drift);
        println!("{name}: learnt at {learnt:?}, a quarter less light found after {found:?}");
        assert!(found.is_some(), "{name}: {:?}", line.meter.report(Stamp::default()));
    }
}
