// SPDX-License-Identifier: MPL-2.0
//! What the two ends of the element know of the stream: the end where frames come in, and the end where they leave.

use std::{collections::VecDeque, sync::Arc};

use andon_core::result::{Arm, ModelId, Status};
use gst_video::VideoInfo;

use super::{
    exchange::Running,
    fields::Overlay,
    settings::{FrameSettings, Settings},
    skip::Schedule,
};
use crate::{
    elements::reference::{self, Brought},
    meta::{
        StreamContext,
        event::{AndonEvent, EventError, FieldsChange, names_a_part},
    },
};

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
    /// The named fields of the stream and the element's own.
    pub fields: Overlay,
    /// The model and the arm of the last `andon/model` event.
    pub announced: Option<(Arc<ModelId>, Arm)>,
    /// The drift references of the last such events. Who is further down may ask for them later than their models run.
    pub told: VecDeque<Brought>,
}

/// The number of drift references that are held for who asks later.
const MOST_TOLD: usize = 4;

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
            fields: Overlay::default(),
            announced: None,
            told: VecDeque::new(),
        }
    }

    /// Takes in an event of upstream. Returns what is to be sent on in its place, and what is wrong with it, if anything.
    pub(super) fn observe(&mut self, event: gst::Event) -> (gst::Event, Option<EventError>) {
        match AndonEvent::parse(&event) {
            Some(Ok(AndonEvent::Fields(change))) => {
                let all = self.fields.of_stream(&change);
                self.set_fields(all, event)
            }
            Some(Err(problem)) => self.refuse(event, problem),
            Some(Ok(_)) => {
                // It has just been parsed.
                let _ = self.context.observe(&event);
                (event, None)
            }
            None => (event, None),
        }
    }

    /// Takes in an event that was sent to the element itself, which has told already if it cannot be read. Returns what
    /// [`observe`](Self::observe) does.
    pub(super) fn observe_own(&mut self, event: gst::Event) -> (gst::Event, Option<EventError>) {
        match AndonEvent::parse(&event) {
            Some(Ok(AndonEvent::Fields(change))) => {
                let all = self.fields.of_element(&change);
                self.set_fields(all, event)
            }
            Some(Err(problem)) => (self.refuse(event, problem).0, None),
            _ => {
                // It has just been parsed.
                let _ = self.context.observe(&event);
                (event, None)
            }
        }
    }

    fn refuse(&mut self, event: gst::Event, problem: EventError) -> (gst::Event, Option<EventError>) {
        if names_a_part(&event) {
            self.fields.forget_part();
            self.context.forget_part();
        }
        (self.context.outgoing(event), Some(problem))
    }

    fn set_fields(
        &mut self,
        all: Result<FieldsChange, EventError>,
        because_of: gst::Event,
    ) -> (gst::Event, Option<EventError>) {
        match all.and_then(|all| self.context.set_fields(&all)) {
            Ok(()) => (self.context.outgoing(because_of), None),
            Err(problem) => self.refuse(because_of, problem),
        }
    }

    /// Returns the event that announces the model that runs, if it is not the one announced last.
    pub(super) fn announce(&mut self, element: impl FnOnce() -> String) -> Option<gst::Event> {
        let running = self.running.as_ref()?;
        let arm = self.context.arm();
        if self.announced.as_ref().is_some_and(|(model, on)| model == running.id() && *on == arm) {
            return None;
        }
        self.announced = Some((running.id().clone(), arm));
        let brought = running.reference.as_ref().ok().and_then(Option::as_ref);
        let event = reference::announce(running.id(), &element(), arm, brought);
        if let Some(brought) = brought {
            self.told.truncate(MOST_TOLD - 1);
            self.told.push_front(brought.clone());
        }
        Some(event)
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
