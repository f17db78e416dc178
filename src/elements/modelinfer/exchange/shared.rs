// SPDX-License-Identifier: MPL-2.0
//! `share=NAME`: elements of this process with the same share, model and options use one engine. The arms of an `abtee`
//! never do.

use std::{
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use andon_core::result::Arm;
use andon_inference::{self as inference, Batcher, Cancel, Engine, Options};
use parking_lot::{Condvar, Mutex};

use super::ask::Ask;

/// How often an element that waits for another's load looks whether one of them was given up.
const TICK: Duration = Duration::from_millis(20);

/// Elements with equal keys use one engine.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    share: String,
    model: String,
    options: Options,
}

/// One engine and the elements that use it.
struct Group {
    key: Key,
    /// Locked for a few moves only.
    shared: Mutex<Shared>,
    /// Notified when a load has ended.
    loaded: Condvar,
    /// The batchers that gather their frames, one for each size of a batch.
    batchers: Mutex<Vec<(usize, Weak<Batcher>)>>,
    /// One for each element, with the arm that it is on, once that is known.
    claims: Mutex<Vec<(Arc<Claim>, Option<Arm>)>>,
}

/// The engine of a group, or who loads it.
#[derive(Default)]
struct Shared {
    engine: Weak<Engine>,
    /// Ends the load under way. An element that joins meanwhile waits for it instead of loading the model again, unless it was
    /// ended: such a load may hang.
    loading: Option<Arc<Cancel>>,
}

/// The right of one element to use the engine.
#[derive(Default)]
struct Claim {
    /// An element on arm a uses the engine, and this one is on arm b.
    refused: AtomicBool,
}

/// All groups that have members.
static GROUPS: LazyLock<Mutex<Vec<Weak<Group>>>> = LazyLock::new(Mutex::default);

/// A place in a group, until it is dropped.
pub(crate) struct Member {
    group: Arc<Group>,
    claim: Arc<Claim>,
}

/// Joins the group of those that share a model. The first to join loads the engine, until `cancel` ends it.
pub(super) fn join(ask: &Ask, cancel: &Arc<Cancel>) -> Result<(Arc<Engine>, Member), inference::Error> {
    let key = Key { share: ask.share.clone(), model: ask.model.clone(), options: ask.of_session() };
    let group = {
        let mut groups = GROUPS.lock();
        groups.retain(|g| g.strong_count() > 0);
        match groups.iter().filter_map(Weak::upgrade).find(|g| g.key == key) {
            Some(group) => group,
            None => {
                let group = Arc::new(Group {
                    key,
                    shared: Mutex::default(),
                    loaded: Condvar::new(),
                    batchers: Mutex::default(),
                    claims: Mutex::default(),
                });
                groups.push(Arc::downgrade(&group));
                group
            }
        }
    };
    let load = || {
        let engine = Arc::new(Engine::load_until(&ask.model, &ask.of_session(), cancel)?);
        engine.prove_until(cancel)?;
        Ok(engine)
    };
    let engine = group.engine(cancel, load)?;
    let claim = Arc::<Claim>::default();
    group.claims.lock().push((claim.clone(), None));
    Ok((engine, Member { group, claim }))
}

impl Group {
    /// Returns the engine, which `load` loads if nobody has it and nobody else is about to.
    fn engine(
        &self,
        cancel: &Arc<Cancel>,
        load: impl FnOnce() -> Result<Arc<Engine>, inference::Error>,
    ) -> Result<Arc<Engine>, inference::Error> {
        {
            let mut shared = self.shared.lock();
            loop {
                if let Some(engine) = shared.engine.upgrade() {
                    return Ok(engine);
                }
                if cancel.ended() {
                    return Err(inference::Error::Cancelled);
                }
                match &shared.loading {
                    Some(other) if !other.ended() => drop(self.loaded.wait_for(&mut shared, TICK)),
                    _ => break,
                }
            }
            shared.loading = Some(cancel.clone());
        }
        // Also if it panics, the others go on.
        let loading = Loading { group: self, cancel };
        let engine = load()?;
        let mut shared = self.shared.lock();
        // One that was given up and comes late belongs to nobody.
        if loading.is_current(&shared) {
            shared.engine = Arc::downgrade(&engine);
        }
        drop(shared);
        Ok(engine)
    }
}

/// A load of a group's engine, until it has ended.
struct Loading<'a> {
    group: &'a Group,
    cancel: &'a Arc<Cancel>,
}

impl Loading<'_> {
    fn is_current(&self, shared: &Shared) -> bool {
        shared.loading.as_ref().is_some_and(|loading| Arc::ptr_eq(loading, self.cancel))
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut shared = self.group.shared.lock();
        if self.is_current(&shared) {
            shared.loading = None;
            self.group.loaded.notify_all();
        }
    }
}

impl Member {
    /// Claims the engine for `arm`. The arms never share one, because arm a would wait for arm b. Arm b is refused, even
    /// if it came first.
    pub(crate) fn claim(&self, arm: Arm) {
        let mut claims = self.group.claims.lock();
        for (claim, claimed) in claims.iter_mut().filter(|(claim, _)| Arc::ptr_eq(claim, &self.claim)) {
            *claimed = Some(arm);
            claim.refused.store(false, Ordering::Release);
        }
        if claims.iter().any(|(_, arm)| *arm == Some(Arm::A)) {
            claims
                .iter()
                .filter(|(_, arm)| *arm == Some(Arm::B))
                .for_each(|(c, _)| c.refused.store(true, Ordering::Release));
        }
    }

    /// Returns why frames must not run on the engine, or None if they may.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.claim.refused.load(Ordering::Acquire).then(|| {
            let share = &self.group.key.share;
            format!(
                "both arms of an abtee use share={share}, and arm b must not hold up arm a: give arm b another share, or \
                 none"
            )
        })
    }

    /// Returns the batcher of all that share the engine and have batches of that size. The last to join says how long
    /// the first frame of a batch waits.
    pub(super) fn batcher(
        &self,
        engine: &Arc<Engine>,
        size: usize,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Arc<Batcher>, inference::Error> {
        let mut batchers = self.group.batchers.lock();
        batchers.retain(|(_, b)| b.strong_count() > 0);
        if let Some(batcher) = batchers.iter().filter(|(s, _)| *s == size).find_map(|(_, b)| b.upgrade()) {
            batcher.set_timeout(timeout);
            return Ok(batcher);
        }
        drop(batchers);
        // Not under the lock, because its first run may have no end. Of two that make one at a time the first is taken.
        let made = Batcher::new_until(engine, size, timeout, cancel)?;
        let mut batchers = self.group.batchers.lock();
        if let Some(batcher) = batchers.iter().filter(|(s, _)| *s == size).find_map(|(_, b)| b.upgrade()) {
            batcher.set_timeout(timeout);
            return Ok(batcher);
        }
        batchers.push((size, Arc::downgrade(&made)));
        Ok(made)
    }

    /// Returns how many elements use the engine.
    pub(super) fn users(&self) -> usize {
        self.group.claims.lock().len()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut claims = self.group.claims.lock();
        claims.retain(|(claim, _)| !Arc::ptr_eq(claim, &self.claim));
        if !claims.iter().any(|(_, arm)| *arm == Some(Arm::A)) {
            claims.iter().for_each(|(c, _)| c.refused.store(false, Ordering::Release));
        }
    }
}
