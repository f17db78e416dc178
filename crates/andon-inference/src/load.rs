// SPDX-License-Identifier: MPL-2.0
//! Loads a model: reads it, opens a session on a provider that can run it, and runs it once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

use andon_model::{self as model, Trust};

use crate::{Cancel, Engine, Error, Options, runtime, session};

/// How long a run that was ended may take to end.
const GRACE: Duration = Duration::from_secs(5);

impl Engine {
    /// Reads, checks and loads the model that `model` names (see [`andon_model::open`]), and runs it once on a black
    /// frame, so that a model that cannot run is refused here.
    ///
    /// Loading reads files and takes up to minutes: never call it on a streaming thread.
    ///
    /// # Errors
    /// Every kind of [`Error`] except [`Error::Cancelled`], [`Error::Golden`] and [`Error::Refused`].
    pub fn load(model: &str, options: &Options) -> Result<Self, Error> {
        Self::load_until(model, options, &Arc::new(Cancel::new()?))
    }

    /// Loads as [`Engine::load`] does, until `cancel` ends it. While ONNX Runtime reads the graph, that has to wait.
    ///
    /// # Errors
    /// Those of [`Engine::load`], and [`Error::Cancelled`].
    pub fn load_until(model: &str, options: &Options, cancel: &Arc<Cancel>) -> Result<Self, Error> {
        let runs = Arc::new(AtomicBool::new(false));
        let Some(limit) = options.time_limit else { return Self::load_here(model, options, cancel, &runs) };
        let (sender, loaded) = sync_channel(1);
        let load = {
            let (model, options, cancel, runs) = (model.to_string(), options.clone(), cancel.clone(), runs.clone());
            // Nobody waits any more for what comes too late: it is freed where it was made.
            move || drop(sender.send(Self::load_here(&model, &options, &cancel, &runs)))
        };
        let thread = thread::Builder::new().name("andon-loading".into()).spawn(load);
        let thread = thread.map_err(|e| Error::Runtime(format!("there is no thread to load a model: {e}")))?;
        match loaded.recv_timeout(limit) {
            Ok(loaded) => {
                // The thread leaves nothing behind. A panic has been reported by the hook, and sends nothing.
                let _ = thread.join();
                loaded
            }
            Err(RecvTimeoutError::Timeout) => {
                cancel.terminate();
                let in_run = runs.load(Ordering::Acquire);
                let doing = if in_run { "its first run" } else { "reading the model" };
                if in_run {
                    // The run ends at its next operator, and a program that ends now does not pull the runtime from under it.
                    let _ = loaded.recv_timeout(GRACE);
                }
                Err(Error::TooLong { model: model.into(), doing, limit })
            }
            Err(RecvTimeoutError::Disconnected) => Err(Error::Runtime(format!("loading {model} broke off"))),
        }
    }

    /// Loads on this thread. Sets `runs` before the first run.
    fn load_here(model: &str, options: &Options, cancel: &Cancel, runs: &AtomicBool) -> Result<Self, Error> {
        // A missing runtime is the first thing to mend.
        runtime::environment()?;
        let options = &Options { labels: crate::labels::resolved(&options.labels)?, ..options.clone() };
        let source = match &options.trusted_keys {
            Some(keys) => model::open_trusted(model, &Trust::read(keys)?)?,
            None => model::open(model)?,
        };
        session::open(&source, options, |opened| {
            if cancel.ended() {
                return Err(Error::Cancelled);
            }
            let engine = Self::new(&source, opened, options)?;
            runs.store(true, Ordering::Release);
            engine.warmed_up(cancel)
        })
    }

    /// Runs the model once on a black frame with every field at zero. The run allocates what ONNX Runtime keeps, and
    /// shows whether the outputs can be read.
    fn warmed_up(self, cancel: &Cancel) -> Result<Self, Error> {
        let engine = Arc::new(self);
        let first = engine.context()?.warm_up_until(cancel);
        let mut engine = Arc::into_inner(engine).expect("the context that was warmed up is dropped");
        let again = first.is_err() && !cancel.ended() && engine.plan.outputs.iter().any(|o| o.shape.is_some());
        if !again {
            return first.map(|()| engine);
        }
        // Some exporters write shapes into the graph that its outputs then do not have.
        engine.plan.outputs.iter_mut().for_each(|o| o.shape = None);
        let engine = Arc::new(engine);
        engine.context()?.warm_up_until(cancel)?;
        Ok(Arc::into_inner(engine).expect("the context that was warmed up is dropped"))
    }
}
