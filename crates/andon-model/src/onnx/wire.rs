// SPDX-License-Identifier: MPL-2.0
//! The wire format of protobuf: the fields of a message, one after the other, as slices of it.
//!
//! Nothing is collected and nothing copied, so a hostile file takes no more memory than it has bytes. (A reader that builds
//! messages makes a structure of a hundred bytes of an empty node, which has two.) Whatever two readers could take
//! differently is an error. Source: the encoding of Protocol Buffers, <https://protobuf.dev/programming-guides/encoding>.

/// The deepest nesting of messages and groups; protobuf's own readers stop there, too.
pub(super) const DEEPEST: usize = 100;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// A field goes on where the message ends.
    #[error("it ends in the middle of a field")]
    Short,
    /// A number has more than ten bytes, or a field's number or kind is none.
    #[error("it is not written as protobuf")]
    NotProtobuf,
    /// A group ends that has not begun.
    #[error("a group in it ends that has not begun")]
    Group,
    /// Messages in messages.
    #[error("it is nested more than {DEEPEST} deep")]
    Deep,
    /// A field that is known has another kind of value than the format says.
    #[error("its field {0} is of another kind than that of an ONNX model")]
    Kind(u32),
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number, a truth value or one of a list of names.
    Number(u64),
    /// A text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// A number of four or eight bytes, or a group: of no interest here.
    Other,
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// Its number in the format.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// The whole of it, with its number.
    pub whole: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value, which must be bytes.
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        if let Value::Bytes(bytes) = self.value { Ok(bytes) } else { Err(Malformed::Kind(self.number)) }
    }

    /// The value, which must be a number.
    pub fn number(&self) -> Result<u64, Malformed> {
        if let Value::Number(number) = self.value { Ok(number) } else { Err(Malformed::Kind(self.number)) }
    }
}

/// The fields of a message, in its order. Ends behind the first error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of the message that these bytes are.
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = field(&mut self.0, 0);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Takes a field off the front.
fn field<'a>(rest: &mut &'a [u8], depth: usize) -> Result<Field<'a>, Malformed> {
    let from = *rest;
    let (number, kind) = key(rest)?;
    let value = match kind {
        0 => Value::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Other)?,
        2 => {
            let length = varint(rest)?;
            Value::Bytes(take(rest, length)?)
        }
        3 => group(rest, number, depth + 1).map(|()| Value::Other)?,
        4 => return Err(Malformed::Group),
        5 => take(rest, 4).map(|_| Value::Other)?,
        _ => return Err(Malformed::NotProtobuf),
    };
    Ok(Field { number, value, whole: &from[..from.len() - rest.len()] })
}

/// Takes the rest of a group off the front, with its end.
fn group(rest: &mut &[u8], begun: u32, depth: usize) -> Result<(), Malformed> {
    if depth > DEEPEST {
        return Err(Malformed::Deep);
    }
    loop {
        let mut after = *rest;
        match key(&mut after)? {
            (number, 4) if number == begun => {
                *rest = after;
                return Ok(());
            }
            (_, 4) => return Err(Malformed::Group),
            _ => field(rest, depth).map(drop)?,
        }
    }
}

/// Takes a field's number and kind off the front.
fn key(rest: &mut &[u8]) -> Result<(u32, u8), Malformed> {
    let key = u32::try_from(varint(rest)?).map_err(|_| Malformed::NotProtobuf)?;
    if key >> 3 == 0 { Err(Malformed::NotProtobuf) } else { Ok((key >> 3, (key & 7) as u8)) }
}

/// Takes a number off the front: seven bits a byte, the lowest first.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for (i, byte) in rest.iter().enumerate().take(10) {
        if i == 9 && *byte > 1 {
            return Err(Malformed::NotProtobuf);
        }
        number |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            *rest = &rest[i + 1..];
            return Ok(number);
        }
    }
    Err(if rest.len() < 10 { Malformed::Short } else { Malformed::NotProtobuf })
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], Malformed> {
    let length = usize::try_from(length).map_err(|_| Malformed::Short)?;
    let (taken, left) = rest.split_at_checked(length).ok_or(Malformed::Short)?;
    *rest = left;
    Ok(taken)
}

/// Writes a field of bytes behind a message.
pub(super) fn write(number: u32, bytes: &[u8], message: &mut Vec<u8>) {
    for mut n in [u64::from(number << 3 | 2), bytes.len() as u64] {
        while n > 0x7f {
            message.push(n as u8 | 0x80);
            n >>= 7;
        }
        message.push(n as u8);
    }
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        Fields::of(message).map(|f| f.map(|f| (f.number, f.value))).collect()
    }

    #[test]
    fn fields_are_read_as_the_format_says() {
        use Value::{Bytes, Number, Other};
        let group = [0x1b, 0x08, 0x01, 0x1b, 0x1c, 0x1c];
        for (message, fields) in [
            (&b""[..], vec![]),
            (b"\x08\x96\x01", vec![(1, Number(150))]),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", vec![(1, Number(u64::MAX))]),
            (b"\x12\x03abc\x12\0", vec![(2, Bytes(b"abc")), (2, Bytes(b""))]),
            (b"\x8a\x00\x01x", vec![(1, Bytes(b"x"))]),
            (b"\x0d1234\x0912345678", vec![(1, Other), (1, Other)]),
            (&group, vec![(3, Other)]),
        ] {
            assert_eq!(all(message).unwrap(), fields, "{message:02x?}");
        }
        let mut long = Vec::new();
        write(4, &[7; 300], &mut long);
        assert_eq!(all(&long).unwrap(), [(4, Bytes(&[7; 300]))]);
        assert_eq!(Fields::of(b"\x08\x01\x12\x01x").nth(1).unwrap().unwrap().whole, b"\x12\x01x");
    }

    #[test]
    fn what_is_no_message_is_an_error_and_takes_no_time() {
        let deep = [0x1b; 1 << 20];
        for (message, fault) in [
            (&b"\x08"[..], Malformed::Short),
            (b"\x08\x80", Malformed::Short),
            (b"\x12\x04abc", Malformed::Short),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc", Malformed::Short),
            (b"\x09123", Malformed::Short),
            (b"\x1b\x08\x01", Malformed::Short),
            (b"\x00\x01", Malformed::NotProtobuf),
            (b"\x0e", Malformed::NotProtobuf),
            (b"\x0f", Malformed::NotProtobuf),
            (b"\xfa\xff\xff\xff\xff\x01\x01x", Malformed::NotProtobuf),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", Malformed::NotProtobuf),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Malformed::NotProtobuf),
            (b"\x0c", Malformed::Group),
            (b"\x1b\x24", Malformed::Group),
            (&deep, Malformed::Deep),
        ] {
            assert_eq!(all(message).unwrap_err(), fault, "{:02x?}", &message[..message.len().min(20)]);
        }
    }
}
