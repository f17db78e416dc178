// SPDX-License-Identifier: MPL-2.0
//! Decides which frames are captured, on the thread that the frames pass and without any I/O: requests, hits, the ring.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use andon_core::result::{Arm, Decided, Inference, decided};

use crate::{
    budget::RemainingBudgets,
    conditions::disagree,
    frame::{FrameKey, HeldFrame, StreamFrame, replace_result},
    plan::{Pending, Plan},
    policy::{Hits, Policy, Request, SamplerCounts},
    queue::{Amendment, Change, Job, Queue, RECENT},
    ring::Ring,
    trigger::{Role, Tag, Trigger},
};

/// Requests that may be under way at once.
pub const MOST_REQUESTS: usize = 64;

/// A frame in the ring.
struct Entry<H> {
    frame: StreamFrame<H>,
    /// The frame has been handed to the writer.
    captured: bool,
    /// The arms are known to differ on the frame.
    disagreed: bool,
}

/// Decides which frames of one stream are captured.
pub struct Sampler<H> {
    ring: Ring<Entry<H>>,
    plan: Plan,
    /// Frames handed to the writer most recently.
    recent: VecDeque<FrameKey>,
    /// The tags of the passing frame; kept for their memory.
    tags: Vec<Tag>,
    /// What is left of the budgets at the time of the latest frame.
    budgets: RemainingBudgets,
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
            budgets: RemainingBudgets::default(),
            now_ns: 0,
            counts: SamplerCounts::default(),
        }
    }
}

impl<H: HeldFrame> Sampler<H> {
    /// Returns the counts.
    pub fn counts(&self) -> &SamplerCounts {
        &self.counts
    }

    /// Returns the frames and bytes in the ring.
    pub fn held(&self) -> (usize, usize) {
        (self.ring.len(), self.ring.bytes())
    }

    /// Returns the number of requests with frames still to come.
    pub fn pending(&self) -> usize {
        self.plan.len()
    }

    /// Empties the ring: after a flush, the frames that passed do not lead up to those that come.
    pub fn flush(&mut self) {
        self.ring.clear();
    }

    /// Starts a new run of the stream with counts of 0. Earlier requests count from its first frame.
    pub fn restart(&mut self) {
        self.ring.clear();
        self.recent.clear();
        self.counts = SamplerCounts::default();
    }

    /// Ends the stream: drops its frames, and the requests for frames that never came.
    pub fn stop(&mut self) {
        self.ring.clear();
        self.plan.clear();
    }

    /// Drops frames and requests, and counts from 0.
    pub fn reset(&mut self) {
        self.ring.clear();
        self.plan.clear();
        self.counts = SamplerCounts::default();
    }

    /// Captures frames that have passed, and notes those to come. Returns false if too many requests are under way.
    pub fn request(&mut self, policy: &Policy, request: Request, queue: &Queue<H>) -> bool {
        if self.plan.len() >= MOST_REQUESTS {
            return false;
        }
        let Request { trigger, reason, count, pre, post } = request;
        self.counts.fired[trigger.index()] += 1;
        let end = self.ring.len();
        self.capture_before(policy, end, pre, trigger, &reason, queue);
        self.plan.add(Pending { trigger, reason, hits: count, post, offset: 0 });
        true
    }

    /// Captures the `pre` frames of the ring before index `end`.
    fn capture_before(
        &mut self,
        policy: &Policy,
        end: usize,
        pre: u32,
        trigger: Trigger,
        reason: &Arc<str>,
        queue: &Queue<H>,
    ) {
        let from = end.saturating_sub(pre as usize);
        self.counts.missed_pre += u64::from(pre) - (end - from) as u64;
        for at in from..end {
            let offset = at as i64 - end as i64;
            self.capture_at(policy, at, Tag { trigger, reason: reason.clone(), role: Role::Pre, offset }, queue);
        }
    }

    /// Takes a passing frame. `hold` holds the frame and returns its bytes too, or None if the frame cannot be held; it is
    /// called only for a frame that is wanted. `now_ns` is the time of any clock that never goes back.
    pub fn frame(
        &mut self,
        policy: &Policy,
        now_ns: u64,
        hits: Hits,
        queue: &Queue<H>,
        hold: impl FnOnce() -> Option<(usize, StreamFrame<H>)>,
    ) {
        self.ring.limit(policy.ring_frames, policy.ring_bytes);
        self.now_ns = now_ns;
        let number = self.counts.frames;
        self.counts.frames += 1;
        for trigger in hits.with_neighbours() {
            let reason = trigger.as_str().into();
            let request = Request { trigger, reason, count: 1, pre: policy.pre, post: policy.post };
            self.request(policy, request, queue);
        }
        let mut tags = std::mem::take(&mut self.tags);
        let every = policy.every > 0 && number.is_multiple_of(u64::from(policy.every));
        for trigger in every.then_some(Trigger::Every).into_iter().chain(hits.alone()) {
            self.counts.fired[trigger.index()] += 1;
            tags.push(Tag { trigger, reason: trigger.as_str().into(), role: Role::Hit, offset: 0 });
        }
        self.plan.next(&mut tags);
        if !tags.is_empty() || !self.ring.is_off() {
            let Some((bytes, frame)) = hold() else {
                self.counts.unreadable += 1;
                tags.clear();
                self.tags = tags;
                return;
            };
            let mut captured = false;
            if !tags.is_empty() {
                captured = self.hand_over(policy, frame.clone(), std::mem::take(&mut tags), queue);
            }
            if !self.ring.is_off() {
                self.ring.push(bytes, Entry { frame, captured, disagreed: hits.disagreement });
            }
        }
        self.tags = tags;
    }

    /// Returns whether a late result of the frame is of any use, and counts it.
    pub fn knows(&mut self, key: FrameKey) -> bool {
        let known = self.ring.rposition(|e| e.frame.key() == key).is_some() || self.recent.contains(&key);
        *(if known { &mut self.counts.late } else { &mut self.counts.late_gone }) += 1;
        known
    }

    /// Takes a result of a frame that has passed. If the arms turn out to differ, captures the frame and its neighbours.
    pub fn late(&mut self, policy: &Policy, result: Arc<Inference>, queue: &Queue<H>) {
        let key = (result.run, result.frame_id);
        if self.recent.contains(&key) {
            self.amend(policy, key, Change::Result(result.clone()), queue);
        }
        let Some(at) = self.ring.rposition(|e| e.frame.key() == key) else { return };
        let Some(entry) = self.ring.get_mut(at) else { return };
        replace_result(&mut entry.frame.late, result);
        if !policy.on_disagreement || entry.disagreed {
            return;
        }
        let results = entry.frame.results();
        let of = |arm| decided(&results, arm).map(Decided::merged);
        let Some((a, b)) = of(Arm::A).zip(of(Arm::B)) else { return };
        entry.disagreed = disagree(&a, &b);
        if entry.disagreed {
            self.late_disagreement(policy, at, queue);
        }
    }

    /// Captures the frame at index `at` of the ring, and its neighbours, as if it passed now.
    fn late_disagreement(&mut self, policy: &Policy, at: usize, queue: &Queue<H>) {
        let trigger = Trigger::Disagreement;
        let reason: Arc<str> = trigger.as_str().into();
        self.counts.fired[trigger.index()] += 1;
        self.capture_before(policy, at, policy.pre, trigger, &reason, queue);
        let last = self.ring.len().min((at + 1).saturating_add(policy.post as usize));
        for i in at..last {
            let role = if i == at { Role::Hit } else { Role::Post };
            let tag = Tag { trigger, reason: reason.clone(), role, offset: (i - at) as i64 };
            self.capture_at(policy, i, tag, queue);
        }
        let passed = (last - at) as u32;
        let post = policy.post.saturating_sub(passed - 1);
        if post > 0 {
            self.plan.add(Pending { trigger, reason, hits: 0, post, offset: i64::from(passed) });
        }
    }

    /// Captures the frame at index `at` of the ring, or adds the tag to its sidecar if it is captured already.
    fn capture_at(&mut self, policy: &Policy, at: usize, tag: Tag, queue: &Queue<H>) {
        let Some(entry) = self.ring.get_mut(at) else { return };
        let (key, captured) = (entry.frame.key(), entry.captured);
        if captured {
            self.amend(policy, key, Change::Tag(tag), queue);
            return;
        }
        let frame = entry.frame.clone();
        let captured = self.hand_over(policy, frame, vec![tag], queue);
        if let Some(entry) = self.ring.get_mut(at) {
            entry.captured = captured;
        }
    }

    fn amend(&mut self, policy: &Policy, key: FrameKey, change: Change, queue: &Queue<H>) {
        if !queue.amend(Amendment { key, change }, policy.most_queued) {
            self.counts.amends_dropped += 1;
        }
    }

    /// Queues a frame for the writer. Returns false, and counts why, if it is dropped.
    fn hand_over(&mut self, policy: &Policy, frame: StreamFrame<H>, mut tags: Vec<Tag>, queue: &Queue<H>) -> bool {
        /// Numbers the captures of the process, so that no two share a name, whichever element made them.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let Some(folder) = policy.folder.clone() else {
            self.counts.dropped_no_location += 1;
            return false;
        };
        tags.retain(|t| self.budgets.allows(&policy.budgets, t.trigger, self.now_ns));
        if tags.is_empty() {
            self.counts.over_budget += 1;
            return false;
        }
        let key = frame.key();
        let spent: Vec<_> = tags.iter().map(|t| t.trigger).collect();
        let job = Job {
            folder,
            element: policy.element.clone(),
            frame,
            tags,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            encoder: policy.encoder.clone(),
            min_distance: policy.min_distance,
            quota: policy.quota,
        };
        if queue.offer(job, policy.most_queued).is_err() {
            self.counts.dropped_queue += 1;
            return false;
        }
        self.counts.captured += 1;
        self.budgets.spend(spent.into_iter());
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
        queue::{Item, Next},
        testing::{Flat, frame},
    };
    use andon_core::result::{Detection, Frame, Verdict};
    use std::path::Path;

    fn policy() -> Policy {
        Policy {
            folder: Some(Path::new("nowhere").into()),
            element: "s".into(),
            ring_frames: 8,
            most_queued: 100,
            ..Policy::default()
        }
    }

    fn action(count: u32, pre: u32, post: u32) -> Request {
        Request { trigger: Trigger::Action, reason: "r".into(), count, pre, post }
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
            self.sampler.frame(&self.policy, id * 40_000_000, hits, &self.queue, || Some((8, frame(id, results))));
        }

        fn request(&mut self, request: Request) -> bool {
            self.sampler.request(&self.policy, request, &self.queue)
        }

        fn late(&mut self, result: Inference) {
            assert!(self.sampler.knows((result.run, result.frame_id)));
            self.sampler.late(&self.policy, Arc::new(result), &self.queue);
        }

        /// Returns what is queued: of a frame its id and the role and offset of its first tag, of an amendment None.
        fn queued(&self) -> Vec<Option<(u64, Role, i64)>> {
            let mut all = Vec::new();
            while !self.queue.is_empty() || self.amends() {
                all.push(match self.queue.next(None) {
                    Next::Item(Item::Job(j)) => Some((j.frame.identity.id, j.tags[0].role, j.tags[0].offset)),
                    _ => None,
                });
            }
            all
        }

        fn amends(&self) -> bool {
            self.queue.waiting() > 0
        }
    }

    fn result(id: u64, arm: Arm, verdict: Verdict, labels: &[&str]) -> Inference {
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
            rig.hit(Hits::default(), vec![Arc::new(result(id, Arm::A, Verdict::Ok, &[]))]);
        }
        rig.late(result(2, Arm::B, Verdict::Ok, &[]));
        assert_eq!(rig.queued(), vec![], "they agree");
        rig.late(result(3, Arm::B, Verdict::Ng, &["spur"]));
        let queued = rig.queued();
        assert_eq!(queued[..3], [(2, Role::Pre, -1), (3, Role::Hit, 0), (4, Role::Post, 1)].map(Some));
        assert_eq!(queued.last(), Some(&Some((23, Role::Post, 20))));
        rig.pass(5);
        assert_eq!(rig.queued(), [(24, Role::Post, 21), (25, Role::Post, 22)].map(Some));
        rig.late(result(3, Arm::B, Verdict::Ng, &["spur"]));
        assert_eq!(rig.sampler.counts().fired[Trigger::Disagreement.index()], 1, "once a frame");
    }

    #[test]
    fn a_late_result_of_a_captured_frame_amends_its_sidecar_even_after_it_left_the_ring() {
        let mut rig = Rig::new(Policy { ring_frames: 0, ..policy() });
        assert!(rig.request(action(1, 0, 0)));
        rig.pass(5);
        assert_eq!(rig.queued(), vec![Some((0, Role::Hit, 0))]);
        rig.late(result(0, Arm::B, Verdict::Ng, &[]));
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
        rig.sampler.frame(&rig.policy, 0, Hits::default(), &rig.queue, || panic!("this frame is not wanted"));
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
}
