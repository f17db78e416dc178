// SPDX-License-Identifier: MPL-2.0
//! Image inputs of a lane: the frame and templates, each with preprocessing tables of its own.

use std::sync::Arc;

use andon_core::{image::Image, result::BoxPx};
use andon_model::Input;

use super::{
    Preprocessor, Template,
    engine::Engine,
    memory::{Kind, Memory},
    plan::{InputPlan, Role},
    preprocess::{Mapping, TensorMut},
};

/// One image input.
struct ImageInput {
    preprocessor: Preprocessor,
    /// It is the frame and no template.
    is_frame: bool,
    /// Which template lies in the lane's own tensor.
    template: Option<u64>,
    /// How the last frame lay.
    mapping: Option<Mapping>,
}

/// The image inputs of a graph.
pub(super) struct ImageInputs {
    /// By input of the graph; none where it is no image.
    by_input: Vec<Option<ImageInput>>,
}

impl ImageInputs {
    /// Of an engine; those without a size of their own have to be told one.
    pub fn new(engine: &Engine) -> Self {
        let mut this = Self { by_input: Vec::new() };
        this.resize(engine, engine.frame_size().unwrap_or([1, 1]));
        this
    }

    /// Makes all tables anew for tensors of `size` (width, height), where an input has none of its own.
    pub fn resize(&mut self, engine: &Engine, size: [usize; 2]) {
        let picture = |is_frame: bool, input: &Input| {
            let own = input.size.map_or(size, |s| s.map(|v| v as usize));
            let preprocessor = Preprocessor::new(input, own);
            ImageInput { preprocessor, is_frame, template: None, mapping: None }
        };
        let inputs = &engine.manifest().inputs;
        let one = |plan: &InputPlan| match plan.role {
            Role::Frame | Role::Template(_) => Some(picture(matches!(plan.role, Role::Frame), &inputs[plan.told])),
            _ => None,
        };
        self.by_input = engine.plan.inputs.iter().map(one).collect();
    }

    /// The next frame goes to another place, where the last one lay as `padded` says: its padding is there already, or
    /// is not.
    pub fn moved(&mut self, padded: Option<Mapping>) {
        for picture in self.by_input.iter_mut().flatten() {
            picture.template = None;
            if !picture.is_frame || padded.is_none() || picture.mapping != padded {
                picture.preprocessor.forget();
            }
        }
    }

    /// Brings a frame, or a part of it, into its input.
    ///
    /// # Safety
    /// Meanwhile nobody else reads or writes that frame's numbers.
    pub unsafe fn fill(
        &mut self,
        input: usize,
        image: &Image<'_>,
        region: Option<BoxPx>,
        memory: &Memory,
        frame: usize,
    ) -> Mapping {
        let picture = self.by_input[input].as_mut().expect("this input is an image");
        // SAFETY: the caller's word.
        let tensor = unsafe {
            match memory.kind() {
                Kind::F16 => TensorMut::F16(memory.slot(frame)),
                Kind::U8 => TensorMut::U8(memory.slot(frame)),
                Kind::I8 => TensorMut::I8(memory.slot(frame)),
                _ => TensorMut::F32(memory.slot(frame)),
            }
        };
        let mapping = picture.preprocessor.run(image, region, tensor);
        // Parts that lie in the tensor in another way may map to the frame alike: of them nothing is kept.
        picture.mapping = region.is_none().then_some(mapping);
        mapping
    }

    /// Brings a template into its input, where it is not there yet.
    ///
    /// # Safety
    /// Meanwhile nobody else reads or writes that frame's numbers.
    pub unsafe fn template(&mut self, input: usize, template: &Arc<Template>, memory: &Memory, frame: usize) {
        let there = self.by_input[input].as_ref().is_some_and(|p| p.template == Some(template.id()));
        if !there {
            // SAFETY: the caller's word.
            unsafe { self.fill(input, &template.image(), None, memory, frame) };
            if let Some(picture) = &mut self.by_input[input] {
                picture.template = Some(template.id());
            }
        }
    }
}
