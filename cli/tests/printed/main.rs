// SPDX-License-Identifier: MPL-2.0
//! What README, docs and the other pages print is true. Every block `sh` and `python` of every page runs as a newcomer would
//! type it: page by page, in the order of the page, in a fresh clone without the data that lies beside this repository, after
//! `. scripts/env`. What the block `text` behind it shows is printed, and nothing is left that git would list.
//!
//! A comment ahead of a block says what is different there:
//!
//! ```text
//! <!-- not run: REASON -->                         at most five blocks of all pages
//! <!-- a shell of its own, until: TEXT -->         the block goes on while the next ones run; they begin when it has said TEXT
//! <!-- in the test: WHAT -> WHAT ELSE -->          a camera that only the reader has
//! ```

#[path = "../common/mod.rs"]
mod common;

mod blocks;
mod clone;
mod inline;
mod links;
mod shell;

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Instant,
};

use blocks::{Block, Kind, Way};
use common::root;

/// All pages: every Markdown file that git would keep.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> =
        clone::files(&root()).into_iter().filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    pages.sort();
    pages
}

fn read(page: &Path) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

/// What became of a page.
struct Outcome {
    page: PathBuf,
    run: usize,
    stand_ins: usize,
    compared: usize,
    seconds: f64,
    faults: Vec<String>,
}

fn play(page: PathBuf) -> Outcome {
    let began = Instant::now();
    let blocks = blocks::of(&read(&page));
    let mut outcome = Outcome { page, run: 0, stand_ins: 0, compared: 0, seconds: 0.0, faults: Vec::new() };
    let here = clone::Clone::make();
    match shell::run(&here, &blocks) {
        Ok(printed) => {
            for (block, shown) in
                blocks.iter().zip(blocks.iter().skip(1)).enumerate().filter_map(|(n, (block, next))| {
                    (block.runs() && next.kind == Kind::Shown && next.follows).then_some((n, next))
                })
            {
                let said = &printed[&block];
                for line in shown.text.lines() {
                    outcome.compared += 1;
                    if !said.lines().any(|said| blocks::is_shown(said, line)) {
                        outcome.faults.push(format!(
                            "line {}: not printed: {line}\nbut: {}",
                            shown.line,
                            blocks::end_of(said)
                        ));
                    }
                }
            }
        }
        Err(fault) => outcome.faults.push(fault),
    }
    outcome.run = blocks.iter().filter(|block| block.runs()).count();
    outcome.stand_ins = blocks.iter().filter(|block| block.stand_in.is_some()).count();
    outcome.faults.extend(here.left_over());
    outcome.seconds = began.elapsed().as_secs_f64();
    outcome
}

/// The pages that have something to run, or those of them that `ANDON_PAGES` names (`ANDON_PAGES=docs/ab.md,README.md`).
fn wanted() -> Vec<PathBuf> {
    let only = std::env::var("ANDON_PAGES").ok();
    let is_wanted =
        |page: &PathBuf| only.as_ref().is_none_or(|only| only.split(',').any(|name| Path::new(name) == page));
    pages().into_iter().filter(is_wanted).filter(|page| blocks::of(&read(page)).iter().any(Block::runs)).collect()
}

#[test]
fn every_block_of_every_page_runs_as_printed_and_leaves_nothing_behind() {
    let left = Mutex::new(wanted());
    let outcomes = Mutex::new(Vec::new());
    let at_once = thread::available_parallelism().map_or(2, usize::from).min(4);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(page) = left.lock().unwrap().pop() else { break };
                    let outcome = play(page);
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by(|a, b| a.page.cmp(&b.page));
    println!("{:<34} {:>6} {:>9} {:>8} {:>7}", "page", "blocks", "stand-ins", "compared", "seconds");
    for Outcome { page, run, stand_ins, compared, seconds, .. } in &outcomes {
        println!("{:<34} {run:>6} {stand_ins:>9} {compared:>8} {seconds:>7.1}", page.display());
    }
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    println!("{:<34} {:>6} {:>9} {:>8}", "all", sum(|o| o.run), sum(|o| o.stand_ins), sum(|o| o.compared));
    let faults: Vec<_> =
        outcomes.iter().flat_map(|o| o.faults.iter().map(|fault| format!("{}: {fault}", o.page.display()))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn at_most_five_blocks_are_not_run_and_each_says_why() {
    let mut not_run = Vec::new();
    for page in pages() {
        for block in blocks::of(&read(&page)) {
            if let Way::NotRun(reason) = &block.way {
                assert!(reason.len() > 10, "{}:{}: say why: {reason}", page.display(), block.line);
                not_run.push(format!("{}:{}: {reason}", page.display(), block.line));
            }
        }
    }
    println!("not run:\n{}", not_run.join("\n"));
    assert!(not_run.len() <= 5, "{} blocks are not run:\n{}", not_run.len(), not_run.join("\n"));
}

#[test]
fn no_block_hides_commands_from_the_test() {
    let mut faults = Vec::new();
    for page in pages() {
        let blocks = blocks::of(&read(&page));
        for (n, block) in blocks.iter().enumerate() {
            let at = format!("{}:{}", page.display(), block.line);
            match &block.kind {
                Kind::Unknown(kind) => faults.push(format!("{at}: nothing here runs or reads a block '{kind}'")),
                Kind::Json => {
                    if let Err(e) = serde_json::from_str::<serde_json::Value>(&block.text) {
                        faults.push(format!("{at}: {e}"));
                    }
                }
                Kind::Rust => {
                    let example = std::fs::read_to_string(root().join("examples/rust/inspect.rs")).unwrap();
                    for line in block.text.lines().filter(|line| !example.contains(line.trim())) {
                        faults.push(format!("{at}: examples/rust/inspect.rs, which is built and run, has no {line}"));
                    }
                }
                // What is shown behind commands is compared with what they print.
                Kind::Shown if n > 0 && block.follows && blocks[n - 1].runs() => {}
                Kind::Shown => {
                    let commands = [
                        "andon ",
                        "gst-launch-1.0 ",
                        "make ",
                        "cargo ",
                        "scripts/",
                        "sudo ",
                        "git ",
                        "pip ",
                        "python3 ",
                    ];
                    let is_command = |line: &&str| commands.iter().any(|command| line.starts_with(command));
                    faults.extend(block.text.lines().find(is_command).map(|line| format!("{at}: a command: {line}")));
                }
                Kind::Sh | Kind::Python | Kind::Toml | Kind::Control => {}
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let faults: Vec<_> = pages().iter().flat_map(|page| links::dead(page, &read(page))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_command_within_a_sentence_is_one() {
    let faults = inline::unknown(&pages());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
