// SPDX-License-Identifier: MPL-2.0
//! A frame with both arms' boxes drawn over it, as SVG: sharp at any size, and the pixels stay as they were.

use std::fmt::Write;

use andon_core::result::{Detection, Inference};
use andon_statistics::{
    agreement::Why,
    box_pairs::{BoxPairs, pair_boxes},
};
use anyhow::Result;

use super::{figures::decimal, gallery::Picture};
use crate::report::{
    html::{escape, figure},
    image,
};

/// Wider frames are shown this wide: the page is one file.
const WIDEST: u32 = 960;

/// The frame and its caption.
pub fn html(picture: &Picture) -> Result<String> {
    Ok(figure(&svg(picture)?, &caption(picture)))
}

fn svg(picture: &Picture) -> Result<String> {
    let (a, b) = (&*picture.a, &*picture.b);
    let title = format!("Frame {} with what both models found", a.frame_id);
    drawn(&picture.sample, &title, a.frame, [Some(a), Some(b)], WIDEST)
}

/// A picture of `frame` pixels, shown at most `widest` pixels wide, with what a and b found on it; brackets where both
/// spoke and only one saw it.
pub fn drawn(
    sample: &gst::Sample,
    title: &str,
    frame: [u32; 2],
    said: [Option<&Inference>; 2],
    widest: u32,
) -> Result<String> {
    let ([width, height], title) = (frame, escape(title));
    let mut s = format!(
        "<svg class=\"frame\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>\
         <image width=\"{width}\" height=\"{height}\" href=\"{}\"/>",
        image::jpeg(sample, widest)?.address()
    );
    let matching = if let [Some(a), Some(b)] = said { pair_boxes(a, b) } else { BoxPairs::default() };
    let size = f64::from(width.max(height)) / 30.0;
    for (arm, said, alone) in [("a", said[0], &matching.a_only), ("b", said[1], &matching.b_only)] {
        let Some(said) = said else { continue };
        let k = [0, 1].map(|i| frame[i].max(1) as f32 / said.frame[i].max(1) as f32);
        for (at, d) in said.detections.iter().enumerate() {
            s += &thing(arm, d, k, alone.contains(&at), size, frame);
        }
    }
    Ok(s + "</svg>")
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

fn caption(picture: &Picture) -> String {
    let why = match picture.why {
        Why::Verdict => "the verdicts differ",
        Why::Boxes => "only one saw some boxes",
        Why::Score => "not equally sure",
    };
    let mut s = format!("Frame {}", picture.a.frame_id);
    if let Some(part) = &picture.a.part {
        let _ = write!(s, ", part {}", escape(&part.id));
    }
    let _ = write!(s, ": {why} ({}).", decimal(Some(picture.difference), 2));
    if let Some(truth) = &picture.truth {
        let labels: Vec<_> = truth.detections.iter().map(|d| &*d.label).collect();
        let there = if labels.is_empty() { "nothing".into() } else { escape(&labels.join(", ")) };
        let _ = write!(s, " In truth: {there}.");
    }
    for (arm, said) in [("a", &picture.a), ("b", &picture.b)] {
        let _ = write!(s, "<br>{arm}: <b>{}</b> {:.2}, {}", said.verdict, said.score, boxes(said));
    }
    s
}

fn boxes(said: &Inference) -> String {
    super::figures::counted(said.detections.len() as u64, "box", "boxes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame, Verdict};
    use std::sync::Arc;

    fn said(arm: Arm, frame: [u32; 2], boxes: &[[f32; 4]]) -> Arc<Inference> {
        let mut i = Inference { verdict: Verdict::Ng, ..Inference::new("m".into(), arm, &Frame::new(None), frame) };
        i.detections = boxes.iter().map(|b| Detection::new(0, "<open>".into(), 0.9, *b)).collect();
        Arc::new(i)
    }

    fn picture(a: Arc<Inference>, b: Arc<Inference>) -> Picture {
        gst::init().unwrap();
        let caps: gst::Caps = "video/x-raw,format=GRAY8,width=80,height=60,framerate=30/1".parse().unwrap();
        let sample = gst::Sample::builder().buffer(&gst::Buffer::from_slice(vec![90u8; 80 * 60])).caps(&caps).build();
        Picture { difference: 0.75, why: Why::Boxes, a, b, truth: None, sample }
    }

    #[test]
    fn both_arms_boxes_are_there_and_brackets_where_only_one_saw_it() {
        let a = said(Arm::A, [80, 60], &[[10., 10., 20., 20.]]);
        let b = said(Arm::B, [80, 60], &[[11., 10., 20., 20.], [50., 30., 10., 10.]]);
        let html = html(&picture(a, b)).unwrap();
        let count = |what: &str| html.matches(what).count();
        assert_eq!((count("box of-a"), count("box of-b")), (1, 2));
        assert_eq!((count("bracket of-a"), count("bracket of-b"), count("of-b alone")), (0, 1, 1));
        assert!(html.contains("&lt;open&gt; 0.90") && !html.contains("<open>"), "labels cannot break the page");
        assert!(html.contains("data:image/jpeg;base64,") || html.contains("data:image/png;base64,"));
        assert!(html.contains("a: <b>ng</b> 0.00, 1 box<br>b: <b>ng</b> 0.00, 2 boxes"), "{html}");
    }

    #[test]
    fn what_b_saw_of_another_size_is_drawn_where_a_saw_it() {
        let a = said(Arm::A, [80, 60], &[]);
        let b = said(Arm::B, [160, 120], &[[40., 40., 20., 20.]]);
        let html = html(&picture(a, b)).unwrap();
        assert_eq!(html.matches("text-anchor=\"start\"").count(), 1);
        let edge = said(Arm::A, [80, 60], &[[70., 40., 15., 10.]]);
        assert!(
            super::html(&picture(edge, said(Arm::B, [80, 60], &[]))).unwrap().contains(r#"text-anchor="end" x="80.0""#)
        );
        // 20, 20 and 10 wide, with 0.28 of a letter of 80 / 30 pixels around.
        assert!(html.contains(r#"x="19.3" y="19.3" width="11.5" height="11.5""#), "{html}");
    }
}
