// SPDX-License-Identifier: MPL-2.0
//! How many frames are held, and how much later they leave for it.

use std::sync::atomic::Ordering;

use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;

use super::imp::{CAT, ModelInfer};

impl ModelInfer {
    pub(super) fn set_in_flight(&self, in_flight: u32) {
        self.settings().in_flight = in_flight;
        self.employ(in_flight);
    }

    /// Has threads and lanes for so many frames in work, made here and not where frames flow.
    pub(super) fn employ(&self, in_flight: u32) {
        let n = in_flight as usize;
        if n > 1 {
            let running = self.current.lock().clone();
            if let Some(error) = running.and_then(|r| r.reserve(n).err()) {
                gst::warning!(CAT, imp = self, "no room for {n} frames in work: {error}");
            }
            self.flight.employ(n, super::judge::judge);
        }
        self.in_flight.store(n, Ordering::Release);
        self.start_task();
    }

    /// Buffers that are here at a time beyond the one on its way.
    pub(super) fn held(&self) -> u32 {
        match self.in_flight.load(Ordering::Acquire) {
            0 | 1 => 0,
            n => n as u32,
        }
    }

    /// How much later a frame may leave than on the streaming thread alone: with n frames in work, one may take as long
    /// as n last; and it may wait for its batch.
    pub(super) fn latency(&self) -> gst::ClockTime {
        let frames = u64::from(self.held()).saturating_mul(self.frame_ns.load(Ordering::Relaxed));
        let settings = self.settings();
        let batches = settings.batch_size > 1;
        gst::ClockTime::from_nseconds(frames + if batches { settings.batch_timeout } else { 0 })
    }

    /// Notes how long a frame lasts; tells where that changes the latency.
    pub(super) fn set_frame_duration(&self, info: &VideoInfo) {
        let fps = info.fps();
        let second = gst::ClockTime::SECOND.nseconds();
        let ns =
            u64::try_from(fps.numer()).ok().filter(|n| *n > 0).map_or(0, |n| second * fps.denom().max(1) as u64 / n);
        if self.frame_ns.swap(ns, Ordering::Relaxed) != ns && self.held() > 0 {
            self.tell_latency();
        }
    }

    pub(super) fn tell_latency(&self) {
        // Without a bus nobody has to be told.
        let _ = self.obj().post_message(gst::message::Latency::builder().src(&*self.obj()).build());
    }
}
