// SPDX-License-Identifier: MPL-2.0
//! Tells a service manager how the line fares, by systemd's protocol: ready at the first judged frame, a status line, alive
//! while the streams move. Without `NOTIFY_SOCKET` nobody listens, and nothing is said.

use std::time::{Duration, Instant};

use gst::prelude::*;
use sd_notify::NotifyState;

/// Time between two status lines.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// What is told to the service manager.
pub struct Service {
    ready: bool,
    /// How often it wants to hear that the line lives.
    alive_every: Option<Duration>,
    alive: Option<Instant>,
    status: Option<(Instant, String)>,
}

impl Service {
    /// The service manager that started this program, if one did.
    pub fn of_this_process() -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET")?;
        // Half, so that one late sign does no harm.
        let alive_every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Some(Self { ready: false, alive_every, alive: None, status: None })
    }

    /// Returns how long nothing may move before the manager is no longer told that the line lives.
    pub fn patience(&self) -> Duration {
        self.alive_every.unwrap_or(Duration::MAX)
    }

    /// Tells what is new. `played` says whether any frame has come, `moves` whether all moves that should.
    pub fn tick(&mut self, pipeline: &gst::Pipeline, played: bool, moves: bool, status: impl FnOnce() -> String) {
        let now = Instant::now();
        if !self.ready && judged(pipeline).unwrap_or(played) {
            self.ready = true;
            tell(&[NotifyState::Ready]);
        }
        if let Some(every) = self.alive_every.filter(|_| moves)
            && self.alive.is_none_or(|last| now - last >= every)
        {
            self.alive = Some(now);
            tell(&[NotifyState::Watchdog]);
        }
        if self.status.as_ref().is_none_or(|(last, _)| now - *last >= STATUS_EVERY) {
            let status = status();
            if self.status.as_ref().is_none_or(|(_, before)| *before != status) {
                tell(&[NotifyState::Status(&status)]);
            }
            self.status = Some((now, status));
        }
    }

    /// Tells that the line is being stopped.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

/// Returns whether a model has judged a frame, or None if there is no model.
fn judged(pipeline: &gst::Pipeline) -> Option<bool> {
    let models = pipeline.iterate_all_by_element_factory_name("modelinfer").into_iter().flatten();
    let judged = models
        .map(|model| model.property::<gst::Structure>("stats").get::<u64>("frames-ok").is_ok_and(|frames| frames > 0));
    judged.reduce(|a, b| a || b)
}

fn tell(what: &[NotifyState<'_>]) {
    // A manager that is gone is no reason to stop.
    let _ = sd_notify::notify(what);
}
