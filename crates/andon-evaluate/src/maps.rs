// SPDX-License-Identifier: MPL-2.0
//! Anomaly maps against masks, cell by cell.

use std::{error::Error, io::BufReader, path::PathBuf, sync::Arc};

use andon_core::{
    files as core_files,
    result::{AnomalyMap, Inference, Verdict},
};
use png::ColorType::{GrayscaleAlpha, Rgba};

use crate::{data::Sample, score::area_under_roc};

/// A mask of a picture that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read as a PNG of grey values: {reason}", .path.display())]
pub struct MaskError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// The defects of a picture: `width` by `height` pixels, row by row, not 0 at a defect.
pub struct Mask {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

impl Mask {
    /// Reads the mask of a sample; None if the set does not say where the defects are.
    ///
    /// # Errors
    /// [`MaskError`] if the file is not a PNG.
    pub fn of(sample: &Sample) -> Result<Option<Self>, MaskError> {
        let Some(path) = &sample.mask else {
            // A good picture needs no mask to be good all over.
            return Ok((sample.verdict == Some(Verdict::Ok)).then(|| Self { width: 1, height: 1, values: vec![0] }));
        };
        let read = || -> Result<Self, Box<dyn Error>> {
            let mut decoder = png::Decoder::new(BufReader::new(core_files::open(path)?));
            decoder.set_transformations(png::Transformations::normalize_to_color8());
            let mut reader = decoder.read_info()?;
            let mut pixels = vec![0; reader.output_buffer_size().ok_or("it is too large")?];
            let info = reader.next_frame(&mut pixels)?;
            let (samples, alpha) = (info.color_type.samples(), matches!(info.color_type, GrayscaleAlpha | Rgba));
            let colours = samples - usize::from(alpha);
            let values =
                pixels.chunks_exact(samples).map(|p| p[..colours].iter().copied().max().unwrap_or(0)).collect();
            Ok(Self { width: info.width as usize, height: info.height as usize, values })
        };
        read().map(Some).map_err(|e| MaskError { path: path.clone(), reason: e.to_string() })
    }

    /// Returns whether there is a defect at a place of a frame of that size, pixels.
    fn is_bad(&self, [x, y]: [f64; 2], [width, height]: [f64; 2]) -> bool {
        let column = (x / width * self.width as f64) as usize;
        let row = (y / height * self.height as f64) as usize;
        self.values[row.min(self.height - 1) * self.width + column.min(self.width - 1)] != 0
    }
}

fn map(result: &Inference) -> Option<&AnomalyMap> {
    result.anomaly.as_ref()?.map.as_ref()
}

/// Returns the score of each cell, and whether the mask has a defect at its centre; None for a cell of the letterbox, beyond
/// the frame.
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

/// The area under the ROC over the cells of all maps; None without maps or masks.
pub(crate) fn auroc(samples: &[Sample], results: &[Arc<Inference>]) -> Result<Option<f64>, MaskError> {
    let mut scores = Vec::new();
    for (sample, result) in samples.iter().zip(results) {
        if let Some(map) = map(result)
            && let Some(mask) = Mask::of(sample)?
        {
            scores.extend(cells(map, result.frame, &mask).flatten().map(|(score, bad)| (score, bad, 1)));
        }
    }
    Ok(area_under_roc(&mut scores))
}

/// A cell of an anomaly map at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The model marks a defect.
    Hit,
    /// The model does not mark a defect.
    Missed,
    /// The model marks a place without a defect.
    False,
}

/// Returns the cells of an anomaly map at `threshold`, row by row; None for a cell without defect and mark, or beyond the
/// frame.
pub fn cells_at<'a>(
    map: &'a AnomalyMap,
    frame: [u32; 2],
    mask: &'a Mask,
    threshold: f32,
) -> impl Iterator<Item = Option<Cell>> + use<'a> {
    cells(map, frame, mask).map(move |cell| {
        cell.and_then(|(score, bad)| match (bad, score >= threshold) {
            (true, true) => Some(Cell::Hit),
            (true, false) => Some(Cell::Missed),
            (false, true) => Some(Cell::False),
            (false, false) => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Anomaly, Arm, Frame};

    /// Scores of cells of ten pixels; a letterbox adds a row below the frame of three columns and two rows.
    fn result(scores: [f32; 9]) -> Inference {
        let mut inference = Inference::new("m".into(), Arm::A, &Frame::new(None), [30, 20]);
        let map = AnomalyMap { width: 3, height: 3, region: [0.0, 0.0, 30.0, 30.0], values: Arc::new(scores) };
        inference.anomaly = Some(Anomaly { score: 0.9, map: Some(map), mask: None });
        inference
    }

    /// A defect in the middle of the upper row.
    fn mask() -> Mask {
        Mask { width: 6, height: 2, values: vec![0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0] }
    }

    #[test]
    fn cells_beyond_the_frame_take_no_part() {
        let inference = result([0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 1.0, 1.0, 1.0]);
        let all: Vec<_> = cells(map(&inference).unwrap(), inference.frame, &mask()).collect();
        assert_eq!(all[1], Some((0.9, true)));
        assert_eq!(all[6..], [None; 3]);
        assert_eq!(all[..6].iter().filter(|c| c.unwrap().1).count(), 1);
    }

    #[test]
    fn a_cell_is_found_missed_or_made_up() {
        let kinds = |scores| {
            let inference = result(scores);
            let cells: Vec<_> = cells_at(map(&inference).unwrap(), inference.frame, &mask(), 0.5).collect();
            [Cell::Hit, Cell::Missed, Cell::False].map(|kind| cells.contains(&Some(kind)))
        };
        assert_eq!(kinds([0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9]), [true, false, false]);
        assert_eq!(kinds([0.1, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), [false, true, false]);
        assert_eq!(kinds([0.5, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), [false, true, true]);
    }
}
