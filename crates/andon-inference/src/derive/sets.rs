// SPDX-License-Identifier: MPL-2.0
//! Detectors with outputs for boxes, scores, labels, their count and masks. Names tell the exporter where they are known;
//! else each output's role follows from its type and shape, and runs tell the rest.
//!
//! Sources: TensorFlow's Object Detection API (top first, 0..1, labels from 1); Azure Custom Vision's sample for exported
//! detectors (left first, 0..1); torchvision (pixels, label 0 is the background); the exporters of RT-DETR, D-FINE and
//! DEIM (pixels of `orig_target_sizes`); NVIDIA's EfficientNMS; super-gradients' YOLO-NAS; mmdeploy (`dets` with the score
//! as fifth number); transformers' DETR and RT-DETR; RF-DETR's package.

use andon_model::{Activation, BoxForm, Decoder, Head, Output, Role};

use super::{
    evidence::Evidence,
    graph::Port,
    reading::{Reading, Verdict, Weight},
    seen::{Seen, cells},
};

/// The outputs of a set by role.
#[derive(Clone, Copy)]
struct Set<'a> {
    boxes: &'a Port,
    scores: Option<&'a Port>,
    labels: Option<&'a Port>,
    count: Option<&'a Port>,
    masks: Option<&'a Port>,
}

/// What a set's boxes and labels mean.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Meaning {
    form: BoxForm,
    /// Whether label 0 is the background.
    background: bool,
    /// Whether names or inputs say so.
    told: bool,
}

/// The readings of the graph as a set, or why it is none that can be read; none if it is not a set.
pub(super) fn readings(e: &Evidence<'_>) -> Result<Vec<Reading>, String> {
    let Some(set) = find(e) else { return Ok(Vec::new()) };
    let matrix = set.scores.is_some_and(|s| s.rank() == 3 && set.labels.is_none());
    if matrix {
        return scored(e, set);
    }
    let found = suppressed(e, set);
    if coco(e.labels) && found.iter().all(|r| r.outputs[0].background) {
        return Err("its labels count from the background, and COCO's own numbers go to 90 and leave out eleven: the 80 names in \
                    a row would name every box wrongly after the eleventh. Name all 90, with any name for those that are left \
                    out, or, if it was trained on these 80 alone, say so with `andon model init FILE --into \
                    FOLDER --decoder ssd` and set model= to FOLDER"
            .into());
    }
    Ok(found)
}

/// Whether a port holds boxes: four numbers each, or five.
fn holds_boxes(p: &Port, widths: &[i64]) -> bool {
    p.float()
        && (2..=4).contains(&p.rank())
        && widths.contains(&p.last())
        && (p.rank() < 4 || p.shape[1] == 1 || p.shape[2] == 1)
}

/// Whether a port holds one number a box.
fn holds_one(p: &Port, boxes: &Port) -> bool {
    let list = p.rank() + 1 == boxes.rank() || (p.rank() == boxes.rank() && p.last() == 1);
    let (n, m) = (boxes.shape[boxes.rank() - 2], p.shape.iter().copied().filter(|d| *d != 1).max().unwrap_or(1));
    list && (n < 0 || m < 0 || n == m || (n == 1 && m == 1))
}

/// Finds the roles.
fn find<'a>(e: &'a Evidence<'_>) -> Option<Set<'a>> {
    // What TensorFlow gives beside its results.
    let aside = |p: &&Port| {
        !p.plain().starts_with("raw_") && !p.plain().contains("anchor") && !p.plain().contains("multiclass")
    };
    let all: Vec<_> = e.graph.outputs.iter().filter(aside).collect();
    let has = |p: &Port, words: &[&str]| words.iter().any(|w| p.plain().to_lowercase().contains(w));
    let only = |mut list: Vec<&'a Port>, words: &[&str]| {
        if list.len() > 1 {
            list.retain(|p| has(p, words));
        }
        (list.len() == 1).then(|| list[0])
    };
    let boxes = only(all.iter().copied().filter(|p| holds_boxes(p, &[4])).collect(), &["box", "dets"])
        .or_else(|| only(all.iter().copied().filter(|p| holds_boxes(p, &[5])).collect(), &["box", "dets"]))?;
    let rest: Vec<_> = all.into_iter().filter(|p| p.name != boxes.name).collect();
    let count =
        rest.iter().copied().find(|p| has(p, &["num_", "count"]) && p.shape.iter().all(|d| matches!(d, 1 | -1)));
    let rest: Vec<_> = rest.into_iter().filter(|p| count.is_none_or(|c| c.name != p.name)).collect();
    let ones: Vec<_> = rest.iter().copied().filter(|p| holds_one(p, boxes)).collect();
    let labels = only(ones.iter().copied().filter(|p| p.integer()).collect(), &["label", "class"])
        .or_else(|| ones.iter().copied().find(|p| has(p, &["class", "label"])));
    let floats = ones.iter().copied().filter(|p| p.float() && labels.is_none_or(|l| l.name != p.name)).collect();
    let scores = only(floats, &["score", "conf"]);
    let matrix = |p: &&Port| p.float() && p.rank() == 3 && boxes.rank() == 3 && p.shape[1] == boxes.shape[1];
    let scores = match boxes.last() {
        5 => None,
        _ if labels.is_none() => only(rest.iter().copied().filter(matrix).collect(), &["logit", "score", "label"]),
        _ => scores,
    };
    let masks = rest.iter().copied().find(|p| p.float() && (p.rank() == 4 || (p.rank() == 3 && has(p, &["mask"]))));
    let enough = scores.is_some() || (boxes.last() == 5 && labels.is_some());
    enough.then_some(Set { boxes, scores, labels, count, masks })
}

fn outputs(e: &Evidence<'_>, set: Set<'_>, decoder: Decoder, masks: bool) -> Vec<Output> {
    let role = |port: Option<&Port>, role| {
        port.map(|p| Output { role: Some(role), ..Output::new(&p.name, decoder, Vec::new()) })
    };
    let mut list: Vec<_> = [
        role(Some(set.boxes), Role::Boxes),
        role(set.scores, Role::Scores),
        role(set.labels, Role::Labels),
        role(set.count, Role::Count),
        role(set.masks.filter(|_| masks), Role::Masks),
    ]
    .into_iter()
    .flatten()
    .collect();
    list[0].labels = e.labels.to_vec();
    if masks && set.masks.is_some() {
        list[0].head = Head::Segment;
    }
    list
}

/// Whether these are COCO's 80 names in a row.
fn coco(labels: &[String]) -> bool {
    let at = |i: usize, name| labels.get(i).is_some_and(|l| l.eq_ignore_ascii_case(name));
    labels.len() == 80 && at(0, "person") && at(11, "stop sign") && at(79, "toothbrush")
}

/// A label that stands for the background, where the user names it.
fn names_background(e: &Evidence<'_>) -> bool {
    e.labels.first().is_some_and(|l| matches!(l.to_lowercase().trim_matches('_'), "background" | "bg"))
}

/// Sets with one label and one score a box: graphs that suppress by themselves.
fn suppressed(e: &Evidence<'_>, set: Set<'_>) -> Vec<Reading> {
    let name = set.boxes.plain();
    let told = |form, background| vec![Meaning { form, background, told: true }];
    let flat = set.boxes.rank() == 2;
    let floats = set.labels.is_none_or(Port::float);
    let torchvision = flat && e.graph.outputs.len() >= 3 && set.labels.is_some() && {
        let at = |p: Option<&Port>| p.and_then(|p| e.graph.outputs.iter().position(|o| o.name == p.name));
        let named = name == "boxes" && set.scores.is_some_and(|s| s.plain() == "scores");
        named || (at(Some(set.boxes)) < at(set.labels) && at(set.labels) < at(set.scores))
    };
    let meanings = if name == "detection_boxes" && floats {
        told(BoxForm::CornersYFirstNormalised, true)
    } else if name == "detected_boxes" {
        told(BoxForm::CornersNormalised, false)
    } else if e.takes("orig_target_sizes") || name == "dets" || name == "det_boxes" || name.ends_with("_pred_boxes") {
        told(BoxForm::Corners, false)
    } else if torchvision {
        // Its labels begin after the background; a graph that names label 0 is no torchvision's.
        vec![Meaning { form: BoxForm::Corners, background: true, told: true }]
    } else {
        let forms = [BoxForm::Corners, BoxForm::CornersNormalised];
        let pairs = forms.into_iter().flat_map(|form| [false, true].map(|b| (form, b)));
        pairs.map(|(form, background)| Meaning { form, background, told: false }).collect()
    };
    meanings.into_iter().map(|m| meant(e, set, m)).collect()
}

fn meant(e: &Evidence<'_>, set: Set<'_>, m: Meaning) -> Reading {
    // Where the user names the background too, labels count from it.
    let background = m.background && !names_background(e);
    let mut list = outputs(e, set, Decoder::Ssd, true);
    (list[0].boxes, list[0].background) = (Some(m.form), background);
    let form = serde_json::to_value(m.form).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default();
    let from = if background { 1 } else { 0 };
    let family = format!("boxes that the graph suppressed itself, {form}, with labels from {from}");
    let set_by = format!("outputs[0].boxes {form} and background {background} in a model.json with the decoder ssd");
    let names = [Some(set.boxes), set.scores, set.labels].map(|p| p.map(|p| p.name.clone()));
    let labels = e.labels.len();
    let first = f32::from(u8::from(background));
    let reading = Reading::new(family, set_by, list);
    reading.tested(move |runs| {
        let mut weight = Weight::Possible;
        for run in runs {
            weight = weight.max(one_each(run, &names, m, first, labels)?);
        }
        Ok(weight)
    })
}

/// Judges what a set means by a run: the boxes with a score show it.
fn one_each(run: &Seen, names: &[Option<String>; 3], m: Meaning, first: f32, labels: usize) -> Verdict {
    let of = |i: usize| names[i].as_ref().and_then(|n| run.of(n));
    let boxes = of(0).ok_or("it gives no boxes")?;
    let width = boxes.shape.last().map_or(4, |w| *w as usize).max(1);
    let rows: Vec<_> = boxes.data.chunks_exact(width).collect();
    let score = |i: usize| of(1).map_or_else(|| rows[i].get(4).copied(), |s| s.data.get(i).copied()).unwrap_or(0.0);
    let live: Vec<_> = (0..rows.len()).filter(|i| score(*i) > 0.0).collect();
    if live.iter().any(|i| !score(*i).is_finite() || rows[*i].iter().any(|v| !v.is_finite())) {
        return Err("it gives NaN or infinity".into());
    }
    if let Some(i) = live.iter().find(|i| score(**i) > 1.05) {
        return Err(format!("a score would be {}, which is not within 0..1", score(*i)));
    }
    if live.is_empty() {
        return Ok(Weight::Possible);
    }
    let within = live.iter().all(|i| rows[*i][..4].iter().all(|v| (-0.5..=1.5).contains(v)));
    if within != (m.form != BoxForm::Corners) {
        let problem = if within {
            "all its boxes are within 0..1, so they are not in pixels"
        } else {
            "its boxes are beyond 0..1"
        };
        return Err(problem.into());
    }
    if let Some(named) = of(2) {
        for i in live {
            let label = named.data.get(i).copied().unwrap_or(-1.0);
            let at = label - first;
            if label >= 0.0 && (label.fract() != 0.0 || at < 0.0 || at >= labels as f32) {
                return Err(format!("it names label {label}, and there are {labels}, counted from {first}"));
            }
        }
    }
    Ok(Weight::Likely)
}

/// Sets with a score for each label of each box: DETR and its kin, and detectors that leave suppression to the reader.
fn scored(e: &Evidence<'_>, set: Set<'_>) -> Result<Vec<Reading>, String> {
    let Some(scores) = set.scores else { return Ok(Vec::new()) };
    let (n, c) = (e.count(), scores.last());
    let rfdetr = set.boxes.plain() == "dets";
    let hugging = matches!(set.boxes.plain(), "pred_boxes") || rfdetr;
    let say = |more: &str| format!("{more} in a model.json");
    let mut found = Vec::new();
    if c == n || c < 0 {
        let mut list = outputs(e, set, Decoder::Rtdetr, rfdetr);
        let mut family = "independent logits a label (RT-DETR, Deformable DETR, RF-DETR)";
        list[0].boxes = Some(BoxForm::CentreNormalised);
        found.push(matrix(e, set, family, say("outputs[0].decoder rtdetr"), list.clone(), Kind::Logits));
        list[0].activation = Some(Activation::None);
        family = "scores of 0..1 a label (RT-DETR, Deformable DETR), which suppress by themselves";
        found.push(matrix(e, set, family, say("outputs[0].decoder rtdetr and activation none"), list, Kind::Scores));
        for (form, told) in [(BoxForm::Corners, "corners"), (BoxForm::Centre, "centre")] {
            let mut list = outputs(e, set, Decoder::Ssd, false);
            (list[0].boxes, list[0].suppress, list[0].activation) = (Some(form), Some(true), Some(Activation::None));
            let family = format!("scores a label of boxes in pixels, {told}, not suppressed yet (YOLO-NAS)");
            let by = say(&format!("outputs[0].decoder ssd, boxes {told} and suppress true"));
            found.push(matrix(e, set, &family, by, list, Kind::Dense(form)));
        }
    }
    if (c == n + 1 || c < 0) && !rfdetr {
        let mut list = outputs(e, set, Decoder::Detr, false);
        list[0].boxes = Some(BoxForm::CentreNormalised);
        let family = "logits that exclude each other, the last for nothing (DETR)";
        found.push(matrix(e, set, family, say("outputs[0].decoder detr"), list, Kind::Exclusive));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    if !hugging && !matches!(c - n, 1..=16) {
        return Ok(found);
    }
    let name = &scores.name;
    let way = if c == 91 && n == 80 {
        "COCO's own numbers go to 90 and leave out eleven, so that 80 names in a row would name every box wrongly after the \
         eleventh: name all 91, with any name for those that are left out"
            .to_string()
    } else if c == n + 1 {
        format!(
            "one more may be for nothing: after the labels (name {c} labels), or before them (`andon model init FILE --into FOLDER \
             --decoder rtdetr`, outputs[0].background true in its model.json, and model= set to FOLDER)"
        )
    } else {
        format!("the labels must be {c} (RT-DETR, Deformable DETR, RF-DETR) or {} (DETR)", c - 1)
    };
    Err(format!("output '{name}' has {c} numbers a box, and there are {n} labels: {way}"))
}

/// What the matrix of scores holds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Logits, each for itself.
    Logits,
    /// Scores of 0..1, each for itself.
    Scores,
    /// Logits, the last for nothing.
    Exclusive,
    /// Scores of 0..1 of boxes in pixels, a box a cell.
    Dense(BoxForm),
}

fn matrix(e: &Evidence<'_>, set: Set<'_>, family: &str, by: String, list: Vec<Output>, kind: Kind) -> Reading {
    let (boxes, scores) = (set.boxes.name.clone(), set.scores.map(|s| s.name.clone()).unwrap_or_default());
    let n = e.labels.len();
    let reading = Reading::new(family, by, list);
    reading.tested(move |runs| {
        let mut weight = Weight::Possible;
        let mut shares = true;
        for run in runs {
            let (b, s) = (run.of(&boxes).ok_or("it gives no boxes")?, run.of(&scores).ok_or("it gives no scores")?);
            if b.broken() || s.broken() {
                return Err("it gives NaN or infinity".into());
            }
            let c = s.shape.last().copied().unwrap_or(0) as usize;
            let wanted = if kind == Kind::Exclusive { n + 1 } else { n };
            if c != wanted {
                return Err(format!("it gives {c} numbers a box, and {wanted} are needed"));
            }
            let [lo, hi] = s.range();
            shares &= lo >= -0.05 && hi <= 1.05;
            weight = weight.max(placed(b.data.chunks_exact(4), kind, run)?);
            if kind == Kind::Exclusive && nothing_leads(s.data.chunks_exact(c.max(1))) == Some(false) {
                return Err("few boxes are for nothing by their last number, as most of DETR's are".into());
            }
            if kind == Kind::Logits && nothing_leads(s.data.chunks_exact(c.max(1))) == Some(true) {
                return Err(format!(
                    "most boxes have the last label, as DETR says that there is nothing: name {} labels",
                    n - 1
                ));
            }
        }
        match kind {
            Kind::Logits if shares => Err("its numbers are all within 0..1, so they are scores already".into()),
            Kind::Scores | Kind::Dense(_) if !shares => Err("its numbers are beyond 0..1, so they are logits".into()),
            _ => Ok(weight),
        }
    })
}

/// Whether most boxes have their highest logit, above nought, in the last place; `None` of too few boxes to tell.
fn nothing_leads<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Option<bool> {
    let (mut all, mut last) = (0, 0);
    for row in rows {
        let top = row.iter().copied().fold(f32::MIN, f32::max);
        all += 1;
        last += usize::from(row.len() > 1 && top > 0.0 && row.last() == Some(&top));
    }
    (all > 4).then_some(last * 2 > all)
}

/// Judges where boxes lie.
fn placed<'a>(rows: impl Iterator<Item = &'a [f32]>, kind: Kind, run: &Seen) -> Verdict {
    let rows: Vec<_> = rows.collect();
    let live: Vec<_> = rows.iter().filter(|r| r.iter().any(|v| *v != 0.0)).collect();
    let within = !live.is_empty() && live.iter().all(|r| r.iter().all(|v| (-0.5..=1.5).contains(v)));
    let Kind::Dense(form) = kind else {
        return match (within, live.is_empty()) {
            (true, _) => Ok(Weight::Likely),
            (_, true) => Ok(Weight::Possible),
            _ => Err("its boxes are beyond 0..1".into()),
        };
    };
    if within {
        return Err("all its boxes are within 0..1, so they are not in pixels".into());
    }
    let corners = live.iter().all(|r| r[2] >= r[0] && r[3] >= r[1]);
    match form {
        BoxForm::Corners if !corners => Err("left is right of right in a box".into()),
        BoxForm::Centre if corners => Err("each box has its left before its right, as corners have".into()),
        _ if cells(run.size).contains(&(rows.len() as i64)) => Ok(Weight::Likely),
        _ => Ok(Weight::Possible),
    }
}
