// SPDX-License-Identifier: MPL-2.0
//! The element's side of a model's life: start and stop, the actions, and what the element does with the events of its
//! [`Exchange`](super::exchange::Exchange).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use andon_inference::{self as inference, Cancel};
use andon_statistics::guard::Limits;
use gst::{prelude::*, subclass::prelude::*};

use super::{
    CAT,
    exchange::{Ask, Cause, Change, Event, Host, Left, Running},
    imp::ModelInfer,
    messages,
    qos::Qos,
    settings::OnError,
    state::{SinkState, SrcState},
};
use crate::{control, meta::event::AndonEvent};

/// The element, for as long as it is there.
struct Element(glib::WeakRef<super::ModelInfer>);

impl Host for Element {
    fn ask(&self, model: String) -> Option<Ask> {
        Some(self.0.upgrade()?.imp().settings().ask(model))
    }

    fn name(&self) -> String {
        self.0.upgrade().map(|element| element.path_string().into()).unwrap_or_default()
    }

    fn handle(&self, event: Event<'_>) {
        if let Some(element) = self.0.upgrade() {
            element.imp().handle(event);
        }
    }
}

/// Start and stop.
impl ModelInfer {
    /// Makes the element the host of its exchange.
    pub(super) fn host_exchange(&self) {
        self.exchange.serve(Box::new(Element(self.obj().downgrade())));
    }

    pub(super) fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.part_by.start(&*self.obj(), self.settings().on_error == OnError::Error)?;
        let now = || {
            let model = self.exchange.model();
            self.settings().ask(model)
        };
        let (ask, loaded) = self.exchange.bring(now);
        let loaded = loaded.and_then(|running| Ok((Arc::new(Cancel::new()?), running)));
        let (cancel, running) = match loaded {
            Ok((cancel, running)) => (Some(cancel), Some(running)),
            Err(error) if self.settings().on_error == OnError::Pass => {
                self.loading_failed(&ask.model, None, &error, ("start", Duration::ZERO));
                (None, None)
            }
            Err(error) => return Err(messages::error(&error)),
        };
        let settings = self.settings().clone();
        if let Some(running) = &running {
            gst::info!(CAT, imp = self, "running {:?}", running.id());
        }
        *self.cancel.lock() = cancel;
        *self.qos.lock() = Qos::default();
        *self.src_state.lock() = SrcState::new(&self.obj().name());
        *self.sink_state.lock() = Some(SinkState::new(running.clone(), &settings));
        self.set_running(running.as_deref());
        let fields = self.fields.lock().clone();
        if !fields.is_empty() {
            self.inject(AndonEvent::Fields(fields.into()).plain());
        }
        self.reorder.start();
        self.exchange.open(&ask, running);
        self.set_batch_timeout();
        self.prepare_in_flight();
        Ok(())
    }

    pub(super) fn stop(&self) {
        self.terminate();
        self.reorder.stop();
        self.reorder.join();
        self.exchange.close();
        self.parts.flush(&*self.obj());
        self.part_by.stop();
        *self.cancel.lock() = None;
        let state = self.sink_state.lock().take();
        drop(state);
        self.injected.lock().clear();
        self.frame_ns.store(0, Ordering::Relaxed);
        self.stats.lock().provider = "".into();
    }

    /// Ends the runs under way.
    pub(super) fn terminate(&self) {
        if let Some(cancel) = self.cancel.lock().as_ref() {
            cancel.terminate();
        }
    }
}

/// The property `model` and the actions.
impl ModelInfer {
    pub(super) fn model(&self) -> String {
        self.exchange.model()
    }

    pub(super) fn set_model(&self, model: String) {
        self.exchange.request(model, Cause::Swap);
    }

    /// The action `swap`.
    pub(super) fn swap(&self, model: String) -> bool {
        let is_model = !model.trim().is_empty();
        match is_model {
            true => self.set_model(model),
            false => control::because(&"the name of the model is empty"),
        }
        is_model
    }

    /// The action `rollback`.
    pub(super) fn rollback(&self) -> bool {
        let accepted = self.exchange.rollback("asked for");
        if !accepted {
            control::because(&"there is no model before, and none is loading");
        }
        accepted
    }

    /// The action `retire`.
    pub(super) fn retire(&self) -> bool {
        let accepted = self.exchange.retire();
        if !accepted {
            control::because(&"there is no model before");
        }
        accepted
    }

    /// The action `reset`.
    pub(super) fn reset(&self) -> bool {
        self.stats.lock().reset();
        self.refusals.reset();
        self.parts.reset();
        self.exchange.forgive();
        true
    }
}

/// What the element does when the model changes.
impl ModelInfer {
    /// Puts the change into effect for stats, messages and probation. For the streaming thread, once it holds no lock.
    pub(super) fn settle(&self, change: &Change) {
        let limits = {
            let settings = self.settings();
            let deadline_us = (settings.deadline > 0).then_some(settings.deadline / 1000);
            Limits { probation: settings.probation, deadline_us, ..Limits::default() }
        };
        self.exchange.settle(change, limits);
    }

    fn handle(&self, event: Event<'_>) {
        let element = &*self.obj();
        match event {
            Event::Loading { from, ask, cause } => messages::loading(element, from.as_deref(), &ask.model, cause),
            Event::ModelSet => element.notify("model"),
            Event::Failed { running, ask, cause, error, duration } => {
                self.stats.lock().swaps_failed += 1;
                // How the model runs was to be changed, too: it runs on as before.
                if let Some(running) = &running {
                    self.settings().take_back(ask, &running.ask);
                }
                self.loading_failed(&ask.model, running.as_deref(), error, (cause.as_str(), duration));
            }
            Event::Changed(change) => self.changed(change),
            Event::Proved { from, to, report, duration } => messages::proved(element, from, to, report, duration),
            Event::Broken { model, why } => gst::warning!(CAT, imp = self, "{model:?} fails its probation: {why}"),
            Event::NoWayBack { why } => gst::element_imp_warning!(
                self,
                gst::ResourceError::Failed,
                ("{why}: the model runs on, because the one before was retired: swap to another")
            ),
            Event::Alias { model, problem } => self.alias_seen(model, problem),
            Event::Unrecorded { error } => gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                ("{error}: the model that failed does not run, but its store still names it: roll it back there")
            ),
            Event::NoThread { job, error } => {
                self.stats.lock().threads_refused += 1;
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NoSpaceLeft,
                    ("there is no thread to {job}: {error}: it is tried again every second: stop other work of this process, \
                      or raise its limit of threads (TasksMax, pids.max, ulimit -u)")
                );
            }
            Event::Abandoned { left, what } => self.abandoned(left, what),
        }
    }

    /// Reports that the alias cannot be followed, or can be again.
    fn alias_seen(&self, model: &str, problem: &str) {
        let running = self.exchange.running();
        if !problem.is_empty() {
            self.stats.lock().alias_problems += 1;
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Read,
                ("{problem}: '{model}' stays at the version that it has, and is followed again as soon as that is mended")
            );
        }
        messages::alias(&*self.obj(), model, running.as_deref().map(|r| &**r.id()), problem);
    }

    /// Reports an errand that was left behind.
    fn abandoned(&self, left: Left, what: &str) {
        self.stats.lock().loads_abandoned += 1;
        let (job, then) = match left {
            Left::Load(doing) => (
                format!("its load was given up, but does not end ({doing})"),
                "it is left behind and keeps its memory: mend the disk or share that does not answer, or the model",
            ),
            Left::Look => (
                "its store does not answer".into(),
                "the model that runs goes on, and the alias is looked at again: mend the disk or share",
            ),
            Left::Record => (
                "its store does not answer to the refusal of the version that failed".into(),
                "that version does not run here, but its store may still name it: roll it back there",
            ),
        };
        gst::element_imp_warning!(self, gst::ResourceError::Busy, ("{what}: {job}: {then}"));
    }

    fn changed(&self, change: &Change) {
        self.set_running(Some(&change.to));
        self.set_batch_timeout();
        {
            let mut stats = self.stats.lock();
            match change.cause.is_back() {
                false => stats.swaps += 1,
                true => stats.rollbacks += 1,
            }
        }
        messages::changed(&*self.obj(), change);
        if change.cause.is_back() {
            messages::rolled_back(&*self.obj(), change);
        }
    }

    /// Notes what runs from now on, and says so if it is not on the first provider that was asked for, or as it was assumed.
    fn set_running(&self, running: Option<&Running>) {
        {
            let mut stats = self.stats.lock();
            stats.model = running.map(|r| r.id().clone());
            stats.provider = running.map_or_else(|| "".into(), |r| r.provider().clone());
            stats.fallbacks = running.map(|r| r.fallbacks().to_vec()).unwrap_or_default();
            stats.assumed =
                running.map(|r| r.assumptions().iter().map(ToString::to_string).collect()).unwrap_or_default();
        }
        let Some(running) = running else { return };
        if !running.fallbacks().is_empty() {
            messages::fallback(&*self.obj(), running);
        }
        if !running.assumptions().is_empty() {
            messages::assumed(&*self.obj(), running);
        }
        if let Err(problem) = &running.reference {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Settings,
                ("the model's drift reference cannot be read and is left aside: {problem}: correct the file that \
                  model.json names, or set the reference of driftmeter")
            );
        }
    }

    /// Reports a model that could not be loaded. What ran, if anything, goes on.
    fn loading_failed(
        &self,
        model: &str,
        running: Option<&Running>,
        error: &inference::Error,
        (cause, duration): (&str, Duration),
    ) {
        messages::failed(&*self.obj(), model, running.map(|r| &**r.id()), error, (cause, duration));
        gst::element_imp_warning!(self, gst::ResourceError::Failed, ("{error}"));
    }
}
