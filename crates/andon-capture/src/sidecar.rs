// SPDX-License-Identifier: MPL-2.0
//! What is written beside an image: schema `andon.capture/1`; and the names of both files.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use andon_core::result::{Fields, Inference, Part};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Change, FrameKey, HeldFrame, Job, Tag, Trigger,
    maps::{self, MapImage},
    replace_result,
};

/// The schema name that every sidecar starts with.
pub const CAPTURE_SCHEMA: &str = "andon.capture/1";

/// Longest piece of a reason in a file name.
const LONGEST_REASON: usize = 32;

/// All that is known of a captured frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Always [`CAPTURE_SCHEMA`].
    pub schema: String,
    /// The image's file name, in the same folder.
    pub file: String,
    /// Name of the element that kept it.
    pub element: Arc<str>,
    /// The process start that the frame id belongs to.
    pub run: Uuid,
    /// Unique within the run.
    pub frame_id: u64,
    /// The part that the frame shows; none means that it is a part of its own.
    pub part: Option<Arc<Part>>,
    /// Presentation time.
    pub pts_ns: Option<u64>,
    /// When the camera took it, UTC.
    pub captured_utc_ns: Option<u64>,
    /// When the image was written, UTC.
    pub written_utc_ns: u64,
    /// The caps of the stream that it was taken from.
    pub caps: Arc<str>,
    /// Width and height, pixels.
    pub size: [u32; 2],
    /// Why it was kept; at least one.
    pub triggers: Vec<Tag>,
    /// Values of the named fields at this frame.
    pub fields: Arc<Fields>,
    /// The outcome of every arm that is known, those that came late too.
    pub results: Vec<Arc<Inference>>,
    /// Masks and maps of these, as far as they were there when the image was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pixels: Vec<MapImage>,
}

impl Sidecar {
    /// What goes beside the image of a job, which is `size` pixels.
    pub(super) fn new<H: HeldFrame>(job: &Job<H>, size: [u32; 2]) -> Self {
        let shot = &job.shot;
        let results = shot.results();
        Self {
            schema: CAPTURE_SCHEMA.into(),
            file: format!("{}.{}", stem(job), job.look.extension()),
            element: job.element.clone(),
            run: shot.frame.run,
            frame_id: shot.frame.id,
            part: shot.frame.part.clone(),
            pts_ns: shot.pts_ns,
            captured_utc_ns: shot.frame.captured_utc_ns,
            written_utc_ns: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos() as u64),
            caps: shot.caps.clone(),
            size,
            triggers: job.tags.clone(),
            fields: shot.fields.clone(),
            pixels: maps::all(&results),
            results,
        }
    }

    /// The name of the frame.
    pub fn key(&self) -> FrameKey {
        (self.run, self.frame_id)
    }

    /// Takes in what came later; false where it says nothing new.
    pub(super) fn amend(&mut self, change: &Change) -> bool {
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

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}

/// The common part of both names: run, frame, a number that no other capture of the run has, and the reason in letters
/// that are safe everywhere. Nothing of it comes from the stream: of the reasons only the action's is let in, which the
/// application gives.
pub(super) fn stem<H: HeldFrame>(job: &Job<H>) -> String {
    let reason = match job.tags.first() {
        Some(tag) if tag.trigger == Trigger::Action => safe(&tag.reason),
        Some(tag) => tag.trigger.as_str().into(),
        None => safe(""),
    };
    let (run, id) = job.shot.key();
    format!("{}-{id:08}-{:06}-{reason}", run.simple(), job.number)
}

/// Lower-case letters, digits and single dashes; `capture` where nothing is left.
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
    use crate::{Quota, Role, testing::shot};
    use andon_core::result::{Arm, Verdict};
    use std::path::Path;

    fn tag(trigger: Trigger, reason: &str) -> Tag {
        Tag { trigger, reason: reason.into(), role: Role::Hit, offset: 0 }
    }

    fn job(tag: Tag) -> Job<super::super::testing::Flat> {
        let folder = Path::new("nowhere").into();
        Job {
            folder,
            element: "s".into(),
            shot: shot(12, Vec::new()),
            tags: vec![tag],
            number: 3,
            look: Arc::default(),
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
    fn what_the_stream_says_never_gets_into_a_name() {
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
        assert_eq!(v["size"], serde_json::json!([4, 2]));
        assert_eq!(serde_json::from_str::<Sidecar>(&json).unwrap().to_json(), json);
    }

    #[test]
    fn a_late_word_replaces_the_arms_first_and_a_repeated_one_changes_nothing() {
        let mut sidecar = Sidecar::new(&job(tag(Trigger::Ng, "")), [4, 2]);
        let mut i = Inference::new("m".into(), Arm::B, &shot(12, Vec::new()).frame, [4, 2]);
        assert!(sidecar.amend(&Change::Result(Arc::new(i.clone()))));
        assert!(!sidecar.amend(&Change::Result(Arc::new(i.clone()))));
        i.verdict = Verdict::Ng;
        assert!(sidecar.amend(&Change::Result(Arc::new(i))));
        assert_eq!((sidecar.results.len(), sidecar.results[0].verdict), (1, Verdict::Ng));
    }
}
