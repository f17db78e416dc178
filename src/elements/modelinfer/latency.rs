// SPDX-License-Identifier: MPL-2.0
//! How many frames are in work at a time, and how much later they leave because of that.

use std::{sync::atomic::Ordering, thread::Builder, time::Duration};

use andon_inference::pool;
use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;

use super::{CAT, imp::ModelInfer, judge::judge};
use crate::{elements::threads::ADVICE, watch};

/// How long a frame lasts if the caps do not say, for the latency: as at 25 frames a second.
const UNKNOWN_FRAME_NS: u64 = 40_000_000;

/// How long after a model was loaded for the threads of its engine it is not loaded for them again: loading takes much.
const AFTER_RELOAD: Duration = Duration::from_secs(60);

/// The longest latency that the element names: a pipeline adds up those of all its elements, and no sum must overflow.
const MOST_LATENCY_NS: u64 = 24 * 3600 * 1_000_000_000;

impl ModelInfer {
    pub(super) fn set_in_flight(&self, in_flight: u32) {
        self.settings().in_flight = in_flight;
        self.prepare_in_flight();
    }

    /// Makes threads and execution contexts for as many frames in work as the property says, before frames need them.
    pub(super) fn prepare_in_flight(&self) {
        // Of two that set the property at once, the second finds the value of the last.
        let _one_at_a_time = self.preparing.lock();
        let wanted = self.settings().in_flight as usize;
        let n = if wanted > 1 { self.make_threads(wanted) } else { wanted };
        self.in_flight.store(n, Ordering::Release);
        match n == wanted {
            true if wanted > 1 => self.lack.tell_end(&*self.obj()),
            true => drop(self.lack.ended()),
            false => {}
        }
    }

    /// Tries again, once a second, to get the threads that are missing. For the streaming thread, between two frames: whoever
    /// sets `in-flight` just now tries himself.
    pub(super) fn look_after_threads(&self) {
        watch::revive();
        if !self.lack.is_due() {
            return;
        }
        let Some(_one_at_a_time) = self.preparing.try_lock() else { return };
        let wanted = self.settings().in_flight as usize;
        let Some(n) = self.start_threads(wanted) else { return };
        if n < wanted {
            self.threads_refused(wanted, n);
        } else {
            self.lack.tell_end(&*self.obj());
        }
        if self.in_flight.swap(n, Ordering::AcqRel) != n {
            self.post_latency();
        }
    }

    /// Loads the model anew, beside the one that runs, once the system gives the threads that its engine lacks. The message on
    /// the fallback has told of it. For the streaming thread: the attempt has a thread of its own.
    pub(super) fn look_after_engine(&self, lacking: usize) {
        let lack = &self.engine_lack;
        if lacking == 0 {
            return lack.tell_end(&*self.obj());
        }
        if !lack.lasts() {
            lack.refused();
        }
        if !lack.is_due() {
            return;
        }
        let this = self.obj().downgrade();
        let attempt = move || {
            if pool::can_have(lacking)
                && let Some(this) = this.upgrade()
            {
                this.imp().engine_lack.put_off(AFTER_RELOAD);
                this.imp().exchange.reload();
            }
        };
        // Without a thread even for this there is none for the engine. It leaves nothing behind that needs to be joined.
        if Builder::new().name("andon-try".into()).spawn(attempt).is_err() {
            lack.refused();
        }
    }

    /// Makes threads for `wanted` frames in work. Returns how many frames may be in work on those that the system gives.
    fn make_threads(&self, wanted: usize) -> usize {
        if let Some(error) = self.exchange.running().and_then(|r| r.reserve(wanted).err()) {
            gst::warning!(CAT, imp = self, "no room for {wanted} frames in work: {error}");
        }
        // Before the start it is too early for threads.
        let Some(n) = self.start_threads(wanted) else { return wanted };
        if n < wanted {
            self.threads_refused(wanted, n);
        }
        n
    }

    /// Starts those threads for `wanted` frames in work that are not there. Returns how many frames may be in work on those that
    /// there are then, or None before the start.
    fn start_threads(&self, wanted: usize) -> Option<usize> {
        let workers = self.reorder.start_workers(wanted, judge)?;
        Some(if workers > 1 && self.start_task() { workers } else { 1 })
    }

    /// Counts that `wanted` frames cannot be in work, because the system gives no thread, and says so once. None waits for a
    /// thread that is not there.
    pub(super) fn threads_refused(&self, wanted: usize, n: usize) {
        self.stats.lock().threads_refused += (wanted - n) as u64;
        if !self.lack.refused() {
            return;
        }
        let instead = match n {
            1 => "frames are judged one by one on the streaming thread".to_string(),
            n => format!("{n} are in work at a time"),
        };
        gst::element_imp_warning!(
            self,
            gst::ResourceError::NoSpaceLeft,
            ("the system gives no threads for in-flight={wanted}: {instead}, and {ADVICE}, or set in-flight lower")
        );
    }

    /// Tells the batches of the running model how long they wait. Another element of the share may have said otherwise
    /// before: the last counts.
    pub(super) fn set_batch_timeout(&self) {
        let timeout = self.settings().batch_timeout();
        if let Some(batcher) = self.exchange.running().as_ref().and_then(|r| r.batcher.as_ref()) {
            batcher.set_timeout(timeout);
        }
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
        let frame_ns = match self.frame_ns.load(Ordering::Relaxed) {
            0 => UNKNOWN_FRAME_NS,
            ns => ns,
        };
        let frames = u64::from(self.held_buffers()).saturating_mul(frame_ns);
        let settings = self.settings();
        let batch = if settings.batch_size > 1 { settings.batch_timeout } else { 0 };
        gst::ClockTime::from_nseconds(frames.saturating_add(batch).min(MOST_LATENCY_NS))
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
