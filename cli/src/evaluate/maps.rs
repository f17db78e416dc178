// SPDX-License-Identifier: MPL-2.0
//! Anomaly maps against masks: cell by cell, as the area under a ROC and as outlines on a picture.

use std::{fmt::Write, sync::Arc};

use andon_core::result::{AnomalyMap, Inference, Verdict};
use anyhow::{Context, Result};
use gst_video::prelude::*;

use super::{data::Sample, score::area_under_roc, templates};

/// Where defects are in one picture: a row-major mask of `width` by `height` pixels, not 0 where one is.
pub struct Mask {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

impl Mask {
    /// A sample's mask; none where nobody says where the defects are.
    pub fn of(sample: &Sample) -> Result<Option<Self>> {
        let Some(path) = &sample.mask else {
            // A good picture needs no mask to be good all over.
            return Ok((sample.verdict == Some(Verdict::Ok)).then(|| Self { width: 1, height: 1, values: vec![0] }));
        };
        let picture = templates::decoded(path, "! video/x-raw,format=GRAY8")?;
        let info = gst_video::VideoInfo::from_caps(picture.caps().context("a mask without caps")?)?;
        let buffer = picture.buffer().context("a mask without pixels")?;
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info)?;
        let (width, height) = (info.width() as usize, info.height() as usize);
        let (data, stride) = (frame.plane_data(0)?, frame.plane_stride()[0] as usize);
        let values = (0..height).flat_map(|y| &data[y * stride..][..width]).copied().collect();
        Ok(Some(Self { width, height, values }))
    }

    /// Whether there is a defect at a place of a `frame`, pixels.
    fn is_bad(&self, [x, y]: [f64; 2], [width, height]: [f64; 2]) -> bool {
        let column = (x / width * self.width as f64) as usize;
        let row = (y / height * self.height as f64) as usize;
        self.values[row.min(self.height - 1) * self.width + column.min(self.width - 1)] != 0
    }
}

fn map(outcome: &Inference) -> Option<&AnomalyMap> {
    outcome.anomaly.as_ref()?.map.as_ref()
}

/// Of each cell its score, and whether the mask is at its centre; none of a cell beyond the frame, where a letterbox is.
fn cells<'a>(
    map: &'a AnomalyMap,
    frame: [u32; 2],
    mask: &'a Mask,
) -> impl Iterator<Item = Option<(f32, bool)>> + use<'a> {
    let [left, top, wide, high] = map.region.map(f64::from);
    let (columns, rows) = (map.width as usize, map.height as usize);
    let frame = frame.map(f64::from);
    map.values.iter().enumerate().map(move |(i, score)| {
        let at = |i: usize, n: usize, from: f64, size: f64| from + (i as f64 + 0.5) * size / n as f64;
        let (x, y) = (at(i % columns, columns, left, wide), at(i / columns, rows, top, high));
        let within = x >= 0.0 && y >= 0.0 && x < frame[0] && y < frame[1];
        within.then(|| (*score, mask.is_bad([x, y], frame)))
    })
}

/// The area under the ROC over the cells of all maps; none where there is no map or no mask.
pub fn auroc(
    samples: &[Sample],
    outcomes: &[Arc<Inference>],
    mask: impl Fn(&Sample) -> Result<Option<Mask>>,
) -> Result<Option<f64>> {
    let mut scores = Vec::new();
    for (sample, outcome) in samples.iter().zip(outcomes) {
        if let Some(map) = map(outcome)
            && let Some(mask) = mask(sample)?
        {
            scores.extend(cells(map, outcome.frame, &mask).flatten().map(|(score, bad)| (score, bad, 1)));
        }
    }
    Ok(area_under_roc(&mut scores))
}

/// Outlines of what an outcome marks from `threshold` up, as SVG in pixels of the frame: found, missed, made up.
pub fn outlines(outcome: &Inference, mask: &Mask, threshold: f32) -> String {
    let Some(map) = map(outcome) else { return String::new() };
    let kinds: Vec<_> = cells(map, outcome.frame, mask)
        .map(|cell| {
            cell.and_then(|(score, bad)| match (bad, score >= threshold) {
                (true, true) => Some("hit"),
                (true, false) => Some("missed"),
                (false, true) => Some("false"),
                (false, false) => None,
            })
        })
        .collect();
    let mut s = String::new();
    // What was missed lies above what was found beside it.
    for kind in ["false", "hit", "missed"] {
        let path = outline(map, |i| kinds[i] == Some(kind));
        if !path.is_empty() {
            for edge in ["edge ", ""] {
                let _ = write!(s, "<path class=\"{edge}{kind}\" d=\"{path}\"/>");
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
    use super::*;
    use andon_core::result::{Anomaly, Arm, Frame};

    /// Scores of cells of ten pixels; a letterbox adds a row below the frame of three columns and two rows.
    fn outcome(scores: [f32; 9]) -> Inference {
        let mut said = Inference::new("m".into(), Arm::A, &Frame::new(None), [30, 20]);
        let map = AnomalyMap { width: 3, height: 3, region: [0.0, 0.0, 30.0, 30.0], values: Arc::new(scores) };
        said.anomaly = Some(Anomaly { score: 0.9, map: Some(map), mask: None });
        said
    }

    /// A defect in the middle of the upper row.
    fn mask() -> Mask {
        Mask { width: 6, height: 2, values: vec![0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0] }
    }

    #[test]
    fn cells_beyond_the_frame_take_no_part() {
        let said = outcome([0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 1.0, 1.0, 1.0]);
        let all: Vec<_> = cells(map(&said).unwrap(), said.frame, &mask()).collect();
        assert_eq!(all[1], Some((0.9, true)));
        assert_eq!(all[6..], [None; 3]);
        assert_eq!(all[..6].iter().filter(|c| c.unwrap().1).count(), 1);
    }

    #[test]
    fn what_is_found_missed_and_made_up_is_outlined() {
        let classes = |scores| {
            let drawn = outlines(&outcome(scores), &mask(), 0.5);
            ["hit", "missed", "false"].map(|kind| drawn.contains(&format!("class=\"{kind}\"")))
        };
        assert_eq!(classes([0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9]), [true, false, false]);
        assert_eq!(classes([0.1, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), [false, true, false]);
        assert_eq!(classes([0.5, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), [false, true, true]);
    }

    #[test]
    fn an_outline_goes_round_what_is_within_once() {
        let said = outcome([0.0; 9]);
        let path = outline(map(&said).unwrap(), |i| i == 1 || i == 4);
        assert_eq!((path.matches('h').count(), path.matches('v').count()), (2, 4), "{path}");
        assert!(path.starts_with("M10.0 0.0h10.00") && path.contains("M20.0 10.0v10.00"), "{path}");
        let corner = outline(map(&said).unwrap(), |i| i == 8);
        assert_eq!((corner.matches('h').count(), corner.matches('v').count()), (2, 2), "{corner}");
    }
}
