// SPDX-License-Identifier: MPL-2.0
//! The image input of a graph without a manifest.

use andon_model::{Colour, Decoder, ElementType, Input, Layout, Resize};
use ort::value::TensorElementType;

use super::{
    graph::{Graph, Port},
    missing::{Missing, WRITE},
};

/// Names of inputs that take the size of the model's input, width and height.
const SIZE_INPUTS: &[&str] = &["orig_target_sizes"];

/// Mean and standard deviation of ImageNet's pixels, 0..255, by which many backbones were trained.
const IMAGENET: ([f32; 3], [f32; 3]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]);

/// Finds the input that takes the frame, and how to fill it.
pub(super) fn input(graph: &Graph) -> Result<(usize, Input), Missing> {
    let frames: Vec<_> =
        graph.inputs.iter().enumerate().filter(|(_, p)| !SIZE_INPUTS.contains(&p.name.as_str())).collect();
    let [(at, Port { name, shape, kind })] = frames[..] else {
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
        [_, c @ (1 | 3), h, w] => (Layout::Nchw, c, h, w),
        [_, h, w, c @ (1 | 3)] => (Layout::Nhwc, c, h, w),
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

/// Adapts the input to families that do not take the whole frame, in RGB, as 0..1.
pub(super) fn adapt(input: &mut Input, decoder: Decoder, graph: &Graph) {
    let rfdetr = graph.outputs.iter().any(|o| o.name == "dets");
    match decoder {
        // Ultralytics' classifiers take the middle of the frame.
        Decoder::Classification if graph.notes.get("task").is_some_and(|t| t == "classify") => {
            input.resize = Resize::Crop;
        }
        // Megvii's exporter leaves blue first and 0..255.
        Decoder::Yolox if input.colour == Colour::Rgb => (input.colour, input.scale) = (Colour::Bgr, vec![1.0]),
        Decoder::Detr | Decoder::Rtdetr if input.colour == Colour::Rgb && (decoder == Decoder::Detr || rfdetr) => {
            input.mean = IMAGENET.0.to_vec();
            input.scale = IMAGENET.1.iter().map(|d| 1.0 / d).collect();
        }
        _ => {}
    }
}

/// Reads `[640, 640]`.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).filter(|n| *n > 0).collect()
}
