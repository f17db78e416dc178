// SPDX-License-Identifier: MPL-2.0
//! What goes into a graph and what comes out of it, for people: with it every refusal shows what it speaks of.

use std::{
    fmt::{self, Display},
    sync::Arc,
    time::Duration,
};

use andon_model as model;
use ort::{
    session::Session,
    value::{Outlet, TensorElementType, ValueType},
};

use crate::{Cancel, Error, Options, loads::within, runtime, session};

/// An input or an output of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in the graph.
    pub name: String,
    /// The type of its numbers as in `model.json`, such as `f32`, or a word for what is no tensor.
    pub kind: String,
    /// The length of each axis: a number, or the graph's name for an open axis (`?` if it has none).
    pub shape: Vec<String>,
}

impl Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} [{}]", self.name, self.kind, self.shape.join(", "))
    }
}

/// The inputs and outputs of a graph, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// What goes in.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
}

/// How many inputs or outputs one line shows.
const FEW: usize = 12;

/// The longest name of an axis that is shown, bytes.
const SHORT: usize = 24;

impl Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ports: &[Port]| {
            let few: Vec<_> = ports.iter().take(FEW).map(ToString::to_string).collect();
            let more = if ports.len() > FEW { format!(" and {} more", ports.len() - FEW) } else { String::new() };
            if few.is_empty() { "nothing".into() } else { few.join(", ") + &more }
        };
        write!(f, "takes {}; gives {}", list(&self.inputs), list(&self.outputs))
    }
}

impl Ports {
    pub(super) fn of(session: &Session) -> Self {
        let all = |outlets: &[Outlet]| outlets.iter().map(port).collect();
        Self { inputs: all(session.inputs()), outputs: all(session.outputs()) }
    }
}

/// Appends the graph's inputs and outputs to what is wrong with it.
pub(super) fn shown(problem: &str, session: &Session) -> String {
    format!("{problem} (the graph {})", Ports::of(session))
}

/// Reads the inputs and outputs of a model's graph, within a time limit. ONNX Runtime reads the graph, and runs nothing.
///
/// # Errors
/// Those of reading and loading a model.
pub fn ports(model: &str, limit: Duration) -> Result<Ports, Error> {
    let name = model.to_string();
    within(model, Some(limit), &Arc::new(Cancel::early()), move |_| {
        runtime::environment()?;
        let source = model::inspect(&name)?;
        session::open(&source, &Options::default(), |opened| Ok(Ports::of(&opened.session)))
    })
}

fn port(outlet: &Outlet) -> Port {
    let name = outlet.name().to_string();
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, dimension_symbols } => {
            let axis = |(i, length): (usize, &i64)| match length {
                // Some exporters name an axis by the whole formula of its length.
                ..0 => {
                    let name = dimension_symbols.get(i).filter(|s| (1..=SHORT).contains(&s.len()));
                    name.map_or_else(|| "?".into(), |s| s.to_string())
                }
                length => length.to_string(),
            };
            Port { name, kind: word(*ty), shape: shape.iter().enumerate().map(axis).collect() }
        }
        ValueType::Sequence(_) => Port { name, kind: "a sequence".into(), shape: Vec::new() },
        ValueType::Map { .. } => Port { name, kind: "a map".into(), shape: Vec::new() },
        _ => Port { name, kind: "no tensor".into(), shape: Vec::new() },
    }
}

/// The word of `model.json` for a type of numbers.
pub(super) fn word(ty: TensorElementType) -> String {
    match ty {
        TensorElementType::Float32 => "f32".into(),
        TensorElementType::Float16 => "f16".into(),
        TensorElementType::Float64 => "f64".into(),
        TensorElementType::Int64 => "i64".into(),
        TensorElementType::Int32 => "i32".into(),
        TensorElementType::Int16 => "i16".into(),
        TensorElementType::Int8 => "i8".into(),
        TensorElementType::Uint8 => "u8".into(),
        TensorElementType::Bool => "bool".into(),
        TensorElementType::String => "text".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_an_empty_one_said() {
        let port = |i| Port { name: format!("o{i}"), kind: "f32".into(), shape: vec!["1".into(), "?".into()] };
        let ports = Ports { inputs: Vec::new(), outputs: (0..14).map(port).collect() };
        let text = ports.to_string();
        assert!(text.starts_with("takes nothing; gives o0 f32 [1, ?], o1") && text.ends_with("and 2 more"), "{text}");
    }
}
