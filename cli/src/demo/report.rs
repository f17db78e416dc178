// SPDX-License-Identifier: MPL-2.0
//! The report of a demo: one HTML file with everything in it, all of it computed from that run.

use andon_core::result::{Inference, Verdict};
use andon_report::{
    Bar, Bars, Head, Lines, Mark, Origin, Series, Stretch, fact, fact_of, facts, heading, legend, panel, verdict_legend,
};
use anyhow::Result;
use maud::{Markup, display, html};

use super::{
    Demo,
    collect::{ArmTally, ChapterTally, Collector, PartSeen, Picture},
    pipeline::ON_DEMAND,
    script::{Chapter, DIM, NEW_KINDS, Step},
    summary::{events, pace, table},
};
use crate::{
    drift::{self, Scene},
    picture::png,
};

/// Parts that a point of the plots over time looks back on.
const WINDOW: usize = 40;

/// The whole page; `pipeline` is the launch line that was played.
pub fn page(demo: &Demo, c: &Collector, pipeline: &str, origin: &Origin) -> Result<Markup> {
    let frames: u64 = c.chapters.iter().map(|t| t.frames_out).sum();
    let body = html! {
        (main_facts(c))
        (chapters(c))
        (over_time(c))
        (verdicts(c))
        (drift(c))
        (pictures(c)?)
        (heading("figures", "All figures"))
        (figures(c).html())
        p.small {
            "Escapes are bad boards called ok, overkill is good boards called ng, both against the truth that the made-up \
             camera knows. Parts under ? were not judged or left to a person, and count as neither. κ is Cohen's: \
             agreement beyond chance."
        }
        (how(demo, c, pipeline))
    };
    let lead = html! {
        "The report of " code { "andon demo" } ": " (frames) " made-up boards under one camera, judged while they passed. \
         Every figure, plot and picture below was computed from this run."
    };
    let headline = "One line, two models, one failing lamp";
    Ok(andon_report::page(&Head { title: "Andon demo", headline, lead, origin }, body))
}

/// The anchor of a chapter's picture, if it has one.
fn shown(c: &Collector, chapter: usize) -> Option<String> {
    c.pictures.get(chapter)?.as_ref().map(|_| format!("#frame-{}", chapter + 1))
}

/// All figures by chapter; each chapter leads to its picture.
fn figures(c: &Collector) -> andon_report::Table {
    let mut table = table(c).of("All figures by chapter");
    for row in 0..table.rows.len() {
        table.link(row, 0, shown(c, row));
    }
    table
}

fn main_facts(c: &Collector) -> Markup {
    let out: u64 = c.chapters.iter().map(|t| t.frames_out).sum();
    let captures: u64 = c.chapters.iter().flat_map(|t| t.captures.values()).sum();
    let new = &c.chapters[NEW_KINDS];
    let escapes = fact_of(
        &format!("{} → {}", new.a.scored.escapes, new.b.scored.escapes),
        &format!(
            "of {} bad boards escaped champion → challenger once new defects came up",
            new.a.scored.escapes + new.a.scored.caught
        ),
        shown(c, NEW_KINDS).as_deref(),
    );
    let lamp = match c.lamp_noticed() {
        Some((frames, cause)) => fact_of(
            &format!("{frames} frames"),
            &format!("from the lamp's dimming to the alarm “{cause}”"),
            Some("#drift"),
        ),
        None => fact("none", "alarms when the lamp dimmed"),
    };
    let swap = c.changes.first().filter(|change| change.first.is_some()).map(|change| {
        let ms = change.took.as_secs_f64() * 1000.0;
        fact(&format!("{ms:.0} ms"), "from asking for the challenger to its first verdict for the line")
    });
    let first = [fact(&format!("{out} of {}", c.numbers.len()), "frames came out of the line"), escapes, lamp];
    let kept = fact(&captures.to_string(), "frames kept, each with both results");
    facts(first.into_iter().chain(swap).chain([kept]))
}

fn chapters(c: &Collector) -> Markup {
    let events = events(c);
    html! {
        (heading("story", "What happened"))
        p { (pace(c)) }
        ol.chapters {
            @for (i, chapter) in c.script().chapters.iter().enumerate() {
                @let start = c.script().start(i);
                li {
                    b { (chapter.title) } " (frames " (start) " to " (start + chapter.frames - 1) "). " (chapter.what)
                    @for (_, event) in events.iter().filter(|(of, _)| *of == i) { span { (event) } }
                    @if let Some(frame) = shown(c, i) { span { a href=(frame) { "A frame of chapter " (i + 1) } } }
                }
            }
        }
    }
}

/// The chapters as stretches of the x axis.
fn stretches(c: &Collector) -> Vec<Stretch> {
    let stretch = |(i, chapter): (usize, &Chapter)| {
        let start = c.script().start(i);
        Stretch { span: (start as f64, (start + chapter.frames) as f64), name: (i + 1).to_string() }
    };
    c.script().chapters.iter().enumerate().map(stretch).collect()
}

/// The script's steps as marks of the x axis; those of the lamp only if `lamp`.
fn marks(c: &Collector, lamp: bool) -> Vec<Mark> {
    let text = |step| match step {
        Step::Kinds(_) => Some("new kinds".to_string()),
        Step::Lamp(gain) if lamp && gain == DIM => Some(format!("lamp to {:.0} %", gain * 100.0)),
        Step::Lamp(_) if lamp => Some("lamp back".into()),
        Step::Swap => Some("swap".into()),
        Step::Rollback => Some("rollback".into()),
        _ => None,
    };
    let mark = |(n, step): (u64, Step)| Some(Mark { x: n as f64, text: text(step)?, class: "done" });
    c.script().steps().into_iter().filter_map(mark).collect()
}

fn over_time(c: &Collector) -> Markup {
    let agreement = rolling(c, |p| Some(f64::from(u8::from(p.a == p.b?))));
    let escapes = |of: fn(&PartSeen) -> Option<Verdict>| {
        rolling(c, move |p| {
            (p.truth == Verdict::Ng).then(|| of(p)).flatten().map(|v| f64::from(u8::from(v == Verdict::Ok)))
        })
    };
    let plot = |title: &str, y: (f64, f64), series: Vec<Series>| {
        let keys = legend(&series);
        let plot = Lines {
            title: title.into(),
            series,
            y: Some(y),
            stretches: stretches(c),
            marks: marks(c, false),
            percent: true,
            ..Lines::default()
        };
        panel(keys, |width| Lines { width, ..plot.clone() }.svg())
    };
    let values = |series: &[Series]| series.iter().flat_map(|s| s.points.iter().map(|p| p.1)).collect::<Vec<_>>();
    let agree =
        vec![Series { name: "parts on which both give the same verdict".into(), class: "plain", points: agreement }];
    let escape = vec![
        Series {
            name: "escapes of the champion's place in the line".into(),
            class: "arm-a",
            points: escapes(|p| Some(p.a)),
        },
        Series { name: "of the challenger's".into(), class: "arm-b", points: escapes(|p| p.b) },
    ];
    // Axes end at whole tens of percent, and make neither much of little nor little of much.
    let least = values(&agree).into_iter().fold(0.5, f64::min);
    let most = values(&escape).into_iter().fold(0.3, f64::max);
    html! {
        (heading("time", "Two models over time"))
        p.small {
            "Each point looks back on " (WINDOW) " parts. The numbers above are the chapters; the x axis counts frames."
        }
        h3 { "Agreement" }
        (plot("Agreement of both models over frames", ((least * 10.0).floor() / 10.0, 1.0), agree))
        h3 { "Bad boards that escaped" }
        (plot("Share of bad boards called ok, over frames", (0.0, (most * 10.0).ceil() / 10.0), escape))
        p.small {
            "Agreement says that two models differ, never which of them is better: that takes the truth, as in the second \
             plot."
        }
    }
}

/// The mean of `value` over the last parts that have one, by frame number; nothing before the window is half full.
fn rolling(c: &Collector, value: impl Fn(&PartSeen) -> Option<f64>) -> Vec<(f64, f64)> {
    let mut window = std::collections::VecDeque::with_capacity(WINDOW);
    let mut points = Vec::new();
    for part in &c.parts {
        let Some(v) = value(part) else { continue };
        if window.len() == WINDOW {
            window.pop_front();
        }
        window.push_back(v);
        if window.len() >= WINDOW / 2 {
            points.push((part.number as f64, window.iter().sum::<f64>() / window.len() as f64));
        }
    }
    points
}

fn verdicts(c: &Collector) -> Markup {
    let mut bars = Vec::new();
    for (i, (chapter, tally)) in c.script().chapters.iter().zip(&c.chapters).enumerate() {
        let title = format!("{}  {}", i + 1, chapter.title);
        for (group, name, arm) in [(title, "champion's place", &tally.a), (String::new(), "challenger's", &tally.b)] {
            let s = &arm.scored;
            if arm.was_asked() {
                let counts = [s.passed, s.caught, s.escapes, s.overkill, s.undecided];
                bars.push(Bar::verdicts(group, name.into(), counts));
            }
        }
    }
    let plot = Bars { title: "Parts by verdict and truth, by chapter and model".into(), bars };
    html! {
        (heading("verdicts", "Verdicts by chapter"))
        (panel(verdict_legend(), |width| plot.svg(width)))
    }
}

fn drift(c: &Collector) -> Markup {
    let scene = Scene { stretches: stretches(c), marks: marks(c, true) };
    html! {
        (heading("drift", "The drift meter"))
        (drift::plots(&c.drift, &scene, Some("#story")))
    }
}

/// What a picture shows, for readers who cannot see it.
fn alt(picture: &Picture) -> String {
    let says = |who: &str, result: &Inference| {
        let found: Vec<_> = result.detections.iter().map(|d| &*d.label).collect();
        let found = if found.is_empty() { "no box".into() } else { found.join(", ") };
        format!("; {who} says {}: {found}", result.verdict)
    };
    let b = picture.b.as_ref().map(|b| says("the challenger's place", b)).unwrap_or_default();
    format!("Frame {}{}{b}", picture.number, says("the champion's place", &picture.a))
}

fn pictures(c: &Collector) -> Result<Markup> {
    let says = |who: &str, result: &Inference| {
        let found: Vec<_> = result.detections.iter().map(|d| format!("{} {:.2}", d.label, d.score)).collect();
        html! {
            br;
            (who) ": " b { (display(result.verdict)) }
            @if !found.is_empty() { " (" (found.join(", ")) ")" }
        }
    };
    let mut shown = Vec::new();
    for (i, picture) in c.pictures.iter().enumerate() {
        let Some(picture) = picture else { continue };
        let alt = alt(picture);
        let mut truth: Vec<_> = picture.truth.detections.iter().map(|d| &*d.label).collect();
        truth.sort_unstable();
        let caption = html! {
            "Chapter " (i + 1) ", frame " (picture.number) ". On the board: "
            @if truth.is_empty() { "nothing" } @else { (truth.join(", ")) } "."
            (says("Champion's place", &picture.a))
            @if let Some(b) = &picture.b { (says("Challenger's", b)) }
        };
        shown.push(html! {
            figure id=(format_args!("frame-{}", i + 1)) { (png(&picture.sample)?.html(&alt)) figcaption { (caption) } }
        });
    }
    Ok(html! {
        (heading("frames", "Frames"))
        p.small {
            "As they left the line, with what was found drawn on them: the champion's boxes blue and whole, the \
             challenger's orange and dashed."
        }
        div.frames { @for figure in shown { (figure) } }
    })
}

fn how(demo: &Demo, c: &Collector, pipeline: &str) -> Markup {
    let latency = |of: fn(&ChapterTally) -> &ArmTally| {
        let mut all: Vec<_> = c.chapters.iter().flat_map(|t| of(t).latency_us.iter().copied()).collect();
        all.sort_unstable();
        let at = |share: usize| all.get((all.len().max(1) - 1) * share / 100).map_or(0.0, |us| *us as f64 / 1000.0);
        format!("median {:.1} ms, 99 % within {:.1} ms", at(50), at(99))
    };
    let (before, meant, after) = ON_DEMAND;
    html! {
        footer {
            (heading("how", "How it was run"))
            p.small { code { (pipeline) } }
            p.small {
                "Champion " code { (display(demo.champion.display())) } ", challenger "
                code { (display(demo.challenger.display())) } ". Seed " (demo.seed) ". The camera delivers as fast as the \
                 line takes frames. This is offline work, so " code { "leaky=false" } " and " code { "wait=-1" } ": both \
                 models judge every frame, their results are paired, and the line does wait for the challenger. A live line \
                 has " code { "leaky=true" } " and " code { "wait=0" } ", and then never waits. On demand means " (before)
                " frames gone by, " (meant) " to come and " (after) " after those."
            }
            p.small {
                "Time in the engine a frame, both models at work side by side: champion's place " (latency(|t| &t.a))
                "; challenger's " (latency(|t| &t.b)) "."
            }
            @for model in &c.models {
                p.small { "Model " (model.name) " " (model.version) ": " code { (model.digest) } }
            }
            @for warning in &c.warnings { p.small { "Warning: " (warning) } }
        }
    }
}
