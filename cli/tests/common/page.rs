// SPDX-License-Identifier: MPL-2.0
//! What every page of the program has to keep, however it was made: it stands alone, says where it comes from, leads only to
//! what is there, and can be read by who does not see it, or sees it on a phone.

use std::collections::BTreeSet;

/// Widest piece that a phone shows, pixels.
const PHONE: u32 = 420;

/// A tag as it stands in the page: its name, its attributes, and what stands behind it up to the next tag.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    text: &'a str,
}

impl Tag<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }
}

/// The tags of a page in order, closing ones (`/td`) too. Our pages quote every value, and hold no `<` but tags.
fn tags(page: &str) -> Vec<Tag<'_>> {
    let of = |piece| {
        let (tag, text): (&str, &str) = str::split_once(piece, '>')?;
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((name, more)) = rest.split_once('=') {
            let (value, more) = more.strip_prefix('"')?.split_once('"')?;
            attributes.push((name.trim(), value));
            rest = more;
        }
        Some(Tag { name, attributes, text })
    };
    page.split('<').skip(1).filter_map(of).collect()
}

/// Fails the test where a page does not keep what all pages keep. `command` is how its command line begins.
#[track_caller]
pub fn check(page: &str, command: &str) {
    let tags = tags(page);
    let all = |name: &'static str| tags.iter().filter(move |tag| tag.name == name);
    stands_alone(page, &tags);
    leads_only_to_what_is_there(&tags);
    says_where_it_comes_from(page, command);

    assert_eq!(all("html").next().unwrap().get("lang"), Some("en"));
    for once in ["h1", "main", "header"] {
        assert_eq!(all(once).count(), 1, "{once}");
    }
    let first_link = all("a").next().unwrap();
    assert_eq!((first_link.get("class"), first_link.get("href")), (Some("skip"), Some("#main")));
    let mut level = 0;
    for heading in tags.iter().filter(|t| t.name.len() == 2 && t.name.starts_with('h') && t.name != "hr") {
        let Ok(next) = heading.name[1..].parse::<u32>() else { continue };
        assert!(next <= level + 1, "after h{level} comes h{next}: {}", heading.text);
        level = next;
    }
    assert_eq!(all("table").count(), all("caption").count(), "every table says what it is of");
    for head in all("th") {
        assert!(matches!(head.get("scope"), Some("col" | "row")), "a head without a scope: {}", head.text);
    }
    let empty = tags.windows(2).find(|pair| pair[0].name == "th" && pair[0].text.is_empty() && pair[1].name == "/th");
    assert!(empty.is_none(), "an empty head");
    for drawing in all("svg").filter(|svg| svg.get("aria-hidden").is_none()) {
        let said = drawing.get("aria-label").expect("a drawing says what it shows");
        assert!(drawing.get("role") == Some("img") && said.contains(' ') && says_a_figure(said), "{said}");
    }
    for picture in all("img") {
        assert!(says_a_figure(picture.get("alt").unwrap()), "{:?}", picture.get("alt"));
    }
    for nav in all("nav").chain(all("div").filter(|div| div.get("role").is_some())) {
        assert!(nav.get("aria-label").is_some_and(|label| !label.is_empty()), "a group or a nav without a name");
    }
    let count = |class: &str| all("div").filter(|div| div.get("class") == Some(class)).count();
    assert_eq!(count("broad"), count("narrow"), "every plot has a form for a phone");
}

/// Whether a description tells more than a name: a number, or that there is none.
fn says_a_figure(said: &str) -> bool {
    said.contains(|c: char| c.is_ascii_digit()) || said.contains("no ") || said.contains("nothing")
}

#[track_caller]
fn stands_alone(page: &str, tags: &[Tag<'_>]) {
    for elsewhere in
        ["http://", "https://", "<script", "<link", "@import", "src=\"/", "javascript:", " onclick", " onload"]
    {
        assert!(!page.contains(elsewhere), "the page needs {elsewhere}");
    }
    let styles = tags.iter().filter_map(|tag| tag.get("style"));
    let sheets = tags.iter().filter(|tag| tag.name == "style").map(|tag| tag.text);
    for style in styles.chain(sheets) {
        for width in style.split("min-width: ").skip(1) {
            let digits: String = width.chars().take_while(char::is_ascii_digit).collect();
            assert!(digits.parse::<u32>().unwrap_or(0) <= PHONE, "wider than a phone: {width}");
        }
    }
}

#[track_caller]
fn leads_only_to_what_is_there(tags: &[Tag<'_>]) {
    let mut ids = BTreeSet::new();
    for id in tags.iter().filter_map(|tag| tag.get("id")) {
        assert!(ids.insert(id), "two of the id {id}");
    }
    for href in tags.iter().filter(|tag| ["a", "use"].contains(&tag.name)).filter_map(|tag| tag.get("href")) {
        let id = href.strip_prefix('#').unwrap_or_else(|| panic!("{href} leads away from the page"));
        assert!(ids.contains(id), "{href} leads nowhere");
    }
    let links = tags.iter().filter(|tag| tag.name == "a").count();
    assert!(links > 1, "no figure leads anywhere");
}

#[track_caller]
fn says_where_it_comes_from(page: &str, command: &str) {
    let origin = page.split("<dl class=\"origin\">").nth(1).unwrap().split("</dl>").next().unwrap();
    for fact in ["When", "Host", "Folder", "Program", "Command"] {
        let told = origin.split(&format!("<dt>{fact}</dt><dd>")).nth(1).unwrap_or_else(|| panic!("{fact}: {origin}"));
        assert!(!told.starts_with('<') || fact == "Command", "{fact} is not told: {origin}");
        assert!(!told.starts_with('–'), "{fact} is not told: {origin}");
    }
    assert!(origin.contains(&format!("andon {command} ")), "{origin}");
    assert!(origin.contains(concat!("andon ", env!("CARGO_PKG_VERSION"))), "{origin}");
}

/// Fails the test where a page does not name so many models with their whole digests.
#[track_caller]
pub fn names_models(page: &str, count: usize) {
    assert_eq!(page.matches("class=\"digest\" tabindex=\"0\" title=\"sha256:").count(), count);
}
