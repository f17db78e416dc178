// SPDX-License-Identifier: MPL-2.0
//! Puts numbers that lie in files into the graph, where ONNX Runtime takes no files from memory: everywhere but in the
//! weights of the main graph, and in those where they are small.

use super::{
    Fault, inner,
    tensor::Tensor,
    walk::{Kind, is_main},
    wire::{DEEPEST, Fields, Malformed, write},
};

/// The largest message of protobuf, bytes.
const LARGEST: usize = i32::MAX as usize;

/// The field of a tensor for its numbers, as they lie in a file.
const RAW_DATA: u32 = 9;

/// Returns a graph that [`outside`](super::outside) has accepted, with the numbers in it that lie in files, except those of
/// the main graph's large weights. `content` gives the files, by the paths that the graph writes.
pub(crate) fn inlined<'a>(graph: &[u8], content: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Vec<u8>, Fault> {
    let new = message(Kind::Model, graph, 0, content)?;
    if new.len() > LARGEST {
        let problem = "lie in a file, in a part of the graph where that makes it larger than 2 GiB: export the model \
                       without weights in sub-graphs, functions and constants";
        return Err(Fault::weights("its inner tensors", problem));
    }
    Ok(new)
}

fn message<'a>(
    kind: Kind,
    bytes: &[u8],
    depth: usize,
    content: &dyn Fn(&str) -> Option<&'a [u8]>,
) -> Result<Vec<u8>, Fault> {
    if depth > DEEPEST {
        return Err(Malformed::Deep.into());
    }
    let mut new = Vec::with_capacity(bytes.len());
    for field in Fields::of(bytes) {
        let field = field?;
        match kind.inner(field.number) {
            Some((Kind::Tensor, _)) => match tensor(field.bytes()?, is_main(kind, depth + 1), content)? {
                Some(tensor) => write(field.number, &tensor, &mut new),
                None => new.extend_from_slice(field.whole),
            },
            Some((kind, _)) => write(field.number, &message(kind, field.bytes()?, depth + 1, content)?, &mut new),
            None => new.extend_from_slice(field.whole),
        }
    }
    Ok(new)
}

/// Returns a tensor with its numbers in it. None if they are there already, or stay in their file.
fn tensor<'a>(bytes: &[u8], main: bool, content: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Option<Vec<u8>>, Fault> {
    // The walk has seen this graph.
    let strange = || Fault::NotAGraph("it has changed".into());
    let tensor = Tensor::read(bytes).map_err(|_| strange())?;
    if !tensor.is_outside() {
        return Ok(None);
    }
    let place = tensor.place().map_err(|problem| Fault::weights(&tensor.name(), problem))?;
    if !inner(main, place.length) {
        return Ok(None);
    }
    let numbers = content(&place.location).and_then(|file| {
        let from = usize::try_from(place.offset).ok()?;
        file.get(from..from.checked_add(usize::try_from(place.length).ok()?)?)
    });
    let mut new = Vec::new();
    for field in Fields::of(bytes) {
        let field = field?;
        // The entries on where they lie, and that they do not lie here.
        if !matches!(field.number, 13 | 14) {
            new.extend_from_slice(field.whole);
        }
    }
    write(RAW_DATA, numbers.ok_or_else(strange)?, &mut new);
    Ok(Some(new))
}
