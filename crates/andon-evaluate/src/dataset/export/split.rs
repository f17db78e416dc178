// SPDX-License-Identifier: MPL-2.0
//! Which captures go to the validation set: all of a part to one side, so that a model is not tested on what it has learnt.

use andon_core::{random::Hash, result::PartKey};

use super::super::Capture;

/// Where nothing says what a part is, captures of one run that are closer than this may show the same object, ns.
const SAME_OBJECT_NS: u64 = 2_000_000_000;
/// The same in frames, where they have no presentation times: two seconds of 30 frames each.
const SAME_OBJECT_FRAMES: u64 = 60;

/// How captures without a part are split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Untold {
    /// Captures of one run that are less than two seconds apart stay together, however long that goes on.
    #[default]
    Together,
    /// Each is a part of its own.
    Frame,
}

/// A run of captures without a part that may show the same object.
struct Window {
    /// The last frame, and its run.
    last: PartKey,
    last_pts_ns: Option<u64>,
    key: String,
}

/// Splits captures into `train` and `val`, in the order of their names.
pub(super) struct Split {
    share: f32,
    untold: Untold,
    window: Option<Window>,
    /// Captures without a part.
    pub(super) frames: u64,
    /// The groups that they were split by.
    pub(super) groups: u64,
}

impl Split {
    /// Sends `share` of the parts to `val`, 0..1.
    pub(super) fn new(share: f32, untold: Untold) -> Self {
        Self { share, untold, window: None, frames: 0, groups: 0 }
    }

    /// Returns 1 for val and 0 for train: by the part alone, so that a part is on the same side in every export.
    pub(super) fn side(&mut self, capture: &Capture) -> usize {
        let own = capture.part_key().to_string();
        let key = if capture.sidecar.part.is_some() { own.as_str() } else { self.key_of_untold(capture, &own) };
        usize::from(Hash::default().with(key.as_bytes()).fraction() < f64::from(self.share))
    }

    fn key_of_untold<'a>(&'a mut self, capture: &Capture, own: &'a str) -> &'a str {
        let (now, pts_ns) = (capture.part_key(), capture.sidecar.pts_ns);
        self.frames += 1;
        let known = self.window.take().filter(|w| {
            let (PartKey::Frame(before, last), PartKey::Frame(run, frame)) = (&w.last, &now) else { return false };
            let near = match w.last_pts_ns.zip(pts_ns) {
                Some((last, now)) => now.abs_diff(last) < SAME_OBJECT_NS,
                None => frame.abs_diff(*last) < SAME_OBJECT_FRAMES,
            };
            before == run && near && self.untold == Untold::Together
        });
        self.groups += u64::from(known.is_none());
        let key = known.map_or_else(|| own.to_string(), |w| w.key);
        &self.window.insert(Window { last: now, last_pts_ns: pts_ns, key }).key
    }
}
