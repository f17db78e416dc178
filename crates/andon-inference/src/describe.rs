// SPDX-License-Identifier: MPL-2.0
//! The manifest that a bare file would have: for writing one, not for running it.

use andon_model::{self as model, Manifest};

use super::{
    Error, Options,
    bare::{self, Unknown},
    graph, runtime, session,
};

/// What a person says of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The names of its classes in its order; empty for those in the file.
    pub labels: Vec<String>,
    /// Which of its labels are of what is good; empty for those whose names tell.
    pub good: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Described {
    /// The manifest. Its `model` is empty, its name is the file's and its version empty.
    Whole(Box<Manifest>),
    /// A person has to say something.
    Lacks(Unknown),
}

/// Tells what the manifest of an `.onnx` file would say, from the graph, its exporter's notes, a `.modelinfo` beside it and
/// the hints. Of a bundle it is the manifest that is there. The engine reads the graph, and runs nothing.
pub fn describe(model: &str, hints: &Hints) -> Result<Described, Error> {
    runtime::environment()?;
    let source = model::inspect(model)?;
    if let Some(manifest) = source.manifest {
        return Ok(Described::Whole(Box::new(manifest)));
    }
    session::open(&source, &Options::default(), |opened| {
        let face = graph::face(&opened.session, source.info.clone());
        let told = bare::manifest(&source.id, &face, &hints.labels, &hints.good);
        match told {
            Ok(manifest) => {
                let fail = |e: model::FieldError| Error::Graph {
                    path: source.path.clone(),
                    problem: format!("what its graph tells is no manifest: {e}"),
                };
                manifest.check().map_err(fail)?;
                Ok(Described::Whole(Box::new(manifest)))
            }
            Err(bare::Lack { what: Some(what), .. }) => Ok(Described::Lacks(what)),
            Err(bare::Lack { problem, .. }) => Err(Error::Graph { path: source.path.clone(), problem }),
        }
    })
}
