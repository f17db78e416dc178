// SPDX-License-Identifier: MPL-2.0
//! What an ONNX graph names outside itself: files with the numbers of its tensors. The graph is read, never run.
//!
//! ONNX lets a tensor lie in any file, by a path that the graph writes, and ONNX Runtime opens that path. So the whole graph
//! is gone through for such paths: weights, also sparse ones and those of graphs in graphs, constants, functions and what
//! training left. Everything that two readers could take differently is refused.

mod inline;
mod tensor;
#[cfg(test)]
mod tests;
mod walk;
mod wire;

use std::collections::{BTreeMap, btree_map::Entry};

pub(crate) use inline::inlined;
use wire::Malformed;

/// Tensors of the main graph of up to so many bytes are put into the graph, too: ONNX Runtime needs some of them, such as those
/// that say a shape, before it takes files. Exporters leave as small ones in the graph by themselves.
const SMALL: u64 = 1024;

/// More files than a model has tensors.
const MOST_FILES: usize = 20_000;

/// What keeps a graph from being used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes are no ONNX model, for the reason given.
    NotAGraph(String),
    /// The bytes are something else that is known, with what to do.
    Other(&'static str),
    /// Where the numbers of a tensor lie is refused.
    Weights {
        /// The tensor, with its quotes.
        tensor: String,
        /// What they do, after "the weights of …".
        problem: String,
    },
    /// A part of the graph is compiled, and lies in a file.
    Compiled,
}

impl Fault {
    fn weights(tensor: &str, problem: impl Into<String>) -> Self {
        Self::Weights { tensor: tensor.into(), problem: problem.into() }
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Self::NotAGraph(malformed.to_string())
    }
}

/// What a graph names outside itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outside {
    /// Each file, by its path as the graph writes it: relative, with `/`, without `..`.
    pub files: BTreeMap<String, Needed>,
    /// Whether [`inlined`] changes the graph: tensors in files are small, or are not weights of the main graph.
    pub inner: bool,
}

/// What is needed of a file of weights.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Needed {
    /// The bytes that it must have.
    pub bytes: u64,
    /// The tensor that needs the last of them.
    pub tensor: String,
}

/// Whether a tensor's numbers are put into the graph.
fn inner(main: bool, length: u64) -> bool {
    !main || length <= SMALL
}

/// Goes through a graph. Takes time and memory in proportion to its size at most.
pub(crate) fn outside(graph: &[u8]) -> Result<Outside, Fault> {
    if let Some(other) = something_else(graph) {
        return Err(Fault::Other(other));
    }
    let mut outside = Outside::default();
    walk::walk(graph, &mut |tensor, main| {
        let fail = |problem: String| Fault::weights(&tensor.name(), problem);
        let place = tensor.place().map_err(fail)?;
        let bytes = place.offset.checked_add(place.length).filter(|end| *end <= i64::MAX as u64);
        let bytes = bytes.ok_or_else(|| fail("lie behind the end that any file can have".into()))?;
        outside.inner |= inner(main, place.length);
        let many = outside.files.len() >= MOST_FILES;
        match outside.files.entry(place.location) {
            Entry::Vacant(_) if many => return Err(fail(format!("are in a file after {MOST_FILES} others"))),
            Entry::Vacant(new) => {
                new.insert(Needed { bytes, tensor: tensor.name() });
            }
            Entry::Occupied(mut known) if known.get().bytes < bytes => {
                known.insert(Needed { bytes, tensor: tensor.name() });
            }
            Entry::Occupied(_) => {}
        }
        Ok(())
    })?;
    Ok(outside)
}

/// What a file is that is no ONNX model, by its first bytes, with what to do.
fn something_else(bytes: &[u8]) -> Option<&'static str> {
    let starts = |with: &[u8]| bytes.get(..with.len()).is_some_and(|b| b.eq_ignore_ascii_case(with));
    Some(if bytes.is_empty() {
        "the file is empty: copy or download the whole ONNX model again"
    } else if starts(b"version https://git-lfs") {
        "the file is a pointer of Git LFS, not the model: run `git lfs pull` to get the whole ONNX model"
    } else if starts(b"<!doctype") || starts(b"<html") {
        "the file is a web page, not the model: download the whole ONNX model itself"
    } else if starts(b"\x1f\x8b") {
        "the file is compressed (gzip): unpack it to get the whole ONNX model"
    } else if starts(b"PK\x03\x04") {
        "the file is an archive (zip), as a checkpoint of PyTorch is: export the model to ONNX, or unpack the archive to \
         get the whole ONNX model"
    } else if bytes.get(4..8) == Some(b"ORTM") {
        "the file is a model in ONNX Runtime's own format (.ort): use the .onnx that it was made from"
    } else {
        return None;
    })
}
