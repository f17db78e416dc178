// SPDX-License-Identifier: MPL-2.0
//! A pipeline that judges pictures.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use andon_core::{
    files,
    result::{Arm, Frame, Inference},
};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use gst_video::VideoInfo;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

use super::{
    Error,
    bus::failure,
    change::{Change, Pixels},
    pictures::Decoder,
    templates,
};
use crate::data::Sample;

/// Frames in each queue between the feeder and the model.
const QUEUE: u32 = 4;
/// How long to wait for a frame before looking whether the pipeline has failed.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// How to judge pictures.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// The bundle of the model.
    pub bundle: PathBuf,
    /// The lowest score of a detection, or None for the threshold of the model.
    pub score: Option<f32>,
    /// `image-root` of the element: the folder of golden templates.
    pub image_root: Option<PathBuf>,
    /// `fields` of the element, a structure as launch lines write it.
    pub fields: Option<String>,
    /// `threads` of the element.
    pub threads: Option<u32>,
    /// A change of every picture before the model.
    pub(super) change: Option<Change>,
    /// A driftmeter behind the model.
    pub(super) meter: Option<Meter>,
}

/// What a driftmeter behind the model does.
#[derive(Clone, Debug)]
pub(super) enum Meter {
    /// Learns from so many frames, if there are so many, and writes its reference to the file.
    Learn(u32, PathBuf),
    /// Compares with the reference in the file.
    Watch(PathBuf),
}

/// The results of a set.
pub struct JudgedSet {
    /// The results, one a sample, in the order of the samples.
    pub results: Vec<Arc<Inference>>,
    /// Pictures that were turned as their EXIF notes say.
    pub turned: usize,
    /// What the driftmeter saw.
    pub(super) metered: Metered,
}

/// What a driftmeter saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Metered {
    /// The first cause that it named; empty without drift.
    pub drift: String,
    /// The number of frames that it could learn from.
    pub learnable: u32,
}

impl Judge {
    /// Judges with a bundle, at the settings of its manifest.
    pub fn new(bundle: &Path) -> Self {
        Self { bundle: bundle.into(), ..Self::default() }
    }

    /// Judges every sample; calls `done` after each.
    ///
    /// # Errors
    /// An [`Error`] if a picture cannot be read or the pipeline fails. A frame with another status than ok is no error here.
    pub fn run(&self, samples: &[Sample], mut done: impl FnMut()) -> Result<JudgedSet, Error> {
        let mut results = vec![None; samples.len()];
        let mut metered = Metered::default();
        let mut kinds = BTreeMap::<_, Vec<usize>>::new();
        for (i, sample) in samples.iter().enumerate() {
            kinds.entry(Decoder::of(&sample.image)?).or_default().push(i);
        }
        let turned = kinds.iter().filter(|(decoder, _)| decoder.turns()).map(|(_, of_kind)| of_kind.len()).sum();
        for (decoder, of_kind) in kinds {
            let pipeline = Pipeline::new(self, decoder)?;
            let seen = pipeline.run(self, samples, &of_kind, |i, result| {
                results[i] = Some(result);
                done();
            })?;
            metered.learnable += seen.learnable;
            if metered.drift.is_empty() {
                metered.drift = seen.drift;
            }
        }
        let results = results.into_iter().zip(samples);
        let results: Result<_, _> =
            results.map(|(result, sample)| result.ok_or_else(|| Error::NoResult(sample.id.clone()))).collect();
        Ok(JudgedSet { results: results?, turned, metered })
    }
}

struct Pipeline {
    pipeline: gst::Pipeline,
    src: AppSrc,
    sink: AppSink,
    /// The first cause that the meter named.
    drift: Arc<Mutex<String>>,
}

impl Pipeline {
    fn new(judge: &Judge, decoder: Decoder) -> Result<Self, Error> {
        let changed = match judge.change {
            None => String::new(),
            Some(Change::Jpeg(quality)) => format!("! jpegenc quality={quality} ! jpegdec ! videoconvert"),
            Some(_) => "! video/x-raw,format={GRAY8,RGB}".into(),
        };
        let meter = if judge.meter.is_some() { "! driftmeter name=meter" } else { "" };
        let elements = decoder.elements();
        let text = format!(
            "appsrc name=src format=time block=true max-buffers={QUEUE} ! {elements} {changed} \
             ! modelinfer name=model wait-inputs=true {meter} ! appsink name=sink sync=false max-buffers={QUEUE}"
        );
        let pipeline = gst::parse::launch(&text).map_err(Error::pipeline)?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
        let by_name = |name| pipeline.by_name(name).expect("the text above names it");
        let utf8 = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| Error::NotUtf8(path.into()));
        let model = by_name("model");
        model.set_property_from_str("model", &utf8(&judge.bundle)?);
        if let Some(score) = judge.score {
            model.set_property_from_str("score-threshold", &score.to_string());
        }
        if let Some(root) = &judge.image_root {
            model.set_property_from_str("image-root", &utf8(root)?);
        }
        if let Some(fields) = &judge.fields {
            let fields: gst::Structure = fields.parse().map_err(|_| Error::Fields(fields.clone()))?;
            model.set_property("fields", fields);
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
                    let mut first = first.lock().expect("no thread panics while it holds a cause");
                    if first.is_empty() && meter.property::<String>("state") == "drift" {
                        *first = meter.property("cause");
                    }
                });
            }
            None => {}
        }
        let src = by_name("src").downcast::<AppSrc>().expect("it is an appsrc");
        src.set_caps(Some(&decoder.caps()));
        let sink = by_name("sink").downcast::<AppSink>().expect("it is an appsink");
        Ok(Self { pipeline, src, sink, drift })
    }

    /// Feeds the samples at `indices` and passes each result to `take`; the time of a frame is its index in seconds.
    fn run(
        &self,
        judge: &Judge,
        samples: &[Sample],
        indices: &[usize],
        mut take: impl FnMut(usize, Arc<Inference>),
    ) -> Result<Metered, Error> {
        self.prepare(judge.change, samples);
        let started = self.pipeline.set_state(gst::State::Playing);
        let result = if started.is_err() {
            let why = failure(&self.pipeline);
            Err(Error::Pipeline(why.unwrap_or_else(|| "the pipeline does not start; see GST_DEBUG=3".into())))
        } else {
            thread::scope(|scope| {
                let feeder = scope.spawn(|| self.feed(samples, indices));
                let drained = self.drain(&mut take).and_then(|()| self.meter(judge.meter.as_ref()));
                // The state change frees a feeder that waits for room.
                let stopped = self.pipeline.set_state(gst::State::Null);
                let fed = feeder.join().expect("the feeder does not panic");
                let metered = drained?;
                fed.and(stopped.map(|_| metered).map_err(Error::pipeline))
            })
        };
        // A pipeline that did not start has nothing left to fail.
        let _ = self.pipeline.set_state(gst::State::Null);
        result
    }

    /// Gives each frame its part, and changes its pixels, before the model.
    fn prepare(&self, change: Option<Change>, samples: &[Sample]) {
        let parts: Vec<_> = samples.iter().map(|s| Arc::new(templates::part(s))).collect();
        let model = self.pipeline.by_name("model").expect("every pipeline has one");
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

    fn feed(&self, samples: &[Sample], indices: &[usize]) -> Result<(), Error> {
        for &i in indices {
            let path = &samples[i].image;
            let bytes = match files::read(path, files::DATA) {
                Ok(bytes) => bytes,
                Err(e) => {
                    // The end of the stream wakes the thread that waits for this picture.
                    let _ = self.src.end_of_stream();
                    return Err(Error::io(format!("{} cannot be read", path.display()))(e));
                }
            };
            let mut buffer = gst::Buffer::from_mut_slice(bytes);
            let b = buffer.get_mut().expect("a new buffer has one owner");
            b.set_pts(gst::ClockTime::from_seconds(i as u64));
            b.set_duration(gst::ClockTime::SECOND);
            if self.src.push_buffer(buffer).is_err() {
                // The stream has ended early; the bus says why.
                return Ok(());
            }
        }
        let _ = self.src.end_of_stream();
        Ok(())
    }

    fn drain(&self, take: &mut impl FnMut(usize, Arc<Inference>)) -> Result<(), Error> {
        loop {
            if let Some(sample) = self.sink.try_pull_sample(PATIENCE) {
                let lost = |what: &str| Error::Pipeline(what.into());
                let buffer = sample.buffer().ok_or_else(|| lost("a sample without a frame"))?;
                let at = buffer.pts().ok_or_else(|| lost("a frame lost its time"))?;
                let result = AndonInferenceMeta::get(buffer, Arm::A)
                    .ok_or_else(|| lost("modelinfer left no result on a frame"))?;
                take(at.seconds() as usize, result);
            } else if let Some(error) = failure(&self.pipeline) {
                return Err(Error::Pipeline(error));
            } else if self.sink.is_eos() {
                return Ok(());
            }
        }
    }

    /// Returns what the meter saw; saves its reference, or what it has learnt so far if the set does not represent a scene.
    fn meter(&self, meter: Option<&Meter>) -> Result<Metered, Error> {
        let Some(meter) = meter else { return Ok(Metered::default()) };
        let element = self.pipeline.by_name("meter").expect("the pipeline has it");
        let learned = element.property::<gst::Structure>("stats").get::<u64>("learned-frames").unwrap_or_default();
        let learnable = u32::try_from(learned).unwrap_or(u32::MAX);
        if let Meter::Learn(_, into) = meter {
            let path = into.to_str().ok_or_else(|| Error::NotUtf8(into.clone()))?;
            let learns = element.property::<String>("state") == "learning";
            // Of a few frames there is nothing to save.
            if !element.emit_by_name::<bool>("save-reference", &[&path]) && !learns {
                return Err(Error::Pipeline(format!("{path} cannot be written")));
            }
        }
        let drift = self.drift.lock().expect("no thread panics while it holds a cause").clone();
        Ok(Metered { drift, learnable })
    }
}
