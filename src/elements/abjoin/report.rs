// SPDX-License-Identifier: MPL-2.0
//! The comparison and the judgement as GStreamer's structures: `stats` and the messages.

use std::sync::Arc;

use andon_core::result::{ModelId, Verdict};
use andon_statistics::{
    agreement::{AgreementReport, ArmParts, Boxes, Disagreement, Each, Frames, Latency, Recent, Scored},
    trial::{TrialReport, Wanted},
};
use gst::prelude::*;

use crate::meta::message;

/// Posts `andon/ab`.
pub(super) fn post_report(element: &impl IsA<gst::Element>, report: &AgreementReport) {
    let mut s = gst::Structure::builder("andon/ab").field("compared", report.compared).build();
    set_known(&mut s, "agreement", report.agreement);
    set_known(&mut s, "kappa", report.kappa);
    message::post(element, s, &json(report));
}

/// Posts `andon/disagreement`.
pub(super) fn post_disagreement(element: &impl IsA<gst::Element>, d: &Disagreement) {
    let s = gst::Structure::builder("andon/disagreement")
        .field("id", &d.id)
        .field("verdict-a", d.a.verdict.as_str())
        .field("verdict-b", d.b.verdict.as_str())
        .field("frame-id", d.frame_id)
        .build();
    message::post(element, s, &json(d));
}

/// Posts `andon/label-wanted`.
pub(super) fn post_wanted(element: &impl IsA<gst::Element>, w: &Wanted) {
    let name = |verdict: Option<Verdict>| verdict.map_or("", Verdict::as_str);
    let s = gst::Structure::builder("andon/label-wanted")
        .field("id", &w.id)
        .field("frame-id", w.frame_id)
        .field("verdict-a", name(w.a))
        .field("verdict-b", name(w.b))
        .field("probability", w.probability)
        .build();
    message::post(element, s, &json(w));
}

/// The `json` of `andon/ab-judgement`.
#[derive(serde::Serialize)]
struct JudgementDocument<'a> {
    #[serde(flatten)]
    ruling: &'a TrialReport,
    models: &'a Each<Arc<ModelId>>,
    acted: Option<&'a str>,
}

/// Posts `andon/ab-judgement`. `acted` says what was done about it.
pub(super) fn post_judgement(
    element: &impl IsA<gst::Element>,
    ruling: &TrialReport,
    models: &Each<Arc<ModelId>>,
    acted: Option<&str>,
) {
    let judgement = &ruling.judgement;
    let mut s = gst::Structure::builder("andon/ab-judgement")
        .field("decision", judgement.decision.as_str())
        .field("design", judgement.design.as_str())
        .field("reasons", judgement.reasons.join("; "))
        .build();
    if let Some(needed) = judgement.labels.needed {
        s.set("labels-needed", needed);
    }
    if let Some(acted) = acted {
        s.set("acted", acted);
    }
    message::post(element, s, &json(&JudgementDocument { ruling, models, acted }));
}

/// Makes the structure `stats` of a report. It leaves out what is not known yet.
pub(super) fn structure(report: &AgreementReport) -> gst::Structure {
    let mut s = gst::Structure::new_empty("andon-abjoin-stats");
    s.set("mode", report.mode.as_str());
    let Frames { a, b, paired, late, dropped, missing, strangers, b_without_outcome } = report.frames;
    let t = report.parts;
    for (name, value) in [
        ("frames-a", a),
        ("frames-b", b),
        ("paired", paired),
        ("late", late),
        ("dropped", dropped),
        ("missing", missing),
        ("strangers", strangers),
        ("b-without-outcome", b_without_outcome),
        ("compared", report.compared),
        ("ok-ok", t.ok_ok),
        ("ok-ng", t.ok_ng),
        ("ng-ok", t.ng_ok),
        ("ng-ng", t.ng_ng),
        ("review", report.aside.review),
        ("unjudged", report.aside.unjudged),
        ("not-production", report.aside.not_production),
        ("a-errors", report.errors.a),
        ("b-errors", report.errors.b),
        ("a-skipped", report.skipped.a),
        ("b-skipped", report.skipped.b),
    ] {
        s.set(name, value);
    }
    set_known(&mut s, "agreement", report.agreement);
    set_known(&mut s, "kappa", report.kappa);
    set_known(&mut s, "prevalence", report.prevalence);
    set_latency(&mut s, "", &report.latency_us);
    for (arm, parts, scored) in [("a", report.arms.a, report.truth.a), ("b", report.arms.b, report.truth.b)] {
        let ArmParts { ok, ng, review, unjudged } = parts;
        let Scored { caught, escapes, overkill, passed, undecided } = scored;
        for (name, value) in [
            ("parts-ok", ok),
            ("parts-ng", ng),
            ("parts-review", review),
            ("parts-unjudged", unjudged),
            ("caught", caught),
            ("escapes", escapes),
            ("overkill", overkill),
            ("passed", passed),
            ("undecided", undecided),
        ] {
            s.set(format!("{arm}-{name}"), value);
        }
    }
    s.set("boxes", boxes("boxes", &report.boxes));
    let mut classes = gst::Structure::new_empty("classes");
    for (label, class) in &report.classes {
        classes.set(label.as_ref(), boxes("boxes", class));
    }
    s.set("classes", classes);
    set_window(&mut s, &report.window);
    s
}

/// Adds the statistics of the last parts, under the names of those of the run with `window-` in front.
fn set_window(s: &mut gst::Structure, window: &Recent) {
    let t = window.parts;
    for (name, value) in [
        ("window-of", window.of),
        ("window-compared", window.compared),
        ("window-ok-ok", t.ok_ok),
        ("window-ok-ng", t.ok_ng),
        ("window-ng-ok", t.ng_ok),
        ("window-ng-ng", t.ng_ng),
        ("window-a-errors", window.errors.a),
        ("window-b-errors", window.errors.b),
        ("window-a-skipped", window.skipped.a),
        ("window-b-skipped", window.skipped.b),
    ] {
        s.set(name, value);
    }
    set_known(s, "window-agreement", window.agreement);
    set_known(s, "window-kappa", window.kappa);
    set_known(s, "window-prevalence", window.prevalence);
    set_latency(s, "window-", &window.latency_us);
    s.set("window-boxes", boxes("boxes", &window.boxes));
}

fn set_latency(s: &mut gst::Structure, prefix: &str, latency: &Each<Latency>) {
    for (arm, Latency { p50, p95, p99 }) in [("a", latency.a), ("b", latency.b)] {
        for (name, value) in [("p50", p50), ("p95", p95), ("p99", p99)] {
            s.set(format!("{prefix}{arm}-latency-{name}-us"), value);
        }
    }
}

fn boxes(name: &str, b: &Boxes) -> gst::Structure {
    gst::Structure::builder(name)
        .field("matched", b.matched)
        .field("a-only", b.a_only)
        .field("b-only", b.b_only)
        .field("mean-iou", b.mean_iou)
        .field("mean-score-difference", b.mean_score_difference)
        .build()
}

fn set_known(s: &mut gst::Structure, name: &str, value: Option<f64>) {
    if let Some(value) = value {
        s.set(name, value);
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data with string keys always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame, Inference, Verdict};
    use andon_statistics::agreement::Agreement;

    #[test]
    fn stats_have_the_run_the_last_parts_and_the_frames_of_each_arm_alone() {
        gst::init().unwrap();
        let result = |arm, verdict| {
            let mut result = Inference::new("m".into(), arm, &Frame::new(None), [8, 8]);
            (result.verdict, result.latency_us) = (verdict, 7);
            result
        };
        let mut agreement = Agreement::new(2, 1);
        for b in [Verdict::Ng, Verdict::Ok, Verdict::Ok] {
            agreement.pair(&result(Arm::A, Verdict::Ok), &result(Arm::B, b), None, 0);
        }
        let s = structure(&agreement.report(Frames::default()));
        let count = |s: &gst::Structure, name: &str| s.get::<u64>(name).unwrap();
        let both = ["compared", "ok-ng", "window-compared", "window-of", "window-ok-ng"].map(|name| count(&s, name));
        assert_eq!((s.get::<&str>("mode").unwrap(), both), ("paired", [3, 1, 2, 2, 0]));
        assert_eq!((s.get::<f64>("window-agreement").unwrap(), s.has_field("window-kappa")), (1.0, false));
        agreement.alone(Arm::B, &result(Arm::B, Verdict::Review), None, 0);
        let s = structure(&agreement.report(Frames::default()));
        let alone = ["b-parts-ok", "b-parts-ng", "b-parts-review", "a-parts-ok", "window-compared", "window-of"];
        assert_eq!((s.get::<&str>("mode").unwrap(), alone.map(|name| count(&s, name))), ("split", [2, 1, 1, 3, 1, 2]));
        assert_eq!((count(&s, "b-latency-p99-us"), count(&s, "window-a-latency-p50-us")), (7, 7));
    }
}
