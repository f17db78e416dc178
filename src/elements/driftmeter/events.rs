// SPDX-License-Identifier: MPL-2.0
//! Events from upstream: the announced model, arm, part and fields, flushes.

use gst::subclass::prelude::*;

use super::{imp::DriftMeter, settings::OF_BUNDLE};
use crate::elements::reference::{self, Announced};

impl DriftMeter {
    /// Takes an event.
    pub(super) fn take_event(&self, event: &gst::Event) {
        let of_bundle = || self.settings().reference == OF_BUNDLE;
        if let Some(reference) = reference::announced(event).filter(|_| of_bundle()) {
            let (reference, missing) = match reference {
                Announced::Reference(reference) => (Some(reference), None),
                Announced::Nothing => (None, Some("the running model's bundle has no reference".into())),
                Announced::Elsewhere(digest) => {
                    (None, Some(format!("no modelinfer of this process holds the bundle's reference ({digest})")))
                }
            };
            if let Some(missing) = missing {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NotFound,
                    ["reference=bundle, and {missing}: learning from the next frames"]
                );
            }
            if let Some(state) = self.state.lock().as_mut() {
                state.bank.offer(reference);
            }
        }
        let refused = self.state.lock().as_mut().and_then(|state| {
            if event.type_() == gst::EventType::FlushStop {
                state.bank.flush();
                state.context.flush(&self.part_by.rule());
            }
            state.context.observe(event)?.err()
        });
        if let Some(problem) = refused {
            self.refusals.add(&*self.obj(), &problem);
        }
    }
}
