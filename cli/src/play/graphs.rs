// SPDX-License-Identifier: MPL-2.0
//! Drawings of a pipeline as it stands, in Graphviz's language.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use gst::prelude::*;

/// Draws into a folder, each stage once.
pub struct Graphs {
    folder: PathBuf,
    drawn: BTreeSet<&'static str>,
}

impl Graphs {
    /// Draws into a folder, which is made.
    pub fn into(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_path_buf(), drawn: BTreeSet::new() })
    }

    /// Draws the pipeline as STAGE.dot, if that is not drawn yet.
    pub fn draw(&mut self, pipeline: &gst::Pipeline, stage: &'static str) -> io::Result<()> {
        if !self.drawn.insert(stage) {
            return Ok(());
        }
        let text = pipeline.debug_to_dot_data(gst::DebugGraphDetails::all());
        fs::write(self.folder.join(format!("{stage}.dot")), text.as_str())
    }
}
