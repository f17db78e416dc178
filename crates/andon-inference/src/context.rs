// SPDX-License-Identifier: MPL-2.0
//! One frame in work: its tensors, its preprocessing tables, its decoder's scratch. Lanes of one engine share its
//! session, and run at the same time or, where they are gathered, as one batch.

use std::sync::Arc;

use andon_core::{
    image::Image,
    result::{BoxPx, Fields, Status},
};

use andon_model::Thresholds;

use super::{
    Error, Template,
    batch::{Batcher, Ran},
    buffers::Buffers,
    cancel::Cancel,
    decode::{self, Decode, Decoded},
    engine::{Engine, catch_panic},
    image_inputs::ImageInputs,
    plan::Role,
    preprocess::Mapping,
};

/// What is to be judged.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The frame.
    pub image: &'a Image<'a>,
    /// The part of it to look at, in its pixels; none for the whole.
    pub region: Option<BoxPx>,
    /// Fill the inputs that ask for them.
    pub fields: &'a Fields,
    /// For the inputs of source `image-file`, in the manifest's order; none where there is none yet.
    pub templates: &'a [Option<Arc<Template>>],
    /// From which score on.
    pub thresholds: &'a Thresholds,
}

/// All that one frame in work needs, allocated once. Made by [`Engine::context`] or [`Batcher::context`].
pub struct ExecutionContext {
    engine: Arc<Engine>,
    /// Of its own; none where it runs in batches, until one fails, or before the first frame of a graph without a size.
    tensors: Option<Buffers>,
    /// Of its own tensors; of a batch's.
    pictures: ImageInputs,
    decode: Decode,
    /// Empty between frames.
    outputs: Vec<decode::Tensor<'static>>,
    /// Whom its frames are gathered by.
    batcher: Option<Arc<Batcher>>,
    /// Whether the batcher waits for its frames.
    present: bool,
}

impl ExecutionContext {
    /// One that runs by itself.
    pub(super) fn new(engine: Arc<Engine>) -> Result<Self, Error> {
        let mut this = Self::without_tensors(engine, None);
        this.tensors = this.engine.frame_size().map(|size| Buffers::new(this.engine.clone(), 1, size));
        Ok(this)
    }

    /// One whose frames are gathered with those of others.
    pub(super) fn gathered(engine: Arc<Engine>, batcher: Arc<Batcher>) -> Result<Self, Error> {
        Ok(Self::without_tensors(engine, Some(batcher)))
    }

    fn without_tensors(engine: Arc<Engine>, batcher: Option<Arc<Batcher>>) -> Self {
        let pictures = ImageInputs::new(&engine);
        let decode = Decode::new(engine.manifest());
        let outputs = Vec::with_capacity(engine.plan.outputs.len());
        Self { engine, tensors: None, pictures, decode, outputs, batcher, present: false }
    }

    /// What it works for.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Says that no frame will come for a while (the stream has ended, was flushed, or pauses), so that others do not
    /// wait for one. The next frame takes it back.
    pub fn leave(&mut self) {
        if std::mem::take(&mut self.present)
            && let Some(batcher) = &self.batcher
        {
            batcher.leave();
        }
    }

    /// Judges one frame.
    ///
    /// A missing field or template, or a NaN, is an [`Decoded`] with that status; an error is a model that failed, or a
    /// run that `cancel` ended.
    pub fn infer(&mut self, job: &Job<'_>, cancel: &Cancel) -> Result<Decoded, Error> {
        if cancel.ended() {
            return Err(Error::Cancelled);
        }
        if let Err(reason) = self.missing(job) {
            self.leave();
            return Ok(Decoded::unjudged(Status::MissingField, reason));
        }
        match self.batcher.clone() {
            Some(batcher) => self.together(&batcher, job, cancel),
            None => self.alone(job, cancel),
        }
    }

    /// What the frame needs beside the image has to be there before it takes anybody's time.
    fn missing(&self, job: &Job<'_>) -> Result<(), String> {
        for input in &self.engine.plan.inputs {
            match &input.role {
                Role::Field(field) => field.check(job.fields)?,
                Role::Template(n) if job.templates.get(*n).is_none_or(Option::is_none) => {
                    return Err(format!("input '{}' has no template yet", input.name));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn alone(&mut self, job: &Job<'_>, cancel: &Cancel) -> Result<Decoded, Error> {
        let Self { engine, tensors, pictures, .. } = self;
        let size = engine.size_for(job.image, job.region);
        let tensors = match tensors {
            Some(tensors) if tensors.size() == size => tensors,
            other => {
                // The caps have changed, or this is the first frame.
                pictures.resize(engine, size);
                other.insert(Buffers::new(engine.clone(), 1, size))
            }
        };
        // SAFETY: the tensors are this lane's alone.
        let mapping = catch_panic(|| unsafe { fill(engine, pictures, tensors, 0, job) }).map_err(Error::run)?;
        match tensors.run(1, cancel) {
            Ok(()) => {}
            Err(_) if cancel.ended() => return Err(Error::Cancelled),
            Err(problem) => return Err(Error::run(problem)),
        }
        let Self { tensors, decode, outputs, .. } = self;
        let tensors = tensors.as_ref().expect("it has just run");
        read(tensors, 0, decode, outputs, &mapping, job.thresholds)
    }

    fn together(&mut self, batcher: &Batcher, job: &Job<'_>, cancel: &Cancel) -> Result<Decoded, Error> {
        if !std::mem::replace(&mut self.present, true) {
            batcher.enter();
        }
        let mut seat = batcher.seat();
        let Self { engine, pictures, decode, outputs, .. } = self;
        pictures.moved(seat.padded);
        // SAFETY: a seat's place is its own until the seat is dropped, and nobody runs before all have been brought.
        let mapping = seat
            .bring(|tensors, place| catch_panic(|| unsafe { fill(engine, pictures, tensors, place, job) }))
            .map_err(Error::run)?;
        match seat.run(Some(mapping), cancel) {
            Ran::Done => seat.read(|tensors, place| read(tensors, place, decode, outputs, &mapping, job.thresholds)),
            Ran::Cancelled => Err(Error::Cancelled),
            Ran::Failed { problem, others: false } => Err(Error::run(problem.to_string())),
            // It may have been another's frame that broke it.
            Ran::Failed { others: true, .. } => {
                drop(seat);
                self.alone(job, cancel)
            }
        }
    }

    /// One run on a black frame with every field at zero: allocates what a run needs, and shows whether outputs can be
    /// read. [`Error::Run`] is a model that cannot be run, [`Error::Graph`] one whose outputs cannot be read.
    pub fn warm_up(&mut self) -> Result<(), Error> {
        let thresholds = self.engine.manifest().thresholds;
        let [w, h] = self.engine.frame_size().unwrap_or(UNSIZED);
        let black = vec![0; w * h];
        let image = Image::gray8(&black, w, h).expect("the plane was made for the size");
        let Self { engine, tensors, pictures, decode, outputs, .. } = self;
        if tensors.is_none() {
            pictures.resize(engine, [w, h]);
        }
        let tensors = tensors.get_or_insert_with(|| Buffers::new(engine.clone(), 1, [w, h]));
        let mut mapping = Mapping::default();
        for (i, input) in engine.plan.inputs.iter().enumerate() {
            match input.role {
                // SAFETY: the tensors are this lane's alone.
                Role::Frame => mapping = unsafe { pictures.fill(i, &image, None, tensors.memory(i), 0) },
                // SAFETY: as above.
                Role::Template(_) => drop(unsafe { pictures.fill(i, &image, None, tensors.memory(i), 0) }),
                // SAFETY: as above.
                Role::FrameSize => unsafe { engine.plan.frame_size(tensors.memory(i), 0, [w, h]) },
                Role::Field(_) => {}
            }
        }
        // A graph without the output that is to be read is not run: the decoder says which one it misses.
        if tensors.outputs() > 0 {
            tensors.run(1, &Cancel::new()?).map_err(Error::run)?;
        }
        let misread = |problem| Error::Graph { path: self.engine.path.clone(), problem };
        read(tensors, 0, decode, outputs, &mapping, &thresholds).map(drop).map_err(|error| match error {
            Error::Run(problem) => misread(problem),
            other => other,
        })
    }
}

/// Width and height of the frame that a model without a size of its own is tried on, pixels.
const UNSIZED: [usize; 2] = [64, 64];

impl Drop for ExecutionContext {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Brings all that a frame needs into its part of the tensors. Nothing must be missing.
///
/// # Safety
/// Meanwhile nobody else reads or writes that frame's part.
unsafe fn fill(
    engine: &Engine,
    pictures: &mut ImageInputs,
    tensors: &Buffers,
    frame: usize,
    job: &Job<'_>,
) -> Result<Mapping, String> {
    let mut mapping = None;
    for (i, input) in engine.plan.inputs.iter().enumerate() {
        let memory = tensors.memory(i);
        match &input.role {
            // SAFETY: the caller's word, here and below.
            Role::Frame => mapping = Some(unsafe { pictures.fill(i, job.image, job.region, memory, frame) }),
            Role::Template(n) => {
                let template = job.templates.get(*n).and_then(Option::as_ref);
                let template = template.ok_or_else(|| format!("input '{}' has no template yet", input.name))?;
                // SAFETY: as above.
                unsafe { pictures.template(i, template, memory, frame) };
            }
            // SAFETY: as above.
            Role::FrameSize => unsafe { engine.plan.frame_size(memory, frame, tensors.size()) },
            // SAFETY: as above.
            Role::Field(field) => unsafe { field.fill(job.fields, frame, memory)? },
        }
    }
    mapping.ok_or_else(|| "the graph takes no image".into())
}

/// What the model said of one frame of a run.
fn read(
    tensors: &Buffers,
    frame: usize,
    decode: &mut Decode,
    outputs: &mut Vec<decode::Tensor<'static>>,
    mapping: &Mapping,
    thresholds: &Thresholds,
) -> Result<Decoded, Error> {
    catch_panic(|| {
        let mut read = recycled(outputs);
        for i in 0..tensors.outputs() {
            read.push(tensors.output(i, frame)?);
        }
        let outcome = decode.run(&read, mapping, thresholds).map_err(|e| e.to_string());
        *outputs = recycled(&mut read);
        outcome
    })
    .map_err(Error::run)
}

/// The room of an emptied list for one of another lifetime, so that no frame allocates it.
fn recycled<'b>(list: &mut Vec<decode::Tensor<'_>>) -> Vec<decode::Tensor<'b>> {
    list.clear();
    // Collecting what comes from a list of the same layout keeps its room.
    std::mem::take(list).into_iter().map(|_| unreachable!("the list was emptied")).collect()
}

/// Lanes are handed to the threads that work on frames.
const _: () = {
    const fn may_move<T: Send>() {}
    may_move::<ExecutionContext>();
};
