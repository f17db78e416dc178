// SPDX-License-Identifier: MPL-2.0
//! The skeleton of a page, and the small pieces that fill it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::words::plain;

/// The page's style. It fetches nothing.
const STYLE: &str = include_str!("style.css");

/// Escapes a text for XML and HTML that is not made here.
pub fn escape(text: &str) -> String {
    html! { (text) }.into_string()
}

/// A whole document around `body`, in which no character is hidden.
pub fn page(title: &str, body: Markup) -> Markup {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    PreEscaped(plain(&page.0).into_owned())
}

/// A number that the reader should take away, and what it is.
pub fn fact(number: &str, what: &str) -> Markup {
    html! { div.fact { b { (number) } span { (what) } } }
}

/// Facts in a row.
pub fn facts(facts: impl IntoIterator<Item = Markup>) -> Markup {
    html! { div.facts { @for fact in facts { (fact) } } }
}

/// A picture or a drawing with its caption.
pub fn figure(content: Markup, caption: Markup) -> Markup {
    html! { figure { (content) figcaption { (caption) } } }
}

/// A plot in a frame, below its legend.
pub fn panel(legend: Markup, plot: Markup) -> Markup {
    html! { div.panel { (legend) (plot) } }
}

/// One entry of a legend: a swatch of the style's `class`, and its name.
pub fn key(class: &str, name: &str) -> Markup {
    html! { span.key { i class=(class) {} (name) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;

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
        assert!(super::page("ok\u{202e}", html! {}).into_string().contains(r"<title>ok\u202e</title>"));
    }
}
