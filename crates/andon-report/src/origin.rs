// SPDX-License-Identifier: MPL-2.0
//! Where a page comes from: what it is, when and where it was measured, of which models, by which program and command.

use maud::{Markup, html};

use crate::{secrets::masked, words::UNKNOWN};

/// Digits of a digest that are shown; the others are there for who points at it, or copies it.
const SHORT: usize = 12;

/// A model that a page tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOf {
    /// Its place, such as `a: champion`; may be empty.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its digest, `sha256:…`; empty if it is not known.
    pub digest: String,
}

/// Where a page comes from. Secrets in addresses and settings are masked where it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What the page is, in a few words.
    pub what: String,
    /// When it was measured: begin, end and time zone.
    pub when: String,
    /// Where: the host, the folder, the pipeline file or the data set, each with its name.
    pub place: Vec<(&'static str, String)>,
    /// The models.
    pub models: Vec<ModelOf>,
    /// The program and its version.
    pub program: String,
    /// The command line, quoted so that a shell takes it.
    pub command: String,
}

impl Origin {
    /// The facts as a list. What is not known is told as such.
    pub fn html(&self) -> Markup {
        let told = |text: &str| if text.is_empty() { UNKNOWN.to_string() } else { masked(text) };
        html! {
            dl.origin {
                div { dt { "When" } dd { (told(&self.when)) } }
                @for (name, place) in &self.place { div { dt { (name) } dd { (told(place)) } } }
                @for model in &self.models {
                    div {
                        dt { @if model.role.is_empty() { "Model" } @else { (model.role) } }
                        dd { (model.name) " " (model.version) @if !model.digest.is_empty() { " " (digest(&model.digest)) } }
                    }
                }
                @if self.models.is_empty() { div { dt { "Models" } dd { "none named" } } }
                div { dt { "Program" } dd { (told(&self.program)) } }
                div.command { dt { "Command" } dd { code { (told(&self.command)) } } }
            }
        }
    }
}

/// A digest, shown short. Who points at it, tabs to it or copies it gets all of it.
pub fn digest(digest: &str) -> Markup {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    let at = digits.char_indices().nth(SHORT).map_or(digits.len(), |(i, _)| i);
    let (short, rest) = digits.split_at(at);
    html! { code.digest tabindex="0" title=(digest) { (short) span.rest { (rest) } } }
}

/// Quotes the words of a command so that a POSIX shell reads them as they are. An assignment keeps its name bare.
///
/// ```
/// # use andon_report::command_line;
/// assert_eq!(command_line(["andon", "ab", "SOURCE=a b", "it's"]), r"andon ab SOURCE='a b' 'it'\''s'");
/// ```
pub fn command_line<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    words.into_iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_-./:,=@%+".contains(c));
    if !word.is_empty() && is_plain(word) {
        return word.into();
    }
    let in_quotes = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    match word.split_once('=') {
        Some((name, value)) if !name.is_empty() && is_plain(name) => format!("{name}={}", in_quotes(value)),
        _ => in_quotes(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_and_no_secret() {
        let origin = Origin {
            what: "report".into(),
            when: "2026-03-02 14:03:12 to 14:04:00 +01:00".into(),
            place: vec![("Host", "line-7".into()), ("Source", "rtsp://me:hunter2@cam/1".into())],
            models: vec![ModelOf {
                role: "a: champion".into(),
                name: "<pcb>".into(),
                version: "1".into(),
                digest: "sha256:0123456789abcdef".into(),
            }],
            program: "andon 0.1.0".into(),
            command: command_line(["andon", "ab", "SOURCE=rtspsrc location=rtsp://me:hunter2@cam user-pw=hunter2"]),
        };
        let html = origin.html().into_string();
        assert!(!html.contains("hunter2") && html.contains("rtsp://me:***@cam/1"), "{html}");
        for told in ["+01:00", "line-7", "a: champion", "&lt;pcb&gt; 1", "andon 0.1.0", "user-pw=***"] {
            assert!(html.contains(told), "{told}: {html}");
        }
        assert!(
            html.contains(r#"title="sha256:0123456789abcdef">0123456789ab<span class="rest">cdef</span>"#),
            "{html}"
        );
        assert!(Origin::default().html().into_string().contains("<dt>When</dt><dd>–</dd>"));
    }

    #[test]
    fn a_command_is_quoted_as_a_shell_takes_it() {
        assert_eq!(command_line(["a", "", "x*", "$HOME", "A=", "--out=a b"]), "a '' 'x*' '$HOME' A= --out='a b'");
        assert_eq!(command_line(["SOURCE=a ! b"]), "SOURCE='a ! b'");
    }

    #[test]
    fn a_digest_of_any_letters_is_cut_between_them() {
        assert!(digest("ä").into_string().contains(">ä<"));
        assert!(digest(&"ö".repeat(20)).into_string().contains(&format!(">{}<", "ö".repeat(12))));
    }
}
