// SPDX-License-Identifier: MPL-2.0
//! Pictures that figures point to: a figure's link shows only those pictures that it counts, without a script.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

use crate::words::counted;

/// Pictures, each with what it stands for.
///
/// A filter is an anchor above the pictures. While an address ends in it (CSS calls that `:target`), the pictures without its
/// tag are hidden, and a line says which are shown and leads back to all.
#[derive(Clone, Debug)]
pub struct Gallery {
    id: String,
    class: &'static str,
    figures: Vec<(Markup, Vec<String>)>,
    tags: BTreeMap<String, usize>,
}

impl Gallery {
    /// An empty gallery. `id` is its anchor on the page; `class` is a class of the style, or empty.
    pub fn new(id: impl Into<String>, class: &'static str) -> Self {
        Self { id: id.into(), class, figures: Vec::new(), tags: BTreeMap::new() }
    }

    /// Adds a picture that stands for `tags`, each said in words: `only b says ng`.
    pub fn add(&mut self, figure: Markup, tags: impl IntoIterator<Item = String>) {
        let mut tags: Vec<_> = tags.into_iter().collect();
        tags.sort();
        tags.dedup();
        for tag in &tags {
            let next = self.tags.len();
            self.tags.entry(tag.clone()).or_insert(next);
        }
        self.figures.push((figure, tags));
    }

    /// The address of the pictures of a tag, or None if there is no picture of it.
    pub fn link(&self, tag: &str) -> Option<String> {
        self.tags.get(tag).map(|n| format!("#{}-{n}", self.id))
    }

    /// The address of all pictures, or None if there are none.
    pub fn all(&self) -> Option<String> {
        (!self.is_empty()).then(|| format!("#{}", self.id))
    }

    /// Returns whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.figures.is_empty()
    }

    /// The number of pictures of a tag.
    pub fn count(&self, tag: &str) -> usize {
        self.figures.iter().filter(|(_, tags)| tags.iter().any(|t| t == tag)).count()
    }

    /// The tags with their links, as a list above the pictures.
    pub fn index(&self) -> Markup {
        html! {
            nav.index aria-label="Pictures by what they show" {
                ul {
                    @for tag in self.tags.keys() {
                        @if let Some(link) = self.link(tag) { li { a href=(link) { (tag) } " " (self.count(tag)) } }
                    }
                }
            }
        }
    }

    /// The pictures.
    pub fn html(&self) -> Markup {
        let all = self.figures.len();
        let id = &self.id;
        let hidden = |n: &usize| format!("#{id}-{n}:target~.frames>figure:not(.{id}-{n}){{display:none}}");
        let rules: String = self.tags.values().map(hidden).collect();
        html! {
            div.gallery id=(id) {
                @if !self.tags.is_empty() { style { (PreEscaped(rules)) } }
                @for (tag, n) in &self.tags {
                    p.filter id=(format_args!("{id}-{n}")) {
                        "Shown: " b { (tag) } ", " (self.count(tag)) " of " (counted(all as u64, "picture", "pictures")) ". "
                        a href=(format_args!("#{id}")) { "Show all" }
                    }
                }
                div.frames.(self.class) {
                    @for (figure, tags) in &self.figures {
                        @let classes: Vec<_> = tags.iter().map(|tag| format!("{id}-{}", self.tags[tag])).collect();
                        figure class=[(!classes.is_empty()).then(|| classes.join(" "))] { (figure) }
                    }
                }
            }
        }
    }
}

/// A text as a link where there is something to see, and as it is where there is nothing.
pub fn linked(text: &str, href: Option<&str>) -> Markup {
    html! { @match href { Some(href) => a href=(href) { (text) }, None => (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_leads_to_its_pictures_and_one_without_leads_nowhere() {
        let mut gallery = Gallery::new("seen", "");
        gallery.add(html! { "1" }, ["only b <says> ng".to_string(), "copper".into()]);
        gallery.add(html! { "2" }, ["copper".into(), "copper".into()]);
        gallery.add(html! { "3" }, []);
        assert_eq!((gallery.link("copper"), gallery.link("open")), (Some("#seen-0".into()), None));
        assert_eq!((gallery.count("copper"), gallery.count("only b <says> ng")), (2, 1));
        let html = gallery.html().into_string();
        for n in 0..2 {
            assert!(html.contains(&format!("id=\"seen-{n}\"")) && html.contains(&format!("#seen-{n}:target~.frames")));
        }
        assert!(
            html.contains(r#"<figure class="seen-0 seen-1">1</figure>"#) && html.contains("<figure>3</figure>"),
            "{html}"
        );
        assert!(html.contains("only b &lt;says&gt; ng") && html.contains("2 of 3 pictures"));
        assert_eq!(linked("7", gallery.all().as_deref()).into_string(), "<a href=\"#seen\">7</a>");
        assert_eq!(linked("<7>", Gallery::new("x", "").all().as_deref()).into_string(), "&lt;7&gt;");
    }
}
