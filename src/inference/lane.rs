// SPDX-License-Identifier: MPL-2.0
//! One frame in work: its tensors, its preprocessing tables, its decoder's scratch. Lanes of one engine share its
//! session.

use std::sync::Arc;

use ort::session::SessionInputValue;

use super::{
    Error, Preprocessor,
    cancel::Cancel,
    decode::{self, Decode, Outcome, Thresholds},
    denormals::FlushDenormals,
    engine::{Engine, guarded},
    preprocess::Mapping,
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
    /// In the graph's order, each with a tensor of its own that is written in place.
    inputs: Vec<SessionInputValue<'static>>,
    preprocessor: Preprocessor,
    decode: Decode,
}

impl Lane {
    pub(super) fn new(engine: Arc<Engine>) -> Result<Self, Error> {
        let inputs = engine.tensors()?;
        let preprocessor = Preprocessor::new(engine.manifest().image());
        let decode = Decode::new(engine.manifest());
        Ok(Self { engine, inputs, preprocessor, decode })
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
            Ok(prepared) => self.run(&prepared, job.thresholds, cancel),
            Err(unjudged) => Ok(unjudged),
        }
    }

    /// Brings a frame and its fields into the tensors; otherwise the outcome says what is missing.
    pub fn prepare(&mut self, job: &Job<'_>) -> Result<Prepared, Outcome> {
        for input in &self.engine.fields {
            if let Err(reason) = input.fill(job.fields, &mut self.inputs[input.index]) {
                return Err(Outcome::unjudged(Status::MissingField, reason));
            }
        }
        Ok(Prepared { mapping: self.pixels(job.image) })
    }

    fn pixels(&mut self, image: &Image<'_>) -> Mapping {
        let SessionInputValue::Owned(tensor) = &mut self.inputs[self.engine.image] else {
            unreachable!("every input was made with a tensor of its own");
        };
        let (_, data) = tensor.try_extract_tensor_mut::<f32>().expect("the image's tensor was made as f32");
        self.preprocessor.run(image, data)
    }

    /// Runs the model on what was prepared and reads what it says.
    fn run(&mut self, prepared: &Prepared, thresholds: &Thresholds, cancel: &Cancel) -> Result<Outcome, Error> {
        if cancel.ended() {
            return Err(Error::Cancelled);
        }
        let Self { engine, inputs, decode, .. } = self;
        let mut session = engine.session.lock();
        let outcome = guarded(|| {
            let flush = FlushDenormals::new();
            let values = session.run_with_options(&inputs[..], &cancel.options).map_err(|e| e.to_string())?;
            drop(flush);
            let mut read = Vec::with_capacity(engine.outputs.len());
            for (index, name) in engine.outputs.iter() {
                let (shape, data) = values[*index]
                    .try_extract_tensor::<f32>()
                    .map_err(|e| format!("output '{name}': {e}: this version reads float32 outputs"))?;
                read.push(decode::Tensor { name, shape, data: decode::Data::F32(data) });
            }
            decode.run(&read, &prepared.mapping, thresholds)
        });
        match outcome {
            Ok(outcome) => Ok(outcome),
            Err(_) if cancel.ended() => Err(Error::Cancelled),
            Err(problem) => Err(Error::Run(problem)),
        }
    }

    /// One run on a black frame with every field at zero: allocates what a run needs, and shows whether outputs can be
    /// read.
    pub(super) fn warm_up(&mut self) -> Result<(), Error> {
        let manifest = self.engine.manifest();
        let [w, h] = manifest.image().size.expect("a checked image input has a size").map(|v| v as usize);
        let thresholds = manifest.thresholds;
        let black = vec![0; w * h];
        let image = Image::gray8(&black, w, h).expect("the plane was made for the size");
        let prepared = Prepared { mapping: self.pixels(&image) };
        match self.run(&prepared, &thresholds, &Cancel::new()?) {
            Err(Error::Run(problem)) => Err(Error::Graph { path: self.engine.path.clone(), problem }),
            other => other.map(drop),
        }
    }
}

/// Lanes are handed to the threads that work on frames.
const _: () = {
    const fn may_move<T: Send>() {}
    may_move::<Lane>();
};
