// SPDX-License-Identifier: MPL-2.0
//! The YOLO families: anchors with boxes and scores in one output, with prototypes of masks in a second one.
//!
//! Layouts: Ultralytics' documentation of its export formats (YOLOv5, v8 and later, YOLO26), Wang et al., "YOLOv7",
//! 2022; Wang et al., "YOLOv10", 2024; Ge et al., "YOLOX: Exceeding YOLO Series in 2021", 2021.

use super::{
    Family, Outcome,
    boxes::{Candidates, to_pixels},
    masks::Prototypes,
    outputs::{View, Views},
};
use crate::model::{BoxForm, Head, Role};

/// An output as N candidates of R numbers: number `r` of candidate `i` lies at `i * step + r * stride`.
#[derive(Clone, Copy)]
struct Table<'a> {
    data: &'a [f32],
    len: usize,
    step: usize,
    stride: usize,
}

impl<'a> Table<'a> {
    /// (1, R, N), (1, N, R) or (N, R).
    fn new(view: &View<'a>, numbers: usize, what: &str) -> Result<Self, String> {
        let (data, r) = (view.data, numbers as i64);
        match *view.shape {
            [1, n, k] if k == r => Ok(Self { data, len: n as usize, step: numbers, stride: 1 }),
            [1, k, n] if k == r => Ok(Self { data, len: n as usize, step: 1, stride: n as usize }),
            [n, k] if k == r => Ok(Self { data, len: n as usize, step: numbers, stride: 1 }),
            ref shape => Err(format!(
                "output '{}' has shape {shape:?}, {what} needs [1, N, {numbers}] or [1, {numbers}, N]: correct \
                 outputs[0].decoder, head or labels in model.json, or the labels property",
                view.name
            )),
        }
    }

    fn at(&self, i: usize, r: usize) -> f32 {
        self.data[i * self.step + r * self.stride]
    }

    fn four(&self, i: usize) -> [f32; 4] {
        [0, 1, 2, 3].map(|r| self.at(i, r))
    }

    /// Best score and its label for each candidate, of the `labels` numbers from `first` on.
    fn best(&self, first: usize, labels: usize, best: &mut Vec<(f32, u32)>) {
        best.clear();
        best.resize(self.len, (f32::MIN, 0));
        let better = |best: &mut (f32, u32), score: f32, class: usize| {
            if score > best.0 {
                *best = (score, class as u32);
            }
        };
        if self.step == 1 {
            // Class by class, so that memory is read in order.
            for class in 0..labels {
                let scores = &self.data[(first + class) * self.stride..][..self.len];
                best.iter_mut().zip(scores).for_each(|(b, s)| better(b, *s, class));
            }
        } else {
            for (i, b) in best.iter_mut().enumerate() {
                let scores = &self.data[i * self.step + first..][..labels];
                scores.iter().enumerate().for_each(|(class, s)| better(b, *s, class));
            }
        }
    }

    /// Where the weights of masks lie, from number `first` on.
    fn weights(&self, planes: &'a View<'a>, first: usize) -> Prototypes<'a> {
        let (from, step, stride) = (first * self.stride, self.step, self.stride);
        Prototypes::Weighted { planes, weights: self.data, from, step, stride }
    }
}

/// The prototypes of a segmenting head, and how many numbers a candidate has for them.
fn prototypes<'v>(f: &Family<'_>, views: &'v Views<'_>) -> Result<(Option<&'v View<'v>>, usize), String> {
    if f.head() != Head::Segment {
        return Ok((None, 0));
    }
    let planes = views.need(Role::Masks)?;
    Ok((Some(planes), Prototypes::count(planes)?))
}

/// YOLOv8, 9, 11, 12.
pub(super) fn v8(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    let (labels, oriented) = (f.labels.len(), f.head() == Head::Oriented);
    let (planes, weights) = prototypes(f, views)?;
    let what = format!("yolov8 with {labels} labels");
    let table = Table::new(views.need(Role::Main)?, 4 + labels + weights + usize::from(oriented), &what)?;
    let mut best = std::mem::take(&mut candidates.best);
    table.best(4, labels, &mut best);
    for (i, (score, class)) in best.iter().enumerate() {
        if candidates.wants(*score) {
            let angle = if oriented { table.at(i, 4 + labels) } else { 0.0 };
            candidates.add(i, *class, *score, to_pixels(f.boxes(BoxForm::Centre), table.four(i), f.mapping), angle);
        }
    }
    candidates.best = best;
    let masks = planes.map(|p| table.weights(p, 4 + labels));
    Ok(f.finish(true).run(candidates, masks.as_ref()))
}

/// YOLOv5 and YOLOv7; YOLOX without its grid.
pub(super) fn v5(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    let labels = f.labels.len();
    let (planes, weights) = prototypes(f, views)?;
    let table = Table::new(views.need(Role::Main)?, 5 + labels + weights, &format!("yolov5 with {labels} labels"))?;
    objects(f, &table, candidates, |i| to_pixels(f.boxes(BoxForm::Centre), table.four(i), f.mapping));
    let masks = planes.map(|p| table.weights(p, 5 + labels));
    Ok(f.finish(true).run(candidates, masks.as_ref()))
}

/// YOLOX.
pub(super) fn x(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    const STRIDES: [usize; 3] = [8, 16, 32];
    if !f.output.grid {
        return v5(f, views, candidates);
    }
    let (labels, view) = (f.labels.len(), views.need(Role::Main)?);
    let table = Table::new(view, 5 + labels, &format!("yolox with {labels} labels"))?;
    let size = f.mapping.model.map(|v| v as usize);
    let cells = |stride: usize| (size[0] / stride, size[1] / stride);
    let all: usize = STRIDES.iter().map(|s| cells(*s).0 * cells(*s).1).sum();
    if table.len != all {
        return Err(format!(
            "output '{}' has {} candidates, grids of strides 8, 16 and 32 have {all} at {}×{}: set outputs[0].grid to \
             false in model.json if its boxes are in pixels, or correct inputs[0].size",
            view.name, table.len, size[0], size[1]
        ));
    }
    let place = |mut i: usize| {
        for stride in STRIDES {
            let (columns, rows) = cells(stride);
            if i < columns * rows {
                return [i % columns, i / columns, stride].map(|v| v as f32);
            }
            i -= columns * rows;
        }
        unreachable!("the candidates were counted")
    };
    objects(f, &table, candidates, |i| {
        let ([column, row, stride], [x, y, w, h]) = (place(i), table.four(i));
        let (w, h) = (w.exp() * stride, h.exp() * stride);
        [(x + column) * stride - w / 2.0, (y + row) * stride - h / 2.0, w, h]
    });
    Ok(f.finish(true).run(candidates, None))
}

/// Candidates whose fifth number says how surely there is anything, which multiplies the scores.
fn objects(f: &Family<'_>, table: &Table<'_>, candidates: &mut Candidates, place: impl Fn(usize) -> [f32; 4]) {
    let mut best = std::mem::take(&mut candidates.best);
    table.best(5, f.labels.len(), &mut best);
    for (i, (score, class)) in best.iter().enumerate() {
        let score = score * table.at(i, 4);
        if candidates.wants(score) {
            candidates.add(i, *class, score, place(i), 0.0);
        }
    }
    candidates.best = best;
}

/// YOLOv10 and YOLO26, whose head ends in the best candidates.
pub(super) fn end_to_end(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    let oriented = f.head() == Head::Oriented;
    let (planes, weights) = prototypes(f, views)?;
    let table = Table::new(views.need(Role::Main)?, 6 + weights + usize::from(oriented), "yolo-end-to-end")?;
    let usual = if oriented { BoxForm::Centre } else { BoxForm::Corners };
    for i in 0..table.len {
        let Some(class) = f.class(table.at(i, 5)) else { continue };
        if candidates.wants(table.at(i, 4)) {
            let angle = if oriented { table.at(i, 6) } else { 0.0 };
            let bbox = to_pixels(f.boxes(usual), table.four(i), f.mapping);
            candidates.add(i, class, table.at(i, 4), bbox, angle);
        }
    }
    let masks = planes.map(|p| table.weights(p, 6));
    Ok(f.finish(false).run(candidates, masks.as_ref()))
}

/// YOLOv7 with its own suppression: rows of frame, corners, label, score; none where nothing was found.
pub(super) fn v7_end_to_end(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Outcome, String> {
    let table = Table::new(views.need(Role::Main)?, 7, "yolov7-end-to-end")?;
    for i in 0..table.len {
        let Some(class) = f.class(table.at(i, 5)) else { continue };
        if candidates.wants(table.at(i, 6)) {
            let corners = [1, 2, 3, 4].map(|r| table.at(i, r));
            candidates.add(i, class, table.at(i, 6), to_pixels(f.boxes(BoxForm::Corners), corners, f.mapping), 0.0);
        }
    }
    Ok(f.finish(false).run(candidates, None))
}
