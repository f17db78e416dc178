// SPDX-License-Identifier: MPL-2.0
//! The letters: GNU Unifont, which has a bitmap for each character of Unicode's first plane. It is compiled in, so that text is
//! readable on a camera without fonts, and no file is read.
//!
//! A half-width letter has 8×16 pixels, a full-width one 16×16. Letters stand alone: scripts whose letters join or change
//! places (Arabic, Devanagari) are readable letter by letter.

use unifont::Glyph;

/// The width of a column, pixels: that of a half-width letter.
pub(super) const COLUMN: i32 = 8;
/// The height of a line, pixels.
pub(super) const LINE: i32 = 16;

/// What stands for a character that the font lacks: an empty box.
static BOX: Glyph =
    Glyph::Halfwidth([0, 0, 0x7e, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x7e, 0, 0]);

/// Returns the bitmap of a character, or the box.
pub(super) fn glyph(letter: char) -> &'static Glyph {
    unifont::get_glyph(letter).unwrap_or(&BOX)
}

/// Returns whether a character is drawn over the one before it: an accent that stands apart in decomposed text.
pub(super) fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

/// Returns the columns that a character takes: 2 if it is full-width, and none for an accent or a mark that shows nothing.
pub(super) fn columns(letter: char) -> i32 {
    match letter {
        // Joiners, marks of direction, and selectors of variants.
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => 0,
        accent if is_accent(accent) => 0,
        other => glyph(other).get_width() as i32 / COLUMN,
    }
}

/// Returns the columns of a text.
pub(super) fn width(text: &str) -> i32 {
    text.chars().map(columns).sum()
}

/// Returns as much of a text as `most` columns hold.
pub(super) fn fitting(text: &str, most: i32) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, letter)| {
        taken += columns(*letter);
        taken > most
    });
    text[..end.map_or(text.len(), |(at, _)| at)].trim_end()
}

/// Returns the stretches of ink in a row of a bitmap, each as first pixel and length.
pub(super) fn ink(glyph: &Glyph, row: usize) -> impl Iterator<Item = (i32, i32)> {
    let mut bits = match glyph {
        Glyph::Halfwidth(rows) => u32::from(rows[row]) << 24,
        Glyph::Fullwidth(rows) => u32::from(rows[row]) << 16,
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        let gap = bits.leading_zeros();
        if gap == 32 {
            return None;
        }
        let run = (bits << gap).leading_ones();
        let first = at + gap;
        at = first + run;
        bits = bits << gap << run;
        Some((first as i32, run as i32))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_many_scripts_have_ink_of_their_own_and_a_missing_one_is_a_box() {
        let mut seen: Vec<Vec<(i32, i32)>> = Vec::new();
        for letter in "Aéßřøł Ωж한あ漢缺陷أक№°".chars().filter(|c| *c != ' ').chain(['\u{1f600}']) {
            let all: Vec<_> = (0..16).flat_map(|row| ink(glyph(letter), row)).collect();
            assert!(all.iter().map(|(_, run)| run).sum::<i32>() >= 8, "{letter} is drawn");
            assert!(!seen.contains(&all), "{letter} looks like another");
            seen.push(all);
        }
        assert!(std::ptr::eq(glyph('\u{1f600}'), &raw const BOX), "beyond the first plane");
        assert_eq!(ink(&Glyph::Halfwidth([0b1011_0001; 16]), 3).collect::<Vec<_>>(), [(0, 1), (2, 2), (7, 1)]);
    }

    #[test]
    fn a_text_is_cut_at_a_whole_letter() {
        assert_eq!([width("ab"), width("漢字"), width("e\u{301}"), width("")], [2, 4, 1, 0]);
        for (text, most, want) in [
            ("short 0.9", 5, "short"),
            ("short 0.9", 6, "short"),
            ("漢字", 3, "漢"),
            ("e\u{301}x", 1, "e\u{301}"),
            ("x", 0, ""),
        ] {
            assert_eq!(fitting(text, most), want);
        }
    }
}
