// SPDX-License-Identifier: MPL-2.0
//! Models that speak of the frame as a whole: classes, anomaly, a label for each pixel, a vector, tensors.

use std::sync::Arc;

use andon_core::result::{Anomaly, AnomalyMap, ClassScore, LabelArea, Mask, RawTensor, Segmentation};
use andon_model::{Activation, Role, Rule};

use super::{
    Family, Outcome,
    outputs::{Data, Tensor, View, Views},
};
use crate::preprocess::Mapping;

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
    let sum: f32 = output.data.iter().sum();
    let probable = output.data.iter().all(|s| (0.0..=1.0).contains(s)) && (sum - 1.0).abs() < 1e-3;
    let usual = || if probable { Activation::None } else { Activation::Softmax };
    let activation = f.output.activation.unwrap_or_else(usual);
    let named = output.data.iter().zip(f.labels).enumerate();
    let mut classes: Vec<_> =
        named.map(|(i, (score, label))| ClassScore { class: i as u32, label: label.clone(), score: *score }).collect();
    match activation {
        Activation::None => {}
        Activation::Sigmoid => classes.iter_mut().for_each(|c| c.score = sigmoid(c.score)),
        Activation::Softmax => softmax(&mut classes),
    }
    let bad = classes.iter().zip(f.ok).filter(|(_, ok)| !**ok).map(|(c, _)| c.score);
    // Labels that stand alone do not add up to one: the worst of them decides.
    let alone = activation == Activation::Sigmoid || matches!(f.rule, Rule::AnyLabel { .. });
    let mut outcome = f.judged(if alone { bad.fold(0.0, f32::max) } else { bad.sum() });
    classes.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    outcome.classes = classes;
    Ok(outcome)
}

fn softmax(classes: &mut [ClassScore]) {
    let top = classes.iter().map(|c| c.score).fold(f32::MIN, f32::max);
    classes.iter_mut().for_each(|c| c.score = (c.score - top).exp());
    let sum: f32 = classes.iter().map(|c| c.score).sum();
    classes.iter_mut().for_each(|c| c.score /= sum);
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

/// Room that is kept between frames.
#[derive(Default)]
pub(super) struct Scratch {
    /// Pixels by label.
    counts: Vec<u32>,
    /// The best score of each pixel.
    best: Vec<f32>,
}

/// `n` numbers that are written before they are shared: one allocation.
fn shared<T: Clone>(n: usize, zero: T, fill: impl FnOnce(&mut [T])) -> Arc<[T]> {
    let mut values: Arc<[T]> = std::iter::repeat_n(zero, n).collect();
    fill(Arc::get_mut(&mut values).expect("nobody else has it yet"));
    values
}

/// A label for each pixel: the map, and how much of the frame each label has.
///
/// (1, L, h, w) or (1, h, w, L) holds a score a label; one plane holds labels, or, of two labels, the score of the
/// second: a probability, or a logit where `activation` is sigmoid or a number is beyond 0..1.
pub(super) fn pixels(f: &Family<'_>, views: &Views<'_>, scratch: &mut Scratch) -> Result<Outcome, String> {
    let Scratch { counts, best } = scratch;
    let view = views.need(Role::Main)?;
    let (labels, data) = (f.labels.len(), view.data);
    let several = |c: i64| c > 1 && c as usize == labels;
    let [h, w] = match *view.shape {
        [1, c, h, w] if several(c) => [h, w],
        [1, h, w, c] if several(c) => [h, w],
        [1, 1, h, w] if view.integer || labels == 2 => [h, w],
        [1, h, w] => [h, w],
        ref shape => {
            return Err(format!(
                "output '{}' has shape {shape:?}, segmentation with {labels} labels needs [1, {labels}, H, W], \
                 [1, H, W, {labels}], [1, 1, H, W] or [1, H, W]: correct outputs[0].labels in model.json",
                view.name
            ));
        }
    };
    let (h, w) = (h as usize, w as usize);
    let classes = shared(h * w, 0, |classes| match *view.shape {
        [1, c, ..] if view.shape.len() == 4 && several(c) => best_plane(data, best, classes),
        [1, _, _, c] if several(c) => {
            for (class, scores) in classes.iter_mut().zip(data.chunks_exact(labels)) {
                *class = first_best(scores);
            }
        }
        [1, 1, ..] if view.shape.len() == 4 && !view.integer => {
            let probable = match f.output.activation {
                Some(activation) => activation == Activation::None,
                None => data.iter().all(|v| (0.0..=1.0).contains(v)),
            };
            let least = if probable { 0.5 } else { 0.0 };
            classes.iter_mut().zip(data).for_each(|(class, v)| *class = u16::from(*v > least));
        }
        _ => {
            for (class, v) in classes.iter_mut().zip(data) {
                *class = if *v >= 0.0 && (*v as usize) < labels { *v as u16 } else { u16::MAX };
            }
        }
    });
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
    let mut areas: Vec<_> = (counts.iter().zip(f.labels).enumerate().filter(|(_, (n, _))| **n > 0))
        .map(|(class, (n, label))| LabelArea { class: class as u32, label: label.clone(), area: share(*n) })
        .collect();
    areas.sort_unstable_by(|a, b| b.area.total_cmp(&a.area).then(a.class.cmp(&b.class)));
    let (width, height, region) = (w as u32, h as u32, f.mapping.region());
    outcome.segmentation = Some(Segmentation { width, height, region, areas, classes });
    Ok(outcome)
}

/// Whether the middle of cell `at` of `of` lies in the frame and not in the padding.
fn within(mapping: &Mapping, axis: usize, at: usize, of: usize) -> bool {
    let region = mapping.region();
    let middle = region[axis] + (at as f32 + 0.5) / of as f32 * region[axis + 2];
    (0.0..=mapping.frame[axis] as f32).contains(&middle)
}

/// The best plane of each pixel; of equals the first. `best` is scratch space, `classes` are zeros.
fn best_plane(data: &[f32], best: &mut Vec<f32>, classes: &mut [u16]) {
    let mut planes = data.chunks_exact(classes.len()).zip(0u16..);
    best.clear();
    best.extend_from_slice(planes.next().map_or(&[], |(first, _)| first));
    for (plane, class) in planes {
        for ((best, found), score) in best.iter_mut().zip(classes.iter_mut()).zip(plane) {
            if *score > *best {
                (*best, *found) = (*score, class);
            }
        }
    }
}

/// Where the highest score stands; of equals the first.
fn first_best(scores: &[f32]) -> u16 {
    let mut found = (f32::MIN, 0);
    for (score, class) in scores.iter().zip(0u16..) {
        if *score > found.0 {
            found = (*score, class);
        }
    }
    found.1
}

/// A vector.
pub(super) fn vector(f: &Family<'_>, views: &Views<'_>) -> Result<Outcome, String> {
    let data = views.need(Role::Main)?.data;
    let length = data.iter().map(|v| v * v).sum::<f32>().sqrt();
    // A vector of zeros has no direction and stays.
    let k = if f.output.normalise && length > 0.0 { 1.0 / length } else { 1.0 };
    let values = shared(data.len(), 0.0, |out| out.iter_mut().zip(data).for_each(|(o, v)| *o = v * k));
    Ok(Outcome { embedding: Some(values), ..Outcome::default() })
}

/// Outputs as they are.
pub(super) fn raw(outputs: &[Tensor<'_>]) -> Outcome {
    Outcome { tensors: outputs.iter().map(raw_tensor).collect(), ..Outcome::default() }
}

fn raw_tensor(t: &Tensor<'_>) -> RawTensor {
    macro_rules! bytes {
        ($data:expr, $type:ty) => {{
            const SIZE: usize = size_of::<$type>();
            shared($data.len() * SIZE, 0, |out| {
                out.chunks_exact_mut(SIZE).zip($data).for_each(|(o, v)| o.copy_from_slice(&v.to_ne_bytes()));
            })
        }};
    }
    let (element, bytes): (_, Arc<[u8]>) = match t.data {
        Data::F32(d) => ("f32", bytes!(d, f32)),
        Data::F16(d) => ("f16", bytes!(d, half::f16)),
        Data::F64(d) => ("f64", bytes!(d, f64)),
        Data::I32(d) => ("i32", bytes!(d, i32)),
        Data::I64(d) => ("i64", bytes!(d, i64)),
        Data::U8(d) => ("u8", d.into()),
        Data::I8(d) => ("i8", bytes!(d, i8)),
        Data::Bool(d) => ("bool", d.iter().map(|v| u8::from(*v)).collect()),
    };
    RawTensor { name: t.name.into(), shape: t.shape.to_vec(), element: element.into(), bytes }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Decode,
            testing::{manifest, run},
        },
        *,
    };
    use andon_core::result::{Status, Verdict};
    use serde_json::{Value, json};

    fn model(task: &str, rule: Value, decoder: &str, more: Value) -> Result<Decode, String> {
        let mut output = json!({"name": "o", "decoder": decoder, "labels": ["good", "dent", "scratch"]});
        output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        manifest(task, rule, json!([output])).map(|m| Decode::new(&m))
    }

    fn segmentation(labels: Value) -> Decode {
        let rule = json!({"rule": "any-area", "ok": ["good"]});
        model("segmentation", rule, "segmentation", json!({"labels": labels})).unwrap()
    }

    #[test]
    fn labels_that_stand_alone_are_judged_by_the_worst() {
        let rule = json!({"rule": "any-label", "ok": ["good"]});
        let mut d = model("classification", rule.clone(), "classification", json!({"activation": "sigmoid"})).unwrap();
        let logits = [9.0, 3f32.ln(), 0.0];
        let o = run(&mut d, &[("o", &[1, 3], Data::F32(&logits))]).unwrap();
        assert!((o.score - 0.75).abs() < 1e-6 && o.verdict == Verdict::Ng);
        assert_eq!(o.classes.iter().map(|c| &*c.label).collect::<Vec<_>>(), ["good", "dent", "scratch"]);
        let mut d = model("classification", rule.clone(), "classification", json!({"activation": "none"})).unwrap();
        let o = run(&mut d, &[("o", &[1, 3], Data::F32(&[0.9, 0.4, 0.45]))]).unwrap();
        assert_eq!((o.score, o.verdict), (0.45, Verdict::Ok), "they are not added up");
        let e = model("classification", rule, "classification", json!({})).err().unwrap();
        assert!(e.contains("outputs[0].activation") && e.contains("sigmoid"), "{e}");
    }

    #[test]
    fn a_segmentation_tells_the_share_of_each_label_without_the_padding() {
        // Four rows, of which the outer two lie in the padding.
        let map = [2, 2, 2, 2, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2, 2, 2];
        let scores: Vec<f32> = (0..3).flat_map(|l| map.map(|m| f32::from(u8::from(m == l)))).collect();
        let pixels: Vec<f32> = map.iter().flat_map(|m| [0, 1, 2].map(|l| f32::from(u8::from(*m == l)))).collect();
        let (i, b) = (map.map(i64::from), map.map(|m| m as u8));
        let ways = [
            (&[1, 3, 4, 4][..], Data::F32(&scores)),
            (&[1, 4, 4, 3][..], Data::F32(&pixels)),
            (&[1, 4, 4][..], Data::I64(&i)),
            (&[1, 1, 4, 4][..], Data::U8(&b)),
        ];
        for (shape, data) in ways {
            let o = run(&mut segmentation(json!(["good", "dent", "scratch"])), &[("o", shape, data)]).unwrap();
            let s = o.segmentation.unwrap();
            let shares: Vec<_> = s.areas.iter().map(|a| (&*a.label, a.area)).collect();
            assert_eq!((shares, o.score, o.verdict), (vec![("good", 0.875), ("dent", 0.125)], 0.125, Verdict::Ok));
            assert_eq!((s.classes[7], s.classes[0], s.classes.len()), (1, 2, 16), "the map is the whole model's");
            assert_eq!(s.region, [0.0, -32.0, 128.0, 128.0]);
        }
    }

    #[test]
    fn one_plane_of_scores_is_of_the_second_label() {
        let half = |positive: f32, negative: f32| (0..16).map(|i| if i < 8 { positive } else { negative }).collect();
        let (probabilities, logits): (Vec<f32>, Vec<f32>) = (half(0.75, 0.25), half(0.25, -3.0));
        for data in [&probabilities, &logits] {
            let o = run(&mut segmentation(json!(["good", "bad"])), &[("o", &[1, 1, 4, 4], Data::F32(data))]).unwrap();
            assert_eq!((o.score, o.verdict), (0.5, Verdict::Ng));
        }
    }

    #[test]
    fn a_pixel_of_a_label_without_a_name_is_told() {
        let e = run(&mut segmentation(json!(["good", "bad"])), &[("o", &[1, 1, 2], Data::I32(&[0, 2]))]).unwrap_err();
        assert!(e.contains("outputs[0].labels"), "{e}");
        let e = run(&mut segmentation(json!(["good", "bad"])), &[("o", &[1, 5, 4, 4], Data::F32(&[0.0; 80]))]);
        assert!(e.unwrap_err().contains("[1, 2, H, W]"));
    }

    #[test]
    fn anomalib_says_a_score_a_map_and_a_mask() {
        let rule = json!({"rule": "anomaly-score"});
        let mut d = model("anomaly", rule.clone(), "anomalib", json!({"name": "pred_score"})).unwrap();
        let map = [0.1, 0.9, 0.2, 0.3];
        let all = [
            ("pred_score", &[1][..], Data::F32(&[0.6])),
            ("pred_label", &[1][..], Data::Bool(&[true])),
            ("anomaly_map", &[1, 1, 2, 2][..], Data::F32(&map)),
            ("pred_mask", &[1, 1, 2, 2][..], Data::Bool(&[false, true, false, false])),
        ];
        assert!(all.iter().all(|(name, ..)| d.reads(name)) && !d.reads("other"));
        let o = run(&mut d, &all).unwrap();
        let a = o.anomaly.unwrap();
        assert_eq!((o.score, o.verdict, a.score), (0.6, Verdict::Ng, 0.6));
        assert_eq!((&*a.map.unwrap().values, &*a.mask.unwrap().values), (&map[..], &[0, 1, 0, 0][..]));
        // What an export leaves out is taken from what it has.
        assert_eq!(run(&mut d, &all[2..3]).unwrap().score, 0.9, "the map's highest");
        assert_eq!(run(&mut d, &all[1..2]).unwrap().verdict, Verdict::Ng, "the label alone");
        let mut old = model("anomaly", rule, "anomalib", json!({})).unwrap();
        assert_eq!(run(&mut old, &[("o", &[1, 1, 2, 2], Data::F32(&map))]).unwrap().score, 0.9, "one nameless map");
    }

    #[test]
    fn infinity_in_a_map_is_no_verdict() {
        let rule = json!({"rule": "anomaly-score"});
        let mut d = model("anomaly", rule, "anomalib", json!({"name": "anomaly_map"})).unwrap();
        let o = run(&mut d, &[("anomaly_map", &[1, 1, 1, 2], Data::F64(&[0.1, f64::INFINITY]))]).unwrap();
        assert_eq!((o.status, o.verdict), (Status::NonFinite, Verdict::Unjudged));
        assert!(o.reason.contains("anomaly_map"), "{}", o.reason);
    }

    #[test]
    fn an_embedding_is_a_vector_and_no_verdict() {
        for (normalise, wanted) in [(false, [3.0, 4.0]), (true, [0.6, 0.8])] {
            let more = json!({"normalise": normalise});
            let mut d = model("embedding", json!({"rule": "none"}), "embedding", more).unwrap();
            let o = run(&mut d, &[("o", &[1, 2], Data::F32(&[3.0, 4.0]))]).unwrap();
            let vector = o.embedding.unwrap();
            assert!(vector.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{vector:?}");
            assert_eq!((o.status, o.verdict), (Status::Ok, Verdict::Unjudged));
        }
    }

    #[test]
    fn raw_outputs_are_handed_on_byte_by_byte() {
        let mut d = model("other", json!({"rule": "none"}), "raw", json!({})).unwrap();
        let o = run(&mut d, &[("o", &[1, 2], Data::I32(&[1, -2]))]).unwrap();
        let t = &o.tensors[0];
        assert_eq!((t.name.as_str(), &t.shape[..], &*t.element), ("o", &[1, 2][..], "i32"));
        assert_eq!(t.bytes[..], [1i32.to_ne_bytes(), (-2i32).to_ne_bytes()].concat()[..]);
        assert_eq!((o.status, o.verdict), (Status::Ok, Verdict::Unjudged));
    }
}
