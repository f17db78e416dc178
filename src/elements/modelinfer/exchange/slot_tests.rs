// SPDX-License-Identifier: MPL-2.0
//! The states of a slot, and every order of what can happen to it.

use std::{sync::Arc, time::Duration};

use andon_inference::Options;

use super::{
    ask::{Ask, Batch},
    slot::{Cause, Change, Finished, Loaded, Request, Slot},
};

struct Model(String);

impl Loaded for Model {
    fn asked_for(&self) -> &str {
        &self.0
    }
}

fn model(name: &str) -> Arc<Model> {
    Arc::new(Model(name.into()))
}

fn ask(model: &str) -> Ask {
    let batch = Batch { size: 1, timeout: Duration::ZERO };
    Ask { model: model.into(), options: Options::default(), frames: 1, share: String::new(), batch }
}

/// A slot with its worker and its streaming thread, one step at a time.
struct Bench {
    slot: Slot<Model>,
    /// The request that the worker is loading.
    loads: Option<Request>,
    /// The model of the streaming thread.
    runs: Option<Arc<Model>>,
}

impl Bench {
    /// Open, with `a` running.
    fn new() -> Self {
        let mut this = Self { slot: Slot::default(), loads: None, runs: None };
        assert!(!this.slot.request(ask("a"), Cause::Swap));
        this.start();
        this
    }

    fn start(&mut self) {
        self.runs = Some(model(self.slot.model()));
        let asked_for = self.slot.model().to_string();
        assert_eq!(self.slot.open(&asked_for, self.runs.clone()), None);
    }

    fn stop(&mut self) {
        drop(self.slot.close());
        self.runs = None;
    }

    fn request(&mut self, model: &str) -> bool {
        self.slot.request(ask(model), Cause::Swap)
    }

    /// The worker takes up a request. Returns what it loads.
    fn begin(&mut self) -> Option<String> {
        let begun = self.slot.begin()?;
        let model = begun.ask.model.clone();
        self.loads = Some(begun);
        Some(model)
    }

    /// The worker has loaded it, or could not. Returns whether the model is to run.
    fn finish(&mut self, loads: bool) -> bool {
        let request = self.loads.take().expect("the worker loads something");
        let loaded = if loads { Ok(model(&request.ask.model)) } else { Err(()) };
        matches!(self.slot.finish(&request, loaded, Duration::ZERO), Finished::Ready(_))
    }

    /// A request that is loaded without anything between.
    fn load(&mut self, model: &str) {
        assert!(self.request(model));
        assert_eq!(self.begin().as_deref(), Some(model));
        assert!(self.finish(true));
        assert_eq!(self.begin(), None, "the worker ends");
    }

    fn take(&mut self) -> Option<Change<Model>> {
        self.slot.take(&mut self.runs)
    }

    fn runs(&self) -> &str {
        self.runs.as_ref().map_or("", |m| m.asked_for())
    }

    fn standby(&self) -> &str {
        self.slot.standby().map_or("", |m| m.asked_for())
    }
}

#[test]
fn a_swap_is_requested_loaded_taken_and_leaves_the_model_before_on_standby() {
    let mut b = Bench::new();
    assert!(b.request("b") && b.slot.is_asked());
    assert_eq!((b.slot.model(), b.slot.awaited()), ("a", Some("b")), "what runs next is still a");
    assert_eq!(b.begin().as_deref(), Some("b"));
    assert!(b.finish(true));
    assert_eq!((b.slot.model(), b.slot.awaited(), b.runs()), ("b", None, "a"), "b runs from the next frame on");
    assert!(b.slot.is_pending());
    let change = b.take().unwrap();
    assert_eq!((change.from.unwrap().asked_for(), change.cause), ("a", Cause::Swap));
    assert_eq!((b.runs(), b.standby(), b.slot.model()), ("b", "a", "b"));
    assert!(!b.slot.is_pending() && b.take().is_none());
}

#[test]
fn the_latest_request_wins_whenever_it_comes() {
    let mut b = Bench::new();
    b.request("b");
    b.request("c");
    assert_eq!(b.begin().as_deref(), Some("c"), "b is not even loaded");
    b.request("d");
    assert!(!b.finish(true), "c was overtaken while it loaded");
    assert_eq!(b.begin().as_deref(), Some("d"));
    assert!(b.finish(true));
    b.request("e");
    assert_eq!(b.slot.model(), "d");
    b.begin();
    assert!(b.finish(true), "e replaces d, which no frame has seen");
    assert_eq!(b.take().unwrap().from.unwrap().asked_for(), "a");
    assert_eq!((b.runs(), b.standby()), ("e", "a"));
}

#[test]
fn a_rollback_before_the_take_over_withdraws_the_new_model_and_the_property_is_what_runs() {
    for steps in 0..3 {
        let mut b = Bench::new();
        b.load("b");
        b.take();
        b.request("c");
        if steps > 0 {
            b.begin();
        }
        if steps > 1 {
            b.finish(true);
            assert_eq!(b.slot.model(), "c");
        }
        assert_eq!(b.slot.rollback("asked for").unwrap().len(), usize::from(steps == 2), "c is freed by the caller");
        assert_eq!((b.slot.model(), b.slot.awaited(), b.slot.is_pending()), ("b", None, false));
        if steps == 1 {
            assert!(!b.finish(true), "c was overtaken while it loaded");
        }
        assert!(b.take().is_none());
        assert_eq!((b.runs(), b.standby()), ("b", "a"), "the model before is still there");
    }
}

#[test]
fn a_rollback_leads_to_the_model_before_and_the_next_one_forth_again() {
    let mut b = Bench::new();
    assert!(b.slot.rollback("asked for").is_none(), "there is nothing to go back to");
    b.load("b");
    b.take();
    assert!(b.slot.rollback("asked for").is_some());
    assert_eq!((b.slot.model(), b.runs()), ("a", "b"));
    assert!(b.slot.rollback("asked for").is_none(), "it is on its way");
    let change = b.take().unwrap();
    assert_eq!((change.cause, change.why.as_str()), (Cause::Rollback, "asked for"));
    assert_eq!((b.runs(), b.standby()), ("a", "b"));
    assert!(b.slot.rollback("asked for").is_some());
    assert_eq!(b.slot.model(), "b");
    assert!(b.take().is_some());
    assert_eq!(b.runs(), "b");
}

#[test]
fn what_broke_a_guard_is_nothing_to_go_back_to_and_a_load_under_way_stays_wanted() {
    let mut b = Bench::new();
    b.load("b");
    b.take();
    b.request("c");
    b.begin();
    assert!(b.slot.fall_back("slow"));
    assert!(!b.slot.fall_back("slow"), "a model is about to take over anyway");
    let change = b.take().unwrap();
    assert_eq!((change.cause, change.why.as_str()), (Cause::Guard, "slow"));
    assert_eq!((b.runs(), b.standby(), b.slot.model()), ("a", "", "a"));
    assert_eq!(b.slot.retired().len(), 1, "b is freed by the worker");
    assert!(b.slot.rollback("asked for").is_some(), "away from c");
    assert!(!b.finish(true));
    b.load("d");
    b.take();
    assert!(b.slot.retire().is_some() && !b.slot.fall_back("slow"), "nothing is left to go back to");
    assert_eq!(b.runs(), "d");
}

#[test]
fn a_model_that_cannot_be_loaded_changes_nothing() {
    let mut b = Bench::new();
    b.request("b");
    b.begin();
    assert!(!b.finish(false));
    assert_eq!((b.slot.model(), b.slot.awaited()), ("a", None));
    assert!(b.take().is_none());
    assert_eq!(b.runs(), "a");
}

#[test]
fn a_stop_keeps_what_was_to_run_and_what_is_set_afterwards_is_loaded_at_the_next_start() {
    let mut b = Bench::new();
    b.load("b");
    b.stop();
    assert_eq!((b.slot.model(), b.slot.is_open()), ("b", false));
    assert!(b.take().is_none() && b.slot.rollback("asked for").is_none() && !b.slot.fall_back("slow"));
    assert!(!b.slot.request(ask("x"), Cause::Alias));
    assert_eq!(b.slot.model(), "b", "an alias that moves late sets nothing");
    assert!(!b.slot.request(ask("c"), Cause::Swap));
    b.start();
    assert_eq!((b.slot.model(), b.runs()), ("c", "c"));
}

#[test]
fn a_load_that_a_stop_has_overtaken_never_runs_and_does_not_hinder_the_next_start() {
    let mut b = Bench::new();
    b.request("b");
    b.begin();
    let old = b.loads.take().unwrap();
    b.stop();
    b.start();
    assert!(b.request("c"));
    assert_eq!(b.begin().as_deref(), Some("c"), "beside the one of before");
    assert!(matches!(b.slot.finish(&old, Ok::<_, ()>(model("b")), Duration::ZERO), Finished::Overtaken(Some(_))));
    assert_eq!(b.slot.awaited(), Some("c"));
    assert!(b.finish(true));
}

#[test]
fn a_load_that_cannot_begin_stays_asked_for_unless_it_was_overtaken() {
    let mut b = Bench::new();
    b.request("b");
    let request = b.slot.begin().unwrap();
    assert!(!b.slot.is_asked());
    b.slot.put_back(request);
    assert_eq!((b.slot.is_asked(), b.slot.awaited(), b.slot.model()), (true, Some("b"), "a"));
    let request = b.slot.begin().unwrap();
    b.request("c");
    b.slot.put_back(request);
    assert_eq!(b.begin().as_deref(), Some("c"));
    let request = b.loads.take().unwrap();
    assert!(b.slot.rollback("asked for").is_some(), "away from what loads");
    b.slot.put_back(request);
    assert_eq!((b.slot.is_asked(), b.slot.awaited()), (false, None));
}

#[test]
fn what_is_set_while_the_start_loads_is_requested_by_it() {
    let mut slot = Slot::default();
    slot.request(ask("b"), Cause::Swap);
    assert_eq!(slot.open("a", Some(model("a"))).as_deref(), Some("b"));
    assert_eq!(slot.model(), "a");
    // A start without a model that runs, by on-error=pass.
    let mut slot = Slot::<Model>::default();
    slot.request(ask("b"), Cause::Swap);
    assert_eq!(slot.open("a", None).as_deref(), Some("b"));
    assert_eq!(slot.model(), "a");
}

/// What can happen, for every order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Request,
    Begin,
    Loaded,
    FailedToLoad,
    Take,
    Rollback,
    FallBack,
    Retire,
    Restart,
}

const STEPS: [Step; 9] = [
    Step::Request,
    Step::Begin,
    Step::Loaded,
    Step::FailedToLoad,
    Step::Take,
    Step::Rollback,
    Step::FallBack,
    Step::Retire,
    Step::Restart,
];

#[test]
fn in_every_order_of_five_steps_the_property_is_what_runs_next_and_every_model_is_freed() {
    const LENGTH: u32 = 5;
    let names = ["c", "d", "e", "f", "g"];
    for order in 0..STEPS.len().pow(LENGTH) {
        let steps = (0..LENGTH).map(|i| STEPS[order / STEPS.len().pow(i) % STEPS.len()]);
        let (mut b, mut names, mut said) = (Bench::new(), names.iter(), Vec::new());
        let mut seen = vec![Arc::downgrade(b.runs.as_ref().unwrap())];
        b.load("b");
        b.take();
        let mut latest = None;
        for step in steps {
            said.push(step);
            let before = b.slot.model().to_string();
            match step {
                Step::Request => {
                    latest = names.next();
                    b.request(latest.unwrap());
                    assert_eq!(b.slot.model(), before, "{said:?}");
                }
                Step::Begin if b.loads.is_none() => drop(b.begin()),
                Step::Loaded | Step::FailedToLoad if b.loads.is_some() => {
                    let loads = b.loads.as_ref().unwrap().ask.model.clone();
                    if b.finish(matches!(step, Step::Loaded)) {
                        assert_eq!((b.slot.model(), latest), (&*loads, Some(&&*loads)), "the latest wins: {said:?}");
                    }
                }
                Step::Take => {
                    let change = b.take();
                    assert_eq!(b.runs(), before, "what was to run next runs now: {said:?}");
                    assert!(change.is_none_or(|c| c.from.is_none_or(|f| !Arc::ptr_eq(&f, &c.to))), "{said:?}");
                }
                Step::Rollback => {
                    let (awaited, pending) = (b.slot.awaited().is_some(), b.slot.is_pending());
                    let standby = b.standby().to_string();
                    let goes_back = b.slot.rollback("asked for").is_some();
                    assert_eq!(b.slot.awaited(), None, "{said:?}");
                    if goes_back {
                        latest = None;
                    }
                    if goes_back && !awaited && !pending {
                        assert_eq!(b.slot.model(), standby, "{said:?}");
                    }
                }
                Step::FallBack => {
                    let (standby, pending) = (b.standby().to_string(), b.slot.is_pending());
                    assert_eq!(b.slot.fall_back("slow"), !standby.is_empty() && !pending, "{said:?}");
                }
                Step::Retire => drop(b.slot.retire()),
                Step::Restart => {
                    let kept = b.slot.awaited().unwrap_or(&before).to_string();
                    b.stop();
                    latest = None;
                    assert_eq!(b.slot.model(), kept, "what was asked for last is loaded next: {said:?}");
                    b.start();
                }
                _ => {}
            }
            seen.extend(b.slot.heading().map(Arc::downgrade));
            let next = b.slot.heading().unwrap();
            assert_eq!(b.slot.model(), next.asked_for(), "{said:?}");
            assert_eq!(b.slot.is_pending(), !Arc::ptr_eq(next, b.runs.as_ref().unwrap()), "{said:?}");
        }
        b.stop();
        assert!(seen.iter().all(|m| m.upgrade().is_none()), "a model is still held: {said:?}");
    }
}
