// SPDX-License-Identifier: MPL-2.0
//! One annotation file of PASCAL VOC.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

/// What a file says of its picture.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Annotation {
    /// Width and height of the picture; None where they are missing or 0, as old versions of tools write.
    pub(super) said: Option<[f64; 2]>,
    /// The boxes.
    pub(super) objects: Vec<Object>,
    /// The file is of PASCAL's own data, whose pixels are counted from 1.
    pub(super) by_pascal: bool,
}

/// A box.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Object {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    /// The label.
    pub(super) name: String,
    /// `xmin`, `ymin`, `xmax`, `ymax`.
    pub(super) corners: [f64; 4],
    /// Hard to see: a detection of it counts neither as right nor as wrong.
    pub(super) difficult: bool,
}

/// The corners in their order.
const CORNERS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// Returns whether a file that begins so is an annotation: its first tag is `annotation`, and not CVAT's `annotations`.
pub(super) fn begins(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    head.find("<annotation")
        .is_some_and(|at| !head[at + "<annotation".len()..].starts_with(|c: char| c.is_alphanumeric()))
}

/// Parses a file; the error says what is wrong with it, without its name.
pub(super) fn parse(text: &str) -> Result<Annotation, String> {
    let mut reader = Reader::from_str(text);
    let mut annotation = Annotation::default();
    let mut size = [0.0; 2];
    let mut object = Building::default();
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    loop {
        let event = reader.read_event().map_err(|e| format!("no XML: {e}"))?;
        match event {
            Event::Start(tag) => {
                path.push(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
                value.clear();
                if places(&path) == ["annotation", "object"] {
                    object = Building::default();
                }
            }
            Event::Text(text) => value += &text.decode().map_err(|e| format!("no XML: {e}"))?,
            Event::CData(text) => value += &text.decode().map_err(|e| format!("no XML: {e}"))?,
            Event::GeneralRef(entity) => value += &resolved(&entity)?,
            Event::End(_) => {
                take(&places(&path), value.trim(), &mut annotation, &mut size, &mut object)?;
                path.pop();
                value.clear();
            }
            Event::Eof if path.is_empty() => break,
            Event::Eof => return Err(format!("no XML: it breaks off within <{}>", path.join("><"))),
            _ => {}
        }
    }
    annotation.said = (size[0] > 0.0 && size[1] > 0.0).then_some(size);
    Ok(annotation)
}

/// An object as far as it is read.
#[derive(Default)]
struct Building {
    name: Option<String>,
    corners: [Option<f64>; 4],
    difficult: bool,
    /// What it has in the place of a box.
    instead: &'static str,
}

fn places(path: &[String]) -> Vec<&str> {
    path.iter().map(|tag| &**tag).collect()
}

/// Takes the value of the tag at the end of `path`.
fn take(
    path: &[&str],
    value: &str,
    annotation: &mut Annotation,
    size: &mut [f64; 2],
    object: &mut Building,
) -> Result<(), String> {
    let number = || value.parse::<f64>().ok().filter(|v| v.is_finite());
    match path {
        // The data of 2005 to 2012 names itself; `annotation` is its other tag for that.
        ["annotation", "source", "database" | "annotation"] => {
            annotation.by_pascal |= value.starts_with("The VOC20") || value.starts_with("PASCAL VOC20");
        }
        ["annotation", "size", "width"] => size[0] = number().unwrap_or_default(),
        ["annotation", "size", "height"] => size[1] = number().unwrap_or_default(),
        ["annotation", "object", "name"] => object.name = Some(value.into()),
        ["annotation", "object", "difficult"] => object.difficult = matches!(value, "1" | "true"),
        ["annotation", "object", "robndbox"] => {
            object.instead = "is a turned box (robndbox), which is not read: export upright boxes"
        }
        ["annotation", "object", "polygon"] if object.instead.is_empty() => {
            object.instead =
                "has an outline and no <bndbox>, as in LabelMe's own XML: export boxes, as Pascal VOC or COCO";
        }
        ["annotation", "object", "bndbox", corner] => {
            if let Some(at) = CORNERS.iter().position(|c| c == corner) {
                object.corners[at] = Some(number().ok_or_else(|| format!("{corner}: '{value}' is no number"))?);
            }
        }
        ["annotation", "object"] => annotation.objects.push(built(object, annotation.objects.len() + 1)?),
        _ => {}
    }
    Ok(())
}

fn built(object: &mut Building, number: usize) -> Result<Object, String> {
    let Building { name, corners, difficult, instead } = std::mem::take(object);
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| format!("object {number} has no <name>"))?;
    let [Some(left), Some(top), Some(right), Some(bottom)] = corners else {
        let missing = "has no <bndbox> with xmin, ymin, xmax and ymax: draw its box, or take it out";
        let what = if instead.is_empty() { missing } else { instead };
        return Err(format!("object {number} '{name}' {what}"));
    };
    Ok(Object { number, name, corners: [left, top, right, bottom], difficult })
}

/// The text that an entity stands for.
fn resolved(entity: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    let unknown = |e: &dyn std::fmt::Display| format!("no XML: an entity that makes no sense: {e}");
    if let Some(letter) = entity.resolve_char_ref().map_err(|e| unknown(&e))? {
        return Ok(letter.into());
    }
    let name = entity.decode().map_err(|e| unknown(&e))?;
    resolve_predefined_entity(&name).map(Into::into).ok_or_else(|| unknown(&name))
}
