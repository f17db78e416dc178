// SPDX-License-Identifier: MPL-2.0
//! The screen of `andon top`. It says in words what it says in colour.

use andon_core::text::shown;
use andon_report::words;
use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph, Wrap},
};

use super::{
    form::Form,
    rows::{Row, Tone, rows},
    state::{Link, State},
};
use crate::ctl::words::{clock, facts, name};

/// The fewest rows that events get while there is anything else.
const EVENTS: u16 = 4;

/// The most rows of what is to be said.
const NOTICE: usize = 4;

const KEYS: &str = "↑↓ choose  c capture  p promote  r roll back  ? help  q quit";

const HELP: [&str; 11] = [
    "↑ ↓      choose an element",
    "c        capture frames, also such as have gone by",
    "p        make the challenger of the chosen model's store champion",
    "r        go back to the model before",
    "q        quit; Esc leaves a question",
    "",
    "?        of the counts: review, and parts that were not judged",
    "/s       frames a second, over the last five seconds",
    "p50, p99 half, and 99 of 100 frames were judged in so many ms",
    "",
    "`andon ctl` does the same from a script, and more",
];

/// Draws the screen. Without `colour`, words and weight say it alone.
pub fn view(frame: &mut Frame, state: &State, colour: bool) {
    let area = frame.area();
    let all = rows(state, area.width);
    let said = state.notice.as_ref().map(|n| format!("{}{}", if n.bad { "! " } else { "" }, shown(&n.text)));
    let lines = |text: &String| Span::raw(text).width().div_ceil(usize::from(area.width).max(1));
    // Where lines break between words there is one more.
    let notice = said.as_ref().map_or(0, |text| if lines(text) > 1 { lines(text) + 1 } else { 1 }).min(NOTICE) as u16;
    let room = area.height.saturating_sub(3 + notice);
    let body = (all.len() as u16).min(room.saturating_sub(EVENTS.min(room / 2)));
    let parts = [
        Constraint::Length(1),
        Constraint::Length(body),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(notice),
        Constraint::Length(1),
    ];
    let [head, elements, title, events, below, keys] = Layout::vertical(parts).areas(area);
    frame.render_widget(header(state, colour), head);
    draw_elements(frame, elements, &all, state, colour);
    draw_events(frame, title, events, state, colour);
    if let (Some(notice), Some(said)) = (&state.notice, said) {
        let tone = if notice.bad { Tone::Bad } else { Tone::Good };
        frame.render_widget(Paragraph::new(said).style(style(tone, colour)).wrap(Wrap { trim: true }), below);
    }
    frame.render_widget(Line::styled(KEYS, Style::new().add_modifier(Modifier::DIM)), keys);
    if let Some(form) = &state.form {
        draw_form(frame, form);
    } else if state.help {
        let lines: Vec<_> = HELP.iter().map(|line| Line::raw(*line)).collect();
        draw_box(frame, "Help: any key closes it", lines);
    }
}

fn style(tone: Tone, colour: bool) -> Style {
    let plain = Style::new();
    match (tone, colour) {
        (Tone::Plain, _) | (Tone::Good, false) => plain,
        (Tone::Good, true) => plain.fg(Color::Green),
        (Tone::Odd, true) => plain.fg(Color::Yellow),
        (Tone::Odd, false) => plain.add_modifier(Modifier::UNDERLINED),
        (Tone::Bad, true) => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
        (Tone::Bad, false) => plain.add_modifier(Modifier::BOLD),
        (Tone::Head, _) => plain.add_modifier(Modifier::DIM),
    }
}

fn header(state: &State, colour: bool) -> Line<'static> {
    let time = clock(state.now_ns, state.offset);
    let of = |hello: &andon_control::reply::Hello| {
        let access = match hello.access {
            andon_control::reply::Access::Look => ", to look at only",
            _ => "",
        };
        format!("{} · process {} · andon {}{access}", shown(&hello.name), hello.pid, shown(&hello.andon))
    };
    let (text, tone) = match &state.link {
        Link::Connecting => ("connecting …".into(), Tone::Odd),
        Link::Up(hello) => (of(hello), Tone::Plain),
        Link::Lost { hello, since_ns, why } => {
            let ago = words::duration(state.now_ns.saturating_sub(*since_ns));
            let name = hello.as_ref().map_or("the line".into(), |h| shown(&h.name).into_owned());
            (format!("{name} DOES NOT ANSWER since {ago}: {}; what follows is old", shown(why)), Tone::Bad)
        }
    };
    let style = style(tone, colour).add_modifier(Modifier::BOLD);
    Line::from(vec![Span::styled(format!("{time}  "), Style::new()), Span::styled(text, style)])
}

fn draw_elements(frame: &mut Frame, area: Rect, all: &[Row], state: &State, colour: bool) {
    let room = usize::from(area.height);
    let chosen = all.iter().position(|row| row.element == Some(state.chosen)).unwrap_or(0);
    // The chosen row is always seen, and what stands around it as far as it fits.
    let first = chosen.saturating_sub(room.saturating_sub(1)).min(all.len().saturating_sub(room));
    let lines = all.iter().skip(first).take(room).map(|row| {
        let own = style(row.tone, colour);
        let own = if row.element == Some(state.chosen) { own.add_modifier(Modifier::REVERSED) } else { own };
        Line::styled(format!("{:<1$}", row.text, usize::from(area.width)), own)
    });
    let lines: Vec<_> = match (all.is_empty(), &state.link) {
        (true, Link::Up(_)) if room == 0 => Vec::new(),
        _ => lines.collect(),
    };
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_events(frame: &mut Frame, title: Rect, area: Rect, state: &State, colour: bool) {
    let lost = match state.lost {
        0 => String::new(),
        n => format!(" ({} lost: they came faster than they are kept)", words::counted(n, "event", "events")),
    };
    let heading = match (state.elements.is_empty(), &state.link) {
        (true, Link::Up(_)) => "the line has no elements of Andon just now".to_string(),
        _ => format!("events{lost}"),
    };
    let tone = if state.lost > 0 { Tone::Odd } else { Tone::Head };
    frame.render_widget(Line::styled(heading, style(tone, colour)), title);
    let room = usize::from(area.height);
    let first = state.events.len().saturating_sub(room);
    let lines = state.events.iter().skip(first).map(|event| {
        let element = if event.element.is_empty() { "line" } else { &event.element };
        let (time, said) = (clock(event.utc_ns, state.offset), facts(&event.data));
        let text = format!("{time} {} {} {said}", shown(element), shown(name(&event.name)));
        let tone = match &*event.name {
            "error" | "lost" | "andon/model-failed" | "andon/capture-failed" => Tone::Bad,
            "warning" | "andon/unjudged" | "andon/disagreement" => Tone::Odd,
            _ => Tone::Plain,
        };
        Line::styled(shown(&text).into_owned(), style(tone, colour))
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

fn draw_form(frame: &mut Frame, form: &Form) {
    let mut lines: Vec<_> = form
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let (mark, end) = if at == form.at { ("> ", "_") } else { ("  ", "") };
            Line::raw(format!("{mark}{:<19}{}{end}", field.label, shown(&field.text)))
        })
        .collect();
    lines.push(Line::raw(""));
    lines.push(Line::raw(if form.is_last() { "Enter: do it   Esc: leave it" } else { "Enter: next   Esc: leave it" }));
    draw_box(frame, &form.title, lines);
}

/// Draws a box in the middle. A title that is too long for its border stands in it.
fn draw_box(frame: &mut Frame, title: &str, mut lines: Vec<Line<'static>>) {
    let area = frame.area();
    let width = 70.min(area.width);
    let title = shown(title).into_owned();
    let mut block = Block::bordered();
    if Span::raw(&*title).width() + 4 <= usize::from(width) {
        block = block.title(title);
    } else {
        lines.insert(0, Line::raw(title).alignment(Alignment::Left));
        lines.insert(1, Line::raw(""));
    }
    let inner = usize::from(width.saturating_sub(2)).max(1);
    let height: usize = lines.iter().map(|line| line.width().div_ceil(inner).max(1)).sum();
    let height = (height as u16 + 2).min(area.height);
    let at = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), at);
}
