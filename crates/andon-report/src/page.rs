// SPDX-License-Identifier: MPL-2.0
//! The skeleton of a page, and the small pieces that fill it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{axis::WIDTH, bars::hatches, gallery::linked, origin::Origin, words::plain};

/// The page's style. It fetches nothing.
const STYLE: &str = include_str!("style.css");
/// Width of a plot on a narrow screen, in units of the plot.
const NARROW: f64 = 420.0;

/// Escapes a text for XML and HTML that is not made here.
pub fn escape(text: &str) -> String {
    html! { (text) }.into_string()
}

/// What stands at the head of a page.
pub struct Head<'a> {
    /// The page's title, for tabs and bookmarks.
    pub title: &'a str,
    /// The headline.
    pub headline: &'a str,
    /// The sentence below it.
    pub lead: Markup,
    /// Where the page comes from.
    pub origin: &'a Origin,
}

/// A whole document around `body`, in which no character is hidden. Headings made by [`heading`] are listed at its head.
pub fn page(head: &Head<'_>, body: Markup) -> Markup {
    let sections = sections(&body.0);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (head.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the figures" }
                (hatches())
                header {
                    p.kind { (head.origin.what) }
                    h1 { (head.headline) }
                    p.lead { (head.lead) }
                    (head.origin.html())
                }
                @if sections.len() > 2 {
                    nav.sections aria-label="On this page" {
                        ul { @for (id, name) in sections { li { a href=(format_args!("#{id}")) { (PreEscaped(name)) } } } }
                    }
                }
                main #main tabindex="-1" { (body) }
            }
        }
    };
    PreEscaped(plain(&page.0).into_owned())
}

/// A heading that the page's list of sections leads to. `id` has to be the only one of its kind on the page.
pub fn heading(id: &str, text: &str) -> Markup {
    html! { h2 id=(id) { (text) } }
}

/// The headings of a body: their ids, and what stands in them, which is markup.
fn sections(body: &str) -> Vec<(&str, &str)> {
    let heading = |piece| {
        let (id, rest): (&str, &str) = str::split_once(piece, "\">")?;
        let text = rest.split_once("</h2>")?.0;
        // What a heading says first is enough for a list.
        let short = [", ", " ("].iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
        Some((id, &text[..short]))
    };
    body.split("<h2 id=\"").skip(1).filter_map(heading).collect()
}

/// A number that the reader should take away, and what it is.
pub fn fact(number: &str, what: &str) -> Markup {
    fact_of(number, what, None)
}

/// A number that leads to what it counts, if there is something to see.
pub fn fact_of(number: &str, what: &str, href: Option<&str>) -> Markup {
    html! { div.fact { b { (linked(number, href)) } span { (what) } } }
}

/// Facts in a row.
pub fn facts(facts: impl IntoIterator<Item = Markup>) -> Markup {
    html! { div.facts { @for fact in facts { (fact) } } }
}

/// A picture or a drawing with its caption.
pub fn figure(content: Markup, caption: Markup) -> Markup {
    html! { figure { (content) figcaption { (caption) } } }
}

/// A plot in a frame, below its legend. `plot` draws it as wide as it is told: the page shows the one that the screen has
/// room for.
pub fn panel(legend: Markup, plot: impl Fn(f64) -> Markup) -> Markup {
    html! { div.panel { (legend) (both(plot)) } }
}

/// A plot for wide screens, and the same one for narrow ones.
pub fn both(plot: impl Fn(f64) -> Markup) -> Markup {
    html! { div.broad { (plot(WIDTH)) } div.narrow { (plot(NARROW)) } }
}

/// One entry of a legend: a swatch of the style's `class`, and its name.
pub fn key(class: &str, name: &str) -> Markup {
    html! { span.key { i class=(class) {} (name) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;

    fn page(title: &str, body: Markup) -> Markup {
        super::page(&Head { title, headline: "h", lead: html! {}, origin: &Origin::default() }, body)
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let image = Image { bytes: vec![1, 2, 3], mime: "image/png" };
        let page = page("t", image.html("x")).into_string();
        for from_elsewhere in ["http://", "https://", "<script", "<link", "@import", "url(\"", "src=\"/"] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        assert!(page.contains("data:image/png;base64,AQID"));
    }

    #[test]
    fn what_is_measured_cannot_break_the_page() {
        assert!(fact("<1", "a").into_string().contains("&lt;1"));
        let page = page(r#"<b> & "c""#, key("\"x", "<y>")).into_string();
        assert!(page.contains("<title>&lt;b&gt; &amp; &quot;c&quot;</title>"), "{page}");
        assert!(page.contains(r#"<i class="&quot;x"></i>&lt;y&gt;"#), "{page}");
        assert!(self::page("ok\u{202e}", html! {}).into_string().contains(r"<title>ok\u202e</title>"));
    }

    #[test]
    fn sections_are_listed_once_there_are_some() {
        let of = |n: usize| html! { @for i in 0..n { (heading(&format!("s{i}"), "a <b>")) } };
        assert!(!page("t", of(2)).into_string().contains("<nav"));
        let page = page("t", of(3)).into_string();
        assert!(page.contains(r##"<li><a href="#s2">a &lt;b&gt;</a></li></ul></nav>"##), "{page}");
        let order = ["class=\"skip\"", "<header>", "<h1>", "<nav", "<main", "<h2"].map(|tag| page.find(tag).unwrap());
        assert!(order.is_sorted(), "{order:?}");
    }
}
