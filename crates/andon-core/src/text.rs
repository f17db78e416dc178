// SPDX-License-Identifier: MPL-2.0
//! Texts from elsewhere: how a file's bytes become one, which names are accepted, and how one is shown so that it cannot
//! say more than its characters.

use std::borrow::Cow;

/// The longest name of a label, a part, a product, a field or the like, bytes of UTF-8.
pub const NAME: usize = 256;

/// Why bytes are not a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// The bytes begin with the mark of UTF-16 or UTF-32.
    #[error("is {0}: save it as UTF-8")]
    Wide(&'static str),
    /// The bytes are not UTF-8.
    #[error("byte {0} is not UTF-8: save it as UTF-8")]
    Utf8(usize),
}

/// Returns the text of a file: UTF-8, without the byte order mark that some editors put before it.
///
/// # Errors
/// [`NotText`], which names UTF-16 and UTF-32.
///
/// ```
/// use andon_core::text::decode;
///
/// assert_eq!(decode(b"\xef\xbb\xbfok".to_vec()).unwrap(), "ok");
/// assert_eq!(decode(b"\xff\xfeo\0k\0".to_vec()).unwrap_err().to_string(), "is UTF-16: save it as UTF-8");
/// ```
pub fn decode(bytes: Vec<u8>) -> Result<String, NotText> {
    let wide = match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // Without a mark, ASCII of two bytes a character has a zero in every second place.
        [0, a, 0, b, ..] | [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Some("UTF-16"),
        _ => None,
    };
    if let Some(wide) = wide {
        return Err(NotText::Wide(wide));
    }
    let mut text = String::from_utf8(bytes).map_err(|e| NotText::Utf8(e.utf8_error().valid_up_to()))?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The name is empty, or nothing but spaces.
    #[error("is empty")]
    Empty,
    /// The name is too long.
    #[error("has {0} bytes, and {NAME} is the most")]
    Long(usize),
    /// The name holds a character that is not shown or does something else.
    #[error("'{}' holds {}, which no name may", .name.escape_debug(), named(*.character))]
    Character {
        /// The name.
        name: String,
        /// The first such character.
        character: char,
    },
}

fn named(character: char) -> String {
    match character {
        '\0' => "NUL".into(),
        c => format!("the control character U+{:04X}", u32::from(c)),
    }
}

/// Checks a name of something that is shown, compared and filed: not empty, at most [`NAME`] bytes, and without characters
/// that are [not to be shown](is_hidden).
///
/// # Errors
/// [`BadName`], to be put behind what the name is of.
pub fn check_name(name: &str) -> Result<(), BadName> {
    if name.trim().is_empty() {
        return Err(BadName::Empty);
    }
    check_value(name)
}

/// Checks a text that may be empty as [`check_name`] checks a name.
///
/// # Errors
/// [`BadName::Long`] and [`BadName::Character`].
pub fn check_value(text: &str) -> Result<(), BadName> {
    if text.len() > NAME {
        return Err(BadName::Long(text.len()));
    }
    match text.chars().find(|c| is_hidden(*c)) {
        Some(character) => Err(BadName::Character { name: text.into(), character }),
        None => Ok(()),
    }
}

/// Returns whether a character does something other than being seen: a control character, or one that turns the direction
/// of what follows (Unicode's "Trojan Source").
pub fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns a text as it is safe to show on a terminal or in a line of a table: characters that are [hidden](is_hidden) are
/// written out, for instance `\u{1b}`.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.into()
}

/// Cuts a text to at most `most` bytes, at the boundary of a character, with an ellipsis at the end.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    const MORE: char = '…';
    if text.len() <= most {
        return text.into();
    }
    let end = text.floor_char_boundary(most.saturating_sub(MORE.len_utf8()));
    format!("{}{MORE}", &text[..end]).into()
}

/// Returns a name of somebody else's that cannot be refused, such as the label of another element's box, as one that
/// [`check_name`] takes: hidden characters are written out, and of a longer one the beginning stays, with a number behind
/// it, so that two different names stay two.
pub fn as_name(name: &str) -> Cow<'_, str> {
    let shown = shown(name);
    if shown.len() <= NAME {
        return shown;
    }
    let number = crate::random::Hash::default().with(name.as_bytes()).value();
    let kept = shortened(&shown, NAME - 17);
    format!("{kept}#{number:016x}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_utf_8_and_what_else_it_may_be_is_named() {
        let refusal = |bytes: &[u8]| decode(bytes.to_vec()).unwrap_err().to_string();
        for wide in [&b"\xfe\xff\0o\0k"[..], b"\xff\xfeo\0k\0", b"o\0k\0", b"\0o\0k"] {
            assert_eq!(refusal(wide), "is UTF-16: save it as UTF-8", "{wide:?}");
        }
        assert_eq!(refusal(b"\xff\xfe\0\0o\0\0\0"), "is UTF-32: save it as UTF-8");
        assert_eq!(refusal(b"ok\xe9"), "byte 2 is not UTF-8: save it as UTF-8");
        assert_eq!(decode("\u{feff}\u{feff}é".into()).unwrap(), "\u{feff}é", "one mark is taken away");
    }

    #[test]
    fn a_name_is_short_and_says_no_more_than_it_shows() {
        for good in ["ok", "Kratzer, längs", "欠陥", "a b"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let refusal = |name: &str| check_name(name).unwrap_err().to_string();
        assert_eq!(refusal(" "), "is empty");
        assert_eq!(refusal("a\0b"), r"'a\0b' holds NUL, which no name may");
        assert_eq!(refusal("\u{1b}[2J"), r"'\u{1b}[2J' holds the control character U+001B, which no name may");
        assert_eq!(refusal("ng\u{202e}"), r"'ng\u{202e}' holds the control character U+202E, which no name may");
        assert_eq!(refusal(&"é".repeat(129)), "has 258 bytes, and 256 is the most");
        assert_eq!(check_value(""), Ok(()));
    }

    #[test]
    fn what_is_shown_has_no_hidden_character_and_a_cut_is_seen() {
        assert_eq!(shown("a\u{1b}[2Jb\n"), r"a\u{1b}[2Jb\n");
        assert_eq!(shown("bär"), "bär");
        assert_eq!(shortened("bären", 5), "b…");
        assert_eq!(shortened("bär", 4), "bär");
        let (one, other) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
        assert!(check_name(&as_name(&one)).is_ok() && as_name(&one) != as_name(&other), "{}", as_name(&one));
        assert_eq!((as_name("kratz\0er"), as_name("ok")), (r"kratz\u{0}er".into(), "ok".into()));
    }
}
