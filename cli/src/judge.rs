// SPDX-License-Identifier: MPL-2.0
//! `andon judge`: judges two models by the evidence that a line has kept, where no line runs.

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use andon_core::{inspection::Labels, result::run_id, text::shown};
use andon_model::trials::{Ledger, News};
use andon_report::words::counted;
use andon_statistics::{
    judgement::Decision,
    trial::{Entry, Kept, RunEntry, Taken, Trial, TrialReport},
};
use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;

use crate::app::Usage;

/// Judge two models by the evidence that a line has kept.
///
/// FOLDER is STORE/NAME/trials/A-B, or A-B in the folder that abjoin's ledger names. Nothing is changed, unless --keep writes
/// the labels and the decision beside what the line has kept, for the line to go on with.
#[derive(Args)]
#[command(after_help = "Example:\n  andon judge store/pcb/trials/1-2 --labels labels.csv")]
pub struct Judge {
    /// The folder of the trial
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// File of labels: a table, or a JSON object a line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Keep the labels and the decision in the folder
    #[arg(long)]
    keep: bool,
    /// Print the judgement as JSON
    #[arg(long)]
    json: bool,
}

impl Judge {
    /// Judges, and prints the judgement.
    pub fn execute(self) -> Result<ExitCode> {
        let run = run_id().to_string();
        let mut ledger = if self.keep { Ledger::new(&self.folder, &run) } else { Ledger::read_only(&self.folder) };
        let all = kept(&mut ledger).with_context(|| format!("{} cannot be read", self.folder.display()))?;
        let Some(first) = all.iter().rev().find_map(first_of) else {
            let what = "holds no trial: name STORE/NAME/trials/A-B, as `ls STORE/NAME/trials` shows them";
            return Err(Usage(format!("{}: {what}", self.folder.display())).into());
        };
        let mut trial = Trial::new(first.rules.into(), &run)?;
        trial.at(now());
        trial.keep_for(&first.models);
        let replayed = trial.replay(&all);
        let mut unknown = Vec::new();
        if let Some(path) = &self.labels {
            read_labels(path, &mut trial, &mut unknown)?;
        }
        trial.look();
        if self.keep {
            let lines: Vec<_> = trial.take_entries().iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
            ledger.append(&lines, true).with_context(|| format!("{} cannot be written", self.folder.display()))?;
        }
        let report = trial.report();
        if self.json {
            let mut json = serde_json::to_value(&report)?;
            json["models"] = serde_json::to_value(&first.models)?;
            json["acted"] = serde_json::Value::Null;
            println!("{json:#}");
        } else {
            let what = format!(
                "{} {} (a) beside {} (b), kept by {}: {}, {} in the tests",
                shown(&first.models.a.name),
                shown(&first.models.a.version),
                shown(&first.models.b.version),
                counted(replayed.runs, "run", "runs"),
                counted(replayed.parts, "part", "parts"),
                counted(trial.labels()[0], "label", "labels"),
            );
            print(&what, &report);
        }
        replayed.aside.iter().for_each(|why| eprintln!("note: {why}"));
        if replayed.unreadable > 0 {
            eprintln!("note: {} could not be read", counted(replayed.unreadable, "line", "lines"));
        }
        if !unknown.is_empty() {
            let matching = trial.matching();
            bail!("{}: {matching}", self.labels.unwrap_or_default().display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn kept(ledger: &mut Ledger) -> Result<Vec<Kept>> {
    match ledger.read()? {
        News::Lines(all) => Ok(all.into_iter().map(|new| Kept { run: new.run, lines: new.lines }).collect()),
        News::Replaced => bail!("it changed while it was read: try again"),
    }
}

/// Returns the first line of a run that can be read.
fn first_of(kept: &Kept) -> Option<RunEntry> {
    match serde_json::from_str(kept.lines.first()?) {
        Ok(Entry::Run(first)) => Some(*first),
        _ => None,
    }
}

fn read_labels(path: &std::path::Path, trial: &mut Trial, unknown: &mut Vec<String>) -> Result<()> {
    if !path.is_file() {
        return Err(Usage(format!("{}: there is no such file of labels", path.display())).into());
    }
    let mut bad = None;
    Labels::new(path).read(|label| match label {
        Ok(label) => match trial.label(&label.id, label.verdict, &label.source) {
            Taken::Unknown => unknown.push(label.id),
            Taken::Ambiguous => {
                let id = label.id;
                bad.get_or_insert(format!(
                    "parts of several runs are called '{id}', and the label could be of any: write RUN/{id}"
                ));
            }
            Taken::Nothing => {
                bad.get_or_insert(format!("'{}': a label is ok or ng, not {}", label.id, label.verdict.as_str()));
            }
            Taken::Tested | Taken::Shown => {}
        },
        Err(error) => {
            bad.get_or_insert(error.to_string());
        }
    })?;
    bad.map_or(Ok(()), |why| bail!("{}: {why}", path.display()))
}

fn print(what: &str, report: &TrialReport) {
    let judgement = &report.judgement;
    println!("{what}");
    println!("{}: {}", judgement.decision.as_str(), judgement.reasons.join("; "));
    if let Some(decided) = &judgement.decided {
        let time = i128::from(decided.utc_ns);
        let time = Timestamp::from_nanosecond(time)
            .map_or_else(|_| "an unknown time".into(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        println!(
            "taken at {time} on {} and {} by run {}",
            counted(decided.parts, "part", "parts"),
            counted(judgement.labels.tested, "label", "labels"),
            shown(&decided.run)
        );
    }
    if let Some(since) = judgement.since.as_ref().filter(|since| since.parts + since.labels > 0) {
        let saved = since.saved_per_part.map_or_else(String::new, |saved| format!(", saved per part: {saved:.3}"));
        println!(
            "since then {} and {}{saved}: they change no decision",
            counted(since.parts, "part", "parts"),
            counted(since.labels, "label", "labels")
        );
    }
    if judgement.decision == Decision::Promote {
        println!("the champion stays until somebody promotes the challenger: andon model promote");
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
