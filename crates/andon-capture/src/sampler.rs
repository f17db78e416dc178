// SPDX-License-Identifier: MPL-2.0
//! Which frames are kept: requests, hits, the ring. Decided on the thread that the frames pass, without any I/O.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use andon_core::result::{Arm, Inference, Status, Verdict};

use super::{
    Amendment, Budgets, Change, Encoder, FrameKey, HeldFrame, Job, Queue, Quota, RECENT, Ring, Role, StreamFrame, Tag,
    Trigger,
    budget::BudgetsLeft,
    plan::{Pending, Plan},
    replace_result,
};

/// What is asked for at this moment; may change between any two frames.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where captures go; none: nowhere.
    pub folder: Option<Arc<Path>>,
    /// Name of the element, for the sidecars.
    pub element: Arc<str>,
    /// Frames in the ring.
    pub ring_frames: usize,
    /// Bytes in the ring.
    pub ring_bytes: usize,
    /// Frames that may wait for the writer.
    pub most_queued: usize,
    /// Frames kept before each hit of the kinds that fire by themselves.
    pub pre: u32,
    /// Frames kept after it.
    pub post: u32,
    /// Keep frames on which the arms differ, also where that turns out late.
    pub on_disagreement: bool,
    /// Every n-th frame; 0 for none.
    pub every: u32,
    /// Captures that each kind may make.
    pub budgets: Budgets,
    /// How frames are written.
    pub look: Arc<Encoder>,
    /// What there is room for.
    pub quota: Quota,
}

/// What the passing frame itself gives reason to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hits {
    /// The running model found a defect.
    pub ng: bool,
    /// The arms differ.
    pub disagreement: bool,
    /// The running model's score is near the threshold.
    pub near: bool,
    /// A model failed, or had not what it needs.
    pub unjudged: bool,
    /// A field has a value that is asked for.
    pub field: bool,
    /// Chance has drawn it.
    pub random: bool,
}

impl Hits {
    /// Kinds that are kept with the frames around them.
    fn events(self) -> impl Iterator<Item = Trigger> {
        let all = [
            (Trigger::Ng, self.ng),
            (Trigger::Disagreement, self.disagreement),
            (Trigger::Near, self.near),
            (Trigger::Unjudged, self.unjudged),
        ];
        all.into_iter().filter_map(|(kind, hit)| hit.then_some(kind))
    }

    /// Kinds that are kept by themselves.
    fn lone(self) -> impl Iterator<Item = Trigger> {
        [(Trigger::Field, self.field), (Trigger::Random, self.random)]
            .into_iter()
            .filter_map(|(kind, hit)| hit.then_some(kind))
    }
}

/// A wish for frames before, from and after now.
#[derive(Clone, Debug)]
pub struct Request {
    /// What asks.
    pub kind: Trigger,
    /// In whose words.
    pub reason: Arc<str>,
    /// Frames from the next on.
    pub count: u32,
    /// Frames gone by.
    pub pre: u32,
    /// Frames after those.
    pub post: u32,
}

/// What was counted since the start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SamplerCounts {
    /// Frames that passed.
    pub frames: u64,
    /// Frames handed to the writer.
    pub captured: u64,
    /// Wanted frames that the full queue had no place for.
    pub dropped_queue: u64,
    /// Wanted frames that no budget was left for.
    pub over_budget: u64,
    /// Wanted frames that had nowhere to go.
    pub dropped_no_location: u64,
    /// Frames that were to be held but whose memory could not be copied.
    pub unreadable: u64,
    /// Frames that were asked for but had already left the ring, or had never been in it.
    pub missed_pre: u64,
    /// Outcomes that came late, for frames still known here.
    pub late: u64,
    /// Outcomes that came after their frame had left the ring and was not among the captures of late.
    pub late_gone: u64,
    /// Additions to sidecars that the full queue had no place for.
    pub amends_dropped: u64,
    /// Times that each kind fired, in the order of [`Trigger::ALL`].
    pub fired: [u64; Trigger::ALL.len()],
}

/// Requests that may be under way at once.
pub const MOST_REQUESTS: usize = 64;

/// A frame in the ring.
struct Entry<H> {
    shot: StreamFrame<H>,
    /// It has been handed to the writer.
    captured: bool,
    /// The arms are known to differ on it.
    disagreed: bool,
}

/// Decides what is kept of one stream.
pub struct Sampler<H> {
    ring: Ring<Entry<H>>,
    plan: Plan,
    /// Frames handed to the writer last.
    recent: VecDeque<FrameKey>,
    /// Of the passing frame; kept for its memory.
    tags: Vec<Tag>,
    /// What is left of budgets, at the time of the latest frame.
    purse: BudgetsLeft,
    now_ns: u64,
    counts: SamplerCounts,
}

impl<H> Default for Sampler<H> {
    fn default() -> Self {
        Self {
            ring: Ring::default(),
            plan: Plan::default(),
            recent: VecDeque::with_capacity(RECENT),
            tags: Vec::new(),
            purse: BudgetsLeft::default(),
            now_ns: 0,
            counts: SamplerCounts::default(),
        }
    }
}

/// Whether two arms differ on a frame: another verdict, or both found defects but not of the same labels. An arm that
/// did not judge has no opinion to differ with.
pub fn disagree(a: &Inference, b: &Inference) -> bool {
    let judged = |i: &Inference| i.status == Status::Ok && i.verdict != Verdict::Unjudged;
    if !judged(a) || !judged(b) {
        return false;
    }
    let found_all =
        |x: &Inference, y: &Inference| x.detections.iter().all(|d| y.detections.iter().any(|e| e.label == d.label));
    a.verdict != b.verdict || (a.verdict == Verdict::Ng && !(found_all(a, b) && found_all(b, a)))
}

impl<H: HeldFrame> Sampler<H> {
    /// What was counted.
    pub fn counts(&self) -> &SamplerCounts {
        &self.counts
    }

    /// Frames and bytes in the ring.
    pub fn held(&self) -> (usize, usize) {
        (self.ring.len(), self.ring.bytes())
    }

    /// Requests whose frames are still to come.
    pub fn pending(&self) -> usize {
        self.plan.len()
    }

    /// Another stream, or another place in it: what has gone by does not lead up to what comes.
    pub fn flush(&mut self) {
        self.ring.clear();
    }

    /// SamplerCounts from nothing for a new run of the stream. Requests made before it count from its first frame.
    pub fn restart(&mut self) {
        self.ring.clear();
        self.recent.clear();
        self.counts = SamplerCounts::default();
    }

    /// The stream is over: lets go of its frames, and of the requests for frames that never came.
    pub fn stop(&mut self) {
        self.ring.clear();
        self.plan.clear();
    }

    /// Forgets frames, requests and counts.
    pub fn reset(&mut self) {
        self.ring.clear();
        self.plan.clear();
        self.counts = SamplerCounts::default();
    }

    /// Keeps frames gone by, and takes note of those to come. False where too many requests are under way.
    pub fn request(&mut self, policy: &Policy, request: Request, queue: &Queue<H>) -> bool {
        if self.plan.len() >= MOST_REQUESTS {
            return false;
        }
        let Request { kind, reason, count, pre, post } = request;
        self.counts.fired[kind.index()] += 1;
        let end = self.ring.len();
        self.gone_by(policy, end, pre, kind, &reason, queue);
        self.plan.add(Pending { kind, reason, hits: count, post, offset: 0 });
        true
    }

    /// Keeps the `pre` frames of the ring that end before index `end`.
    fn gone_by(&mut self, policy: &Policy, end: usize, pre: u32, kind: Trigger, reason: &Arc<str>, queue: &Queue<H>) {
        let from = end.saturating_sub(pre as usize);
        self.counts.missed_pre += u64::from(pre) - (end - from) as u64;
        for at in from..end {
            let offset = at as i64 - end as i64;
            self.take(policy, at, Tag { trigger: kind, reason: reason.clone(), role: Role::Pre, offset }, queue);
        }
    }

    /// A frame passes. `make` holds on to it, and is called only where the frame is wanted; it answers the bytes held
    /// as well, or nothing where the frame cannot be had. `now_ns` is of any clock that only goes forward.
    pub fn frame(
        &mut self,
        policy: &Policy,
        now_ns: u64,
        hits: Hits,
        queue: &Queue<H>,
        make: impl FnOnce() -> Option<(usize, StreamFrame<H>)>,
    ) {
        self.ring.limit(policy.ring_frames, policy.ring_bytes);
        self.now_ns = now_ns;
        let number = self.counts.frames;
        self.counts.frames += 1;
        for kind in hits.events() {
            let request = Request { kind, reason: kind.as_str().into(), count: 1, pre: policy.pre, post: policy.post };
            self.request(policy, request, queue);
        }
        let mut tags = std::mem::take(&mut self.tags);
        let every = policy.every > 0 && number.is_multiple_of(u64::from(policy.every));
        for kind in every.then_some(Trigger::Every).into_iter().chain(hits.lone()) {
            self.counts.fired[kind.index()] += 1;
            tags.push(Tag { trigger: kind, reason: kind.as_str().into(), role: Role::Hit, offset: 0 });
        }
        self.plan.next(&mut tags);
        if !tags.is_empty() || !self.ring.is_off() {
            let Some((bytes, shot)) = make() else {
                self.counts.unreadable += 1;
                tags.clear();
                self.tags = tags;
                return;
            };
            let mut captured = false;
            if !tags.is_empty() {
                captured = self.hand_over(policy, shot.clone(), std::mem::take(&mut tags), queue);
            }
            if !self.ring.is_off() {
                self.ring.push(bytes, Entry { shot, captured, disagreed: hits.disagreement });
            }
        }
        self.tags = tags;
    }

    /// Whether a late outcome of this frame is of any use; counted where it is not.
    pub fn knows(&mut self, key: FrameKey) -> bool {
        let known = self.ring.rposition(|e| e.shot.key() == key).is_some() || self.recent.contains(&key);
        *(if known { &mut self.counts.late } else { &mut self.counts.late_gone }) += 1;
        known
    }

    /// Takes in an outcome of a frame that has gone by. Where the arms turn out to differ, the frame is kept, and those
    /// before and after it.
    pub fn late(&mut self, policy: &Policy, outcome: Arc<Inference>, queue: &Queue<H>) {
        let key = (outcome.run, outcome.frame_id);
        if self.recent.contains(&key) {
            self.amend(policy, key, Change::Result(outcome.clone()), queue);
        }
        let Some(at) = self.ring.rposition(|e| e.shot.key() == key) else { return };
        let Some(entry) = self.ring.get_mut(at) else { return };
        replace_result(&mut entry.shot.late, outcome);
        if !policy.on_disagreement || entry.disagreed {
            return;
        }
        let results = entry.shot.results();
        let of = |arm| results.iter().find(|i| i.arm == arm);
        let Some((a, b)) = of(Arm::A).zip(of(Arm::B)) else { return };
        entry.disagreed = disagree(a, b);
        if entry.disagreed {
            self.late_disagreement(policy, at, queue);
        }
    }

    /// Keeps the frame at index `at` of the ring as if it passed now.
    fn late_disagreement(&mut self, policy: &Policy, at: usize, queue: &Queue<H>) {
        let kind = Trigger::Disagreement;
        let reason: Arc<str> = kind.as_str().into();
        self.counts.fired[kind.index()] += 1;
        self.gone_by(policy, at, policy.pre, kind, &reason, queue);
        let last = self.ring.len().min((at + 1).saturating_add(policy.post as usize));
        for i in at..last {
            let role = if i == at { Role::Hit } else { Role::Post };
            let tag = Tag { trigger: kind, reason: reason.clone(), role, offset: (i - at) as i64 };
            self.take(policy, i, tag, queue);
        }
        let gone = (last - at) as u32;
        let post = policy.post.saturating_sub(gone - 1);
        if post > 0 {
            self.plan.add(Pending { kind, reason, hits: 0, post, offset: i64::from(gone) });
        }
    }

    /// Keeps a frame of the ring; one that is kept already is told the new reason.
    fn take(&mut self, policy: &Policy, at: usize, tag: Tag, queue: &Queue<H>) {
        let Some(entry) = self.ring.get_mut(at) else { return };
        let (key, captured) = (entry.shot.key(), entry.captured);
        if captured {
            self.amend(policy, key, Change::Tag(tag), queue);
            return;
        }
        let shot = entry.shot.clone();
        let captured = self.hand_over(policy, shot, vec![tag], queue);
        if let Some(entry) = self.ring.get_mut(at) {
            entry.captured = captured;
        }
    }

    fn amend(&mut self, policy: &Policy, key: FrameKey, change: Change, queue: &Queue<H>) {
        if !queue.amend(Amendment { key, change }, policy.most_queued) {
            self.counts.amends_dropped += 1;
        }
    }

    fn hand_over(&mut self, policy: &Policy, shot: StreamFrame<H>, mut tags: Vec<Tag>, queue: &Queue<H>) -> bool {
        /// Numbers the captures of the process, so that no two of any of its elements share a name.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let Some(folder) = policy.folder.clone() else {
            self.counts.dropped_no_location += 1;
            return false;
        };
        tags.retain(|t| self.purse.has(&policy.budgets, t.trigger, self.now_ns));
        if tags.is_empty() {
            self.counts.over_budget += 1;
            return false;
        }
        let key = shot.key();
        let spent: Vec<_> = tags.iter().map(|t| t.trigger).collect();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (element, look, quota) = (policy.element.clone(), policy.look.clone(), policy.quota);
        let job = Job { folder, element, shot, tags, number, look, quota };
        if queue.offer(job, policy.most_queued).is_err() {
            self.counts.dropped_queue += 1;
            return false;
        }
        self.counts.captured += 1;
        self.purse.spend(spent.into_iter());
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(key);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::Item,
        testing::{Flat, shot},
    };
    use andon_core::result::{Detection, Frame};

    fn policy() -> Policy {
        Policy {
            folder: Some(Path::new("nowhere").into()),
            element: "s".into(),
            ring_frames: 8,
            ring_bytes: usize::MAX,
            most_queued: 100,
            pre: 0,
            post: 0,
            on_disagreement: false,
            every: 0,
            budgets: Budgets::default(),
            look: Arc::default(),
            quota: Quota::default(),
        }
    }

    fn action(count: u32, pre: u32, post: u32) -> Request {
        Request { kind: Trigger::Action, reason: "r".into(), count, pre, post }
    }

    struct Rig {
        policy: Policy,
        sampler: Sampler<Flat>,
        queue: Queue<Flat>,
        next: u64,
    }

    impl Rig {
        fn new(policy: Policy) -> Self {
            Self { policy, sampler: Sampler::default(), queue: Queue::default(), next: 0 }
        }

        fn pass(&mut self, frames: usize) {
            (0..frames).for_each(|_| self.hit(Hits::default(), Vec::new()));
        }

        fn hit(&mut self, hits: Hits, results: Vec<Arc<Inference>>) {
            let id = self.next;
            self.next += 1;
            self.sampler.frame(&self.policy, id * 40_000_000, hits, &self.queue, || Some((8, shot(id, results))));
        }

        fn request(&mut self, request: Request) -> bool {
            self.sampler.request(&self.policy, request, &self.queue)
        }

        fn late(&mut self, outcome: Inference) {
            assert!(self.sampler.knows((outcome.run, outcome.frame_id)));
            self.sampler.late(&self.policy, Arc::new(outcome), &self.queue);
        }

        /// What has been queued: the frame, and its first tag's role and offset; amendments as `None`.
        fn queued(&self) -> Vec<Option<(u64, Role, i64)>> {
            let mut all = Vec::new();
            while !self.queue.is_empty() || self.amends() {
                all.push(match self.queue.pop() {
                    Some(Item::Job(j)) => Some((j.shot.frame.id, j.tags[0].role, j.tags[0].offset)),
                    _ => None,
                });
            }
            all
        }

        fn amends(&self) -> bool {
            self.queue.waiting() > 0
        }
    }

    fn outcome(id: u64, arm: Arm, verdict: Verdict, labels: &[&str]) -> Inference {
        let mut frame = Frame::new(None);
        frame.id = id;
        let mut i = Inference::new("m".into(), arm, &frame, [4, 2]);
        i.verdict = verdict;
        let found = |l: &&str| Detection::new(0, (*l).into(), 0.9, [0.; 4]);
        i.detections = labels.iter().map(found).collect();
        i
    }

    #[test]
    fn a_request_keeps_what_went_by_what_comes_and_what_follows() {
        let mut rig = Rig::new(policy());
        rig.pass(5);
        assert!(rig.request(action(2, 2, 1)));
        rig.pass(5);
        use Role::*;
        let want = [(3, Pre, -2), (4, Pre, -1), (5, Hit, 0), (6, Hit, 1), (7, Post, 2)];
        assert_eq!(rig.queued(), want.map(Some));
        assert_eq!(rig.sampler.counts().captured, 5);
    }

    #[test]
    fn what_has_left_the_ring_is_counted_as_missed() {
        let mut rig = Rig::new(policy());
        rig.pass(20);
        assert!(rig.request(action(0, 10, 0)));
        assert_eq!(rig.queued().len(), 8);
        assert_eq!(rig.sampler.counts().missed_pre, 2);
    }

    #[test]
    fn a_frame_wanted_twice_is_written_once_and_names_both_reasons() {
        let mut rig = Rig::new(policy());
        rig.pass(3);
        assert!(rig.request(action(0, 2, 0)) && rig.request(action(0, 3, 0)));
        assert_eq!(
            rig.queued(),
            vec![Some((1, Role::Pre, -2)), Some((2, Role::Pre, -1)), Some((0, Role::Pre, -3)), None, None]
        );
    }

    #[test]
    fn a_disagreement_that_comes_late_keeps_the_right_frame_and_its_neighbours() {
        let mut rig = Rig::new(Policy { on_disagreement: true, ring_frames: 30, pre: 1, post: 22, ..policy() });
        for id in 0..24 {
            rig.hit(Hits::default(), vec![Arc::new(outcome(id, Arm::A, Verdict::Ok, &[]))]);
        }
        rig.late(outcome(2, Arm::B, Verdict::Ok, &[]));
        assert_eq!(rig.queued(), vec![], "they agree");
        rig.late(outcome(3, Arm::B, Verdict::Ng, &["spur"]));
        let queued = rig.queued();
        assert_eq!(queued[..3], [(2, Role::Pre, -1), (3, Role::Hit, 0), (4, Role::Post, 1)].map(Some));
        assert_eq!(queued.last(), Some(&Some((23, Role::Post, 20))));
        rig.pass(5);
        assert_eq!(rig.queued(), [(24, Role::Post, 21), (25, Role::Post, 22)].map(Some));
        rig.late(outcome(3, Arm::B, Verdict::Ng, &["spur"]));
        assert_eq!(rig.sampler.counts().fired[Trigger::Disagreement.index()], 1, "once a frame");
    }

    #[test]
    fn a_late_outcome_of_a_captured_frame_amends_its_sidecar_even_after_it_left_the_ring() {
        let mut rig = Rig::new(Policy { ring_frames: 0, ..policy() });
        assert!(rig.request(action(1, 0, 0)));
        rig.pass(5);
        assert_eq!(rig.queued(), vec![Some((0, Role::Hit, 0))]);
        rig.late(outcome(0, Arm::B, Verdict::Ng, &[]));
        assert_eq!(rig.queued(), vec![None]);
        assert!(!rig.sampler.knows((andon_core::result::run_id(), 4)));
        assert_eq!((rig.sampler.counts().late, rig.sampler.counts().late_gone), (1, 1));
    }

    #[test]
    fn a_full_queue_costs_captures_and_is_counted() {
        let mut rig = Rig::new(Policy { most_queued: 3, ..policy() });
        assert!(rig.request(action(5, 0, 0)));
        rig.pass(6);
        let c = *rig.sampler.counts();
        assert_eq!((c.frames, c.captured, c.dropped_queue), (6, 3, 2));
    }

    #[test]
    fn without_a_folder_nothing_is_queued_and_it_is_counted() {
        let mut rig = Rig::new(Policy { folder: None, every: 2, ..policy() });
        rig.pass(6);
        assert_eq!(rig.sampler.counts().dropped_no_location, 3);
        assert!(rig.queue.is_empty());
    }

    #[test]
    fn an_idle_sampler_holds_on_to_nothing() {
        let mut rig = Rig::new(Policy { ring_frames: 0, ..policy() });
        rig.sampler.frame(&rig.policy, 0, Hits::default(), &rig.queue, || panic!("nobody wants this frame"));
    }

    #[test]
    fn requests_are_bounded() {
        let mut rig = Rig::new(policy());
        let taken = (0..100).filter(|_| rig.request(action(1, 0, 0))).count();
        assert_eq!(taken, MOST_REQUESTS);
    }

    #[test]
    fn a_flush_forgets_what_went_by_and_a_reset_also_what_was_asked_for() {
        let mut rig = Rig::new(policy());
        rig.pass(3);
        assert!(rig.request(action(1, 0, 0)));
        rig.sampler.flush();
        assert!(rig.request(action(0, 3, 0)));
        assert_eq!((rig.queued().len(), rig.sampler.pending()), (0, 1));
        rig.sampler.reset();
        rig.pass(1);
        assert_eq!(rig.queued().len(), 0);
        assert_eq!(rig.sampler.counts().frames, 1);
    }

    #[test]
    fn arms_differ_by_verdict_or_by_labels_and_never_where_one_did_not_judge() {
        let of = |v, l: &[&str]| outcome(0, Arm::A, v, l);
        use Verdict::*;
        assert!(disagree(&of(Ok, &[]), &of(Ng, &["open"])));
        assert!(disagree(&of(Ng, &["open", "short"]), &of(Ng, &["open"])));
        assert!(!disagree(&of(Ng, &["open", "open"]), &of(Ng, &["open"])));
        assert!(!disagree(&of(Ng, &["open"]), &of(Unjudged, &[])));
        let mut failed = of(Ok, &[]);
        failed.status = Status::Error;
        assert!(!disagree(&of(Ng, &["open"]), &failed));
    }
}
