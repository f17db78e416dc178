// SPDX-License-Identifier: MPL-2.0
//! Results follow the pixels of their frame.

use std::{f32::consts::FRAC_PI_2, sync::Arc};

use andon_core::result::{
    Anomaly, AnomalyMap, Arm, BoxPx, Detection, Frame, Inference, LabelArea, Mask, Segmentation, Verdict,
};

use super::transform::{Extent, Matrix, Placement, scaled};

const WHOLE: [u32; 2] = [1280, 640];

fn result(boxes: &[BoxPx]) -> Inference {
    let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), WHOLE);
    i.verdict = Verdict::Ng;
    i.detections = boxes.iter().map(|b| Detection::new(0, "open".into(), 0.9, *b)).collect();
    i
}

fn boxes(i: &Inference) -> Vec<BoxPx> {
    i.detections.iter().map(|d| d.bbox).collect()
}

fn square(size: [u32; 2]) -> Extent {
    Extent { size, pixel: [1, 1] }
}

/// The matrix that only scales and moves, as GStreamer makes it of two rectangles.
fn plain(from: [u32; 2], from_part: [i32; 4], to: [u32; 2], to_part: [i32; 4]) -> Matrix {
    let [across, down] = [2, 3].map(|i| to_part[i] as f32 / from_part[i] as f32);
    Matrix { from, from_part, to, to_part, rows: [[across, 0.0, 0.0], [0.0, down, 0.0], [0.0, 0.0, 1.0]] }
}

/// The matrix of GStreamer's `videoflip` for one of its directions.
fn flip(direction: &str, [w, h]: [u32; 2]) -> Matrix {
    let (right, bottom) = (w as f32 - 1.0, h as f32 - 1.0);
    let (across, down) = match direction {
        "identity" => ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
        "90r" => ([0.0, -1.0, bottom], [1.0, 0.0, 0.0]),
        "180" => ([-1.0, 0.0, right], [0.0, -1.0, bottom]),
        "90l" => ([0.0, 1.0, 0.0], [-1.0, 0.0, right]),
        "horiz" => ([-1.0, 0.0, right], [0.0, 1.0, 0.0]),
        "vert" => ([1.0, 0.0, 0.0], [0.0, -1.0, bottom]),
        "ul-lr" => ([0.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
        "ur-ll" => ([0.0, -1.0, bottom], [-1.0, 0.0, right]),
        other => panic!("{other} is no direction"),
    };
    let to = if across[0] == 0.0 { [h, w] } else { [w, h] };
    let all = |[w, h]: [u32; 2]| [0, 0, w as i32, h as i32];
    Matrix { from: [w, h], from_part: all([w, h]), to, to_part: all(to), rows: [across, down, [0.0, 0.0, 1.0]] }
}

fn placed(m: &Matrix, i: &Inference) -> Inference {
    Placement::of_matrix(m).expect("the matrix can be followed").place(i)
}

#[track_caller]
fn close(found: &BoxPx, expected: BoxPx) {
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?} is not {expected:?}");
}

#[test]
fn boxes_follow_a_change_of_size() {
    let s = scaled(&result(&[[10., 20., 30., 40.]]), WHOLE, [640, 640]);
    assert_eq!((boxes(&s), s.frame), (vec![[5., 20., 15., 40.]], [640, 640]));
}

#[test]
fn an_oriented_box_follows_a_change_of_size() {
    let mut i = result(&[[10., 20., 30., 40.]]);
    i.detections[0].angle = Some(FRAC_PI_2);
    let s = scaled(&i, WHOLE, [640, 640]);
    // A quarter turn: the width lies along y, which has not changed; the height along x, which is half.
    close(&s.detections[0].bbox, [-2.5, 30., 30., 20.]);
    assert!((s.detections[0].angle.unwrap() - FRAC_PI_2).abs() < 1e-5);
}

#[test]
fn a_result_of_a_frame_of_another_size_is_brought_to_this_one_first() {
    let half = Inference { frame: [640, 320], ..result(&[[100., 50., 50., 25.]]) };
    let s = placed(&plain(WHOLE, [100, 0, 1180, 640], [1180, 640], [0, 0, 1180, 640]), &half);
    assert_eq!((boxes(&s), s.frame), (vec![[100., 100., 100., 50.]], [1180, 640]));
}

#[test]
fn shapes_that_differ_may_have_borders_and_are_not_followed() {
    let stretched = |from, to| Placement::of_sizes(from, to).is_some();
    assert!(stretched(square([640, 640]), square([320, 320])));
    assert!(!stretched(square([640, 640]), square([1280, 720])), "borders left and right");
    assert!(!stretched(square([1280, 640]), square([640, 640])), "borders above and below");
    // The scaler's own choice, where the caps leave the shape of the pixels open.
    assert!(stretched(square([640, 640]), Extent { size: [1280, 720], pixel: [9, 16] }));
    assert!(stretched(Extent { size: [720, 576], pixel: [16, 15] }, square([768, 576])));
    assert!(!stretched(Extent { size: [720, 576], pixel: [16, 15] }, square([720, 576])));
    assert!(stretched(square([1280, 720]), square([427, 240])), "rounding is no border");
    assert!(!stretched(Extent { size: [0, 4], pixel: [1, 1] }, square([4, 4])));
    let most = Extent { size: [u32::MAX; 2], pixel: [u32::MAX; 2] };
    assert!(stretched(most, most));
}

#[test]
fn boxes_follow_borders() {
    let m = plain([640, 640], [0, 0, 640, 640], [1280, 720], [280, 0, 720, 720]);
    let square = Inference { frame: [640, 640], ..result(&[[320., 0., 160., 640.], [-4., 0., 8., 8.]]) };
    let s = placed(&m, &square);
    assert_eq!((boxes(&s), s.frame), (vec![[640., 0., 180., 720.], [275.5, 0., 9., 9.]], [1280, 720]));
}

#[test]
fn boxes_outside_of_a_crop_go_and_boxes_on_its_edge_are_cut() {
    let m = plain(WHOLE, [100, 40, 1000, 500], [1000, 500], [0, 0, 1000, 500]);
    let i = result(&[[200., 100., 200., 100.], [50., 100., 100., 100.], [0., 0., 100., 40.], [1050., 500., 90., 90.]]);
    let s = placed(&m, &i);
    let seen = vec![[100., 60., 200., 100.], [0., 60., 50., 100.], [950., 460., 50., 40.]];
    assert_eq!((boxes(&s), s.frame, s.verdict), (seen, [1000, 500], Verdict::Ng));
}

#[test]
fn what_counts_the_boxes_of_another_result_ends_at_a_crop() {
    let mut i = result(&[[200., 100., 200., 100.]]);
    i.parents = vec![3];
    assert_eq!(scaled(&i, WHOLE, [640, 320]).parents, [3]);
    let m = plain(WHOLE, [100, 40, 1000, 500], [1000, 500], [0, 0, 1000, 500]);
    assert!(placed(&m, &i).parents.is_empty());
}

#[test]
fn a_frame_set_into_a_larger_one_takes_its_boxes_along_and_leaves_those_beyond_the_edge() {
    // A compositor's pad at (-100, 200).
    let m = plain(WHOLE, [0, 0, 1280, 640], [1280, 640], [-100, 200, 1280, 640]);
    let s = placed(&m, &result(&[[200., 100., 200., 100.], [0., 0., 90., 90.], [0., 500., 640., 100.]]));
    assert_eq!(boxes(&s), [[100., 300., 200., 100.]]);
    let beside = plain(WHOLE, [0, 0, 1280, 640], [1280, 640], [1280, 0, 1280, 640]);
    assert_eq!(Placement::of_matrix(&beside), None, "nothing is seen");
}

#[test]
fn boxes_follow_every_direction_of_videoflip() {
    let b = [200., 100., 300., 50.];
    let expected = [
        ("identity", [200., 100., 300., 50.], [1280, 640]),
        ("90r", [490., 200., 50., 300.], [640, 1280]),
        ("180", [780., 490., 300., 50.], [1280, 640]),
        ("90l", [100., 780., 50., 300.], [640, 1280]),
        ("horiz", [780., 100., 300., 50.], [1280, 640]),
        ("vert", [200., 490., 300., 50.], [1280, 640]),
        ("ul-lr", [100., 200., 50., 300.], [640, 1280]),
        ("ur-ll", [490., 780., 50., 300.], [640, 1280]),
    ];
    for (direction, at, size) in expected {
        let s = placed(&flip(direction, WHOLE), &result(&[b]));
        assert_eq!((boxes(&s), s.frame), (vec![at], size), "{direction}");
    }
    // The same where the matrix is given for the edges of pixels.
    let mut edges = flip("90r", WHOLE);
    edges.rows[0][2] += 1.0;
    assert_eq!(boxes(&placed(&edges, &result(&[b]))), [[490., 200., 50., 300.]]);
}

#[test]
fn an_oriented_box_follows_every_direction_of_videoflip() {
    let mut i = result(&[[200., 100., 60., 20.]]);
    i.detections[0].angle = Some(0.3);
    let upright = i.detections[0].upright();
    for (direction, angle) in [
        ("identity", 0.3),
        ("180", 0.3),
        ("90r", 0.3 - FRAC_PI_2),
        ("90l", 0.3 - FRAC_PI_2),
        ("horiz", -0.3),
        ("vert", -0.3),
        ("ul-lr", FRAC_PI_2 - 0.3),
        ("ur-ll", FRAC_PI_2 - 0.3),
    ] {
        let m = flip(direction, WHOLE);
        let d = &placed(&m, &i).detections[0];
        assert!((d.angle.unwrap() - angle).abs() < 1e-5, "{direction}: {:?} is not {angle}", d.angle);
        close(&[d.bbox[2], d.bbox[3], 0., 0.], [60., 20., 0., 0.]);
        close(&d.upright(), boxes(&placed(&m, &result(&[upright])))[0]);
    }
}

#[test]
fn an_oriented_box_on_the_edge_of_a_crop_stays_whole() {
    let m = plain(WHOLE, [100, 0, 1180, 640], [1180, 640], [0, 0, 1180, 640]);
    let mut i = result(&[[80., 100., 60., 20.], [0., 100., 60., 20.]]);
    i.detections.iter_mut().for_each(|d| d.angle = Some(0.3));
    let s = placed(&m, &i);
    assert_eq!((boxes(&s), s.detections[0].angle), (vec![[-20., 100., 60., 20.]], Some(0.3)));
}

#[test]
fn masks_and_maps_turn_with_the_frame() {
    let region = [200., 100., 300., 200.];
    // 1 2 3
    // 4 5 6
    let mask = || Some(Arc::new(Mask { width: 3, height: 2, region, values: Arc::new([1, 2, 3, 4, 5, 6]) }));
    let values = Arc::new([1., 2., 3., 4., 5., 6.]);
    let area = LabelArea { class: 1, label: "a".into(), area: 1.0 };
    let mut i = result(&[region]);
    i.detections[0].mask = mask();
    i.anomaly =
        Some(Anomaly { score: 0.9, map: Some(AnomalyMap { width: 3, height: 2, region, values }), mask: mask() });
    let classes = Arc::new([1, 2, 3, 4, 5, 6]);
    i.segmentation = Some(Segmentation { width: 3, height: 2, region, areas: vec![area], classes });
    for (direction, width, cells) in [
        ("identity", 3, [1, 2, 3, 4, 5, 6]),
        ("90r", 2, [4, 1, 5, 2, 6, 3]),
        ("180", 3, [6, 5, 4, 3, 2, 1]),
        ("90l", 2, [3, 6, 2, 5, 1, 4]),
        ("horiz", 3, [3, 2, 1, 6, 5, 4]),
        ("vert", 3, [4, 5, 6, 1, 2, 3]),
        ("ul-lr", 2, [1, 4, 2, 5, 3, 6]),
        ("ur-ll", 2, [6, 3, 5, 2, 4, 1]),
    ] {
        let s = placed(&flip(direction, WHOLE), &i);
        let at = s.detections[0].bbox;
        let (anomaly, segmentation) = (s.anomaly.unwrap(), s.segmentation.unwrap());
        for m in [s.detections[0].mask.as_ref().unwrap(), anomaly.mask.as_ref().unwrap()] {
            assert_eq!((m.width, m.height, m.region, &*m.values), (width, 6 / width, at, &cells[..]), "{direction}");
        }
        let map = anomaly.map.unwrap();
        let scores = cells.map(|c| c as f32);
        assert_eq!((map.width, map.height, map.region, &*map.values), (width, 6 / width, at, &scores[..]));
        let labels = cells.map(u16::from);
        let s = segmentation;
        assert_eq!((s.width, s.height, s.region, &*s.classes), (width, 6 / width, at, &labels[..]), "{direction}");
    }
    let json = Arc::new([]);
    i.detections[0].mask = Some(Arc::new(Mask { width: 3, height: 2, region, values: json }));
    let read = placed(&flip("90r", WHOLE), &i).detections[0].mask.clone().unwrap();
    assert_eq!((read.width, read.height, read.values.len()), (2, 3, 0), "JSON has no cells");
}

#[test]
fn a_map_that_is_partly_seen_stays_whole_and_one_that_is_not_seen_goes() {
    let map = |x: f32| {
        let map = AnomalyMap { width: 1, height: 1, region: [x, 0., 100., 100.], values: Arc::new([1.]) };
        Inference { anomaly: Some(Anomaly { score: 0.9, map: Some(map), mask: None }), ..result(&[]) }
    };
    let m = plain(WHOLE, [150, 0, 1130, 640], [1130, 640], [0, 0, 1130, 640]);
    let left = |x| placed(&m, &map(x)).anomaly.unwrap();
    assert_eq!(left(100.).map.unwrap().region, [-50., 0., 100., 100.]);
    assert_eq!((left(0.).map, left(0.).score), (None, 0.9));
}

#[test]
fn what_leaves_no_box_upright_is_not_followed() {
    let whole = plain(WHOLE, [0, 0, 1280, 640], WHOLE, [0, 0, 1280, 640]);
    let with = |rows| Placement::of_matrix(&Matrix { rows, ..whole });
    assert!(with(whole.rows).is_some());
    let last = [0., 0., 1.];
    assert_eq!(with([[1., 0.2, 0.], [0., 1., 0.], last]), None, "shear");
    assert_eq!(with([[0.7, -0.7, 0.], [0.7, 0.7, 0.], last]), None, "an eighth of a turn");
    assert_eq!(with([[1., 0., 0.], [0., 1., 0.], [0.001, 0., 1.]]), None, "perspective");
    assert_eq!(with([[0., 0., 0.], [0., 1., 0.], last]), None, "nothing is left");
    assert_eq!(with([[f32::NAN, 0., 0.], [0., 1., 0.], last]), None);
    assert_eq!(with([[1., 0., f32::INFINITY], [0., 1., 0.], last]), None);
}
