// SPDX-License-Identifier: MPL-2.0
//! How many frames are in work at a time, and how much later they leave because of that.

use std::sync::atomic::Ordering;

use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;

use super::{CAT, imp::ModelInfer, judge::judge};

impl ModelInfer {
    pub(super) fn set_in_flight(&self, in_flight: u32) {
        self.settings().in_flight = in_flight;
        self.prepare_in_flight(in_flight);
    }

    /// Makes threads and execution contexts for so many frames in work, before frames need them.
    pub(super) fn prepare_in_flight(&self, in_flight: u32) {
        let n = in_flight as usize;
        if n > 1 {
            if let Some(error) = self.exchange.running().and_then(|r| r.reserve(n).err()) {
                gst::warning!(CAT, imp = self, "no room for {n} frames in work: {error}");
            }
            self.reorder.start_workers(n, judge);
        }
        self.in_flight.store(n, Ordering::Release);
        self.start_task();
    }

    /// Returns how many buffers the element holds at a time, beyond the one on its way.
    pub(super) fn held_buffers(&self) -> u32 {
        match self.in_flight.load(Ordering::Acquire) {
            0 | 1 => 0,
            n => n as u32,
        }
    }

    /// Returns how much later a frame may leave than on the streaming thread alone. With n frames in work, one may take
    /// as long as n last, and it may wait for its batch.
    pub(super) fn latency(&self) -> gst::ClockTime {
        let frames = u64::from(self.held_buffers()).saturating_mul(self.frame_ns.load(Ordering::Relaxed));
        let settings = self.settings();
        let batches = settings.batch_size > 1;
        gst::ClockTime::from_nseconds(frames + if batches { settings.batch_timeout } else { 0 })
    }

    /// Notes how long a frame lasts by the caps. Posts the latency if that changes it.
    pub(super) fn set_frame_duration(&self, info: &VideoInfo) {
        let fps = info.fps();
        let second = gst::ClockTime::SECOND.nseconds();
        let ns =
            u64::try_from(fps.numer()).ok().filter(|n| *n > 0).map_or(0, |n| second * fps.denom().max(1) as u64 / n);
        if self.frame_ns.swap(ns, Ordering::Relaxed) != ns && self.held_buffers() > 0 {
            self.post_latency();
        }
    }

    /// Asks the pipeline to compute its latency anew.
    pub(super) fn post_latency(&self) {
        // Without a bus there is no pipeline to compute it.
        let _ = self.obj().post_message(gst::message::Latency::builder().src(&*self.obj()).build());
    }
}
