// SPDX-License-Identifier: MPL-2.0
//! The demo's one pipeline, and the hand that does to it what the script says, at the very frame it says.

use std::{
    path::Path,
    sync::mpsc::{Receiver, channel},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use gst::prelude::*;
use gst_app::AppSink;
use gstandon::meta::AndonFrameMeta;
use indicatif::ProgressBar;

use super::{
    Demo,
    collect::{Collector, Roll},
    script::{OLD_KINDS, Script, Step},
};
use crate::play::hear_pending;

/// How long to wait for a frame before looking at the bus.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(20);
/// Frames that stay at hand for captures.
const PRE_ROLL: u32 = 30;
/// Stream time between two reports of the drift meter, ns: every third frame.
const REPORTS: u64 = 100_000_000;
/// What is asked for on demand: frames gone by, frames meant, frames after.
pub const ON_DEMAND: (u32, u32, u32) = (10, 5, 5);

/// The line on stage.
pub struct DemoPipeline {
    pipeline: gst::Pipeline,
    /// The launch line that it was made from.
    pub text: String,
    sink: AppSink,
    /// Steps that are the application's to do, as their frame leaves the camera.
    cues: Receiver<(u64, Step)>,
}

impl DemoPipeline {
    /// Builds it, ready to play.
    pub fn new(demo: &Demo, script: &Script, roll: Roll) -> Result<Self> {
        // Offline: every frame is judged by both and paired, however slow the machine; a live line would have leaky=true
        // and wait=0.
        let text = format!(
            "defecttestsrc name=camera num-buffers={frames} seed={seed} defect-rate=0.4 defects={OLD_KINDS} noise=2 \
             ! video/x-raw,format=NV12,width=640,height=640,framerate=30/1 \
             ! abtee name=tee mode=a leaky=false \
             tee.src_a ! modelinfer name=champion threads=1 ! join.sink_a \
             tee.src_b ! modelinfer name=challenger threads=1 on-error=pass ! join.sink_b \
             abjoin name=join wait=-1 \
             ! driftmeter learn-frames={learn} report-interval={REPORTS} \
             ! framesampler name=sampler random-rate=0 pre-roll={PRE_ROLL} \
             ! defectoverlay ! appsink name=sink sync=false max-buffers=4",
            frames = script.frames(),
            seed = demo.seed,
            learn = script.chapters[0].frames * 9 / 10,
        );
        let pipeline = gst::parse::launch(&text).context("the demo's pipeline cannot be built")?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
        let by_name = |name| pipeline.by_name(name).expect("the text above names it");
        by_name("champion").set_property("model", path(&demo.champion)?);
        by_name("challenger").set_property("model", path(&demo.challenger)?);
        by_name("sampler").set_property("location", path(&demo.captures())?);
        let sink = by_name("sink").downcast().expect("it is an appsink");
        let (camera, tee) = (by_name("camera"), by_name("tee"));
        let cues = direct(&camera, &tee, script.steps(), roll)?;
        Ok(Self { pipeline, text, sink, cues })
    }

    /// One of its elements.
    pub fn element(&self, name: &str) -> gst::Element {
        self.pipeline.by_name(name).expect("only names of the pipeline above are asked for")
    }

    /// Plays the whole script and has every frame and message collected.
    pub fn play(&self, demo: &Demo, collector: &mut Collector, bar: &ProgressBar) -> Result<()> {
        let result = self.pipeline.set_state(gst::State::Playing).map_err(|_| anyhow!("the line does not start"));
        let result = hear_pending(&self.pipeline, collector)
            .and(result.map(|_| ()))
            .and_then(|()| self.follow(demo, collector, bar));
        // The writer of captures is waited for here; what it says on the way is heard below.
        let stopped = self.pipeline.set_state(gst::State::Ready);
        let heard = hear_pending(&self.pipeline, collector);
        let nulled = self.pipeline.set_state(gst::State::Null);
        result.and(heard)?;
        stopped.and(nulled).context("the line does not stop")?;
        Ok(())
    }

    fn follow(&self, demo: &Demo, collector: &mut Collector, bar: &ProgressBar) -> Result<()> {
        loop {
            while let Ok((number, step)) = self.cues.try_recv() {
                self.act(demo, collector, number, step)?;
            }
            hear_pending(&self.pipeline, collector)?;
            if let Some(sample) = self.sink.try_pull_sample(PATIENCE) {
                let buffer = sample.buffer().context("a sample without a frame")?;
                let frame = AndonFrameMeta::get(buffer).context("a frame lost its identity")?;
                let number = collector.roll.number(frame.id).context("a frame that is not the camera's")?;
                collector.frame(number, &sample);
                bar.inc(1);
                bar.set_message(collector.script().chapters[collector.script().chapter_of(number)].title);
            } else if self.sink.is_eos() {
                break;
            }
        }
        hear_pending(&self.pipeline, collector)
    }

    /// Does what an application does: calls actions, sets properties.
    fn act(&self, demo: &Demo, collector: &mut Collector, number: u64, step: Step) -> Result<()> {
        let (champion, sampler) = (self.element("champion"), self.element("sampler"));
        match step {
            Step::Keep => {
                let (pre, count, post) = ON_DEMAND;
                let accepted = sampler.emit_by_name::<bool>("capture", &[&count, &"on demand", &pre, &post]);
                ensure!(accepted, "framesampler refused to capture");
                sampler.set_property("on-disagreement", true);
            }
            Step::KeepNoMore => sampler.set_property("on-disagreement", false),
            Step::Swap => {
                collector.change_asked(number);
                let accepted = champion.emit_by_name::<bool>("swap", &[&path(&demo.challenger)?]);
                ensure!(accepted, "modelinfer refused to swap to {}", demo.challenger.display());
            }
            Step::Rollback => {
                collector.change_asked(number);
                ensure!(champion.emit_by_name::<bool>("rollback", &[]), "modelinfer refused to roll back");
            }
            Step::Shadow | Step::Kinds(_) | Step::Lamp(_) => bail!("{step:?} is done as its frame leaves the camera"),
        }
        Ok(())
    }
}

/// Watches frames leave the camera: counts them, does on the spot what must be so from that frame on, and hands the rest
/// to the application.
fn direct(
    camera: &gst::Element,
    tee: &gst::Element,
    steps: Vec<(u64, Step)>,
    roll: Roll,
) -> Result<Receiver<(u64, Step)>> {
    let (cue, cues) = channel();
    let pad = camera.static_pad("src").context("a camera without a pad")?;
    let (camera, tee) = (camera.downgrade(), tee.downgrade());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let (Some(buffer), Some(camera), Some(tee)) = (info.buffer(), camera.upgrade(), tee.upgrade()) else {
            return gst::PadProbeReturn::Ok;
        };
        let Some(frame) = AndonFrameMeta::get(buffer) else { return gst::PadProbeReturn::Ok };
        let number = roll.enter(frame.id);
        for (at, step) in &steps {
            let due = if step.of_camera() { number + 1 == *at } else { number == *at };
            match step {
                _ if !due => {}
                Step::Shadow => tee.set_property_from_str("mode", "shadow"),
                Step::Kinds(kinds) => camera.set_property("defects", *kinds),
                Step::Lamp(gain) => camera.set_property("illumination", *gain),
                // Nobody listens any more where the demo has failed already.
                _ => drop(cue.send((number, *step))),
            }
        }
        gst::PadProbeReturn::Ok
    });
    Ok(cues)
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
