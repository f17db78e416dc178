// SPDX-License-Identifier: MPL-2.0
//! After a swap to another version: guards watch it for its first parts, and go back where it fails them.
//!
//! What the guards decide by is in [`andon_statistics`]; here frames and parts are handed to them, and what they say is
//! done: the model before runs from the next frame on, and the one that failed is refused from then on.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Inference, ModelId, PartVerdict, Purpose, Verdict};
use andon_statistics::guard::{Baseline, Limits, Probation as Guards};
use gst::{prelude::*, subclass::prelude::*};
use parking_lot::Mutex;

use super::{
    super::{imp::ModelInfer, report},
    running::Running,
    slot::Change,
};

/// How long a model that failed waits for its last frames to leave before it is let go, and how often it looks.
const LEAVING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// One version on probation.
struct Watch {
    running: Arc<Running>,
    from: Arc<ModelId>,
    guards: Guards,
    limits: Limits,
    /// The product that came first.
    sku: Option<String>,
    since: Instant,
}

impl Watch {
    /// Another product's parts are bad at another rate: what was seen of the version as a shadow says nothing of them,
    /// so from then on the rate is only reported.
    fn another_product(&mut self, inference: &Inference) {
        let sku = inference.part.as_ref().map_or("", |p| p.sku.as_str());
        match &self.sku {
            None => self.sku = Some(sku.into()),
            Some(first) if first == sku => {}
            Some(_) => {
                self.sku = Some(sku.into());
                let limits = Limits { probation: self.guards.left(), ..self.limits };
                self.guards = Guards::new(limits, None);
            }
        }
    }
}

/// The probation of one element.
#[derive(Default)]
pub(in crate::elements::modelinfer) struct Probation {
    /// Only the thread on which frames leave holds it for longer than a look.
    watch: Mutex<Option<Watch>>,
    /// Parts to go.
    left: AtomicU64,
    /// Why the model before is to run again, until that is told.
    back: Mutex<Option<String>>,
}

impl Probation {
    /// Parts to go; 0 where nothing is on probation.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Notes why the model before is to run again, for the message when it does.
    pub fn because(&self, why: &str) {
        *self.back.lock() = Some(why.into());
    }

    /// Ends it without a word.
    pub fn end(&self) {
        self.left.store(0, Ordering::Relaxed);
        let gone = self.watch.lock().take();
        drop(gone);
    }
}

/// Verdicts of each version on arm b: what a version's own rate was before it ran the line.
static SHADOWS: LazyLock<Mutex<HashMap<ModelId, Baseline>>> = LazyLock::new(Mutex::default);

/// The verdicts that a version gave as a shadow in this process; none where it was none.
pub(in crate::elements::modelinfer) fn as_shadow(model: &ModelId) -> Option<Baseline> {
    SHADOWS.lock().get(model).copied()
}

fn note_shadow(model: &ModelId, verdict: Verdict) {
    let ng = u64::from(verdict == Verdict::Ng);
    let mut all = SHADOWS.lock();
    match all.get_mut(model) {
        Some(b) => (b.parts, b.ng) = (b.parts + 1, b.ng + ng),
        None => drop(all.insert(model.clone(), Baseline { parts: 1, ng })),
    }
}

impl ModelInfer {
    /// Puts what runs from now on on probation, where it is another version of the same model. Going back, another
    /// product's model, or the same one run otherwise is no promotion.
    pub(in crate::elements::modelinfer) fn watch(&self, change: &Change) {
        self.probation.end();
        if change.cause.is_back() {
            let why = self.probation.back.lock().take();
            report::rolled_back(&self.obj(), change, why.as_deref().unwrap_or_default());
            return;
        }
        let (probation, deadline) = {
            let settings = self.settings();
            (settings.probation, settings.deadline)
        };
        let Some(from) =
            change.from.clone().filter(|from| probation > 0 && from.name == change.to.name && *from != change.to)
        else {
            return;
        };
        let deadline_us = (deadline > 0).then_some(deadline / 1000);
        let limits = Limits { probation, deadline_us, ..Limits::default() };
        let guards = Guards::new(limits, change.running.as_shadow);
        self.probation.left.store(guards.left(), Ordering::Relaxed);
        let (running, since) = (change.running.clone(), Instant::now());
        let watch = Watch { running, from, guards, limits, sku: None, since };
        *self.probation.watch.lock() = Some(watch);
    }

    /// Shows a frame that leaves, and the part that it closes, to the guards.
    pub(in crate::elements::modelinfer) fn guard(
        &self,
        running: &Arc<Running>,
        inference: &Inference,
        part: Option<&PartVerdict>,
    ) {
        let production = |p: &PartVerdict| p.part.as_ref().is_none_or(|p| p.purpose == Purpose::Production);
        if inference.arm == Arm::B
            && let Some(part) = part.filter(|p| production(p) && p.verdict != Verdict::Unjudged)
        {
            note_shadow(running.id(), part.verdict);
        }
        if self.probation.left() == 0 {
            return;
        }
        let mut slot = self.probation.watch.lock();
        let Some(watch) = slot.as_mut().filter(|w| Arc::ptr_eq(&w.running, running)) else { return };
        let mut broken = None;
        if inference.counts() {
            watch.another_product(inference);
            broken = watch.guards.frame(inference.status, inference.latency_us);
        }
        if broken.is_none()
            && let Some(part) = part
        {
            broken = watch.guards.part(part.verdict, production(part));
        }
        self.probation.left.store(watch.guards.left(), Ordering::Relaxed);
        if broken.is_none() && !watch.guards.passed() {
            return;
        }
        let watch = slot.take().expect("it was just there");
        drop(slot);
        self.probation.left.store(0, Ordering::Relaxed);
        match broken {
            None => self.proved(&watch),
            Some(broken) => self.broke(watch, &broken.to_string()),
        }
    }

    fn proved(&self, watch: &Watch) {
        let detail = serde_json::to_string(&watch.guards.report()).unwrap_or_default();
        let since = (watch.since.elapsed(), &*detail);
        report::proved(&self.obj(), &watch.from, watch.running.id(), "no guard was broken", since);
    }

    /// Goes back, and refuses what failed. The rest, which may touch the disk, is done by a thread of its own.
    fn broke(&self, watch: Watch, why: &str) {
        gst::warning!(super::super::imp::CAT, imp = self, "{:?} fails its probation: {why}", watch.running.id());
        self.exchange.refuse(watch.running.id(), why);
        self.probation.because(why);
        let Some(model) = self.exchange.fall_back() else {
            // Where another model is about to take over anyway, that is the way out.
            if self.exchange.heading().as_ref() == Some(watch.running.id()) {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::Failed,
                    ("{why}: the model runs on, for the one before was retired: swap to another")
                );
            }
            return;
        };
        self.settings().model = model;
        let (exchange, why, element) = (self.exchange.clone(), why.to_string(), self.obj().downgrade());
        let (failed, back) = (watch.running.clone(), watch.from.clone());
        let chores = move || {
            if let Some(element) = element.upgrade() {
                element.notify("model");
                element.imp().move_alias_back(&failed, &back, &why);
            }
            exchange.tidy();
            // It is freed here, and not by the last frame that it judged.
            let until = Instant::now() + LEAVING;
            while Arc::strong_count(&failed) > 1 && Instant::now() < until {
                thread::sleep(LOOK);
            }
        };
        if let Err(error) = thread::Builder::new().name("andon-keeper".into()).spawn(chores) {
            gst::error!(super::super::imp::CAT, imp = self, "no thread to move the alias back: {error}");
        }
    }
}
