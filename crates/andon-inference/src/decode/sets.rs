// SPDX-License-Identifier: MPL-2.0
//! Sets of boxes in outputs for boxes, scores and labels, and PaddleDetection's rows.
//!
//! Layouts: TensorFlow's Object Detection API and torchvision (SSD); TensorRT's EfficientNMS plugin; mmdeploy's page on
//! ONNX exports (`dets`, `labels`, `masks`); super-gradients' page on YOLO-NAS; PaddleDetection's `multiclass_nms3`.

use andon_model::{Activation, BoxForm, Head, Role, tensor_name};

use super::{
    boxes::Candidates,
    decoded::Decoded,
    error::DecodeError,
    family::{Family, is_padding},
    geometry::to_pixels,
    masks::Prototypes,
    outputs::{View, Views},
    scores::{best, sigmoid},
};

/// The number of rows of an output whose last axis is the row, and the row's length, if that is one of `lengths` and no two
/// other axes are longer than one.
pub(super) fn rows(shape: &[i64], lengths: &[usize]) -> Option<(usize, usize)> {
    let (length, others) = shape.split_last()?;
    let length = lengths.iter().copied().find(|l| *l as i64 == *length)?;
    let single = !others.is_empty() && others.iter().filter(|d| **d != 1).count() <= 1;
    single.then(|| (others.iter().product::<i64>() as usize, length))
}

/// The four numbers of box `i` of an output with rows of `length` numbers.
pub(super) fn four(view: &View<'_>, i: usize, length: usize) -> [f32; 4] {
    [0, 1, 2, 3].map(|k| view.data[i * length + k])
}

/// Where the scores and labels of a set of boxes lie.
enum Scored<'v> {
    /// The fifth number of each box, and a label a box.
    InBoxes(Option<&'v View<'v>>),
    /// A score a box, and a label a box; without the latter there is one label.
    Single(&'v View<'v>, Option<&'v View<'v>>),
    /// A score a label, so many numbers a box.
    ByLabel(&'v View<'v>, usize),
}

/// Finds scores and labels of `n` boxes of `length` numbers.
fn scored<'v>(f: &Family<'_>, views: &'v Views<'_>, n: usize, length: usize) -> Result<Scored<'v>, DecodeError> {
    let labels = views.get(Role::Labels);
    if let Some(view) = labels
        && view.data.len() != n
    {
        return Err(view.misshaped(format!("labels of {n} boxes need [1, {n}] or [{n}]")));
    }
    // One label needs no output that says so.
    let named =
        || if labels.is_some() || f.labels.len() == 1 { Ok(labels) } else { views.need(Role::Labels).map(Some) };
    let Some(scores) = views.get(Role::Scores) else {
        let inside = (length == 5).then_some(()).ok_or_else(|| DecodeError::NoRole("scores".into()));
        return inside.and_then(|()| named()).map(Scored::InBoxes);
    };
    let each = f.labels.len() + f.background();
    if labels.is_none() && rows(scores.shape, &[each]).is_some_and(|(rows, _)| rows == n) {
        return Ok(Scored::ByLabel(scores, each));
    }
    if scores.data.len() != n {
        let l = f.labels.len();
        let other = if f.output.background { l } else { l + 1 };
        let instead = if f.output.background { "without" } else { "with" };
        return Err(scores.misshaped(format!(
            "scores of {n} boxes need [1, {n}] or [{n}], or, without an output of labels, [1, {n}, {each}] for {l} labels \
             ([1, {n}, {other}] {instead} \"background\"): correct outputs in model.json"
        )));
    }
    Ok(Scored::Single(scores, named()?))
}

/// A set of boxes with their scores and labels.
pub(super) fn ssd(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    let places = views.need(Role::Boxes)?;
    let (n, length) = rows(places.shape, &[4, 5])
        .ok_or_else(|| places.misshaped("boxes need [1, N, 4] or [N, 4], or five numbers if the last is the score"))?;
    let scored = scored(f, views, n, length)?;
    let activation = f.output.activation.unwrap_or(Activation::None);
    if let (Activation::Softmax, Scored::Single(view, _)) = (activation, &scored) {
        return Err(
            view.misshaped("softmax needs a score a label, [1, N, L]: correct outputs[0].activation in model.json")
        );
    }
    let masks = match f.head() {
        Head::Segment => Some(Prototypes::of_boxes(views.need(Role::Masks)?, n, f.mapping)?),
        _ => None,
    };
    let counted = views.get(Role::Count).and_then(|v| v.data.first()).map_or(n, |c| (c.max(0.0) as usize).min(n));
    let usual = match tensor_name(places.name) {
        // These exporters have one form each; elsewhere pixels are usual.
        "detection_boxes" => BoxForm::CornersYFirstNormalised,
        "detected_boxes" => BoxForm::CornersNormalised,
        _ => BoxForm::Corners,
    };
    let one = |v: f32| if activation == Activation::Sigmoid { sigmoid(v) } else { v };
    for i in 0..counted {
        let (score, labels) = match &scored {
            Scored::InBoxes(labels) => (one(places.data[i * length + 4]), *labels),
            Scored::Single(scores, labels) => (one(scores.data[i]), *labels),
            Scored::ByLabel(scores, each) => {
                let row = &scores.data[i * each..][..*each];
                if let Some((class, score)) = best(row, f.background(), *each, activation)
                    && candidates.wants(score)
                {
                    let bbox = to_pixels(f.boxes(usual), four(places, i, length), f.mapping);
                    candidates.add(i, class, score, bbox, 0.0);
                }
                continue;
            }
        };
        let label = labels.map_or(0.0, |l| l.data[i] - f.background() as f32);
        if !is_padding(label) && candidates.wants(score) {
            let class = f.label(labels.map_or(places.name, |l| l.name), label)?;
            let bbox = to_pixels(f.boxes(usual), four(places, i, length), f.mapping);
            candidates.add(i, class, score, bbox, 0.0);
        }
    }
    f.finish(false).run(candidates, masks.as_ref())
}

/// PaddleDetection: rows of label, score, corners.
pub(super) fn paddle(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    let view = views.need(Role::Main)?;
    let (n, length) = rows(view.shape, &[6]).ok_or_else(|| {
        view.misshaped(
            "paddle needs [N, 6]: label, score and corners (rows of 10 numbers are rotated boxes, which are not read; export \
             with PaddleDetection's own suppression): correct outputs in model.json",
        )
    })?;
    let counted = views.get(Role::Count).and_then(|v| v.data.first()).map_or(n, |c| (c.max(0.0) as usize).min(n));
    for (i, row) in view.data.chunks_exact(length).take(counted).enumerate() {
        if !is_padding(row[0]) && candidates.wants(row[1]) {
            let class = f.label(view.name, row[0])?;
            let corners = [row[2], row[3], row[4], row[5]];
            candidates.add(i, class, row[1], to_pixels(f.boxes(BoxForm::Corners), corners, f.mapping), 0.0);
        }
    }
    f.finish(false).run(candidates, None)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Data,
        testing::{Named, detector, found, listed, run},
    };
    use andon_core::result::Verdict;
    use serde_json::{Value, json};

    /// Where the box lies in the frame: 16..24 across and 28..32 down in the model's input.
    const PLACE: [f32; 4] = [32.0, 24.0, 16.0, 8.0];

    fn outputs(decoder: &str, names: &[&str], more: Value) -> Value {
        let mut all: Vec<_> = names.iter().map(|n| json!({"name": n, "decoder": decoder})).collect();
        let first = all[0].as_object_mut().unwrap();
        first.insert("labels".into(), json!(["a", "b"]));
        first.extend(more.as_object().cloned().unwrap_or_default());
        all.into()
    }

    #[test]
    fn tensorflow_counts_its_boxes_and_its_labels_from_one() {
        let names = ["detection_boxes", "detection_classes", "detection_scores", "num_detections"];
        let mut d = listed(outputs("ssd", &names, json!({"background": true})));
        // Top, left, bottom, right; the third is beyond the count.
        let one = [0.4375, 0.25, 0.5, 0.375];
        let boxes = [one, one, one].concat();
        let all = [
            ("detection_boxes", &[1, 3, 4][..], Data::F32(&boxes)),
            ("detection_classes", &[1, 3][..], Data::F32(&[2.0, 1.0, 1.0])),
            ("detection_scores", &[1, 3][..], Data::F32(&[0.9, 0.4, 0.8])),
            ("num_detections", &[1][..], Data::F32(&[2.0])),
        ];
        let o = run(&mut d, &all).unwrap();
        assert_eq!((found(&o), o.verdict), (vec![(1, 0.9, PLACE)], Verdict::Ng));
    }

    #[test]
    fn torchvision_tells_corners_in_pixels_and_the_background_is_no_label() {
        let mut d = listed(outputs("ssd", &["boxes", "scores", "labels"], json!({"background": true})));
        let corners = [16.0, 28.0, 24.0, 32.0];
        let boxes = [corners, corners].concat();
        let all = [
            ("boxes", &[2, 4][..], Data::F32(&boxes)),
            ("scores", &[2][..], Data::F32(&[0.75, 0.9])),
            ("labels", &[2][..], Data::I64(&[1, 0])),
        ];
        assert_eq!(found(&run(&mut d, &all).unwrap()), [(0, 0.75, PLACE)]);
        let none = [
            ("boxes", &[0, 4][..], Data::F32(&[])),
            ("scores", &[0][..], Data::F32(&[])),
            ("labels", &[0][..], Data::I64(&[])),
        ];
        assert_eq!(run(&mut d, &none).unwrap().verdict, Verdict::Ok);
        let e = run(&mut d, &[all[0], all[1]]).unwrap_err().to_string();
        assert!(e.contains("\"role\": \"labels\""), "{e}");
    }

    /// Corners and centre of the two boxes, by their form, and where they lie in the frame.
    const A: [f32; 4] = [16.0, 28.0, 24.0, 32.0];
    const B: [f32; 4] = [32.0, 28.0, 40.0, 36.0];
    const AT: [[f32; 4]; 2] = [PLACE, [64.0, 24.0, 16.0, 16.0]];

    fn boxes<'a>(name: &'a str, shape: &'a [i64], data: &'a [f32]) -> Named<'a> {
        (name, shape, Data::F32(data))
    }

    #[test]
    fn a_set_of_boxes_is_read_in_every_shape_that_the_field_exports() {
        let pixels = [A, B].concat();
        let scored: Vec<f32> = A.into_iter().chain([0.9]).chain(B).chain([0.6]).collect();
        let normalised: Vec<f32> = pixels.iter().map(|v| v / 64.0).collect();
        let y_first: Vec<f32> = normalised.chunks(4).flat_map(|v| [v[1], v[0], v[3], v[2]]).collect();
        let floats = Data::F32;
        let (two, ids): (&[i64], _) = (&[2], Data::I64(&[0, 1]));
        let one: &[i64] = &[1, 2];
        let scores = ("scores", two, floats(&[0.9, 0.6]));
        let by_label = floats(&[0.9, 0.1, 0.2, 0.6]);
        let logits = [9f32.ln(), -9.0, -9.0, 1.5f32.ln()];
        let exclusive = [9f32.ln(), 0.0, 0.0, 1.5f32.ln()];
        let single = [9f32.ln(), 1.5f32.ln()];
        let rows: Vec<(&str, Vec<Named>, Value)> = vec![
            ("torchvision", vec![boxes("boxes", &[2, 4], &pixels), scores, ("labels", two, ids)], json!({})),
            ("with a batch axis", vec![boxes("boxes", &[1, 2, 4], &pixels), scores, ("labels", one, ids)], json!({})),
            ("four axes", vec![boxes("boxes", &[1, 1, 2, 4], &pixels), scores, ("labels", one, ids)], json!({})),
            ("a box a label", vec![boxes("boxes", &[1, 2, 1, 4], &pixels), scores, ("labels", one, ids)], json!({})),
            ("mmdeploy", vec![boxes("dets", &[1, 2, 5], &scored), ("labels", one, ids)], json!({})),
            (
                "EfficientNMS",
                vec![
                    ("num_dets", &[1, 1], Data::I32(&[2])),
                    boxes("det_boxes", &[1, 2, 4], &pixels),
                    ("det_scores", one, floats(&[0.9, 0.6])),
                    ("det_classes", one, Data::I32(&[0, 1])),
                ],
                json!({}),
            ),
            (
                "Custom Vision",
                vec![
                    boxes("detected_boxes", &[2, 4], &normalised),
                    ("detected_classes", two, ids),
                    ("detected_scores", two, floats(&[0.9, 0.6])),
                ],
                json!({}),
            ),
            (
                "TensorFlow",
                vec![
                    boxes("detection_boxes:0", &[1, 2, 4], &y_first),
                    ("detection_scores:0", one, floats(&[0.9, 0.6])),
                    ("detection_classes:0", one, floats(&[1.0, 2.0])),
                    ("num_detections:0", &[1], floats(&[2.0])),
                ],
                json!({"background": true}),
            ),
            (
                "YOLO-NAS",
                vec![boxes("pred_boxes", &[1, 2, 4], &pixels), ("pred_scores", &[1, 2, 2], by_label)],
                json!({"suppress": true}),
            ),
            (
                "scores without a batch axis",
                vec![boxes("boxes", &[2, 4], &pixels), ("scores", &[2, 2], by_label)],
                json!({}),
            ),
            (
                "the background first",
                vec![
                    boxes("boxes", &[1, 2, 4], &pixels),
                    ("scores", &[1, 2, 3], floats(&[0.95, 0.9, 0.0, 0.99, 0.0, 0.6])),
                ],
                json!({"background": true}),
            ),
            (
                "logits that stand alone",
                vec![boxes("boxes", &[1, 2, 4], &pixels), ("scores", &[1, 2, 2], floats(&logits))],
                json!({"activation": "sigmoid"}),
            ),
            (
                "logits that exclude each other",
                vec![boxes("boxes", &[1, 2, 4], &pixels), ("scores", &[1, 2, 2], floats(&exclusive))],
                json!({"activation": "softmax"}),
            ),
            (
                "one logit a box",
                vec![boxes("boxes", &[2, 4], &pixels), ("scores", two, floats(&single)), ("labels", two, ids)],
                json!({"activation": "sigmoid"}),
            ),
            (
                "centres",
                vec![
                    boxes("boxes", &[2, 4], &[20.0, 30.0, 8.0, 4.0, 36.0, 32.0, 8.0, 8.0]),
                    scores,
                    ("labels", two, ids),
                ],
                json!({"boxes": "centre"}),
            ),
            (
                "whole pixels",
                vec![("boxes", &[2, 4], Data::I32(&[16, 28, 24, 32, 32, 28, 40, 36])), scores, ("labels", two, ids)],
                json!({}),
            ),
        ];
        for (what, all, more) in rows {
            let names: Vec<_> = all.iter().map(|(name, ..)| *name).collect();
            let o = run(&mut listed(outputs("ssd", &names, more)), &all).unwrap_or_else(|e| panic!("{what}: {e}"));
            let found: Vec<_> = found(&o).into_iter().map(|(c, s, b)| (c, (s * 1e4).round(), b)).collect();
            assert_eq!(found, [(0, 9000.0, AT[0]), (1, 6000.0, AT[1])], "{what}");
        }
    }

    #[test]
    fn what_of_a_set_is_padding_and_what_is_missing_or_of_another_number_is_told() {
        let boxes = ("boxes", &[1, 2, 4][..], Data::F32(&[16.0, 28.0, 24.0, 32.0, 16.0, 28.0, 24.0, 32.0]));
        let scores = ("scores", &[1, 2][..], Data::F32(&[0.9, 0.8]));
        let labels = |ids| ("labels", &[1, 2][..], Data::I64(ids));
        let set = |all: &[Named], more: Value| {
            let names: Vec<_> = all.iter().map(|(name, ..)| *name).collect();
            run(&mut listed(outputs("ssd", &names, more)), all).map(|o| found(&o).len()).map_err(|e| e.to_string())
        };
        assert_eq!(set(&[boxes, scores, labels(&[0, -1])], json!({})), Ok(1));
        assert_eq!(set(&[boxes, scores, labels(&[0, 1]), ("count", &[1, 1], Data::I64(&[1]))], json!({})), Ok(1));
        assert_eq!(set(&[boxes, scores], json!({"labels": ["a"]})), Ok(2), "one label needs no output");
        let none: &[f32] = &[];
        let empty = [
            ("boxes", &[0, 4][..], Data::F32(none)),
            ("scores", &[0], Data::F32(none)),
            ("labels", &[0], Data::I64(&[])),
        ];
        assert_eq!(set(&empty, json!({})), Ok(0));
        for (all, more, says) in [
            (
                vec![boxes, scores, labels(&[0, 2])],
                json!({}),
                &["'labels'", "label 2", "has 2 names", "background"][..],
            ),
            (vec![boxes, scores, labels(&[0, 3])], json!({"background": true}), &["label 2", "has 2 names"]),
            (vec![boxes, scores], json!({}), &["\"role\": \"labels\""]),
            (vec![boxes, labels(&[0, 1])], json!({}), &["\"role\": \"scores\""]),
            (
                vec![boxes, ("scores", &[1, 2, 3], Data::F32(&[0.0; 6]))],
                json!({}),
                &["[1, 2, 3]", "[1, 2, 2]", "with \"background\""],
            ),
            (
                vec![boxes, scores, labels(&[0, 1])],
                json!({"activation": "softmax"}),
                &["softmax needs a score a label"],
            ),
            (vec![("boxes", &[1, 2, 6], Data::F32(&[0.0; 12])), scores], json!({}), &["[1, 2, 6]", "[1, N, 4]"]),
            (vec![("boxes", &[2, 2, 4], Data::F32(&[0.0; 16])), scores], json!({}), &["[2, 2, 4]"]),
            (
                vec![boxes, ("scores", &[1, 2], Data::F32(&[3.5, 0.0])), labels(&[0, 1])],
                json!({}),
                &["3.5", "\"sigmoid\""],
            ),
        ] {
            let e = set(&all, more).unwrap_err();
            assert!(says.iter().all(|s| e.contains(s)), "{says:?}: {e}");
        }
    }

    #[test]
    fn a_box_of_a_set_has_a_mask_of_the_whole_input_or_of_itself() {
        let boxes = ("dets", &[1, 2, 5][..], Data::F32(&[16.0, 28.0, 24.0, 32.0, 0.1, 16.0, 28.0, 24.0, 32.0, 0.9]));
        let labels = ("labels", &[1, 2][..], Data::I64(&[0, 1]));
        let mut d = listed(outputs("ssd", &["dets", "labels", "masks"], json!({"head": "segment"})));
        // Probabilities: below one half is none of it.
        let own = [0.9, 0.9, 0.9, 0.9, 0.4, 0.9, 0.4, 0.9];
        for shape in [&[1, 2, 2, 2][..], &[2, 1, 2, 2][..]] {
            let o = run(&mut d, &[boxes, labels, ("masks", shape, Data::F32(&own))]).unwrap();
            let mask = o.detections[0].mask.as_ref().unwrap();
            assert_eq!((&*mask.values, mask.region), (&[0, 1, 0, 1][..], PLACE));
        }
        let whole: Vec<f32> = (0..2 * 64 * 64).map(|i| if i >= 64 * 64 && i % 64 < 20 { 0.75 } else { 0.25 }).collect();
        let o = run(&mut d, &[boxes, labels, ("masks", &[1, 2, 64, 64], Data::F32(&whole))]).unwrap();
        let mask = o.detections[0].mask.as_ref().unwrap();
        assert_eq!((mask.values[19], mask.values[20], mask.region), (1, 0, [0.0, -32.0, 128.0, 128.0]));
        let e = run(&mut d, &[boxes, labels, ("masks", &[1, 3, 2, 2], Data::F32(&[0.0; 12]))]).unwrap_err().to_string();
        assert!(e.contains("masks of 2 boxes"), "{e}");
    }

    #[test]
    fn a_row_of_paddle_is_label_score_and_corners() {
        let row = |label: f32, score: f32| [label, score, 16.0, 28.0, 24.0, 32.0];
        let all = [row(1.0, 0.9), row(0.0, 0.6), row(-1.0, 0.95), row(1.0, 0.8)].concat();
        let mut d = listed(outputs("paddle", &["multiclass_nms3_0.tmp_0", "multiclass_nms3_0.tmp_2"], json!({})));
        for shape in [&[4, 6][..], &[1, 4, 6][..]] {
            let o = run(
                &mut d,
                &[
                    ("multiclass_nms3_0.tmp_0", shape, Data::F32(&all)),
                    ("multiclass_nms3_0.tmp_2", &[1], Data::I32(&[3])),
                ],
            );
            assert_eq!(
                found(&o.unwrap()),
                [(1, 0.9, PLACE), (0, 0.6, PLACE)],
                "a row of -1 is padding, as are those beyond the count"
            );
        }
        let mut alone = detector("paddle", json!({}));
        assert_eq!(run(&mut alone, &[("o", &[0, 6], Data::F32(&[]))]).unwrap().verdict, Verdict::Ok);
        let e = run(&mut alone, &[("o", &[1, 6], Data::F32(&row(2.0, 0.9)))]).unwrap_err().to_string();
        assert!(e.contains("label 2"), "{e}");
        let e = run(&mut alone, &[("o", &[1, 10], Data::F32(&[0.0; 10]))]).unwrap_err().to_string();
        assert!(e.contains("[N, 6]") && e.contains("rotated"), "{e}");
    }
}
