// SPDX-License-Identifier: MPL-2.0
//! `andon dataset import`: what people corrected comes back as labels of parts, and as a checked COCO file.

mod answers;
mod coco;
mod labels;
mod labelstudio;

use std::{fs, path::PathBuf, process::ExitCode};

use andon_capture::replace_file;
use andon_core::result::{Part, PartKey, Verdict};
use andon_report::words::counted;
use answers::Answers;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::{
    folder::{self, Named},
    name::{Name, name},
};
use crate::app::Usage;

/// Takes back what people corrected: labels for abjoin labels=, and the COCO file, checked.
///
/// A frame with any box left on it is ng, one without is ok. A part is ng where any of its frames is, and ok only where all
/// its views were looked at.
#[derive(Args)]
pub struct Import {
    /// What the annotation tool exported
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which tool that was
    #[arg(long)]
    format: Kind,
    /// Labels are added to this file, a JSON object a line
    #[arg(long, value_name = "FILE", required_unless_present = "coco")]
    into: Option<PathBuf>,
    /// Copy the COCO file to here, once it has been checked
    #[arg(long, value_name = "FILE")]
    coco: Option<PathBuf>,
    /// The captures that were exported: their sidecars know which part a frame shows
    #[arg(long, value_name = "DIR")]
    captures: Option<PathBuf>,
    /// Who says so; abjoin tests labels of `sample` alone, see docs/ab.md
    #[arg(long, value_name = "WORD", default_value = "annotation")]
    source: String,
}

/// The tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// CVAT's export in COCO 1.0
    CvatCoco,
    /// Label Studio's export in JSON (not JSON-MIN)
    Labelstudio,
}

/// A frame that somebody looked at.
struct Seen {
    /// Which it is.
    name: Name,
    /// The part that it shows, where the file tells.
    part: Option<Part>,
    /// What it is.
    verdict: Verdict,
}

/// What an annotation file says.
#[derive(Default)]
struct Read {
    seen: Vec<Seen>,
    /// Images that a framesampler did not write.
    foreign: Named,
    /// Ours that nobody has looked at.
    untouched: u64,
    /// Ours of which two things are said.
    contradictory: Named,
}

impl Read {
    /// The frame that an image shows; else it is counted.
    fn ours(&mut self, image: &str) -> Option<Name> {
        let name = name(image);
        if name.is_none() {
            self.foreign.add(image);
        }
        name
    }
}

impl Import {
    /// Writes what was asked for; wrong usage where the file says nothing of any capture.
    pub fn execute(self) -> Result<ExitCode> {
        let misused = |what: String| Usage(format!("{}: {what}", self.file.display()));
        if self.coco.is_some() && self.format != Kind::CvatCoco {
            return Err(Usage("--coco takes a COCO file: --format cvat-coco".into()).into());
        }
        let text = fs::read(&self.file).map_err(|e| misused(e.to_string()))?;
        let read = match self.format {
            Kind::CvatCoco => coco::read(&text),
            Kind::Labelstudio => labelstudio::read(&text),
        };
        let mut read = read.map_err(misused)?;
        if read.seen.is_empty() {
            read.foreign.tell("image that is no capture", "images that are no captures");
            return Err(misused("nobody has looked at any capture in it".into()).into());
        }
        if let Some(to) = &self.coco {
            replace_file(to, &text)?;
            println!("{} in {}", counted(read.seen.len() as u64, "corrected image", "corrected images"), to.display());
        }
        if let Some(into) = &self.into {
            self.labels(into, std::mem::take(&mut read.seen))?;
        }
        read.foreign.tell("image that is no capture", "images that are no captures");
        read.contradictory.tell("image of which two things are said", "images of which two things are said");
        if read.untouched > 0 {
            eprintln!("{} nobody has looked at", counted(read.untouched, "capture", "captures"));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn labels(&self, into: &std::path::Path, seen: Vec<Seen>) -> Result<()> {
        let mut answers = Answers::default();
        let (mut lost, mut without_part) = (Named::default(), 0_u64);
        for Seen { name, mut part, verdict } in seen {
            if let Some(folder) = &self.captures {
                match folder::sidecar(folder, &name.stem) {
                    Ok(sidecar) => part = sidecar.part.map(|p| (*p).clone()),
                    Err(_) => lost.add(&name.stem),
                }
            }
            without_part += u64::from(part.is_none());
            let key = part.as_ref().map_or(name.frame, |p| PartKey::Part(p.id.clone()));
            answers.add(key, part.as_ref(), verdict);
        }
        let (verdicts, unfinished) = answers.finish();
        let added = labels::append(into, &verdicts, &self.source)
            .with_context(|| format!("{} cannot be written", into.display()))?;
        let ng = verdicts.iter().filter(|(_, v)| *v == Verdict::Ng).count() as u64;
        println!(
            "{} ({ng} ng, {} ok), of them {added} new, in {}",
            counted(verdicts.len() as u64, "label", "labels"),
            verdicts.len() as u64 - ng,
            into.display()
        );
        unfinished.tell("part with views that nobody looked at", "parts with views that nobody looked at");
        lost.tell("capture without its sidecar", "captures without their sidecars");
        if without_part > 0 && self.captures.is_none() && self.format == Kind::CvatCoco {
            eprintln!(
                "{} labelled as RUN/FRAME: where frames show parts, --captures DIR finds them",
                counted(without_part, "frame", "frames")
            );
        }
        Ok(())
    }
}
