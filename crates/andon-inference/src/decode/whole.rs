// SPDX-License-Identifier: MPL-2.0
//! Models with one answer for the whole frame: an anomaly, a label for each pixel, a vector, raw tensors.

use std::sync::Arc;

use andon_core::result::{Anomaly, AnomalyMap, LabelArea, Mask, RawTensor, Segmentation};
use andon_model::{Activation, Normalisation, Role};

use super::{
    classes::plane_of_probabilities,
    decoded::Decoded,
    error::DecodeError,
    family::Family,
    outputs::{Data, Tensor, View, Views},
    scores::probable,
};
use crate::preprocess::Mapping;

/// Rows and columns of (h, w), (1, h, w) or (1, 1, h, w).
fn plane(view: &View<'_>) -> Result<[usize; 2], DecodeError> {
    match *view.shape {
        [h, w] | [1, h, w] | [1, 1, h, w] if h > 0 && w > 0 => Ok([h as usize, w as usize]),
        _ => Err(view.misshaped("a map needs [1, 1, H, W]")),
    }
}

/// anomalib: a score, and maybe a label, a map and a mask. Without a score the map's highest value counts, and without
/// both the label. `heat_range` is the normalisation of the map.
pub(super) fn anomaly(
    f: &Family<'_>,
    views: &Views<'_>,
    heat_range: Option<Normalisation>,
) -> Result<Decoded, DecodeError> {
    let (mut scores, mut heat) = (views.get(Role::Scores), views.get(Role::Map));
    if let Some(main) = views.get(Role::Main) {
        // Older exports have one output without a telling name: a number, or a map.
        let slot = if main.data.len() == 1 { &mut scores } else { &mut heat };
        *slot = slot.or(Some(main));
    }
    let region = f.mapping.region();
    let map = heat.map(|view| {
        let values = match heat_range {
            None => view.data.into(),
            Some(range) => shared(view.data.len(), 0.0, |out| {
                out.iter_mut().zip(view.data).for_each(|(o, v)| *o = range.apply(*v));
            }),
        };
        plane(view).map(|[h, w]| AnomalyMap { width: w as u32, height: h as u32, region, values })
    });
    let map = map.transpose()?;
    let one = |view: &View<'_>| match view.data {
        [value] => Ok(*value),
        _ => Err(view.misshaped("anomalib needs [1] or [1, 1]")),
    };
    let score = match (scores, &map, views.get(Role::Labels)) {
        (Some(view), ..) => f.output.normalisation.map_or(one(view)?, |range| range.apply(view.data[0])),
        // Normalised with the map.
        (None, Some(map), _) => map.values.iter().copied().fold(f32::MIN, f32::max),
        (None, None, Some(label)) => one(label)?,
        (None, None, None) => {
            return Err(DecodeError::NoAnomaly);
        }
    };
    if !probable(score) {
        return Err(DecodeError::Anomaly { score });
    }
    let mask = views.get(Role::Masks).map(|view| {
        plane(view).map(|[h, w]| {
            let values = view.data.iter().map(|v| u8::from(*v > 0.5)).collect();
            Arc::new(Mask { width: w as u32, height: h as u32, region, values })
        })
    });
    let mut decoded = f.judged(score);
    decoded.anomaly = Some(Anomaly { score, map, mask: mask.transpose()? });
    Ok(decoded)
}

/// Memory that is kept between frames.
#[derive(Default)]
pub(super) struct Scratch {
    /// Pixels by label.
    counts: Vec<u32>,
    /// The best score of each pixel.
    best: Vec<f32>,
}

/// `n` numbers, written before they are shared, so that there is one allocation.
fn shared<T: Clone>(n: usize, zero: T, fill: impl FnOnce(&mut [T])) -> Arc<[T]> {
    let mut values: Arc<[T]> = std::iter::repeat_n(zero, n).collect();
    fill(Arc::get_mut(&mut values).expect("it is not shared yet"));
    values
}

/// Segmentation: a label for each pixel, and the share of the frame that each label has.
///
/// (1, L, h, w) or (1, h, w, L) holds a score a label; one plane, first or last, holds labels, or, of two labels, the score
/// of the second: a probability or, if `settled` or the first frame's numbers say so, a logit.
pub(super) fn pixels(
    f: &Family<'_>,
    views: &Views<'_>,
    scratch: &mut Scratch,
    settled: &mut Option<Activation>,
) -> Result<Decoded, DecodeError> {
    let Scratch { counts, best } = scratch;
    let view = views.need(Role::Main)?;
    let (labels, data) = (f.labels.len(), view.data);
    let several = |c: i64| c > 1 && c as usize == labels;
    let [h, w] = match *view.shape {
        [1, c, h, w] if several(c) => [h, w],
        [1, h, w, c] if several(c) => [h, w],
        [1, 1, h, w] | [1, h, w, 1] if view.integer || labels == 2 => [h, w],
        [1, h, w] => [h, w],
        _ => {
            return Err(view.misshaped(format!(
                "segmentation with {labels} labels needs [1, {labels}, H, W], [1, H, W, {labels}], [1, 1, H, W], \
                 [1, H, W, 1] or [1, H, W]: correct outputs[0].labels in model.json"
            )));
        }
    };
    // Without a pixel nothing would be bad, and the frame ok.
    if h == 0 || w == 0 {
        return Err(view.misshaped("a segmentation of no pixel says nothing: export the graph for frames of a size"));
    }
    let (h, w) = (h as usize, w as usize);
    // One plane of a score a pixel.
    let plane = !view.integer && matches!(view.shape, [1, 1, _, _] | [1, _, _, 1]) && labels == 2;
    let probable = plane && plane_of_probabilities(f, view, settled)?;
    let classes = shared(h * w, 0, |classes| match *view.shape {
        [1, c, ..] if view.shape.len() == 4 && several(c) => best_plane(data, best, classes),
        [1, _, _, c] if several(c) => {
            for (class, scores) in classes.iter_mut().zip(data.chunks_exact(labels)) {
                *class = first_best(scores);
            }
        }
        _ if plane => {
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
        let number = data.iter().copied().find(|v| !(*v >= 0.0 && (*v as usize) < labels)).unwrap_or(-1.0);
        return Err(DecodeError::Label { output: view.name.into(), number, labels });
    }
    counts.clear();
    counts.resize(labels, 0);
    let mut all = 0u32;
    // Only cells within the frame count: a letterbox pads whole rows and columns.
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
    let mut decoded = f.judged(share(bad));
    let mut areas: Vec<_> = (counts.iter().zip(f.labels).enumerate().filter(|(_, (n, _))| **n > 0))
        .map(|(class, (n, label))| LabelArea { class: class as u32, label: label.clone(), area: share(*n) })
        .collect();
    areas.sort_unstable_by(|a, b| b.area.total_cmp(&a.area).then(a.class.cmp(&b.class)));
    let (width, height, region) = (w as u32, h as u32, f.mapping.region());
    decoded.segmentation = Some(Segmentation { width, height, region, areas, classes });
    Ok(decoded)
}

/// Returns whether the middle of cell `at` of `of` lies in the frame, not in the padding.
fn within(mapping: &Mapping, axis: usize, at: usize, of: usize) -> bool {
    let region = mapping.region();
    let middle = region[axis] + (at as f32 + 0.5) / of as f32 * region[axis + 2];
    (0.0..=mapping.frame[axis] as f32).contains(&middle)
}

/// Finds the best plane of each pixel, of equal ones the first. `best` is scratch space, and `classes` are zeros.
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

/// The index of the highest score, of equal ones the first.
fn first_best(scores: &[f32]) -> u16 {
    let mut found = (f32::MIN, 0);
    for (score, class) in scores.iter().zip(0u16..) {
        if *score > found.0 {
            found = (*score, class);
        }
    }
    found.1
}

/// Embedding: a vector.
pub(super) fn vector(f: &Family<'_>, views: &Views<'_>) -> Result<Decoded, DecodeError> {
    let data = views.need(Role::Main)?.data;
    let length = data.iter().map(|v| v * v).sum::<f32>().sqrt();
    // A vector of zeros has no direction and stays.
    let k = if f.output.normalise && length > 0.0 { 1.0 / length } else { 1.0 };
    let values = shared(data.len(), 0.0, |out| out.iter_mut().zip(data).for_each(|(o, v)| *o = v * k));
    Ok(Decoded { embedding: Some(values), ..Decoded::default() })
}

/// Raw: the outputs as they are.
pub(super) fn raw(outputs: &[Tensor<'_>]) -> Decoded {
    Decoded { tensors: outputs.iter().map(raw_tensor).collect(), ..Decoded::default() }
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

    fn model(task: &str, rule: Value, decoder: &str, more: Value) -> Result<Decode, andon_model::Error> {
        let mut output = json!({"name": "o", "decoder": decoder, "labels": ["good", "dent", "scratch"]});
        output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        manifest(task, rule, json!([output])).map(|m| Decode::new(&m))
    }

    fn segmentation(labels: Value) -> Decode {
        let rule = json!({"rule": "any-area", "ok": ["good"]});
        model("segmentation", rule, "segmentation", json!({"labels": labels})).unwrap()
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
    fn a_segmentation_without_a_pixel_is_an_error_and_no_good_frame() {
        for shape in [&[1, 3, 0, 4][..], &[1, 3, 4, 0], &[1, 0, 4, 3], &[1, 0, 0]] {
            let e = run(&mut segmentation(json!(["good", "dent", "scratch"])), &[("o", shape, Data::F32(&[]))])
                .unwrap_err();
            assert!(e.to_string().contains("of no pixel"), "{shape:?}: {e}");
        }
    }

    #[test]
    fn one_plane_of_scores_is_of_the_second_label() {
        let half = |positive: f32, negative: f32| (0..16).map(|i| if i < 8 { positive } else { negative }).collect();
        let (probabilities, logits): (Vec<f32>, Vec<f32>) = (half(0.75, 0.25), half(0.25, -3.0));
        // Keras puts planes last.
        for (data, shape) in [(&probabilities, [1, 1, 4, 4]), (&logits, [1, 1, 4, 4]), (&probabilities, [1, 4, 4, 1])] {
            let o = run(&mut segmentation(json!(["good", "bad"])), &[("o", &shape, Data::F32(data))]).unwrap();
            assert_eq!((o.score, o.verdict), (0.5, Verdict::Ng));
        }
    }

    #[test]
    fn a_pixel_of_a_label_without_a_name_is_told() {
        let e = run(&mut segmentation(json!(["good", "bad"])), &[("o", &[1, 1, 2], Data::I32(&[0, 2]))])
            .unwrap_err()
            .to_string();
        assert!(e.contains("outputs[0].labels"), "{e}");
        let e = run(&mut segmentation(json!(["good", "bad"])), &[("o", &[1, 5, 4, 4], Data::F32(&[0.0; 80]))]);
        assert!(e.unwrap_err().to_string().contains("[1, 2, H, W]"));
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
        // Without a score, the other outputs give one.
        assert_eq!(run(&mut d, &all[2..3]).unwrap().score, 0.9, "the map's highest");
        assert_eq!(run(&mut d, &all[1..2]).unwrap().verdict, Verdict::Ng, "the label alone");
        let mut old = model("anomaly", rule, "anomalib", json!({})).unwrap();
        assert_eq!(run(&mut old, &[("o", &[1, 1, 2, 2], Data::F32(&map))]).unwrap().score, 0.9, "one nameless map");
    }

    #[test]
    fn an_anomaly_score_of_the_models_own_is_placed_in_0_to_1_or_refused() {
        let rule = json!({"rule": "anomaly-score"});
        // An older export under names that tell nothing: a score, and a map of another range.
        let two = |first: Value, map: Value| {
            let (mut a, mut b) = (
                json!({"name": "565", "decoder": "anomalib"}),
                json!({"name": "output", "decoder": "anomalib", "role": "map"}),
            );
            a.as_object_mut().unwrap().extend(first.as_object().cloned().unwrap());
            b.as_object_mut().unwrap().extend(map.as_object().cloned().unwrap());
            Decode::new(&manifest("anomaly", rule.clone(), json!([a, b])).unwrap())
        };
        let see = |d: &mut Decode, score: f32| {
            run(d, &[("565", &[1][..], Data::F32(&[score])), ("output", &[1, 1, 1, 2], Data::F32(&[0.3, 3.0]))])
        };
        let e = see(&mut two(json!({}), json!({})), 7.5).unwrap_err().to_string();
        assert!(["7.5", "thresholds.score (above 1)", "outputs[0].normalisation"].iter().all(|s| e.contains(s)), "{e}");
        let range = json!({"threshold": 9, "min": 2, "max": 22});
        let mut d =
            two(json!({"normalisation": range}), json!({"normalisation": {"threshold": 1, "min": 0, "max": 4}}));
        for (score, wanted, verdict) in
            [(7.5, 0.425, Verdict::Ok), (12.0, 0.65, Verdict::Ng), (99.0, 1.0, Verdict::Ng), (-9.0, 0.0, Verdict::Ok)]
        {
            let o = see(&mut d, score).unwrap();
            assert_eq!((o.score, o.verdict), (wanted, verdict), "{score}");
            assert_eq!(&*o.anomaly.unwrap().map.unwrap().values, &[0.325, 1.0]);
        }
        let o = see(&mut two(json!({"normalisation": range}), json!({})), 9.0).unwrap();
        assert_eq!(&*o.anomaly.unwrap().map.unwrap().values, &[0.3, 3.0], "the map's range is its own");
        // One nameless map: its highest value, placed once.
        let mut one = model("anomaly", rule.clone(), "anomalib", json!({"normalisation": range})).unwrap();
        assert_eq!(run(&mut one, &[("o", &[1, 1, 1, 2], Data::F32(&[3.0, 12.0]))]).unwrap().score, 0.65);
    }

    #[test]
    fn one_plane_of_scores_keeps_the_reading_of_its_first_frame() {
        let plane = |v: f32| [v; 16];
        let mut logits = segmentation(json!(["good", "bad"]));
        let mut see = |v: f32| run(&mut logits, &[("o", &[1, 1, 4, 4], Data::F32(&plane(v)))]).map(|o| o.score);
        // 0.25 alone would be an unlikely "bad", and is a likely one as a logit.
        assert_eq!((see(-3.0), see(0.25)), (Ok(0.0), Ok(1.0)));
        let mut probabilities = segmentation(json!(["good", "bad"]));
        let mut see = |v: f32| run(&mut probabilities, &[("o", &[1, 1, 4, 4], Data::F32(&plane(v)))]).map(|o| o.score);
        assert_eq!((see(0.25), see(0.75)), (Ok(0.0), Ok(1.0)));
        let e = see(-3.0).unwrap_err().to_string();
        assert!(e.contains("earlier frames") && e.contains("\"sigmoid\""), "{e}");
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
