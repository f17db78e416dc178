// SPDX-License-Identifier: MPL-2.0
//! Versions that a guard has taken out: they are not loaded again until their store takes them again or the user says so.

use std::sync::Arc;

use andon_core::result::ModelId;
use parking_lot::Mutex;

struct Refusal {
    model: Arc<ModelId>,
    why: String,
    /// Whether the refusal is in the store. It then holds until the store takes the version again.
    recorded: bool,
}

/// The versions that one element refuses.
#[derive(Default)]
pub(super) struct Refusals {
    all: Mutex<Vec<Refusal>>,
}

impl Refusals {
    /// Refuses a model until [`Refusals::clear`].
    pub(super) fn add(&self, model: &Arc<ModelId>, why: &str) {
        let mut all = self.all.lock();
        all.retain(|r| r.model != *model);
        all.push(Refusal { model: model.clone(), why: why.into(), recorded: false });
    }

    /// Notes that the refusal of a model is in its store.
    pub(super) fn set_recorded(&self, model: &ModelId) {
        self.all.lock().iter_mut().filter(|r| *r.model == *model).for_each(|r| r.recorded = true);
    }

    /// Returns why a version is refused, or None if it is not. `store_takes_it` says whether its store takes a version
    /// again that it has refused; it may read the disk.
    pub(super) fn why(&self, name: &str, version: &str, store_takes_it: impl Fn() -> bool) -> Option<String> {
        let is = |r: &Refusal| r.model.name == name && r.model.version == version;
        let (why, recorded) = self.all.lock().iter().find(|r| is(r)).map(|r| (r.why.clone(), r.recorded))?;
        // Without the lock, because it reads the disk.
        if recorded && store_takes_it() {
            self.all.lock().retain(|r| !is(r));
            return None;
        }
        Some(why)
    }

    /// Takes all refusals back.
    pub(super) fn clear(&self) {
        self.all.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_holds_until_the_store_that_knows_of_it_takes_the_version_again() {
        let refusals = Refusals::default();
        let model = Arc::new(ModelId { name: "line".into(), version: "2".into(), ..ModelId::default() });
        let why = |takes: bool| refusals.why("line", "2", || takes);
        assert_eq!(why(true), None);
        refusals.add(&model, "slow");
        assert_eq!(why(true).as_deref(), Some("slow"), "its store does not know yet");
        refusals.set_recorded(&model);
        assert_eq!(why(false).as_deref(), Some("slow"));
        assert_eq!(refusals.why("line", "1", || false), None, "another version");
        assert_eq!((why(true), why(false)), (None, None), "it was added again");
        refusals.add(&model, "slow again");
        refusals.clear();
        assert_eq!(why(false), None);
    }
}
