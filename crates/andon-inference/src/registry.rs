// SPDX-License-Identifier: MPL-2.0
//! Families by the names that a `.modelinfo` gives their outputs' encodings: those of the tensor ID registry
//! (github.com/collabora/tensor-id-registry), as GStreamer 1.28's tensor decoders know them.

use andon_model::{Activation, BoxForm, Decoder, Direction, Head, Input, Output, Role, tensor_name};

use super::bare::{Graph, Lack, Unknown, WRITE};

/// One encoding.
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

/// What can be read of the registry. Poses, faces, texts and pictures cannot.
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

/// The outputs that are read, the first with what holds for all; none where no encoding is named that can be read.
pub(super) fn outputs(graph: &Graph, labels: &[String]) -> Option<Result<Vec<Output>, Lack>> {
    let info = graph.info.as_ref()?;
    let mut found: Vec<_> = (graph.outputs.iter().enumerate())
        .filter_map(|(i, port)| {
            let id = info.tensor(Direction::Output, i, &port.name, &port.shape)?.id.as_deref()?;
            ENCODINGS.iter().find(|e| e.id == id).map(|e| (port, e))
        })
        .collect();
    // What holds for all is told of the first, and what is decoded comes before what goes with it.
    found.sort_by_key(|(_, e)| !matches!(e.role, Role::Main | Role::Boxes));
    let (_, first) = found.first()?;
    let (decoder, head, boxes) = (first.decoder, first.head, first.boxes);
    if labels.is_empty() {
        let problem = format!("the names of its classes are not in the file: set the property labels, or {WRITE}");
        return Some(Err(Lack { what: Some(Unknown::Labels), problem }));
    }
    let named = |(port, e): &(&super::bare::Port, &Encoding)| {
        let mut output = Output { role: Some(e.role), ..Output::new(&port.name, decoder, Vec::new()) };
        if e.role == Role::Main || e.role == Role::Boxes {
            (output.labels, output.head, output.boxes) = (labels.to_vec(), head, boxes);
        }
        match e.decoder {
            // The registry has x first; what keeps TensorFlow's name has its order, y first.
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

/// Feeds the image as the file's ranges say; `at` is its place among the graph's inputs.
pub(super) fn ranges(graph: &Graph, at: usize, input: &mut Input) -> Result<(), String> {
    let port = &graph.inputs[at];
    let told = graph.info.as_ref().and_then(|i| i.tensor(Direction::Input, at, &port.name, &port.shape));
    let Some((mean, scale)) = told.and_then(|t| t.normalisation()) else { return Ok(()) };
    let channels = input.colour.channels();
    // All channels alike are one number.
    let short = |v: Vec<f32>| if v.iter().all(|x| *x == v[0]) { vec![v[0]] } else { v };
    (input.mean, input.scale) = (short(mean), short(scale));
    if [&input.mean, &input.scale].iter().any(|v| v.len() != 1 && v.len() != channels) {
        return Err(format!(
            "its .modelinfo gives ranges for another number of channels than the {channels} of input '{}': give one, or \
             one a channel",
            port.name
        ));
    }
    // One of both may be the same for all.
    let long = input.mean.len().max(input.scale.len());
    for v in [&mut input.mean, &mut input.scale] {
        if v.len() < long {
            *v = vec![v[0]; long];
        }
    }
    Ok(())
}
