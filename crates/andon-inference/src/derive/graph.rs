// SPDX-License-Identifier: MPL-2.0
//! What a graph without a manifest shows: its inputs, its outputs and its exporter's notes.

use std::collections::BTreeMap;

use andon_model::{ModelInfo, tensor_name};
use ort::{
    session::Session,
    value::{Outlet, TensorElementType, ValueType},
};

/// The parts of a graph from which a manifest is derived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    /// The inputs.
    pub inputs: Vec<Port>,
    /// The outputs.
    pub outputs: Vec<Port>,
    /// The exporter's notes, by key.
    pub notes: BTreeMap<String, String>,
    /// The `.modelinfo` beside the file.
    pub info: Option<ModelInfo>,
}

/// One input or output.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// Its name.
    pub name: String,
    /// Its shape; -1 is an open axis.
    pub shape: Vec<i64>,
    /// The type of its elements, or `None` if it is not a tensor.
    pub kind: Option<TensorElementType>,
    /// The graph's names of its axes, empty where an axis has none; in the order of the shape, or none at all.
    pub axes: Vec<String>,
}

impl Port {
    /// Its name without what exporters put around it.
    pub(super) fn plain(&self) -> &str {
        tensor_name(&self.name)
    }

    /// The number of its axes.
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The length of the last axis; -1 if it is open, or if there is none.
    pub(super) fn last(&self) -> i64 {
        self.shape.last().copied().unwrap_or(-1)
    }

    /// Whether its elements are floats.
    pub(super) fn float(&self) -> bool {
        use TensorElementType::{Bfloat16, Float16, Float32, Float64};
        matches!(self.kind, Some(Float16 | Float32 | Float64 | Bfloat16))
    }

    /// Whether its elements are integers or flags.
    pub(super) fn integer(&self) -> bool {
        self.kind.is_some() && !self.float() && !self.text()
    }

    /// Whether its elements are texts.
    pub(super) fn text(&self) -> bool {
        self.kind == Some(TensorElementType::String)
    }

    /// Its name, type and shape, for people; an open axis has the graph's name for it, or a question mark.
    pub(super) fn told(&self) -> String {
        let Some(kind) = self.kind else { return format!("{}, which is no tensor but a sequence or a map", self.name) };
        let axis = |i: usize| self.axes.get(i).filter(|a| !a.is_empty()).map_or("?", String::as_str);
        let axes = self.shape.iter().enumerate();
        let axes: Vec<_> = axes.map(|(i, d)| if *d < 0 { axis(i).into() } else { d.to_string() }).collect();
        format!("{} {kind} [{}]", self.name, axes.join(", "))
    }
}

impl Graph {
    /// The graph of a session, with the `.modelinfo` of its file.
    pub(crate) fn new(session: &Session, info: Option<ModelInfo>) -> Self {
        let port = |o: &Outlet| {
            let (kind, shape, axes) = match o.dtype() {
                ValueType::Tensor { ty, shape, dimension_symbols } => {
                    (Some(*ty), shape.to_vec(), dimension_symbols.iter().map(ToString::to_string).collect())
                }
                _ => (None, Vec::new(), Vec::new()),
            };
            Port { name: o.name().into(), shape, kind, axes }
        };
        let ports = |outlets: &[Outlet]| outlets.iter().map(port).collect();
        let notes = session.metadata().ok().map(|m| {
            let keys = m.custom_keys().unwrap_or_default();
            keys.into_iter().filter_map(|k| m.custom(&k).map(|v| (k, v))).collect()
        });
        let notes = notes.unwrap_or_default();
        Self { inputs: ports(session.inputs()), outputs: ports(session.outputs()), notes, info }
    }

    /// All inputs and outputs with type and shape, for people.
    pub(super) fn told(&self) -> String {
        let list = |ports: &[Port]| match ports {
            [] => "nothing".into(),
            _ => ports.iter().map(Port::told).collect::<Vec<_>>().join(", "),
        };
        format!("the graph takes {}; gives {}", list(&self.inputs), list(&self.outputs))
    }

    /// The output with one of these names.
    pub(super) fn output(&self, names: &[&str]) -> Option<&Port> {
        self.outputs.iter().find(|o| names.contains(&o.plain()))
    }
}
