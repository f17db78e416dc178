// SPDX-License-Identifier: MPL-2.0
//! `andon dataset browse`: shows captures on one page, disagreements first.

use std::{cmp::Ordering, fs, path::PathBuf, process::ExitCode};

use andon_capture::{Role, Tag};
use andon_core::result::{Arm, Inference};
use andon_evaluate::{
    dataset::{Capture, Folder, Named},
    pipeline::decoded,
};
use andon_report::{Gallery, Head, ModelOf, Origin, heading, key, linked, words::counted};
use andon_statistics::agreement::{Why, difference};
use anyhow::{Context, Result};
use clap::Args;
use maud::{Markup, display, html};

use super::{bar, failed, warn, warn_of_faults};
use crate::{
    app::init,
    origin::{Moment, model, origin},
    picture::with_boxes,
};

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

/// What a capture is shown for on which the models differ.
const DIFFER: &str = "the models differ";
/// Most models that are named: a folder of captures may be of many years.
const MOST_MODELS: usize = 12;

/// What all captures have in common, shown or not.
#[derive(Default)]
struct Seen {
    /// When the first and the last one were taken, or written where that is not known, ns since 1970.
    times: Option<(u64, u64)>,
    /// The models by arm, in order.
    models: Vec<ModelOf>,
}

impl Seen {
    fn add(&mut self, capture: &Capture) {
        let sidecar = &capture.sidecar;
        let at = sidecar.captured_utc_ns.unwrap_or(sidecar.written_utc_ns);
        self.times = Some(self.times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        for result in sidecar.results.iter().filter(|result| result.arm != Arm::Truth) {
            let model = model(&format!("Arm {}", result.arm), &result.model);
            if !self.models.contains(&model) && self.models.len() < MOST_MODELS {
                self.models.push(model);
            }
        }
    }
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
        let mut seen = Seen::default();
        let reading = bar(folder.len(), "reading");
        let done = folder.each(
            || reading.inc(1),
            |capture| {
                let rank = Rank::of(capture, self.near);
                differ += u64::from(rank.group == 0);
                seen.add(capture);
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
        let mut pictures = Gallery::new("captures", "contact");
        for (rank, capture) in &kept {
            match picture(capture) {
                Ok(picture) => pictures.add(picture, tags(*rank, capture)),
                Err(why) => unseen.add(format!("{} ({why:#})", capture.sidecar.file)),
            }
            drawing.inc(1);
        }
        drawing.finish_and_clear();
        let page = self.page(whole, differ, kept.len() as u64 - unseen.total, &pictures, &self.origin(seen));
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

    /// Where the page comes from. The times are in UTC: a capture does not tell the zone of its line.
    fn origin(&self, seen: Seen) -> Origin {
        let when = seen.times.map(|(first, last)| Moment::at(first, 0).to(&Moment::at(last, 0)));
        let place = vec![("Captures", self.folder.display().to_string())];
        origin("Andon: captured frames, disagreements first", when.unwrap_or_default(), place, seen.models)
    }

    fn page(&self, whole: u64, differ: u64, shown: u64, pictures: &Gallery, origin: &Origin) -> Markup {
        let name = self.folder.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
        let name = name.unwrap_or_else(|| self.folder.display().to_string());
        let differing = pictures.link(DIFFER);
        let lead = html! {
            (counted(whole, "capture", "captures")) "; on " (linked(&differ.to_string(), differing.as_deref()))
            " the two models differ. Shown are " (shown)
            ": those on which they differ, the most different first, then those with a score nearest to " (self.near) "."
        };
        let body = html! {
            (heading("pictures", "Captures"))
            p { (key("frame-key of-a", "a: champion")) (key("frame-key of-b", "b: challenger")) }
            (pictures.index())
            (pictures.html())
        };
        let title = format!("Andon captures: {name}");
        andon_report::page(&Head { title: &title, headline: &name, lead, origin }, body)
    }
}

/// What a capture is shown for: by which it can be looked for on the page.
fn tags(rank: Rank, capture: &Capture) -> Vec<String> {
    let mut tags: Vec<String> =
        capture.sidecar.triggers.iter().map(|tag| format!("kept: {}", tag.trigger.as_str())).collect();
    if rank.group == 0 {
        tags.push(DIFFER.into());
    }
    let said = |arm: Arm, result: &Inference| {
        let labels = result.detections.iter().map(move |d| format!("{arm} found: {}", d.label));
        [format!("{arm} says: {}", result.verdict)].into_iter().chain(labels).collect::<Vec<_>>()
    };
    for arm in [Arm::A, Arm::B] {
        tags.extend(capture.judged(arm).into_iter().flat_map(|result| said(arm, result)));
    }
    tags
}

/// The image with both arms' boxes. Its caption says why it was kept, and the results.
fn picture(capture: &Capture) -> Result<Markup> {
    let sidecar = &capture.sidecar;
    let sample = decoded(&capture.image, "")?;
    let results = [Arm::A, Arm::B].map(|arm| capture.judged(arm));
    let title = format!("Frame {}", sidecar.frame_id);
    let drawn = with_boxes(&sample, &title, sidecar.size, results, WIDEST)?;
    Ok(html! { (drawn) figcaption { (caption(capture)) } })
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
