// SPDX-License-Identifier: MPL-2.0
//! Pictures through the same element that judges the line: appsrc, a decoder, `modelinfer`, appsink.

use std::{fs, path::Path, sync::Arc, thread};

use anyhow::{Context, Result, anyhow};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use gstandon::{
    meta::AndonInferenceMeta,
    result::{Arm, Inference},
};

use super::data::Sample;
use crate::run::complaint;

/// Frames between the feeder and the judge, decoded or not.
const QUEUE: u32 = 4;
/// How long to wait for a frame before looking whether the pipeline has failed.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Judges every board with the model in `bundle`, detections from `score` up; calls `done` after each.
///
/// Answers one outcome a board, in their order.
pub fn judge(bundle: &Path, boards: &[Sample], score: f32, mut done: impl FnMut()) -> Result<Vec<Arc<Inference>>> {
    let mut outcomes = vec![None; boards.len()];
    for (extension, decoder) in [("jpg", "jpegdec"), ("png", "pngdec")] {
        let of_kind: Vec<_> =
            (0..boards.len()).filter(|i| boards[*i].image.extension().is_some_and(|e| e == extension)).collect();
        if !of_kind.is_empty() {
            let line = Line::new(decoder, bundle, score)?;
            line.run(boards, &of_kind, |i, outcome| {
                outcomes[i] = Some(outcome);
                done();
            })?;
        }
    }
    outcomes
        .into_iter()
        .zip(boards)
        .map(|(outcome, board)| outcome.with_context(|| format!("{} came through without an outcome", board.id)))
        .collect()
}

struct Line {
    pipeline: gst::Pipeline,
    src: AppSrc,
    sink: AppSink,
}

impl Line {
    fn new(decoder: &str, bundle: &Path, score: f32) -> Result<Self> {
        let text = format!(
            "appsrc name=src format=time block=true max-buffers={QUEUE} ! {decoder} ! videoconvert \
             ! modelinfer name=model ! appsink name=sink sync=false max-buffers={QUEUE}"
        );
        let pipeline =
            gst::parse::launch(&text)?.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
        let by_name = |name| pipeline.by_name(name).expect("the line above names it");
        let model = by_name("model");
        model.set_property_from_str("model", bundle.to_str().context("the bundle's path is not UTF-8")?);
        model.set_property_from_str("score-threshold", &score.to_string());
        let src = by_name("src").downcast::<AppSrc>().expect("it is an appsrc");
        let kind = if decoder == "jpegdec" { "image/jpeg" } else { "image/png" };
        let rate = gst::Fraction::new(1, 1);
        src.set_caps(Some(&gst::Caps::builder(kind).field("framerate", rate).build()));
        let sink = by_name("sink").downcast::<AppSink>().expect("it is an appsink");
        Ok(Self { pipeline, src, sink })
    }

    /// Feeds the boards at `indices` and hands on what comes out; the time of a frame is its index in seconds.
    fn run(&self, boards: &[Sample], indices: &[usize], mut take: impl FnMut(usize, Arc<Inference>)) -> Result<()> {
        let started = self.pipeline.set_state(gst::State::Playing);
        let result = if started.is_err() {
            Err(self.error().unwrap_or_else(|| anyhow!("the pipeline does not start; see GST_DEBUG=3")))
        } else {
            thread::scope(|scope| {
                let feeder = scope.spawn(|| self.feed(boards, indices));
                let drained = self.drain(&mut take);
                // A feeder that still waits for room is let go by the state change.
                let stopped = self.pipeline.set_state(gst::State::Null);
                let fed = feeder.join().expect("the feeder does not panic");
                drained.and(fed).and(stopped.map(|_| ()).map_err(Into::into))
            })
        };
        // Where it did not start there is nothing left to fail.
        let _ = self.pipeline.set_state(gst::State::Null);
        result
    }

    fn feed(&self, boards: &[Sample], indices: &[usize]) -> Result<()> {
        for &i in indices {
            let path = &boards[i].image;
            let bytes = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(e) => {
                    // The end of the stream wakes whoever waits for this picture.
                    let _ = self.src.end_of_stream();
                    return Err(e).with_context(|| format!("{} cannot be read", path.display()));
                }
            };
            let mut buffer = gst::Buffer::from_mut_slice(bytes);
            let b = buffer.get_mut().expect("a new buffer has one owner");
            b.set_pts(gst::ClockTime::from_seconds(i as u64));
            b.set_duration(gst::ClockTime::SECOND);
            if self.src.push_buffer(buffer).is_err() {
                // The stream has ended early; why is told on the bus.
                return Ok(());
            }
        }
        let _ = self.src.end_of_stream();
        Ok(())
    }

    fn drain(&self, take: &mut impl FnMut(usize, Arc<Inference>)) -> Result<()> {
        loop {
            if let Some(sample) = self.sink.try_pull_sample(PATIENCE) {
                let buffer = sample.buffer().context("a sample without a frame")?;
                let at = buffer.pts().context("a frame lost its time")?;
                let outcome =
                    AndonInferenceMeta::get(buffer, Arm::A).context("modelinfer left no outcome on a frame")?;
                take(at.seconds() as usize, outcome);
            } else if let Some(error) = self.error() {
                return Err(error);
            } else if self.sink.is_eos() {
                return Ok(());
            }
        }
    }

    /// What the bus says went wrong, if anything.
    fn error(&self) -> Option<anyhow::Error> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(e) => Some(anyhow!(complaint(message.src().cloned(), &e.error(), e.debug()))),
            _ => None,
        }
    }
}
