// SPDX-License-Identifier: MPL-2.0
//! A model in use: its engine, and as many lanes as frames may be in work on it.

use std::{
    fs,
    ops::Deref,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use andon_core::result::{Fields, Part};
use andon_inference::{
    self as inference, Batcher, Cancel, Engine, ExecutionContext as Lane, Options, Template, TemplateInput, Templates,
};
use andon_model::{InputSource, Pattern};
use andon_statistics::{guard::Baseline, reference::Reference};
use parking_lot::Mutex;

use super::shared::{self, Member};

/// What to load, and how.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::elements::modelinfer) struct Ask {
    /// What `model=` said.
    pub model: String,
    /// Threads, providers and so on.
    pub options: Options,
    /// Frames that will be in work at a time.
    pub lanes: usize,
    /// Whom to share with; nobody where it is empty.
    pub share: String,
    /// How frames are gathered.
    pub batch: Batch,
}

/// How frames are gathered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::elements::modelinfer) struct Batch {
    /// Frames of one run, at most.
    pub size: usize,
    /// How long the first waits for others.
    pub timeout: Duration,
}

/// A model and what frames need to run on it. Frames in work hold it, so that it outlives a swap as long as they need
/// it.
pub(in crate::elements::modelinfer) struct Running {
    engine: Arc<Engine>,
    /// What was asked for.
    pub ask: Ask,
    /// The place among those that share the engine; none where nobody does.
    pub member: Option<Member>,
    /// Gathers frames of all who share the engine; none where each runs by itself.
    pub batcher: Option<Arc<Batcher>>,
    /// What its bundle says is normal, for `driftmeter`; or why that cannot be read.
    pub reference: Result<Option<Arc<Reference>>, String>,
    /// The verdicts that this version gave as a shadow, before it was loaded here.
    pub as_shadow: Option<Baseline>,
    /// Which golden templates the model asks for, in the manifest's order.
    templates: Mutex<Vec<TemplateInput>>,
    /// No frames come just now: nobody is to wait for them.
    resting: AtomicBool,
    /// How many lanes there are.
    made: Mutex<usize>,
    /// Those that no frame is using.
    lanes: Mutex<Vec<Lane>>,
}

impl Deref for Running {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Running {
    /// Loads what was asked for, or finds it where it is shared. Takes its time.
    pub fn load(ask: Ask) -> Result<Self, inference::Error> {
        let (engine, member) = if ask.share.is_empty() {
            (Arc::new(Engine::load(&ask.model, &ask.options)?), None)
        } else {
            let (engine, member) = shared::join(&ask)?;
            (engine, Some(member))
        };
        let Batch { size, timeout } = ask.batch;
        let batcher = match &member {
            _ if size <= 1 => None,
            None => Some(Batcher::new(&engine, size, timeout)?),
            Some(member) => Some(member.batcher(&engine, size, timeout)?),
        };
        let files = engine.manifest().inputs.iter().filter(|i| i.source() == Some(InputSource::ImageFile));
        let patterns = files.filter_map(|i| Pattern::parse(i.pattern.as_deref()?).ok());
        let templates = Mutex::new(patterns.map(TemplateInput::new).collect());
        let n = ask.lanes.max(1);
        let (made, lanes) = (Mutex::new(0), Mutex::new(Vec::with_capacity(n)));
        let resting = AtomicBool::default();
        let as_shadow = super::probation::as_shadow(engine.id());
        let reference = engine.reference().map(read_reference).transpose();
        if member.is_none() {
            engine.prove()?;
        }
        let running = Self { engine, ask, member, batcher, reference, as_shadow, templates, resting, made, lanes };
        running.reserve(n)?;
        if running.batcher.is_none() {
            // What a first run allocates is not to be waited for by a frame.
            running.lanes.lock().iter_mut().try_for_each(Lane::warm_up)?;
        }
        Ok(running)
    }

    /// How many elements use the session.
    pub fn users(&self) -> usize {
        self.member.as_ref().map_or(1, Member::users)
    }

    /// Makes lanes for `n` frames in work, where there are fewer than that.
    pub fn reserve(&self, n: usize) -> Result<(), inference::Error> {
        let mut made = self.made.lock();
        while *made < n {
            let lane = self.lane()?;
            self.lanes.lock().push(lane);
            *made += 1;
        }
        Ok(())
    }

    fn lane(&self) -> Result<Lane, inference::Error> {
        match &self.batcher {
            Some(batcher) => batcher.context(),
            None => self.engine.context(),
        }
    }

    /// The templates for a frame, or what is missing. With `wait`, what is still being read is waited for.
    pub fn templates(
        &self,
        templates: Option<&Templates>,
        part: Option<&Part>,
        fields: &Fields,
        wait: Option<&Cancel>,
    ) -> Result<Vec<Option<Arc<Template>>>, String> {
        let mut inputs = self.templates.lock();
        let find = |input: &mut TemplateInput| input.find(templates, part, fields, wait).cloned().map(Some);
        inputs.iter_mut().map(|input| find(input).map_err(|e| e.to_string())).collect()
    }

    /// No frames come for a while, so that others of a batch do not wait for them.
    pub fn rest(&self) {
        if self.batcher.is_some() {
            self.resting.store(true, Ordering::Release);
            self.lanes.lock().iter_mut().for_each(Lane::leave);
        }
    }

    /// Has a lane for the time of `run`; makes one where all are in use, which happens only after `in-flight` was raised.
    pub fn with_lane<T>(
        &self,
        run: impl FnOnce(&mut Lane) -> Result<T, inference::Error>,
    ) -> Result<T, inference::Error> {
        if self.batcher.is_some() {
            self.resting.store(false, Ordering::Release);
        }
        let free = self.lanes.lock().pop();
        let mut lane = match free {
            Some(lane) => lane,
            None => {
                *self.made.lock() += 1;
                self.lane()?
            }
        };
        let done = run(&mut lane);
        if self.resting.load(Ordering::Acquire) {
            lane.leave();
        }
        self.lanes.lock().push(lane);
        done
    }
}

fn read_reference(path: &Path) -> Result<Arc<Reference>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Reference::from_json(&text).map(Arc::new).map_err(|e| format!("{}: {e}", path.display()))
}
