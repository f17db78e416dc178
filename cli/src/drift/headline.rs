// SPDX-License-Identifier: MPL-2.0
//! The headline of a record: what drifted and when, or that nothing did.

use andon_report::words::{self, counted};
use andon_statistics::meter::{FeatureReport, State};

use super::{
    course::{Alarm, Course},
    times::{Place, Scale},
    words::feature,
};

/// Most alarms in a sentence.
const MOST_ALARMS: usize = 3;

/// A few words, and the sentence that they stand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// A few words, such as `Drift: lighting`.
    pub what: String,
    /// The sentence.
    pub sentence: String,
}

/// Returns the headline of a record.
pub fn headline(course: &Course) -> Headline {
    let scale = course.scale();
    let when = |place: &Place| scale.when(&course.place(place));
    let end = when(&course.end());
    let Some(from) = course.watched_from() else {
        return Headline {
            what: "Still learning".into(),
            sentence: format!("The meter was still learning at the end, {end}: nothing could alarm.{}", waits(course)),
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
            (
                "No drift".to_string(),
                format!("Nothing drifted in the {watched} watched, {} to {end}{more}.", when(&from)),
            )
        }
        [alarm] => (format!("Drift: {}", alarm.began.cause), one(course, alarm)),
        several => {
            let named = |a: &Alarm| format!("{} since {}", a.began.cause, when(&a.began.since));
            let mut told: Vec<_> = several.iter().take(MOST_ALARMS).map(named).collect();
            if several.len() > MOST_ALARMS {
                told.push(format!("{} more", several.len() - MOST_ALARMS));
            }
            let last = told.pop().unwrap_or_default();
            let ongoing = match several.last().is_some_and(|a| a.until.is_none()) {
                true => "; the last was not over at the end",
                false => "",
            };
            let mut causes: Vec<_> = several.iter().map(|a| a.began.cause).collect();
            causes.dedup();
            causes.truncate(MOST_ALARMS);
            let sentence = format!(
                "There were {} alarms from {} to {end}: {} and {last}{ongoing}.",
                several.len(),
                when(&from),
                told.join(", ")
            );
            (format!("Drift: {}", causes.join(", ")), sentence)
        }
    };
    Headline { what, sentence }
}

/// Returns what learning waited for at the end.
fn waits(course: &Course) -> String {
    let learning = course.last.as_ref().and_then(|last| last.learning.as_ref());
    learning.map(|l| format!(" It had learned {l}.")).unwrap_or_default()
}

fn one(course: &Course, alarm: &Alarm) -> String {
    let scale = course.scale();
    let Alarm { began, sure, until, .. } = alarm;
    let since = course.place(&began.since);
    let mut where_: Vec<_> = (!began.part.is_empty()).then(|| format!("part {}", began.part)).into_iter().collect();
    // Where there is no time, the frame has been named already.
    if scale.x(&since).is_some() && scale != Scale::Frames {
        where_.push(format!("frame {}", since.number));
    }
    let where_ = if where_.is_empty() { String::new() } else { format!(", {},", where_.join(", ")) };
    let found = match began.at.after(&since, scale) {
        Some(ns) => format!("found {} later, at frame {}", words::duration(ns), began.number),
        None => format!("found at frame {}", began.number),
    };
    let off = began.off.first().map(|f| format!(", with {}", off(f))).unwrap_or_default();
    let end = until.unwrap_or(course.end());
    let held = end.after(&since, scale).map(|ns| format!(" for {}", words::duration(ns))).unwrap_or_default();
    let lasted = match until {
        Some(until) => format!("lasted{held} until {}", scale.when(until)),
        None => format!("lasted{held} to the end, {}", scale.when(&end)),
    };
    let sure = sure.map(|s| format!(" Its score came to {} its threshold.", times(s))).unwrap_or_default();
    let shares = match &began.shares[..] {
        [] => String::new(),
        shares => format!(" Causes: {}.", shares.join(", ")),
    };
    format!(
        "Drift by {} since {}{where_} was {found}{off}, and {lasted}.{sure}{shares}",
        began.cause,
        scale.when(&since)
    )
}

/// A multiple, in words.
pub fn times(multiple: f64) -> String {
    let digits = if multiple < 10.0 { 1 } else { 0 };
    format!("{multiple:.digits$} times")
}

/// Returns a feature that is off: how far, and from what.
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
    use andon_statistics::{
        cause::Cause,
        meter::{CauseShare, Moment, TimeOf},
    };

    use super::{
        super::course::tests::{course, report},
        *,
    };

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
            "Drift by lighting since 0:18 of the stream, frame 18, was found 2.0 s later, at frame 20, with luma 0.400 \
             instead of 0.500 (−10.0 σ), and lasted for 2.0 s to the end, 0:20 of the stream. Its score came to 5.0 times \
             its threshold."
        );
    }

    #[test]
    fn an_alarm_is_told_by_the_clock_the_part_and_its_shares_where_they_are_known() {
        // 2026-03-02 13:03:12 UTC, by a camera an hour ahead.
        let moment = |s: u64| Moment {
            utc_ns: Some((1_772_456_592 + s) * 1_000_000_000),
            time_of: Some(TimeOf::Capture),
            local: Some("2026-03-02T14:03:12.000+01:00".into()),
            part: "B-1234".into(),
            ..Moment::default()
        };
        let mut course = Course::default();
        for (n, state, cause) in [(0, "ok", ""), (60, "drift", "lighting"), (780, "drift", "lighting")] {
            let mut report = report(n, state, cause, 0.4);
            report.now = Some(moment(n));
            report.since = Some(moment(58));
            let share = |cause, share| CauseShare { cause: Some(cause), share };
            report.causes = vec![share(Cause::Lighting, 0.8), share(Cause::Colour, 0.2)];
            report.sure = Some(n as f64 / 97.5);
            course.add(report, n, 58);
        }
        assert_eq!(
            headline(&course).sentence,
            "Drift by lighting since 14:04:10 (UTC 13:04:10), part B-1234, frame 58, was found 2.0 s later, at frame 60, with \
             luma 0.400 instead of 0.500 (−10.0 σ), and lasted for 12 min to the end, 14:16:12 (UTC 13:16:12). Its score \
             came to 8.0 times its threshold. Causes: 80 % lighting, 20 % colour."
        );
    }

    #[test]
    fn no_alarm_is_told_as_such_and_warnings_are_not_hidden() {
        let (what, sentence) = of(&[(10, "ok", "", 0.5), (20, "warning", "focus", 0.5), (30, "ok", "", 0.5)]);
        assert_eq!(what, "No drift");
        assert_eq!(
            sentence,
            "Nothing drifted in the 20 frames watched, 0:10 of the stream to 0:30 of the stream; 1 warning came to nothing."
        );
    }

    #[test]
    fn many_alarms_are_counted() {
        let many: Vec<_> =
            (0..5).flat_map(|n| [(20 * n, "ok", "", 0.5), (20 * n + 9, "drift", "focus", 0.5)]).collect();
        let (what, sentence) = of(&many);
        assert_eq!(what, "Drift: focus");
        assert!(sentence.contains("focus since 0:07 of the stream, focus since 0:27 of the stream"), "{sentence}");
        assert!(sentence.ends_with("and 2 more; the last was not over at the end."), "{sentence}");
    }

    #[test]
    fn a_meter_that_never_learned_is_no_all_clear() {
        assert_eq!(of(&[(0, "learning", "", 0.5), (9, "learning", "", 0.5)]).0, "Still learning");
    }
}
