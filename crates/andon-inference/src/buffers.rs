// SPDX-License-Identifier: MPL-2.0
//! The tensors of one run: memory for one frame or several, bound to the session by how many of them are run.

use std::sync::Arc;

use super::{
    binding::{Binding, In, Out},
    cancel::Cancel,
    decode::{self, Data},
    denormals::FlushDenormals,
    engine::{Engine, catch_panic},
    memory::{Kind, Memory},
};

/// Inputs and outputs of runs of up to `frames` frames.
pub(super) struct Buffers {
    /// By how many frames are run, less one; made when first needed. Before the memory that it is bound to.
    bound: Vec<Option<Binding>>,
    /// By input of the graph.
    inputs: Vec<Memory>,
    /// By output that is read; none where the engine makes a place each run.
    outputs: Vec<Option<Memory>>,
    /// Shapes of the inputs of one frame.
    shapes: Vec<Vec<i64>>,
    /// Shapes of the outputs of one frame.
    faces: Vec<Vec<i64>>,
    /// Of the image inputs: width, height.
    size: [usize; 2],
    /// How many frames the last run had.
    ran: usize,
    engine: Arc<Engine>,
}

impl Buffers {
    /// For `frames` frames, whose image is of `size` (width, height) where neither graph nor manifest says. Zeros.
    pub fn new(engine: Arc<Engine>, frames: usize, size: [usize; 2]) -> Self {
        let plan = &engine.plan;
        let shapes: Vec<Vec<i64>> = plan.inputs.iter().map(|i| i.shape(size)).collect();
        let numbers = |shape: &[i64]| shape.iter().product::<i64>() as usize;
        let inputs = plan.inputs.iter().zip(&shapes).map(|(i, s)| Memory::new(i.kind, numbers(s), frames)).collect();
        let fixed = |o: &super::plan::OutputPlan| Some(Memory::new(o.kind, numbers(o.shape.as_ref()?), frames));
        let outputs = plan.outputs.iter().map(fixed).collect();
        let faces = plan.outputs.iter().map(|o| o.shape.clone().unwrap_or_default()).collect();
        let bound = (0..frames).map(|_| None).collect();
        Self { bound, inputs, outputs, shapes, faces, size, ran: 0, engine }
    }

    /// The memory of an input.
    pub fn memory(&self, input: usize) -> &Memory {
        &self.inputs[input]
    }

    /// Width and height of the frame's tensor.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// How many frames fit.
    pub fn frames(&self) -> usize {
        self.bound.len()
    }

    /// Runs the model on the first `frames` frames.
    pub fn run(&mut self, frames: usize, cancel: &Cancel) -> Result<(), String> {
        let Self { bound, inputs, outputs, shapes, faces, engine, .. } = self;
        let binding = match &mut bound[frames - 1] {
            Some(binding) => binding,
            none => none.insert(bind(engine, frames, inputs, outputs, shapes, faces).map_err(|e| e.to_string())?),
        };
        let plan = &engine.plan;
        catch_panic(|| {
            let _one_at_a_time = engine.gate.as_ref().map(|g| g.lock());
            let _flush = FlushDenormals::new();
            let devices = engine.devices.then_some(plan.names.as_slice());
            // SAFETY: `&mut self` has inputs and outputs to itself.
            unsafe { binding.run(&engine.session, &cancel.options, devices, &plan.output_names) }
                .map_err(|e| e.to_string())
        })?;
        for (i, output) in plan.outputs.iter().enumerate().filter(|(i, _)| outputs[*i].is_none()) {
            let (_, shape) = binding.face(i).ok_or_else(|| output.unread("of a type that is not read"))?;
            faces[i].clear();
            faces[i].extend_from_slice(shape);
            if frames > 1 {
                if shape.first() != Some(&(frames as i64)) {
                    return Err(output.no_batch(frames, shape));
                }
                faces[i][0] = 1;
            }
        }
        self.ran = frames;
        Ok(())
    }

    /// How many outputs are read.
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// One output of one frame of the last run.
    pub fn output(&self, output: usize, frame: usize) -> Result<decode::Tensor<'_>, String> {
        let plan = &self.engine.plan.outputs[output];
        let shape = &self.faces[output];
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
            None => self.made(output, frame),
        };
        let data = data.ok_or_else(|| plan.unread("left without its numbers"))?;
        Ok(decode::Tensor { name: &plan.name, shape, data })
    }

    /// The same of an output that the engine made a place for.
    fn made(&self, output: usize, frame: usize) -> Option<Data<'_>> {
        let binding = self.bound[self.ran.checked_sub(1)?].as_ref()?;
        let count = self.faces[output].iter().product::<i64>() as usize;
        let start = frame * count;
        Some(match binding.face(output)?.0 {
            Kind::F32 => Data::F32(binding.made(output, start, count)?),
            Kind::F16 => Data::F16(binding.made(output, start, count)?),
            Kind::F64 => Data::F64(binding.made(output, start, count)?),
            Kind::I64 => Data::I64(binding.made(output, start, count)?),
            Kind::I32 => Data::I32(binding.made(output, start, count)?),
            Kind::U8 => Data::U8(binding.made(output, start, count)?),
            Kind::I8 => Data::I8(binding.made(output, start, count)?),
            Kind::Bool => Data::Bool(binding.made_flags(output, start, count)?),
        })
    }
}

fn bind(
    engine: &Engine,
    frames: usize,
    inputs: &[Memory],
    outputs: &[Option<Memory>],
    shapes: &[Vec<i64>],
    faces: &[Vec<i64>],
) -> ort::Result<Binding> {
    let plan = &engine.plan;
    let batch = |shape: &Vec<i64>| {
        let mut shape = shape.clone();
        if frames > 1 {
            shape[0] *= frames as i64;
        }
        shape
    };
    let in_shapes: Vec<_> = shapes.iter().map(batch).collect();
    let out_shapes: Vec<_> = faces.iter().zip(outputs).map(|(f, o)| o.as_ref().map(|_| batch(f))).collect();
    let ins: Vec<_> = (plan.names.iter().zip(inputs).zip(&in_shapes))
        .map(|((name, memory), shape)| In { name, memory, shape })
        .collect();
    let outs: Vec<_> = (plan.output_names.iter().zip(outputs).zip(&out_shapes))
        .map(|((name, memory), shape)| Out { name, place: memory.as_ref().zip(shape.as_deref()) })
        .collect();
    // SAFETY: `Buffers` keeps the memory longer than its bindings, and moving it leaves the numbers where they are.
    unsafe { Binding::new(&engine.session, frames, &ins, &outs) }
}
