// SPDX-License-Identifier: MPL-2.0
//! What is done about a judgement.

use std::{path::Path, sync::Arc};

use andon_core::result::ModelId;
use andon_model::{
    Store,
    store::{CHAMPION, Note},
};
use andon_statistics::{agreement::Each, judgement::Decision, trial::TrialReport};
use gst::{prelude::*, subclass::prelude::*};

use super::{super::imp::AbJoin, Auto, Rules};
use crate::meta::event::AbDecision;

impl AbJoin {
    /// Does what `auto` asks for; answers what was done, or why it was not.
    pub(super) fn act(&self, ruling: &TrialReport, models: &Each<Arc<ModelId>>) -> Option<String> {
        let rules = self.rules();
        let decision = ruling.judgement.decision;
        let done = match (decision, rules.auto) {
            (Decision::Abort, Auto::Abort | Auto::Full) => {
                let taken = self.send_decision(decision, "a");
                if !taken {
                    gst::element_imp_warning!(
                        self,
                        gst::CoreError::Event,
                        ("no abtee in front of arm a takes the candidate out: it runs on; set abtee mode=a")
                    );
                }
                let done = if taken { "the candidate was taken out" } else { "not taken out: no abtee heard of it" };
                return Some(done.into());
            }
            (Decision::Promote, Auto::Full) => Some(promote(&rules, models, &self.note(ruling))),
            _ => None,
        };
        if decision != Decision::Hold {
            self.send_decision(decision, "none");
        }
        match done? {
            Ok(done) => Some(done),
            Err(error) => {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::Write,
                    ("{error}: the candidate is better, and is not champion: promote it by hand")
                );
                Some(format!("not promoted: {error}"))
            }
        }
    }

    fn note(&self, ruling: &TrialReport) -> Note {
        Note::new(self.obj().path_string(), ruling.judgement.reasons.join("; "))
    }

    /// Tells the abtee of this join, through the elements of arm a; answers whether somebody heard it.
    fn send_decision(&self, decision: Decision, act: &str) -> bool {
        let event = AbDecision { decision: decision.as_str().into(), act: act.into() };
        self.sink_a.push_event(event.to_upstream_event())
    }
}

/// Makes b's version champion, where it is a's that is champion now.
fn promote(rules: &Rules, models: &Each<Arc<ModelId>>, note: &Note) -> Result<String, String> {
    let named = rules.store.as_deref().ok_or("auto=full moves aliases, and store=STORE/NAME is not set")?;
    let store = Store::open(Path::new(named)).map_err(|e| e.to_string())?;
    let (a, b) = (&models.a, &models.b);
    if b.name != store.name() {
        return Err(format!("the candidate is '{}', and {named} holds '{}'", b.name, store.name()));
    }
    let champion = store.aliases().map_err(|e| e.to_string())?.get(CHAMPION).cloned().unwrap_or_default();
    if champion != a.version {
        return Err(format!("version {} runs as a, and the champion of {named} is '{champion}'", a.version));
    }
    let moved = store.promote(Some(&b.version), note).map_err(|e| e.to_string())?;
    Ok(format!("champion of {named}: {} → {}", moved.from.unwrap_or_default(), moved.to))
}
