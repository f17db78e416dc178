// SPDX-License-Identifier: MPL-2.0
//! Detectors that answer with sets of boxes: SSD with its own suppression, and the DETR families, which need none.
//!
//! Layouts: TensorFlow's Object Detection API and torchvision (SSD); Carion et al., "End-to-End Object Detection with
//! Transformers", 2020 (DETR); Zhao et al., "DETRs Beat YOLOs on Real-time Object Detection", 2023 (RT-DETR).

use super::{
    Family, Outcome,
    boxes::{Candidates, to_pixels},
    masks::Prototypes,
    outputs::{View, Views},
};
use crate::model::{BoxForm, Head, Role};

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
    let tensorflow = places.name == "detection_boxes";
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
