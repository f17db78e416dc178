// SPDX-License-Identifier: MPL-2.0
//! A model in use: its engine, and an execution context for each frame that may be in work on it.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use andon_core::{
    result::{Fields, Part},
    text::{self, NotText},
};
use andon_inference::{
    self as inference, Batcher, Cancel, Engine, ExecutionContext, Template, TemplateInput, Templates,
};
use andon_model::{Content, InputSource, Pattern};
use andon_statistics::{guard::Baseline, reference::Reference};
use parking_lot::Mutex;

use super::{
    ask::{Ask, Batch},
    shadows,
    shared::{self, Member},
    slot::Loaded,
};
use crate::elements::reference::Brought;

/// A model and what frames need to run on it. A frame in work holds it, so that it outlives a swap for as long as that
/// frame needs it.
pub(crate) struct Running {
    engine: Arc<Engine>,
    /// The request that led to it.
    pub ask: Ask,
    /// The place in the share; None if the engine is not shared.
    pub member: Option<Member>,
    /// Gathers frames of all elements that share the engine; None if each frame runs by itself.
    pub batcher: Option<Arc<Batcher>>,
    /// What its bundle says is normal, for `driftmeter`.
    pub reference: Result<Option<Brought>, ReferenceError>,
    /// The verdicts that this version gave as a shadow before it was loaded here.
    pub as_shadow: Option<Baseline>,
    /// The golden templates that the model asks for, in the manifest's order.
    templates: Mutex<Vec<TemplateInput>>,
    /// Whether no frames come just now, so that no batch must wait for them.
    paused: AtomicBool,
    /// How many contexts there are.
    made: Mutex<usize>,
    /// The contexts that no frame uses.
    contexts: Mutex<Vec<ExecutionContext>>,
}

/// A bundle's drift reference that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReferenceError {
    /// The file is no text.
    #[error("{}: {error}", .path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        error: NotText,
    },
    /// The file is no reference.
    #[error("{}: {problem}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// A golden template that a frame needs and that is not there, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MissingTemplate(String);

impl Loaded for Running {
    fn asked_for(&self) -> &str {
        &self.ask.model
    }
}

impl Deref for Running {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Running {
    /// Loads a model, or joins those that share it, until `cancel` ends that. Takes its time and reads the disk, and may never
    /// come back: for a thread that may be left behind.
    pub(crate) fn load(ask: Ask, cancel: &Arc<Cancel>) -> Result<Self, inference::Error> {
        let (engine, member) = if ask.share.is_empty() {
            (Arc::new(Engine::load_until(&ask.model, &ask.of_session(), cancel)?), None)
        } else {
            let (engine, member) = shared::join(&ask, cancel)?;
            (engine, Some(member))
        };
        let Batch { size, timeout } = ask.batch;
        let batcher = match &member {
            _ if size <= 1 => None,
            None => Some(Batcher::new_until(&engine, size, timeout, cancel)?),
            Some(member) => Some(member.batcher(&engine, size, timeout, cancel)?),
        };
        let files = engine.manifest().inputs.iter().filter(|i| i.source() == Some(InputSource::ImageFile));
        let patterns = files.filter_map(|i| Pattern::parse(i.pattern.as_deref()?).ok());
        let templates = Mutex::new(patterns.map(TemplateInput::new).collect());
        let n = ask.frames.max(1);
        let (made, contexts) = (Mutex::new(0), Mutex::new(Vec::with_capacity(n)));
        let paused = AtomicBool::default();
        let as_shadow = shadows::baseline(engine.id());
        let reference = engine.reference().map(read_reference).transpose();
        if member.is_none() {
            engine.prove_until(cancel)?;
        }
        let running = Self { engine, ask, member, batcher, reference, as_shadow, templates, paused, made, contexts };
        running.reserve(n)?;
        if cancel.ended() {
            return Err(inference::Error::Cancelled);
        }
        if running.batcher.is_none() {
            // So that no frame waits for what a first run allocates.
            running.contexts.lock().iter_mut().try_for_each(|context| context.warm_up_until(cancel))?;
        }
        Ok(running)
    }

    /// Returns how many elements use the engine.
    pub(crate) fn users(&self) -> usize {
        self.member.as_ref().map_or(1, Member::users)
    }

    /// Makes contexts until there are at least `n`.
    pub(crate) fn reserve(&self, n: usize) -> Result<(), inference::Error> {
        let mut made = self.made.lock();
        while *made < n {
            let context = self.new_context()?;
            self.contexts.lock().push(context);
            *made += 1;
        }
        Ok(())
    }

    fn new_context(&self) -> Result<ExecutionContext, inference::Error> {
        match &self.batcher {
            Some(batcher) => batcher.context(),
            None => self.engine.context(),
        }
    }

    /// Returns the golden templates for a frame, in the manifest's order. If `wait` is given, waits for those that are
    /// still being read.
    pub(crate) fn templates(
        &self,
        templates: Option<&Templates>,
        part: Option<&Part>,
        fields: &Fields,
        wait: Option<&Cancel>,
    ) -> Result<Vec<Option<Arc<Template>>>, MissingTemplate> {
        let mut inputs = self.templates.lock();
        let find = |input: &mut TemplateInput| input.find(templates, part, fields, wait).map(|t| Some(t.clone()));
        let found: Result<_, _> = inputs.iter_mut().map(find).collect();
        found.map_err(|why| MissingTemplate(why.to_string()))
    }

    /// Says that no frames come for a while, so that no batch waits for them. The next frame takes it back.
    pub(crate) fn pause(&self) {
        if self.batcher.is_some() {
            self.paused.store(true, Ordering::Release);
            self.contexts.lock().iter_mut().for_each(ExecutionContext::leave);
        }
    }

    /// Lends a context to `run`. Makes one if all are in use, which happens only after `in-flight` was raised.
    pub(crate) fn with_context<T>(
        &self,
        run: impl FnOnce(&mut ExecutionContext) -> Result<T, inference::Error>,
    ) -> Result<T, inference::Error> {
        if self.batcher.is_some() {
            self.paused.store(false, Ordering::Release);
        }
        let free = self.contexts.lock().pop();
        let mut context = match free {
            Some(context) => context,
            None => {
                *self.made.lock() += 1;
                self.new_context()?
            }
        };
        let done = run(&mut context);
        if self.paused.load(Ordering::Acquire) {
            context.leave();
        }
        self.contexts.lock().push(context);
        done
    }
}

fn read_reference(file: &Content) -> Result<Brought, ReferenceError> {
    let path = || file.path.clone();
    let text = text::decode(file.bytes.to_vec()).map_err(|error| ReferenceError::NoText { path: path(), error })?;
    let malformed = |problem: String| ReferenceError::Malformed { path: path(), problem };
    let reference = Reference::from_json(&text).map_err(|e| malformed(e.to_string()))?;
    Ok(Brought::new(andon_model::digest(&file.bytes), reference))
}
