// SPDX-License-Identifier: MPL-2.0
//! Every help has an example, and every example is a command that the program takes.

use clap::{Command, CommandFactory as _, Parser as _};

use super::Cli;

/// Every command below this one, itself included, with the words that call it.
fn all(command: &Command, words: &str) -> Vec<(String, Command)> {
    let below = command.get_subcommands().flat_map(|c| all(c, &format!("{words} {}", c.get_name())));
    std::iter::once((words.into(), command.clone())).chain(below).collect()
}

/// What a shell makes of a line of an example that calls the program: without variables, comments, pipes and files.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let call =
        line.split_once("andon ").filter(|(before, _)| before.split(' ').all(|w| w.is_empty() || w.contains('=')))?;
    let call = format!("andon {}", call.1);
    let bare = call.split("  ").next()?.split(" > ").next()?;
    let words = glib::shell_parse_argv(bare).unwrap_or_else(|e| panic!("{bare}: {e}"));
    Some(words.into_iter().map(|w| w.into_string().unwrap()).collect())
}

#[test]
fn every_help_has_an_example_that_the_program_takes() {
    let (mut wrong, mut examples) = (Vec::new(), 0);
    let mut program = Cli::command();
    program.build();
    for (name, command) in all(&program, "andon") {
        if name.split(' ').any(|word| word == "help") {
            continue;
        }
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut paragraphs =
            after.split("\n\n").filter(|p| p.starts_with("Example:\n") || p.starts_with("Examples:\n"));
        let Some(paragraph) = paragraphs.next() else {
            wrong.push(format!("{name}: no example"));
            continue;
        };
        let calls: Vec<_> = paragraph.lines().filter_map(words).collect();
        let own: Vec<_> = name.split(' ').collect();
        if !calls.iter().any(|call| own.iter().enumerate().all(|(i, w)| call.get(i).is_some_and(|c| c == w))) {
            wrong.push(format!("{name}: no example calls it: {paragraph}"));
        }
        for call in calls {
            examples += 1;
            if let Err(e) = Cli::try_parse_from(&call) {
                wrong.push(format!("{name}: {call:?}: {e}"));
            }
        }
    }
    assert!(examples > 60 && wrong.is_empty(), "{examples} examples\n{}", wrong.join("\n"));
}

#[test]
fn a_line_of_an_example_is_read_as_a_shell_reads_it() {
    let read = |line: &str| words(line).map(|words| words.join("|"));
    assert_eq!(read("  NO_COLOR=1 andon top --line left").as_deref(), Some("andon|top|--line|left"));
    assert_eq!(read("  andon set a 'b c' > file").as_deref(), Some("andon|set|a|b c"));
    assert_eq!(read("  andon ctl list      all of them").as_deref(), Some("andon|ctl|list"));
    assert_eq!(read("  echo 'source <(andon completions bash)'"), None);
}
