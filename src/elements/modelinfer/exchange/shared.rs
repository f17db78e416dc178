// SPDX-License-Identifier: MPL-2.0
//! `share=NAME`: elements of this process that name the same share, model and options use one engine. Never without
//! being asked, and never between the arms of an `abtee`.

use std::{
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use andon_core::result::Arm;
use andon_inference::{self as inference, Batcher, Engine, Options};
use parking_lot::Mutex;

use super::running::Ask;

/// What has to be alike to be shared.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    share: String,
    model: String,
    options: Options,
}

/// One engine and those who use it.
struct Group {
    key: Key,
    /// Locked while it is loaded, so that who comes meanwhile waits for it and does not load it again.
    engine: Mutex<Weak<Engine>>,
    /// Who gathers their frames, one for each size of a batch. Locked while one is made.
    batchers: Mutex<Vec<(usize, Weak<Batcher>)>>,
    /// One of each element, with the arm it has claimed.
    claims: Mutex<Vec<(Arc<Claim>, Option<Arm>)>>,
}

/// What one element knows of its right to use the engine.
#[derive(Default)]
struct Claim {
    /// The running model has claimed the engine, and this is the candidate's.
    evicted: AtomicBool,
}

/// All groups that somebody is in.
static GROUPS: LazyLock<Mutex<Vec<Weak<Group>>>> = LazyLock::new(Mutex::default);

/// A place in a group, until it is dropped.
pub(in crate::elements::modelinfer) struct Member {
    group: Arc<Group>,
    claim: Arc<Claim>,
}

/// Finds the engine that is shared, or loads it.
pub(in crate::elements::modelinfer) fn join(ask: &Ask) -> Result<(Arc<Engine>, Member), inference::Error> {
    let key = Key { share: ask.share.clone(), model: ask.model.clone(), options: ask.options.clone() };
    let group = {
        let mut groups = GROUPS.lock();
        groups.retain(|g| g.strong_count() > 0);
        match groups.iter().filter_map(Weak::upgrade).find(|g| g.key == key) {
            Some(group) => group,
            None => {
                let group = Arc::new(Group {
                    key,
                    engine: Mutex::default(),
                    batchers: Mutex::default(),
                    claims: Mutex::default(),
                });
                groups.push(Arc::downgrade(&group));
                group
            }
        }
    };
    let engine = {
        let mut shared = group.engine.lock();
        match shared.upgrade() {
            Some(engine) => engine,
            None => {
                let engine = Arc::new(Engine::load(&ask.model, &ask.options)?);
                engine.prove()?;
                *shared = Arc::downgrade(&engine);
                engine
            }
        }
    };
    let claim = Arc::<Claim>::default();
    group.claims.lock().push((claim.clone(), None));
    Ok((engine, Member { group, claim }))
}

impl Member {
    /// Claims the engine for `arm`. The running model and the candidate never share one, for then one would wait for
    /// the other: the candidate is refused, also where it came first.
    pub fn claim(&self, arm: Arm) {
        let mut claims = self.group.claims.lock();
        for (claim, claimed) in claims.iter_mut().filter(|(claim, _)| Arc::ptr_eq(claim, &self.claim)) {
            *claimed = Some(arm);
            claim.evicted.store(false, Ordering::Release);
        }
        if claims.iter().any(|(_, arm)| *arm == Some(Arm::A)) {
            claims
                .iter()
                .filter(|(_, arm)| *arm == Some(Arm::B))
                .for_each(|(c, _)| c.evicted.store(true, Ordering::Release));
        }
    }

    /// Why frames must not run on the engine; none where they may.
    pub fn refusal(&self) -> Option<String> {
        self.claim.evicted.load(Ordering::Acquire).then(|| {
            let share = &self.group.key.share;
            format!(
                "share={share} is used by both arms of an abtee, and arm b must not hold up arm a: give arm b another \
                 share, or none"
            )
        })
    }
}

impl Member {
    /// Who gathers frames of all that share the engine and have batches of that size. The last to come says how long the
    /// first of a batch waits.
    pub fn batcher(
        &self,
        engine: &Arc<Engine>,
        size: usize,
        timeout: Duration,
    ) -> Result<Arc<Batcher>, inference::Error> {
        let mut batchers = self.group.batchers.lock();
        batchers.retain(|(_, b)| b.strong_count() > 0);
        if let Some(batcher) = batchers.iter().filter(|(s, _)| *s == size).find_map(|(_, b)| b.upgrade()) {
            batcher.set_timeout(timeout);
            return Ok(batcher);
        }
        let batcher = Batcher::new(engine, size, timeout)?;
        batchers.push((size, Arc::downgrade(&batcher)));
        Ok(batcher)
    }

    /// How many elements use the engine.
    pub fn users(&self) -> usize {
        self.group.claims.lock().len()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut claims = self.group.claims.lock();
        claims.retain(|(claim, _)| !Arc::ptr_eq(claim, &self.claim));
        if !claims.iter().any(|(_, arm)| *arm == Some(Arm::A)) {
            claims.iter().for_each(|(c, _)| c.evicted.store(false, Ordering::Release));
        }
    }
}
