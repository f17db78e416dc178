// SPDX-License-Identifier: MPL-2.0
//! docs/tutorial.md, command by command as a newcomer types it, in a folder of its own: every block `sh` runs, and what the block
//! `text` after it shows is printed.

mod common;

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use common::{andon, root};

/// A block of the page.
#[derive(Debug, PartialEq)]
enum Block {
    /// Commands.
    Commands(String),
    /// What they print, line by line; `…` stands for anything.
    Shown(String),
}

fn blocks(page: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut inside: Option<(&str, String)> = None;
    for line in page.lines() {
        match (&mut inside, line.strip_prefix("```")) {
            (None, Some(kind)) => inside = Some((kind, String::new())),
            (Some(_), Some(_)) => match inside.take() {
                Some(("sh", text)) => all.push(Block::Commands(text)),
                Some(("text", text)) => all.push(Block::Shown(text)),
                _ => {}
            },
            (Some((_, text)), None) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    all
}

/// Returns whether a line that was printed is the one that is shown.
fn is_shown(printed: &str, shown: &str) -> bool {
    let mut rest = printed;
    shown.split('…').map(str::trim).filter(|piece| !piece.is_empty()).all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// Runs commands in the folder, as a shell does that stops at the first failure, and returns all that they print.
fn printed(folder: &Path, commands: &str) -> String {
    let program = andon(&[]);
    let beside = Path::new(program.get_program()).parent().unwrap();
    let path = format!("{}:{}", beside.display(), env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell.arg("-ec").arg(format!("exec 2>&1; {commands}")).current_dir(folder);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output =
        shell.env("PATH", path).env("USER", "ada").env_remove("SUDO_USER").stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{commands}{text}");
    text
}

#[test]
fn every_command_of_the_tutorial_does_what_the_page_shows() {
    let folder = tempfile::tempdir().unwrap();
    for shipped in ["examples", "pipelines"] {
        std::os::unix::fs::symlink(root().canonicalize().unwrap().join(shipped), folder.path().join(shipped)).unwrap();
    }
    let page = fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let (mut said, mut shown) = (String::new(), 0);
    for block in blocks(&page) {
        match block {
            Block::Commands(commands) => said = printed(folder.path(), &commands),
            Block::Shown(lines) => {
                for line in lines.lines() {
                    assert!(said.lines().any(|p| is_shown(p, line)), "this is not printed:\n{line}\nbut this:\n{said}");
                    shown += 1;
                }
            }
        }
    }
    assert!(shown > 20, "{shown} lines of the page were compared");
}
