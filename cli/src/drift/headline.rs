// SPDX-License-Identifier: MPL-2.0
//! What is known, in one sentence: when what drifted, or that nothing did.

use andon_report::words::{self, counted};
use andon_statistics::meter::{FeatureReport, State};

use super::{
    course::{Alarm, Change, Course},
    words::feature,
};

/// Alarms that a sentence has room for.
const MOST_ALARMS: usize = 3;

/// A few words, and the sentence that they stand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// `Drift: lighting`, for instance.
    pub what: String,
    /// The sentence.
    pub sentence: String,
}

/// The headline over a record.
pub fn headline(course: &Course) -> Headline {
    let end = course.span.1;
    let Some(from) = course.watched_from() else {
        return Headline {
            what: "Still learning".into(),
            sentence: format!(
                "The reference was still being learned at the last frame, {end}: nothing could be compared."
            ),
        };
    };
    let alarms = course.alarms();
    let (what, sentence) = match &alarms[..] {
        [] => {
            let warnings = course.changes.iter().filter(|c| c.state == State::Warning).count() as u64;
            let more = match warnings {
                0 => String::new(),
                n => format!("; {} came to nothing", counted(n, "warning", "warnings")),
            };
            let watched = counted(course.watched(), "frame", "frames");
            ("No drift".to_string(), format!("Nothing drifted in the {watched} watched, {from} to {end}{more}."))
        }
        [alarm] => (format!("Drift: {}", alarm.began.cause), one(course, alarm)),
        several => {
            let mut named: Vec<_> = several
                .iter()
                .take(MOST_ALARMS)
                .map(|a| format!("{} at frame {}", a.began.cause, found(course, &a.began)))
                .collect();
            if several.len() > MOST_ALARMS {
                named.push(format!("{} more", several.len() - MOST_ALARMS));
            }
            let last = named.pop().unwrap_or_default();
            let ongoing = match several.last().is_some_and(|a| a.until.is_none()) {
                true => "; the last was not over at the end",
                false => "",
            };
            let mut causes: Vec<_> = several.iter().map(|a| a.began.cause).collect();
            causes.dedup();
            causes.truncate(MOST_ALARMS);
            let sentence = format!(
                "There were {} alarms from frame {from} to {end}: {} and {last}{ongoing}.",
                several.len(),
                named.join(", ")
            );
            (format!("Drift: {}", causes.join(", ")), sentence)
        }
    };
    Headline { what, sentence }
}

fn one(course: &Course, alarm: &Alarm) -> String {
    let Alarm { began, until, .. } = alarm;
    let off = began.off.first().map(|f| format!(", with {}", off(f))).unwrap_or_default();
    let lasted = match until {
        Some(until) => format!("was over at frame {until}"),
        None => format!("lasted to the last frame, {}", course.span.1),
    };
    format!(
        "Drift by {} since frame {} was found at frame {}{off}, and {lasted}.",
        began.cause,
        began.since,
        found(course, began)
    )
}

fn found(course: &Course, change: &Change) -> String {
    let at = course.time(change.pts_ns).map(|ns| format!(" ({})", words::seconds(ns))).unwrap_or_default();
    format!("{}{at}", change.number)
}

/// A feature that is off: how far, and from what.
fn off(f: &FeatureReport) -> String {
    let (name, _) = feature(&f.name);
    let name = f.of.as_ref().map_or(name.clone(), |of| format!("{name} ({of})"));
    let name = if name == f.name { name } else { name.to_lowercase() };
    format!(
        "{name} {} instead of {} ({} σ)",
        words::value(f.value, f.sigma),
        words::value(f.reference, f.sigma),
        words::effect(f.effect)
    )
}

#[cfg(test)]
mod tests {
    use super::{super::course::tests::course, *};

    fn of(documents: &[(u64, &str, &str, f64)]) -> (String, String) {
        let Headline { what, sentence } = headline(&course(documents));
        (what, sentence)
    }

    #[test]
    fn one_alarm_is_told_whole() {
        let (what, sentence) = of(&[(0, "learning", "", 0.5), (10, "ok", "", 0.5), (20, "drift", "lighting", 0.4)]);
        assert_eq!(what, "Drift: lighting");
        assert_eq!(
            sentence,
            "Drift by lighting since frame 18 was found at frame 20 (20.0 s), with luma 0.400 instead of 0.500 (−10.0 σ), and lasted to the last frame, 20."
        );
    }

    #[test]
    fn no_alarm_is_told_as_such_and_warnings_are_not_hidden() {
        let (what, sentence) = of(&[(10, "ok", "", 0.5), (20, "warning", "focus", 0.5), (30, "ok", "", 0.5)]);
        assert_eq!(what, "No drift");
        assert_eq!(sentence, "Nothing drifted in the 20 frames watched, 10 to 30; 1 warning came to nothing.");
    }

    #[test]
    fn many_alarms_are_counted() {
        let many: Vec<_> =
            (0..5).flat_map(|n| [(20 * n, "ok", "", 0.5), (20 * n + 9, "drift", "focus", 0.5)]).collect();
        let (what, sentence) = of(&many);
        assert_eq!(what, "Drift: focus");
        assert_eq!(
            sentence,
            "There were 5 alarms from frame 0 to 89: focus at frame 9 (9.0 s), focus at frame 29 (29.0 s), focus at frame 49 (49.0 s) and 2 more; the last was not over at the end."
        );
    }

    #[test]
    fn a_meter_that_never_learned_is_no_all_clear() {
        assert_eq!(of(&[(0, "learning", "", 0.5), (9, "learning", "", 0.5)]).0, "Still learning");
    }
}
