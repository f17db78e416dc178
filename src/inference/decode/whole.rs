// SPDX-License-Identifier: MPL-2.0
//! Models that speak of the frame as a whole: classes, anomaly, a label for each pixel, a vector, tensors.

use std::sync::Arc;

use super::{
    Family, Outcome,
    outputs::{Data, Tensor, View, Views},
};
use crate::{
    inference::preprocess::Mapping,
    model::{Activation, Role, Rule},
    result::{Anomaly, AnomalyMap, ClassScore, Mask, RawTensor, Segmentation, Share},
};

fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

/// (1, L): a score a label.
pub(super) fn classes(f: &Family<'_>, views: &Views<'_>) -> Result<Outcome, String> {
    let output = views.need(Role::Main)?;
    if output.data.len() != f.labels.len() {
        let (name, shape, n) = (output.name, output.shape, f.labels.len());
        return Err(format!(
            "output '{name}' has shape {shape:?}, {n} labels need [1, {n}]: correct outputs[0].labels in model.json, or \
             the labels property"
        ));
    }
    let mut scores = output.data.to_vec();
    let sum: f32 = scores.iter().sum();
    let probable = scores.iter().all(|s| (0.0..=1.0).contains(s)) && (sum - 1.0).abs() < 1e-3;
    let usual = || if probable { Activation::None } else { Activation::Softmax };
    let activation = f.output.activation.unwrap_or_else(usual);
    match activation {
        Activation::None => {}
        Activation::Sigmoid => scores.iter_mut().for_each(|s| *s = sigmoid(*s)),
        Activation::Softmax => softmax(&mut scores),
    }
    let bad = scores.iter().zip(f.ok).filter(|(_, ok)| !**ok).map(|(s, _)| *s);
    // Labels that stand alone do not add up to one: the worst of them decides.
    let alone = activation == Activation::Sigmoid || matches!(f.rule, Rule::AnyLabel { .. });
    let mut outcome = f.judged(if alone { bad.fold(0.0, f32::max) } else { bad.sum() });
    let named = scores.iter().zip(f.labels).enumerate();
    outcome.classes =
        named.map(|(i, (score, label))| ClassScore { class: i as u32, label: label.clone(), score: *score }).collect();
    outcome.classes.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(outcome)
}

fn softmax(scores: &mut [f32]) {
    let top = scores.iter().copied().fold(f32::MIN, f32::max);
    scores.iter_mut().for_each(|s| *s = (*s - top).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|s| *s /= sum);
}

/// Rows and columns of (h, w), (1, h, w) or (1, 1, h, w).
fn plane(view: &View<'_>) -> Result<[usize; 2], String> {
    match *view.shape {
        [h, w] | [1, h, w] | [1, 1, h, w] if h > 0 && w > 0 => Ok([h as usize, w as usize]),
        ref shape => Err(format!("output '{}' has shape {shape:?}, a map needs [1, 1, H, W]", view.name)),
    }
}

/// anomalib: a score, maybe with a label, a map and a mask. Without a score the map's highest value is one; without
/// both the label is.
pub(super) fn anomaly(f: &Family<'_>, views: &Views<'_>) -> Result<Outcome, String> {
    let (mut scores, mut heat) = (views.get(Role::Scores), views.get(Role::Map));
    if let Some(main) = views.get(Role::Main) {
        // Older exports have one output without a telling name: a number, or a map.
        let slot = if main.data.len() == 1 { &mut scores } else { &mut heat };
        *slot = slot.or(Some(main));
    }
    let region = f.mapping.region();
    let map = heat.map(|view| {
        plane(view).map(|[h, w]| AnomalyMap { width: w as u32, height: h as u32, region, values: view.data.into() })
    });
    let map = map.transpose()?;
    let one = |view: &View<'_>| match view.data {
        [value] => Ok(*value),
        _ => Err(format!("output '{}' has shape {:?}, anomalib needs [1] or [1, 1]", view.name, view.shape)),
    };
    let score = match (scores, &map, views.get(Role::Labels)) {
        (Some(view), ..) => one(view)?,
        (None, Some(map), _) => map.values.iter().copied().fold(0.0, f32::max),
        (None, None, Some(label)) => one(label)?,
        (None, None, None) => {
            return Err("the graph has none of the outputs 'pred_score', 'anomaly_map' and 'pred_label': the decoder \
                        anomalib needs one of them"
                .into());
        }
    };
    let mask = views.get(Role::Masks).map(|view| {
        plane(view).map(|[h, w]| {
            let values = view.data.iter().map(|v| u8::from(*v > 0.5)).collect();
            Arc::new(Mask { width: w as u32, height: h as u32, region, values })
        })
    });
    let mut outcome = f.judged(score);
    outcome.anomaly = Some(Anomaly { score, map, mask: mask.transpose()? });
    Ok(outcome)
}

/// A label for each pixel: the map, and how much of the frame each label has. `counts` is scratch space.
pub(super) fn pixels(f: &Family<'_>, views: &Views<'_>, counts: &mut Vec<u32>) -> Result<Outcome, String> {
    let view = views.need(Role::Main)?;
    let labels = f.labels.len();
    let wrong = || {
        format!(
            "output '{}' has shape {:?}, segmentation with {labels} labels needs [1, {labels}, H, W], [1, 1, H, W] or \
             [1, H, W]: correct outputs[0].labels in model.json",
            view.name, view.shape
        )
    };
    let (classes, [h, w]): (Vec<u16>, _) = match *view.shape {
        [1, c, h, w] if c > 1 && c as usize == labels => {
            let size = [h as usize, w as usize];
            (best_of(view.data, labels, size[0] * size[1]), size)
        }
        [1, h, w] | [1, 1, h, w] if view.integer || view.shape.len() == 3 => {
            let index = |v: &f32| if *v >= 0.0 && (*v as usize) < labels { *v as u16 } else { u16::MAX };
            (view.data.iter().map(index).collect(), [h as usize, w as usize])
        }
        [1, 1, h, w] if labels == 2 => {
            // Probabilities, or logits where a number is none.
            let probable = view.data.iter().all(|v| (0.0..=1.0).contains(v));
            let least = if probable { 0.5 } else { 0.0 };
            (view.data.iter().map(|v| u16::from(*v > least)).collect(), [h as usize, w as usize])
        }
        _ => return Err(wrong()),
    };
    if classes.contains(&u16::MAX) {
        return Err(format!("output '{}' names a label beyond the {labels} of outputs[0].labels: add it", view.name));
    }
    counts.clear();
    counts.resize(labels, 0);
    let mut all = 0u32;
    // Cells are counted where the frame is: a letterbox pads whole rows and columns.
    let reach = |axis: usize, of: usize| {
        let inside = |at: &usize| within(f.mapping, axis, *at, of);
        let first = (0..of).find(inside).unwrap_or(of);
        first..(first..of).rev().find(inside).map_or(first, |last| last + 1)
    };
    let across = reach(0, w);
    for row in classes.chunks_exact(w).take(reach(1, h).end).skip(reach(1, h).start) {
        row[across.clone()].iter().for_each(|class| counts[*class as usize] += 1);
        all += across.len() as u32;
    }
    let share = |n: u32| n as f32 / all.max(1) as f32;
    let bad: u32 = counts.iter().zip(f.ok).filter(|(_, ok)| !**ok).map(|(n, _)| *n).sum();
    let mut outcome = f.judged(share(bad));
    let mut shares: Vec<_> = (counts.iter().zip(f.labels).enumerate().filter(|(_, (n, _))| **n > 0))
        .map(|(class, (n, label))| Share { class: class as u32, label: label.clone(), share: share(*n) })
        .collect();
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    let (width, height, region) = (w as u32, h as u32, f.mapping.region());
    outcome.segmentation = Some(Segmentation { width, height, region, shares, classes: classes.into() });
    Ok(outcome)
}

/// Whether the middle of cell `at` of `of` lies in the frame and not in the padding.
fn within(mapping: &Mapping, axis: usize, at: usize, of: usize) -> bool {
    let region = mapping.region();
    let middle = region[axis] + (at as f32 + 0.5) / of as f32 * region[axis + 2];
    (0.0..=mapping.frame[axis] as f32).contains(&middle)
}

/// The best of `labels` planes for each pixel; of equals the first.
fn best_of(data: &[f32], labels: usize, pixels: usize) -> Vec<u16> {
    let (mut best, mut classes) = (data[..pixels].to_vec(), vec![0u16; pixels]);
    for class in 1..labels {
        let plane = &data[class * pixels..][..pixels];
        for ((best, found), score) in best.iter_mut().zip(&mut classes).zip(plane) {
            if *score > *best {
                (*best, *found) = (*score, class as u16);
            }
        }
    }
    classes
}

/// A vector.
pub(super) fn vector(f: &Family<'_>, views: &Views<'_>) -> Result<Outcome, String> {
    let mut values = views.need(Role::Main)?.data.to_vec();
    if f.output.normalise {
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        if length > 0.0 {
            values.iter_mut().for_each(|v| *v /= length);
        }
    }
    Ok(Outcome { embedding: Some(values.into()), ..Outcome::default() })
}

/// Outputs as they are.
pub(super) fn raw(outputs: &[Tensor<'_>]) -> Outcome {
    Outcome { tensors: outputs.iter().map(raw_tensor).collect(), ..Outcome::default() }
}

fn raw_tensor(t: &Tensor<'_>) -> RawTensor {
    macro_rules! bytes {
        ($data:expr) => {
            $data.iter().flat_map(|v| v.to_ne_bytes()).collect()
        };
    }
    let (element, bytes): (_, Arc<[u8]>) = match t.data {
        Data::F32(d) => ("f32", bytes!(d)),
        Data::F16(d) => ("f16", bytes!(d)),
        Data::F64(d) => ("f64", bytes!(d)),
        Data::I32(d) => ("i32", bytes!(d)),
        Data::I64(d) => ("i64", bytes!(d)),
        Data::U8(d) => ("u8", d.into()),
        Data::I8(d) => ("i8", bytes!(d)),
        Data::Bool(d) => ("bool", d.iter().map(|v| u8::from(*v)).collect()),
    };
    RawTensor { name: t.name.into(), shape: t.shape.to_vec(), element: element.into(), bytes }
}
