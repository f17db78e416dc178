// SPDX-License-Identifier: MPL-2.0
//! A picture with the boxes that a model found, missed and made up, drawn over the pixels.

use andon_core::result::Inference;
use andon_evaluate::{Mask, Measured, data::Sample, pipeline::decoded, score::MIN_IOU};
use andon_report::{label, letters, outline};
use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::outlines::outlines;
use crate::picture::jpeg;

/// Most pixels across of a picture: the page is one file.
const WIDEST: u32 = 640;

/// The pixels, once for all models: a definition that drawings refer to by `id`.
pub fn pixels(sample: &Sample, id: usize, frame: [u32; 2]) -> Result<Markup> {
    let picture = jpeg(&decoded(&sample.image, "")?, WIDEST)?;
    let [width, height] = frame;
    Ok(html! {
        svg.defs width="0" height="0" aria-hidden="true" {
            defs {
                image id=(format_args!("p{id}")) width=(width) height=(height) href=(picture.address()) {}
            }
        }
    })
}

/// The result of a model for sample `i`, over the pixels `id`.
pub fn drawn(m: &Measured, sample: &Sample, i: usize, id: usize) -> Result<Markup> {
    let result: &Inference = &m.results[i];
    let [width, height] = result.frame;
    let title = format!("{} as {} {} sees it{}", sample.id, m.model.name, m.model.version, said(m, i));
    let outlines = Mask::of(sample)?.map(|mask| outlines(result, &mask, m.thresholds.score));
    Ok(html! {
        svg.frame viewBox=(format_args!("0 0 {width} {height}")) role="img" aria-label=(title) {
            title { (title) }
            use href=(format_args!("#p{id}")) {}
            (boxes(m, i))
            @if let Some(outlines) = outlines { (PreEscaped(outlines)) }
        }
    })
}

/// The errors on a picture in words: `: 2 found; missed: short; not there: open`.
fn said(m: &Measured, i: usize) -> String {
    let Some(judged) = &m.images[i] else { return format!(": {}", m.results[i].verdict) };
    let (missed, wrong) = judged.errors(m.thresholds.score, MIN_IOU);
    let found = judged.found.iter().filter(|f| f.score >= m.thresholds.score).count();
    let named = |what: &str, classes: Vec<usize>| match &classes[..] {
        [] => String::new(),
        all => format!("; {what}: {}", all.iter().map(|c| m.labels[*c].as_str()).collect::<Vec<_>>().join(", ")),
    };
    let missed = named("missed", missed.iter().map(|t| judged.truth[*t].class).collect());
    let false_ = named("not there", wrong.iter().map(|f| judged.found[*f].class).collect());
    format!(": {} found{missed}{false_}", found - wrong.len())
}

/// The boxes that a model found, missed and made up.
fn boxes(m: &Measured, i: usize) -> Markup {
    let result: &Inference = &m.results[i];
    let threshold = m.thresholds.score;
    let one = |class, bbox, text: &str| one(class, bbox, text, result.frame);
    let Some(judged) = &m.images[i] else {
        return html! {
            @for d in result.detections.iter().filter(|d| d.score >= threshold) {
                (one("false", d.upright().map(f64::from), &format!("{} {:.2}", d.label, d.score)))
            }
        };
    };
    let (missed, wrong) = judged.errors(threshold, MIN_IOU);
    html! {
        @for (at, found) in judged.found.iter().enumerate().filter(|(_, f)| f.score >= threshold) {
            @let class = if wrong.contains(&at) { "false" } else { "hit" };
            (one(class, found.bbox, &format!("{} {:.2}", m.labels[found.class], found.score)))
        }
        @for at in missed {
            @let truth = &judged.truth[at];
            (one("missed", truth.bbox, &m.labels[truth.class]))
        }
    }
}

fn one(class: &str, [x, y, w, h]: [f64; 4], text: &str, frame: [u32; 2]) -> Markup {
    // A missed box is wider than one that was found, so that both are seen where they meet.
    let room = if class == "missed" { letters(frame) * 0.2 } else { 0.0 };
    let bbox = [x - room, y - room, w + 2.0 * room, h + 2.0 * room];
    html! {
        (outline(class, &format!("edge {class}"), bbox, None))
        @if class != "hit" { (label(class, text, bbox, class == "missed", frame)) }
    }
}
