// SPDX-License-Identifier: MPL-2.0
//! Boxes drawn over a frame: sharp at any size, and the pixels stay as they were.

use andon_core::result::{Detection, Inference};
use maud::{Markup, html};

use crate::{image::Image, svg::Px};

/// Height of the letters, as a share of the frame's longer side.
const LETTERS: f64 = 1.0 / 30.0;

/// Approximate width of a letter, as a share of its height.
const WIDE: f64 = 0.62;

/// What one arm found.
pub struct Found<'a> {
    /// The arm's result.
    pub result: &'a Inference,
    /// Indices of the detections that the other arm did not find.
    pub alone: &'a [usize],
}

/// A picture of a frame of `size` pixels, with what both arms found drawn on it: a's boxes first, b's around them.
/// Brackets stand around what only one arm found.
pub fn boxes(image: &Image, title: &str, size: [u32; 2], found: [Option<Found<'_>>; 2]) -> Markup {
    let [width, height] = size;
    let said: Vec<_> = ["a", "b"].into_iter().zip(&found).filter_map(|(arm, f)| Some(said(arm, f.as_ref()?))).collect();
    html! {
        svg.frame viewBox=(format_args!("0 0 {width} {height}")) role="img" aria-label=(format!("{title}: {}", said.join("; "))) {
            title { (title) }
            image width=(width) height=(height) href=(image.address()) {}
            @for (arm, found) in ["a", "b"].into_iter().zip(found) {
                @if let Some(Found { result, alone }) = found {
                    @let scale = [0, 1].map(|i| size[i].max(1) as f32 / result.frame[i].max(1) as f32);
                    @for (at, detection) in result.detections.iter().enumerate() {
                        (one(arm, detection, scale, alone.contains(&at), size))
                    }
                }
            }
        }
    }
}

/// What an arm found, in words: `a: ng, open 0.91, short 0.75 alone`.
fn said(arm: &str, found: &Found<'_>) -> String {
    let one = |(at, d): (usize, &Detection)| {
        format!(", {} {:.2}{}", d.label, d.score, if found.alone.contains(&at) { " alone" } else { "" })
    };
    let boxes: String = found.result.detections.iter().enumerate().map(one).collect();
    let boxes = if boxes.is_empty() { ", no box".into() } else { boxes };
    format!("{arm}: {}{boxes}", found.result.verdict)
}

/// Height of the letters on a frame of `size` pixels.
pub fn letters(size: [u32; 2]) -> f64 {
    f64::from(size[0].max(size[1])) * LETTERS
}

/// One detection: its box, brackets if only this arm found it, and its label, a's above and b's below.
fn one(arm: &str, detection: &Detection, scale: [f32; 2], alone: bool, size: [u32; 2]) -> Markup {
    let of = |bbox: [f32; 4]| [0, 1, 2, 3].map(|i| f64::from(bbox[i] * scale[i % 2]));
    let letters = letters(size);
    // b's boxes lie around a's, so that both are seen where both arms found the same.
    let room = letters * if arm == "b" { 0.28 } else { 0.1 };
    let colour = format!("of-{arm}");
    let bounds = around(of(detection.upright()), room + if alone { letters * 0.25 } else { 0.0 });
    html! {
        (outline(&format!("box {colour}"), &format!("edge {colour}"), around(of(detection.bbox), room), detection.angle))
        @if alone {
            @for class in ["edge", "bracket"] { path.(class).(colour) d=(brackets(bounds)) {} }
        }
        (label(
            &format!("{colour}{}", if alone { " alone" } else { "" }),
            &format!("{} {:.2}", detection.label, detection.score),
            bounds,
            arm == "b",
            size,
        ))
    }
}

/// A box, drawn twice: in the style's class `edge`, which is dark and wider, and in `class` above it.
///
/// `bbox` is left, top, width and height in pixels; `angle`, radians, turns the box around its centre.
pub fn outline(class: &str, edge: &str, bbox: [f64; 4], angle: Option<f32>) -> Markup {
    let [x, y, w, h] = bbox;
    let turn = angle.map(|a| format!("rotate({:.1} {:.1} {:.1})", a.to_degrees(), x + w / 2.0, y + h / 2.0));
    html! {
        @for class in [edge, class] {
            rect class=(class) transform=[&turn] x=(Px(x)) y=(Px(y)) width=(Px(w)) height=(Px(h)) {}
        }
    }
}

/// A text above a box, or `below` it. It stays within the frame of `size` pixels, and ends with its box where it would leave it.
pub fn label(class: &str, text: &str, [x, y, w, h]: [f64; 4], below: bool, size: [u32; 2]) -> Markup {
    let letters = letters(size);
    let [width, height] = size.map(f64::from);
    let baseline = if below { y + h + letters } else { y - letters * 0.35 };
    let baseline = baseline.clamp(letters, height.max(letters) - letters * 0.3);
    let length = text.chars().count() as f64 * letters * WIDE;
    let (x, anchor) = match x + length > width {
        true => ((x + w).clamp(length.min(width), width), "end"),
        false => (x.max(0.0), "start"),
    };
    html! {
        text class=(class) text-anchor=(anchor) x=(Px(x)) y=(Px(baseline))
            style=(format_args!("font-size:{letters:.1}px")) { (text) }
    }
}

fn around([x, y, w, h]: [f64; 4], by: f64) -> [f64; 4] {
    [x - by, y - by, w + 2.0 * by, h + 2.0 * by]
}

/// The four corners of a box, each side a quarter as long as the box's.
fn brackets([x, y, w, h]: [f64; 4]) -> String {
    let (u, v) = (w / 4.0, h / 4.0);
    let (right, low) = (x + w, y + h);
    format!(
        "M{x:.1} {:.1}V{y:.1}H{:.1}M{:.1} {y:.1}H{right:.1}V{:.1}M{right:.1} {:.1}V{low:.1}H{:.1}M{:.1} {low:.1}H{x:.1}V{:.1}",
        y + v,
        x + u,
        right - u,
        y + v,
        low - v,
        right - u,
        x + u,
        low - v
    )
}

#[cfg(test)]
mod tests {
    use andon_core::result::{Arm, Frame};

    use super::*;

    fn result(arm: Arm, frame: [u32; 2], boxes: &[[f32; 4]]) -> Inference {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), frame);
        i.detections = boxes.iter().map(|b| Detection::new(0, "<open>".into(), 0.9, *b)).collect();
        i
    }

    fn drawn(a: &Inference, b: &Inference, only_b: &[usize]) -> String {
        let image = Image { bytes: vec![1], mime: "image/png" };
        let found = [Some(Found { result: a, alone: &[] }), Some(Found { result: b, alone: only_b })];
        boxes(&image, "t", [80, 60], found).into_string()
    }

    #[test]
    fn both_arms_boxes_are_there_and_brackets_where_only_one_found_it() {
        let a = result(Arm::A, [80, 60], &[[10., 10., 20., 20.]]);
        let b = result(Arm::B, [80, 60], &[[11., 10., 20., 20.], [50., 30., 10., 10.]]);
        let html = drawn(&a, &b, &[1]);
        let count = |what: &str| html.matches(what).count();
        assert_eq!((count("box of-a"), count("box of-b")), (1, 2));
        assert_eq!((count("bracket of-a"), count("bracket of-b"), count("of-b alone")), (0, 1, 1));
        assert!(html.contains("aria-label=\"t: a: unjudged, &lt;open&gt; 0.90; b: unjudged, &lt;open&gt; 0.90, &lt;open&gt; 0.90 alone\""), "{html}");
        assert!(html.contains("&lt;open&gt; 0.90") && !html.contains("<open>"), "labels cannot break the page");
    }

    #[test]
    fn what_b_saw_of_another_size_is_drawn_where_a_saw_it() {
        let a = result(Arm::A, [80, 60], &[]);
        let b = result(Arm::B, [160, 120], &[[40., 40., 20., 20.]]);
        let html = drawn(&a, &b, &[]);
        assert_eq!(html.matches("text-anchor=\"start\"").count(), 1);
        // 20, 20 and 10 wide, with 0.28 of a letter of 80 / 30 pixels around.
        assert!(html.contains(r#"x="19.3" y="19.3" width="11.5" height="11.5""#), "{html}");
        let edge = drawn(&result(Arm::A, [80, 60], &[[70., 40., 15., 10.]]), &result(Arm::B, [80, 60], &[]), &[]);
        assert!(edge.contains(r#"text-anchor="end" x="80.0""#), "{edge}");
    }
}
