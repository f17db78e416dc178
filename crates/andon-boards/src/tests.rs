// SPDX-License-Identifier: MPL-2.0
//! Equal seeds give equal pixels, and every defect is what its label says, where its box says.

use andon_core::image::Colorimetry;

use super::{
    part::{Part, PartSpec},
    survey::Survey,
    *,
};

const SIZE: usize = 320;

fn spec(seed: u64, defects: usize, kinds: Kinds) -> PartSpec {
    PartSpec { seed, defects, kinds, grey_jitter: 0.0 }
}

fn only(kind: Kind) -> Kinds {
    [kind].into_iter().collect()
}

/// Parts with one defect of `kind` on boards of both families, and the same parts without.
fn samples(kind: Kind) -> Vec<(Part, Part)> {
    let mut samples = Vec::new();
    for sku in ["A", "B", "C", "D"] {
        let board = Board::new(sku, 640, 640);
        for seed in 0..6 {
            let part = board.make(&spec(seed, 1, only(kind)));
            let good = board.make(&spec(seed, 0, only(kind)));
            samples.push((part, good));
        }
    }
    samples
}

/// The number of separate pieces of copper, as a threshold half way between the greys tells them.
fn pieces(part: &Part) -> usize {
    let mut plane = part.raster.clone();
    plane.data.iter_mut().for_each(|v| *v = if *v >= 120 { 255 } else { 0 });
    let survey = Survey::of(&plane);
    let found: std::collections::BTreeSet<u16> =
        survey.edges.iter().map(|&(x, y)| survey.piece(f32::from(x), f32::from(y))).collect();
    found.len()
}

#[test]
fn the_same_seed_makes_the_same_part_and_another_seed_another() {
    let board = Board::new("A", SIZE, SIZE);
    let again = Board::new("A", SIZE, SIZE);
    let part = board.make(&spec(7, 3, Kinds::ALL));
    assert_eq!(part.raster, again.make(&spec(7, 3, Kinds::ALL)).raster);
    assert_ne!(part.raster, board.make(&spec(8, 3, Kinds::ALL)).raster);
}

#[test]
fn every_sku_is_a_board_of_its_own() {
    let boards = ["A", "B", "C", "D"].map(|sku| Board::new(sku, SIZE, SIZE));
    for (i, a) in boards.iter().enumerate() {
        for b in &boards[i + 1..] {
            assert_ne!(a.copper(), b.copper());
        }
    }
}

#[test]
fn a_board_is_neither_empty_nor_full_at_any_size() {
    for (w, h) in [(640, 640), (1280, 720), (320, 480), (64, 48), (1, 1)] {
        for sku in ["A", "B"] {
            let board = Board::new(sku, w, h);
            let copper = board.copper();
            let share = copper.data.iter().filter(|&&c| c >= 128).count() as f64 / copper.data.len() as f64;
            assert!(w < 64 || (0.1..0.7).contains(&share), "{sku} at {w}x{h}: {share}");
        }
    }
}

#[test]
fn every_kind_finds_a_place_on_every_board() {
    for kind in Kind::ALL {
        for (part, _) in samples(kind) {
            assert_eq!(part.defects.iter().map(|d| d.kind).collect::<Vec<_>>(), [kind]);
        }
    }
}

#[test]
fn everything_that_differs_from_the_good_part_lies_in_a_box() {
    let board = Board::new("B", 640, 640);
    for seed in 0..6 {
        let part = board.make(&spec(seed, 8, Kinds::ALL));
        let good = board.make(&spec(seed, 0, Kinds::ALL));
        assert_eq!(part.origin, good.origin);
        let mut hit = vec![false; part.defects.len()];
        for (i, (a, b)) in part.raster.data.iter().zip(&good.raster.data).enumerate() {
            if a != b {
                let (x, y) = ((i % part.raster.width) as i32, (i / part.raster.width) as i32);
                let holder = part.defects.iter().position(|d| {
                    let [x1, y1, x2, y2] = d.bounds;
                    x >= x1 && x < x2 && y >= y1 && y < y2
                });
                hit[holder.unwrap_or_else(|| panic!("pixel {x},{y} changed outside of every box"))] = true;
            }
        }
        assert!(hit.iter().all(|&h| h), "a box with nothing in it");
    }
}

#[test]
fn shorts_join_pieces_of_copper_and_spurious_copper_adds_one() {
    for (part, good) in samples(Kind::Short) {
        assert!(pieces(&part) < pieces(&good));
    }
    for (part, good) in samples(Kind::Copper) {
        assert_eq!(pieces(&part), pieces(&good) + 1);
    }
}

#[test]
fn bites_spurs_and_pin_holes_leave_the_circuit_as_it_was() {
    for kind in [Kind::Mousebite, Kind::Spur, Kind::PinHole] {
        for (part, good) in samples(kind) {
            assert_eq!(pieces(&part), pieces(&good), "{kind}");
        }
    }
}

#[test]
fn defects_take_copper_away_or_add_it_as_their_kind_says() {
    let mean = |p: &Part| p.raster.data.iter().map(|&v| u64::from(v)).sum::<u64>();
    for kind in Kind::ALL {
        let adds = matches!(kind, Kind::Short | Kind::Spur | Kind::Copper);
        for (part, good) in samples(kind).iter().step_by(5) {
            assert_eq!(mean(part) > mean(good), adds, "{kind}");
        }
    }
}

#[test]
fn truth_is_clipped_to_the_view_and_leaves_out_what_is_outside() {
    let board = Board::new("A", SIZE, SIZE);
    let part = board.make(&spec(1, 3, Kinds::ALL));
    let centred = part.truth(part.origin, SIZE, SIZE).count();
    assert_eq!(centred, 3);
    for (_, [x1, y1, x2, y2]) in part.truth(part.origin, SIZE, SIZE) {
        assert!(x1 >= 0 && y1 >= 0 && x1 < x2 && y1 < y2 && x2 <= SIZE as i32 && y2 <= SIZE as i32);
    }
    assert_eq!(part.truth([10_000, 0], SIZE, SIZE).count(), 0);
}

#[test]
fn kinds_are_read_from_text_and_an_unknown_one_names_the_choice() {
    let kinds: Kinds = "open, pin-hole".parse().unwrap();
    assert_eq!(kinds.to_string(), "open,pin-hole");
    assert_eq!(Kinds::ALL.to_string().parse(), Ok(Kinds::ALL));
    assert!("crack".parse::<Kinds>().unwrap_err().to_string().contains("mousebite"));
    assert!("".parse::<Kinds>().unwrap().is_empty());
}

fn grey(camera: &mut Camera, part: &Part, at: [i32; 2], grain: u64) -> Vec<u8> {
    let mut out = vec![0; SIZE * SIZE];
    camera.look_at(part, at, grain);
    camera.grey(PlaneMut { data: &mut out, stride: SIZE });
    out
}

fn mean_and_deviation(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for v in values {
        n += 1.0;
        sum += v;
        squares += v * v;
    }
    let mean = sum / n;
    (mean, (squares / n - mean * mean).sqrt())
}

#[test]
fn noise_has_the_sigma_asked_for_and_follows_its_number() {
    let part = Board::new("A", SIZE, SIZE).make(&spec(1, 0, Kinds::ALL));
    let mut camera = Camera::new(SIZE, SIZE);
    let clean = grey(&mut camera, &part, part.origin, 1);
    camera.set_imaging(Imaging { noise: 6.0, ..Imaging::default() });
    let noisy = grey(&mut camera, &part, part.origin, 1);
    assert_eq!(noisy, grey(&mut camera, &part, part.origin, 1));
    assert_ne!(noisy, grey(&mut camera, &part, part.origin, 2));
    let (mean, sigma) = mean_and_deviation(noisy.iter().zip(&clean).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    assert!(mean.abs() < 0.2 && (sigma - 6.0).abs() < 0.3, "{mean} {sigma}");
}

#[test]
fn blur_keeps_the_mean_and_softens_edges() {
    let part = Board::new("A", SIZE, SIZE).make(&spec(1, 0, Kinds::ALL));
    let mut camera = Camera::new(SIZE, SIZE);
    let sharp = grey(&mut camera, &part, part.origin, 1);
    camera.set_imaging(Imaging { blur: 2.0, ..Imaging::default() });
    let soft = grey(&mut camera, &part, part.origin, 1);
    let of = |frame: &[u8]| mean_and_deviation(frame.iter().map(|&v| f64::from(v)));
    let ((m1, s1), (m2, s2)) = (of(&sharp), of(&soft));
    assert!((m1 - m2).abs() < 1.5 && s2 < s1, "{m1} {m2} {s1} {s2}");
    let steepest = |frame: &[u8]| frame.windows(2).map(|p| p[0].abs_diff(p[1])).max();
    assert!(steepest(&soft) < steepest(&sharp));
}

#[test]
fn blur_is_gaussian_to_a_grey_level() {
    let part = Board::new("B", SIZE, SIZE).make(&spec(1, 0, Kinds::ALL));
    let mut camera = Camera::new(SIZE, SIZE);
    let sharp = grey(&mut camera, &part, part.origin, 1);
    for sigma in [0.5, 1.5, 4.0, 12.0] {
        camera.set_imaging(Imaging { blur: sigma, ..Imaging::default() });
        let soft = grey(&mut camera, &part, part.origin, 1);
        let reach = (3.0 * sigma).ceil() as i32;
        let weight = |d: i32| (-0.5 * (f64::from(d) / sigma).powi(2)).exp();
        for (x, y) in [(0, 0), (160, 160), (33, 201), (319, 100), (250, 319)] {
            let (mut sum, mut total) = (0.0, 0.0);
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let at = |v: i32| v.clamp(0, SIZE as i32 - 1) as usize;
                    let w = weight(dx) * weight(dy);
                    sum += w * f64::from(sharp[at(y + dy) * SIZE + at(x + dx)]);
                    total += w;
                }
            }
            let (expected, got) = (sum / total, f64::from(soft[y as usize * SIZE + x as usize]));
            assert!((expected - got).abs() < 1.5, "sigma {sigma} at {x},{y}: {got}, not {expected}");
        }
    }
}

#[test]
fn blur_wider_than_the_picture_is_survived() {
    let part = Board::new("A", 5, 3).make(&spec(1, 0, Kinds::ALL));
    let mut camera = Camera::new(5, 3);
    camera.set_imaging(Imaging { blur: 50.0, noise: 1.0, ..Imaging::default() });
    let mut out = vec![0; 15];
    camera.look_at(&part, part.origin, 1);
    camera.grey(PlaneMut { data: &mut out, stride: 5 });
    assert!(out.iter().all(|&v| v > 0));
}

#[test]
fn colours_have_the_luma_of_the_grey_frame() {
    let part = Board::new("A", SIZE, SIZE).make(&spec(1, 0, Kinds::ALL));
    let mut camera = Camera::new(SIZE, SIZE);
    let grey = grey(&mut camera, &part, part.origin, 1);
    let mut rgb = vec![0; 3 * SIZE * SIZE];
    camera.rgb(PlaneMut { data: &mut rgb, stride: 3 * SIZE });
    let (mut luma, mut chroma) = (vec![0; SIZE * SIZE], vec![0; SIZE * SIZE / 2]);
    let planes = (PlaneMut { data: &mut luma, stride: SIZE }, PlaneMut { data: &mut chroma, stride: SIZE });
    camera.nv12(planes.0, planes.1, Colorimetry { full_range: true, ..Colorimetry::default() });
    for ((g, c), y) in grey.iter().zip(rgb.chunks_exact(3)).zip(&luma) {
        let of_rgb = 0.299 * f32::from(c[0]) + 0.587 * f32::from(c[1]) + 0.114 * f32::from(c[2]);
        assert!((of_rgb - f32::from(*g)).abs() < 3.0, "{g} {c:?}");
        assert!(y.abs_diff(*g) < 3, "{g} {y}");
    }
    assert!(chroma.iter().any(|&c| c.abs_diff(128) > 10), "no tint");
}

#[test]
fn export_writes_pairs_and_labels_that_agree() {
    let folder = tempfile::tempdir().unwrap();
    let what = Export { count: 3, skus: 2, seed: 5, kinds: Kinds::ALL };
    assert_eq!(export(folder.path(), &what, |_| ()).unwrap(), 3);
    let mut names: Vec<_> = std::fs::read_dir(folder.path().join("images"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let ids = ["s0000000", "s0000001", "s0001000"];
    assert_eq!(names, ids.map(|id| [format!("{id}_temp.png"), format!("{id}_test.png")]).concat());
    for id in ids {
        let labels = std::fs::read_to_string(folder.path().join(format!("labels/{id}.txt"))).unwrap();
        assert!((3..=8).contains(&labels.lines().count()));
        for line in labels.lines() {
            let n: Vec<i32> = line.split(' ').map(|v| v.parse().unwrap()).collect();
            assert!(n[0] < n[2] && n[1] < n[3] && n[2] <= 640 && n[3] <= 640 && (1..=6).contains(&n[4]));
        }
    }
}

#[test]
fn an_export_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (count, skus) in [(1, 0), (1, 2), (5000, 1)] {
        let what = Export { count, skus, seed: 5, kinds: Kinds::ALL };
        assert!(export(folder.path(), &what, |_| ()).unwrap_err().to_string().contains("ask for"));
    }
}
