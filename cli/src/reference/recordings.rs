// SPDX-License-Identifier: MPL-2.0
//! Files through the elements that watch the line: each decoded on its own, all of them into one `driftmeter`.

use std::{
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use gst_video::VideoInfo;

use crate::{
    launch::structure,
    play::{failure, wait},
};

/// Frames between the decoder and the meter.
const QUEUE: u32 = 4;
/// How long to wait for a frame before looking whether the decoder has failed.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Time from frame to frame: images have none of their own, and several videos one after the other neither.
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// What judges a frame before the meter has it.
#[derive(Clone, Copy, Default)]
pub struct Model<'a> {
    /// The bundle; none where nothing judges.
    pub bundle: Option<&'a Path>,
    /// `image-root` of modelinfer.
    pub image_root: Option<&'a Path>,
    /// `fields` of modelinfer, a structure.
    pub fields: Option<&'a str>,
}

/// A meter that is fed.
pub struct MeterPipeline {
    pipeline: gst::Pipeline,
    src: AppSrc,
    /// The driftmeter.
    pub meter: gst::Element,
}

impl MeterPipeline {
    /// A meter, after what judges, where there is something.
    pub fn new(model: &Model<'_>) -> Result<Self> {
        let infer = if model.bundle.is_some() { "! modelinfer name=model wait-inputs=true " } else { "" };
        let text = format!(
            "appsrc name=src format=time block=true max-buffers={QUEUE} {infer}! driftmeter name=meter ! fakesink sync=false"
        );
        let pipeline =
            gst::parse::launch(&text)?.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
        let by_name = |name| pipeline.by_name(name).expect("the line above names it");
        let utf8 = |path: &Path| path.to_str().map(str::to_owned).context("the path is not UTF-8");
        if let Some(bundle) = model.bundle {
            by_name("model").set_property("model", utf8(bundle)?);
        }
        if let Some(root) = model.image_root {
            by_name("model").set_property("image-root", utf8(root)?);
        }
        if let Some(fields) = model.fields {
            by_name("model").set_property("fields", structure(fields)?);
        }
        let (src, meter) = (by_name("src").downcast().expect("it is an appsrc"), by_name("meter"));
        Ok(Self { pipeline, src, meter })
    }

    /// Plays the files until the meter has learned or they are at their end, and hands the meter to `then` before it
    /// stops; `fed` is called after each frame, with the place of its file.
    pub fn play<T>(
        &self,
        files: &[PathBuf],
        caps: Option<&gst::Caps>,
        fed: impl Fn(usize) + Send,
        then: impl FnOnce(&gst::Element) -> Result<T>,
    ) -> Result<T> {
        let started = self.pipeline.set_state(gst::State::Playing);
        let result = match started {
            Err(_) => {
                Err(failure(&self.pipeline).unwrap_or_else(|| anyhow!("the meter does not start; see GST_DEBUG=3")))
            }
            Ok(_) => thread::scope(|scope| {
                let feeder = scope.spawn(|| {
                    let result = self.feed(files, caps, fed);
                    // The end of the stream wakes whoever waits for it, also where feeding has failed.
                    let _ = self.src.end_of_stream();
                    result
                });
                let result = wait(&self.pipeline, &mut (), None).and_then(|()| then(&self.meter));
                // A feeder that still waits for room is let go by the state change.
                let _ = self.pipeline.set_state(gst::State::Null);
                feeder.join().expect("the feeder does not panic").and(result)
            }),
        };
        let _ = self.pipeline.set_state(gst::State::Null);
        result
    }

    fn feed(&self, files: &[PathBuf], caps: Option<&gst::Caps>, fed: impl Fn(usize)) -> Result<()> {
        let mut first: Option<VideoInfo> = None;
        let mut frames = 0;
        for (i, file) in files.iter().enumerate() {
            let decoder = Decoder::new(file, caps)?;
            while let Some(sample) = decoder.next().with_context(|| format!("{} cannot be played", file.display()))? {
                let info =
                    sample.caps().and_then(|c| VideoInfo::from_caps(c).ok()).context("a frame without a format")?;
                let of = first.get_or_insert_with(|| info.clone());
                let kind = |i: &VideoInfo| format!("{}x{} {}", i.width(), i.height(), i.format().to_str());
                if kind(of) != kind(&info) {
                    bail!(
                        "{} has frames of {}, those before it are of {}: a reference is of one kind; say which with --caps, as in --caps=video/x-raw,format={},width={},height={}",
                        file.display(),
                        kind(&info),
                        kind(of),
                        of.format().to_str(),
                        of.width(),
                        of.height()
                    );
                }
                let mut buffer = sample.buffer_owned().context("a sample without a frame")?;
                let b = buffer.make_mut();
                b.set_pts(FRAME * frames);
                b.set_duration(FRAME);
                frames += 1;
                self.src.set_caps(sample.caps_owned().as_ref());
                if self.src.push_buffer(buffer).is_err() {
                    // The meter's line has failed; why is told on its bus.
                    return Ok(());
                }
                fed(i);
                if self.meter.property::<String>("state") != "learning" {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// One file's frames.
struct Decoder {
    pipeline: gst::Pipeline,
    sink: AppSink,
}

impl Decoder {
    fn new(file: &Path, caps: Option<&gst::Caps>) -> Result<Self> {
        let text = format!(
            "filesrc name=src ! decodebin ! videoconvert ! videoscale ! appsink name=sink sync=false max-buffers={QUEUE}"
        );
        let pipeline =
            gst::parse::launch(&text)?.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
        let src = pipeline.by_name("src").expect("the line above names it");
        src.set_property("location", file.to_str().with_context(|| format!("{} is not UTF-8", file.display()))?);
        let sink: AppSink = pipeline.by_name("sink").and_downcast().expect("it is an appsink");
        let meter = gst::ElementFactory::find("driftmeter").context("there is no driftmeter")?;
        let template = meter.static_pad_templates().iter().next().context("a driftmeter without pads")?.caps();
        let caps = caps.map_or(template.clone(), |caps| template.intersect(caps));
        sink.set_caps(Some(&caps));
        let decoder = Self { pipeline, sink };
        // What made it fail is told on the bus, and found when the first frame is asked for.
        let _ = decoder.pipeline.set_state(gst::State::Playing);
        Ok(decoder)
    }

    /// The next frame; none at the end.
    fn next(&self) -> Result<Option<gst::Sample>> {
        loop {
            if let Some(sample) = self.sink.try_pull_sample(PATIENCE) {
                return Ok(Some(sample));
            } else if let Some(error) = failure(&self.pipeline) {
                return Err(error);
            } else if self.sink.is_eos() {
                return Ok(None);
            }
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // On the way down nothing is left that could still be told to anybody.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
