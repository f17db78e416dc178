// SPDX-License-Identifier: MPL-2.0
//! Graphs with one answer for the whole frame: classes, a label for each pixel, an anomaly; and Custom Vision's YOLOv2,
//! whose one output has the axes of a segmentation.

use andon_model::{Activation, Decoder, Output, Quantisation, Role};
use ort::value::TensorElementType;

use super::{
    evidence::Evidence,
    graph::Port,
    reading::{Reading, Verdict, Weight},
    seen::{Numbers, Seen},
};
use crate::Assumption;

/// Custom Vision's anchors, in cells of its grid, as Microsoft's sample for exported detectors has them.
const CUSTOM_VISION: [[f32; 2]; 5] = [[0.573, 0.677], [1.87, 2.06], [3.34, 5.47], [7.88, 3.53], [9.77, 9.17]];

/// Numbers of 0..1, a little rounding apart.
fn share(v: f32) -> bool {
    (-0.05..=1.05).contains(&v)
}

fn each(runs: &[Seen], name: &str, judge: impl Fn(&Numbers) -> Verdict) -> Verdict {
    let mut weight = Weight::Possible;
    for run in runs {
        let numbers = run.of(name).ok_or("it has no such output")?;
        if numbers.broken() {
            return Err("it gives NaN or infinity".into());
        }
        weight = weight.max(judge(numbers)?);
    }
    Ok(weight)
}

/// The reading of the graph as anomalib's, by the names of its outputs, or by a map and a number. It needs no labels.
pub(super) fn anomaly(e: &Evidence<'_>) -> Option<Reading> {
    let set = "outputs[0].decoder anomalib in a model.json, and outputs[0].normalisation, or a thresholds.score above 1, for scores \
               that are not within 0..1";
    let labels = || e.labels.to_vec();
    let judged = |score: String| {
        move |runs: &[Seen]| {
            if runs.iter().all(|r| r.of(&score).is_none()) {
                return Ok(Weight::Possible);
            }
            each(runs, &score, |numbers| match numbers.range() {
                [lo, hi] if share(lo) && share(hi) => Ok(Weight::Possible),
                [lo, hi] => {
                    let score = if lo == hi { format!("{hi}") } else { format!("{lo}..{hi}") };
                    Err(format!("its score is {score}, which is not within 0..1 but the model's own measure"))
                }
            })
        }
    };
    if let Some(first) = e.graph.output(&["pred_score"]).or_else(|| e.graph.output(&["anomaly_map"])) {
        let name = first.name.clone();
        let outputs = vec![Output::new(&name, Decoder::Anomalib, labels())];
        return Some(Reading::new("anomalib, by the names of its outputs", set, outputs).tested(judged(name)));
    }
    let [a, b] = &e.graph.outputs[..] else { return None };
    let map = |p: &Port| p.float() && ((p.rank() == 4 && p.shape[1] == 1) || p.rank() == 3) && p.last() != 1;
    let one = |p: &Port| p.float() && p.rank() <= 2 && p.shape.iter().all(|d| matches!(d, 1 | -1));
    let (map, score) = match () {
        () if map(a) && one(b) => (a, b),
        () if map(b) && one(a) => (b, a),
        () => return None,
    };
    let output = |p: &Port, role| Output { role: Some(role), ..Output::new(&p.name, Decoder::Anomalib, Vec::new()) };
    let mut outputs = vec![output(score, Role::Scores), output(map, Role::Map)];
    outputs[0].labels = labels();
    let mut reading = Reading::new("anomalib: a map and a score", set, outputs).tested(judged(score.name.clone()));
    reading.assumed.push(Assumption {
        field: "outputs[0].decoder",
        value: "\"anomalib\"".into(),
        reason:
            "a map and a number, whose names do not tell; the number is taken for a score with its threshold at 0.5"
                .into(),
        change: "otherwise set thresholds.score or outputs[0].normalisation in a model.json".into(),
    });
    Some(reading)
}

/// The output with a number a label, if there is one.
fn numbers<'a>(e: &'a Evidence<'_>) -> Option<&'a Port> {
    let flat = |p: &&Port| {
        p.kind.is_some() && !p.text() && (matches!(p.rank(), 1 | 2) || (p.rank() == 4 && p.shape[2..] == [1, 1]))
    };
    let all: Vec<_> = e.graph.outputs.iter().filter(flat).collect();
    let floats: Vec<_> = all.iter().copied().filter(|p| p.float()).collect();
    let all = if floats.is_empty() { all } else { floats };
    let named = |word: &str| all.iter().copied().find(|p| p.plain().to_lowercase().contains(word));
    match all[..] {
        [] => None,
        [one] => Some(one),
        _ => named("prob").or_else(|| named("logit")).or_else(|| {
            let fits: Vec<_> = all.iter().copied().filter(|p| classes(p) == e.count()).collect();
            (fits.len() == 1).then(|| fits[0])
        }),
    }
}

/// How many numbers a frame a classifier's output has; -1 if that is open.
fn classes(port: &Port) -> i64 {
    match port.rank() {
        1 => port.shape[0],
        _ => port.shape[1],
    }
}

/// The readings of the graph as a classifier.
pub(super) fn classifier(e: &Evidence<'_>) -> Vec<Reading> {
    let Some(port) = numbers(e) else { return Vec::new() };
    let (n, c) = (e.labels.len(), classes(port));
    let binary = n == 2 && (c == 1 || (port.rank() == 1 && c == -1));
    let rows = c == e.count() || c == -1;
    let make = |family: &str, activation: Activation| {
        let mut output = Output::new(&port.name, Decoder::Classification, e.labels.to_vec());
        output.activation = Some(activation);
        let word = format!("{activation:?}").to_lowercase();
        Reading::new(family, format!("outputs[0].activation {word} in a model.json"), vec![output])
    };
    let name = port.name.clone();
    let counted = move |numbers: &Numbers, wanted: usize| {
        let first = numbers.shape.first().copied().unwrap_or(1);
        if numbers.data.len() != wanted || (numbers.shape.len() > 1 && first != 1) {
            return Err(format!("its output has shape {:?}, and {wanted} numbers are needed", numbers.shape));
        }
        Ok(())
    };
    if port.integer() {
        return if rows { quantised(port, make("a classifier in 256ths", Activation::None), n) } else { Vec::new() };
    }
    let mut found = Vec::new();
    if rows {
        let at = name.clone();
        found.push(make("a classifier with probabilities", Activation::None).tested(move |runs| {
            each(runs, &at, |numbers| {
                counted(numbers, n)?;
                let sum: f32 = numbers.data.iter().sum();
                let probable = numbers.data.iter().all(|v| share(*v)) && (sum - 1.0).abs() < 1e-2;
                if probable {
                    Ok(Weight::Likely)
                } else {
                    Err(format!("its numbers do not add up to 1 but to {sum:.3}"))
                }
            })
        }));
        let at = name.clone();
        found.push(make("a classifier with logits", Activation::Softmax).tested(move |runs| {
            each(runs, &at, |numbers| counted(numbers, n).map(|()| Weight::Possible))?;
            let all = runs.iter().filter_map(|r| r.of(&at)).flat_map(|o| &o.data);
            let mut beyond = all.filter(|v| !(0.0..=1.0).contains(*v));
            match beyond.next() {
                Some(_) => Ok(Weight::Possible),
                None => Err("its numbers are all within 0..1 as scores of independent labels are, for which the rule any-label is".into()),
            }
        }));
    }
    if binary {
        for (family, activation) in [
            ("one probability, of the second label", Activation::None),
            ("one logit, of the second label", Activation::Sigmoid),
        ] {
            let at = name.clone();
            let mut reading = make(family, activation).tested(move |runs| {
                each(runs, &at, |numbers| counted(numbers, 1).map(|()| Weight::Possible))?;
                let shares = runs.iter().filter_map(|r| r.of(&at)).all(|o| o.data.iter().all(|v| share(*v)));
                match (activation == Activation::None, shares) {
                    (true, true) | (false, false) => Ok(Weight::Likely),
                    (true, false) => Err("its number is beyond 0..1".into()),
                    (false, true) => Err("its number is within 0..1, so it is a probability".into()),
                }
            });
            reading.assumed.push(Assumption {
                field: "outputs[0].labels",
                value: format!("{:?}", e.labels),
                reason: "one number for two labels is taken for the probability of the second".into(),
                change: "name the labels the other way round if a high number means the first".into(),
            });
            found.push(reading);
        }
    }
    found
}

/// The reading of integers as probabilities: a softmax of TensorFlow Lite gives 256ths, which add up to 256.
fn quantised(port: &Port, mut reading: Reading, n: usize) -> Vec<Reading> {
    let zero = match port.kind {
        Some(TensorElementType::Uint8) => 0,
        Some(TensorElementType::Int8) => -128,
        _ => return Vec::new(),
    };
    reading.outputs[0].quantisation = Some(Quantisation { scale: 1.0 / 256.0, zero_point: zero });
    reading.set = "outputs[0].quantisation with scale and zero_point in a model.json".into();
    reading.assumed.push(Assumption {
        field: "outputs[0].quantisation",
        value: format!("{{\"scale\": {}, \"zero_point\": {zero}}}", 1.0 / 256.0),
        reason: "its integers add up to 256, as TensorFlow Lite's probabilities do".into(),
        change: "otherwise write scale and zero_point of its last tensor into a model.json".into(),
    });
    let name = port.name.clone();
    vec![reading.tested(move |runs| {
        each(runs, &name, |numbers| {
            let sum: f32 = numbers.data.iter().map(|v| v - zero as f32).sum();
            let apart = (sum - 256.0).abs();
            if numbers.data.len() == n && apart <= 1.0 + n as f32 / 2.0 {
                return Ok(Weight::Likely);
            }
            Err(format!("its integers add up to {sum}, not to 256, so they show no scale"))
        })
    })]
}

/// The readings of the graph as a segmentation, or why it is none.
pub(super) fn segmentation(e: &Evidence<'_>) -> Result<Vec<Reading>, String> {
    let maps = |p: &&Port| match p.rank() {
        4 => p.kind.is_some() && !p.text() && p.shape[2..] != [1, 1],
        3 => p.integer(),
        _ => false,
    };
    let all: Vec<_> = e.graph.outputs.iter().filter(maps).collect();
    let Some(port) = all.iter().copied().find(|p| matches!(p.plain(), "out" | "logits")).or(all.first().copied())
    else {
        return Ok(Vec::new());
    };
    let n = e.count();
    let (name, labels) = (port.name.clone(), e.labels.len());
    let make = |family: &str, activation| {
        let output = Output { activation, ..Output::new(&port.name, Decoder::Segmentation, e.labels.to_vec()) };
        Reading::new(family, "outputs[0].decoder segmentation in a model.json", vec![output])
    };
    if port.integer() {
        let fits = port.rank() == 3 || port.shape[1] == 1 || port.shape[1] < 0 || port.last() == 1;
        let reading = make("a segmentation, a label a pixel", None).tested(move |runs| {
            each(runs, &name, |numbers| match numbers.range() {
                [lo, hi] if lo < 0.0 || hi >= labels as f32 => {
                    Err(format!("it names labels {lo}..{hi}, and there are {labels}, counted from 0"))
                }
                _ => Ok(Weight::Likely),
            })
        });
        return Ok(if fits { vec![reading] } else { Vec::new() });
    }
    let (c, last) = (port.shape[1], port.last());
    if c == 5 * (5 + n) && all.len() == 1 {
        let output =
            Output { anchors: CUSTOM_VISION.to_vec(), ..Output::new(&port.name, Decoder::Yolov2, e.labels.to_vec()) };
        let mut reading = Reading::new(
            "YOLOv2 by Custom Vision",
            "outputs[0].decoder yolov2 and anchors in a model.json",
            vec![output],
        );
        reading.assumed.push(Assumption {
            field: "outputs[0].anchors",
            value: format!("{CUSTOM_VISION:?}"),
            reason: "five anchors a cell, as Custom Vision has them".into(),
            change: "otherwise write its anchors into a model.json".into(),
        });
        return Ok(vec![reading]);
    }
    // Keras puts planes last.
    if n == 2 && (c == 1 || last == 1) {
        return plane(e, port, make("a segmentation of two labels, one plane of scores", None)).map(|r| vec![r]);
    }
    let several = n > 1 && (c == n || (c != 1 && last == n) || c == -1);
    let shaped = move |runs: &[Seen]| {
        each(runs, &name, |o| match o.shape[..] {
            [1, c, _, _] if c as usize == labels => Ok(Weight::Likely),
            [1, _, _, c] if c as usize == labels => Ok(Weight::Likely),
            _ => Err(format!("its output has shape {:?}, and {labels} planes are needed", o.shape)),
        })
    };
    Ok(if several { vec![make("a segmentation, a score a label and pixel", None).tested(shaped)] } else { Vec::new() })
}

/// A plane of scores, which may be a map for something else.
fn plane(e: &Evidence<'_>, port: &Port, mut reading: Reading) -> Result<Reading, String> {
    let paddle =
        |name: &str| name.contains(".tmp_") || name.contains("fetch_name") || name.contains("save_infer_model");
    if paddle(&port.name) || e.graph.inputs.iter().any(|i| i.name == "x") {
        return Err(format!(
            "output '{}' is one plane of scores by Paddle's exporter, as PP-OCR's text detector has it, whose boxes a program \
             draws around the bright parts of that plane; Andon reads no text. If it is a segmentation of two labels, `andon model init FILE --into FOLDER --decoder segmentation` \
             says so; then set model= to FOLDER",
            port.name
        ));
    }
    reading.assumed.push(Assumption {
        field: "outputs[0].decoder",
        value: "\"segmentation\"".into(),
        reason: "one plane of scores and two labels: a high score is taken for the second label".into(),
        change: "write a model.json with another decoder if the plane is something else (an anomaly map: anomalib)"
            .into(),
    });
    let name = port.name.clone();
    let output = &mut reading.outputs[0];
    output.activation = None;
    Ok(reading.tested(move |runs| each(runs, &name, |_| Ok(Weight::Possible))))
}
