// SPDX-License-Identifier: MPL-2.0
//! The judging thread: takes events to the trial, posts the judgement, and acts on it.

use std::{collections::VecDeque, sync::Arc, thread, time::Duration};

use andon_core::{
    result::{ModelId, Verdict, run_id},
    text::{check_name, check_value},
};
use andon_statistics::{
    agreement::{Closed, Each},
    judgement::{Decision, Design, LimitsError},
    trial::{Taken, TrialReport, Wanted},
};
use gst::subclass::prelude::*;

use super::{
    super::{CAT, imp::AbJoin, report},
    events::TrialEvent,
    keeping,
    rules::Auto,
    trial::TrialState,
};
use crate::{control, watch};

/// How long the end of the stream waits for the last judgement.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many parts without a label among them, while there are labels, are no chance: the labels are of others.
const MANY_PARTS: u64 = 100;

/// Why the judging cannot begin.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum StartError {
    /// `auto=full` without a store.
    #[error("auto=full moves aliases: set store=STORE/NAME, or auto=abort")]
    NoStore,
    /// The limits make no sense.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl AbJoin {
    /// Begins to judge.
    pub(in super::super) fn start_judging(&self) -> Result<(), StartError> {
        let rules = self.rules();
        if rules.auto == Auto::Full && rules.store.is_none() {
            return Err(StartError::NoStore);
        }
        let judge = &self.judge;
        {
            let mut state = judge.state.lock();
            *state = TrialState::default();
            state.begin(&rules)?;
        }
        judge.book.lock().ended = None;
        judge.events.open();
        judge.lack.reset();
        self.start_worker();
        self.watch_labels();
        Ok(())
    }

    /// Starts the judging thread. Without one the events wait.
    fn start_worker(&self) {
        let judge = &self.judge;
        let (shared, weak) = (judge.clone(), self.obj().downgrade());
        let work = move || {
            let mut events = VecDeque::new();
            while shared.events.take(&mut events) {
                let Some(join) = weak.upgrade() else { return };
                join.imp().judge_events(&mut events);
            }
        };
        let started = thread::Builder::new().name("andon-judge".into()).spawn(work);
        let started = started.map(|worker| *judge.worker.lock() = Some(worker));
        judge.lack.tried(&*self.obj(), &started);
    }

    /// Tries again, once a second, to get the judging thread, and the one that watches the labels, if it is missing. Streaming
    /// threads may call it.
    pub(in super::super) fn look_after_judging(&self) {
        watch::revive();
        if self.judge.lack.is_due() && self.is_judging() {
            self.start_worker();
        }
    }

    /// Ends the judging, after all events in the queue.
    pub(in super::super) fn stop_judging(&self) {
        let watched = self.judge.watched.lock().take();
        drop(watched);
        self.judge.events.close();
        let worker = self.judge.worker.lock().take();
        self.judge.lack.ended();
        if worker.is_none() {
            // What waited for a thread that never came. Pads are shut, so that no frame waits for it.
            let mut events = VecDeque::new();
            while self.judge.events.take(&mut events) {
                self.judge_events(&mut events);
            }
        }
        if let Some(worker) = worker.filter(|w| w.thread().id() != thread::current().id()) {
            // The panic hook has reported a panic of that thread.
            let _ = worker.join();
        }
        self.close_ledger();
    }

    /// Returns whether the judging has begun and not ended.
    pub(in super::super) fn is_judging(&self) -> bool {
        self.judge.events.is_open()
    }

    /// Begins a new trial of the same models.
    pub(in super::super) fn reset_judging(&self) {
        let rules = self.rules();
        let mut state = self.judge.state.lock();
        if state.trial.is_some()
            && let Err(error) = state.begin(&rules)
        {
            gst::warning!(CAT, imp = self, "{error}");
        }
    }

    /// Queues the events that follow from a frame. Streaming threads call it with the comparison locked, so that events
    /// have one order.
    pub(in super::super) fn queue_events(
        &self,
        seen: &mut Closed,
        models: Option<Each<Arc<ModelId>>>,
        frame: Option<TrialEvent>,
        design: Design,
    ) {
        let events = &self.judge.events;
        if let Some(ended) = seen.ended.take() {
            events.put(TrialEvent::Ended(Box::new(ended)));
        }
        if let Some(models) = models {
            events.put(TrialEvent::Models(models));
        }
        if let Some(frame) = frame {
            events.put(frame);
        }
        for part in seen.parts.drain(..) {
            events.put(TrialEvent::Paired(Box::new(part)));
        }
        for part in seen.alone.drain(..) {
            events.put(TrialEvent::Alone(Box::new(part), design));
        }
    }

    /// Queues any other event. Streaming threads may call it.
    pub(in super::super) fn queue_event(&self, event: TrialEvent) {
        self.judge.events.put(event);
    }

    /// Waits until all events in the queue have been judged, and the judgement posted; not where there is no thread for it.
    pub(in super::super) fn settle(&self) {
        self.look_after_judging();
        if !self.is_judging_thread() && !self.judge.lack.lasts() {
            self.judge.events.settle(PATIENCE);
        }
    }

    /// Takes a label of a part, and returns whether the part is known.
    pub(in super::super) fn label(&self, id: &str, verdict: &str, source: &str) -> bool {
        let Ok(verdict) = verdict.parse::<Verdict>() else {
            return self.refuse_label(&format!("label of '{id}': '{verdict}' is neither ok nor ng"));
        };
        if let Err(why) = check_name(id).and_then(|()| check_value(source)) {
            return self.refuse_label(&format!("label refused: its id or source {why}"));
        }
        // First the events in the queue, which may have closed the part just now.
        self.settle();
        if !self.is_judging() {
            return self.refuse_label("labels are taken while the element is PAUSED or PLAYING");
        }
        let mut taken = self.judge.state.lock().trial.as_mut().map(|trial| {
            trial.at(keeping::utc_ns());
            match trial.label(id, verdict, source) {
                // Who stands at the line means the part that was there today.
                Taken::Ambiguous => trial.label(&format!("{}/{id}", run_id()), verdict, source),
                taken => taken,
            }
        });
        if taken == Some(Taken::Unknown) && self.judge.lack.lasts() {
            // Its part may wait to be judged, and takes the label then.
            if let Some(trial) = self.judge.state.lock().trial.as_mut() {
                trial.expect(id, verdict, source);
            }
            taken = Some(Taken::Shown);
        }
        match taken {
            Some(Taken::Tested) => {
                self.queue_event(TrialEvent::Labelled);
                true
            }
            Some(Taken::Shown) => true,
            Some(Taken::Ambiguous) => {
                self.refuse_label(&format!("parts of several runs have the id '{id}': name one as RUN/{id}"))
            }
            Some(Taken::Unknown | Taken::Nothing) | None => {
                self.refuse_label(&format!("no part '{id}' is known: it was forgotten, or is still to come"))
            }
        }
    }

    /// Says why a label is not taken.
    fn refuse_label(&self, why: &str) -> bool {
        gst::warning!(CAT, imp = self, "{why}");
        control::because(&why);
        false
    }

    /// Returns whether the caller is the judging thread, as in a handler that answers its message at once.
    fn is_judging_thread(&self) -> bool {
        self.judge.worker.lock().as_ref().is_some_and(|w| w.thread().id() == thread::current().id())
    }

    fn judge_events(&self, events: &mut VecDeque<TrialEvent>) {
        let mut reported = false;
        let (plan, now) = (self.rules().plan(), keeping::utc_ns());
        let mut wanted: Vec<Wanted> = Vec::new();
        for event in events.drain(..) {
            let mut state = self.judge.state.lock();
            let is_same_model = state.is_same_model();
            let Some(trial) = &mut state.trial else { continue };
            trial.at(now);
            match event {
                TrialEvent::Paired(_) | TrialEvent::Alone(..) if is_same_model => {}
                TrialEvent::Frame(status, latency_us) => trial.frame(status, latency_us),
                TrialEvent::Paired(part) => wanted.extend(trial.paired(*part, plan)),
                TrialEvent::Alone(part, design) => wanted.extend(trial.alone(*part, design, plan)),
                TrialEvent::BIsOut => trial.b_is_out(),
                TrialEvent::Reported => reported = true,
                TrialEvent::Labelled => {}
                TrialEvent::Models(models) => {
                    state.models = models;
                    drop(state);
                    self.open_ledger();
                }
                TrialEvent::Ended(ended) => {
                    drop(state);
                    report::post_report(&*self.obj(), &ended);
                    self.conclude(true);
                    self.close_ledger();
                    self.reset_judging();
                }
                TrialEvent::Reset => {
                    trial.keep_reset();
                    drop(state);
                    self.keep(true);
                    self.reset_judging();
                    self.open_ledger();
                }
            }
        }
        for wanted in &wanted {
            report::post_wanted(&*self.obj(), wanted);
        }
        self.conclude(reported);
    }

    /// Decides, where the trial is kept, by all that is known to all runs.
    fn look(&self, anyway: bool) {
        let is_due = match &mut self.judge.state.lock().trial {
            Some(trial) if trial.is_kept() => trial.is_due(),
            _ => return,
        };
        // What was seen is written before it is looked at: others look at the same.
        self.keep(anyway || is_due);
        if anyway || is_due {
            self.hear_others();
        }
        let twice = self.judge.state.lock().trial.as_mut().and_then(|trial| {
            trial.at(keeping::utc_ns());
            trial.look();
            trial.twice.clone()
        });
        if let Some(id) = twice {
            self.tell_twice(&id);
        }
        self.keep(false);
    }

    /// Posts the judgement if it has changed or `anyway`, and acts on a new one.
    fn conclude(&self, anyway: bool) {
        self.look(anyway);
        let (ruling, models, due) = {
            let mut state = self.judge.state.lock();
            let Some(trial) = &state.trial else { return };
            let decision = trial.decision();
            let changed = decision != state.posted;
            if !changed && !anyway {
                return;
            }
            let mut ruling = trial.report();
            if state.is_same_model() && decision == Decision::Hold {
                ruling.judgement.reasons = vec!["both arms run the same model: there is nothing to judge".into()];
            }
            state.posted = decision;
            let matching = &ruling.matching;
            let unmatched = matching.matched == 0 && matching.unknown > 0 && matching.seen >= MANY_PARTS;
            if unmatched && !std::mem::replace(&mut state.told_unmatched, true) {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NotFound,
                    ("{matching}: call the parts in the labels as they are called here")
                );
            }
            // Another run has acted on its decision, and a person may have taken that back since.
            let elsewhere = decided_elsewhere(&ruling);
            if decision == Decision::Promote && elsewhere.is_some() {
                state.acted = elsewhere.clone();
            }
            let due = changed && decision != Decision::Hold && (decision == Decision::Abort || elsewhere.is_none());
            (ruling, state.models.clone(), due)
        };
        let acted = if due { self.act(&ruling, &models) } else { None };
        let acted = {
            let mut state = self.judge.state.lock();
            if acted.is_some() {
                state.acted = acted;
            }
            state.acted.clone()
        };
        report::post_judgement(&*self.obj(), &ruling, &models, acted.as_deref());
    }

    /// Adds the statistics of the judgement to `stats`.
    pub(in super::super) fn set_judging_stats(&self, s: &mut gst::Structure) {
        let state = self.judge.state.lock();
        s.set("decision", state.posted.as_str());
        s.set("news-lost", self.judge.events.lost());
        self.set_ledger_stats(s);
        s.set("bad-labels", state.bad_labels);
        if let Some(trial) = &state.trial {
            let [tested, shown] = trial.labels();
            let matching = trial.matching();
            for (name, value) in [
                ("parts-seen-again", trial.seen_again),
                ("parts-untold", trial.untold),
                ("labels-again", trial.again),
                ("labels-wanted", trial.wanted),
                ("labels-tested", tested),
                ("labels-shown", shown),
                ("labels-matched", matching.matched),
                ("labels-unknown", matching.unknown),
                ("labels-forgotten", trial.forgotten()),
                ("labels-let-go", trial.let_go()),
            ] {
                s.set(name, value);
            }
        }
    }
}

/// Returns what is done about a decision that another run has taken.
fn decided_elsewhere(ruling: &TrialReport) -> Option<String> {
    let decided = ruling.judgement.decided.as_ref()?;
    (decided.run != run_id().to_string()).then(|| {
        format!(
            "nothing here: run {} decided it: unless the challenger was made champion then, do it by hand",
            decided.run
        )
    })
}
