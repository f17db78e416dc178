// SPDX-License-Identifier: MPL-2.0
//! `andon dataset browse`: shows captures on one page, disagreements first.

use std::{cmp::Ordering, fs, path::PathBuf, process::ExitCode};

use andon_capture::{Role, Tag};
use andon_core::result::Arm;
use andon_evaluate::{
    dataset::{Capture, Folder, Named},
    pipeline::decoded,
};
use andon_report::{figure, key, words::counted};
use andon_statistics::agreement::{Why, difference};
use anyhow::{Context, Result};
use clap::Args;
use maud::{Markup, display, html};

use super::{bar, failed, warn, warn_of_faults};
use crate::{app::init, picture::with_boxes};

/// Most pixels across of a picture: two hundred pictures are a file of some 20 MB.
const WIDEST: u32 = 360;

/// Show captures on one page with both models' boxes.
///
/// Captures on which the models differ come first, then the doubtful ones.
#[derive(Args)]
#[command(after_help = "Example:\n  andon dataset browse captures --most=100 --out=contact.html")]
pub struct Browse {
    /// Folder of captures, as framesampler writes it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// File for the page
    #[arg(long, value_name = "FILE", default_value = "contact.html")]
    out: PathBuf,
    /// Number of captures to show
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2000))]
    most: u16,
    /// Score between ok and ng: the nearer a capture is, the more doubtful it is
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    near: f32,
}

/// The place of a capture on the page; the least comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rank {
    /// 0 if the arms differ, 1 if an arm judged, 2 if no arm did.
    group: u8,
    /// The place within the group.
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
    /// Writes the page. A folder without captures is wrong usage.
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
        warn(&unseen, "image that cannot be shown", "images that cannot be shown");
        warn_of_faults(&faults);
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
    let sample = decoded(&capture.image, "")?;
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
            @if let Some(result) = capture.result(arm) {
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

/// Returns why a capture was kept. A frame before or after the one that was meant says so.
fn trigger(tag: &Tag) -> String {
    let kind = tag.trigger.as_str();
    let mut s =
        if tag.reason.is_empty() || *tag.reason == *kind { kind.into() } else { format!("{kind}: {}", tag.reason) };
    if tag.role != Role::Hit {
        s += &format!(" ({:+})", tag.offset);
    }
    s
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
