// SPDX-License-Identifier: MPL-2.0
//! How a picture is shown: cameras and phones store the pixels as the sensor lies, and note in EXIF how to turn them.

/// How a viewer turns the stored pixels; the numbers are those of EXIF 2.32, tag 0x0112.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Orientation {
    /// 1: as they are stored.
    #[default]
    Upright,
    /// 2: mirrored left to right.
    Mirrored,
    /// 3: by half a turn.
    HalfTurn,
    /// 4: mirrored top to bottom.
    UpsideDown,
    /// 5: mirrored along the diagonal from the upper left to the lower right.
    Transposed,
    /// 6: a quarter turn clockwise.
    Clockwise,
    /// 7: mirrored along the diagonal from the upper right to the lower left.
    Transversed,
    /// 8: a quarter turn counterclockwise.
    Counterclockwise,
}

/// The tag of the orientation.
const TAG: u16 = 0x0112;
/// Bytes of an entry of a directory of tags.
const ENTRY: usize = 12;

impl Orientation {
    /// Reads the note in an EXIF block, which begins with the byte order `II` or `MM`. Without a note that makes sense, a
    /// picture is shown as it is stored, as viewers do.
    pub fn of_exif(exif: &[u8]) -> Self {
        number(exif).and_then(Self::of_number).unwrap_or_default()
    }

    /// Returns the orientation of a number of EXIF, or None for one that is none of 1 to 8.
    pub fn of_number(number: u32) -> Option<Self> {
        use Orientation::*;
        let all = [Upright, Mirrored, HalfTurn, UpsideDown, Transposed, Clockwise, Transversed, Counterclockwise];
        all.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }

    /// Returns the size of the picture as it is shown, from width and height as they are stored.
    pub fn shown(self, [width, height]: [u32; 2]) -> [u32; 2] {
        if self >= Self::Transposed { [height, width] } else { [width, height] }
    }
}

/// Finds the number in the first directory of the block.
fn number(exif: &[u8]) -> Option<u32> {
    let little = match exif.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| -> Option<u32> {
        let bytes = exif.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    let first = directory.checked_add(2)?;
    let entry = (0..entries).map(|n| first + n * ENTRY).find(|at| short(*at) == Some(TAG))?;
    // The type: 3 for 16 bits, which is right, and 4 for 32 bits, which some tools write.
    match short(entry + 2)? {
        3 => short(entry + 8).map(u32::from),
        4 => long(entry + 8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with another tag before the orientation, in either byte order.
    fn block(little: bool, kind: u16, number: u32) -> Vec<u8> {
        let short = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let mut block = if little { b"II".to_vec() } else { b"MM".to_vec() };
        block.extend(short(42));
        block.extend(long(8));
        block.extend(short(2));
        for (tag, kind, value) in [(0x010f, 3, 7), (TAG, kind, number)] {
            block.extend(short(tag));
            block.extend(short(kind));
            block.extend(long(1));
            block.extend(if kind == 3 { [short(value as u16), [0; 2]].concat() } else { long(value).to_vec() });
        }
        block
    }

    #[test]
    fn the_note_is_read_in_both_byte_orders_and_what_makes_no_sense_is_upright() {
        for little in [true, false] {
            for (number, wanted) in (1..).zip([
                Orientation::Upright,
                Orientation::Mirrored,
                Orientation::HalfTurn,
                Orientation::UpsideDown,
                Orientation::Transposed,
                Orientation::Clockwise,
                Orientation::Transversed,
                Orientation::Counterclockwise,
            ]) {
                assert_eq!(Orientation::of_exif(&block(little, 3, number)), wanted);
                assert_eq!(Orientation::of_exif(&block(little, 4, number)), wanted);
                assert_eq!(wanted.shown([3, 2]), if number >= 5 { [2, 3] } else { [3, 2] });
            }
            for (kind, number) in [(3, 0), (3, 9), (4, u32::MAX), (2, 6)] {
                assert_eq!(Orientation::of_exif(&block(little, kind, number)), Orientation::Upright);
            }
            let whole = block(little, 3, 6);
            (0..30).for_each(|n| assert_eq!(Orientation::of_exif(&whole[..n]), Orientation::Upright, "{n}"));
        }
        assert_eq!(Orientation::of_exif(b"II\x2a\0\xff\xff\xff\xff"), Orientation::Upright);
        assert_eq!(Orientation::of_exif(b"Exif"), Orientation::Upright);
    }
}
