// SPDX-License-Identifier: MPL-2.0
//! A frame on the page, with both arms' boxes drawn over it.

use andon_core::result::{Inference, Verdict};
use andon_report::words::{counted, decimal};
use andon_statistics::{agreement::Why, box_pairs::pair_boxes};
use anyhow::Result;
use maud::{Markup, display, html};

use super::different::DifferentFrame;
use crate::picture::with_boxes;

/// Most pixels across of a shown frame: the page is one file.
const WIDEST: u32 = 960;

/// What a frame stands for on which only b says ng.
pub const ONLY_B: &str = "ok (a) to ng (b)";
/// What a frame stands for on which only a says ng.
pub const ONLY_A: &str = "ng (a) to ok (b)";

/// The frame and its caption.
pub fn html(frame: &DifferentFrame) -> Result<Markup> {
    let (a, b) = (&*frame.a, &*frame.b);
    let title = format!("Frame {}", a.frame_id);
    let content = with_boxes(&frame.sample, &title, a.frame, [Some(a), Some(b)], WIDEST)?;
    Ok(html! { (content) figcaption { (caption(frame)) } })
}

/// What a frame stands for: the figures that count it.
pub fn tags(frame: &DifferentFrame) -> Vec<String> {
    let (a, b) = (&*frame.a, &*frame.b);
    let mut tags = Vec::new();
    match (a.verdict, b.verdict) {
        (Verdict::Ok, Verdict::Ng) => tags.push(ONLY_B.into()),
        (Verdict::Ng, Verdict::Ok) => tags.push(ONLY_A.into()),
        _ => {}
    }
    let pairs = pair_boxes(a, b);
    for (arm, result, alone) in [("a", a, &pairs.a_only), ("b", b, &pairs.b_only)] {
        tags.extend(alone.iter().map(|at| alone_tag(arm, &result.detections[*at].label)));
        tags.extend(frame.truth.as_ref().and_then(|truth| scored_tag(arm, truth.verdict, result.verdict)));
    }
    tags
}

/// What a frame stands for on which only `arm` found a box of this label.
pub fn alone_tag(arm: &str, label: &str) -> String {
    format!("{label}: only {arm}")
}

/// What a frame stands for on which `arm` errs: `a: escapes`, `b: overkill`.
fn scored_tag(arm: &str, truth: Verdict, verdict: Verdict) -> Option<String> {
    match (truth, verdict) {
        (Verdict::Ng, Verdict::Ok) => Some(format!("{arm}: escapes")),
        (Verdict::Ok, Verdict::Ng) => Some(format!("{arm}: overkill")),
        _ => None,
    }
}

fn caption(frame: &DifferentFrame) -> Markup {
    let why = match frame.why {
        Why::Verdict => "the verdicts differ",
        Why::Boxes => "only one found some boxes",
        Why::Score => "not equally sure",
    };
    let line = |arm: &str, result: &Inference| {
        html! {
            br;
            (arm) ": " b { (display(result.verdict)) } (format_args!(" {:.2}, ", result.score))
            (counted(result.detections.len() as u64, "box", "boxes"))
        }
    };
    html! {
        "Frame " (frame.a.frame_id)
        @if let Some(part) = &frame.a.part { ", part " (part.id) }
        ": " (why) " (" (decimal(Some(frame.difference), 2)) ")."
        @if let Some(truth) = &frame.truth {
            @let labels = truth.detections.iter().map(|d| &*d.label).collect::<Vec<_>>();
            " In truth: " @if labels.is_empty() { "nothing" } @else { (labels.join(", ")) } "."
        }
        (line("a", &frame.a))
        (line("b", &frame.b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Detection, Frame, Verdict};
    use std::sync::Arc;

    fn result(arm: Arm, frame: [u32; 2], boxes: &[[f32; 4]]) -> Arc<Inference> {
        let mut i = Inference { verdict: Verdict::Ng, ..Inference::new("m".into(), arm, &Frame::new(None), frame) };
        i.detections = boxes.iter().map(|b| Detection::new(0, "<open>".into(), 0.9, *b)).collect();
        Arc::new(i)
    }

    fn frame(a: Arc<Inference>, b: Arc<Inference>) -> DifferentFrame {
        gst::init().unwrap();
        let caps: gst::Caps = "video/x-raw,format=GRAY8,width=80,height=60,framerate=30/1".parse().unwrap();
        let sample = gst::Sample::builder().buffer(&gst::Buffer::from_slice(vec![90u8; 80 * 60])).caps(&caps).build();
        DifferentFrame { difference: 0.75, why: Why::Boxes, a, b, truth: None, sample }
    }

    #[test]
    fn both_arms_boxes_are_there_and_brackets_where_only_one_saw_it() {
        let a = result(Arm::A, [80, 60], &[[10., 10., 20., 20.]]);
        let b = result(Arm::B, [80, 60], &[[11., 10., 20., 20.], [50., 30., 10., 10.]]);
        let html = html(&frame(a, b)).unwrap().into_string();
        let count = |what: &str| html.matches(what).count();
        assert_eq!((count("box of-a"), count("box of-b")), (1, 2));
        assert_eq!((count("bracket of-a"), count("bracket of-b"), count("of-b alone")), (0, 1, 1));
        assert!(html.contains("&lt;open&gt; 0.90") && !html.contains("<open>"), "labels cannot break the page");
        assert!(html.contains("data:image/jpeg;base64,") || html.contains("data:image/png;base64,"));
        let frame = frame(result(Arm::A, [80, 60], &[]), result(Arm::B, [80, 60], &[[1., 1., 9., 9.]]));
        assert_eq!(tags(&frame), ["<open>: only b"], "both verdicts are ng");
        assert!(html.contains("a: <b>ng</b> 0.00, 1 box<br>b: <b>ng</b> 0.00, 2 boxes"), "{html}");
    }
}
