// SPDX-License-Identifier: MPL-2.0
//! `andon check`: says what is wrong with a pipeline file without running it.

mod finding;
mod grammar;
mod make;
mod named;
mod packages;
mod parts;
mod paths;
mod shape;
mod values;
mod words;

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Args;
use finding::{Finding, Findings, Topic};
use make::Made;
use serde::Serialize;

use crate::{
    app::init,
    launch::{Error, Placed},
    limit,
    play::{PipelineFile, parse},
};

/// How long the files that are named may take to be read.
const PATIENCE: Duration = Duration::from_secs(60);

/// Check a pipeline file without running it
///
/// Everything that is wrong is listed, with the line of the file and what to do: variables, elements, properties and their
/// values, links and formats, models, stores, references, files and folders. No camera and no network is touched, and nothing
/// is written. Exit code 1: there are problems.
#[derive(Args)]
#[command(after_help = "Example:\n  andon check pipelines/inspect.launch MODEL=models/pcb/2")]
pub struct Check {
    #[command(flatten)]
    file: PipelineFile,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The whole check.
#[derive(Serialize)]
struct CheckReport {
    schema: &'static str,
    file: String,
    /// Whether there is no problem; there may be warnings.
    ok: bool,
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Check {
    /// Prints what was found. The exit code is 1 if there are problems.
    pub fn execute(self) -> Result<ExitCode> {
        let placed = self.file.placed()?;
        init()?;
        let file = self.file.path.display().to_string();
        limit::start(format!("check {file}"), PATIENCE);
        let mut findings = Findings::default();
        match placed {
            Ok(line) => look(&line, &mut findings),
            Err(e) => expansion(e, &mut findings),
        }
        findings.sort();
        let ok = findings.problems.is_empty();
        let report =
            CheckReport { schema: "andon.check/1", file, ok, problems: findings.problems, warnings: findings.warnings };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print(&report);
        }
        Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Looks at a launch line from all sides.
fn look(line: &Placed, findings: &mut Findings) {
    let Some(words) = words::words(line, findings) else { return };
    let description = grammar::read(words, findings);
    let made = Made::of(&description, findings);
    shape::look(&made, findings);
    named::look(&made, findings);
    parts::look(&made, findings);
    // Whatever GStreamer's own parser finds beyond.
    if findings.problems.is_empty()
        && made.is_whole
        && let Err(e) = parse(&line.text)
    {
        let cure = "`andon run --print` shows the line as gst-launch-1.0 reads it.";
        findings.problem(Topic::Text, line.line_at(0), format!("GStreamer cannot read it: {e}"), cure);
    }
}

/// Tells why a file cannot be expanded.
fn expansion(error: Error, findings: &mut Findings) {
    match error {
        Error::Missing(names) => {
            for name in names {
                let cure = format!("Add {name}=… to the command line, or give it a default: ${{{name}:-…}}.");
                findings.problem(Topic::Variable, 1, format!("the variable {name} has no value"), cure);
            }
        }
        Error::Unclosed { line } => {
            findings.problem(Topic::Variable, line, "a ${ has no }", "Write the } where the variable ends.");
        }
        Error::BadName { line, name } => {
            let what = format!("'{name}' is no name of a variable");
            findings.problem(Topic::Variable, line, what, "Use letters, digits and _.");
        }
        error @ (Error::Empty | Error::Unknown { .. }) => {
            findings.problem(Topic::Text, 1, error.to_string(), "Write elements with '!' between them.");
        }
    }
}

/// Prints the findings for people.
fn print(report: &CheckReport) {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let (problems, warnings) = (report.problems.len(), report.warnings.len());
    for (kind, finding) in
        report.problems.iter().map(|f| ("problem", f)).chain(report.warnings.iter().map(|f| ("warning", f)))
    {
        println!("{}:{}: {kind}: {}", report.file, finding.line, finding.what.replace('\n', "\n  "));
        println!("    {}", finding.cure);
    }
    let tail = if warnings == 0 { String::new() } else { format!(", {}", count(warnings, "warning")) };
    match problems {
        0 => println!("{}: no problem{tail}", report.file),
        n => println!("{}: {}{tail}", report.file, count(n, "problem")),
    }
}
