// SPDX-License-Identifier: MPL-2.0
//! One self-contained page: its style, its skeleton, and the few pieces that it is put together from.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::plot::Series;

/// The page's style: nothing is fetched, no script runs.
const STYLE: &str = include_str!("style.css");

/// A picture in a format that every browser reads.
pub struct Image {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its MIME type.
    pub mime: &'static str,
}

impl Image {
    /// The file within an address.
    pub fn address(&self) -> String {
        format!("data:{};base64,{}", self.mime, STANDARD.encode(&self.bytes))
    }
}

/// A text made safe between tags and in attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// The whole document around `body`, which is HTML already.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

/// A table; the first column is text, the others are numbers.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut s = String::from("<div class=\"wide\"><table>\n<thead><tr>");
    for h in header {
        let _ = write!(s, "<th>{}</th>", escape(h));
    }
    s += "</tr></thead>\n<tbody>\n";
    for row in rows {
        s += "<tr>";
        for cell in row {
            let _ = write!(s, "<td>{}</td>", escape(cell));
        }
        s += "</tr>\n";
    }
    s + "</tbody></table></div>\n"
}

/// A figure of HTML or SVG with its caption, which is HTML already.
pub fn figure(content: &str, caption: &str) -> String {
    format!("<figure>{content}<figcaption>{caption}</figcaption></figure>\n")
}

/// An image within the page.
pub fn image(image: &Image, alt: &str) -> String {
    format!("<img src=\"{}\" alt=\"{}\">", image.address(), escape(alt))
}

/// A number that the reader should take away, and what it is.
pub fn fact(number: &str, what: &str) -> String {
    format!("<div class=\"fact\"><b>{}</b><span>{}</span></div>\n", escape(number), escape(what))
}

/// What each line of a plot is.
pub fn legend(series: &[Series]) -> String {
    let entries: Vec<_> = series.iter().map(|s| key(&format!("line-key {}", s.class), &s.name)).collect();
    entries.join("")
}

/// One entry of a legend.
pub fn key(class: &str, name: &str) -> String {
    format!("<span class=\"key\"><i class=\"{class}\"></i>{}</span>", escape(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let page = page("t", &image(&Image { bytes: vec![1, 2, 3], mime: "image/png" }, "x"));
        for from_elsewhere in ["http://", "https://", "<script", "<link", "@import", "url(\"", "src=\"/"] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        assert!(page.contains("data:image/png;base64,AQID"));
    }

    #[test]
    fn what_is_measured_cannot_break_the_page() {
        assert_eq!(escape(r#"<b> & "c""#), "&lt;b&gt; &amp; &quot;c&quot;");
        assert!(table(&["<h>"], &[vec!["<c>".into()]]).contains("<th>&lt;h&gt;</th>"));
        assert!(fact("<1", "a").contains("&lt;1"));
    }

    #[test]
    fn every_cell_of_a_table_is_there() {
        let html = table(&["a", "b"], &[vec!["1".into(), "2".into()], vec!["3".into(), "4".into()]]);
        assert_eq!(
            (html.matches("<th>").count(), html.matches("<td>").count(), html.matches("<tr>").count()),
            (2, 4, 3)
        );
    }
}
