// SPDX-License-Identifier: MPL-2.0
//! `andon demo`: plays a scripted line with two models, and reports what happened.

mod collect;
mod pipeline;
mod report;
mod script;
mod summary;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    app::{Usage, init},
    origin::{Moment, model, origin},
    progress::bar,
    shipped,
};
use collect::Collector;
use script::Script;

/// Share of the frames that `--fast` plays: enough for every chapter.
const FAST: f64 = 0.4;

/// Play a made-up line with two models, and write a report.
///
/// On the way a challenger joins, new defects turn up, a lamp fails, frames are captured, and the model is swapped and
/// rolled back.
#[derive(Args)]
#[command(after_help = "Example:\n  andon demo --fast --out=demo")]
pub struct Demo {
    /// Folder for report.html and captures
    #[arg(long, visible_alias = "into", value_name = "DIR", default_value = "andon-demo")]
    out: PathBuf,
    /// Play two fifths of the frames
    #[arg(long)]
    fast: bool,
    /// Bundle of the running model [default: pcb/1 of the models that ship]
    #[arg(long, value_name = "BUNDLE", default_value_os_t = shipped::models().join("pcb/1"), hide_default_value = true)]
    pub champion: PathBuf,
    /// Bundle of the model tried beside it [default: pcb/2 of the models that ship]
    #[arg(long, value_name = "BUNDLE", default_value_os_t = shipped::models().join("pcb/2"), hide_default_value = true)]
    pub challenger: PathBuf,
    /// Seed; the same seed makes the same boards
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Demo {
    /// Plays the script, prints the table and writes the report.
    pub fn execute(self) -> Result<ExitCode> {
        for bundle in [&self.champion, &self.challenger] {
            if !bundle.exists() {
                let what = format!(
                    "no model at {}: run it from the repository's root, install the program with its models, or name bundles",
                    bundle.display()
                );
                return Err(Usage(what).into());
            }
        }
        fs::create_dir_all(&self.out).with_context(|| format!("{} cannot be made", self.out.display()))?;
        clear(&self.captures()).with_context(|| format!("{} cannot be cleared", self.captures().display()))?;
        init()?;
        let began = Moment::now();
        let script = Script::new(if self.fast { FAST } else { 1.0 });
        let mut collector = Collector::new(&script);
        let pipeline = pipeline::DemoPipeline::new(&self, &script, collector.numbers.clone())?;

        let bar = bar(script.frames() as usize, "playing");
        let played = pipeline.play(&self, &mut collector, &bar);
        bar.finish_and_clear();
        played?;

        summary::print(&collector);
        let models = collector.models.iter().map(|id| model("", id)).collect();
        let place = vec![("Line", "made-up boards, played as fast as the line takes them".to_string())];
        let origin = origin("Andon: the report of a demo", began.to(&Moment::now()), place, models);
        let path = self.out.join("report.html");
        fs::write(&path, report::page(&self, &collector, &pipeline.text, &origin)?.into_string())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        println!("\nreport:   {}\ncaptures: {}", path.display(), self.captures().display());
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the folder for captures.
    pub fn captures(&self) -> PathBuf {
        self.out.join("captures")
    }
}

/// Removes the captures of earlier demos, and nothing else: files called RUN-….png and RUN-….json.
fn clear(folder: &Path) -> io::Result<()> {
    let of_a_run = |name: &str| {
        let run = name.split('-').next().unwrap_or_default();
        run.len() == 32 && run.chars().all(|c| c.is_ascii_hexdigit())
    };
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let ours = path.file_name().and_then(|n| n.to_str()).is_some_and(of_a_run);
        if ours && path.extension().is_some_and(|e| e == "png" || e == "json") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_captures_are_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let run = "a3785f04904643288efc1b45dc96cfa7";
        let names =
            [format!("{run}-00000001-000000-x.png"), format!("{run}-00000001-000000-x.json"), "mine.png".into()];
        for name in &names {
            fs::write(folder.path().join(name), "").unwrap();
        }
        clear(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["mine.png"]);
        clear(&folder.path().join("not made yet")).unwrap();
    }
}
