// SPDX-License-Identifier: MPL-2.0
//! The manifest that a graph without one would have, for writing it to a file.

use andon_model::{self as model, Decoder, Manifest};

use crate::{
    Assumption, Error, Options,
    derive::{self, Graph, Missing, Unknown},
    engine, labels, runtime, session,
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
/// For a bundle it returns the bundle's own manifest. ONNX Runtime reads the graph, and runs nothing.
///
/// # Errors
/// [`Error::Graph`] if the graph is ambiguous, with the way out; other errors are those of reading and loading a model.
pub fn describe(model: &str, hints: &Hints) -> Result<Described, Error> {
    runtime::environment()?;
    let source = model::inspect(model)?;
    if let Some(manifest) = source.manifest {
        return Ok(Described::Whole { manifest: Box::new(manifest), assumptions: Vec::new() });
    }
    let labels = labels::resolved(&hints.labels)?;
    session::open(&source, &Options::default(), |opened| {
        let graph = Graph::new(&opened.session, source.info.clone());
        let manifest = match hints.decoder {
            Some(decoder) => derive::draft(&source.id, &graph, decoder, &labels, &hints.good),
            None => derive::manifest(&source.id, &graph, &labels, &hints.good),
        };
        match manifest {
            Ok((manifest, assumptions)) => {
                let fail = |e: model::FieldError| Error::Graph {
                    path: source.path.clone(),
                    problem: format!("the manifest that its graph gives is not valid: {e}"),
                };
                manifest.check().map_err(fail)?;
                Ok(Described::Whole { manifest: Box::new(manifest), assumptions })
            }
            Err(Missing { what: Some(what), .. }) => Ok(Described::Lacks(what)),
            Err(Missing { problem, .. }) => Err(engine::refusal(&source.path, true, &problem, &opened.session)),
        }
    })
}
