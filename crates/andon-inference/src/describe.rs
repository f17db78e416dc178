// SPDX-License-Identifier: MPL-2.0
//! The manifest that a graph without one would have, for writing it to a file.

use std::{sync::Arc, time::Duration};

use andon_model::{self as model, Decoder, Manifest};
use ort::session::Session;

use crate::{
    Assumption, Cancel, Engine, Error, Options,
    derive::{self, Graph, Missing, Unknown},
    engine, labels,
    load::Underived,
    loads::within,
    runtime, session,
};

/// What the user knows of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The names of the graph's classes, in its order; empty for the names in the file.
    pub labels: Vec<String>,
    /// The labels that mean good; empty to go by their names.
    pub good: Vec<String>,
    /// How the outputs are read, where the user knows it and the graph does not show it. The manifest is then a draft.
    pub decoder: Option<Decoder>,
    /// How long describing may take; `None` for no limit.
    pub time_limit: Option<Duration>,
}

/// The answer of [`describe`].
#[derive(Clone, Debug, PartialEq)]
pub enum Described {
    /// The manifest is complete.
    Whole {
        /// The manifest. Its `model` and its version are empty, and its name is the file's.
        manifest: Box<Manifest>,
        /// What of it was assumed, because nothing says it; empty for a bundle.
        assumptions: Vec<Assumption>,
    },
    /// The graph leaves open what only the user can know.
    Lacks(Unknown),
}

/// Derives the manifest of an `.onnx` file from its graph, its exporter's notes, a `.modelinfo` beside it and the hints.
/// For a bundle it returns the bundle's own manifest. A bare file runs on a black frame and on noise, which choose between
/// readings, unless the hints name its decoder.
///
/// # Errors
/// [`Error::Graph`] if the graph is ambiguous, with the way out; other errors are those of reading and loading a model.
pub fn describe(model: &str, hints: &Hints) -> Result<Described, Error> {
    let (name, hints) = (model.to_string(), hints.clone());
    let cancel = Arc::new(Cancel::early());
    within(model, hints.time_limit, &cancel, move |cancel| described(&name, &hints, cancel))
}

fn described(model: &str, hints: &Hints, cancel: &Cancel) -> Result<Described, Error> {
    runtime::environment()?;
    // What the engine reads of a graph is held to the policies, as a load is.
    let source = model::open(model)?;
    if let Some(manifest) = source.manifest {
        return Ok(Described::Whole { manifest: Box::new(manifest), assumptions: Vec::new() });
    }
    let labels = labels::resolved(&hints.labels)?;
    let lacking = |missing: Missing, session: Option<&Session>| match missing.what {
        Some(what) => Ok(Described::Lacks(what)),
        None => Err(engine::refusal(&source.path, true, &missing.problem, session)),
    };
    session::open(&source, &Options::default(), |opened| {
        if let Some(decoder) = hints.decoder {
            let graph = Graph::new(&opened.session, source.info.clone());
            return match derive::draft(&source.id, &graph, decoder, &labels, &hints.good) {
                Ok((manifest, assumptions)) => {
                    let invalid = |e: model::FieldError| {
                        let problem = format!("the draft of its manifest is not valid: {e}");
                        engine::refusal(&source.path, true, &problem, Some(&opened.session))
                    };
                    manifest.check().map_err(invalid)?;
                    Ok(Described::Whole { manifest: Box::new(manifest), assumptions })
                }
                Err(missing) => lacking(missing, Some(&opened.session)),
            };
        }
        match Engine::derived(&source, opened, (&labels, &hints.good), cancel) {
            Ok(engine) => {
                let assumptions = engine.assumptions().to_vec();
                Ok(Described::Whole { manifest: Box::new(engine.manifest().clone()), assumptions })
            }
            // It shows the graph's inputs and outputs itself.
            Err(Underived::Missing(missing)) => lacking(missing, None),
            Err(Underived::Failed(error)) => Err(error),
        }
    })
}
