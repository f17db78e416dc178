// SPDX-License-Identifier: MPL-2.0
//! Results of arm b that came after their frames had gone on.

use std::{collections::VecDeque, mem, sync::Arc};

use andon_core::result::Inference;

use super::pairing::FromA;
use crate::meta::{
    event::{AndonEvent, Late},
    late,
};

/// `andon/late` events that wait for a's thread. There are more only if a stands still.
const MAX_WAITING: usize = 1024;

/// Results that are held after their events went down, for a reader behind a queue. Whoever reads an event later than
/// that many others finds the result in its JSON.
const MAX_TOLD: usize = 512;

/// An `andon/late` event, and the result that it tells of, which is held in the table of the process.
#[derive(Debug)]
pub(super) struct LateResult {
    event: gst::Event,
    result: Arc<Inference>,
}

impl LateResult {
    /// Makes the event for a result. Returns `None` if its frame has no identity to name it by.
    pub(super) fn new(from_a: &FromA, b: &Arc<Inference>) -> Option<Self> {
        let (run, frame_id) = from_a.key.id?;
        let b = match (b.run, b.frame_id) == (run, frame_id) {
            true => b.clone(),
            // An element of arm b has lost the identity, and the frame was found by its time.
            false => {
                let part = from_a.a.as_ref().and_then(|a| a.part.clone());
                Arc::new(Inference { run, frame_id, part, ..(**b).clone() })
            }
        };
        let (element, arm) = (b.element.to_string(), b.arm);
        let late = Late { run, frame_id, pts_ns: from_a.key.pts_ns, element, arm, json: b.to_json() };
        let result = late::share(&late, b);
        Some(Self { event: AndonEvent::Late(late).to_event(), result })
    }
}

/// The results that are late, before and after their events went down.
#[derive(Debug, Default)]
pub(super) struct LateResults {
    waiting: VecDeque<LateResult>,
    told: VecDeque<Arc<Inference>>,
}

impl LateResults {
    /// Appends an event to those that wait. Returns whether the oldest was lost for it.
    pub(super) fn push(&mut self, late: LateResult) -> bool {
        self.waiting.push_back(late);
        self.waiting.len() > MAX_WAITING && self.waiting.pop_front().is_some()
    }

    /// Takes the events that wait.
    pub(super) fn take(&mut self) -> Vec<gst::Event> {
        let taken = mem::take(&mut self.waiting);
        let events = taken.into_iter().map(|LateResult { event, result }| {
            self.told.push_back(result);
            event
        });
        let events = events.collect();
        let beyond = self.told.len().saturating_sub(MAX_TOLD);
        self.told.drain(..beyond);
        events
    }

    /// Drops the events that wait.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use andon_core::result::{Arm, Frame};

    use super::{super::pairing::FrameKey, *};

    #[test]
    fn the_last_few_hundred_results_are_found_and_memory_is_bounded() {
        gst::init().unwrap();
        let mut late = LateResults::default();
        let run = andon_core::result::run_id();
        let told = |id: u64| Late {
            run,
            frame_id: id,
            pts_ns: None,
            element: "late-test".into(),
            arm: Arm::B,
            json: String::new(),
        };
        let come = |late: &mut LateResults, id: u64| {
            let from_a = FromA { key: FrameKey { id: Some((run, id)), pts_ns: None }, ..FromA::default() };
            let b = Inference::new("late-test".into(), Arm::B, &Frame { id, ..Frame::new(None) }, [8, 8]);
            late.push(LateResult::new(&from_a, &Arc::new(b)).unwrap())
        };
        for id in 0..2000 {
            assert!(!come(&mut late, id));
            assert_eq!(late.take().len(), 1);
        }
        assert_eq!(late::find(&told(1999)).map(|i| i.frame_id), Some(1999));
        assert!(late::find(&told(2000 - 1 - MAX_TOLD as u64)).is_none(), "only so many are held");
        for id in 2000..2000 + MAX_WAITING as u64 {
            assert!(!come(&mut late, id));
        }
        assert!(come(&mut late, 9999), "the oldest is lost while a stands still");
        assert_eq!(late.take().len(), MAX_WAITING);
        late.clear();
        assert!(late.take().is_empty());
    }
}
