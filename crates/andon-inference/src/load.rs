// SPDX-License-Identifier: MPL-2.0
//! Loads a model: reads it, opens a session on a provider that can run it, and runs it once.

use std::sync::Arc;

use andon_core::image::Image;
use andon_model::{self as model, Source, Trust};

use crate::{
    Engine, Error, Options,
    derive::{self, Graph, Missing, Seen, TRIED},
    runtime,
    session::{self, Opened},
};

/// Why a bare file gives no engine.
pub(super) enum Underived {
    /// Its graph leaves something open.
    Missing(Missing),
    /// It cannot be tried.
    Failed(Error),
}

impl From<Missing> for Underived {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<Error> for Underived {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Grey values of a picture of noise, always the same for a seed.
pub(super) fn noise(seed: u32, pixels: usize) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..pixels).map(next).collect()
}

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
        session::open(&source, options, |opened| {
            let engine = match &source.manifest {
                Some(manifest) => Self::new(&source, opened, manifest.clone())?,
                None => Self::derived(&source, opened, &options.labels, &[]).map_err(|e| match e {
                    Underived::Missing(missing) => Error::Graph { path: source.path.clone(), problem: missing.problem },
                    Underived::Failed(error) => error,
                })?,
            };
            engine.warmed_up()
        })
    }

    /// Tries a bare file on a black frame and on noise, and takes the only reading that explains what it gives.
    pub(super) fn derived(
        source: &Source,
        opened: Opened,
        labels: &[String],
        good: &[String],
    ) -> Result<Self, Underived> {
        let graph = Graph::new(&opened.session, source.info.clone());
        let candidates = derive::candidates(&source.id, &graph, labels, good)?;
        let (mut trial, fixed) = candidates.trial()?;
        let mut engine = Self::new(source, opened, trial.clone())?;
        let sizes = if fixed { &TRIED[..1] } else { TRIED };
        let mut last = None;
        for size in sizes {
            if !fixed {
                trial.inputs[0].size = Some(*size);
                engine = engine.read_as(trial.clone(), Vec::new())?;
            }
            let tried;
            (engine, tried) = engine.seen();
            match tried {
                Ok(runs) => {
                    let (manifest, assumptions) = candidates.chosen(&runs)?;
                    let mut engine = engine.read_as(manifest, assumptions)?;
                    if !fixed {
                        engine.tried = size.map(|v| v as usize);
                    }
                    return Ok(engine);
                }
                Err(error @ Error::Run(_)) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.expect("one size at least was tried").into())
    }

    /// What the model gives on a black frame and on noise.
    fn seen(mut self) -> (Self, Result<Vec<Seen>, Error>) {
        // Some exporters write shapes into the graph that its outputs then do not have.
        self.plan.outputs.iter_mut().for_each(|o| o.shape = None);
        let [w, h] = self.frame_size().unwrap_or(self.tried);
        let pictures = [vec![0; w * h], noise(1, w * h)];
        let engine = Arc::new(self);
        let runs = engine.context().and_then(|mut context| {
            let image = |pixels| Image::gray8(pixels, w, h).expect("the plane was made for the size");
            pictures.iter().map(|pixels| context.seen(&image(pixels))).collect()
        });
        (Arc::into_inner(engine).expect("the context that tried it is dropped"), runs)
    }

    /// Runs the model once on a black frame with every field at zero. The run allocates what ONNX Runtime keeps, and
    /// shows whether the outputs can be read.
    fn warmed_up(self) -> Result<Self, Error> {
        let (mut engine, first) = self.warm();
        if first.is_ok() || engine.plan.outputs.iter().all(|o| o.shape.is_none()) {
            return first.map(|()| engine);
        }
        // Some exporters write shapes into the graph that its outputs then do not have.
        engine.plan.outputs.iter_mut().for_each(|o| o.shape = None);
        let (engine, second) = engine.warm();
        second.map(|()| engine)
    }

    /// Runs the model, and holds all contexts to the reading of scores that its numbers show.
    fn warm(self) -> (Self, Result<(), Error>) {
        let engine = Arc::new(self);
        let tried = engine.context().and_then(|mut context| context.warm_up().map(|()| context.activation()));
        let mut engine = Arc::into_inner(engine).expect("the context that was warmed up is dropped");
        let tried = tried.map(|activation| engine.settle(activation));
        (engine, tried)
    }
}
