// SPDX-License-Identifier: MPL-2.0
//! One frame in work: its tensors, its preprocessing tables, its decoder's scratch. Lanes of one engine share its
//! session.

use std::sync::Arc;

use super::{
    Error, Preprocessor,
    cancel::Cancel,
    cut::{cut, put_back},
    decode::{self, Decode, Outcome, Thresholds},
    engine::{Engine, guarded},
    graph::Role,
    preprocess::Mapping,
    tensors::Tensors,
};
use crate::{
    image::Image,
    result::{BoxPx, Fields, Status},
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
    /// From which score on.
    pub thresholds: &'a Thresholds,
}

/// A frame that lies in the lane's tensors.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    mapping: Mapping,
}

/// All that one frame in work needs, allocated once. Made by [`Engine::lane`].
pub struct Lane {
    engine: Arc<Engine>,
    tensors: Tensors,
    preprocessor: Preprocessor,
    decode: Decode,
    /// Empty between frames.
    outputs: Vec<decode::Tensor<'static>>,
}

impl Lane {
    pub(super) fn new(engine: Arc<Engine>) -> Result<Self, Error> {
        let input = engine.manifest().image();
        let size = input.size.expect("a checked image input has a size").map(|v| v as usize);
        let preprocessor = Preprocessor::new(input);
        let decode = Decode::new(engine.manifest());
        let tensors = Tensors::new(engine.clone(), 1, size);
        let outputs = Vec::with_capacity(engine.plan.outputs.len());
        Ok(Self { engine, tensors, preprocessor, decode, outputs })
    }

    /// What it works for.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Judges one frame.
    ///
    /// A missing field or a NaN is an [`Outcome`] with that status; an error is a model that failed, or a run that
    /// `cancel` ended.
    pub fn infer(&mut self, job: &Job<'_>, cancel: &Cancel) -> Result<Outcome, Error> {
        match self.prepare(job) {
            Ok(prepared) => {
                self.run(cancel)?;
                self.read(&prepared, job.thresholds)
            }
            Err(unjudged) => Ok(*unjudged),
        }
    }

    /// Brings a frame and its fields into the tensors; otherwise the outcome says what is missing.
    pub fn prepare(&mut self, job: &Job<'_>) -> Result<Prepared, Box<Outcome>> {
        for (i, input) in self.engine.plan.inputs.iter().enumerate() {
            if let Role::Field(field) = &input.role
                && let Err(reason) = field.fill(job.fields, 0, self.tensors.input(i))
            {
                return Err(Box::new(Outcome::unjudged(Status::MissingField, reason)));
            }
        }
        let mapping = match &job.region {
            None => self.pixels(job.image),
            Some(region) => {
                let (part, origin) = cut(job.image, region);
                put_back(self.pixels(&part), origin, job.image)
            }
        };
        Ok(Prepared { mapping })
    }

    fn pixels(&mut self, image: &Image<'_>) -> Mapping {
        let input = self.engine.plan.frame();
        self.preprocessor.run(image, self.tensors.input(input).frame_mut::<f32>(0))
    }

    /// Runs the model on what was prepared.
    pub fn run(&mut self, cancel: &Cancel) -> Result<(), Error> {
        if cancel.ended() {
            return Err(Error::Cancelled);
        }
        match self.tensors.run(1, cancel) {
            Ok(()) => Ok(()),
            Err(_) if cancel.ended() => Err(Error::Cancelled),
            Err(problem) => Err(Error::Run(problem)),
        }
    }

    /// Reads what the model said of what was prepared.
    pub fn read(&mut self, prepared: &Prepared, thresholds: &Thresholds) -> Result<Outcome, Error> {
        let Self { tensors, decode, outputs, .. } = self;
        let mut read = recycled(outputs);
        for i in 0..tensors.outputs() {
            read.push(tensors.output(i, 0).map_err(Error::Run)?);
        }
        let outcome = guarded(|| decode.run(&read, &prepared.mapping, thresholds)).map_err(Error::Run);
        *outputs = recycled(&mut read);
        outcome
    }

    /// One run on a black frame with every field at zero.
    pub(super) fn warm_up(&mut self) -> Result<(), Error> {
        let manifest = self.engine.manifest();
        let [w, h] = manifest.image().size.expect("a checked image input has a size").map(|v| v as usize);
        let thresholds = manifest.thresholds;
        let black = vec![0; w * h];
        let image = Image::gray8(&black, w, h).expect("the plane was made for the size");
        let prepared = Prepared { mapping: self.pixels(&image) };
        // A graph without the output that is to be read is not run: the decoder says which one it misses.
        let ran = if self.tensors.outputs() == 0 { Ok(()) } else { self.run(&Cancel::new()?) };
        let outcome = ran.and_then(|()| self.read(&prepared, &thresholds));
        match outcome {
            Err(Error::Run(problem)) => Err(Error::Graph { path: self.engine.path.clone(), problem }),
            other => other.map(drop),
        }
    }
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
    may_move::<Lane>();
};
