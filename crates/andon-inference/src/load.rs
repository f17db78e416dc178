// SPDX-License-Identifier: MPL-2.0
//! Loads a model: reads it, opens a session on a provider that can run it, and runs it once.

use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use andon_core::image::Image;
use andon_model::{self as model, Source, Trust};

use crate::{
    Cancel, Engine, Error, ExecutionContext, Options,
    derive::{self, Graph, Missing, Seen, TRIED},
    engine,
    loads::within,
    runtime,
    session::{self, Opened},
};

/// How many times as long as on black a model may take on noise, which only helps to choose between readings; and the least
/// time that it has for it.
const PATIENCE: u32 = 10;
const LEAST: Duration = Duration::from_secs(1);

/// How often that time is looked at.
const TICK: Duration = Duration::from_millis(20);

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

/// What the model gives on `image`, unless it fails or takes longer than `limit`, or `cancel` ends it.
fn limited(context: &mut ExecutionContext, image: &Image<'_>, limit: Duration, cancel: &Cancel) -> Option<Seen> {
    let own = Cancel::new().ok()?;
    let until = Instant::now() + limit;
    thread::scope(|scope| {
        let (done, over) = channel::<()>();
        let own = &own;
        let watch = move || {
            while over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                if cancel.ended() || Instant::now() >= until {
                    own.terminate();
                }
            }
        };
        if thread::Builder::new().spawn_scoped(scope, watch).is_err() {
            // A system that gives no thread leaves it to `cancel`: black has shown that the model comes to an end.
            return context.seen(image, cancel).ok();
        }
        let seen = context.seen(image, own);
        drop(done);
        seen.ok()
    })
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
        Self::load_until(model, options, &Arc::new(Cancel::early()))
    }

    /// Loads as [`Engine::load`] does, until `cancel` ends it. While ONNX Runtime reads the graph, that has to wait: without a
    /// time limit the model loads on this thread, which must then be one that may be left behind (see [`LOADS`](crate::LOADS)).
    ///
    /// # Errors
    /// Those of [`Engine::load`], and [`Error::Cancelled`].
    pub fn load_until(model: &str, options: &Options, cancel: &Arc<Cancel>) -> Result<Self, Error> {
        let (name, options) = (model.to_string(), options.clone());
        let limit = options.time_limit;
        within(model, limit, cancel, move |cancel| Self::load_here(&name, &options, cancel))
    }

    /// Loads on this thread.
    fn load_here(model: &str, options: &Options, cancel: &Cancel) -> Result<Self, Error> {
        // A missing runtime is the first thing to mend.
        runtime::environment()?;
        let options = &Options { labels: crate::labels::resolved(&options.labels)?, ..options.clone() };
        let source = match &options.trusted_keys {
            Some(keys) => model::open_trusted(model, &Trust::read(keys)?)?,
            None => model::open(model)?,
        };
        Self::load_source(&source, options, cancel)
    }

    /// Loads a model that was read and checked already, and runs it once as [`Engine::load`] does. With `prove`, it also judges
    /// its golden samples. [`Options::trusted_keys`] is for those who read it.
    ///
    /// # Errors
    /// Those of [`Engine::load`], and with `prove` those of [`Engine::prove`].
    pub fn of(source: Source, options: &Options, prove: bool) -> Result<Arc<Self>, Error> {
        let (name, options) = (source.path.display().to_string(), options.clone());
        let limit = options.time_limit;
        within(&name, limit, &Arc::new(Cancel::early()), move |cancel| {
            runtime::environment()?;
            let options = Options { labels: crate::labels::resolved(&options.labels)?, ..options };
            let engine = Arc::new(Self::load_source(&source, &options, cancel)?);
            if prove {
                engine.prove_until(cancel)?;
            }
            Ok(engine)
        })
    }

    fn load_source(source: &Source, options: &Options, cancel: &Cancel) -> Result<Self, Error> {
        session::open(source, options, |opened| {
            if cancel.ended() {
                return Err(Error::Cancelled);
            }
            let engine = match &source.manifest {
                Some(manifest) => Self::new(source, opened, manifest.clone())?,
                None => Self::derived(source, opened, (&options.labels, &[]), cancel).map_err(|e| match e {
                    // It shows the graph's inputs and outputs itself.
                    Underived::Missing(missing) => engine::refusal(&source.path, true, &missing.problem, None),
                    Underived::Failed(error) => error,
                })?,
            };
            cancel.runs();
            engine.warmed_up(cancel)
        })
    }

    /// Tries a bare file on a black frame and on noise, until `cancel` ends that, and takes the only reading that explains what
    /// it gives. Labels, and which of them mean good, come from the user.
    pub(super) fn derived(
        source: &Source,
        opened: Opened,
        (labels, good): (&[String], &[String]),
        cancel: &Cancel,
    ) -> Result<Self, Underived> {
        let graph = Graph::new(&opened.session, source.info.clone());
        let candidates = derive::candidates(&source.id, &graph, labels, good)?;
        let (mut trial, fixed) = candidates.trial()?;
        let mut engine = Self::new(source, opened, trial.clone())?;
        let sizes = if fixed { &TRIED[..1] } else { TRIED };
        let mut last = None;
        cancel.runs();
        for size in sizes {
            if !fixed {
                trial.inputs[0].size = Some(*size);
                engine = engine.read_as(trial.clone(), Vec::new())?;
            }
            let tried;
            (engine, tried) = engine.seen(cancel);
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

    /// What the model gives on a black frame and on noise. A model that fails on noise, gives NaN, or takes far longer than on
    /// black, tells by the black frame alone.
    fn seen(mut self, cancel: &Cancel) -> (Self, Result<Vec<Seen>, Error>) {
        // Some exporters write shapes into the graph that its outputs then do not have.
        self.plan.outputs.iter_mut().for_each(|o| o.shape = None);
        let [w, h] = self.frame_size().unwrap_or(self.tried);
        let (black, noise) = (vec![0; w * h], noise(1, w * h));
        let engine = Arc::new(self);
        let runs = engine.context().and_then(|mut context| {
            let image = |pixels| Image::gray8(pixels, w, h).expect("the plane was made for the size");
            let begun = Instant::now();
            let mut runs = vec![context.seen(&image(&black), cancel)?];
            let limit = (begun.elapsed() * PATIENCE).max(LEAST);
            runs.extend(limited(&mut context, &image(&noise), limit, cancel));
            if cancel.ended() {
                return Err(Error::Cancelled);
            }
            if runs.iter().any(|r| !r.broken()) {
                runs.retain(|r| !r.broken());
            }
            Ok(runs)
        });
        (Arc::into_inner(engine).expect("the context that tried it is dropped"), runs)
    }

    /// Runs the model once on a black frame with every field at zero. The run allocates what ONNX Runtime keeps, and
    /// shows whether the outputs can be read.
    fn warmed_up(self, cancel: &Cancel) -> Result<Self, Error> {
        let (mut engine, first) = self.warm(cancel);
        let again = first.is_err() && !cancel.ended() && engine.plan.outputs.iter().any(|o| o.shape.is_some());
        if !again {
            return first.map(|()| engine);
        }
        // Some exporters write shapes into the graph that its outputs then do not have.
        engine.plan.outputs.iter_mut().for_each(|o| o.shape = None);
        let (engine, second) = engine.warm(cancel);
        second.map(|()| engine)
    }

    /// Runs the model until `cancel` ends that, and holds all contexts to the reading of scores that its numbers show.
    fn warm(self, cancel: &Cancel) -> (Self, Result<(), Error>) {
        let engine = Arc::new(self);
        let tried =
            engine.context().and_then(|mut context| context.warm_up_until(cancel).map(|()| context.activation()));
        let mut engine = Arc::into_inner(engine).expect("the context that was warmed up is dropped");
        let tried = tried.map(|activation| engine.settle(activation));
        (engine, tried)
    }
}
