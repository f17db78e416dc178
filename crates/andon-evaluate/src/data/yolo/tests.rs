// SPDX-License-Identifier: MPL-2.0
//! Tests of the reader of YOLO sets.

use andon_core::result::Verdict;

use super::super::{Layout, Selection, read, testing::Set};

/// As Ultralytics lays it out: two subsets.
fn tree() -> Set {
    let set = Set::new();
    set.file("data.yaml", "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: open\n  1: short\n");
    set.picture("images/train/a.png", [100, 50]);
    set.file("labels/train/a.txt", "1 0.5 0.5 0.2 0.4\n\n0 0.1 0.2 0.3 0.4 0.2 0.6\n");
    set.jpeg("images/val/a.jpg", [200, 80]);
    set.file("labels/val/a.txt", "0 0.5 0.5 1 1");
    set
}

fn near(a: [f64; 4], b: [f64; 4]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9)
}

#[test]
fn boxes_and_outlines_become_boxes_in_pixels() {
    let read = tree().whole();
    assert_eq!((read.layout, read.labels), (Layout::Yolo, vec!["open".into(), "short".into()]));
    let [train, val] = &read.samples[..] else { panic!("{:?}", read.samples) };
    assert_eq!((&*train.id, &*val.id, &*val.group), ("train/a", "val/a", "val/a"));
    let boxes = train.boxes.as_ref().unwrap();
    assert!(boxes[0].label == "short" && near(boxes[0].bbox, [40.0, 15.0, 20.0, 20.0]), "{boxes:?}");
    assert!(boxes[1].label == "open" && near(boxes[1].bbox, [10.0, 10.0, 20.0, 20.0]), "{boxes:?}");
    assert!(near(val.boxes.as_ref().unwrap()[0].bbox, [0.0, 0.0, 200.0, 80.0]), "{val:?}");
    assert_eq!(train.verdict, Some(Verdict::Ng));
}

#[test]
fn an_empty_file_is_no_defect_and_no_file_is_no_label() {
    let set = tree();
    set.file("labels/train/a.txt", "\n");
    set.picture("images/train/b.png", [8, 8]);
    let samples = set.whole().samples;
    assert_eq!((samples[0].verdict, &samples[0].boxes), (Some(Verdict::Ok), &Some(vec![])));
    assert_eq!((&*samples[1].id, samples[1].verdict, &samples[1].boxes), ("train/b", None, &None));
}

#[test]
fn subsets_are_found_in_folders_and_lists_and_in_the_places_that_tools_write() {
    let set = tree();
    let subset = |name: &str| {
        let read = read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
        read.map(|set| set.samples.into_iter().map(|s| s.id).collect::<Vec<_>>())
    };
    assert_eq!(subset("val").unwrap(), ["val/a"]);
    let error = subset("test").unwrap_err().to_string();
    assert!(error.contains("data.yaml: it has the subsets train, val only"), "{error}");

    set.file("lists/val.txt", "images/val/a.jpg\n\n./more/images/c.png\n");
    set.picture("lists/more/images/c.png", [8, 8]);
    set.picture("valid/images/d.png", [8, 8]);
    set.file("valid/labels/d.txt", "");
    let yaml = "path: /of/another/machine\ntrain: [images/train, images/val]\nval: ../valid/images\ntest: lists/val.txt\nnames: [open, short]";
    set.file("data.yaml", yaml);
    assert_eq!(subset("train").unwrap(), ["train/a", "val/a"]);
    assert_eq!(subset("val").unwrap(), ["valid/d"]);
    assert_eq!(subset("test").unwrap(), ["lists/more/c", "val/a"]);
    assert_eq!(set.whole().samples.len(), 4, "what two subsets name is there once");
    assert_eq!(read(&set.path().join("data.yaml"), &Selection::default()).unwrap(), set.whole());
}

/// As CVAT exports YOLO 1.1.
fn darknet() -> Set {
    let set = Set::new();
    set.file(
        "obj.data",
        "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n",
    );
    set.file("obj.names", "open\nshort\n");
    set.file("train.txt", "data/obj_train_data/a.png\ndata/obj_train_data/b.png\n");
    set.file("valid.txt", "data/obj_valid_data/a.png\n");
    for (name, label) in
        [("obj_train_data/a", "1 0.5 0.5 0.2 0.4\n"), ("obj_train_data/b", ""), ("obj_valid_data/a", "0 0.5 0.5 1 1")]
    {
        set.picture(&format!("{name}.png"), [100, 50]);
        set.file(&format!("{name}.txt"), label);
    }
    set
}

#[test]
fn cvats_labels_lie_beside_their_pictures_and_lists_name_both() {
    let set = darknet();
    let read_set = set.whole();
    assert_eq!((read_set.layout, &read_set.labels[..]), (Layout::Yolo, &["open", "short"].map(String::from)[..]));
    let [a, b, valid] = &read_set.samples[..] else { panic!("{:?}", read_set.samples) };
    assert_eq!((&*a.id, &*b.id, &*valid.id), ("obj_train_data/a", "obj_train_data/b", "obj_valid_data/a"));
    assert!(near(a.boxes.as_ref().unwrap()[0].bbox, [40.0, 15.0, 20.0, 20.0]) && b.boxes == Some(vec![]), "{a:?}");
    let subset = |name: &str| read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
    assert_eq!(subset("val").unwrap().samples, read_set.samples[2..]);
    assert!(subset("test").unwrap_err().to_string().contains("has the subsets train, valid only"));
    let refused = |change: fn(&Set), words: &[&str]| {
        let set = darknet();
        change(&set);
        set.is_refused(words);
    };
    refused(|s| s.remove("obj_train_data/b.png"), &["train.txt, line 2", "obj_train_data/b.png is not there"]);
    refused(|s| s.file("obj.names", "open\n"), &["obj.data: classes is 2, and there are 1 names"]);
    refused(|s| s.file("obj.names", "open\n\nshort\n"), &["obj.names, line 2", "would shift the classes"]);
    refused(|s| s.file("obj.names", "open\nopen\n"), &["obj.names, line 2: 'open' is there twice"]);
    refused(|s| s.remove("valid.txt"), &["valid.txt is not there"]);
    // A subset may have any name, and lists are found without their keys.
    let text =
        "classes = 2\ntrain = data/train.txt\nline-3 = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n";
    set.file("obj.data", text);
    assert_eq!(subset("line-3").unwrap().samples, read_set.samples[2..]);
    assert_eq!(set.whole(), read_set);
    set.file("obj.data", "classes = 2\n");
    assert_eq!(set.whole(), read_set);
}

#[test]
fn labels_that_nothing_describes_need_a_list_of_the_classes() {
    for (image, label, list) in [
        ("images/train/a.png", "labels/train/a.txt", "classes.txt"),
        ("images/a.png", "labels/a.txt", "labels/classes.txt"),
        ("train/images/a.png", "train/labels/a.txt", "classes.txt"),
        ("train/a.png", "train/a.txt", "train/_darknet.labels"),
        ("a.png", "a.txt", "classes.txt"),
    ] {
        let set = Set::new();
        set.picture(image, [100, 50]);
        set.file(label, "1 0.5 0.5 0.2 0.4\n");
        set.is_refused(&[
            "labels in YOLO's form",
            "nothing names their classes",
            "classes.txt",
            "the last for class 1",
        ]);
        set.file(list, "open\nshort\n");
        let read_set = set.whole();
        assert_eq!((read_set.layout, read_set.samples.len()), (Layout::Yolo, 1), "{image}");
        let bbox = &read_set.samples[0].boxes.as_ref().unwrap()[0];
        assert!(bbox.label == "short" && near(bbox.bbox, [40.0, 15.0, 20.0, 20.0]), "{bbox:?}");
        let subset = |name: &str| read(set.path(), &Selection { subset: Some(name.into()), ..Selection::default() });
        assert_eq!(subset("train").is_ok(), image.contains("train"));
        let beside = std::path::Path::new(label).with_file_name("alone.txt");
        set.file(beside.to_str().unwrap(), "0 0.5 0.5 0.1 0.1");
        set.is_refused(&["alone.txt labels a picture that is not in"]);
        set.file(beside.to_str().unwrap(), "a word");
        set.file("more/obj.names", "short\nopen\n");
        set.is_refused(&["name other classes; take one out"]);
    }
    let set = Set::new();
    set.picture("images/a.png", [100, 50]);
    ["labels/a.txt", "images/a.txt"].iter().for_each(|f| set.file(f, ""));
    set.file("classes.txt", "open");
    set.is_refused(&["images/a.txt or", "labels/a.txt: which labels the picture?"]);
}

#[test]
fn boxes_lie_on_the_picture_as_it_is_shown() {
    let set = tree();
    set.turned_jpeg("images/val/a.jpg", [200, 80], 6);
    let read = set.whole();
    assert!(near(read.samples[1].boxes.as_ref().unwrap()[0].bbox, [0.0, 0.0, 80.0, 200.0]), "{read:?}");
}

#[test]
fn lines_that_make_no_label_are_refused_with_file_and_number() {
    for (line, refused) in [
        ("2 0.5 0.5 0.2 0.2", "class 2 is none of 0 to 1"),
        ("-1 0.5 0.5 0.2 0.2", "class -1"),
        ("0.5 0.5 0.5 0.2 0.2", "class 0.5"),
        ("0 0.5 0.5 0.2", "needs class x y width height"),
        ("0 0.5 0.5 0.2 0.2 0.9", "three corners or more"),
        ("0 320 240 20 20", "parts of the picture"),
        ("0 nan 0.5 0.2 0.2", "parts of the picture"),
        ("0 0.5 0.5 0 0.2", "has no size"),
        ("0 0.5 0.5 0.2 -0.001", "has no size"),
        ("0 0.9 0.5 0.4 0.2", "over the picture's edge"),
        ("0 a b c d", "invalid float"),
    ] {
        let set = tree();
        set.file("labels/train/a.txt", format!("0 0.5 0.5 1 1\n{line}\n"));
        set.is_refused(&["labels/train/a.txt, line 2", line, refused]);
    }
}

#[test]
fn a_set_that_does_not_hold_together_is_refused() {
    let refused = |change: fn(&Set), words: &[&str]| {
        let set = tree();
        change(&set);
        set.is_refused(words);
    };
    refused(|s| s.remove("images/train/a.png"), &["data.yaml: train:", "images/train holds no picture"]);
    refused(|s| s.file("labels/val/b.txt", ""), &["labels/val/b.txt labels a picture that is not in", "images/val"]);
    refused(|s| s.file("images/train/a.png", "no picture"), &["images/train/a.png cannot be read as PNG or JPEG"]);
    refused(|s| s.jpeg("images/train/a.jpg", [8, 8]), &["two pictures are called train/a"]);
    refused(|s| s.file("data.yaml", "names: [a]"), &["data.yaml: it has none of train:"]);
    refused(
        |s| s.file("data.yaml", "train: images/none\nnames: [a]"),
        &["data.yaml: train:", "images/none is not there"],
    );
    refused(|s| s.file("data.yaml", "train: images/train\nnames: [a, a]"), &["data.yaml", "class 1 is called 'a'"]);
    refused(|s| s.file("data.yaml", "train: images/train\nnames: [a]\nkpt_shape: [1, 2]"), &["poses"]);
    refused(
        |s| {
            s.file("data.yaml", "train: list.txt\nnames: [a]");
            s.file("list.txt", "images/train/none.png");
        },
        &["list.txt, line 1", "images/train/none.png is not there"],
    );
    refused(
        |s| {
            s.remove("labels/train/a.txt");
            s.remove("labels/val/a.txt");
        },
        &["no picture has a file of labels: below labels/"],
    );
}
