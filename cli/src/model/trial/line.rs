// SPDX-License-Identifier: MPL-2.0
//! The line that a model is tried in: a picture, `modelinfer`, `defectoverlay`.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Inference};
use andon_evaluate::pipeline::{bus::failure, decoded};
use anyhow::{Context, Result, anyhow};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use gstandon::meta::AndonInferenceMeta;

use super::prepare::Tried;

/// How long to wait for a picture before looking whether the line has failed.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Why a picture was not judged.
pub enum Failure {
    /// The picture cannot be read; others can.
    Picture(String),
    /// The line has failed.
    Line(String),
}

/// A line that plays.
pub struct Line {
    pipeline: gst::Pipeline,
    src: AppSrc,
    sink: AppSink,
    /// How long a picture may take.
    limit: Duration,
}

impl Line {
    /// Starts the line, which loads the model. A picture may take as long as `limit`. `set` sets further properties of
    /// `modelinfer`.
    pub fn start(tried: &Tried, limit: Duration, set: impl FnOnce(&gst::Element) -> Result<()>) -> Result<Self> {
        // Drawn in colour, whatever the picture is.
        let text = "appsrc name=src format=time ! videoconvert ! modelinfer name=model wait-inputs=true \
                    ! videoconvert ! video/x-raw,format=RGB ! defectoverlay ! appsink name=sink sync=false";
        let pipeline = gst::parse::launch(text).map_err(|e| anyhow!("the line cannot be made: {e}"))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
        let by_name = |name| pipeline.by_name(name).expect("the text above names it");
        let model = by_name("model");
        model.set_property_from_str("model", &tried.model);
        model.set_property("labels", tried.labels.join(","));
        set(&model)?;
        let src = by_name("src").downcast::<AppSrc>().expect("it is an appsrc");
        let sink = by_name("sink").downcast::<AppSink>().expect("it is an appsink");
        let line = Self { pipeline, src, sink, limit };
        if line.pipeline.set_state(gst::State::Playing).is_err() {
            let why = failure(&line.pipeline).context("the line does not start, and no element says why")?;
            // The element's name says nothing here.
            return Err(anyhow!("{}", why.strip_prefix("model: ").unwrap_or(&why)));
        }
        Ok(line)
    }

    /// Judges a picture. Returns what the model says of it, and the picture with that drawn in.
    pub fn judge(&self, number: usize, file: &Path) -> Result<(Arc<Inference>, gst::Sample), Failure> {
        let picture = decoded(file, "").map_err(|e| Failure::Picture(e.to_string()))?;
        let timed = || {
            let mut buffer = picture.buffer_owned()?;
            let b = buffer.make_mut();
            b.set_pts(gst::ClockTime::from_seconds(number as u64));
            b.set_duration(gst::ClockTime::SECOND);
            Some(gst::Sample::builder().buffer(&buffer).caps(&picture.caps_owned()?).build())
        };
        let Some(sample) = timed() else { return Err(Failure::Picture("has no pixels".into())) };
        // If the stream has ended, the bus says why.
        let _ = self.src.push_sample(&sample);
        let until = Instant::now().checked_add(self.limit);
        loop {
            if let Some(drawn) = self.sink.try_pull_sample(PATIENCE) {
                let result = drawn.buffer().and_then(|b| AndonInferenceMeta::get(b, Arm::A));
                let lost = || Failure::Line("modelinfer left no result on the picture".into());
                return Ok((result.ok_or_else(lost)?, drawn));
            }
            if let Some(why) = failure(&self.pipeline) {
                return Err(Failure::Line(format!("{}: {why}", file.display())));
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Err(Failure::Line(format!(
                    "{}: the model has judged it for {} s, and was given up: if it is only slow, allow more with \
                     --time-limit (s); if its graph has a loop without an end, export it without that",
                    file.display(),
                    self.limit.as_secs_f64()
                )));
            }
        }
    }

    /// Stops the line.
    pub fn stop(&self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop();
    }
}
