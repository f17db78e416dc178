// SPDX-License-Identifier: MPL-2.0
//! `andon dataset browse`: the captures as one page to look at, those first on which the models differ.

use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_capture::{Role, Tag};
use andon_core::result::Arm;
use andon_report::{figure, key, words::counted};
use andon_statistics::agreement::{Why, difference};
use anyhow::{Context, Result};
use clap::Args;
use gst::prelude::*;
use gst_app::AppSink;
use maud::{Markup, display, html};

use super::{
    bar,
    folder::{Capture, Folder, Named},
};
use crate::{app::init, picture::with_boxes};

/// Pictures are at most so wide, pixels: two hundred of them are a file of some 20 MB.
const WIDEST: u32 = 360;
/// How long a picture may take.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// Makes a contact sheet: one page of pictures with both models' boxes, disagreements first, then the doubtful ones.
#[derive(Args)]
pub struct Browse {
    /// The folder that a framesampler wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "contact.html")]
    out: PathBuf,
    /// Show so many captures
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2000))]
    most: u16,
    /// The score that decides between ok and ng: the nearer to it, the more doubtful
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    near: f32,
}

/// How much a capture wants to be looked at; the least comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rank {
    /// 0 where the arms differ, 1 where anybody judged, 2 where nobody did.
    group: u8,
    /// Within the group.
    place: f64,
}

impl Rank {
    fn of(capture: &Capture, near: f32) -> Self {
        let judged = [Arm::A, Arm::B].map(|arm| capture.judged(arm));
        if let [Some(a), Some(b)] = judged
            && let Some((much, Why::Verdict | Why::Boxes)) = difference(a, b)
        {
            return Self { group: 0, place: -much };
        }
        let doubt = judged.into_iter().flatten().map(|i| f64::from((i.score - near).abs())).min_by(f64::total_cmp);
        doubt.map_or(Self { group: 2, place: 0.0 }, |place| Self { group: 1, place })
    }

    fn order(&self, other: &Self) -> Ordering {
        self.group.cmp(&other.group).then(self.place.total_cmp(&other.place))
    }
}

impl Browse {
    /// Writes the page; wrong usage where there are no captures.
    pub fn execute(self) -> Result<ExitCode> {
        init()?;
        let folder = Folder::open(&self.folder)?;
        let most = usize::from(self.most);
        let mut kept: Vec<(Rank, Capture)> = Vec::new();
        let mut differ = 0;
        let reading = bar(folder.len(), "reading");
        let done = folder.each(
            || reading.inc(1),
            |capture| {
                let rank = Rank::of(capture, self.near);
                differ += u64::from(rank.group == 0);
                // After its equals: of these the first by name stay.
                let at = kept.partition_point(|(kept, _)| kept.order(&rank) != Ordering::Greater);
                if at < most {
                    kept.insert(at, (rank, capture.clone()));
                    kept.truncate(most);
                }
                Ok(())
            },
        );
        reading.finish_and_clear();
        let (whole, faults) = done?;

        let drawing = bar(kept.len(), "drawing");
        let mut unseen = Named::default();
        let mut pictures = Vec::new();
        for (_, capture) in &kept {
            match picture(capture) {
                Ok(picture) => pictures.push(picture),
                Err(why) => unseen.add(format!("{} ({why:#})", capture.sidecar.file)),
            }
            drawing.inc(1);
        }
        drawing.finish_and_clear();
        let page = self.page(whole, differ, kept.len() as u64 - unseen.total, &pictures);
        fs::write(&self.out, page.into_string())
            .with_context(|| format!("{} cannot be written; name another file with --out=FILE", self.out.display()))?;
        println!(
            "{} of {} on {}",
            kept.len() as u64 - unseen.total,
            counted(whole, "capture", "captures"),
            self.out.display()
        );
        unseen.tell("image that cannot be shown", "images that cannot be shown");
        faults.tell();
        Ok(ExitCode::SUCCESS)
    }

    fn page(&self, whole: u64, differ: u64, shown: u64, pictures: &[Markup]) -> Markup {
        let name = self.folder.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
        let name = name.unwrap_or_else(|| self.folder.display().to_string());
        let body = html! {
            h1 { (name) }
            p.lead {
                (counted(whole, "capture", "captures")) "; on " (differ) " the two models differ. Shown are " (shown)
                ": those on which they differ, the most different first, then those with a score nearest to " (self.near)
                "."
            }
            p { (key("frame-key of-a", "a: champion")) (key("frame-key of-b", "b: challenger")) }
            div.frames.contact { @for picture in pictures { (picture) } }
        };
        andon_report::page(&format!("Andon captures: {name}"), body)
    }
}

/// The image with both arms' boxes. Its caption says why it was kept, and the results.
fn picture(capture: &Capture) -> Result<Markup> {
    let sidecar = &capture.sidecar;
    let sample = decoded(&capture.image)?;
    let results = [Arm::A, Arm::B].map(|arm| capture.judged(arm));
    let title = format!("Frame {} with what the models found", sidecar.frame_id);
    Ok(figure(with_boxes(&sample, &title, sidecar.size, results, WIDEST)?, caption(capture)))
}

fn caption(capture: &Capture) -> Markup {
    let sidecar = &capture.sidecar;
    let triggers: Vec<_> = sidecar.triggers.iter().map(trigger).collect();
    html! {
        "Frame " (sidecar.frame_id)
        @if let Some(part) = &sidecar.part {
            ", part " (part.id)
            @if part.views > 1 { ", view " (part.view + 1) " of " (part.views) }
        }
        ". Kept for " (triggers.join(", ")) "."
        @for arm in [Arm::A, Arm::B, Arm::Truth] {
            @if let Some(result) = capture.said(arm) {
                @let labels = result.detections.iter().map(|d| &*d.label).collect::<Vec<_>>();
                br;
                (display(arm)) ": "
                @if capture.judged(arm).is_none() {
                    "not judged, " (display(result.status))
                } @else {
                    b { (display(result.verdict)) }
                    @if arm != Arm::Truth { (format_args!(" {:.2}", result.score)) }
                }
                @if !labels.is_empty() { ", " (labels.join(", ")) }
            }
        }
        br;
        span.small { (sidecar.file) }
    }
}

/// Why it was kept; a frame before or after what was meant says so.
fn trigger(tag: &Tag) -> String {
    let kind = tag.trigger.as_str();
    let mut s =
        if tag.reason.is_empty() || *tag.reason == *kind { kind.into() } else { format!("{kind}: {}", tag.reason) };
    if tag.role != Role::Hit {
        s += &format!(" ({:+})", tag.offset);
    }
    s
}

/// The image as a frame.
fn decoded(image: &Path) -> Result<gst::Sample> {
    let decoder = if image.extension().is_some_and(|e| e == "png") { "pngdec" } else { "jpegdec" };
    let text =
        format!("filesrc name=file ! {decoder} ! videoconvert ! video/x-raw,format=RGB ! appsink name=sink sync=false");
    let pipeline = gst::parse::launch(&text)?.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
    let by_name = |name| pipeline.by_name(name).expect("the line above names it");
    by_name("file").set_property("location", image);
    let sink = by_name("sink").downcast::<AppSink>().expect("it is an appsink");
    let started = pipeline.set_state(gst::State::Playing);
    let sample = started.ok().and_then(|_| sink.try_pull_sample(PATIENCE));
    pipeline.set_state(gst::State::Null)?;
    sample.context("it cannot be decoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_differs_comes_before_who_doubts_and_who_doubts_before_who_never_judged() {
        let mut ranks =
            [(2, 0.0), (1, 0.4), (0, -0.3), (1, 0.01), (0, -0.9)].map(|(group, place)| Rank { group, place });
        ranks.sort_by(Rank::order);
        assert_eq!(ranks.map(|r| r.place), [-0.9, -0.3, 0.01, 0.4, 0.0]);
    }
}
