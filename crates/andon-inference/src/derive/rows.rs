// SPDX-License-Identifier: MPL-2.0
//! Detectors with all in one table: the YOLO families, RT-DETR by Ultralytics, PaddleDetection. Their tables differ in the
//! length of a row, in how many rows there are, and in what the numbers may be.
//!
//! Layouts: Ultralytics' documentation of its exports; the exporters of YOLOv5, YOLOv7, YOLOv10 and YOLOX;
//! PaddleDetection's `multiclass_nms`.

use andon_model::{BoxForm, Decoder, Head, Output};

use super::{
    evidence::Evidence,
    graph::Port,
    reading::{Reading, Verdict, Weight},
    seen::{Numbers, Seen, cells},
};

/// The families of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Boxes, a score a label.
    V8,
    /// The same with boxes of 0..1, as graphs that were converted from TensorFlow Lite have them.
    V8Normalised,
    /// Boxes, whether there is an object, a score a label; three rows a cell. One label has no score of its own.
    V5,
    /// The same with a row a cell, in units of its grid.
    YoloxGrid,
    /// The same in pixels.
    YoloxPixels,
    /// Corners, score, label: what the graph's own selection leaves.
    EndToEnd,
    /// Box of 0..1, a score a label, 300 queries.
    DetrScores,
    /// Box of 0..1, the best score, its label.
    DetrBest,
    /// Frame, corners, label, score.
    V7End,
    /// Label, score, corners.
    Paddle,
}
use Family::*;

/// The cells of an input of 32×32 pixels, the least that these families take.
const FEWEST: usize = 21;

/// A family at a graph: the length of its rows, and in which axis they lie.
#[derive(Clone, Debug)]
struct Layout {
    family: Family,
    output: String,
    labels: usize,
    numbers: usize,
    turned: bool,
    /// The graph's notes say that it suppresses by itself.
    told: bool,
    /// The output has the name that YOLOX' exporter gives.
    megvii: bool,
}

/// The readings of the graph as a table.
pub(super) fn readings(e: &Evidence<'_>) -> Vec<Reading> {
    let Some(main) = e.graph.outputs.iter().find(|o| o.float() && matches!(o.rank(), 2 | 3)) else { return Vec::new() };
    let second = e.graph.outputs.iter().find(|o| o.float() && o.rank() == 4 && o.shape[1] > 0);
    let task = e.notes.task.as_deref();
    let masks = second.filter(|_| matches!(task, None | Some("segment")));
    let oriented = task == Some("obb");
    if task == Some("segment") && masks.is_none() {
        return Vec::new();
    }
    let mut found = fitting(e, main, masks, oriented);
    // Some exports have the levels of the network beside their table.
    if masks.is_some() && task.is_none() {
        found.extend(fitting(e, main, None, false));
    }
    found
}

/// The readings with these prototypes of masks.
fn fitting(e: &Evidence<'_>, main: &Port, masks: Option<&Port>, oriented: bool) -> Vec<Reading> {
    let more = masks.map_or(0, |m| m.shape[1]) + i64::from(oriented);
    let head = match (masks, oriented) {
        (Some(_), _) => Head::Segment,
        (_, true) => Head::Oriented,
        _ => Head::Detect,
    };
    let mut found = Vec::new();
    for family in [V8, V8Normalised, V5, YoloxGrid, YoloxPixels, EndToEnd, DetrScores, DetrBest, V7End, Paddle] {
        let (numbers, rank) = match family {
            V8 | V8Normalised => (4 + e.count() + more, 3),
            V5 => (5 + e.count() + more, 3),
            YoloxGrid | YoloxPixels => (5 + e.count(), 3),
            EndToEnd => (6 + more, main.rank()),
            DetrScores => (4 + e.count(), 3),
            DetrBest => (6, 3),
            V7End => (7, 2),
            Paddle => (6, 2),
        };
        let plain = matches!(family, YoloxGrid | YoloxPixels | DetrScores | DetrBest | V7End | Paddle);
        if main.rank() != rank || (plain && head != Head::Detect) || !allowed(family, e) {
            continue;
        }
        let layout = |turned| Layout {
            family,
            output: main.name.clone(),
            labels: e.labels.len(),
            numbers: numbers as usize,
            turned,
            told: e.notes.suppresses == Some(true),
            megvii: main.plain() == "output",
        };
        let fits = |axis: i64| axis == numbers || axis == -1;
        if fits(main.last()) {
            found.push(reading(layout(false), e, main, masks, head));
        }
        // Only the family of YOLOv8 has its rows lie the other way.
        if matches!(family, V8 | V8Normalised) && rank == 3 && fits(main.shape[1]) && main.shape[1..] != [-1, numbers] {
            found.push(reading(layout(true), e, main, masks, head));
        }
    }
    found
}

/// Whether the notes and the inputs leave the family open.
fn allowed(family: Family, e: &Evidence<'_>) -> bool {
    let (notes, paddle) = (e.notes, e.takes("scale_factor") || e.takes("im_shape"));
    if paddle || family == Paddle {
        // Without telling inputs its rows are told by their numbers.
        return family == Paddle || (!paddle && family == EndToEnd);
    }
    let detr = matches!(family, DetrScores | DetrBest);
    match (notes.suppresses, notes.rtdetr) {
        (_, Some(true)) => detr,
        (Some(true), _) => family == EndToEnd,
        (_, Some(false)) if detr => false,
        _ if notes.ultralytics => matches!(family, V8 | V8Normalised | EndToEnd) || detr,
        _ if notes.yolov5 => family == V5,
        _ => true,
    }
}

fn reading(layout: Layout, e: &Evidence<'_>, main: &Port, masks: Option<&Port>, head: Head) -> Reading {
    let (decoder, name) = match layout.family {
        V8 => (Decoder::Yolov8, "YOLOv8, 9, 11 or 12, a score a label"),
        V8Normalised => (Decoder::Yolov8, "YOLOv8, 9, 11 or 12 with boxes of 0..1"),
        V5 => (Decoder::Yolov5, "YOLOv5 or YOLOv7, three rows a cell"),
        YoloxGrid => (Decoder::Yolox, "YOLOX in units of its grids"),
        YoloxPixels => (Decoder::Yolox, "YOLOX with its own decoding, in pixels"),
        EndToEnd => (Decoder::YoloEndToEnd, "a detector that suppresses by itself: corners, score, label"),
        DetrScores => (Decoder::Rtdetr, "RT-DETR by Ultralytics, a score a label"),
        DetrBest => (Decoder::YoloEndToEnd, "RT-DETR by Ultralytics since 8.4, best score and its label"),
        V7End => (Decoder::Yolov7EndToEnd, "YOLOv7 with its own suppression"),
        Paddle => (Decoder::Paddle, "PaddleDetection: label, score, corners"),
    };
    let mut output = Output { head, ..Output::new(&main.name, decoder, e.labels.to_vec()) };
    let mut set = format!("outputs[0].decoder {}", word(decoder));
    match layout.family {
        V8Normalised | DetrBest => {
            output.boxes = Some(BoxForm::CentreNormalised);
            set += " and boxes centre-normalised";
        }
        YoloxPixels => {
            output.grid = false;
            set += " and grid false";
        }
        _ => {}
    }
    let mut outputs = vec![output];
    if let (Head::Segment, Some(masks)) = (head, masks) {
        outputs.push(Output::new(&masks.name, decoder, Vec::new()));
    }
    if layout.family == Paddle
        && let Some(count) = e.graph.outputs.iter().find(|o| o.integer() && o.rank() <= 1)
    {
        let role = Some(andon_model::Role::Count);
        outputs.push(Output { role, ..Output::new(&count.name, decoder, Vec::new()) });
    }
    let mut reading = Reading::new(name, set + " in a model.json", outputs);
    if layout.family == DetrBest {
        reading.sees = Decoder::Rtdetr;
    }
    reading.tested(move |runs| layout.judged(runs))
}

/// The word of `model.json` for a decoder.
pub(super) fn word(decoder: Decoder) -> String {
    serde_json::to_value(decoder).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}

/// Rows with anything in them: graphs that select by themselves fill up with zeros, or with minus ones.
fn live(rows: &[Vec<f32>]) -> Vec<&Vec<f32>> {
    rows.iter().filter(|r| r.iter().any(|v| *v != 0.0 && *v != -1.0)).collect()
}

/// Whether the numbers of a box are all about 0..1; `None` of no box.
fn normalised(rows: &[&Vec<f32>], at: usize) -> Option<bool> {
    let mut all = rows.iter().flat_map(|r| &r[at..at + 4]).peekable();
    all.peek()?;
    Some(all.all(|v| (-0.5..=1.5).contains(v)))
}

/// Whether the scores are such, a little rounding apart.
fn scores<'a>(all: impl Iterator<Item = &'a f32> + Clone) -> Result<(), String> {
    let (lo, hi) = all.fold((0f32, 0f32), |(lo, hi), v| (lo.min(*v), hi.max(*v)));
    if lo < -0.05 || hi > 1.05 {
        return Err(format!("its scores would go from {lo:.3} to {hi:.3}, which is not within 0..1"));
    }
    Ok(())
}

/// Whether a column holds indices of labels.
fn indices(rows: &[&Vec<f32>], at: usize, labels: usize) -> Result<(), String> {
    let odd = rows.iter().map(|r| r[at]).find(|v| v.fract() != 0.0 || *v < -1.0 || *v >= labels as f32);
    odd.map_or(Ok(()), |v| Err(format!("it would name label {v}, and there are {labels}, counted from 0")))
}

impl Layout {
    /// Judges the family by runs.
    fn judged(&self, runs: &[Seen]) -> Verdict {
        let (mut weight, mut scaled) = (Weight::Possible, false);
        for run in runs {
            let numbers = run.of(&self.output).ok_or("it has no such output")?;
            if numbers.broken() {
                return Err("it gives NaN or infinity".into());
            }
            let rows = numbers.rows(self.numbers, self.turned);
            let rows = rows.or_else(|| self.flat(numbers)).ok_or_else(|| {
                format!("its output has shape {:?}, and rows of {} numbers are needed", numbers.shape, self.numbers)
            })?;
            weight = weight.max(self.counted(rows.len() as i64, run.size)?);
            scaled |= rows.iter().any(|r| r[2] > 12.0 || r[3] > 12.0);
            weight = weight.max(self.numbers(&live(&rows))?);
        }
        match self.family {
            // exp(12) cells are no box, and no decoded output has small boxes only.
            YoloxGrid if scaled => Err("its widths and heights are too large for exponents".into()),
            YoloxPixels if !scaled => Err("no box of it is wider than 12 pixels".into()),
            YoloxPixels if !self.megvii => Err(format!(
                "rows of {} numbers a cell in pixels are as well YOLOv8's turned, with {} labels",
                self.numbers,
                self.labels + 1
            )),
            V8 if !self.turned && self.megvii && weight == Weight::Likely && self.labels > 1 => Err(format!(
                "rows of {} numbers a cell in an output 'output' are as well YOLOX's, with {} labels",
                self.numbers,
                self.labels - 1
            )),
            _ => Ok(weight),
        }
    }

    /// Rows of a table of two axes.
    fn flat(&self, numbers: &Numbers) -> Option<Vec<Vec<f32>>> {
        match numbers.shape[..] {
            [_, k] if k as usize == self.numbers => {
                Some(numbers.data.chunks_exact(self.numbers).map(<[f32]>::to_vec).collect())
            }
            _ => None,
        }
    }

    /// Judges by the number of rows.
    fn counted(&self, n: i64, size: [usize; 2]) -> Verdict {
        let cells = cells(size);
        let (one, three) = (cells.contains(&n), cells.iter().any(|c| n == 3 * c));
        let per = |how: &str| {
            let [w, h] = size;
            Err(format!("its {n} rows are {how} a cell of the strides 8, 16 and 32 at {w}×{h}"))
        };
        match self.family {
            V8 | V8Normalised | YoloxGrid | YoloxPixels if three => per("three"),
            V8Normalised | YoloxGrid | YoloxPixels if !one => {
                Err(format!("it has {n} rows, and {} cells at {}×{}", cells[0], size[0], size[1]))
            }
            V8 | V8Normalised | YoloxGrid | YoloxPixels if one => Ok(Weight::Likely),
            V5 if one => per("one"),
            V5 if three => Ok(Weight::Likely),
            V5 => Err(format!("it has {n} rows, and three a cell are {} at {}×{}", 3 * cells[0], size[0], size[1])),
            EndToEnd | DetrScores | DetrBest if (one || three) && !self.told => per(if one { "one" } else { "three" }),
            EndToEnd | Paddle if n <= 1000 => Ok(Weight::Likely),
            _ => Ok(Weight::Possible),
        }
    }

    /// Judges by the numbers of the rows that hold anything.
    fn numbers(&self, rows: &[&Vec<f32>]) -> Verdict {
        let flat = |range: std::ops::Range<usize>| scores(rows.iter().flat_map(move |r| &r[range.clone()]));
        let pixels = |at| match normalised(rows, at) {
            Some(true) => Err("all its boxes are within 0..1, so they are not in pixels".to_string()),
            _ => Ok(()),
        };
        let shares = || match normalised(rows, 0) {
            Some(false) => Err("its boxes are beyond 0..1".to_string()),
            Some(true) => Ok(Weight::Likely),
            None => Ok(Weight::Possible),
        };
        match self.family {
            V8 => {
                flat(4..4 + self.labels)?;
                // Of the cells of the smallest input some have a box of several pixels; of fewer rows that is not sure.
                if rows.len() >= FEWEST {
                    pixels(0)?;
                }
            }
            V8Normalised => {
                flat(4..4 + self.labels)?;
                if normalised(rows, 0) != Some(true) {
                    return Err("its boxes are beyond 0..1".into());
                }
            }
            V5 | YoloxGrid | YoloxPixels => {
                flat(4..5 + self.labels)?;
                if self.family == V5 {
                    pixels(0)?;
                }
            }
            EndToEnd => {
                flat(4..5)?;
                indices(rows, 5, self.labels)?;
                pixels(0)?;
            }
            DetrScores => {
                flat(4..4 + self.labels)?;
                let whole = |r: &&Vec<f32>| r[5].fract() == 0.0;
                if self.numbers == 6 && !rows.is_empty() && rows.iter().all(whole) {
                    return Err("the sixth number of each row is whole, as the index of a label".into());
                }
                return shares();
            }
            DetrBest => {
                flat(4..5)?;
                indices(rows, 5, self.labels)?;
                return shares();
            }
            V7End => {
                flat(6..7)?;
                indices(rows, 5, self.labels)?;
                if rows.iter().any(|r| r[0] != 0.0) {
                    return Err("the first number of each row is not the frame's".into());
                }
                pixels(1)?;
            }
            Paddle => {
                flat(1..2)?;
                indices(rows, 0, self.labels)?;
                pixels(2)?;
            }
        }
        Ok(Weight::Possible)
    }
}
