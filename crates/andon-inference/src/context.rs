// SPDX-License-Identifier: MPL-2.0
//! Execution contexts: the buffers, preprocessing tables and decoder of one frame at a time. The contexts of an engine
//! share its session, and run at the same time or, if a batcher gathers them, as one batch.

use std::sync::Arc;

use andon_core::{
    image::Image,
    result::{BoxPx, Fields, Status},
};
use andon_model::{Activation, Thresholds};

use crate::{
    Engine, Error, Template,
    batch::{Batcher, Ran},
    buffers::Buffers,
    cancel::Cancel,
    decode::{Decode, Decoded, Tensor},
    derive::Seen,
    fields::FieldError,
    image_inputs::ImageInputs,
    load::noise,
    panic::catch_panic,
    plan::InputRole,
    preprocess::Mapping,
};

/// One frame to judge.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The frame.
    pub image: &'a Image<'a>,
    /// The part of the frame to look at, in its pixels; `None` for all of it.
    pub region: Option<BoxPx>,
    /// Values for the inputs that are fields.
    pub fields: &'a Fields,
    /// For the inputs of source `image-file`, in the manifest's order. `None` is a template that is not there yet.
    pub templates: &'a [Option<Arc<Template>>],
    /// The thresholds of the verdict and of suppression.
    pub thresholds: &'a Thresholds,
}

/// Why a frame lacks a value that an input needs.
#[derive(Debug, thiserror::Error)]
enum InputError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("input '{0}' has no template yet")]
    Template(String),
    #[error("the graph takes no image")]
    Image,
}

/// The buffers, tables and decoder of one frame at a time, allocated once. [`Engine::context`] and
/// [`Batcher::context`] create it.
pub struct ExecutionContext {
    engine: Arc<Engine>,
    /// Buffers of its own. `None` if it runs in batches, until one fails, and before the first frame of a graph without
    /// a size.
    buffers: Option<Buffers>,
    images: ImageInputs,
    decode: Decode,
    /// Empty between frames.
    outputs: Vec<Tensor<'static>>,
    /// Gathers its frames.
    batcher: Option<Arc<Batcher>>,
    /// Whether the batcher waits for its frames.
    present: bool,
}

impl Engine {
    /// Creates an execution context that runs by itself. It allocates: create it before frames flow.
    pub fn context(self: &Arc<Self>) -> Result<ExecutionContext, Error> {
        let mut context = ExecutionContext::without_buffers(self.clone(), None);
        context.buffers = self.frame_size().map(|size| Buffers::new(self.clone(), 1, size));
        Ok(context)
    }
}

impl Batcher {
    /// Creates an execution context whose frames are gathered with those of the batcher's other contexts. The batcher
    /// expects frames of it from its first frame until [`ExecutionContext::leave`], or until it is dropped.
    pub fn context(&self) -> Result<ExecutionContext, Error> {
        Ok(ExecutionContext::without_buffers(self.engine().clone(), Some(self.shared())))
    }
}

impl ExecutionContext {
    fn without_buffers(engine: Arc<Engine>, batcher: Option<Arc<Batcher>>) -> Self {
        let images = ImageInputs::new(&engine);
        let decode = Decode::new(engine.manifest());
        let outputs = Vec::with_capacity(engine.plan.outputs.len());
        Self { engine, buffers: None, images, decode, outputs, batcher, present: false }
    }

    /// Tells the batcher that no frame comes for a while (the stream ended, was flushed, or pauses), so that other
    /// contexts do not wait for one. The next frame takes this back.
    pub fn leave(&mut self) {
        if std::mem::take(&mut self.present)
            && let Some(batcher) = &self.batcher
        {
            batcher.leave();
        }
    }

    /// Judges one frame.
    ///
    /// A missing field or template, or a NaN, is a [`Decoded`] with that status.
    ///
    /// # Errors
    /// [`Error::Run`] or [`Error::OutOfMemory`] if the model failed, [`Error::Cancelled`] if `cancel` ended the run.
    pub fn infer(&mut self, job: &Job<'_>, cancel: &Cancel) -> Result<Decoded, Error> {
        if cancel.ended() {
            return Err(Error::Cancelled);
        }
        if let Err(reason) = self.check(job) {
            self.leave();
            return Ok(Decoded::unjudged(Status::MissingField, reason.to_string()));
        }
        match self.batcher.clone() {
            Some(batcher) => self.in_batch(&batcher, job, cancel),
            None => self.alone(job, cancel),
        }
    }

    /// Checks that the frame has what the inputs beside the image need, before other frames wait for it.
    fn check(&self, job: &Job<'_>) -> Result<(), InputError> {
        for input in &self.engine.plan.inputs {
            match &input.role {
                InputRole::Field(field) => field.check(job.fields)?,
                InputRole::Template(n) if job.templates.get(*n).is_none_or(Option::is_none) => {
                    return Err(InputError::Template(input.name.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn alone(&mut self, job: &Job<'_>, cancel: &Cancel) -> Result<Decoded, Error> {
        let Self { engine, buffers, images, .. } = self;
        let size = engine.size_for(job.image, job.region);
        let buffers = match buffers {
            Some(buffers) if buffers.size() == size => buffers,
            other => {
                // The caps have changed, or this is the first frame.
                images.resize(engine, size);
                other.insert(Buffers::new(engine.clone(), 1, size))
            }
        };
        // SAFETY: no other context has these buffers.
        let mapping = unsafe { fill(engine, images, buffers, 0, job) }?;
        match buffers.run(1, cancel) {
            Ok(()) => {}
            Err(_) if cancel.ended() => return Err(Error::Cancelled),
            Err(problem) => return Err(problem.into()),
        }
        let Self { buffers, decode, outputs, .. } = self;
        let buffers = buffers.as_ref().expect("they were used just now");
        read(buffers, 0, decode, outputs, &mapping, job.thresholds)
    }

    fn in_batch(&mut self, batcher: &Batcher, job: &Job<'_>, cancel: &Cancel) -> Result<Decoded, Error> {
        if !std::mem::replace(&mut self.present, true) {
            batcher.enter();
        }
        let mut slot = batcher.slot();
        let Self { engine, images, decode, outputs, .. } = self;
        images.moved(slot.padded);
        // SAFETY: a slot's part of the buffers is its own until the slot is dropped, and the batch does not run before
        // all slots are written.
        let mapping = slot.write(|buffers, index| unsafe { fill(engine, images, buffers, index, job) })?;
        match slot.run(Some(mapping), cancel) {
            Ran::Done => slot.read(|buffers, index| read(buffers, index, decode, outputs, &mapping, job.thresholds)),
            Ran::Cancelled => Err(Error::Cancelled),
            Ran::Failed { problem, others: false } => Err(Error::run(problem)),
            // Another frame may have broken it.
            Ran::Failed { others: true, .. } => {
                drop(slot);
                self.alone(job, cancel)
            }
        }
    }

    /// Runs the model once on a black frame with every field at zero. The run allocates what ONNX Runtime keeps, and
    /// shows whether the outputs can be read. Where it leaves open how scores are meant, noise may show it.
    ///
    /// # Errors
    /// [`Error::Run`] if the model cannot run, [`Error::Graph`] if its outputs cannot be read.
    pub fn warm_up(&mut self) -> Result<(), Error> {
        self.warm_up_until(&Cancel::new()?)
    }

    /// Runs as [`ExecutionContext::warm_up`] does, until `cancel` ends the run.
    ///
    /// # Errors
    /// Those of [`ExecutionContext::warm_up`], and that of the run that was ended.
    pub fn warm_up_until(&mut self, cancel: &Cancel) -> Result<(), Error> {
        let thresholds = self.engine.manifest().thresholds;
        let [w, h] = self.engine.frame_size().unwrap_or(self.engine.tried);
        let black = vec![0; w * h];
        let image = Image::gray8(&black, w, h).expect("the plane was made for the size");
        let mut read = self.read_once(&image, &thresholds, cancel);
        // Black may not show how scores are meant.
        for seed in 1..=PICTURES {
            if read.is_ok() || cancel.ended() || !self.decode.is_open() {
                break;
            }
            let noise = noise(seed, w * h);
            let image = Image::gray8(&noise, w, h).expect("the plane was made for the size");
            read = self.read_once(&image, &thresholds, cancel);
        }
        read
    }

    fn read_once(&mut self, image: &Image<'_>, thresholds: &Thresholds, cancel: &Cancel) -> Result<(), Error> {
        let mapping = self.run_once(image, cancel)?;
        let Self { engine, buffers, decode, outputs, .. } = self;
        let buffers = buffers.as_ref().expect("it ran just now");
        let misread = |problem: String| engine.refusal(&problem);
        read(buffers, 0, decode, outputs, &mapping, thresholds).map(drop).map_err(|error| match error {
            Error::Run(problem) => misread(problem),
            other => other,
        })
    }

    /// The activation that the manifest says, or that the frames so far have shown.
    pub(super) fn activation(&self) -> Option<Activation> {
        self.decode.activation()
    }

    /// Runs the model once on `image`, which has the size of its input, with every field at its default or at zero, until
    /// `cancel` ends the run.
    fn run_once(&mut self, image: &Image<'_>, cancel: &Cancel) -> Result<Mapping, Error> {
        let Self { engine, buffers, images, .. } = self;
        let size = [image.width, image.height];
        if buffers.is_none() {
            images.resize(engine, size);
        }
        let buffers = buffers.get_or_insert_with(|| Buffers::new(engine.clone(), 1, size));
        let mut mapping = Mapping::default();
        for (i, input) in engine.plan.inputs.iter().enumerate() {
            let memory = buffers.memory(i);
            match &input.role {
                // SAFETY: no other context has these buffers.
                InputRole::Frame => mapping = unsafe { images.fill(i, image, None, memory, 0) },
                // SAFETY: no other context has these buffers.
                InputRole::Template(_) => drop(unsafe { images.fill(i, image, None, memory, 0) }),
                // SAFETY: no other context has these buffers.
                InputRole::FrameSize(order) => unsafe { engine.plan.frame_size(memory, 0, size, *order) },
                // A field that has to be there has no default, and stays at zero.
                // SAFETY: no other context has these buffers.
                InputRole::Field(field) => drop(unsafe { field.fill(&Fields::new(), 0, memory) }),
            }
        }
        // A graph without an output to read does not run: the decoder names the output that it misses.
        if buffers.outputs() > 0 {
            match buffers.run(1, cancel) {
                Ok(()) => {}
                Err(_) if cancel.ended() => return Err(Error::Cancelled),
                Err(problem) => return Err(problem.into()),
            }
        }
        Ok(mapping)
    }

    /// Runs the model once on `image`, which has the size of its input, and returns what it gave.
    pub(super) fn seen(&mut self, image: &Image<'_>, cancel: &Cancel) -> Result<Seen, Error> {
        self.run_once(image, cancel)?;
        let buffers = self.buffers.as_ref().expect("it ran just now");
        let tensors: Result<Vec<_>, _> = (0..buffers.outputs()).map(|i| buffers.output(i, 0)).collect();
        Ok(Seen::new([image.width, image.height], &tensors?))
    }
}

/// The most pictures of noise that a model is tried on.
const PICTURES: u32 = 3;

impl Drop for ExecutionContext {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Writes all inputs of a frame into its part of the buffers.
///
/// # Safety
/// Meanwhile no other thread reads or writes that frame's part.
unsafe fn fill(
    engine: &Engine,
    images: &mut ImageInputs,
    buffers: &Buffers,
    frame: usize,
    job: &Job<'_>,
) -> Result<Mapping, Error> {
    let mut fill = || {
        let mut mapping = None;
        for (i, input) in engine.plan.inputs.iter().enumerate() {
            let memory = buffers.memory(i);
            match &input.role {
                // SAFETY: the caller promises it.
                InputRole::Frame => mapping = Some(unsafe { images.fill(i, job.image, job.region, memory, frame) }),
                InputRole::Template(n) => {
                    let template = job.templates.get(*n).and_then(Option::as_ref);
                    let template = template.ok_or_else(|| InputError::Template(input.name.clone()))?;
                    // SAFETY: the caller promises it.
                    unsafe { images.template(i, template, memory, frame) };
                }
                // SAFETY: the caller promises it.
                InputRole::FrameSize(order) => unsafe { engine.plan.frame_size(memory, frame, buffers.size(), *order) },
                // SAFETY: the caller promises it.
                InputRole::Field(field) => unsafe { field.fill(job.fields, frame, memory) }?,
            }
        }
        mapping.ok_or(InputError::Image)
    };
    catch_panic(|| fill().map_err(Error::run))
}

/// Decodes the outputs of one frame of a run.
fn read(
    buffers: &Buffers,
    frame: usize,
    decode: &mut Decode,
    outputs: &mut Vec<Tensor<'static>>,
    mapping: &Mapping,
    thresholds: &Thresholds,
) -> Result<Decoded, Error> {
    catch_panic(|| {
        let mut tensors = recycled(outputs);
        for i in 0..buffers.outputs() {
            tensors.push(buffers.output(i, frame)?);
        }
        let decoded = decode.run(&tensors, mapping, thresholds);
        *outputs = recycled(&mut tensors);
        Ok(decoded?)
    })
}

/// Empties a list and returns its capacity as a list of another lifetime, so that no frame allocates one.
fn recycled<'b>(list: &mut Vec<Tensor<'_>>) -> Vec<Tensor<'b>> {
    list.clear();
    // Collecting from a list of the same layout keeps its capacity.
    std::mem::take(list).into_iter().map(|_| unreachable!("the list was emptied")).collect()
}

/// Contexts are handed to the threads that work on frames.
const _: () = {
    const fn may_move<T: Send>() {}
    may_move::<ExecutionContext>();
};
