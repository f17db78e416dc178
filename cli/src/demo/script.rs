// SPDX-License-Identifier: MPL-2.0
//! The demo's script: its chapters, their lengths, and the steps at their frames.

/// A change of the line while it plays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Both models get every frame.
    Shadow,
    /// These kinds of defects turn up from now on.
    Kinds(&'static str),
    /// The lamp gets this gain.
    Lamp(f64),
    /// Frames are captured: on demand, and from now on when the models differ.
    Keep,
    /// Frames on which the models differ are captured no longer.
    KeepNoMore,
    /// The champion's element takes the challenger's model.
    Swap,
    /// The champion's element goes back to its own model.
    Rollback,
}

impl Step {
    /// Returns whether the camera carries out the step. A property shows on the next frame, so it is set one frame ahead.
    pub fn is_of_camera(self) -> bool {
        matches!(self, Step::Kinds(_) | Step::Lamp(_))
    }
}

/// One chapter.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// The title in table and report.
    pub title: &'static str,
    /// What happens in it.
    pub what: &'static str,
    /// The number of frames.
    pub frames: u64,
    /// The steps, each after a share, 0..1, of the frames.
    pub steps: Vec<(f64, Step)>,
}

/// Kinds of defects that the champion was trained on.
pub const OLD_KINDS: &str = "open,short,mousebite,spur";
/// All kinds of defects; the challenger was trained on the last two as well.
pub const ALL_KINDS: &str = "open,short,mousebite,spur,copper,pin-hole";
/// Gain of the dimmed lamp.
pub const DIM: f64 = 0.75;

/// Index of the chapter in which new kinds turn up.
pub const NEW_KINDS: usize = 2;
/// Index of the chapter in which the lamp dims.
pub const LAMP: usize = 3;
/// Index of the chapter in which frames are captured.
pub const KEEPING: usize = 4;
/// Index of the chapter in which the challenger takes over.
pub const TAKEOVER: usize = 5;
/// Index of the chapter in which the old model comes back.
pub const RETURN: usize = 6;

/// All chapters, in order.
#[derive(Clone, Debug)]
pub struct Script {
    /// The chapters.
    pub chapters: Vec<Chapter>,
}

impl Script {
    /// Makes the script, `scale` times its usual length.
    pub fn new(scale: f64) -> Self {
        let chapter = |title, what, frames: u32, steps| Chapter {
            title,
            what,
            frames: (f64::from(frames) * scale).round().max(1.0) as u64,
            steps,
        };
        let chapters = vec![
            chapter(
                "Champion alone",
                "The running model judges every board; the drift meter learns what is normal.",
                160,
                vec![],
            ),
            chapter(
                "Challenger beside it",
                "A second model judges the same frames in the shadow of the first. Nothing it says reaches the line.",
                100,
                vec![(0.0, Step::Shadow)],
            ),
            chapter(
                "New kinds of defects",
                "Spurious copper and pin-holes turn up, on which the champion was never trained.",
                160,
                vec![(0.0, Step::Kinds(ALL_KINDS))],
            ),
            chapter(
                "The lamp dims",
                "The lamp goes down to three quarters of its light, and halfway through the chapter comes back.",
                160,
                vec![(0.0, Step::Lamp(DIM)), (0.5, Step::Lamp(1.0))],
            ),
            chapter(
                "Frames are kept",
                "A capture on demand keeps frames, also some already gone by. Each frame on which the models differ is kept, too.",
                80,
                vec![(0.2, Step::Keep), (1.0, Step::KeepNoMore)],
            ),
            chapter(
                "The challenger takes over",
                "While the line plays, the champion's element swaps its model for the challenger's.",
                100,
                vec![(0.05, Step::Swap)],
            ),
            chapter(
                "The old one comes back",
                "One call, and the previous model judges again.",
                80,
                vec![(0.2, Step::Rollback)],
            ),
        ];
        Self { chapters }
    }

    /// Returns the number of frames.
    pub fn frames(&self) -> u64 {
        self.chapters.iter().map(|c| c.frames).sum()
    }

    /// Returns the number, from 0, of the first frame of chapter `index`.
    pub fn start(&self, index: usize) -> u64 {
        self.chapters[..index].iter().map(|c| c.frames).sum()
    }

    /// Returns the index of the chapter of frame `number`.
    pub fn chapter_of(&self, number: u64) -> usize {
        let mut end = 0;
        let past = |c: &Chapter| {
            end += c.frames;
            number >= end
        };
        self.chapters.iter().map(past).take_while(|past| *past).count().min(self.chapters.len() - 1)
    }

    /// Returns every step with the number of the first frame that shows it, in order.
    pub fn steps(&self) -> Vec<(u64, Step)> {
        let numbered = |(i, c): (usize, &Chapter)| {
            let start = self.start(i);
            let frames = c.frames as f64;
            c.steps
                .iter()
                .map(move |(share, step)| (start + (share * frames).round() as u64, *step))
                .collect::<Vec<_>>()
        };
        self.chapters.iter().enumerate().flat_map(numbered).collect()
    }

    /// Returns the number of the first frame that shows `step`.
    pub fn frame_of(&self, step: Step) -> Option<u64> {
        self.steps().into_iter().find(|(_, s)| *s == step).map(|(n, _)| n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_has_its_chapter() {
        let script = Script::new(1.0);
        assert_eq!(script.chapter_of(0), 0);
        for i in 1..script.chapters.len() {
            assert_eq!(script.chapter_of(script.start(i) - 1), i - 1);
            assert_eq!(script.chapter_of(script.start(i)), i);
        }
        assert_eq!(script.chapter_of(script.frames() + 5), script.chapters.len() - 1);
    }

    #[test]
    fn steps_come_in_order_and_within_the_story() {
        for scale in [0.25, 1.0] {
            let script = Script::new(scale);
            let steps = script.steps();
            assert!(steps.is_sorted_by_key(|(n, _)| *n));
            assert!(steps.iter().all(|(n, _)| *n < script.frames()));
            assert_eq!(script.frame_of(Step::Kinds(ALL_KINDS)), Some(script.start(NEW_KINDS)));
            assert_eq!(script.frame_of(Step::Lamp(DIM)), Some(script.start(LAMP)));
            let chapter_of = |step| script.frame_of(step).map(|n| script.chapter_of(n));
            assert_eq!(chapter_of(Step::Keep), Some(KEEPING));
            assert_eq!(chapter_of(Step::Swap), Some(TAKEOVER));
            assert_eq!(chapter_of(Step::Rollback), Some(RETURN));
            assert!(script.frame_of(Step::Lamp(DIM)) < script.frame_of(Step::Lamp(1.0)));
            assert!(script.frame_of(Step::Swap) < script.frame_of(Step::Rollback));
        }
    }
}
