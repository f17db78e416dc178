// SPDX-License-Identifier: MPL-2.0
//! What the inputs of a graph without a manifest take: one takes the frame, and some detectors take its size beside it.

use super::{
    graph::{Graph, Port},
    missing::{Missing, WRITE},
};
use crate::plan::PlanError;

/// Inputs that take the size of the picture, or by how much it was scaled (see `image::beside`).
const BESIDE: &[&str] = &["orig_target_sizes", "im_shape", "scale_factor"];

/// Finds the input that takes the frame. Returns its place, and the graph with that input alone, where its channels are open but named, as three.
pub(super) fn frame(graph: &Graph) -> Result<(usize, Graph), Missing> {
    let frames: Vec<_> = graph.inputs.iter().enumerate().filter(|(_, p)| !BESIDE.contains(&p.plain())).collect();
    let [(at, port)] = frames[..] else {
        let all: Vec<_> = frames.iter().map(|(_, i)| i.name.as_str()).collect();
        if all.is_empty() {
            return Err("the graph has no input that takes an image: export the model with one".to_string().into());
        }
        return Err(format!(
            "{} inputs ({}) could take the frame or something else: {WRITE}; check there what fills each",
            all.len(),
            all.join(", ")
        )
        .into());
    };
    let image = |shape: &[i64]| Graph { inputs: vec![Port { shape: shape.to_vec(), ..port.clone() }], ..graph.clone() };
    let named = |i: usize, words: &[&str]| {
        port.axes.get(i).is_some_and(|axis| words.iter().any(|w| axis.to_lowercase().contains(w)))
    };
    let view = match port.shape[..] {
        // Hugging Face's Optimum leaves all axes open, and names them.
        [n, -1, h, w] if named(1, &["channel"]) || port.name == "pixel_values" => image(&[n, 3, h, w]),
        [n, h, w, -1] if named(3, &["channel"]) => image(&[n, h, w, 3]),
        [_, _] | [_] | [] => {
            return Err(format!(
                "its only input takes rows of numbers ({}) and no picture: Andon judges pictures, and no model.json changes \
                 that; give it a model whose input is of rank 4, as [1, 3, H, W]",
                port.told()
            )
            .into());
        }
        // What no answer can cure is said before anything is asked.
        [frames, _, _, _] if frames > 1 => {
            return Err(PlanError::Batch { input: port.name.clone(), frames }.to_string().into());
        }
        _ => Graph { inputs: vec![port.clone()], ..graph.clone() },
    };
    Ok((at, view))
}
