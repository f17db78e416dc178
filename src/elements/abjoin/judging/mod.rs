// SPDX-License-Identifier: MPL-2.0
//! The judging thread: holds the trial, tells what it comes to, and does what was asked for in that case.
//!
//! Streaming threads only leave news (`inbox.rs`). The trial itself is shared by the judging thread and by whoever brings
//! labels.

mod act;
mod follow;
mod inbox;
mod labels;
mod rules;

use std::{
    collections::VecDeque,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use gst::subclass::prelude::*;
use parking_lot::Mutex;

use self::inbox::Inbox;
pub(super) use self::{
    inbox::News,
    rules::{
        Auto, DEFAULT_ALPHA, DEFAULT_ESCAPE_COST, DEFAULT_LABEL_RATE, DEFAULT_LABEL_RATE_AGREE,
        DEFAULT_MAX_ESCAPE_INCREASE, DEFAULT_MAX_NG_DIFFERENCE, DEFAULT_OVERKILL_COST, Rules,
    },
};
use andon_core::result::{ModelId, Verdict, run_id};
use andon_statistics::{
    agreement::{Closed, Each},
    judgement::{Decision, Design},
    trial::{Taken, Trial, Wanted},
};

use super::{
    imp::{AbJoin, CAT},
    score,
};
use crate::elements::watch::Watched;

/// How long the end of the stream waits for the last judgement.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Default)]
pub(super) struct Judging {
    inbox: Inbox,
    court: Mutex<Court>,
    worker: Mutex<Option<JoinHandle<()>>>,
    watched: Mutex<Option<Watched>>,
}

/// What the judging thread and those who label share.
#[derive(Default)]
struct Court {
    trial: Option<Trial>,
    models: Each<Arc<ModelId>>,
    /// The decision that was told last.
    told: Decision,
    /// What was done about it.
    acted: Option<String>,
    /// Lines of the file of labels that could not be read.
    bad_labels: u64,
}

impl Court {
    /// After a promotion the candidate is champion, and stands beside itself.
    fn both_the_same(&self) -> bool {
        self.models.a == self.models.b && *self.models.a != ModelId::default()
    }

    fn begin(&mut self, rules: &Rules) -> Result<(), String> {
        let mut trial = Trial::new(rules.of_trial(), &run_id().to_string()).map_err(|e| e.to_string())?;
        if let Some(before) = self.trial.take() {
            trial.succeed(before);
        }
        let models = Each { a: self.models.a.clone(), b: self.models.b.clone() };
        *self = Court { trial: Some(trial), models, bad_labels: self.bad_labels, ..Court::default() };
        Ok(())
    }
}

impl AbJoin {
    /// Begins to judge; an error where the properties make no sense.
    pub(super) fn start_judging(&self) -> Result<(), String> {
        let rules = self.rules();
        if rules.auto == Auto::Full && rules.store.is_none() {
            return Err("auto=full moves aliases: set store=STORE/NAME, or auto=abort".into());
        }
        let judging = &self.judging;
        *judging.court.lock() = Court::default();
        judging.court.lock().begin(&rules)?;
        judging.inbox.open();
        let (shared, weak) = (judging.clone(), self.obj().downgrade());
        let work = move || {
            let mut news = VecDeque::new();
            while shared.inbox.take(&mut news) {
                let Some(join) = weak.upgrade() else { return };
                join.imp().look_at(&mut news);
            }
        };
        let worker = thread::Builder::new().name("andon-judge".into()).spawn(work);
        let worker = worker.map_err(|e| format!("no thread to judge with: {e}"))?;
        *judging.worker.lock() = Some(worker);
        self.watch_labels();
        Ok(())
    }

    /// Ends; what was left is judged first.
    pub(super) fn stop_judging(&self) {
        let watched = self.judging.watched.lock().take();
        drop(watched);
        self.judging.inbox.close();
        let worker = self.judging.worker.lock().take();
        if let Some(worker) = worker.filter(|w| w.thread().id() != thread::current().id()) {
            // A panic in there has been reported by the panic hook.
            let _ = worker.join();
        }
    }

    /// Between start and stop.
    pub(super) fn is_judging(&self) -> bool {
        self.judging.inbox.is_open()
    }

    /// Begins a new trial of the same models.
    pub(super) fn reset_judging(&self) {
        let rules = self.rules();
        let mut court = self.judging.court.lock();
        if court.trial.is_some()
            && let Err(error) = court.begin(&rules)
        {
            gst::warning!(CAT, imp = self, "{error}");
        }
    }

    /// For streaming threads, with the score locked, so that what is left has one order: leaves what a frame brought
    /// about.
    pub(super) fn leave(
        &self,
        seen: &mut Closed,
        models: Option<Each<Arc<ModelId>>>,
        frame: Option<News>,
        design: Design,
    ) {
        let inbox = &self.judging.inbox;
        if let Some(ended) = seen.ended.take() {
            inbox.put(News::Ended(Box::new(ended)));
        }
        if let Some(models) = models {
            inbox.put(News::Models(models));
        }
        if let Some(frame) = frame {
            inbox.put(frame);
        }
        for part in seen.parts.drain(..) {
            inbox.put(News::Paired(Box::new(part)));
        }
        for part in seen.alone.drain(..) {
            inbox.put(News::Alone(Box::new(part), design));
        }
    }

    /// For streaming threads: leaves any other news.
    pub(super) fn tell(&self, news: News) {
        self.judging.inbox.put(news);
    }

    /// Waits until everything that was left so far was judged and told.
    pub(super) fn settle(&self) {
        if !self.is_judging_thread() {
            self.judging.inbox.settle(PATIENCE);
        }
    }

    /// Takes a label of a part; answers whether the part is known.
    pub(super) fn label(&self, id: &str, verdict: &str, source: &str) -> bool {
        let Ok(verdict) = verdict.parse::<Verdict>() else {
            gst::warning!(CAT, imp = self, "label of '{id}': '{verdict}' is neither ok nor ng");
            return false;
        };
        // What has happened so far is looked at first: the part may have been closed just now.
        self.settle();
        if !self.is_judging() {
            return false;
        }
        let taken = self.judging.court.lock().trial.as_mut().map(|trial| trial.label(id, verdict, source));
        match taken {
            Some(Taken::Tested) => {
                self.tell(News::Labelled);
                true
            }
            Some(Taken::Shown) => true,
            Some(Taken::Unknown | Taken::Nothing) | None => false,
        }
    }

    /// Whoever answers a message of the judging thread at once is that thread.
    fn is_judging_thread(&self) -> bool {
        self.judging.worker.lock().as_ref().is_some_and(|w| w.thread().id() == thread::current().id())
    }

    fn look_at(&self, news: &mut VecDeque<News>) {
        let mut reported = false;
        let plan = self.rules().plan();
        let mut wanted: Vec<Wanted> = Vec::new();
        for news in news.drain(..) {
            let mut court = self.judging.court.lock();
            let both_the_same = court.both_the_same();
            let Some(trial) = &mut court.trial else { continue };
            match news {
                News::Paired(_) | News::Alone(..) if both_the_same => {}
                News::Frame(status, latency_us) => trial.frame(status, latency_us),
                News::Paired(part) => wanted.extend(trial.paired(*part, plan)),
                News::Alone(part, design) => wanted.extend(trial.alone(*part, design, plan)),
                News::BIsOut => trial.b_is_out(),
                News::Reported => reported = true,
                News::Labelled => {}
                News::Models(models) => court.models = models,
                News::Ended(report) => {
                    drop(court);
                    score::post_report(&*self.obj(), &report);
                    self.rule(true);
                    self.reset_judging();
                }
                News::Reset => {
                    drop(court);
                    self.reset_judging();
                }
            }
        }
        for wanted in &wanted {
            score::post_wanted(&*self.obj(), wanted);
        }
        self.rule(reported);
    }

    /// Tells the judgement if it has changed or `anyway`, and does what follows from it, once.
    fn rule(&self, anyway: bool) {
        let (ruling, models, due) = {
            let mut court = self.judging.court.lock();
            let Some(trial) = &court.trial else { return };
            let decision = trial.decision();
            let changed = decision != court.told;
            if !changed && !anyway {
                return;
            }
            let mut ruling = trial.report();
            if court.both_the_same() && decision == Decision::Hold {
                ruling.judgement.reasons = vec!["both arms run the same model: there is nothing to judge".into()];
            }
            court.told = decision;
            (ruling, court.models.clone(), changed && decision != Decision::Hold)
        };
        let acted = if due { self.act(&ruling, &models) } else { None };
        let acted = {
            let mut court = self.judging.court.lock();
            if acted.is_some() {
                court.acted = acted;
            }
            court.acted.clone()
        };
        score::post_judgement(&*self.obj(), &ruling, &models, acted.as_deref());
    }

    /// For `stats`.
    pub(super) fn set_judging_stats(&self, s: &mut gst::Structure) {
        let court = self.judging.court.lock();
        s.set("decision", court.told.as_str());
        s.set("news-lost", self.judging.inbox.lost());
        s.set("bad-labels", court.bad_labels);
        if let Some(trial) = &court.trial {
            let [tested, shown] = trial.labels();
            for (name, value) in [
                ("parts-seen-again", trial.seen_again),
                ("labels-wanted", trial.wanted),
                ("labels-tested", tested),
                ("labels-shown", shown),
                ("labels-unknown", trial.unknown),
                ("labels-forgotten", trial.forgotten()),
                ("labels-let-go", trial.let_go()),
            ] {
                s.set(name, value);
            }
        }
    }
}
