// SPDX-License-Identifier: MPL-2.0
//! A picture with what a model found right, missed and made up, as SVG over the pixels.

use std::fmt::Write;

use andon_core::result::Inference;
use andon_evaluate::{Mask, Measured, data::Sample, pipeline::decoded, score::MIN_IOU};
use anyhow::Result;

use super::outlines::outlines;
use crate::report::{html::escape, image};

/// Wider pictures are shown this wide: the page is one file.
const WIDEST: u32 = 640;

/// The pixels, once for all models: a definition that drawings refer to by `id`.
pub fn pixels(sample: &Sample, id: usize, frame: [u32; 2]) -> Result<String> {
    let picture = image::jpeg(&decoded(&sample.image, "")?, WIDEST)?;
    let [width, height] = frame;
    Ok(format!(
        "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs><image id=\"p{id}\" width=\"{width}\" height=\"{height}\" href=\"{}\"/></defs></svg>",
        picture.address()
    ))
}

/// What a model made of sample `i`, over the pixels `id`.
pub fn drawn(m: &Measured, sample: &Sample, i: usize, id: usize) -> Result<String> {
    let outcome: &Inference = &m.results[i];
    let [width, height] = outcome.frame;
    let title = escape(&format!("{} as {} {} sees it", sample.id, m.model.name, m.model.version));
    let mut s = format!(
        "<svg class=\"frame\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title><use href=\"#p{id}\"/>"
    );
    let size = f64::from(width.max(height)) / 30.0;
    match &m.images[i] {
        Some(judged) => {
            let (missed, wrong) = judged.errors(m.thresholds.score, MIN_IOU);
            for (at, f) in judged.found.iter().enumerate().filter(|(_, f)| f.score >= m.thresholds.score) {
                let class = if wrong.contains(&at) { "false" } else { "hit" };
                s += &thing(class, f.bbox, &format!("{} {:.2}", m.labels[f.class], f.score), size, outcome.frame);
            }
            for at in missed {
                let t = &judged.truth[at];
                s += &thing("missed", t.bbox, &m.labels[t.class], size, outcome.frame);
            }
        }
        None => {
            for d in outcome.detections.iter().filter(|d| d.score >= m.thresholds.score) {
                let label = format!("{} {:.2}", d.label, d.score);
                s += &thing("false", d.upright().map(f64::from), &label, size, outcome.frame);
            }
        }
    }
    if let Some(mask) = Mask::of(sample)? {
        s += &outlines(outcome, &mask, m.thresholds.score);
    }
    Ok(s + "</svg>")
}

fn thing(class: &str, [x, y, w, h]: [f64; 4], label: &str, size: f64, frame: [u32; 2]) -> String {
    // A missed box is wider than one that was found, so that both are seen where they meet.
    let room = if class == "missed" { size * 0.2 } else { 0.0 };
    let [x, y, w, h] = [x - room, y - room, w + 2.0 * room, h + 2.0 * room];
    let mut s = String::new();
    for edge in ["edge ", ""] {
        let _ =
            write!(s, "<rect class=\"{edge}{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"/>");
    }
    if class != "hit" {
        let [width, height] = frame.map(f64::from);
        let at = (if class == "missed" { y + h + size } else { y - size * 0.35 }).clamp(size, height.max(size));
        // A label ends with its box where it would run out of the picture.
        let (left, anchor) = if x > 0.75 * width { ((x + w).min(width), "end") } else { (x.max(0.0), "start") };
        let _ = write!(
            s,
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{left:.1}\" y=\"{at:.1}\" style=\"font-size:{size:.1}px\">{}</text>",
            escape(label)
        );
    }
    s
}
