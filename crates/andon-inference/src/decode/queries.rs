// SPDX-License-Identifier: MPL-2.0
//! The DETR families: a query a box, with a logit a label.
//!
//! Layouts: Carion et al., "End-to-End Object Detection with Transformers", 2020 (DETR); Zhao et al., "DETRs Beat YOLOs on
//! Real-time Object Detection", 2023 (RT-DETR); Ultralytics' documentation of its exports.

use andon_model::{Activation, BoxForm, Head, Role};

use super::{
    boxes::Candidates,
    decoded::Decoded,
    error::DecodeError,
    family::{Family, is_padding},
    geometry::to_pixels,
    masks::Prototypes,
    outputs::{View, Views},
    scores::{best, sigmoid},
    sets::{four, rows},
};

/// The number of boxes of four numbers.
fn boxes(view: &View<'_>) -> Result<usize, DecodeError> {
    rows(view.shape, &[4]).map(|(n, _)| n).ok_or_else(|| view.misshaped("boxes need [1, N, 4] or [N, 4]"))
}

/// Checks that `n` boxes have `c` logits each: one more or less shifts every name.
fn logits(view: &View<'_>, n: usize, c: usize, meaning: &str) -> Result<(), DecodeError> {
    if rows(view.shape, &[c]).is_some_and(|(found, _)| found == n) {
        return Ok(());
    }
    let has = view.shape.last().copied().unwrap_or(0);
    Err(view.misshaped(format!(
        "{has} logits a box; logits of {n} boxes need [1, {n}, {c}]{meaning}: correct outputs[0].labels in model.json, or the \
         property labels: a name for every number, in the model's order, also for numbers that stand for nothing (as COCO's \
         80 names have numbers of up to 90)"
    )))
}

/// DETR: labels exclude each other, and the last one is "nothing".
pub(super) fn detr(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    let (places, scores) = (views.need(Role::Boxes)?, views.need(Role::Scores)?);
    let (n, l) = (boxes(places)?, f.labels.len());
    let c = l + f.background() + 1;
    logits(scores, n, c, &format!(", {l} labels and the last for no object"))?;
    for (i, row) in scores.data.chunks_exact(c).enumerate() {
        let Some((class, score)) = best(row, f.background(), c - 1, Activation::Softmax) else { continue };
        if candidates.wants(score) {
            let bbox = to_pixels(f.boxes(BoxForm::CentreNormalised), four(places, i, 4), f.mapping);
            candidates.add(i, class, score, bbox, 0.0);
        }
    }
    f.finish(false).run(candidates, None)
}

/// RT-DETR and similar families: every label has a score of its own, and a box may have several labels. With softmax each box
/// has its best label.
pub(super) fn rtdetr(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    if views.get(Role::Boxes).is_none() {
        return ultralytics(f, views, candidates);
    }
    let (places, scores) = (views.need(Role::Boxes)?, views.need(Role::Scores)?);
    let (n, l, first) = (boxes(places)?, f.labels.len(), f.background());
    let c = l + first;
    let meaning = match f.output.background {
        true => format!(", the background and {l} labels ([1, {n}, {l}] without \"background\")"),
        false => {
            format!(" for {l} labels ([1, {n}, {}] with \"background\": true, if the first is none of them)", l + 1)
        }
    };
    logits(scores, n, c, &meaning)?;
    let masks = match f.head() {
        Head::Segment => Some(Prototypes::own(views.need(Role::Masks)?)?),
        _ => None,
    };
    let activation = f.output.activation.unwrap_or(Activation::Sigmoid);
    for (i, row) in scores.data.chunks_exact(c).enumerate() {
        // Most boxes are below the threshold with their best label, and need no more of the activation.
        let Some((class, score)) = best(row, first, c, activation) else { continue };
        if !candidates.wants(score) {
            continue;
        }
        let bbox = to_pixels(f.boxes(BoxForm::CentreNormalised), four(places, i, 4), f.mapping);
        if activation == Activation::Softmax {
            candidates.add(i, class, score, bbox, 0.0);
            continue;
        }
        for (class, v) in row[first..].iter().enumerate() {
            let score = if activation == Activation::Sigmoid { sigmoid(*v) } else { *v };
            if candidates.wants(score) {
                candidates.add(i, class as u32, score, bbox, 0.0);
            }
        }
    }
    let finish = f.finish(false);
    if !finish.suppress {
        // These families keep as many pairs of query and label as there are queries.
        candidates.keep(n);
    }
    finish.run(candidates, masks.as_ref())
}

/// RT-DETR in one output, as Ultralytics exports it: (1, N, 4+L) with a score a label, or (1, N, 6) with the best label.
fn ultralytics(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    let (view, l, first) = (views.need(Role::Main)?, f.labels.len(), f.background());
    let every = 4 + first + l;
    let Some((n, length)) = rows(view.shape, &[every, 6]) else {
        return Err(view.misshaped(format!(
            "rtdetr with {l} labels needs [1, N, {every}] or [1, N, 6], or outputs for logits and boxes: correct outputs in \
             model.json"
        )));
    };
    let data = view.data.chunks_exact(length).take(n);
    // A sigmoid gives 0 or 1 in no row; the number of a label is one of them in all.
    if length == 6 && every == 6 && n > 1 && data.clone().all(|row| row[5] == 0.0 || row[5] == 1.0) {
        return Err(view.misshaped(
            "whose sixth number is 0 or 1 in all rows: it is the number of the best label, and rtdetr with two labels reads \
             a score a label: write decoder \"yolo-end-to-end\" and boxes \"centre-normalised\" in outputs[0] of model.json",
        ));
    }
    let activation = f.output.activation.unwrap_or(Activation::None);
    let usual = f.boxes(BoxForm::CentreNormalised);
    for (i, row) in data.enumerate() {
        let place = [row[0], row[1], row[2], row[3]];
        if length == every {
            let Some((class, score)) = best(&row[4..], first, first + l, activation) else { continue };
            if candidates.wants(score) {
                candidates.add(i, class, score, to_pixels(usual, place, f.mapping), 0.0);
            }
            continue;
        }
        let score = if activation == Activation::Sigmoid { sigmoid(row[4]) } else { row[4] };
        let label = row[5] - first as f32;
        if !is_padding(label) && candidates.wants(score) {
            let class = f.label(view.name, label)?;
            candidates.add(i, class, score, to_pixels(usual, place, f.mapping), 0.0);
        }
    }
    f.finish(false).run(candidates, None)
}
#[cfg(test)]
mod tests {
    use super::super::{
        Data,
        testing::{detector, found, listed, run},
    };
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
        let e = run(&mut d, &all).unwrap_err().to_string();
        assert!(e.contains("'logits'") && e.contains("[1, 1, 2]") && e.contains("outputs[0].labels"), "{e}");
        let e = run(&mut d, &[all[0], ("pred_boxes", &[4], Data::F32(&CENTRE))]).unwrap_err().to_string();
        assert!(e.contains("'pred_boxes'") && e.contains("[1, N, 4]"), "{e}");
    }

    #[test]
    fn one_logit_too_many_shifts_every_name_and_is_refused_with_both_numbers() {
        let boxes = ("pred_boxes", &[1, 1, 4][..], Data::F32(&CENTRE));
        let sees = [9f32.ln(), -9.0, 1.5f32.ln(), -9.0, -9.0];
        for (decoder, more, c, says) in [
            (
                "rtdetr",
                json!({}),
                3,
                &["3 logits a box", "[1, 1, 2]", "[1, 1, 3] with \"background\": true", "outputs[0].labels"][..],
            ),
            ("rtdetr", json!({}), 5, &["5 logits a box", "[1, 1, 2]", "80 names"]),
            ("rtdetr", json!({"background": true}), 2, &["[1, 1, 3]", "[1, 1, 2] without"]),
            ("detr", json!({}), 4, &["4 logits a box", "[1, 1, 3]", "no object"]),
            ("detr", json!({}), 2, &["[1, 1, 3]"]),
        ] {
            let all = [("logits", &[1, 1, c as i64][..], Data::F32(&sees[..c])), boxes];
            let e = run(&mut listed(outputs(decoder, &["logits", "pred_boxes"], more)), &all).unwrap_err().to_string();
            assert!(says.iter().all(|s| e.contains(s)), "{decoder} {c}: {e}");
        }
        // Each reading has its setting.
        for (decoder, more, c, label, score) in [
            ("rtdetr", json!({"background": true}), 3, 1, 0.6),
            ("rtdetr", json!({"labels": ["a", "b", "c"]}), 3, 0, 0.9),
            ("rtdetr", json!({"activation": "softmax", "labels": ["a", "b", "c"]}), 3, 0, 9.0 / 10.5),
            ("detr", json!({"background": true, "labels": ["a", "b"]}), 4, 1, 1.5 / 10.5),
        ] {
            let mut d = listed(outputs(decoder, &["logits", "pred_boxes"], more));
            let all = [("logits", &[1, 1, c as i64][..], Data::F32(&sees[..c])), boxes];
            let t = super::super::testing::T;
            let o =
                super::super::testing::run_with(&mut d, &all, &andon_model::Thresholds { score: 0.1, ..t }).unwrap();
            let best = &o.detections[0];
            assert!(best.class == label && (best.score - score).abs() < 1e-4, "{decoder}: {best:?}");
        }
    }

    #[test]
    fn scores_that_are_scores_already_pass_through_no_second_sigmoid() {
        // As YOLO-NAS exports it: 300 of its 8,400 scores of 0 would be finds of one half.
        let corners = [16.0, 28.0, 24.0, 32.0].repeat(3);
        let scores = [0.9, 0.0, 0.0, 0.0, 0.75, 0.0];
        let more = json!({"activation": "none", "boxes": "corners", "suppress": true});
        let all =
            [("pred_scores", &[1, 3, 2][..], Data::F32(&scores)), ("pred_boxes", &[1, 3, 4][..], Data::F32(&corners))];
        let o = run(&mut listed(outputs("rtdetr", &["pred_scores", "pred_boxes"], more)), &all).unwrap();
        assert_eq!(found(&o), [(0, 0.9, PLACE)], "and what overlaps goes");
    }

    #[test]
    fn rtdetr_of_two_labels_in_one_output_is_read_by_its_decoder_and_never_by_chance() {
        // Box, score, number of the best label.
        let best: Vec<f32> =
            [(0.75, 1.0), (0.6, 0.0)].iter().flat_map(|(s, l)| CENTRE.into_iter().chain([*s, *l])).collect();
        let every: Vec<f32> =
            [(0.75, 0.01), (0.1, 0.6)].iter().flat_map(|(s, l)| CENTRE.into_iter().chain([*s, *l])).collect();
        let shape = &[1, 2, 6][..];
        let e = run(&mut detector("rtdetr", json!({})), &[("o", shape, Data::F32(&best))]).unwrap_err().to_string();
        assert!(e.contains("\"yolo-end-to-end\"") && e.contains("\"centre-normalised\""), "{e}");
        let mut told = detector("yolo-end-to-end", json!({"boxes": "centre-normalised"}));
        assert_eq!(
            found(&run(&mut told, &[("o", shape, Data::F32(&best))]).unwrap()),
            [(1, 0.75, PLACE), (0, 0.6, PLACE)]
        );
        let o = run(&mut detector("rtdetr", json!({})), &[("o", shape, Data::F32(&every))]).unwrap();
        assert_eq!(found(&o), [(0, 0.75, PLACE), (1, 0.6, PLACE)]);
    }
}
