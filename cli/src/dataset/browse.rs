// SPDX-License-Identifier: MPL-2.0
//! `andon dataset browse`: the captures as one page to look at, those first on which the models differ.

use std::{
    cmp::Ordering,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_capture::{Role, Tag};
use andon_core::result::Arm;
use andon_evaluate::dataset::{Capture, Folder, Named};
use andon_statistics::agreement::{Why, difference};
use anyhow::{Context, Result};
use clap::Args;
use gst::prelude::*;
use gst_app::AppSink;

use super::{bar, failed, warn, warn_of_faults};
use crate::{
    ab::{counted, drawn},
    cli::init,
    report::html::{self, escape, figure, key},
};

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
        let folder = Folder::open(&self.folder).map_err(failed)?;
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
        let (whole, faults) = done.map_err(failed)?;

        let drawing = bar(kept.len(), "drawing");
        let mut unseen = Named::default();
        let mut pictures = String::new();
        for (_, capture) in &kept {
            match picture(capture) {
                Ok(picture) => pictures += &picture,
                Err(why) => unseen.add(format!("{} ({why:#})", capture.sidecar.file)),
            }
            drawing.inc(1);
        }
        drawing.finish_and_clear();
        let page = self.page(whole, differ, kept.len() as u64 - unseen.total, &pictures);
        fs::write(&self.out, page)
            .with_context(|| format!("{} cannot be written; name another file with --out=FILE", self.out.display()))?;
        println!(
            "{} of {} on {}",
            kept.len() as u64 - unseen.total,
            counted(whole, "capture", "captures"),
            self.out.display()
        );
        warn(&unseen, "image that cannot be shown", "images that cannot be shown");
        warn_of_faults(&faults);
        Ok(ExitCode::SUCCESS)
    }

    fn page(&self, whole: u64, differ: u64, shown: u64, pictures: &str) -> String {
        let name = self.folder.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
        let name = name.unwrap_or_else(|| self.folder.display().to_string());
        let mut s = format!("<h1>{}</h1>\n<p class=\"lead\">", escape(&name));
        let _ = write!(s, "{}; on {differ} the two models differ. Shown are ", counted(whole, "capture", "captures"));
        let _ = writeln!(
            s,
            "{shown}: those on which they differ, the most different first, then those with a score nearest to {}.</p>",
            self.near
        );
        let _ = write!(
            s,
            "<p>{}{}</p>\n<div class=\"frames contact\">\n{pictures}</div>\n",
            key("frame-key of-a", "a, the running model"),
            key("frame-key of-b", "b, the candidate")
        );
        html::page(&format!("Andon captures: {name}"), &s)
    }
}

/// The image with both arms' boxes, and below it why it was kept and what was said.
fn picture(capture: &Capture) -> Result<String> {
    let sidecar = &capture.sidecar;
    let sample = decoded(&capture.image)?;
    let said = [Arm::A, Arm::B].map(|arm| capture.judged(arm));
    let title = format!("Frame {} with what the models found", sidecar.frame_id);
    Ok(figure(&drawn(&sample, &title, sidecar.size, said, WIDEST)?, &caption(capture)))
}

fn caption(capture: &Capture) -> String {
    let sidecar = &capture.sidecar;
    let mut s = format!("Frame {}", sidecar.frame_id);
    if let Some(part) = &sidecar.part {
        let _ = write!(s, ", part {}", escape(&part.id));
        if part.views > 1 {
            let _ = write!(s, ", view {} of {}", part.view + 1, part.views);
        }
    }
    let triggers: Vec<_> = sidecar.triggers.iter().map(trigger).collect();
    let _ = write!(s, ". Kept for {}.", escape(&triggers.join(", ")));
    for arm in [Arm::A, Arm::B, Arm::Truth] {
        let Some(said) = capture.result(arm) else { continue };
        let labels: Vec<_> = said.detections.iter().map(|d| &*d.label).collect();
        let _ = match capture.judged(arm) {
            Some(_) if arm == Arm::Truth => write!(s, "<br>{arm}: <b>{}</b>", said.verdict),
            Some(_) => write!(s, "<br>{arm}: <b>{}</b> {:.2}", said.verdict, said.score),
            None => write!(s, "<br>{arm}: not judged, {}", said.status),
        };
        if !labels.is_empty() {
            let _ = write!(s, ", {}", escape(&labels.join(", ")));
        }
    }
    let _ = write!(s, "<br><span class=\"small\">{}</span>", escape(&sidecar.file));
    s
}

/// Why it was kept; a frame before or after what was meant says so.
fn trigger(tag: &Tag) -> String {
    let kind = tag.trigger.as_str();
    let mut s =
        if tag.reason.is_empty() || *tag.reason == *kind { kind.into() } else { format!("{kind}: {}", tag.reason) };
    if tag.role != Role::Hit {
        let _ = write!(s, " ({:+})", tag.offset);
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
