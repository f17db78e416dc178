// SPDX-License-Identifier: MPL-2.0
//! Reads recorded messages: JSON lines of `andon run --json`, or reports alone.

use std::{collections::BTreeMap, io::Read};

use andon_report::ModelOf;
use andon_statistics::meter::{DriftReport, Moment, SCHEMA, TimeOf};
use serde_json::{Deserializer, Value};

use super::course::Course;

/// Most models that are named: a record goes on for months.
const MOST_MODELS: usize = 12;
/// Advice on how to record.
const HOW: &str =
    "record one with `andon run FILE --json`, and set report-interval of driftmeter for points between alarms";

/// The record of one meter.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The reports, in order.
    pub course: Course,
    /// The name of the meter; empty if the record does not name it.
    pub meter: String,
    /// The models that gave verdicts on parts, the first one first.
    pub models: Vec<ModelOf>,
    /// Number of runs. Frame numbers begin anew with each run, and go on here.
    pub runs: u64,
    /// The line at which the file breaks off in the middle of a message, as after a kill or a full disk.
    pub torn: Option<usize>,
    /// Offset of the frame numbers of the latest run.
    base: u64,
    latest: u64,
}

impl Record {
    fn add(&mut self, report: DriftReport) {
        let frame = report.frame_id;
        if self.runs == 0 || frame < self.latest {
            self.base = if self.runs == 0 { 0 } else { self.course.span.1 + 1 };
            self.runs += 1;
        }
        self.latest = frame;
        let since = self.base + report.since_frame.min(frame);
        self.course.add(report, self.base + frame, since);
    }
}

/// Reads the record of the meter of that name, or of the only meter. The error says what is wrong and what to do.
pub fn read(text: impl Read, meter: Option<&str>) -> Result<Record, String> {
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    let mut torn = None;
    let mut models: Vec<ModelOf> = Vec::new();
    for (i, value) in Deserializer::from_reader(text).into_iter::<Value>().enumerate() {
        let value = match value {
            Ok(value) => value,
            // What stands before the torn end is whole.
            Err(e) if e.is_eof() && !records.is_empty() => {
                torn = Some(e.line());
                break;
            }
            Err(e) => return Err(broken(&e)),
        };
        let several = match value {
            Value::Array(values) => values,
            one => vec![one],
        };
        for message in several {
            let model = model(&message).filter(|model| models.len() < MOST_MODELS && !models.contains(model));
            models.extend(model);
            if let Some((mut meter, report)) = report(message).map_err(|what| format!("message {}: {what}", i + 1))? {
                // Every reference of a meter has a course of its own.
                if !report.key.is_empty() {
                    meter = format!("{meter}:{}", report.key);
                }
                records.entry(meter).or_default().add(report);
            }
        }
    }
    for (meter, record) in &mut records {
        (record.torn, record.meter, record.models) = (torn, meter.clone(), models.clone());
    }
    let names = records.keys().cloned().collect::<Vec<_>>().join(", ");
    match meter {
        _ if records.is_empty() => Err(format!("there is no drift report in it: {HOW}")),
        Some(meter) => records.remove(meter).ok_or(format!("no meter called '{meter}' is in it, but {names}")),
        None if records.len() > 1 => Err(format!("several meters are in it: choose one of {names} with --meter=NAME")),
        None => Ok(records.into_values().next().expect("it was just found not to be empty")),
    }
}

/// Returns the model of a verdict on a part, or None for a message of another kind.
fn model(message: &Value) -> Option<ModelOf> {
    let data = message.get("data").filter(|_| message["message"] == "andon/part-verdict")?;
    let model = data.get("model").filter(|model| model.is_object()).unwrap_or(data);
    let text = |field: &str| model.get(field).and_then(Value::as_str).unwrap_or_default().to_string();
    let name = text(if data["model"].is_object() { "name" } else { "model" });
    let role = data.get("arm").and_then(Value::as_str).map(|arm| format!("Arm {arm}")).unwrap_or_default();
    (!name.is_empty()).then(|| ModelOf { role, name, version: text("version"), digest: text("digest") })
}

/// Returns the meter and its report, or None for a message of another kind.
fn report(message: Value) -> Result<Option<(String, DriftReport)>, String> {
    let Value::Object(mut message) = message else { return Err("this is no message: it is not between braces".into()) };
    let meter = message.get("element").and_then(Value::as_str).unwrap_or_default().to_string();
    let posted = message.get("utc_ns").and_then(Value::as_u64);
    let data = match message.get("message").and_then(Value::as_str) {
        Some("andon/drift" | "andon/drift-report") => message.remove("data").unwrap_or_default(),
        Some(_) => return Ok(None),
        None => Value::Object(message),
    };
    match data["schema"].as_str() {
        Some(SCHEMA) => {}
        Some(drift) if drift.starts_with("andon.drift/") => {
            return Err(format!("its schema is '{drift}', and this version reads '{SCHEMA}'"));
        }
        // A document of another kind.
        _ => return Ok(None),
    }
    let mut report: DriftReport = serde_json::from_value(data).map_err(|e| format!("this is no drift report: {e}"))?;
    if report.now.is_none() {
        // An earlier version, which did not say when its frame was. `andon run` said when it heard of it.
        let (frame_id, pts_ns) = (report.frame_id, report.pts_ns);
        let heard =
            |ns| Moment { frame_id, pts_ns, utc_ns: Some(ns), time_of: Some(TimeOf::Arrival), ..Moment::default() };
        report.now = posted.map(heard);
    }
    Ok(Some((meter, report)))
}

fn broken(e: &serde_json::Error) -> String {
    match e.classify() {
        serde_json::error::Category::Io => format!("it cannot be read: {e}"),
        serde_json::error::Category::Eof => format!("line {} ends in the middle of a message", e.line()),
        _ => format!("line {} is no JSON ({e}): {HOW}", e.line()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(element: &str, frame: u64, state: &str) -> String {
        format!(
            r#"{{"message":"andon/drift-report","element":"{element}","data":{{"schema":"andon.drift/1","state":"{state}","since_frame":0,"frame_id":{frame},"features":[],"more":1}}}}"#
        )
    }

    fn read(text: &str, meter: Option<&str>) -> Result<Record, String> {
        super::read(text.as_bytes(), meter)
    }

    #[test]
    fn other_messages_are_passed_over_and_the_meter_is_heard() {
        let other = r#"{"message":"andon/part-verdict","element":"m","data":{"verdict":"ok","arm":"a","model":{"name":"pcb","version":"2","digest":"sha256:ab"}}}"#;
        let text = [other, &line("meter", 5, "ok"), "", other, &line("meter", 7, "drift")].join("\n");
        let record = read(&text, None).unwrap();
        assert_eq!((record.course.reports(), record.course.span, record.runs), (2, (5, 7), 1));
        let model =
            ModelOf { role: "Arm a".into(), name: "pcb".into(), version: "2".into(), digest: "sha256:ab".into() };
        assert_eq!((record.meter.as_str(), record.models), ("meter", vec![model]), "named once");
    }

    #[test]
    fn a_report_on_its_own_is_a_record_however_it_is_laid_out() {
        let report = "{\n \"schema\": \"andon.drift/1\",\n \"state\": \"ok\", \"since_frame\": 3,\n \"frame_id\": 9, \"features\": []\n}";
        for text in [report.to_string(), format!("[{report},{report}]")] {
            assert_eq!(read(&text, None).unwrap().course.span, (9, 9));
        }
    }

    #[test]
    fn frames_of_a_second_run_are_counted_on() {
        let text = [line("m", 0, "ok"), line("m", 90, "ok"), line("m", 0, "ok"), line("m", 9, "drift")].join("\n");
        let record = read(&text, None).unwrap();
        assert_eq!((record.runs, record.course.span), (2, (0, 100)));
    }

    #[test]
    fn of_several_meters_one_has_to_be_named() {
        let text = [line("left", 1, "ok"), line("right", 2, "ok")].join("\n");
        assert!(read(&text, None).unwrap_err().contains("left, right"));
        assert_eq!(read(&text, Some("right")).unwrap().course.span, (2, 2));
        assert!(read(&text, Some("middle")).unwrap_err().contains("left, right"));
    }

    #[test]
    fn every_reference_of_a_meter_has_a_course_of_its_own() {
        let of = |sku: &str| line("m", 1, "ok").replace("\"frame_id\"", &format!("\"key\":\"{sku}\",\"frame_id\""));
        let text = [of("A"), of("B")].join("\n");
        assert!(read(&text, None).unwrap_err().contains("m:A, m:B"));
        assert_eq!(read(&text, Some("m:B")).unwrap().course.reports(), 1);
    }

    #[test]
    fn a_torn_end_takes_nothing_from_what_stands_before_it_and_is_told() {
        let good = line("m", 1, "ok");
        let record = read(&format!("{good}\n{{\"message\": \"andon"), None).unwrap();
        assert_eq!((record.course.reports(), record.torn), (1, Some(2)));
        assert_eq!(read(&good, None).unwrap().torn, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let good = line("m", 1, "ok");
        let cases = [
            (String::new(), "no drift report in it"),
            ("{\"message\": \"andon".into(), "line 1 ends in the middle"),
            (format!("{good}\nmeter: drift state=ok"), "line 2 is no JSON"),
            (format!("{good}\n7"), "message 2: this is no message"),
            (good.replace("drift/1", "drift/9"), "andon.drift/9"),
            (good.replace("\"frame_id\":1,", ""), "message 1: this is no drift report: missing field `frame_id`"),
        ];
        for (text, says) in cases {
            let error = read(&text, None).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
