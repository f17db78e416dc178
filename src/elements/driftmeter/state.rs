// SPDX-License-Identifier: MPL-2.0
//! A frame on its way: which meter it belongs to, what that makes of it, what is to be told.

use std::{borrow::Cow, sync::mpsc::Sender};

use andon_core::result::{Fields, Part, Purpose, monotonic_ns};
use andon_statistics::meter::{Bank, DriftReport, Stamp};
use gst_video::{VideoFrameRef, VideoInfo};

use super::worker::Task;
use crate::meta::{StreamContext, read_any, video};

/// What runs between start and stop.
pub(super) struct State {
    /// Measures and judges.
    pub bank: Bank,
    /// Arm, part and fields of the stream.
    pub context: StreamContext,
    /// The stream's format, once caps have come.
    pub info: Option<VideoInfo>,
    /// When the next report is due, on the clock of [`monotonic_ns`] where frames have no time of their own.
    next_report_ns: Option<u64>,
    /// What no frame waits for.
    tasks: Sender<Task>,
    /// Frames that are not of production parts.
    pub not_production: u64,
    /// GAP and corrupted buffers.
    pub not_measured: u64,
    /// Buffers whose memory could not be read as the caps say.
    pub unreadable: u64,
}

/// What a frame gave rise to, told once the lock is released.
#[derive(Default)]
pub(super) struct Outcome {
    /// The state or the cause has changed.
    pub changed: Option<DriftReport>,
    /// A periodic report is due.
    pub due: Option<DriftReport>,
    /// The reference that was given is not used, and why.
    pub misfit: Option<String>,
    /// The first frame that could not be read.
    pub unreadable: bool,
    /// The first frame of a key that there is no room for.
    pub left_out: bool,
}

impl State {
    pub fn new(bank: Bank, tasks: Sender<Task>) -> Self {
        Self {
            bank,
            context: StreamContext::default(),
            info: None,
            next_report_ns: None,
            tasks,
            not_production: 0,
            not_measured: 0,
            unreadable: 0,
        }
    }

    pub fn frame(&mut self, buffer: &mut gst::BufferRef, report_interval: u64) -> Result<Outcome, gst::FlowError> {
        let mut outcome = Outcome::default();
        let frame = self.context.identify(buffer);
        let info = self.info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        if buffer.flags().intersects(gst::BufferFlags::GAP | gst::BufferFlags::CORRUPTED) {
            self.not_measured += 1;
            return Ok(outcome);
        }
        let part = frame.part.as_ref();
        if part.is_some_and(|p| p.purpose != Purpose::Production) {
            self.not_production += 1;
            return Ok(outcome);
        }
        let pts_ns = buffer.pts().map(gst::ClockTime::nseconds);
        let stamp = Stamp { frame_id: frame.id, pts_ns, part };
        let said = read_any(buffer, self.context.arm(), [info.width(), info.height()]);
        let mapped = VideoFrameRef::from_buffer_ref_readable(buffer, info).ok();
        let Some(image) = mapped.as_ref().and_then(video::image) else {
            outcome.unreadable = self.unreadable == 0;
            self.unreadable += 1;
            return Ok(outcome);
        };
        let key = key(self.bank.by(), part.map(|p| &**p), &self.context.fields);
        let Some(meter) = self.bank.meter(&key) else {
            outcome.left_out = self.bank.left_out() == 1;
            return Ok(outcome);
        };
        if meter.observe(&image, said.as_deref(), stamp).is_some() {
            outcome.changed = Some(meter.report(stamp));
        }
        outcome.misfit = meter.take_misfit();
        if report_interval > 0 {
            let now = pts_ns.unwrap_or_else(monotonic_ns);
            // A due time further away than the interval is from before a seek or a shorter interval.
            if self.next_report_ns.is_none_or(|due| now >= due || due - now > report_interval) {
                self.next_report_ns = Some(now + report_interval);
                outcome.due = Some(meter.report(stamp));
            }
        }
        if let Some((key, of, bootstrap)) = self.bank.take_bootstrap() {
            // The thread ends after the frames.
            let _ = self.tasks.send(Task::Calibrate(key, of, Box::new(bootstrap)));
        }
        if outcome.changed.is_some() {
            let _ = self.tasks.send(Task::Keep);
        }
        Ok(outcome)
    }
}

/// Which of several references a frame belongs to: what its part says by that name, else a field; empty where neither does.
fn key<'a>(by: &str, part: Option<&'a Part>, fields: &'a Fields) -> Cow<'a, str> {
    let of_part = part.and_then(|p| match by {
        "sku" => Some(&p.sku),
        "lot" => Some(&p.lot),
        "station" => Some(&p.station),
        _ => None,
    });
    let of_field = || match fields.get(by)? {
        serde_json::Value::String(s) => Some(Cow::Borrowed(s.as_str())),
        other => Some(Cow::Owned(other.to_string())),
    };
    match of_part.filter(|s| !s.is_empty()) {
        Some(s) => Cow::Borrowed(s),
        None if by.is_empty() => Cow::Borrowed(""),
        None => of_field().unwrap_or_default(),
    }
}
