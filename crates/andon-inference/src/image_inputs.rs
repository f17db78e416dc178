// SPDX-License-Identifier: MPL-2.0
//! The image inputs of an execution context: the frame and templates, each with preprocessing tables of its own.

use std::sync::Arc;

use andon_core::{image::Image, result::BoxPx};
use andon_model::Input;

use crate::{
    Engine, Template,
    memory::{Kind, Memory},
    plan::{InputPlan, InputRole},
    preprocess::{Mapping, Preprocessor, TensorMut},
};

/// One image input.
struct ImageInput {
    preprocessor: Preprocessor,
    /// Whether it is the frame, not a template.
    is_frame: bool,
    /// The template that lies in the context's own buffers.
    template: Option<u64>,
    /// Where the last frame lay.
    mapping: Option<Mapping>,
}

/// The image inputs of a graph.
pub(super) struct ImageInputs {
    /// By input of the graph; `None` if it is not an image.
    by_input: Vec<Option<ImageInput>>,
}

impl ImageInputs {
    /// The image inputs of an engine. Those without a size of their own need [`ImageInputs::resize`].
    pub(super) fn new(engine: &Engine) -> Self {
        let mut this = Self { by_input: Vec::new() };
        this.resize(engine, engine.frame_size().unwrap_or([1, 1]));
        this
    }

    /// Recreates all tables for tensors of `size` (width, height), for inputs that have no size of their own.
    pub(super) fn resize(&mut self, engine: &Engine, size: [usize; 2]) {
        let image = |is_frame: bool, input: &Input| {
            let own = input.size.map_or(size, |s| s.map(|v| v as usize));
            let preprocessor = Preprocessor::new(input, own);
            ImageInput { preprocessor, is_frame, template: None, mapping: None }
        };
        let inputs = &engine.manifest().inputs;
        let one = |plan: &InputPlan| match plan.role {
            InputRole::Frame => Some(image(true, &inputs[plan.manifest_index])),
            InputRole::Template(_) => Some(image(false, &inputs[plan.manifest_index])),
            _ => None,
        };
        self.by_input = engine.plan.inputs.iter().map(one).collect();
    }

    /// Prepares for a frame in another slot. `padded` says where the last frame lay in that slot, and with it which
    /// padding is already there.
    pub(super) fn moved(&mut self, padded: Option<Mapping>) {
        for image in self.by_input.iter_mut().flatten() {
            image.template = None;
            if !image.is_frame || padded.is_none() || image.mapping != padded {
                image.preprocessor.forget();
            }
        }
    }

    /// Writes a frame, or a region of it, into its input.
    ///
    /// # Safety
    /// Meanwhile no other thread reads or writes that frame's numbers.
    pub(super) unsafe fn fill(
        &mut self,
        input: usize,
        image: &Image<'_>,
        region: Option<BoxPx>,
        memory: &Memory,
        frame: usize,
    ) -> Mapping {
        let this = self.by_input[input].as_mut().expect("this input is an image");
        // SAFETY: the caller promises it.
        let tensor = unsafe {
            match memory.kind() {
                Kind::F16 => TensorMut::F16(memory.frame_mut(frame)),
                Kind::U8 => TensorMut::U8(memory.frame_mut(frame)),
                Kind::I8 => TensorMut::I8(memory.frame_mut(frame)),
                _ => TensorMut::F32(memory.frame_mut(frame)),
            }
        };
        let mapping = this.preprocessor.run(image, region, tensor);
        // Regions that lie in the tensor in different ways may have equal mappings, so nothing is kept of them.
        this.mapping = region.is_none().then_some(mapping);
        mapping
    }

    /// Writes a template into its input, unless it is already there.
    ///
    /// # Safety
    /// Meanwhile no other thread reads or writes that frame's numbers.
    pub(super) unsafe fn template(&mut self, input: usize, template: &Arc<Template>, memory: &Memory, frame: usize) {
        let there = self.by_input[input].as_ref().is_some_and(|i| i.template == Some(template.id()));
        if !there {
            // SAFETY: the caller promises it.
            unsafe { self.fill(input, &template.image(), None, memory, frame) };
            if let Some(image) = &mut self.by_input[input] {
                image.template = Some(template.id());
            }
        }
    }
}
