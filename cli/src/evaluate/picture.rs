// SPDX-License-Identifier: MPL-2.0
//! A picture with what a model found right, missed and made up, as SVG over the pixels.

use andon_core::result::Inference;
use andon_report::{label, letters, outline};
use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::{
    data::Sample,
    maps::{self, Mask},
    measure::Measured,
    score::MIN_IOU,
    templates,
};
use crate::picture::jpeg;

/// Wider pictures are shown this wide: the page is one file.
const WIDEST: u32 = 640;

/// The pixels, once for all models: a definition that drawings refer to by `id`.
pub fn pixels(sample: &Sample, id: usize, frame: [u32; 2]) -> Result<Markup> {
    let picture = jpeg(&templates::decoded(&sample.image, "")?, WIDEST)?;
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
    let outcome: &Inference = &m.outcomes[i];
    let [width, height] = outcome.frame;
    let title = format!("{} as {} {} sees it", sample.id, m.model.name, m.model.version);
    let outlines = Mask::of(sample)?.map(|mask| maps::outlines(outcome, &mask, m.thresholds.score));
    Ok(html! {
        svg.frame viewBox=(format_args!("0 0 {width} {height}")) role="img" aria-label=(title) {
            title { (title) }
            use href=(format_args!("#p{id}")) {}
            (boxes(m, i))
            @if let Some(outlines) = outlines { (PreEscaped(outlines)) }
        }
    })
}

/// The boxes that a model found, missed and made up.
fn boxes(m: &Measured, i: usize) -> Markup {
    let outcome: &Inference = &m.outcomes[i];
    let threshold = m.thresholds.score;
    let one = |class, bbox, text: &str| one(class, bbox, text, outcome.frame);
    let Some(judged) = &m.judged[i] else {
        return html! {
            @for d in outcome.detections.iter().filter(|d| d.score >= threshold) {
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
