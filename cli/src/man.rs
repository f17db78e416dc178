// SPDX-License-Identifier: MPL-2.0
//! `andon man`: manual pages of the program and its subcommands, made of their help texts. For whoever packs the program.

use std::{fs, path::PathBuf, process::ExitCode};

use andon_core::files;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_mangen::{
    Man as Page,
    roff::{Roff, bold, roman},
};

/// The section of user commands.
const SECTION: &str = "1";

const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "It was done. A line that was asked to stop, by Ctrl-C or by SIGTERM, and did so is done."),
    ("1", "It failed, or what was checked did not pass."),
    ("2", "The command was wrong: an option, an element, a property or a value that there is not."),
    ("3", "The challenger did not pass (andon ab --check)."),
    ("130", "A second Ctrl-C stopped it at once."),
];

/// A variable, what it does, and the subcommands that read it; all if none is named.
const ENVIRONMENT: &[(&str, &str, &[&str])] = &[
    (
        "ANDON_CONTROL",
        "The address of a line's control socket: unix: for one in the folder that is looked into, unix:FOLDER/ or unix:PATH. A line \
         listens there, and what asks a line looks there first.",
        &["andon", "andon run", "andon ab", "andon ctl", "andon top"],
    ),
    (
        "ANDON_KEY_PASSWORD",
        "The password of a secret key, where there is no terminal to type it.",
        &["andon model keygen", "andon model sign"],
    ),
    ("ORT_DYLIB_PATH", "The file of the ONNX Runtime library, libonnxruntime.so.", &[]),
    ("GST_PLUGIN_PATH", "Further folders of GStreamer plugins. Andon's own elements are in the program.", &[]),
    ("GST_DEBUG", "What GStreamer logs, such as modelinfer:5.", &[]),
    ("NO_COLOR", "If it is set, nothing is coloured.", &[]),
];

/// A file, what it is, and the subcommands that it belongs to; all if none is named.
const FILES: &[(&str, &str, &[&str])] = &[
    (
        "*.launch",
        "Pipeline files: gst-launch text with comments and variables.",
        &["andon", "andon run", "andon ab", "andon check"],
    ),
    (
        "model.onnx, model.json",
        "A bundle: a model, and the manifest that says how it is used.",
        &["andon", "andon model"],
    ),
    (
        "STORE/NAME/VERSION, aliases.json, history.jsonl, policy.json",
        "A store: bundles by version, the names that move between them, who moved them and why, and whose signatures are needed.",
        &["andon", "andon model"],
    ),
    ("/run/andon, $XDG_RUNTIME_DIR/andon", "Where lines listen.", &["andon", "andon run", "andon ctl", "andon top"]),
];

/// Write the manual pages of the program and of every subcommand into a folder
#[derive(Args)]
#[command(hide = true, after_help = "Example:\n  andon man --into man1")]
pub struct Man {
    /// The folder, which is made if it is missing: andon.1, andon-run.1, andon-model-add.1, …
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
}

impl Man {
    /// Writes the pages.
    pub fn execute(self, program: Command) -> Result<ExitCode> {
        let cannot = |path: &PathBuf| format!("{}: cannot be written", path.display());
        fs::create_dir_all(&self.into).with_context(|| cannot(&self.into))?;
        let mut program = program.disable_help_subcommand(true);
        program.build();
        for (name, page) in pages(&program, &program) {
            let path = self.into.join(name);
            files::replace(&path, page?.as_bytes()).with_context(|| cannot(&path))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The pages of a command and of all that are below it, each with the name of its file.
fn pages(program: &Command, command: &Command) -> Vec<(String, Result<String>)> {
    let name = format!("{}.{SECTION}", title(command));
    let below = command.get_subcommands().filter(|c| !c.is_hide_set());
    let mut all = vec![(name, page(program, command))];
    all.extend(below.flat_map(|c| pages(program, c)));
    all
}

/// What a page is called: `andon-model-add`.
fn title(command: &Command) -> String {
    path(command).replace(' ', "-")
}

/// The words that call a command: `andon model add`.
fn path(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

fn page(program: &Command, command: &Command) -> Result<String> {
    let version = program.get_version().unwrap_or_default();
    let of_clap = Page::new(command.clone())
        .title(title(command).to_uppercase())
        .source(format!("andon {version}"))
        .manual("Andon");
    let mut out = Vec::new();
    of_clap.render_title(&mut out)?;
    of_clap.render_name_section(&mut out)?;
    of_clap.render_synopsis_section(&mut out)?;
    of_clap.render_description_section(&mut out)?;
    if command.get_arguments().any(|a| !a.is_hide_set()) {
        of_clap.render_options_section(&mut out)?;
    }
    if command.get_subcommands().any(|c| !c.is_hide_set()) {
        of_clap.render_subcommands_section(&mut out)?;
    }
    own(program, command).to_writer(&mut out)?;
    Ok(ascii(&String::from_utf8(out)?))
}

/// The sections that the help does not have, or has as one text.
fn own(program: &Command, command: &Command) -> Roff {
    let mut roff = Roff::new();
    let of = |of: &[&str]| of.is_empty() || of.iter().any(|c| is_below(path(command), c));
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (mut examples, mut notes) = (Vec::new(), Vec::new());
    for paragraph in after.split("\n\n") {
        match paragraph.split_once('\n') {
            Some(("Example:" | "Examples:", lines)) => examples.extend(lines.lines().map(str::trim_start)),
            Some(("Exit codes:", _)) => {}
            _ => notes.push(paragraph),
        }
    }
    notes.retain(|n| !n.is_empty());
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        for note in notes {
            roff.control("PP", []);
            roff.text([roman(note.replace('\n', " "))]);
        }
    }
    roff.control("SH", ["EXIT STATUS"]);
    let only_ab = |code: &str| code != "3" || is_below(path(command), "andon ab") || path(command) == "andon";
    EXIT_STATUS.iter().filter(|(code, _)| only_ab(code)).for_each(|(code, what)| item(&mut roff, code, what));
    roff.control("SH", ["ENVIRONMENT"]);
    ENVIRONMENT.iter().filter(|(_, _, c)| of(c)).for_each(|(name, what, _)| item(&mut roff, name, what));
    if FILES.iter().any(|(_, _, c)| of(c)) {
        roff.control("SH", ["FILES"]);
        FILES.iter().filter(|(_, _, c)| of(c)).for_each(|(name, what, _)| item(&mut roff, name, what));
    }
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        roff.control("nf", []);
        examples.iter().for_each(|line| {
            roff.text([roman(*line)]);
        });
        roff.control("fi", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.control("nh", []);
    let all = see_also(program, command);
    let last = all.len() - 1;
    let named = all.into_iter().enumerate().flat_map(|(i, name)| {
        let comma = if i < last { ", " } else { "" };
        [bold(name), roman(format!("({SECTION}){comma}"))]
    });
    roff.text(named.collect::<Vec<_>>());
    roff
}

/// Whether a command is `above`, or one of its subcommands. The program itself is above none.
fn is_below(command: &str, above: &str) -> bool {
    command == above || above != "andon" && command.strip_prefix(above).is_some_and(|rest| rest.starts_with(' '))
}

fn item(roff: &mut Roff, name: &str, what: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(what)]);
}

/// The commands above this one, those below it, and GStreamer's.
fn see_also(program: &Command, command: &Command) -> Vec<String> {
    let words: Vec<_> = path(command).split(' ').collect();
    let mut all: Vec<_> = (1..words.len()).map(|n| words[..n].join("-")).collect();
    let beside = match words[..] {
        [_, "run" | "ab"] => &["check", "ctl"][..],
        [_, "ctl", ..] => &["top"],
        [_, "top"] => &["ctl"],
        _ => &[],
    };
    let there = |name: &&&str| program.get_subcommands().any(|c| c.get_name() == **name);
    all.extend(beside.iter().filter(there).map(|name| format!("andon-{name}")));
    all.extend(command.get_subcommands().filter(|c| !c.is_hide_set()).map(title));
    all.push("gst-launch-1.0".into());
    all
}

/// Writes all other characters by their number, which every version of groff reads alike.
fn ascii(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_ascii() {
            out.push(c)
        } else {
            out += &format!("\\[u{:04X}]", u32::from(c))
        }
        out
    })
}
