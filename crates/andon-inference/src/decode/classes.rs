// SPDX-License-Identifier: MPL-2.0
//! Classification, and how a model's numbers show whether they are probabilities or logits.
//!
//! What the first frames that show it have shown holds for all later ones: a reading that changed from frame to frame would
//! judge equal frames differently. A frame that contradicts it is refused.

use andon_core::result::ClassScore;
use andon_model::{Activation, Role, Rule};

use super::{
    decoded::Decoded,
    error::DecodeError,
    family::Family,
    outputs::{View, Views},
    scores::{SLACK, probable, sigmoid},
};

/// How far from 1 the sum of probabilities may lie: what half precision explains for a thousand labels.
const SUM: f32 = 0.02;

/// Classification: (1, L), a score a label; of two labels also one number, the score of the second. `settled` is the activation
/// that the manifest says, or earlier frames have shown.
pub(super) fn classes(
    f: &Family<'_>,
    views: &Views<'_>,
    settled: &mut Option<Activation>,
) -> Result<Decoded, DecodeError> {
    let view = views.need(Role::Main)?;
    let (n, alone) = (f.labels.len(), matches!(f.rule, Rule::AnyLabel { .. }));
    let single = view.data.len() == 1 && n == 2;
    if view.data.len() != n && !single {
        let one = if n == 2 { " (or [1, 1], the score of the second)" } else { "" };
        return Err(view.misshaped(format!(
            "{n} labels need [1, {n}]{one}: correct outputs[0].labels in model.json, or the labels property"
        )));
    }
    let given = f.output.activation.is_some();
    if n == 1 && (!alone || *settled == Some(Activation::Softmax)) {
        return Err(DecodeError::OneLabel { output: view.name.into() });
    }
    let activation = match *settled {
        Some(activation) => activation,
        None => *settled.insert(evidence(view, single)?),
    };
    if activation == Activation::None
        && let Some(number) = view.data.iter().copied().find(|v| !probable(*v))
    {
        let because = match given {
            true => "though outputs[0].activation is \"none\"",
            false => "and earlier frames were probabilities",
        };
        return Err(DecodeError::NoProbability { output: view.name.into(), number, because, instead: LOGITS });
    }
    let mut classes: Vec<_> = Vec::with_capacity(n);
    let mut named = |class: usize, score: f32| {
        classes.push(ClassScore { class: class as u32, label: f.labels[class].clone(), score });
    };
    if single {
        // The softmax of one number is 1, whatever the number.
        let second = if activation == Activation::None { view.data[0].clamp(0.0, 1.0) } else { sigmoid(view.data[0]) };
        named(0, 1.0 - second);
        named(1, second);
    } else {
        view.data.iter().enumerate().for_each(|(i, v)| named(i, *v));
        match activation {
            Activation::None => {}
            Activation::Sigmoid => classes.iter_mut().for_each(|c| c.score = sigmoid(c.score)),
            Activation::Softmax => softmax(&mut classes),
        }
    }
    // The scores of independent labels do not add up to one: the worst of them decides.
    let alone = alone || (activation == Activation::Sigmoid && !single);
    if !alone && !single && activation == Activation::None {
        let sum: f32 = view.data.iter().sum();
        let step = f.output.quantisation.map_or(0.0, |q| q.scale);
        if sum > 1.0 + SUM + step * n as f32 / 2.0 {
            return Err(DecodeError::Inclusive { output: view.name.into(), sum });
        }
    }
    let bad = classes.iter().zip(f.ok).filter(|(_, ok)| !**ok).map(|(c, _)| c.score);
    let mut decoded = f.judged(if alone { bad.fold(0.0, f32::max) } else { bad.sum() });
    classes.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    decoded.classes = classes;
    Ok(decoded)
}

/// The activations that read logits of a classifier.
const LOGITS: &str =
    "\"softmax\" if these are logits of labels that exclude each other, \"sigmoid\" if each label stands alone";

/// What the numbers of one frame show.
fn evidence(view: &View<'_>, single: bool) -> Result<Activation, DecodeError> {
    if !view.data.iter().all(|v| (-SLACK / 10.0..=1.0 + SLACK / 10.0).contains(v)) {
        return Ok(if single { Activation::Sigmoid } else { Activation::Softmax });
    }
    let sum: f32 = view.data.iter().sum();
    if !single && (sum - 1.0).abs() < SUM {
        return Ok(Activation::None);
    }
    let shown: Vec<_> = view.data.iter().take(4).map(|v| format!("{v}")).collect();
    let more = if view.data.len() > 4 { ", …" } else { "" };
    Err(DecodeError::Unclear {
        output: view.name.into(),
        numbers: format!("{}{more}", shown.join(", ")),
        sum: if single { String::new() } else { format!(" and {sum} in sum") },
        probabilities: match single {
            true => "probabilities of the second label",
            false => "scores of labels that stand alone (with the rule \"any-label\")",
        },
        logits: match single {
            true => "\"sigmoid\" if they are logits",
            false => {
                "\"softmax\" if they are logits of labels that exclude each other, \"sigmoid\" if of labels that stand alone"
            }
        },
    })
}

fn softmax(classes: &mut [ClassScore]) {
    let top = classes.iter().map(|c| c.score).fold(f32::MIN, f32::max);
    classes.iter_mut().for_each(|c| c.score = (c.score - top).exp());
    let sum: f32 = classes.iter().map(|c| c.score).sum();
    classes.iter_mut().for_each(|c| c.score /= sum);
}

/// Returns whether one plane of scores holds probabilities, not logits.
///
/// # Errors
/// A number is beyond 0..1 though earlier frames, or the manifest, say that these are probabilities.
pub(super) fn plane_of_probabilities(
    f: &Family<'_>,
    view: &View<'_>,
    settled: &mut Option<Activation>,
) -> Result<bool, DecodeError> {
    if !matches!(settled, None | Some(Activation::None)) {
        return Ok(false);
    }
    let beyond = view.data.iter().copied().find(|v| !probable(*v));
    match (*settled, beyond) {
        (Some(_), Some(number)) => {
            let because = match f.output.activation.is_some() {
                true => "though outputs[0].activation is \"none\"",
                false => "and earlier frames were probabilities",
            };
            let instead = "\"sigmoid\" if these are logits";
            Err(DecodeError::NoProbability { output: view.name.into(), number, because, instead })
        }
        (None, beyond) => {
            *settled = Some(if beyond.is_some() { Activation::Sigmoid } else { Activation::None });
            Ok(beyond.is_none())
        }
        (Some(_), None) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Data, Decode,
        testing::{manifest, run},
    };
    use andon_core::result::Verdict;
    use serde_json::{Value, json};

    /// A classifier of these labels, of which the first is good.
    fn classifier(labels: &[&str], any: bool, more: Value) -> Decode {
        let rule = match any {
            true => json!({"rule": "any-label"}),
            false => json!({"rule": "label-ok", "ok": [labels[0]]}),
        };
        let mut output = json!({"name": "o", "decoder": "classification", "labels": labels});
        output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        Decode::new(&manifest("classification", rule, json!([output])).unwrap())
    }

    fn score(d: &mut Decode, numbers: &[f32]) -> Result<f32, String> {
        let shape = [1, numbers.len() as i64];
        run(d, &[("o", &shape, Data::F32(numbers))]).map(|o| o.score).map_err(|e| e.to_string())
    }

    const TWO: &[&str] = &["good", "bad"];

    #[test]
    fn what_the_first_clear_frame_shows_holds_for_all_and_two_readings_are_refused() {
        let mut logits = classifier(TWO, false, json!({}));
        let e = score(&mut logits, &[0.2, 0.4]).unwrap_err();
        assert!(
            ["'o'", "0.2, 0.4", "0.6", "\"none\"", "\"softmax\"", "any-label"].iter().all(|s| e.contains(s)),
            "{e}"
        );
        assert!((score(&mut logits, &[0.0, 3f32.ln()]).unwrap() - 0.75).abs() < 1e-6);
        // These add up to 1, and are logits still.
        assert!((score(&mut logits, &[0.75, 0.25]).unwrap() - 0.3775).abs() < 1e-4);
        let mut probabilities = classifier(TWO, false, json!({}));
        assert_eq!(score(&mut probabilities, &[0.75, 0.25]), Ok(0.25));
        assert_eq!(score(&mut probabilities, &[0.754, 0.25]), Ok(0.25), "half precision adds up to nearly 1");
        let e = score(&mut probabilities, &[3.0, -1.0]).unwrap_err();
        assert!(e.contains("earlier frames") && e.contains("outputs[0].activation"), "{e}");
        let e = score(&mut probabilities, &[0.9, 0.75]).unwrap_err();
        assert!(e.contains("1.65") && e.contains("any-label"), "{e}");
        let e = score(&mut classifier(TWO, false, json!({"activation": "none"})), &[2.0, 0.0]).unwrap_err();
        assert!(e.contains("is \"none\"") && e.contains("\"softmax\""), "{e}");
    }

    #[test]
    fn labels_that_stand_alone_are_judged_by_the_worst() {
        let model = |more: Value| {
            let rule = json!({"rule": "any-label", "ok": ["good"]});
            let mut output = json!({"name": "o", "decoder": "classification", "labels": ["good", "dent", "scratch"]});
            output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            manifest("classification", rule, json!([output])).map(|m| Decode::new(&m))
        };
        let mut d = model(json!({"activation": "sigmoid"})).unwrap();
        let logits = [9.0, 3f32.ln(), 0.0];
        let o = run(&mut d, &[("o", &[1, 3], Data::F32(&logits))]).unwrap();
        assert!((o.score - 0.75).abs() < 1e-6 && o.verdict == Verdict::Ng);
        assert_eq!(o.classes.iter().map(|c| &*c.label).collect::<Vec<_>>(), ["good", "dent", "scratch"]);
        let mut d = model(json!({"activation": "none"})).unwrap();
        let o = run(&mut d, &[("o", &[1, 3], Data::F32(&[0.9, 0.4, 0.45]))]).unwrap();
        assert_eq!((o.score, o.verdict), (0.45, Verdict::Ok), "they are not added up");
        let e = model(json!({})).err().unwrap().to_string();
        assert!(e.contains("outputs[0].activation") && e.contains("sigmoid"), "{e}");
    }

    #[test]
    fn one_number_for_two_labels_is_the_score_of_the_second() {
        for (activation, number, wanted) in
            [("none", 0.8, 0.8), ("sigmoid", 3f32.ln(), 0.75), ("softmax", 3f32.ln(), 0.75)]
        {
            let mut d = classifier(TWO, false, json!({"activation": activation}));
            let o = run(&mut d, &[("o", &[1, 1], Data::F32(&[number]))]).unwrap();
            assert!((o.score - wanted).abs() < 1e-6 && o.verdict == Verdict::Ng, "{activation}: {o:?}");
            let classes: Vec<_> = o.classes.iter().map(|c| (&*c.label, (c.score * 100.0).round())).collect();
            assert_eq!(classes, [("bad", (wanted * 100.0).round()), ("good", 100.0 - (wanted * 100.0).round())]);
        }
        let mut open = classifier(TWO, false, json!({}));
        let e = score(&mut open, &[0.8]).unwrap_err();
        assert!(["0.8", "\"none\"", "\"sigmoid\"", "second label"].iter().all(|s| e.contains(s)), "{e}");
        assert!((score(&mut open, &[-1.5]).unwrap() - 0.1824).abs() < 1e-4, "a logit beyond doubt");
    }

    #[test]
    fn one_label_is_no_verdict_but_where_it_stands_alone() {
        let e = score(&mut classifier(&["bad"], false, json!({})), &[0.8]).unwrap_err();
        assert!(e.contains("good, bad") && e.contains("any-label"), "{e}");
        assert_eq!(score(&mut classifier(&["bad"], true, json!({"activation": "none"})), &[0.8]), Ok(0.8));
        assert!(score(&mut classifier(&["bad"], true, json!({"activation": "softmax"})), &[0.8]).is_err());
    }

    #[test]
    fn probabilities_in_256ths_need_their_scale() {
        let all = [("o", &[1, 2][..], Data::U8(&[140, 116]))];
        for activation in ["none", "sigmoid"] {
            let e = run(&mut classifier(TWO, false, json!({"activation": activation})), &all).unwrap_err().to_string();
            assert!(e.contains("\"scale\": 0.00390625"), "{e}");
        }
        let mut d = classifier(TWO, false, json!({"quantisation": {"scale": 0.00390625, "zero_point": 0}}));
        let o = run(&mut d, &all).unwrap();
        assert_eq!((o.classes[0].score, o.score, o.verdict), (0.546875, 0.453125, Verdict::Ok));
    }
}
