// SPDX-License-Identifier: MPL-2.0
//! The probation of a new version: guards watch it for its first parts. [`andon_statistics::guard`] decides; here each
//! frame and part finds its way to the guards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use andon_core::result::{Closed, Inference, ModelId};
use andon_statistics::guard::{Broken, GuardReport, Limits, Probation as Guards};
use parking_lot::Mutex;

use super::{running::Running, shadows, slot::Change};

/// A version on probation.
struct Watched {
    running: Arc<Running>,
    from: Arc<ModelId>,
    guards: Guards,
    limits: Limits,
    /// The product whose parts are seen.
    sku: Option<String>,
    since: Instant,
}

impl Watched {
    /// Starts anew when parts of another product come. The version's rate as a shadow does not hold for them, so that from
    /// then on the rate is only reported.
    fn see_product(&mut self, inference: &Inference) {
        let sku = inference.part.as_ref().map_or("", |p| p.sku.as_str());
        match &self.sku {
            None => self.sku = Some(sku.into()),
            Some(first) if first == sku => {}
            Some(_) => {
                self.sku = Some(sku.into());
                let limits = Limits { probation: self.guards.left(), ..self.limits };
                self.guards = Guards::new(limits, None);
            }
        }
    }
}

/// A probation that has ended.
pub(super) struct Ended {
    /// The version that was on probation.
    pub running: Arc<Running>,
    /// The model that ran before.
    pub from: Arc<ModelId>,
    /// The guard that was broken; None if the version has come through.
    pub broken: Option<Broken>,
    /// What the guards counted.
    pub report: GuardReport,
    /// How long the probation took.
    pub duration: Duration,
}

/// The probation of one element.
#[derive(Default)]
pub(super) struct Probation {
    /// Only the thread on which frames leave holds it for more than a few moves.
    watched: Mutex<Option<Watched>>,
    /// Parts to go.
    left: AtomicU64,
}

impl Probation {
    /// Returns how many parts are to go; 0 if nothing is on probation.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Ends the probation without a result.
    pub(super) fn end(&self) {
        self.left.store(0, Ordering::Relaxed);
        let watched = self.watched.lock().take();
        drop(watched);
    }

    /// Watches the model that runs now, if it is another version of the one before. Another product's model, or the
    /// same version run otherwise, is no promotion.
    pub(super) fn begin(&self, change: &Change<Running>, limits: Limits) {
        let to = change.to.id();
        let from = change.from.as_ref().map(|from| from.id());
        let Some(from) = from.filter(|from| limits.probation > 0 && from.name == to.name && *from != to) else {
            return;
        };
        let guards = Guards::new(limits, change.to.as_shadow);
        self.left.store(guards.left(), Ordering::Relaxed);
        let (running, from, since) = (change.to.clone(), from.clone(), Instant::now());
        *self.watched.lock() = Some(Watched { running, from, guards, limits, sku: None, since });
    }

    /// Shows the guards a frame that leaves, and the parts that it closes. A frame of which nothing says what part it shows
    /// counts for the length of the probation, and says nothing of the share of bad parts. Returns the end of the probation, if this
    /// is it.
    pub(super) fn observe(&self, running: &Arc<Running>, inference: &Inference, parts: &Closed) -> Option<Ended> {
        if self.left() == 0 {
            return None;
        }
        let mut slot = self.watched.lock();
        let watched = slot.as_mut().filter(|w| Arc::ptr_eq(&w.running, running))?;
        let mut broken = None;
        if inference.counts() {
            watched.see_product(inference);
            broken = watched.guards.frame(inference.status, inference.latency_us);
        }
        for part in parts.iter().filter(|part| shadows::is_production(part)) {
            broken = broken.or_else(|| match part.part {
                Some(_) => watched.guards.part(part.verdict, true),
                None => {
                    watched.guards.untold(part.verdict);
                    None
                }
            });
        }
        self.left.store(watched.guards.left(), Ordering::Relaxed);
        if broken.is_none() && !watched.guards.passed() {
            return None;
        }
        self.left.store(0, Ordering::Relaxed);
        let Watched { running, from, guards, since, .. } = slot.take()?;
        Some(Ended { running, from, broken, report: guards.report(), duration: since.elapsed() })
    }
}
