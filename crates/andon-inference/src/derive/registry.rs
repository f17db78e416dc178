// SPDX-License-Identifier: MPL-2.0
//! The family of a graph by the encodings that a `.modelinfo` names for its outputs. The names are those of the tensor ID
//! registry (github.com/collabora/tensor-id-registry), which GStreamer 1.28's tensor decoders use.

use andon_model::{Activation, BoxForm, Decoder, Direction, Head, Input, Output, Role, tensor_name};

use super::{
    graph::{Graph, Port},
    missing::{Missing, WRITE},
};

/// How to read an output of an encoding.
struct Encoding {
    id: &'static str,
    decoder: Decoder,
    head: Head,
    role: Role,
    boxes: Option<BoxForm>,
}

const fn encoding(id: &'static str, decoder: Decoder, head: Head, role: Role, boxes: Option<BoxForm>) -> Encoding {
    Encoding { id, decoder, head, role, boxes }
}

const NORMALISED: Option<BoxForm> = Some(BoxForm::CentreNormalised);

/// The encodings of the registry that are supported. Poses, faces, texts and images are not.
const ENCODINGS: &[Encoding] = &[
    encoding("yolo-v8-out", Decoder::Yolov8, Head::Detect, Role::Main, None),
    encoding("yolo-v8-out-normalized", Decoder::Yolov8, Head::Detect, Role::Main, NORMALISED),
    encoding("yolo-v8-obb-out", Decoder::Yolov8, Head::Oriented, Role::Main, None),
    encoding("yolo-v8-obb-out-normalized", Decoder::Yolov8, Head::Oriented, Role::Main, NORMALISED),
    encoding("yolo-v8-segmentation-out-detections", Decoder::Yolov8, Head::Segment, Role::Main, None),
    encoding("yolo-v8-segmentation-out-detections-normalized", Decoder::Yolov8, Head::Segment, Role::Main, NORMALISED),
    encoding("yolo-v8-segmentation-out-protos", Decoder::Yolov8, Head::Segment, Role::Masks, None),
    encoding("yolo-26-end2end-out", Decoder::YoloEndToEnd, Head::Detect, Role::Main, None),
    encoding("yolo-26-obb-end2end-out", Decoder::YoloEndToEnd, Head::Oriented, Role::Main, None),
    encoding("yolox-out", Decoder::Yolox, Head::Detect, Role::Main, None),
    encoding("ssd-mobilenet-v1-variant-1-out-boxes", Decoder::Ssd, Head::Detect, Role::Boxes, None),
    encoding("ssd-mobilenet-v1-variant-1-out-scores", Decoder::Ssd, Head::Detect, Role::Scores, None),
    encoding("ssd-mobilenet-v1-variant-1-out-classes", Decoder::Ssd, Head::Detect, Role::Labels, None),
    encoding("generic-variant-1-out-count", Decoder::Ssd, Head::Detect, Role::Count, None),
    encoding("classification-generic-out", Decoder::Classification, Head::Detect, Role::Main, None),
    encoding("classification-generic-softmaxed-out", Decoder::Classification, Head::Detect, Role::Main, None),
];

/// Finds the outputs to read, or `None` if the file names no supported encoding. The first has the settings of all.
pub(super) fn outputs(graph: &Graph, labels: &[String]) -> Option<Result<Vec<Output>, Missing>> {
    let info = graph.info.as_ref()?;
    let mut found: Vec<_> = (graph.outputs.iter().enumerate())
        .filter_map(|(i, port)| {
            let id = info.tensor(Direction::Output, i, &port.name, &port.shape)?.id.as_deref()?;
            ENCODINGS.iter().find(|e| e.id == id).map(|e| (port, e))
        })
        .collect();
    // The settings of all belong to the first, and the output that is decoded comes before its companions.
    found.sort_by_key(|(_, e)| !matches!(e.role, Role::Main | Role::Boxes));
    let (_, first) = found.first()?;
    let (decoder, head, boxes) = (first.decoder, first.head, first.boxes);
    if labels.is_empty() {
        let problem = format!("the names of its classes are not in the file: set the property labels, or {WRITE}");
        return Some(Err(Missing::labels(problem)));
    }
    let named = |(port, e): &(&Port, &Encoding)| {
        let mut output = Output { role: Some(e.role), ..Output::new(&port.name, decoder, Vec::new()) };
        if e.role == Role::Main || e.role == Role::Boxes {
            (output.labels, output.head, output.boxes) = (labels.to_vec(), head, boxes);
        }
        match e.decoder {
            // The registry has x first; an output with TensorFlow's name has TensorFlow's order, y first.
            Decoder::Ssd if e.role == Role::Boxes => {
                let tensorflow = tensor_name(&port.name) == "detection_boxes";
                let form = if tensorflow { BoxForm::CornersYFirstNormalised } else { BoxForm::CornersNormalised };
                (output.boxes, output.background) = (Some(form), true);
            }
            Decoder::Yolox => output.grid = false,
            Decoder::Classification if e.id.contains("softmaxed") => output.activation = Some(Activation::None),
            _ => {}
        }
        output
    };
    Some(Ok(found.iter().filter(|(_, e)| e.decoder == decoder).map(named).collect()))
}

/// Scales the image to the ranges of the `.modelinfo`, and returns whether it gives any. `at` is its place among the graph's
/// inputs.
pub(super) fn ranges(graph: &Graph, at: usize, input: &mut Input) -> Result<bool, Missing> {
    let port = &graph.inputs[at];
    let tensor = graph.info.as_ref().and_then(|i| i.tensor(Direction::Input, at, &port.name, &port.shape));
    let Some((mean, scale)) = tensor.and_then(|t| t.normalisation()) else { return Ok(false) };
    let channels = input.colour.channels();
    // Equal channels become one number.
    let short = |v: Vec<f32>| if v.iter().all(|x| *x == v[0]) { vec![v[0]] } else { v };
    (input.mean, input.scale) = (short(mean), short(scale));
    if [&input.mean, &input.scale].iter().any(|v| v.len() != 1 && v.len() != channels) {
        return Err(format!(
            "its .modelinfo gives ranges for another number of channels than the {channels} of input '{}': give one, or \
             one a channel",
            port.name
        )
        .into());
    }
    // One of both may be equal for all channels.
    let long = input.mean.len().max(input.scale.len());
    for v in [&mut input.mean, &mut input.scale] {
        if v.len() < long {
            *v = vec![v[0]; long];
        }
    }
    Ok(true)
}
