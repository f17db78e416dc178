// SPDX-License-Identifier: MPL-2.0
//! The name of a captured image, wherever a tool has put it: `RUN-FRAME-NUMBER-REASON.png`.

use andon_core::result::PartKey;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

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

/// Reads the name out of a path or address, wherever in it; None if framesampler did not give the name.
///
/// An address may have its path in a query (`?d=images/NAME.png`), a query behind it (`NAME.png?token=…`), or all of it as
/// Base64 in a query (`?fileuri=…`), and letters may be written as `%2F`. Tools put letters before the name (Label Studio:
/// eight and a dash) and behind it (Django: `_` and seven; Roboflow: `_png.rf.` and a hash; browsers: ` (1)`).
pub(super) fn name(path: &str) -> Option<Name> {
    let path = unescaped(path);
    let mut pieces = path.rsplit(['/', '\\', '?', '=', '&', '#']);
    pieces.find_map(|piece| named(piece).or_else(|| name(&String::from_utf8(decoded(piece)?).ok()?)))
}

/// Reads a piece without separators.
fn named(file: &str) -> Option<Name> {
    let starts = std::iter::once(0).chain(file.match_indices('-').map(|(at, _)| at + 1));
    starts.map(|at| &file[at..]).find_map(|stem| {
        // What follows the last letter of a reason was added later, the extension first of all.
        let stem = &stem[..stem.find(|letter: char| !safe(letter)).unwrap_or(stem.len())];
        let mut pieces = stem.splitn(4, '-');
        let run = pieces.next().filter(|run| run.len() == RUN)?.parse().ok()?;
        let frame = pieces.next()?.parse().ok()?;
        pieces.next()?.parse::<u64>().ok()?;
        pieces.next().filter(|reason| !reason.is_empty())?;
        Some(Name { frame: PartKey::Frame(run, frame), stem: stem.into() })
    })
}

fn safe(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-'
}

/// Decodes what a proxy of a storage has in its query: the address in Base64, of either alphabet.
fn decoded(piece: &str) -> Option<Vec<u8>> {
    // The name alone has more letters than this.
    if piece.len() < RUN {
        return None;
    }
    let plain = piece.trim_end_matches('=').replace('-', "+").replace('_', "/");
    STANDARD_NO_PAD.decode(plain).ok()
}

/// The text with each `%2F` as the letter it stands for.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        let escaped = (*first == b'%').then(|| after.get(..2).and_then(hex)).flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
            format!("{STEM}.png?token=a=b-c/d.png&x"),
            format!("/data/local-files/?d=images%2Fdefault%2F{STEM}.png&token=1"),
            format!("https://bucket.example/a%20b/{STEM}.png?X-Amz-Signature=0123456789abcdef0123456789abcdef#top"),
            format!("s3://bucket/captures/{STEM}.png"),
            format!("C:\\captures\\{STEM}.png"),
            format!("/data/upload/3/9f1c2a7e-{STEM}_aB3dE5f.png"),
            format!("train/{STEM}_png.rf.0123456789abcdef0123456789abcdef.jpg"),
            format!("{STEM} (1).png"),
            format!(
                "/tasks/7/resolve/?fileuri={}",
                base64::engine::general_purpose::URL_SAFE.encode(format!("s3://b/{STEM}.png"))
            ),
        ] {
            let name = name(&path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(name.stem, STEM);
            assert_eq!(name.frame.to_string(), "01234567-89ab-cdef-0123-456789abcdef/12");
        }
    }

    #[test]
    fn other_peoples_names_are_not_taken_for_ours() {
        for path in
            ["holiday.png", "", "0123-12-3-ng.png", "../../etc/passwd", "%", "%2", "a%zz", &STEM.replace("line", "..")]
        {
            assert_eq!(name(path), None, "{path}");
        }
    }
}
