// SPDX-License-Identifier: MPL-2.0
//! A frame on its way: what the stream is, and whether the frame is captured.

use std::sync::Arc;

use andon_capture::{Queue, Sampler, StreamFrame};
use andon_core::result::{Arm, monotonic_ns};
use andon_statistics::cause::Cause;
use gst_video::VideoInfo;

use super::{kept::Kept, rules::Rules};
use crate::{
    elements::{depth, memory::Holder},
    meta::{PartRule, StreamContext, TaiOffset, read_arm, read_here},
};

/// What the streaming thread works with.
pub(super) struct State {
    /// The rules in force; a changed property brings new ones.
    pub rules: Rules,
    /// Arm, part and fields of the stream.
    pub context: StreamContext,
    /// The format; None before caps.
    info: Option<Arc<VideoInfo>>,
    /// The caps; None before them.
    of: Option<gst::Caps>,
    /// The caps as text, for the sidecars.
    caps: Arc<str>,
    /// Decides which frames are captured.
    pub sampler: Sampler<Kept>,
    /// The queue to the writer; every start brings a new one.
    pub queue: Arc<Queue<Kept>>,
    /// Frame and cause of the last drift that was captured.
    pub drift: Option<(u64, Option<Cause>)>,
    /// Holds frames.
    holder: Holder,
    /// Frames whose pixels were copied.
    pub deep_copies: u64,
}

impl State {
    /// Makes the state of a stopped element.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            context: StreamContext::default(),
            info: None,
            of: None,
            caps: "".into(),
            sampler: Sampler::default(),
            queue: Arc::default(),
            drift: None,
            holder: Holder::default(),
            deep_copies: 0,
        }
    }

    /// Starts a run of the stream.
    pub fn start(&mut self, queue: Arc<Queue<Kept>>) {
        self.sampler.restart();
        self.queue = queue;
        self.context = StreamContext::default();
        self.drift = None;
        self.deep_copies = 0;
    }

    /// Ends the run.
    pub fn stop(&mut self) {
        self.sampler.stop();
        self.info = None;
    }

    /// Takes new caps.
    pub fn set_caps(&mut self, info: VideoInfo, caps: &gst::Caps) {
        self.info = Some(Arc::new(info));
        self.of = Some(caps.clone());
        self.tell_caps();
    }

    /// Takes new rules, and returns those of before.
    pub fn set_rules(&mut self, rules: Rules) -> Rules {
        let before = std::mem::replace(&mut self.rules, rules);
        if before.bits != self.rules.bits {
            self.tell_caps();
        }
        before
    }

    /// Writes the caps for the sidecars, with the bits of a sample where a property says them.
    fn tell_caps(&mut self) {
        if let Some(caps) = &self.of {
            self.caps = depth::told(caps, self.rules.bits).to_string().into();
        }
    }

    /// Takes a passing frame, of whose samples `bits` count in 16-bit grey. `tai` and `rule` are what it takes to identify
    /// one, and `utc` returns the time of capture for a presentation time.
    pub fn frame(
        &mut self,
        buffer: &mut gst::BufferRef,
        bits: u32,
        (tai, rule): (&TaiOffset, &PartRule),
        utc: impl FnOnce(Option<gst::ClockTime>) -> Option<u64>,
    ) {
        let Self { rules, context, info, caps, sampler, queue, holder, deep_copies, .. } = self;
        let mut identity = context.identify(buffer, tai, rule);
        let Some(info) = info.as_ref().filter(|_| !buffer.flags().contains(gst::BufferFlags::GAP)) else { return };
        let size = [info.width(), info.height()];
        let other = if identity.deciding_arm() == Arm::B { Arm::A } else { Arm::B };
        let read = || (read_here(buffer, context.arm(), size), read_arm(buffer, other, size));
        let hits = rules.hits(&identity, &context.fields, read);
        sampler.frame(&rules.policy, monotonic_ns(), hits, queue, || {
            let (held, deep) = Kept::hold(holder, buffer, info, bits, rules.deep_copy)?;
            *deep_copies += u64::from(deep);
            if identity.captured_utc_ns.is_none() {
                identity.captured_utc_ns = utc(buffer.pts());
            }
            let pts_ns = buffer.pts().map(|t| t.nseconds());
            let (caps, fields) = (caps.clone(), context.fields.clone());
            Some((held.bytes(), StreamFrame { identity, pts_ns, caps, fields, held, late: Vec::new() }))
        });
    }
}
