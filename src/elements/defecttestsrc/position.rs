// SPDX-License-Identifier: MPL-2.0
//! Where the stream is: frame numbers, timestamps, seeks.

use std::time::{SystemTime, UNIX_EPOCH};

use gst_video::{VideoInfo, prelude::*};

/// The position of the stream.
#[derive(Default)]
pub(super) struct Position {
    /// Frames since `base`: the number of the next frame.
    frame: u64,
    /// The time at which the present frame rate began to count.
    base: gst::ClockTime,
    /// The time to seek to before the next frame is taken.
    seek: Option<gst::ClockTime>,
    /// Running time less timestamp of the first live frame.
    origin: Option<gst::ClockTime>,
    /// Format, size and rate; None before caps.
    info: Option<VideoInfo>,
}

/// The frame to take next.
pub(super) struct Next {
    /// The number of the frame.
    pub number: u64,
    /// Whether a seek leads to the frame.
    pub sought: bool,
    /// The timestamp.
    pub pts: gst::ClockTime,
    /// The time at which the frame ends.
    pub end: gst::ClockTime,
}

impl Position {
    /// Takes new caps. Time goes on from where it is.
    pub fn set_info(&mut self, info: VideoInfo) {
        if let Some(at) = self.time(self.frame) {
            (self.base, self.frame) = (at, 0);
        }
        self.info = Some(info);
    }

    /// Seeks before the next frame is taken: the frame rate may not be known yet.
    pub fn seek(&mut self, position: Option<gst::ClockTime>) {
        self.seek = position;
    }

    /// Returns the frame to take next.
    pub fn next(&mut self) -> Result<Next, gst::FlowError> {
        if self.info.is_none() {
            return Err(gst::FlowError::NotNegotiated);
        }
        let sought = self.follow_seek().is_some();
        let times = self.time(self.frame).zip(self.time(self.frame + 1));
        let (pts, end) = times.ok_or(gst::FlowError::Eos)?;
        Ok(Next { number: self.frame, sought, pts, end })
    }

    /// Goes on to the frame after the next.
    pub fn advance(&mut self) {
        self.frame += 1;
    }

    /// Returns the duration of a frame, which is the latency of a live source.
    pub fn frame_duration(&self) -> Option<gst::ClockTime> {
        Some(self.time(1)? - self.base)
    }

    /// Returns the time at which frame `frame` is due, or None before caps and at the end of time.
    pub fn time(&self, frame: u64) -> Option<gst::ClockTime> {
        let fps = self.info.as_ref()?.fps();
        let unit = gst::ClockTime::SECOND.nseconds() * fps.denom() as u64;
        let since = frame.mul_div_floor(unit, fps.numer() as u64)?;
        self.base.checked_add(gst::ClockTime::from_nseconds(since))
    }

    /// Returns when a live frame that is due at `pts` will be pushed, UTC, ns. `running` is the running time now.
    pub fn capture_time(&mut self, pts: gst::ClockTime, running: gst::ClockTime) -> Option<u64> {
        let origin = *self.origin.get_or_insert_with(|| running.saturating_sub(pts));
        let wait = (pts + origin).saturating_sub(running);
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(utc.as_nanos() as u64 + wait.nseconds())
    }

    /// Goes to where a seek leads, and returns the frame there.
    fn follow_seek(&mut self) -> Option<u64> {
        let fps = self.info.as_ref()?.fps();
        let position = self.seek.take()?.nseconds();
        let unit = gst::ClockTime::SECOND.nseconds() * fps.denom() as u64;
        (self.base, self.frame) = (gst::ClockTime::ZERO, position.mul_div_floor(fps.numer() as u64, unit)?);
        Some(self.frame)
    }
}
