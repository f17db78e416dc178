// SPDX-License-Identifier: MPL-2.0
//! Pictures through the same elements that judge the line: appsrc, a decoder, `modelinfer`, appsink.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use andon_core::result::{Arm, Frame, Inference};
use anyhow::{Context, Result, anyhow, bail, ensure};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use gst_video::VideoInfo;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

use super::{
    change::{Change, Pixels},
    data::Sample,
    templates,
};
use crate::{launch::structure, play::failure};

/// Frames between the feeder and the judge, decoded or not.
const QUEUE: u32 = 4;
/// How long to wait for a frame before looking whether the pipeline has failed.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// How pictures are judged.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// The bundle.
    pub bundle: PathBuf,
    /// Detections from here up are kept; none for the model's own threshold.
    pub score: Option<f32>,
    /// `image-root` of the element.
    pub image_root: Option<PathBuf>,
    /// `fields` of the element, a structure.
    pub fields: Option<String>,
    /// `threads` of the element.
    pub threads: Option<u32>,
    /// What is done to every picture first.
    pub change: Option<Change>,
    /// Whether a meter looks on.
    pub meter: Option<Meter>,
}

/// A driftmeter behind the model.
#[derive(Clone, Debug)]
pub enum Meter {
    /// It learns from so many frames, and writes its reference there, if there are so many that can be learned from.
    Learn(u32, PathBuf),
    /// It compares with that reference.
    Watch(PathBuf),
}

/// What came of it.
pub struct Judged {
    /// One a sample, in their order.
    pub outcomes: Vec<Arc<Inference>>,
    /// What the meter has to say.
    pub metered: Metered,
}

/// What a meter has to say.
#[derive(Clone, Debug, Default)]
pub struct Metered {
    /// The cause that it named first; empty where nothing drifted.
    pub drift: String,
    /// Frames that it could learn from.
    pub learnable: u32,
}

impl Judge {
    /// Judges every sample; calls `done` after each.
    pub fn run(&self, samples: &[Sample], mut done: impl FnMut()) -> Result<Judged> {
        let mut outcomes = vec![None; samples.len()];
        let mut metered = Metered::default();
        for decoder in ["jpegdec", "pngdec"] {
            let mut of_kind = Vec::new();
            for (i, sample) in samples.iter().enumerate() {
                if decoder_of(&sample.image)? == decoder {
                    of_kind.push(i);
                }
            }
            if !of_kind.is_empty() {
                let line = Line::new(self, decoder)?;
                let seen = line.run(self, samples, &of_kind, |i, outcome| {
                    outcomes[i] = Some(outcome);
                    done();
                })?;
                metered.learnable += seen.learnable;
                if metered.drift.is_empty() {
                    metered.drift = seen.drift;
                }
            }
        }
        let outcomes = outcomes.into_iter().zip(samples);
        let outcomes: Result<_> = outcomes
            .map(|(outcome, sample)| outcome.with_context(|| format!("{} came through without an outcome", sample.id)))
            .collect();
        Ok(Judged { outcomes: outcomes?, metered })
    }
}

/// The element that decodes a picture, by the end of its name.
pub fn decoder_of(path: &Path) -> Result<&'static str> {
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("jpg" | "jpeg") => Ok("jpegdec"),
        Some("png") => Ok("pngdec"),
        _ => bail!("{} is no picture that can be judged: .jpg, .jpeg or .png", path.display()),
    }
}

struct Line {
    pipeline: gst::Pipeline,
    src: AppSrc,
    sink: AppSink,
    /// The cause that the meter named first.
    drift: Arc<Mutex<String>>,
}

impl Line {
    fn new(judge: &Judge, decoder: &str) -> Result<Self> {
        let changed = match judge.change {
            None => String::new(),
            Some(Change::Jpeg(quality)) => format!("! jpegenc quality={quality} ! jpegdec ! videoconvert"),
            Some(_) => "! video/x-raw,format={GRAY8,RGB}".into(),
        };
        let meter = if judge.meter.is_some() { "! driftmeter name=meter" } else { "" };
        let text = format!(
            "appsrc name=src format=time block=true max-buffers={QUEUE} ! {decoder} ! videoconvert {changed} \
             ! modelinfer name=model wait-inputs=true {meter} ! appsink name=sink sync=false max-buffers={QUEUE}"
        );
        let pipeline =
            gst::parse::launch(&text)?.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
        let by_name = |name| pipeline.by_name(name).expect("the line above names it");
        let utf8 =
            |path: &Path| path.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", path.display()));
        let model = by_name("model");
        model.set_property_from_str("model", &utf8(&judge.bundle)?);
        if let Some(score) = judge.score {
            model.set_property_from_str("score-threshold", &score.to_string());
        }
        if let Some(root) = &judge.image_root {
            model.set_property_from_str("image-root", &utf8(root)?);
        }
        if let Some(fields) = &judge.fields {
            model.set_property("fields", structure(fields)?);
        }
        if let Some(threads) = judge.threads {
            model.set_property_from_str("threads", &threads.to_string());
        }
        let drift = Arc::<Mutex<String>>::default();
        match &judge.meter {
            Some(Meter::Learn(frames, _)) => by_name("meter").set_property("learn-frames", frames),
            Some(Meter::Watch(reference)) => {
                let meter = by_name("meter");
                meter.set_property("reference", utf8(reference)?);
                let first = drift.clone();
                meter.connect_notify(Some("state"), move |meter, _| {
                    let mut first = first.lock().expect("nobody panics while holding a cause");
                    if first.is_empty() && meter.property::<String>("state") == "drift" {
                        *first = meter.property("cause");
                    }
                });
            }
            None => {}
        }
        let src = by_name("src").downcast::<AppSrc>().expect("it is an appsrc");
        let kind = if decoder == "jpegdec" { "image/jpeg" } else { "image/png" };
        let rate = gst::Fraction::new(1, 1);
        src.set_caps(Some(&gst::Caps::builder(kind).field("framerate", rate).build()));
        let sink = by_name("sink").downcast::<AppSink>().expect("it is an appsink");
        Ok(Self { pipeline, src, sink, drift })
    }

    /// Feeds the samples at `indices` and hands on what comes out; the time of a frame is its index in seconds.
    /// Answers what a meter has to say.
    fn run(
        &self,
        judge: &Judge,
        samples: &[Sample],
        indices: &[usize],
        mut take: impl FnMut(usize, Arc<Inference>),
    ) -> Result<Metered> {
        self.prepare(judge.change, samples);
        let started = self.pipeline.set_state(gst::State::Playing);
        let result = if started.is_err() {
            Err(failure(&self.pipeline).unwrap_or_else(|| anyhow!("the pipeline does not start; see GST_DEBUG=3")))
        } else {
            thread::scope(|scope| {
                let feeder = scope.spawn(|| self.feed(samples, indices));
                let drained = self.drain(&mut take).and_then(|()| self.meter(judge.meter.as_ref()));
                // A feeder that still waits for room is let go by the state change.
                let stopped = self.pipeline.set_state(gst::State::Null);
                let fed = feeder.join().expect("the feeder does not panic");
                let metered = drained?;
                fed.and(stopped.map(|_| metered).map_err(Into::into))
            })
        };
        // Where it did not start there is nothing left to fail.
        let _ = self.pipeline.set_state(gst::State::Null);
        result
    }

    /// Tells each frame's part, and changes its pixels, on its way into the model.
    fn prepare(&self, change: Option<Change>, samples: &[Sample]) {
        let parts: Vec<_> = samples.iter().map(|s| Arc::new(templates::part(s))).collect();
        let model = self.pipeline.by_name("model").expect("every line has one");
        let pad = model.static_pad("sink").expect("modelinfer always has it");
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
            let index = buffer.pts().map_or(0, |t| t.seconds());
            let buffer = buffer.make_mut();
            AndonFrameMeta::set(buffer, Frame::new(parts.get(index as usize).cloned()));
            if let Some(change) = change
                && let Some(caps) = pad.current_caps()
                && let Ok(info) = VideoInfo::from_caps(&caps)
                && let Ok(mut frame) = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &info)
            {
                let stride = info.stride()[0] as usize;
                let (width, height, channels) =
                    (info.width() as usize, info.height() as usize, info.comp_pstride(0) as usize);
                if let Ok(data) = frame.plane_data_mut(0) {
                    change.apply(&mut Pixels { data, width, height, channels, stride }, index);
                }
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn feed(&self, samples: &[Sample], indices: &[usize]) -> Result<()> {
        for &i in indices {
            let path = &samples[i].image;
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
            } else if let Some(error) = failure(&self.pipeline) {
                return Err(error);
            } else if self.sink.is_eos() {
                return Ok(());
            }
        }
    }

    /// What a meter has to say; writes its reference where it has learned.
    fn meter(&self, meter: Option<&Meter>) -> Result<Metered> {
        let Some(meter) = meter else { return Ok(Metered::default()) };
        let element = self.pipeline.by_name("meter").expect("the line has it");
        let learned = element.property::<gst::Structure>("stats").get::<u64>("learned-frames").unwrap_or_default();
        let learnable = u32::try_from(learned).unwrap_or(u32::MAX);
        if let Meter::Learn(_, into) = meter
            && element.property::<String>("state") != "learning"
        {
            let path = into.to_str().context("the temporary folder's name is not UTF-8")?;
            ensure!(element.emit_by_name::<bool>("save-reference", &[&path]), "{path} cannot be written");
        }
        let drift = self.drift.lock().expect("nobody panics while holding a cause").clone();
        Ok(Metered { drift, learnable })
    }
}
