// SPDX-License-Identifier: MPL-2.0
//! What the graph takes and gives, held against what the manifest says of it.

use std::ffi::CString;

use andon_model::{Input, InputSource, Layout, Manifest, ModelInfo};
use ort::{
    session::Session,
    value::{Outlet, ValueType},
};

use super::{
    decode::Decode,
    derive,
    fields::FieldInput,
    memory::{Kind, Memory},
};

/// What fills an input.
pub(super) enum Role {
    /// The frame.
    Frame,
    /// A picture from a file; which of them, in the manifest's order.
    Template(usize),
    /// Width and height of the frame's tensor, as detectors want them that give boxes in pixels.
    FrameSize,
    /// A field.
    Field(FieldInput),
}

/// One input of the graph.
pub(super) struct InputPlan {
    pub name: String,
    /// Which of the manifest's inputs it is.
    pub told: usize,
    pub role: Role,
    pub kind: Kind,
    /// Of one frame, with the batch axis; -1 where the frame's size decides.
    shape: Vec<i64>,
    layout: Layout,
}

impl InputPlan {
    /// Its shape for one frame, where the tensor is to have `size`: width, height.
    pub fn shape(&self, size: [usize; 2]) -> Vec<i64> {
        let mut shape = self.shape.clone();
        if let Role::Frame | Role::Template(_) = self.role {
            let (h, w) = axes(self.layout);
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
    pub name: String,
    pub kind: Kind,
    /// Of one frame, with the batch axis; none where only the run tells.
    pub shape: Option<Vec<i64>>,
}

impl OutputPlan {
    /// Why it cannot be read.
    pub fn unread(&self, why: &str) -> String {
        format!("output '{}' is {why}: export it as float32", self.name)
    }

    /// It does not come frame by frame.
    pub fn no_batch(&self, frames: usize, shape: &[i64]) -> String {
        format!(
            "output '{}' has shape {shape:?} for {frames} frames: its first axis does not follow the batch; set \
             batch-size=1",
            self.name
        )
    }
}

/// The graph's face, checked.
pub(super) struct Plan {
    /// In the graph's order.
    pub inputs: Vec<InputPlan>,
    /// Their names.
    pub names: Vec<CString>,
    /// Those that are read, in the graph's order.
    pub outputs: Vec<OutputPlan>,
    /// Their names.
    pub output_names: Vec<CString>,
    /// Whether every input leaves the batch axis open.
    pub batches: bool,
}

impl Plan {
    /// Holds the graph against the manifest; an error says what to correct.
    pub fn new(session: &Session, manifest: &Manifest) -> Result<Self, String> {
        if let Some(stranger) = manifest.inputs.iter().find(|i| session.inputs().iter().all(|o| o.name() != i.name)) {
            let names: Vec<_> = session.inputs().iter().map(|i| i.name()).collect();
            return Err(format!(
                "the graph has no input '{}' as model.json says, it has {}: correct inputs[].name",
                stranger.name,
                names.join(", ")
            ));
        }
        let (mut inputs, mut names, mut batches) = (Vec::new(), Vec::new(), true);
        for outlet in session.inputs() {
            let plan = input(outlet, manifest)?;
            batches &= shape_of(outlet).first() == Some(&-1) && plan.shape.first() == Some(&1);
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

    /// The size of the frame's tensor, width and height; none where it follows the frame's.
    pub fn size(&self) -> Option<[usize; 2]> {
        let frame = self.inputs.iter().find(|i| matches!(i.role, Role::Frame))?;
        let (h, w) = axes(frame.layout);
        (frame.shape[w] > 0 && frame.shape[h] > 0).then(|| [frame.shape[w] as usize, frame.shape[h] as usize])
    }

    /// Puts the size of the frame's tensor into an input that asks for it.
    ///
    /// # Safety
    /// Meanwhile nobody else reads or writes that frame's numbers.
    pub unsafe fn frame_size(&self, memory: &Memory, frame: usize, size: [usize; 2]) {
        // SAFETY: the caller's word, for each.
        match memory.kind() {
            Kind::I64 => unsafe { memory.slot::<i64>(frame) }.copy_from_slice(&size.map(|v| v as i64)),
            Kind::I32 => unsafe { memory.slot::<i32>(frame) }.copy_from_slice(&size.map(|v| v as i32)),
            _ => unsafe { memory.slot::<f32>(frame) }.copy_from_slice(&size.map(|v| v as f32)),
        }
    }
}

fn input(outlet: &Outlet, manifest: &Manifest) -> Result<InputPlan, String> {
    let name = outlet.name();
    let (n, told) = (manifest.inputs.iter().enumerate().find(|(_, i)| i.name == name))
        .ok_or_else(|| format!("the graph has an input '{name}' that model.json does not name: add it to inputs"))?;
    let graph = shape_of(outlet);
    let kind = Kind::from(told.element);
    let has = outlet.dtype().tensor_type();
    if has != Some(kind.engine()) {
        let has = has.map_or_else(|| "no tensor".into(), |t| t.to_string());
        let wants = kind.engine();
        return Err(format!(
            "input '{name}' takes {has} in the graph and {wants} in model.json: correct its type there, or export it so"
        ));
    }
    let at = |e: String| format!("input '{name}' {e}");
    let (role, shape) = match told.source() {
        Some(InputSource::Field(field)) => {
            let shape = field_shape(told, &graph).map_err(at)?;
            let count = shape.iter().product::<i64>() as usize;
            let input = FieldInput::new(field, told, kind, count).map_err(|e| format!("input '{name}': {e}"))?;
            (Role::Field(input), shape)
        }
        Some(InputSource::FrameSize) => {
            let shape: Vec<_> = graph.iter().map(|d| (*d).max(1)).collect();
            if shape != [1, 2] || !matches!(kind, Kind::I64 | Kind::I32 | Kind::F32) {
                let problem = format!("has shape {graph:?} of {kind:?}, frame-size needs [1, 2] of i64, i32 or f32");
                return Err(at(format!("{problem}: correct its source in model.json")));
            }
            (Role::FrameSize, vec![1, 2])
        }
        Some(InputSource::ImageFile) => {
            let before = manifest.inputs[..n].iter().filter(|i| i.source() == Some(InputSource::ImageFile)).count();
            (Role::Template(before), image_shape(told, &graph).map_err(at)?)
        }
        _ => (Role::Frame, image_shape(told, &graph).map_err(at)?),
    };
    Ok(InputPlan { name: name.into(), told: n, role, kind, shape, layout: told.layout })
}

fn output(outlet: &Outlet, batch_axis: Option<&str>) -> Result<OutputPlan, String> {
    let name = outlet.name();
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return Err(format!("output '{name}' is no tensor, but {}: export the model without it", outlet.dtype()));
    };
    let kind =
        Kind::of(*ty).ok_or_else(|| format!("output '{name}' is of {ty}, which is not read: export it as float32"))?;
    let mut shape = shape.to_vec();
    // The batch axis is one frame long, where it is the input's.
    if shape.first() == Some(&-1) && batch_axis.is_some_and(|a| dimension_symbols.first().is_some_and(|s| s == a)) {
        shape[0] = 1;
    }
    let known = shape.iter().all(|d| *d > 0);
    Ok(OutputPlan { name: name.into(), kind, shape: known.then_some(shape) })
}

/// What the graph calls the batch axis of the frame's input.
fn frame_symbol(session: &Session, manifest: &Manifest) -> Option<String> {
    let frame = session.inputs().iter().find(|o| o.name() == manifest.image().name)?;
    match frame.dtype() {
        ValueType::Tensor { dimension_symbols, .. } => dimension_symbols.first().filter(|s| !s.is_empty()).cloned(),
        _ => None,
    }
}

fn c_name(outlet: &Outlet) -> Result<CString, String> {
    CString::new(outlet.name()).map_err(|_| "a name in the graph holds a zero byte: export it anew".into())
}

fn shape_of(outlet: &Outlet) -> Vec<i64> {
    outlet.dtype().tensor_shape().map(|s| s.to_vec()).unwrap_or_default()
}

/// Where height and width stand.
fn axes(layout: Layout) -> (usize, usize) {
    match layout {
        Layout::Nchw => (2, 3),
        Layout::Nhwc => (1, 2),
    }
}

/// The graph's face, for a file without a manifest.
pub(super) fn face(session: &Session, info: Option<ModelInfo>) -> derive::Graph {
    let port = |o: &Outlet| derive::Port { name: o.name().into(), shape: shape_of(o), kind: o.dtype().tensor_type() };
    let side = |outlets: &[Outlet]| outlets.iter().map(port).collect();
    let notes = session.metadata().ok().map(|m| {
        let keys = m.custom_keys().unwrap_or_default();
        keys.into_iter().filter_map(|k| m.custom(&k).map(|v| (k, v))).collect()
    });
    let notes = notes.unwrap_or_default();
    derive::Graph { inputs: side(session.inputs()), outputs: side(session.outputs()), notes, info }
}

/// The shape to feed, batch of one, where graph and manifest agree on it.
fn image_shape(input: &Input, graph: &[i64]) -> Result<Vec<i64>, String> {
    let (y, x) = axes(input.layout);
    if graph.len() != 4 {
        return Err(format!("has shape {graph:?} in the graph, an image needs four axes: export the model with them"));
    }
    if graph[0] > 1 {
        let n = graph[0];
        return Err(format!("takes {n} frames at a time: export it with a batch of one, or with an open batch axis"));
    }
    // Without a size the graph's counts; what it leaves open follows the frame.
    let [w, h] = input.size.map_or([graph[x], graph[y]], |s| s.map(i64::from));
    let c = input.colour.channels() as i64;
    let shape = match input.layout {
        Layout::Nchw => vec![1, c, h, w],
        Layout::Nhwc => vec![1, h, w, c],
    };
    if fits(&shape, graph) {
        Ok(shape)
    } else {
        Err(format!(
            "has shape {graph:?} in the graph and {shape:?} in model.json: correct colour, size or layout there"
        ))
    }
}

fn field_shape(input: &Input, graph: &[i64]) -> Result<Vec<i64>, String> {
    let open = || graph.iter().map(|d| (*d).max(1)).collect();
    let shape: Vec<i64> = input.shape.as_ref().map_or_else(open, |s| s.iter().map(|d| *d as i64).collect());
    if fits(&shape, graph) {
        Ok(shape)
    } else {
        Err(format!("has shape {graph:?} in the graph and {shape:?} in model.json: correct its shape there"))
    }
}

/// Whether a tensor of `shape` may be fed where the graph says `graph`, with -1 for any length.
fn fits(shape: &[i64], graph: &[i64]) -> bool {
    shape.len() == graph.len() && shape.iter().zip(graph).all(|(s, g)| *g < 0 || s == g)
}
