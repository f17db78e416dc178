// SPDX-License-Identifier: MPL-2.0
//! A frame on its way: the meter that measures it, and what it gives rise to.

use std::{borrow::Cow, sync::mpsc::Sender};

use andon_core::result::{Fields, Part, Purpose, monotonic_ns};
use andon_statistics::meter::{Bank, DriftReport, Stamp};
use gst_video::{VideoFrameRef, VideoInfo};

use super::worker::Task;
use crate::meta::{PartRule, StreamContext, TaiOffset, read_here, video};

/// What the streaming thread works with between start and stop.
pub(super) struct State {
    /// Measures frames, and judges whether they drift.
    pub bank: Bank,
    /// Arm, part and fields of the stream.
    pub context: StreamContext,
    /// The format; None before caps.
    pub info: Option<VideoInfo>,
    /// When the next report is due, ns: in stream time, or by [`monotonic_ns`] if frames have no timestamps.
    next_report_ns: Option<u64>,
    /// The tasks of the worker, for which no frame waits.
    tasks: Sender<Task>,
    /// Frames of parts that are not production.
    pub not_production: u64,
    /// GAP and corrupted buffers.
    pub not_measured: u64,
    /// Buffers whose memory does not match the caps.
    pub unreadable: u64,
}

/// What a frame gives rise to. It is announced once the lock is released.
#[derive(Default)]
pub(super) struct Announcements {
    /// The state or the cause has changed.
    pub changed: Option<DriftReport>,
    /// A periodic report is due.
    pub due: Option<DriftReport>,
    /// Why the reference in the settings is not used.
    pub misfit: Option<String>,
    /// The frame is the first that could not be read.
    pub unreadable: bool,
    /// The frame is the first of a key that there is no room for.
    pub left_out: bool,
}

impl State {
    /// Makes the state of a run.
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

    /// Measures a frame, of whose samples `bits` count in 16-bit grey. `identity` is what it takes to identify one.
    pub fn frame(
        &mut self,
        buffer: &mut gst::BufferRef,
        report_interval: u64,
        bits: u32,
        (tai, rule): (&TaiOffset, &PartRule),
    ) -> Result<Announcements, gst::FlowError> {
        let mut announcements = Announcements::default();
        let frame = self.context.identify(buffer, tai, rule);
        let info = self.info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        if buffer.flags().intersects(gst::BufferFlags::GAP | gst::BufferFlags::CORRUPTED) {
            self.not_measured += 1;
            return Ok(announcements);
        }
        let part = frame.part.as_ref();
        if part.is_some_and(|p| p.purpose != Purpose::Production) {
            self.not_production += 1;
            return Ok(announcements);
        }
        let pts_ns = buffer.pts().map(gst::ClockTime::nseconds);
        let stamp = Stamp { frame_id: frame.id, pts_ns, part };
        let result = read_here(buffer, self.context.arm(), [info.width(), info.height()]);
        let mapped = VideoFrameRef::from_buffer_ref_readable(buffer, info).ok();
        let Some(image) = mapped.as_ref().and_then(|m| video::image(m, bits)) else {
            announcements.unreadable = self.unreadable == 0;
            self.unreadable += 1;
            return Ok(announcements);
        };
        let key = key(self.bank.by(), part.map(|p| &**p), &self.context.fields);
        let Some(meter) = self.bank.meter(&key) else {
            announcements.left_out = self.bank.left_out() == 1;
            return Ok(announcements);
        };
        if meter.observe(&image, result.as_deref(), stamp).is_some() {
            announcements.changed = Some(meter.report(stamp));
        }
        announcements.misfit = meter.take_misfit();
        if report_interval > 0 {
            let now = pts_ns.unwrap_or_else(monotonic_ns);
            // A due time further away than the interval is from before a seek or a shorter interval.
            if self.next_report_ns.is_none_or(|due| now >= due || due - now > report_interval) {
                self.next_report_ns = Some(now.saturating_add(report_interval));
                announcements.due = Some(meter.report(stamp));
            }
        }
        if let Some((key, of, bootstrap)) = self.bank.take_bootstrap() {
            // The thread ends only after the last frame.
            let _ = self.tasks.send(Task::Calibrate(key, of, Box::new(bootstrap)));
        }
        if announcements.changed.is_some() {
            let _ = self.tasks.send(Task::Persist);
        }
        Ok(announcements)
    }
}

/// Returns the key of the reference that a frame belongs to: the value of that name in its part, else of the field; empty
/// if there is neither.
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
