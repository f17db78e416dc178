// SPDX-License-Identifier: MPL-2.0
//! A frame with both arms' boxes drawn over it, as SVG: sharp at any size, and the pixels stay as they were.

use std::fmt::Write;

use andon_core::result::Inference;
use andon_report::{
    html::{escape, figure},
    words::{counted, decimal},
};
use andon_statistics::agreement::Why;
use anyhow::Result;

use super::gallery::Picture;
use crate::picture::with_boxes;

/// Wider frames are shown this wide: the page is one file.
const WIDEST: u32 = 960;

/// The frame and its caption.
pub fn html(picture: &Picture) -> Result<String> {
    Ok(figure(&svg(picture)?, &caption(picture)))
}

fn svg(picture: &Picture) -> Result<String> {
    let (a, b) = (&*picture.a, &*picture.b);
    let title = format!("Frame {} with what both models found", a.frame_id);
    with_boxes(&picture.sample, &title, a.frame, [Some(a), Some(b)], WIDEST)
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
    counted(said.detections.len() as u64, "box", "boxes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Detection, Frame, Verdict};
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
