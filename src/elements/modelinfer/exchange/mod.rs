// SPDX-License-Identifier: MPL-2.0
//! Which model runs: swap, reload, rollback, and what is told of it.

use std::{sync::Arc, time::Duration};

use andon_inference::{self as inference, Templates};
use gst::{prelude::*, subclass::prelude::*};

use super::{imp::ModelInfer, report};

pub(super) mod alias;
pub(super) mod probation;
pub(super) mod running;
mod shared;
pub(super) mod slot;

use running::Running;
use slot::{Cause, Report};

impl ModelInfer {
    pub(in crate::elements::modelinfer) fn model(&self) -> String {
        self.settings().model.clone()
    }

    pub(in crate::elements::modelinfer) fn set_model(&self, model: String) {
        if !self.request(&model, Cause::Swap) {
            self.settings().model = model;
        }
    }

    /// The action `swap`.
    pub(in crate::elements::modelinfer) fn swap(&self, model: String) -> bool {
        if model.trim().is_empty() {
            return false;
        }
        self.set_model(model);
        true
    }

    /// Has `model` loaded beside what runs; false where nothing runs.
    pub(in crate::elements::modelinfer) fn request(&self, model: &str, cause: Cause) -> bool {
        let weak = self.obj().downgrade();
        let ask = self.settings().ask(model.to_string());
        self.exchange.request(ask, cause, move |report| {
            let Some(element) = weak.upgrade() else { return };
            let this = element.imp();
            match report {
                Report::Loading { ask, cause } => {
                    let from = this.stats.lock().model.clone();
                    report::loading(&element, from.as_deref(), &ask.model, cause);
                }
                Report::Ready { model } => this.settings().model = model.to_string(),
                Report::Handed => {
                    element.notify("model");
                    this.follow(&this.model());
                }
                Report::Failed { ask, cause, error, since } => {
                    this.stats.lock().swaps_failed += 1;
                    let current = this.current.lock().clone();
                    if let Some(current) = current.filter(|c| c.ask.model == ask.model) {
                        // What was changed was how it runs: that did not work, and it runs as before.
                        this.settings().take_back(&current.ask);
                    }
                    this.failed(&ask.model, error, (cause.as_str(), since.elapsed()));
                }
            }
        })
    }

    /// Loads the model anew, with the settings that its session depends on: a swap like any other.
    pub(in crate::elements::modelinfer) fn reload(&self) {
        let model = self.exchange.awaited().unwrap_or_else(|| self.model());
        if !model.is_empty() {
            self.request(&model, Cause::Swap);
        }
    }

    /// Where golden templates are looked for from now on.
    pub(in crate::elements::modelinfer) fn set_image_root(&self, root: String) {
        let templates = (!root.is_empty()).then(|| Arc::new(Templates::new(&root)));
        // What it takes the place of waits for its thread: not under the lock that frames take.
        let before = std::mem::replace(&mut *self.templates.lock(), templates);
        drop(before);
        self.settings().image_root = root;
    }

    /// No frames come for a while: nobody is to wait for them.
    pub(in crate::elements::modelinfer) fn rest(&self) {
        let current = self.current.lock().clone();
        if let Some(current) = current {
            current.rest();
        }
    }

    /// The action `rollback`.
    pub(in crate::elements::modelinfer) fn rollback(&self) -> bool {
        self.go_back("asked for")
    }

    /// Back to the model before, at the next frame; false where there is none.
    pub(in crate::elements::modelinfer) fn go_back(&self, why: &str) -> bool {
        self.probation.because(why);
        let running = self.model();
        let Some(model) = self.exchange.rollback(&running) else { return false };
        self.settings().model = model;
        self.obj().notify("model");
        true
    }

    /// The action `retire`.
    pub(in crate::elements::modelinfer) fn retire(&self) -> bool {
        self.exchange.retire()
    }

    /// Notes what runs from now on, and tells where it is not on the provider that was wanted first.
    pub(in crate::elements::modelinfer) fn in_use(&self, running: Option<Arc<Running>>) {
        {
            let mut stats = self.stats.lock();
            stats.model = running.as_ref().map(|r| r.id().clone());
            stats.provider = running.as_ref().map_or_else(|| "".into(), |r| r.provider().clone());
            stats.fallbacks = running.as_ref().map(|r| r.fallbacks().to_vec()).unwrap_or_default();
        }
        if let Some(running) = running.as_ref().filter(|r| !r.fallbacks().is_empty()) {
            report::fallback(&self.obj(), running);
        }
        if let Some(Err(problem)) = running.as_ref().map(|r| &r.reference) {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Settings,
                ("the model's drift reference is left aside, for it cannot be read: {problem}")
            );
        }
        // What it takes the place of is held by who will free it.
        *self.current.lock() = running;
    }

    /// Reports a model that could not be loaded: what ran, if anything, goes on.
    pub(in crate::elements::modelinfer) fn failed(&self, model: &str, error: &inference::Error, why: (&str, Duration)) {
        let running = self.stats.lock().model.clone();
        report::failed(&self.obj(), model, running.as_deref(), error, why);
        gst::element_imp_warning!(self, gst::ResourceError::Failed, ("{error}"));
    }
}
