// SPDX-License-Identifier: MPL-2.0
//! A frame with both arms' boxes drawn over it, as SVG: sharp at any size, and the pixels stay as they were.

use std::fmt::Write;

use andon_core::result::{Detection, Inference};

use super::html::{Image, escape};

/// What an arm found.
pub struct Found<'a> {
    /// Its result.
    pub result: &'a Inference,
    /// Which of its detections the other arm has not, by their place.
    pub alone: &'a [usize],
}

/// A picture of `frame` pixels, with what a and b found on it; brackets where only one saw it.
pub fn drawn(image: &Image, title: &str, frame: [u32; 2], found: [Option<Found<'_>>; 2]) -> String {
    let ([width, height], title) = (frame, escape(title));
    let mut s = format!(
        "<svg class=\"frame\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>\
         <image width=\"{width}\" height=\"{height}\" href=\"{}\"/>",
        image.address()
    );
    let size = f64::from(width.max(height)) / 30.0;
    for (arm, found) in ["a", "b"].into_iter().zip(found) {
        let Some(Found { result: said, alone }) = found else { continue };
        let k = [0, 1].map(|i| frame[i].max(1) as f32 / said.frame[i].max(1) as f32);
        for (at, d) in said.detections.iter().enumerate() {
            s += &thing(arm, d, k, alone.contains(&at), size, frame);
        }
    }
    s + "</svg>"
}

/// A box, its brackets where only this arm saw it, and its label: a's above, b's below; `size` of the letters in pixels.
fn thing(arm: &str, d: &Detection, k: [f32; 2], alone: bool, size: f64, frame: [u32; 2]) -> String {
    let of = |b: [f32; 4]| [0, 1, 2, 3].map(|i| f64::from(b[i] * k[i % 2]));
    // b's around a's, so that both are seen where both saw the same.
    let around = |[x, y, w, h]: [f64; 4], by: f64| [x - by, y - by, w + 2.0 * by, h + 2.0 * by];
    let room = size * if arm == "b" { 0.28 } else { 0.1 };
    let [x, y, w, h] = around(of(d.bbox), room);
    let turn = d.angle.map_or(String::new(), |angle| {
        format!(" transform=\"rotate({:.1} {:.1} {:.1})\"", angle.to_degrees(), x + w / 2.0, y + h / 2.0)
    });
    let mut s = String::new();
    for class in ["edge", "box"] {
        let _ = write!(
            s,
            "<rect class=\"{class} of-{arm}\"{turn} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"/>"
        );
    }
    let [x, y, w, h] = around(of(d.upright()), room + if alone { size * 0.25 } else { 0.0 });
    if alone {
        let (u, v) = (w / 4.0, h / 4.0);
        let (r, l) = (x + w, y + h);
        let path = format!(
            "M{x:.1} {:.1}V{y:.1}H{:.1}M{:.1} {y:.1}H{r:.1}V{:.1}M{r:.1} {:.1}V{l:.1}H{:.1}M{:.1} {l:.1}H{x:.1}V{:.1}",
            y + v,
            x + u,
            r - u,
            y + v,
            l - v,
            r - u,
            x + u,
            l - v
        );
        for class in ["edge", "bracket"] {
            let _ = write!(s, "<path class=\"{class} of-{arm}\" d=\"{path}\"/>");
        }
    }
    let below = y + h + size;
    let [width, height] = frame.map(f64::from);
    let ty = if arm == "b" { below } else { y - size * 0.35 }.clamp(size, height.max(size) - size * 0.3);
    // A label ends with its box where it would run out of the frame.
    let (tx, anchor) = if x > 0.75 * width { ((x + w).min(width), "end") } else { (x.max(0.0), "start") };
    let _ = write!(
        s,
        "<text class=\"of-{arm}{}\" text-anchor=\"{anchor}\" x=\"{tx:.1}\" y=\"{ty:.1}\" style=\"font-size:{size:.1}px\">{} {:.2}</text>",
        if alone { " alone" } else { "" },
        escape(&d.label),
        d.score
    );
    s
}
