// SPDX-License-Identifier: MPL-2.0
//! The image input of a graph without a manifest.

use andon_model::{Colour, Decoder, ElementType, Input, Layout, Resize, SizeOrder};
use ort::value::TensorElementType;

use super::{
    assumed::{Opens, assumed},
    graph::{Graph, Port},
    missing::{Missing, WRITE},
    recipe::{self, Open, Range},
};
use crate::Assumption;

/// An input beside the frame.
struct Beside {
    name: &'static str,
    /// The order of the two numbers of a size; none for factors, which are 1 because boxes are wanted in pixels of the
    /// model's input.
    order: Option<SizeOrder>,
}

/// Inputs that detectors take beside the frame, to bring their boxes to pixels of some picture. That is the model's input:
/// the way back to the frame is ours.
const BESIDE: &[Beside] = &[
    // RT-DETR, D-FINE, DEIM.
    Beside { name: "orig_target_sizes", order: Some(SizeOrder::Wh) },
    // PaddleDetection.
    Beside { name: "im_shape", order: Some(SizeOrder::Hw) },
    Beside { name: "scale_factor", order: None },
];

/// Finds the input that takes the frame, and how to fill it.
pub(super) fn input(graph: &Graph) -> Result<(usize, Input), Missing> {
    let frames: Vec<_> =
        graph.inputs.iter().enumerate().filter(|(_, p)| BESIDE.iter().all(|b| b.name != p.name)).collect();
    let [(at, Port { name, shape, kind, .. })] = frames[..] else {
        let all: Vec<_> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
        if all.is_empty() {
            return Err("the graph has no input that takes an image: export the model with one".to_string().into());
        }
        return Err(format!(
            "the graph has {} inputs ({}): {WRITE}; check there what fills each",
            all.len(),
            all.join(", ")
        )
        .into());
    };
    let (layout, channels, h, w) = match shape[..] {
        [_, c @ (1 | 3), h, w] | [c @ (1 | 3), h, w] => (Layout::Nchw, c, h, w),
        [_, h, w, c @ (1 | 3)] | [h, w, c @ (1 | 3)] => (Layout::Nhwc, c, h, w),
        _ => return Err(no_picture(name, shape).into()),
    };
    let noted = graph.notes.get("imgsz").map(|s| numbers(s)).filter(|s| s.len() == 2);
    let size = match (w, h, noted) {
        (1.., 1.., _) => Some([w as u32, h as u32]),
        (_, _, Some(noted)) => Some([noted[1], noted[0]]),
        // The size follows the frame.
        _ => None,
    };
    // Integers take pixel values as they are.
    let (element, scale) = match kind {
        Some(TensorElementType::Float32) => (ElementType::F32, 1.0 / 255.0),
        Some(TensorElementType::Float16) => (ElementType::F16, 1.0 / 255.0),
        Some(TensorElementType::Uint8) => (ElementType::U8, 1.0),
        other => {
            let other = other.map_or_else(|| "no tensor".into(), |k| k.to_string());
            let or = if *kind == Some(TensorElementType::Int8) { format!(", or {WRITE}") } else { String::new() };
            let problem = format!("input '{name}' takes {other}, an image is f32, f16 or u8: export it so{or}");
            return Err(problem.into());
        }
    };
    let input = Input {
        layout,
        element,
        colour: if channels == 1 { Colour::Grey } else { Colour::Rgb },
        resize: Resize::Stretch,
        size,
        scale: vec![scale],
        ..Input::new(name, "image")
    };
    Ok((at, input))
}

/// Why an input cannot take a picture, with a way out only where there is one.
fn no_picture(name: &str, shape: &[i64]) -> String {
    let open = shape.len() == 4 && (shape[1] < 0 || shape[3] < 0);
    let four = shape.len() == 4 && (shape[1] == 4 || shape[3] == 4);
    if open || four {
        return format!(
            "input '{name}' has shape {shape:?}, a picture has rank 4 with 1 or 3 channels: {WRITE}, or export the graph \
             with fixed channels"
        );
    }
    if shape.len() == 4 {
        return format!(
            "input '{name}' has shape {shape:?}, and a picture has 1 or 3 channels on its second or its last axis: nothing \
             here can fill it; export the model for such pictures"
        );
    }
    format!(
        "input '{name}' has shape {shape:?}, and a picture has rank 4: Andon judges pictures, and a model of numbers alone \
         cannot run here; export the model together with the part that looks at the picture"
    )
}

/// Prepares the input as the family that `decoder` reads was trained, unless the file says otherwise: by its notes, or by
/// the ranges of its `.modelinfo`, which are in `input` already if `ranged`. Returns what was assumed.
pub(super) fn prepare(input: &mut Input, graph: &Graph, decoder: Decoder, ranged: bool) -> Vec<Assumption> {
    let grey = input.colour == Colour::Grey;
    let recipe = recipe::of(graph, decoder, input.layout, grey);
    let (told_colour, told_range) = recipe::told(graph);
    // Integers take pixel values as they are.
    let numbers = matches!(input.element, ElementType::F32 | ElementType::F16);
    let told_range = told_range.or((!numbers).then_some(Range::Bytes));
    if !grey {
        input.colour = told_colour.unwrap_or(recipe.colour);
    }
    if !ranged {
        (input.mean, input.scale) = told_range.unwrap_or(recipe.range).fields(input.colour);
    }
    input.resize = recipe.resize;
    input.align = recipe.align;
    input.rounding = recipe.rounding;
    input.interpolation = recipe.interpolation;
    if recipe.any_size {
        input.multiple = 1;
    }
    if input.resize == Resize::Crop {
        match input.size {
            Some([w, h]) if w == h => input.shorter_side = Some((f64::from(w) * recipe.shorter).floor() as u32),
            // No crop of torchvision's kind is of two sides, or of none.
            _ => input.resize = Resize::Stretch,
        }
    }
    let open = Opens {
        // Where the graph resizes, an input of any size is the frame itself.
        resize: recipe.open != Open::Nothing && !(recipe.any_size && input.size.is_none()),
        range: recipe.open == Open::All && !ranged && told_range.is_none(),
        colour: recipe.open == Open::All && !grey && told_colour.is_none(),
        size: input.size.is_none() && !recipe.any_size,
    };
    assumed(input, recipe.whose, open)
}

/// The inputs beside the frame, which is input `at`.
pub(super) fn beside(graph: &Graph, at: usize) -> Result<Vec<Input>, Missing> {
    graph.inputs.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, port)| one_beside(port)).collect()
}

fn one_beside(port: &Port) -> Result<Input, Missing> {
    let Some(beside) = BESIDE.iter().find(|b| b.name == port.name) else {
        return Err(format!("what fills input '{}' is not known: {WRITE}; check there what fills it", port.name).into());
    };
    let element = match port.kind {
        Some(TensorElementType::Int64) => ElementType::I64,
        Some(TensorElementType::Int32) => ElementType::I32,
        _ => ElementType::F32,
    };
    Ok(match beside.order {
        Some(order) => Input { element, order, ..Input::new(&port.name, "frame-size") },
        None => {
            let default = Some(serde_json::json!([1, 1]));
            Input {
                element,
                default,
                shape: Some(vec![1, 2]),
                ..Input::new(&port.name, format!("field:{}", port.name))
            }
        }
    })
}

/// Reads `[640, 640]`.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).filter(|n| *n > 0).collect()
}
