// SPDX-License-Identifier: MPL-2.0
//! Tests of the reader of PASCAL VOC.

use andon_core::result::Verdict;

use super::super::{LabelledBox, Layout, Selection, read, testing::Set};

/// An annotation with objects of these names and corners.
pub(crate) fn annotation(size: [u32; 2], objects: &[(&str, &str)]) -> String {
    let objects: String = objects
        .iter()
        .map(|(name, corners)| {
            let corners: Vec<_> = corners.split(' ').zip(["xmin", "ymin", "xmax", "ymax"]).collect();
            let corners: String = corners.iter().map(|(v, tag)| format!("<{tag}>{v}</{tag}>")).collect();
            format!("<object><name>{name}</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>\n")
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?>\n<annotation verified=\"yes\">\n<filename>other.jpg</filename>\n<size><width>{}</width>\
         <height>{}</height><depth>3</depth></size>\n{objects}</annotation>\n",
        size[0], size[1]
    )
}

fn tree() -> Set {
    let set = Set::new();
    set.picture("JPEGImages/a.png", [100, 50]);
    set.jpeg("JPEGImages/b.jpg", [100, 50]);
    set.picture("JPEGImages/c.png", [100, 50]);
    set.file(
        "Annotations/a.xml",
        annotation([100, 50], &[("short", "0 2 20.5 30"), ("cut &amp; &#x62;ent", "1 1 9 9")]),
    );
    set.file("Annotations/b.xml", annotation([100, 50], &[]));
    set.file("ImageSets/Main/val.txt", "a\n");
    set.file("ImageSets/Main/open_train.txt", "b -1\n c  1\n");
    set
}

fn label(label: &str, bbox: [f64; 4], crowd: bool) -> LabelledBox {
    LabelledBox { label: label.into(), bbox, crowd }
}

#[test]
fn boxes_are_edges_and_a_picture_without_a_file_has_no_label() {
    let set = tree();
    let read_set = set.whole();
    assert_eq!((read_set.layout, &read_set.notes[..]), (Layout::Voc, &[][..]));
    assert_eq!(read_set.labels, ["cut & bent", "short"]);
    let [a, b, c] = &read_set.samples[..] else { panic!("{:?}", read_set.samples) };
    let wanted = vec![label("short", [0.0, 2.0, 20.5, 28.0], false), label("cut & bent", [1.0, 1.0, 8.0, 8.0], false)];
    assert_eq!((&*a.id, a.verdict, &a.boxes), ("JPEGImages/a", Some(Verdict::Ng), &Some(wanted)));
    assert_eq!((b.verdict, &b.boxes, c.verdict, &c.boxes), (Some(Verdict::Ok), &Some(vec![]), None, &None));
    let subset = |name: &str| {
        let read = read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
        read.map(|set| set.samples.into_iter().map(|s| s.id).collect::<Vec<_>>()).map_err(|e| e.to_string())
    };
    assert_eq!(subset("val").unwrap(), ["JPEGImages/a"]);
    assert_eq!(subset("open_train").unwrap(), ["JPEGImages/b", "JPEGImages/c"]);
    assert!(subset("test").unwrap_err().contains("neither ImageSets/Main/test.txt nor a folder"));
}

#[test]
fn files_lie_beside_their_pictures_or_in_a_tree_of_their_own() {
    for (image, file) in [
        ("train/a.png", "train/a.xml"),
        ("a.png", "a.xml"),
        ("images/train/a.png", "annotations/train/a.xml"),
        ("pictures/a.png", "labels/a.xml"),
        ("VOC2012/JPEGImages/a.png", "VOC2012/Annotations/a.xml"),
    ] {
        let set = Set::new();
        set.picture(image, [100, 50]);
        set.picture("masks/z.png", [100, 50]);
        set.file(file, annotation([100, 50], &[("short", "10 2 20 30")]));
        let read = set.whole();
        assert_eq!((read.layout, read.samples.len()), (Layout::Voc, 1), "{image}");
        assert_eq!(read.samples[0].image, set.path().join(image));
        assert!(read.notes[0].contains("edges"), "nothing tells where 10 2 20 30 is counted from");
    }
    let set = Set::new();
    for place in ["train", "valid"] {
        set.picture(&format!("{place}/a.png"), [100, 50]);
        set.file(&format!("{place}/a.xml"), annotation([100, 50], &[("short", "10 2 20 30")]));
    }
    assert_eq!(set.whole().samples.len(), 2);
    let valid = read(set.path(), &Selection { subset: Some("valid".into()), ..Selection::default() }).unwrap();
    assert_eq!(valid.samples[0].id, "valid/a");
}

#[test]
fn pascals_own_boxes_are_counted_from_one_and_difficult_ones_are_a_crowd() {
    let set = tree();
    let text = annotation([100, 50], &[("short", "1 1 100 50"), ("open", "11 21 20 30")]);
    let text = text.replace("<size>", "<source><database>The VOC2007 Database</database></source><size>");
    let part =
        "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>";
    let text = text.replacen("<difficult>0", &format!("{part}<difficult>1"), 1);
    set.file("Annotations/a.xml", text);
    let read = set.whole();
    let wanted = vec![label("short", [0.0, 0.0, 100.0, 50.0], true), label("open", [10.0, 20.0, 10.0, 10.0], false)];
    assert_eq!((&read.samples[0].boxes, read.notes.len()), (&Some(wanted), 0));
}

#[test]
fn what_does_not_hold_together_is_refused_with_the_file() {
    let refused = |text: &str, words: &[&str]| {
        let set = tree();
        set.file("Annotations/a.xml", text);
        set.is_refused(&[&["Annotations/a.xml"], words].concat());
    };
    refused("<annotation/>", &["neither a size nor an object", "take the file out"]);
    refused(&annotation([100, 50], &[]).replace("</annotation>", ""), &["no XML: it breaks off within <annotation>"]);
    refused(&annotation([200, 50], &[]), &["a.png has 100 × 50 pixels, and not 200 × 50 as a.xml says"]);
    for (name, corners, says) in [
        ("short", "10 2 120 30", "object 1 'short': xmin 10, ymin 2, xmax 120, ymax 30 is no box within 100 × 50"),
        ("short", "10 2 10 30", "is no box within"),
        ("short", "nan 2 10 30", "xmin: 'nan' is no number"),
        ("short", "10 2 20", "has no <bndbox> with xmin"),
        ("", "10 2 20 30", "object 1 has no <name>"),
        ("a&nothing;", "10 2 20 30", "an entity that makes no sense"),
    ] {
        refused(&annotation([100, 50], &[(name, corners)]), &[says]);
    }
    refused(
        &annotation([100, 50], &[("short", "1 1 9 9")]).replace("bndbox", "robndbox"),
        &["is a turned box (robndbox), which is not read"],
    );
    refused(
        &annotation([100, 50], &[("short", "1 1 9 9")]).replace("bndbox", "polygon"),
        &["object 1 'short' has an outline and no <bndbox>"],
    );
    let set = tree();
    set.remove("JPEGImages/b.jpg");
    set.is_refused(&["Annotations/b.xml labels a picture that is not there: b.jpg or .png"]);
    let set = tree();
    set.picture("JPEGImages/b.png", [100, 50]);
    set.is_refused(&["two pictures are called JPEGImages/b"]);
    let set = tree();
    ["one/d.png", "two/d.png"].iter().for_each(|f| set.picture(f, [100, 50]));
    set.file("Annotations/d.xml", annotation([100, 50], &[]));
    set.is_refused(&["d.xml labels", "one/d.png or", "two/d.png: put it beside the one that is meant"]);
    let set = tree();
    set.turned_jpeg("JPEGImages/b.jpg", [100, 50], 6);
    set.is_refused(&["b.jpg is stored as 100 × 50 pixels and shown as 50 × 100", "b.xml says 100 × 50"]);
}
