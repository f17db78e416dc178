// SPDX-License-Identifier: MPL-2.0
//! Loads a model: reads it, opens a session on a provider that can run it, and runs it once.

use std::sync::Arc;

use andon_model::{self as model, Trust};

use crate::{Engine, Error, Options, runtime, session};

impl Engine {
    /// Reads, checks and loads the model that `model` names (see [`andon_model::open`]), and runs it once on a black
    /// frame, so that a model that cannot run is refused here.
    ///
    /// Loading reads files and takes up to minutes: never call it on a streaming thread.
    ///
    /// # Errors
    /// Every kind of [`Error`] except [`Error::Cancelled`], [`Error::Golden`] and [`Error::Refused`].
    pub fn load(model: &str, options: &Options) -> Result<Self, Error> {
        // A missing runtime is the first thing to mend.
        runtime::environment()?;
        let source = match &options.trusted_keys {
            Some(keys) => model::open_trusted(model, &Trust::read(keys)?)?,
            None => model::open(model)?,
        };
        session::open(&source, options, |opened| Self::new(&source, opened, options)?.warmed_up())
    }

    /// Runs the model once on a black frame with every field at zero. The run allocates what ONNX Runtime keeps, and
    /// shows whether the outputs can be read.
    fn warmed_up(self) -> Result<Self, Error> {
        let engine = Arc::new(self);
        let first = engine.context()?.warm_up();
        let mut engine = Arc::into_inner(engine).expect("the context that was warmed up is dropped");
        if first.is_ok() || engine.plan.outputs.iter().all(|o| o.shape.is_none()) {
            return first.map(|()| engine);
        }
        // Some exporters write shapes into the graph that its outputs then do not have.
        engine.plan.outputs.iter_mut().for_each(|o| o.shape = None);
        let engine = Arc::new(engine);
        engine.context()?.warm_up()?;
        Ok(Arc::into_inner(engine).expect("the context that was warmed up is dropped"))
    }
}
