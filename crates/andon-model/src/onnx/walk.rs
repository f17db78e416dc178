// SPDX-License-Identifier: MPL-2.0
//! Goes through all of a graph that can name a file.

use super::{
    Fault,
    tensor::{Bad, Tensor},
    wire::{DEEPEST, Field, Fields, Malformed},
};

/// The messages that lead to a tensor.
///
/// Source of the names and numbers of all fields: `onnx.proto` of ONNX, IR version 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    Sparse,
    Tensor,
}

impl Kind {
    /// The message in a field, and whether there may be several of them. None if it leads to no tensor.
    pub(super) fn inner(self, number: u32) -> Option<(Kind, bool)> {
        Some(match (self, number) {
            (Self::Model, 7) => (Self::Graph, false),
            (Self::Model, 20) => (Self::Training, true),
            (Self::Model, 25) => (Self::Function, true),
            (Self::Training, 1 | 2) => (Self::Graph, false),
            (Self::Function, 7) => (Self::Node, true),
            (Self::Function, 11) => (Self::Attribute, true),
            (Self::Graph, 1) => (Self::Node, true),
            (Self::Graph, 5) => (Self::Tensor, true),
            (Self::Graph, 15) => (Self::Sparse, true),
            (Self::Node, 5) => (Self::Attribute, true),
            (Self::Attribute, 5) => (Self::Tensor, false),
            (Self::Attribute, 6) => (Self::Graph, false),
            (Self::Attribute, 10) => (Self::Tensor, true),
            (Self::Attribute, 11) => (Self::Graph, true),
            (Self::Attribute, 22) => (Self::Sparse, false),
            (Self::Attribute, 23) => (Self::Sparse, true),
            (Self::Sparse, 1 | 2) => (Self::Tensor, false),
            _ => return None,
        })
    }
}

/// Whether a tensor that lies `depth` messages deep is one of the weights of the main graph, its parent being `parent`.
pub(super) fn is_main(parent: Kind, depth: usize) -> bool {
    parent == Kind::Graph && depth == 2
}

/// Shows every tensor whose numbers lie in a file, and whether it is one of the weights of the main graph.
pub(super) fn walk<'a>(
    graph: &'a [u8],
    see: &mut impl FnMut(&Tensor<'a>, bool) -> Result<(), Fault>,
) -> Result<(), Fault> {
    message(Kind::Model, graph, 0, see)
}

fn message<'a>(
    kind: Kind,
    bytes: &'a [u8],
    depth: usize,
    see: &mut impl FnMut(&Tensor<'a>, bool) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if depth > DEEPEST {
        return Err(Malformed::Deep.into());
    }
    // Which fields of which there can be but one were there.
    let mut single = 0_u32;
    for field in Fields::of(bytes) {
        let field = field?;
        let Some((inner, several)) = kind.inner(field.number) else { continue };
        if !several && single & 1 << field.number != 0 {
            // Readers put the pieces together, each in its own way.
            return Err(Fault::NotAGraph(format!("a part of it is written in two pieces (field {})", field.number)));
        }
        single |= 1 << field.number;
        let bytes = field.bytes()?;
        if inner != Kind::Tensor {
            message(inner, bytes, depth + 1, see)?;
            continue;
        }
        let tensor = Tensor::read(bytes).map_err(|bad| match bad {
            Bad::Malformed(malformed) => malformed.into(),
            Bad::Place(problem) => Fault::weights("a tensor", problem),
        })?;
        if tensor.is_outside() {
            see(&tensor, is_main(kind, depth + 1))?;
        }
    }
    if kind == Kind::Node { node(bytes) } else { Ok(()) }
}

/// Refuses a node in which an execution provider has left its compiled model, if it has left it in a file: providers open
/// such files themselves.
///
/// Source: the schema of `EPContext` in ONNX Runtime (`embed_mode` is 1 where it is not said).
fn node(bytes: &[u8]) -> Result<(), Fault> {
    let is = |field: &Field<'_>, number: u32, text: &[u8]| {
        field.number == number && field.bytes().is_ok_and(|bytes| bytes == text)
    };
    let fields = || Fields::of(bytes).flatten();
    if !fields().any(|f| is(&f, 4, b"EPContext")) {
        return Ok(());
    }
    for attribute in fields().filter(|f| f.number == 5) {
        let attribute = attribute.bytes()?;
        let named = |name: &[u8]| Fields::of(attribute).flatten().any(|f| is(&f, 1, name));
        let mut values = Fields::of(attribute).flatten();
        let refused = if named(b"embed_mode") {
            values.any(|f| f.number == 3 && f.number() != Ok(1))
        } else if named(b"onnx_model_filename") {
            values.any(|f| f.number == 4 && f.bytes() != Ok(b""))
        } else {
            false
        };
        if refused {
            return Err(Fault::Compiled);
        }
    }
    Ok(())
}
