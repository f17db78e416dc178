// SPDX-License-Identifier: MPL-2.0
//! Pairs the results of arm b with the frames of arm a, and finds the frames for which b has no result to come.
//!
//! Both arms keep the order of the stream: when a frame of b comes, older ones that have not come never will.

use std::{collections::VecDeque, sync::Arc};

use andon_core::result::Inference;
use andon_statistics::agreement::Frames;
use uuid::Uuid;

/// Frames that have gone on, and results that came ahead of their frames, of which so many are remembered.
const MAX_REMEMBERED: usize = 1024;

/// What identifies a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrameKey {
    /// The run and the id within it; `None` if an element of the arm lost them.
    pub(super) id: Option<(Uuid, u64)>,
    /// The presentation time, ns, which identifies a frame without an id.
    pub(super) pts_ns: Option<u64>,
}

impl FrameKey {
    /// Returns whether a frame of b is this frame of a.
    fn is(&self, b: &FrameKey) -> bool {
        match b.id {
            Some(_) => self.id == b.id,
            None => b.pts_ns.is_some() && self.pts_ns == b.pts_ns,
        }
    }

    /// Returns whether a frame of a comes before a frame of b.
    fn is_before(&self, b: &FrameKey) -> bool {
        match (self.id, b.id) {
            (Some((run_a, a)), Some((run_b, b))) => run_a == run_b && a < b,
            _ => matches!((self.pts_ns, b.pts_ns), (Some(a), Some(b)) if a < b),
        }
    }
}

/// What the models of arm b say of a frame.
#[derive(Debug)]
pub(super) struct OfB {
    /// What they say together, for the comparison with arm a.
    pub(super) said: Arc<Inference>,
    /// What each says, for the frame.
    pub(super) results: Vec<Arc<Inference>>,
}

/// The result of arm b for a frame.
#[derive(Clone, Debug, Default)]
enum Answer {
    /// The result may still come.
    #[default]
    Pending,
    /// The frame left arm b, perhaps without a result.
    Came(Option<Arc<OfB>>),
    /// The result will never come.
    Never,
}

/// A frame of arm a with its results.
#[derive(Clone, Debug, Default)]
pub(super) struct FromA {
    /// What identifies the frame.
    pub(super) key: FrameKey,
    /// The result of arm a.
    pub(super) a: Option<Arc<Inference>>,
    /// The result of the arm `truth`.
    pub(super) truth: Option<Arc<Inference>>,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    frame: FromA,
    answer: Answer,
    /// The frame has gone on.
    gone: bool,
}

/// What becomes of a frame of arm a that has just come.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The frame has left b already, perhaps without a result.
    Known(Option<Arc<OfB>>),
    /// The result of b may come. The number is the frame's with [`Pairing::is_ready`] and [`Pairing::leave`].
    Pending(u64),
    /// No result of b will come.
    Alone,
}

/// The frame that a result of arm b belongs to.
#[derive(Debug)]
pub(super) enum Match {
    /// A frame that still waits, by its number. It goes on after [`Pairing::answer`].
    Waiting(u64, FromA),
    /// A frame that has gone on.
    Late(FromA),
    /// A frame that has not come yet.
    Ahead,
    /// No frame that is known.
    Stranger,
}

/// The frames of each arm that have not come on the other.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// Frames of a for which a result of b may come, in order.
    entries: VecDeque<Entry>,
    /// Results of b for frames that a has not brought yet, in order.
    ahead: VecDeque<(FrameKey, Answer)>,
    /// The last frame of a.
    last: FrameKey,
    /// Number of the next entry.
    next: u64,
    /// Arm b has ended.
    ended: bool,
    /// Counts of the frames.
    pub(super) counts: Frames,
    /// Frames that were forgotten before a result of b came.
    pub(super) forgotten: u64,
}

impl Pairing {
    /// Takes a frame of a. `expected` says whether b got it, too.
    pub(super) fn a_came(&mut self, frame: FromA, expected: bool) -> Arrival {
        self.counts.a += 1;
        self.last = frame.key;
        while let Some((b, answer)) = self.ahead.front() {
            if frame.key.is(b) {
                let (_, answer) = self.ahead.pop_front().expect("its front was just looked at");
                return match answer {
                    Answer::Came(b) => {
                        self.counts.paired += u64::from(b.is_some());
                        Arrival::Known(b)
                    }
                    _ => Arrival::Alone,
                };
            }
            if frame.key.is_before(b) {
                return Arrival::Alone;
            }
            self.counts.strangers += u64::from(matches!(answer, Answer::Came(_)));
            self.ahead.pop_front();
        }
        if !expected {
            return Arrival::Alone;
        }
        if self.ended {
            self.counts.missing += 1;
            return Arrival::Alone;
        }
        let serial = self.next;
        self.next += 1;
        self.entries.push_back(Entry { serial, frame, answer: Answer::Pending, gone: false });
        Arrival::Pending(serial)
    }

    /// Returns whether the frame has nothing more to wait for.
    pub(super) fn is_ready(&self, serial: u64) -> bool {
        self.at(serial).is_none_or(|i| !matches!(self.entries[i].answer, Answer::Pending))
    }

    /// Notes that the frame goes on now, and returns b's result if it has come.
    pub(super) fn leave(&mut self, serial: u64) -> Option<Arc<OfB>> {
        let at = self.at(serial)?;
        if let Answer::Pending = self.entries[at].answer {
            self.entries[at].gone = true;
            if self.entries.len() > MAX_REMEMBERED
                && let Some(oldest) = self.entries.iter().position(|e| e.gone)
            {
                self.entries.remove(oldest);
                self.forgotten += 1;
            }
            return None;
        }
        match self.entries.remove(at)?.answer {
            Answer::Came(b) => b,
            _ => None,
        }
    }

    /// Ends the wait of a frame.
    pub(super) fn give_up(&mut self, serial: u64) {
        if let Some(at) = self.at(serial) {
            self.entries[at].answer = Answer::Never;
            self.counts.missing += 1;
        }
    }

    /// Takes a frame of b and its result.
    pub(super) fn b_came(&mut self, key: FrameKey, b: Option<Arc<OfB>>) -> Match {
        self.counts.b += 1;
        self.counts.b_without_outcome += u64::from(b.is_none());
        let Some(at) = self.entries.iter().position(|e| e.frame.key.is(&key)) else {
            self.never_before(&key);
            if self.has_passed(&key) {
                self.counts.strangers += 1;
                return Match::Stranger;
            }
            self.put_ahead(key, Answer::Came(b));
            return Match::Ahead;
        };
        let serial = self.entries[at].serial;
        self.pass_over(|e| e.serial < serial);
        let at = self.at(serial).expect("only older entries were passed over");
        self.counts.paired += u64::from(b.is_some());
        if self.entries[at].gone {
            let entry = self.entries.remove(at).expect("it was just found");
            self.counts.late += u64::from(b.is_some());
            return Match::Late(entry.frame);
        }
        Match::Waiting(serial, self.entries[at].frame.clone())
    }

    /// Gives a frame b's result. Returns `false` if the frame has gone on in the meantime.
    pub(super) fn answer(&mut self, serial: u64, b: Option<Arc<OfB>>) -> bool {
        let Some(at) = self.at(serial) else { return false };
        if self.entries[at].gone {
            self.entries.remove(at);
            self.counts.late += u64::from(b.is_some());
            return false;
        }
        self.entries[at].answer = Answer::Came(b);
        true
    }

    /// Notes that frames will never come on b. The ids must be sorted.
    pub(super) fn dropped(&mut self, run: Uuid, ids: &[u64]) {
        self.counts.dropped += ids.len() as u64;
        let is_dropped = |key: &FrameKey| key.id.is_some_and(|(r, id)| r == run && ids.binary_search(&id).is_ok());
        for entry in self.entries.iter_mut().filter(|e| is_dropped(&e.frame.key)) {
            entry.answer = Answer::Never;
        }
        self.entries.retain(|e| !(e.gone && is_dropped(&e.frame.key)));
        for id in ids {
            let key = FrameKey { id: Some((run, *id)), pts_ns: None };
            if !self.has_passed(&key) {
                self.put_ahead(key, Answer::Never);
            }
        }
    }

    /// Notes that arm b has ended.
    pub(super) fn b_ends(&mut self) {
        self.ended = true;
        self.pass_over(|_| true);
    }

    /// Returns whether arm b has ended.
    pub(super) fn b_has_ended(&self) -> bool {
        self.ended
    }

    /// Returns whether abtee has announced that b does not get a frame of a, which has not come yet.
    pub(super) fn is_dropped(&self, key: &FrameKey) -> bool {
        self.ahead.iter().any(|(b, answer)| matches!(answer, Answer::Never) && key.is(b))
    }

    /// Notes that arm b begins anew.
    pub(super) fn b_begins(&mut self) {
        self.ended = false;
    }

    /// Forgets all frames and keeps the counts.
    pub(super) fn flush(&mut self) {
        self.entries.clear();
        self.ahead.clear();
        self.last.pts_ns = None;
    }

    fn at(&self, serial: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&serial, |e| e.serial).ok()
    }

    /// Returns whether a has brought the frame or a later one already.
    fn has_passed(&self, b: &FrameKey) -> bool {
        match (self.last.id, b.id) {
            (Some(_), Some(_)) => !self.last.is_before(b),
            _ => matches!((self.last.pts_ns, b.pts_ns), (Some(a), Some(b)) if a >= b),
        }
    }

    fn never_before(&mut self, key: &FrameKey) {
        let key = *key;
        self.pass_over(|e| e.frame.key.is_before(&key));
    }

    /// Marks entries for which no result of b will come.
    fn pass_over(&mut self, which: impl Fn(&Entry) -> bool) {
        let missing = &mut self.counts.missing;
        self.entries.retain_mut(|e| {
            if !which(e) || !matches!(e.answer, Answer::Pending) {
                return true;
            }
            *missing += 1;
            e.answer = Answer::Never;
            !e.gone
        });
    }

    fn put_ahead(&mut self, key: FrameKey, answer: Answer) {
        self.ahead.push_back((key, answer));
        if self.ahead.len() > MAX_REMEMBERED {
            self.ahead.pop_front();
            self.forgotten += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame};

    fn key(id: u64) -> FrameKey {
        FrameKey { id: Some((Uuid::nil(), id)), pts_ns: Some(id * 10) }
    }

    fn from_a(id: u64) -> FromA {
        FromA { key: key(id), ..FromA::default() }
    }

    fn result() -> Option<Arc<OfB>> {
        let said = Arc::new(Inference::new("b".into(), Arm::B, &Frame::new(None), [1, 1]));
        Some(Arc::new(OfB { results: vec![said.clone()], said }))
    }

    fn pending(pairing: &mut Pairing, id: u64) -> u64 {
        match pairing.a_came(from_a(id), true) {
            Arrival::Pending(serial) => serial,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_later_frame_of_b_releases_the_ones_before() {
        let mut p = Pairing::default();
        let [one, two, three] = [1, 2, 3].map(|id| pending(&mut p, id));
        let Match::Waiting(serial, frame) = p.b_came(key(2), result()) else { panic!("the frame waits") };
        assert_eq!((serial, frame.key), (two, key(2)));
        assert!(p.is_ready(one) && !p.is_ready(two));
        assert!(p.answer(two, result()));
        assert!(p.is_ready(two) && !p.is_ready(three));
        assert!(p.leave(one).is_none() && p.leave(two).is_some());
        assert_eq!((p.counts.missing, p.counts.paired), (1, 1));
    }

    #[test]
    fn an_announced_drop_releases_its_frame_whether_it_has_come_or_not() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        p.dropped(Uuid::nil(), &[1, 2]);
        assert!(p.is_ready(one));
        assert!(matches!(p.a_came(from_a(2), true), Arrival::Alone));
        assert_eq!((p.counts.dropped, p.counts.missing), (2, 0));
    }

    #[test]
    fn a_result_after_its_frame_is_late_and_one_before_is_known() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        assert!(p.leave(one).is_none());
        assert!(matches!(p.b_came(key(1), result()), Match::Late(f) if f.key == key(1)));
        assert!(matches!(p.b_came(key(2), result()), Match::Ahead));
        assert!(matches!(p.a_came(from_a(2), true), Arrival::Known(Some(_))));
        assert_eq!((p.counts.paired, p.counts.late), (2, 1));
    }

    #[test]
    fn a_frame_that_goes_on_while_it_is_being_compared_is_late() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        assert!(matches!(p.b_came(key(1), result()), Match::Waiting(..)));
        assert!(p.leave(one).is_none());
        assert!(!p.answer(one, result()));
        assert_eq!((p.counts.paired, p.counts.late, p.entries.len()), (1, 1, 0));
    }

    #[test]
    fn frames_whose_identity_was_lost_are_paired_by_time() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        let lost = FrameKey { id: None, pts_ns: Some(10) };
        assert!(matches!(p.b_came(lost, result()), Match::Waiting(serial, _) if serial == one));
        assert!(p.answer(one, result()) && p.leave(one).is_some());
        assert!(matches!(p.b_came(lost, result()), Match::Stranger), "not twice");
    }

    #[test]
    fn results_of_b_for_frames_from_before_a_flush_are_dropped() {
        let mut p = Pairing::default();
        pending(&mut p, 5);
        p.flush();
        assert!(matches!(p.b_came(key(5), result()), Match::Stranger));
        assert_eq!(p.counts.strangers, 1);
    }

    #[test]
    fn when_b_ends_no_frame_waits_until_it_begins_anew() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        p.b_ends();
        assert!(p.is_ready(one));
        assert!(matches!(p.a_came(from_a(2), true), Arrival::Alone));
        p.b_begins();
        pending(&mut p, 3);
    }

    #[test]
    fn memory_is_bounded_when_one_arm_has_no_results() {
        let mut p = Pairing::default();
        for id in 0..5_000 {
            let serial = pending(&mut p, id);
            p.leave(serial);
        }
        assert_eq!((p.entries.len(), p.forgotten), (MAX_REMEMBERED, 5_000 - MAX_REMEMBERED as u64));
        let mut p = Pairing::default();
        for id in 0..5_000 {
            p.b_came(key(id), result());
        }
        assert_eq!(p.ahead.len(), MAX_REMEMBERED);
    }
}
