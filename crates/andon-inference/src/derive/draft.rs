// SPDX-License-Identifier: MPL-2.0
//! The manifest of a graph whose decoder the user names, because nothing in the graph shows it: a draft to correct. Every
//! graph that takes a picture has one, so that advice to write a manifest can be followed.

use std::collections::BTreeMap;

use andon_core::result::ModelId;
use andon_model::{
    Decoder, ElementType, Input, MODEL_SCHEMA, Manifest, Output, Role, Rule, Task, Thresholds, tensor_name,
};
use ort::value::TensorElementType;
use serde_json::json;

use crate::Assumption;

use super::{
    GOOD, Unknown, bad_names,
    graph::{Graph, Port},
    image,
    missing::Missing,
    notes::Notes,
};

/// Drafts the manifest of a graph that `decoder` reads. Fills in labels and good labels as the user or the exporter's
/// notes say.
pub(crate) fn draft(
    id: &ModelId,
    graph: &Graph,
    decoder: Decoder,
    labels: &[String],
    good: &[String],
) -> Result<(Manifest, Vec<Assumption>), Missing> {
    let task = decoder.task().unwrap_or(Task::Other);
    let bare = matches!(decoder, Decoder::Anomalib | Decoder::Embedding | Decoder::Raw);
    let noted = || Notes::read(graph).labels.clone();
    let labels = if bare || !labels.is_empty() { labels.to_vec() } else { noted() };
    if let Some(problem) = Notes::read(graph).bad_labels.filter(|_| !bare && labels.is_empty()) {
        return Err(Missing::labels(bad_names(&problem)));
    }
    if !bare && labels.is_empty() {
        return Err(Missing::labels("the names of its classes are not in the file".into()));
    }
    let good = || {
        let by_name = labels.iter().filter(|l| GOOD.contains(&l.to_lowercase().as_str())).cloned().collect();
        let ok: Vec<_> = if good.is_empty() { by_name } else { good.to_vec() };
        if ok.is_empty() {
            let what = Some(Unknown::Good { labels: labels.clone() });
            return Err(Missing { what, problem: "its labels do not show which one means good".into() });
        }
        Ok(ok)
    };
    let verdict = match task {
        Task::Detection => Rule::AnyDetection,
        Task::Anomaly => Rule::AnomalyScore,
        Task::Classification => Rule::LabelOk { ok: good()? },
        Task::Segmentation => Rule::AnyArea { ok: good()? },
        Task::Embedding | Task::Other => Rule::None,
    };
    let score = match task {
        Task::Detection => Thresholds::default().score,
        // The smallest part of a frame that counts.
        Task::Segmentation => 0.001,
        _ => 0.5,
    };
    let outputs = outputs(graph, decoder, &if bare { Vec::new() } else { labels.clone() })?;
    let (inputs, assumptions) = inputs(graph, decoder)?;
    let manifest = Manifest {
        schema: MODEL_SCHEMA.into(),
        name: id.name.clone(),
        version: id.version.clone(),
        task,
        description: String::new(),
        model: String::new(),
        inputs,
        outputs,
        thresholds: Thresholds { score, ..Thresholds::default() },
        verdict,
        digests: BTreeMap::new(),
        golden: Vec::new(),
        reference: None,
        trained_on: Vec::new(),
        quality: serde_json::Value::Null,
    };
    Ok((manifest, assumptions))
}

/// Names for what is an image among several inputs of four axes.
const IMAGES: &[&str] = &["image", "images", "input", "pixel_values", "x", "data"];

/// The first input that can be a picture takes the frame. Other pictures are golden templates, two integers the size of
/// the frame, and everything else is a field of its name.
fn inputs(graph: &Graph, decoder: Decoder) -> Result<(Vec<Input>, Vec<Assumption>), Missing> {
    let small = |c: i64| c == 1 || c == 3;
    let is_picture = |p: &Port| match p.shape[..] {
        [_, _, _, _] => true,
        [c, _, d] => small(c) || small(d),
        _ => false,
    };
    let pictures: Vec<_> = (0..graph.inputs.len()).filter(|i| is_picture(&graph.inputs[*i])).collect();
    let named = pictures.iter().find(|i| IMAGES.contains(&tensor_name(&graph.inputs[**i].name)));
    let Some(&at) = named.or(pictures.first()) else {
        return Err(
            "no input of the graph is a picture, which has rows, columns and channels: Andon judges pictures, and a model of numbers \
                    alone cannot run here; export the model together with the part that looks at the picture"
                .to_string()
                .into(),
        );
    };
    let mut frame = picture(graph, &graph.inputs[at])?;
    let assumptions = image::prepare(&mut frame, graph, decoder, false);
    let mut inputs = vec![frame.clone()];
    for (i, p) in graph.inputs.iter().enumerate().filter(|(i, _)| *i != at) {
        let input = Input { name: p.name.clone(), ..frame.clone() };
        let whole = matches!(p.kind, Some(TensorElementType::Int64 | TensorElementType::Int32));
        inputs.push(match p.shape[..] {
            _ if pictures.contains(&i) => {
                let pattern = Some("{sku}/{view}.png".into());
                Input { source: "image-file".into(), pattern, ..picture(graph, p)? }
            }
            [_, 2] if whole => {
                let element = p.kind.and_then(element).unwrap_or(input.element);
                Input { source: "frame-size".into(), element, ..input }
            }
            _ => {
                let kind = p.kind.and_then(element).ok_or_else(|| {
                    format!("input '{}' takes no numbers, and nothing fills it: export the model without it", p.name)
                })?;
                let shape = p.shape.iter().map(|d| usize::try_from(*d).unwrap_or(1)).collect();
                Input {
                    source: format!("field:{}", p.name),
                    element: kind,
                    shape: Some(shape),
                    required: true,
                    ..input
                }
            }
        });
    }
    Ok((inputs, assumptions))
}

/// How a picture fills an input of four axes: as in a graph that has no other input, or else by its shape and type alone.
fn picture(graph: &Graph, port: &Port) -> Result<Input, Missing> {
    let alone = Graph { inputs: vec![port.clone()], outputs: Vec::new(), notes: graph.notes.clone(), info: None };
    if let Ok((_, input)) = image::input(&alone) {
        return Ok(input);
    }
    let (name, shape) = (&port.name, &port.shape);
    let channels = |c: i64| c < 0 || matches!(c, 1 | 3 | 4);
    let (layout, c, h, w) = match shape[..] {
        [_, c, h, w] if channels(c) => ("NCHW", c, h, w),
        [_, h, w, c] if channels(c) => ("NHWC", c, h, w),
        _ => {
            return Err(format!(
                "input '{name}' has shape {shape:?}, and a picture has 1, 3 or 4 channels on its second or its last axis: \
                 nothing here can fill it; export the model for such pictures"
            )
            .into());
        }
    };
    let kind = port
        .kind
        .and_then(element)
        .filter(|k| matches!(k, ElementType::F32 | ElementType::F16 | ElementType::U8 | ElementType::I8));
    let Some(kind) = kind else {
        return Err(format!("input '{name}' takes no f32, f16, u8 or i8, as a picture is: export the model so").into());
    };
    let colour = if c == 1 {
        "grey"
    } else if c == 4 {
        "rgba"
    } else {
        "rgb"
    };
    let mut input = json!({
        "name": name, "source": "image", "layout": layout, "type": kind, "colour": colour, "resize": "stretch"
    });
    if h > 0 && w > 0 {
        input["size"] = json!([w, h]);
    }
    if matches!(kind, ElementType::U8 | ElementType::I8) {
        input["scale"] = json!([1]);
    }
    serde_json::from_value(input).map_err(|e| e.to_string().into())
}

/// The word of a manifest for a type of numbers.
fn element(kind: TensorElementType) -> Option<ElementType> {
    use ElementType as E;
    Some(match kind {
        TensorElementType::Float32 => E::F32,
        TensorElementType::Float16 => E::F16,
        TensorElementType::Float64 => E::F64,
        TensorElementType::Int64 => E::I64,
        TensorElementType::Int32 => E::I32,
        TensorElementType::Uint8 => E::U8,
        TensorElementType::Int8 => E::I8,
        TensorElementType::Bool => E::Bool,
        _ => return None,
    })
}

/// The outputs that a decoder of this kind reads, by their shapes and types.
fn outputs(graph: &Graph, decoder: Decoder, labels: &[String]) -> Result<Vec<Output>, Missing> {
    let numbers = |p: &&Port| p.kind.is_some_and(|k| element(k).is_some());
    let floats = |p: &Port| {
        matches!(p.kind, Some(TensorElementType::Float32 | TensorElementType::Float16 | TensorElementType::Float64))
    };
    let all: Vec<_> = graph.outputs.iter().filter(numbers).collect();
    let role = |p: &Port| Role::of(&p.name, decoder);
    let one = |p: &Port, role| Output { role, ..Output::new(&p.name, decoder, Vec::new()) };
    let mut outputs: Vec<Output> = match decoder {
        Decoder::Raw | Decoder::Anomalib => all.iter().map(|p| one(p, None)).collect(),
        // Names that tell what an output holds need no role.
        Decoder::Ssd | Decoder::Detr | Decoder::Rtdetr if all.iter().any(|p| role(p) == Some(Role::Boxes)) => {
            let mut told: Vec<_> = all.iter().filter(|p| role(p).is_some()).collect();
            told.sort_by_key(|p| role(p) != Some(Role::Boxes));
            told.into_iter().map(|p| one(p, None)).collect()
        }
        Decoder::Ssd | Decoder::Detr | Decoder::Rtdetr if all.len() > 1 => {
            let four: Vec<_> = all.iter().filter(|p| floats(p) && p.shape.last() == Some(&4)).collect();
            if let [a, b, ..] = four[..] {
                return Err(format!(
                    "the outputs '{}' and '{}' both have four numbers a row, and nothing says which holds the boxes: give them \
                     names that tell when exporting (pred_boxes and logits, boxes and scores), or name other labels",
                    a.name, b.name
                )
                .into());
            }
            let boxes = all.iter().position(|p| p.shape.last() == Some(&4)).unwrap_or(0);
            let mut taken = Vec::new();
            let roles = all.iter().enumerate().filter_map(|(i, p)| {
                let role = match (i == boxes, floats(p), p.shape.len()) {
                    (true, ..) => Role::Boxes,
                    (_, _, 4) => Role::Masks,
                    (_, true, _) => Role::Scores,
                    (_, false, 0 | 1) if decoder == Decoder::Ssd && p.shape.iter().all(|d| *d == 1) => Role::Count,
                    (_, false, _) => Role::Labels,
                };
                (!taken.contains(&role)).then(|| {
                    taken.push(role);
                    one(p, Some(role))
                })
            });
            let mut outputs: Vec<_> = roles.collect();
            // The settings of all belong to the first, and boxes come first.
            outputs.sort_by_key(|o| o.role != Some(Role::Boxes));
            outputs
        }
        // A classifier's numbers come beside the label as a text; a map of pixels is the output of most axes.
        Decoder::Segmentation => all.iter().max_by_key(|p| p.shape.len()).map(|p| one(p, None)).into_iter().collect(),
        _ => all.iter().find(|p| floats(p)).or(all.first()).map(|p| one(p, None)).into_iter().collect(),
    };
    let Some(first) = outputs.first_mut() else {
        return Err("no output of the graph is a tensor of numbers: export it without ZipMap, or with one"
            .to_string()
            .into());
    };
    first.labels = labels.to_vec();
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, shape: &[i64], kind: TensorElementType) -> Port {
        Port { name: name.into(), shape: shape.to_vec(), kind: Some(kind), axes: Vec::new() }
    }

    fn drafted(graph: &Graph, decoder: Decoder) -> Result<Manifest, String> {
        let id = ModelId { name: "m".into(), ..ModelId::default() };
        let labels = ["good".to_string(), "bad".into()];
        let (m, _) = draft(&id, graph, decoder, &labels, &[]).map_err(|m| m.problem)?;
        m.check().map_err(|e| e.to_string())?;
        Ok(m)
    }

    #[test]
    fn every_graph_that_takes_a_picture_has_a_draft_and_every_other_a_true_reason() {
        use TensorElementType as T;
        let graph = |inputs, outputs| Graph { inputs, outputs, ..Graph::default() };
        // What a graph takes besides the picture.
        let many = graph(
            vec![
                port("speed", &[1, 1], T::Float32),
                port("image", &[1, 3, 8, 8], T::Float32),
                port("golden", &[1, 3, 8, 8], T::Float32),
                port("im_shape", &[1, 2], T::Int64),
            ],
            vec![port("label", &[1], T::String), port("probabilities", &[1, 2], T::Float32)],
        );
        let m = drafted(&many, Decoder::Classification).unwrap();
        let sources: Vec<_> = m.inputs.iter().map(|i| i.source.as_str()).collect();
        assert_eq!(sources, ["image", "field:speed", "image-file", "frame-size"]);
        assert_eq!((m.outputs.len(), m.outputs[0].name.as_str()), (1, "probabilities"), "a text is no output to read");
        // A set of outputs whose names tell: with three labels, both have four numbers.
        let detr = |names: [&str; 2]| {
            let outputs = names.map(|n| port(n, &[1, 9, 4], T::Float32));
            graph(vec![port("x", &[1, 3, 8, 8], T::Float32)], outputs.into())
        };
        let m = drafted(&detr(["logits", "pred_boxes"]), Decoder::Detr).unwrap();
        let told: Vec<_> = m.outputs.iter().enumerate().map(|(i, o)| (o.name.as_str(), o.role(i))).collect();
        assert_eq!(told, [("pred_boxes", Role::Boxes), ("logits", Role::Scores)]);
        let e = drafted(&detr(["a", "b"]), Decoder::Detr).unwrap_err();
        assert!(e.contains("'a' and 'b' both have four numbers"), "{e}");
        // A set of outputs, by their shapes.
        let set = graph(
            vec![port("x", &[-1, -1, -1, -1], T::Float32)],
            vec![
                port("a", &[1], T::Int32),
                port("b", &[1, 9], T::Float32),
                port("c", &[1, 9, 4], T::Float32),
                port("d", &[1, 9], T::Int64),
            ],
        );
        let m = drafted(&set, Decoder::Ssd).unwrap();
        let roles: Vec<_> = m.outputs.iter().map(|o| (o.name.as_str(), o.role.unwrap())).collect();
        assert_eq!(roles, [("c", Role::Boxes), ("a", Role::Count), ("b", Role::Scores), ("d", Role::Labels)]);
        for decoder in [Decoder::Raw, Decoder::Embedding, Decoder::Yolov8, Decoder::Segmentation] {
            drafted(&set, decoder).unwrap();
        }
        for (inputs, why) in [
            (vec![port("x", &[1, 9], T::Float32)], "no input of the graph is a picture"),
            (vec![port("x", &[1, 2, 8, 8], T::Float32)], "1, 3 or 4 channels"),
            (vec![port("x", &[1, 3, 8, 8], T::String)], "no f32, f16, u8 or i8"),
        ] {
            let e = drafted(&graph(inputs, vec![port("y", &[1, 2], T::Float32)]), Decoder::Raw).unwrap_err();
            assert!(e.contains(why) && !e.contains("andon model init"), "no circle: {e}");
        }
        let e =
            drafted(&graph(vec![port("x", &[1, 3, 8, 8], T::Float32)], vec![port("y", &[1], T::String)]), Decoder::Raw);
        assert!(e.unwrap_err().contains("no output of the graph is a tensor of numbers"));
    }
}
