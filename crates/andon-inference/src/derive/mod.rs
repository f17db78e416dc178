// SPDX-License-Identifier: MPL-2.0
//! What a manifest would say, for an `.onnx` file without one: from the graph and from what its exporter left in it.
//!
//! Ultralytics writes `names`, `task`, `imgsz`; anomalib names its outputs; a `.modelinfo` beside the file names
//! encodings and ranges. Where that is not enough, the error says
//! which property or which field of a `model.json` decides.

use std::collections::BTreeMap;

use andon_core::result::ModelId;
use andon_model::{
    Colour, Decoder, ElementType, Input, Interpolation, Layout, MODEL_SCHEMA, Manifest, ModelInfo, Resize, Rule, Task,
    Thresholds,
};
use ort::value::TensorElementType;

mod family;
mod registry;

/// The graph as far as it matters here.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it answers.
    pub outputs: Vec<Port>,
    /// The exporter's notes.
    pub notes: BTreeMap<String, String>,
    /// What lies beside the file.
    pub info: Option<ModelInfo>,
}

/// One input or output.
#[derive(Debug)]
pub(crate) struct Port {
    /// Its name.
    pub name: String,
    /// Its shape; -1 where it is open.
    pub shape: Vec<i64>,
    /// What it holds; none where that is no tensor.
    pub kind: Option<TensorElementType>,
}

/// Labels that mean good where nothing else is said.
const GOOD: &[&str] = &["ok", "good", "normal", "pass", "background"];

/// Labels that an error shows.
const FEW: usize = 8;

/// Inputs of these names ask for the size of the model's input, width and height.
const SIZE_INPUTS: &[&str] = &["orig_target_sizes"];

/// Mean and deviation of ImageNet's pixels, 0..255, which many backbones were trained with.
const IMAGENET: ([f32; 3], [f32; 3]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]);

pub(crate) const WRITE: &str = "write a model.json beside it and set model= to the folder";

/// What a person has to say of a graph that does not tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The names of its classes, in its order.
    Labels,
    /// Which of its labels are of what is good.
    Good {
        /// All of them.
        labels: Vec<String>,
    },
}

/// Why no manifest can be told.
#[derive(Debug)]
pub(crate) struct Missing {
    /// What would help, where that is known.
    pub what: Option<Unknown>,
    /// For people.
    pub problem: String,
}

impl From<String> for Missing {
    fn from(problem: String) -> Self {
        Self { what: None, problem }
    }
}

/// The manifest that fits the graph, or why none can be told; `labels`, and which of them are `good`, are the user's.
pub(crate) fn manifest(
    id: &ModelId,
    graph: &Graph,
    labels: &[String],
    good_labels: &[String],
) -> Result<Manifest, Missing> {
    let (at, mut input) = image(graph)?;
    let noted = graph.notes.get("names").map(|n| names(n)).unwrap_or_default();
    let labels = if labels.is_empty() { noted } else { labels.to_vec() };
    let outputs = registry::outputs(graph, &labels).unwrap_or_else(|| family::outputs(graph, input.size, &labels))?;
    let decoder = outputs[0].decoder;
    let task = decoder.task().unwrap_or(Task::Other);
    let good = || {
        if !good_labels.is_empty() {
            return Ok(good_labels.to_vec());
        }
        let ok: Vec<_> = labels.iter().filter(|l| GOOD.contains(&l.to_lowercase().as_str())).cloned().collect();
        let of = if task == Task::Segmentation { "segmentation" } else { "a classifier" };
        if ok.is_empty() {
            let few: Vec<_> = labels.iter().take(FEW).map(String::as_str).collect();
            let few = few.join(", ") + if labels.len() > FEW { ", …" } else { "" };
            let problem = format!("{of} whose labels ({few}) do not tell which is good: {WRITE}, with verdict.ok");
            return Err(Missing { what: Some(Unknown::Good { labels: labels.clone() }), problem });
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
    let score = match decoder {
        Decoder::Yolov5 | Decoder::Yolov8 | Decoder::Yolov7EndToEnd | Decoder::YoloEndToEnd | Decoder::Yolox => {
            input.resize = Resize::Letterbox;
            Thresholds::default().score
        }
        // The smallest part of a frame that is worth a word.
        Decoder::Segmentation => 0.001,
        _ => 0.5,
    };
    adapt(&mut input, decoder, graph);
    registry::ranges(graph, at, &mut input)?;
    let mut inputs = vec![input];
    for port in graph.inputs.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, p)| p) {
        inputs.push(Input { name: port.name.clone(), source: "frame-size".into(), ..inputs[0].clone() });
    }
    Ok(Manifest {
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
    })
}

/// What families are known to be fed, where it is not pixel values brought to 0..1.
fn adapt(input: &mut Input, decoder: Decoder, graph: &Graph) {
    let rfdetr = graph.outputs.iter().any(|o| o.name == "dets");
    match decoder {
        // Ultralytics' classifiers see the middle of the frame.
        Decoder::Classification if graph.notes.get("task").is_some_and(|t| t == "classify") => {
            input.resize = Resize::Crop;
        }
        // Blue first and 0..255, as Megvii's exporter leaves it.
        Decoder::Yolox if input.colour == Colour::Rgb => (input.colour, input.scale) = (Colour::Bgr, vec![1.0]),
        Decoder::Detr | Decoder::Rtdetr if input.colour == Colour::Rgb && (decoder == Decoder::Detr || rfdetr) => {
            input.mean = IMAGENET.0.to_vec();
            input.scale = IMAGENET.1.iter().map(|d| 1.0 / d).collect();
        }
        _ => {}
    }
}

/// Which input is the frame, and how it is to be fed.
fn image(graph: &Graph) -> Result<(usize, Input), String> {
    let frames: Vec<_> =
        graph.inputs.iter().enumerate().filter(|(_, p)| !SIZE_INPUTS.contains(&p.name.as_str())).collect();
    let [(at, Port { name, shape, kind })] = frames[..] else {
        let all: Vec<_> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
        return Err(format!(
            "the graph has {} inputs ({}): {WRITE}, with all of them in inputs",
            all.len(),
            all.join(", ")
        ));
    };
    let (layout, channels, h, w) = match shape[..] {
        [_, c @ (1 | 3), h, w] => (Layout::Nchw, c, h, w),
        [_, h, w, c @ (1 | 3)] => (Layout::Nhwc, c, h, w),
        _ => {
            return Err(format!(
                "input '{name}' has shape {shape:?}, an image has rank 4 with 1 or 3 channels: {WRITE}, or export the \
                 graph with fixed channels"
            ));
        }
    };
    let noted = graph.notes.get("imgsz").map(|s| numbers(s)).filter(|s| s.len() == 2);
    let size = match (w, h, noted) {
        (1.., 1.., _) => Some([w as u32, h as u32]),
        (_, _, Some(noted)) => Some([noted[1], noted[0]]),
        // It follows the frame.
        _ => None,
    };
    // Whole numbers are pixel values as they are.
    let (element, scale) = match kind {
        Some(TensorElementType::Float32) => (ElementType::F32, 1.0 / 255.0),
        Some(TensorElementType::Float16) => (ElementType::F16, 1.0 / 255.0),
        Some(TensorElementType::Uint8) => (ElementType::U8, 1.0),
        other => {
            let other = other.map_or_else(|| "no tensor".into(), |k| k.to_string());
            return Err(format!("input '{name}' takes {other}, an image is f32, f16 or u8: export it so, or {WRITE}"));
        }
    };
    let input = Input {
        name: name.clone(),
        source: "image".into(),
        pattern: None,
        layout,
        element,
        colour: if channels == 1 { Colour::Grey } else { Colour::Rgb },
        resize: Resize::Stretch,
        interpolation: Interpolation::Bilinear,
        multiple: 32,
        pad: vec![114.0],
        size,
        mean: vec![0.0],
        scale: vec![scale],
        shape: None,
        default: None,
        required: false,
    };
    Ok((at, input))
}

/// `{0: 'open', 1: "short"}`, as Python prints a dictionary, by key.
fn names(text: &str) -> Vec<String> {
    let mut found = BTreeMap::new();
    let (mut key, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '0'..='9' => key.push(c),
            '\'' | '"' => {
                let mut name = String::new();
                while let Some(n) = chars.next().filter(|n| *n != c) {
                    name.push(if n == '\\' { chars.next().unwrap_or(n) } else { n });
                }
                let at = key.parse().unwrap_or(found.len() as u64);
                found.insert(at, name);
                key.clear();
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

/// `[640, 640]`.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).filter(|n| *n > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_model::{Activation, BoxForm, Head, Role};

    fn port(name: &str, shape: &[i64]) -> Port {
        Port { name: name.into(), shape: shape.to_vec(), kind: Some(TensorElementType::Float32) }
    }

    fn graph(input: &[i64], output: &[i64], notes: &[(&str, &str)]) -> Graph {
        Graph {
            inputs: vec![port("images", input)],
            outputs: vec![port("output0", output)],
            notes: notes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            info: None,
        }
    }

    fn told(g: &Graph, labels: &[&str]) -> Result<Manifest, String> {
        let labels: Vec<_> = labels.iter().map(|l| l.to_string()).collect();
        let m =
            manifest(&ModelId { name: "m".into(), ..ModelId::default() }, g, &labels, &[]).map_err(|l| l.problem)?;
        m.check().unwrap();
        Ok(m)
    }

    #[test]
    fn an_ultralytics_export_needs_nothing_more() {
        let notes =
            [("names", "{0: 'open', 1: \"it's short\", 10: 'x\\'y'}"), ("task", "detect"), ("imgsz", "[480, 640]")];
        let m = told(&graph(&[1, 3, -1, -1], &[1, 7, -1], &notes), &[]).unwrap();
        assert_eq!(m.outputs[0].labels, ["open", "it's short", "x'y"]);
        assert_eq!((m.image().size, m.image().colour, m.task), (Some([640, 480]), Colour::Rgb, Task::Detection));
    }

    #[test]
    fn what_cannot_be_told_names_the_property_or_the_field() {
        let detector = graph(&[1, 1, 64, 64], &[1, 5, 84], &[]);
        assert!(told(&detector, &[]).unwrap_err().contains("property labels"));
        assert_eq!(told(&detector, &["a"]).unwrap().outputs[0].decoder, Decoder::Yolov8);
        assert_eq!(told(&graph(&[1, 3, -1, -1], &[1, 5, 84], &[]), &["a"]).unwrap().image().size, None);
        assert!(told(&graph(&[1, 100], &[1, 5, 84], &[]), &["a"]).unwrap_err().contains("rank 4"));
        let classifier = graph(&[1, 224, 224, 3], &[1, 2], &[]);
        assert!(told(&classifier, &["cat", "dog"]).unwrap_err().contains("verdict.ok"));
        assert_eq!(told(&classifier, &["Good", "bad"]).unwrap().image().layout, Layout::Nhwc);
        assert!(told(&graph(&[1, 3, 8, 8], &[1, 5, 84], &[("task", "pose")]), &["a"]).unwrap_err().contains("'pose'"));
    }

    #[test]
    fn anomalib_is_known_by_its_outputs() {
        let mut g = graph(&[1, 3, 256, 256], &[1], &[]);
        g.outputs = vec![port("pred_score", &[-1]), port("anomaly_map", &[-1, 1, 256, 256])];
        let m = told(&g, &[]).unwrap();
        assert_eq!((m.outputs[0].decoder, m.image().resize), (Decoder::Anomalib, Resize::Stretch));
    }

    /// Decoder and head that a graph with these outputs is taken for, at 640×480 and with two labels.
    fn kind(outputs: &[(&str, &[i64])], notes: &[(&str, &str)]) -> (Decoder, Head) {
        let mut g = graph(&[1, 3, 480, 640], &[], notes);
        g.outputs = outputs.iter().map(|(name, shape)| port(name, shape)).collect();
        let m = told(&g, &["good", "b"]).unwrap_or_else(|e| panic!("{outputs:?}: {e}"));
        (m.outputs[0].decoder, m.outputs[0].head)
    }

    #[test]
    fn families_are_told_apart_by_their_outputs() {
        use Decoder::*;
        use Head::*;
        let n = 80 * 60 + 40 * 30 + 20 * 15;
        let protos = ("output1", &[1, 32, 120, 160][..]);
        assert_eq!(kind(&[("output0", &[1, 6, n])], &[]), (Yolov8, Detect));
        assert_eq!(kind(&[("output0", &[1, n, 6])], &[]), (Yolov8, Detect));
        assert_eq!(kind(&[("output0", &[1, 38, n]), protos], &[]), (Yolov8, Segment));
        assert_eq!(kind(&[("output0", &[1, 7, n])], &[("task", "obb")]), (Yolov8, Oriented));
        assert_eq!(kind(&[("output", &[1, 3 * n, 7])], &[]), (Yolov5, Detect));
        assert_eq!(kind(&[("output0", &[1, 3 * n, 39]), protos], &[]), (Yolov5, Segment));
        assert_eq!(kind(&[("output", &[1, n, 7])], &[]), (Yolox, Detect));
        assert_eq!(kind(&[("output", &[-1, 7])], &[]), (Yolov7EndToEnd, Detect));
        assert_eq!(
            kind(&[("output0", &[1, 300, 6])], &[("end2end", "True"), ("task", "detect")]),
            (YoloEndToEnd, Detect)
        );
        assert_eq!(
            kind(&[("output0", &[1, 300, 7])], &[("end2end", "True"), ("task", "obb")]),
            (YoloEndToEnd, Oriented)
        );
        assert_eq!(
            kind(&[("output0", &[1, 300, 6])], &[("description", "Ultralytics RT-DETR-L model")]),
            (Rtdetr, Detect)
        );
        assert_eq!(kind(&[("logits", &[1, 100, 3]), ("pred_boxes", &[1, 100, 4])], &[]), (Detr, Detect));
        assert_eq!(kind(&[("logits", &[1, 300, 2]), ("pred_boxes", &[1, 300, 4])], &[]), (Rtdetr, Detect));
        assert_eq!(kind(&[("dets", &[1, 300, 4]), ("labels", &[1, 300, 3])], &[]), (Rtdetr, Detect));
        assert_eq!(
            kind(&[("dets", &[1, 300, 4]), ("labels", &[1, 300, 3]), ("masks", &[1, 300, 30, 40])], &[]),
            (Rtdetr, Segment)
        );
        assert_eq!(kind(&[("boxes", &[-1, 4]), ("scores", &[-1]), ("labels", &[-1])], &[]), (Ssd, Detect));
        assert_eq!(kind(&[("output", &[1, 2])], &[]), (Classification, Detect));
        assert_eq!(kind(&[("output", &[1, 2, 120, 160])], &[]), (Segmentation, Detect));
    }

    #[test]
    fn the_label_after_the_background_is_the_first_where_the_family_counts_so() {
        let background = |outputs: &[(&str, &[i64])]| {
            let mut g = graph(&[1, 3, 480, 640], &[], &[]);
            g.outputs = outputs.iter().map(|(name, shape)| port(name, shape)).collect();
            told(&g, &["a", "b"]).unwrap().outputs[0].background
        };
        assert!(background(&[("boxes", &[-1, 4]), ("labels", &[-1]), ("scores", &[-1])]), "torchvision");
        assert!(!background(&[("labels", &[1, 300]), ("boxes", &[1, 300, 4]), ("scores", &[1, 300])]), "RT-DETR");
    }

    #[test]
    fn a_modelinfo_names_the_encoding_and_the_ranges() {
        let of = |shape: &[i64], id: &str| {
            let text = format!(
                "[modelinfo]\nversion=1.0\n[images]\ndir=input\nranges=0,255;0,255;-1,1\n[output0]\ndir=output\nid={id}\n"
            );
            let mut g = graph(&[1, 3, 64, 64], shape, &[]);
            g.info = Some(ModelInfo::parse(&text).unwrap());
            told(&g, &["good", "b"]).unwrap()
        };
        // By its shape alone, it would be YOLOv8's.
        let m = of(&[1, 84, 6], "yolo-26-end2end-out");
        assert_eq!((m.outputs[0].decoder, m.image().resize), (Decoder::YoloEndToEnd, Resize::Letterbox));
        assert_eq!((m.image().mean[0], m.image().scale[0]), (0.0, 1.0));
        assert!((m.image().mean[2] - 127.5).abs() < 1e-3 && (m.image().scale[2] - 2.0 / 255.0).abs() < 1e-6);
        assert_eq!(of(&[1, 6, 84], "yolo-v8-out-normalized").outputs[0].boxes, Some(BoxForm::CentreNormalised));
        assert_eq!(of(&[1, 7, 84], "yolo-v8-obb-out").outputs[0].head, Head::Oriented);
        let m = of(&[1, 2], "classification-generic-softmaxed-out");
        assert_eq!(m.outputs[0].activation, Some(Activation::None));
        // What is not known says nothing.
        assert_eq!(of(&[1, 6, 84], "craft-out").outputs[0].decoder, Decoder::Yolov8);
    }

    #[test]
    fn ssd_by_its_encodings_needs_no_telling_names() {
        let mut text = "[modelinfo]\nversion=1.0\n".to_string();
        let mut g = graph(&[1, 3, 64, 64], &[], &[]);
        g.outputs = vec![port("Count:0", &[1]), port("C:0", &[1, -1]), port("S:0", &[1, -1]), port("B:0", &[1, -1, 4])];
        let ids = ["generic-variant-1-out-count", "classes", "scores", "boxes"];
        for (port, id) in g.outputs.iter().zip(ids) {
            let prefix = if id.contains("count") { "" } else { "ssd-mobilenet-v1-variant-1-out-" };
            text += &format!("[{}]\ndir=output\nid={prefix}{id}\n", port.name);
        }
        g.info = Some(ModelInfo::parse(&text).unwrap());
        let m = told(&g, &["a"]).unwrap();
        let roles: Vec<_> = m.outputs.iter().enumerate().map(|(i, o)| (o.name.as_str(), o.role(i))).collect();
        assert_eq!(
            roles,
            [("B:0", Role::Boxes), ("Count:0", Role::Count), ("C:0", Role::Labels), ("S:0", Role::Scores)]
        );
        assert!(m.outputs[0].background && m.outputs[0].boxes == Some(BoxForm::CornersNormalised));
    }
}
