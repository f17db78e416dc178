// SPDX-License-Identifier: MPL-2.0
//! The event `andon/model`: `modelinfer` announces the model that runs from the next frame on, and the drift reference of
//! its bundle.
//!
//! It is sticky. Its fields are `name`, `version`, `digest`, and `reference`, which has a meaning within one process only.

use std::sync::Arc;

use andon_core::result::ModelId;
use andon_statistics::reference::Reference;

/// A drift reference as a field of a structure.
#[derive(Clone, glib::Boxed)]
#[boxed_type(name = "AndonDriftReference")]
struct Boxed(Arc<Reference>);

/// Returns the event for a model.
pub(super) fn announce(model: &ModelId, reference: Option<Arc<Reference>>) -> gst::Event {
    let s = gst::Structure::builder("andon/model")
        .field("name", &model.name)
        .field("version", &model.version)
        .field("digest", &model.digest);
    gst::event::CustomDownstreamSticky::new(match reference {
        Some(reference) => s.field("reference", Boxed(reference)).build(),
        None => s.build(),
    })
}

/// Returns the drift reference of the announced model, if its bundle has one. Returns None if the event announces no
/// model.
pub(super) fn announced(event: &gst::EventRef) -> Option<Option<Arc<Reference>>> {
    let s = event.structure().filter(|s| s.name() == "andon/model")?;
    Some(s.get::<Boxed>("reference").ok().map(|boxed| boxed.0))
}
