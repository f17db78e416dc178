// SPDX-License-Identifier: MPL-2.0
//! A tensor of a graph whose numbers lie in a file: which file, and which bytes of it.

use andon_core::text::{is_hidden, shortened, shown};

use super::wire::{Field, Fields, Malformed, Value, varint};

/// The longest name that is shown, bytes.
const SHOWN: usize = 80;

/// The longest path of a file of weights, bytes: more than any file system takes.
const LONGEST: usize = 4096;

/// More entries than any exporter writes about where one tensor lies.
const ENTRIES: usize = 16;

/// What ONNX Runtime takes for an address in memory instead of a file (`*/_ORT_MEM_ADDR_/*`), and other uses of that word.
const IN_MEMORY: &str = "_ORT_MEM_ADDR_";

/// The bytes of a file that are a tensor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as the graph writes it.
    pub location: String,
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// A tensor, as far as its place goes.
#[derive(Default)]
pub(super) struct Tensor<'a> {
    name: &'a [u8],
    /// How many numbers it has. None if that is more than there can be, or negative.
    count: Option<u64>,
    /// The type of its numbers, `TensorProto.DataType`.
    kind: Option<i32>,
    /// Whether a location other than the graph is said, by any of the fields that say so.
    outside: bool,
    entries: Vec<(&'a [u8], &'a [u8])>,
    /// Whether numbers lie in the graph itself.
    inside: bool,
}

/// What is wrong with a tensor.
pub(super) enum Bad {
    Malformed(Malformed),
    Place(String),
}

impl From<Malformed> for Bad {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl<'a> Tensor<'a> {
    /// Reads a message `TensorProto`.
    pub fn read(message: &'a [u8]) -> Result<Self, Bad> {
        let mut tensor = Self { count: Some(1), ..Self::default() };
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                1 => tensor.grow(&field)?,
                2 => {
                    // Wider numbers are cut to the width of the field, as other readers do.
                    let kind = field.number()? as i32;
                    if tensor.kind.is_some_and(|k| k != kind) {
                        return Err(Bad::Place("have two types of numbers: export the model again".into()));
                    }
                    tensor.kind = Some(kind);
                }
                4 | 5 | 6 | 7 | 9 | 10 | 11 => tensor.inside |= field.value != Value::Bytes(&[]),
                8 => tensor.name = field.bytes()?,
                13 => {
                    if tensor.entries.len() == ENTRIES {
                        return Err(Bad::Place(format!("have more than {ENTRIES} entries on where they lie")));
                    }
                    let entry = entry(field.bytes()?)?;
                    tensor.entries.push(entry);
                }
                14 => tensor.outside |= field.number()? as i32 != 0,
                _ => {}
            }
        }
        tensor.outside |= !tensor.entries.is_empty();
        Ok(tensor)
    }

    /// Takes one axis, or several that are packed.
    fn grow(&mut self, axes: &Field<'_>) -> Result<(), Malformed> {
        let mut one = |axis: u64| {
            let axis = i64::try_from(axis).ok().and_then(|a| u64::try_from(a).ok());
            self.count = self.count.zip(axis).and_then(|(n, a)| n.checked_mul(a));
        };
        match axes.value {
            Value::Number(axis) => one(axis),
            Value::Bytes(mut packed) => {
                while !packed.is_empty() {
                    one(varint(&mut packed)?);
                }
            }
            Value::Other => return Err(Malformed::Kind(axes.number)),
        }
        Ok(())
    }

    /// Its name, for a message.
    pub fn name(&self) -> String {
        let name = String::from_utf8_lossy(self.name);
        if name.is_empty() { "a tensor without a name".into() } else { format!("'{}'", cut(&name)) }
    }

    /// Whether its numbers lie in a file, by anything that it says.
    pub fn is_outside(&self) -> bool {
        self.outside
    }

    /// Where its numbers lie.
    pub fn place(&self) -> Result<Place, String> {
        let one = |key: &str| {
            let mut values = self.entries.iter().filter(|(k, _)| *k == key.as_bytes()).map(|(_, v)| *v);
            let value = values.next();
            match values.next() {
                Some(_) => Err(format!("have the entry '{key}' twice, and readers differ in which they take")),
                None => Ok(value),
            }
        };
        let known: [&[u8]; 4] = [b"location", b"offset", b"length", b"checksum"];
        if let Some((key, _)) = self.entries.iter().find(|(k, _)| !known.contains(k)) {
            return Err(format!(
                "have an entry '{}' on where they lie: known are location, offset, length and checksum",
                cut(&String::from_utf8_lossy(key))
            ));
        }
        let location = location(one("location")?.unwrap_or_default())?;
        if self.inside {
            return Err(format!(
                "lie in the graph and in the file '{location}', and readers differ in which they take"
            ));
        }
        let number = |key: &str| match one(key)? {
            None => Ok(None),
            Some(text) => {
                let text = String::from_utf8_lossy(text);
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let number = text.parse::<i64>().ok().filter(|_| digits).map(i64::unsigned_abs);
                number.map(Some).ok_or_else(|| format!("have '{}' for {key}: it must be a number of bytes", cut(&text)))
            }
        };
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let kind = self.kind.unwrap_or_default();
        let Some(bits) = bits(kind) else {
            return Err(match kind {
                0 => "have no type of numbers: export the model again".into(),
                8 => "are texts, which cannot lie in a file".into(),
                kind => format!("have the type {kind}, which is not known here: export the model with float32 numbers"),
            });
        };
        let size = self.count.and_then(|n| n.checked_mul(bits)).map(|n| n.div_ceil(8));
        let size = size.ok_or("have a shape that no tensor can have")?;
        if let Some(length) = length.filter(|l| *l != size) {
            return Err(format!("have {length} bytes by their entry 'length' and {size} by their shape"));
        }
        Ok(Place { location, offset, length: size })
    }
}

/// Reads a message `StringStringEntryProto`: key and value.
fn entry(message: &[u8]) -> Result<(&[u8], &[u8]), Bad> {
    let (mut key, mut value) = (None, None);
    for field in Fields::of(message) {
        let field = field?;
        let side = match field.number {
            1 => &mut key,
            2 => &mut value,
            _ => continue,
        };
        if side.replace(field.bytes()?).is_some() {
            return Err(Bad::Place("have an entry that is written twice: export the model again".into()));
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

/// Checks what the graph writes as the path of a file of weights.
fn location(bytes: &[u8]) -> Result<String, String> {
    const INSIDE: &str = "a model reads only files that lie with it: name one by a relative path without '..'";
    let text = String::from_utf8_lossy(bytes);
    let named = format!("'{}'", cut(&text));
    let drive = matches!(bytes, [letter, b':', ..] if letter.is_ascii_alphabetic());
    let last = text.rsplit('/').next().unwrap_or_default();
    Err(if bytes.is_empty() {
        "lie in a file of their own that is not named: export the model again".into()
    } else if text.contains(IN_MEMORY) {
        format!("name an address in memory ({named}): {INSIDE}")
    } else if std::str::from_utf8(bytes).is_err() {
        format!("name a file whose name is not UTF-8 ({named}): rename it, and export the model again")
    } else if text.contains(is_hidden) {
        format!("name a file with a control character in its name ({named}): {INSIDE}")
    } else if text.contains('\\') {
        format!("name a file with '\\' in its path ({named}): write '/', as all systems read it")
    } else if text.starts_with('/') || drive {
        format!("name a file by an absolute path ({named}): {INSIDE}")
    } else if text.split('/').any(|step| step == "..") {
        format!("name a file outside by '..' ({named}): {INSIDE}")
    } else if matches!(last, "" | ".") {
        format!("name a folder ({named}): {INSIDE}")
    } else if bytes.len() > LONGEST {
        format!("name a file by a path of {} bytes: {LONGEST} is the most", bytes.len())
    } else {
        return Ok(text.into_owned());
    })
}

/// A text from the graph, for a message.
fn cut(text: &str) -> String {
    shown(&shortened(text, SHOWN)).into_owned()
}

/// How many bits a number of that type has, `TensorProto.DataType`. None for texts and for what is not known.
fn bits(kind: i32) -> Option<u64> {
    Some(match kind {
        25 | 26 => 2,
        21..=23 => 4,
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        1 | 6 | 12 => 32,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        _ => return None,
    })
}
