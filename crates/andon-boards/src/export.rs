// SPDX-License-Identifier: MPL-2.0
//! Writes boards to a folder in the layout of the DeepPCB data set, for training and to look at.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::kind::Kinds;
use super::part::{Board, Part, PartSpec};
use super::rng::Rng;

/// Side of the exported pictures in pixels, as in DeepPCB.
const SIDE: usize = 640;
/// Defects on each exported board, least and most.
const DEFECTS: (i32, i32) = (3, 8);

/// Boards could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A folder or file could not be made.
    #[error("cannot write {path}: {source}; choose a folder that can be written to")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A picture could not be encoded.
    #[error("cannot encode {path}: {source}")]
    Encode {
        /// The file or folder.
        path: PathBuf,
        /// What the encoder says.
        source: png::EncodingError,
    },
    /// The numbers of boards and SKUs do not go together.
    #[error(
        "{count} boards over {skus} SKUs cannot be made: ask for 1 to 10000 SKUs and at least as many boards, at most 1000 a SKU"
    )]
    Count {
        /// Boards asked for.
        count: usize,
        /// SKUs asked for.
        skus: usize,
    },
}

/// What to write.
#[derive(Debug, Clone, Copy)]
pub struct Export {
    /// Boards in all, divided among the SKUs.
    pub count: usize,
    /// Different boards (layouts); the first five characters of an ID name the SKU.
    pub skus: usize,
    /// Equal seeds write equal files.
    pub seed: u64,
    /// Kinds of defects to draw.
    pub kinds: Kinds,
}

/// Writes `images/ID_test.png` (a board with defects), `images/ID_temp.png` (the same board without) and
/// `labels/ID.txt` (`x1 y1 x2 y2 class` a line, classes 1..=6 as in DeepPCB) into `folder`, which is made if it is
/// missing. IDs are `sNNNNMMM`: SKU N, part M. Calls `progress` with the number of boards written so far. Returns the number
/// of boards written.
///
/// # Errors
/// The numbers in `what` do not go together, or a file cannot be written.
pub fn export(folder: &Path, what: &Export, mut progress: impl FnMut(usize)) -> Result<usize, ExportError> {
    let Export { count, skus, .. } = *what;
    if skus == 0 || skus > 10_000 || count < skus || count.div_ceil(skus) > 1000 {
        return Err(ExportError::Count { count, skus });
    }
    let (images, labels) = (folder.join("images"), folder.join("labels"));
    for path in [&images, &labels] {
        fs::create_dir_all(path).map_err(|source| ExportError::Write { path: path.clone(), source })?;
    }
    let mut done = 0;
    for sku in 0..skus {
        let board = Board::new(&format!("export-{}-{sku:04}", what.seed), SIDE, SIDE);
        let parts = count / skus + usize::from(sku < count % skus);
        for index in 0..parts {
            let id = format!("s{sku:04}{index:03}");
            let mut rng = Rng::stream(what.seed, (sku * 1000 + index) as u64);
            let spec = PartSpec {
                seed: rng.next_u64(),
                defects: rng.int(DEFECTS.0, DEFECTS.1) as usize,
                kinds: what.kinds,
                grey_jitter: 8.0,
            };
            let good = board.make(&PartSpec { defects: 0, ..spec });
            let part = board.make(&spec);
            let mut text = String::new();
            for (kind, [x1, y1, x2, y2]) in part.truth(part.origin, SIDE, SIDE) {
                text += &format!("{x1} {y1} {x2} {y2} {}\n", kind.number());
            }
            let view = |part: &Part| {
                let [x, y] = part.origin.map(|v| v as usize);
                (y..y + SIDE).flat_map(|row| part.raster.row(row)[x..x + SIDE].to_vec()).collect::<Vec<u8>>()
            };
            write_png(&images.join(format!("{id}_test.png")), &view(&part))?;
            write_png(&images.join(format!("{id}_temp.png")), &view(&good))?;
            let path = labels.join(format!("{id}.txt"));
            fs::write(&path, text).map_err(|source| ExportError::Write { path, source })?;
            done += 1;
            progress(done);
        }
    }
    Ok(done)
}

fn write_png(path: &Path, grey: &[u8]) -> Result<(), ExportError> {
    let file = File::create(path).map_err(|source| ExportError::Write { path: path.to_owned(), source })?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(grey).and_then(|()| writer.finish()))
        .map_err(|source| ExportError::Encode { path: path.to_owned(), source })
}
