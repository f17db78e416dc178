// SPDX-License-Identifier: MPL-2.0
//! `andon dataset` on what a framesampler wrote behind two shipped models: export, figures, contact sheet, import.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use common::{andon, arg, err, fails, ok, out};
use serde_json::{Value, json};

/// Two views of each of 12 boards, judged by both models, all kept.
static CAPTURES: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dataset");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let (line, captures) = (folder.join("line.launch"), folder.join("captures"));
    let text = "defecttestsrc num-buffers=24 views=2 defect-rate=0.6 seed=5 ! abtee name=t leaky=false
        t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a  t.src_b ! modelinfer model=models/pcb/2 ! j.sink_b
        abjoin name=j wait=-1 ! framesampler random-rate=0 location=${CAPTURES} every=1 on-ng=true on-disagreement=true ! fakesink";
    fs::write(&line, text).unwrap();
    ok(&["run", arg(&line), &format!("CAPTURES={}", captures.display())]);
    captures
});

/// The sidecars of a folder by their file names.
fn sidecars(folder: &Path) -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    files
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .map(|p| {
            let sidecar: Value = serde_json::from_str(&fs::read_to_string(p).unwrap()).unwrap();
            (sidecar["file"].as_str().unwrap().to_string(), sidecar)
        })
        .collect()
}

/// The result of an arm.
fn result<'a>(sidecar: &'a Value, arm: &str) -> &'a Value {
    sidecar["results"].as_array().unwrap().iter().find(|r| r["arm"] == arm).unwrap()
}

/// Label, score and box of every detection of an arm.
fn found(sidecar: &Value, arm: &str) -> Vec<(String, f64, [f64; 4])> {
    let all = result(sidecar, arm)["detections"].as_array().unwrap();
    all.iter()
        .map(|d| (d["label"].as_str().unwrap().into(), d["score"].as_f64().unwrap(), numbers(&d["box"])))
        .collect()
}

fn numbers(list: &Value) -> [f64; 4] {
    [0, 1, 2, 3].map(|i| list[i].as_f64().unwrap())
}

/// Boxes in the image's pixels are those of the sidecar, but for the part that lies outside.
#[track_caller]
fn assert_near(a: [f64; 4], b: [f64; 4], size: f64) {
    let [x, y, w, h] = b;
    let (left, top) = (x.max(0.0), y.max(0.0));
    let cut = [left, top, (x + w).min(size) - left, (y + h).min(size) - top];
    assert!(a.iter().zip(cut).all(|(a, b)| (a - b).abs() < 0.02), "{a:?} is not {cut:?}");
}

fn parsed(path: PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// Exports to a folder that is new.
fn export(captures: &Path, format: &str, more: &[&str]) -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("set");
    let output =
        andon(&[&["dataset", "export", arg(captures), "--format", format, "--into", arg(&into)], more].concat())
            .output()
            .unwrap();
    assert!(output.status.success(), "{}", err(&output));
    (folder, into, err(&output))
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            all.extend(tree(&entry));
        } else {
            all.insert(entry.clone(), fs::read(&entry).unwrap());
        }
    }
    all
}

/// Some captures in a folder of their own: the first `n`, each sidecar changed by `change`.
fn copy(n: usize, change: impl Fn(usize, &mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (at, (file, mut sidecar)) in sidecars(&CAPTURES).into_iter().take(n).enumerate() {
        change(at, &mut sidecar);
        fs::copy(CAPTURES.join(&file), folder.path().join(&file)).unwrap();
        fs::write(folder.path().join(file.replace(".png", ".json")), sidecar.to_string()).unwrap();
    }
    folder
}

#[test]
fn coco_has_every_image_and_every_box_of_the_arm_with_its_score() {
    let captures = sidecars(&CAPTURES);
    assert_eq!(captures.len(), 24);
    for arm in ["a", "b"] {
        let (_folder, set, _) = export(&CAPTURES, "coco", &["--arm", arm]);
        let coco = parsed(set.join("annotations/instances_default.json"));
        let (images, boxes) = (coco["images"].as_array().unwrap(), coco["annotations"].as_array().unwrap());
        assert_eq!(images.len(), 24);
        let names: BTreeMap<_, _> = coco["categories"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (c["id"].as_u64(), c["name"].as_str().unwrap()))
            .collect();
        let mut left = boxes.iter().collect::<Vec<_>>();
        for image in images {
            let file = image["file_name"].as_str().unwrap();
            assert_eq!((&image["width"], &image["height"]), (&json!(640), &json!(640)));
            assert_eq!(
                fs::read(set.join("images/default").join(file)).unwrap(),
                fs::read(CAPTURES.join(file)).unwrap()
            );
            let (shown, part) = (&image["andon"], &captures[file]["part"]);
            assert_eq!(
                [&shown["part"], &shown["sku"], &shown["view"], &shown["views"]],
                [&part["id"], &part["sku"], &part["view"], &part["views"]]
            );
            let own: Vec<_> = left.extract_if(.., |b| b["image_id"] == image["id"]).collect();
            let wanted = found(&captures[file], arm);
            assert_eq!(own.len(), wanted.len());
            for (b, (label, score, bbox)) in own.iter().zip(wanted) {
                assert_eq!(names[&b["category_id"].as_u64()], label);
                assert!((b["score"].as_f64().unwrap() - score).abs() < 1e-4);
                assert_near(numbers(&b["bbox"]), bbox, 640.0);
                assert_eq!((&b["segmentation"], &b["iscrowd"]), (&json!([]), &json!(0)));
                assert_eq!(b["attributes"], json!({"source": "auto"}));
            }
        }
        assert!(left.is_empty() && boxes.len() > 8, "{arm}: {left:?}");
        // Version 1 has never learned what copper is.
        assert_eq!(names.values().any(|n| *n == "copper"), arm == "b");
    }
}

#[test]
fn a_model_is_right_by_its_own_opinions_in_every_layout_that_is_exported() {
    let boxes: usize = sidecars(&CAPTURES).values().map(|s| found(s, "b").len()).sum();
    for format in ["coco", "yolo"] {
        let (_folder, set, _) = export(&CAPTURES, format, &["--arm=b", "--val=0.5"]);
        let report = ok(&["evaluate", "models/pcb/2", "--json", "--data", arg(&set)]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["images"], 24, "{format}");
        let labelled = report["models"][0]["boxes"].as_object().unwrap().values().map(|n| n.as_u64().unwrap());
        assert_eq!(labelled.sum::<u64>() as usize, boxes, "{format}");
        assert!(report["models"][0]["figures"]["map_0.33"]["value"].as_f64().unwrap() > 0.99, "{format}: {report}");
    }
}

#[test]
fn label_studio_has_both_opinions_in_percent() {
    let captures = sidecars(&CAPTURES);
    let (_folder, set, _) = export(&CAPTURES, "labelstudio", &["--prefix=s3://bucket/"]);
    let tasks = parsed(set.join("tasks_default.json"));
    assert_eq!(tasks.as_array().unwrap().len(), 24);
    for task in tasks.as_array().unwrap() {
        let address = task["data"]["image"].as_str().unwrap();
        let file = address.strip_prefix("s3://bucket/images/default/").unwrap();
        assert_eq!(task["data"]["part"], captures[file]["part"]["id"]);
        for (n, arm) in ["a", "b"].into_iter().enumerate() {
            let prediction = &task["predictions"][n];
            assert_eq!(prediction["model_version"], format!("pcb {} (arm {arm})", n + 1));
            let (boxes, wanted) = (prediction["result"].as_array().unwrap(), found(&captures[file], arm));
            assert_eq!(boxes.len(), wanted.len());
            for (b, (label, _, bbox)) in boxes.iter().zip(wanted) {
                let pixels = ["x", "y", "width", "height"].map(|side| b["value"][side].as_f64().unwrap() * 6.4);
                assert_near(pixels, bbox, 640.0);
                assert_eq!((&b["type"], &b["value"]["rectanglelabels"]), (&json!("rectanglelabels"), &json!([label])));
            }
        }
    }
    let config = fs::read_to_string(set.join("config.xml")).unwrap();
    assert!(config.contains("<Label value=\"copper\"/>") && config.contains("<Label value=\"open\"/>"), "{config}");
}

#[test]
fn every_model_of_an_arm_is_exported_under_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let (line, captures) = (folder.path().join("line.launch"), folder.path().join("captures"));
    let text = format!(
        "defecttestsrc num-buffers=6 defect-rate=1 seed=5 ! modelinfer name=one model=models/pcb/1
           ! modelinfer name=two model=models/pcb/2 ! framesampler location={} every=1 ! fakesink",
        captures.display()
    );
    fs::write(&line, text).unwrap();
    ok(&["run", arg(&line)]);
    let kept = sidecars(&captures);
    let (_folder, set, _) = export(&captures, "labelstudio", &[]);
    let tasks = parsed(set.join("tasks_default.json"));
    assert_eq!((kept.len(), tasks.as_array().unwrap().len()), (6, 6));
    for task in tasks.as_array().unwrap() {
        let said = task["predictions"].as_array().unwrap();
        let versions: BTreeSet<_> = said.iter().map(|p| p["model_version"].as_str().unwrap()).collect();
        assert_eq!(versions, BTreeSet::from(["pcb 1 (arm a)", "pcb 2 (arm a)"]));
        let ids: Vec<_> = said.iter().flat_map(|p| p["result"].as_array().unwrap()).map(|r| r["id"].as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no two boxes have one id");
        let file = task["data"]["image"].as_str().unwrap().rsplit('/').next().unwrap();
        let of_models = kept[file]["results"].as_array().unwrap().iter().filter(|r| r["arm"] == "a");
        let verdicts: Vec<_> = of_models.map(|r| &r["verdict"]).collect();
        let worst = if verdicts.contains(&&json!("ng")) { "ng" } else { "ok" };
        assert_eq!((verdicts.len(), task["data"]["verdict_a"].as_str()), (2, Some(worst)));
    }
}

#[test]
fn yolo_has_a_line_a_box_and_an_empty_file_where_there_is_none() {
    let captures = sidecars(&CAPTURES);
    let labels = "pin-hole,copper,open,short,mousebite,spur";
    let (_folder, set, _) = export(&CAPTURES, "yolo", &["--arm=b", "--labels", labels]);
    let yaml = fs::read_to_string(set.join("data.yaml")).unwrap();
    assert!(
        yaml.contains("train: images/train\n") && yaml.contains("nc: 6\n") && yaml.contains("  1: \"copper\"\n"),
        "{yaml}"
    );
    let labels: Vec<_> = labels.split(',').collect();
    let mut empty = 0;
    for (file, sidecar) in captures {
        let text = fs::read_to_string(set.join("labels/train").join(file.replace(".png", ".txt"))).unwrap();
        let wanted = found(&sidecar, "b");
        assert_eq!(text.lines().count(), wanted.len());
        empty += usize::from(wanted.is_empty());
        for (line, (label, _, bbox)) in text.lines().zip(wanted) {
            let numbers: Vec<f64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            let [class, x, y, w, h] = numbers[..] else { panic!("{line}") };
            assert_eq!(labels[class as usize], label);
            assert_near([x - w / 2.0, y - h / 2.0, w, h].map(|v| v * 640.0), bbox, 640.0);
        }
    }
    assert!(empty > 0, "some boards have nothing on them");
    let missing = ["dataset", "export", arg(&CAPTURES), "--format=yolo", "--into=/nowhere/set", "--labels=open"];
    assert!(
        fails(2, &[&missing[..4], &["--into", arg(&set.join("x"))], &missing[5..]].concat())
            .contains("--labels has no ")
    );
}

/// `data.yaml` by the rules of a trainer: `train` and `val` are there and lead to folders that are, from the folder of the file
/// itself, whatever the current folder is; and some class has a name.
#[test]
fn a_trainer_takes_a_yolo_set_with_and_without_a_split_wherever_it_stands() {
    for (more, train, val) in [
        (&[][..], "images/train", "images/train"),
        (&["--val=0.5"], "images/train", "images/val"),
        (&["--subset=val"], "images/val", "images/val"),
        (&["--subset=test"], "images/test", "images/test"),
    ] {
        let (folder, set, _) = export(&CAPTURES, "yolo", more);
        let moved = folder.path().join("moved");
        fs::rename(&set, &moved).unwrap();
        let yaml = fs::read_to_string(moved.join("data.yaml")).unwrap();
        let value = |key: &str| yaml.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")));
        assert_eq!((value("path"), value("train"), value("val")), (None, Some(train), Some(val)), "{yaml}");
        for place in [train, val] {
            assert!(fs::read_dir(moved.join(place)).unwrap().count() > 0, "{place}");
        }
        let report = ok(&["evaluate", "models/pcb/1", "--data", arg(&moved), "--limit=2", "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((&report["layout"], &report["images"]), (&json!("yolo"), &json!(2)));
    }
    let nothing = copy(2, |_, sidecar| {
        sidecar["results"].as_array_mut().unwrap().iter_mut().for_each(|r| r["detections"] = json!([]))
    });
    let into = nothing.path().join("set");
    let arguments = ["dataset", "export", arg(nothing.path()), "--format=yolo", "--into", arg(&into)];
    assert!(fails(2, &arguments).contains("name the classes with --labels"));
    let split = [&arguments[..], &["--labels=open", "--val=0"]].concat();
    let output = andon(&split).output().unwrap();
    assert!(output.status.success() && err(&output).contains("no image in val"), "{}", err(&output));
}

#[test]
fn datumaro_has_the_verdict_as_a_tag_of_the_image() {
    let captures = sidecars(&CAPTURES);
    let (_folder, set, _) = export(&CAPTURES, "datumaro", &["--subset=line-3"]);
    let data = parsed(set.join("annotations/line-3.json"));
    let labels = data["categories"]["label"]["labels"].as_array().unwrap();
    let items = data["items"].as_array().unwrap();
    assert_eq!(items.len(), 24);
    for item in items {
        let file = item["image"]["path"].as_str().unwrap();
        let verdict = result(&captures[file], "a")["verdict"].as_str().unwrap();
        let [tag, boxes @ ..] = &item["annotations"].as_array().unwrap()[..] else { panic!("{item}") };
        assert_eq!(labels[tag["label_id"].as_u64().unwrap() as usize]["name"], verdict.to_uppercase());
        assert_eq!(boxes.len(), found(&captures[file], "a").len());
        assert!(set.join("images/line-3").join(file).is_file());
    }
}

#[test]
fn the_same_captures_make_the_same_bytes() {
    for format in ["coco", "labelstudio", "yolo", "datumaro"] {
        let sets = [0, 1].map(|_| export(&CAPTURES, format, &["--val=0.4"]));
        let trees = sets.each_ref().map(|(_, set, _)| {
            tree(set).into_iter().map(|(path, bytes)| (path.strip_prefix(set).unwrap().to_owned(), bytes)).collect()
        });
        let [one, other]: [BTreeMap<PathBuf, Vec<u8>>; 2] = trees;
        assert!(one == other, "{format}: {:?}", one.keys().collect::<Vec<_>>());
    }
}

#[test]
fn frames_of_one_part_are_never_split_and_a_part_stays_where_it_is() {
    let captures = sidecars(&CAPTURES);
    let parts = |set: &Path, subset: &str| -> BTreeSet<String> {
        let coco = parsed(set.join(format!("annotations/instances_{subset}.json")));
        let files = coco["images"].as_array().unwrap().iter().map(|i| i["file_name"].as_str().unwrap().to_string());
        files.map(|file| captures[&file]["part"]["id"].as_str().unwrap().to_string()).collect()
    };
    let (_folder, set, _) = export(&CAPTURES, "coco", &["--val=0.4"]);
    let (train, val) = (parts(&set, "train"), parts(&set, "val"));
    assert!(train.is_disjoint(&val) && !train.is_empty() && !val.is_empty(), "{train:?} {val:?}");
    assert_eq!(train.len() + val.len(), 12);
    let few = copy(7, |_, _| ());
    let (_folder, set, _) = export(few.path(), "coco", &["--val=0.4"]);
    assert!(parts(&set, "train").is_subset(&train) && parts(&set, "val").is_subset(&val));
}

#[test]
fn captures_that_name_no_part_stay_together_where_they_may_show_the_same_object() {
    // Six objects of four frames each, 33 ms apart, and ten seconds between two objects.
    let object_of = |at: usize| at / 4;
    let untold = copy(24, |at, sidecar| {
        sidecar["part"] = Value::Null;
        sidecar["pts_ns"] = json!(10_000_000_000_u64 * object_of(at) as u64 + 33_000_000 * (at as u64 % 4));
    });
    let objects: BTreeMap<_, _> =
        sidecars(&CAPTURES).into_keys().enumerate().map(|(at, f)| (f, object_of(at))).collect();
    let (_folder, set, said) = export(untold.path(), "coco", &["--val=0.5"]);
    let in_subset = |subset: &str| -> BTreeSet<usize> {
        let coco = parsed(set.join(format!("annotations/instances_{subset}.json")));
        coco["images"].as_array().unwrap().iter().map(|i| objects[i["file_name"].as_str().unwrap()]).collect()
    };
    let (train, val) = (in_subset("train"), in_subset("val"));
    assert!(train.is_disjoint(&val) && train.len() + val.len() == 6, "{train:?} {val:?}");
    assert!(
        said.contains("24 captures without a part: split by 6 groups") && said.contains("--frames-are-parts"),
        "{said}"
    );
    let (_folder, _, said) = export(untold.path(), "coco", &["--val=0.5", "--frames-are-parts"]);
    assert!(said.contains("24 captures without a part: each was split as a part of its own"), "{said}");
}

#[test]
fn unsure_boxes_are_left_out_where_asked() {
    let sure = sidecars(&CAPTURES).values().flat_map(|s| found(s, "a")).filter(|(_, score, _)| *score >= 0.7).count();
    let (_folder, set, _) = export(&CAPTURES, "coco", &["--min-score=0.7"]);
    let coco = parsed(set.join("annotations/instances_default.json"));
    assert_eq!(coco["annotations"].as_array().unwrap().len(), sure);
}

#[cfg(unix)]
#[test]
fn linked_images_take_no_room() {
    use std::os::unix::fs::MetadataExt;
    let few = copy(2, |_, _| ());
    let into = few.path().join("set");
    ok(&["dataset", "export", arg(few.path()), "--format=yolo", "--into", arg(&into), "--link"]);
    for file in sidecars(few.path()).keys() {
        let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
        assert_eq!(inode(into.join("images/train").join(file)), inode(few.path().join(file)));
    }
}

#[test]
fn a_folder_that_is_not_empty_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "x").unwrap();
    let said = fails(2, &["dataset", "export", arg(&CAPTURES), "--format=coco", "--into", arg(folder.path())]);
    assert!(said.contains("it is there and not empty"), "{said}");
    assert_eq!(tree(folder.path()).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_killed_export_leaves_no_half_data_set_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("set");
    let arguments = ["dataset", "export", arg(&CAPTURES), "--format=coco", "--into", arg(&into)];
    // The first image is larger than any file may become: the system ends the program by a signal.
    let killed = Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -f 16; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_andon")])
        .args(arguments)
        .output()
        .unwrap();
    assert!(!killed.status.success() && !into.exists(), "{}", out(&killed));
    ok(&arguments);
    assert_eq!(fs::read_dir(into.join("images/default")).unwrap().count(), 24);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of the first");
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_exported() {
    let folder = copy(6, |at, sidecar| match at {
        0 => sidecar["file"] = json!("../../etc/passwd"),
        1 => sidecar["schema"] = json!("andon.capture/0"),
        _ => {}
    });
    let files: Vec<_> = sidecars(&CAPTURES).into_keys().take(6).collect();
    fs::write(folder.path().join(files[2].replace(".png", ".json")), "{\"schema\":").unwrap();
    fs::remove_file(folder.path().join(&files[3])).unwrap();
    fs::remove_file(folder.path().join(files[4].replace(".png", ".json"))).unwrap();
    let (_folder, set, said) = export(folder.path(), "coco", &[]);
    assert_eq!(parsed(set.join("annotations/instances_default.json"))["images"].as_array().unwrap().len(), 1);
    assert!(said.contains("3 broken sidecars") && said.contains("andon.capture/1"), "{said}");
    assert!(said.contains(&format!("1 sidecar without its image: {}", files[3].replace(".png", ".json"))), "{said}");
    assert!(said.contains(&format!("1 image without a sidecar: {}", files[4])), "{said}");
}

#[test]
fn where_there_is_nothing_at_all_it_is_wrong_usage() {
    let empty = tempfile::tempdir().unwrap();
    let into = empty.path().join("set");
    for (folder, told) in [(empty.path(), "no captures in it"), (Path::new("/nowhere"), "/nowhere")] {
        for more in [&["export", "--format=coco", "--into", arg(&into)][..], &["stats"], &["browse"]] {
            assert!(fails(2, &[&["dataset"], more, &[arg(folder)]].concat()).contains(told));
        }
    }
    let broken = copy(2, |_, sidecar| sidecar["schema"] = json!("x"));
    let said = fails(2, &["dataset", "export", arg(broken.path()), "--format=coco", "--into", arg(&into)]);
    assert!(said.contains("no capture in it is whole") && said.contains("2 broken sidecars"), "{said}");
    assert_eq!(tree(empty.path()).len(), 0);
    let odd = ["dataset", "export", arg(&CAPTURES), "--into", arg(&into)];
    fails(2, &[&odd[..], &["--format=coco", "--subset=../x"]].concat());
    assert!(
        fails(2, &[&odd[..], &["--format=yolo", "--subset=nc"]].concat()).contains("yolo knows train, val and test")
    );
}

#[test]
fn a_frame_that_was_not_judged_never_passes_for_one_without_defects() {
    let folder = copy(4, |at, sidecar| {
        if at == 1 {
            let a = sidecar["results"].as_array_mut().unwrap().iter_mut().find(|r| r["arm"] == "a").unwrap();
            (a["status"], a["verdict"], a["detections"]) = (json!("skipped"), json!("unjudged"), json!([]));
        }
    });
    for (format, more, images) in
        [("coco", None, 3), ("yolo", None, 3), ("datumaro", None, 4), ("coco", Some("--unjudged"), 4)]
    {
        let (_folder, set, said) = export(folder.path(), format, more.as_slice());
        let all = tree(&set.join("images")).len();
        assert_eq!(all, images, "{format} {more:?}");
        assert!(said.contains("1 capture not judged by arm a"), "{said}");
    }
    let (_folder, set, _) = export(folder.path(), "labelstudio", &[]);
    let tasks = parsed(set.join("tasks_default.json"));
    let opinions: Vec<_> = (0..4).map(|n| tasks[n]["predictions"].as_array().unwrap().len()).collect();
    assert_eq!(opinions, [2, 1, 2, 2]);
}

#[test]
fn masks_and_maps_that_a_sidecar_only_names_are_told() {
    let folder = copy(2, |_, sidecar| {
        let a = sidecar["results"].as_array_mut().unwrap().iter_mut().find(|r| r["arm"] == "a").unwrap();
        a["anomaly"] = json!({"score": 0.5, "map": {"width": 8, "height": 8, "box": [0, 0, 640, 640]}});
    });
    let (_folder, _, said) = export(folder.path(), "coco", &[]);
    assert!(said.contains("2 masks and maps without pixels"), "{said}");
}

#[test]
fn masks_and_maps_become_files_beside_the_images() {
    // One grey pixel, as PNG.
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    let folder = copy(2, |_, sidecar| {
        sidecar["pixels"] = json!([
            {"arm": "a", "what": "anomaly-map", "box": [0, 0, 640, 640], "png": png},
            {"arm": "a", "what": "mask", "detection": 1, "box": [0, 0, 8, 8], "png": png},
            {"arm": "b", "what": "mask", "detection": 0, "box": [0, 0, 8, 8], "png": png},
        ]);
    });
    let (_folder, set, said) = export(folder.path(), "coco", &[]);
    assert!(!said.contains("without pixels"), "{said}");
    let mut files: Vec<_> = std::fs::read_dir(set.join("pixels/default")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), 4, "of arm a alone: {names:?}");
    assert!(names[0].ends_with("-a-anomaly-map.png") && names[1].ends_with("-a-mask-1.png"), "{names:?}");
    assert!(std::fs::read(&files[0]).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn masks_of_two_models_of_an_arm_do_not_overwrite_each_other() {
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    let mask = |element: &str| json!({"arm": "a", "element": element, "what": "mask", "detection": 0, "box": [0, 0, 8, 8], "png": png});
    let folder = copy(1, |_, sidecar| sidecar["pixels"] = json!([mask("one"), mask("two")]));
    let (_folder, set, _) = export(folder.path(), "coco", &[]);
    let files = tree(&set.join("pixels/default")).into_keys();
    let ends: Vec<_> = files.map(|f| f.to_string_lossy().rsplit("-a").next().unwrap().to_string()).collect();
    assert_eq!(ends, ["-mask-0.png", "2-mask-0.png"]);
}

#[test]
fn the_figures_are_those_of_the_sidecars() {
    let captures = sidecars(&CAPTURES);
    let stats: Value = serde_json::from_str(&ok(&["dataset", "stats", arg(&CAPTURES), "--json"])).unwrap();
    assert_eq!((&stats["schema"], &stats["captures"]), (&json!("andon.dataset-stats/1"), &json!(24)));
    let count = |is: &dyn Fn(&Value) -> bool| json!(captures.values().filter(|s| is(s)).count());
    let kept_for = |s: &Value, kind| s["triggers"].as_array().unwrap().iter().any(|t| t["trigger"] == kind);
    for kind in ["every", "ng", "disagreement"] {
        assert_eq!(stats["triggers"][kind], count(&|s| kept_for(s, kind)), "{kind}");
    }
    for arm in ["a", "b"] {
        assert_eq!(stats["arms"][arm]["verdicts"]["ng"], count(&|s| result(s, arm)["verdict"] == "ng"));
        let open = count(&|s| found(s, arm).iter().any(|(label, ..)| label == "open"));
        assert_eq!(stats["arms"][arm]["captures_with"].get("open").unwrap_or(&json!(0)), &open);
    }
    assert_eq!(stats["agreement"]["both_judged"], 24);
    // The frames that framesampler kept for a disagreement.
    assert_eq!(stats["agreement"]["disagree"], count(&|s| kept_for(s, "disagreement")));
    assert_eq!(stats["skus"], json!({"A": 24}));
    let bytes: u64 = captures.keys().map(|file| fs::metadata(CAPTURES.join(file)).unwrap().len()).sum();
    assert_eq!(stats["image_bytes"], bytes);
    let table = ok(&["dataset", "stats", arg(&CAPTURES)]);
    for word in ["24 captures", "disagreement", "a: pcb 1", "b: pcb 2", "with copper", "both judged"] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
}

#[test]
fn the_contact_sheet_begins_with_what_the_models_differ_on() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("contact.html");
    let differ =
        sidecars(&CAPTURES).values().filter(|s| result(s, "a")["verdict"] != result(s, "b")["verdict"]).count();
    assert!(differ > 1);
    let most = format!("--most={}", differ + 2);
    ok(&["dataset", "browse", arg(&CAPTURES), "--out", arg(&page), &most]);
    let html = fs::read_to_string(&page).unwrap();
    common::page::check(&html, "dataset browse");
    assert!(html.contains(">the models differ</a> ") && html.contains("on <a href=\"#captures-"));
    let captions: Vec<_> =
        html.split("<figcaption>").skip(1).map(|f| f.split("</figcaption>").next().unwrap()).collect();
    assert_eq!((captions.len(), html.matches("data:image/").count()), (differ + 2, differ + 2));
    for (n, caption) in captions.iter().enumerate() {
        let verdict = |arm: &str| caption.split(&format!("<br>{arm}: <b>")).nth(1).unwrap().split('<').next().unwrap();
        assert_eq!(verdict("a") != verdict("b"), n < differ, "{n}: {caption}");
        assert!(caption.contains("Kept for every") && caption.contains("of 2"), "{caption}");
    }
    assert!(html.contains("class=\"box of-a\"") && html.contains("class=\"bracket of-b\""));
    for from_elsewhere in ["http://", "https://", "<script", "<link", "@import", "src=\"/"] {
        assert!(!html.contains(from_elsewhere), "{from_elsewhere}");
    }
}

#[test]
fn an_image_that_cannot_be_decoded_is_named_and_the_others_are_shown() {
    let folder = copy(3, |_, _| ());
    let file = sidecars(folder.path()).into_keys().next().unwrap();
    fs::write(folder.path().join(&file), "no picture").unwrap();
    let page = folder.path().join("contact.html");
    let output = andon(&["dataset", "browse", arg(folder.path()), "--out", arg(&page)]).output().unwrap();
    assert!(output.status.success() && out(&output).starts_with("2 of 3 captures"), "{}{}", out(&output), err(&output));
    assert!(err(&output).contains(&format!("1 image that cannot be shown: {file}")), "{}", err(&output));
    assert_eq!(fs::read_to_string(&page).unwrap().matches("data:image/").count(), 2);
}

#[test]
fn captures_in_jpeg_are_taken_as_those_in_png_are() {
    let folder = copy(2, |at, sidecar| {
        if at == 0 {
            sidecar["file"] = json!(sidecar["file"].as_str().unwrap().replace(".png", ".jpg"));
        }
    });
    let jpeg = sidecars(folder.path()).into_keys().find(|f| f.ends_with(".jpg")).unwrap();
    let (jpeg, png) = (folder.path().join(&jpeg), folder.path().join(jpeg.replace(".jpg", ".png")));
    let line = folder.path().join("line.launch");
    fs::write(&line, "filesrc location=${FROM} ! pngdec ! videoconvert ! jpegenc ! filesink location=${TO}").unwrap();
    ok(&["run", arg(&line), &format!("FROM={}", png.display()), &format!("TO={}", jpeg.display())]);
    fs::remove_file(png).unwrap();
    let (_folder, set, _) = export(folder.path(), "yolo", &[]);
    assert!(set.join("images/train").join(jpeg.file_name().unwrap()).is_file());
    assert_eq!(fs::read_dir(set.join("labels/train")).unwrap().count(), 2);
    let page = folder.path().join("contact.html");
    assert!(ok(&["dataset", "browse", arg(folder.path()), "--out", arg(&page)]).starts_with("2 of 2 captures"));
}

/// The lines of a file of labels: verdicts by id.
fn labels(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap();
    let word = |line: &Value, name: &str| line[name].as_str().unwrap().to_string();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .map(|l: Value| (word(&l, "id"), word(&l, "verdict")))
        .collect()
}

/// The labels of all parts if arm b is right about every view.
fn by_b(captures: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    for sidecar in captures.values() {
        let ng = !found(sidecar, "b").is_empty();
        *parts.entry(sidecar["part"]["id"].as_str().unwrap().to_string()).or_insert(false) |= ng;
    }
    parts.into_iter().map(|(id, ng)| (id, if ng { "ng" } else { "ok" }.to_string())).collect()
}

#[test]
fn what_people_corrected_in_label_studio_comes_back_as_labels_of_parts() {
    let (folder, set, _) = export(&CAPTURES, "labelstudio", &[]);
    let mut tasks = parsed(set.join("tasks_default.json"));
    let (exported, into) = (folder.path().join("export.json"), folder.path().join("labels.jsonl"));
    let import = ["dataset", "import", arg(&exported), "--format=labelstudio", "--into", arg(&into)];
    fs::write(&exported, tasks.to_string()).unwrap();
    assert!(fails(2, &import).contains("no one has looked at any capture"), "predictions are no labels");

    // As if somebody had taken over b's boxes as they are.
    for task in tasks.as_array_mut().unwrap() {
        task["annotations"] = json!([{"result": task["predictions"][1]["result"], "was_cancelled": false}]);
    }
    tasks.as_array_mut().unwrap().push(json!({"data": {"image": "/data/upload/1/cat.png"}, "annotations": []}));
    fs::write(&exported, tasks.to_string()).unwrap();
    let output = andon(&import).output().unwrap();
    assert!(
        output.status.success() && err(&output).contains("1 image that is no capture: /data/upload/1/cat.png"),
        "{}",
        err(&output)
    );
    let wanted = by_b(&sidecars(&CAPTURES));
    assert_eq!(labels(&into), wanted);
    assert!(wanted.values().any(|v| v == "ok") && wanted.values().any(|v| v == "ng"));
    assert!(ok(&import).contains("of them 0 new"), "once more, it says nothing new");
    assert_eq!(fs::read_to_string(&into).unwrap().lines().count(), 12);
}

#[test]
fn a_part_of_which_a_view_was_not_looked_at_is_not_called_ok() {
    let (folder, set, _) = export(&CAPTURES, "labelstudio", &[]);
    let mut tasks = parsed(set.join("tasks_default.json"));
    for task in tasks.as_array_mut().unwrap().iter_mut().filter(|t| t["data"]["view"] == 0) {
        task["annotations"] = json!([{"result": []}]);
    }
    let (exported, into) = (folder.path().join("export.json"), folder.path().join("labels.jsonl"));
    fs::write(&exported, tasks.to_string()).unwrap();
    let import =
        andon(&["dataset", "import", arg(&exported), "--format=labelstudio", "--into", arg(&into)]).output().unwrap();
    assert!(err(&import).contains("12 parts with views that no one looked at"), "{}", err(&import));
    assert!(labels(&into).is_empty());
}

#[test]
fn a_corrected_coco_file_becomes_labels_and_is_copied_once_it_has_been_checked() {
    let (folder, set, _) = export(&CAPTURES, "coco", &["--arm=b"]);
    let mut coco = parsed(set.join("annotations/instances_default.json"));
    let [exported, into, copy] = ["export.json", "labels.jsonl", "truth.json"].map(|n| folder.path().join(n));
    let import = |more: &[&str]| {
        let all = [&["dataset", "import", arg(&exported), "--format=cvat-coco", "--into", arg(&into)], more].concat();
        let output = andon(&all).output().unwrap();
        (output.status.code().unwrap(), err(&output))
    };
    fs::write(&exported, coco.to_string()).unwrap();
    let (code, said) = import(&[]);
    assert!(code == 2 && said.contains("detections of models"), "no one has corrected it yet: {said}");

    coco["info"] = json!({"description": ""});
    fs::write(&exported, coco.to_string()).unwrap();
    let (code, said) = import(&["--captures", arg(&CAPTURES), "--coco", arg(&copy), "--source=sample"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(labels(&into), by_b(&sidecars(&CAPTURES)));
    assert!(fs::read_to_string(&into).unwrap().lines().all(|l| l.ends_with(r#""source":"sample"}"#)));
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&exported).unwrap());

    fs::remove_file(&into).unwrap();
    assert!(import(&[]).1.contains("--captures DIR finds them"));
    let run = sidecars(&CAPTURES).values().next().unwrap()["run"].as_str().unwrap().to_string();
    assert!(labels(&into).keys().all(|id| id.starts_with(&format!("{run}/"))) && labels(&into).len() == 24);

    coco["annotations"][0]["image_id"] = json!(999);
    fs::write(&exported, coco.to_string()).unwrap();
    let before = fs::read(&copy).unwrap();
    let (code, said) = import(&["--coco", arg(&copy)]);
    assert!(code == 2 && said.contains("there is no image 999"), "{said}");
    assert_eq!(fs::read(&copy).unwrap(), before, "a file that does not hold together is not taken");
}

#[test]
fn abjoin_reads_the_labels_that_were_imported() {
    let (folder, set, _) = export(&CAPTURES, "labelstudio", &[]);
    let mut tasks = parsed(set.join("tasks_default.json"));
    for task in tasks.as_array_mut().unwrap() {
        task["annotations"] = json!([{"result": task["predictions"][1]["result"]}]);
    }
    let [exported, into, line] = ["export.json", "labels.jsonl", "line.launch"].map(|n| folder.path().join(n));
    fs::write(&exported, tasks.to_string()).unwrap();
    ok(&["dataset", "import", arg(&exported), "--format=labelstudio", "--into", arg(&into), "--source=shop"]);
    let text = "defecttestsrc num-buffers=24 views=2 defect-rate=0.6 seed=5 ! abtee name=t leaky=false
        t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a  t.src_b ! modelinfer model=models/pcb/2 ! j.sink_b
        abjoin name=j wait=-1 labels=${LABELS} ! fakesink";
    fs::write(&line, text).unwrap();
    let said = ok(&["run", arg(&line), &format!("LABELS={}", into.display()), "--json"]);
    let judged = said.lines().rfind(|l| l.contains("andon.ab-judgement/1")).expect("abjoin judges at the end");
    let judged: Value = serde_json::from_str(judged).unwrap();
    // A label of a shop is shown beside the truth of the source.
    assert_eq!(judged["data"]["labels"]["shown"], 12, "{judged}");
    let cells = judged["data"]["cells"].as_array().unwrap();
    let defective: u64 = cells.iter().map(|c| c["shown_defective"].as_u64().unwrap()).sum();
    assert_eq!(defective as usize, labels(&into).values().filter(|v| *v == "ng").count());
}

#[test]
fn a_data_set_has_one_name_for_as_long_as_nothing_in_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("set");
    std::fs::create_dir_all(set.join("images")).unwrap();
    std::fs::write(set.join("images/a.png"), "a picture").unwrap();
    std::fs::write(set.join("data.yaml"), "names: [open]").unwrap();
    std::fs::write(set.join(".hidden"), "not of it").unwrap();
    let digest = || ok(&["dataset", "digest", arg(&set)]);
    let first = digest();
    // By sha256sum: `printf '%s' 'a picture' | sha256sum` and so on, in the order of the names.
    let listed = ["data.yaml", "images/a.png"].map(|name| {
        let sum = andon_model::digest(&std::fs::read(set.join(name)).unwrap());
        format!("{}  {name}\n", sum.trim_start_matches("sha256:"))
    });
    assert_eq!(first.trim(), andon_model::digest(listed.concat().as_bytes()));
    std::fs::write(set.join("images/a.png"), "another picture").unwrap();
    assert_ne!(digest(), first);
    let says = common::fails(2, &["dataset", "digest", arg(&folder.path().join("nowhere"))]);
    assert!(says.contains("nowhere"), "{says}");
}
