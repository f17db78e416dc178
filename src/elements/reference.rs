// SPDX-License-Identifier: MPL-2.0
//! The event `andon/model`: `modelinfer` announces the model that runs from the next frame on, and the drift reference of
//! its bundle.
//!
//! It is sticky. Its fields are the strings `name`, `version`, `digest` (of the model), `element`, `arm`, and, if the
//! bundle has a drift reference, `reference`: the digest of that. Within the process the reference itself is found by its
//! digest, for as long as the element that announced it holds it.

use std::sync::Arc;

use andon_core::result::{Arm, ModelId};
use andon_statistics::reference::Reference;

use crate::meta::shared::Shared;

/// References of running models, by their digests.
static REFERENCES: Shared<String, Reference> = Shared::new(256);

/// A drift reference and its digest.
#[derive(Clone)]
pub(super) struct Brought {
    digest: String,
    /// Alive in the table for as long as it is held here.
    _held: Arc<Reference>,
}

impl Brought {
    /// Puts a reference where it is found by its digest, for as long as what is returned is held.
    pub(super) fn new(digest: String, reference: Reference) -> Self {
        let held = REFERENCES.share(digest.clone(), Arc::new(reference));
        Self { digest, _held: held }
    }
}

/// What an event announces.
#[derive(Debug, PartialEq)]
pub(super) enum Announced {
    /// The model's bundle has no reference.
    Nothing,
    /// The reference of the model's bundle.
    Reference(Arc<Reference>),
    /// The model's bundle has a reference of this digest, and nobody in this process holds it.
    Elsewhere(String),
}

/// Returns the event for a model, which runs in an element of that name on that arm.
pub(super) fn announce(model: &ModelId, element: &str, arm: Arm, brought: Option<&Brought>) -> gst::Event {
    let s = gst::Structure::builder("andon/model")
        .field("name", &model.name)
        .field("version", &model.version)
        .field("digest", &model.digest)
        .field("element", element)
        .field("arm", arm.as_str())
        .field_if_some("reference", brought.map(|b| &b.digest));
    gst::event::CustomDownstreamSticky::new(s.build())
}

/// Returns what the event announces, or None if it announces no model.
pub(super) fn announced(event: &gst::EventRef) -> Option<Announced> {
    let s = event.structure().filter(|s| s.name() == "andon/model")?;
    let Ok(digest) = s.get::<String>("reference") else { return Some(Announced::Nothing) };
    Some(match REFERENCES.get(&digest) {
        Some(reference) => Announced::Reference(reference),
        None => Announced::Elsewhere(digest),
    })
}
