// SPDX-License-Identifier: MPL-2.0
//! What a frame gave rise to: messages, events and warnings.

use andon_statistics::{
    cause::Cause,
    meter::{DriftReport, MOST_KEYS},
};
use gst::{prelude::*, subclass::prelude::*};
use gst_base::prelude::*;

use super::{CAT, frames::Announcements, imp::DriftMeter, local_time::rfc3339};
use crate::meta::{
    event::{AndonEvent, Drift},
    message,
};

/// Most features that a message names in `off`; its `json` has all.
const MOST_NAMED: usize = 6;

impl DriftMeter {
    /// Posts and pushes what a frame gave rise to. The lock must be released.
    pub(super) fn announce(&self, announcements: Announcements) {
        let Announcements { changed, due, misfit, unreadable, left_out } = announcements;
        if let Some(misfit) = misfit {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{misfit}"));
        }
        if unreadable {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("a frame was not measured: its memory does not match its caps; 'stats' counts further ones")
            );
        }
        if left_out {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Settings,
                [
                    "reference-key has more than {MOST_KEYS} values: frames of further ones are not measured; 'stats' counts them"
                ]
            );
        }
        if let Some(mut report) = changed {
            report.localise(rfc3339);
            let (state, cause, json) = (report.state, report.cause, report.to_json());
            gst::info!(CAT, imp = self, "{} {} since frame {}", state.as_str(), cause_str(cause), report.since_frame);
            message::post(&*self.obj(), fields("andon/drift", &report), &json);
            let event = Drift { state, cause, since_frame: report.since_frame, json };
            // The event goes before the frame that showed the drift, which is pushed when this returns.
            self.obj().src_pad().push_event(AndonEvent::Drift(event).to_event());
            self.obj().notify("state");
            self.obj().notify("cause");
        }
        if let Some(mut report) = due {
            report.localise(rfc3339);
            message::post(&*self.obj(), fields("andon/drift-report", &report), &report.to_json());
        }
    }
}

/// Returns the name of a cause; empty if there is none.
fn cause_str(cause: Option<Cause>) -> &'static str {
    cause.map_or("", Cause::as_str)
}

fn fields(name: &str, report: &DriftReport) -> gst::Structure {
    let off: Vec<_> = report.off.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let mut s = gst::Structure::builder(name)
        .field("state", report.state.as_str())
        .field("cause", cause_str(report.cause))
        .field("since-frame", report.since_frame)
        .field("key", &*report.key)
        .field("off", off.join(", "))
        .build();
    write_facts(&mut s, report);
    s
}

/// Writes since when and how surely the state holds, and how far learning has come. What is not known is left out.
pub(super) fn write_facts(s: &mut gst::StructureRef, report: &DriftReport) {
    let causes: Vec<_> = report.causes.iter().map(ToString::to_string).collect();
    s.set("causes", causes.join(", "));
    if let Some(since) = &report.since {
        s.set("since-part", &since.part);
        s.set("since-local", since.local.as_deref().unwrap_or_default());
        s.set("time-of", since.time_of.map_or("", |of| of.as_str()));
        set(s, "since-utc", since.utc_ns);
        set(s, "since-pts", since.pts_ns);
    }
    set(s, "held", report.held_ns);
    set(s, "sure", report.sure);
    set(s, "effective-ticks", report.learning.as_ref().map_or(report.effective, |l| l.effective));
    if let Some(learning) = &report.learning {
        s.set("learned-frames", learning.frames);
        s.set("least-frames", learning.least);
        set(s, "most-frames", learning.most);
        set(s, "effective-wanted", learning.wanted);
        s.set("waits-for", learning.waits_for.join("; "));
    }
    s.set("unit", &*report.unit);
    s.set("weak", report.weak.join("; "));
}

fn set<T: Into<glib::Value> + Send>(s: &mut gst::StructureRef, name: &str, value: Option<T>) {
    if let Some(value) = value {
        s.set(name, value);
    }
}
