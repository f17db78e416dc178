// SPDX-License-Identifier: MPL-2.0
//! The tables of a record, for the page and for Markdown.

use andon_report::{Table, words};

use andon_statistics::{detector::Calibration, meter::FeatureReport};

use super::{
    course::{Alarm, Change, Course, Feature},
    headline::times,
    times::Place,
};

/// Most states in their table.
const MOST_STATES: usize = 100;
/// Most features in a cell.
const MOST_NAMED: usize = 3;

/// The alarms, or None if there were none.
pub fn alarms(course: &Course) -> Option<Table> {
    let scale = course.scale();
    let row = |(i, alarm): (usize, &Alarm)| {
        let began = &alarm.began;
        let mut named: Vec<_> =
            began.off.iter().take(MOST_NAMED).map(|f| format!("{} {} σ", f.title(), words::effect(f.effect))).collect();
        if began.off.len() > MOST_NAMED {
            named.push(format!("{} more", began.off.len() - MOST_NAMED));
        }
        let since = course.place(&began.since);
        let took = |until: Place| until.after(&since, scale).map_or(words::UNKNOWN.into(), words::duration);
        let until = alarm.until.unwrap_or(course.end());
        let first = if began.shares.is_empty() { began.cause.into() } else { began.shares.join(", ") };
        let causes = [first].into_iter().chain(alarm.causes.iter().skip(1).map(ToString::to_string));
        vec![
            (i + 1).to_string(),
            causes.collect::<Vec<_>>().join(", then "),
            scale.when(&since),
            if began.part.is_empty() { words::UNKNOWN.into() } else { began.part.clone() },
            began.since.number.to_string(),
            began.number.to_string(),
            took(began.at),
            took(until),
            alarm.until.map_or("the end".into(), |place| scale.when(&place)),
            alarm.sure.map_or(words::UNKNOWN.into(), times),
            if named.is_empty() { words::UNKNOWN.into() } else { named.join("; ") },
        ]
    };
    let rows: Vec<_> = course.alarms().iter().enumerate().map(row).collect();
    let header = [
        "",
        "cause",
        "since",
        "part",
        "since frame",
        "found at",
        "found after",
        "lasted",
        "until",
        "of its threshold",
        "off, when found",
    ];
    (!rows.is_empty()).then(|| Table::new(header, rows))
}

/// The features that have moved, or those that have not, as in the last report.
pub fn features(course: &Course, moved: bool) -> Table {
    let header = [
        "feature",
        "value",
        "reference",
        "σ",
        "effect, σ",
        "largest in alarm",
        "sum, of threshold",
        "KS D",
        "PSI",
        "window, of threshold",
        "thresholds are",
    ];
    let Some(last) = &course.last else { return Table::new(header, Vec::new()) };
    let share = |v: Option<f64>| v.map_or("–".into(), |v| format!("{v:.2}"));
    let of = |score: Option<f64>, threshold: Option<f64>| match (score, threshold) {
        (Some(score), Some(threshold)) => format!("{score:.1} of {threshold:.1}"),
        _ => "–".into(),
    };
    let row = |f: &FeatureReport| {
        let seen = course.features.iter().find(|seen| seen.name == f.name);
        let calibration = f.calibration.or(last.calibration).filter(|_| f.threshold.is_some());
        vec![
            f.title(),
            words::value(f.value, f.sigma),
            words::value(f.reference, f.sigma),
            words::value(f.sigma, f.sigma),
            words::effect(f.effect),
            words::effect(seen.filter(|s| s.largest != 0.0).map(|s| s.largest)),
            of(f.score, f.threshold),
            share(f.ks),
            share(f.psi),
            of(f.window_score, f.window_threshold),
            calibration.map_or("–", Calibration::as_str).into(),
        ]
    };
    let has_moved = |f: &&FeatureReport| course.features.iter().any(|seen| seen.name == f.name && seen.moved);
    let known = last.features.iter().filter(|f| f.value.is_some() || f.reference.is_some());
    let known: Vec<_> = known.filter(|f| has_moved(f) == moved).collect();
    let mut table = Table::new(header, known.iter().map(|f| row(f)).collect());
    for (row, f) in known.iter().enumerate() {
        table.link(row, 0, course.plot_of(&f.name).map(|id| format!("#{id}")));
    }
    table
}

/// The states one after the other, each with its times, and the alarm that it belongs to.
pub fn states(course: &Course) -> Table {
    let scale = course.scale();
    let place = |number: u64| course.place(&Place { number, ..Place::default() });
    let row = |(change, (from, to)): (&Change, (u64, u64))| {
        let (began, over) = (course.place(&change.at), place(to));
        let lasted = over.after(&began, scale).map_or(words::counted(to - from, "frame", "frames"), words::duration);
        let cause = if change.cause.is_empty() { words::UNKNOWN } else { change.cause };
        vec![scale.when(&began), change.state.as_str().into(), cause.into(), lasted]
    };
    let mut table =
        Table::new(["from", "state", "cause", "lasted"], course.states().take(MOST_STATES).map(row).collect());
    let alarms = course.alarms();
    for (row, (change, _)) in course.states().take(MOST_STATES).enumerate() {
        let alarm = alarms.iter().position(|a| a.began.number == change.number);
        table.link(row, 1, alarm.map(|at| format!("#alarm-{}", at + 1)));
    }
    table
}

/// The features without any value.
pub fn unknown(course: &Course) -> Vec<&str> {
    let known = |f: &&Feature| f.points.iter().any(|p| p.1.is_finite());
    course.features.iter().filter(|f| !known(f)).map(|f| f.name.as_str()).collect()
}
