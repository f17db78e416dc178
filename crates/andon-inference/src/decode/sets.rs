// SPDX-License-Identifier: MPL-2.0
//! Detectors that answer with sets of boxes: SSD with its own suppression, and the DETR families, which need none.
//!
//! Layouts: TensorFlow's Object Detection API and torchvision (SSD); Carion et al., "End-to-End Object Detection with
//! Transformers", 2020 (DETR); Zhao et al., "DETRs Beat YOLOs on Real-time Object Detection", 2023 (RT-DETR).

use andon_model::{BoxForm, Head, Role, tensor_name};

use super::{
    Family, Outcome,
    boxes::{Candidates, to_pixels},
    masks::Prototypes,
    outputs::{View, Views},
};

/// Boxes (1, N, 4) or (N, 4): how many.
fn boxes(view: &View<'_>) -> Result<usize, String> {
    match *view.shape {
        [1, n, 4] | [n, 4] => Ok(n as usize),
        ref shape => Err(format!("output '{}' has shape {shape:?}, boxes need [1, N, 4] or [N, 4]", view.name)),
    }
}

fn four(view: &View<'_>, i: usize) -> [f32; 4] {
    [0, 1, 2, 3].map(|k| view.data[i * 4 + k])
}

/// Boxes, scores and labels that the graph has suppressed itself.
pub(super) fn ssd(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    let (places, scores, labels) = (views.need(Role::Boxes)?, views.need(Role::Scores)?, views.need(Role::Labels)?);
    let n = boxes(places)?;
    for (what, view) in [("scores", scores), ("labels", labels)] {
        if view.data.len() != n {
            let (name, shape) = (view.name, view.shape);
            return Err(format!("output '{name}' has shape {shape:?}, {what} of {n} boxes need [1, {n}] or [{n}]"));
        }
    }
    let counted = views.get(Role::Count).and_then(|v| v.data.first()).map_or(n, |c| (c.max(0.0) as usize).min(n));
    let tensorflow = tensor_name(places.name) == "detection_boxes";
    let usual = if tensorflow { BoxForm::CornersYFirstNormalised } else { BoxForm::Corners };
    for i in 0..counted {
        let label = labels.data[i] - f32::from(u8::from(f.output.background));
        let Some(class) = f.class(label) else { continue };
        if candidates.wants(scores.data[i]) {
            let bbox = to_pixels(f.boxes(usual), four(places, i), f.mapping);
            candidates.add(i, class, scores.data[i], bbox, 0.0);
        }
    }
    Ok(f.finish(false).run(candidates, None))
}

/// Logits (1, N, C): N and C.
fn logits(view: &View<'_>, n: usize, least: usize) -> Result<usize, String> {
    match *view.shape {
        [1, queries, c] if queries as usize == n && c as usize >= least => Ok(c as usize),
        ref shape => Err(format!(
            "output '{}' has shape {shape:?}, logits of {n} boxes need [1, {n}, {least}]: correct outputs[0].labels in \
             model.json",
            view.name
        )),
    }
}

fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

/// DETR: labels exclude each other, the last is "nothing".
pub(super) fn detr(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    let (places, scores) = (views.need(Role::Boxes)?, views.need(Role::Scores)?);
    let n = boxes(places)?;
    let c = logits(scores, n, f.labels.len() + 1)?;
    for i in 0..n {
        let row = &scores.data[i * c..][..c];
        let top = row.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = row.iter().map(|v| (v - top).exp()).sum();
        let first = if f.output.background { 1 } else { 0 };
        let named = row[first..c - 1].iter().take(f.labels.len()).enumerate();
        let Some((class, best)) = named.max_by(|a, b| a.1.total_cmp(b.1)) else { continue };
        let score = (best - top).exp() / sum;
        if candidates.wants(score) {
            let bbox = to_pixels(f.boxes(BoxForm::CentreNormalised), four(places, i), f.mapping);
            candidates.add(i, class as u32, score, bbox, 0.0);
        }
    }
    Ok(f.finish(false).run(candidates, None))
}

/// RT-DETR and its like: every label has a score by itself, and a box may have several labels.
pub(super) fn rtdetr(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    if views.get(Role::Boxes).is_none() {
        return ultralytics(f, views, candidates);
    }
    let (places, scores) = (views.need(Role::Boxes)?, views.need(Role::Scores)?);
    let n = boxes(places)?;
    let c = logits(scores, n, f.labels.len())?;
    let masks = match f.head() {
        Head::Segment => Some(Prototypes::own(views.need(Role::Masks)?)?),
        _ => None,
    };
    for i in 0..n {
        for (class, logit) in scores.data[i * c..][..f.labels.len()].iter().enumerate() {
            let score = sigmoid(*logit);
            if candidates.wants(score) {
                let bbox = to_pixels(f.boxes(BoxForm::CentreNormalised), four(places, i), f.mapping);
                candidates.add(i, class as u32, score, bbox, 0.0);
            }
        }
    }
    // As many pairs of query and label as there are queries, which is how these families are read.
    candidates.keep(n);
    Ok(f.finish(false).run(candidates, masks.as_ref()))
}

/// RT-DETR in one output, as Ultralytics exports it: (1, N, 4+L) with a score a label, or (1, N, 6) with the best.
fn ultralytics(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    let (view, labels) = (views.need(Role::Main)?, f.labels.len());
    let (n, numbers) = match *view.shape {
        [1, n, r] if r as usize == 4 + labels || r == 6 => (n as usize, r as usize),
        ref shape => {
            let r = 4 + labels;
            return Err(format!(
                "output '{}' has shape {shape:?}, rtdetr with {labels} labels needs [1, N, {r}] or [1, N, 6], or outputs \
                 for logits and boxes: correct outputs in model.json",
                view.name
            ));
        }
    };
    for (i, row) in view.data.chunks_exact(numbers).take(n).enumerate() {
        let (score, class) = if numbers == 4 + labels {
            let best = row[4..].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or((0.0, None), |(class, score)| (*score, Some(class as u32)))
        } else {
            (row[4], f.class(row[5]))
        };
        let Some(class) = class else { continue };
        if candidates.wants(score) {
            let place = [row[0], row[1], row[2], row[3]];
            let bbox = to_pixels(f.boxes(BoxForm::CentreNormalised), place, f.mapping);
            candidates.add(i, class, score, bbox, 0.0);
        }
    }
    Ok(f.finish(false).run(candidates, None))
}

#[cfg(test)]
mod tests {
    use super::super::{
        Data,
        testing::{detector, found, listed, run},
    };
    use andon_core::result::Verdict;
    use serde_json::{Value, json};

    /// Where the box lies in the frame: 16..24 across and 28..32 down in the model's input.
    const PLACE: [f32; 4] = [32.0, 24.0, 16.0, 8.0];
    /// Centre, width, height, of the model's 64 pixels.
    const CENTRE: [f32; 4] = [0.3125, 0.46875, 0.125, 0.0625];

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
        let e = run(&mut d, &[all[0], all[1]]).unwrap_err();
        assert!(e.contains("\"role\": \"labels\""), "{e}");
    }

    #[test]
    fn a_detr_query_that_means_nothing_says_nothing() {
        let mut d = listed(outputs("detr", &["logits", "pred_boxes"], json!({})));
        // Two labels and nothing: softmax of ln 6, ln 1, ln 1, and of a query that sees nothing.
        let logits = [6f32.ln(), 0.0, 0.0, 3.0, 0.0, 9.0];
        let boxes = [CENTRE, CENTRE].concat();
        let all = [("logits", &[1, 2, 3][..], Data::F32(&logits)), ("pred_boxes", &[1, 2, 4][..], Data::F32(&boxes))];
        let o = run(&mut d, &all).unwrap();
        assert_eq!((o.detections.len(), o.detections[0].class, o.detections[0].bbox), (1, 0, PLACE));
        assert!((o.score - 0.75).abs() < 1e-6);
    }

    #[test]
    fn each_score_of_an_rtdetr_query_stands_by_itself() {
        let mut d = listed(outputs("rtdetr", &["logits", "pred_boxes"], json!({})));
        let boxes = [CENTRE, CENTRE].concat();
        let all = [
            ("logits", &[1, 2, 2][..], Data::F32(&[3f32.ln(), 1.5f32.ln(), 0.1, -9.0])),
            ("pred_boxes", &[1, 2, 4][..], Data::F32(&boxes)),
        ];
        // Of more pairs than queries the best stay.
        let o = run(&mut d, &all).unwrap();
        let labels: Vec<_> = o.detections.iter().map(|d| (d.class, (d.score * 1000.0).round())).collect();
        assert_eq!(labels, [(0, 750.0), (1, 600.0)], "nothing is suppressed");
        assert_eq!(o.detections[1].bbox, PLACE);
    }

    #[test]
    fn rfdetr_names_its_outputs_otherwise_and_has_a_mask_a_query() {
        let mut d = listed(outputs("rtdetr", &["dets", "labels", "masks"], json!({"head": "segment"})));
        let mut masks = vec![-1.0; 2 * 16];
        masks[16] = 1.0;
        let boxes = [CENTRE, CENTRE].concat();
        let all = [
            ("dets", &[1, 2, 4][..], Data::F32(&boxes)),
            ("labels", &[1, 2, 2][..], Data::F32(&[-9.0, -9.0, -9.0, 9.0])),
            ("masks", &[1, 2, 4, 4][..], Data::F32(&masks)),
        ];
        let o = run(&mut d, &all).unwrap();
        assert_eq!((o.detections.len(), o.detections[0].class, o.detections[0].bbox), (1, 1, PLACE));
        let mask = o.detections[0].mask.as_ref().unwrap();
        assert_eq!((mask.values.iter().map(|v| u32::from(*v)).sum::<u32>(), mask.values[0]), (1, 1));
        assert_eq!(mask.region, [0.0, -32.0, 128.0, 128.0], "the whole of the model's input, padding and all");
    }

    #[test]
    fn rtdetr_in_one_output_may_tell_every_score_or_the_best() {
        let mut d = detector("rtdetr", json!({"labels": ["a", "b", "c"]}));
        let every: Vec<f32> = CENTRE.into_iter().chain([0.1, 0.2, 0.75]).collect();
        let o = run(&mut d, &[("o", &[1, 1, 7], Data::F32(&every))]).unwrap();
        assert_eq!(found(&o), [(2, 0.75, PLACE)]);
        let best: Vec<f32> = CENTRE.into_iter().chain([0.75, 2.0]).collect();
        let o = run(&mut d, &[("o", &[1, 1, 6], Data::F32(&best))]).unwrap();
        assert_eq!(found(&o), [(2, 0.75, PLACE)]);
    }

    #[test]
    fn a_wrong_shape_says_what_is_needed_and_where_to_correct_it() {
        let mut d = listed(outputs("rtdetr", &["logits", "pred_boxes"], json!({})));
        let all = [("logits", &[1, 1, 1][..], Data::F32(&[0.0])), ("pred_boxes", &[1, 1, 4][..], Data::F32(&CENTRE))];
        let e = run(&mut d, &all).unwrap_err();
        assert!(e.contains("'logits'") && e.contains("[1, 1, 2]") && e.contains("outputs[0].labels"), "{e}");
        let e = run(&mut d, &[all[0], ("pred_boxes", &[4], Data::F32(&CENTRE))]).unwrap_err();
        assert!(e.contains("'pred_boxes'") && e.contains("[1, N, 4]"), "{e}");
    }
}
