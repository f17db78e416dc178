// SPDX-License-Identifier: MPL-2.0
//! Outlines of what an anomaly map marks, as SVG over a picture.

use std::fmt::Write;

use andon_core::result::{AnomalyMap, Inference};
use andon_evaluate::{Cell, Mask, cells_at};

/// Outlines of what a model marks from `threshold` up, as SVG in pixels of the frame: found, missed, made up.
pub fn outlines(result: &Inference, mask: &Mask, threshold: f32) -> String {
    let Some(map) = result.anomaly.as_ref().and_then(|a| a.map.as_ref()) else { return String::new() };
    let cells: Vec<_> = cells_at(map, result.frame, mask, threshold).collect();
    let mut s = String::new();
    // A missed cell lies above a found one beside it.
    for (cell, class) in [(Cell::False, "false"), (Cell::Hit, "hit"), (Cell::Missed, "missed")] {
        let path = outline(map, |i| cells[i] == Some(cell));
        if !path.is_empty() {
            for edge in ["edge ", ""] {
                let _ = write!(s, "<path class=\"{edge}{class}\" d=\"{path}\"/>");
            }
        }
    }
    s
}

/// The border of the cells that are `within`: a line for each side at which they end.
fn outline(map: &AnomalyMap, within: impl Fn(usize) -> bool) -> String {
    let [left, top, wide, high] = map.region.map(f64::from);
    let (columns, rows) = (map.width as usize, map.height as usize);
    let (w, h) = (wide / columns as f64, high / rows as f64);
    let is_in = |column: Option<usize>, row: Option<usize>| match (column, row) {
        (Some(column), Some(row)) => column < columns && row < rows && within(row * columns + column),
        _ => false,
    };
    let mut path = String::new();
    for row in 0..=rows {
        for column in 0..=columns {
            let here = is_in(Some(column), Some(row));
            let (x, y) = (left + column as f64 * w, top + row as f64 * h);
            if here != is_in(Some(column), row.checked_sub(1)) {
                let _ = write!(path, "M{x:.1} {y:.1}h{w:.2}");
            }
            if here != is_in(column.checked_sub(1), Some(row)) {
                let _ = write!(path, "M{x:.1} {y:.1}v{h:.2}");
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::Arc};

    use andon_core::result::{Anomaly, Arm, Frame, Verdict};
    use andon_evaluate::data::{Sample, SamplePart};

    use super::*;

    /// Cells of ten pixels; a letterbox adds a row below the frame of three columns and two rows.
    fn map(scores: [f32; 9]) -> AnomalyMap {
        AnomalyMap { width: 3, height: 3, region: [0.0, 0.0, 30.0, 30.0], values: Arc::new(scores) }
    }

    /// A mask with a defect in the middle of the upper row.
    fn mask() -> Mask {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let mut encoder = png::Encoder::new(File::create(&path).unwrap(), 6, 2);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        writer.finish().unwrap();
        let sample = Sample {
            id: "p".into(),
            group: "p".into(),
            part: SamplePart { id: "p".into(), sku: String::new(), view: 0, views: 1 },
            image: "p.png".into(),
            template: None,
            verdict: Some(Verdict::Ng),
            boxes: None,
            class: None,
            mask: Some(path),
        };
        Mask::of(&sample).unwrap().unwrap()
    }

    #[test]
    fn what_is_found_missed_and_made_up_is_outlined() {
        let classes = |scores| {
            let mut result = Inference::new("m".into(), Arm::A, &Frame::new(None), [30, 20]);
            result.anomaly = Some(Anomaly { score: 0.9, map: Some(map(scores)), mask: None });
            let drawn = outlines(&result, &mask(), 0.5);
            ["hit", "missed", "false"].map(|kind| drawn.contains(&format!("class=\"{kind}\"")))
        };
        assert_eq!(classes([0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9]), [true, false, false]);
        assert_eq!(classes([0.1, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), [false, true, false]);
        assert_eq!(classes([0.5, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), [false, true, true]);
    }

    #[test]
    fn an_outline_goes_round_what_is_within_once() {
        let map = map([0.0; 9]);
        let path = outline(&map, |i| i == 1 || i == 4);
        assert_eq!((path.matches('h').count(), path.matches('v').count()), (2, 4), "{path}");
        assert!(path.starts_with("M10.0 0.0h10.00") && path.contains("M20.0 10.0v10.00"), "{path}");
        let corner = outline(&map, |i| i == 8);
        assert_eq!((corner.matches('h').count(), corner.matches('v').count()), (2, 2), "{corner}");
    }
}
