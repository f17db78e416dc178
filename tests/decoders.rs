// SPDX-License-Identifier: MPL-2.0
//! Every decoder against the family's own public package on the same outputs (tests/oracles/decoders.py), and `.onnx` files
//! that need no manifest.
//!
//! Boxes agree to a hundredth of a pixel of the frame, scores to 1e-4, angles to 1e-4 radians, masks to one pixel in a
//! thousand.

mod common;

use andon_core::{
    image::{Colorimetry, Format, Image, Plane},
    result::{Detection, Mask, Verdict},
};
use andon_inference::{Data, Decode, Decoded, Mapping, Preprocessor, Tensor, TensorMut};
use andon_model::Manifest;
use common::{launch, play, root, runtime};
use half::f16;
use serde::Deserialize;
use serde_json::json;

const PIXEL: f32 = 0.01;
const SCORE: f32 = 1e-4;
const ANGLE: f32 = 1e-4;
const MASK: f32 = 0.999;

#[derive(Deserialize)]
struct Fixture {
    package: String,
    version: String,
    cases: Vec<Case>,
}

/// Raw outputs, and what the package found in them.
#[derive(Deserialize)]
struct Case {
    name: String,
    frame: [usize; 2],
    model: [usize; 2],
    resize: String,
    score: f32,
    iou: f32,
    labels: Vec<String>,
    #[serde(default)]
    agnostic: bool,
    max_detections: Option<usize>,
    outputs: Vec<Output>,
    /// The error of the package itself, if it is not exact.
    off: Option<Off>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Off {
    pixels: f32,
    radians: f32,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    shape: Vec<i64>,
    data: Vec<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Expected {
    detections: Vec<Found>,
    classes: Vec<Class>,
    anomaly: Option<Heat>,
    segmentation: Option<Segments>,
}

#[derive(Clone, Deserialize)]
struct Found {
    class: u32,
    score: f32,
    #[serde(rename = "box")]
    bbox: [f32; 4],
    angle: Option<f32>,
    mask: Option<Runs>,
}

/// Lengths of the runs of equal pixels, row by row, the first of zeros.
#[derive(Clone, Deserialize)]
struct Runs {
    size: [u32; 2],
    runs: Vec<usize>,
}

#[derive(Deserialize)]
struct Class {
    class: u32,
    score: f32,
}

#[derive(Deserialize)]
struct Heat {
    score: f32,
    bad: bool,
    size: [u32; 2],
    map: Vec<f32>,
    runs: Vec<usize>,
}

#[derive(Deserialize)]
struct Segments {
    size: [u32; 2],
    classes: Vec<u32>,
}

/// An output's numbers in the type of the graph.
enum Numbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

impl Output {
    fn numbers(&self, kind: &str) -> Numbers {
        let all = self.data.iter();
        match kind {
            "f32" => Numbers::F32(all.map(|v| *v as f32).collect()),
            "f16" => Numbers::F16(all.map(|v| f16::from_f64(*v)).collect()),
            "f64" => Numbers::F64(self.data.clone()),
            "i32" => Numbers::I32(all.map(|v| *v as i32).collect()),
            "i64" => Numbers::I64(all.map(|v| *v as i64).collect()),
            "u8" => Numbers::U8(all.map(|v| *v as u8).collect()),
            "bool" => Numbers::Bool(all.map(|v| *v != 0.0).collect()),
            other => panic!("{other}"),
        }
    }
}

impl Numbers {
    fn data(&self) -> Data<'_> {
        match self {
            Numbers::F32(v) => Data::F32(v),
            Numbers::F16(v) => Data::F16(v),
            Numbers::F64(v) => Data::F64(v),
            Numbers::I32(v) => Data::I32(v),
            Numbers::I64(v) => Data::I64(v),
            Numbers::U8(v) => Data::U8(v),
            Numbers::Bool(v) => Data::Bool(v),
        }
    }
}

impl Case {
    /// Where the package's frame lies in the model's input, found by preprocessing a real frame.
    fn mapping(&self) -> Mapping {
        let input = json!({
            "name": "i", "source": "image", "colour": "grey", "resize": self.resize, "size": self.model,
        });
        let [width, height] = self.frame;
        let black = vec![0; width * height];
        let plane = [Plane { data: &black, stride: width }];
        let image = Image::new(Format::Gray8, width, height, &plane, Colorimetry::default()).unwrap();
        let mut preprocessor = Preprocessor::new(&serde_json::from_value(input).unwrap(), self.model);
        let mut tensor = vec![0.0; preprocessor.len()];
        preprocessor.run(&image, None, TensorMut::F32(&mut tensor))
    }

    /// A manifest around `outputs`, with the case's thresholds; the labels go to the first output.
    fn manifest(&self, task: &str, outputs: serde_json::Value) -> Manifest {
        let mut outputs = outputs;
        if !self.labels.is_empty() {
            outputs[0]["labels"] = json!(self.labels);
        }
        let verdict = match task {
            "anomaly" => json!({"rule": "anomaly-score"}),
            "segmentation" | "embedding" | "other" => json!({"rule": "none"}),
            "classification" => json!({"rule": "label-ok", "ok": [self.labels[0]]}),
            _ => json!({"rule": "any-detection"}),
        };
        let mut thresholds = json!({"score": self.score, "iou": self.iou});
        if self.agnostic {
            thresholds["agnostic"] = true.into();
        }
        if let Some(most) = self.max_detections {
            thresholds["max_detections"] = most.into();
        }
        let text = json!({
            "schema": "andon.model/1", "name": "m", "version": "1", "task": task, "verdict": verdict,
            "inputs": [{"name": "i", "source": "image", "resize": self.resize, "size": self.model}],
            "outputs": outputs, "thresholds": thresholds,
        });
        common::schema::assert_valid(&text);
        Manifest::parse(&text.to_string(), std::path::Path::new("model.json")).unwrap()
    }

    /// Decodes the outputs; `kind` overrides their type.
    #[track_caller]
    fn decode(&self, manifest: &Manifest, kind: Option<&str>) -> Decoded {
        let numbers: Vec<_> = self.outputs.iter().map(|o| o.numbers(kind.unwrap_or(&o.kind))).collect();
        let outputs: Vec<_> = self
            .outputs
            .iter()
            .zip(&numbers)
            .map(|(o, n)| Tensor { name: &o.name, shape: &o.shape, data: n.data() })
            .collect();
        let decoded = Decode::new(manifest).run(&outputs, &self.mapping(), &manifest.thresholds);
        decoded.unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}

/// A detection's mask, painted on the whole of the model's input.
fn painted(mask: &Mask, size: [u32; 2], mapping: &Mapping) -> Vec<u8> {
    let whole = mapping.region();
    let cell = [0, 1].map(|i| whole[i + 2] / size[i] as f32);
    let [left, top] = [0, 1].map(|i| ((mask.region[i] - whole[i]) / cell[i]).round() as usize);
    let (w, mut all) = (size[0] as usize, vec![0; (size[0] * size[1]) as usize]);
    for (y, row) in mask.values.chunks_exact(mask.width as usize).enumerate() {
        all[(top + y) * w + left..][..row.len()].copy_from_slice(row);
    }
    all
}

fn pixels(runs: &[usize]) -> Vec<u8> {
    runs.iter().enumerate().flat_map(|(i, n)| std::iter::repeat_n((i % 2) as u8, *n)).collect()
}

/// Compares the detections with the package's; equal scores may come in any order.
#[track_caller]
fn compare(case: &Case, decoded: &Decoded) {
    let (name, mapping) = (&case.name, case.mapping());
    let (pixel, angle) = case.off.as_ref().map_or((PIXEL, ANGLE), |o| (o.pixels, o.radians));
    let mut ours: Vec<_> = decoded.detections.iter().collect();
    assert_eq!(ours.len(), case.expected.detections.len(), "{name}: {ours:#?}");
    assert!(!ours.is_empty(), "{name}: a fixture without detections shows nothing");
    assert!(ours.windows(2).all(|w| w[0].score >= w[1].score), "{name}: best first");
    for theirs in &case.expected.detections {
        let apart = |d: &Detection| d.bbox.iter().zip(theirs.bbox).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let alike = |d: &&Detection| d.class == theirs.class && (d.score - theirs.score).abs() <= SCORE;
        let near =
            (0..ours.len()).filter(|i| alike(&ours[*i])).min_by(|a, b| apart(ours[*a]).total_cmp(&apart(ours[*b])));
        let Some(near) = near else {
            panic!("{name}: nothing of class {} and score {} in {ours:#?}", theirs.class, theirs.score)
        };
        let d = ours.swap_remove(near);
        assert!(apart(d) <= pixel, "{name}: {:?} should be {:?}", d.bbox, theirs.bbox);
        assert_eq!(&*d.label, case.labels[d.class as usize]);
        match (d.angle, theirs.angle) {
            (None, None) => {}
            (Some(a), Some(b)) => assert!((a - b).abs() <= angle, "{name}: turned by {a}, should be {b}"),
            other => panic!("{name}: angles {other:?}"),
        }
        if let Some(Runs { size, runs }) = &theirs.mask {
            let wanted = pixels(runs);
            let found = d.mask.as_ref().map_or(vec![0; wanted.len()], |m| painted(m, *size, &mapping));
            let equal = found.iter().zip(&wanted).filter(|(a, b)| a == b).count();
            assert!(equal as f32 >= MASK * wanted.len() as f32, "{name}: {equal} of {} mask pixels", wanted.len());
        } else {
            assert!(d.mask.is_none());
        }
    }
}

fn fixture(text: &str) -> Fixture {
    let found: Fixture = serde_json::from_str(text).unwrap();
    println!("as {} {} has it", found.package, found.version);
    found
}

macro_rules! fixture {
    ($family:literal) => {
        fixture(include_str!(concat!("data/decoders/", $family, ".json")))
    };
}

impl Fixture {
    #[track_caller]
    fn case(&self, name: &str) -> &Case {
        self.cases.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no case {name}"))
    }

    /// Decodes the case as a detector with these outputs, and compares.
    #[track_caller]
    fn detects(&self, name: &str, outputs: serde_json::Value) {
        let case = self.case(name);
        compare(case, &case.decode(&case.manifest("detection", outputs), None));
    }
}

// -- YOLOv8, 9, 11, 12 --

fn yolov8(case: &str) {
    fixture!("yolov8").detects(case, json!([{"name": "output0", "decoder": "yolov8"}]));
}

#[test]
fn yolov8_boxes_are_ultralytics_own() {
    yolov8("plain");
}

#[test]
fn yolov8_is_exact_through_a_letterbox_that_rounds() {
    yolov8("letterbox-that-rounds");
}

#[test]
fn yolov8_agnostic_suppression_crosses_labels() {
    yolov8("agnostic");
}

#[test]
fn yolov8_keeps_the_best_so_many() {
    yolov8("at-most-three");
}

#[test]
fn yolov8_overlap_threshold_is_ultralytics_own() {
    yolov8("loose-overlap");
}

#[test]
fn yolov8_transposed_says_the_same() {
    yolov8("transposed");
}

#[test]
fn yolov8_in_half_precision_is_what_ultralytics_reads_there() {
    yolov8("f16");
}

#[test]
fn yolov8_boxes_over_the_edge_are_suppressed_as_whole_boxes() {
    yolov8("over-the-edge");
}

#[test]
fn yolov8_in_double_precision_says_the_same() {
    let fixture = fixture!("yolov8");
    let case = fixture.case("plain");
    let manifest = case.manifest("detection", json!([{"name": "output0", "decoder": "yolov8"}]));
    compare(case, &case.decode(&manifest, Some("f64")));
}

#[test]
fn yolov8_segment_masks_are_ultralytics_own() {
    let outputs = json!([
        {"name": "output0", "decoder": "yolov8", "head": "segment"}, {"name": "output1", "decoder": "yolov8"}
    ]);
    fixture!("yolov8-segment").detects("plain", outputs.clone());
    fixture!("yolov8-segment").detects("letterbox-that-rounds", outputs);
}

fn oriented(case: &str) {
    let outputs = json!([{"name": "output0", "decoder": "yolov8", "head": "oriented"}]);
    fixture!("yolov8-oriented").detects(case, outputs);
}

#[test]
fn yolov8_oriented_boxes_and_angles_are_ultralytics_own() {
    oriented("plain");
}

#[test]
fn yolov8_oriented_boxes_go_through_a_letterbox_that_rounds() {
    oriented("letterbox-that-rounds");
}

#[test]
fn yolov8_oriented_agnostic_suppression_crosses_labels() {
    oriented("agnostic");
}

// -- YOLOv10, YOLO26 --

fn end_to_end(case: &str, head: &str) {
    let mut outputs = json!([{"name": "output0", "decoder": "yolo-end-to-end", "head": head}]);
    if head == "segment" {
        outputs.as_array_mut().unwrap().push(json!({"name": "output1", "decoder": "yolo-end-to-end"}));
    }
    fixture!("yolo-end-to-end").detects(case, outputs);
}

#[test]
fn yolov10_and_yolo26_need_no_suppression() {
    end_to_end("plain", "detect");
    end_to_end("letterbox-that-rounds", "detect");
}

#[test]
fn yolo26_segment_masks_are_ultralytics_own() {
    end_to_end("segment", "segment");
}

#[test]
fn yolo26_oriented_boxes_and_angles_are_ultralytics_own() {
    end_to_end("oriented", "oriented");
}

// -- YOLOv5, YOLOv7, YOLOX --

fn yolov5(case: &str) {
    fixture!("yolov5").detects(case, json!([{"name": "output0", "decoder": "yolov5"}]));
}

#[test]
fn yolov5_boxes_are_its_own_packages() {
    yolov5("plain");
}

#[test]
fn yolov5_agnostic_suppression_crosses_labels() {
    yolov5("agnostic");
}

#[test]
fn yolov5_keeps_the_best_so_many() {
    yolov5("at-most-three");
}

#[test]
fn yolov5_segment_masks_are_its_own_packages() {
    let outputs = json!([
        {"name": "output0", "decoder": "yolov5", "head": "segment"}, {"name": "output1", "decoder": "yolov5"}
    ]);
    fixture!("yolov5").detects("segment", outputs);
}

#[test]
fn yolov7_end_to_end_rows_are_read_as_they_stand() {
    fixture!("yolov7-end-to-end").detects("plain", json!([{"name": "output", "decoder": "yolov7-end-to-end"}]));
}

#[test]
fn yolox_on_its_grids_is_its_own_packages() {
    fixture!("yolox").detects("on-the-grid", json!([{"name": "output", "decoder": "yolox"}]));
}

#[test]
fn yolox_in_pixels_is_its_own_packages() {
    fixture!("yolox").detects("in-pixels", json!([{"name": "output", "decoder": "yolox", "grid": false}]));
}

#[test]
fn yolox_agnostic_suppression_crosses_labels() {
    fixture!("yolox").detects("agnostic", json!([{"name": "output", "decoder": "yolox"}]));
}

// -- SSD and the DETR families --

#[test]
fn ssd_as_torchvision_exports_it() {
    let outputs = json!([
        {"name": "boxes", "decoder": "ssd", "background": true}, {"name": "scores", "decoder": "ssd"},
        {"name": "labels", "decoder": "ssd"}
    ]);
    fixture!("ssd").detects("torchvision-export", outputs);
}

#[test]
fn ssd_as_tensorflow_exports_it() {
    let outputs = json!([
        {"name": "detection_boxes", "decoder": "ssd", "background": true},
        {"name": "detection_classes", "decoder": "ssd"}, {"name": "detection_scores", "decoder": "ssd"},
        {"name": "num_detections", "decoder": "ssd"}
    ]);
    fixture!("ssd").detects("tensorflow", outputs);
}

fn hugging_face(family: &str) -> serde_json::Value {
    json!([{"name": "logits", "decoder": family}, {"name": "pred_boxes", "decoder": family}])
}

#[test]
fn detr_is_as_transformers_reads_it() {
    fixture!("detr").detects("plain", hugging_face("detr"));
}

#[test]
fn rtdetr_is_as_transformers_reads_it() {
    fixture!("rtdetr").detects("plain", hugging_face("rtdetr"));
}

#[test]
fn rtdetr_at_a_low_threshold_gives_a_query_several_labels() {
    fixture!("rtdetr").detects("low-threshold", hugging_face("rtdetr"));
}

#[test]
fn rtdetr_as_ultralytics_exports_it_before_and_since_8_4() {
    for case in ["scores-by-label", "best-first"] {
        fixture!("rtdetr-ultralytics").detects(case, json!([{"name": "output0", "decoder": "rtdetr"}]));
    }
}

/// Its package has one logit more than labels, which stands for nothing and needs a name: as the last, not as a background.
fn rfdetr() -> Fixture {
    let mut fixture = fixture!("rfdetr");
    fixture.cases.iter_mut().for_each(|c| c.labels.push("nothing".into()));
    fixture
}

#[test]
fn rfdetr_is_as_its_own_package_reads_it() {
    let outputs = json!([{"name": "dets", "decoder": "rtdetr"}, {"name": "labels", "decoder": "rtdetr"}]);
    rfdetr().detects("plain", outputs);
}

#[test]
fn rfdetr_segment_masks_are_its_own_packages() {
    let outputs = json!([
        {"name": "dets", "decoder": "rtdetr", "head": "segment"}, {"name": "labels", "decoder": "rtdetr"},
        {"name": "masks", "decoder": "rtdetr"}
    ]);
    rfdetr().detects("segment", outputs);
}

// -- Models with one answer for the whole frame --

#[track_caller]
fn classifies(name: &str, output: serde_json::Value) {
    let fixture = fixture!("classification");
    let case = fixture.case(name);
    let found = case.decode(&case.manifest("classification", json!([output])), None).classes;
    assert_eq!(found.len(), case.expected.classes.len());
    for (ours, theirs) in found.iter().zip(&case.expected.classes) {
        assert_eq!((ours.class, &*ours.label), (theirs.class, &*case.labels[theirs.class as usize]));
        assert!((ours.score - theirs.score).abs() <= SCORE, "{} should be {}", ours.score, theirs.score);
    }
}

#[test]
fn logits_of_a_classifier_go_through_softmax() {
    classifies("softmax", json!({"name": "logits", "decoder": "classification"}));
}

#[test]
fn logits_of_labels_that_stand_alone_go_through_a_sigmoid() {
    classifies("sigmoid", json!({"name": "logits", "decoder": "classification", "activation": "sigmoid"}));
}

#[test]
fn probabilities_of_a_classifier_stay_as_they_are() {
    classifies("probabilities", json!({"name": "logits", "decoder": "classification"}));
}

#[test]
fn semantic_segmentation_is_as_transformers_reads_it_from_logits_and_from_labels() {
    let fixture = fixture!("semantic");
    for (name, output) in [("logits", "logits"), ("classes", "classes")] {
        let case = fixture.case(name);
        let mut manifest = json!([{"name": output, "decoder": "segmentation"}]);
        manifest[0]["labels"] = json!(case.labels);
        for kind in if name == "classes" { vec!["i64", "i32", "u8"] } else { vec!["f32", "f64"] } {
            let found = case.decode(&case.manifest("segmentation", manifest.clone()), Some(kind)).segmentation.unwrap();
            let wanted = case.expected.segmentation.as_ref().unwrap();
            assert_eq!([found.width, found.height], wanted.size);
            assert!(found.classes.iter().map(|c| u32::from(*c)).eq(wanted.classes.iter().copied()), "{name} as {kind}");
            for label in &found.areas {
                let cells = wanted.classes.iter().filter(|c| **c == label.class).count();
                assert!((label.area - cells as f32 / wanted.classes.len() as f32).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn anomalib_scores_maps_and_masks_are_its_own_post_processors() {
    let fixture = fixture!("anomalib");
    for name in ["defect", "good"] {
        let case = fixture.case(name);
        let wanted = case.expected.anomaly.as_ref().unwrap();
        let manifest = case.manifest("anomaly", json!([{"name": "pred_score", "decoder": "anomalib"}]));
        let decoded = case.decode(&manifest, None);
        assert_eq!(decoded.verdict, if wanted.bad { Verdict::Ng } else { Verdict::Ok }, "{name}");
        let anomaly = decoded.anomaly.unwrap();
        let (map, mask) = (anomaly.map.unwrap(), anomaly.mask.unwrap());
        assert!((anomaly.score - wanted.score).abs() <= SCORE, "{name}");
        assert_eq!([map.width, map.height], wanted.size);
        assert!(map.values.iter().zip(&wanted.map).all(|(a, b)| (a - b).abs() <= SCORE), "{name}");
        assert_eq!(map.region, [0.0, 0.0, case.frame[0] as f32, case.frame[1] as f32]);
        assert_eq!(*mask.values, *pixels(&wanted.runs), "{name}");
    }
}

#[test]
fn an_embedding_is_handed_on_at_length_one_where_that_is_asked_for() {
    let fixture = fixture!("classification");
    let case = fixture.case("softmax");
    let values: Vec<_> = case.outputs[0].data.iter().map(|v| *v as f32).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    for normalise in [false, true] {
        let manifest =
            case.manifest("embedding", json!([{"name": "logits", "decoder": "embedding", "normalise": normalise}]));
        let decoded = case.decode(&manifest, None);
        assert_eq!(decoded.verdict, Verdict::Unjudged);
        let by = if normalise { length } else { 1.0 };
        let found = decoded.embedding.unwrap();
        assert!(found.iter().zip(&values).all(|(a, b)| (a - b / by).abs() < 1e-6), "{found:?}");
    }
}

#[test]
fn raw_outputs_are_handed_on_byte_for_byte_in_their_own_type() {
    let fixture = fixture!("ssd");
    let case = fixture.case("torchvision-export");
    let manifest = case.manifest("other", json!([{"name": "boxes", "decoder": "raw"}]));
    let tensors = case.decode(&manifest, None).tensors;
    let named: Vec<_> = tensors.iter().map(|t| (t.name.as_str(), &*t.element)).collect();
    assert_eq!(named, [("boxes", "f32"), ("scores", "f32"), ("labels", "i64")]);
    for (tensor, output) in tensors.iter().zip(&case.outputs) {
        assert_eq!(tensor.shape, output.shape);
    }
    let labels: Vec<_> = tensors[2].bytes.chunks_exact(8).map(|b| i64::from_ne_bytes(b.try_into().unwrap())).collect();
    assert!(labels.iter().map(|l| *l as f64).eq(case.outputs[2].data.iter().copied()));
}

// -- Files without a manifest --

#[test]
fn an_ultralytics_export_without_a_manifest_prints_what_it_sees_by_its_own_names() {
    runtime();
    let model = root().join("tests/data/ultralytics.onnx");
    // A white square of 32 pixels on black at (96, 64), in a frame twice as large as the model's input.
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=2 pattern=white ! video/x-raw,format=RGB,width=32,height=32,framerate=25/1
         ! videobox left=-96 top=-64 right=-128 bottom=-96 fill=black
         ! modelinfer model={} post-messages=true ! fakesink",
        model.display()
    ));
    let frames = common::jsons(&play(&pipeline), "andon/inference");
    assert_eq!(frames.len(), 2);
    for frame in frames {
        let found = frame["detections"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{frame}");
        assert_eq!((&found[0]["label"], &frame["verdict"]), (&json!("scratch"), &json!("ng")));
        assert!(found[0]["score"].as_f64().unwrap() > 0.99);
        for (at, wanted) in [96.0, 64.0, 32.0, 32.0].into_iter().enumerate() {
            assert!((found[0]["box"][at].as_f64().unwrap() - wanted).abs() < 0.01, "{frame}");
        }
    }
}

/// Newer PyTorch exporters, anomalib's among them, write such files.
#[test]
fn a_graph_whose_weights_lie_in_a_file_beside_it_is_loaded_with_them() {
    runtime();
    let line = |model: &str| {
        let model = root().join("tests/data").join(model);
        let line =
            "videotestsrc num-buffers=1 pattern=white ! video/x-raw,format=GRAY8,width=32,height=32 ! modelinfer";
        let pipeline = launch(&format!("{line} model={} post-messages=true ! fakesink", model.display()));
        common::jsons(&play(&pipeline), "andon/inference")[0]["detections"].clone()
    };
    let inside = line("detector.onnx");
    assert_eq!(inside.as_array().unwrap().len(), 1);
    assert_eq!(line("outside.onnx"), inside);
}

#[test]
fn a_modelinfo_beside_a_bare_file_decides_where_the_graph_does_not() {
    runtime();
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("m.onnx");
    std::fs::copy(root().join("tests/data/detector-plain.onnx"), &model).unwrap();
    let line = "videotestsrc num-buffers=1 pattern=white ! video/x-raw,format=GRAY8,width=32,height=32 ! modelinfer";
    let line = format!("{line} model={} labels=dark,bright post-messages=true ! fakesink", model.display());
    let score = || {
        let found = common::jsons(&play(&launch(&line)), "andon/inference");
        found[0]["detections"][0]["score"].as_f64().unwrap()
    };
    let usual = score();
    assert!(usual > 0.9, "white is about 1 where nothing else is said, not {usual}");
    let info = "[modelinfo]\nversion=1.0\n[images]\ndir=input\nranges=0.0,0.5\n[output0]\ndir=output\nid=yolo-v8-out\n";
    std::fs::write(dir.path().join("m.onnx.modelinfo"), info).unwrap();
    assert!((score() - usual / 2.0).abs() < 1e-3, "by its ranges white is half as much");
}
