// SPDX-License-Identifier: MPL-2.0
//! The name of a captured image, wherever a tool has put it: `RUN-FRAME-NUMBER-REASON.png`.

use andon_core::result::PartKey;

/// Letters of a UUID without its dashes.
const RUN: usize = 32;

/// The frame that the name of an image says, and the name itself without a tool's prefix and without the extension.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    /// The run and the frame.
    pub(super) frame: PartKey,
    /// The name of the sidecar without `.json`.
    pub(super) stem: String,
}

/// Reads the last piece of a path or address; None if framesampler did not give the name. Label Studio puts letters and a
/// dash before the names of uploaded files.
pub(super) fn name(path: &str) -> Option<Name> {
    let file = path.rsplit(['/', '\\', '=']).next()?;
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let starts = std::iter::once(0).chain(stem.match_indices('-').map(|(at, _)| at + 1));
    starts.map(|at| &stem[at..]).find_map(|stem| {
        let mut pieces = stem.splitn(4, '-');
        let run = pieces.next().filter(|run| run.len() == RUN)?.parse().ok()?;
        let frame = pieces.next()?.parse().ok()?;
        pieces.next()?.parse::<u64>().ok()?;
        pieces.next().filter(|reason| !reason.is_empty() && reason.bytes().all(safe))?;
        Some(Name { frame: PartKey::Frame(run, frame), stem: stem.into() })
    })
}

fn safe(letter: u8) -> bool {
    letter.is_ascii_alphanumeric() || letter == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEM: &str = "0123456789abcdef0123456789abcdef-00000012-000003-line-3";

    #[test]
    fn the_frame_is_found_wherever_a_tool_has_put_the_file() {
        for path in [
            format!("{STEM}.png"),
            format!("train/{STEM}.jpg"),
            format!("/data/local-files/?d=images/default/{STEM}.png"),
            format!("/data/upload/3/9f1c2a7e-{STEM}.png"),
            STEM.into(),
        ] {
            let name = name(&path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(name.stem, STEM);
            assert_eq!(name.frame.to_string(), "01234567-89ab-cdef-0123-456789abcdef/12");
        }
    }

    #[test]
    fn other_peoples_names_are_not_taken_for_ours() {
        for path in ["holiday.png", "", "0123-12-3-ng.png", "../../etc/passwd", &STEM.replace("line", "..")] {
            assert_eq!(name(path), None, "{path}");
        }
    }
}
