// SPDX-License-Identifier: MPL-2.0
//! The sidecar of an image, schema `andon.capture/1`, and the names of both files.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use andon_core::result::{Fields, Frame, Inference, Part};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    frame::{FrameKey, HeldFrame, replace_result},
    maps::{self, MapImage},
    queue::{Change, Job},
    trigger::{Tag, Trigger},
};

/// The name of the schema, which every sidecar carries.
pub const CAPTURE_SCHEMA: &str = "andon.capture/1";

/// Longest reason in a file name, in characters.
const LONGEST_REASON: usize = 32;

/// All that is known of a captured frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Always [`CAPTURE_SCHEMA`].
    pub schema: String,
    /// The file name of the image, in the same folder.
    pub file: String,
    /// The name of the element that captured the frame.
    pub element: Arc<str>,
    /// The process start that the frame id belongs to.
    pub run: Uuid,
    /// The frame id, unique within the run.
    pub frame_id: u64,
    /// The part that the frame shows. Without one, the frame is a part of its own.
    pub part: Option<Arc<Part>>,
    /// How the part got its id: `told` by the stream, or as the property `part-by` has it, such as `field:serial`. None if
    /// nothing names a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_by: Option<String>,
    /// Presentation time, ns.
    pub pts_ns: Option<u64>,
    /// When the camera took the frame, UTC, ns.
    pub captured_utc_ns: Option<u64>,
    /// When the image was written, UTC, ns.
    pub written_utc_ns: u64,
    /// The caps of the stream.
    pub caps: Arc<str>,
    /// Width and height, pixels.
    pub size: [u32; 2],
    /// Why the frame was captured; at least one reason.
    pub triggers: Vec<Tag>,
    /// The named fields at this frame.
    pub fields: Arc<Fields>,
    /// The result of every arm, late ones included.
    pub results: Vec<Arc<Inference>>,
    /// Masks and maps of the results that were known when the image was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pixels: Vec<MapImage>,
}

impl Sidecar {
    /// Makes the sidecar of an image of `size` pixels.
    pub(crate) fn new<H: HeldFrame>(job: &Job<H>, size: [u32; 2]) -> Self {
        let frame = &job.frame;
        let results = frame.results();
        Self {
            schema: CAPTURE_SCHEMA.into(),
            file: format!("{}.{}", stem(job), job.encoder.extension()),
            element: job.element.clone(),
            run: frame.identity.run,
            frame_id: frame.identity.id,
            part: frame.identity.part.clone(),
            part_by: part_by(&frame.identity),
            pts_ns: frame.pts_ns,
            captured_utc_ns: frame.identity.captured_utc_ns,
            written_utc_ns: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos() as u64),
            caps: frame.caps.clone(),
            size,
            triggers: job.tags.clone(),
            fields: frame.fields.clone(),
            pixels: maps::all(&results),
            results,
        }
    }

    /// Returns the name of the frame.
    pub(crate) fn key(&self) -> FrameKey {
        (self.run, self.frame_id)
    }

    /// Adds a change. Returns false if the sidecar says as much already.
    pub(crate) fn amend(&mut self, change: &Change) -> bool {
        match change {
            Change::Result(i) => {
                if self.results.contains(i) {
                    return false;
                }
                replace_result(&mut self.results, i.clone());
            }
            Change::Tag(tag) => {
                if self.triggers.contains(tag) {
                    return false;
                }
                self.triggers.push(tag.clone());
            }
        }
        true
    }

    /// Returns the text of the file.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}

/// Returns how the part of a frame got its id.
fn part_by(frame: &Frame) -> Option<String> {
    frame.part.as_ref()?;
    let rule = frame.first.as_ref().map(|first| &first.part_by).filter(|by| by.says());
    Some(rule.map_or_else(|| "told".into(), ToString::to_string))
}

/// Returns the name of both files without extension: run, frame, a number that no other capture of the run has, and the
/// reason in letters that are safe everywhere. Nothing of the stream gets into a name: of all reasons only the action's
/// does, which the application gives.
fn stem<H: HeldFrame>(job: &Job<H>) -> String {
    let reason = match job.tags.first() {
        Some(tag) if tag.trigger == Trigger::Action => safe(&tag.reason),
        Some(tag) => tag.trigger.as_str().into(),
        None => safe(""),
    };
    let (run, id) = job.frame.key();
    format!("{}-{id:08}-{:06}-{reason}", run.simple(), job.number)
}

/// Reduces a reason to lower-case letters, digits and single dashes; to `capture` if nothing is left.
fn safe(reason: &str) -> String {
    let mut out = String::new();
    for c in reason.chars() {
        match c {
            _ if out.len() >= LONGEST_REASON => break,
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            _ if out.is_empty() || out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "capture".into() } else { out.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Quota, Role, testing::frame};
    use andon_core::result::{Arm, First, Verdict};
    use std::path::Path;

    fn tag(trigger: Trigger, reason: &str) -> Tag {
        Tag { trigger, reason: reason.into(), role: Role::Hit, offset: 0 }
    }

    fn job(tag: Tag) -> Job<super::super::testing::Flat> {
        let folder = Path::new("nowhere").into();
        Job {
            folder,
            element: "s".into(),
            frame: frame(12, Vec::new()),
            tags: vec![tag],
            number: 3,
            encoder: Arc::default(),
            min_distance: 0,
            quota: Quota::default(),
        }
    }

    #[test]
    fn a_reason_can_neither_leave_the_folder_nor_hide_the_file() {
        assert_eq!(safe("../../etc/passwd"), "etc-passwd");
        assert_eq!(safe(".hidden\0\n"), "hidden");
        assert_eq!(safe("Line 3: scratch?"), "line-3-scratch");
        assert_eq!(safe("日本"), "capture");
        assert_eq!(safe(&"x".repeat(500)).len(), LONGEST_REASON);
    }

    #[test]
    fn nothing_of_the_stream_gets_into_a_name() {
        let name = stem(&job(tag(Trigger::Drift, "../lighting")));
        assert!(name.ends_with("-00000012-000003-drift"), "{name}");
    }

    #[test]
    fn the_json_keeps_the_published_names() {
        let json = Sidecar::new(&job(tag(Trigger::Action, "look")), [4, 2]).to_json();
        let v: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(v["schema"], CAPTURE_SCHEMA);
        assert!(v["file"].as_str().unwrap().ends_with("-look.png"));
        assert_eq!((v["frame_id"].as_u64(), v["pts_ns"].as_u64()), (Some(12), Some(480)));
        assert_eq!(v["triggers"][0]["role"], "hit");
        assert_eq!(v["triggers"][0]["trigger"], "action");
        assert_eq!((&v["size"], v.get("part_by")), (&serde_json::json!([4, 2]), None));
        assert_eq!(serde_json::from_str::<Sidecar>(&json).unwrap().to_json(), json);
    }

    #[test]
    fn it_says_how_the_part_got_its_id() {
        let part = Arc::new(Part { id: "A-7".into(), ..Part::default() });
        for (by, said) in [(None, "told"), (Some(""), "told"), (Some("field:serial"), "field:serial")] {
            let first = by.map(|by| Arc::new(First { element: "m".into(), part_by: by.parse().unwrap() }));
            let frame = Frame { first, ..Frame::new(Some(part.clone())) };
            assert_eq!(part_by(&frame).as_deref(), Some(said));
        }
        assert_eq!(part_by(&Frame::new(None)), None);
    }

    #[test]
    fn a_late_result_replaces_the_arms_first_and_a_repeated_one_changes_nothing() {
        let mut sidecar = Sidecar::new(&job(tag(Trigger::Ng, "")), [4, 2]);
        let mut i = Inference::new("m".into(), Arm::B, &frame(12, Vec::new()).identity, [4, 2]);
        assert!(sidecar.amend(&Change::Result(Arc::new(i.clone()))));
        assert!(!sidecar.amend(&Change::Result(Arc::new(i.clone()))));
        i.verdict = Verdict::Ng;
        assert!(sidecar.amend(&Change::Result(Arc::new(i))));
        assert_eq!((sidecar.results.len(), sidecar.results[0].verdict), (1, Verdict::Ng));
    }
}
