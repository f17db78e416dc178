// SPDX-License-Identifier: MPL-2.0
//! Links of a page to files and headings of this repository.

use std::path::Path;

use super::common::root;

/// The text without blocks and inline code, in which brackets mean something else.
fn prose(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !fence && !inside
    });
    lines.map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("``")).collect::<Vec<_>>().join("\n")
}

/// The anchor that a heading has.
fn anchor(heading: &str) -> String {
    let plain = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = plain.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    let mut inside = false;
    text.lines().any(|line| {
        inside ^= line.trim_start().starts_with("```");
        !inside && line.starts_with('#') && anchor(line) == wanted
    })
}

/// The links that lead nowhere.
pub fn dead(page: &Path, text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let mut faults = Vec::new();
    for target in targets.filter(|target| !target.contains("://")) {
        let (path, wanted) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
        let folder = page.parent().unwrap();
        let mut file = if path.is_empty() { root().join(page) } else { root().join(folder).join(path) };
        if file.is_dir() && wanted.is_some() {
            file.push("README.md");
        }
        if !file.exists() {
            faults.push(format!("{}: there is no {target}", page.display()));
        } else if let Some(wanted) = wanted
            && !has_anchor(&std::fs::read_to_string(&file).unwrap(), wanted)
        {
            faults.push(format!("{}: there is no heading {target}", page.display()));
        }
    }
    faults
}

#[test]
fn a_dead_link_and_a_dead_anchor_are_found() {
    let text = "# One: two `three`\n\n[a](#one-two-three) [b](#four) [c](no-such.md) [d](https://example.org)\n```\n[e](f)\n```\n";
    assert_eq!(dead(Path::new("README.md"), "[b](#no-such-heading)").len(), 1);
    assert_eq!(dead(Path::new("README.md"), text).len(), 3, "the page itself has no heading of that name");
    assert!(has_anchor(text, "one-two-three") && !has_anchor(text, "four"));
}
