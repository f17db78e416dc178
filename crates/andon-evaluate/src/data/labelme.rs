// SPDX-License-Identifier: MPL-2.0
//! labelme, and X-AnyLabeling, which writes the same: a `.json` file of shapes beside each picture.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use andon_core::{files as core_files, json};
use serde::Deserialize;
use serde_json::Value;

use super::{
    error::{Error, Result, ensure},
    files,
    picture::{check_size, size},
    sample::{LabelledBox, Sample},
    survey::Survey,
};

/// How far a box may lie over the edge, pixels: tools round.
const OVER: f64 = 1.0;

/// What is read of a file.
#[derive(Deserialize)]
struct File {
    shapes: Vec<Shape>,
    /// The picture, as a path from the file.
    #[serde(rename = "imagePath")]
    picture: String,
    #[serde(rename = "imageWidth")]
    width: Option<f64>,
    #[serde(rename = "imageHeight")]
    height: Option<f64>,
    /// What was ticked of the picture as a whole.
    #[serde(default)]
    flags: Option<HashMap<String, Value>>,
}

/// A shape.
#[derive(Deserialize)]
struct Shape {
    label: String,
    points: Vec<[f64; 2]>,
    /// Missing in old files, which know polygons alone.
    #[serde(default, rename = "shape_type")]
    kind: Option<String>,
    /// Shapes of one label and group are pieces of one thing.
    #[serde(default, rename = "group_id")]
    group: Option<i64>,
}

/// What tells that a file is one of labelme.
#[derive(Deserialize)]
struct Keys {
    shapes: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(rename = "imagePath")]
    picture: Option<String>,
}

/// Returns whether any picture has such a file.
pub(super) fn fits(survey: &Survey) -> bool {
    survey
        .with_pictures()
        .any(|place| place.files.iter().any(|file| place.picture_of(file).is_some() && is_labelme(file)))
}

/// Returns whether a file has shapes and names a picture.
pub(super) fn is_labelme(file: &Path) -> bool {
    let keys = || serde_json::from_str::<Keys>(&core_files::read_text(file, core_files::DATA).ok()?).ok();
    files::kind(file).is_some_and(|kind| kind == "json")
        && keys().is_some_and(|keys| keys.shapes.is_some() && keys.picture.is_some())
}

/// Reads the labels by the alphabet, and the pictures of `subset` or of all: those in folders of that name.
pub(super) fn read(root: &Path, subset: Option<&str>) -> Result<(Vec<String>, Vec<Sample>)> {
    let survey = Survey::of(root)?;
    let (mut labels, mut samples) = (BTreeSet::new(), Vec::new());
    for place in survey.places.iter().filter(|place| place.is_of(subset)) {
        let mut labelled: HashMap<&PathBuf, &PathBuf> = HashMap::new();
        for file in place.files.iter().filter(|file| files::kind(file).is_some_and(|kind| kind == "json")) {
            match place.picture_of(file) {
                Some(image) => drop(labelled.insert(image, file)),
                None => ensure!(
                    !is_labelme(file),
                    Picture,
                    "{} labels a picture that is not beside it; add that (labelme_export_json writes one that is in the file \
                     itself), or take the file out",
                    file.display()
                ),
            }
        }
        if labelled.is_empty() {
            continue;
        }
        for image in &place.pictures {
            files::is_picture(image)?;
            let sample = Sample::alone(files::id(image.strip_prefix(root).unwrap_or(image))?, image.clone());
            let Some(file) = labelled.get(image) else {
                samples.push(sample);
                continue;
            };
            let boxes = boxes(file, image).map_err(|e| e.at(file.display()))?;
            labels.extend(boxes.iter().map(|b| b.label.clone()));
            samples.push(sample.with_boxes(boxes));
        }
    }
    let known = subset.is_none() || !samples.is_empty();
    ensure!(known, Selection, "{} has no folder {}", root.display(), subset.unwrap_or_default());
    Ok((labels.into_iter().collect(), samples))
}

/// The boxes in the file of a picture: around each shape, or around all shapes of one thing.
fn boxes(file: &Path, image: &Path) -> Result<Vec<LabelledBox>> {
    let text = core_files::read_text(file, core_files::DATA).map_err(Error::io(file))?;
    let read: File = json::read(&text).map_err(|e| Error::Label(format!("no file of labelme: {e}")))?;
    let named = read.picture.rsplit(['/', '\\']).next().unwrap_or_default();
    ensure!(
        Path::new(named).file_stem() == image.file_stem(),
        Inconsistent,
        "imagePath is '{}', and beside it lies {}: which does it label? Correct imagePath, or the name of the file",
        read.picture,
        files::name(image)?
    );
    let ticked: Vec<_> =
        read.flags.iter().flatten().filter(|(_, v)| **v == Value::Bool(true)).map(|(k, _)| &**k).collect();
    ensure!(
        ticked.is_empty() || !read.shapes.is_empty(),
        Label,
        "it says {} of the picture as a whole, and has no shapes: only shapes are read. Sort the pictures into a folder a class, \
         or take the flags out",
        ticked.join(", ")
    );
    if let (Some(width), Some(height)) = (read.width, read.height) {
        check_size(image, [width, height], files::name(file)?)?;
    }
    let [width, height] = size(image)?.map(f64::from);
    let mut things: Vec<(Option<i64>, LabelledBox)> = Vec::new();
    for (n, shape) in read.shapes.into_iter().enumerate() {
        let at = format!("shape {} '{}'", n + 1, shape.label);
        let [left, top, right, bottom] = corners(&shape).map_err(|e| Error::Label(format!("{at}: {e}")))?;
        let outside = left < -OVER || top < -OVER || right > width + OVER || bottom > height + OVER;
        ensure!(!outside, Label, "{at}: it lies over the edge of {width} × {height} pixels; correct it or take it out");
        let (left, top) = (left.max(0.0), top.max(0.0));
        let bbox = [left, top, right.min(width) - left, bottom.min(height) - top];
        ensure!(bbox[2] > 0.0 && bbox[3] > 0.0, Label, "{at}: it has no size; correct it or take it out");
        let of = |(group, thing): &&mut (Option<i64>, LabelledBox)| {
            group.is_some() && *group == shape.group && thing.label == shape.label
        };
        match things.iter_mut().find(of) {
            Some((_, thing)) => thing.bbox = around(thing.bbox, bbox),
            None => things.push((shape.group, LabelledBox { label: shape.label, bbox, crowd: false })),
        }
    }
    Ok(things.into_iter().map(|(_, thing)| thing).collect())
}

/// The box around two boxes.
fn around(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    let [left, top] = [0, 1].map(|i| a[i].min(b[i]));
    let [right, bottom] = [0, 1].map(|i| (a[i] + a[i + 2]).max(b[i] + b[i + 2]));
    [left, top, right - left, bottom - top]
}

/// Left, top, right and bottom of a shape; or why it has no box.
fn corners(shape: &Shape) -> std::result::Result<[f64; 4], String> {
    let kind = shape.kind.as_deref().unwrap_or("polygon");
    let points = &shape.points;
    if points.iter().flatten().any(|v| !v.is_finite()) {
        return Err("a point that is no number".into());
    }
    match kind {
        "rectangle" | "mask" if points.len() >= 2 => {}
        "polygon" | "rotation" | "oriented_rectangle" | "quadrilateral" if points.len() >= 3 => {}
        "circle" => {
            let [[x, y], [a, b]] = points[..] else {
                return Err("a circle has a centre and a point of its edge".into());
            };
            let radius = (x - a).hypot(y - b);
            return Ok([x - radius, y - radius, x + radius, y + radius]);
        }
        "rectangle" | "mask" | "polygon" | "rotation" | "oriented_rectangle" | "quadrilateral" => {
            return Err(format!("a {kind} of {} points", points.len()));
        }
        _ => return Err(format!("a {kind} has no area, so no box: draw a rectangle or a polygon, or take it out")),
    }
    let along = |axis: usize| points.iter().map(move |p| p[axis]);
    let least = |axis| along(axis).fold(f64::INFINITY, f64::min);
    let most = |axis| along(axis).fold(f64::NEG_INFINITY, f64::max);
    Ok([least(0), least(1), most(0), most(1)])
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Layout, Selection, read, testing::Set},
        *,
    };
    use andon_core::result::Verdict;
    use serde_json::json;

    fn file(name: &str, shapes: Value) -> Value {
        json!({"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": name, "imageData": null,
               "imageHeight": 50, "imageWidth": 100})
    }

    fn shape(label: &str, kind: &str, points: Value) -> Value {
        json!({"label": label, "points": points, "group_id": null, "shape_type": kind, "flags": {}})
    }

    fn tree() -> Set {
        let set = Set::new();
        ["shots/a.png", "shots/b.png", "shots/c.png"].iter().for_each(|name| set.picture(name, [100, 50]));
        let mut pieces = [
            shape("cut", "rectangle", json!([[60, 5], [70, 10]])),
            shape("cut", "rectangle", json!([[80, 40], [90, 20]])),
        ];
        pieces.iter_mut().for_each(|piece| piece["group_id"] = json!(3));
        let shapes = json!([
            shape("short", "rectangle", json!([[30.5, 20], [10, 4]])),
            shape("open", "polygon", json!([[1, 1], [9, 3], [5, 11]])),
            shape("hole", "circle", json!([[50, 25], [53, 29]])),
            pieces[0],
            pieces[1],
        ]);
        set.file("shots/a.json", file("..\\shots\\a.png", shapes).to_string());
        set.file("shots/b.json", file("b.png", json!([])).to_string());
        set
    }

    #[test]
    fn shapes_become_boxes_and_pieces_of_one_thing_one_box() {
        let set = tree();
        let read_set = set.whole();
        assert_eq!(
            (read_set.layout, &read_set.labels[..]),
            (Layout::Labelme, &["cut", "hole", "open", "short"].map(String::from)[..])
        );
        let [a, b, c] = &read_set.samples[..] else { panic!("{:?}", read_set.samples) };
        let boxes: Vec<_> = a.boxes.iter().flatten().map(|b| (&*b.label, b.bbox)).collect();
        let wanted = [
            ("short", [10.0, 4.0, 20.5, 16.0]),
            ("open", [1.0, 1.0, 8.0, 10.0]),
            ("hole", [45.0, 20.0, 10.0, 10.0]),
            ("cut", [60.0, 5.0, 30.0, 35.0]),
        ];
        assert_eq!((&*a.id, boxes), ("shots/a", wanted.to_vec()));
        assert_eq!((b.verdict, &b.boxes, c.verdict, &c.boxes), (Some(Verdict::Ok), &Some(vec![]), None, &None));
        let subset = |name: &str| read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
        assert_eq!(subset("shots").unwrap().samples, read_set.samples);
        assert!(subset("test").unwrap_err().to_string().contains("has no folder test"));
    }

    #[test]
    fn what_has_no_box_or_does_not_hold_together_is_refused() {
        let refused = |change: &dyn Fn(&mut Value), words: &[&str]| {
            let set = tree();
            let mut a = file("a.png", json!([shape("short", "rectangle", json!([[30, 20], [10, 4]]))]));
            change(&mut a);
            set.file("shots/a.json", a.to_string());
            set.is_refused(&[&["shots/a.json"], words].concat());
        };
        refused(
            &|a| a["shapes"][0]["shape_type"] = json!("line"),
            &["shape 1 'short': a line has no area", "draw a rectangle"],
        );
        refused(&|a| a["shapes"][0]["shape_type"] = json!("polygon"), &["a polygon of 2 points"]);
        refused(&|a| a["shapes"][0]["points"][0] = json!([130, 20]), &["over the edge of 100 × 50 pixels"]);
        refused(&|a| a["shapes"][0]["points"][0] = json!([10, 20]), &["it has no size"]);
        refused(&|a| a["imageWidth"] = json!(50), &["a.png has 100 × 50 pixels, and not 50 × 50 as a.json says"]);
        refused(&|a| a["imagePath"] = json!("z.png"), &["imagePath is 'z.png', and beside it lies a.png"]);
        refused(
            &|a| (a["flags"], a["shapes"]) = (json!({"scratch": true, "ok": false}), json!([])),
            &["it says scratch of the picture"],
        );
        let set = tree();
        set.remove("shots/a.png");
        set.is_refused(&["shots/a.json labels a picture that is not beside it"]);
    }
}
