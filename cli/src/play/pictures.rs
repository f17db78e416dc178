// SPDX-License-Identifier: MPL-2.0
//! Plays the pictures of a folder as frames. Each is a part of its own, and its id is what a person knows before: the path of
//! its file below the folder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use andon_core::{
    result::{Frame, Part},
    text::check_name,
};
use andon_evaluate::{data, pipeline::decoded};
use anyhow::{Context, Result, bail};
use gst::prelude::*;
use gst_app::{AppSrc, AppSrcCallbacks};
use gstandon::meta::AndonFrameMeta;

/// The name of the source in the pipeline.
const NAME: &str = "andon-pictures";
/// Frames a second, as the caps and the times of the frames say.
const RATE: u64 = 25;

/// The pictures of a folder.
pub struct Pictures {
    files: Vec<(Arc<Part>, PathBuf)>,
}

impl Pictures {
    /// The source as a part of a launch line.
    pub const ELEMENTS: &str = "appsrc name=andon-pictures format=time ! videoconvert";

    /// Finds the pictures in a folder and below it.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for (id, path) in data::pictures(folder)? {
            if let Err(why) = check_name(&id) {
                bail!("{}: its name cannot be the id of a part: it {why}: rename it", path.display());
            }
            files.push((Arc::new(Part { id, ..Part::default() }), path));
        }
        Ok(Self { files })
    }

    /// Makes the source of the pipeline give the pictures, one after the other, and then the end of the stream.
    pub fn feed(self, pipeline: &gst::Pipeline) -> Result<()> {
        let source = pipeline.by_name(NAME).and_downcast::<AppSrc>();
        let source = source.context("the file does not use SOURCE as the beginning of its pipeline")?;
        let mut files = self.files.into_iter().enumerate();
        let callbacks = AppSrcCallbacks::builder().need_data(move |source, _| {
            let Some((index, (part, path))) = files.next() else {
                let _ = source.end_of_stream();
                return;
            };
            match frame(index as u64, part, &path) {
                // It fails where the stream has ended; the bus says why.
                Ok(frame) => drop(source.push_sample(&frame)),
                Err(e) => {
                    gst::element_error!(source, gst::ResourceError::Read, ("{e:#}"));
                    let _ = source.end_of_stream();
                }
            }
        });
        source.set_callbacks(callbacks.build());
        Ok(())
    }
}

/// Decodes a picture as everything does that judges pictures, and gives the frame its time and its part.
fn frame(index: u64, part: Arc<Part>, path: &Path) -> Result<gst::Sample> {
    let picture = decoded(path, "")?;
    let mut buffer = picture.buffer_owned().context("a picture without pixels")?;
    let to = buffer.make_mut();
    to.set_pts(gst::ClockTime::from_mseconds(index * 1000 / RATE));
    to.set_duration(gst::ClockTime::from_mseconds(1000 / RATE));
    AndonFrameMeta::set(to, Frame::new(Some(part)));
    let mut caps = picture.caps_owned().context("a picture without a format")?;
    caps.make_mut().set("framerate", gst::Fraction::new(RATE as i32, 1));
    Ok(gst::Sample::builder().buffer(&buffer).caps(&caps).build())
}
