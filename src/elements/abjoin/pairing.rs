// SPDX-License-Identifier: MPL-2.0
//! Which outcome of arm b belongs to which frame of arm a, and which frame need not be waited for any longer.
//!
//! Both arms keep the order of the stream, so a frame of b says that older ones which have not come never will.

use std::{collections::VecDeque, sync::Arc};

use andon_core::result::Inference;
use andon_statistics::agreement::Frames;
use uuid::Uuid;

/// Frames that have gone on, and outcomes that came ahead of theirs, that are remembered.
const MOST_REMEMBERED: usize = 1024;

/// Who a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The run and the id within it; none where the arm lost it.
    pub id: Option<(Uuid, u64)>,
    /// What goes for it then, ns.
    pub pts_ns: Option<u64>,
}

impl Name {
    /// Whether a frame of b is this frame of a.
    fn is(&self, b: &Name) -> bool {
        match b.id {
            Some(_) => self.id == b.id,
            None => b.pts_ns.is_some() && self.pts_ns == b.pts_ns,
        }
    }

    /// Whether a frame of a comes before a frame of b.
    fn is_before(&self, b: &Name) -> bool {
        match (self.id, b.id) {
            (Some((run_a, a)), Some((run_b, b))) => run_a == run_b && a < b,
            _ => matches!((self.pts_ns, b.pts_ns), (Some(a), Some(b)) if a < b),
        }
    }
}

/// What arm b has to say of a frame.
#[derive(Clone, Debug, Default)]
enum Answer {
    /// It may still come.
    #[default]
    Pending,
    /// It came; none where the frame left b without an outcome.
    Came(Option<Arc<Inference>>),
    /// It will never come.
    Never,
}

/// A frame of a, with what is known without b.
#[derive(Clone, Debug, Default)]
pub struct FromA {
    /// Who it is.
    pub name: Name,
    /// What a said.
    pub a: Option<Arc<Inference>>,
    /// The truth, where it is known.
    pub truth: Option<Arc<Inference>>,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    frame: FromA,
    answer: Answer,
    /// The frame has gone on without waiting any longer.
    gone: bool,
}

/// What is to be done with a frame of a that has just come.
#[derive(Debug)]
pub enum Arrival {
    /// b has spoken already; none where it had nothing to say.
    Known(Option<Arc<Inference>>),
    /// b's outcome may come: ask again by this number, and say when the frame goes on.
    Pending(u64),
    /// Nobody is expected to speak.
    Alone,
}

/// What an outcome of b belonged to.
#[derive(Debug)]
pub enum Match {
    /// A frame that is still here, by its number: it goes on once it has the [`Pairing::answer`].
    Held(u64, FromA),
    /// A frame that has gone on.
    Late(FromA),
    /// A frame that has not come yet.
    Ahead,
    /// Nothing that is known.
    Stranger,
}

/// The frames of both arms that have not found each other.
#[derive(Debug, Default)]
pub struct Pairing {
    /// Frames of a that b may still speak of, in order.
    entries: VecDeque<Entry>,
    /// What b said of frames that a has not brought yet, in order.
    ahead: VecDeque<(Name, Answer)>,
    /// The last frame of a.
    last: Name,
    /// Number of the next entry.
    next: u64,
    /// Nothing comes from b any more.
    ended: bool,
    /// What became of the frames.
    pub counts: Frames,
    /// Frames that were forgotten before b had spoken of them.
    pub forgotten: u64,
}

impl Pairing {
    /// Takes a frame of a; `expected` says whether b was given it.
    pub fn a_came(&mut self, frame: FromA, expected: bool) -> Arrival {
        self.counts.a += 1;
        self.last = frame.name;
        while let Some((b, answer)) = self.ahead.front() {
            if frame.name.is(b) {
                let (_, answer) = self.ahead.pop_front().expect("its front was just looked at");
                return match answer {
                    Answer::Came(b) => {
                        self.counts.paired += u64::from(b.is_some());
                        Arrival::Known(b)
                    }
                    _ => Arrival::Alone,
                };
            }
            if frame.name.is_before(b) {
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

    /// Whether nothing more is to be waited for.
    pub fn is_ready(&self, serial: u64) -> bool {
        self.at(serial).is_none_or(|i| !matches!(self.entries[i].answer, Answer::Pending))
    }

    /// The frame goes on now; answers what b said, if it has.
    pub fn leave(&mut self, serial: u64) -> Option<Arc<Inference>> {
        let at = self.at(serial)?;
        if let Answer::Pending = self.entries[at].answer {
            self.entries[at].gone = true;
            if self.entries.len() > MOST_REMEMBERED
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

    /// Stops waiting for b's word on a frame that is still here.
    pub fn give_up(&mut self, serial: u64) {
        if let Some(at) = self.at(serial) {
            self.entries[at].answer = Answer::Never;
            self.counts.missing += 1;
        }
    }

    /// Takes what b said of a frame.
    pub fn b_came(&mut self, name: Name, b: Option<Arc<Inference>>) -> Match {
        self.counts.b += 1;
        self.counts.b_without_outcome += u64::from(b.is_none());
        let Some(at) = self.entries.iter().position(|e| e.frame.name.is(&name)) else {
            self.never_before(&name);
            if self.has_passed(&name) {
                self.counts.strangers += 1;
                return Match::Stranger;
            }
            self.put_ahead(name, Answer::Came(b));
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
        Match::Held(serial, self.entries[at].frame.clone())
    }

    /// Gives a frame what b said of it; false where it has gone on in the meantime.
    pub fn answer(&mut self, serial: u64, b: Option<Arc<Inference>>) -> bool {
        let Some(at) = self.at(serial) else { return false };
        if self.entries[at].gone {
            self.entries.remove(at);
            self.counts.late += u64::from(b.is_some());
            return false;
        }
        self.entries[at].answer = Answer::Came(b);
        true
    }

    /// These frames will never come on b. The ids rise.
    pub fn dropped(&mut self, run: Uuid, ids: &[u64]) {
        self.counts.dropped += ids.len() as u64;
        let told = |name: &Name| name.id.is_some_and(|(r, id)| r == run && ids.binary_search(&id).is_ok());
        for entry in self.entries.iter_mut().filter(|e| told(&e.frame.name)) {
            entry.answer = Answer::Never;
        }
        self.entries.retain(|e| !(e.gone && told(&e.frame.name)));
        for id in ids {
            let name = Name { id: Some((run, *id)), pts_ns: None };
            if !self.has_passed(&name) {
                self.put_ahead(name, Answer::Never);
            }
        }
    }

    /// Nothing comes from b any more.
    pub fn b_ends(&mut self) {
        self.ended = true;
        self.pass_over(|_| true);
    }

    /// Whether nothing comes from b any more.
    pub fn b_has_ended(&self) -> bool {
        self.ended
    }

    /// Whether b was never given this frame of a, which has not come yet, and has said so.
    pub fn is_dropped(&self, name: &Name) -> bool {
        self.ahead.iter().any(|(b, answer)| matches!(answer, Answer::Never) && name.is(b))
    }

    /// b begins anew.
    pub fn b_begins(&mut self) {
        self.ended = false;
    }

    /// Forgets all frames, keeps the counts.
    pub fn flush(&mut self) {
        self.entries.clear();
        self.ahead.clear();
        self.last.pts_ns = None;
    }

    fn at(&self, serial: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&serial, |e| e.serial).ok()
    }

    /// Whether a has brought this frame or a later one already.
    fn has_passed(&self, b: &Name) -> bool {
        match (self.last.id, b.id) {
            (Some(_), Some(_)) => !self.last.is_before(b),
            _ => matches!((self.last.pts_ns, b.pts_ns), (Some(a), Some(b)) if a >= b),
        }
    }

    fn never_before(&mut self, name: &Name) {
        let name = *name;
        self.pass_over(|e| e.frame.name.is_before(&name));
    }

    /// Entries that b has passed over will not be answered.
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

    fn put_ahead(&mut self, name: Name, answer: Answer) {
        self.ahead.push_back((name, answer));
        if self.ahead.len() > MOST_REMEMBERED {
            self.ahead.pop_front();
            self.forgotten += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame};

    fn name(id: u64) -> Name {
        Name { id: Some((Uuid::nil(), id)), pts_ns: Some(id * 10) }
    }

    fn from_a(id: u64) -> FromA {
        FromA { name: name(id), ..FromA::default() }
    }

    fn said() -> Option<Arc<Inference>> {
        Some(Arc::new(Inference::new("b".into(), Arm::B, &Frame::new(None), [1, 1])))
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
        let Match::Held(serial, frame) = p.b_came(name(2), said()) else { panic!("it is here") };
        assert_eq!((serial, frame.name), (two, name(2)));
        assert!(p.is_ready(one) && !p.is_ready(two));
        assert!(p.answer(two, said()));
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
    fn an_outcome_after_its_frame_is_late_and_one_before_is_known() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        assert!(p.leave(one).is_none());
        assert!(matches!(p.b_came(name(1), said()), Match::Late(f) if f.name == name(1)));
        assert!(matches!(p.b_came(name(2), said()), Match::Ahead));
        assert!(matches!(p.a_came(from_a(2), true), Arrival::Known(Some(_))));
        assert_eq!((p.counts.paired, p.counts.late), (2, 1));
    }

    #[test]
    fn a_frame_that_goes_on_while_it_is_being_compared_is_late() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        assert!(matches!(p.b_came(name(1), said()), Match::Held(..)));
        assert!(p.leave(one).is_none());
        assert!(!p.answer(one, said()));
        assert_eq!((p.counts.paired, p.counts.late, p.entries.len()), (1, 1, 0));
    }

    #[test]
    fn frames_whose_identity_was_lost_are_paired_by_time() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        let lost = Name { id: None, pts_ns: Some(10) };
        assert!(matches!(p.b_came(lost, said()), Match::Held(serial, _) if serial == one));
        assert!(p.answer(one, said()) && p.leave(one).is_some());
        assert!(matches!(p.b_came(lost, said()), Match::Stranger), "not twice");
    }

    #[test]
    fn what_b_says_of_frames_from_before_a_flush_is_not_kept() {
        let mut p = Pairing::default();
        pending(&mut p, 5);
        p.flush();
        assert!(matches!(p.b_came(name(5), said()), Match::Stranger));
        assert_eq!(p.counts.strangers, 1);
    }

    #[test]
    fn when_b_ends_nobody_waits_until_it_begins_anew() {
        let mut p = Pairing::default();
        let one = pending(&mut p, 1);
        p.b_ends();
        assert!(p.is_ready(one));
        assert!(matches!(p.a_came(from_a(2), true), Arrival::Alone));
        p.b_begins();
        pending(&mut p, 3);
    }

    #[test]
    fn memory_is_bounded_when_one_arm_never_speaks() {
        let mut p = Pairing::default();
        for id in 0..5_000 {
            let serial = pending(&mut p, id);
            p.leave(serial);
        }
        assert_eq!((p.entries.len(), p.forgotten), (MOST_REMEMBERED, 5_000 - MOST_REMEMBERED as u64));
        let mut p = Pairing::default();
        for id in 0..5_000 {
            p.b_came(name(id), said());
        }
        assert_eq!(p.ahead.len(), MOST_REMEMBERED);
    }
}
