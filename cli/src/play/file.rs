// SPDX-License-Identifier: MPL-2.0
//! A pipeline file on the command line, with values for its variables. A folder for its SOURCE plays the pictures in it. A file
//! that is not there may be meant by the name of one that ships with the program.

use std::path::{Path, PathBuf};

use andon_core::files;
use anyhow::{Context, Result};
use clap::Args;
use gst::prelude::*;

use super::{links, pictures::Pictures};
use crate::{
    app::{Usage, init},
    launch::{self, Placed, Variables},
    meant, shipped,
};

/// The variable of the source of frames. It may be given a folder of pictures.
const SOURCE: &str = "SOURCE";

/// The variable of the folder of the shipped models, by which the defaults of the shipped files name theirs.
const MODELS: &str = "MODELS";

/// What variables of the shipped files are set to where pictures are played, so that both models judge every picture, and
/// nobody waits for a clock.
const OFFLINE: [(&str, &str); 2] = [("LEAKY", "false"), ("WAIT", "-1")];

/// The largest pipeline file, bytes: a pipeline is some lines.
const LARGEST: u64 = 1 << 20;

/// Asks which variable was meant by one that the file does not have.
fn meant_variable(error: &launch::Error) -> String {
    let launch::Error::Unknown { given, known } = error else { return String::new() };
    given.iter().map(|name| meant::question(name, known.iter().map(String::as_str))).collect()
}

/// A pipeline file, and values for its variables.
#[derive(Args)]
pub struct PipelineFile {
    /// Pipeline file: gst-launch text with comments and variables; or the name of one that ships, such as inspect
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// Values for the file's ${VAR} and ${VAR:-default}; SOURCE=FOLDER plays the pictures in a folder, each as the part that its
    /// file is called
    #[arg(value_name = "VAR=value")]
    variables: Vec<String>,
}

impl PipelineFile {
    /// Returns the file as one launch line, its variables filled in.
    pub fn line(&self) -> Result<String> {
        Ok(self.placed()?.map_err(|e| self.misused(&e.to_string()))?.text)
    }

    /// Returns the file as one launch line that knows the lines of the file, or what is wrong with the file's variables. What
    /// is wrong with the command line is the outer error.
    pub fn placed(&self) -> Result<Result<Placed, launch::Error>> {
        let mut given = Variables::new();
        for pair in &self.variables {
            let Some((name, value)) = pair.split_once('=').filter(|(name, _)| launch::is_name(name)) else {
                return Err(self.misused(&format!("'{pair}' does not set a variable: write VAR=value")));
            };
            given.insert(name.into(), value.into());
        }
        let shipped = shipped::pipeline(&self.path);
        let path = shipped.as_deref().unwrap_or(&self.path);
        let text = files::read_text(path, LARGEST).map_err(|e| {
            let beside = meant::file(&self.path);
            let meant = if beside.is_empty() { shipped::meant(&self.path) } else { beside };
            self.misused(&format!("{e}{meant}"))
        })?;
        if let Some(path) = &shipped {
            eprintln!("note: there is no file {} here: {} is taken", self.path.display(), path.display());
        }
        let expand = |given: &Variables| launch::expand(&text, given);
        let models = shipped::models_of(path);
        if models.is_absolute() && !given.contains_key(MODELS) {
            let mut with = given.clone();
            with.insert(MODELS.into(), escaped(&models.to_string_lossy()));
            // Not every file has the variable.
            if !matches!(expand(&with), Err(launch::Error::Unknown { given, .. }) if given.iter().any(|name| name == MODELS))
            {
                given = with;
            }
        }
        if self.folder().is_some() {
            given.insert(SOURCE.into(), Pictures::ELEMENTS.into());
            for (name, value) in OFFLINE {
                let mut with = given.clone();
                with.entry(name.into()).or_insert_with(|| value.into());
                match (expand(&given), expand(&with)) {
                    // Not every file has the variable, or needs another value.
                    (_, Err(launch::Error::Unknown { .. })) => {}
                    (Ok(before), Ok(after)) if before == after => {}
                    _ => {
                        eprintln!("note: {name}={value}, so that every picture is judged by all models");
                        given = with;
                    }
                }
            }
        }
        match launch::placed(&text, &given) {
            Err(e @ launch::Error::Unknown { .. }) => Err(self.misused(&format!("{e}{}", meant_variable(&e)))),
            placed => Ok(placed),
        }
    }

    /// Returns the folder of pictures that is to be played, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        let source = self.variables.iter().rev().find_map(|pair| pair.strip_prefix(SOURCE)?.strip_prefix('='));
        source.map(Path::new).filter(|path| path.is_dir())
    }

    /// Starts GStreamer and makes a pipeline of the line; a line of one element gets a pipeline around it.
    pub fn pipeline(&self, line: &str) -> Result<gst::Pipeline> {
        init()?;
        let made = || -> Result<gst::Pipeline> {
            links::parse(line)?.downcast().or_else(|element| {
                let pipeline = gst::Pipeline::new();
                pipeline.add(&element)?;
                Ok(pipeline)
            })
        };
        let pipeline = made().with_context(|| format!("{} cannot be played", self.path.display()))?;
        if let Some(folder) = self.folder() {
            Pictures::of(folder)?.feed(&pipeline)?;
        }
        Ok(pipeline)
    }

    /// Returns an error for wrong usage, which begins with the file's name.
    pub fn misused(&self, what: &str) -> anyhow::Error {
        Usage(format!("{}: {what}", self.path.display())).into()
    }
}

/// Returns a path as a launch line takes it without quotes.
fn escaped(path: &str) -> String {
    let special =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '!' | '#' | '(' | ')' | ',' | ';' | '$');
    path.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
