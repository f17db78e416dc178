// SPDX-License-Identifier: MPL-2.0
//! Commands within sentences: the subcommand is there, and has these options.

use std::{collections::BTreeMap, path::PathBuf};

use super::{common, read};

/// The commands that stand in backticks, in the text of a page without its blocks.
fn commands(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if !fence && !inside {
            prose += line;
            prose.push(' ');
        }
    }
    prose.split('`').skip(1).step_by(2).map(|code| code.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Help of a command, or nothing if there is none such.
fn help(words: &[&str]) -> Option<String> {
    let output = common::andon(words).arg("--help").output().unwrap();
    output.status.success().then(|| common::out(&output))
}

fn fault(command: &str, known: &mut BTreeMap<String, Option<String>>) -> Option<String> {
    let words: Vec<_> = command.split(' ').skip(1).collect();
    let is_word = |word: &&&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let names: Vec<_> = words.iter().take_while(is_word).copied().collect();
    let first = names.first()?;
    // `andon model check` is two words, `andon run line.launch` one; `andon ctl capture -` two.
    let depth = if matches!(*first, "model" | "dataset" | "ctl") { names.len().min(2) } else { 1 };
    let path = &names[..depth];
    let help = known.entry(path.join(" ")).or_insert_with(|| help(path)).as_ref();
    let Some(help) = help else { return Some(format!("there is no andon {}", path.join(" "))) };
    let options = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
    let options =
        options.map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()).split(['=', '[']).next().unwrap());
    let unknown: Vec<_> = options.filter(|option| !help.contains(option)).collect();
    (!unknown.is_empty()).then(|| format!("andon {} has no {}", path.join(" "), unknown.join(", ")))
}

/// What is no command, page by page.
pub fn unknown(pages: &[PathBuf]) -> Vec<String> {
    let (mut known, mut faults, mut seen) = (BTreeMap::new(), Vec::new(), 0);
    for page in pages {
        for command in commands(&read(page)) {
            let found = if command.starts_with("andon ") {
                seen += 1;
                fault(&command, &mut known)
            } else if let Some(script) = command.strip_prefix("scripts/") {
                let name = script.split(' ').next().unwrap();
                (!common::root().join("scripts").join(name).exists()).then(|| "there is no such script".into())
            } else if let Some(target) = command.strip_prefix("make ") {
                let target = target.split(' ').next().unwrap();
                let makefile = std::fs::read_to_string(common::root().join("Makefile")).unwrap();
                let is_there = target.contains('=') || makefile.lines().any(|l| l.starts_with(&format!("{target}:")));
                (!is_there).then(|| "there is no such target".into())
            } else {
                None
            };
            faults.extend(found.map(|fault| format!("{}: `{command}`: {fault}", page.display())));
        }
    }
    assert!(seen > 30, "{seen} commands were looked at");
    faults
}

#[test]
fn a_command_and_an_option_that_are_not_there_are_found() {
    let mut known = BTreeMap::new();
    assert!(fault("andon model check --no-run", &mut known).is_none());
    assert!(fault("andon model chekc", &mut known).is_some());
    assert!(fault("andon run x.launch --no-such-option", &mut known).is_some());
    assert_eq!(commands("a `b  c` d\n```\n`e`\n```\n`f\ng`"), ["b c", "f g"]);
}
