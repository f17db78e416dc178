// SPDX-License-Identifier: MPL-2.0
//! Acts on a judgement: takes the challenger out, or makes it champion.

use std::{fmt::Display, path::Path, sync::Arc};

use andon_core::result::ModelId;
use andon_model::{
    Store,
    store::{CHAMPION, Note},
};
use andon_statistics::{agreement::Each, judgement::Decision, trial::TrialReport};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    super::imp::AbJoin,
    rules::{Auto, Rules},
};
use crate::meta::event::{AbDecision, Act, AndonEvent};

impl AbJoin {
    /// Does what `auto` asks for. Returns what was done, or why it was not.
    pub(super) fn act(&self, ruling: &TrialReport, models: &Each<Arc<ModelId>>) -> Option<String> {
        let rules = self.rules();
        let decision = ruling.judgement.decision;
        let done = match (decision, rules.auto) {
            (Decision::Abort, Auto::Abort | Auto::Full) => {
                let taken = self.send_decision(decision, Act::A);
                if !taken {
                    gst::element_imp_warning!(
                        self,
                        gst::CoreError::Event,
                        ("no abtee in front of arm a takes the challenger out, so it runs on: set abtee mode=a")
                    );
                }
                let done =
                    if taken { "the challenger was taken out" } else { "not taken out: no abtee in front of arm a" };
                return Some(done.into());
            }
            (Decision::Promote, Auto::Full) => Some(promote(&rules, models, &self.note(ruling))),
            _ => None,
        };
        if decision != Decision::Hold {
            self.send_decision(decision, Act::None);
        }
        match done? {
            Ok(done) => Some(done),
            Err(error) => {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::Write,
                    ("{error}: the challenger is better, and is not champion: promote it by hand")
                );
                Some(format!("not promoted: {error}"))
            }
        }
    }

    fn note(&self, ruling: &TrialReport) -> Note {
        Note::new(self.obj().path_string(), ruling.judgement.reasons.join("; "))
    }

    /// Sends a decision up arm a to the abtee, and returns whether an element took it.
    fn send_decision(&self, decision: Decision, act: Act) -> bool {
        self.sink_a.push_event(AndonEvent::Decision(AbDecision { decision, act }).to_event())
    }
}

/// Why a challenger does not become champion.
#[derive(Debug, thiserror::Error)]
enum PromoteError {
    #[error("auto=full moves aliases, and store=STORE/NAME is not set")]
    NoStore,
    #[error("the challenger is '{model}', and {store} holds '{name}'")]
    OtherModel { model: String, store: String, name: String },
    #[error("version {version} runs as a, and the champion of {store} is '{champion}'")]
    OtherChampion { version: String, store: String, champion: String },
    #[error("{0}")]
    Store(String),
}

impl PromoteError {
    fn store(error: impl Display) -> Self {
        PromoteError::Store(error.to_string())
    }
}

/// Makes b's version champion, if a's version is champion now.
fn promote(rules: &Rules, models: &Each<Arc<ModelId>>, note: &Note) -> Result<String, PromoteError> {
    let named = rules.store.as_deref().ok_or(PromoteError::NoStore)?;
    let store = Store::open(Path::new(named)).map_err(PromoteError::store)?;
    let (a, b) = (&models.a, &models.b);
    if b.name != store.name() {
        let (model, name) = (b.name.clone(), store.name());
        return Err(PromoteError::OtherModel { model, store: named.into(), name });
    }
    let champion = store.aliases().map_err(PromoteError::store)?.get(CHAMPION).cloned().unwrap_or_default();
    if champion != a.version {
        return Err(PromoteError::OtherChampion { version: a.version.clone(), store: named.into(), champion });
    }
    let moved = store.promote(Some(&b.version), note).map_err(PromoteError::store)?;
    Ok(format!("champion of {named}: {} → {}", moved.from.unwrap_or_default(), moved.to))
}
