// SPDX-License-Identifier: MPL-2.0
//! One frame in work: what its judging needs, and its result. It runs on the streaming thread or on a worker, and knows
//! nothing of the element.

use std::{sync::Arc, time::Instant};

use andon_core::{
    image::Image,
    result::{Arm, Fields, Frame, Inference, LatencyFrom, ModelId, Status, monotonic_ns, utc_ns},
};
use andon_inference::{self as inference, Cancel, Decoded, Job, Template, catch_panic};
use gst_video::{VideoFrameRef, VideoInfo};

use super::{
    exchange::Running,
    settings::{FrameSettings, On},
    skip::Skip,
    stage2::{self, Regions},
};
use crate::meta::{self, Upstream};

/// What becomes of a frame.
pub(super) enum Plan {
    /// The model looks at it.
    Judge(Arc<Running>, Arc<Cancel>),
    /// The frame is passed by on purpose.
    Skip(Skip),
    /// No model is loaded.
    NoModel,
    /// A golden template is missing, for this reason.
    Missing(String),
    /// The model must not be used for the frame, for this reason.
    Refused(String),
}

/// A frame with all that its judging needs, so that later changes do not concern it.
pub(super) struct Work {
    pub buffer: gst::Buffer,
    /// Its identity.
    pub frame: Frame,
    pub plan: Plan,
    /// The model that runs, even if it does not look at this frame.
    pub running: Option<Arc<Running>>,
    /// The caps with which it came.
    pub info: Option<Arc<VideoInfo>>,
    /// The bits of a sample of 16-bit grey; 0 for all.
    pub bits: u32,
    pub arm: Arm,
    pub fields: Arc<Fields>,
    /// The golden templates, in the manifest's order.
    pub templates: Vec<Option<Arc<Template>>>,
    pub settings: FrameSettings,
}

/// Why a frame is not judged that should be.
#[derive(Debug)]
pub(super) enum Failure {
    /// A flush or a stop ended the run.
    Cancelled,
    /// The model failed.
    Model(String),
    /// The model must not be used.
    Refused(String),
}

/// A frame that may leave.
pub(super) struct Done {
    pub work: Work,
    pub result: Decoded,
    pub failure: Option<Failure>,
    /// The time that the model took, pre- and post-processing included; 0 if the frame was skipped.
    pub latency_us: u64,
    /// Whether the pixels could not be mapped.
    pub unmappable: bool,
    /// The regions of a second stage.
    pub regions: Option<Regions>,
}

impl Done {
    fn new(work: Work, result: Decoded) -> Self {
        Self { work, result, failure: None, latency_us: 0, unmappable: false, regions: None }
    }
}

impl Work {
    /// Returns whether a model must look at the frame.
    pub(super) fn needs_model(&self) -> bool {
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
            let result = Decoded::unjudged(Status::Skipped, skip.as_str());
            return Done::new(work, result);
        }
        Plan::NoModel => {
            let result = Decoded::unjudged(Status::Error, "no model is loaded");
            Done::new(work, result)
        }
        Plan::Missing(why) => {
            let result = Decoded::unjudged(Status::MissingField, why.clone());
            Done::new(work, result)
        }
        Plan::Refused(why) => {
            let why = why.clone();
            let failure = Some(Failure::Refused(why.clone()));
            Done { failure, ..Done::new(work, Decoded::unjudged(Status::Error, why)) }
        }
        Plan::Judge(running, cancel) => {
            let (running, cancel) = (running.clone(), cancel.clone());
            look(work, &running, &cancel)
        }
    };
    if done.result.status != Status::Skipped {
        done.latency_us = (begun.elapsed().as_micros() as u64).max(1);
    }
    done
}

fn look(work: Work, running: &Running, cancel: &Cancel) -> Done {
    let mapped = work.info.as_ref().and_then(|i| VideoFrameRef::from_buffer_ref_readable(&work.buffer, i).ok());
    let Some(image) = mapped.as_ref().and_then(|m| meta::video::image(m, work.bits)) else {
        drop(mapped);
        let result = Decoded::unjudged(Status::Error, "its pixels cannot be read");
        return Done { unmappable: true, ..Done::new(work, result) };
    };
    // A panic outside of the run, which catches its own, must not lose the frame.
    let judged = catch_panic(|| match work.settings.on {
        On::Frame => frame(&work, &image, running, cancel).map(|result| (result, None)),
        On::Detections => detections(&work, &image, running, cancel),
    });
    drop(mapped);
    match judged {
        Ok((result, regions)) => Done { regions, ..Done::new(work, result) },
        Err(error) => {
            let result = Decoded::unjudged(Status::Error, error.to_string());
            let failure = match error {
                inference::Error::Cancelled => Failure::Cancelled,
                other => Failure::Model(other.to_string()),
            };
            Done { failure: Some(failure), ..Done::new(work, result) }
        }
    }
}

fn frame(work: &Work, image: &Image<'_>, running: &Running, cancel: &Cancel) -> Result<Decoded, inference::Error> {
    let thresholds = work.settings.thresholds(&running.manifest().thresholds);
    let region = meta::video::region(&work.buffer).and_then(|crop| stage2::visible(&crop, work.size()));
    let (fields, templates) = (&work.fields, &work.templates);
    let job = Job { image, region, fields, templates, thresholds: &thresholds };
    running.with_context(|context| context.infer(&job, cancel))
}

fn detections(
    work: &Work,
    image: &Image<'_>,
    running: &Running,
    cancel: &Cancel,
) -> Result<(Decoded, Option<Regions>), inference::Error> {
    let upstream = meta::read_upstream(&work.buffer, work.arm, work.size()).filter(|u| u.found.status == Status::Ok);
    let Some(upstream) = upstream else {
        return Ok((Decoded::unjudged(Status::Skipped, Skip::Upstream.as_str()), None));
    };
    let thresholds = work.settings.thresholds(&running.manifest().thresholds);
    let (result, regions) = running.with_context(|context| {
        stage2::look(upstream, work.size(), thresholds.max_detections, |region| {
            let (fields, templates) = (&work.fields, &work.templates);
            context.infer(&Job { image, region: Some(region), fields, templates, thresholds: &thresholds }, cancel)
        })
    })?;
    Ok((result, Some(regions)))
}

/// Returns the result as it travels on the buffer.
pub(super) fn describe(done: &mut Done, name: &Arc<str>, no_model: &(Arc<ModelId>, Arc<str>)) -> Inference {
    let Done { work, result, latency_us, regions, .. } = done;
    let mut i = Inference::new(name.clone(), work.arm, &work.frame, work.size());
    i.pts_ns = work.buffer.pts().map(|t| t.nseconds());
    (i.model, i.provider) = match &work.running {
        Some(running) => (running.id().clone(), running.provider().clone()),
        None => no_model.clone(),
    };
    i.latency_us = *latency_us;
    i.reason = std::mem::take(result).into_inference(&mut i);
    if let Some(regions) = regions {
        (i.stage, i.upstream) = stage_after(&regions.upstream);
        i.parents = std::mem::take(&mut regions.parents);
    } else if work.settings.on == On::Detections
        && let Some(upstream) = meta::read_upstream(&work.buffer, work.arm, work.size())
    {
        (i.stage, i.upstream) = stage_after(&upstream);
    }
    i.fields = work.fields.clone();
    let since_capture = work.frame.captured_utc_ns.and_then(|utc| utc_ns().checked_sub(utc));
    (i.verdict_latency_from, i.verdict_latency_us) = match since_capture {
        Some(ns) => (LatencyFrom::Capture, Some(ns / 1000)),
        // A capture time in the future comes from a wrong clock. The entry is better, and the result says so.
        None => (LatencyFrom::Entry, Some(monotonic_ns().saturating_sub(work.frame.entered_ns) / 1000)),
    };
    i
}

fn stage_after(upstream: &Upstream) -> (u32, Vec<Arc<str>>) {
    (upstream.found.stage + 1, upstream.elements.clone())
}
