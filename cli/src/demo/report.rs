// SPDX-License-Identifier: MPL-2.0
//! The report of a demo: one HTML file with everything in it, all of it computed from that run.

use std::fmt::Write;

use andon_core::result::{Inference, Verdict};
use andon_report::{
    bars::{Bar, Bars},
    html::{self, escape, fact, figure, image, key, legend, table},
    plot::{Lines, Mark, Series, Stretch},
};
use anyhow::Result;

use super::{
    Demo,
    collect::{ArmTally, ChapterTally, Collector, PartSeen},
    script::{Chapter, DIM, NEW_KINDS, Step},
    story::ON_DEMAND,
    summary::{HEADER, events, pace, rows},
};
use crate::{
    drift::{self, Scene},
    picture::png,
};

/// Parts that a point of the plots over time looks back on.
const WINDOW: usize = 40;

/// The whole page.
pub fn page(demo: &Demo, c: &Collector, pipeline: &str) -> Result<String> {
    let mut body = String::from("<h1>One line, two models, one failing lamp</h1>\n");
    let frames: u64 = c.chapters.iter().map(|t| t.frames_out).sum();
    let _ = writeln!(
        body,
        "<p class=\"lead\">The report of <code>andon demo</code>: {frames} made-up boards under one camera, judged while they \
         passed. Every figure, plot and picture below was computed from this run.</p>"
    );
    body += &facts(c);
    body += &chapters(c);
    body += &opinions(c);
    body += &verdicts(c);
    body += &drift(c);
    body += &pictures(c)?;
    body += "<h2>All figures</h2>\n";
    body += &table(&HEADER, &rows(c));
    body += "<p class=\"small\">Escapes are bad boards called ok, overkill is good boards called ng, both against the truth \
             that the made-up camera knows. Parts under ? were not judged or left to a person, and count as neither. \
             κ is Cohen's: agreement beyond chance.</p>\n";
    body += &how(demo, c, pipeline);
    Ok(html::page("Andon demo", &body))
}

fn facts(c: &Collector) -> String {
    let out: u64 = c.chapters.iter().map(|t| t.frames_out).sum();
    let new = &c.chapters[NEW_KINDS];
    let mut s = String::from("<div class=\"facts\">\n");
    s += &fact(&format!("{out} of {}", c.roll.len()), "frames came out of the line");
    s += &fact(
        &format!("{} → {}", new.a.scored.escapes, new.b.scored.escapes),
        &format!(
            "of {} bad boards escaped champion → challenger once new defects came up",
            new.a.scored.escapes + new.a.scored.caught
        ),
    );
    s += &match c.lamp_noticed() {
        Some((frames, cause)) => {
            fact(&format!("{frames} frames"), &format!("from the lamp's dimming to the alarm “{cause}”"))
        }
        None => fact("none", "alarms when the lamp dimmed"),
    };
    if let Some(change) = c.changes.first().filter(|change| change.first.is_some()) {
        let ms = change.took.as_secs_f64() * 1000.0;
        s += &fact(&format!("{ms:.0} ms"), "from asking for the challenger to its first verdict for the line");
    }
    let captures: u64 = c.chapters.iter().flat_map(|t| t.captures.values()).sum();
    s += &fact(&captures.to_string(), "frames kept, each with what both models said");
    s + "</div>\n"
}

fn chapters(c: &Collector) -> String {
    let mut s = format!("<h2>What happened</h2>\n<p>{}</p>\n<ol class=\"chapters\">\n", escape(&pace(c)));
    let events = events(c);
    for (i, chapter) in c.script().chapters.iter().enumerate() {
        let start = c.script().start(i);
        let (title, what) = (escape(chapter.title), escape(chapter.what));
        let _ = write!(s, "<li><b>{title}</b> (frames {start} to {}). {what}", start + chapter.frames - 1);
        for (_, event) in events.iter().filter(|(of, _)| *of == i) {
            let _ = write!(s, "<span>{}</span>", escape(event));
        }
        s += "</li>\n";
    }
    s + "</ol>\n"
}

/// The chapters as stretches of the x axis.
fn stretches(c: &Collector) -> Vec<Stretch> {
    let stretch = |(i, chapter): (usize, &Chapter)| {
        let start = c.script().start(i);
        Stretch { span: (start as f64, (start + chapter.frames) as f64), name: (i + 1).to_string() }
    };
    c.script().chapters.iter().enumerate().map(stretch).collect()
}

/// What was done to the line, on the x axis.
fn doings(c: &Collector, lamp: bool) -> Vec<Mark> {
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

fn opinions(c: &Collector) -> String {
    let agreement = rolling(c, |p| Some(f64::from(u8::from(p.a == p.b?))));
    let escapes = |of: fn(&PartSeen) -> Option<Verdict>| {
        rolling(c, move |p| {
            (p.truth == Verdict::Ng).then(|| of(p)).flatten().map(|v| f64::from(u8::from(v == Verdict::Ok)))
        })
    };
    let panel = |title: &str, y: (f64, f64), series: Vec<Series>| {
        let keys = legend(&series);
        let plot = Lines {
            title: title.into(),
            height: 190.0,
            series,
            y: Some(y),
            stretches: stretches(c),
            marks: doings(c, false),
            percent: true,
            ..Lines::default()
        };
        format!("<div class=\"panel\">{keys}{}</div>\n", plot.svg())
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
    let mut s = String::from("<h2>Two opinions over time</h2>\n");
    let _ = write!(
        s,
        "<p class=\"small\">Each point looks back on {WINDOW} parts. The numbers above are the chapters; the x axis counts frames.</p>"
    );
    // Axes end at whole tens of percent, and make neither much of little nor little of much.
    let least = values(&agree).into_iter().fold(0.5, f64::min);
    let most = values(&escape).into_iter().fold(0.3, f64::max);
    s += "<h3>Agreement</h3>";
    s += &panel("Agreement of both models over frames", ((least * 10.0).floor() / 10.0, 1.0), agree);
    s += "<h3>Bad boards that escaped</h3>";
    s += &panel("Share of bad boards called ok, over frames", (0.0, (most * 10.0).ceil() / 10.0), escape);
    s + "<p class=\"small\">Agreement says that two models differ, never which of them is better: that takes the truth, as in the second plot.</p>\n"
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

fn verdicts(c: &Collector) -> String {
    let mut bars = Vec::new();
    for (i, (chapter, tally)) in c.script().chapters.iter().zip(&c.chapters).enumerate() {
        for (name, arm) in [("champion's place", &tally.a), ("challenger's", &tally.b)] {
            if !arm.was_asked() {
                continue;
            }
            let s = &arm.scored;
            bars.push(Bar {
                group: if name == "champion's place" { format!("{}  {}", i + 1, chapter.title) } else { String::new() },
                name: name.into(),
                segments: vec![
                    ("passed", s.passed),
                    ("caught", s.caught),
                    ("escape", s.escapes),
                    ("overkill", s.overkill),
                    ("undecided", s.undecided),
                ],
            });
        }
    }
    let keys = [
        key("passed", "good, called ok"),
        key("caught", "bad, called ng"),
        key("escape", "bad, called ok: escapes"),
        key("overkill", "good, called ng: overkill"),
        key("undecided", "undecided"),
    ];
    let plot = Bars { title: "Parts by verdict and truth, by chapter and model".into(), bars }.svg();
    format!("<h2>Verdicts by chapter</h2>\n<div class=\"panel\">{}{plot}</div>\n", keys.join(""))
}

fn drift(c: &Collector) -> String {
    let scene = Scene { stretches: stretches(c), marks: doings(c, true) };
    format!("<h2>The drift meter</h2>\n{}", drift::plots(&c.drift, &scene))
}

fn pictures(c: &Collector) -> Result<String> {
    let mut s = String::from(
        "<h2>Frames</h2>\n<p class=\"small\">As they left the line, with what was found drawn on them: the champion's boxes blue and whole, the challenger's orange and dashed.</p>\n<div class=\"frames\">\n",
    );
    for (i, picture) in c.pictures.iter().enumerate() {
        let Some(picture) = picture else { continue };
        let alt = format!("Frame {} with what both models found", picture.number);
        let says = |who: &str, o: &Inference| {
            let found: Vec<_> = o.detections.iter().map(|d| format!("{} {:.2}", d.label, d.score)).collect();
            let found = if found.is_empty() { String::new() } else { format!(" ({})", found.join(", ")) };
            format!("{who}: <b>{}</b>{}", o.verdict, escape(&found))
        };
        let mut truth: Vec<_> = picture.truth.detections.iter().map(|d| &*d.label).collect();
        truth.sort_unstable();
        let truth = if truth.is_empty() { "nothing".into() } else { escape(&truth.join(", ")) };
        let mut caption = format!(
            "Chapter {}, frame {}. On the board: {truth}.<br>{}",
            i + 1,
            picture.number,
            says("Champion's place", &picture.a)
        );
        if let Some(b) = &picture.b {
            let _ = write!(caption, "<br>{}", says("Challenger's", b));
        }
        s += &figure(&image(&png(&picture.sample)?, &alt), &caption);
    }
    Ok(s + "</div>\n")
}

fn how(demo: &Demo, c: &Collector, pipeline: &str) -> String {
    let mut s = String::from("<footer>\n<h2>How it was run</h2>\n");
    let _ = writeln!(s, "<p class=\"small\"><code>{}</code></p>", escape(pipeline));
    let _ = writeln!(
        s,
        "<p class=\"small\">Champion <code>{}</code>, challenger <code>{}</code>. Seed {}. The camera delivers as fast as \
         the line takes frames. This is offline work, so <code>leaky=false</code> and <code>wait=-1</code>: every frame is \
         judged by both and paired, and the line does wait for the challenger. A live line has <code>leaky=true</code> and \
         <code>wait=0</code>, and then never waits. On demand means {} frames gone by, {} to come and {} after those.</p>",
        escape(&demo.champion.display().to_string()),
        escape(&demo.challenger.display().to_string()),
        demo.seed,
        ON_DEMAND.0,
        ON_DEMAND.1,
        ON_DEMAND.2,
    );
    let latency = |of: fn(&ChapterTally) -> &ArmTally| {
        let mut all: Vec<_> = c.chapters.iter().flat_map(|t| of(t).latency_us.iter().copied()).collect();
        all.sort_unstable();
        let at = |share: usize| all.get((all.len().max(1) - 1) * share / 100).map_or(0.0, |us| *us as f64 / 1000.0);
        format!("median {:.1} ms, 99 % within {:.1} ms", at(50), at(99))
    };
    let _ = writeln!(
        s,
        "<p class=\"small\">Time in the engine a frame, both models at work side by side: champion's place {}; challenger's {}.</p>",
        latency(|t| &t.a),
        latency(|t| &t.b)
    );
    for model in &c.models {
        let _ = writeln!(
            s,
            "<p class=\"small\">Model {} {}: <code>{}</code></p>",
            escape(&model.name),
            escape(&model.version),
            escape(&model.digest)
        );
    }
    for warning in &c.warnings {
        let _ = writeln!(s, "<p class=\"small\">Warning: {}</p>", escape(warning));
    }
    s + "</footer>\n"
}
