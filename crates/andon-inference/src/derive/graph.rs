// SPDX-License-Identifier: MPL-2.0
//! What a graph without a manifest shows: its inputs, its outputs and its exporter's notes.

use std::collections::BTreeMap;

use andon_model::ModelInfo;
use ort::{
    session::Session,
    value::{Outlet, TensorElementType},
};

/// The parts of a graph from which a manifest is derived.
#[derive(Debug, Default)]
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
#[derive(Debug)]
pub(crate) struct Port {
    /// Its name.
    pub name: String,
    /// Its shape; -1 is an open axis.
    pub shape: Vec<i64>,
    /// The type of its elements, or `None` if it is not a tensor.
    pub kind: Option<TensorElementType>,
}

impl Graph {
    /// The graph of a session, with the `.modelinfo` of its file.
    pub(crate) fn new(session: &Session, info: Option<ModelInfo>) -> Self {
        let port = |o: &Outlet| Port {
            name: o.name().into(),
            shape: o.dtype().tensor_shape().map(|s| s.to_vec()).unwrap_or_default(),
            kind: o.dtype().tensor_type(),
        };
        let ports = |outlets: &[Outlet]| outlets.iter().map(port).collect();
        let notes = session.metadata().ok().map(|m| {
            let keys = m.custom_keys().unwrap_or_default();
            keys.into_iter().filter_map(|k| m.custom(&k).map(|v| (k, v))).collect()
        });
        let notes = notes.unwrap_or_default();
        Self { inputs: ports(session.inputs()), outputs: ports(session.outputs()), notes, info }
    }
}
