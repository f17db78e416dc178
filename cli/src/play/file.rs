// SPDX-License-Identifier: MPL-2.0
//! A pipeline file on the command line, with values for its variables.

use std::path::PathBuf;

use andon_core::files;
use anyhow::{Context, Result};
use clap::Args;
use gst::prelude::*;

use super::links;
use crate::{
    app::{Usage, init},
    launch::{self, Variables},
};

/// The largest pipeline file, bytes: a pipeline is some lines.
const LARGEST: u64 = 1 << 20;

/// A pipeline file, and values for its variables.
#[derive(Args)]
pub struct PipelineFile {
    /// Pipeline file: gst-launch text with comments and variables
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// Values for the file's ${VAR} and ${VAR:-default}
    #[arg(value_name = "VAR=value")]
    variables: Vec<String>,
}

impl PipelineFile {
    /// Returns the file as one launch line, its variables filled in.
    pub fn line(&self) -> Result<String> {
        let mut given = Variables::new();
        for pair in &self.variables {
            let Some((name, value)) = pair.split_once('=').filter(|(name, _)| launch::is_name(name)) else {
                return Err(self.misused(&format!("'{pair}' does not set a variable: write VAR=value")));
            };
            given.insert(name.into(), value.into());
        }
        let text = files::read_text(&self.path, LARGEST).map_err(|e| self.misused(&e.to_string()))?;
        launch::expand(&text, &given).map_err(|e| self.misused(&e.to_string()))
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
        made().with_context(|| format!("{} cannot be played", self.path.display()))
    }

    /// Returns an error for wrong usage, which begins with the file's name.
    pub fn misused(&self, what: &str) -> anyhow::Error {
        Usage(format!("{}: {what}", self.path.display())).into()
    }
}
