// SPDX-License-Identifier: MPL-2.0
//! What the two ends of the element know of the stream: the end where frames come in, and the end where they leave.

use std::sync::Arc;

use andon_core::result::{Arm, ModelId, Status};
use gst_video::VideoInfo;

use super::{
    exchange::Running,
    settings::{FrameSettings, Settings},
    skip::Schedule,
};
use crate::meta::StreamContext;

/// The end where frames come in. Only the thread that puts frames in locks it, for a few moves.
pub(super) struct SinkState {
    /// The model that runs; None if it could not be loaded and frames pass.
    pub running: Option<Arc<Running>>,
    /// Of the caps.
    pub info: Option<Arc<VideoInfo>>,
    /// For capture times and lateness.
    pub segment: gst::FormattedSegment<gst::ClockTime>,
    /// Arm, part and fields, as the stream's events name them.
    pub context: StreamContext,
    /// Copied from the settings when they change.
    pub settings: FrameSettings,
    /// Which frames are judged.
    pub schedule: Schedule,
    /// The arm for which the shared engine is claimed.
    pub claimed: Option<Arm>,
    /// The model of the last `andon/model` event.
    pub announced: Option<Arc<ModelId>>,
}

impl SinkState {
    pub(super) fn new(running: Option<Arc<Running>>, settings: &Settings) -> Self {
        Self {
            running,
            info: None,
            segment: gst::FormattedSegment::new(),
            context: StreamContext::default(),
            settings: FrameSettings::from(settings),
            schedule: Schedule::default(),
            claimed: None,
            announced: None,
        }
    }

    /// Claims a shared engine for the arm, as soon as the arm is known and before a frame is judged.
    pub(super) fn claim(&mut self, arm: Arm) {
        if self.claimed != Some(arm) {
            self.claimed = Some(arm);
            if let Some(member) = self.running.as_ref().and_then(|r| r.member.as_ref()) {
                member.claim(arm);
            }
        }
    }
}

/// The end where frames leave. Only the thread that takes frames out locks it.
pub(super) struct SrcState {
    /// The element's name, as results carry it.
    pub name: Arc<str>,
    /// The model and the provider in the result of a frame that no model judged.
    pub no_model: (Arc<ModelId>, Arc<str>),
    /// The status of the frame before, so that only a change is posted.
    pub status: Status,
}

impl SrcState {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), no_model: (Arc::default(), "".into()), status: Status::Ok }
    }
}
