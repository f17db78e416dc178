// SPDX-License-Identifier: MPL-2.0
//! A model that is loaded, checked and ready to run. Execution contexts share it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use andon_core::{
    image::Image,
    result::{BoxPx, ModelId},
};
use andon_model::{Activation, Content, Golden, Manifest, Source};
use ort::session::Session;
use parking_lot::Mutex;

use crate::{Assumption, Error, plan::Plan, ports::shown, session::Opened};

/// Width and height of the frame that a graph of any size is tried on, pixels.
const UNSIZED: [usize; 2] = [64, 64];

/// A loaded model. It never changes. Frames run in its [`ExecutionContext`](crate::ExecutionContext)s, as many at a time
/// as there are contexts.
pub struct Engine {
    id: Arc<ModelId>,
    manifest: Manifest,
    /// Whether there is no manifest on disk.
    bare: bool,
    assumptions: Vec<Assumption>,
    /// Width and height of the frame on which a graph of any size is tried.
    pub(super) tried: [usize; 2],
    pub(super) path: PathBuf,
    provider: Arc<str>,
    fallbacks: Vec<String>,
    lacking: usize,
    golden: Vec<Golden>,
    /// The pictures that prove the model, by their paths, until it has proved itself.
    pub(super) pictures: Mutex<BTreeMap<PathBuf, Arc<[u8]>>>,
    /// The folder of the bundle.
    pub(super) folder: Option<PathBuf>,
    reference: Option<Content>,
    pub(super) session: Session,
    /// The inputs and outputs of the graph.
    pub(super) plan: Plan,
    /// Whether inputs must be bound before each run, because a provider with memory of its own copies them when they are bound.
    pub(super) devices: bool,
    /// Locked during a run if the provider is not known to support several runs at a time.
    pub(super) gate: Option<Mutex<()>>,
}

impl Engine {
    /// The engine of an open session that is read as `manifest` says.
    pub(super) fn new(source: &Source, opened: Opened, manifest: Manifest) -> Result<Self, Error> {
        let Opened { session, provider, fallbacks, lacking } = opened;
        let Source { id, path, golden, folder, .. } = source;
        let (id, path, golden, folder) = (id.clone(), path.clone(), golden.clone(), folder.clone());
        let (pictures, reference) = (Mutex::new(source.pictures.clone()), source.reference.clone());
        let bare = source.manifest.is_none();
        let fail = |problem: String| refusal(&path, bare, &problem, Some(&session));
        let plan = Plan::new(&session, &manifest).map_err(|e| fail(e.to_string()))?;
        let own_memory = &*provider != "cpu";
        let (id, gate) = (Arc::new(id), own_memory.then(Mutex::default));
        Ok(Self {
            id,
            manifest,
            bare,
            assumptions: Vec::new(),
            tried: UNSIZED,
            path,
            provider,
            fallbacks,
            lacking,
            golden,
            pictures,
            folder,
            reference,
            session,
            plan,
            devices: own_memory,
            gate,
        })
    }

    /// Reads the session as another manifest says, of which so much was assumed.
    pub(super) fn read_as(mut self, manifest: Manifest, assumptions: Vec<Assumption>) -> Result<Self, Error> {
        let invalid = |e| self.refusal(&format!("the manifest that its graph gives is not valid: {e}"));
        manifest.check().map_err(invalid)?;
        self.plan = Plan::new(&self.session, &manifest).map_err(|e| self.refusal(&e.to_string()))?;
        (self.manifest, self.assumptions) = (manifest, assumptions);
        Ok(self)
    }

    /// Holds all contexts to the activation that the first frames have shown.
    pub(super) fn settle(&mut self, activation: Option<Activation>) {
        self.manifest.outputs[0].activation = activation;
    }

    /// The model's name, version and digest.
    pub fn id(&self) -> &Arc<ModelId> {
        &self.id
    }

    /// The bundle's manifest, or the one that was derived from the graph.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What was assumed of a bare file because nothing says it; empty for a bundle, whose manifest says all.
    pub fn assumptions(&self) -> &[Assumption] {
        &self.assumptions
    }

    /// The execution provider that runs the model.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// How many threads the session lacks, because the system did not give them; 0 if it has all.
    pub fn lacking(&self) -> usize {
        self.lacking
    }

    /// The providers that were preferred to the one in use, each with the reason why it was passed over.
    pub fn fallbacks(&self) -> &[String] {
        &self.fallbacks
    }

    /// The error that the graph cannot be used as its manifest says.
    pub(super) fn refusal(&self, problem: &str) -> Error {
        refusal(&self.path, self.bare, problem, Some(&self.session))
    }

    /// The golden samples of the bundle.
    pub(super) fn golden(&self) -> &[Golden] {
        &self.golden
    }

    /// The bundle's drift reference, as it was when the model was read.
    pub fn reference(&self) -> Option<&Content> {
        self.reference.as_ref()
    }

    /// The most frames that one run takes: 1, or [`usize::MAX`] if the graph leaves the batch axis open.
    pub fn most_in_batch(&self) -> usize {
        if self.plan.batches { usize::MAX } else { 1 }
    }

    /// Width and height of the frame's tensor, or `None` if they follow the frame.
    pub(super) fn frame_size(&self) -> Option<[usize; 2]> {
        self.plan.size()
    }

    /// Width and height of the tensor for `image`, or for the `region` of it.
    pub(super) fn size_for(&self, image: &Image<'_>, region: Option<BoxPx>) -> [usize; 2] {
        self.frame_size().unwrap_or_else(|| {
            let multiple = self.manifest().image().multiple as usize;
            let [w, h] = region.map_or([image.width, image.height], |r| [r[2].ceil() as usize, r[3].ceil() as usize]);
            [w, h].map(|v| v.max(1).next_multiple_of(multiple))
        })
    }
}

/// The error that a graph cannot be used, with its inputs and outputs, unless `problem` has them. What is to be corrected in
/// a `model.json` has to be written first where there is none.
pub(super) fn refusal(path: &Path, bare: bool, problem: &str, session: Option<&Session>) -> Error {
    let has = |words: &[&str]| words.iter().any(|w| problem.contains(w));
    let corrects = has(&["model.json", "outputs[", "inputs["]) && !has(&["andon model init", "no model.json"]);
    let first = if bare && corrects {
        // A graph that nothing was derived of has a manifest only if its decoder is named.
        let named = if session.is_none() { " --decoder NAME" } else { "" };
        let file = path.display();
        format!(
            ": `andon model init {file} --into FOLDER{named}` writes the model.json to correct; then set model= to FOLDER"
        )
    } else {
        String::new()
    };
    let problem = format!("{problem}{first}");
    let problem = session.map_or(problem.clone(), |session| shown(&problem, session));
    Error::Graph { path: path.into(), problem }
}

/// Contexts on several threads share an engine.
const _: () = {
    const fn may_share<T: Send + Sync>() {}
    may_share::<Engine>();
};
