// SPDX-License-Identifier: MPL-2.0
//! The manifest that a graph without one would have, for writing it to a file.

use andon_model::{self as model, Manifest};

use crate::{
    Assumption, Engine, Error, Options,
    derive::{Missing, Unknown},
    load::Underived,
    runtime, session,
};

/// What the user knows of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The names of the graph's classes, in its order; empty for the names in the file.
    pub labels: Vec<String>,
    /// The labels that mean good; empty to go by their names.
    pub good: Vec<String>,
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
/// For a bundle it returns the bundle's own manifest. A bare file runs on a black frame and on noise, which choose between readings.
///
/// # Errors
/// [`Error::Graph`] if the graph is ambiguous, with the way out; other errors are those of reading and loading a model.
pub fn describe(model: &str, hints: &Hints) -> Result<Described, Error> {
    runtime::environment()?;
    let source = model::inspect(model)?;
    if let Some(manifest) = source.manifest {
        return Ok(Described::Whole { manifest: Box::new(manifest), assumptions: Vec::new() });
    }
    session::open(&source, &Options::default(), |opened| {
        match Engine::derived(&source, opened, &hints.labels, &hints.good) {
            Ok(engine) => {
                let assumptions = engine.assumptions().to_vec();
                Ok(Described::Whole { manifest: Box::new(engine.manifest().clone()), assumptions })
            }
            Err(Underived::Missing(Missing { what: Some(what), .. })) => Ok(Described::Lacks(what)),
            Err(Underived::Missing(Missing { problem, .. })) => {
                Err(Error::Graph { path: source.path.clone(), problem })
            }
            Err(Underived::Failed(error)) => Err(error),
        }
    })
}
