// SPDX-License-Identifier: MPL-2.0
//! The YOLO families: boxes and scores in one output, and prototypes of masks in a second one.
//!
//! Layouts: Ultralytics' documentation of its export formats (YOLOv5, v8 and later, YOLO26), Wang et al., "YOLOv7",
//! 2022; Wang et al., "YOLOv10", 2024; Ge et al., "YOLOX: Exceeding YOLO Series in 2021", 2021.

use andon_model::{BoxForm, Head, Role};

use super::{
    boxes::Candidates,
    decoded::Decoded,
    error::DecodeError,
    family::{Family, is_padding},
    geometry::to_pixels,
    masks::Prototypes,
    outputs::{View, Views},
};

/// An output as N candidates of R numbers each. Number `r` of candidate `i` lies at `i * step + r * stride`.
#[derive(Clone, Copy)]
struct Table<'a> {
    data: &'a [f32],
    len: usize,
    step: usize,
    stride: usize,
}

impl<'a> Table<'a> {
    /// Reads (1, R, N), (1, N, R) or (N, R).
    fn new(view: &View<'a>, numbers: usize, family: &str, labels: usize) -> Result<Self, DecodeError> {
        let (data, r) = (view.data, numbers as i64);
        match *view.shape {
            [1, n, k] if k == r => Ok(Self { data, len: n as usize, step: numbers, stride: 1 }),
            [1, k, n] if k == r => Ok(Self { data, len: n as usize, step: 1, stride: n as usize }),
            [n, k] if k == r => Ok(Self { data, len: n as usize, step: numbers, stride: 1 }),
            _ => Err(view.misshaped(format!(
                "{family} with {labels} labels needs [1, N, {numbers}] or [1, {numbers}, N]: correct \
                 outputs[0].decoder, head or labels in model.json, or the labels property"
            ))),
        }
    }

    fn at(&self, i: usize, r: usize) -> f32 {
        self.data[i * self.step + r * self.stride]
    }

    fn four(&self, i: usize) -> [f32; 4] {
        [0, 1, 2, 3].map(|r| self.at(i, r))
    }

    /// Finds the best score of each candidate, among the `labels` numbers from `first` on.
    fn best(&self, first: usize, labels: usize, best: &mut Vec<f32>) {
        best.clear();
        best.resize(self.len, f32::MIN);
        // Without a branch and without the label, which few candidates need, so that vector instructions do many at once.
        let better = |best: f32, score: f32| if score > best { score } else { best };
        if self.step == 1 {
            // Class by class, so that memory is read in order.
            for class in first..first + labels {
                let scores = &self.data[class * self.stride..][..self.len];
                best.iter_mut().zip(scores).for_each(|(b, s)| *b = better(*b, *s));
            }
        } else {
            for (i, b) in best.iter_mut().enumerate() {
                let scores = &self.data[i * self.step + first..][..labels];
                *b = scores.iter().fold(*b, |b, s| better(b, *s));
            }
        }
    }

    /// The first label of candidate `i` with this score.
    fn label(&self, i: usize, first: usize, labels: usize, score: f32) -> u32 {
        (0..labels).find(|l| self.at(i, first + l) == score).unwrap_or(0) as u32
    }

    /// The weights of masks, which lie from number `first` on.
    fn weights(&self, planes: &'a View<'a>, first: usize) -> Prototypes<'a> {
        let (from, step, stride) = (first * self.stride, self.step, self.stride);
        Prototypes::Weighted { planes, weights: self.data, from, step, stride }
    }
}

/// The prototypes of a segmenting head, and the number of weights that a candidate has for them.
fn prototypes<'v>(f: &Family<'_>, views: &'v Views<'_>) -> Result<(Option<&'v View<'v>>, usize), DecodeError> {
    if f.head() != Head::Segment {
        return Ok((None, 0));
    }
    let planes = views.need(Role::Masks)?;
    Ok((Some(planes), Prototypes::count(planes)?))
}

/// YOLOv8, 9, 11, 12.
pub(super) fn v8(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    let (labels, oriented) = (f.labels.len(), f.head() == Head::Oriented);
    let (planes, weights) = prototypes(f, views)?;
    let numbers = 4 + labels + weights + usize::from(oriented);
    let table = Table::new(views.need(Role::Main)?, numbers, "yolov8", labels)?;
    let mut best = std::mem::take(&mut candidates.best);
    table.best(4, labels, &mut best);
    for (i, score) in best.iter().enumerate() {
        if candidates.wants(*score) {
            let class = table.label(i, 4, labels, *score);
            let angle = if oriented { table.at(i, 4 + labels) } else { 0.0 };
            candidates.add(i, class, *score, to_pixels(f.boxes(BoxForm::Centre), table.four(i), f.mapping), angle);
        }
    }
    candidates.best = best;
    let masks = planes.map(|p| table.weights(p, 4 + labels));
    f.finish(true).run(candidates, masks.as_ref())
}

/// YOLOv5 and YOLOv7. Their training leaves the score of an only label untouched (YOLOv5's then stays at 1), and YOLOv7's own
/// suppression takes the fifth number for the score.
pub(super) fn v5(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    let labels = f.labels.len();
    let (planes, weights) = prototypes(f, views)?;
    let table = Table::new(views.need(Role::Main)?, 5 + labels + weights, "yolov5", labels)?;
    let place = |i| to_pixels(f.boxes(BoxForm::Centre), table.four(i), f.mapping);
    if labels == 1 {
        for i in 0..table.len {
            if candidates.wants(table.at(i, 4)) {
                candidates.add(i, 0, table.at(i, 4), place(i), 0.0);
            }
        }
    } else {
        objects(f, &table, candidates, place);
    }
    let masks = planes.map(|p| table.weights(p, 5 + labels));
    f.finish(true).run(candidates, masks.as_ref())
}

/// YOLOX.
pub(super) fn x(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    const STRIDES: [usize; 3] = [8, 16, 32];
    let (labels, view) = (f.labels.len(), views.need(Role::Main)?);
    let table = Table::new(view, 5 + labels, "yolox", labels)?;
    if !f.output.grid {
        objects(f, &table, candidates, |i| to_pixels(f.boxes(BoxForm::Centre), table.four(i), f.mapping));
        return f.finish(true).run(candidates, None);
    }
    let size = f.mapping.model.map(|v| v as usize);
    let cells = |stride: usize| (size[0] / stride, size[1] / stride);
    let all: usize = STRIDES.iter().map(|s| cells(*s).0 * cells(*s).1).sum();
    if table.len != all {
        let (output, [width, height]) = (view.name.into(), size);
        return Err(DecodeError::Grid { output, candidates: table.len, cells: all, width, height });
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
    f.finish(true).run(candidates, None)
}

/// Adds candidates whose fifth number is the confidence that there is an object; it multiplies the scores.
fn objects(f: &Family<'_>, table: &Table<'_>, candidates: &mut Candidates, place: impl Fn(usize) -> [f32; 4]) {
    let mut best = std::mem::take(&mut candidates.best);
    table.best(5, f.labels.len(), &mut best);
    for (i, best) in best.iter().enumerate() {
        let score = best * table.at(i, 4);
        if candidates.wants(score) {
            candidates.add(i, table.label(i, 5, f.labels.len(), *best), score, place(i), 0.0);
        }
    }
    candidates.best = best;
}

/// YOLOv10 and YOLO26, whose head selects the best candidates itself.
pub(super) fn end_to_end(
    f: &Family<'_>,
    views: &Views<'_>,
    candidates: &mut Candidates,
) -> Result<Decoded, DecodeError> {
    let oriented = f.head() == Head::Oriented;
    let (planes, weights) = prototypes(f, views)?;
    let view = views.need(Role::Main)?;
    let table = Table::new(view, 6 + weights + usize::from(oriented), "yolo-end-to-end", f.labels.len())?;
    let usual = if oriented { BoxForm::Centre } else { BoxForm::Corners };
    for i in 0..table.len {
        if !is_padding(table.at(i, 5)) && candidates.wants(table.at(i, 4)) {
            let class = f.label(view.name, table.at(i, 5))?;
            let angle = if oriented { table.at(i, 6) } else { 0.0 };
            let bbox = to_pixels(f.boxes(usual), table.four(i), f.mapping);
            candidates.add(i, class, table.at(i, 4), bbox, angle);
        }
    }
    let masks = planes.map(|p| table.weights(p, 6));
    f.finish(false).run(candidates, masks.as_ref())
}

/// YOLOv7 with its own suppression: rows of frame, corners, label, score. There are no rows if nothing was found.
pub(super) fn v7_end_to_end(
    f: &Family<'_>,
    views: &Views<'_>,
    candidates: &mut Candidates,
) -> Result<Decoded, DecodeError> {
    let view = views.need(Role::Main)?;
    let table = Table::new(view, 7, "yolov7-end-to-end", f.labels.len())?;
    for i in 0..table.len {
        if !is_padding(table.at(i, 5)) && candidates.wants(table.at(i, 6)) {
            let class = f.label(view.name, table.at(i, 5))?;
            let corners = [1, 2, 3, 4].map(|r| table.at(i, r));
            candidates.add(i, class, table.at(i, 6), to_pixels(f.boxes(BoxForm::Corners), corners, f.mapping), 0.0);
        }
    }
    f.finish(false).run(candidates, None)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Data,
        testing::{T, detector, found, listed, run, run_with},
    };
    use andon_core::result::{Status, Verdict};
    use andon_model::Thresholds;
    use serde_json::json;

    /// Centre, width, height of a box in the model's input, and where it lies in the frame.
    const BOX: [f32; 4] = [20.0, 30.0, 8.0, 4.0];
    const PLACE: [f32; 4] = [32.0, 24.0, 16.0, 8.0];

    fn with(numbers: &[f32]) -> Vec<f32> {
        BOX.iter().chain(numbers).copied().collect()
    }

    #[test]
    fn a_yolov5_score_is_that_of_anything_times_that_of_the_label() {
        let rows = [with(&[0.75, 0.25, 0.875]), with(&[0.5, 0.9, 0.9])].concat();
        let o = run(&mut detector("yolov5", json!({})), &[("o", &[1, 2, 7], Data::F32(&rows))]).unwrap();
        assert_eq!((found(&o), o.verdict), (vec![(1, 0.65625, PLACE)], Verdict::Ng));
    }

    #[test]
    fn yolov8_boxes_of_two_labels_stay_two_unless_labels_do_not_matter() {
        let rows = [with(&[0.75, 0.0]), with(&[0.0, 0.625])].concat();
        let mut d = detector("yolov8", json!({}));
        let both = run(&mut d, &[("o", &[1, 2, 6], Data::F32(&rows))]).unwrap();
        assert_eq!(found(&both), [(0, 0.75, PLACE), (1, 0.625, PLACE)]);
        let t = Thresholds { agnostic: true, ..T };
        let one = run_with(&mut d, &[("o", &[1, 2, 6], Data::F32(&rows))], &t).unwrap();
        assert_eq!(found(&one), [(0, 0.75, PLACE)]);
    }

    #[test]
    fn no_more_than_max_detections_are_told_and_the_best_are() {
        let row = |x: f32, score: f32| [x, 30.0, 4.0, 4.0, score, 0.0];
        let rows = [row(10.0, 0.6), row(20.0, 0.9), row(30.0, 0.7)].concat();
        let t = Thresholds { max_detections: 2, ..T };
        let o = run_with(&mut detector("yolov8", json!({})), &[("o", &[1, 3, 6], Data::F32(&rows))], &t).unwrap();
        assert_eq!(o.detections.iter().map(|d| d.score).collect::<Vec<_>>(), [0.9, 0.7]);
    }

    #[test]
    fn a_box_in_the_padding_is_none_and_does_not_make_a_frame_bad() {
        let rows = [20.0, 6.0, 8.0, 8.0, 0.9, 0.0];
        let o = run(&mut detector("yolov8", json!({})), &[("o", &[1, 1, 6], Data::F32(&rows))]).unwrap();
        assert_eq!((o.detections.len(), o.verdict), (0, Verdict::Ok));
        assert!(o.score < T.score);
    }

    #[test]
    fn an_oriented_box_keeps_its_size_and_tells_its_angle() {
        let mut d = detector("yolov8", json!({"head": "oriented"}));
        let rows = with(&[0.1, 0.75, 0.5]);
        let o = run(&mut d, &[("o", &[1, 1, 7], Data::F32(&rows))]).unwrap();
        assert_eq!((found(&o), o.detections[0].angle), (vec![(1, 0.75, PLACE)], Some(0.5)));
        // An oriented box may reach over the edge: it is not clipped, and its centre counts.
        let edge = [1.0, 30.0, 8.0, 4.0, 0.1, 0.75, 1.5];
        let o = run(&mut d, &[("o", &[1, 1, 7], Data::F32(&edge))]).unwrap();
        assert!(found(&o)[0].2.iter().zip([-6.0, 24.0, 16.0, 8.0]).all(|(a, b)| (a - b).abs() < 1e-4), "{o:?}");
    }

    #[test]
    fn a_segmenting_head_has_masks_from_the_second_output() {
        let outputs = json!([
            {"name": "o", "decoder": "yolov8", "labels": ["a", "b"], "head": "segment"},
            {"name": "protos", "decoder": "yolov8"}
        ]);
        // One prototype of 16×16: positive to the left of the box's middle.
        let planes: Vec<f32> = (0..256).map(|i| if i % 16 < 5 { 1.0 } else { -1.0 }).collect();
        for (family, rows, r) in [("yolov8", with(&[0.75, 0.0, 2.0]), 7), ("yolov5", with(&[1.0, 0.75, 0.0, 2.0]), 8)] {
            let mut outputs = outputs.clone();
            (outputs[0]["decoder"], outputs[1]["decoder"]) = (family.into(), family.into());
            let all = [("o", &[1, 1, r][..], Data::F32(&rows)), ("protos", &[1, 1, 16, 16][..], Data::F32(&planes))];
            let o = run(&mut listed(outputs), &all).unwrap();
            let mask = o.detections[0].mask.as_ref().unwrap();
            assert_eq!((mask.width, mask.height, &*mask.values), (2, 1, &[1, 0][..]), "{family}");
            assert_eq!(mask.region, PLACE, "{family}");
        }
    }

    #[test]
    fn without_prototypes_a_segmenting_head_says_what_is_missing() {
        let mut d = detector("yolov8", json!({"head": "segment"}));
        let e = run(&mut d, &[("o", &[1, 1, 7], Data::F32(&[0.0; 7]))]).unwrap_err().to_string();
        assert!(e.contains("masks") && e.contains("outputs of model.json"), "{e}");
    }

    #[test]
    fn an_end_to_end_head_is_taken_at_its_word() {
        let row = |score: f32, class: f32| [16.0, 28.0, 24.0, 32.0, score, class];
        // A row of label -1 is padding, and below the threshold a label needs no name.
        let rows = [row(0.9, 0.0), row(0.8, 0.0), row(0.7, 1.0), row(0.4, 2.0), row(0.95, -1.0)].concat();
        let mut d = detector("yolo-end-to-end", json!({}));
        let o = run(&mut d, &[("o", &[1, 5, 6], Data::F32(&rows))]).unwrap();
        assert_eq!(found(&o), [(0, 0.9, PLACE), (0, 0.8, PLACE), (1, 0.7, PLACE)], "nothing is suppressed");
        let mut less = detector("yolo-end-to-end", json!({"suppress": true}));
        let o = run(&mut less, &[("o", &[1, 5, 6], Data::F32(&rows))]).unwrap();
        assert_eq!(found(&o), [(0, 0.9, PLACE), (1, 0.7, PLACE)]);
        // What the graph finds and the manifest cannot name is told, and so is a number that is none of a label.
        for (class, says) in [
            (2.0, &["'o'", "label 2", "has 2 names", "0 to 1", "outputs[0].labels"]),
            (0.4, &["'o'", "0.4", "no whole number", "decoder", "role"]),
        ] {
            let e = run(&mut d, &[("o", &[1, 1, 6], Data::F32(&row(0.6, class)))]).unwrap_err().to_string();
            assert!(says.iter().all(|s| e.contains(s)), "{e}");
        }
    }

    #[test]
    fn a_yolov5_or_v7_of_one_label_has_the_score_of_anything_and_a_yolox_has_not() {
        // The sixth number was never trained.
        let rows = with(&[0.9, 0.5]);
        for (family, more, score) in
            [("yolov5", json!({"labels": ["a"]}), 0.9), ("yolox", json!({"labels": ["a"], "grid": false}), 0.45)]
        {
            let t = Thresholds { score: 0.4, ..T };
            let o = run_with(&mut detector(family, more), &[("o", &[1, 1, 6], Data::F32(&rows))], &t).unwrap();
            assert_eq!(found(&o), [(0, score, PLACE)], "{family}");
        }
    }

    #[test]
    fn a_detection_whose_box_is_none_is_never_passed_over() {
        let all =
            |rows: &[f32]| run(&mut detector("yolo-end-to-end", json!({})), &[("o", &[1, 1, 6], Data::F32(rows))]);
        let (yes, no) = (0.9, 0.4);
        for (corners, score, status, says) in [
            ([f32::MAX, 0.0, f32::MIN, 4.0], yes, Status::NonFinite, "no number"),
            ([f32::MAX, 0.0, f32::MIN, 4.0], no, Status::Ok, ""),
            ([30.0, 28.0, 20.0, 32.0], yes, Status::Error, "outputs[0].boxes"),
            ([30.0, 28.0, 20.0, 32.0], no, Status::Ok, ""),
            // An empty box lies nowhere; rounding may turn its size.
            ([20.0, 28.0, 20.0, 32.0], yes, Status::Ok, ""),
            ([20.0, 28.0, 19.5, 32.0], yes, Status::Ok, ""),
        ] {
            let [a, b, c, d] = corners;
            let o = all(&[a, b, c, d, score, 0.0]).unwrap();
            assert_eq!((o.status, o.detections.len()), (status, 0), "{corners:?} {score}");
            assert!(
                o.reason.contains(says) && (status == Status::Ok || o.verdict == Verdict::Unjudged),
                "{}",
                o.reason
            );
        }
        // YOLOX's exponent, and a mask does not save a box.
        let mut rows = vec![0.0; 84 * 7];
        rows[2..7].copy_from_slice(&[100.0, 0.0, 1.0, 0.75, 0.0]);
        let o = run(&mut detector("yolox", json!({})), &[("o", &[1, 84, 7], Data::F32(&rows))]).unwrap();
        assert_eq!((o.status, o.verdict), (Status::NonFinite, Verdict::Unjudged));
    }

    #[test]
    fn logits_where_scores_are_read_are_refused() {
        for (family, more, says) in [("yolov8", json!({}), "export the graph"), ("rtdetr", json!({}), "\"sigmoid\"")] {
            let e = run(&mut detector(family, more), &[("o", &[1, 1, 6], Data::F32(&with(&[0.5, 7.5])))]).unwrap_err();
            assert!(e.to_string().contains("7.5") && e.to_string().contains(says), "{family}: {e}");
        }
    }

    #[test]
    fn yolov7_with_its_own_suppression_may_find_nothing_at_all() {
        let mut d = detector("yolov7-end-to-end", json!({}));
        let o = run(&mut d, &[("o", &[1, 7], Data::F32(&[0.0, 16.0, 28.0, 24.0, 32.0, 1.0, 0.9]))]).unwrap();
        assert_eq!(found(&o), [(1, 0.9, PLACE)]);
        let o = run(&mut d, &[("o", &[0, 7], Data::F32(&[]))]).unwrap();
        assert_eq!((o.detections.len(), o.verdict, o.score), (0, Verdict::Ok, 0.0));
    }

    #[test]
    fn yolox_boxes_are_in_cells_of_three_grids() {
        // 64×64: 8×8, 4×4 and 2×2 cells.
        let mut rows = vec![0.0; 84 * 7];
        let mut put = |i: usize, numbers: [f32; 7]| rows[i * 7..][..7].copy_from_slice(&numbers);
        // Cell (2, 3) of stride 8; cell (1, 2) of stride 16; the last of stride 32.
        put(3 * 8 + 2, [0.5, 0.75, 0.0, 0.5f32.ln(), 1.0, 0.75, 0.0]);
        put(64 + 2 * 4 + 1, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.625]);
        put(83, [0.0, 0.0, 0.0, 0.0, 1.0, 0.5625, 0.0]);
        let o = run(&mut detector("yolox", json!({})), &[("o", &[1, 84, 7], Data::F32(&rows))]).unwrap();
        let wanted = [(0, 0.75, PLACE), (1, 0.625, [16.0, 16.0, 32.0, 32.0]), (0, 0.5625, [32.0, 0.0, 64.0, 64.0])];
        assert_eq!(found(&o), wanted);
    }

    #[test]
    fn yolox_without_its_grid_is_in_pixels() {
        let rows = with(&[1.0, 0.75, 0.0]);
        let o = run(&mut detector("yolox", json!({"grid": false})), &[("o", &[1, 1, 7], Data::F32(&rows))]).unwrap();
        assert_eq!(found(&o), [(0, 0.75, PLACE)]);
        let e = run(&mut detector("yolox", json!({})), &[("o", &[1, 1, 7], Data::F32(&rows))]).unwrap_err().to_string();
        assert!(e.contains("84") && e.contains("outputs[0].grid"), "{e}");
    }

    #[test]
    fn half_precision_says_the_same() {
        let rows: Vec<_> = with(&[0.75, 0.0]).into_iter().map(half::f16::from_f32).collect();
        let o = run(&mut detector("yolov8", json!({})), &[("o", &[1, 1, 6], Data::F16(&rows))]).unwrap();
        assert_eq!(found(&o), [(0, 0.75, PLACE)]);
    }

    #[test]
    fn a_wrong_shape_is_told_what_each_family_needs() {
        for (family, more, needs) in [
            ("yolov5", json!({}), "[1, N, 7]"),
            ("yolov8", json!({"head": "oriented"}), "[1, N, 7]"),
            ("yolo-end-to-end", json!({}), "[1, N, 6]"),
            ("yolov7-end-to-end", json!({}), "[1, N, 7]"),
            ("yolox", json!({}), "[1, N, 7]"),
        ] {
            let e =
                run(&mut detector(family, more), &[("o", &[1, 9, 9], Data::F32(&[0.0; 81]))]).unwrap_err().to_string();
            assert!(e.contains(family) && e.contains("[1, 9, 9]") && e.contains(needs), "{e}");
            assert!(e.contains("outputs[0]"), "{e}");
        }
    }
}
