// SPDX-License-Identifier: MPL-2.0
//! One frame at work: what it needs, and what comes of it. Runs on the streaming thread or on a worker, and touches
//! nothing of the element.

use std::{sync::Arc, time::Instant};

use andon_core::{
    image::Image,
    result::{Arm, Fields, Frame, Inference, LatencyFrom, ModelId, Status, monotonic_ns},
};
use andon_inference::{self as inference, Cancel, Decoded as Outcome, Job, Template};
use gst_video::{VideoFrameRef, VideoInfo};

use super::{
    pace::Skip,
    running::Running,
    settings::{Live, On},
    stage2::{self, Looked},
};
use crate::meta;

/// What becomes of a frame.
pub(super) enum Plan {
    /// The model looks at it.
    Judge(Arc<Running>, Arc<Cancel>),
    /// It passes by on purpose.
    Skip(Skip),
    /// There is no model to look at it.
    Nobody,
    /// A golden template is missing, and why.
    Missing(String),
    /// The model is not to be used for it.
    Refused(String),
}

/// A frame with all that its judging needs, so that nothing that changes meanwhile concerns it.
pub(super) struct Work {
    pub buffer: gst::Buffer,
    /// Who it is.
    pub frame: Frame,
    pub plan: Plan,
    /// What runs, also where it does not look at this frame.
    pub running: Option<Arc<Running>>,
    /// The caps it came with.
    pub info: Option<Arc<VideoInfo>>,
    pub arm: Arm,
    pub fields: Arc<Fields>,
    /// For the inputs that want them, in the manifest's order.
    pub templates: Vec<Option<Arc<Template>>>,
    pub live: Live,
}

/// Why a frame that should have been judged was not.
#[derive(Debug)]
pub(super) enum Failure {
    /// A flush or a stop ended the run.
    Cancelled,
    /// The model failed.
    Model(String),
    /// The model was not to be used.
    Refused(String),
}

/// A frame that may leave.
pub(super) struct Done {
    pub work: Work,
    pub outcome: Outcome,
    pub failure: Option<Failure>,
    /// With the model, pre- and post-processing included; 0 where it was skipped.
    pub latency_us: u64,
    /// The pixels could not be mapped.
    pub unmappable: bool,
    /// Of a second stage.
    pub looked: Option<Looked>,
}

impl Done {
    fn new(work: Work, outcome: Outcome) -> Self {
        Self { work, outcome, failure: None, latency_us: 0, unmappable: false, looked: None }
    }
}

impl Work {
    /// Whether a model is to look at it.
    pub fn is_work(&self) -> bool {
        matches!(self.plan, Plan::Judge(..))
    }

    fn size(&self) -> [u32; 2] {
        self.info.as_ref().map_or([0, 0], |i| [i.width(), i.height()])
    }
}

/// Judges one frame.
pub(super) fn judge(work: Work) -> Done {
    let begun = Instant::now();
    let mut done = match &work.plan {
        Plan::Skip(skip) => {
            let outcome = Outcome::unjudged(Status::Skipped, skip.as_str());
            return Done::new(work, outcome);
        }
        Plan::Nobody => {
            let outcome = Outcome::unjudged(Status::Error, "no model is loaded");
            Done::new(work, outcome)
        }
        Plan::Missing(why) => {
            let outcome = Outcome::unjudged(Status::MissingField, why.clone());
            Done::new(work, outcome)
        }
        Plan::Refused(why) => {
            let why = why.clone();
            let failure = Some(Failure::Refused(why.clone()));
            Done { failure, ..Done::new(work, Outcome::unjudged(Status::Error, why)) }
        }
        Plan::Judge(running, cancel) => {
            let (running, cancel) = (running.clone(), cancel.clone());
            look(work, &running, &cancel)
        }
    };
    if done.outcome.status != Status::Skipped {
        done.latency_us = (begun.elapsed().as_micros() as u64).max(1);
    }
    done
}

fn look(work: Work, running: &Running, cancel: &Cancel) -> Done {
    let mapped = work.info.as_ref().and_then(|i| VideoFrameRef::from_buffer_ref_readable(&work.buffer, i).ok());
    let Some(image) = mapped.as_ref().and_then(meta::video::image) else {
        drop(mapped);
        let outcome = Outcome::unjudged(Status::Error, "its pixels cannot be read");
        return Done { unmappable: true, ..Done::new(work, outcome) };
    };
    // Whatever panics beside the run, which is guarded by itself: the frame is not lost.
    let said = inference::catch_panic(|| match work.live.on {
        On::Frame => frame(&work, &image, running, cancel).map(|outcome| (outcome, None)),
        On::Detections => detections(&work, &image, running, cancel),
    });
    drop(mapped);
    match said {
        Ok((outcome, looked)) => Done { looked, ..Done::new(work, outcome) },
        Err(error) => {
            let outcome = Outcome::unjudged(Status::Error, error.to_string());
            let failure = match error {
                inference::Error::Cancelled => Failure::Cancelled,
                other => Failure::Model(other.to_string()),
            };
            Done { failure: Some(failure), ..Done::new(work, outcome) }
        }
    }
}

fn frame(work: &Work, image: &Image<'_>, running: &Running, cancel: &Cancel) -> Result<Outcome, inference::Error> {
    let thresholds = work.live.thresholds(&running.manifest().thresholds);
    let region = meta::video::region(&work.buffer).and_then(|crop| stage2::visible(&crop, work.size()));
    let (fields, templates) = (&work.fields, &work.templates);
    let job = Job { image, region, fields, templates, thresholds: &thresholds };
    running.with_lane(|lane| lane.infer(&job, cancel))
}

fn detections(
    work: &Work,
    image: &Image<'_>,
    running: &Running,
    cancel: &Cancel,
) -> Result<(Outcome, Option<Looked>), inference::Error> {
    let upstream = meta::read_any(&work.buffer, work.arm, work.size()).filter(|u| u.status == Status::Ok);
    let Some(upstream) = upstream else {
        return Ok((Outcome::unjudged(Status::Skipped, Skip::Upstream.as_str()), None));
    };
    let thresholds = work.live.thresholds(&running.manifest().thresholds);
    let (outcome, looked) = running.with_lane(|lane| {
        stage2::look(upstream, work.size(), thresholds.max_detections, |region| {
            let (fields, templates) = (&work.fields, &work.templates);
            lane.infer(&Job { image, region: Some(region), fields, templates, thresholds: &thresholds }, cancel)
        })
    })?;
    Ok((outcome, Some(looked)))
}

/// The outcome as it travels.
pub(super) fn describe(done: &mut Done, name: &Arc<str>, nobody: &(Arc<ModelId>, Arc<str>)) -> Inference {
    let Done { work, outcome, latency_us, looked, .. } = done;
    let mut i = Inference::new(name.clone(), work.arm, &work.frame, work.size());
    i.pts_ns = work.buffer.pts().map(|t| t.nseconds());
    (i.model, i.provider) = match &work.running {
        Some(running) => (running.id().clone(), running.provider().clone()),
        None => nobody.clone(),
    };
    i.latency_us = *latency_us;
    i.reason = std::mem::take(outcome).into_inference(&mut i);
    if let Some(looked) = looked {
        i.stage = looked.upstream.stage + 1;
        i.parents = std::mem::take(&mut looked.parents);
    }
    i.fields = work.fields.clone();
    let since_capture = work.frame.captured_utc_ns.and_then(|utc| super::utc_ns().checked_sub(utc));
    (i.verdict_latency_from, i.verdict_latency_us) = match since_capture {
        Some(ns) => (LatencyFrom::Capture, Some(ns / 1000)),
        // A capture time in the future is a wrong clock's: better the entry, and said so.
        None => (LatencyFrom::Entry, Some(monotonic_ns().saturating_sub(work.frame.entered_ns) / 1000)),
    };
    i
}
