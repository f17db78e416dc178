// SPDX-License-Identifier: MPL-2.0
//! The input and output buffers of a run of one frame or several, bound to the session by how many frames run.

use std::sync::Arc;

use crate::{
    Engine, Error,
    binding::{Binding, BoundInput, BoundOutput},
    cancel::Cancel,
    decode::{Data, Tensor},
    memory::{Kind, Memory},
    panic::{Panic, catch_panic},
    plan::OutputPlan,
};

/// Why a run, or reading its outputs, failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// Code under the run panicked.
    #[error(transparent)]
    Panic(#[from] Panic),
    /// ONNX Runtime refused the run, or the run failed.
    #[error(transparent)]
    Runtime(#[from] ort::Error),
    /// An output cannot be read.
    #[error("output '{output}' is {problem}: export it as float32")]
    Unreadable { output: String, problem: &'static str },
    /// An output does not come frame by frame.
    #[error(
        "output '{output}' has shape {shape:?} for {frames} frames: its first axis does not follow the batch; set \
         batch-size=1"
    )]
    NoBatch { output: String, shape: Vec<i64>, frames: usize },
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        Self::run(error)
    }
}

/// Inputs and outputs of runs of up to so many frames.
pub(super) struct Buffers {
    /// By how many frames run, less one; each is created when it is first needed. Before the memory that it is bound to.
    bindings: Vec<Option<Binding>>,
    /// By input of the graph.
    inputs: Vec<Memory>,
    /// By output that is read; `None` if ONNX Runtime allocates it in each run.
    outputs: Vec<Option<Memory>>,
    /// Shapes of the inputs of one frame.
    input_shapes: Vec<Vec<i64>>,
    /// Shapes of the outputs of one frame.
    output_shapes: Vec<Vec<i64>>,
    /// Width and height of the image inputs.
    size: [usize; 2],
    /// How many frames the last run had.
    last_run: usize,
    engine: Arc<Engine>,
}

impl Buffers {
    /// Zeros for `frames` frames. `size` (width, height) is that of an image whose size neither graph nor manifest sets.
    pub(super) fn new(engine: Arc<Engine>, frames: usize, size: [usize; 2]) -> Self {
        let plan = &engine.plan;
        let input_shapes: Vec<Vec<i64>> = plan.inputs.iter().map(|i| i.shape(size)).collect();
        let numbers = |shape: &[i64]| shape.iter().product::<i64>() as usize;
        let inputs =
            plan.inputs.iter().zip(&input_shapes).map(|(i, s)| Memory::new(i.kind, numbers(s), frames)).collect();
        let fixed = |o: &OutputPlan| Some(Memory::new(o.kind, numbers(o.shape.as_ref()?), frames));
        let outputs = plan.outputs.iter().map(fixed).collect();
        let output_shapes = plan.outputs.iter().map(|o| o.shape.clone().unwrap_or_default()).collect();
        let bindings = (0..frames).map(|_| None).collect();
        Self { bindings, inputs, outputs, input_shapes, output_shapes, size, last_run: 0, engine }
    }

    /// The memory of an input.
    pub(super) fn memory(&self, input: usize) -> &Memory {
        &self.inputs[input]
    }

    /// Width and height of the frame's tensor.
    pub(super) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The most frames of a run.
    pub(super) fn frames(&self) -> usize {
        self.bindings.len()
    }

    /// Runs the model on the first `frames` frames.
    pub(super) fn run(&mut self, frames: usize, cancel: &Cancel) -> Result<(), RunError> {
        let Self { bindings, inputs, outputs, input_shapes, output_shapes, engine, .. } = self;
        let binding = match &mut bindings[frames - 1] {
            Some(binding) => binding,
            none => none.insert(bind(engine, frames, inputs, outputs, input_shapes, output_shapes)?),
        };
        let plan = &engine.plan;
        let options = cancel.options().map_err(|e| RunError::Runtime(ort::Error::new(e.to_string())))?;
        catch_panic(|| {
            let _one_at_a_time = engine.gate.as_ref().map(|g| g.lock());
            let devices = engine.devices.then_some(plan.names.as_slice());
            // SAFETY: with `&mut self` no other thread reads or writes the inputs and outputs.
            let done = unsafe { binding.run(&engine.session, options, devices, &plan.output_names) };
            done.map_err(RunError::from)
        })?;
        for (i, output) in plan.outputs.iter().enumerate().filter(|(i, _)| outputs[*i].is_none()) {
            let (_, shape) =
                binding.allocated(i).ok_or_else(|| unreadable(output, "of a type that is not supported"))?;
            output_shapes[i].clear();
            output_shapes[i].extend_from_slice(shape);
            if frames > 1 {
                if shape.first() != Some(&(frames as i64)) {
                    return Err(RunError::NoBatch { output: output.name.clone(), shape: shape.to_vec(), frames });
                }
                output_shapes[i][0] = 1;
            }
        }
        self.last_run = frames;
        Ok(())
    }

    /// The number of outputs that are read.
    pub(super) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// One output of one frame of the last run.
    pub(super) fn output(&self, output: usize, frame: usize) -> Result<Tensor<'_>, RunError> {
        let plan = &self.engine.plan.outputs[output];
        let shape = &self.output_shapes[output];
        let data = match &self.outputs[output] {
            Some(memory) => match memory.kind() {
                Kind::F32 => Some(Data::F32(memory.frame(frame))),
                Kind::F16 => Some(Data::F16(memory.frame(frame))),
                Kind::F64 => Some(Data::F64(memory.frame(frame))),
                Kind::I64 => Some(Data::I64(memory.frame(frame))),
                Kind::I32 => Some(Data::I32(memory.frame(frame))),
                Kind::U8 => Some(Data::U8(memory.frame(frame))),
                Kind::I8 => Some(Data::I8(memory.frame(frame))),
                Kind::Bool => memory.flags(frame).map(Data::Bool),
            },
            None => self.allocated(output, frame),
        };
        let data = data.ok_or_else(|| unreadable(plan, "without numbers"))?;
        Ok(Tensor { name: &plan.name, shape, data })
    }

    /// One frame of an output that ONNX Runtime allocated in the last run.
    fn allocated(&self, output: usize, frame: usize) -> Option<Data<'_>> {
        let binding = self.bindings[self.last_run.checked_sub(1)?].as_ref()?;
        let count = self.output_shapes[output].iter().product::<i64>() as usize;
        let start = frame * count;
        Some(match binding.allocated(output)?.0 {
            Kind::F32 => Data::F32(binding.numbers(output, start, count)?),
            Kind::F16 => Data::F16(binding.numbers(output, start, count)?),
            Kind::F64 => Data::F64(binding.numbers(output, start, count)?),
            Kind::I64 => Data::I64(binding.numbers(output, start, count)?),
            Kind::I32 => Data::I32(binding.numbers(output, start, count)?),
            Kind::U8 => Data::U8(binding.numbers(output, start, count)?),
            Kind::I8 => Data::I8(binding.numbers(output, start, count)?),
            Kind::Bool => Data::Bool(binding.flags(output, start, count)?),
        })
    }
}

fn unreadable(output: &OutputPlan, problem: &'static str) -> RunError {
    RunError::Unreadable { output: output.name.clone(), problem }
}

fn bind(
    engine: &Engine,
    frames: usize,
    inputs: &[Memory],
    outputs: &[Option<Memory>],
    input_shapes: &[Vec<i64>],
    output_shapes: &[Vec<i64>],
) -> ort::Result<Binding> {
    let plan = &engine.plan;
    let batch = |shape: &Vec<i64>| {
        let mut shape = shape.clone();
        if frames > 1 {
            shape[0] *= frames as i64;
        }
        shape
    };
    let input_shapes: Vec<_> = input_shapes.iter().map(batch).collect();
    let output_shapes: Vec<_> = output_shapes.iter().zip(outputs).map(|(s, o)| o.as_ref().map(|_| batch(s))).collect();
    let inputs: Vec<_> = (plan.names.iter().zip(inputs).zip(&input_shapes))
        .map(|((name, memory), shape)| BoundInput { name, memory, shape })
        .collect();
    let outputs: Vec<_> = (plan.output_names.iter().zip(outputs).zip(&output_shapes))
        .map(|((name, memory), shape)| BoundOutput { name, place: memory.as_ref().zip(shape.as_deref()) })
        .collect();
    // SAFETY: `Buffers` drops its bindings before the memory, and moving it leaves the numbers where they are.
    unsafe { Binding::new(&engine.session, frames, &inputs, &outputs) }
}
