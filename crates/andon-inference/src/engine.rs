// SPDX-License-Identifier: MPL-2.0
//! One model ready to judge frames: what is loaded once and shared by all lanes.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use andon_core::{
    image::Image,
    result::{BoxPx, ModelId},
};
use andon_model::{self as model, Golden, Manifest, Source, Trust};
use ort::session::Session;
use parking_lot::Mutex;

use super::{
    Error,
    context::ExecutionContext,
    denormals::FlushDenormals,
    derive,
    plan::{self, Plan},
    runtime,
    session::{self, Opened},
};

/// How a model is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads within one operator; 0 for as many as there are physical cores.
    pub threads: usize,
    /// Execution providers by preference, each with its options: `tensorrt,openvino(device_type=GPU),cpu`, or `auto`.
    pub providers: String,
    /// Refuse to run on any provider but the first.
    pub strict: bool,
    /// Where ONNX Runtime is to write what each node of the graph took on which provider, in the format of Chrome's
    /// trace viewer: the beginning of a file's name. It is complete when the engine is gone. Runs get slower by it.
    pub profile: Option<PathBuf>,
    /// Names of the classes of a bare file that does not hold them.
    pub labels: Vec<String>,
    /// A file of minisign public keys: what none of them has signed is refused. None for whatever the store demands.
    pub trusted_keys: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 0,
            providers: "cpu".into(),
            strict: false,
            profile: None,
            labels: Vec::new(),
            trusted_keys: None,
        }
    }
}

/// A model in memory, checked and loaded; nothing of it changes. Frames are judged in its [`ExecutionContext`]s, as many at a time
/// as there are lanes.
pub struct Engine {
    id: Arc<ModelId>,
    manifest: Manifest,
    pub(super) path: PathBuf,
    provider: Arc<str>,
    fallbacks: Vec<String>,
    golden: Vec<Golden>,
    reference: Option<PathBuf>,
    pub(super) session: Session,
    /// What it takes and gives.
    pub(super) plan: Plan,
    /// Whether inputs have to be bound before each run: the provider may copy them to a memory of its own then.
    pub(super) devices: bool,
    /// Held through a run, where the provider is not known to stand several at a time.
    pub(super) gate: Option<Mutex<()>>,
}

impl Engine {
    /// Reads, checks and loads what `model` names (see [`model::open`]), and runs it once on an empty frame, so that
    /// what cannot work is refused here. Takes its time and touches the disk: never call it on a streaming thread.
    pub fn load(model: &str, options: &Options) -> Result<Self, Error> {
        // The runtime first: that it is missing is the first thing to mend.
        runtime::environment()?;
        let source = match &options.trusted_keys {
            Some(keys) => model::open_trusted(model, &Trust::read(keys)?)?,
            None => model::open(model)?,
        };
        // Loading may set this thread's mode for denormals; the guard puts it back.
        let _flush = FlushDenormals::new();
        session::open(&source, options, |opened| Self::new(&source, opened, options)?.warmed_up())
    }

    fn new(source: &Source, opened: Opened, options: &Options) -> Result<Self, Error> {
        let Opened { session, provider, fallbacks } = opened;
        let Source { id, manifest, info, path, golden, reference, .. } = source.clone();
        let fail = |problem: String| Error::Graph { path: path.clone(), problem };
        let manifest = match manifest {
            Some(manifest) => manifest,
            None => derive::manifest(&id, &plan::face(&session, info), &options.labels, &[])
                .map_err(|lack| fail(lack.problem))?,
        };
        let plan = Plan::new(&session, &manifest).map_err(fail)?;
        let own_memory = &*provider != "cpu";
        let (id, gate) = (Arc::new(id), own_memory.then(Mutex::default));
        Ok(Self {
            id,
            manifest,
            path,
            provider,
            fallbacks,
            golden,
            reference,
            session,
            plan,
            devices: own_memory,
            gate,
        })
    }

    /// Runs once on a black frame with every field at zero: allocates what a run needs, and shows whether outputs can
    /// be read.
    fn warmed_up(self) -> Result<Self, Error> {
        let engine = Arc::new(self);
        let first = engine.context()?.warm_up();
        let mut engine = Arc::into_inner(engine).expect("the lane that was warmed up is gone");
        if first.is_ok() || engine.plan.outputs.iter().all(|o| o.shape.is_none()) {
            return first.map(|()| engine);
        }
        // Some exporters write shapes into the graph that its outputs then do not have.
        engine.plan.outputs.iter_mut().for_each(|o| o.shape = None);
        let engine = Arc::new(engine);
        engine.context()?.warm_up()?;
        Ok(Arc::into_inner(engine).expect("the lane that was warmed up is gone"))
    }

    /// Name, version and digest.
    pub fn id(&self) -> &Arc<ModelId> {
        &self.id
    }

    /// What the bundle says of the model, or what was made out of a bare file.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The execution provider that runs it.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// Providers that were wanted before the one in use, each with why it was not taken.
    pub fn fallbacks(&self) -> &[String] {
        &self.fallbacks
    }

    /// ImageInputs that it must judge as its bundle says.
    pub fn golden(&self) -> &[Golden] {
        &self.golden
    }

    /// Its bundle's drift reference, a file.
    pub fn reference(&self) -> Option<&Path> {
        self.reference.as_deref()
    }

    /// Frames that one run can take: 1, or [`usize::MAX`] where the graph leaves the batch axis open.
    pub fn most_in_batch(&self) -> usize {
        if self.plan.batches { usize::MAX } else { 1 }
    }

    /// Width and height of the frame's tensor; none where it follows the frame's size.
    pub(super) fn frame_size(&self) -> Option<[usize; 2]> {
        self.plan.size()
    }

    /// Width and height of the tensor for a frame, or for a part of it.
    pub(super) fn size_for(&self, image: &Image<'_>, region: Option<BoxPx>) -> [usize; 2] {
        self.frame_size().unwrap_or_else(|| {
            let multiple = self.manifest().image().multiple as usize;
            let [w, h] = region.map_or([image.width, image.height], |r| [r[2].ceil() as usize, r[3].ceil() as usize]);
            [w, h].map(|v| v.max(1).next_multiple_of(multiple))
        })
    }

    /// What one frame in work needs. Allocates: make it before frames flow.
    pub fn context(self: &Arc<Self>) -> Result<ExecutionContext, Error> {
        ExecutionContext::new(self.clone())
    }
}

/// Runs foreign code; its panic becomes an error.
pub fn catch_panic<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(format!("panic: {}", text_of(&*panic))))
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

/// Lanes on several threads share it.
const _: () = {
    const fn may_share<T: Send + Sync>() {}
    may_share::<Engine>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        assert_eq!(catch_panic::<()>(|| panic!("at {}", 7)).unwrap_err(), "panic: at 7");
    }
}
