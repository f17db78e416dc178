// SPDX-License-Identifier: MPL-2.0
//! The inputs and outputs of a graph, checked against its manifest.

use std::ffi::CString;

use andon_model::{Input, InputSource, Layout, Manifest, Resize, SizeOrder};
use ort::{
    session::Session,
    value::{Outlet, ValueType},
};

use crate::{
    decode::Decode,
    fields::{FieldError, FieldInput},
    memory::{Kind, Memory},
    ports::word,
};

/// How graph and manifest do not fit. Each text says what to correct.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error("the graph has no input '{input}', which model.json names, but {names}: correct inputs[].name")]
    UnknownInput { input: String, names: String },
    #[error(
        "the graph has an input '{input}' that model.json does not name: add it to inputs, as {{\"name\": \"{input}\", \
         \"source\": \"field:{input}\", \"type\": \"{kind}\", \"shape\": {shape:?}, \"required\": true}}, or with \
         another source"
    )]
    UnnamedInput { input: String, kind: String, shape: Vec<i64> },
    #[error(
        "input '{input}' takes {graph} in the graph and {manifest} in model.json: correct its type there, or export it so"
    )]
    InputType { input: String, graph: String, manifest: String },
    #[error("input '{input}': {error}")]
    Default { input: String, error: FieldError },
    #[error(
        "input '{input}' has shape {shape:?} of {kind:?}, frame-size needs [1, 2] or [2] of i64, i32 or f32: correct its \
         source in model.json"
    )]
    FrameSize { input: String, shape: Vec<i64>, kind: Kind },
    #[error(
        "input '{input}' has shape {shape:?} in the graph, an image needs four axes, or three without a batch: export the \
         model with them"
    )]
    Rank { input: String, shape: Vec<i64> },
    #[error(
        "input '{input}' takes {frames} frames at a time: export it with a batch of one, or with an open batch axis"
    )]
    Batch { input: String, frames: i64 },
    #[error("input '{input}' has shape {graph:?} in the graph and {manifest:?} in model.json: correct {culprit} there")]
    Shape { input: String, graph: Vec<i64>, manifest: Vec<i64>, culprit: &'static str },
    #[error(
        "input '{input}' is cut out of a frame whose shorter side is scaled to {shorter}, and takes {width}x{height}: set \
         shorter_side in model.json to {} or more, or resize to \"stretch\" or \"letterbox\"", .width.max(.height)
    )]
    Shorter { input: String, shorter: u32, width: i64, height: i64 },
    #[error(
        "input '{input}' has no size of its own, so nothing can be cut out for it by shorter_side: give its size in \
         model.json, or leave shorter_side out"
    )]
    ShorterOfAny { input: String },
    #[error("output '{output}' is not a tensor but {kind}: export the model without it")]
    NoTensor { output: String, kind: String },
    #[error("output '{output}' is of {kind}, which is not supported: export it as float32")]
    OutputType { output: String, kind: String },
    #[error("a name in the graph holds a zero byte: export it anew")]
    ZeroByte,
}

/// What fills an input of the graph.
pub(super) enum InputRole {
    /// The frame.
    Frame,
    /// An image from a file, by its place among the manifest's inputs of that kind.
    Template(usize),
    /// Width and height of the frame's tensor, in that order, which some detectors need to give boxes in pixels.
    FrameSize(SizeOrder),
    /// A field.
    Field(FieldInput),
}

/// One input of the graph.
pub(super) struct InputPlan {
    /// The input's name.
    pub name: String,
    /// Its place among the manifest's inputs.
    pub manifest_index: usize,
    /// What fills it.
    pub role: InputRole,
    /// The type of its numbers.
    pub kind: Kind,
    /// The shape for one frame, with the batch axis; -1 is an axis that follows the frame.
    shape: Vec<i64>,
    layout: Layout,
}

impl InputPlan {
    /// Whether it is an image whose shape has no batch axis.
    fn lacks_batch(&self) -> bool {
        matches!(self.role, InputRole::Frame | InputRole::Template(_)) && self.shape.len() == 3
    }

    /// The shape for one frame if the frame's tensor has this `size` (width, height).
    pub(super) fn shape(&self, size: [usize; 2]) -> Vec<i64> {
        let mut shape = self.shape.clone();
        if let InputRole::Frame | InputRole::Template(_) = self.role {
            let (h, w) = axes(self.layout, shape.len());
            for (axis, length) in [(w, size[0]), (h, size[1])] {
                if shape[axis] < 0 {
                    shape[axis] = length as i64;
                }
            }
        }
        shape
    }
}

/// One output of the graph that is read.
pub(super) struct OutputPlan {
    /// The output's name.
    pub name: String,
    /// The type of its numbers.
    pub kind: Kind,
    /// The shape for one frame, with the batch axis; `None` if only a run shows it.
    pub shape: Option<Vec<i64>>,
}

/// The inputs and outputs of a graph.
pub(super) struct Plan {
    /// The inputs, in the graph's order.
    pub inputs: Vec<InputPlan>,
    /// The names of the inputs.
    pub names: Vec<CString>,
    /// The outputs that are read, in the graph's order.
    pub outputs: Vec<OutputPlan>,
    /// The names of those outputs.
    pub output_names: Vec<CString>,
    /// Whether every input leaves the batch axis open.
    pub batches: bool,
}

impl Plan {
    /// Checks the graph against the manifest.
    pub(super) fn new(session: &Session, manifest: &Manifest) -> Result<Self, PlanError> {
        if let Some(unknown) = manifest.inputs.iter().find(|i| session.inputs().iter().all(|o| o.name() != i.name)) {
            let names: Vec<_> = session.inputs().iter().map(|i| i.name()).collect();
            return Err(PlanError::UnknownInput { input: unknown.name.clone(), names: names.join(", ") });
        }
        let (mut inputs, mut names, mut batches) = (Vec::new(), Vec::new(), true);
        for outlet in session.inputs() {
            let plan = input(outlet, manifest)?;
            batches &= shape_of(outlet).first() == Some(&-1) && plan.shape.first() == Some(&1) && !plan.lacks_batch();
            inputs.push(plan);
            names.push(c_name(outlet)?);
        }
        let decode = Decode::new(manifest);
        let (mut outputs, mut output_names) = (Vec::new(), Vec::new());
        let batch_axis = frame_symbol(session, manifest);
        for outlet in session.outputs().iter().filter(|o| decode.reads(o.name())) {
            outputs.push(output(outlet, batch_axis.as_deref())?);
            output_names.push(c_name(outlet)?);
        }
        Ok(Self { inputs, names, outputs, output_names, batches })
    }

    /// Width and height of the frame's tensor, or `None` if they follow the frame.
    pub(super) fn size(&self) -> Option<[usize; 2]> {
        let frame = self.inputs.iter().find(|i| matches!(i.role, InputRole::Frame))?;
        let (h, w) = axes(frame.layout, frame.shape.len());
        (frame.shape[w] > 0 && frame.shape[h] > 0).then(|| [frame.shape[w] as usize, frame.shape[h] as usize])
    }

    /// Writes the `size` (width, height) of the frame's tensor into an input of that role.
    ///
    /// # Safety
    /// Meanwhile no other thread reads or writes that frame's numbers.
    pub(super) unsafe fn frame_size(&self, memory: &Memory, frame: usize, [w, h]: [usize; 2], order: SizeOrder) {
        let size = if order == SizeOrder::Wh { [w, h] } else { [h, w] };
        // SAFETY: the caller promises it, for each type.
        match memory.kind() {
            Kind::I64 => unsafe { memory.frame_mut::<i64>(frame) }.copy_from_slice(&size.map(|v| v as i64)),
            Kind::I32 => unsafe { memory.frame_mut::<i32>(frame) }.copy_from_slice(&size.map(|v| v as i32)),
            _ => unsafe { memory.frame_mut::<f32>(frame) }.copy_from_slice(&size.map(|v| v as f32)),
        }
    }
}

fn input(outlet: &Outlet, manifest: &Manifest) -> Result<InputPlan, PlanError> {
    let name = outlet.name();
    let (n, input) =
        (manifest.inputs.iter().enumerate().find(|(_, i)| i.name == name)).ok_or_else(|| PlanError::UnnamedInput {
            input: name.into(),
            kind: outlet.dtype().tensor_type().map_or_else(|| "f32".into(), word),
            // An open axis is one long for one frame.
            shape: shape_of(outlet).iter().map(|d| (*d).max(1)).collect(),
        })?;
    let graph = shape_of(outlet);
    let kind = Kind::from(input.element);
    let has = outlet.dtype().tensor_type();
    if has != Some(kind.engine()) {
        let graph = has.map_or_else(|| "no tensor".into(), |t| t.to_string());
        return Err(PlanError::InputType { input: name.into(), graph, manifest: kind.engine().to_string() });
    }
    let (role, shape) = match input.source() {
        Some(InputSource::Field(field)) => {
            let shape = field_shape(input, &graph)?;
            let count = shape.iter().product::<i64>() as usize;
            let field = FieldInput::new(field, input, kind, count)
                .map_err(|error| PlanError::Default { input: name.into(), error })?;
            (InputRole::Field(field), shape)
        }
        Some(InputSource::FrameSize) => {
            let shape = match graph[..] {
                [1 | -1, 2 | -1] => vec![1, 2],
                [2 | -1] => vec![2],
                _ => return Err(PlanError::FrameSize { input: name.into(), shape: graph, kind }),
            };
            (InputRole::FrameSize(input.order), shape)
        }
        Some(InputSource::ImageFile) => {
            let before = manifest.inputs[..n].iter().filter(|i| i.source() == Some(InputSource::ImageFile)).count();
            (InputRole::Template(before), image_shape(input, &graph)?)
        }
        _ => (InputRole::Frame, image_shape(input, &graph)?),
    };
    Ok(InputPlan { name: name.into(), manifest_index: n, role, kind, shape, layout: input.layout })
}

fn output(outlet: &Outlet, batch_axis: Option<&str>) -> Result<OutputPlan, PlanError> {
    let name = outlet.name();
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return Err(PlanError::NoTensor { output: name.into(), kind: outlet.dtype().to_string() });
    };
    let kind = Kind::of(*ty).ok_or_else(|| PlanError::OutputType { output: name.into(), kind: ty.to_string() })?;
    let mut shape = shape.to_vec();
    // A batch axis of the same name as the input's is one frame long.
    if shape.first() == Some(&-1) && batch_axis.is_some_and(|a| dimension_symbols.first().is_some_and(|s| s == a)) {
        shape[0] = 1;
    }
    let known = shape.iter().all(|d| *d > 0);
    Ok(OutputPlan { name: name.into(), kind, shape: known.then_some(shape) })
}

/// The graph's name for the batch axis of the frame's input.
fn frame_symbol(session: &Session, manifest: &Manifest) -> Option<String> {
    let frame = session.inputs().iter().find(|o| o.name() == manifest.image().name)?;
    match frame.dtype() {
        ValueType::Tensor { dimension_symbols, .. } if dimension_symbols.len() == 4 => {
            dimension_symbols.first().filter(|s| !s.is_empty()).cloned()
        }
        _ => None,
    }
}

fn c_name(outlet: &Outlet) -> Result<CString, PlanError> {
    CString::new(outlet.name()).map_err(|_| PlanError::ZeroByte)
}

fn shape_of(outlet: &Outlet) -> Vec<i64> {
    outlet.dtype().tensor_shape().map(|s| s.to_vec()).unwrap_or_default()
}

/// The axes of height and width in a shape of `rank` axes: four, or three without a batch.
fn axes(layout: Layout, rank: usize) -> (usize, usize) {
    match layout {
        Layout::Nchw => (rank - 2, rank - 1),
        Layout::Nhwc => (rank - 3, rank - 2),
    }
}

/// The shape of an image input, for a batch of one, if graph and manifest agree on it.
fn image_shape(input: &Input, graph: &[i64]) -> Result<Vec<i64>, PlanError> {
    let rank = graph.len();
    if !matches!(rank, 3 | 4) {
        return Err(PlanError::Rank { input: input.name.clone(), shape: graph.to_vec() });
    }
    let (y, x) = axes(input.layout, rank);
    if rank == 4 && graph[0] > 1 {
        return Err(PlanError::Batch { input: input.name.clone(), frames: graph[0] });
    }
    // Without a size in the manifest the graph's size counts, and an open axis follows the frame.
    let [w, h] = input.size.map_or([graph[x], graph[y]], |s| s.map(i64::from));
    let c = input.colour.channels() as i64;
    match input.shorter_side.filter(|_| input.resize == Resize::Crop) {
        Some(_) if w < 0 || h < 0 => return Err(PlanError::ShorterOfAny { input: input.name.clone() }),
        Some(shorter) if i64::from(shorter) < w.max(h) => {
            return Err(PlanError::Shorter { input: input.name.clone(), shorter, width: w, height: h });
        }
        _ => {}
    }
    let mut shape = match input.layout {
        Layout::Nchw => vec![1, c, h, w],
        Layout::Nhwc => vec![1, h, w, c],
    };
    // torchvision's detectors take pictures without a batch.
    shape.drain(..4 - rank);
    agreed(input, graph, shape, "colour, size or layout")
}

fn field_shape(input: &Input, graph: &[i64]) -> Result<Vec<i64>, PlanError> {
    let open = || graph.iter().map(|d| (*d).max(1)).collect();
    let shape: Vec<i64> = input.shape.as_ref().map_or_else(open, |s| s.iter().map(|d| *d as i64).collect());
    agreed(input, graph, shape, "its shape")
}

/// Returns `shape` if a tensor of it fits the graph, in which -1 is any length.
fn agreed(input: &Input, graph: &[i64], shape: Vec<i64>, culprit: &'static str) -> Result<Vec<i64>, PlanError> {
    if shape.len() == graph.len() && shape.iter().zip(graph).all(|(s, g)| *g < 0 || s == g) {
        return Ok(shape);
    }
    Err(PlanError::Shape { input: input.name.clone(), graph: graph.to_vec(), manifest: shape, culprit })
}
