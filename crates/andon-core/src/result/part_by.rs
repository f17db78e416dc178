// SPDX-License-Identifier: MPL-2.0
//! What a part is, where a launch string says it: each frame, every few frames, what lies between two pauses, or what a
//! field or a barcode names.

use std::{fmt, str::FromStr, sync::Arc};

use uuid::Uuid;

use super::{
    Part,
    bounds::{BadPart, VIEWS, check_part},
};

/// How frames become parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartBy {
    /// As the stream says, by `andon/part` or a field `part`; where it says nothing, nothing is known of parts. Its text is
    /// empty, and `told` reads the same.
    #[default]
    Told,
    /// Each frame is a part of its own.
    Frame,
    /// So many frames in a row are a part.
    Every(u32),
    /// A gap of at least so many ns between the presentation times of two frames ends a part.
    Pause(u64),
    /// The value of this named field is the part's id.
    Field(Arc<str>),
    /// The last barcode that was read is the part's id.
    Barcode,
}

impl PartBy {
    /// Returns whether this says what a part is.
    pub fn says(&self) -> bool {
        *self != PartBy::Told
    }

    /// Returns how many views the parts have; 0 if that is not known before the next part begins.
    fn views(&self) -> u32 {
        match self {
            PartBy::Frame => 1,
            PartBy::Every(n) if *n <= VIEWS => *n,
            PartBy::Told | PartBy::Every(_) | PartBy::Pause(_) | PartBy::Field(_) | PartBy::Barcode => 0,
        }
    }
}

/// A text that names no [`PartBy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected frame, every:N (N frames), pause:NS (nanoseconds), field:NAME, barcode, or told (by the stream)", .0)]
pub struct BadPartBy(String);

impl FromStr for PartBy {
    type Err = BadPartBy;

    fn from_str(text: &str) -> Result<Self, BadPartBy> {
        let bad = |why: String| Err(BadPartBy(why));
        let (kind, value) = text.split_once(':').map_or((text, None), |(kind, value)| (kind, Some(value)));
        match (kind, value) {
            ("" | "told", None) => Ok(PartBy::Told),
            ("frame", None) => Ok(PartBy::Frame),
            ("barcode", None) => Ok(PartBy::Barcode),
            ("every", Some(n)) => match n.parse() {
                Ok(n) if n > 0 => Ok(PartBy::Every(n)),
                _ => bad(format!("'{n}' is no number of frames from 1")),
            },
            ("pause", Some(ns)) => match ns.parse() {
                Ok(ns) if ns > 0 => Ok(PartBy::Pause(ns)),
                _ => bad(format!("'{ns}' is no time in ns from 1 (half a second is pause:500000000)")),
            },
            ("field", Some(name)) if !name.is_empty() => Ok(PartBy::Field(name.into())),
            ("every" | "pause" | "field", _) => bad(format!("'{text}' lacks a value behind '{kind}:'")),
            ("frame" | "barcode", Some(_)) => bad(format!("'{kind}' takes no value")),
            _ => bad(format!("'{text}' says nothing of parts")),
        }
    }
}

impl fmt::Display for PartBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartBy::Told => Ok(()),
            PartBy::Frame => f.write_str("frame"),
            PartBy::Every(n) => write!(f, "every:{n}"),
            PartBy::Pause(ns) => write!(f, "pause:{ns}"),
            PartBy::Field(name) => write!(f, "field:{name}"),
            PartBy::Barcode => f.write_str("barcode"),
        }
    }
}

/// What a [`Divider`] has to know of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The run that gave the id.
    pub run: Uuid,
    /// The frame's id, unique within the run.
    pub frame_id: u64,
    /// The presentation time.
    pub pts_ns: Option<u64>,
    /// The value of the field, or the last barcode; None if there is none, or an empty one.
    pub name: Option<&'a str>,
}

/// Divides a stream into parts.
///
/// The id of a part that no field and no barcode names is `RUN-FRAME`, the first eight characters of the run and its
/// first frame, behind the station and a hyphen if a station is known: `oven-3f2a91c0-812`. Frame ids are unique in a
/// process, so no two streams have a part in common.
#[derive(Clone, Debug, Default)]
pub struct Divider {
    by: PartBy,
    /// The part of the last frame.
    part: Option<Arc<Part>>,
    /// Frames of the part so far.
    frames: u32,
    last_pts_ns: Option<u64>,
}

impl Divider {
    /// Makes one that divides by `by`.
    pub fn new(by: PartBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// How frames become parts.
    pub fn by(&self) -> &PartBy {
        &self.by
    }

    /// The next frame begins a part: the stream has jumped.
    pub fn jumped(&mut self) {
        *self = Self::new(std::mem::take(&mut self.by));
    }

    /// Returns the part that a frame shows. `product` gives what is known of a part that begins: its product, lot, station
    /// and purpose.
    ///
    /// A part whose number of views is not known before has 0 of them, and its frames share one object.
    ///
    /// # Errors
    /// What names the part cannot be a name. The frame is of no part then.
    pub fn next(&mut self, seen: Seen<'_>, product: impl FnOnce() -> Part) -> Result<Option<Arc<Part>>, BadPart> {
        let begins = self.begins(&seen);
        self.last_pts_ns = seen.pts_ns.or(self.last_pts_ns);
        if begins {
            (self.part, self.frames) = (None, 0);
            let named = match self.by {
                PartBy::Told => return Ok(None),
                PartBy::Field(_) | PartBy::Barcode => seen.name.map(str::to_string),
                PartBy::Frame | PartBy::Every(_) | PartBy::Pause(_) => Some(String::new()),
            };
            let Some(id) = named else { return Ok(None) };
            let part = Part { id, view: 0, views: self.by.views(), trigger_utc_ns: None, ..product() };
            let id = if part.id.is_empty() { made(&part.station, &seen) } else { part.id };
            let part = Part { id, ..part };
            check_part(&part)?;
            self.part = Some(Arc::new(part));
        } else if let Some(part) = self.part.as_mut().filter(|part| part.views > 0) {
            let next = Part { view: self.frames, ..Part::clone(part) };
            *part = Arc::new(next);
        }
        self.frames += 1;
        Ok(self.part.clone())
    }

    fn begins(&self, seen: &Seen<'_>) -> bool {
        let Some(part) = &self.part else { return true };
        match &self.by {
            PartBy::Told | PartBy::Frame => true,
            PartBy::Every(n) => self.frames >= *n,
            PartBy::Pause(ns) => match self.last_pts_ns.zip(seen.pts_ns) {
                // A time that goes back is another passage of the stream.
                Some((last, now)) => now < last || now - last >= *ns,
                None => false,
            },
            PartBy::Field(_) | PartBy::Barcode => seen.name != Some(&part.id),
        }
    }
}

/// Makes the id of a part that begins with this frame.
fn made(station: &str, seen: &Seen<'_>) -> String {
    let run = seen.run.simple().to_string();
    let hyphen = if station.is_empty() { "" } else { "-" };
    format!("{station}{hyphen}{}-{}", &run[..8], seen.frame_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_as_it_was_written_and_others_are_refused_with_what_is_expected() {
        for text in ["", "frame", "every:1", "every:1000", "pause:500000000", "field:serial", "field:a:b", "barcode"] {
            assert_eq!(text.parse::<PartBy>().unwrap().to_string(), text);
        }
        assert_eq!("told".parse(), Ok(PartBy::Told));
        for (text, why) in [
            ("every", "'every' lacks a value behind 'every:'"),
            ("field:", "'field:' lacks a value"),
            ("every:0", "'0' is no number of frames from 1"),
            ("every:x", "'x' is no number of frames"),
            ("pause:0.5", "'0.5' is no time in ns from 1 (half a second is pause:500000000)"),
            ("frame:1", "'frame' takes no value"),
            ("Frame", "'Frame' says nothing of parts: expected frame, every:N (N frames), pause:NS"),
        ] {
            let said = text.parse::<PartBy>().unwrap_err().to_string();
            assert!(said.starts_with(why) && said.contains("field:NAME, barcode"), "{said}");
        }
    }

    /// Divides frames with these presentation times and names. Returns id, view and views of each; frame 10 is the first.
    fn divided(by: &str, frames: &[(Option<u64>, &str)]) -> Vec<String> {
        let mut divider = Divider::new(by.parse().unwrap());
        let run = "3f2a91c0-0000-4000-8000-000000000000".parse().unwrap();
        let frames = frames.iter().enumerate().map(|(k, (pts_ns, name))| {
            let name = Some(*name).filter(|name| !name.is_empty());
            let seen = Seen { run, frame_id: 10 + k as u64, pts_ns: *pts_ns, name };
            match divider.next(seen, || Part { sku: "A".into(), ..Part::default() }) {
                Ok(Some(part)) if part.sku == "A" => format!("{} {}/{}", part.id, part.view, part.views),
                Ok(Some(part)) => panic!("{part:?}"),
                Ok(None) => "none".into(),
                Err(why) => why.to_string(),
            }
        });
        frames.collect()
    }

    #[test]
    fn each_way_divides_a_stream_as_it_says() {
        let at = |times: &[u64]| times.iter().map(|t| (Some(*t), "")).collect::<Vec<_>>();
        let named = |names: &[&'static str]| names.iter().map(|name| (None, *name)).collect::<Vec<_>>();
        let first = |k: u64, of: &str| format!("3f2a91c0-{k} {of}");
        for (by, frames, expected) in [
            ("", at(&[0, 1]), vec!["none".into(), "none".into()]),
            ("frame", at(&[0, 1]), vec![first(10, "0/1"), first(11, "0/1")]),
            ("every:2", at(&[0, 1, 2]), vec![first(10, "0/2"), first(10, "1/2"), first(12, "0/2")]),
            ("pause:5", at(&[0, 4, 9, 2]), [10, 10, 12, 13].map(|k| first(k, "0/0")).into()),
            ("pause:5", vec![(Some(0), ""), (None, ""), (Some(5), "")], [10, 10, 12].map(|k| first(k, "0/0")).into()),
            (
                "field:serial",
                named(&["", "P", "P", "", "P"]),
                ["none", "P 0/0", "P 0/0", "none", "P 0/0"].map(String::from).into(),
            ),
            ("barcode", named(&["4006", "4007"]), ["4006 0/0", "4007 0/0"].map(String::from).into()),
            (
                "field:serial",
                named(&["a\u{1}", "b"]),
                vec![r"id 'a\u{1}' holds the control character U+0001, which no name may".into(), "b 0/0".into()],
            ),
        ] {
            assert_eq!(divided(by, &frames), expected, "{by}");
        }
        let many = divided("every:100", &vec![(None, ""); 101]);
        assert_eq!((&many[0], &many[99], &many[100]), (&first(10, "0/0"), &first(10, "0/0"), &first(110, "0/0")));
    }

    #[test]
    fn a_jump_begins_a_part_and_the_station_stands_before_the_id() {
        let mut divider = Divider::new(PartBy::Every(3));
        let next = |divider: &mut Divider, frame_id| {
            let seen = Seen { run: Uuid::nil(), frame_id, pts_ns: None, name: None };
            divider.next(seen, || Part { station: "oven".into(), ..Part::default() }).unwrap().unwrap()
        };
        assert_eq!(next(&mut divider, 7).id, "oven-00000000-7");
        divider.jumped();
        let part = next(&mut divider, 9);
        assert_eq!((part.id.as_str(), part.view, part.views), ("oven-00000000-9", 0, 3));
    }
}
